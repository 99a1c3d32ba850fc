//! The client layer before a real server: what is signed is what arrives.

#![cfg(all(feature = "config", feature = "http", feature = "reqwest"))]

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    future,
    io::Write,
    net::{SocketAddr, TcpListener},
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use keyscheme::{
    AcceptConfig, Authenticator, Config, Issuer, KeyConfig, Loader, Material, Presented, Registry,
    SealError, ServiceConfig, UnixTime, Verified, Verifier,
    http::{IssueError, IssueLayer, IssuedBody},
};
use tower::{Layer, Service, ServiceExt, retry::Retry};

#[allow(dead_code)]
#[path = "../examples/client.rs"]
mod example;

const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];
const API_KEY: &str = "an API key of the tests";

fn material(scheme: &str) -> Material {
    let key = match scheme {
        "ecb0" => return api_key().with("cipher-key", vec![1; 16]),
        "cbc1" => 2,
        "gcm1" => 3,
        _ => return Material::new().with("secret", b"the secret of the tests, 32 long".to_vec()),
    };
    api_key().with("cipher-key", vec![key; 32])
}

fn api_key() -> Material {
    Material::new().with("api-key", API_KEY.as_bytes().to_vec())
}

fn issuer(scheme: &str) -> Issuer {
    let key = format!("key-{scheme}");
    Registry::default().issuer(scheme, "stt", &key, &material(scheme)).unwrap()
}

fn layer(scheme: &str) -> IssueLayer {
    IssueLayer::new(issuer(scheme))
}

/// What arrived.
#[derive(Debug)]
struct Seen {
    target: String,
    credential: String,
    fields: HeaderMap,
    content: Bytes,
    trailers: Option<HeaderMap>,
    /// The scheme that it was accepted by, or why it was not.
    verdict: String,
}

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Judges every request, whatever it then answers, in a thread of its own.
    fn start(answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::default(), Arc::default());
        let server = Self { address, seen: Arc::clone(&seen), connections };
        let connections = Arc::clone(&server.connections);
        let verifier = Arc::new(verifier());
        let answer = Arc::new(answer);
        let serving = async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (verifier, seen) = (Arc::clone(&verifier), Arc::clone(&seen));
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request| {
                    let (verifier, seen) = (Arc::clone(&verifier), Arc::clone(&seen));
                    let answer = Arc::clone(&answer);
                    async move {
                        let one = judge(&verifier, request).await;
                        let response = answer(&one);
                        seen.lock().unwrap().push(one);
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        };
        thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serving)
        });
        server
    }

    fn answering(status: StatusCode, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self::start(move |_| {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            response.body(Full::default()).unwrap()
        })
    }

    fn new() -> Self {
        Self::answering(StatusCode::OK, &[])
    }

    fn uri(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn verifier() -> Verifier {
    let far = UnixTime(4_000_000_000);
    let accept = |scheme| AcceptConfig::new(scheme).until(far);
    let stt = SCHEMES.into_iter().fold(ServiceConfig::new("stt"), |s, scheme| {
        s.accept(if scheme == "gcm1" { accept(scheme).once() } else { accept(scheme) })
    });
    let verifier = Verifier::builder().service(stt.issue("hmac1"));
    let with_key = |verifier: keyscheme::VerifierBuilder, scheme: &str| {
        let key = KeyConfig::new(format!("key-{scheme}"), scheme, material(scheme));
        verifier.key("main", key)
    };
    SCHEMES.into_iter().fold(verifier, with_key).build().unwrap()
}

async fn judge(verifier: &Verifier, request: Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    let content = body.to_bytes();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str()).to_owned();
    let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let presented = Presented::from_headers("x-api-key", fields);
    let request = keyscheme::Request::new(head.method.as_str(), &target);
    let request = request.presented(presented).body(&content);
    let verdict = match verifier.service("stt").unwrap().verify(&request).await {
        Ok(verified) => verified.scheme().to_owned(),
        Err(failure) => failure.to_string(),
    };
    let credential = head.headers.get("x-api-key").map(|value| value.to_str().unwrap().to_owned());
    let credential = credential.unwrap_or_default();
    Seen { target, credential, fields: head.headers, content, trailers, verdict }
}

/// A body of which nobody knows the length.
#[derive(Debug, Default)]
struct Chunks(VecDeque<Result<Frame<Bytes>, String>>);

