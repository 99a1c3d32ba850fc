//! Bodies that a credential covers, over real connections: true ones in every framing, and false ones.

use axum::{Router, extract::Request, routing::any};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use keyscheme::Verified;

use crate::{
    frames::{Channel, Frames, Reads, read, reader, trailers},
    world::{Answer, Server, auth, chunk, credential, h2, head, state},
};

const CONTENT: &str = "hello world";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

fn server() -> (Server, Reads) {
    let (app, reads) = reader();
    (Server::axum(app.layer(auth().layer("stt"))), reads)
}

fn chunks(chunks: &[&str], end: &str) -> Vec<u8> {
    let chunks: Vec<_> = chunks.iter().map(|content| chunk(content.as_bytes())).collect();
    [chunks.concat(), end.as_bytes().to_vec()].concat()
}

fn signed(path: &str) -> String {
    credential("hmac1", "POST", path, CONTENT.as_bytes())
}

fn length(length: usize) -> String {
    format!("Content-Length: {length}\r\n")
}

/// Once.
fn assert_mismatch(server: &Server) {
    let lines = server.log.lines("");
    let [accepted, refused] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(accepted.contains("accepted"), "{lines:#?}");
    let named = r#"refused service="stt" reason="body-mismatch" client="main" key_id="key-hmac1""#;
    assert!(refused.contains(named), "{lines:#?}");
}

#[test]
fn a_true_body_arrives_in_every_framing() {
    let (server, reads) = server();
    let one_by_one: Vec<_> = (0..CONTENT.len()).map(|at| &CONTENT[at..=at]).collect();
    let cases = [
        (length(11), CONTENT.into(), CONTENT, false),
        (CHUNKED.into(), chunks(&[CONTENT], "0\r\n\r\n"), CONTENT, false),
        (CHUNKED.into(), chunks(&one_by_one, "0\r\n\r\n"), CONTENT, false),
        (
            CHUNKED.into(),
            chunks(&["hello ", "world"], "0\r\nX-Checksum: abc\r\n\r\n"),
            CONTENT,
            true,
        ),
        (CHUNKED.into(), chunks(&[], "0\r\n\r\n"), "", false),
        (CHUNKED.into(), chunks(&[], "0\r\nX-Checksum: abc\r\n\r\n"), "", true),
        (length(0), Vec::new(), "", false),
        (String::new(), Vec::new(), "", false),
    ];
    let mut raw = server.connect();
    for (fields, sent, content, has_trailers) in cases {
        let credential = credential("hmac1", "POST", "/read", content.as_bytes());
        raw.send(&head("POST", "/read", &credential, &fields));
        raw.send(&sent);
        assert_eq!(raw.answer().status(), 200, "{fields} {}", sent.escape_ascii());
        let read = reads.lock().unwrap().pop().unwrap();
        assert_eq!((read.content(), read.end), (content.into(), "clean"));
        assert_eq!(read.trailers, has_trailers.then(trailers));
    }
    assert!(server.log.lines("refused").is_empty());
}

#[tokio::test]
async fn a_true_body_arrives_over_http2() {
    let (server, reads) = server();
    let mut http2 = h2(server.address).await;
    let bodies = [
        Frames::of(&[CONTENT]),
        Frames::of(&["", "hello ", "", "world", ""]),
        Frames::of(&["hello ", "world"]).with_trailers(),
        Frames::of(&["hello ", "world", ""]).with_trailers(),
        Frames::of(&[]),
        Frames::of(&["", ""]),
        Frames::of(&[]).with_trailers(),
    ];
    for (at, body) in bodies.into_iter().enumerate() {
        let content = if at < 4 { CONTENT } else { "" };
        let request = http::Request::post(server.url("/read"));
        let credential = credential("hmac1", "POST", "/read", content.as_bytes());
        let request = request.header("x-api-key", credential).body(body).unwrap();
        assert_eq!(http2.send_request(request).await.unwrap().status(), 200, "{at}");
        let read = reads.lock().unwrap().pop().unwrap();
        assert_eq!((read.content(), read.end), (content.into(), "clean"), "{at}");
        assert_eq!(read.trailers, [2, 3, 6].contains(&at).then(trailers), "{at}");
    }
}

