//! The files of `docs/clients` before a real server, as their users run them.
//!
//! One driver of `tests/clients` for each client makes the calls of a list. What the server saw must be
//! that list, so that none can be left out unnoticed.

mod support;

use std::{
    collections::HashSet,
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{self, Body},
    response::Response,
};
use keyscheme::{
    AcceptConfig, Failure, KeyConfig, Material, Presented, Request, ServiceConfig, UnixTime,
    Verified, Verifier,
};
use tokio::{net::TcpListener, runtime::Runtime};

/// Each with what the server says of who was accepted. `Lines.java` and `lines.py` have the keys.
const SCHEMES: [(&str, &str); 4] = [
    ("ecb0", "today ecb0 old-1"),
    ("cbc1", "bridge cbc1 bridge-1"),
    ("gcm1", "sealed gcm1 sealed-1"),
    ("hmac1", "signed hmac1 signed-1"),
];

const SIGNED: &str = SCHEMES[3].1;

/// The bare value of docs/spec.md.
const ECB0: &str = "1PT1wfcJslWitK2mN3f9PA==";

fn verifier() -> Verifier {
    let material = |cipher_key: &[u8]| {
        Material::new().with("cipher-key", cipher_key).with("api-key", "가나다".as_bytes())
    };
    let until = |scheme| AcceptConfig::new(scheme).until(UnixTime(u64::MAX));
    let service = ServiceConfig::new("stt").issue("hmac1").accept("hmac1").accept("gcm1");
    let first: Vec<u8> = (0..16).collect();
    let secret = Material::new().with("secret", [4; 32].as_slice());
    Verifier::builder()
        .service(service.accept(until("cbc1")).accept(until("ecb0")))
        .key("today", KeyConfig::new("old-1", "ecb0", material(&first)))
        .key("bridge", KeyConfig::new("bridge-1", "cbc1", material(&[2; 24])))
        .key("sealed", KeyConfig::new("sealed-1", "gcm1", material(&[3; 32])))
        .key("signed", KeyConfig::new("signed-1", "hmac1", secret))
        .build()
        .unwrap()
}

/// A request that arrived, and what was decided.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    target: String,
    body: Vec<u8>,
    outcome: String,
}

impl Seen {
    fn new(method: &str, target: &str, body: impl AsRef<[u8]>, outcome: &str) -> Self {
        let [method, target, outcome] = [method, target, outcome].map(str::to_owned);
        Self { method, target, body: body.as_ref().to_owned(), outcome }
    }
}

/// What arrived, each with the value that it carried.
#[derive(Default)]
struct Log {
    seen: Vec<(Seen, String)>,
    /// How many offered to speak HTTP/2 in clear.
    upgrades: usize,
}

/// A protected service on a loopback port.
struct Server {
    address: SocketAddr,
    verifier: Arc<Verifier>,
    log: Arc<Mutex<Log>>,
    runtime: Runtime,
}

impl Server {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (verifier, log) = (Arc::new(verifier()), Arc::<Mutex<Log>>::default());
        let state = (Arc::clone(&verifier), Arc::clone(&log));
        let routes = Router::new().fallback(async move |request| answer(&state, request).await);
        runtime.spawn(async { axum::serve(listener, routes).await });
        Self { address, verifier, log, runtime }
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What arrived since this was asked last.
    fn log(&self) -> Log {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    /// Sends exactly this, and gives what was decided. Only what is accepted is answered by 200.
    fn send(&self, method: &str, target: &str, value: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: stt\r\nConnection: close\r\nX-API-KEY: {value}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let [(seen, _)] = &self.log().seen[..] else { panic!("one request") };
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), seen.outcome == SIGNED, "{answer}");
        seen.outcome.clone()
    }
}

