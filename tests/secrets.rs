//! Where secrets come from: files that are exchanged under a reader, systemd's credentials, sources of
//! others, and with their features AWS Secrets Manager and Vault.
//!
//! - AWS is played by moto's server, which keeps to the API but is not AWS: it checks no signature and
//!   no permission. What it cannot refuse is answered by a peer of a few lines, which also hangs.
//! - Vault is OpenBao, a whole server as its binary comes. Of Kubernetes there is only the answer that
//!   OpenBao asks for when it logs a service account in.
//!
//! A test that needs variables runs once more, alone in a process that has them. All that such a process
//! has written must be free of secrets: errors, `Debug`, and the log of every crate at its finest.

#![cfg(feature = "config")]

#[cfg(feature = "aws")]
#[path = "secrets/aws.rs"]
mod aws;
#[cfg(unix)]
#[path = "secrets/files.rs"]
mod files;
#[cfg(any(feature = "aws", feature = "vault"))]
#[path = "secrets/peers.rs"]
mod peers;
#[cfg(any(feature = "aws", feature = "vault"))]
#[path = "support/server.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod server;
#[cfg(any(feature = "aws", feature = "vault"))]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod support;
#[cfg(feature = "vault")]
#[path = "secrets/vault.rs"]
mod vault;

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
#[cfg(any(unix, feature = "vault"))]
use std::{fs, path::Path};

use async_trait::async_trait;
use keyscheme::{
    BackendError, Config, ConfigError, Encoding, Fetched, Hmac1, Issuer, Loader, Material, Request,
    Secret, SecretRef, SecretSource,
};

/// In every secret of these tests, and in nothing else.
const MARK: &str = "hunter2";

/// 32 bytes with the mark, different for every name.
fn secret(name: &str) -> Vec<u8> {
    format!("{name:-<25}{MARK}").into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    Encoding::Base64.encode(bytes).unwrap().to_string()
}

/// A service and the keys of a client.
fn configuration(keys: &[(&str, &str)]) -> String {
    let mut text = "[service.stt]\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n".to_owned();
    for (i, (id, reference)) in keys.iter().enumerate() {
        text += &format!(
            "[[client.c{i}.key]]\nid = \"{id}\"\nscheme = \"hmac1\"\nsecret = {{ {reference} }}\n"
        );
    }
    text
}

/// An empty one, the same in every process of a test.
#[cfg(any(unix, feature = "vault"))]
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

async fn load(loader: Loader, text: &str) -> Result<Config, ConfigError> {
    loader.parse(text, PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).await
}

/// The only mistake of a configuration.
async fn mistake(text: &str) -> String {
    let error = load(Loader::new(), text).await.expect_err(text);
    println!("{error}\n{error:?}");
    assert_eq!(error.mistakes().len(), 1, "{text}\n{error}");
    error.to_string()
}

/// Whether a key of this id has this secret, which is when it accepts what is issued with it.
async fn has(config: &Config, id: &str, secret: &[u8]) -> bool {
    let material = Material::new().with("secret", secret);
    let issuer = Issuer::new(Hmac1, "stt", id, &material).unwrap();
    let call = Request::new("GET", "/").body("");
    let value = issuer.issue(&call).unwrap();
    let verified = config.verifier().service("stt").unwrap().verify(&call.credential(&value)).await;
    verified.is_ok_and(|caller| caller.key_id() == id)
}

/// Runs `body` in a process that has these variables of the managers and no others, for the test of this
/// name.
fn alone(test: &str, variables: &[(&str, &str)], body: impl AsyncFnOnce()) {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if env::var("KEYSCHEME_ALONE").is_ok_and(|name| name == test) {
        let log = tracing_subscriber::fmt().with_writer(std::io::stdout).with_ansi(false);
        log.with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
        return runtime().block_on(body());
    }
    let mut command = Command::new(env::current_exe().unwrap());
    let of_a_manager = |name: &str| {
        ["AWS_", "BAO_", "VAULT_"].iter().any(|prefix| name.starts_with(prefix))
            || name.to_ascii_lowercase().ends_with("_proxy")
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_a_manager)) {
        command.env_remove(name);
    }
    command.args([test, "--exact", "--nocapture"]).env("KEYSCHEME_ALONE", test);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let written =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let written = written.concat();
    assert!(output.status.success(), "{written}");
    assert!(written.contains("1 passed"), "{written}");
    shows_nothing(&written);
}

/// Not as text, in Base64 wherever it begins in it, in hexadecimal or as a list of numbers.
fn shows_nothing(written: &str) {
    let mark = MARK.as_bytes();
    let mut forms = vec![MARK.to_owned()];
    for before in 0..3 {
        let text = base64(&[&vec![0; before], mark].concat());
        forms.push(text[[0, 2, 3][before]..text.len() - 4].to_owned());
    }
    forms.push(Encoding::Hex.encode(mark).unwrap().to_string());
    forms.push(mark.iter().map(u8::to_string).collect::<Vec<_>>().join(", "));
    for form in forms {
        for line in written.lines() {
            assert!(!line.contains(&form), "{form} is shown in\n{line}");
        }
    }
}

#[test]
fn what_is_shown_is_found() {
    for shown in [
        format!("x{MARK}x"),
        base64(format!("ab{MARK}cd").as_bytes()),
        base64(format!("a{MARK}cd").as_bytes()),
        base64(format!("abc{MARK}cd").as_bytes()),
        format!("{:?}", secret("a")),
    ] {
        assert!(std::panic::catch_unwind(|| shows_nothing(&shown)).is_err(), "{shown}");
    }
    shows_nothing(&format!("{:?}", Secret::from(secret("a"))));
}

