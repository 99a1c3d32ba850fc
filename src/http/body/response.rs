//! The body of a response, cut off where the request's was false.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    error::{BodyError, BoxError},
    mismatch::Mismatch,
};

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
    pub(in crate::http) fn answer(body: Bytes) -> Self {
        Self { kind: Kind::Answer { body: Some(body) } }
    }

    /// The service's own body, cut off with an error where the request's turns out to be false.
    pub(in crate::http) fn service(body: B, mismatch: Option<Mismatch>) -> Self {
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