async fn answer(
    (verifier, log): &(Arc<Verifier>, Arc<Mutex<Log>>),
    request: axum::extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let guard = verifier.service("stt").unwrap();
    let target = head.uri.path_and_query().unwrap().as_str();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let judged = Request::new(head.method.as_str(), target)
        .presented(Presented::from_headers("x-api-key", headers));
    let verified = guard.verify(&judged).await;
    let body = body::to_bytes(body, usize::MAX).await.unwrap();
    let outcome = verified.and_then(|verified| Ok(verified.with_body(&body)?));
    let refused = outcome.is_err();

    let text = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut log = log.lock().unwrap();
    log.upgrades += usize::from(text("upgrade") == "h2c");
    let seen = Seen::new(head.method.as_str(), target, &body, &described(outcome));
    log.seen.push((seen, text("x-api-key").to_owned()));

    // `/307/here` redirects to this service, `/307/away` to the same under another name.
    let port = text("host").rsplit(':').next().unwrap();
    let places = [("here", "/v1/stt".to_owned()), ("away", format!("http://localhost:{port}/x"))];
    let moved = places.into_iter().find_map(|(name, place)| {
        Some((target.strip_suffix(name)?.trim_matches('/').parse::<u16>().ok()?, place))
    });
    let response = match moved {
        _ if refused => Response::builder().status(401).header("WWW-Authenticate", "ApiKey"),
        Some((status, place)) => Response::builder().status(status).header("Location", place),
        None => Response::builder(),
    };
    response.body(Body::from("an answer")).unwrap()
}

fn described(outcome: Result<Verified, Failure>) -> String {
    match outcome {
        Ok(verified) => {
            format!("{} {} {}", verified.client(), verified.scheme(), verified.key_id())
        }
        Err(Failure::Rejected(reason)) => reason.to_string(),
        Err(failure) => panic!("{failure}"),
    }
}

/// A line for a driver, how its answer begins, and what the server sees of it.
struct Case {
    line: String,
    answer: &'static str,
    seen: Vec<Seen>,
}

impl Case {
    fn new(
        (kind, scheme): (&str, &str),
        (method, target, body): (&str, &str, &[u8]),
        answer: &'static str,
        seen: impl Into<Vec<Seen>>,
    ) -> Self {
        let body: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = [kind, scheme, method, target, &body].join("\t");
        Self { line, answer, seen: seen.into() }
    }

    /// One call that arrives as it was made.
    fn accepted(kind: &str, scheme: &(&str, &str), call: (&str, &str, &[u8])) -> Self {
        Self::spelled(kind, scheme, call, call.1)
    }

    /// One call that arrives with another spelling of its target.
    fn spelled(
        kind: &str,
        (scheme, accepted): &(&str, &str),
        call: (&str, &str, &[u8]),
        target: &str,
    ) -> Self {
        Self::new((kind, scheme), call, "200", [Seen::new(call.0, target, call.2, accepted)])
    }

    /// One call of `hmac1` that is not sent.
    fn refused(kind: &str, call: (&str, &str, &[u8])) -> Self {
        Self::new((kind, "hmac1"), call, "refused: ", [])
    }
}

