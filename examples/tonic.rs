//! gRPC: a tonic server behind the layer, and a client of which every call is signed, body and all.
//!
//! ```sh
//! cargo run --example tonic --features http
//! ```

use std::error::Error;

use http::Request;
use keyscheme::{Authenticator, Config, http::IssueLayer};
use tokio::net::TcpListener;
use tonic::{
    Status,
    body::Body,
    transport::{self, Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tower::{Layer, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let config = Config::load("examples/keyscheme.toml").await?;
    let layer = config.issue_layer("stt", "spring-main", None)?;
    let auth = Authenticator::new(config.into_verifier());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { serve(listener, &auth).await });

    let channel = Endpoint::from_shared(url)?.connect().await?;
    let refused = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    println!("unsigned: {:?}", refused.map_err(|status| status.code()));
    println!("signed: {:?}", signed(channel, &layer).await?);
    Ok(())
}

pub async fn serve(listener: TcpListener, auth: &Authenticator) -> Result<(), transport::Error> {
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(auth.layer("stt")).add_service(health);
    server.serve_with_incoming(TcpIncoming::from(listener)).await
}

/// A single answer, and the first of a stream of them.
pub async fn signed(
    channel: Channel,
    layer: &IssueLayer,
) -> Result<[Option<HealthCheckResponse>; 2], Status> {
    // A channel takes tonic's own body only.
    let channel = channel.map_request(|r: Request<_>| r.map(Body::new));
    let mut client = HealthClient::new(layer.layer(channel));
    let one = client.check(HealthCheckRequest::default()).await?.into_inner();
    let mut stream = client.watch(HealthCheckRequest::default()).await?.into_inner();
    Ok([Some(one), stream.message().await?])
}
