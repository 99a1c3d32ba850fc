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
//! keyscheme
mod builder;
#[cfg(feature = "config")]
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod ct;
mod error;
mod id;
mod issue;
mod key;
mod material;
mod policy;
mod random;
mod replay;
mod request;
mod scheme;
mod secret;
mod source;
mod time;
mod verifier;
mod verify;
mod wire;

#[cfg(feature = "config")]
pub use self::config::{Config, Loader};
pub use self::{
    builder::{AcceptConfig, KeyConfig, Registry, ServiceConfig, VerifierBuilder},
    error::{BackendError, ConfigError, Failure, Mistake, Reject},
    id::{ClientName, KeyId, NameError, ServiceName},
    issue::Issuer,
    key::{KeyRecord, KeyState},
    material::{DecodeError, Encoding, Field, KeyError, Lengths, Material, Reuse},
    policy::{DEFAULT_MAX_AGE, MAX_FUTURE, MAX_MAX_AGE, MaxAge, Service},
    random::{OsRandom, Random},
    replay::{Claim, MemoryReplay, ReplayClaim, ReplayStore},
    request::{Body, Context, Request},
    scheme::{
        Binds, Cbc1, Covers, Ecb0, Facts, Gcm1, Hmac1, KeyScheme, Nonce, OpenError, Opened, Part,
        Payload, SealError, Sealing, SingleUse,
    },
    secret::Secret,
    source::{EnvSource, FileSource, SecretRef, SecretSource},
    time::{Clock, ManualClock, SystemClock, UnixTime},
    verifier::{Guard, Verifier},
    verify::{Accepted, BodyState, Checked, Rejected, Snapshot, Unclaimed, Verified},
    wire::{Explanation, Fault, MAX_CREDENTIAL, Presented, explain},
};
