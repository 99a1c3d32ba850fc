//! The service of the demonstration: a handler, and the layer before it.

use std::{convert::Infallible, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use keyscheme::{Authenticator, Verified, http::RequestBody};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

use super::SERVICE;

/// More than this of a body is not read.
const LONGEST_BODY: usize = 64 * 1024;

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, auth: Authenticator) {
    let service = auth.layer(SERVICE).buffer(LONGEST_BODY).layer(service_fn(answer));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for example: others must end first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new());
            // A connection that breaks is the caller's business.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Says to the caller who it is.
async fn answer(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.extensions().get::<Verified>() {
        Some(caller) => {
            format!("{{\"client\":\"{}\",\"scheme\":\"{}\"}}", caller.client(), caller.scheme())
        }
        None => String::new(),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
