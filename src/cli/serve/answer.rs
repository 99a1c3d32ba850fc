//! What a proxy is told. Every answer holds every header of identity, empty where nothing is known: a
//! proxy that copies them to the service then writes over what the client put there.

use std::fmt::Write;

use http_body_util::{Either, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};
use keyscheme::{
    BodyState, Failure, Rules, UnixTime, Verified,
    http::{announce, answer},
};

use super::ask::{Dialect, IDENTITY};

/// The body of an answer: whole, or that of a gRPC call with its trailers.
pub(super) type Body = Either<Full<Bytes>, tonic::body::Body>;

/// The request may pass.
pub(super) fn allow(
    verified: &Verified,
    digest: Option<[u8; 32]>,
    since: UnixTime,
) -> Response<Bytes> {
    let body = match verified.body() {
        BodyState::Empty => "empty",
        BodyState::Pending(_) => "unverified",
        BodyState::Uncovered => "uncovered",
        BodyState::Verified => "verified",
    };
    let digest = digest.map(hex).unwrap_or_default();
    let mut response = Response::new(Bytes::new());
    let values = [verified.client(), verified.scheme(), verified.key_id(), body, &digest];
    identify(response.headers_mut(), values);
    if let Some(until) = verified.accepted_until() {
        announce(until, since, response.headers_mut());
    }
    response
}

/// It may not: one answer for every rejection. What is no rejection is said in the way that the
/// dialect has for it.
pub(super) fn deny(failure: &Failure, rules: Rules<'_>, dialect: &Dialect) -> Response<Bytes> {
    let mut response = match failure {
        Failure::Rejected(_) => answer(failure, rules),
        Failure::Unavailable(_) => unavailable(dialect.unavailable),
    };
    identify(response.headers_mut(), [""; 5]);
    response
}

/// We could not decide, or the proxy has not said what about.
pub(super) fn unavailable(status: StatusCode) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Bytes::from(format!(
        "{{\"title\":\"{title}\",\"status\":{},\"detail\":\"Try again\",\"code\":\"unavailable\"}}",
        status.as_u16()
    )));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert("retry-after", HeaderValue::from_static("1"));
    identify(headers, [""; 5]);
    response
}

fn identify(headers: &mut HeaderMap, values: [&str; 5]) {
    for (name, value) in IDENTITY.into_iter().zip(values) {
        // Names and words of ours are visible ASCII; what is not would be left empty.
        let value = HeaderValue::try_from(value).unwrap_or(const { HeaderValue::from_static("") });
        headers.insert(name, value);
    }
}

fn hex(digest: [u8; 32]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
