#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
//! API keys between services in one HTTP header, and a safe way from AES-ECB to modern schemes.
//!
//! - A service asks a [`Verifier`] who calls; a caller asks an [`Issuer`] for a header value. Both come
//!   from a configuration file (`Config`, feature `config`) or from builders.
//! - Before an HTTP service stands a layer that is made from an [`Authenticator`], around an HTTP client
//!   one that issues (`http`, feature `http`).
//! - A scheme is a [`KeyScheme`]. There are four: [`Ecb0`], [`Cbc1`], [`Gcm1`] and [`Hmac1`]. Others are
//!   registered in the builder.
//! - The decision itself is a pure function, [`Rules::check`]: time, keys, policy and the request are
//!   its arguments. Clock, randomness, replay memory and secrets come in at the edges, as [`Clock`],
//!   [`Random`], [`ReplayStore`] and [`SecretSource`].
//!
//! The wire format is specified in `docs/spec.md`, for implementers in any language.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | none | the core: no tokio, no serde, no HTTP |
//! | `config` (default) | configuration files, `.env` files, dates |
//! | `conformance` | the suite that every scheme must pass |
//! | `http` | layers for servers and clients that are made of tower services |
//! | `axum` | [`Verified`] as an argument of axum's handlers |
//! | `reqwest` | the client layer for requests of reqwest |
//! | `watch` | [`Authenticator::watch`], on tokio, and state files; for Unix |
//! | `aws` | secrets in AWS Secrets Manager |
//! | `vault` | secrets in HashiCorp Vault and OpenBao |
//! | `redis` | a replay memory that replicas share, in Redis or Valkey |
//! | `cli` | what the program `keyscheme` needs; for Unix |

mod auth;
mod builder;
#[cfg(feature = "config")]
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod ct;
mod encoding;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod id;
mod issue;
mod key;
mod material;
mod policy;
mod random;
mod registry;
mod replay;
mod request;
mod scheme;
mod secret;
mod source;
#[cfg(feature = "watch")]
mod state;
mod time;
mod verifier;
mod verify;
#[cfg(feature = "watch")]
mod watch;
mod wire;

#[cfg(feature = "config")]
pub use self::config::{Config, EndpointConfig, Listen, ListenError, Loader, ServeConfig};
#[cfg(feature = "redis")]
pub use self::replay::{OnFailure, RedisConfig, RedisReplay};
#[cfg(feature = "watch")]
pub use self::watch::Watch;
pub use self::{
    auth::{Authenticator, Health, Reload, ReloadConfig},
    builder::{AcceptConfig, KeyConfig, ServiceConfig, VerifierBuilder},
    encoding::{DecodeError, Encoding},
    error::{BackendError, ConfigError, Failure, Mistake, Reject},
    id::{ClientName, KeyId, NameError, ServiceName},
    issue::Issuer,
    key::{KeyRecord, KeyState},
    material::{Field, KeyError, Lengths, Material, Reuse},
    policy::{DEFAULT_MAX_AGE, MAX_FUTURE, MAX_MAX_AGE, MaxAge, Service},
    random::{OsRandom, Random},
    registry::Registry,
    replay::{Claim, MemoryReplay, ReplayClaim, ReplayStore},
    request::{Body, Context, Request},
    scheme::{
        Binds, Cbc1, Covers, Ecb0, Facts, Gcm1, Hmac1, KeyScheme, Nonce, OpenError, Opened, Part,
        Payload, SealError, Sealing, SingleUse,
    },
    secret::Secret,
    source::{CredentialSource, EnvSource, Fetched, FileSource, SecretRef, SecretSource},
    time::{Clock, ManualClock, SystemClock, UnixTime},
    verifier::{Guard, Refused, Verifier},
    verify::{
        Accepted, BodyState, Checked, Misread, Rejected, Rules, Snapshot, Unclaimed, Verified,
    },
    wire::{Explanation, Fault, MAX_CREDENTIAL, Presented, explain},
};

/// The README's examples, run.
#[cfg(all(doctest, feature = "axum", feature = "config", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
