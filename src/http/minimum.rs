//! What a route asks of a credential, beyond that it is accepted.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    answer::{insufficient, not_protected, translated},
    body::ResponseBody,
    head::is_grpc,
};
use crate::verify::{BodyState, Verified};

/// The least that a credential must prove here. As a layer inside of an
/// [`AuthLayer`](super::AuthLayer), for example on one route, it answers 403 to what proves less.
///
/// ```
/// use keyscheme::{Verified, http::{Insufficient, Minimum}};
///
/// // In a handler:
/// fn pay(caller: &Verified) -> Result<(), Insufficient> {
///     Minimum::new().authentic().body().check(caller)?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Minimum {
    authentic: bool,
    fresh: bool,
    request: bool,
    body: bool,
}

impl Minimum {
    /// Every accepted credential is enough.
    pub fn new() -> Self {
        Self::default()
    }

    /// It can only come from one who knows the key.
    #[must_use]
    pub fn authentic(mut self) -> Self {
        self.authentic = true;
        self
    }

    /// It says when it was issued, and that was judged.
    #[must_use]
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// It is bound to method and target.
    #[must_use]
    pub fn request(mut self) -> Self {
        self.request = true;
        self
    }

    /// It covers the body. Whether the body is the covered one shows when it has been read to its end.
    #[must_use]
    pub fn body(mut self) -> Self {
        self.body = true;
        self
    }

    /// Whether a caller has proved that much.
    ///
    /// # Errors
    ///
    /// [`Insufficient`], which axum answers with 403.
    pub fn check(&self, caller: &Verified) -> Result<(), Insufficient> {
        let facts = caller.facts();
        let covered = !matches!(caller.body(), BodyState::Uncovered);
        let enough = (facts.authentic || !self.authentic)
            && (facts.fresh || !self.fresh)
            && (facts.binds.request || !self.request)
            && (covered || !self.body);
        if enough { Ok(()) } else { Err(Insufficient) }
    }
}

/// A credential is good, and proves less than is asked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insufficient;

impl fmt::Display for Insufficient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the credential proves too little")
    }
}

impl Error for Insufficient {}

impl<S> Layer<S> for Minimum {
    type Service = MinimumService<S>;

    fn layer(&self, inner: S) -> MinimumService<S> {
        MinimumService { inner, minimum: *self }
    }
}

/// A service behind a [`Minimum`].
#[derive(Clone, Debug)]
pub struct MinimumService<S> {
    inner: S,
    minimum: Minimum,
}

impl<S, B, T> Service<Request<B>> for MinimumService<S>
where
    S: Service<Request<B>, Response = Response<T>>,
{
    type Response = Response<ResponseBody<T>>;
    type Error = S::Error;
    type Future = MinimumFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refusal = match request.extensions().get::<Verified>() {
            None => Some(forgotten()),
            Some(caller) => self.minimum.check(caller).err().map(|Insufficient| insufficient()),
        };
        let step = match refusal {
            Some(response) => {
                let response = translated(response, is_grpc(request.headers()));
                Step::Refused { response: Some(response) }
            }
            None => Step::Serving { future: self.inner.call(request) },
        };
        MinimumFuture { step }
    }
}

/// What comes of a request that no layer has proved: a mistake in the program, so nobody is let in.
pub(super) fn forgotten() -> Response<Bytes> {
    tracing::error!(
        target: "keyscheme",
        "nobody was authenticated: put the layer of Authenticator::layer around this route"
    );
    not_protected()
}

pin_project! {
    /// The response of a [`MinimumService`].
    pub struct MinimumFuture<F> {
        #[pin]
        step: Step<F>,
    }
}

pin_project! {
    #[project = Steps]
    enum Step<F> {
        Refused { response: Option<Response<Bytes>> },
        Serving { #[pin] future: F },
    }
}

impl<F, T, E> Future for MinimumFuture<F>
where
    F: Future<Output = Result<Response<T>, E>>,
{
    type Output = Result<Response<ResponseBody<T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().step.project() {
            Steps::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(ResponseBody::answer))),
                None => Poll::Pending,
            },
            Steps::Serving { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(|body| ResponseBody::service(body, None))))
            }
        }
    }
}
