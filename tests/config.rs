//! Configuration files: what they say, and every way to say it wrong.

#![cfg(feature = "config")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use keyscheme::{
    BackendError, Config, ConfigError, Fetched, Loader, ManualClock, Presented, Request, Secret,
    SecretRef, SecretSource, UnixTime,
};

/// Gives `bytes:N` as N bytes, different for every name.
#[derive(Debug)]
struct Vault;

#[async_trait]
impl SecretSource for Vault {
    async fn fetch(&self, name: &SecretRef) -> Result<Fetched, BackendError> {
        let (seed, length) = name
            .name
            .split_once(':')
            .and_then(|(seed, length)| Some((seed, length.parse().ok()?)))
            .ok_or_else(|| BackendError::new("vault", "no such secret"))?;
        Ok(Secret::from(seed.bytes().cycle().take(length).collect::<Vec<u8>>()).into())
    }
}

fn parse_in(directory: &Path, text: &str) -> Result<Config, ConfigError> {
    let loader = Loader::new()
        .source("vault", Arc::new(Vault))
        .clock(Arc::new(ManualClock::new(UnixTime(1_790_000_000))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(loader.parse(text, directory.to_path_buf()))
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    parse_in(Path::new(env!("CARGO_MANIFEST_DIR")), text)
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text).unwrap_err().mistakes().iter().map(ToString::to_string).collect()
}

fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

const SERVICE: &str = "[service.stt]\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n";
const KEY: &str = "[[client.main.key]]\nid = \"k1\"\nscheme = \"hmac1\"\n";
const SECRET: &str = "secret = { vault = \"x:32\", encoding = \"utf8\" }\n";

fn sound() -> String {
    format!("{SERVICE}{KEY}{SECRET}")
}

/// What a wrong entry hides of others is nothing.
#[test]
fn a_mistake_hides_no_other() {
    let with = |accept: &str| mistakes(&sound().replacen("[\"hmac1\"]", accept, 1)).join("\n");
    let found = with("[7, \"hmac2\", \"ecb0\", \"hmac1\"]");
    for said in ["accept[0]: is an integer", "accept[1]: \"hmac2\"", "accept[2].until: is missing"]
    {
        assert!(found.contains(said), "{said}\nis not in\n{found}");
    }
    let found = mistakes("[service.\"S T\"]\nx = 1\n").join("\n");
    for said in ["service.\"S T\": is no name", "service.\"S T\".x: is not known"] {
        assert!(found.contains(said), "{said}\nis not in\n{found}");
    }
    let pair = |id: &str| {
        format!(
            "[[client.{id}.key]]\nid = \"{id}\"\nscheme = \"ecb0\"\n\
             cipher-key = {{ vault = \"x:16\" }}\napi-key = {{ vault = \"y:9\" }}\n"
        )
    };
    let text =
        sound().replacen("issue = \"hmac1\"", "issue = \"ecb1\"", 1) + &pair("a") + &pair("b");
    let found = mistakes(&text).join("\n");
    for said in ["\"ecb1\" is no scheme", "client.b.key[0]: \"b\" has the same value as \"a\""] {
        assert!(found.contains(said), "{said}\nis not in\n{found}");
    }
}

/// A line that is no TOML is blamed for that, and the other lines for what is wrong with them.
#[test]
fn syntax_hides_only_its_own_line() {
    let text = sound().replace("issue = \"hmac1\"", "issue = \"hmac1").replace("\"k1\"", "\"K 1\"");
    let found = mistakes(&text).join("\n");
    assert!(found.contains("2:15: TOML: "), "{found}");
    assert!(found.contains("5:1: client.main.key[0].id: \"K 1\" is no key id"), "{found}");
    for text in ["[", "\"\" = 1", "[[", "a.\"\".b = 1"] {
        for mistake in parse(text).unwrap_err().mistakes() {
            assert!(!mistake.path.is_empty(), "{text}: {mistake}");
        }
    }
}

/// Neither below nor above what is named already.
#[test]
fn what_follows_from_a_mistake_is_not_named() {
    let one = |replaced: &str, by: &str| {
        let found = mistakes(&sound().replacen(replaced, by, 1));
        assert_eq!(found.len(), 1, "{by}: {found:#?}");
    };
    one("[\"hmac1\"]", "[\"hmac1\", { until = 2030-01-01T00:00:00Z }]");
    one("[\"hmac1\"]", "[{ scheme = \"hmac1\", clients = [5] }]");
    one("id = \"k1\"", "id = \"k1\"\nstate = \"verify-only\"\nnot-after = 5");
    let found = mistakes("[service]\nstt = 5\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    let text =
        format!("[service]\nstt = 5\n[service.\"stt.b\"]\naccept = [\"nope\"]\n{KEY}{SECRET}");
    let found = mistakes(&text).join("\n");
    for said in [
        "service.stt: is an integer",
        "service.\"stt.b\".accept[0]: \"nope\"",
        "\"stt.b\".issue: is missing",
    ] {
        assert!(found.contains(said), "{said}\nis not in\n{found}");
    }
}

/// Nothing that was named is waited for, or read without end, or makes the process die.
#[test]
fn no_configuration_hangs_or_aborts() {
    let capacity = |n: &str| format!("[replay]\ncapacity = {n}\n{}", sound());
    for n in ["1000000000000", "4611686018427387904", "9223372036854775807"] {
        let found = mistakes(&capacity(n)).join("\n");
        assert!(found.contains("2:1: replay.capacity: there is no memory for"), "{found}");
    }
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let tables = format!("{}1{}", "{ a = ".repeat(100_000), " }".repeat(100_000));
    for name in ["reload", "replay", "serve"] {
        let dotted = ".a".repeat(100_000);
        for deep in
            [format!("x = {open}{close}"), format!("x = {tables}"), format!("x{dotted} = 1")]
        {
            let found = mistakes(&format!("[{name}]\n{deep}\n")).join("\n");
            assert!(found.contains("mend the syntax"), "{found}");
        }
    }
    if cfg!(unix) {
        let text = sound().replace("vault = \"x:32\"", "file = \"/dev/zero\"");
        let found = mistakes(&text).join("\n");
        assert!(found.contains("is not a regular file"), "{found}");
        let text = format!("[secrets]\ndotenv = \"/dev/zero\"\n{}", sound());
        let found = mistakes(&text).join("\n");
        assert!(found.contains("is not a regular file"), "{found}");
    }
}

#[test]
fn what_is_sound_loads() {
    let config = parse(&sound()).unwrap();
    let service = config.verifier().service("stt").unwrap();
    assert_eq!(service.service().header(), "x-api-key");
    let issuer = config.issuer("stt", "main", None).unwrap();
    assert_eq!((issuer.scheme(), issuer.key_id()), ("hmac1", "k1"));
}

#[test]
fn the_example_of_the_readme_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/keyscheme.toml");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = runtime.block_on(Config::load(path)).unwrap();
    for scheme in ["ecb0", "hmac1"] {
        let issuer = config.issuer("stt", "spring-main", Some(scheme)).unwrap();
        let call = Request::new("POST", "/v1").body("x");
        let header = issuer.issue(&call).unwrap();
        let service = config.verifier().service("stt").unwrap();
        let verified = runtime.block_on(service.verify(&call.credential(&header))).unwrap();
        assert_eq!(verified.upgrade(), (scheme == "ecb0").then_some("hmac1"));
    }
}

/// One mistake each: what is put into the sound file, and what is said of it.
#[test]
fn every_mistake_is_named_with_its_place_and_remedy() {
    let cases: &[(&str, &str, &str)] = &[
        // replaced, by, said
        ("issue = \"hmac1\"", "issue = 1", "2:1: service.stt.issue: is an integer; write a string"),
        (
            "issue = \"hmac1\"",
            "isue = \"hmac1\"",
            "2:1: service.stt.isue: is not known; did you mean \"issue\"?",
        ),
        (
            "issue = \"hmac1\"",
            "issue = \"hmac2\"",
            "2:1: service.stt.issue: \"hmac2\" is no scheme; did you mean \"hmac1\"?",
        ),
        (
            "issue = \"hmac1\"",
            "issue = \"gcm1\"",
            "service.stt.issue: \"gcm1\" is not accepted; name an accepted",
        ),
        ("issue = \"hmac1\"\n", "", "1:10: service.stt.issue: is missing; name the accepted"),
        (
            "issue",
            "header = \"x api\"\nissue",
            "2:1: service.stt.header: \"x api\" is no header name",
        ),
        ("[\"hmac1\"]", "[]", "3:1: service.stt.accept: accepts nothing; list"),
        ("[\"hmac1\"]", "\"hmac1\"", "3:1: service.stt.accept: is a string; write a list"),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", 7]",
            "3:20: service.stt.accept[1]: is an integer; write a scheme",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", {}]",
            "service.stt.accept[1].scheme: is missing; name the scheme",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", \"hmac1\"]",
            "service.stt.accept[1]: accepts \"hmac1\" a second time",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", \"ecb0\"]",
            "service.stt.accept[1].until: is missing, and ecb0 is not authentic",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", \"cbc1\"]",
            "service.stt.accept[1].until: is missing, and cbc1 is not authentic",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", { scheme = \"gcm1\", max-age = \"unlimited\" }]",
            "service.stt.accept[1].until: is missing, and gcm1 with unlimited max-age is not fresh",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", { scheme = \"ecb0\", until = 2030-01-01T00:00:00 }]",
            "accept[1].until: 2030-01-01T00:00:00 has no offset",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", { scheme = \"ecb0\", until = \"2030-01-01T00:00:00Z\" }]",
            "accept[1].until: is a string; write a date with time and offset, not in quotes",
        ),
        (
            "[\"hmac1\"]",
            "[\"hmac1\", { scheme = \"ecb0\", until = 1950-01-01T00:00:00Z }]",
            "accept[1].until: 1950-01-01T00:00:00Z is no instant since 1970",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = 300 }]",
            "accept[0].max-age: is an integer; write a duration",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"5\" }]",
            "accept[0].max-age: \"5\" is no duration",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"1.5s\" }]",
            "accept[0].max-age: \"1.5s\" is no duration",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"-5s\" }]",
            "accept[0].max-age: \"-5s\" is no duration",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"0s\" }]",
            "accept[0].max-age: is 0 seconds; give 1s to 24h",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"25h\" }]",
            "accept[0].max-age: is 90000 seconds",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", max-age = \"unlimited\" }]",
            "accept[0].max-age: unlimited, but every hmac1",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", once = 1 }]",
            "accept[0].once: is an integer; write true or false",
        ),
        ("[\"hmac1\"]", "[{ scheme = \"hmac1\", clients = [] }]", "accept[0].clients: is empty"),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", clients = [\"man\"] }]",
            "\"man\" has no key; did you mean \"main\"?",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", clients = [3] }]",
            "accept[0].clients[0]: is an integer",
        ),
        (
            "[\"hmac1\"]",
            "[{ scheme = \"hmac1\", untill = 1 }]",
            "accept[0].untill: is not known; did you mean \"until\"?",
        ),
        ("[service.stt]", "[service.\"S T\"]", "1:10: service.\"S T\": is no name"),
        ("id = \"k1\"\n", "", "client.main.key[0].id: is missing; every key has one"),
        (
            "id = \"k1\"",
            "id = \"K 1\"",
            "5:1: client.main.key[0].id: \"K 1\" is no key id; a key id is 1 to 32",
        ),
        (
            "scheme = \"hmac1\"",
            "scheme = \"hmac\"",
            "6:1: client.main.key[0].scheme: \"hmac\" is no scheme; did you mean",
        ),
        (
            "scheme = \"hmac1\"",
            "scheme = \"hmac1\"\nstate = \"on\"",
            "key[0].state: \"on\" is no state; use one of staged",
        ),
        (
            "scheme = \"hmac1\"",
            "scheme = \"hmac1\"\nstate = \"verify-only\"",
            "key[0].not-after: is missing, and the key is verify-only",
        ),
        (
            "scheme = \"hmac1\"",
            "scheme = \"hmac1\"\nnot-after = 2020",
            "key[0].not-after: is an integer",
        ),
        ("client.main", "client.\"Main!\"", "client.\"Main!\": is no name"),
        ("\"x:32\"", "\"x:33\"", "7:1: client.main.key[0].secret: has 33 bytes; give 32 bytes"),
        ("\"x:32\"", "\"none\"", "7:1: client.main.key[0].secret: vault: no such secret"),
        (
            "vault = \"x:32\"",
            "env = \"KEYSCHEME_NOT_SET\"",
            "environment: KEYSCHEME_NOT_SET is not set",
        ),
        ("vault = \"x:32\"", "file = \"no/such/file\"", "secret: secret file: "),
        ("vault = \"x:32\"", "gcp = \"x\"", "secret: names no source; say one of "),
        ("vault = \"x:32\"", "gcp = \"x\"", "credential, env, file, vault"),
        (
            "vault = \"x:32\"",
            "vault = \"x:32\", env = \"X\"",
            "secret: names env and vault; keep one of them",
        ),
        (
            "encoding = \"utf8\"",
            "encoding = \"hax\"",
            "secret.encoding: \"hax\" is no encoding; did you mean \"hex\"?",
        ),
        (
            "encoding = \"utf8\"",
            "encoding = \"hex\"",
            "secret: its 32 characters are not hex; mend it",
        ),
        ("encoding", "encodng", "secret.encodng: is not known; did you mean \"encoding\"?"),
        (
            "secret = ",
            "api-key = ",
            "client.main.key[0].api-key: is not known; known here: id, scheme, state, not-before, \
             not-after, secret",
        ),
        (
            "[service.stt]",
            "[service.stt.b]\n[service.stt]",
            "1:14: service.stt.b: is not known; is it part of a name? Names with a dot",
        ),
        (
            "[service.stt]",
            "[log]\n[service.stt]",
            "1:2: log: is not known; known here: service, client, replay, secrets, reload, serve",
        ),
        ("encoding = \"utf8\"", "gcp = {}", "secret.gcp: is not known; known here: encoding, "),
        (SECRET, "", "client.main.key[0].secret: is missing; give 32 bytes"),
        (
            SECRET,
            "secret = \"hunter2hunter2hunter2hunter2hu\"\n",
            "secret: is a string; secrets do not stand in this file",
        ),
        (
            "[service.stt]",
            "[replay]\nkind = \"reddis\"\n[service.stt]",
            "2:1: replay.kind: \"reddis\" is no store; did you mean \"redis\"?",
        ),
        (
            "[service.stt]",
            "[replay]\ncapacity = 0\n[service.stt]",
            "2:1: replay.capacity: is 0; give room",
        ),
        (
            "[service.stt]",
            "[replay]\ncapacity = \"many\"\n[service.stt]",
            "2:1: replay.capacity: is a string; write a whole number",
        ),
        (
            "[service.stt]",
            "[replay]\ncapacity = -1\n[service.stt]",
            "2:1: replay.capacity: is -1; give a whole number from 1 to ",
        ),
        (
            "[service.stt]",
            "[replay]\nper-key = 18446744073709551616\n[service.stt]",
            "2:1: replay.per-key: is 18446744073709551616; give a whole number from 1 to ",
        ),
        (
            "[service.stt]",
            "[reload]\ninterval = \"0s\"\n[service.stt]",
            "2:1: reload.interval: is 0 seconds; give 1s or more",
        ),
        (
            "[service.stt]",
            "[reload]\nrefresh = \"unlimited\"\n[service.stt]",
            "2:1: reload.refresh: is \"unlimited\"; give 1s or more",
        ),
        ("[service.stt]", "[secrets]\ndotenv = \"no.env\"\n[service.stt]", "2:1: secrets.dotenv: "),
        (
            "[service.stt]",
            "[servce.x]\n[service.stt]",
            "1:2: servce: is not known; did you mean \"service\"?",
        ),
        ("[service.stt]", "top = 1\n[service.stt]", "1:1: top: is not known; "),
        ("issue = ", "issue = = ", "TOML: "),
        (
            "[service.stt]",
            "[service.stt]\n[service.stt]",
            "2:10: TOML: duplicate key service.stt; keep one of them, or name one differently",
        ),
        (
            "id = \"k1\"",
            "id = \"hunter2\"\nid = \"k1\"",
            "6:1: TOML: duplicate key id; keep one of them",
        ),
        (
            "vault = \"x:32\"",
            "env = \"hunter2\", env = \"hunter2\"",
            "7:29: TOML: duplicate key env; keep one of them",
        ),
        (
            "vault = \"x:32\"",
            "env = [\n[\"hunter2\", { env = 1, env = 1 }]]",
            "8:24: TOML: duplicate key env; keep one of them",
        ),
        (
            SECRET,
            "[client.main.key]\n",
            "7:14: TOML: duplicate key client.main.key; write [[client.main.key]], in two brackets \
             each side",
        ),
        (
            "[[client.main.key]]",
            "[[client.main]]",
            "client.main: is an array; write a table for each of its keys: [[client.main.key]]",
        ),
        (
            "[[client.main.key]]",
            "[[client.key]]",
            "client.key: is an array; write a table for each of its keys: [[client.NAME.key]]",
        ),
        (
            "[service.stt]",
            "[service]",
            "2:1: service.issue: is a string; write a table for each service, such as [service.NAME]",
        ),
    ];
    for (replaced, by, said) in cases {
        let text = sound().replacen(replaced, by, 1);
        assert_ne!(text, sound(), "{replaced} was not found");
        let found = mistakes(&text);
        assert!(
            found.iter().any(|mistake| mistake.contains(said)),
            "{said}\nis not in\n{found:#?}"
        );
        assert!(!found.iter().any(|mistake| mistake.contains("hunter2")), "{found:#?}");
    }
}

