//! Requests as clients write them, in ways that a library would not.

use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use crate::wire::{Answer, connected};

/// A request as it is written.
#[derive(Clone)]
pub struct Call {
    pub method: String,
    pub target: String,
    pub lines: Vec<String>,
    pub body: Vec<u8>,
    /// Instead of with its length.
    pub chunked: bool,
    /// What `Connection` says besides `close`.
    pub connection: &'static str,
}

impl Call {
    pub fn new(method: &str, target: &str, body: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            lines: Vec::new(),
            body: body.into(),
            chunked: false,
            connection: "",
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target, "")
    }

    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    pub fn key(self, value: &str) -> Self {
        self.line(format!("X-API-KEY: {value}"))
    }

    /// Sends it, and reads until the other side closes.
    pub fn send(&self, address: SocketAddr) -> Answer {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: example.com\r\n", self.method, self.target);
        let separator = if self.connection.is_empty() { "" } else { ", " };
        head += &format!("Connection: close{separator}{}\r\n", self.connection);
        for line in &self.lines {
            head += &format!("{line}\r\n");
        }
        let mut bytes = Vec::new();
        if self.chunked {
            head += "Transfer-Encoding: chunked\r\n";
            bytes.extend(format!("{:x}\r\n", self.body.len()).bytes());
            bytes.extend(self.body.iter().chain(b"\r\n0\r\n\r\n"));
        } else {
            if !self.body.is_empty() {
                head += &format!("Content-Length: {}\r\n", self.body.len());
            }
            bytes.extend(&self.body);
        }
        let bytes = [head.as_bytes(), b"\r\n", &bytes].concat();
        let mut stream = connected(address);
        // A proxy may answer and close before it has read all.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.is_empty(), "{} {}: no answer: {read:?}", self.method, self.target);
        Answer::of(&answer)
    }
}
