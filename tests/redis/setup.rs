//! Passwords, TLS, and what is said of a Redis that is set up wrong.

use std::{fs, path::Path, process::Command, time::Duration};

use keyscheme::{OnFailure, RedisConfig, RedisReplay};

use crate::{
    peers::has_peer,
    server::free_address,
    world::{Redis, Replica, fake, pause},
};

const PASSWORD: &str = "hunter2-hunter2";
/// Enough for a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(1);

/// What a store says while it is set up wrong, everywhere that it says something.
async fn said(config: RedisConfig) -> String {
    let shown = format!("{config} {config:?}");
    let replica = Replica::of(config);
    let ready = replica.verifier.ready().await.unwrap_err();
    let said = format!("{ready} {ready:?} {} {:?} {shown}", replica.why().await, replica.verifier);
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let Some(redis) = Redis::start(&["--requirepass", PASSWORD]) else { return };
    Replica::of(redis.config().password(PASSWORD)).settled().await;
    let wrong = said(redis.config().password("hunter2-hunter3")).await;
    assert!(wrong.contains("refuses our user name or password"), "{wrong}");
    let none = said(redis.config()).await;
    assert!(none.contains("it demands a password"), "{none}");
    // Whoever goes on without it is not ready either, since that does not pass.
    let alone = redis.config().on_failure(OnFailure::DANGER_LOCAL).password("hunter2");
    let error = Replica::of(alone).verifier.ready().await.unwrap_err().to_string();
    assert!(error.contains("refuses our user name or password"), "{error}");
}

/// A server repeats the beginning of commands that it does not know, with the password in it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_is_not_repeated() {
    let Some(redis) = Redis::start(&["--rename-command", "AUTH", ""]) else { return };
    assert!(redis.ask(&["AUTH", PASSWORD]).contains(PASSWORD));
    said(redis.config().password(PASSWORD)).await;
}

/// What a sound Redis says of itself, with this policy.
fn information(policy: &str) -> Vec<u8> {
    let text = format!(
        "run_id:1\r\nrole:master\r\nmaster_replid2:0\r\nmaxmemory_policy:{policy}\r\nevicted_keys:0\r\n"
    );
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// Of a policy a name is repeated, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_policy_is_not_repeated() {
    for policy in ["hunter2", "<b>", &"hunter2".repeat(400_000)] {
        let answer = information(policy);
        let address = fake(move |_| answer.clone());
        let said = said(RedisConfig::new(format!("redis://{address}")).timeout(LONG)).await;
        assert!(said.contains("its maxmemory-policy is another") && said.len() < 10_000, "{said}");
    }
}

/// One that knows no script, and answers with this to whoever sends it one.
#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_is_taken_for_another_is_not_run() {
    for (loaded, expected) in [
        ("+OK", "with another hash"),
        ("$3\r\nabc", "with another hash"),
        (":7", "with another hash"),
        ("*0", "does not answer as Redis does"),
        ("$-1", "does not answer as Redis does"),
    ] {
        let address = fake(move |words| match words[0].as_str() {
            "INFO" => information("noeviction"),
            "SCRIPT" => format!("{loaded}\r\n").into_bytes(),
            _ => b"-NOSCRIPT hunter2\r\n".to_vec(),
        });
        let said = said(RedisConfig::new(format!("redis://{address}"))).await;
        assert!(said.contains(expected), "{said}");
    }
}

/// The commands of docs/configuration.md suffice.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_few_rights_suffices() {
    let Some(redis) = Redis::start(&[]) else { return };
    let written = include_str!("../../docs/configuration.md");
    let line = written.lines().find_map(|line| line.strip_prefix("ACL SETUSER keyscheme "));
    let line = line.unwrap().replace("PASSWORD", PASSWORD);
    let rights: Vec<_> = line.split_whitespace().collect();
    redis.tell(&[&["ACL", "SETUSER", "keyscheme"][..], &rights].concat(), "+OK");
    let config = || redis.config().username("keyscheme").password(PASSWORD);
    let replica = Replica::of(config());
    replica.settled().await;
    redis.tell(&["SCRIPT", "FLUSH"], "+OK");
    let used = replica.used(3).await;
    replica.all_are(&used, "replayed").await;
    redis.tell(&["ACL", "SETUSER", "keyscheme", "-info"], "+OK");
    let less = said(config()).await;
    assert!(less.contains("must not run our commands"), "{less}");
}

