//! The axum application, in a process of its own: bare, or with one of two layers around it.

use std::{
    hint::black_box,
    io::Read,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::Request,
    http::{StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use keyscheme::{Authenticator, Config, Verified};
use pin_project_lite::pin_project;
use tower::{Layer, Service, layer::layer_fn};

use crate::world::{CLIENT, SERVICE, TARGET};

/// What stands before the handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// A layer that does nothing, which is not free either.
    Layer,
    Jwt,
    Keyscheme,
}

impl Before {
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "bare",
            Self::Layer => "layer",
            Self::Jwt => "jwt",
            Self::Keyscheme => "keyscheme",
        }
    }

    fn named(word: &str) -> Option<Self> {
        let all = [Self::Nothing, Self::Layer, Self::Jwt, Self::Keyscheme];
        all.into_iter().find(|it| it.word() == word)
    }
}

/// Serves until standard input ends, so that it does not outlive who started it.
pub fn serve(arguments: &[String]) {
    let [before, config, secret] = arguments else { panic!("what, the configuration, a secret") };
    let before = Before::named(before).expect("a word of those above");
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let app = match before {
            Before::Nothing => bare(),
            Before::Layer => bare().layer(layer_fn(PassedOn)),
            Before::Jwt => jwt(secret.as_bytes()),
            Before::Keyscheme => keyscheme(Config::load(config).await.expect("sound")),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listening on http://{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("to serve");
    });
}

fn hello(client: &str) -> String {
    format!("hello, {client}\n")
}

fn heard(client: &str, body: &Bytes) -> String {
    format!("{} bytes of {client}\n", body.len())
}

/// The handlers do the same in each application, for a caller that they learn in another way.
fn bare() -> Router {
    Router::new().route(
        TARGET,
        get(async || hello(black_box(CLIENT)))
            .post(async |body: Bytes| heard(black_box(CLIENT), &body)),
    )
}

fn keyscheme(config: Config) -> Router {
    let auth = Authenticator::new(config.into_verifier());
    Router::new()
        .route(
            TARGET,
            get(async |caller: Verified| hello(caller.client()))
                .post(async |caller: Verified, body: Bytes| heard(caller.client(), &body)),
        )
        .layer(auth.layer(SERVICE))
}

fn jwt(secret: &[u8]) -> Router {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[SERVICE]);
    let keys = Arc::new((DecodingKey::from_secret(secret), validation));
    Router::new()
        .route(
            TARGET,
            post(async |Extension(caller): Extension<Claims>, body: Bytes| {
                heard(&caller.iss, &body)
            })
            .get(async |Extension(caller): Extension<Claims>| hello(&caller.iss)),
        )
        .layer(JwtLayer(keys))
}

#[derive(Clone)]
struct PassedOn<S>(S);

impl<S: Service<Request, Response = Response>> Service<Request> for PassedOn<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call(request)
    }
}

/// What the handlers need of a token.
#[derive(Clone, serde::Deserialize)]
struct Claims {
    iss: String,
}

#[derive(Clone)]
struct JwtLayer(Arc<(DecodingKey, Validation)>);

impl<S> Layer<S> for JwtLayer {
    type Service = JwtService<S>;

    fn layer(&self, inner: S) -> JwtService<S> {
        JwtService { inner, keys: Arc::clone(&self.0) }
    }
}

/// A service of its own is faster than `axum::middleware::from_fn`, which boxes a future.
#[derive(Clone)]
struct JwtService<S> {
    inner: S,
    keys: Arc<(DecodingKey, Validation)>,
}

impl<S: Service<Request, Response = Response>> Service<Request> for JwtService<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = JwtFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (key, validation) = &*self.keys;
        let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let decoded = token.map(|token| jsonwebtoken::decode::<Claims>(token, key, validation));
        match decoded {
            Some(Ok(decoded)) => {
                request.extensions_mut().insert(decoded.claims);
                JwtFuture::Serving { future: self.inner.call(request) }
            }
            _ => JwtFuture::Refused,
        }
    }
}

pin_project! {
    #[project = Projected]
    enum JwtFuture<F> {
        Refused,
        Serving { #[pin] future: F },
    }
}

impl<F: Future<Output = Result<Response, E>>, E> Future for JwtFuture<F> {
    type Output = Result<Response, E>;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Refused => Poll::Ready(Ok(StatusCode::UNAUTHORIZED.into_response())),
            Projected::Serving { future } => future.poll(cx),
        }
    }
}
