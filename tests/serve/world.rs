//! A server, a configuration with a key under every scheme, and questions as they stand on the wire.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use keyscheme::{Config, Issuer, Request};

use crate::server::Server;

pub const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];
pub const CLIENT: &str = "spring-main";

const CONFIG: &str = r#"
[service.stt]
header = "x-api-key"
issue = "hmac1"
accept = [
    { scheme = "hmac1", danger-uncovered-body = true },
    "gcm1",
    { scheme = "cbc1", until = 2036-01-01T00:00:00Z },
    { scheme = "ecb0", until = 2036-12-31T00:00:00Z },
]

[[client.spring-main.key]]
id = "key-ecb0"
scheme = "ecb0"
cipher-key = { file = "aes" }
api-key = { file = "api" }

[[client.spring-main.key]]
id = "key-cbc1"
scheme = "cbc1"
cipher-key = { file = "cbc" }
api-key = { file = "api" }

[[client.spring-main.key]]
id = "key-gcm1"
scheme = "gcm1"
cipher-key = { file = "gcm", encoding = "utf8" }
api-key = { file = "api" }

[[client.spring-main.key]]
id = "key-hmac1"
scheme = "hmac1"
secret = { file = "hmac", encoding = "utf8" }
"#;

/// What must never be seen in a log.
pub const SECRETS: [(&str, &str); 6] = [
    ("aes", "0123456789abcdef"),
    ("api", "the-api-key-of-a-test"),
    ("cbc", "fedcba9876543210"),
    ("gcm", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"),
    ("hmac", "ZYXWVUTSRQPONMLKJIHGFEDCBA543210"),
    ("token", "a-token-that-proxies-show"),
];

pub struct World {
    pub server: Server,
    pub address: SocketAddr,
    pub file: PathBuf,
    config: Config,
}

/// A configuration file with this at its end, in a directory of its own.
pub fn configured(more: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("serve-{}-{number}", std::process::id());
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    for (name, secret) in SECRETS {
        fs::write(directory.join(name), secret).unwrap();
    }
    let file = directory.join("keyscheme.toml");
    fs::write(&file, format!("{CONFIG}{more}")).unwrap();
    file
}

pub fn serve(file: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyscheme"));
    command.arg("serve").arg("--config").arg(file).args(arguments);
    command
}

impl World {
    pub fn new(more: &str, arguments: &[&str]) -> Self {
        let file = configured(more);
        let config = tokio::runtime::Runtime::new().unwrap().block_on(Config::load(&file)).unwrap();
        let mut command = serve(&file, &["--listen", "127.0.0.1:0"]);
        let mut server = Server::start("keyscheme serve", command.args(arguments));
        let address = server.announced("listening on http://").parse().unwrap();
        Self { server, address, file, config }
    }

    pub fn issuer(&self, scheme: &str) -> Issuer {
        self.config.issuer("stt", CLIENT, Some(scheme)).unwrap()
    }

    pub fn credential(&self, scheme: &str, method: &str, target: &str, body: &str) -> String {
        self.issuer(scheme).issue(&Request::new(method, target).body(body)).unwrap()
    }

    /// Asks with these header lines.
    pub fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut text = format!("{line} HTTP/1.1\r\nHost: auth\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        Answer::read(stream)
    }

    /// Asks about a request as a proxy of this dialect would.
    pub fn about(
        &self,
        dialect: &str,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let (line, source) = question(dialect, method, target);
        let headers: Vec<_> = source
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(more.iter().copied())
            .collect();
        self.ask(&line, &headers, "")
    }
}

/// The request line, and the headers that hold method and target.
pub fn question(
    dialect: &str,
    method: &str,
    target: &str,
) -> (String, Vec<(&'static str, String)>) {
    let (method, target) = (method.to_owned(), target.to_owned());
    match dialect {
        "nginx" => (
            "GET /auth/nginx/stt".to_owned(),
            vec![("X-Original-Method", method), ("X-Original-URI", target)],
        ),
        "envoy" => (format!("{method} /auth/envoy/stt{target}"), Vec::new()),
        _ => (
            format!("GET /auth/{dialect}/stt?what=the-client-asked"),
            vec![("X-Forwarded-Method", method), ("X-Forwarded-Uri", target)],
        ),
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, Vec<String>>,
    pub body: String,
    /// Everything but the date.
    pub text: String,
}

impl Answer {
    pub fn read(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut stream = BufReader::new(stream);
        let mut text = String::new();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut status = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            match line.split_once(": ") {
                Some((name, value)) => {
                    let values = headers.entry(name.to_ascii_lowercase()).or_default();
                    values.push(value.trim_end().to_owned());
                }
                None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            }
            if !line.starts_with("date:") {
                text += &line;
            }
        }
        let mut body = String::new();
        stream.read_to_string(&mut body).unwrap();
        text += &body;
        Self { status, headers, body, text }
    }

    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name).map(Vec::as_slice) {
            Some([one]) => one,
            other => panic!("{name}: {other:?} in {self:?}"),
        }
    }

    /// Client, scheme, key id and body, each of which stands there exactly once.
    pub fn identity(&self) -> [&str; 4] {
        self.header("x-auth-content-sha256");
        ["x-auth-client", "x-auth-scheme", "x-auth-key-id", "x-auth-body"].map(|n| self.header(n))
    }
}
