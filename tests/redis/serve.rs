//! `keyscheme serve` and `check` with a Redis.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    directory::directory,
    program::{keyscheme, serve_here, started},
    server::free_address,
    wire::ask,
    world::{Redis, credential, pause},
};

const CONFIG: &str = r#"
[service.stt]
issue = "hmac1"
accept = ["hmac1"]

[[client.spring.key]]
id = "spring-1"
scheme = "hmac1"
secret = { file = "secret", encoding = "hex" }
"#;

/// A configuration with this in `[replay]`, and its secrets.
fn configured(directory: &Path, replay: &str) -> PathBuf {
    fs::write(directory.join("secret"), "07".repeat(32)).unwrap();
    fs::write(directory.join("password"), "hunter2-hunter2\n").unwrap();
    let file = directory.join("keyscheme.toml");
    fs::write(&file, format!("{CONFIG}[replay]\n{replay}\n")).unwrap();
    file
}

/// Status and body of an answer.
fn asks(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = ask(address, &format!("GET {path}"), &[], "");
    (answer.status, answer.body)
}

fn judge(address: SocketAddr, credential: &str) -> u16 {
    let headers =
        [("X-Original-Method", "GET"), ("X-Original-URI", "/"), ("X-API-KEY", credential)];
    ask(address, "GET /auth/nginx/stt", &headers, "").status
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_accept_each_credential_once_and_say_when_they_are_ready() {
    let Some(mut redis) = Redis::start(&["--requirepass", "hunter2-hunter2"]) else { return };
    let replay = format!(
        "kind = \"redis\"\nurl = \"redis://{}/0\"\ntimeout = \"1s\"\n\
         password = {{ file = \"password\" }}",
        redis.address
    );
    let file = configured(&redis.directory, &replay);
    let serve = || started(&mut serve_here(&file));
    let ((one, at_one), (other, at_other)) = (serve(), serve());
    // Half a minute after the first use.
    let (status, why) = asks(at_one, "/readyz");
    assert!(status == 503 && why.contains("it is new, or has forgotten"), "{status} {why}");
    assert_eq!(asks(at_one, "/healthz"), (200, "ok".to_owned()));
    let started = Instant::now();
    while judge(at_one, &credential()) != 200 {
        assert!(started.elapsed() < Duration::from_secs(8), "{one}");
        pause(20).await;
    }
    for round in 0..100 {
        let credential = credential();
        let (first, second) = if round % 2 == 0 { (at_one, at_other) } else { (at_other, at_one) };
        assert_eq!(judge(first, &credential), 200, "{one}{other}");
        assert_eq!(judge(second, &credential), 401, "{one}{other}");
    }
    redis.server.kill();
    pause(1_100).await;
    let (status, why) = asks(at_one, "/readyz");
    assert!(status == 503 && why.starts_with("Redis: "), "{status} {why}");
    // What nginx is told where others are told 503: it passes on 401 and 403 alone.
    assert_eq!(judge(at_one, &credential()), 403);
    redis.again();
    pause(1_500).await;
    let (status, why) = asks(at_one, "/readyz");
    assert!(status == 503 && why.contains("has forgotten"), "{status} {why}");
    let written = format!("{}{}", one.written(), other.written());
    assert!(written.contains("not ready") && !written.contains("hunter2"), "{written}");
}

/// Who goes on alone says so, with the reason and once, and says when that has ended.
#[tokio::test(flavor = "multi_thread")]
async fn who_decides_alone_writes_it() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let replay = format!(
        "kind = \"redis\"\nurl = \"redis://{}/0\"\ntimeout = \"1s\"\non-failure = \"danger-local\"",
        redis.address
    );
    let (server, address) = started(&mut serve_here(&configured(&redis.directory, &replay)));
    let lines = |part: &str| {
        let written = server.written();
        written.lines().filter(|line| line.contains(part)).map(str::to_owned).collect::<Vec<_>>()
    };
    let alone = || lines("single-use credentials are judged by this process alone (danger-local)");
    let again = || lines("single-use credentials are judged by Redis again");
    let ended = async |times: usize| {
        let started = Instant::now();
        while again().len() < times {
            assert!(started.elapsed() < Duration::from_secs(15), "{server}");
            assert_eq!(judge(address, &credential()), 200, "{server}");
            pause(50).await;
        }
    };
    // One that is new is not believed yet.
    assert_eq!(asks(address, "/readyz"), (200, "ready".to_owned()), "{server}");
    ended(1).await;
    assert!(matches!(&alone()[..], [line] if line.contains("it is new")), "{server}");
    redis.server.kill();
    for _ in 0..100 {
        assert_eq!(judge(address, &credential()), 200, "{server}");
    }
    assert_eq!(asks(address, "/readyz"), (200, "ready".to_owned()), "{server}");
    pause(100).await;
    let written = alone();
    assert_eq!(written.len(), 2, "{server}");
    assert!(written[1].contains(" ERROR ") && written[1].contains("error=Redis: "), "{server}");
    redis.again();
    ended(2).await;
    assert_eq!(alone().len(), 2, "{server}");
    assert!(again().iter().all(|line| line.contains(" INFO ")), "{server}");
    let accepted = again()[1].split_once("accepted=").unwrap().1.parse::<u64>().unwrap();
    assert!(accepted >= 100, "{server}");
}

/// What keeps it from being ready is written at the start, whether anybody asks or not.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_reached_is_written_at_the_start() {
    let directory = directory("redis-nobody");
    let nobody = free_address();
    for (on_failure, expected) in [
        ("closed", "WARN not ready why=\"Redis: the connection is refused; "),
        ("danger-local", "ERROR single-use credentials are judged by this process alone"),
    ] {
        let replay =
            format!("kind = \"redis\"\nurl = \"redis://{nobody}\"\non-failure = \"{on_failure}\"");
        let (server, _) = started(&mut serve_here(&configured(&directory, &replay)));
        let started = Instant::now();
        while !server.written().contains(expected) {
            assert!(started.elapsed() < Duration::from_secs(5), "{server}");
            pause(20).await;
        }
        assert!(server.written().contains("look whether it runs, and at replay.url"), "{server}");
    }
}

/// The tools look at a configuration without a word to its Redis.
#[test]
fn check_says_what_it_means_and_verify_uses_nothing_up() {
    let directory = directory("redis-check");
    let nowhere = "kind = \"redis\"\nurl = \"redis://redis.invalid:6379\"\n\
                   password = { file = \"password\" }\n";
    let run = |arguments: &[&str], replay: &str| {
        let file = configured(&directory, replay);
        let output = keyscheme().args(arguments).arg(file).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("hunter2"), "{said}");
        (output.status.code(), said)
    };
    let (status, said) = run(&["check"], nowhere);
    assert_eq!(status, Some(0), "{said}");
    for part in
        ["redis://redis.invalid:6379", "lost its memory", "not encrypted", "while it is away"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (_, said) = run(&["check"], &format!("{nowhere}on-failure = \"danger-local\"\n"));
    assert!(said.contains("decides alone (danger-local), with room for 1000000"), "{said}");
    let credential = credential();
    for _ in 0..2 {
        let arguments =
            ["verify", "--service", "stt", "--method", "GET", "--target", "/", &credential];
        let (status, said) = run(&[&arguments[..], &["--config"]].concat(), nowhere);
        assert_eq!(status, Some(0), "{said}");
    }
}
