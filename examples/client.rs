//! A caller: reqwest and hyper, each with a client layer that signs every request.
//!
//! ```sh
//! cargo run --example client --features http,reqwest -- http://127.0.0.1:8080
//! ```

use std::error::Error;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use keyscheme::{Config, http::IssueLayer};
use tower::{Layer, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of the service")?;
    let config = Config::load("examples/keyscheme.toml").await?;
    let layer = config.issue_layer("stt", "spring-main", None)?;
    println!("reqwest: {}", with_reqwest(&layer, &url).await?);
    println!("hyper: {}", with_hyper(&layer, &url).await?);
    Ok(())
}

pub async fn with_reqwest(layer: &IssueLayer, url: &str) -> Result<u16, Box<dyn Error>> {
    // A redirect that reqwest followed by itself would send the same credential again.
    let once = reqwest::redirect::Policy::none();
    let reqwest = reqwest::Client::builder().redirect(once).build()?;
    let client = layer.layer(reqwest.clone());

    let request = reqwest.post(format!("{url}/v1/stt?lang=ko")).body("hello").build()?;
    Ok(client.oneshot(request).await?.status().as_u16())
}

pub async fn with_hyper(layer: &IssueLayer, url: &str) -> Result<u16, Box<dyn Error>> {
    let hyper = legacy::Client::builder(TokioExecutor::new()).build_http();
    let client = layer.layer(hyper);

    let request = http::Request::post(format!("{url}/v1/stt?lang=ko"));
    let request = request.body(Full::new(Bytes::from("hello")))?;
    Ok(client.oneshot(request).await?.status().as_u16())
}
