//! What a route asks beyond the layer, and the manners of a tower service.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{Router, routing::any};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use keyscheme::{
    Authenticator, Verified,
    http::{Insufficient, Minimum, RequestBody},
};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimitLayer};

use crate::{
    frames::{Frames, Piece},
    world::{Log, SCHEMES, Server, auth, builder, credential, head, issuer, whoami},
};

/// The demands, and who meets them.
fn demands() -> [(&'static str, Minimum, &'static [&'static str]); 6] {
    [
        ("/none", Minimum::new(), &SCHEMES),
        ("/authentic", Minimum::new().authentic(), &["gcm1", "hmac1"]),
        ("/fresh", Minimum::new().fresh(), &["gcm1", "hmac1"]),
        ("/request", Minimum::new().request(), &["hmac1"]),
        ("/body", Minimum::new().body(), &["hmac1"]),
        ("/all", Minimum::new().authentic().fresh().request().body(), &["hmac1"]),
    ]
}

#[test]
fn a_route_may_ask_for_more() {
    let (mut by_layer, mut by_hand) = (Router::new(), Router::new());
    for (path, minimum, _) in demands() {
        by_layer = by_layer.route(path, any(whoami).layer(minimum));
        let check = async move |caller: Verified| -> Result<String, Insufficient> {
            minimum.check(&caller)?;
            Ok(whoami(caller, Bytes::new()).await)
        };
        by_hand = by_hand.route(path, any(check));
    }
    for app in [by_layer, by_hand] {
        let server = Server::axum(app.layer(auth().layer("stt")));
        for (path, _, enough) in demands() {
            for scheme in SCHEMES {
                for content in ["", "hello"] {
                    let signed = credential(scheme, "POST", path, content.as_bytes());
                    let answer = server.post(path, &signed, content.as_bytes());
                    let expected = if enough.contains(&scheme) { 200 } else { 403 };
                    assert_eq!(answer.status(), expected, "{path} {scheme}");
                    if expected == 403 {
                        let said = r#""detail":"The credential proves too little"}"#;
                        assert!(answer.text().ends_with(said), "{answer:?}");
                        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
                    }
                }
            }
            // Who proves nothing learns nothing of it.
            assert_eq!(server.get(path, "").status(), 401);
            assert_eq!(server.get(path, "x").status(), 401);
        }
    }
}

#[test]
fn a_body_that_is_not_covered_is_less() {
    let service = keyscheme::ServiceConfig::new("loose").issue("hmac1");
    let service = service.accept(keyscheme::AcceptConfig::new("hmac1").danger_uncovered_body());
    let auth = Authenticator::new(builder().service(service).build().unwrap());
    let app = Router::new()
        .route("/", any(whoami))
        .route("/body", any(whoami).layer(Minimum::new().body()))
        .layer(auth.layer("loose"));
    let server = Server::axum(app);
    let loose = issuer("loose", "key-hmac1", "hmac1", 1).uncovered_body();
    let signed = |target| loose.issue(&keyscheme::Request::new("POST", target)).unwrap();
    let answer = server.post("/", &signed("/"), b"anything");
    assert_eq!(answer.text(), "main hmac1 key-hmac1 uncovered anything");
    assert_eq!(server.post("/body", &signed("/body"), b"anything").status(), 403);
    assert_eq!(server.post("/body", &signed("/body"), b"").status(), 403);
}

/// Is called only where it has said that it is ready, and then has to be asked again.
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<http::Request<RequestBody<Frames>>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<RequestBody<Frames>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "it was not asked");
        self.calls.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::new(Full::default())))
    }
}

fn request(credential: &str, frames: Frames) -> http::Request<Frames> {
    http::Request::post("/").header("x-api-key", credential).body(frames).unwrap()
}

fn signed() -> String {
    credential("hmac1", "POST", "/", b"hello")
}

/// Waits a turn before it ends.
fn slow() -> Frames {
    let data = |text: &str| Piece::Data(text.as_bytes().to_vec());
    Frames::new([Piece::Pending, data("hel"), Piece::Pending, data("lo")], true)
}

#[derive(Debug, Default)]
struct Yielding;

