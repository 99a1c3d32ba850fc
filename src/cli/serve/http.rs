//! Questions over HTTP.

use std::convert::Infallible;

use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::json;

use super::{
    Server,
    answer::Body,
    ask::{Ask, is_partial},
    grpc,
    judge::Forwarded,
};

/// Answers one request.
pub(super) async fn respond(
    server: &Server,
    request: Request<Incoming>,
    peer: &str,
) -> Result<Response<Body>, Infallible> {
    let whole = |response: Response<Bytes>| response.map(|body| Either::Left(Full::new(body)));
    let path = request.uri().path();
    if path == grpc::PATH {
        return Ok(grpc::respond(&server.judge, request, peer).await);
    }
    if path.starts_with("/auth/") {
        let (head, body) = request.into_parts();
        if let Some(ask) = Ask::at_endpoint(&head.method, &head.uri, &head.headers, peer) {
            let answer = if server.judge.knows(&head.headers) {
                let partly = is_partial(&head.headers);
                server.judge.judge(&ask, read(body, partly)).await
            } else {
                server.judge.unknown_proxy(peer)
            };
            let is_read = ask.dialect.reads_denials;
            return Ok(whole(if is_read { answer } else { answer.map(|_| Bytes::new()) }));
        }
        return Ok(whole(plain(StatusCode::NOT_FOUND, "no such endpoint")));
    }
    if path == "/keyz" && !server.judge.knows(request.headers()) {
        return Ok(whole(plain(StatusCode::FORBIDDEN, "show X-Proxy-Token")));
    }
    Ok(whole(match path {
        "/healthz" => plain(StatusCode::OK, "ok"),
        "/keyz" => keys(server),
        "/readyz" => match server.ready.ask(&server.judge).await {
            Ok(()) => plain(StatusCode::OK, "ready"),
            Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
        },
        _ => plain(StatusCode::NOT_FOUND, "no such endpoint"),
    }))
}

/// Which keys are loaded, for `keyscheme rotate`: ids and states, which are no secrets.
fn keys(server: &Server) -> Response<Bytes> {
    let keys: Vec<_> = server.judge.keys();
    let keys = keys.into_iter().map(|(id, state)| json!({ "id": id, "state": state }));
    let text = json!({ "keys": keys.collect::<Vec<_>>() }).to_string();
    let mut response = Response::new(Bytes::from(text));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A body that the proxy has sent along.
async fn read(body: Incoming, partly: bool) -> Forwarded {
    if partly {
        return Forwarded::Part;
    }
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(content) => Forwarded::Whole(content.to_bytes()),
        Err(_) => Forwarded::Unreadable,
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

/// More than this of a body is not read: proxies keep whole what they send along.
const LONGEST_BODY: usize = 16 * 1024 * 1024;
