//! The library and the callers of `tests/jvm`, on a real JVM.
//!
//! `SpringCaller` is the legacy client, `Peer` another implementation of the specification. Every
//! number of cases is asserted, so that none can be left out unnoticed.
#![cfg(feature = "cli")]

#[allow(dead_code, reason = "tests of other programs use the rest")]
mod support;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use keyscheme::{
    AcceptConfig, BackendError, Ecb0, Encoding, Failure, Issuer, KeyConfig, Loader, ManualClock,
    Material, Presented, Random, Registry, Request, ServiceConfig, UnixTime, Verified, Verifier,
};
use tokio::{net::TcpListener, runtime::Runtime};

/// The classes of `tests/jvm`, compiled for one test.
struct Jvm {
    directory: PathBuf,
}

impl Jvm {
    /// `None` where there is no Java.
    fn new(test: &str) -> Option<Self> {
        if !support::has_peer("javac", "-version") || !support::has_peer("java", "-version") {
            return None;
        }
        let name = format!("jvm-{test}-{}", process::id());
        let jvm = Self { directory: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jvm");
        let sources = ["Peer.java", "SpringCaller.java"].map(|name| sources.join(name));
        let mut javac = Command::new("javac");
        javac.args(["-encoding", "UTF-8", "-d"]).arg(&jvm.directory).args(sources);
        support::lines(&mut javac, "");
        Some(jvm)
    }

    /// `java CLASS ARGUMENTS`, without the secrets of the article.
    fn java(&self, arguments: &[&str]) -> Command {
        let mut java = Command::new("java");
        java.arg("-cp").arg(&self.directory).args(arguments);
        // Before Java 18 the locale says how the environment is decoded.
        java.env("LC_ALL", "C.UTF-8").env_remove("SALT").env_remove("API_KEY");
        java
    }

    /// The status that `SpringCaller call` gets.
    fn call(&self, url: &str, salt: &str, api_key: Option<&str>) -> String {
        let mut java = self.java(&["SpringCaller", "call", url]);
        java.env("SALT", salt);
        if let Some(api_key) = api_key {
            java.env("API_KEY", api_key);
        }
        support::lines(&mut java, "").join("\n")
    }

    /// The answers of a batch, one for each line.
    fn batch(&self, arguments: &[&str], input: &[String]) -> Vec<String> {
        let answers = support::lines(&mut self.java(arguments), &(input.join("\n") + "\n"));
        assert_eq!(answers.len(), input.len());
        answers
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A protected service on a loopback port.
struct Server {
    address: SocketAddr,
    decisions: Arc<Mutex<Vec<String>>>,
    /// It serves until this is dropped.
    _runtime: Runtime,
}

impl Server {
    fn new(verifier: Verifier) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let decisions = Arc::default();
        runtime.spawn(serve(listener, Arc::new(verifier), Arc::clone(&decisions)));
        Self { address, decisions, _runtime: runtime }
    }

    /// The decisions since this was asked last.
    fn decisions(&self) -> Vec<String> {
        std::mem::take(&mut *self.decisions.lock().expect("no panic"))
    }

    /// The answer to a GET with these field lines.
    fn get(&self, lines: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let head = ["GET /v1/voices?lang=ko HTTP/1.1", "Host: localhost", "Connection: close"];
        let request = [&head, lines].concat().join("\r\n") + "\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

async fn serve(listener: TcpListener, verifier: Arc<Verifier>, decisions: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (verifier, decisions) = (Arc::clone(&verifier), Arc::clone(&decisions));
        tokio::spawn(async move {
            let service = service_fn(async |request| {
                let outcome = protect(&verifier, request).await;
                decisions.lock().expect("no panic").push(described(&outcome));
                Ok::<_, Infallible>(respond(&outcome))
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn protect(
    verifier: &Verifier,
    request: hyper::Request<Incoming>,
) -> Result<Verified, Failure> {
    let guard = verifier.service("stt").expect("the service");
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let lines = request.headers().get_all(guard.service().header());
    let lines = Presented::from_lines(lines.iter().map(HeaderValue::as_bytes));
    let judged = Request::new(request.method().as_str(), target).presented(lines);
    guard.verify(&judged).await
}

fn described(outcome: &Result<Verified, Failure>) -> String {
    match outcome {
        Ok(verified) => {
            format!("{} {} {}", verified.client(), verified.scheme(), verified.key_id())
        }
        Err(Failure::Rejected(reason)) => reason.to_string(),
        Err(failure) => panic!("{failure}"),
    }
}

fn respond(outcome: &Result<Verified, Failure>) -> Response<Full<Bytes>> {
    let (status, kind, text) = match outcome {
        Ok(_) => (200, "application/json", "{}\n"),
        Err(_) => (401, "application/problem+json", "{\"status\":401}\n"),
    };
    let response = Response::builder().status(status).header(CONTENT_TYPE, kind);
    response.body(Full::from(text)).expect("a response")
}

/// One service of the article: its `.env` file, what that says, and what does not open it.
struct Article {
    name: &'static str,
    dotenv: &'static str,
    salt: &'static str,
    api_key: &'static str,
    other_salt: &'static str,
    other_api_key: &'static str,
}

const ARTICLES: [Article; 4] = [
    Article {
        name: "aes-128",
        dotenv: "SALT=0123456789abcdef\nAPI_KEY=my-api-key\n",
        salt: "0123456789abcdef",
        api_key: "my-api-key",
        other_salt: "0123456789abcdeF",
        other_api_key: "my-api-kez",
    },
    Article {
        name: "aes-192",
        dotenv: "# 24 bytes\nSALT='a$b#c d=e\"f g+h/i~j!k%l^'\n\nAPI_KEY='pa$$word # 1'",
        salt: "a$b#c d=e\"f g+h/i~j!k%l^",
        api_key: "pa$$word # 1",
        other_salt: "a$b#c d=e\"f g+h/i~j!k%l_",
        other_api_key: "pa$$word",
    },
    Article {
        name: "aes-256",
        dotenv: "export SALT=0123456789abcdefghijklmnopqrstuv\r\nexport API_KEY=\"two words\"\r\n",
        salt: "0123456789abcdefghijklmnopqrstuv",
        api_key: "two words",
        // Of another length, and so another AES.
        other_salt: "0123456789abcdefghijklmn",
        other_api_key: "two  words",
    },
    Article {
        name: "korean",
        dotenv: "SALT=대한민국만세우리\nAPI_KEY='가나다 라마바사'\n",
        salt: "대한민국만세우리",
        api_key: "가나다 라마바사",
        other_salt: "대한민국만세우라",
        // The same to the eye, in other bytes.
        other_api_key: "\u{1100}\u{1161}나다 라마바사",
    },
];

const CONFIGURATION: &str = r#"
[service.stt]
issue = "hmac1"
accept = ["hmac1", { scheme = "ecb0", until = 2027-06-30T00:00:00Z }]

[[client.spring-main.key]]
id = "spring-2025-07"
scheme = "ecb0"
cipher-key = { env = "SALT" }
api-key = { env = "API_KEY" }

[secrets]
dotenv = ".env"
"#;

/// 2027-06-30T00:00:00Z
const UNTIL: u64 = 1_814_313_600;

#[test]
fn the_service_of_the_article_is_called_by_spring() {
    let Some(jvm) = Jvm::new("article") else { return };
    for name in ["SALT", "API_KEY"] {
        assert_eq!(env::var_os(name), None, "{name} of the environment would win over the file");
    }
    assert_eq!(ARTICLES.each_ref().map(|article| article.salt.len()), [16, 24, 32, 24]);
    let calls = thread::scope(|scope| {
        let callers = ARTICLES.each_ref().map(|article| scope.spawn(|| article.is_called(&jvm)));
        callers.map(|caller| caller.join().expect("the calls of an article"))
    });
    assert_eq!(calls, [5; 4]);
}

impl Article {
    /// How many calls were answered as they should be.
    fn is_called(&self, jvm: &Jvm) -> usize {
        let Self { name, dotenv, salt, api_key, other_salt, other_api_key } = *self;
        let directory = jvm.directory.join(name);
        fs::create_dir(&directory).expect("a new directory");
        fs::write(directory.join(".env"), dotenv).expect("written");
        fs::write(directory.join("keyscheme.toml"), CONFIGURATION).expect("written");
        let clock = Arc::new(ManualClock::new(UnixTime(UNTIL - 1)));
        let loader = Loader::new().clock(clock.clone());
        let config = block_on(loader.load(directory.join("keyscheme.toml")));
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let issuer = config.issuer("stt", "spring-main", Some("ecb0")).expect("an issuer").bare();
        let value = issuer.issue(&Request::new("GET", "/")).expect("a value");
        let server = Server::new(config.into_verifier());
        let url = format!("http://{}/v1/voices?lang=ko", server.address);

        let calls = [
            (salt, Some(api_key), "200", "spring-main ecb0 spring-2025-07"),
            (salt, Some(other_api_key), "401", "bad-credential"),
            (other_salt, Some(api_key), "401", "bad-credential"),
            (salt, None, "401", "missing"),
            (salt, Some(api_key), "401", "scheme-retired"),
        ];
        for (salt, api_key, status, decision) in calls {
            clock.set(UnixTime(if decision == "scheme-retired" { UNTIL } else { UNTIL - 1 }));
            assert_eq!(jvm.call(&url, salt, api_key), status, "{salt} {api_key:?}");
            assert_eq!(server.decisions(), [decision], "{salt} {api_key:?}");
        }

        // The server of this test judges all field lines, and refuses as the article does.
        clock.set(UnixTime(UNTIL - 1));
        let line = &*format!("x-api-key: {value}");
        assert!(server.get(&[line]).starts_with("HTTP/1.1 200 "));
        for refused in [[].as_slice(), &[line, line], &[line, "X-API-KEY:"]] {
            let answer = server.get(refused);
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
        }
        assert_eq!(server.decisions()[1..], ["missing", "ambiguous", "ambiguous"]);
        calls.len()
    }
}

/// 16, 24 and 32 bytes, in characters of one byte, of three, and of both.
const SALTS: [&str; 7] = [
    "0123456789abcdef",
    "0123456789abcdef01234567",
    "0123456789abcdef0123456789ABCDEF",
    "대한민국만a",
    "대한민국만세우리",
    "ab대한민국만세우리나라",
    "대한abcd민국",
];

/// API keys of 1 to 64 characters of one byte, of three and of four, and some longer.
fn api_keys() -> Vec<String> {
    let ascii = |i: u32| char::from(b' ' + (i % 95) as u8);
    let korean = |i: u32| char::from_u32('가' as u32 + i * 97 % 11_172).expect("a syllable");
    let beyond = |i: u32| char::from_u32(0x1F300 + i % 0x300).expect("a picture");
    let mut keys = Vec::new();
    for length in 1..=64 {
        keys.push((0..length).map(|i| ascii(length + i)).collect());
        keys.push((0..length).map(|i| korean(length * 3 + i)).collect());
        keys.push((0..length).map(|i| beyond(length * 5 + i)).collect());
    }
    for length in [100, 255, 256] {
        keys.push((0..length).map(ascii).collect::<String>());
        keys.push(
            "a".repeat(length as usize % 3) + &(0..length / 3).map(korean).collect::<String>(),
        );
        assert!(keys.iter().rev().take(2).all(|key| key.len() == length as usize));
    }
    keys
}

#[test]
fn every_value_of_spring_is_accepted_and_of_its_key_alone() {
    let Some(jvm) = Jvm::new("batch") else { return };
    assert_eq!(SALTS.map(str::len), [16, 24, 32, 16, 24, 32, 16]);
    let api_keys = api_keys();
    let cases: Vec<(usize, &str, &str)> = SALTS
        .iter()
        .enumerate()
        .flat_map(|(s, salt)| {
            api_keys.iter().enumerate().map(move |(k, key)| (s + k, *salt, &**key))
        })
        .collect();
    let base64 = |text: &str| Encoding::Base64.encode(text.as_bytes()).expect("a text").to_string();
    let input: Vec<String> =
        cases.iter().map(|(_, salt, key)| base64(salt) + "\t" + &base64(key)).collect();
    let values = jvm.batch(&["SpringCaller", "seal"], &input);

    // Each half has every salt and every API key, but no pair of the other half.
    let halves = [0, 1].map(|half| {
        let service = ServiceConfig::new("stt").issue("ecb0");
        let end = AcceptConfig::new("ecb0").until(UnixTime(u64::MAX));
        let mut builder = Verifier::builder().service(service.accept(end));
        for (i, (place, salt, key)) in cases.iter().enumerate() {
            if place % 2 == half {
                let key = KeyConfig::new(format!("key-{i}"), "ecb0", material(salt, key));
                builder = builder.key(format!("client-{i}"), key);
            }
        }
        builder.build().unwrap_or_else(|error| panic!("{error}"))
    });
    let mut judged = [0, 0];
    for (i, ((place, salt, key), value)) in cases.iter().zip(&values).enumerate() {
        let issuer = Issuer::new(Ecb0, "stt", "key-1", &material(salt, key)).expect("an issuer");
        let request = Request::new("GET", "/");
        assert_eq!(*value, issuer.bare().issue(&request).expect("a value"), "{salt} {key}");
        let request = request.credential(value);
        let outcomes = [place % 2, 1 - place % 2].map(|half| {
            let guard = halves[half].service("stt").expect("the service");
            described(&block_on(guard.verify(&request)))
        });
        let accepted = format!("client-{i} ecb0 key-{i}");
        assert_eq!(outcomes, [accepted.as_str(), "bad-credential"], "{salt} {key}");
        judged[place % 2] += 1;
    }
    assert_eq!(judged, [693, 693]);
}

/// A request with a key, which one side issues for and the other judges.
#[derive(Clone)]
struct Case {
    scheme: &'static str,
    service: String,
    id: &'static str,
    /// The cipher key or secret.
    key: Vec<u8>,
    /// Empty where the scheme has none.
    api_key: Vec<u8>,
    ts: u64,
    now: u64,
    method: &'static str,
    target: String,
    body: Vec<u8>,
    covered: bool,
}

const IDS: [&str; 5] = ["k", "0", "spring-main-2026-11-0123456789-a", "a-", "spring-1"];

/// Method, target, body, and whether it is covered.
type Sent<'a> = (&'static str, &'a str, Vec<u8>, bool);

/// From one second after 1970 to the last of 11 digits.
const TIMES: [u64; 7] = [1, 300, 999_999_999, 1_700_000_000, (1 << 32) - 1, 1 << 32, LAST];

const LAST: u64 = 99_999_999_999;

const METHODS: [&str; 9] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09aZ"];

fn targets() -> Vec<String> {
    let all: String = (0x21..=0x7e).filter(|b| *b != b'#').map(char::from).collect();
    let long = format!("/long?{}", "a=%20&".repeat(300));
    let mut targets: Vec<String> = [
        "/",
        "/?",
        "/v1/stt?lang=ko&q=%EA%B0%80+%20",
        "/%2F",
        "//",
        "//host/a",
        "/%2f/../a/./b",
        "/a?b?c",
        "/a;v=1,2",
        "/a?x=\"y\"|{z}",
        "/a?%",
        "/a?-",
    ]
    .map(str::to_owned)
    .into();
    targets.extend([format!("/{all}"), long]);
    targets
}

fn cases() -> Vec<Case> {
    let mut noise = Noise(1);
    let mut cases = Vec::new();
    let mut add = |scheme, key_length, api_key: &[u8], (method, target, body, covered): Sent| {
        let i = cases.len();
        let ts = TIMES[i % TIMES.len()];
        let services = ["stt", "a", "stt.example-1.internal", &"s".repeat(63)];
        cases.push(Case {
            scheme,
            service: services[i % services.len()].to_owned(),
            id: IDS[i / 3 % IDS.len()],
            key: noise.bytes(key_length),
            api_key: api_key.to_owned(),
            ts,
            now: [ts, ts + 300, ts.saturating_sub(30), ts + 1, ts + 299][i / 7 % 5],
            method,
            target: target.to_owned(),
            body,
            covered,
        });
    };
    let binary = Noise(2).bytes(256);
    for length in [1, 2, 8, 15, 16, 17, 31, 32, 33, 64, 100, 255, 256] {
        let text = &"0123456789abcdef".repeat(16).into_bytes()[..length];
        let korean = &"가나다라".repeat(22).into_bytes()[..length];
        for api_key in [text, korean, &binary[..length], &[0x10; 256][..length]] {
            for key_length in [16, 24, 32] {
                let request = || ("GET", "/", Vec::new(), true);
                add("ecb0", key_length, api_key, request());
                add("cbc1", key_length, api_key, request());
                add("gcm1", 32, api_key, request());
            }
        }
    }
    let bodies = [Vec::new(), "안녕".into(), b"a\r\n\tb\0\xff".to_vec(), Noise(3).bytes(2000)];
    let targets = targets();
    for method in METHODS {
        for target in &targets {
            for body in &bodies {
                add("hmac1", 32, b"", (method, target, body.clone(), true));
            }
            add("hmac1", 32, b"", (method, target, bodies[1].clone(), false));
        }
    }
    cases
}

impl Case {
    fn material(&self) -> Material {
        match self.scheme {
            "hmac1" => Material::new().with("secret", self.key.as_slice()),
            _ => material(&self.key, &self.api_key),
        }
    }

    fn issuer(&self) -> Issuer {
        let (service, id, material) = (&self.service, self.id, self.material());
        let issuer = Registry::default().issuer(self.scheme, service, id, &material);
        let issuer =
            issuer.expect("an issuer").clock(Arc::new(ManualClock::new(UnixTime(self.ts))));
        if self.covered { issuer } else { issuer.uncovered_body() }
    }

    fn issue(&self, issuer: &Issuer) -> String {
        let request = Request::new(self.method, &self.target).body(&self.body);
        issuer.issue(&request).expect("a credential")
    }

    /// The credential again, from what was random in it.
    fn again(&self, value: &str) -> String {
        let random = match self.scheme {
            "ecb0" => Vec::new(),
            "cbc1" => payload(value)[..16].to_vec(),
            "gcm1" => payload(value)[..12].to_vec(),
            _ => decode(value.split('.').nth(3).expect("a nonce")),
        };
        self.issue(&self.issuer().random(Arc::new(Given(random))))
    }

    /// What a verifier with this key, and one of every scheme that another client has, makes of it.
    fn judge(&self, value: &str) -> String {
        let mut service = ServiceConfig::new(&self.service).issue(self.scheme);
        let mut builder = Verifier::builder();
        for (i, facts) in Registry::default().facts().enumerate() {
            let mut entry = AcceptConfig::new(facts.id);
            if !facts.fresh {
                entry = entry.until(UnixTime(u64::MAX));
            }
            if facts.binds.body && !self.covered {
                entry = entry.danger_uncovered_body();
            }
            service = service.accept(entry);
            let material = facts.fields.iter().fold(Material::new(), |material, field| {
                material.with(field.name, [i as u8; 32].as_slice())
            });
            builder = builder.key("other", KeyConfig::new(other(facts.id), facts.id, material));
            if facts.id == self.scheme {
                let key = KeyConfig::new(self.id, self.scheme, self.material());
                builder = builder.key("caller", key);
            }
        }
        let verifier = builder
            .service(service)
            .replay_capacity(1)
            .clock(Arc::new(ManualClock::new(UnixTime(self.now))))
            .build()
            .unwrap_or_else(|error| panic!("{error}"));
        let request = Request::new(self.method, &self.target).credential(value).body(&self.body);
        let guard = verifier.service(&self.service).expect("the service");
        let outcome = described(&block_on(guard.verify(&request)));
        let accepted = format!("caller {} {}", self.scheme, self.id);
        if outcome == accepted { "accepted".to_owned() } else { outcome }
    }

    /// What a line for `Peer` says of the key.
    fn key_fields(&self) -> String {
        let (key, api_key) = (hex(&self.key), hex(&self.api_key));
        [self.scheme, &self.service, self.id, &key, &api_key].join("\t")
    }

    fn seal_line(&self) -> String {
        let body = if self.covered { hex(&self.body) } else { "-".to_owned() };
        let ts = self.ts.to_string();
        ["seal", &self.key_fields(), &ts, self.method, &self.target, &body].join("\t")
    }

    fn open_line(&self, value: &str) -> String {
        let body = hex(&self.body);
        ["open", &self.key_fields(), self.method, &self.target, &body, value].join("\t")
    }

    /// A credential of this, as it is and in every way that it can be spoilt, each with what both
    /// sides must say.
    fn tries(&self, i: usize, value: &str) -> Vec<Try> {
        let mut tries = Vec::new();
        let mut add = |what, case: Self, value: String, expect| {
            tries.push(Try { what, case, value, expect });
        };
        let same = || self.clone();
        let (before, last) = value.rsplit_once('.').expect("a tagged value");
        let ending = |bytes: &[u8]| format!("{before}.{}", encode(bytes));
        let fields: Vec<&str> = value.split('.').collect();
        let with = |place: usize, text: &str| {
            let mut fields = fields.clone();
            fields[place] = text;
            fields.join(".")
        };
        let (blocks, fresh) = (matches!(self.scheme, "ecb0" | "cbc1"), fields.len() > 3);
        let bytes = decode(last);
        let bad_or_malformed = |bad| if bad { "bad-credential" } else { "malformed" };
        let bound = |bound| if bound { "bad-credential" } else { "accepted" };

        add("nothing", same(), value.to_owned(), "accepted");
        add("a bit", same(), ending(&flipped(&bytes, i * 37)), "bad-credential");
        add("the first bit", same(), ending(&flipped(&bytes, 0)), "bad-credential");
        add(
            "the last bit",
            same(),
            ending(&flipped(&bytes, 8 * bytes.len() - 1)),
            "bad-credential",
        );
        let shorter = self.scheme == "gcm1" && self.api_key.len() > 1;
        add("a byte less", same(), ending(&bytes[..bytes.len() - 1]), bad_or_malformed(shorter));
        let longer = self.scheme == "gcm1" && self.api_key.len() < 256;
        add("a byte more", same(), ending(&[&bytes, &[0][..]].concat()), bad_or_malformed(longer));
        if blocks {
            let padded = self.api_key.len() / 16 + 1;
            let less = ending(&bytes[..bytes.len() - 16]);
            add("a block less", same(), less, bad_or_malformed(padded > 1));
            let more = ending(&[&bytes, &[7; 16][..]].concat());
            add("a block more", same(), more, bad_or_malformed(padded < 17));
        }
        add("padding", same(), format!("{value}="), "malformed");
        add("a field more", same(), format!("{value}.AA"), "malformed");
        if !bytes.len().is_multiple_of(3) {
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let at = alphabet.find(&last[last.len() - 1..]).expect("a character of it");
            let value = format!("{}{}", &value[..value.len() - 1], &alphabet[at + 1..at + 2]);
            add("a bit that says nothing", same(), value, "malformed");
        }
        add("the key", same(), with(1, &other(self.scheme)), "bad-credential");
        let service = "elsewhere".to_owned();
        add("the service", Self { service, ..same() }, value.to_owned(), bound(fresh));
        if fresh {
            let ts = if self.ts == LAST { LAST - 1 } else { self.ts + 1 };
            add("the time", same(), with(2, &ts.to_string()), "bad-credential");
            add("a zero before it", same(), with(2, &format!("0{}", self.ts)), "malformed");
            add("a field less", same(), with(2, "").replace("..", "."), "malformed");
        }
        let signed = self.scheme == "hmac1";
        let method = if self.method == "GET" { "HEAD" } else { "GET" };
        add("the method", Self { method, ..same() }, value.to_owned(), bound(signed));
        let target = format!("{}x", self.target);
        add("the target", Self { target, ..same() }, value.to_owned(), bound(signed));
        let target = "*".to_owned();
        add("a target of no path", Self { target, ..same() }, value.to_owned(), bound(signed));
        let body = [self.body.as_slice(), b"\n"].concat();
        let expect = if signed && self.covered { "body-mismatch" } else { "accepted" };
        add("the body", Self { body, ..same() }, value.to_owned(), expect);
        if signed {
            let nonce = encode(&flipped(&decode(fields[3]), i));
            add("the nonce", same(), with(3, &nonce), "bad-credential");
            let digest = if self.covered { "-".to_owned() } else { encode(&Noise(4).bytes(32)) };
            add("the digest", same(), with(4, &digest), "bad-credential");
        }
        tries
    }
}

/// A credential in which something was changed.
struct Try {
    what: &'static str,
    case: Case,
    value: String,
    expect: &'static str,
}

/// How often which outcome was expected, and was the outcome. Shows some that were not.
fn tally(tries: &[Try], outcomes: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    let mut wrong = Vec::new();
    for (attempt, outcome) in tries.iter().zip(outcomes) {
        let Try { what, case, value, expect } = attempt;
        if outcome == *expect {
            *tally.entry(format!("{} {outcome}", case.scheme)).or_default() += 1;
        } else {
            let line = case.open_line(value);
            wrong.push(format!("{what} changed: {outcome}, not {expect}\n{line}"));
        }
    }
    let (count, all) = (wrong.len(), tries.len());
    wrong.truncate(5);
    assert_eq!(count, 0, "of {all}:\n{}", wrong.join("\n"));
    tally
}

/// What both directions come to: 156 cases of each scheme but `hmac1`, which has 630.
fn expected_tally() -> BTreeMap<String, usize> {
    [
        ("cbc1 accepted", 936),
        ("cbc1 bad-credential", 876),
        ("cbc1 malformed", 780),
        ("ecb0 accepted", 936),
        ("ecb0 bad-credential", 876),
        ("ecb0 malformed", 816),
        ("gcm1 accepted", 780),
        ("gcm1 bad-credential", 1224),
        ("gcm1 malformed", 756),
        ("hmac1 accepted", 756),
        ("hmac1 bad-credential", 6930),
        ("hmac1 body-mismatch", 504),
        ("hmac1 malformed", 4410),
    ]
    .map(|(outcome, count)| (outcome.to_owned(), count))
    .into()
}

#[test]
fn what_the_jvm_issues_is_accepted_and_no_other() {
    let Some(jvm) = Jvm::new("issues") else { return };
    let cases = cases();
    let lines: Vec<String> = cases.iter().map(Case::seal_line).collect();
    let values = jvm.batch(&["Peer"], &lines);
    let mut tries = Vec::new();
    for (i, (case, value)) in cases.iter().zip(&values).enumerate() {
        assert_eq!(*value, case.again(value), "{}", lines[i]);
        tries.extend(case.tries(i, value));
    }
    let outcomes = tries.iter().map(|attempt| attempt.case.judge(&attempt.value));
    assert_eq!(tally(&tries, outcomes), expected_tally());
}

#[test]
fn what_is_issued_is_accepted_by_the_jvm_and_no_other() {
    let Some(jvm) = Jvm::new("opens") else { return };
    let mut tries = Vec::new();
    for (i, case) in cases().iter().enumerate() {
        tries.extend(case.tries(i, &case.issue(&case.issuer())));
    }
    let lines: Vec<String> =
        tries.iter().map(|attempt| attempt.case.open_line(&attempt.value)).collect();
    assert_eq!(tally(&tries, jvm.batch(&["Peer"], &lines)), expected_tally());
}

fn material(cipher_key: impl AsRef<[u8]>, api_key: impl AsRef<[u8]>) -> Material {
    Material::new().with("cipher-key", cipher_key.as_ref()).with("api-key", api_key.as_ref())
}

/// The id of the key that another client has.
fn other(scheme: &str) -> String {
    format!("other-{scheme}")
}

fn payload(value: &str) -> Vec<u8> {
    decode(value.rsplit('.').next().expect("a payload"))
}

fn decode(text: &str) -> Vec<u8> {
    Encoding::Base64Url.decode(text.as_bytes()).expect("base64url").expose().to_vec()
}

fn encode(bytes: &[u8]) -> String {
    Encoding::Base64Url.encode(bytes).expect("a text").to_string()
}

fn hex(bytes: &[u8]) -> String {
    Encoding::Hex.encode(bytes).expect("a text").to_string()
}

/// With one bit changed, counted around.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let bit = bit % (8 * bytes.len());
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    bytes
}

/// Bytes that look random and are always the same.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }
}

#[derive(Debug)]
struct Given(Vec<u8>);

impl Random for Given {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}
