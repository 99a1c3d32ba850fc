//! A service made with axum: who called is an argument of its handlers.
//!
//! ```sh
//! cargo run --example axum --features axum
//! cargo run --example client --features http,reqwest -- http://127.0.0.1:8080
//! ```

use std::error::Error;

use axum::{
    Router,
    routing::{get, post},
};
use keyscheme::{Authenticator, Config, Verified, http::Minimum};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let config = Config::load("examples/keyscheme.toml").await?;
    let auth = Authenticator::new(config.into_verifier());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, app(&auth)).await?)
}

pub fn app(auth: &Authenticator) -> Router {
    // What is done here needs a caller who has signed it: 403 otherwise.
    let signed = Minimum::new().authentic().request().body();
    Router::new()
        .route("/v1/stt", post(stt).layer(signed))
        .route("/v1/voices", get(async |caller: Verified| format!("hello, {}", caller.client())))
        .layer(auth.layer("stt"))
        .route("/healthz", get("ok")) // added after the layer: open to everybody
}

// A `String` has been read to its end, so it is what the caller signed.
async fn stt(caller: Verified, speech: String) -> String {
    format!("{} said {speech}", caller.client())
}
