//! A server, a configuration with a key under every scheme, and questions as they stand on the wire.

use std::{fs, net::SocketAddr, path::PathBuf};

use keyscheme::{Config, Issuer, Request};

use crate::{
    directory::directory,
    program::{serve_here, started},
    server::Server,
    wire::{Answer, ask},
};

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
    let directory = directory("serve");
    for (name, secret) in SECRETS {
        fs::write(directory.join(name), secret).unwrap();
    }
    fs::create_dir(directory.join("state")).unwrap();
    let file = directory.join("keyscheme.toml");
    fs::write(&file, format!("{CONFIG}{more}")).unwrap();
    file
}

impl World {
    pub fn new(more: &str, arguments: &[&str]) -> Self {
        let file = configured(more);
        let config = tokio::runtime::Runtime::new().unwrap().block_on(Config::load(&file)).unwrap();
        let (server, address) = started(serve_here(&file).args(arguments));
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
        ask(self.address, line, headers, body)
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

/// Client, scheme, key id and body, each of which stands there exactly once.
pub fn identity(answer: &Answer) -> [&str; 4] {
    answer.one("x-auth-content-sha256");
    ["x-auth-client", "x-auth-scheme", "x-auth-key-id", "x-auth-body"].map(|name| answer.one(name))
}