/// A source of somebody else, with options of its own.
#[derive(Debug, Default)]
struct Keyring {
    asked: AtomicUsize,
}

#[async_trait]
impl SecretSource for Keyring {
    fn options(&self) -> &[&'static str] {
        &["account", "slot"]
    }

    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match (secret.name.as_str(), secret.option("account"), secret.option("slot")) {
            ("stt", account, slot) => {
                let name = format!("{} {}", account.unwrap_or("none"), slot.unwrap_or("none"));
                Ok(Secret::from(base64(&self::secret(&name))).into())
            }
            ("raw", ..) => Ok(Fetched::Bytes(Secret::from(self::secret("raw")))),
            ("locked", ..) => {
                let error = BackendError::new("keyring", "is locked");
                Err(error.with_remedy("log in").outage())
            }
            _ => Err(BackendError::new("keyring", format!("{secret}: there is none"))),
        }
    }
}

#[tokio::test]
async fn a_source_of_somebody_else_has_options_of_its_own() {
    let keyring = Arc::new(Keyring::default());
    let loader = || Loader::new().source("keyring", keyring.clone());
    let text = configuration(&[
        ("k1", "keyring = \"stt\""),
        ("k2", "keyring = \"stt\", account = \"spring\""),
        ("k3", "slot = 3, encoding = \"base64\", keyring = \"stt\""),
        ("k4", "keyring = \"raw\""),
    ]);
    let config = load(loader(), &text).await.unwrap();
    for (id, name) in [("k1", "none none"), ("k2", "spring none"), ("k3", "none 3"), ("k4", "raw")]
    {
        assert!(has(&config, id, &secret(name)).await, "{id}");
    }
    for (reference, said) in [
        (
            "keyring = \"stt\", acount = \"a\"",
            "7:29: client.c0.key[0].secret.acount: is not known; did you mean \"account\"?",
        ),
        ("keyring = \"stt\", account = true", "secret.account: is a boolean; write a string"),
        ("env = \"X\", account = \"a\"", "secret.account: is not known; "),
        ("account = \"a\"", "secret: names no source; say one of "),
        ("keyring = \"stt\", slot = 1, env = \"X\"", "secret: names env and keyring; keep one"),
        (
            "keyring = \"no\", slot = 0x1F",
            "keyring: keyring \"no\", slot \"0x1F\": there is none; make it readable, or",
        ),
        ("keyring = \"raw\", encoding = \"base64\"", "its 32 characters are not base64"),
    ] {
        let error = load(loader(), &configuration(&[("k1", reference)])).await.unwrap_err();
        assert!(error.to_string().contains(said), "{said}\nis not in\n{error}");
        shows_nothing(&format!("{error} {error:?}"));
    }
}

/// Who cannot be reached is asked once, and named once.
#[tokio::test]
async fn a_source_that_is_out_of_reach_is_named_once() {
    let keyring = Arc::new(Keyring::default());
    let text = configuration(&[
        ("k1", "keyring = \"locked\""),
        ("k2", "keyring = \"stt\""),
        ("k3", "keyring = \"locked\""),
        ("k4", "env = \"KEYSCHEME_NOT_SET\""),
    ]);
    let error = load(Loader::new().source("keyring", keyring.clone()), &text).await.unwrap_err();
    let said: Vec<_> = error.mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{error}");
    assert_eq!(said[0], "7:1: client.c0.key[0].secret: keyring: is locked; log in");
    assert!(said[1].contains("KEYSCHEME_NOT_SET is not set"), "{error}");
    assert_eq!(keyring.asked.load(Ordering::Relaxed), 1);
}

/// A program's own source comes before the built-in one of its name, whose table then is none.
#[tokio::test]
async fn a_source_of_the_program_replaces_a_built_in_one() {
    for name in ["aws", "credential", "env", "file", "vault"] {
        let loader = || Loader::new().source(name, Arc::new(Keyring::default()));
        let text = configuration(&[("k1", &format!("{name} = \"stt\", account = \"a\""))]);
        let config = load(loader(), &text).await.unwrap();
        assert!(has(&config, "k1", &secret("a none")).await);
        if matches!(name, "aws" | "vault") {
            let error = load(loader(), &format!("{text}[secrets.{name}]\n")).await.unwrap_err();
            assert!(
                error.to_string().contains(&format!("secrets.{name}: is not known")),
                "{error}"
            );
        }
    }
}

/// A build without a manager says which feature has it.
#[tokio::test]
async fn a_manager_that_is_not_built_in_is_named() {
    let built: BTreeMap<_, _> =
        [("aws", cfg!(feature = "aws")), ("vault", cfg!(feature = "vault"))].into();
    for (name, _) in built.into_iter().filter(|(_, built)| !built) {
        let said = format!(
            "this build has no {name}; build with the feature {name}: --features cli,{name} for the \
             program"
        );
        let reference = format!("{name} = \"a/b\", field = \"c\", version = 1");
        let found = mistake(&configuration(&[("k1", &reference)])).await;
        assert_eq!(found, format!("7:1: client.c0.key[0].secret: {said}"));
        let key = configuration(&[("k1", "file = \"none\"")]);
        let table = format!("{key}[secrets.{name}]\nanything = 1\n");
        let error = load(Loader::new(), &table).await.unwrap_err();
        assert!(error.to_string().contains(&format!("8:10: secrets.{name}: {said}")), "{error}");
    }
}
