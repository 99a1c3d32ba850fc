//! HTTP by way of tower: a layer for servers, and one for clients.
//!
//! # A server
//!
//! [`Authenticator::layer`](crate::Authenticator::layer) makes a layer for everything that is a tower
//! service of HTTP: axum, hyper, tonic. Behind it the caller is a [`Verified`](crate::Verified) in the
//! request's extensions, and with the feature `axum` an argument of handlers:
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use keyscheme::{Authenticator, KeyConfig, Material, ServiceConfig, Verified, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let auth = Authenticator::new(Verifier::builder()
//!     .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
//!     .key("spring-main", KeyConfig::new("spring-2026-11", "hmac1", Material::new()
//!         .with("secret", [7; 32].as_slice())))
//!     .build()?);
//!
//! let app: Router = Router::new()
//!     .route("/v1/voices", get(async |caller: Verified| format!("hello, {}", caller.client())))
//!     .layer(auth.layer("stt"))
//!     .route("/healthz", get("ok")); // added after the layer: open to everybody
//! # let _ = app;
//! # Ok(()) }
//! ```
//!
//! - The head is judged first; nothing of the body is read, and no `100 Continue` sent, before it was
//!   accepted. The target that is judged is the one that the client sent, also in axum's nested
//!   routers.
//! - A covered body (`hmac1`) is compared on its way: see [`RequestBody`]. Who reads it to its end
//!   without an error has read what the client sent. **A service that acts before the end, or stops
//!   reading at a mark of its own format, needs [`AuthLayer::buffer`]**: what it has read until then may
//!   be anybody's.
//! - If the body turns out to be another, the client gets a refusal in place of the service's answer,
//!   or, where that is on its way already, a response that breaks off.
//! - A refusal is one answer whatever the reason, see [`answer`](answer()); the reason is in the log (target
//!   `keyscheme`, see [`DecisionLog`]) and in the response's extensions, as [`Refusal`]. A client of
//!   gRPC finds its own code beside it, `UNAUTHENTICATED` for a 401.
//! - On a scheme with an end date the response carries `Deprecation` (RFC 9745) and `Sunset`
//!   (RFC 8594).
//! - A route may ask for more than acceptance: [`Minimum`].
//!
//! Put it around a route once: a second layer of the same service sees every single-use credential a
//! second time. Put no layer outside of this one that changes method or target, and none that decompresses bodies:
//! `hmac1` covers what was sent.
//!
//! # A client
//!
//! [`IssueLayer`] gives every request a new credential.

mod answer;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod client;
mod gate;
mod head;
mod layer;
mod log;
mod minimum;

pub use self::{
    answer::{Refusal, announce, answer},
    body::{BodyError, RequestBody, ResponseBody},
    client::{Incoming, IssueError, IssueFuture, IssueLayer, IssueService, IssuedBody, Outgoing},
    head::{other_targets, presented},
    layer::{AuthFuture, AuthLayer, AuthService},
    log::{Decision, DecisionLog},
    minimum::{Insufficient, Minimum, MinimumFuture, MinimumService},
};
