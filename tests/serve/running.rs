//! Start, log and end.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::{UnixDatagram, UnixListener, UnixStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use keyscheme::{Config, Request};

use crate::{
    peers::is_there,
    program::{keyscheme, serve, serve_here, started},
    server::Server,
    wire::ask,
    world::{CLIENT, SCHEMES, SECRETS, World, configured},
};

#[test]
fn nobody_listens_to_the_world_without_a_token() {
    let without = configured("");
    for address in ["0.0.0.0:0", "192.0.2.1:9400", "[::]:0"] {
        let output = serve(&without, &["--listen", address]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(address) && said.contains("serve.proxy-token"), "{said}");
    }
    let written = configured("[serve]\nlisten = \"0.0.0.0:9400\"\n");
    let output = serve(&written, &[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(": serve.listen: others could reach 0.0.0.0:9400"), "{said}");
    let output = serve(&without, &["--listen", "localhost"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("127.0.0.1:9400, or unix:/path"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let world = World::new("", &[]);
    let address = world.address.to_string();
    let output = serve(&configured(""), &["--listen", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains(&address) && said.contains("choose another port"), "{said}");
}

#[test]
fn a_unix_socket_is_taken_over_from_the_dead_only() {
    let file = configured("");
    let socket = file.with_file_name("s");
    let listen = format!("unix:{}", socket.display());
    // What a process has left behind.
    drop(UnixListener::bind(&socket).unwrap());
    let mut server = Server::start("keyscheme serve", &mut serve(&file, &["--listen", &listen]));
    server.announced("listening on ");
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    // One that is used, one that does not answer us, and a file.
    let other = file.with_file_name("file");
    fs::write(&other, "precious").unwrap();
    let busy = file.with_file_name("busy");
    let _busy = UnixDatagram::bind(&busy).unwrap();
    for (path, why) in [(&socket, "in use"), (&busy, "in use"), (&other, "there is something else")]
    {
        let listen = format!("unix:{}", path.display());
        let output = serve(&file, &["--listen", &listen]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", path.display());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("--listen: {listen}: ")) && said.contains(why), "{said}");
    }
    assert!(busy.exists());
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    terminate(&server);
    assert_eq!(server.ended(Duration::from_secs(5)).code(), Some(0), "{server}");
    assert!(!socket.exists());
}

/// Relative to the configuration, as every other name in it; and its name is not taken from another.
#[test]
fn a_configured_unix_socket_is_beside_its_configuration() {
    let file = configured("[serve]\nlisten = \"unix:here\"\n");
    let socket = file.with_file_name("here");
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyscheme"));
    command.args(["serve", "--config"]).arg(&file);
    let mut server = Server::start("keyscheme serve", &mut command);
    server.announced("listening on ");
    UnixStream::connect(&socket).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyscheme"));
    let output = command.args(["serve", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("serve.listen: unix:") && said.contains("choose another path"), "{said}");
    fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    terminate(&server);
    assert_eq!(server.ended(Duration::from_secs(5)).code(), Some(0), "{server}");
    UnixStream::connect(&socket).unwrap();
}

fn terminate(server: &Server) {
    let status = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Who only connects takes nothing from who is connected, nor from those who take a key away.
#[test]
fn connections_leave_file_descriptors_for_everything_else() {
    let file = configured("[replay]\nstate = \"replay.state\"\n");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 128; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_keyscheme")]);
    shell.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    let (mut server, address) = started(&mut shell);
    let config = tokio::runtime::Runtime::new().unwrap().block_on(Config::load(&file)).unwrap();
    let issuer = config.issuer("stt", CLIENT, Some("ecb0")).unwrap();
    let value = issuer.issue(&Request::new("GET", "/")).unwrap();
    let mut proxy = TcpStream::connect(address).unwrap();
    let mut asks = || {
        let question = format!(
            "GET /auth/nginx/stt HTTP/1.1\r\nHost: a\r\nX-Original-Method: GET\r\n\
             X-Original-URI: /\r\nX-API-KEY: {value}\r\n\r\n"
        );
        proxy.write_all(question.as_bytes()).unwrap();
        let mut head = [0; 12];
        proxy.read_exact(&mut head).unwrap();
        let status = String::from_utf8_lossy(&head[9..]).into_owned();
        let mut rest = [0; 4096];
        let _ = proxy.read(&mut rest).unwrap();
        status
    };
    assert_eq!(asks(), "200");
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    server.announced("there are as many connections as there may be");
    let text = fs::read_to_string(&file).unwrap();
    let disabled = text.replace("id = \"key-ecb0\"", "id = \"key-ecb0\"\nstate = \"disabled\"");
    fs::write(&file, disabled).unwrap();
    let started = Instant::now();
    while asks() != "401" {
        assert!(started.elapsed() < Duration::from_secs(5), "{server}");
        thread::sleep(Duration::from_millis(20));
    }
    drop(idle);
    let answer = ask(address, "GET /readyz", &[], "");
    assert_eq!(answer.status, 200);
    terminate(&server);
    assert_eq!(server.ended(Duration::from_secs(20)).code(), Some(0), "{server}");
}

/// Who has read that it listens may send it signals at once.
#[test]
fn signals_are_heard_from_the_first_moment() {
    let file = configured("");
    // A shell sends them itself; to start another program for it takes too long.
    let script = r#"
        : >"$2"
        "$0" serve --config "$1" --listen 127.0.0.1:0 >"$2" &
        while ! [ -s "$2" ]; do :; done
        kill -"$3" $!; kill -TERM $! 2>/dev/null; wait $!"#;
    for signal in ["HUP", "TERM", "INT"] {
        for _ in 0..5 {
            let mut shell = Command::new("sh");
            shell.args(["-c", script, env!("CARGO_BIN_EXE_keyscheme")]);
            shell.arg(&file).arg(file.with_file_name("out")).arg(signal);
            let output = shell.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{signal}: {said}");
            assert!(said.contains("ended"), "{signal}: {said}");
        }
    }
}

#[test]
fn it_ends_within_its_bound_and_answers_what_is_under_way() {
    let mut world = World::new("", &["--drain", "1"]);
    // Idle, and with half a request.
    let mut idle = TcpStream::connect(world.address).unwrap();
    idle.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut half = TcpStream::connect(world.address).unwrap();
    half.write_all(b"GET /readyz HTTP/1.1\r\nHost:").unwrap();
    thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    terminate(&world.server);
    let status = world.server.ended(Duration::from_secs(5));
    assert_eq!(status.code(), Some(0), "{}", world.server);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(TcpStream::connect(world.address).is_err());
    let written = world.server.written();
    assert!(written.contains("ended with calls under way seconds=1"), "{written}");
}

#[test]
fn every_decision_is_a_line_and_no_flood() {
    let world = World::new("", &["--log", "json"]);
    for scheme in SCHEMES {
        let value = world.credential(scheme, "GET", "/v1/x?secret=query", "");
        world.about("nginx", "GET", "/v1/x?secret=query", &[("X-API-KEY", &value)]);
    }
    // The body was meant to be covered, and a proved client is named.
    let stale = world.credential("hmac1", "GET", "/", "");
    world.about("nginx", "GET", "/", &[("X-API-KEY", &stale)]);
    world.about("nginx", "GET", "/", &[("X-API-KEY", &stale)]);
    let mut stream = TcpStream::connect(world.address).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        answers.read_to_string(&mut text).unwrap();
        text.matches("HTTP/1.1 401").count()
    });
    let question = "GET /auth/nginx/stt HTTP/1.1\r\nHost: a\r\nX-Original-Method: GET\r\n\
                    X-Original-URI: /flood\r\nX-API-KEY: hmac1.nobody.1.x\r\n";
    for number in 0..2_000 {
        let last = if number == 1_999 { "Connection: close\r\n" } else { "" };
        stream.write_all(format!("{question}{last}\r\n").as_bytes()).unwrap();
    }
    assert_eq!(reader.join().unwrap(), 2_000);
    terminate(&world.server);
    let mut server = world.server;
    server.ended(Duration::from_secs(15));
    let written = server.written();
    let lines: Vec<serde_json::Value> =
        written.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of =
        |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let accepted = of("accepted");
    assert_eq!(accepted.len(), 5, "{written}");
    for (line, scheme) in accepted.iter().zip(SCHEMES) {
        for (field, expected) in [
            ("service", "stt"),
            ("client", CLIENT),
            ("scheme", scheme),
            ("key_id", &format!("key-{scheme}")),
            ("method", "GET"),
            ("path", "/v1/x"),
        ] {
            assert_eq!(line[field], expected, "{line}");
        }
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        assert!(line["micros"].is_u64(), "{line}");
    }
    let refused = of("refused");
    let flood: Vec<_> = refused.iter().filter(|line| line["reason"] == "unknown-key").collect();
    assert!((1..40).contains(&flood.len()), "{} lines", flood.len());
    let suppressed: u64 = flood.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
    let shown = flood.iter().filter(|line| line["path"] == "/flood").count() as u64;
    assert_eq!(suppressed + shown, 2_000, "{flood:#?}");
    assert!(flood.iter().all(|line| line.get("client").is_none()), "{flood:#?}");
    let replayed = refused.iter().find(|line| line["reason"] == "replayed").unwrap();
    assert_eq!((&replayed["client"], &replayed["key_id"]), (&CLIENT.into(), &"key-hmac1".into()));
    for (_, secret) in SECRETS {
        assert!(!written.contains(secret), "{secret}");
    }
    assert!(!written.contains(&stale) && !written.contains("secret=query"));
}

/// Where a proxy names no request, or two, or is not known, there is no method and no path.
#[test]
fn what_is_not_known_is_left_out_of_the_log() {
    let world = World::new("[serve]\nproxy-token = { file = \"token\" }\n", &["--log", "json"]);
    let token = ("X-Proxy-Token", "a-token-that-proxies-show");
    let (method, uri) = (("X-Original-Method", "GET"), ("X-Original-URI", "/x"));
    for headers in [&[token, method][..], &[token, method, uri, uri], &[method, uri]] {
        assert_ne!(world.ask("GET /auth/nginx/stt", headers, "").status, 200);
    }
    assert_eq!(world.ask("GET /auth/nginx/stt", &[token, method, uri], "").status, 401);
    terminate(&world.server);
    let mut server = world.server;
    server.ended(Duration::from_secs(5));
    let written = server.written();
    let of = |words: &str| written.lines().find(|line| line.contains(words)).unwrap();
    for words in ["does not send x-original-uri", "\"ambiguous\"", "X-Proxy-Token is missing"] {
        let line = of(words);
        assert!(!line.contains("\"method\"") && !line.contains("\"path\""), "{line}");
    }
    assert!(of("\"missing\"").contains("\"method\":\"GET\",\"path\":\"/x\""), "{written}");
}

/// Who may not ask decides nothing in the log, nor how much is kept for it.
#[test]
fn a_stranger_cannot_flood_the_log_with_names() {
    let world = World::new("[serve]\nproxy-token = { file = \"token\" }\n", &["--log", "json"]);
    for number in 0..300 {
        for dialect in ["caddy", "envoy"] {
            let line = format!("GET /auth/{dialect}/name-{number}/x");
            assert_ne!(world.ask(&line, &[], "").status, 200);
        }
    }
    // Nor does a proxy of ours that asks for what there is not.
    let token = ("X-Proxy-Token", "a-token-that-proxies-show");
    for number in 0..300 {
        let line = format!("GET /auth/envoy/other-{number}/");
        assert_eq!(world.ask(&line, &[token], "").status, 403);
    }
    terminate(&world.server);
    let mut server = world.server;
    server.ended(Duration::from_secs(5));
    let written = server.written();
    assert!(!written.contains("name-"), "{written}");
    let lines = written.lines().filter(|line| line.contains("unavailable")).count();
    assert!((2..40).contains(&lines), "{lines} lines");
    assert!(written.contains("there is no service \\\"other-0\\\""), "{written}");
}

#[test]
fn help_shows_how_to_start_it() {
    let output = keyscheme().args(["serve", "--help"]).output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(help.contains("keyscheme serve --config keyscheme.toml"), "{help}");
    assert!(help.contains("--listen"), "{help}");
}

#[test]
fn keys_change_under_a_running_server() {
    let mut world = World::new("", &[]);
    let file = world.file.clone();
    let was = fs::read_to_string(&file).unwrap();
    let value = world.credential("ecb0", "GET", "/", "");
    let asks = |world: &World| world.about("nginx", "GET", "/", &[("X-API-KEY", &value)]).status;
    assert_eq!(asks(&world), 200);
    let started = Instant::now();
    let replace = |text: &str| {
        fs::write(file.with_extension("new"), text).unwrap();
        fs::rename(file.with_extension("new"), &file).unwrap();
    };
    let disabled = was.replace("id = \"key-ecb0\"", "id = \"key-ecb0\"\nstate = \"disabled\"");
    replace(&disabled);
    while asks(&world) != 401 {
        assert!(started.elapsed() < Duration::from_secs(2), "{}", world.server);
        thread::sleep(Duration::from_millis(20));
    }
    world.server.announced("keys and policy are what the configuration says");
    let id = world.server.id().to_string();
    let reload = || assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    // What cannot be used is logged, and changes nothing.
    replace("nonsense");
    world.server.announced("the configuration cannot be used; what was read before stays in force");
    reload();
    world.server.announced("not reloaded");
    assert_eq!(asks(&world), 401);
    replace(&was);
    reload();
    world.server.announced("INFO reloaded");
    assert_eq!(asks(&world), 200);
}

#[test]
fn a_server_whose_configuration_is_stale_is_not_ready() {
    let world = World::new("[reload]\nmax-stale = \"1s\"\n", &[]);
    assert_eq!(world.ask("GET /readyz", &[], "").status, 200);
    fs::remove_file(&world.file).unwrap();
    let started = Instant::now();
    loop {
        let answer = world.ask("GET /readyz", &[], "");
        if answer.status == 503 {
            assert!(answer.body.contains("stale"), "{answer:?}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{}", world.server);
        thread::sleep(Duration::from_millis(50));
    }
    // Who is known is known still.
    let value = world.credential("ecb0", "GET", "/", "");
    assert_eq!(world.about("nginx", "GET", "/", &[("X-API-KEY", &value)]).status, 200);
}

#[test]
fn what_a_memory_of_its_own_means_is_said() {
    const RESTART: &str = "a restart forgets which single-use credentials were used";
    const REPLICAS: &str = "other replicas do not know which single-use credentials were used here";
    let says = |file: &std::path::Path, kubernetes: bool| {
        let mut command = serve_here(file);
        if kubernetes {
            command.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        }
        let (mut server, _) = started(&mut command);
        terminate(&server);
        server.ended(Duration::from_secs(5));
        let written = server.written();
        [RESTART, REPLICAS].map(|what| written.contains(what))
    };
    let file = configured("");
    assert_eq!((says(&file, false), says(&file, true)), ([true, false], [true, true]));
    let file = configured("[replay]\nstate = \"replay.state\"\n");
    assert_eq!((says(&file, false), says(&file, true)), ([false, false], [false, true]));
    // Where nothing is single use there is nothing to say.
    let text = fs::read_to_string(&file).unwrap().replace("issue = \"hmac1\"", "issue = \"gcm1\"");
    let entry = "    { scheme = \"hmac1\", danger-uncovered-body = true },\n";
    assert!(text.contains(entry));
    fs::write(&file, text.replace(entry, "")).unwrap();
    assert_eq!((says(&file, false), says(&file, true)), ([false, false], [false, false]));
}

/// What is read at the start alone is put in force by the next one, and that is written once.
#[test]
fn a_change_that_takes_a_restart_is_said() {
    let mut world = World::new("", &[]);
    let text = fs::read_to_string(&world.file).unwrap();
    fs::write(&world.file, format!("{text}[replay]\ncapacity = 77\n")).unwrap();
    let said = world.server.announced("what these tables say is put in force at the next start");
    assert!(said.contains("replay"), "{said}");
}

/// How a server is started on a state file, with the clock of the machine or another.
fn on_state(file: &std::path::Path, clock: Option<&str>) -> (Server, std::net::SocketAddr) {
    let mut command = serve_here(file);
    if let Some(shift) = clock {
        // Not its program, which would be killed in our place.
        command.env("LD_PRELOAD", faketime().unwrap()).env("FAKETIME", shift);
    }
    started(&mut command)
}

fn faketime() -> Option<std::path::PathBuf> {
    let places = fs::read_dir("/usr/lib").ok()?.flatten();
    places.map(|place| place.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}

#[test]
fn a_restart_reopens_nothing() {
    let state = "[replay]\nstate = \"replay.state\"\n";
    let mut world = World::new(state, &[]);
    world.server.announced("there is no replay memory of a process before");
    let file = world.file.clone();
    let used = world.credential("hmac1", "GET", "/", "");
    let asks = |world: &World, value: &str| {
        let answer = world.about("caddy", "GET", "/", &[("X-API-KEY", value)]);
        answer.status
    };
    assert_eq!((asks(&world, &used), asks(&world, &used)), (200, 401));
    // In peace: everything is known, and nothing else refused.
    terminate(&world.server);
    assert_eq!(world.server.ended(Duration::from_secs(5)).code(), Some(0));
    (world.server, world.address) = on_state(&file, None);
    world.server.announced("the replay memory of the process before is known");
    assert_eq!(asks(&world, &used), 401);
    let fresh = world.credential("hmac1", "GET", "/", "");
    assert_eq!((asks(&world, &fresh), asks(&world, &fresh)), (200, 401));
    // Killed: what may have been used is not judged.
    world.server.kill();
    (world.server, world.address) = on_state(&file, None);
    world
        .server
        .announced("the replay memory of the process before is lost: single-use credentials");
    assert_eq!((asks(&world, &used), asks(&world, &fresh)), (503, 503));
    assert_eq!(asks(&world, &world.credential("hmac1", "GET", "/", "")), 503);
    let legacy = world.credential("ecb0", "GET", "/", "");
    assert_eq!(asks(&world, &legacy), 200);
    // Another process does not take the file away.
    let output = serve_here(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("another process uses it"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}

/// What is alive says so also while nothing is looked at, or looking takes its time.
#[test]
fn a_state_file_is_kept_however_seldom_files_are_looked_at() {
    let more = "[replay]\nstate = \"replay.state\"\n[reload]\ninterval = \"1h\"\n";
    let world = World::new(more, &[]);
    let state = world.file.with_file_name("replay.state");
    let first = fs::read(&state).unwrap();
    let started = Instant::now();
    while fs::read(&state).unwrap() == first {
        assert!(started.elapsed() < Duration::from_secs(19), "{}", world.server);
        thread::sleep(Duration::from_millis(100));
    }
    let value = world.credential("hmac1", "GET", "/", "");
    let answer = world.about("caddy", "GET", "/", &[("X-API-KEY", &value)]);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Nothing is accepted that the process after this one could not know of.
#[test]
fn a_state_file_that_cannot_be_written_is_said() {
    let mut world = World::new("[replay]\nstate = \"state/replay.state\"\n", &[]);
    let directory = world.file.with_file_name("state");
    fs::rename(&directory, world.file.with_file_name("elsewhere")).unwrap();
    world
        .server
        .announced("the state file cannot be written: single-use credentials will be refused");
    let started = Instant::now();
    loop {
        let value = world.credential("hmac1", "GET", "/", "");
        match world.about("caddy", "GET", "/", &[("X-API-KEY", &value)]).status {
            200 => assert!(started.elapsed() < Duration::from_secs(25), "{}", world.server),
            status => break assert_eq!(status, 503),
        }
        thread::sleep(Duration::from_millis(100));
    }
    terminate(&world.server);
    world.server.ended(Duration::from_secs(5));
    let written = world.server.written();
    assert!(written.contains("the state file cannot be written error="), "{written}");
}

#[test]
fn a_clock_that_is_set_back_reopens_nothing() {
    if !is_there("faketime", faketime().is_some()) {
        return;
    }
    let mut world = World::new("[replay]\nstate = \"replay.state\"\n", &[]);
    let file = world.file.clone();
    let used = world.credential("hmac1", "GET", "/", "");
    let asks = |world: &World, value: &str| {
        world.about("caddy", "GET", "/", &[("X-API-KEY", value)]).status
    };
    assert_eq!(asks(&world, &used), 200);
    for end in ["-TERM", "-KILL"] {
        let id = world.server.id().to_string();
        Command::new("kill").args([end, &id]).status().unwrap();
        world.server.ended(Duration::from_secs(5));
        (world.server, world.address) = on_state(&file, Some("-25s"));
        assert_ne!(asks(&world, &used), 200, "{end}");
    }
}
