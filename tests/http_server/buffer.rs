//! Bodies that are read before the service sees them, and what is not read at all.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{Router, body::Bytes, extract::Request, routing::any};
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use keyscheme::{Verified, http::RequestBody};
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    frames::{Frames, read, reader, trailers},
    world::{Server, auth, chunk, credential, h2, head, state, whoami},
};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const EXPECT: &str = "Expect: 100-continue\r\n";

fn length(length: usize) -> String {
    format!("Content-Length: {length}\r\n")
}

/// Counts who gets through.
fn server(limit: usize) -> (Server, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let counted = move |caller: Verified, body: Bytes| {
        count.fetch_add(1, Ordering::SeqCst);
        whoami(caller, body)
    };
    let layer = auth().layer("stt").buffer(limit).exempt("/open");
    let open = any(async |request: Request| read(request.into_body()).await.end);
    let app = Router::new().route("/", any(counted)).route("/open", open).layer(layer);
    (Server::axum(app), calls)
}

#[test]
fn a_buffered_body_is_verified_before_the_service_sees_it() {
    let (server, calls) = server(10);
    let signed = |content: &[u8]| credential("hmac1", "POST", "/", content);
    for (content, state) in [("0123456789", "verified"), ("x", "verified"), ("", "empty")] {
        let answer = server.post("/", &signed(content.as_bytes()), content.as_bytes());
        assert_eq!(answer.text(), format!("main hmac1 key-hmac1 {state} {content}"));
        let head = head("POST", "/", &signed(content.as_bytes()), CHUNKED);
        let chunks: Vec<_> = content.bytes().flat_map(|byte| chunk(&[byte])).collect();
        let answer = server.ask(&[&head, &chunks[..], b"0\r\n\r\n"].concat());
        assert_eq!(answer.text(), format!("main hmac1 key-hmac1 {state} {content}"));
    }
    assert_eq!(calls.swap(0, Ordering::SeqCst), 6);

    // Another one never gets so far.
    for content in [&b"012345678_"[..], b"012345678", b"x"] {
        let answer = server.post("/", &signed(b"0123456789"), content);
        assert_eq!(answer.status(), 401);
        let head = head("POST", "/", &signed(b"0123456789"), CHUNKED);
        let answer = server.ask(&[&head, &chunk(content)[..], b"0\r\n\r\n"].concat());
        assert_eq!(answer.status(), 401);
        assert!(answer.text().contains("Invalid API Key"));
    }
    // Nor one that is cut off.
    for fields in [length(10), CHUNKED.to_owned()] {
        let mut raw = server.connect();
        raw.send(&head("POST", "/", &signed(b"0123456789"), &fields));
        raw.send(b"4\r\n0123\r\n");
        raw.finish();
        let rest = raw.rest();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400 "), "{rest}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let lines = server.log.lines("reason=\"body-mismatch\" client=\"main\" key_id=\"key-hmac1\"");
    assert!(!lines.is_empty() && lines.len() <= 6, "{lines:#?}");
}

#[test]
fn a_body_over_the_limit_is_answered_413() {
    let (server, calls) = server(10);
    let long = b"0123456789a";
    let signed = || credential("hmac1", "POST", "/", long);
    // By what it says, before anything is read.
    for others in [length(11), length(1 << 40), format!("{EXPECT}{}", length(11))] {
        let answer = server.ask(&head("POST", "/", &signed(), &others));
        assert_eq!(answer.status(), 413, "{others}");
        assert_eq!(
            answer.text(),
            r#"{"title":"Content Too Large","status":413,"detail":"The body is too long"}"#
        );
    }
    // By what comes. What follows is not waited for.
    for chunks in [vec![&long[..]], vec![&long[..10], &long[10..]], vec![&long[..]; 3]] {
        let chunks: Vec<_> = chunks.into_iter().flat_map(chunk).collect();
        let answer = server.ask(&[&head("POST", "/", &signed(), CHUNKED), &chunks[..]].concat());
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    // It is for what is covered alone.
    let answer = server.post("/", &credential("gcm1", "POST", "/", b""), long);
    assert_eq!(answer.text(), "main gcm1 key-gcm1 uncovered 0123456789a");
    assert_eq!(server.post("/open", "", long).text(), "clean");
    // Strangers are not told.
    assert_eq!(server.post("/", "x", long).status(), 401);
}

#[tokio::test]
async fn a_buffered_body_keeps_its_trailers() {
    let (app, reads) = reader();
    let server = Server::axum(app.layer(auth().layer("stt").buffer(100)));
    let mut http2 = h2(server.address).await;
    for (chunks, content) in [(&["hello ", "", "world"][..], "hello world"), (&[], "")] {
        let request = http::Request::post(server.url("/read"));
        let credential = credential("hmac1", "POST", "/read", content.as_bytes());
        let request = request.header("x-api-key", credential);
        let request = request.body(Frames::of(chunks).with_trailers()).unwrap();
        assert_eq!(http2.send_request(request).await.unwrap().status(), 200);
        let read = reads.lock().unwrap().pop().unwrap();
        assert_eq!((read.content(), read.end), (content.into(), "clean"));
        assert_eq!(read.trailers, Some(trailers()));
        assert!(read.data.len() <= 1);
    }
}

/// Reads a line, acts on it, and never comes to the end.
async fn first_line(request: Request) -> String {
    let mut body = request.into_body();
    let mut line = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        line.extend(frame.into_data().unwrap_or_default());
        if line.contains(&b'\n') {
            break;
        }
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn who_stops_before_the_end_needs_a_buffer() {
    let signed = || credential("hmac1", "POST", "/", b"pay 1\nthanks\n");
    let ask = |server: &Server| {
        let head = head("POST", "/", &signed(), CHUNKED);
        let chunks = [chunk(b"pay 1000\n"), chunk(b"thanks\n"), b"0\r\n\r\n".to_vec()].concat();
        server.ask(&[head, chunks].concat())
    };
    // This is why the documentation says: act on the whole.
    let app = || Router::new().route("/", any(first_line));
    let careless = Server::axum(app().layer(auth().layer("stt")));
    assert_eq!((ask(&careless).status(), ask(&careless).text()), (200, "pay 1000\n".to_owned()));
    let careful = Server::axum(app().layer(auth().layer("stt").buffer(100)));
    assert_eq!(ask(&careful).status(), 401);
}

/// A body that must not be touched.
struct Untouched(Option<u64>);

impl Body for Untouched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        panic!("it was read")
    }

    fn size_hint(&self) -> SizeHint {
        self.0.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[tokio::test]
async fn nothing_is_read_before_the_head_was_accepted() {
    let inner = service_fn(async |request: http::Request<RequestBody<Untouched>>| {
        let caller = request.extensions().get::<Verified>().map(state);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(caller.unwrap_or("nobody"))))
    });
    let good = || credential("hmac1", "POST", "/", b"hello");
    let buffering = auth().layer("stt").buffer(4);
    let cases = [
        (auth().layer("stt"), String::new(), None, 401),
        (auth().layer("stt"), "x".into(), Some(5), 401),
        (auth().layer("stt"), good().replacen('h', "H", 1), Some(5), 401),
        (auth().layer("stt"), good(), Some(5), 200),
        (auth().layer("stt").exempt("/"), String::new(), None, 200),
        (auth().layer("nobody"), good(), None, 503),
        (buffering.clone(), "x".into(), None, 401),
        (buffering.clone(), good(), Some(5), 413),
        (buffering, credential("gcm1", "POST", "/", b""), Some(5), 200),
    ];
    for (layer, credential, length, status) in cases {
        let mut request = http::Request::post("/");
        if !credential.is_empty() {
            request = request.header("x-api-key", credential);
        }
        let request = request.body(Untouched(length)).unwrap();
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[test]
fn no_continue_is_sent_before_the_head_was_accepted() {
    for limit in [None, Some(100)] {
        let layer = auth().layer("stt");
        let layer = limit.map_or(layer.clone(), |limit| layer.clone().buffer(limit));
        let unread = any(async || "unread");
        let app = Router::new().route("/", any(whoami)).route("/unread", unread).layer(layer);
        let server = Server::axum(app);
        for fields in [length(5), CHUNKED.to_owned()] {
            let fields = format!("{EXPECT}{fields}");
            let content =
                if fields.contains("chunked") { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" };

            for bad in ["", "x", &credential("hmac1", "POST", "/other", b"hello")] {
                let mut raw = server.connect();
                raw.send(&head("POST", "/", bad, &fields));
                assert_eq!(raw.answer().status(), 401);
            }
            let mut raw = server.connect();
            raw.send(&head("POST", "/", &credential("hmac1", "POST", "/", b"hello"), &fields));
            let first = raw.answer();
            assert_eq!(
                (first.status(), first.head.as_str()),
                (100, "HTTP/1.1 100 Continue\r\n\r\n")
            );
            raw.send(content.as_bytes());
            assert_eq!(raw.answer().status(), 200);

            // Nor where the service does not want it, unless it has to be compared first.
            let mut raw = server.connect();
            let signed = credential("hmac1", "POST", "/unread", b"hello");
            raw.send(&head("POST", "/unread", &signed, &fields));
            let expected = if limit.is_some() { 100 } else { 200 };
            assert_eq!(raw.answer().status(), expected);
        }
    }
}
