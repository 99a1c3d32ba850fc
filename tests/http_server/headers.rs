//! The rules of the header, as a real server hands it over.

use axum::{Router, routing::any};
use http_body_util::Empty;

use crate::world::{Answer, Server, auth, credential, h2, whoami};

fn server() -> Server {
    Server::axum(Router::new().route("/", any(whoami)).layer(auth().layer("stt")))
}

fn good() -> String {
    credential("hmac1", "GET", "/", b"")
}

/// With these lines in the head.
fn ask(server: &Server, lines: &str) -> Answer {
    server.ask(format!("GET / HTTP/1.1\r\nHost: stt\r\n{lines}\r\n").as_bytes())
}

#[test]
fn one_line_in_any_case_with_white_space_around_is_accepted() {
    let server = server();
    for line in [
        format!("X-API-KEY: {}\r\n", good()),
        format!("x-api-key: {}\r\n", good()),
        format!("x-Api-kEY:{}\r\n", good()),
        format!("X-API-KEY: \t {} \t \r\n", good()),
        format!("X-API-KEY: {}\r\nX-API-KEY2: x\r\nX-API: x\r\nXAPI-KEY: x\r\n", good()),
        format!("Connection: keep-alive, x-api-keys\r\nX-API-KEY: {}\r\n", good()),
    ] {
        assert_eq!(ask(&server, &line).status(), 200, "{line}");
    }
}

#[test]
fn of_several_lines_none_is_used() {
    let server = server();
    let lines = |one: &str, two: &str| {
        let (a, b) = (good(), credential("ecb0", "GET", "/", b""));
        [
            format!("{one}: {a}\r\n{two}: {a}\r\n"),
            format!("{one}: {a}\r\n{two}: {b}\r\n"),
            format!("{one}: {b}\r\n{two}: {a}\r\n"),
            format!("{one}: {a}\r\n{two}: \r\n"),
            format!("{one}:\r\n{two}: {a}\r\n"),
            format!("{one}: {a}\r\nAccept: */*\r\n{two}: x\r\n"),
        ]
    };
    let names = [
        ("X-API-KEY", "X-API-KEY"),
        ("X-API-KEY", "x-api-key"),
        ("X-API-KEY", "X_API_KEY"),
        ("X-API_KEY", "X-API-KEY"),
        ("x_api-key", "X-API-KEY"),
        ("x_api-key", "X_API-KEY"),
    ];
    let mut asked = 0;
    for (one, two) in names {
        for lines in lines(one, two) {
            assert_eq!(ask(&server, &lines).status(), 401, "{lines}");
            asked += 1;
        }
    }
    for lines in [
        format!("X-API-KEY: {},{}\r\n", good(), good()),
        format!("X-API-KEY: {}, \r\n", good()),
        format!("X-API-KEY: ,{}\r\n", good()),
        format!("X_API_KEY: {}\r\n", good()),
        format!("Connection: X-API-KEY\r\nX-API-KEY: {}\r\n", good()),
        format!("X-API-KEY: {}\r\nConnection: keep-alive , x-API-key\r\n", good()),
        format!("Connection: close\r\nConnection: x-api-key\r\nX-API-KEY: {}\r\n", good()),
    ] {
        assert_eq!(ask(&server, &lines).status(), 401, "{lines}");
        asked += 1;
    }
    // Every one for this reason, and not because something was broken in it.
    let written = server.log.lines("reason=\"ambiguous\"").len();
    assert!(written > 0 && server.log.lines("refused").len() == written, "{}", server.log.text());
    assert_eq!(asked, 43);
}

