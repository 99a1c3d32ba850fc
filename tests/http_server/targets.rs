//! What is judged is the target that the client sent.

use axum::{
    Router,
    extract::{OriginalUri, Request},
    routing::any,
};
use http_body_util::{BodyExt, Empty};
use keyscheme::Verified;
use tower::{Layer, service_fn};

use crate::world::{Server, auth, credential, h2, head};

/// Says what the service was called with.
async fn seen(_: Verified, request: Request) -> String {
    request.uri().to_string()
}

fn signed(method: &str, target: &str) -> String {
    credential("hmac1", method, target, b"")
}

fn server() -> Server {
    Server::axum(Router::new().fallback(any(seen)).layer(auth().layer("stt")))
}

const TARGETS: [&str; 26] = [
    "/p",
    "/p?",
    "/p??",
    "/p?a",
    "/p?a=",
    "/p?a=b&c=d",
    "/p?c=d&a=b",
    "/p/",
    "//p",
    "/p//",
    "/%70",
    "/p%2F",
    "/p%2f",
    "/p/.",
    "/./p",
    "/x/../p",
    "/P",
    "/p;a",
    "/p?a=%20",
    "/p?a=+",
    "/",
    "/?",
    "//",
    "/p%00",
    "/p:80",
    "/%ED%95%9C",
];

#[test]
fn every_byte_of_the_target_counts() {
    let server = server();
    let mut raw = server.connect();
    let mut accepted = 0;
    for sent in TARGETS {
        for signed_target in TARGETS {
            raw.send(&head("GET", sent, &signed("GET", signed_target), ""));
            let answer = raw.answer();
            let expected = if sent == signed_target { 200 } else { 401 };
            assert_eq!(answer.status(), expected, "{signed_target} signed, {sent} sent");
            accepted += usize::from(answer.status() == 200);
        }
    }
    assert_eq!(accepted, TARGETS.len());
}

#[tokio::test]
async fn every_byte_of_the_path_of_http2_counts() {
    let server = server();
    let mut http2 = h2::<Empty<_>>(server.address).await;
    for sent in TARGETS {
        for signed_target in ["/p", "/p?", "/", "//p", "/p%2F", sent] {
            let request = http::Request::get(server.url(sent));
            let request = request.header("x-api-key", signed("GET", signed_target));
            let response = http2.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
            let expected = if sent == signed_target { 200 } else { 401 };
            assert_eq!(response.status(), expected, "{signed_target} signed, {sent} sent");
        }
    }
}

#[test]
fn the_method_counts_in_its_case() {
    let server = server();
    let methods = ["GET", "POST", "PUT", "get", "Get", "PATCH", "M-SEARCH", "QUERY", "OPTIONS"];
    for sent in methods {
        for signed_method in methods {
            let answer = server.ask(&head(sent, "/p", &signed(signed_method, "/p"), ""));
            let expected = if sent == signed_method { 200 } else { 401 };
            assert_eq!(answer.status(), expected, "{signed_method} signed, {sent} sent");
        }
    }
    // What overrides a method elsewhere is not looked at.
    let fields = "X-HTTP-Method-Override: GET\r\nX-Original-Method: GET\r\nX-Method: GET\r\n";
    assert_eq!(server.ask(&head("POST", "/p", &signed("GET", "/p"), fields)).status(), 401);
    let mut raw = server.connect();
    raw.send(&head("HEAD", "/p", &signed("HEAD", "/p"), ""));
    assert_eq!(raw.answer_to("HEAD").status(), 200);
    raw.send(&head("HEAD", "/p", &signed("GET", "/p"), ""));
    let refused = raw.answer_to("HEAD");
    assert_eq!((refused.status(), refused.field("content-length")), (401, Some("64")));
}

