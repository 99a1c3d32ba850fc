//! Bodies in pieces, and who reads them.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, extract::Request, routing::any};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{self, Receiver, Sender};

#[derive(Debug)]
pub enum Piece {
    Data(Vec<u8>),
    Error,
    Pending,
    Trailers,
}

/// A body that arrives as it is told.
#[derive(Debug)]
pub struct Frames {
    pieces: VecDeque<Piece>,
    /// Whether it says how long it is, and when it is at its end.
    honest: bool,
}

impl Frames {
    pub fn new(pieces: impl IntoIterator<Item = Piece>, honest: bool) -> Self {
        Self { pieces: pieces.into_iter().collect(), honest }
    }

    pub fn of(chunks: &[&str]) -> Self {
        Self::new(chunks.iter().map(|chunk| Piece::Data(chunk.as_bytes().to_vec())), false)
    }

    pub fn with_trailers(mut self) -> Self {
        self.pieces.push_back(Piece::Trailers);
        self
    }
}

pub fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("abc"));
    trailers
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(match self.pieces.pop_front() {
            Some(Piece::Data(data)) => Ok(Frame::data(data.into())),
            Some(Piece::Error) => Err(io::Error::other("the cable is cut")),
            Some(Piece::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Piece::Trailers) => Ok(Frame::trailers(trailers())),
            None => return Poll::Ready(None),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.honest && self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |piece: &Piece| match piece {
            Piece::Data(data) => data.len() as u64,
            _ => 0,
        };
        let length = self.pieces.iter().map(length).sum();
        if self.honest { SizeHint::with_exact(length) } else { SizeHint::default() }
    }
}

/// What a reader has read, and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub data: Vec<Bytes>,
    pub trailers: Option<HeaderMap>,
    pub end: &'static str,
}

impl Read {
    pub fn content(&self) -> Vec<u8> {
        self.data.concat()
    }
}

pub async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Read {
    let mut read = Read { end: "clean", ..Read::default() };
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Whoever asks again gets nothing more.
            let more = matches!(body.frame().await, Some(Ok(_)));
            read.end = if more { "more after an error" } else { "error" };
            break;
        };
        match frame.into_data() {
            Ok(data) => read.data.push(data),
            Err(frame) => read.trailers = frame.into_trailers().ok(),
        }
    }
    read
}

pub type Reads = Arc<Mutex<Vec<Read>>>;

/// `/read` reads to the end and thinks nothing of an error; `/echo` sends back what comes.
pub fn reader() -> (Router, Reads) {
    let reads = Reads::default();
    let list = Arc::clone(&reads);
    let reading = move |request: Request| {
        let list = Arc::clone(&list);
        async move {
            let read = read(request.into_body()).await;
            list.lock().unwrap().push(read);
            "read"
        }
    };
    let echo = async |request: Request| http::Response::new(request.into_body());
    let app = Router::new().route("/read", any(reading)).route("/echo", any(echo));
    (app, reads)
}

/// What is sent into it comes out.
pub struct Channel(Receiver<&'static str>);

impl Channel {
    pub fn new() -> (Sender<&'static str>, Self) {
        let (sender, receiver) = mpsc::channel(8);
        (sender, Self(receiver))
    }
}

impl Body for Channel {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|text| text.map(|text| Ok(Frame::data(Bytes::from(text)))))
    }
}
