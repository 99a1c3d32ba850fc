//! The client inside of the layer.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    body::IssuedBody,
    error::{BoxError, IssueError},
    future::{IssueFuture, State},
    layer::IssueLayer,
    outgoing::{Incoming, Outgoing},
};

impl<S> Layer<S> for IssueLayer {
    type Service = IssueService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        IssueService { inner, layer: Arc::new(self.clone()) }
    }
}

/// A client of which every request has a new credential. Made by [`IssueLayer`].
#[derive(Clone, Debug)]
pub struct IssueService<S> {
    inner: S,
    layer: Arc<IssueLayer>,
}

impl<S, R> Service<R> for IssueService<S>
where
    R: Outgoing,
    <R::Body as Body>::Error: Into<BoxError>,
    S: Service<R::Sent, Response: Incoming, Error: Into<BoxError>> + Clone,
{
    type Response = S::Response;
    type Error = IssueError;
    type Future = IssueFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(|error| IssueError::Inner(error.into()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The one that said it was ready is the one to be called.
        let clone = self.inner.clone();
        let mut service = mem::replace(&mut self.inner, clone);
        let (mut head, body) = request.split();
        let state = if self.layer.issuer.covers_body() {
            State::collecting(head, service, body, self.layer.limit)
        } else {
            match self.layer.sign::<R>(&mut head, b"") {
                Ok(()) => State::calling(service.call(R::join(head, IssuedBody::original(body)))),
                Err(error) => State::refused(error.into()),
            }
        };
        IssueFuture::new(Arc::clone(&self.layer), state)
    }
}
