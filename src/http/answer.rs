//! From a failure to what goes on the wire, in one table.

use std::{
    ops::Deref,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    error::{Failure, Reject},
    time::UnixTime,
    verifier::Refused,
    verify::Rules,
};

/// What a peer is answered: `application/problem+json` (RFC 9457), the same for every rejection, but
/// that a request without a credential is told so.
///
/// | failure | status | `detail` | |
/// |---|---|---|---|
/// | [`Reject::Missing`] | 401 | `Missing API Key` | and a challenge (RFC 9110 section 11.6.1) |
/// | every other [`Reject`] | 401 | `Invalid API Key` | and a challenge |
/// | [`Failure::Unavailable`] | 503 | `Try again` | and `Retry-After` |
///
/// The challenge names the service and the authentic schemes that it accepts, the one that clients
/// should send first. `Date`, by which a client can set its clock, is added by the server.
pub fn answer(failure: &Failure, rules: Rules<'_>) -> Response<Bytes> {
    let (status, body) = match failure {
        Failure::Rejected(Reject::Missing) => (StatusCode::UNAUTHORIZED, MISSING),
        Failure::Rejected(_) => (StatusCode::UNAUTHORIZED, INVALID),
        Failure::Unavailable(_) => return unavailable(),
    };
    let mut response = problem(status, body);
    if let Ok(challenge) = HeaderValue::try_from(challenge(rules)) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Tells a client that what it sent will be refused from `until` on: `Deprecation` (RFC 9745), `since`
/// when, and `Sunset` (RFC 8594).
pub fn announce(until: UnixTime, since: UnixTime, headers: &mut HeaderMap) {
    Announcement::new(until, since).add_to(headers);
}

/// What [`announce`] tells, written once for all responses. They copy it: clones of one header value
/// would have all cores count in one place.
#[derive(Debug)]
pub(super) struct Announcement {
    deprecation: String,
    sunset: Option<String>,
}

impl Announcement {
    pub(super) fn new(until: UnixTime, since: UnixTime) -> Self {
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until.0));
        // The format has four digits for the year.
        let end = end.filter(|_| until.0 < YEAR_10000).map(httpdate::fmt_http_date);
        Self { deprecation: format!("@{since}"), sunset: end }
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        if let Ok(deprecation) = HeaderValue::from_str(&self.deprecation) {
            headers.insert(DEPRECATION, deprecation);
        }
        if let Some(Ok(sunset)) = self.sunset.as_deref().map(HeaderValue::from_str) {
            headers.insert(SUNSET, sunset);
        }
    }
}

/// Why a request was refused: in the extensions of the response, for layers outside that keep a log.
/// It is not for the peer.
#[derive(Clone, Debug)]
pub struct Refusal(Arc<Refused>);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(Arc::new(refused))
    }
}

impl Deref for Refusal {
    type Target = Refused;

    fn deref(&self) -> &Refused {
        &self.0
    }
}

/// We could not decide.
pub(super) fn unavailable() -> Response<Bytes> {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The body could not be read.
pub(super) fn broken_off() -> Response<Bytes> {
    problem(StatusCode::BAD_REQUEST, BROKEN_OFF)
}

/// The body is longer than it may be.
pub(super) fn too_long() -> Response<Bytes> {
    problem(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG)
}

/// The credential is good, and proves less than is asked here.
pub(super) fn insufficient() -> Response<Bytes> {
    problem(StatusCode::FORBIDDEN, INSUFFICIENT)
}

/// Somebody forgot a layer.
pub(super) fn not_protected() -> Response<Bytes> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, NOT_PROTECTED)
}

/// Says it to a client of gRPC in its own code too, for not all of them look at the status of HTTP.
pub(super) fn translated(mut response: Response<Bytes>, to_grpc: bool) -> Response<Bytes> {
    if to_grpc {
        let code = match response.status() {
            StatusCode::FORBIDDEN => "7",            // PERMISSION_DENIED
            StatusCode::PAYLOAD_TOO_LARGE => "8",    // RESOURCE_EXHAUSTED
            StatusCode::SERVICE_UNAVAILABLE => "14", // UNAVAILABLE
            StatusCode::UNAUTHORIZED => "16",        // UNAUTHENTICATED
            _ => "13",                               // INTERNAL
        };
        response.headers_mut().insert(GRPC_STATUS, HeaderValue::from_static(code));
    }
    response
}

fn problem(status: StatusCode, body: &'static [u8]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn challenge(rules: Rules<'_>) -> String {
    let mut challenge = format!("ApiKey realm=\"{}\", schemes=\"", rules.service().name());
    let issued = rules.accepted().filter(|accepted| accepted.is_issued());
    let others = rules.accepted().filter(|accepted| !accepted.is_issued());
    let others = others.filter(|accepted| accepted.facts().authentic);
    for (i, accepted) in issued.chain(others).enumerate() {
        if i > 0 {
            challenge.push(' ');
        }
        challenge.push_str(accepted.facts().id);
    }
    challenge.push('"');
    challenge
}

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
/// The first second after the year 9999.
const YEAR_10000: u64 = 253_402_300_800;
const MISSING: &[u8] = br#"{"title":"Unauthorized","status":401,"detail":"Missing API Key"}"#;
const INVALID: &[u8] = br#"{"title":"Unauthorized","status":401,"detail":"Invalid API Key"}"#;
const INSUFFICIENT: &[u8] =
    br#"{"title":"Forbidden","status":403,"detail":"The credential proves too little"}"#;
const BROKEN_OFF: &[u8] =
    br#"{"title":"Bad Request","status":400,"detail":"The body could not be read"}"#;
const TOO_LONG: &[u8] =
    br#"{"title":"Content Too Large","status":413,"detail":"The body is too long"}"#;
const NOT_PROTECTED: &[u8] =
    br#"{"title":"Internal Server Error","status":500,"detail":"Not protected"}"#;
const UNAVAILABLE: &[u8] = br#"{"title":"Service Unavailable","status":503,"detail":"Try again"}"#;
