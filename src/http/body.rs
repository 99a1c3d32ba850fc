//! Bodies on their way through: of a request, checked against its credential; of a response, cut off
//! where that check failed.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use sha2::{Digest, Sha256};

use super::answer::Refusal;
use crate::{verifier::Refused, verify::Verified};

pin_project! {
    /// The body that a protected service reads.
    ///
    /// One that the credential covers is hashed as it passes. No data frame is passed on before a
    /// later one that is not empty has arrived, and the last one and all trailers wait for the
    /// digest: who reads to the end without an error has read what the client sent, and who meets
    /// [`BodyError::Mismatch`] has not seen all of what was put in its place. Until then the parts
    /// are nobody's word: act on the whole, or let the layer [buffer](super::AuthLayer::buffer) it.
    pub struct RequestBody<B> {
        // None where it was collected.
        #[pin]
        body: Option<B>,
        check: Check,
    }
}

/// How far the check has come.
enum Check {
    /// It is what it should be; this is left to be passed on.
    Done(Option<Bytes>, Option<Box<HeaderMap>>),
    /// Nothing more is passed on.
    Failed,
    /// Nothing is checked.
    None,
    Running(Box<Running>),
}

struct Running {
    content: Content,
    held: Option<Bytes>,
    mismatch: Mismatch,
}

impl<B> RequestBody<B> {
    /// A body that no credential covers.
    pub(super) fn unchecked(body: B) -> Self {
        Self { body: Some(body), check: Check::None }
    }

    /// One that must be what `verified` says; `mismatch` is told if it is not.
    pub(super) fn checked(body: B, verified: Verified, mismatch: Mismatch) -> Self {
        let running = Running { content: Content::new(verified), held: None, mismatch };
        Self { body: Some(body), check: Check::Running(Box::new(running)) }
    }

