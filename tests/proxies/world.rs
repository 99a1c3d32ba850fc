//! A proxy with its sample configuration, `keyscheme serve` and the application, on loopback.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keyscheme::{Config, Request};

use crate::{
    Proxy,
    calls::Call,
    cases::{Case, Expect},
    directory::Temporary,
    program::{serve_here, started},
    server::{self, Server},
    support::{python, succeeds},
    verdict::problem,
    wire::Answer,
};

/// What the article's `.env` holds.
pub const SALT: &str = "0123456789abcdef";
pub const API_KEY: &str = "my-api-key";

const CONFIGURATION: &str = r#"
[service.stt]
issue = "hmac1"
accept = [
    { scheme = "hmac1", danger-uncovered-body = true },
    "gcm1",
    { scheme = "cbc1", until = 2099-01-01T00:00:00Z },
    { scheme = "ecb0", until = 2099-01-01T00:00:00Z, clients = ["spring-main"] },
]

# Another service of the same keyscheme, which knows a client that stt does not.
[service.tts]
issue = "ecb0"
accept = [{ scheme = "ecb0", until = 2099-01-01T00:00:00Z, clients = ["tts-main"] }]

[[client.spring-main.key]]
id = "spring-2025-07"
scheme = "ecb0"
cipher-key = { env = "PROXIES_SALT" }
api-key = { env = "PROXIES_API_KEY" }

[[client.spring-main.key]]
id = "spring-2026-11"
scheme = "hmac1"
secret = { env = "PROXIES_SECRET" }

[[client.batch.key]]
id = "batch-1"
scheme = "gcm1"
cipher-key = { env = "PROXIES_GCM" }
api-key = { env = "PROXIES_API_KEY" }

[[client.old-batch.key]]
id = "batch-0"
scheme = "cbc1"
cipher-key = { env = "PROXIES_CBC" }
api-key = { env = "PROXIES_API_KEY" }

[[client.tts-main.key]]
id = "tts-1"
scheme = "ecb0"
cipher-key = { env = "PROXIES_SALT" }
api-key = { env = "PROXIES_TTS" }

[secrets]
dotenv = ".env"
"#;

/// Only one group of programs runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What is not as it mostly is.
#[derive(Default)]
pub struct Setup<'a> {
    /// The code of another application than `app.py`.
    pub application: Option<&'a str>,
    /// What is replaced in the sample.
    pub edits: &'a [(&'static str, &'static str)],
    /// What is added to the configuration of keyscheme.
    pub serve: &'a str,
}

