//! What is logged, how often, and who may see why.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    Router,
    routing::{any, get, post},
};
use http::Response;
use http_body_util::{BodyExt, Full};
use keyscheme::{
    Authenticator, Context, Facts, Failure, Hmac1, KeyConfig, KeyError, KeyScheme, ManualClock,
    Material, OpenError, Opened, Payload, Registry, Reject, SealError, Sealing, ServiceConfig,
    UnixTime, Verifier,
    http::{Refusal, RequestBody},
};
use tower::{Layer, ServiceExt, service_fn};

use crate::world::{
    Log, NOW, Server, auth, builder, clock, credential, forged, head, issuer, material, whoami,
};

/// Routes inside and outside of a nested router, all behind the layer.
fn app(auth: &Authenticator) -> Router {
    let layer = auth.layer("stt");
    let inner = Router::new().route("/p", any(whoami)).layer(layer.clone());
    Router::new()
        .route("/", any(whoami))
        .route("/p", any(whoami))
        .route("/{*rest}", any(whoami))
        .layer(layer)
        .nest("/outer", inner)
}

fn ticking() -> (Authenticator, Arc<ManualClock>) {
    let clock = clock(NOW);
    (Authenticator::new(builder().clock(clock.clone()).build().unwrap()), clock)
}

#[test]
fn a_misread_request_is_refused_and_named_in_the_log() {
    let (auth, clock) = ticking();
    let server = Server::axum(app(&auth));
    let ts = NOW.to_string();
    let millis = format!("{NOW}000");
    let cases = [
        ("GET", "/p", "/p?", "", "without its `?`, or without its query"),
        ("GET", "/p", "/p?a=b", "", "without its `?`, or without its query"),
        ("GET", "/p?", "/p", "", "with a `?` that was not sent"),
        ("GET", "/가", "/%EA%B0%80", "", "signed percent-decoded"),
        ("GET", "/a b", "/a%20b", "", "signed percent-decoded"),
        ("GET", "", "/", "", "an empty path is `/`"),
        ("GET", "?a=b", "/?a=b", "", "an empty path is `/`"),
        ("GET", "", "http://stt", "", "an empty path is `/`"),
        ("get", "/p", "/p", "", "signed in lower case"),
        ("GET", "/p", "/outer/p", "", "without the prefix of a nested router"),
        ("GET", "/api/p", "/p", "X-Forwarded-Prefix: /api\r\n", "taken its prefix off"),
        ("GET", "/api/p", "/p", "X-Forwarded-Prefix: /api/\r\n", "taken its prefix off"),
        ("GET", "/q", "/p", "X-Forwarded-Uri: /q\r\n", "its own header shows"),
        ("GET", "/q", "/p", "X-Original-Uri: /q\r\n", "its own header shows"),
        ("GET", "/q", "/p", "X-Envoy-Original-Path: /q\r\n", "its own header shows"),
        ("GET", "/p", "/p", "", "ts is in milliseconds"),
    ];
    for (second, (method, signed, sent, others, words)) in (1..).zip(cases) {
        clock.set(UnixTime(NOW + second));
        let ts = if words.contains("milli") { &millis } else { &ts };
        let answer = server.ask(&head("GET", sent, &forged(method, signed, ts), others));
        assert_eq!(answer.status(), 401, "{signed} {sent}");
        assert!(answer.text().contains("Invalid API Key"));
        let lines = server.log.lines("refused, but probably meant well");
        assert_eq!(lines.len() as u64, second, "{signed} {sent}");
        let line = lines.last().unwrap();
        assert!(line.contains(words) && line.contains(r#"named_client="main""#), "{line}");
        assert!(line.trim_start().starts_with("WARN keyscheme: "), "{line}");
    }
    // What is no misreading is not named one, and what is good is accepted.
    clock.set(UnixTime(NOW + 100));
    assert_eq!(server.get("/p", &forged("GET", "/elsewhere", &ts)).status(), 401);
    assert_eq!(server.log.lines("refused, but probably meant well").len(), cases.len());
    assert_eq!(server.get("/p", &forged("GET", "/p", &ts)).status(), 200);
}

#[test]
fn one_refusal_a_second_is_looked_at() {
    let (auth, clock) = ticking();
    let server = Server::axum(app(&auth));
    let wrong = forged("GET", "/p?", &NOW.to_string());
    for _ in 0..20 {
        assert_eq!(server.get("/p", &wrong).status(), 401);
    }
    assert_eq!(server.log.lines("refused, but probably meant well").len(), 1);
    clock.set(UnixTime(NOW + 1));
    assert_eq!(server.get("/p", &wrong).status(), 401);
    assert_eq!(server.log.lines("refused, but probably meant well").len(), 2);
}

#[test]
fn a_flood_gives_a_handful_of_lines_and_a_count() {
    let app =
        Router::new().route("/a", get(whoami)).route("/b", post(whoami)).layer(auth().layer("stt"));
    let server = Server::axum(app);
    let start = Instant::now();
    // Every connection and every route is another copy of the service.
    let mut written = 0;
    for _ in 0..100 {
        for (method, target) in [("GET", "/a"), ("POST", "/b"), ("GET", "/nothing"), ("PUT", "/a")]
        {
            assert_eq!(server.ask(&head(method, target, "", "")).status(), 401);
            written += 1;
        }
    }
    let mut raw = server.connect();
    for _ in 0..1000 {
        raw.send(&head("GET", "/a", "x", ""));
        assert_eq!(raw.answer().status(), 401);
    }
    assert_eq!(written, 400);
    // Five a second of each of the two kinds.
    let most = 10 * (start.elapsed().as_secs() as usize + 2);
    let lines = server.log.lines("refused").len();
    assert!(lines <= most, "{lines} lines");
    // The counts add up.
    thread::sleep(Duration::from_millis(1050));
    assert_eq!(server.ask(&head("GET", "/a", "", "")).status(), 401);
    raw.send(&head("GET", "/a", "x", ""));
    assert_eq!(raw.answer().status(), 401);
    for (reason, sent) in [("missing", 401), ("malformed", 1001)] {
        let lines = server.log.lines(&format!("reason=\"{reason}\""));
        let counts = lines.iter().filter_map(|line| line.split("suppressed=").nth(1));
        let suppressed: usize = counts.map(|count| count.trim().parse::<usize>().unwrap()).sum();
        assert_eq!(lines.len() + suppressed, sent, "{lines:#?}");
    }
}

#[test]
fn strangers_cannot_fill_the_log_or_the_memory() {
    let log = Log::default();
    let _recording = log.record();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let inner = service_fn(async |_: http::Request<RequestBody<Full<bytes::Bytes>>>| {
        Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    });
    let service = auth().layer("stt").layer(inner);
    let mut number = 0_u64;
    let mut refuse = |times: u64| {
        for _ in 0..times {
            number += 1;
            let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let request = http::Request::get(format!("/{id:x}"));
            let request = request.header("x-api-key", format!("hmac1.{id:x}.x"));
            let request = request.body(Full::default()).unwrap();
            let response = runtime.block_on(service.clone().oneshot(request)).unwrap();
            assert_eq!(response.status(), 401);
        }
    };
    refuse(1000);
    let used = allocation_counter::measure(|| refuse(100_000));
    // What is left over is the text of this log.
    assert!(used.bytes_current < 20_000, "{used:?}");
    assert!(log.lines("unknown-key").len() < 200, "{}", log.lines("").len());
    log.assert_silent();
}

#[tokio::test]
async fn the_reason_is_for_layers_outside_alone() {
    let inner = service_fn(async |request: http::Request<RequestBody<Full<bytes::Bytes>>>| {
        let read = request.into_body().collect().await;
        Ok::<_, Infallible>(Response::new(Full::from(if read.is_ok() {
            "whole"
        } else {
            "broken"
        })))
    });
    let log = Log::default();
    let _recording = log.record();
    let service = auth().layer("stt").layer(inner);
    let disabled = issuer("stt", "disabled", "hmac1", 3);
    let disabled = disabled.issue(&keyscheme::Request::new("POST", "/p")).unwrap();
    let cases = [
        ("", Reject::Missing, None),
        ("x", Reject::Malformed, None),
        (&disabled, Reject::KeyDisabled, Some(("other", "disabled"))),
        (
            &credential("hmac1", "POST", "/p", b"other"),
            Reject::BodyMismatch,
            Some(("main", "key-hmac1")),
        ),
    ];
    for (credential, reason, proved) in cases {
        let mut request = http::Request::post("/p");
        if !credential.is_empty() {
            request = request.header("x-api-key", credential);
        }
        let request = request.body(Full::from("hello")).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let refusal = response.extensions().get::<Refusal>().unwrap().clone();
        assert!(matches!(refusal.failure(), Failure::Rejected(found) if *found == reason));
        assert_eq!(refusal.client().zip(refusal.key_id()), proved);
        let (head, body) = response.into_parts();
        assert_eq!(head.status, 401);
        let all = format!("{:?} {:?}", head.headers, body.collect().await.unwrap().to_bytes());
        for word in [reason.code(), "other", "main", "disabled", "key-hmac1", "deprecation"] {
            assert!(!all.contains(word), "{word} in {all}");
        }
        // In the log a client has a name where its key was proved, and nowhere else.
        let lines = log.lines(&format!("reason=\"{reason}\""));
        assert_eq!(lines.len(), 1, "{}", log.text());
        match proved {
            Some((client, key)) => {
                assert!(lines[0].contains(&format!("client={client:?} key_id={key:?}")));
            }
            None => assert!(!lines[0].contains("client=")),
        }
    }
    log.assert_silent();
}

/// `hmac1`, and how often it was asked for a misreading.
#[derive(Debug)]
struct Spy(Arc<AtomicUsize>);

impl KeyScheme for Spy {
    type Key = <Hmac1 as KeyScheme>::Key;

    fn facts(&self) -> &'static Facts {
        Hmac1.facts()
    }

    fn prepare(&self, material: &Material) -> Result<Self::Key, KeyError> {
        Hmac1.prepare(material)
    }

    fn open(
        &self,
        key: &Self::Key,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        Hmac1.open(key, payload, cx)
    }

    fn seal(&self, key: &Self::Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        Hmac1.seal(key, to, out)
    }

    fn misread(&self, _: &Self::Key, _: Payload<'_>, _: &Context<'_>) -> Option<&'static str> {
        self.0.fetch_add(1, Ordering::SeqCst);
        None
    }
}

#[test]
fn the_look_for_misreadings_does_not_tell_which_key_ids_exist() {
    let (asked, clock) = (Arc::new(AtomicUsize::new(0)), clock(NOW));
    let verifier = Verifier::builder()
        .registry(Registry::empty().with(Spy(Arc::clone(&asked))))
        .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
        .key("main", KeyConfig::new("key-hmac1", "hmac1", material("hmac1", 1)))
        .clock(clock.clone());
    let auth = Authenticator::new(verifier.build().unwrap());
    let server = Server::axum(Router::new().route("/", any(whoami)).layer(auth.layer("stt")));
    let wrong = forged("GET", "/elsewhere", &NOW.to_string());
    for (second, id) in (1..).zip(["key-hmac1", "nobody", "key-hmac1", "nobody-either"]) {
        clock.set(UnixTime(NOW + second));
        let credential = wrong.replacen("key-hmac1", id, 1);
        assert_eq!(server.get("/", &credential).status(), 401);
        assert_eq!(asked.load(Ordering::SeqCst) as u64, second, "{id}");
    }
}
