//! The body that is sent: the one that was given, or what was read of it to be digested.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::error::{BoxError, IssueError};

pin_project! {
    /// The body of a request that has its credential: the original one, or where it had to be
    /// digested its bytes and trailers.
    pub struct IssuedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Collected { content: Bytes, trailers: Option<HeaderMap> },
        Original { #[pin] body: B },
    }
}

impl<B> IssuedBody<B> {
    pub(super) fn original(body: B) -> Self {
        Self { kind: Kind::Original { body } }
    }

    pub(super) fn collected(content: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self { kind: Kind::Collected { content, trailers } }
    }
}

#[cfg(feature = "reqwest")]
impl From<IssuedBody<Self>> for reqwest::Body {
    fn from(body: IssuedBody<Self>) -> Self {
        match body.kind {
            Kind::Collected { content, trailers: None } => content.into(),
            Kind::Original { body } => body,
            kind => Self::wrap(IssuedBody { kind }),
        }
    }
}

impl<B: Body> Body for IssuedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Collected { content, trailers } => {
                let content = mem::take(content);
                let frame = match content.is_empty() {
                    false => Some(Frame::data(content)),
                    true => trailers.take().map(Frame::trailers),
                };
                Poll::Ready(frame.map(Ok))
            }
            KindProjection::Original { body } => {
                let whole = |mut data: B::Data| data.copy_to_bytes(data.remaining());
                let frame = ready!(body.poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(whole))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Collected { content, trailers } => content.is_empty() && trailers.is_none(),
            Kind::Original { body } => body.is_end_stream(),
        }
    }

    /// With trailers no exact size: HTTP/1.1 sends them only where it sends no `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Collected { content, trailers: None } => {
                SizeHint::with_exact(content.len() as u64)
            }
            Kind::Collected { content, trailers: Some(_) } => {
                let mut hint = SizeHint::new();
                hint.set_lower(content.len() as u64);
                hint
            }
            Kind::Original { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for IssuedBody<B> {
    /// Without the content, which is the caller's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Collected { content, .. } => write!(f, "IssuedBody({} bytes)", content.len()),
            Kind::Original { .. } => f.write_str("IssuedBody(original)"),
        }
    }
}

pin_project! {
    /// Reads a body to its end.
    pub(super) struct Collecting<B> {
        #[pin]
        body: B,
        limit: usize,
        first: Bytes,
        // With the first, where there is more than that.
        joined: BytesMut,
        trailers: Option<HeaderMap>,
    }
}

impl<B> Collecting<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        let (first, joined) = (Bytes::new(), BytesMut::new());
        Self { body, limit, first, joined, trailers: None }
    }
}

impl<B: Body<Error: Into<BoxError>>> Future for Collecting<B> {
    type Output = Result<(Bytes, Option<HeaderMap>), IssueError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let limit = *this.limit;
        loop {
            let read = this.first.len().max(this.joined.len());
            let room = limit.saturating_sub(read);
            if this.body.size_hint().lower() > room as u64 {
                return Poll::Ready(Err(IssueError::TooLong { limit }));
            }
            match ready!(this.body.as_mut().poll_frame(cx)) {
                None => {
                    let content = match this.joined.is_empty() {
                        false => mem::take(this.joined).freeze(),
                        true => mem::take(this.first),
                    };
                    return Poll::Ready(Ok((content, this.trailers.take())));
                }
                Some(Err(error)) => return Poll::Ready(Err(IssueError::Body(error.into()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.remaining() > room => {
                        return Poll::Ready(Err(IssueError::TooLong { limit }));
                    }
                    Ok(mut data) if read == 0 => {
                        *this.first = data.copy_to_bytes(data.remaining());
                    }
                    Ok(data) => {
                        if this.joined.is_empty() {
                            this.joined.extend_from_slice(this.first);
                        }
                        this.joined.put(data);
                    }
                    Err(frame) => {
                        let more = frame.into_trailers().unwrap_or_default();
                        this.trailers.get_or_insert_default().extend(more);
                    }
                },
            }
        }
    }
}
