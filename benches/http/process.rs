//! Servers, each in a process of its own that ends with this one's handle on it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    app::Before,
    world::{API_KEY, JWT_SECRET, SALT},
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Article,
    Axum(Before),
    Serve,
}

/// One that runs.
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Whether it answers 401 to a request without credential.
    pub fn refuses(self) -> bool {
        !matches!(self, Self::Axum(Before::Nothing | Before::Layer))
    }

    pub fn start(self, config: &Path, log: &Path) -> Process {
        let mut command = match self {
            Self::Article => {
                let mut command = python();
                command.env("SALT", SALT).env("API_KEY", API_KEY).stdin(Stdio::null());
                command
            }
            Self::Axum(before) => {
                let this = std::env::current_exe().expect("this program");
                let mut command = Command::new(this);
                command.args(["server", before.word()]).arg(config).arg(JWT_SECRET);
                // Its end is the end of the server.
                command.stdin(Stdio::piped());
                command
            }
            Self::Serve => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_keyscheme"));
                command.arg("serve").arg("--config").arg(config).args(["--listen", "127.0.0.1:0"]);
                let log = File::create(log).expect("a file for the log");
                command.stdin(Stdio::null()).stderr(log);
                command
            }
        };
        let mut child = command.stdout(Stdio::piped()).spawn().expect("to start a server");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        let read = BufReader::new(output).read_line(&mut line);
        let address = read.ok().and_then(|_| {
            line.trim_end().strip_prefix("listening on http://").and_then(|it| it.parse().ok())
        });
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{self:?} did not start: {line}");
        };
        Process { child, address }
    }
}

impl Process {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and system time of the whole process so far.
    pub fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("Linux, and a server that runs");
        // The name before it may hold anything. Then come the fields from the third on.
        let (_, fields) = stat.rsplit_once(") ").expect("a name");
        let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>());
        let ticks: u64 = ticks.map(|ticks| ticks.expect("a number")).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The article's application.
fn python() -> Command {
    let python = std::env::var_os("KEYSCHEME_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/article.py"));
    command
}

/// With what the article's application would run; what is missing, where something is.
pub fn article_versions() -> Result<String, String> {
    let output = python().arg("--versions").output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let error = text(&output.stderr);
    Err(error.lines().last().unwrap_or_default().to_owned())
}

/// A connection to a server, to ask it one thing after another.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server that listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self(BufReader::new(stream))
    }

    /// The status of the answer.
    pub fn ask(&mut self, request: &str) -> u16 {
        self.0.get_mut().write_all(request.as_bytes()).expect("to ask");
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("an answer");
            let lower = line.trim_end().to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            } else if let Some(rest) = lower.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().expect("a status");
            } else if lower.is_empty() {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length]).expect("the answer's body");
        status
    }
}

/// In `/proc`, on every machine.
const TICKS_PER_SECOND: u64 = 100;