#[test]
fn of_an_absolute_form_the_path_and_the_query_count() {
    let server = server();
    for (sent, target) in [
        ("http://stt/p?a=b", "/p?a=b"),
        ("http://elsewhere:81/p", "/p"),
        ("https://stt/p?", "/p?"),
        ("http://stt//p", "//p"),
        ("http://stt", "/"),
        ("http://stt/", "/"),
    ] {
        assert_eq!(server.get(sent, &signed("GET", target)).status(), 200, "{sent}");
        assert_eq!(server.get(sent, &signed("GET", "/elsewhere")).status(), 401, "{sent}");
    }
    for sent in
        ["http://stt?a=b", "http://stt?", "/p#a", "/p#", "http://stt/p#a", "stt", "p", "stt:80"]
    {
        for target in ["/", "/?", "/?a=b", "/p#a", "/a=b", "/stt"] {
            let Ok(signed) = std::panic::catch_unwind(|| signed("GET", target)) else { continue };
            assert_ne!(server.get(sent, &signed).status(), 200, "{target} signed, {sent} sent");
        }
    }
    // hyper drops a fragment, for the service as well: what is judged is what is used.
    let answer = server.get("/p#a", &signed("GET", "/p"));
    assert!(answer.status() == 400 || answer.text() == "/p", "{answer:?}");
}

#[tokio::test]
async fn what_has_no_target_cannot_be_signed() {
    let service = auth().layer("stt").layer(service_fn(
        async |request: http::Request<keyscheme::http::RequestBody<hyper::body::Incoming>>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(request.uri().to_string()))
        },
    ));
    let hyper = Server::start(async move |listener| {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = hyper_util::rt::TokioIo::new(stream);
            let service = hyper_util::service::TowerToHyperService::new(service.clone());
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(async move { server.serve_connection(stream, service).await });
        }
    });
    for server in [server(), hyper] {
        for (method, sent) in
            [("OPTIONS", "*"), ("GET", "*"), ("CONNECT", "stt:80"), ("CONNECT", "/p")]
        {
            for target in ["/", "/p", "/*", "/stt:80"] {
                // A `CONNECT` is not signed by our issuers at all.
                let signed = signed(if method == "CONNECT" { "GET" } else { method }, target);
                let answer = server.ask(&head(method, sent, &signed, ""));
                assert!(matches!(answer.status(), 400 | 401), "{method} {sent}: {answer:?}");
            }
        }
        // A scheme that binds no request lets it through to the service, which judges for itself.
        let answer =
            server.ask(&head("OPTIONS", "*", &credential("gcm1", "OPTIONS", "/", b""), ""));
        assert_ne!(answer.status(), 401);
    }
}

#[test]
fn in_nested_routers_the_whole_target_counts() {
    let original = async |OriginalUri(original): OriginalUri, _: Verified, request: Request| {
        format!("{} of {original}", request.uri())
    };
    let inner = || Router::new().route("/p", any(original)).fallback(any(original));
    let auth = auth();
    let layer = auth.layer("stt");
    let app = Router::new()
        .nest("/in", inner().layer(layer.clone()))
        .nest("/deep", Router::new().nest("/er", inner().layer(layer.clone())))
        .merge(Router::new().nest("/out", inner()).layer(layer.clone()))
        .nest_service("/service", layer.layer(inner()))
        .fallback_service(layer.layer(inner()));
    let server = Server::axum(app);
    for prefix in ["/in", "/deep/er", "/out", "/service", "/else"] {
        for path in ["/p", "/p?a=b", "/other", "/p/", "//p", "/%70"] {
            let target = format!("{prefix}{path}");
            let answer = server.get(&target, &signed("GET", &target));
            assert_eq!(answer.status(), 200, "{target}");
            assert!(answer.text().ends_with(&format!(" of {target}")), "{answer:?}");
            for wrong in [path, "/p", prefix, &format!("{target}?")] {
                assert_eq!(server.get(&target, &signed("GET", wrong)).status(), 401, "{wrong}");
            }
        }
    }
}

#[tokio::test]
async fn the_service_of_others_is_not_ours() {
    // Host and authority are not covered: the service is what the layer was made for.
    let server = server();
    let mut http2 = h2::<Empty<bytes::Bytes>>(server.address).await;
    let request = http::Request::get("http://elsewhere.example/p");
    let request = request.header("x-api-key", signed("GET", "/p")).body(Empty::new()).unwrap();
    assert_eq!(http2.send_request(request).await.unwrap().status(), 200);
    let tight = crate::world::issuer("tight", "key-hmac1", "hmac1", 1);
    let tight = tight.issue(&keyscheme::Request::new("GET", "/p")).unwrap();
    let fields = "Host: tight\r\nX-Forwarded-Host: tight\r\nX-Service: tight\r\n";
    assert_eq!(server.ask(&head("GET", "/p", &tight, fields)).status(), 401);
    let request = http::Request::get("http://tight/p").header("x-api-key", tight);
    let response = http2.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(br#""detail":"Invalid API Key"}"#));
}
