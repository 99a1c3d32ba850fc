//! The configuration that all servers read, and credentials for them.

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use keyscheme::{Config, Issuer, Request};

pub const SERVICE: &str = "stt";
pub const CLIENT: &str = "spring-main";
pub const TARGET: &str = "/v1/voices";
/// The name of the file with the log of `keyscheme serve`.
pub const LOG: &str = "serve.log";
/// The key of AES is the text itself, as in the article.
pub const SALT: &str = "0123456789abcdef0123456789abcdef";
pub const API_KEY: &str = "3f1c0a52-7c1b-4f0e-9d6e-2b7a54c8e913";
/// Of tokens, as long as that of hmac1.
pub const JWT_SECRET: &str = "a secret of two and thirty bytes";

/// A directory for one run, which is removed at its end.
pub struct World {
    directory: PathBuf,
    config: Config,
}

/// New credentials in a file, one behind the other.
pub struct Pool {
    pub file: PathBuf,
    /// Of each, in bytes.
    pub length: usize,
    pub count: usize,
}

impl World {
    /// With a replay memory for this many credentials.
    pub fn new(capacity: usize) -> Self {
        let name = format!("http-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("keyscheme.toml");
        fs::write(&path, configuration(capacity)).expect("a file");
        let [cbc, gcm, hmac] = ["3", "1", "2"].map(|digit| digit.repeat(64));
        let secrets = format!(
            "SALT='{SALT}'\nAPI_KEY='{API_KEY}'\nCBC_KEY='{cbc}'\nGCM_KEY='{gcm}'\nSECRET='{hmac}'\n"
        );
        fs::write(directory.join("secrets.env"), secrets).expect("a file");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let config = runtime.block_on(Config::load(&path)).expect("a sound configuration");
        Self { directory, config }
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("keyscheme.toml")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join(LOG)
    }

    /// Credentials of a scheme for the one call that is made.
    pub fn credential(&self, scheme: &str, method: &str, body: usize) -> String {
        issue(&self.issuer(scheme), method, &vec![b'x'; body])
    }

    /// This many of hmac1.
    pub fn pool(&self, method: &str, body: usize, count: usize) -> Pool {
        let file = self.directory.join(format!("{method}-{body}.pool"));
        let (issuer, body) = (self.issuer("hmac1"), vec![b'x'; body]);
        let length = issue(&issuer, method, &body).len();
        let mut writer = BufWriter::new(fs::File::create(&file).expect("a file"));
        for _ in 0..count {
            let credential = issue(&issuer, method, &body);
            assert_eq!(credential.len(), length, "all are of one length");
            writer.write_all(credential.as_bytes()).expect("to be written");
        }
        writer.flush().expect("to be written");
        Pool { file, length, count }
    }

    fn issuer(&self, scheme: &str) -> Issuer {
        let issuer = self.config.issuer(SERVICE, CLIENT, Some(scheme)).expect("a key");
        if scheme == "ecb0" { issuer.bare() } else { issuer }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A token that says as much as a credential does.
pub fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let claims = serde_json::json!({
        "iss": CLIENT, "aud": SERVICE, "iat": now, "exp": now + 86_400, "jti": "jQXSyPxWTqCNeBkX",
    });
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}

fn issue(issuer: &Issuer, method: &str, body: &[u8]) -> String {
    issuer.issue(&Request::new(method, TARGET).body(body)).expect("a credential")
}

/// One service on its way from the recipe to hmac1. Credentials are issued once for the whole run.
fn configuration(capacity: usize) -> String {
    format!(
        r#"
[service.{SERVICE}]
issue = "hmac1"
accept = [
    {{ scheme = "hmac1", max-age = "24h" }},
    {{ scheme = "gcm1", max-age = "24h" }},
    {{ scheme = "cbc1", until = 2099-01-01T00:00:00Z }},
    {{ scheme = "ecb0", until = 2099-01-01T00:00:00Z }},
]

[[client.{CLIENT}.key]]
id = "spring-ecb"
scheme = "ecb0"
cipher-key = {{ env = "SALT" }}
api-key = {{ env = "API_KEY" }}

[[client.{CLIENT}.key]]
id = "spring-cbc"
scheme = "cbc1"
cipher-key = {{ env = "CBC_KEY", encoding = "hex" }}
api-key = {{ env = "API_KEY" }}

[[client.{CLIENT}.key]]
id = "spring-gcm"
scheme = "gcm1"
cipher-key = {{ env = "GCM_KEY", encoding = "hex" }}
api-key = {{ env = "API_KEY" }}

[[client.{CLIENT}.key]]
id = "spring-hmac"
scheme = "hmac1"
secret = {{ env = "SECRET", encoding = "hex" }}

[replay]
capacity = {capacity}
per-key = {capacity}

[secrets]
dotenv = "secrets.env"
"#
    )
}
