//! Questions of Envoy's `ext_authz` over gRPC (`envoy.service.auth.v3.Authorization/Check`): the part of
//! its messages that is read and written here. What is not named is skipped.
//!
//! The service is named by the metadata `x-keyscheme-service`, which Envoy's configuration sets
//! (`initial_metadata`) and no client can.

use std::{collections::HashMap, pin::Pin};

use http_body_util::Either;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    header::{HeaderName, HeaderValue},
};
use keyscheme::{Presented, http::presented};
use tonic::{Status, server::UnaryService};

use super::{
    answer::Body,
    ask::{Ask, GRPC, IDENTITY, Subject, disputed, is_partial},
    judge::{Forwarded, Judge},
};

pub(super) const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Answers one call.
pub(super) async fn respond(judge: &Judge, call: Request<Incoming>, peer: &str) -> Response<Body> {
    let codec = tonic_prost::ProstCodec::<CheckResponse, CheckRequest>::default();
    // A call is read before it is answered. That of a stranger is not worth much room.
    let longest = if judge.knows(call.headers()) { LONGEST_CALL } else { LONGEST_OF_STRANGERS };
    let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(longest);
    grpc.unary(Check { judge, peer }, call).await.map(Either::Right)
}

/// The one method.
struct Check<'a> {
    judge: &'a Judge,
    peer: &'a str,
}

impl<'a> UnaryService<CheckRequest> for Check<'a> {
    type Response = CheckResponse;
    type Future =
        Pin<Box<dyn Future<Output = Result<tonic::Response<CheckResponse>, Status>> + Send + 'a>>;

    fn call(&mut self, call: tonic::Request<CheckRequest>) -> Self::Future {
        let Self { judge, peer } = *self;
        Box::pin(async move { Ok(tonic::Response::new(check(judge, peer, call).await)) })
    }
}

async fn check(judge: &Judge, peer: &str, call: tonic::Request<CheckRequest>) -> CheckResponse {
    let (metadata, _, message) = call.into_parts();
    let metadata = metadata.into_headers();
    let service = match presented(&metadata, SERVICE) {
        Presented::One(name) => std::str::from_utf8(name).unwrap_or_default(),
        Presented::Many | Presented::None => "",
    };
    if !judge.knows(&metadata) {
        return judge.unknown_proxy(peer).into();
    }
    let request = message.attributes.and_then(|a| a.request).and_then(|r| r.http);
    let request = request.unwrap_or_default();
    let headers = request.headers();
    let subject = match &headers {
        _ if service.is_empty() => Subject::Missing(SERVICE),
        Some(headers) if !disputed(headers, IDENTITY.iter()) => {
            Subject::One { method: request.method.as_bytes(), target: request.path.as_bytes() }
        }
        _ => Subject::Ambiguous,
    };
    let headers = headers.unwrap_or_default();
    let ask = Ask { dialect: &GRPC, service, subject, headers: &headers, peer };
    let partly = is_partial(&headers);
    let body =
        if request.raw_body.is_empty() { request.body.into_bytes() } else { request.raw_body };
    let body = if partly { Forwarded::Part } else { Forwarded::Whole(Bytes::from(body)) };
    judge.judge(&ask, async { body }).await.into()
}

impl HttpRequest {
    /// The headers, each line of its own where Envoy sends them so (`encode_raw_headers`), otherwise
    /// with lines of one name joined by a comma. `None` where one is none, or there are too many.
    fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &[u8]| {
            // Method, target and authority come as fields of their own.
            if !name.starts_with(':') {
                let name = HeaderName::try_from(name).ok()?;
                headers.try_append(name, HeaderValue::from_bytes(value).ok()?).ok()?;
            }
            Some(())
        };
        for line in self.header_map.iter().flat_map(|map| &map.headers) {
            let raw = !line.raw_value.is_empty();
            add(&line.key, if raw { &line.raw_value } else { line.value.as_bytes() })?;
        }
        for (name, value) in &self.headers {
            add(name, value.as_bytes())?;
        }
        Some(headers)
    }
}

impl From<Response<Bytes>> for CheckResponse {
    fn from(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        let of = |identity: bool| {
            let lines = head.headers.iter();
            let lines =
                lines.filter(move |(name, _)| IDENTITY.contains(&name.as_str()) == identity);
            lines.map(|(name, value)| HeaderValueOption::set(name, value)).collect()
        };
        let (code, answer) = if head.status.is_success() {
            let ok = OkHttpResponse { headers: of(true), response_headers_to_add: of(false) };
            (OK, HttpResponse::Ok(ok))
        } else {
            let status = HttpStatus { code: i32::from(head.status.as_u16()) };
            // Ours is ASCII.
            let body = String::from_utf8_lossy(&body).into_owned();
            let denied = DeniedHttpResponse { status: Some(status), headers: of(false), body };
            (PERMISSION_DENIED, HttpResponse::Denied(denied))
        };
        Self { status: Some(RpcStatus { code }), http_response: Some(answer) }
    }
}

impl HeaderValueOption {
    /// Written over what is there.
    fn set(name: &HeaderName, value: &HeaderValue) -> Self {
        let (key, value) = (name.to_string(), value.to_str().unwrap_or_default().to_owned());
        let header = Some(HeaderLine { key, value, raw_value: Vec::new() });
        Self { header, append_action: OVERWRITE_IF_EXISTS_OR_ADD, keep_empty_value: true }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "4")]
    request: Option<AttributeRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeRequest {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpRequest {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "11")]
    body: String,
    #[prost(bytes = "vec", tag = "12")]
    raw_body: Vec<u8>,
    #[prost(message, optional, tag = "13")]
    header_map: Option<HeaderLines>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderLines {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<HeaderLine>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderLine {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    http_response: Option<HttpResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(message, repeated, tag = "6")]
    response_headers_to_add: Vec<HeaderValueOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderLine>,
    #[prost(int32, tag = "3")]
    append_action: i32,
    #[prost(bool, tag = "4")]
    keep_empty_value: bool,
}

/// The metadata that names the service.
const SERVICE: &str = "x-keyscheme-service";
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const OVERWRITE_IF_EXISTS_OR_ADD: i32 = 2;
/// More than what Envoy is usually told to buffer of a body.
const LONGEST_CALL: usize = 17 * 1024 * 1024;
/// More than the head of a request.
const LONGEST_OF_STRANGERS: usize = 128 * 1024;