#[test]
fn what_the_server_is_told_is_checked_too() {
    for (table, said) in [
        ("listen = 9400", "listen: is an integer; write a string"),
        ("listen = \"localhost\"", "listen: \"localhost\" is no address; write an address"),
        ("listen = \"0.0.0.0:1\"", "listen: others could reach 0.0.0.0:1"),
        ("listten = \"\"", "listten: is not known; did you mean \"listen\"?"),
        ("proxy-token = \"hunter2\"", "proxy-token: is a string; secrets do not stand"),
        ("proxy-token = { vault = \"x:15\" }", "proxy-token: has 15 bytes; give 16 to 256 bytes"),
        ("proxy-token = { vault = \"é:16\" }", "proxy-token: holds other bytes than visible"),
        ("proxy-token = { env = \"NO_SUCH_TOKEN\" }", "proxy-token: "),
        ("endpoint.envoy.body = \"never\"", "endpoint.envoy: is no endpoint; write a dialect"),
        ("endpoint.\"apache/stt\" = {}", "\"apache\" is no dialect; use one of caddy, envoy"),
        ("endpoint.\"envoy/sttt\" = {}", "there is no service \"sttt\"; did you mean \"stt\"?"),
        ("endpoint.\"nginx/stt\".body = \"forwarded\"", "this proxy never forwards bodies"),
        ("endpoint.\"envoy/stt\".body = true", "body: is a boolean; write a string"),
        ("endpoint.\"envoy/stt\".body = \"yes\"", "body: \"yes\"; write \"never\" or"),
        ("endpoint.\"envoy/stt\".unverified-body = \"refuse\"", "would refuse every one"),
        ("endpoint.\"envoy/stt\".bodies = \"never\"", "bodies: is not known; did you mean"),
    ] {
        let found = mistakes(&format!("{}[serve]\n{table}\n", sound()));
        assert_eq!(found.len(), 1, "{table}\n{found:#?}");
        assert!(found[0].starts_with("9:") && found[0].contains(said), "{said}\n{found:#?}");
    }
    let told = "[serve]\nlisten = \"0.0.0.0:9400\"\nproxy-token = { vault = \"x:16\" }\n\
                endpoint.\"traefik/stt\" = { body = \"forwarded\", unverified-body = \"refuse\" }\n";
    let config = parse(&format!("{}{told}", sound())).unwrap();
    let serve = config.serve();
    assert_eq!(serve.listen().map(ToString::to_string).as_deref(), Some("0.0.0.0:9400"));
    assert!(serve.knows_proxy(Presented::One(b"xxxxxxxxxxxxxxxx")));
    assert!(!serve.knows_proxy(Presented::One(b"xxxxxxxxxxxxxxx")));
    assert!(!serve.knows_proxy(Presented::None) && !serve.knows_proxy(Presented::Many));
    let forwards = |dialect| serve.endpoint(dialect, "stt").forwards_bodies;
    assert!(forwards("traefik") && !forwards("envoy"));
    assert!(serve.endpoint("traefik", "stt").refuses_unverified);
    assert!(parse(&sound()).unwrap().serve().knows_proxy(Presented::None));
}

