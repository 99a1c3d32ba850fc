//! The load: wrk, and before it a few requests of our own.

use std::{
    net::SocketAddr,
    process::{Command, Output},
};

use crate::{
    process::{Connection, Process},
    world::{Pool, World},
};

/// The same request over and over, but for a credential that may be used once.
pub struct Load {
    pub method: &'static str,
    pub path: &'static str,
    /// Whole lines. `POOL` stands for a new credential.
    pub headers: Vec<String>,
    pub body: usize,
    pub pool: Option<Pool>,
}

/// What one run has shown.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub per_second: f64,
    /// Of the server, in microseconds per request.
    pub cpu: f64,
    /// In milliseconds.
    pub p50: f64,
    pub p99: f64,
}

impl Load {
    /// Drives a server for so long. All but a few of the answers must be of success: to refuse is
    /// other work.
    pub fn drive(&self, server: &Process, seconds: u32) -> Reading {
        let before = server.cpu();
        let output = self.wrk(server.address(), seconds);
        let cpu = server.cpu().saturating_sub(before);
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers = text.lines().find_map(|line| line.strip_prefix("numbers: "));
        let numbers = numbers.unwrap_or_else(|| {
            panic!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
        });
        let numbers: Vec<f64> = numbers.split(' ').map(|it| it.parse().expect("wrk")).collect();
        let [requests, micros, refused, broken, p50, p99] = numbers[..] else {
            panic!("load.lua writes six numbers")
        };
        assert!(
            requests > 0.0 && refused + broken <= requests / 1_000.0,
            "of {requests} answers {refused} were of no success, and {broken} never came"
        );
        Reading {
            per_second: requests / micros * 1e6,
            cpu: cpu.as_secs_f64() * 1e6 / requests,
            p50: p50 / 1e3,
            p99: p99 / 1e3,
        }
    }

    fn wrk(&self, address: SocketAddr, seconds: u32) -> Output {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(CONNECTIONS);
        let mut command = Command::new("wrk");
        command.args(["--script", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/load.lua")]);
        command.arg(format!("--threads={threads}")).arg(format!("--connections={CONNECTIONS}"));
        command.arg(format!("--duration={seconds}s"));
        for header in &self.headers {
            command.args(["--header", header]);
        }
        command.arg(format!("http://{address}{}", self.path));
        command.args(["--", self.method]).arg(self.body.to_string());
        if let Some(pool) = &self.pool {
            command.arg(&pool.file).arg(pool.length.to_string());
            command.arg((pool.count / threads).to_string());
        }
        command.output().expect("wrk")
    }

    /// Asks some times before anything is measured: that a server answers what it should, and so that
    /// it has done everything once.
    pub fn warm_up(&self, server: &Process, world: &World, refuses: bool) {
        let mut connection = Connection::to(server.address());
        for _ in 0..WARM_UP {
            let mut request = self.request(|_| true);
            if self.pool.is_some() {
                let credential = world.credential("hmac1", self.method, self.body);
                request = request.replace("POOL", &credential);
            }
            let status = connection.ask(&request);
            assert_eq!(status, 200, "a sound request is answered {status}:\n{request}");
        }
        let secret = |header: &str| CREDENTIALS.iter().any(|name| header.starts_with(name));
        let status = connection.ask(&self.request(|header| !secret(header)));
        let expected = if refuses { 401 } else { 200 };
        assert_eq!(status, expected, "a request without credential is answered {status}");
    }

    /// The request as wrk sends it, with some of its headers.
    fn request(&self, with: impl Fn(&str) -> bool) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for header in self.headers.iter().filter(|header| with(header)) {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if self.body > 0 {
            text.push_str(&format!("Content-Length: {}\r\n", self.body));
        }
        text.push_str("\r\n");
        text.push_str(&"x".repeat(self.body));
        text
    }
}

/// Whether wrk is here.
pub fn is_there() -> bool {
    // It answers `-v` with an exit status of 1.
    Command::new("wrk").arg("-v").output().is_ok()
}

const CONNECTIONS: usize = 64;
const WARM_UP: usize = 300;
/// What begins a header that proves something.
const CREDENTIALS: [&str; 2] = ["X-API-Key:", "Authorization:"];