#[async_trait::async_trait]
impl keyscheme::ReplayStore for Yielding {
    async fn claim(
        &self,
        _: &keyscheme::ReplayClaim<'_>,
    ) -> Result<keyscheme::Claim, keyscheme::BackendError> {
        tokio::task::yield_now().await;
        Ok(keyscheme::Claim::First)
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let waiting = builder().replay_store(Arc::new(Yielding)).build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let layers = [auth().layer("stt"), Authenticator::new(waiting).layer("stt")];
    for layer in layers.iter().flat_map(|layer| [layer.clone(), layer.clone().buffer(100)]) {
        let strict = Strict { ready: false, calls: Arc::clone(&calls) };
        let mut service = layer.layer(strict);
        for _ in 0..3 {
            let response = service.ready().await.unwrap().call(request(&signed(), slow())).await;
            assert_eq!(response.unwrap().status(), 200);
            // A refusal calls nobody, and the next request is served as if it had not been.
            let response = service.ready().await.unwrap().call(request("x", slow())).await;
            assert_eq!(response.unwrap().status(), 401);
        }
        // Two at once.
        let one = service.ready().await.unwrap().call(request(&signed(), slow()));
        let two = service.ready().await.unwrap().call(request(&signed(), slow()));
        let (one, two) = tokio::join!(one, two);
        assert_eq!((one.unwrap().status().as_u16(), two.unwrap().status().as_u16()), (200, 200));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 4 * 5);
}

#[tokio::test]
async fn a_refusal_keeps_no_place_inside() {
    let waiting = builder().replay_store(Arc::new(Yielding)).build().unwrap();
    for auth in [auth(), Authenticator::new(waiting)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let strict = Strict { ready: false, calls: Arc::clone(&calls) };
        let inner = ConcurrencyLimitLayer::new(1).layer(strict);
        let service = auth.layer("stt").buffer(100).layer(inner);
        for bad in ["x", &credential("hmac1", "POST", "/", b"other"), &signed()] {
            for _ in 0..5 {
                let answer = service.clone().oneshot(request(bad, slow())).await.unwrap();
                assert_ne!(answer.status(), 503);
            }
        }
        // A caller that goes away while it is read gives its place back.
        for _ in 0..5 {
            let body = Frames::new([Piece::Pending], false);
            let mut going = Box::pin(service.clone().oneshot(request(&signed(), body)));
            let first = std::future::poll_fn(|cx| Poll::Ready(going.as_mut().poll(cx))).await;
            assert!(first.is_pending());
        }
        let answer = service.clone().oneshot(request(&signed(), slow())).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn clones_share_one_log() {
    let log = Log::default();
    let _recording = log.record();
    let layer = auth().layer("stt");
    let calls = Arc::new(AtomicUsize::new(0));
    let strict = Strict { ready: false, calls: Arc::clone(&calls) };
    let service = layer.layer(strict.clone());
    for _ in 0..100 {
        // Of the service, and of the layer.
        for service in [service.clone(), layer.clone().layer(strict.clone())] {
            let answer = service.oneshot(request("x", slow())).await.unwrap();
            assert_eq!(answer.status(), 401);
        }
    }
    let lines = log.lines("refused").len();
    assert!((1..=10).contains(&lines), "{lines}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_refusal_leaves_the_connection_as_every_answer_does() {
    let server = Server::axum(Router::new().route("/", any(whoami)).layer(auth().layer("stt")));
    let content = vec![b'a'; 1 << 20];
    let wrong_body = credential("hmac1", "POST", "/", b"other");
    // Nothing, a little, or more than fits was sent; or it is still to come.
    let bodies: [(usize, &[u8]); 4] =
        [(0, b""), (5, b"hello"), (5, b""), (content.len(), &content)];
    let mut answers = std::collections::BTreeSet::new();
    for (length, sent) in bodies {
        for bad in ["x", "zzz9.a.b", &wrong_body] {
            if bad == wrong_body && sent.len() < length {
                continue;
            }
            let mut raw = server.connect();
            raw.send(&head("POST", "/", bad, &format!("Content-Length: {length}\r\n")));
            raw.send(&sent[..sent.len().min(1000)]);
            if bad == wrong_body {
                raw.send(&sent[sent.len().min(1000)..]);
            }
            answers.insert(raw.answer().all());
        }
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    // What was sent in time is read over, and the connection goes on.
    let mut raw = server.connect();
    for (length, sent) in &bodies[..2] {
        for bad in ["", "x", &wrong_body] {
            let fields = format!("Content-Length: {length}\r\n");
            raw.send(&[&head("POST", "/", bad, &fields), *sent].concat());
            assert_eq!(raw.answer().status(), 401);
        }
    }
}