#[test]
fn what_is_no_value_lets_nobody_in() {
    let server = server();
    let good = good();
    for line in [
        "X-API-KEY:\r\n".to_owned(),
        "X-API-KEY: \t\r\n".to_owned(),
        format!("X-API-KEY : {good}\r\n"),
        format!(" X-API-KEY: {good}\r\n"),
        format!("X-API-KEY: hmac1.\r\n {good}\r\n"),
        format!("X-API-KEY:\r\n {good}\r\n"),
        format!("X-API-KEY: {good}\r\n \r\n"),
        format!("Accept: x\r\n X-API-KEY: {good}\r\n"),
        format!("X-API-KEY: {good}\0\r\n"),
        format!("X-API-KEY: {good}\x0b\r\n"),
        format!("X-API-KEY: {good}\u{a0}\r\n"),
        format!("X-API-KEY: {good}\u{ff0e}\r\n"),
        format!("X-API-KEY: \u{feff}{good}\r\n"),
        format!("X-API-KEY: \"{good}\"\r\n"),
        format!("X-API-KEY: {good};\r\n"),
        format!("X-API-KEY: Bearer {good}\r\n"),
        format!("X-API-KEY: {}\r\n", good.replacen('.', ". ", 1)),
        format!("X-API-KEY: {}{good}\r\n", "A".repeat(1024)),
        format!("X-API-KEY: {}\r\n", "A".repeat(1 << 20)),
        format!("X-API-KEY: {good}{}\r\n", ".".repeat(1 << 20)),
        format!("Authorization: {good}\r\n"),
        format!("X-API\u{2010}KEY: {good}\r\n"),
        format!("\u{212a}-API-KEY: {good}\r\n"),
        format!("X-Other: x\rX-API-KEY: {good}\r\n"),
    ] {
        let mut raw = server.connect();
        raw.send(format!("GET / HTTP/1.1\r\nHost: stt\r\n{line}\r\n").as_bytes());
        raw.finish();
        let rest = raw.rest();
        let status = rest.split(' ').nth(1).unwrap_or_default();
        let start = line.chars().take(60).collect::<String>();
        assert!(matches!(status, "" | "400" | "401" | "431"), "{status} for {start}");
        assert!(!rest.contains("main"), "{start}");
    }
    // In the trailers of a body it is no credential.
    let trailers = format!("0\r\nX-API-KEY: {good}\r\n\r\n");
    let head =
        "POST / HTTP/1.1\r\nHost: stt\r\nTransfer-Encoding: chunked\r\nTrailer: X-API-KEY\r\n\r\n";
    assert_eq!(server.ask(format!("{head}{trailers}").as_bytes()).status(), 401);
    // Nor in the query.
    let query = format!("GET /?x-api-key={good} HTTP/1.1\r\nHost: stt\r\n\r\n");
    assert_eq!(server.ask(query.as_bytes()).status(), 401);
    // And it is good still.
    assert_eq!(ask(&server, &format!("X-API-KEY: {good}\r\n")).status(), 200);
}

#[test]
fn a_head_of_two_lengths_is_answered_once() {
    let server = server();
    for framing in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 0\r\nContent-Length: 1\r\n",
        "Content-Length: +0\r\n",
    ] {
        let mut raw = server.connect();
        let own = credential("hmac1", "POST", "/", b"");
        raw.send(
            format!("POST / HTTP/1.1\r\nHost: stt\r\nX-API-KEY: {own}\r\n{framing}\r\n0\r\n\r\n")
                .as_bytes(),
        );
        raw.finish();
        // One answer at most, to what the head says.
        assert!(raw.rest().matches("HTTP/1.1 ").count() <= 1, "{framing}");
    }
}

#[tokio::test]
async fn the_rules_hold_over_http2() {
    let server = server();
    let mut http2 = h2::<Empty<bytes::Bytes>>(server.address).await;
    let (strong, legacy) = (good, || credential("ecb0", "GET", "/", b""));
    for (fields, status) in [
        (vec![("x-api-key", strong())], 200),
        (vec![("x-api-key", strong()), ("x-api-key", strong())], 401),
        (vec![("x-api-key", strong()), ("x-api-key", legacy())], 401),
        (vec![("x-api-key", legacy()), ("x-api-key", strong())], 401),
        (vec![("x-api-key", String::new()), ("x-api-key", strong())], 401),
        (vec![("x-api-key", strong()), ("x_api_key", strong())], 401),
        (vec![("x_api_key", strong())], 401),
        (vec![("x-api-key", format!("{},{}", strong(), legacy()))], 401),
        (vec![("x-api-key", "A".repeat(2000))], 401),
        (vec![("x-api-key", String::new())], 401),
        (vec![], 401),
    ] {
        let mut request = http::Request::get(server.url("/"));
        for (name, value) in &fields {
            request = request.header(*name, value);
        }
        let response = http2.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{fields:?}");
    }
}

#[test]
fn what_java_adds_is_not_looked_at() {
    // Of `java.net.http`, which offers HTTP/2 in its first request.
    let server = server();
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                 HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n";
    for credential in [good(), credential("ecb0", "GET", "/", b"")] {
        let answer = ask(&server, &format!("{offer}X-API-KEY: {credential}\r\n"));
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "{answer:?}");
        assert_eq!(answer.field("upgrade"), None);
    }
    assert_eq!(ask(&server, offer).status(), 401);
    let mut raw = server.connect();
    let signed = credential("hmac1", "POST", "/", b"hello");
    raw.send(
        format!(
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nHost: stt\r\n{offer}X-API-KEY: {signed}\r\n\r\n\
             hello"
        )
        .as_bytes(),
    );
    assert_eq!(raw.answer().text(), "main hmac1 key-hmac1 pending hello");
}