/// In every scheme.
fn calls() -> Vec<Case> {
    let long: Vec<u8> = (0..100 * 1024_u32).map(|i| (i % 251) as u8).collect();
    let calls: [(_, _, &[u8]); 14] = [
        ("GET", "/v1/voices?lang=ko&q=%EA%B0%80%EB%82%98+%20%2B", b""),
        ("POST", "/v1/stt?lang=ko&q=%EA%B0%80+%20", "안녕하세요".as_bytes()),
        ("POST", "/v1/stt", b""),
        ("POST", "/v1/stt", &long),
        ("PUT", "/a?b=c&d", br#"{"x": "y\n"}"#),
        ("DELETE", "/a/1", b""),
        ("DELETE", "/a/1", b"why"),
        ("GET", "/%2F/x", b""),
        ("GET", "//a", b""),
        ("GET", "/a%20b+c?d=e+f%20g", b""),
        ("GET", "/", b""),
        ("HEAD", "/a;v=1,2?x=y?z&t='q'", b""),
        ("GET", "/%ea%b0%80?q=%7e", b""),
        ("OPTIONS", "/-._~!$&()*:@", b""),
    ];
    let calls = SCHEMES.iter().flat_map(|scheme| calls.map(|call| (scheme, call)));
    let calls: Vec<Case> =
        calls.map(|(scheme, call)| Case::accepted("call", scheme, call)).collect();
    assert_eq!(calls.len(), 56);
    calls
}

/// What `hmac1` cannot cover: methods and targets.
const UNBINDABLE: [(&str, &str); 17] = [
    ("GET", ""),
    ("GET", "*"),
    ("GET", "a"),
    ("GET", "?a"),
    ("GET", "http://stt/a"),
    ("GET", "/a b"),
    ("GET", "/가"),
    ("GET", "/a#b"),
    ("GET", "/a?b#c"),
    // It could, but libraries drop the question mark.
    ("GET", "/a?"),
    ("GET", "/a\\n"),
    ("GET", "/\u{7f}"),
    ("CONNECT", "/"),
    ("", "/"),
    ("G T", "/"),
    ("GET:", "/"),
    ("G\u{c4}T", "/"),
];

/// Runs the cases, and all that holds of every client. Targets are compared as `spelled` has them.
fn exercise(
    server: &Server,
    driver: &mut Command,
    cases: &[Case],
    spelled: fn(&str) -> String,
) -> Log {
    let (mut values, target) = (Vec::new(), "/v1/stt?a=b");
    let call = ("POST", target, b"body".as_slice());
    for (method, target) in UNBINDABLE {
        values.push(Case::refused("value", (method, target, b"")));
        // The others cover neither.
        for (scheme, value) in [("ecb0", ECB0), ("cbc1", "cbc1."), ("gcm1", "gcm1.")] {
            values.push(Case::new(("value", scheme), (method, target, b""), value, []));
        }
    }
    let every: String = (0x21..0x7f_u8).filter(|byte| *byte != b'#').map(char::from).collect();
    let unusual = [
        ("!#$%&'*+-.^_`|~09aZ", format!("/{every}")),
        ("connect", "//?/?".to_owned()),
        ("G", "/".to_owned()),
        ("GET", "/??".to_owned()),
    ];
    for (method, target) in &unusual {
        values.push(Case::new(("value", "hmac1"), (method, target, b"x"), "hmac1.signed-1.", []));
    }
    values.extend([(); 2].map(|()| Case::new(("value", "hmac1"), call, "hmac1.signed-1.", [])));
    assert_eq!(values.len(), 17 * 4 + 4 + 2);

    let all: Vec<&Case> = cases.iter().chain(&values).collect();
    let lines: String = all.iter().map(|case| case.line.clone() + "\n").collect();
    let mut answers = support::lines(driver, &lines);
    let log = server.log();
    assert_eq!(answers.len(), all.len());
    for (case, answer) in all.iter().zip(&answers) {
        assert!(answer.starts_with(case.answer), "{}: {answer}", case.line);
    }
    let spelled = |seen: &Seen| Seen { target: spelled(&seen.target), ..seen.clone() };
    let mut seen = log.seen.iter().map(|(seen, _)| spelled(seen));
    for case in cases {
        for expected in &case.seen {
            assert_eq!(seen.next(), Some(spelled(expected)), "{}", case.line);
        }
    }
    assert_eq!(seen.next(), None);

    // Nothing but the value of ecb0 is ever sent twice.
    let accepted = log.seen.iter().filter(|(seen, _)| seen.outcome.contains(' '));
    let mut known = HashSet::new();
    let mut replays = 0;
    for (Seen { method, target, body, outcome }, value) in accepted {
        assert!(*value == ECB0 || known.insert(value), "{method} {target}: {value}");
        assert_eq!(*value == ECB0, outcome == SCHEMES[0].1);
        if outcome == SIGNED {
            assert_eq!(server.send(method, target, value, body), "replayed");
            replays += 1;
        }
    }
    let signed = cases.iter().flat_map(|case| &case.seen).filter(|seen| seen.outcome == SIGNED);
    assert_eq!(replays, signed.count());

    let [sent, spoilt] = [answers.pop().unwrap(), answers.pop().unwrap()];
    assert_eq!(server.send("POST", target, &sent, b"body"), SIGNED);
    assert_eq!(server.send("POST", target, &sent, b"body"), "replayed");
    assert_eq!(server.send("POST", "/v1/stt?a=c", &spoilt, b"body"), "bad-credential");
    assert_eq!(server.send("PUT", target, &spoilt, b"body"), "bad-credential");
    assert_eq!(server.send("POST", target, &spoilt, b"Body"), "body-mismatch");
    assert_eq!(server.send("POST", target, &spoilt, b"body"), "replayed");
    let guard = server.verifier.service("stt").unwrap();
    for ((method, target), value) in unusual.iter().rev().zip(answers.iter().rev()) {
        let request = Request::new(method, target).credential(value).body("x");
        let outcome = server.runtime.block_on(guard.verify(&request));
        assert_eq!(described(outcome), SIGNED, "{method} {target}");
    }
    log
}

/// What the page shows works as it stands there, but for the address.
fn is_as_shown(server: &Server, command: &mut Command) {
    let secret = "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=";
    support::lines(command.env("STT_SECRET", secret).env("no_proxy", "*"), "");
    let seen: Vec<Seen> = server.log().seen.into_iter().map(|(seen, _)| seen).collect();
    assert_eq!(seen, [Seen::new("POST", "/v1/stt?lang=ko", "안녕", SIGNED)]);
}

/// The code below a heading of the page.
fn shown(server: &Server, heading: &str) -> String {
    let page = fs::read_to_string(clients().join("README.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let code = section.split("```").nth(1).unwrap();
    let (_language, code) = code.split_once('\n').unwrap();
    assert!(code.contains("https://stt.example/"));
    code.replace("https://stt.example", &server.base())
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients")
}

fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The classes of one Java client, and the jars that it needs.
struct Java {
    directory: PathBuf,
    jars: Vec<PathBuf>,
}

impl Java {
    /// `None` where something is missing.
    fn new(test: &str, jars: &[&str]) -> Option<Self> {
        if !support::has_peer("javac", "-version") || !support::has_peer("java", "-version") {
            return None;
        }
        let jars: Vec<PathBuf> =
            jars.iter().map(|name| Path::new("/usr/share/java").join(name)).collect();
        if !jars.iter().all(|jar| support::is_there(&jar.display().to_string(), jar.exists())) {
            return None;
        }
        let name = format!("clients-{test}-{}", process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).unwrap();
        Some(Self { directory, jars })
    }

    fn path(&self) -> String {
        let entries = [&self.directory].into_iter().chain(&self.jars);
        env::join_paths(entries).unwrap().into_string().unwrap()
    }

    /// A warning is an error. Debian's jars name others that are not there, and one day 8 is old.
    fn compile(&self, options: &[&str], sources: &[PathBuf]) {
        let mut javac = Command::new("javac");
        javac.args(["-Xlint:all,-path,-options", "-Werror", "-encoding", "UTF-8"]).args(options);
        javac.arg("-d").arg(&self.directory).args(["-cp", &self.path()]).args(sources);
        support::lines(&mut javac, "");
    }

    /// The files of a client by themselves and for an old Java, and then with their driver.
    fn client(&self, release: &str, file: &str, driver: &str) {
        let files = ["KeyschemeCredentials.java", file].map(|f| clients().join("java").join(f));
        self.compile(&["--release", release], &files);
        self.compile(&[], &["Lines.java", driver].map(|file| drivers().join(file)));
    }

    fn run(&self, class: &str, arguments: &[&str]) -> Command {
        let mut java = Command::new("java");
        java.args(["-cp", &self.path(), class]).args(arguments).env("LC_ALL", "C.UTF-8");
        java
    }

    fn shown(&self, server: &Server, heading: &str) {
        let code = shown(server, heading);
        let (imports, statements): (Vec<_>, Vec<_>) =
            code.lines().partition(|line| line.starts_with("import "));
        let main = "final class Shown { public static void main(String[] args) throws Exception {";
        let code = [&imports[..], &[main], &statements, &["}}"]].concat().join("\n");
        let source = self.directory.join("Shown.java");
        fs::write(&source, code).unwrap();
        self.compile(&[], &[source]);
        is_as_shown(server, &mut self.run("Shown", &[]));
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// In Java, targets arrive as they were given.
fn as_given(target: &str) -> String {
    target.to_owned()
}

/// In Python, the spelling depends on the release.
fn as_python_may(target: &str) -> String {
    let target = target.replace("%ea%b0%80", "%EA%B0%80").replace("%7e", "~").replace("%7E", "~");
    if target == "//a" { "/a".to_owned() } else { target }
}

#[test]
fn java_net_http() {
    let Some(java) = Java::new("net-http", &[]) else { return };
    java.client("11", "JavaNetHttp.java", "NetHttpDriver.java");
    let server = Server::new();
    let mut cases = calls();
    for (method, target) in [("GET", ""), ("GET", "?a"), ("GET", "/a?"), ("GET", "/가")] {
        cases.push(Case::refused("call", (method, target, b"")));
    }
    // The others cover no target.
    cases.push(Case::spelled("call", &SCHEMES[0], ("GET", "", b""), "/"));
    cases.push(Case::spelled("call", &SCHEMES[2], ("GET", "/a?", b""), "/a"));
    // To sign again replaces the value.
    for scheme in SCHEMES {
        let mut case = Case::accepted("again", &scheme, ("POST", "/a", b"b"));
        case.seen.push(case.seen[0].clone());
        cases.push(case);
    }
    // A redirect is the caller's to follow. A client that follows it sends the same value.
    let first = Seen::new("POST", "/307/here", "x", SIGNED);
    let call = ("POST", "/307/here", b"x".as_slice());
    cases.push(Case::new(("call", "hmac1"), call, "307", [first.clone()]));
    let second = Seen::new("POST", "/v1/stt", "x", "bad-credential");
    cases.push(Case::new(("follow", "hmac1"), call, "401", [first, second]));
    assert_eq!(cases.len(), 56 + 12);
    let log =
        exercise(&server, &mut java.run("NetHttpDriver", &[&server.base()]), &cases, as_given);
    assert!(log.upgrades > 0);
    java.shown(&server, "java.net.http");
}

#[test]
fn spring() {
    let jars = ["spring3-web.jar", "spring3-core.jar", "spring3-beans.jar", "commons-logging.jar"];
    let Some(java) = Java::new("spring", &jars) else { return };
    java.client("8", "KeyschemeInterceptor.java", "SpringDriver.java");
    let server = Server::new();
    let mut cases = calls();
    for target in ["", "?a", "/a?", "/가"] {
        cases.push(Case::refused("call", ("GET", target, b"")));
    }
    cases.push(Case::spelled("call", &SCHEMES[0], ("GET", "", b""), "/"));
    for scheme in SCHEMES {
        // Spring's own encoding of a parameter and of a text.
        let query = Seen::new("GET", "/v?q=%EA%B0%80%20%2B%26%25", "", scheme.1);
        cases.push(Case::new(
            ("query", scheme.0),
            ("GET", "/v", "가 +&%".as_bytes()),
            "200",
            [query],
        ));
        cases.push(Case::accepted("text", &scheme, ("POST", "/v", "가 +&%".as_bytes())));
    }
    let first = Seen::new("GET", "/302/here", "", SIGNED);
    let call = ("GET", "/302/here", b"".as_slice());
    cases.push(Case::new(("call", "hmac1"), call, "302", [first.clone()]));
    let second = Seen::new("GET", "/v1/stt", "", "bad-credential");
    cases.push(Case::new(("follow", "hmac1"), call, "401", [first, second]));
    assert_eq!(cases.len(), 56 + 15);
    exercise(&server, &mut java.run("SpringDriver", &[&server.base()]), &cases, as_given);
    java.shown(&server, "RestTemplate");
}

/// `None` where there is no Python with these modules.
fn python(modules: &str) -> Option<Command> {
    let python = support::python();
    let mut probe = Command::new(&python);
    let name = format!("Python with {modules}");
    if !support::succeeds(&name, probe.args(["-c", &format!("import {modules}")])) {
        return None;
    }
    let mut command = Command::new(python);
    // A warning is an error, and nothing is written beside the files.
    command.args(["-B", "-W", "error"]).env("PYTHONPATH", clients().join("python"));
    Some(command)
}

/// The examples of the specification, with its random bytes and its time.
fn is_as_specified(driver: &mut Command) {
    let call = ("POST", "/v1/stt?lang=ko&q=%EA%B0%80+%20", "안녕".as_bytes());
    let lines: Vec<String> =
        SCHEMES.map(|(scheme, _)| Case::new(("example", scheme), call, "", []).line).into();
    let values = support::lines(driver, &(lines.join("\n") + "\n"));
    let page = fs::read_to_string(clients().join("../spec.md")).unwrap();
    assert_eq!(values.len(), 4);
    assert_eq!(values[0], ECB0);
    for value in values {
        assert!(page.contains(&format!("\n```text\n{value}\n```\n")), "{value}");
    }
}

#[test]
fn requests() {
    let Some(mut shown_python) = python("requests, Crypto.Cipher.AES") else { return };
    let driver = |server: &Server| {
        let mut driver = python("requests, Crypto.Cipher.AES").unwrap();
        driver.arg(drivers().join("requests_driver.py")).arg(server.base());
        driver
    };
    let server = Server::new();
    let mut cases = calls();
    let text = "가 +&%".as_bytes();
    for scheme in SCHEMES {
        for (given, sent) in
            [("", "/"), ("/?", "/"), ("/a?", "/a"), ("/가 나", "/%EA%B0%80%20%EB%82%98")]
        {
            cases.push(Case::spelled("call", &scheme, ("GET", given, b""), sent));
        }
        let query = Seen::new("GET", "/v?q=%EA%B0%80+%2B%26%25", "", scheme.1);
        cases.push(Case::new(("query", scheme.0), ("GET", "/v", text), "200", [query]));
        // Here path_url alone is not what is sent.
        let query = Seen::new("GET", "/v?a%5B%5D=%EA", "", scheme.1);
        cases.push(Case::new(("raw-query", scheme.0), ("GET", "/v", b"a[]=%ea"), "200", [query]));
        cases.push(Case::accepted("text", &scheme, ("POST", "/v", text)));
        let json = Seen::new("POST", "/v", "\"a text\"", scheme.1);
        cases.push(Case::new(("json", scheme.0), ("POST", "/v", b"a text"), "200", [json]));
        // Each redirect has a value of its own, and none where it leads elsewhere.
        for (status, method, body) in [(307, "POST", "x"), (302, "GET", "")] {
            let [here, away] = ["here", "away"].map(|place| format!("/{status}/{place}"));
            let first = Seen::new("POST", &here, "x", scheme.1);
            let second = Seen::new(method, "/v1/stt", body, scheme.1);
            let call = ("POST", here.as_str(), b"x".as_slice());
            cases.push(Case::new(("call", scheme.0), call, "200", [first, second]));
            let first = Seen::new("POST", &away, "x", scheme.1);
            let second = Seen::new(method, "/x", body, "missing");
            let call = ("POST", away.as_str(), b"x".as_slice());
            cases.push(Case::new(("call", scheme.0), call, "401", [first, second]));
        }
        cases.push(match scheme.0 {
            "hmac1" => Case::refused("stream", ("POST", "/v", text)),
            _ => Case::accepted("stream", &scheme, ("POST", "/v", text)),
        });
    }
    assert_eq!(cases.len(), 56 + 4 * 13);
    exercise(&server, &mut driver(&server), &cases, as_python_may);
    is_as_specified(&mut driver(&server));
    is_as_shown(&server, shown_python.args(["-c", &shown(&server, "requests")]));
}

#[test]
fn httpx() {
    let Some(mut shown_python) = python("httpx, Crypto.Cipher.AES") else { return };
    let driver = |server: &Server| {
        let mut driver = python("httpx, Crypto.Cipher.AES").unwrap();
        driver.arg(drivers().join("httpx_driver.py")).arg(server.base());
        driver
    };
    let server = Server::new();
    let mut cases = calls();
    cases.push(Case::refused("call", ("GET", "/a?", b"")));
    let text = "가 +&%".as_bytes();
    for scheme in SCHEMES {
        for (given, sent) in [("", "/"), ("/가 나", "/%EA%B0%80%20%EB%82%98")] {
            cases.push(Case::spelled("call", &scheme, ("GET", given, b""), sent));
        }
        let query = Seen::new("GET", "/v?q=%EA%B0%80+%2B%26%25", "", scheme.1);
        cases.push(Case::new(("query", scheme.0), ("GET", "/v", text), "200", [query]));
        let json = Seen::new("POST", "/v", "\"a text\"", scheme.1);
        cases.push(Case::new(("json", scheme.0), ("POST", "/v", b"a text"), "200", [json]));
        for kind in ["text", "stream", "async"] {
            cases.push(Case::accepted(kind, &scheme, ("POST", "/v", text)));
        }
    }
    let first = Seen::new("POST", "/307/here", "x", SIGNED);
    let call = ("POST", "/307/here", b"x".as_slice());
    cases.push(Case::new(("call", "hmac1"), call, "307", [first.clone()]));
    let second = Seen::new("POST", "/v1/stt", "x", "bad-credential");
    cases.push(Case::new(("follow", "hmac1"), call, "401", [first, second]));
    assert_eq!(cases.len(), 56 + 1 + 4 * 7 + 2);
    exercise(&server, &mut driver(&server), &cases, as_python_may);
    is_as_specified(&mut driver(&server));
    is_as_shown(&server, shown_python.args(["-c", &shown(&server, "httpx")]));
}