#[test]
fn a_false_body_is_never_read_to_its_end() {
    let end = "0\r\n\r\n";
    let cases: &[(String, Vec<u8>, &str)] = &[
        (length(11), b"hello_world".into(), ""),
        (length(12), b"hello world!".into(), ""),
        (length(10), b"hello worl".into(), ""),
        (CHUNKED.into(), chunks(&["hello_world"], end), ""),
        (CHUNKED.into(), chunks(&["hello ", "worle"], end), "hello "),
        (CHUNKED.into(), chunks(&["hello ", "world", "!"], end), "hello world"),
        (CHUNKED.into(), chunks(&["hello "], end), ""),
        (CHUNKED.into(), chunks(&["world", "hello "], end), "world"),
        (CHUNKED.into(), chunks(&["hello ", "world", "hello world"], end), "hello world"),
        (CHUNKED.into(), chunks(&["hello ", "worl"], "0\r\nX-Checksum: abc\r\n\r\n"), "hello "),
        (CHUNKED.into(), chunks(&[], end), ""),
        (CHUNKED.into(), chunks(&[], "0\r\nX-Checksum: abc\r\n\r\n"), ""),
    ];
    for (fields, sent, most) in cases {
        let (server, reads) = server();
        let answer =
            server.ask(&[&head("POST", "/read", &signed("/read"), fields)[..], sent].concat());
        assert_eq!((answer.status(), answer.whole), (401, true), "{}", sent.escape_ascii());
        assert!(answer.text().contains("Invalid API Key"));
        let read = reads.lock().unwrap().pop().unwrap();
        assert_eq!((read.end, read.trailers.as_ref()), ("error", None), "{}", sent.escape_ascii());
        let read = String::from_utf8(read.content()).unwrap();
        assert!(most.starts_with(&read), "{read} of {}", sent.escape_ascii());
        assert_mismatch(&server);
        // Nothing is good for a second try.
        let again = server.post("/read", &signed("/read"), CONTENT.as_bytes());
        assert_eq!(again.status(), 200);
    }
    // Dropped, so that the head says already that there is none: the service is not called.
    for fields in [length(0), String::new()] {
        let (server, reads) = server();
        let answer = server.ask(&head("POST", "/read", &signed("/read"), &fields));
        assert_eq!(answer.status(), 401);
        assert!(reads.lock().unwrap().is_empty());
        assert_eq!(server.log.lines("reason=\"body-mismatch\" client=\"main\"").len(), 1);
        assert!(server.log.lines("accepted").is_empty());
    }
}

#[tokio::test]
async fn a_false_body_is_never_read_to_its_end_over_http2() {
    let bodies = [
        (Frames::of(&["hello_world"]), ""),
        (Frames::of(&["hello ", "world", "!"]), "hello world"),
        (Frames::of(&["hello ", "world", "", "!", ""]), "hello world"),
        (Frames::of(&["hello "]).with_trailers(), ""),
        (Frames::of(&["world", "hello "]), "world"),
        (Frames::of(&[""]).with_trailers(), ""),
        (Frames::of(&[]).with_trailers(), ""),
    ];
    for (body, most) in bodies {
        let (server, reads) = server();
        let mut http2 = h2(server.address).await;
        let request = http::Request::post(server.url("/read")).header("x-api-key", signed("/read"));
        let response = http2.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 401);
        let read = reads.lock().unwrap().pop().unwrap();
        assert_eq!((read.end, read.trailers.as_ref()), ("error", None));
        assert!(most.as_bytes().starts_with(&read.content()), "{read:?}");
        assert_mismatch(&server);
    }
}

