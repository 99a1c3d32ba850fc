//! Bodies that are read to their end before the service sees anything of them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::Content;
use crate::{verifier::Refused, verify::Verified};

pin_project! {
    /// A covered body that is being read.
    pub(super) struct Collecting<B> {
        #[pin]
        body: B,
        // Taken at the end.
        content: Option<Content>,
        first: Option<Bytes>,
        more: BytesMut,
        limit: usize,
    }
}

/// A body that was read to its end, and is the one that the credential covers.
pub(super) struct Whole {
    pub(super) verified: Verified,
    pub(super) data: Option<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
}

/// Why there is none.
pub(super) enum Unread {
    BrokenOff,
    Mismatch(Refused),
    TooLong,
}

impl<B: Body<Data = Bytes>> Collecting<B> {
    /// `None` where the body says already that it is too long.
    pub(super) fn new(body: B, verified: Verified, limit: usize) -> Option<Self> {
        if usize::try_from(body.size_hint().lower()).is_ok_and(|least| least <= limit) {
            let content = Some(Content::new(verified));
            Some(Self { body, content, first: None, more: BytesMut::new(), limit })
        } else {
            None
        }
    }

    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Whole, Unread>> {
        let mut this = self.project();
        let mut content = this.content.take();
        while let Some(reading) = &mut content {
            match this.body.as_mut().poll_frame(cx) {
                Poll::Pending => {
                    *this.content = content;
                    return Poll::Pending;
                }
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Unread::BrokenOff)),
                Poll::Ready(Some(Ok(frame))) => {
                    let Some(data) = reading.take(frame) else { continue };
                    let so_far = this.first.as_ref().map_or(0, Bytes::len) + this.more.len();
                    if data.len() > this.limit.saturating_sub(so_far) {
                        return Poll::Ready(Err(Unread::TooLong));
                    }
                    match this.first {
                        None => *this.first = Some(data),
                        Some(_) => this.more.extend_from_slice(&data),
                    }
                }
            }
        }
        let Some(content) = content else { return Poll::Ready(Err(Unread::BrokenOff)) };
        let (verified, trailers) = match content.finish() {
            Ok(finished) => finished,
            Err(refused) => return Poll::Ready(Err(Unread::Mismatch(refused))),
        };
        let data = joined(this.first.take(), this.more);
        Poll::Ready(Ok(Whole { verified, data, trailers }))
    }
}

/// Without a copy where there was one piece only.
fn joined(first: Option<Bytes>, more: &mut BytesMut) -> Option<Bytes> {
    let first = first?;
    if more.is_empty() {
        return Some(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(more);
    Some(whole.freeze())
}