impl Chunks {
    fn of(chunks: &[&'static str]) -> Self {
        Self(
            chunks
                .iter()
                .map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))))
                .collect(),
        )
    }

    fn with_trailers(mut self) -> Self {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("none"));
        self.0.push_back(Ok(Frame::trailers(trailers)));
        self
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn hyper_client<B>(http2: bool) -> legacy::Client<legacy::connect::HttpConnector, IssuedBody<B>>
where
    B: Body<Data: Send> + Send,
{
    legacy::Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

fn reqwest_client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn full(content: &'static str) -> Full<Bytes> {
    Full::from(content)
}

fn post<B>(uri: &str, body: B) -> Request<B> {
    Request::post(uri).header("trailer", "x-checksum").body(body).unwrap()
}

/// The message and those of all causes.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(format!("{error} {error:?}"), |all, cause| format!("{all}: {cause} {cause:?}"))
}

#[tokio::test]
async fn every_scheme_is_accepted_from_every_client_with_every_body() {
    let server = Server::new();
    let uri = server.uri("/v1/stt?lang=ko");
    let mut calls = 0;
    for scheme in SCHEMES {
        let bodies: [fn() -> (Chunks, &'static str); 4] = [
            || (Chunks::default(), ""),
            || (Chunks::of(&["hello"]), "hello"),
            || (Chunks::of(&["", "hel", "", "l", "o"]), "hello"),
            || (Chunks::of(&["hel", "lo"]).with_trailers(), "hello"),
        ];
        for body in bodies {
            for http2 in [false, true] {
                let client = layer(scheme).layer(hyper_client(http2));
                client.oneshot(post(&uri, body().0)).await.unwrap();
                let client = layer(scheme).layer(hyper_client(http2));
                client.oneshot(post(&uri, full(body().1))).await.unwrap();
            }
            let reqwest = reqwest_client();
            let client = layer(scheme).layer(reqwest.clone());
            let request = reqwest.post(&uri).header("trailer", "x-checksum");
            let request = request.body(reqwest::Body::wrap(body().0)).build().unwrap();
            client.clone().oneshot(request).await.unwrap();
            let request = reqwest.post(&uri).body(body().1).build().unwrap();
            client.clone().oneshot(request).await.unwrap();
            let request = reqwest.get(&uri).build().unwrap();
            client.oneshot(request).await.unwrap();

            let (chunks, content) = body();
            let has_trailers = chunks.0.iter().flatten().any(Frame::is_trailers);
            for (i, seen) in server.seen().into_iter().enumerate() {
                assert_eq!(seen.verdict, scheme, "{i}: {seen:?}");
                assert_eq!(seen.target, "/v1/stt?lang=ko");
                assert_eq!(seen.content, if i == 6 { "" } else { content });
                let trailers = has_trailers && [0, 2, 4].contains(&i);
                assert_eq!(seen.trailers.is_some(), trailers, "{i}: {seen:?}");
                calls += 1;
            }
        }
    }
    assert_eq!(calls, 4 * 4 * 7);
}

#[tokio::test]
async fn the_target_that_is_signed_is_the_one_that_arrives() {
    let server = Server::new();
    let targets = [
        "",
        "/",
        "/a/../b",
        "/a/./b",
        "//a",
        "/%2F",
        "/%2f",
        "/a?",
        "/a??",
        "/?",
        "?",
        "?a=b",
        "/a#b",
        "/a?#b",
        "/a|b",
        "/a\"b",
        "/a^b",
        "/a`b",
        "/a{b}",
        "/a[b]",
        "/a\\b",
        "/a b",
        "/a<b>",
        "/a?b|c",
        "/a?b\"c",
        "/a?b^c",
        "/a?b`c",
        "/a?b{c}",
        "/a?b[c]",
        "/a?b\\c",
        "/a?b c",
        "/a?b<c>",
        "/a?b'c",
        "/한글",
        "/a?한글",
        "/%ED%95%9C",
        "/a;b,c:d@e!f$g&h'i(j)k*l+m=n~o",
        "/a%",
        "/a?%zz",
        "/a\tb",
        "/%2e%2e/b",
        "/a/%2E%2E/b",
        "/a?b=/../c",
    ];
    let reqwest = reqwest_client();
    let client = layer("hmac1").layer(reqwest.clone());
    let mut unsent = Vec::new();
    for target in targets {
        let request = reqwest.get(server.uri(target)).build().unwrap();
        match client.clone().oneshot(request).await {
            Ok(_) => {}
            Err(IssueError::Seal(SealError::Unbindable)) => unsent.push(target),
            Err(error) => panic!("{target}: {error:?}"),
        }
    }
    let seen = server.seen();
    assert_eq!(seen.len() + unsent.len(), targets.len());
    for seen in &seen {
        assert_eq!(seen.verdict, "hmac1", "{seen:?}");
    }
    let arrived: HashSet<_> = seen.iter().map(|seen| seen.target.as_str()).collect();
    for target in ["/", "/b", "//a", "/%2F", "/%2f", "/a?", "/a|b", "/a%22b", "/%ED%95%9C"] {
        assert!(arrived.contains(target), "{target}: {arrived:?}");
    }
    assert!(unsent.is_empty(), "{unsent:?}");

    for http2 in [false, true] {
        let client = layer("hmac1").layer(hyper_client(http2));
        let mut sent = 0;
        for target in targets {
            let Ok(uri) = Uri::try_from(server.uri(target)) else { continue };
            match client.clone().oneshot(post(&uri.to_string(), full("hello"))).await {
                Ok(_) => sent += 1,
                Err(IssueError::Seal(SealError::Unbindable)) => {}
                Err(error) => panic!("{target}: {error:?}"),
            }
        }
        let seen = server.seen();
        assert!(seen.len() == sent && sent > 25, "{sent}");
        for seen in seen {
            assert_eq!(seen.verdict, "hmac1", "{seen:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let server = Server::new();
    let authority = server.address.to_string();
    let requests = [
        (Method::CONNECT, authority.clone()),
        (Method::CONNECT, server.uri("/a")),
        (Method::OPTIONS, "*".to_owned()),
        (Method::GET, server.uri("/\u{e4}")),
        (Method::GET, server.uri("/a?\u{d55c}")),
    ];
    for (method, uri) in requests {
        let uri = Uri::try_from(uri).unwrap();
        let request = Request::builder().method(method).uri(uri).body(full("hello")).unwrap();
        let client = layer("hmac1").layer(hyper_client(false));
        let error = client.oneshot(request.clone()).await.unwrap_err();
        assert!(matches!(error, IssueError::Seal(SealError::Unbindable)), "{error:?}");
        assert!(error.to_string().starts_with("not sent: method or target"), "{error}");

        // A scheme that does not bind the request has no reason to refuse.
        let inner = tower::service_fn(|request: Request<_>| {
            let _: IssuedBody<Full<Bytes>> = *request.body();
            future::ready(Ok::<_, Infallible>(Response::new(request.headers().clone())))
        });
        let response = layer("gcm1").layer(inner).oneshot(request).await.unwrap();
        assert!(response.body().contains_key("x-api-key"));
    }
    let reqwest = reqwest_client();
    let request = reqwest.request(Method::CONNECT, server.uri("/a")).build().unwrap();
    let error = layer("hmac1").layer(reqwest).oneshot(request).await.unwrap_err();
    assert!(matches!(error, IssueError::Seal(SealError::Unbindable)), "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_sent() {
    let server = Server::new();
    let uri = server.uri("/");
    let layer = layer("hmac1").limit(10);
    let reqwest = reqwest_client();
    let over = ["hello", "world", "!"];
    let refused = [
        layer.layer(hyper_client(false)).oneshot(post(&uri, Chunks::of(&over))).await.unwrap_err(),
        layer
            .layer(hyper_client(false))
            .oneshot(post(&uri, full("hello world")))
            .await
            .unwrap_err(),
        {
            let request = reqwest.post(&uri).body("hello world").build().unwrap();
            layer.layer(reqwest.clone()).oneshot(request).await.unwrap_err()
        },
    ];
    for error in refused {
        assert!(matches!(error, IssueError::TooLong { limit: 10 }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("10 bytes") && text.contains("IssueLayer::limit"), "{text}");
    }
    let fails = Chunks(VecDeque::from([Err("the disk is gone".to_owned())]));
    let client = layer.layer(hyper_client(false));
    let error = client.oneshot(post(&uri, fails)).await.unwrap_err();
    assert!(matches!(error, IssueError::Body(_)), "{error:?}");
    assert!(whole(&error).contains("the disk is gone"));
    assert_eq!(server.connections(), 0);

    let client = layer.layer(hyper_client(false));
    client.oneshot(post(&uri, Chunks::of(&["hello", "world"]))).await.unwrap();
    assert_eq!(server.seen()[0].verdict, "hmac1");

    // Nothing is collected where nothing has to be known.
    let open = IssueLayer::new(issuer("hmac1").uncovered_body()).limit(0);
    for (layer, verdict) in [(self::layer("gcm1").limit(0), "gcm1"), (open, "body-not-covered")] {
        let client = layer.layer(hyper_client(false));
        client.oneshot(post(&uri, Chunks::of(&over).with_trailers())).await.unwrap();
        let [seen] = server.seen().try_into().unwrap();
        assert!(seen.verdict.contains(verdict), "{seen:?}");
        assert_eq!(seen.fields["transfer-encoding"], "chunked");
        assert!(seen.trailers.is_some());
        assert_eq!(seen.content, "helloworld!");
    }
}

/// A body that says how long it is, and must not be read.
struct Unread;

impl Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("it was read")
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::MAX)
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_not_read() {
    let client = layer("hmac1").layer(hyper_client(false));
    let error = client.oneshot(post("http://127.0.0.1:1/", Unread)).await.unwrap_err();
    assert!(matches!(error, IssueError::TooLong { limit: 2_097_152 }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_need_not_be_known_is_sent_as_it_comes() {
    let inner = tower::service_fn(|request: Request<IssuedBody<Chunks>>| {
        future::ready(Ok::<_, Infallible>(Response::new(format!("{:?}", request.body()))))
    });
    let said = |scheme| layer(scheme).layer(inner).oneshot(post("/", Chunks::of(&["hello"])));
    assert_eq!(said("gcm1").await.unwrap().body(), "IssuedBody(original)");
    assert_eq!(said("hmac1").await.unwrap().body(), "IssuedBody(5 bytes)");
}

#[derive(Clone)]
struct Twice;

impl tower::retry::Policy<Request<Full<Bytes>>, Response<Incoming>, IssueError> for Twice {
    type Future = future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Incoming>, IssueError>,
    ) -> Option<Self::Future> {
        let again = result.as_ref().is_ok_and(|r| r.status() == StatusCode::SERVICE_UNAVAILABLE);
        again.then(|| future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_signs_again() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let mut response = Response::new(Full::default());
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    });
    let client = Retry::new(Twice, layer("hmac1").layer(hyper_client(false)));
    let response = client.oneshot(post(&server.uri("/"), full("hello"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let [first, second] = server.seen().try_into().unwrap();
    assert_eq!((&*first.verdict, &*second.verdict), ("hmac1", "hmac1"));
    assert_ne!(first.credential, second.credential);
}

#[tokio::test]
async fn no_answer_changes_what_is_sent() {
    let server = Server::answering(
        StatusCode::UNAUTHORIZED,
        &[
            ("www-authenticate", "ecb0, ApiKey scheme=\"cbc1\", Basic"),
            ("x-api-key", "1PT1wfcJslWitK2mN3f9PA=="),
            ("accept-scheme", "ecb0"),
            ("location", "/elsewhere"),
        ],
    );
    let reqwest = reqwest_client();
    let hyper = layer("hmac1").layer(hyper_client(false));
    let with_reqwest = layer("hmac1").layer(reqwest.clone());
    for _ in 0..5 {
        let response = hyper.clone().oneshot(post(&server.uri("/"), full("hello"))).await;
        assert_eq!(response.unwrap().status(), StatusCode::UNAUTHORIZED);
        let request = reqwest.get(server.uri("/")).build().unwrap();
        let response = with_reqwest.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 10);
    assert!(seen.iter().all(|seen| seen.verdict == "hmac1" && seen.target == "/"));
    let different: HashSet<_> = seen.iter().map(|seen| &seen.credential).collect();
    assert_eq!(different.len(), 10);
}

#[tokio::test]
async fn a_redirect_comes_back_to_the_caller() {
    let to = Server::new();
    let location = to.uri("/stolen");
    let server = Server::start(move |_| {
        let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
        response.header("location", &location).body(Full::default()).unwrap()
    });
    let status = example::with_reqwest(&layer("hmac1"), &server.uri("")).await.unwrap();
    assert_eq!(status, 307);
    assert_eq!(to.connections(), 0);
}

#[tokio::test]
async fn exactly_one_line_leaves() {
    let server = Server::new();
    let client = layer("hmac1").layer(hyper_client(false));
    let mut request = post(&server.uri("/"), full("hello"));
    for name in ["x-api-key", "x-api-key", "x_api_key", "x-api_key"] {
        request.headers_mut().append(name, HeaderValue::from_static("another"));
    }
    request.headers_mut().insert("x-other_key", HeaderValue::from_static("kept"));
    client.oneshot(request).await.unwrap();
    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(seen.verdict, "hmac1", "{seen:?}");
    assert!(seen.fields.contains_key("x-other_key"));

    for name in ["x_api_key", "", "x api key", "x-api-key\n", "x:y"] {
        let error = layer("hmac1").header(name).unwrap_err().to_string();
        assert!(error.contains("is no header name") && error.contains("x-api-key"), "{error}");
    }
    let layer = layer("hmac1").header("X-STT-Key").unwrap();
    let inner = tower::service_fn(|request: Request<IssuedBody<Full<Bytes>>>| {
        future::ready(Ok::<_, Infallible>(Response::new(request.into_parts().0.headers)))
    });
    let response = layer.layer(inner).oneshot(post("/", full("hello"))).await.unwrap();
    assert!(response.body()["x-stt-key"].is_sensitive());
    assert!(!response.body().contains_key("x-api-key"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes what this thread says from now on.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn an_end_that_is_announced_is_told_once() {
    let server = Server::answering(
        StatusCode::OK,
        &[("deprecation", "@1688169599"), ("sunset", "Sun, 31 Dec 2036 00:00:00 GMT")],
    );
    let log = Log::default();
    let _listening = log.listen();
    let reqwest = reqwest_client();
    let layer = layer("gcm1");
    let hyper = layer.layer(hyper_client(false));
    let with_reqwest = layer.layer(reqwest.clone());
    for _ in 0..50 {
        hyper.clone().oneshot(post(&server.uri("/"), full("hello"))).await.unwrap();
        let request = reqwest.get(server.uri("/")).build().unwrap();
        with_reqwest.clone().oneshot(request).await.unwrap();
    }
    assert!(server.seen().iter().all(|seen| seen.verdict == "gcm1"));
    let text = log.text();
    let told: Vec<_> = text.lines().filter(|line| line.contains(" keyscheme: ")).collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    for part in [
        "WARN",
        "service=\"stt\"",
        "scheme=\"gcm1\"",
        "key=\"key-gcm1\"",
        "deprecation=\"@1688169599\"",
        "sunset=\"Sun, 31 Dec 2036 00:00:00 GMT\"",
        "the service announces an end, likely that of this scheme",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn what_a_stranger_writes_is_cut_and_escaped() {
    let log = Log::default();
    let _listening = log.listen();
    let inner = tower::service_fn(|_: Request<IssuedBody<Full<Bytes>>>| {
        let mut response = Response::new(());
        let value =
            HeaderValue::from_bytes(&[b"\t\xe2\x80\xae\"".as_slice(), &[b'x'; 9999]].concat());
        response.headers_mut().insert("sunset", value.unwrap());
        future::ready(Ok::<_, Infallible>(response))
    });
    let client = layer("hmac1").layer(inner);
    client.oneshot(post("/", full("hello"))).await.unwrap();
    let text = log.text();
    assert!(text.contains("WARN") && text.is_ascii() && text.len() < 600, "{text}");
    assert!(!text.contains('\t') && text.lines().count() == 1, "{text}");
}

#[tokio::test]
async fn no_log_and_no_error_shows_a_secret() {
    let log = Log::default();
    let server = Server::answering(StatusCode::OK, &[("sunset", "soon")]);
    let mut said = String::new();
    {
        let _listening = log.listen();
        for scheme in SCHEMES {
            let layer = layer(scheme);
            said += &format!("{layer:?}");
            for http2 in [false, true] {
                let client = layer.layer(hyper_client(http2));
                said += &format!("{client:?}");
                client.oneshot(post(&server.uri("/"), full("the body"))).await.unwrap();
                let client = layer.layer(hyper_client(http2));
                let nobody = post("http://127.0.0.1:1/", full("the body"));
                said += &whole(&client.oneshot(nobody).await.unwrap_err());
            }
        }
        let client = layer("hmac1").limit(3).layer(hyper_client(false));
        let error = client.oneshot(post(&server.uri("/"), full("the body"))).await.unwrap_err();
        said += &whole(&error);
        said += &log.text();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 8);
    assert!(said.contains("h2::") && said.contains("key-hmac1"), "{said}");
    for seen in seen {
        let payload = seen.credential.rsplit('.').next().unwrap();
        assert!(!said.contains(payload), "{payload}: {said}");
    }
    assert!(!said.contains(API_KEY) && !said.contains("the secret of"), "{said}");
}

/// A service that must be asked before it is called.
struct Strict(bool);

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<IssuedBody<Chunks>>> for Strict {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<IssuedBody<Chunks>>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "called, but not ready");
        future::ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    for scheme in SCHEMES {
        let mut client = layer(scheme).layer(Strict(false));
        for _ in 0..3 {
            let client = ServiceExt::<Request<Chunks>>::ready(&mut client).await.unwrap();
            client.call(post("/", Chunks::of(&["hello"]))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_tonic_channel_signs() {
    let server = Server::new();
    let channel = tonic::transport::Endpoint::new(server.uri("")).unwrap().connect_lazy();
    let channel = channel.map_request(|r: Request<_>| r.map(tonic::body::Body::new));
    let client = layer("hmac1").layer(channel);
    let mut client = tonic_health::pb::health_client::HealthClient::new(client);
    let request = tonic_health::pb::HealthCheckRequest { service: "stt".to_owned() };
    let _ = client.check(request).await.unwrap_err(); // This server speaks no gRPC.
    let [seen] = server.seen().try_into().unwrap();
    assert_eq!(seen.verdict, "hmac1", "{seen:?}");
    assert_eq!(seen.target, "/grpc.health.v1.Health/Check");
    assert_eq!(seen.content, "\0\0\0\0\x05\n\x03stt");
}

#[tokio::test]
async fn the_layer_of_a_server_accepts_and_says_what_ends() {
    let log = Log::default();
    let _listening = log.listen();
    let auth = Authenticator::new(verifier());
    for scheme in SCHEMES {
        let service = tower::service_fn(async |request: Request<_>| {
            let caller = request.extensions().get::<Verified>().unwrap().scheme();
            let content = BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
            assert_eq!(content, "hello");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(caller))))
        });
        let client = layer(scheme).layer(auth.layer("stt").layer(service));
        for body in [&["hello"][..], &["hel", "lo"]] {
            let request = post("http://stt/v1/stt?lang=ko", Chunks::of(body).with_trailers());
            let response = client.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), scheme);
        }
        let told = format!("service=\"stt\" scheme=\"{scheme}\" key=\"key-{scheme}\"");
        let text = log.text();
        let told = text.lines().filter(|line| line.contains("WARN") && line.contains(&told));
        assert_eq!(told.count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_configuration_names_the_header() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let text = std::fs::read_to_string(examples.join("keyscheme.toml")).unwrap();
    let text = text.replace("\"x-api-key\"", "\"X-STT-Key\"");
    let config = Loader::new().parse(&text, examples).await.unwrap();
    let layer = config.issue_layer("stt", "spring-main", Some("ecb0")).unwrap();
    let inner = tower::service_fn(|request: Request<IssuedBody<Full<Bytes>>>| {
        future::ready(Ok::<_, Infallible>(Response::new(request.into_parts().0.headers)))
    });
    let response = layer.layer(inner).oneshot(post("/", full("hello"))).await.unwrap();
    assert_eq!(response.body()["x-stt-key"], "ecb0.spring-2025-07.nQAmP6Ap_yKErjhtPatZMg");
    assert!(config.issue_layer("stt", "nobody", None).is_err());
    assert!(config.issue_layer("tts", "spring-main", None).is_err());
}

#[tokio::test]
async fn the_example_is_accepted() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/keyscheme.toml");
    let config = Config::load(path).await.unwrap();
    let layer = config.issue_layer("stt", "spring-main", None).unwrap();
    let server = Server::new();
    assert_eq!(example::with_reqwest(&layer, &server.uri("")).await.unwrap(), 200);
    assert_eq!(example::with_hyper(&layer, &server.uri("")).await.unwrap(), 200);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        let request = keyscheme::Request::new("POST", "/v1/stt?lang=ko");
        let request = request.credential(&seen.credential).body("hello");
        let verified = config.verifier().service("stt").unwrap().verify(&request).await.unwrap();
        assert_eq!(verified.client(), "spring-main");
    }
}
