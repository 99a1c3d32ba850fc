//! A server that can be ended and started again, and verifiers that share it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use keyscheme::{
    Clock, Failure, Hmac1, Issuer, KeyConfig, Material, RedisConfig, RedisReplay, Request,
    ServiceConfig, SystemClock, UnixTime, Verifier,
};

use crate::{
    directory::directory,
    peers::has_peer,
    server::{Server, free_address},
};

pub struct Redis {
    pub server: Server,
    pub address: SocketAddr,
    pub directory: PathBuf,
    arguments: Vec<String>,
}

impl Redis {
    /// A server of its own with these arguments; `None`, and said so, where there is no such program.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        if !has_peer("redis-server", "--version") {
            return None;
        }
        let directory = directory("redis");
        let address = free_address();
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let server = Self::run(address, &directory, &arguments);
        Some(Self { server, address, directory, arguments })
    }

    fn run(address: SocketAddr, directory: &Path, arguments: &[String]) -> Server {
        let mut command = Command::new("redis-server");
        let port = address.port().to_string();
        if !arguments.iter().any(|argument| argument == "--tls-port") {
            command.args(["--port", &port]);
        } else {
            command.args(["--port", "0", "--tls-port", &port]);
        }
        command.args(["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0"]);
        let arguments = arguments.iter().filter(|argument| *argument != "--tls-port");
        command.arg("--dir").arg(directory).args(arguments);
        let mut server = Server::start("redis-server", &mut command);
        server.listening(address);
        server
    }

    /// Kills it, and starts another with what it has saved.
    pub fn restart(&mut self) {
        self.server.kill();
        self.again();
    }

    pub fn again(&mut self) {
        self.server = Self::run(self.address, &self.directory, &self.arguments);
    }

    pub fn config(&self) -> RedisConfig {
        // Long enough for a machine that is busy with other tests.
        RedisConfig::new(self.url()).timeout(Duration::from_secs(1))
    }

    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// What it answers to a command: a line, or the text that is announced by one.
    pub fn ask(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(text.as_bytes()).unwrap();
        let mut answers = BufReader::new(stream);
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let line = line.trim_end();
        match line.strip_prefix('$').and_then(|length| length.parse().ok()) {
            None => line.to_owned(),
            Some(length) => {
                let mut text = vec![0; length];
                answers.read_exact(&mut text).unwrap();
                String::from_utf8(text).unwrap()
            }
        }
    }

    /// The same, where the answer must be this.
    pub fn tell(&self, words: &[&str], answer: &str) {
        assert_eq!(self.ask(words), answer, "{words:?}");
    }

    pub fn info(&self, field: &str) -> String {
        let info = self.ask(&["INFO"]);
        let found = info.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
        found.unwrap_or_else(|| panic!("no {field} in {info}")).to_owned()
    }
}

pub struct Replica {
    pub verifier: Verifier,
}

impl Replica {
    pub fn of(config: RedisConfig) -> Self {
        let store = RedisReplay::new(config).unwrap();
        let verifier = Verifier::builder()
            .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
            .key("spring", KeyConfig::new("spring-1", "hmac1", material()))
            .replay_store(Arc::new(store))
            .build()
            .unwrap();
        Self { verifier }
    }

    /// The verdict on a credential in a word.
    pub async fn says(&self, credential: &str) -> &'static str {
        let request = Request::new("GET", "/").credential(credential).body("");
        match self.verifier.service("stt").unwrap().verify(&request).await {
            Ok(_) => "accepted",
            Err(Failure::Rejected(reason)) => reason.code(),
            Err(Failure::Unavailable(_)) => "unavailable",
        }
    }

    /// Why a new credential is not judged.
    pub async fn why(&self) -> String {
        let credential = credential();
        let request = Request::new("GET", "/").credential(&credential).body("");
        match self.verifier.service("stt").unwrap().verify(&request).await {
            Err(Failure::Unavailable(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until new credentials are accepted, and says how long that took.
    pub async fn settled(&self) -> Duration {
        let started = Instant::now();
        while self.says(&credential()).await != "accepted" {
            assert!(started.elapsed() < Duration::from_secs(8), "{}", self.why().await);
            pause(20).await;
        }
        started.elapsed()
    }

    /// Credentials that it has accepted.
    pub async fn used(&self, count: usize) -> Vec<String> {
        let mut used = Vec::new();
        for _ in 0..count {
            let credential = credential();
            assert_eq!(self.says(&credential).await, "accepted");
            used.push(credential);
        }
        used
    }

    pub async fn all_are(&self, credentials: &[String], verdict: &str) {
        for credential in credentials {
            assert_eq!(self.says(credential).await, verdict);
        }
    }

    /// None of these is accepted, now and for a while.
    pub async fn accepts_none(&self, credentials: &[String], millis: u64) {
        let end = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < end {
            for credential in credentials {
                assert_ne!(self.says(credential).await, "accepted");
            }
            pause(10).await;
        }
    }
}

pub async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// The system's clock, so many seconds ahead.
#[derive(Debug)]
pub struct Ahead(pub u64);

impl Clock for Ahead {
    fn now(&self) -> UnixTime {
        SystemClock.now().plus(self.0)
    }
}

fn material() -> Material {
    Material::new().with("secret", vec![7; 32])
}

pub fn credential_ahead(seconds: u64) -> String {
    let issuer = Issuer::new(Hmac1, "stt", "spring-1", &material()).unwrap();
    issuer.clock(Arc::new(Ahead(seconds))).issue(&Request::new("GET", "/").body("")).unwrap()
}

/// One that is as new as it may be.
pub fn credential() -> String {
    credential_ahead(30)
}

/// What passes bytes on to an address that can be changed, and takes its time for it.
pub struct Proxy {
    pub address: SocketAddr,
    to: Arc<std::sync::Mutex<(SocketAddr, Duration)>>,
}

impl Proxy {
    pub fn to(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = Arc::new(std::sync::Mutex::new((address, Duration::ZERO)));
        let proxy = Self { address: listener.local_addr().unwrap(), to: Arc::clone(&to) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let to = Arc::clone(&to);
                thread::spawn(move || {
                    let Ok(server) = TcpStream::connect(to.lock().unwrap().0) else { return };
                    let (from, back) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
                    thread::spawn(move || std::io::copy(&mut &back, &mut &from));
                    let mut bytes = [0; 65536];
                    let mut stream = stream;
                    while let Ok(read @ 1..) = stream.read(&mut bytes) {
                        thread::sleep(to.lock().unwrap().1);
                        if (&server).write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = server.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        proxy
    }

    pub fn slow_down(&self, delay: Duration) {
        self.to.lock().unwrap().1 = delay;
    }

    pub fn change(&self, address: SocketAddr) {
        self.to.lock().unwrap().0 = address;
    }

    pub fn config(&self) -> RedisConfig {
        RedisConfig::new(format!("redis://{}/0", self.address)).timeout(Duration::from_secs(1))
    }
}

/// What is no Redis, and answers each command as it is told to.
pub fn fake(answer: impl Fn(&[String]) -> Vec<u8> + Send + Clone + 'static) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut commands = BufReader::new(stream.try_clone().unwrap());
                while let Some(words) = command(&mut commands) {
                    if (&stream).write_all(&answer(&words)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// The words of the next command.
fn command(from: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let words: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
    let word = |_| {
        let mut length = String::new();
        from.read_line(&mut length).ok()?;
        let length: usize = length.trim_end().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word).ok()?;
        Some(String::from_utf8_lossy(&word[..length]).into_owned())
    };
    (0..words).map(word).collect()
}
