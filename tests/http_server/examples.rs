//! The examples are run.

use std::path::Path;

use keyscheme::{Authenticator, Config, Issuer, Request, http::IssueLayer};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::world::{Server, auth};

#[allow(dead_code)]
#[path = "../../examples/axum.rs"]
mod axum_example;
#[allow(dead_code)]
#[path = "../../examples/hyper.rs"]
mod hyper_example;
#[allow(dead_code)]
#[path = "../../examples/tonic.rs"]
mod tonic_example;

/// The side of the service and that of the caller.
async fn example() -> (Authenticator, Config) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/keyscheme.toml");
    let service = Config::load(&path).await.unwrap();
    (Authenticator::new(service.into_verifier()), Config::load(&path).await.unwrap())
}

fn signed(issuer: &Issuer, method: &str, target: &str, body: &str) -> String {
    issuer.issue(&Request::new(method, target).body(body)).unwrap()
}

#[tokio::test]
async fn axum_knows_who_called() {
    let (auth, config) = example().await;
    let server = Server::axum(axum_example::app(&auth));
    let hmac1 = config.issuer("stt", "spring-main", None).unwrap();
    let ecb0 = config.issuer("stt", "spring-main", Some("ecb0")).unwrap();

    let answer = server.get("/v1/voices", &signed(&hmac1, "GET", "/v1/voices", ""));
    assert_eq!((answer.status(), answer.text()), (200, "hello, spring-main".to_owned()));
    assert_eq!(answer.field("sunset"), None);
    let answer = server.get("/v1/voices", &signed(&ecb0, "GET", "/v1/voices", ""));
    assert_eq!((answer.status(), answer.text()), (200, "hello, spring-main".to_owned()));
    assert!(answer.field("sunset").is_some());

    let answer = server.post("/v1/stt", &signed(&hmac1, "POST", "/v1/stt", "hi"), b"hi");
    assert_eq!((answer.status(), answer.text()), (200, "spring-main said hi".to_owned()));
    let answer = server.post("/v1/stt", &signed(&hmac1, "POST", "/v1/stt", "hi"), b"ho");
    assert_eq!(answer.status(), 401);
    let answer = server.post("/v1/stt", &signed(&ecb0, "POST", "/v1/stt", "hi"), b"hi");
    assert_eq!(answer.status(), 403);

    assert_eq!(server.get("/v1/voices", "").status(), 401);
    assert_eq!(server.get("/healthz", "").text(), "ok");
}

#[tokio::test]
async fn hyper_knows_who_called() {
    let (auth, config) = example().await;
    let server = Server::start(async move |listener| {
        hyper_example::serve(listener, &auth).await.unwrap();
    });
    let hmac1 = config.issuer("stt", "spring-main", None).unwrap();
    let answer = server.post("/v1/stt", &signed(&hmac1, "POST", "/v1/stt", "hi"), b"hi");
    assert_eq!((answer.status(), answer.text()), (200, "hello, spring-main: 2 bytes\n".into()));
    let answer = server.post("/v1/stt", &signed(&hmac1, "POST", "/v1/stt", "hi"), b"ho");
    assert_eq!(answer.status(), 401);
    assert_eq!(server.get("/", "").status(), 401);
    assert_eq!(server.get("/healthz", "").text(), "hello, nobody: 0 bytes\n");
}

#[tokio::test]
async fn tonic_is_called_with_signed_messages() {
    let (auth, config) = example().await;
    let server = Server::start(async move |listener| {
        tonic_example::serve(listener, &auth).await.unwrap();
    });
    let channel = Endpoint::from_shared(server.url("")).unwrap().connect().await.unwrap();
    let layer = config.issue_layer("stt", "spring-main", None).unwrap();
    for answer in tonic_example::signed(channel.clone(), &layer).await.unwrap() {
        assert_eq!(answer.unwrap().status(), ServingStatus::Serving);
    }
    assert_eq!(server.log.lines("scheme=\"hmac1\"").len(), 2);

    // Whoever has no credential, or a bad one, is unauthenticated in the words of gRPC.
    let mut stranger = HealthClient::new(channel.clone());
    let status = stranger.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let status = stranger.watch(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let other = config.issuer("stt", "spring-main", None).unwrap().uncovered_body();
    let status = tonic_example::signed(channel, &IssueLayer::new(other)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
}

#[tokio::test]
async fn a_service_that_is_not_configured_is_unavailable_to_grpc() {
    let auth = auth();
    let server = Server::start(async move |listener| {
        let (_, health) = tonic_health::server::health_reporter();
        let mut server = tonic::transport::Server::builder().layer(auth.layer("nobody"));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        server.add_service(health).serve_with_incoming(incoming).await.unwrap();
    });
    let channel = Endpoint::from_shared(server.url("")).unwrap().connect().await.unwrap();
    let status = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}
