//! Stores that have to be waited for, services that are not there, and what a caller is told of its
//! scheme.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use axum::{Router, routing::any};
use http_body_util::{BodyExt, Full};
use keyscheme::{
    AcceptConfig, Authenticator, BackendError, Claim, MaxAge, ReplayClaim, ReplayStore,
    ServiceConfig, UnixTime, Verifier,
};

use crate::world::{
    NOW, SCHEMES, Server, auth, builder, clock, credential, h2, head, issuer, whoami,
};

/// A store of others: it takes its time, and can be down.
#[derive(Debug, Default)]
struct Slow {
    claims: Mutex<HashSet<String>>,
    down: AtomicBool,
}

#[async_trait]
impl ReplayStore for Slow {
    async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(BackendError::new("replay store", "nobody listens at 10.1.2.3"));
        }
        let name = format!("{}/{}/{:?}", claim.service, claim.key_id, claim.nonce);
        let first = self.claims.lock().unwrap().insert(name);
        Ok(if first { Claim::First } else { Claim::Seen })
    }
}

fn server() -> (Server, Arc<Slow>) {
    let store = Arc::new(Slow::default());
    let verifier = builder().replay_store(Arc::clone(&store) as Arc<dyn ReplayStore>);
    let auth = Authenticator::new(verifier.build().unwrap());
    let app = Router::new()
        .route("/", any(whoami).layer(auth.layer("stt")))
        .route("/buffer", any(whoami).layer(auth.layer("stt").buffer(100)));
    (Server::axum(app), store)
}

#[test]
fn a_store_that_is_waited_for_accepts_once() {
    let (server, store) = server();
    for (target, state) in [("/", "pending"), ("/buffer", "verified")] {
        for content in ["", "hello"] {
            let signed = credential("hmac1", "POST", target, content.as_bytes());
            let state = if content.is_empty() { "empty" } else { state };
            let answer = server.post(target, &signed, content.as_bytes());
            assert_eq!(answer.text(), format!("main hmac1 key-hmac1 {state} {content}"));
            assert_eq!(server.post(target, &signed, content.as_bytes()).status(), 401);
        }
        let signed = credential("hmac1", "POST", target, b"hello");
        assert_eq!(server.post(target, &signed, b"hellO").status(), 401);
        // It is spent, though nobody was served.
        assert_eq!(server.post(target, &signed, b"hello").status(), 401);
        // No other scheme asks the store here, and nobody does before the proof.
        let claims = store.claims.lock().unwrap().len();
        assert_eq!(server.get(target, &credential("gcm1", "GET", target, b"")).status(), 200);
        assert_eq!(server.post(target, &signed.replacen('1', "2", 1), b"").status(), 401);
        assert_eq!(store.claims.lock().unwrap().len(), claims);
    }
    assert!(!server.log.lines("reason=\"replayed\" client=\"main\"").is_empty());
}

#[tokio::test]
async fn of_64_at_once_one_is_accepted() {
    let (waited, _) = server();
    let at_once = Server::axum(Router::new().route("/", any(whoami)).layer(auth().layer("stt")));
    for server in [waited, at_once] {
        let http2 = h2(server.address).await;
        for round in 0..20 {
            let signed = credential("hmac1", "POST", "/", b"hello");
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..64 {
                let mut http2 = http2.clone();
                let request = http::Request::post(server.url("/")).header("x-api-key", &signed);
                let request = request.body(Full::new(bytes::Bytes::from("hello"))).unwrap();
                tasks.spawn(async move { http2.send_request(request).await.unwrap().status() });
            }
            let statuses = tasks.join_all().await;
            let accepted = statuses.iter().filter(|status| **status == 200).count();
            let refused = statuses.iter().filter(|status| **status == 401).count();
            assert_eq!((accepted, refused), (1, 63), "{round}");
        }
    }
}