/// It ends them all when it is dropped, the proxy first.
pub struct World {
    name: &'static str,
    announces: bool,
    pub address: SocketAddr,
    proxy: Server,
    pub keyscheme: Server,
    application: Server,
    application_address: SocketAddr,
    config: Config,
    pub directory: PathBuf,
    _directory: Temporary,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    /// `None` where something is missing.
    pub fn new(proxy: &Proxy, setup: &Setup<'_>) -> Option<Self> {
        let program = (proxy.program)()?;
        let mut modules = Command::new(python());
        modules.args(["-c", "import fastapi, uvicorn"]);
        if !succeeds(&format!("{} with fastapi and uvicorn", python()), &mut modules) {
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = Temporary::new("proxies");
        let directory = temporary.0.clone();

        let path = directory.join("keyscheme.toml");
        fs::write(&path, format!("{CONFIGURATION}\n{}", setup.serve)).unwrap();
        fs::write(directory.join(".env"), dotenv()).unwrap();
        let config = block_on(Config::load(&path)).unwrap_or_else(|error| panic!("{error}"));
        let (keyscheme, keyscheme_address) = started(&mut serve_here(&path));

        let mut command = Command::new(python());
        command.args(["-m", "uvicorn", "app:app", "--port", "0", "--no-access-log", "--app-dir"]);
        if let Some(code) = setup.application {
            fs::write(directory.join("app.py"), code).unwrap();
            command.arg(&directory);
        } else {
            command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proxies"));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut application = Server::start("the application", &mut command);
        let application_address = application.announced("running on http://").parse().unwrap();

        let address = server::free_address();
        let ports =
            [address, keyscheme_address, application_address].map(|at: SocketAddr| at.port());
        let path = directory.join(proxy.sample);
        fs::write(&path, configuration(proxy, setup.edits, ports)).unwrap();
        let mut command = Command::new(program);
        (proxy.arguments)(&mut command, &path, &directory);
        let mut proxy_server = Server::start(proxy.name, command.current_dir(&directory));
        proxy_server.listening(address);

        let world = Self {
            name: proxy.name,
            announces: proxy.announces,
            address,
            proxy: proxy_server,
            keyscheme,
            application,
            application_address,
            config,
            directory,
            _directory: temporary,
            _alone: alone,
        };
        world.passes("at first");
        Some(world)
    }

    /// A new credential for the call.
    pub fn issue(&self, client: &str, scheme: &str, call: &Call) -> String {
        let issuer = self.config.issuer("stt", client, Some(scheme)).unwrap();
        let request = Request::new(&call.method, &call.target).body(&call.body);
        issuer.issue(&request).unwrap()
    }

    /// The same without the body.
    pub fn issue_uncovered(&self, call: &Call) -> String {
        let issuer = self.config.issuer("stt", "spring-main", Some("hmac1")).unwrap();
        issuer.uncovered_body().issue(&Request::new(&call.method, &call.target)).unwrap()
    }

    /// The value that the article's service sends, for ever the same.
    pub fn legacy(&self) -> String {
        self.bare("stt", "spring-main")
    }

    /// The value of one who may call tts and not stt.
    pub fn of_another_service(&self) -> String {
        self.bare("tts", "tts-main")
    }

    fn bare(&self, service: &str, client: &str) -> String {
        let issuer = self.config.issuer(service, client, Some("ecb0")).unwrap().bare();
        issuer.issue(&Request::new("GET", "/")).unwrap()
    }

    pub fn send(&self, call: &Call) -> Answer {
        call.send(self.address)
    }

    /// How many requests the application has handled.
    pub fn calls(&self) -> u64 {
        let answer = Call::get("/calls").send(self.application_address);
        answer.json()["calls"].as_u64().expect("a number")
    }

    /// Waits until an honest call reaches the application, whatever that answers.
    pub fn passes(&self, when: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = self.send(&Call::get("/calls").key(&self.legacy()));
            if [200, 404].contains(&answer.status) {
                return;
            }
            assert!(Instant::now() < end, "{when}: {answer:?}\n{self}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends the calls, and compares what the client and the application see with what they should.
    pub fn judge<'c>(&mut self, cases: impl IntoIterator<Item = (&'c Case, &'c Expect, &'c str)>) {
        let mut problems = Vec::new();
        for (case, expect, why) in cases {
            let before = self.calls();
            let answer = self.send(&case.call);
            let calls = self.calls() - before;
            if let Some(problem) = problem(case, expect, &answer, calls, self.announces) {
                let why = if why.is_empty() { String::new() } else { format!(" since {why}") };
                let name = &case.name;
                problems.push(format!("{name}: {problem}\nexpected {expect:?}{why}\n{answer:?}\n"));
            }
        }
        assert!(problems.is_empty(), "{}:\n{}\n{self}", self.name, problems.join("\n"));
        let servers = [&mut self.proxy, &mut self.keyscheme, &mut self.application];
        assert_eq!(servers.map(Server::is_running), [true; 3], "{self}");
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}\n{}", self.proxy, self.keyscheme, self.application)
    }
}

/// A file of `docs/proxies`.
pub fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/proxies").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sample with the ports of proxy, keyscheme and application.
fn configuration(proxy: &Proxy, edits: &[(&str, &str)], ports: [u16; 3]) -> String {
    let mut text = sample(proxy.sample);
    // By way of names, since a new port may look like an old one.
    let names =
        ["8080", "9400", "8000"].into_iter().zip(["{proxy}", "{keyscheme}", "{application}"]);
    let ports = ports.map(|port| port.to_string());
    let named = names.clone().chain(proxy.edits.iter().chain(edits).copied());
    let filled = names.zip(&ports).map(|((_, name), port)| (name, port.as_str()));
    for (old, new) in named.chain(filled) {
        assert!(text.contains(old), "{} has no {old:?}", proxy.sample);
        text = text.replace(old, new);
    }
    text
}

fn dotenv() -> String {
    let base64 =
        |byte| keyscheme::Encoding::Base64.encode(&[byte; 32]).expect("a text").to_string();
    let lines = [
        ("PROXIES_SALT", SALT),
        ("PROXIES_API_KEY", API_KEY),
        ("PROXIES_TTS", "another-api-key"),
        ("PROXIES_CBC", "fedcba9876543210"),
        ("PROXIES_GCM", &base64(1)),
        ("PROXIES_SECRET", &base64(2)),
    ];
    lines.map(|(name, value)| format!("{name}='{value}'\n")).concat()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}
