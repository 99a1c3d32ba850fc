//! Who is let in, and as whom.

use axum::{
    Router,
    extract::Request,
    routing::{any, get},
};
use http_body_util::{BodyExt, Full};
use keyscheme::{Verified, http::Minimum};
use tower::{Layer, ServiceExt, service_fn};

use crate::world::{SCHEMES, Server, auth, builder, credential, h2, head, whoami};

#[tokio::test]
async fn every_scheme_is_accepted_and_the_handler_knows_who_called() {
    let server = Server::axum(Router::new().route("/v1", any(whoami)).layer(auth().layer("stt")));
    let mut raw = server.connect();
    let mut http2 = h2(server.address).await;
    for scheme in SCHEMES {
        for (method, content) in [("GET", ""), ("POST", ""), ("POST", "hello"), ("DELETE", "x")] {
            let state = match (scheme, content) {
                ("hmac1", "") => "empty",
                ("hmac1", _) => "pending",
                _ => "uncovered",
            };
            let expected = format!("main {scheme} key-{scheme} {state} {content}");
            let signed = || credential(scheme, method, "/v1?a=b", content.as_bytes());

            let length = format!("Content-Length: {}\r\n", content.len());
            raw.send(&head(method, "/v1?a=b", &signed(), &length));
            raw.send(content.as_bytes());
            let answer = raw.answer();
            assert_eq!((answer.status(), answer.text()), (200, expected.clone()), "{answer:?}");

            let request = http::Request::builder().method(method).uri(server.url("/v1?a=b"));
            let request = request.header("x-api-key", signed()).body(Full::from(content));
            let response = http2.send_request(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, expected);
        }
    }
    // A bare value is the legacy one.
    let bare = crate::world::issuer("stt", "key-ecb0", "ecb0", 1).bare();
    let bare = bare.issue(&keyscheme::Request::new("GET", "/v1")).unwrap();
    assert_eq!(server.get("/v1", &bare).text(), "main ecb0 key-ecb0 uncovered ");
    assert_eq!(server.log.lines("accepted").len(), 2 * 16 + 1);
    assert_eq!(server.log.lines(r#"client="main" scheme="gcm1" key_id="key-gcm1""#).len(), 8);
}

#[test]
fn without_the_layer_nobody_is_let_in() {
    let app = Router::new()
        .route("/", any(whoami))
        .route("/least", any("in").layer(Minimum::new()))
        .route("/maybe", any(async |caller: Option<Verified>| format!("{}", caller.is_some())));
    let server = Server::axum(app);
    for target in ["/", "/least"] {
        let answer = server.get(target, &credential("hmac1", "GET", target, b""));
        assert_eq!(answer.status(), 500);
        assert_eq!(
            answer.text(),
            r#"{"title":"Internal Server Error","status":500,"detail":"Not protected"}"#
        );
    }
    assert_eq!(
        server.log.lines("nobody was authenticated: put the layer of Authenticator::layer").len(),
        2
    );
    // Who asks for an option has to look at it.
    assert_eq!(server.get("/maybe", "").text(), "false");
}

#[test]
fn an_exempt_path_is_for_everybody_and_no_other_is() {
    let who = any(async |caller: Option<Verified>| {
        caller.map_or("nobody".to_owned(), |caller| caller.client().to_owned())
    });
    let layer = auth().layer("stt").exempt("/open").exempt("/a/open");
    let app = Router::new()
        .route("/open", who.clone())
        .nest("/a", Router::new().route("/open", who.clone()).route("/closed", who.clone()))
        .fallback_service(who.clone())
        .layer(layer)
        .route("/healthz", get("ok"));
    let server = Server::axum(app);
    for target in ["/open", "/open?a=b", "/a/open", "http://stt/open"] {
        for credential in ["", "x", &credential("hmac1", "GET", "/open", b"")] {
            let answer = server.get(target, credential);
            assert_eq!((answer.status(), answer.text()), (200, "nobody".to_owned()), "{target}");
        }
    }
    for target in [
        "/open/",
        "/Open",
        "/%6fpen",
        "//open",
        "/open;a",
        "/./open",
        "/x/../open",
        "/open%3F",
        "/open%00",
        "/a/closed",
        "/a//open",
        "/b/open",
        "/",
        "/open/x",
        "http://open/",
        "/nothing",
        "http://stt/open/",
        "/?/open",
    ] {
        let answer = server.get(target, "");
        assert_eq!(answer.status(), 401, "{target}");
    }
    assert_eq!(server.get("/healthz", "").text(), "ok");
    assert_eq!(server.log.lines("accepted").len(), 0);
}

#[tokio::test]
async fn nobody_brings_a_caller_along() {
    let stt = builder().build().unwrap();
    let call = credential("ecb0", "GET", "/", b"");
    let request = keyscheme::Request::new("GET", "/").credential(&call);
    let someone = stt.service("stt").unwrap().verify(&request).await.unwrap();

    let inner = service_fn(async |request: Request<_>| {
        let caller = request.extensions().get::<Verified>().map(Verified::scheme);
        let _: keyscheme::http::RequestBody<Full<bytes::Bytes>> = request.into_body();
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::from(caller.unwrap_or("none"))))
    });
    let service = auth().layer("stt").exempt("/open").layer(inner);
    let with = async |target: &str, credential: &str| {
        let mut request = http::Request::get(target).extension(someone.clone());
        for header in ["verified", "x-auth-client", "x-verified"] {
            request = request.header(header, "main");
        }
        if !credential.is_empty() {
            request = request.header("x-api-key", credential);
        }
        let request = request.body(Full::default()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    };
    assert_eq!(with("/open", "").await, (200, "none".into()));
    assert_eq!(with("/open", &call).await, (200, "none".into()));
    assert_eq!(with("/", "").await.0, 401);
    let signed = credential("hmac1", "GET", "/", b"");
    assert_eq!(with("/", &signed).await, (200, "hmac1".into()));
}
