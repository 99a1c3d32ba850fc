//! One answer, whatever was wrong.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex},
};

use axum::{Router, middleware::map_response, response::Response, routing::any};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use keyscheme::{Failure, Issuer, Reject, Request, http::Refusal};

use crate::world::{NOW, SCHEMES, Server, auth, clock, h2, issuer, whoami};

const TARGET: &str = "/v1?a=b";
const CONTENT: &[u8] = b"hello";

/// A request that must be refused.
struct Bad {
    method: &'static str,
    /// The lines of our header, or of one that is nearly ours.
    lines: Vec<(&'static str, String)>,
    content: &'static [u8],
}

fn bad(method: &'static str, value: impl Into<String>) -> Bad {
    let content = if method == "POST" { CONTENT } else { b"" };
    Bad { method, lines: vec![("X-API-KEY", value.into())], content }
}

fn issue(issuer: &Issuer, method: &str) -> String {
    let content = if method == "POST" { CONTENT } else { b"" };
    issuer.issue(&Request::new(method, TARGET).body(content)).unwrap()
}

/// Every reason, by way of every scheme.
fn all_bad() -> Vec<Bad> {
    let mut all = Vec::new();
    let mut number = 0_u32;
    for method in ["GET", "POST"] {
        let mut add = |value: String| all.push(bad(method, value));
        for scheme in SCHEMES {
            let good = issuer("tight", &format!("key-{scheme}"), scheme, 1);
            let fresh = || issue(&good, method);
            let text = fresh();
            // Every byte is another one, or none, or twice.
            for at in 0..text.len() {
                let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
                let mut changed = text.clone();
                changed.replace_range(at..=at, other);
                add(changed);
                let mut shorter = text.clone();
                shorter.remove(at);
                add(shorter);
                let mut longer = text.clone();
                longer.insert(at, '0');
                add(longer);
            }
            for _ in 0..60 {
                number += 1;
                let id = format!("stranger-{}", number.wrapping_mul(2_654_435_761));
                add(issue(&issuer("tight", &id, scheme, 9), method));
                add(text.replacen(&format!("key-{scheme}"), &id, 1));
            }
            // Another spelling, another service, another key of the same scheme.
            add(format!("{}=", fresh()));
            add(fresh().to_ascii_uppercase());
            add(fresh().replace('.', "%2E"));
            add(format!("Bearer {}", fresh()));
            add(format!("{},{}", fresh(), fresh()));
            add(format!("{}{}", fresh(), "A".repeat(1024)));
            add(fresh().replacen(scheme, "zzz9", 1));
            if scheme != "cbc1" && scheme != "ecb0" {
                add(issue(&issuer("stt", &format!("key-{scheme}"), scheme, 1), method));
                let at =
                    |now| issuer("tight", &format!("key-{scheme}"), scheme, 1).clock(clock(now));
                add(issue(&at(NOW - 301), method));
                add(issue(&at(NOW + 31), method));
            }
        }
        // What is retired or refused is so though it is good.
        for scheme in ["ecb0", "cbc1"] {
            add(issue(&issuer("tight", &format!("key-{scheme}"), scheme, 1), method));
        }
        add(issue(&issuer("tight", "key-ecb0", "ecb0", 1).bare(), method));
        add(issue(&issuer("tight", "other-gcm1", "gcm1", 2), method));
        add(issue(&issuer("tight", "disabled", "hmac1", 3), method));
        add(issue(&issuer("tight", "expired", "hmac1", 4), method));
        add(issue(&issuer("tight", "key-hmac1", "hmac1", 1).uncovered_body(), method));
        let signed = || issue(&issuer("tight", "key-hmac1", "hmac1", 1), method);
        for (first, second) in [("X-API-KEY", "x-api-key"), ("X-API-KEY", "X_API_KEY")] {
            for values in [[signed(), "x".into()], ["x".into(), signed()], [signed(), signed()]] {
                let [one, two] = values;
                let content = if method == "POST" { CONTENT } else { b"" };
                all.push(Bad { method, lines: vec![(first, one), (second, two)], content });
            }
        }
        let mut twice = bad(method, signed());
        twice.lines.push(("Connection", "X-API-KEY".into()));
        all.push(twice);
    }
    // A body of which only the end shows that it is another.
    for content in [&b"hellO"[..], b"hello!", b"hell", b"x"] {
        let signed = issue(&issuer("tight", "key-hmac1", "hmac1", 1), "POST");
        all.push(Bad { content, ..bad("POST", signed) });
    }
    let signed = issue(&issuer("tight", "key-hmac1", "hmac1", 1), "POST");
    all.push(Bad { content: b"", ..bad("POST", signed) });
    let signed = issue(&issuer("tight", "key-hmac1", "hmac1", 1), "GET");
    all.push(Bad { content: b"x", ..bad("GET", signed) });
    all
}

type Reasons = Arc<Mutex<BTreeMap<&'static str, usize>>>;

/// With a layer outside that keeps a list of reasons.
fn server() -> (Server, Reasons) {
    let reasons = Reasons::default();
    let list = Arc::clone(&reasons);
    let outside = map_response(move |response: Response| {
        let refusal = response.extensions().get::<Refusal>();
        if let Some(Failure::Rejected(reason)) = refusal.map(|refusal| refusal.failure()) {
            *list.lock().unwrap().entry(reason.code()).or_default() += 1;
        }
        std::future::ready(response)
    });
    let app = Router::new().route("/v1", any(whoami)).layer(auth().layer("tight")).layer(outside);
    (Server::axum(app), reasons)
}

fn assert_every_reason(reasons: &Reasons) {
    let reasons = reasons.lock().unwrap();
    let all = Reject::ALL.iter().map(|reason| reason.code());
    let missing: Vec<_> = all.filter(|reason| !reasons.contains_key(reason)).collect();
    assert!(missing.is_empty(), "{missing:?} of {reasons:?}");
}

#[test]
fn two_thousand_bad_credentials_have_one_answer() {
    let (server, reasons) = server();
    let wire = |bad: &Bad| {
        let mut text = format!("{} {TARGET} HTTP/1.1\r\nHost: stt\r\n", bad.method);
        for (name, value) in &bad.lines {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if bad.method == "POST" || !bad.content.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", bad.content.len()));
        }
        [text.as_bytes(), b"\r\n", bad.content].concat()
    };
    let mut requests: Vec<_> = all_bad().iter().map(wire).collect();
    let mut raw = server.connect();
    let mut distinct = HashSet::new();
    let mut answers = BTreeSet::new();
    // A credential that is used a second time is bad as well.
    let signed = issue(&issuer("tight", "key-hmac1", "hmac1", 1), "POST");
    let once = wire(&bad("POST", signed));
    raw.send(&once);
    assert_eq!(raw.answer().status(), 200);
    requests.push(once);
    for request in requests {
        if !distinct.insert(request.clone()) {
            continue;
        }
        raw.send(&request);
        let answer = raw.answer();
        assert_eq!(answer.status(), 401, "{}", request.escape_ascii());
        answers.insert(answer.all());
    }
    assert!(distinct.len() >= 2000, "{}", distinct.len());
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let [answer] = answers.into_iter().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        answer,
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\n\
         www-authenticate: ApiKey realm=\"tight\", schemes=\"hmac1 gcm1\"\r\n\
         content-length: 64\r\n\r\n\
         {\\\"title\\\":\\\"Unauthorized\\\",\\\"status\\\":401,\\\"detail\\\":\\\"Invalid API Key\\\"}"
    );

