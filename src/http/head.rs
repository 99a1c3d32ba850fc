//! What of a request's head a decision looks at.

use http::{HeaderMap, Uri, request::Parts};

use crate::{request::Request, wire::Presented};

/// The head as a decision sees it: every field line that could be ours, and the target that the
/// client sent.
pub(super) fn judged<'a>(head: &'a Parts, header: &str) -> Request<'a> {
    Request::new(head.method.as_str(), target(sent_uri(head)))
        .presented(presented(&head.headers, header))
}

/// All field lines that could be ours, however many.
pub(super) fn presented<'a>(headers: &'a HeaderMap, header: &str) -> Presented<'a> {
    let all = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Presented::from_headers(header, all)
}

/// The target of origin-form (RFC 9112 section 3.2.1) or `:path` (RFC 9113 section 8.3.1), raw. Where
/// there is none, as of `CONNECT`, nothing can be bound to it.
pub(super) fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", |target| target.as_str())
}

/// The URI that the client sent. axum's nested routers hand on a shorter one.
pub(super) fn sent_uri(head: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<::axum::extract::OriginalUri>() {
        return &original.0;
    }
    &head.uri
}

/// Targets that a client may have signed in place of the one that arrived, for
/// [`Rules::misread`](crate::Rules::misread).
pub(super) fn others(head: &Parts) -> Vec<(&'static str, Vec<u8>)> {
    let mut others = Vec::new();
    let seen = target(sent_uri(head));
    let shortened = target(&head.uri);
    if shortened != seen {
        let why = "the target was signed without the prefix of a nested router";
        others.push((why, shortened.as_bytes().to_vec()));
    }
    let why = "the target was changed on the way: it was signed as a proxy's header tells";
    for name in ["x-forwarded-uri", "x-original-uri", "x-envoy-original-path"] {
        if let Some(value) = headers_one(&head.headers, name) {
            others.push((why, value.to_vec()));
        }
    }
    if let Some(prefix) = headers_one(&head.headers, "x-forwarded-prefix") {
        let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
        let why = "a proxy has taken a prefix off the target (x-forwarded-prefix)";
        others.push((why, [prefix, seen.as_bytes()].concat()));
    }
    others
}

fn headers_one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get(name).map(http::HeaderValue::as_bytes)
}