/// One mistake each, after `[replay]` in the ninth line.
#[test]
fn what_is_said_of_a_redis_is_checked_too() {
    let redis = |more: &str| format!("{}[replay]\nkind = \"redis\"\n{more}\n", sound());
    let url = "url = \"redis://localhost/0\"\n";
    if !cfg!(feature = "redis") {
        let found = mistakes(&redis(url));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].contains("9:1: replay.kind: \"redis\" is not part of this program; build")
        );
        return;
    }
    for (table, said) in [
        ("", "url: is missing; say where it is"),
        ("url = 6379", "url: is an integer; write a string"),
        ("url = \"localhost\"", "url: is no address of a Redis; write redis://"),
        ("url = \"redis://:hunter2@localhost\"", "url: holds a user name or password; write user"),
        ("url = \"redis://localhost\"\nurll = 1", "urll: is not known; did you mean \"url\"?"),
        ("URL password = \"hunter2\"", "password: is a string; secrets do not stand"),
        ("URL password = { env = \"NO_SUCH_PASSWORD\" }", "password: environment: NO_SUCH"),
        ("URL password = { vault = \"x:0\" }", "password: is empty or too long"),
        ("URL username = \"a\"", "password: is missing, and there is a user name"),
        ("URL timeout = 20", "timeout: is an integer; write a string"),
        (
            "URL timeout = \"20\"",
            "timeout: \"20\" is no duration; write a duration such as \"20ms\"",
        ),
        ("URL timeout = \"-20ms\"", "timeout: \"-20ms\" is no duration"),
        ("URL timeout = \"0ms\"", "timeout: is 0ns; give 1ms to 5s"),
        ("URL timeout = \"6s\"", "timeout: is 6s; give 1ms to 5s"),
        ("URL prefix = \"a}b\"", "prefix: \"a}b\" is no prefix"),
        ("URL on-failure = \"open\"", "on-failure: \"open\"; write \"closed\" or \"danger-local\""),
        ("URL capacity = 5", "capacity: is for a memory in this process; leave it out"),
        ("URL on-failure = \"danger-local\"\ncapacity = 0", "capacity: is 0; give room"),
        ("URL ca-file = \"Cargo.toml\"", "ca-file: has no use without TLS; say rediss://"),
        ("URL ca-file = \"no.pem\"", "ca-file: "),
    ] {
        let found = mistakes(&redis(&table.replace("URL ", url)));
        assert_eq!(found.len(), 1, "{table}\n{found:#?}");
        assert!(found[0].contains(&format!(": replay.{said}")), "{said}\n{found:#?}");
        assert!(!found[0].contains("hunter2"), "{found:#?}");
    }
    let text = format!("{}[replay]\nkind = \"memory\"\nurl = \"redis://x\"\n", sound());
    let found = mistakes(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("10:1: replay.url: is for a Redis; say kind = \"redis\""));
    let config = parse(&redis(&format!(
        "{url}username = \"u\"\npassword = {{ vault = \"x:9\" }}\ntimeout = \"50ms\"\n\
         prefix = \"staging\"\non-failure = \"danger-local\"\ncapacity = 5"
    )));
    let config = config.unwrap();
    assert!(config.verifier().memory().is_none());
    #[cfg(feature = "redis")]
    assert_eq!(config.redis().unwrap().to_string(), "redis://localhost/0, keys {staging}…");
}