#[test]
fn a_body_that_is_cut_off_has_no_end() {
    for sent in [
        [length(11).as_bytes(), b"\r\nhello "].concat(),
        [length(12).as_bytes(), b"\r\nhello world"].concat(),
        [CHUNKED.as_bytes(), b"\r\n", &chunks(&["hello ", "world"], "")].concat(),
        [CHUNKED.as_bytes(), b"\r\n", &chunks(&["hello "], "5\r\nwor")].concat(),
        [CHUNKED.as_bytes(), b"\r\n", &chunks(&["hello ", "world"], "0\r\n")].concat(),
    ] {
        let (server, reads) = server();
        let head = head("POST", "/read", &signed("/read"), "");
        let mut raw = server.connect();
        raw.send(&[&head[..head.len() - 2], &sent].concat());
        raw.finish();
        let _ = raw.rest();
        let reads = reads.lock().unwrap();
        assert!(reads.iter().all(|read| read.end == "error"), "{reads:?}");
        assert!(reads.iter().all(|read| read.content().len() < 11), "{reads:?}");
    }
}

#[test]
fn a_response_that_has_begun_breaks_off() {
    for (last, whole) in [("world", true), ("World", false)] {
        let (server, _) = server();
        let mut raw = server.connect();
        raw.send(&head("POST", "/echo", &signed("/echo"), CHUNKED));
        raw.send(&chunks(&["hel", "lo "], ""));
        // The first chunk, since there is a second.
        raw.wait_for("hel\r\n");
        raw.send(&chunks(&[last], "0\r\n\r\n"));
        let answer = raw.answer();
        assert_eq!((answer.status(), answer.whole), (200, whole), "{answer:?}");
        assert_eq!(answer.text(), if whole { CONTENT } else { "hello " });
        if !whole {
            assert_eq!(raw.rest(), "");
            assert_mismatch(&server);
        }
    }
    // With a length in its head, of which not all comes.
    let content = vec![b'a'; 300_000];
    for false_byte in [None, Some(b'b')] {
        let (server, _) = server();
        let signed = credential("hmac1", "POST", "/echo", &content);
        let mut raw = server.connect();
        raw.send(&head("POST", "/echo", &signed, &length(content.len())));
        raw.send(&content[1..]);
        raw.wait_for("\r\n\r\n");
        raw.send(&[false_byte.unwrap_or(b'a')]);
        let answer = raw.answer();
        assert_eq!((answer.status(), answer.whole), (200, false_byte.is_none()));
        assert_eq!(answer.field("content-length"), Some("300000"));
    }
}

#[tokio::test]
async fn a_response_that_has_begun_is_reset_over_http2() {
    for (last, whole) in [("world", true), ("World", false)] {
        let (server, _) = server();
        let mut http2 = h2(server.address).await;
        let request = http::Request::post(server.url("/echo")).header("x-api-key", signed("/echo"));
        let (sender, body) = Channel::new();
        for text in ["hel", "lo "] {
            sender.send(text).await.unwrap();
        }
        let response = http2.send_request(request.body(body).unwrap()).await.unwrap();
        sender.send(last).await.unwrap();
        drop(sender);
        let read = read(response.into_body()).await;
        assert_eq!(read.end, if whole { "clean" } else { "error" });
        assert!(whole || !read.content().ends_with(b"d"));
        assert_eq!(server.log.lines("body-mismatch").len(), usize::from(!whole));
    }
}

#[test]
fn who_does_not_read_it_has_nothing_verified() {
    let app = Router::new()
        .route("/", any(async |caller: Verified| state(&caller)))
        .layer(auth().layer("stt"));
    let server = Server::axum(app);
    let credential = || credential("hmac1", "POST", "/", CONTENT.as_bytes());
    for content in [CONTENT, "hello World", "h"] {
        let answer: Answer = server.post("/", &credential(), content.as_bytes());
        assert_eq!((answer.status(), answer.text()), (200, "pending".to_owned()));
    }
    assert!(server.log.lines("refused").is_empty());
}

