//! Bodies that are read to their end before the service sees anything of them.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;

use super::digest::Content;
use crate::{verifier::Refused, verify::Verified};

pin_project! {
    /// A covered body that is being read.
    pub(in crate::http) struct Collecting<B> {
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
pub(in crate::http) struct Whole {
    pub(in crate::http) verified: Verified,
    pub(in crate::http) data: Option<Bytes>,
    pub(in crate::http) trailers: Option<HeaderMap>,
}

/// Why there is none.
pub(in crate::http) enum Unread {
    BrokenOff(Box<Verified>),
    Mismatch(Refused),
    TooLong(Box<Verified>),
}

impl<B: Body<Data = Bytes>> Collecting<B> {
    pub(in crate::http) fn new(body: B, verified: Verified, limit: usize) -> Self {
        let content = Some(Content::new(verified));
        Self { body, content, first: None, more: BytesMut::new(), limit }
    }

    pub(in crate::http) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Whole, Unread>> {
        let mut this = self.project();
        loop {
            // Nobody asks again after the answer.
            let Some(content) = this.content else { return Poll::Pending };
            let unread = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Some(data) = content.take(frame) else { continue };
                    let so_far = this.first.as_ref().map_or(0, Bytes::len) + this.more.len();
                    if data.len() <= this.limit.saturating_sub(so_far) {
                        match this.first {
                            None => *this.first = Some(data),
                            Some(_) => this.more.extend_from_slice(&data),
                        }
                        continue;
                    }
                    Unread::TooLong
                }
                Some(Err(_)) => Unread::BrokenOff,
                None => break,
            };
            let Some(content) = this.content.take() else { return Poll::Pending };
            return Poll::Ready(Err(unread(Box::new(content.into_caller()))));
        }
        let Some(content) = this.content.take() else { return Poll::Pending };
        Poll::Ready(content.finish().map_err(Unread::Mismatch).map(|(verified, trailers)| {
            let data = joined(this.first.take(), this.more);
            Whole { verified, data, trailers }
        }))
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
