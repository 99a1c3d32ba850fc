//! What answers in place of a secret manager where no real one can be made to, and what listens in.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Gives one answer to every request.
pub fn canned(status: u16, body: &str) -> SocketAddr {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nlocation: http://elsewhere.test/\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    serve(move |mut stream| {
        // A request that is not read to its end would make a reset of what was answered.
        let _ = read_request(&mut stream);
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Takes connections and says nothing.
pub fn hanging() -> SocketAddr {
    serve(|mut stream| drop(stream.read_to_end(&mut Vec::new())))
}

fn serve(each: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || each(stream));
        }
    });
    address
}

fn read_request(stream: &mut TcpStream) -> Option<()> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    stream.take(length).read_to_end(&mut Vec::new()).ok().map(drop)
}

/// Stands before a server, and hears what it is asked.
#[derive(Clone)]
pub struct Listener {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    pub fn before(server: SocketAddr) -> Self {
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let all = Arc::clone(&heard);
        let address = serve(move |mut client| {
            let Ok(mut upstream) = TcpStream::connect(server) else { return };
            let mut back = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut back.0, &mut back.1);
                let _ = back.1.shutdown(Shutdown::Both);
            });
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                all.lock().unwrap().extend_from_slice(&buffer[..count]);
                if upstream.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = upstream.shutdown(Shutdown::Both);
        });
        Self { address, heard }
    }

    /// What was asked since this was asked last.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.heard.lock().unwrap())).into_owned()
    }
}
