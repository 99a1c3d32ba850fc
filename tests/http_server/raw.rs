//! A client of HTTP/1.1 that sends bytes and shows what came back, as it came.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A request's head of HTTP/1.1, with other lines each ended by CR LF.
pub fn head(method: &str, target: &str, credential: &str, others: &str) -> Vec<u8> {
    let ours = format!("X-API-KEY: {credential}\r\n");
    let ours = if credential.is_empty() { "" } else { &ours };
    format!("{method} {target} HTTP/1.1\r\nHost: stt\r\n{ours}{others}\r\n").into_bytes()
}

pub fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

/// A connection on which any bytes can be sent.
pub struct Raw {
    stream: TcpStream,
    arrived: Vec<u8>,
}

/// A response of HTTP/1.1 as it came.
#[derive(Debug)]
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
    /// Whether it came to the end that it had announced.
    pub whole: bool,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap_or_else(|| panic!("{self:?}")).parse().unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All of it, but for the date.
    pub fn all(&self) -> String {
        let is_date = |line: &&str| line.to_ascii_lowercase().starts_with("date: ");
        let head: Vec<_> = self.head.split("\r\n").filter(|line| !is_date(line)).collect();
        format!("{}{}", head.join("\r\n"), self.body.escape_ascii())
    }
}

impl Raw {
    pub fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, arrived: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // Who closes early has answered before.
        let _ = self.stream.write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// One response; `HEAD` has no body whatever its head says.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            let end = self.arrived.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None if self.more() => {}
                None => panic!("closed after {:?}", self.arrived.escape_ascii().to_string()),
            }
        };
        let rest = self.arrived.split_off(end);
        let head = String::from_utf8(std::mem::replace(&mut self.arrived, rest)).unwrap();
        let mut answer = Answer { head, body: Vec::new(), whole: true };
        if answer.status() == 100 || method == "HEAD" {
            return answer;
        }
        if answer.field("transfer-encoding").is_some() {
            answer.whole = self.chunks(&mut answer.body);
            return answer;
        }
        let length = answer.field("content-length").map_or(0, |n| n.parse().unwrap());
        while self.arrived.len() < length && self.more() {}
        answer.whole = self.arrived.len() >= length;
        answer.body = self.arrived.drain(..length.min(self.arrived.len())).collect();
        answer
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
            while self.arrived.len() < length + 2 {
                if !self.more() {
                    return false;
                }
            }
            body.extend(self.arrived.drain(..length));
            self.arrived.drain(..2);
            if length == 0 {
                return true;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.arrived.windows(2).position(|bytes| bytes == b"\r\n") {
                let line = self.arrived.drain(..end + 2).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Until this has come. It stays to be read.
    pub fn wait_for(&mut self, text: &str) {
        let text = text.as_bytes();
        while !self.arrived.windows(text.len()).any(|part| part == text) {
            assert!(self.more(), "closed after {:?}", self.arrived.escape_ascii().to_string());
        }
    }

    /// Everything until the other side closes.
    pub fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.arrived)).into_owned()
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(n) => {
                self.arrived.extend_from_slice(&bytes[..n]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error} after {:?}", self.arrived.escape_ascii().to_string()),
        }
    }
}
