//! What of a request's head a decision looks at.

use http::{HeaderMap, HeaderValue, Uri, header::CONTENT_TYPE, request::Parts};

use crate::{request::Request, wire::Presented};

/// The head as a decision sees it: every field line that could be ours, and the target that the
/// client sent.
pub(super) fn judged<'a>(head: &'a Parts, header: &str) -> Request<'a> {
    Request::new(head.method.as_str(), sent_target(head))
        .presented(presented(&head.headers, header))
}

/// What a request carries under the header of a service, judged as
/// [`Presented::from_headers`] does.
pub fn presented<'a>(headers: &'a HeaderMap, header: &str) -> Presented<'a> {
    let all = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Presented::from_headers(header, all)
}

/// The target of origin-form (RFC 9112 section 3.2.1) or `:path` (RFC 9113 section 8.3.1), raw. Where
/// there is none, as of `CONNECT`, nothing can be bound to it.
fn target(uri: &Uri) -> &str {
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

/// The target that the client sent.
pub(super) fn sent_target(head: &Parts) -> &str {
    target(sent_uri(head))
}

/// Whether the client speaks gRPC, which it says in the content type.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// The target that a nested router has left of it.
pub(super) fn shortened(head: &Parts) -> Option<(&'static str, Vec<u8>)> {
    let shortened = target(&head.uri);
    let why = "the target was signed without the prefix of a nested router";
    (shortened != sent_target(head)).then(|| (why, shortened.as_bytes().to_vec()))
}

/// Targets that a client may have signed in place of the one that arrived, as far as headers of
/// proxies tell, each with what it would mean. They are good for [`Rules::misread`](crate::Rules::misread)
/// only: anybody can write them.
pub fn other_targets(headers: &HeaderMap, arrived: &str) -> Vec<(&'static str, Vec<u8>)> {
    let value = |name| headers.get(name).map(HeaderValue::as_bytes);
    let mut others = Vec::new();
    let why = "a proxy has changed the target: its own header shows what was signed";
    for name in ["x-forwarded-uri", "x-original-uri", "x-envoy-original-path"] {
        others.extend(value(name).map(|target| (why, target.to_vec())));
    }
    if let Some(prefix) = value("x-forwarded-prefix") {
        let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
        let why = "a proxy has taken its prefix off the target (x-forwarded-prefix)";
        others.push((why, [prefix, arrived.as_bytes()].concat()));
    }
    others
}