#[test]
fn one_mistake_gives_one_message() {
    for (replaced, by) in [
        ("issue = \"hmac1\"", "issue = 1"),
        ("\"x:32\"", "\"none\""),
        ("[\"hmac1\"]", "[\"hmac1\", { scheme = \"ecb0\", until = 2030-01-01T00:00:00 }]"),
        ("\"x:32\"", "\"x:33\""),
        ("scheme = \"hmac1\"", "scheme = \"hmac\""),
        ("id = \"k1\"", "id = 1"),
    ] {
        let found = mistakes(&sound().replacen(replaced, by, 1));
        assert_eq!(found.len(), 1, "{by}: {found:#?}");
    }
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let text = "[service.stt]\nheader = 1\nissue = \"nope\"\naccept = [\"ecb0\"]\n\
        [[client.a.key]]\nid = \"X\"\nscheme = \"hmac1\"\nsecret = { vault = \"a:3\" }\n[repaly]\n";
    let error = parse(text).unwrap_err();
    let lines: Vec<_> = error.mistakes().iter().filter_map(|m| m.position).map(|p| p.0).collect();
    assert_eq!(lines, [2, 3, 4, 6, 8, 9], "{error}");
}

#[test]
fn secrets_are_read_from_a_dotenv_file_and_files() {
    let directory = directory("secrets");
    fs::write(directory.join("x.env"), "# a note\nSALT=0123456789abcdef\nexport API_KEY='가$나'\n")
        .unwrap();
    fs::write(directory.join("newline"), "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::write(directory.join("crlf"), "0123456789abcdef0123456789abcdeF\r\n").unwrap();
    let key = |id: &str, file: &str| {
        format!(
            "[[client.c-{id}.key]]\nid = \"{id}\"\nscheme = \"hmac1\"\n\
             secret = {{ file = \"{file}\", encoding = \"utf8\" }}\n"
        )
    };
    let text = format!(
        "{SERVICE}{}{}[[client.old.key]]\nid = \"old\"\nscheme = \"ecb0\"\n\
         cipher-key = {{ env = \"SALT\" }}\napi-key = {{ env = \"API_KEY\" }}\n\
         [secrets]\ndotenv = \"x.env\"\n",
        key("newline", "newline"),
        key("crlf", "crlf"),
    );
    let config = parse_in(&directory, &text).unwrap();
    let issuer = config.issuer("stt", "old", Some("ecb0")).unwrap().bare();
    let value = issuer.issue(&Request::new("", "")).unwrap();
    let material =
        keyscheme::Material::new().with("cipher-key", "0123456789abcdef").with("api-key", "가$나");
    let expected = keyscheme::Issuer::new(keyscheme::Ecb0, "stt", "old", &material).unwrap().bare();
    assert_eq!(value, expected.issue(&Request::new("", "")).unwrap());
}

/// Two line ends are one too many, and a file of 64 KiB is no secret.
#[test]
fn files_that_are_not_a_secret_are_refused() {
    let directory = directory("not-secrets");
    fs::write(directory.join("two"), "0123456789abcdef0123456789abcdef\n\n").unwrap();
    fs::write(directory.join("empty"), "").unwrap();
    fs::write(directory.join("huge"), vec![b'x'; 64 * 1024 + 1]).unwrap();
    for (file, said) in [
        ("two", "has 33 bytes; give 32 bytes; likely cause: a stray newline"),
        ("empty", "has 0 bytes; give 32 bytes; likely cause: an empty"),
        ("huge", "longer than 64 KiB"),
        (".", "not a regular file"),
    ] {
        let text = sound().replace("vault = \"x:32\"", &format!("file = \"{file}\""));
        let found = parse_in(&directory, &text).unwrap_err().to_string();
        assert!(found.contains(said), "{file}: {found}");
    }
}

/// Its secrets would be gone.
#[test]
#[cfg(feature = "watch")]
fn a_state_file_that_is_something_else_is_refused() {
    let directory = directory("config-state");
    fs::write(directory.join("secrets.env"), "A=a\n").unwrap();
    fs::write(directory.join("state"), "keyscheme replay 1\n").unwrap();
    let with = |state: &str| format!("{}[replay]\nstate = \"{state}\"\n", sound());
    for state in ["secrets.env", "."] {
        let error = parse_in(&directory, &with(state)).unwrap_err().to_string();
        let place = "9:1: replay.state: ";
        assert!(error.starts_with(place) && error.contains("holds something else"), "{error}");
    }
    for state in ["state", "none"] {
        assert!(parse_in(&directory, &with(state)).is_ok(), "{state}");
    }
}

#[test]
fn a_dotenv_line_that_readers_disagree_on_is_refused() {
    let directory = directory("dotenv");
    for line in ["SALT=hunter2$x", "SALT=\"hunter2$x\"", "SALT=hunter2\\n", "hunter2 hunter2"] {
        fs::write(directory.join("y.env"), format!("A=b\n{line}\n")).unwrap();
        let text = format!("[secrets]\ndotenv = \"y.env\"\n{}", sound());
        let found = parse_in(&directory, &text).unwrap_err().to_string();
        assert!(found.contains("secrets.dotenv") && found.contains("line 2"), "{line}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn a_dotenv_file_is_blamed_once_and_exactly() {
    let directory = directory("blame");
    let text = format!("[secrets]\ndotenv = \"z.env\"\n{}", sound())
        .replace("vault = \"x:32\"", "env = \"KEYSCHEME_NOT_SET\"");
    for (file, said) in [
        (None, "No such file"),
        (
            Some("A=b\nB=c d\n"),
            "line 2 has a value that readers of such files understand differently; put it in single",
        ),
        (Some("A=b\n\n#A=c\nexport A=d\n"), "line 4 sets what line 1 has set; keep one"),
    ] {
        let path = directory.join("z.env");
        let _ = fs::remove_file(&path);
        if let Some(file) = file {
            fs::write(&path, file).unwrap();
        }
        let error = parse_in(&directory, &text).unwrap_err();
        assert_eq!(error.mistakes().len(), 1, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn issuers_are_refused_with_what_there_is() {
    let config = parse(&sound()).unwrap();
    for (service, client, scheme, said) in [
        ("tts", "main", None, "service.tts: there is none; there are: stt"),
        ("stt", "nobody", None, "client.nobody: there is none"),
        (
            "stt",
            "main",
            Some("gcm1"),
            "client.main: has no active key under gcm1; add one, or name a scheme that it has: hmac1",
        ),
        ("stt", "main", Some("zzz"), "scheme: \"zzz\" is no scheme; known: ecb0"),
    ] {
        let error = config.issuer(service, client, scheme).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(Config::load("no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such.toml: "), "{error}");
}

/// Every table with a field that there is not, so that each says which it knows.
#[cfg(all(feature = "aws", feature = "redis", feature = "vault"))]
const UNKNOWN: &str = r#"
[service.stt]
wrong = 1
issue = "hmac1"
accept = [{ scheme = "hmac1", wrong = 1 }]
[[client.main.key]]
wrong = 1
id = "k1"
scheme = "hmac1"
secret = { env = "NONE", wrong = 1 }
[[client.main.key]]
wrong = 1
id = "k2"
scheme = "ecb0"
cipher-key = { aws = "NONE", wrong = 1 }
api-key = { vault = "NONE", wrong = 1 }
[reload]
wrong = 1
[serve]
wrong = 1
proxy-token = { env = "NONE" }
[serve.endpoint."envoy/stt"]
wrong = 1
[secrets]
wrong = 1
[secrets.aws]
wrong = 1
[secrets.vault]
wrong = 1
approle = { wrong = 1 }
[secrets.vault.kubernetes]
wrong = 1
[replay]
wrong = 1
"#;

/// The page about the configuration has the fields that there are: what each section names in a table is
/// known in it, and what is known is named.
#[test]
#[cfg(all(feature = "aws", feature = "redis", feature = "vault"))]
fn the_page_has_every_field_and_no_other() {
    use std::collections::{BTreeMap, BTreeSet};

    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let redis = "kind = \"redis\"\npassword = { env = \"NONE\" }\non-failure = \"danger-local\"\n";
    for replay in ["", redis] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = UNKNOWN.to_owned() + replay;
        let error = runtime.block_on(Loader::new().parse(&text, PathBuf::new())).unwrap_err();
        for mistake in error.mistakes() {
            let Some(path) = mistake.path.strip_suffix(".wrong") else { continue };
            let section = match path {
                _ if path.starts_with("service.") => "[service.NAME]",
                _ if path.starts_with("client.") => "[[client.NAME.key]]",
                _ if path.starts_with("serve") => "[serve]",
                _ if path.starts_with("secrets.aws") => "[secrets.aws]",
                _ if path.starts_with("secrets.vault") => "[secrets.vault]",
                "secrets" => "[secrets]",
                "reload" => "[reload]",
                "replay" => "[replay]",
                _ => panic!("{path} is in no section"),
            };
            let names = mistake.remedy.strip_prefix("known here: ").unwrap().split(", ");
            let (each, count) = (names.clone().collect::<BTreeSet<_>>(), names.clone().count());
            assert_eq!(each.len(), count, "a name stands twice in {mistake}");
            known.entry(section).or_default().extend(names.map(str::to_owned));
        }
    }
    assert!(known.len() >= 6, "{known:#?}");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = fs::read_to_string(page).unwrap().replace("\n### ", "\n## ");
    for (section, known) in known {
        let heading = format!("\n## `{section}`\n");
        let (_, text) = page.split_once(&heading).unwrap_or_else(|| panic!("{section}"));
        let text = text.split("\n## ").next().unwrap();
        let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split("` |").next());
        let rows: BTreeSet<&str> = cells
            .flat_map(|cell| cell.split("`, `"))
            .map(|name| name.split(" = ").next().unwrap())
            .collect();
        for name in &known {
            let elsewhere = match name.as_str() {
                // Managers have sections of their own, and so have options of secrets that are in them.
                "aws" | "vault" if section == "[secrets]" => {
                    page.contains(&format!("\n## `[secrets.{name}]`"))
                }
                "field" | "version" | "mount" => page.contains(&format!("\n| `{name}` |")),
                // In one row with the table that they are in.
                "role" | "role-id" | "secret-id" | "token-file" => {
                    text.contains(&format!("`{name}`"))
                }
                "endpoint" => text.contains("`[serve.endpoint.\""),
                _ => false,
            };
            assert!(rows.contains(name.as_str()) || elsewhere, "{section} does not name {name}");
        }
        for name in rows {
            let of_secrets = ["field", "version", "mount"].contains(&name);
            assert!(of_secrets || known.contains(name), "{section} has no {name}: {known:?}");
        }
    }
}
