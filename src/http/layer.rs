//! The layer that stands before a service.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    body::{Collecting, RequestBody, ResponseBody},
    gate::{Admitted, After, Gate, Settings},
};
use crate::{
    auth::Authenticator,
    verifier::{Begun, Refused},
    verify::Verified,
};

impl Authenticator {
    /// A layer that lets through to a service only who may call it. See [`crate::http`].
    ///
    /// A service that is not configured is a mistake, and logged as one at once; every request is then
    /// answered 503.
    pub fn layer(&self, service: &str) -> AuthLayer {
        let verifier = self.verifier();
        let snapshot = verifier.snapshot();
        if snapshot.rules(service).is_none() {
            let known = snapshot.services();
            let known: Vec<_> = known.iter().map(|rules| rules.service().name().as_str()).collect();
            let known = known.join(", ");
            tracing::error!(target: "keyscheme", service, known, "no such service is configured");
        }
        AuthLayer { settings: Settings::new(self.clone(), service) }
    }
}

/// Lets through only who may call the service. Made by [`Authenticator::layer`].
#[derive(Clone, Debug)]
pub struct AuthLayer {
    settings: Settings,
}

impl AuthLayer {
    /// Lets everybody call this path, for example of a health check: byte for byte, with any query.
    /// Routes that are added to an axum router after the layer are exempt by themselves.
    #[must_use]
    pub fn exempt(mut self, path: impl Into<String>) -> Self {
        self.settings.exempt.push(path.into());
        self
    }

    /// Reads a body that is covered to its end before the service sees anything of it, for services
    /// that act before they have read all. One of more than this many bytes is answered 413.
    #[must_use]
    pub fn buffer(mut self, bytes: usize) -> Self {
        self.settings.buffer = Some(bytes);
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, gate: Arc::new(Gate::new(self.settings.clone())) }
    }
}

/// A service behind an [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S, B, T> Service<Request<B>> for AuthService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<T>> + Clone,
    B: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<T>>;
    type Error = S::Error;
    type Future = AuthFuture<S, B, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let admitted = if self.gate.is_exempt(&head) {
            Gate::exempt(&mut head, body)
        } else {
            match self.gate.begin(&head) {
                Begun::Settled(outcome) => self.gate.settle(&mut head, body, outcome),
                Begun::Claiming(claiming) => {
                    let claim: Claim = Box::pin(claiming.finish());
                    let step =
                        Step::Claiming { claim, request: Some((head, body)), inner: self.ready() };
                    return AuthFuture { step, gate: Arc::clone(&self.gate) };
                }
            }
        };
        let step = match admitted {
            Admitted::Collect(collecting) => {
                Step::Collecting { collecting, head: Some(head), inner: self.ready() }
            }
            Admitted::Refuse(response) => Step::Refused { response: Some(response) },
            Admitted::Serve(body, after) => {
                let future = self.inner.call(Request::from_parts(head, body));
                Step::Serving { future, after }
            }
        };
        AuthFuture { step, gate: Arc::clone(&self.gate) }
    }
}

impl<S: Clone> AuthService<S> {
    /// The inner service that has said it is ready, to be called later. A clone may not be ready.
    fn ready(&mut self) -> Option<S> {
        let clone = self.inner.clone();
        Some(mem::replace(&mut self.inner, clone))
    }
}

/// Asks a store of others. The memory of this process is asked without a future.
type Claim = Pin<Box<dyn Future<Output = Result<Verified, Refused>> + Send>>;

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<S, B, F> {
        #[pin]
        step: Step<S, B, F>,
        gate: Arc<Gate>,
    }
}

pin_project! {
    #[project = Steps]
    enum Step<S, B, F> {
        Claiming { claim: Claim, request: Option<(Parts, B)>, inner: Option<S> },
        Collecting { collecting: Pin<Box<Collecting<B>>>, head: Option<Parts>, inner: Option<S> },
        Refused { response: Option<Response<Bytes>> },
        Serving { #[pin] future: F, after: After },
    }
}

impl<S, B, T> Future for AuthFuture<S, B, S::Future>
where
    S: Service<Request<RequestBody<B>>, Response = Response<T>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<T>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (admitted, head, inner) = match this.step.as_mut().project() {
                Steps::Claiming { claim, request, inner } => {
                    let outcome = ready!(claim.as_mut().poll(cx));
                    let Some((mut head, body)) = request.take() else { return Poll::Pending };
                    (this.gate.settle(&mut head, body, outcome), head, inner.take())
                }
                Steps::Collecting { collecting, head, inner } => {
                    let collected = ready!(collecting.as_mut().poll(cx));
                    let Some(mut head) = head.take() else { return Poll::Pending };
                    (this.gate.collected(&mut head, collected), head, inner.take())
                }
                Steps::Refused { response } => {
                    let Some(response) = response.take() else { return Poll::Pending };
                    return Poll::Ready(Ok(response.map(ResponseBody::answer)));
                }
                Steps::Serving { future, after } => {
                    let result = ready!(future.poll(cx));
                    return Poll::Ready(this.gate.finish(result, mem::take(after)));
                }
            };
            let Some(mut inner) = inner else { return Poll::Pending };
            let step = match admitted {
                Admitted::Collect(collecting) => {
                    Step::Collecting { collecting, head: Some(head), inner: Some(inner) }
                }
                Admitted::Refuse(response) => Step::Refused { response: Some(response) },
                Admitted::Serve(body, after) => {
                    let future = inner.call(Request::from_parts(head, body));
                    Step::Serving { future, after }
                }
            };
            this.step.set(step);
        }
    }
}
