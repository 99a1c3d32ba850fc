//! The body of a request, checked while its service reads it.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    digest::Content,
    error::{BodyError, BoxError},
    mismatch::Mismatch,
};
use crate::verify::Verified;

pin_project! {
    /// The body that a protected service reads.
    ///
    /// One that the credential covers is hashed as it passes. No data frame is passed on before a
    /// later one that is not empty has arrived, and the last one and all trailers wait for the
    /// digest: who reads to the end without an error has read what the client sent, and who meets
    /// [`BodyError::Mismatch`] has not seen all of what was put in its place. Until then the parts
    /// are nobody's word: act on the whole, or let the layer [buffer](crate::http::AuthLayer::buffer) it.
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
    pub(in crate::http) fn unchecked(body: B) -> Self {
        Self { body: Some(body), check: Check::None }
    }

    /// One that must be what `verified` says; `mismatch` is told if it is not.
    pub(in crate::http) fn checked(body: B, verified: Verified, mismatch: Mismatch) -> Self {
        let running = Running { content: Content::new(verified), held: None, mismatch };
        Self { body: Some(body), check: Check::Running(Box::new(running)) }
    }

    /// One that was read and compared.
    pub(in crate::http) fn collected(data: Option<Bytes>, trailers: Option<HeaderMap>) -> Self {
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
