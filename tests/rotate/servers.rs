//! Servers that are asked what they have loaded.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    thread,
};

use crate::{
    wire::ask,
    world::{START, World, replaced},
};

/// A server that reads a question, does something, and answers every time with this.
fn answers(
    answer: String,
    first: impl Fn() + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        first();
        answer_one(stream, &answer)
    });
    (address, asked)
}

fn answer_one(mut stream: impl Read + Write, answer: &str) -> String {
    let mut question = Vec::new();
    let mut byte = [0];
    while !question.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        question.push(byte[0]);
    }
    stream.write_all(answer.as_bytes()).unwrap();
    String::from_utf8(question).unwrap()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn keys(id: &str, state: &str) -> String {
    ok(&format!("{{\"keys\":[{{\"id\":\"{id}\",\"state\":\"{state}\"}}]}}"))
}

#[test]
fn every_server_must_have_loaded_it() {
    let world = World::new();
    world.stage("spring-2");
    let ready = keys("spring-2", "staged");
    for (answer, words) in [
        (keys("spring-1", "active"), "has not loaded spring-2"),
        (keys("spring-2", "disabled"), "has loaded spring-2, but as disabled"),
        (ok("{\"keys\":[]}"), "has not loaded spring-2"),
        (ok("ready"), "is not JSON of ours"),
        (ok("{\"keys\":[{\"id\":\"spring-2\"}]}"), "is not JSON of ours"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "one before /keyz"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned(), "proxy-token"),
        (
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "answers 302",
        ),
        (String::new(), "does not say what it has loaded"),
    ] {
        let (first, _) = answers(ready.clone(), || {});
        let (second, _) = answers(answer, || {});
        let (first, second) = (format!("http://{first}"), format!("http://{second}/"));
        // Not even where it is asserted.
        world.refuses(START, &["--loaded", "--server", &first, "--server", &second], words);
    }
    let nobody = format!("http://{}", crate::server::free_address());
    world.refuses(START, &["--server", &nobody], &format!("{nobody} does not say"));
    let (address, question) = answers(keys("spring-2", "active"), || {});
    world.steps(START, &["--server", &format!("http://{address}")]);
    let question = question.join().unwrap();
    assert!(question.starts_with("GET /keyz HTTP/1.1\r\n"), "{question}");
    assert!(question.contains(&format!("host: {address}")), "{question}");
    assert!(!question.contains("x-proxy-token"), "{question}");
}

#[test]
fn a_server_that_hangs_is_not_waited_for() {
    let world = World::new();
    world.stage("spring-2");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    world.refuses(START, &["--server", &address], "no answer in 5 s");
}

#[test]
fn an_old_key_is_not_disabled_early_where_the_new_one_is_not_loaded() {
    let world = World::new();
    world.promote("spring-2");
    let (address, _) = answers(keys("spring-2026-11", "active"), || {});
    let address = format!("http://{address}");
    world.refuses(START, &["--unused", "--server", &address], "has not loaded spring-2");
}

#[test]
fn unix_sockets_are_asked_too() {
    let world = World::new();
    world.stage("spring-2");
    let socket = world.directory.join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = thread::spawn(move || {
        answer_one(listener.accept().unwrap().0, &keys("spring-2", "staged"))
    });
    let said = world.rotate(&["--server", "unix:s"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(asked.join().unwrap().starts_with("GET /keyz"));
}

/// Between reading and writing, while the server is asked.
#[test]
fn what_somebody_else_writes_meanwhile_is_not_lost() {
    let world = World::new();
    world.stage("spring-2");
    let (file, other) = (world.file.clone(), format!("{}# mine\n", world.text()));
    let theirs = other.clone();
    let change = move || fs::write(&file, &theirs).unwrap();
    let (address, _) = answers(keys("spring-2", "staged"), change);
    let names = || world.everything().into_keys().collect::<Vec<_>>();
    let before = names();
    let said = world.rotate(&["--server", &format!("http://{address}")]);
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.err.contains("somebody else has changed it meanwhile"), "{said:?}");
    assert_eq!(world.text(), other);
    assert_eq!(names(), before);
    // Replaced, as editors and mounts do.
    let (file, new) = (world.file.clone(), world.directory.join("new"));
    let change = move || {
        fs::write(&new, "[service.stt]\n").unwrap();
        fs::rename(&new, &file).unwrap();
    };
    let (address, _) = answers(keys("spring-2", "staged"), change);
    let said = world.rotate(&["--server", &format!("http://{address}")]);
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(world.text(), "[service.stt]\n");
}

/// `keyscheme serve` itself, with a token and without.
#[test]
fn a_server_shows_its_keys_to_who_has_the_token() {
    let world = World::new();
    world.stage("spring-2");
    let get = |address, headers: &[(&str, &str)]| ask(address, "GET /keyz", headers, "");
    let (open, address) = world.serve();
    let answer = get(address, &[]);
    assert_eq!((answer.status, answer.one("content-type")), (200, "application/json"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let mut shown: Vec<_> =
        body["keys"].as_array().unwrap().iter().map(ToString::to_string).collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "{\"id\":\"spring-2\",\"state\":\"staged\"}",
            "{\"id\":\"spring-2025-07\",\"state\":\"active\"}",
            "{\"id\":\"spring-2026-11\",\"state\":\"active\"}"
        ]
    );
    drop(open);

    let token = "a-token-that-proxies-show";
    fs::write(world.directory.join("token"), token).unwrap();
    let guarded = "[serve]\nproxy-token = { file = \"token\" }\n\n[secrets]";
    fs::write(&world.file, replaced(&world.text(), "[secrets]", guarded)).unwrap();
    let (_guarded, address) = world.serve();
    for headers in [&[][..], &[("X-Proxy-Token", "another")]] {
        let answer = get(address, headers);
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(!answer.undated().contains("spring"), "{answer:?}");
    }
    let answer = get(address, &[("X-Proxy-Token", token)]);
    assert_eq!(answer.status, 200, "{answer:?}");
    // The command shows the token by itself, and prints it nowhere.
    let said = world.steps(START, &["--server", &format!("http://{address}")]);
    assert!(said.starts_with("promoted: spring-2") && !said.contains(token), "{said}");
}