    /// One that was read and compared.
    pub(super) fn collected(data: Option<Bytes>, trailers: Option<HeaderMap>) -> Self {
        Self { body: None, check: Check::Done(data, trailers.map(Box::new)) }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        loop {
            let running = match this.check {
                Check::Done(held, trailers) => {
                    let held = held.take().map(Frame::data);
                    let frame =
                        held.or_else(|| trailers.take().map(|trailers| Frame::trailers(*trailers)));
                    return Poll::Ready(frame.map(Ok));
                }
                Check::Failed => return Poll::Ready(None),
                Check::None => {
                    let frame = poll_frame(this.body.as_mut(), cx);
                    return frame.map_err(BodyError::transport);
                }
                Check::Running(running) => running,
            };
            match ready!(poll_frame(this.body.as_mut(), cx)) {
                Some(Ok(frame)) => {
                    let data = running.content.take(frame);
                    if let Some(held) = data.and_then(|data| running.held.replace(data)) {
                        return Poll::Ready(Some(Ok(Frame::data(held))));
                    }
                }
                Some(Err(error)) => {
                    *this.check = Check::Failed;
                    return Poll::Ready(Some(Err(BodyError::transport(error))));
                }
                None => {
                    let check = std::mem::replace(this.check, Check::Failed);
                    let Check::Running(running) = check else { return Poll::Ready(None) };
                    match running.content.finish() {
                        Ok((_, trailers)) => {
                            *this.check = Check::Done(running.held, trailers.map(Box::new));
                        }
                        Err(refused) => {
                            running.mismatch.happens(refused);
                            return Poll::Ready(Some(Err(BodyError::Mismatch)));
                        }
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.check {
            Check::Done(held, trailers) => held.is_none() && trailers.is_none(),
            Check::Failed => true,
            Check::None => self.body.as_ref().is_none_or(Body::is_end_stream),
            // The end is not the end before it was checked.
            Check::Running(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let (held, body) = match &self.check {
            Check::Done(held, _) => (held.as_ref(), None),
            Check::Failed => (None, None),
            Check::None => (None, self.body.as_ref()),
            Check::Running(running) => (running.held.as_ref(), self.body.as_ref()),
        };
        let held = held.map_or(0, Bytes::len) as u64;
        let to_come = body.map_or(SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(to_come.lower().saturating_add(held));
        if let Some(upper) = to_come.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

/// What a body gives next.
type Next<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

fn poll_frame<B: Body>(body: Pin<&mut Option<B>>, cx: &mut Context<'_>) -> Poll<Next<B>> {
    body.as_pin_mut().map_or(Poll::Ready(None), |body| body.poll_frame(cx))
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = match self.check {
            Check::Done(..) => "checked",
            Check::Failed => "failed",
            Check::None => "unchecked",
            Check::Running(_) => "pending",
        };
        write!(f, "RequestBody({check})")
    }
}

/// A covered body as far as it was read, and what it must come to.
pub(super) struct Content {
    verified: Verified,
    hash: Sha256,
    trailers: Option<HeaderMap>,
}

impl Content {
    pub(super) fn new(verified: Verified) -> Self {
        Self { verified, hash: Sha256::new(), trailers: None }
    }

    /// Takes a frame in, and gives its data back where it has some.
    pub(super) fn take(&mut self, frame: Frame<Bytes>) -> Option<Bytes> {
        match frame.into_data() {
            Ok(data) => {
                self.hash.update(&data);
                Some(data).filter(|data| !data.is_empty())
            }
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().or(self.trailers.take());
                None
            }
        }
    }

    /// Who sent it, where it is not read any further.
    pub(super) fn into_caller(self) -> Verified {
        self.verified
    }

    /// Compares the whole.
    pub(super) fn finish(self) -> Result<(Verified, Option<HeaderMap>), Refused> {
        let digest = self.hash.finalize().into();
        let verified = Refused::unless(self.verified, |verified| verified.with_digest(digest))?;
        Ok((verified, self.trailers))
    }
}

/// Whether a body turned out to be another than its credential covers. Request and response share it.
#[derive(Clone)]
pub(super) struct Mismatch(Arc<Watch>);

struct Watch<F: ?Sized = dyn Fn(&Refused) + Send + Sync> {
    refusal: OnceLock<Refusal>,
    /// A response that waits, and must not wait any longer.
    waiting: Mutex<Option<Waker>>,
    log: F,
}

impl Mismatch {
    /// `log` is called at the moment it happens, even if nobody looks any more.
    pub(super) fn new(log: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        let (refusal, waiting) = (OnceLock::new(), Mutex::default());
        Self(Arc::new(Watch { refusal, waiting, log }))
    }

    fn happens(&self, refused: Refused) {
        (self.0.log)(&refused);
        let _ = self.0.refusal.set(Refusal::from(refused));
        let waiting = self.waiting().take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub(super) fn happened(&self) -> Option<&Refusal> {
        self.0.refusal.get()
    }

    /// Whether it has not happened; then the task is woken when it does.
    fn wait(&self, cx: &Context<'_>) -> bool {
        *self.waiting() = Some(cx.waker().clone());
        self.happened().is_none()
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pin_project! {
    /// The body of a response: of the protected service, or of a refusal.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = Projected]
    enum Kind<B> {
        Answer { body: Option<Bytes> },
        Service { #[pin] body: B, mismatch: Option<Mismatch> },
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn answer(body: Bytes) -> Self {
        Self { kind: Kind::Answer { body: Some(body) } }
    }

    /// The service's own body, cut off with an error where the request's turns out to be false.
    pub(super) fn service(body: B, mismatch: Option<Mismatch>) -> Self {
        Self { kind: Kind::Service { body, mismatch } }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().kind.project() {
            Projected::Answer { body } => {
                Poll::Ready(body.take().map(|body| Ok(Frame::data(body))))
            }
            Projected::Service { body, mismatch } => {
                let frame = body.poll_frame(cx).map_err(BodyError::transport);
                // Looked at afterwards: it may be this very call that has read the request's end.
                match mismatch {
                    Some(mismatch) if frame.is_pending() && mismatch.wait(cx) => frame,
                    Some(mismatch) if mismatch.happened().is_some() => {
                        Poll::Ready(Some(Err(BodyError::Mismatch)))
                    }
                    _ => frame,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Answer { body } => body.is_none(),
            Kind::Service { body, mismatch } => {
                body.is_end_stream() && mismatch.as_ref().and_then(Mismatch::happened).is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Answer { body } => {
                SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64)
            }
            Kind::Service { body, .. } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Answer { .. } => "answer",
            Kind::Service { .. } => "service",
        };
        write!(f, "ResponseBody({kind})")
    }
}

/// Why a body ended before its end.
#[derive(Debug)]
pub enum BodyError {
    /// It is not the one that the credential covers.
    Mismatch,
    /// It could not be read.
    Transport(BoxError),
}

/// Whatever the error of a body is.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

impl BodyError {
    fn transport(error: impl Into<BoxError>) -> Self {
        Self::Transport(error.into())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch => f.write_str("the body is not the one that the credential covers"),
            Self::Transport(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Mismatch => None,
            Self::Transport(error) => Some(error.as_ref()),
        }
    }
}
