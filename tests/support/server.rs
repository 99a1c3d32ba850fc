//! Programs that run beside a test and end with it, also where it panics.

use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Whoever is not there after this long does not come.
const START: Duration = Duration::from_secs(20);

/// A program that was started, and what it has written.
pub struct Server {
    name: &'static str,
    child: Child,
    written: Arc<Mutex<String>>,
}

impl Server {
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = Arc::default();
        collect(child.stdout.take(), &written);
        collect(child.stderr.take(), &written);
        Self { name, child, written }
    }

    /// What stands behind `mark` on the first line that has it.
    pub fn announced(&mut self, mark: &str) -> String {
        self.wait(mark, |server| {
            let written = server.written.lock().unwrap();
            // An unfinished line may still grow.
            let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut rests = lines.filter_map(|line| line.split_once(mark));
            rests.next().map(|(_, rest)| rest.split_whitespace().next().unwrap_or("").to_owned())
        })
    }

    /// Waits until connections are taken there.
    pub fn listening(&mut self, address: SocketAddr) {
        self.wait("a listener", |_| TcpStream::connect(address).ok().map(drop));
    }

    fn wait<T>(&mut self, what: &str, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let end = Instant::now() + START;
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            let status = self.child.try_wait().unwrap();
            assert!(status.is_none(), "ended with {} before {what}: {self}", status.unwrap());
            assert!(Instant::now() < end, "no {what} in {START:?}: {self}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// It hangs: connections are taken for it, and nothing is answered.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success(), "kill {signal} {}: {status}", self.name);
    }

    pub fn kill(&mut self) {
        // One that ended by itself is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it has written last is read in another thread.
                thread::sleep(Duration::from_millis(100));
                return status;
            }
            assert!(Instant::now() < end, "has not ended in {within:?}: {self}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// All that it has written.
    pub fn written(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wrote:\n{}", self.name, self.written.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody had a moment ago, for programs that cannot say which one they took.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn collect(pipe: Option<impl Read + Send + 'static>, written: &Arc<Mutex<String>>) {
    let (mut lines, written) = (BufReader::new(pipe.unwrap()), Arc::clone(written));
    thread::spawn(move || {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            written.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}