    // Only who sends nothing is told so.
    for lines in ["", "X-API-KEY:\r\n", "X-API-KEY: \t \r\n", "X-API-KE: x\r\n"] {
        let text = format!("GET {TARGET} HTTP/1.1\r\nHost: stt\r\n{lines}\r\n");
        let missing = server.ask(text.as_bytes());
        assert_eq!(missing.all().replace("Missing", "Invalid"), answer);
        assert!(missing.text().contains("Missing API Key"));
    }
    assert_every_reason(&reasons);
    println!("{} distinct requests: {:?}", distinct.len(), reasons.lock().unwrap());
}

#[tokio::test]
async fn two_thousand_bad_credentials_have_one_answer_over_http2() {
    let (server, reasons) = server();
    let mut http2 = h2(server.address).await;
    let mut answers = BTreeSet::new();
    let mut calls = 0;
    let mut ask = async |bad: Bad| {
        let mut request = http::Request::builder().method(bad.method).uri(server.url(TARGET));
        for (name, value) in &bad.lines {
            if *name != "Connection" {
                request = request.header(*name, value);
            }
        }
        let request = request.body(Full::new(Bytes::from_static(bad.content))).unwrap();
        let response = http2.send_request(request).await.unwrap();
        let (mut head, body) = response.into_parts();
        head.headers.remove("date").unwrap();
        let body = body.collect().await.unwrap();
        assert!(body.trailers().is_none());
        (head.status.as_u16(), format!("{head:?} {:?}", body.to_bytes()))
    };
    let signed = || issue(&issuer("tight", "key-hmac1", "hmac1", 1), "POST");
    let once = signed();
    assert_eq!(ask(bad("POST", once.clone())).await.0, 200);
    let mut all = all_bad();
    // There is no `Connection` in HTTP/2, so these were good.
    all.retain(|bad| bad.lines.iter().all(|(name, _)| *name != "Connection"));
    all.push(bad("POST", once));
    for bad in all {
        let lines = bad.lines.clone();
        let (status, answer) = ask(bad).await;
        assert_eq!(status, 401, "{lines:?}");
        answers.insert(answer);
        calls += 1;
    }
    assert!(calls >= 2000, "{calls}");
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let nothing = Bad { method: "GET", lines: Vec::new(), content: b"" };
    let (_, missing) = ask(nothing).await;
    assert_eq!(missing.replace("Missing", "Invalid"), *answers.first().unwrap());
    assert_every_reason(&reasons);
}
