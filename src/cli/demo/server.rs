//! The service of the demonstration: thin, on hyper.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use keyscheme::{BackendError, Failure, Guard, Presented, Refused, Reject, Verified, Verifier};
use tokio::net::TcpListener;

use super::SERVICE;

/// More than this of a body is not read.
const LONGEST_BODY: usize = 64 * 1024;

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, verifier: Arc<Verifier>, log: bool) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for example: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let verifier = Arc::clone(&verifier);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&verifier, request, log));
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            // A connection that breaks is the caller's business.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    verifier: &Verifier,
    request: Request<Incoming>,
    log: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let line = format!("{} {}", request.method(), request.uri().path());
    let Some(guard) = verifier.service(SERVICE) else {
        return Ok(respond(&Err(BackendError::new("demo", "has no service").into())));
    };
    let outcome = protect(guard, request).await;
    if log {
        let entry = match &outcome {
            Ok(verified) => format!(
                "accepted  {line}  client {}, scheme {}, key {}",
                verified.client(),
                verified.scheme(),
                verified.key_id()
            ),
            Err(refused) => format!("{}  {line}{}", refused.failure(), proved(refused)),
        };
        // A log that nobody reads any more does not end the service.
        let _ = super::super::print(format_args!("{entry}"));
    }
    Ok(respond(&outcome.map_err(Failure::from)))
}

/// Whose key was proved, where one was.
fn proved(refused: &Refused) -> String {
    let proved = refused.client().zip(refused.key_id());
    proved.map_or_else(String::new, |(client, key)| format!("  client {client}, key {key}"))
}

/// Judges the head, and only then reads the body and compares it.
async fn protect(guard: Guard<'_>, request: Request<Incoming>) -> Result<Verified, Refused> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let judged = keyscheme::Request::new(head.method.as_str(), target)
        .presented(Presented::from_headers("x-api-key", headers));
    let verified = guard.judge(&judged).await?;
    // A body that breaks off or goes on too long is not the one that was covered.
    let content = Limited::new(body, LONGEST_BODY).collect().await;
    let Ok(content) = content else {
        return Err(Refused::after(&verified, Reject::BodyMismatch));
    };
    let accepted = verified.clone();
    let settled = verified.with_body(&content.to_bytes());
    settled.map_err(|reason| Refused::after(&accepted, reason))
}

/// Every refusal is one answer, but for what the caller knows anyway.
fn respond(outcome: &Result<Verified, Failure>) -> Response<Full<Bytes>> {
    let (status, text) = match outcome {
        Ok(verified) => {
            let text = format!(
                "{{\"client\":\"{}\",\"scheme\":\"{}\"}}",
                verified.client(),
                verified.scheme()
            );
            (StatusCode::OK, text)
        }
        Err(Failure::Rejected(Reject::Missing)) => {
            (StatusCode::UNAUTHORIZED, problem(401, "Unauthorized", "Missing API Key"))
        }
        Err(Failure::Rejected(_)) => {
            (StatusCode::UNAUTHORIZED, problem(401, "Unauthorized", "Invalid API Key"))
        }
        Err(Failure::Unavailable(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, problem(503, "Service Unavailable", "Try again"))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind =
        if status == StatusCode::OK { "application/json" } else { "application/problem+json" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::UNAUTHORIZED {
        let challenge = "ApiKey realm=\"demo\", schemes=\"hmac1 gcm1 cbc1 ecb0\"";
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// RFC 9457.
fn problem(status: u16, title: &str, detail: &str) -> String {
    format!("{{\"title\":\"{title}\",\"status\":{status},\"detail\":\"{detail}\"}}")
}
