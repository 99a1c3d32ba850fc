//! A service made with hyper alone, for HTTP/1.1 and HTTP/2.
//!
//! ```sh
//! cargo run --example hyper --features http
//! cargo run --example client --features http,reqwest -- http://127.0.0.1:8080
//! ```

use std::{error::Error, io};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use keyscheme::{
    Authenticator, Config, Verified,
    http::{BodyError, RequestBody},
};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let config = Config::load("examples/keyscheme.toml").await?;
    let auth = Authenticator::new(config.into_verifier());
    Ok(serve(TcpListener::bind("127.0.0.1:8080").await?, &auth).await?)
}

pub async fn serve(listener: TcpListener, auth: &Authenticator) -> io::Result<()> {
    let service = auth.layer("stt").exempt("/healthz").layer(service_fn(answer));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("a connection: {error}");
            }
        });
    }
}

// A false body ends in an error, in place of which the caller gets a refusal.
async fn answer(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, BodyError> {
    let caller = request.extensions().get::<Verified>().cloned();
    let content = request.into_body().collect().await?.to_bytes();
    let caller = caller.as_ref().map_or("nobody", Verified::client);
    Ok(Response::new(format!("hello, {caller}: {} bytes\n", content.len()).into()))
}