#[test]
fn a_store_that_is_down_lets_nobody_in() {
    let (server, store) = server();
    let signed = || credential("hmac1", "POST", "/", b"hello");
    store.down.store(true, Ordering::SeqCst);
    let answer = server.post("/", &signed(), b"hello");
    assert_eq!(
        answer.all(),
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\
         retry-after: 1\r\ncontent-length: 65\r\n\r\n\
         {\\\"title\\\":\\\"Service Unavailable\\\",\\\"status\\\":503,\\\"detail\\\":\\\"Try again\\\"}"
    );
    // With trouble of ours, a stranger still learns nothing more.
    assert_eq!(server.post("/", "x", b"hello").status(), 401);
    assert_eq!(server.post("/", &signed().replacen("key", "kex", 1), b"hello").status(), 401);
    let lines = server.log.lines("ERROR keyscheme: unavailable");
    assert!(lines[0].contains("nobody listens at 10.1.2.3"), "{lines:#?}");
    assert!(lines[0].contains("client=\"main\""), "{lines:#?}");
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(server.post("/", &signed(), b"hello").status(), 200);
}

#[test]
fn a_service_that_is_not_configured_lets_nobody_in() {
    let server = Server::start(async |listener| {
        // Said here already, when the program starts.
        let app = Router::new().route("/", any(whoami)).layer(auth().layer("sst"));
        axum::serve(listener, app).await.unwrap();
    });
    for credential in ["", "x", &credential("hmac1", "GET", "/", b"")] {
        let answer = server.get("/", credential);
        assert_eq!((answer.status(), answer.field("retry-after")), (503, Some("1")));
        assert_eq!(answer.field("www-authenticate"), None);
    }
    let said = r#"ERROR keyscheme: no such service is configured service="sst" known="stt, tight""#;
    assert_eq!(server.log.lines(said).len(), 1, "{}", server.log.text());
    assert_eq!(server.log.lines("ERROR keyscheme: unavailable").len(), 3);
}

#[test]
fn the_end_of_a_scheme_is_announced_to_who_uses_it() {
    let (server, _) = server();
    for scheme in SCHEMES {
        let answer = server.get("/", &credential(scheme, "GET", "/", b""));
        assert_eq!(answer.status(), 200);
        let ends = scheme != "hmac1";
        let since = format!("@{NOW}");
        assert_eq!(answer.field("deprecation"), ends.then_some(since.as_str()), "{scheme}");
        let sunset = ends.then_some("Tue, 02 Oct 2096 07:06:40 GMT");
        assert_eq!(answer.field("sunset"), sunset, "{scheme}");
    }
    let strong = credential("hmac1", "GET", "/", b"other");
    for bad in ["", "x", &strong] {
        let answer = server.get("/", bad);
        assert_eq!((answer.status(), answer.field("deprecation")), (401, None));
        let challenge = Some(r#"ApiKey realm="stt", schemes="hmac1 gcm1""#);
        assert_eq!((answer.field("sunset"), answer.field("www-authenticate")), (None, challenge));
    }
}

#[test]
fn the_challenge_names_what_should_be_sent_first() {
    let accept = |scheme| AcceptConfig::new(scheme).until(UnixTime(NOW + 10));
    let service = |name: &str, issue: &str| ServiceConfig::new(name).issue(issue);
    let verifier = Verifier::builder()
        .service(service("a", "gcm1").accept(accept("gcm1")).accept("hmac1"))
        .service(service("b", "ecb0").accept(accept("ecb0")).accept("hmac1"))
        .service(service("c", "cbc1").accept(accept("ecb0")).accept(accept("cbc1")))
        .service(
            service("d", "hmac1")
                .accept("hmac1")
                .accept(AcceptConfig::new("gcm1").max_age(MaxAge::Seconds(60))),
        )
        .clock(clock(NOW));
    let auth = Authenticator::new(verifier.build().unwrap());
    for (name, schemes) in
        [("a", "gcm1 hmac1"), ("b", "ecb0 hmac1"), ("c", "cbc1"), ("d", "hmac1 gcm1")]
    {
        let app = Router::new().route("/", any(whoami)).layer(auth.layer(name));
        let answer = Server::axum(app).get("/", "");
        let challenge = format!("ApiKey realm=\"{name}\", schemes=\"{schemes}\"");
        assert_eq!(answer.field("www-authenticate"), Some(challenge.as_str()));
    }
}

#[tokio::test]
async fn a_verdict_outlives_no_deadline() {
    let clock = clock(NOW);
    let auth = Authenticator::new(builder().clock(clock.clone()).build().unwrap());
    let server = Server::axum(Router::new().route("/", any(whoami)).layer(auth.layer("stt")));
    let mut raw = server.connect();
    let bare = issuer("stt", "key-ecb0", "ecb0", 1).bare();
    let bare = bare.issue(&keyscheme::Request::new("GET", "/")).unwrap();
    let mut http2 = h2(server.address).await;
    for (now, status) in [(NOW, 200), (3_999_999_999, 200), (4_000_000_000, 401), (NOW, 200)] {
        clock.set(UnixTime(now));
        raw.send(&head("GET", "/", &bare, ""));
        assert_eq!(raw.answer().status(), status, "{now}");
        let request = http::Request::get(server.url("/")).header("x-api-key", &bare);
        let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
        let response = http2.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{now}");
        assert!(response.into_body().collect().await.is_ok());
    }
}
