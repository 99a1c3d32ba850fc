//! A verifier with a key of every kind, and servers on loopback that keep their log.

use std::{
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use axum::{Router, serve::ListenerExt};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyscheme::{
    AcceptConfig, Authenticator, BodyState, Issuer, KeyConfig, KeyState, ManualClock, Material,
    Registry, Request, ServiceConfig, UnixTime, Verified, Verifier, VerifierBuilder,
};
use sha2::Sha256;
use tokio::net::TcpListener;
use tracing_subscriber::fmt::MakeWriter;

pub use crate::raw::{Answer, Raw, chunk, head};

pub const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];
pub const NOW: u64 = 1_700_000_000;
/// When `stt` stops accepting what it accepts until a date: Thu, 02 Oct 2096 07:06:40 GMT.
pub const UNTIL: UnixTime = UnixTime(4_000_000_000);
pub const API_KEY: &str = "an API key of the tests";

pub fn material(scheme: &str, seed: u8) -> Material {
    let api_key = format!("{API_KEY} {seed}").into_bytes();
    if scheme == "hmac1" {
        return Material::new().with("secret", vec![seed; 32]);
    }
    let length = if scheme == "ecb0" { 16 } else { 32 };
    let number = SCHEMES.iter().position(|known| *known == scheme).unwrap();
    let key = vec![seed * 16 + u8::try_from(number).unwrap(); length];
    Material::new().with("api-key", api_key).with("cipher-key", key)
}

/// Two services. `stt` accepts all four schemes, all but `hmac1` until a date. `tight` has ended
/// `cbc1`, and never took `ecb0`; of `gcm1` it takes each once, from `main` only.
///
/// `main` has a key of each scheme; `other` has one for each way a key can be no longer good.
pub fn builder() -> VerifierBuilder {
    let until = |scheme| AcceptConfig::new(scheme).until(UNTIL);
    let stt = ServiceConfig::new("stt")
        .issue("hmac1")
        .accept("hmac1")
        .accept(until("gcm1"))
        .accept(until("cbc1"))
        .accept(until("ecb0"));
    let tight = ServiceConfig::new("tight")
        .issue("hmac1")
        .accept("hmac1")
        .accept(until("gcm1").once().clients(["main"]))
        .accept(AcceptConfig::new("cbc1").until(UnixTime(NOW)));
    let key = |id: &str, scheme: &str, seed| KeyConfig::new(id, scheme, material(scheme, seed));
    let mut builder =
        Verifier::builder().service(stt).service(tight).clock(clock(NOW)).replay_capacity(10_000);
    for scheme in SCHEMES {
        builder = builder.key("main", key(&format!("key-{scheme}"), scheme, 1));
    }
    builder
        .key("other", key("other-gcm1", "gcm1", 2))
        .key("other", key("disabled", "hmac1", 3).state(KeyState::Disabled))
        .key("other", key("expired", "hmac1", 4).not_after(UnixTime(NOW)))
}

pub fn auth() -> Authenticator {
    Authenticator::new(builder().build().unwrap())
}

pub fn clock(now: u64) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(UnixTime(now)))
}

pub fn issuer(service: &str, key: &str, scheme: &str, seed: u8) -> Issuer {
    let issuer = Registry::default().issuer(scheme, service, key, &material(scheme, seed));
    issuer.unwrap().clock(clock(NOW))
}

/// A good credential of `main` for `stt`.
pub fn credential(scheme: &str, method: &str, target: &str, body: &[u8]) -> String {
    let issuer = issuer("stt", &format!("key-{scheme}"), scheme, 1);
    issuer.issue(&Request::new(method, target).body(body)).unwrap()
}

pub fn state(caller: &Verified) -> &'static str {
    match caller.body() {
        BodyState::Empty => "empty",
        BodyState::Pending(_) => "pending",
        BodyState::Uncovered => "uncovered",
        BodyState::Verified => "verified",
    }
}

/// What a client sends who signs a request that it does not send, or cannot be sent.
pub fn forged(method: &str, target: &str, ts: &str) -> String {
    let (nonce, digest) = ("AAECAwQFBgcICQoLDA0ODw", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    let joined =
        format!("keyscheme/hmac1\nstt\nkey-hmac1\n{ts}\n{nonce}\n{method}\n{target}\n{digest}");
    let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
    mac.update(joined.as_bytes());
    let mac = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("hmac1.key-hmac1.{ts}.{nonce}.{digest}.{mac}")
}

/// Who called with what, as a handler sees it.
pub async fn whoami(caller: Verified, body: Bytes) -> String {
    let (client, scheme, key) = (caller.client(), caller.scheme(), caller.key_id());
    format!("{client} {scheme} {key} {} {}", state(&caller), body.escape_ascii())
}

/// What a server has logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines with this in them.
    pub fn lines(&self, part: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// Everything that happens on this thread meanwhile.
    pub fn record(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        let subscriber = subscriber.without_time().with_ansi(false).with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    /// No secret, and nothing that looks like a credential.
    pub fn assert_silent(&self) {
        let text = self.text();
        for scheme in SCHEMES {
            assert!(!text.contains(&format!("{scheme}.")), "{text}");
        }
        let bare = issuer("stt", "key-ecb0", "ecb0", 1).bare().issue(&Request::new("GET", "/"));
        for secret in [API_KEY, &bare.unwrap(), "AQEBAQEB", "01010101", "[1, 1, 1"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // One event at a time. What others say of a connection is not ours to keep quiet.
        if bytes.windows(11).any(|part| part == b"keyscheme: ") {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server in a thread of its own. Whatever a test did with it, its log holds no secret.
pub struct Server {
    pub address: SocketAddr,
    pub log: Log,
}

impl Server {
    pub fn start<F>(serve: impl FnOnce(TcpListener) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()>,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, log) = (listener.local_addr().unwrap(), Log::default());
        let server = Self { address, log: log.clone() };
        thread::spawn(move || {
            let _recording = log.record();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                serve(TcpListener::from_std(listener).unwrap()).await;
            });
        });
        server
    }

    /// For HTTP/1.1 and HTTP/2.
    pub fn axum(app: Router) -> Self {
        Self::start(async |listener| {
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
            axum::serve(listener, app).await.unwrap();
        })
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub fn connect(&self) -> Raw {
        Raw::new(self.address)
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: &[u8]) -> Answer {
        let mut raw = self.connect();
        raw.send(request);
        raw.answer()
    }

    /// [`Self::ask`] for a GET with a credential.
    pub fn get(&self, target: &str, credential: &str) -> Answer {
        self.ask(&head("GET", target, credential, ""))
    }

    /// [`Self::ask`] for a POST with a credential and a content.
    pub fn post(&self, target: &str, credential: &str, content: &[u8]) -> Answer {
        let length = format!("Content-Length: {}\r\n", content.len());
        self.ask(&[&head("POST", target, credential, &length), content].concat())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.log.assert_silent();
        }
    }
}

pub type H2<B> = hyper::client::conn::http2::SendRequest<B>;

/// A connection of HTTP/2.
pub async fn h2<B>(address: SocketAddr) -> H2<B>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}