/// None of them is too many: without it nobody is ready, as claims could not be made.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_fewer_rights_is_not_ready() {
    let Some(redis) = Redis::start(&[]) else { return };
    let right = ["on", ">hunter2", "~{keyscheme}*", "+@all"];
    redis.tell(&[&["ACL", "SETUSER", "keyscheme"][..], &right].concat(), "+OK");
    let config = || redis.config().username("keyscheme").password("hunter2");
    let settled = Replica::of(config());
    settled.settled().await;
    for taken in ["set", "del", "hset", "hmget", "time", "evalsha"] {
        let (minus, plus) = (format!("-{taken}"), format!("+{taken}"));
        redis.tell(&["ACL", "SETUSER", "keyscheme", &minus], "+OK");
        let less = said(config()).await;
        assert!(less.contains("must not run our commands"), "{taken}: {less}");
        // Whoever goes on without it is not ready either, since that does not pass.
        let alone = Replica::of(config().on_failure(OnFailure::DANGER_LOCAL));
        let error = alone.verifier.ready().await.unwrap_err().to_string();
        assert!(error.contains("must not run our commands"), "{taken}: {error}");
        // Nor who was.
        pause(1_000).await;
        let error = settled.verifier.ready().await.unwrap_err().to_string();
        assert!(error.contains("must not run our commands"), "{taken}: {error}");
        redis.tell(&["ACL", "SETUSER", "keyscheme", &plus], "+OK");
        settled.settled().await;
    }
    redis.tell(&["ACL", "SETUSER", "keyscheme", "resetkeys", "~{keyscheme}:memory"], "+OK");
    let less = said(config()).await;
    assert!(less.contains("must not run our commands"), "{less}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_who_is_vouched_for() {
    if !has_peer("openssl", "version") {
        return;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("redis-tls");
    fs::create_dir_all(&directory).unwrap();
    for (name, subject) in [("ours", "IP:127.0.0.1"), ("other", "DNS:elsewhere.example")] {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=test", "-addext"])
            .arg(format!("subjectAltName={subject}"))
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(directory.join(name).with_extension("key"))
            .arg("-out")
            .arg(directory.join(name).with_extension("pem"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let arguments = |name: &str| {
        [format!("{name}.pem"), format!("{name}.key")].map(|name| file(&name)).to_vec()
    };
    let start = |name: &str| {
        let files = arguments(name);
        Redis::start(&[
            "--tls-port",
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            &files[0],
            "--tls-key-file",
            &files[1],
            "--tls-ca-cert-file",
            &files[0],
        ])
    };
    let config = |redis: &Redis| {
        let url = format!("rediss://{}/0", redis.address);
        RedisConfig::new(url).timeout(Duration::from_secs(1))
    };
    let pem = |name: &str| fs::read(directory.join(name)).unwrap();
    let Some(redis) = start("ours") else { return };
    let replica = Replica::of(config(&redis).authorities(pem("ours.pem")));
    replica.settled().await;
    replica.used(3).await;
    // Not vouched for, by a stranger or by nobody; and of another name.
    let fails = "TLS with it fails; look at replay.url and replay.ca-file";
    assert!(said(config(&redis).authorities(pem("other.pem"))).await.contains(fails));
    assert!(said(config(&redis)).await.contains(fails));
    let Some(redis) = start("other") else { return };
    assert!(said(config(&redis).authorities(pem("other.pem"))).await.contains(fails));
    // Without TLS where there is nothing else.
    said(redis.config()).await;
}

/// Each in words of its own, and where to look.
#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_us_from_it_is_named() {
    let nobody = free_address();
    let http = fake(|_| b"HTTP/1.1 400 hunter2\r\n\r\n".to_vec());
    let hung_up = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs_up = hung_up.local_addr().unwrap();
    std::thread::spawn(move || hung_up.incoming().for_each(drop));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let says_nothing = silent.local_addr().unwrap();
    for (url, expected) in [
        (format!("redis://{nobody}"), "the connection is refused"),
        // Longer than a name may be, so that nobody is asked for it.
        (format!("redis://{}", "a".repeat(64)), "its host is not found"),
        ("unix:///nonexistent/redis.sock".to_owned(), "there is no such socket"),
        (format!("redis://{http}"), "is no Redis"),
        (format!("rediss://{http}"), "it has ended the connection"),
        (format!("redis://{hangs_up}"), "it has ended the connection"),
        (format!("rediss://{hangs_up}"), "it has ended the connection"),
        (format!("redis://{says_nothing}"), "no connection within "),
    ] {
        let said = said(RedisConfig::new(&*url)).await;
        assert!(said.contains(expected) && said.contains("replay.url"), "{url}: {said}");
    }
}

/// Outside of a runtime there is an error, and no panic; and a runtime may end.
#[test]
fn a_runtime_is_needed_and_may_be_another() {
    let Some(redis) = Redis::start(&[]) else { return };
    let replica = Replica::of(redis.config());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut outside = std::pin::pin!(replica.verifier.ready());
    let waker = std::task::Waker::noop();
    match outside.as_mut().poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(Err(error)) => {
            assert!(error.to_string().contains("tokio runtime"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    for _ in 0..3 {
        runtime().block_on(replica.settled());
    }
    runtime().block_on(async {
        let _ = tokio::time::timeout(Duration::from_micros(1), replica.verifier.ready()).await;
    });
    runtime().block_on(async {
        pause(1_000).await;
        replica.settled().await;
    });
}

#[test]
fn what_is_wrong_is_said_at_once() {
    let config = || RedisConfig::new("redis://localhost");
    let said = |config: RedisConfig| {
        let error = RedisReplay::new(config).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        error
    };
    for url in ["", "localhost", "http://localhost", "redis://", "redis://host:port", "redis://h/x"]
    {
        let error = said(RedisConfig::new(url));
        assert!(error.contains("replay.url: is no address of a Redis"), "{url}: {error}");
    }
    for url in ["redis://:hunter2@localhost", "redis://hunter2@localhost/0", "unix:///hunter2@x"] {
        let error = said(RedisConfig::new(url));
        assert!(error.contains("replay.url: holds a user name or password"), "{error}");
        assert!(!format!("{:?}", RedisConfig::new(url)).contains("hunter2"));
    }
    for url in ["rediss://localhost/#insecure", "redis://localhost/?protocol=resp3"] {
        assert!(said(RedisConfig::new(url)).contains("holds a ? or a #"));
    }
    let all = config()
        .prefix("{a}")
        .timeout(Duration::ZERO)
        .username("someone")
        .authorities("")
        .on_failure(OnFailure::DangerLocal { capacity: 0 });
    let error = said(all);
    for field in ["prefix", "timeout", "password", "ca-file", "capacity"] {
        assert!(error.contains(&format!("replay.{field}: ")), "{field}: {error}");
    }
    let tls = RedisConfig::new("rediss://localhost").authorities("hunter2");
    assert!(said(tls).contains("replay.ca-file: holds no certificates"));
    assert!(said(config().password([0xff].as_slice())).contains("is not UTF-8"));
}