#[test]
fn who_answers_before_reading_breaks_off() {
    let app = Router::new().route(
        "/",
        any(async |request: Request| {
            let (sender, body) = Channel::new();
            tokio::spawn(async move {
                sender.send("begun ").await.unwrap();
                let end = read(request.into_body()).await.end;
                let _ = sender.send(end).await;
            });
            http::Response::new(axum::body::Body::new(body))
        }),
    );
    let server = Server::axum(app.layer(auth().layer("stt")));
    for (last, said) in [("world", "begun clean"), ("World", "begun ")] {
        let mut raw = server.connect();
        let signed = credential("hmac1", "POST", "/", CONTENT.as_bytes());
        raw.send(&head("POST", "/", &signed, CHUNKED));
        raw.send(&chunks(&["hello "], ""));
        raw.wait_for("begun ");
        raw.send(&chunks(&[last], "0\r\n\r\n"));
        let answer = raw.answer();
        assert_eq!((answer.status(), answer.text()), (200, said.to_owned()));
        assert_eq!(answer.whole, last == "world");
    }
    assert_eq!(server.log.lines("body-mismatch").len(), 1);
}

#[test]
fn a_response_that_waits_breaks_off_at_once() {
    let app = Router::new().route(
        "/",
        any(async |request: Request| {
            let (sender, body) = Channel::new();
            tokio::spawn(async move {
                sender.send("begun ").await.unwrap();
                read(request.into_body()).await;
                // It never says anything more, and never ends.
                std::future::pending::<()>().await;
                drop(sender);
            });
            http::Response::new(axum::body::Body::new(body))
        }),
    );
    let server = Server::axum(app.layer(auth().layer("stt")));
    let mut raw = server.connect();
    raw.send(&head("POST", "/", &credential("hmac1", "POST", "/", b"hello world"), CHUNKED));
    raw.send(&chunks(&["hello "], ""));
    raw.wait_for("begun ");
    raw.send(&chunks(&["World"], "0\r\n\r\n"));
    let answer = raw.answer();
    assert_eq!((answer.text(), answer.whole), ("begun ".to_owned(), false));
}

#[tokio::test]
async fn a_message_of_grpc_with_something_after_it_is_not_answered() {
    let auth = auth();
    let server = Server::start(async move |listener| {
        let (_, health) = tonic_health::server::health_reporter();
        let mut server = tonic::transport::Server::builder().layer(auth.layer("stt"));
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        server.add_service(health).serve_with_incoming(incoming).await.unwrap();
    });
    let mut http2 = h2(server.address).await;
    let path = "/grpc.health.v1.Health/Check";
    // The health of nobody was signed, that of everything is asked for.
    let nobody = b"\0\0\0\0\x08\x0a\x06nobody";
    for (sent, status) in [
        (&["\0\0\0\0\x08\x0a\x06nobody"][..], 200),
        (&["\0\0\0\0\0"][..], 401),
        (&["\0\0\0\0\0", "\0"][..], 401),
        (&["\0\0\0\0\0", "\0\0\0\0\0"][..], 401),
    ] {
        let request = http::Request::post(server.url(path))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-api-key", credential("hmac1", "POST", path, nobody));
        let response = http2.send_request(request.body(Frames::of(sent)).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{sent:?}");
        let grpc = if status == 401 { "16" } else { "5" };
        assert_eq!(response.headers()["grpc-status"], grpc, "{sent:?}");
    }
}

#[tokio::test]
async fn what_is_not_covered_streams_through_unchecked() {
    let (server, reads) = server();
    let mut http2 = h2(server.address).await;
    for scheme in ["ecb0", "cbc1", "gcm1"] {
        let credential = credential(scheme, "POST", "/read", b"");
        let request = http::Request::post(server.url("/read")).header("x-api-key", credential);
        let body = Full::new(Bytes::from("anything"));
        let response = http2.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "read");
        assert_eq!(reads.lock().unwrap().pop().unwrap().content(), b"anything");
    }
}
