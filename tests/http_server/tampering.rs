//! However a body is cut into frames and changed, what a reader has read without an error is what the
//! credential covers. Without connections, so many of them.

use std::convert::Infallible;

use http::Response;
use http_body::Body;
use http_body_util::Full;
use keyscheme::http::{Refusal, RequestBody};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    frames::{Frames, Piece, Read, read, trailers},
    world::{auth, credential},
};

/// What is done to a body on its way.
#[derive(Clone, Debug)]
enum Change {
    Byte(prop::sample::Index, u8),
    CutOff(prop::sample::Index),
    Drop(prop::sample::Index),
    Extend(Vec<u8>),
    Insert(prop::sample::Index, Vec<u8>),
    None,
    Repeat(prop::sample::Index),
    Replace(Vec<Vec<u8>>),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let bytes = || prop::collection::vec(any::<u8>(), 0..6);
    prop_oneof![
        3 => Just(Change::None),
        1 => (at(), 1_u8..).prop_map(|(at, with)| Change::Byte(at, with)),
        1 => at().prop_map(Change::CutOff),
        1 => at().prop_map(Change::Drop),
        1 => bytes().prop_map(Change::Extend),
        1 => (at(), bytes()).prop_map(|(at, data)| Change::Insert(at, data)),
        1 => at().prop_map(Change::Repeat),
        1 => prop::collection::vec(bytes(), 0..5).prop_map(Change::Replace),
        1 => (at(), at()).prop_map(|(one, two)| Change::Swap(one, two)),
    ]
}

fn changed(mut chunks: Vec<Vec<u8>>, change: &Change) -> Vec<Vec<u8>> {
    let count = chunks.len();
    match change {
        Change::Extend(data) => chunks.push(data.clone()),
        Change::Insert(at, data) => chunks.insert(at.index(count + 1), data.clone()),
        Change::Replace(others) => return others.clone(),
        _ if count == 0 => {}
        Change::Byte(at, with) => {
            let chunk = at.get(&chunks).len();
            if let Some(place) = chunk.checked_sub(1) {
                chunks[at.index(count)][place] ^= with;
            }
        }
        Change::Drop(at) => drop(chunks.remove(at.index(count))),
        Change::Repeat(at) => chunks.insert(at.index(count), at.get(&chunks).clone()),
        Change::Swap(one, two) => chunks.swap(one.index(count), two.index(count)),
        Change::CutOff(_) | Change::None => {}
    }
    chunks
}

/// Runs a future that waits for nobody but itself.
fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The status, whether a refusal is known outside, and what the service has read.
async fn pass(frames: Frames, covered: &[u8]) -> (u16, bool, Option<Read>) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let inner = service_fn(move |request: http::Request<RequestBody<Frames>>| {
        let sender = sender.clone();
        async move {
            sender.send(read(Honest::new(request.into_body())).await).await.unwrap();
            Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("done")))
        }
    });
    let request = http::Request::post("/p?a=b");
    let request = request.header("x-api-key", credential("hmac1", "POST", "/p?a=b", covered));
    let service = auth().layer("stt").layer(inner);
    let response = service.oneshot(request.body(frames).unwrap()).await.unwrap();
    let refused = response.extensions().get::<Refusal>().is_some();
    (response.status().as_u16(), refused, receiver.try_recv().ok())
}

/// Holds a body to what it says of itself.
struct Honest {
    body: RequestBody<Frames>,
    /// The bounds that were given, and what came afterwards.
    bounds: Vec<(u64, Option<u64>, u64)>,
    failed: bool,
}

impl Honest {
    fn new(body: RequestBody<Frames>) -> Self {
        Self { body, bounds: Vec::new(), failed: false }
    }
}

impl Body for Honest {
    type Data = bytes::Bytes;
    type Error = String;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, String>>> {
        let hint = self.body.size_hint();
        let ended = self.body.is_end_stream();
        self.bounds.push((hint.lower(), hint.upper(), 0));
        let frame = std::task::ready!(std::pin::Pin::new(&mut self.body).poll_frame(cx));
        assert!(!ended || frame.is_none(), "there is something after the end");
        if let Some(Ok(frame)) = &frame {
            let came = frame.data_ref().map_or(0, bytes::Bytes::len) as u64;
            self.bounds.iter_mut().for_each(|(_, _, so_far)| *so_far += came);
        }
        self.failed |= matches!(frame, Some(Err(_)));
        for (lower, upper, came) in &self.bounds {
            assert!(upper.is_none_or(|upper| *came <= upper), "more than {upper:?} came");
            let is_end = frame.is_none() && !self.failed;
            assert!(!is_end || came >= lower, "less than {lower} came");
        }
        std::task::Poll::Ready(frame.map(|frame| frame.map_err(|error| error.to_string())))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_without_an_error_is_what_is_covered(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..6),
        change in change(),
        pending in prop::collection::vec(any::<bool>(), 12),
        honest in any::<bool>(),
        has_trailers in any::<bool>(),
    ) {
        let covered = chunks.concat();
        let arriving = changed(chunks, &change);
        let arrives = arriving.concat();
        let last = arriving.iter().rfind(|chunk| !chunk.is_empty()).map_or(0, Vec::len);
        let mut pieces = Vec::new();
        for (chunk, pending) in arriving.into_iter().zip(pending) {
            pieces.extend(pending.then_some(Piece::Pending));
            pieces.push(Piece::Data(chunk));
        }
        pieces.extend(has_trailers.then_some(Piece::Trailers));
        let cut_off = if let Change::CutOff(at) = &change {
            pieces.truncate(at.index(pieces.len() + 1));
            pieces.push(Piece::Error);
            true
        } else {
            false
        };
        let (status, refused, read) = run(pass(Frames::new(pieces, honest), &covered));
        if cut_off {
            let read = read.unwrap();
            prop_assert_eq!((status, refused, read.end), (200, false, "error"));
            prop_assert!(read.trailers.is_none());
            prop_assert!(covered.starts_with(&read.content()));
            prop_assert!(read.content().len() < covered.len() || covered.is_empty());
        } else if arrives == covered {
            let read = read.unwrap();
            prop_assert_eq!((status, refused, read.end), (200, false, "clean"));
            prop_assert_eq!(read.content(), covered);
            prop_assert_eq!(read.trailers, has_trailers.then(trailers));
        } else {
            prop_assert_eq!((status, refused), (401, true));
            // Where it was seen at once that there is none, nobody was called.
            if let Some(read) = read {
                prop_assert_eq!((read.end, read.trailers.as_ref()), ("error", None));
                prop_assert!(read.content().len() <= arrives.len() - last);
                prop_assert!(arrives.starts_with(&read.content()));
            } else {
                prop_assert!(arrives.is_empty());
            }
        }
    }
}
