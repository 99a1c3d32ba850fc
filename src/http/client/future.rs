//! A call on its way: its body is read, then it is sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    body::{Collecting, IssuedBody},
    error::{BoxError, IssueError},
    layer::IssueLayer,
    outgoing::{Incoming, Outgoing},
};

pin_project! {
    /// The future of an [`IssueService`](crate::http::IssueService).
    pub struct IssueFuture<S, R>
    where
        S: Service<R::Sent>,
        R: Outgoing,
    {
        layer: Arc<IssueLayer>,
        #[pin]
        state: State<S, R>,
    }
}

impl<S: Service<R::Sent>, R: Outgoing> IssueFuture<S, R> {
    pub(super) fn new(layer: Arc<IssueLayer>, state: State<S, R>) -> Self {
        Self { layer, state }
    }
}

pin_project! {
    #[project = Stands]
    #[project_replace = Stood]
    pub(super) enum State<S, R>
    where
        S: Service<R::Sent>,
        R: Outgoing,
    {
        Calling { #[pin] response: S::Future },
        Collecting { head: R::Head, service: S, #[pin] body: Collecting<R::Body> },
        Done,
        Refused { error: IssueError },
    }
}

impl<S: Service<R::Sent>, R: Outgoing> State<S, R> {
    pub(super) fn calling(response: S::Future) -> Self {
        Self::Calling { response }
    }

    pub(super) fn collecting(head: R::Head, service: S, body: R::Body, limit: usize) -> Self {
        Self::Collecting { head, service, body: Collecting::new(body, limit) }
    }

    pub(super) fn refused(error: IssueError) -> Self {
        Self::Refused { error }
    }
}

impl<S, R> Future for IssueFuture<S, R>
where
    R: Outgoing,
    R::Body: Body<Error: Into<BoxError>>,
    S: Service<R::Sent, Response: Incoming, Error: Into<BoxError>>,
{
    type Output = Result<S::Response, IssueError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let read = match this.state.as_mut().project() {
                Stands::Calling { response } => {
                    let response = ready!(response.poll(cx));
                    this.state.set(State::Done);
                    let response = response.map_err(|error| IssueError::Inner(error.into()))?;
                    this.layer.read(response.fields());
                    return Poll::Ready(Ok(response));
                }
                Stands::Collecting { body, .. } => Some(ready!(body.poll(cx))),
                Stands::Done | Stands::Refused { .. } => None,
            };
            match (this.state.as_mut().project_replace(State::Done), read) {
                (Stood::Collecting { mut head, mut service, .. }, Some(read)) => {
                    let (content, trailers) = read?;
                    this.layer.sign::<R>(&mut head, &content)?;
                    let request = R::join(head, IssuedBody::collected(content, trailers));
                    this.state.set(State::calling(service.call(request)));
                }
                (Stood::Refused { error }, _) => return Poll::Ready(Err(error)),
                // Polled after it was ready: it has nothing more to say.
                _ => return Poll::Pending,
            }
        }
    }
}
