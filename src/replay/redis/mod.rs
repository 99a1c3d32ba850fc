//! A replay memory that replicas share: Redis or Valkey.
//!
//! ```text
//! {prefix}:memory   hash: run promoted evicted born clock fence     ; the marker, which never expires
//! {prefix}digest    1, until max-age + 91 s have passed             ; a claim
//! {prefix}:probe    1, and gone again within the same script        ; whether claims could be made
//!
//! digest = first 16 bytes of SHA-256(service LF key-id LF nonce)
//! ```
//!
//! **One command per claim.** `claim.lua` looks at the marker and sets the claim where there is none.
//! Redis runs a script alone, so of equal claims one is the first, and the marker that was read is that
//! of the memory that the claim went into. `SET NX PX` would be atomic too, but it would find an emptied
//! memory as good as a full one.
//!
//! **Which memory is it?** A marker has a name of its own (`born`), and says of which process it is the
//! memory: its run id, what it was promoted from, and how many keys it has evicted. Who connects looks
//! at these, and believes in the marker only where all of them are those of now (`look.lua`). A TCP
//! connection ends with its process, so a run id that was read on one holds for as long as the
//! connection does; what can change under a connection is the marker's absence or name (`FLUSHALL`, a
//! snapshot that is loaded, another's marker after a resynchronisation), which every claim compares, and
//! what `INFO` alone tells (a demotion and promotion again, an evicting policy), which is looked at once
//! a second: after the claim and before its first use is believed, so that a look that finds all as it
//! was speaks for the claim before it. What remains is that a primary is demoted, resynchronised and
//! promoted within that second, without closing a connection.
//!
//! **Loss.** Where the marker is not of this memory, whoever sees it first begins a new one, behind a
//! fence that all share since it stands in the marker: `clock + 30`, `clock` being that moment. What the
//! lost memory held was claimed before, and no claim is taken that was issued later than 30 seconds
//! after the clock at that time. So all that may be forgotten was issued at or before the fence, and is
//! answered "not now". A store that is new looks the same and is treated so: it takes half a minute.
//!
//! **The clock** is that of the machine of Redis, kept from running back by the marker and by what each
//! verifier has seen of it. Fence, age and expiry are all judged by it, so clocks of verifiers decide
//! nothing; one that differs by more than a minute is told so, and neither side is believed.
//!
//! **Cluster.** All keys have one hash tag, so they are in one slot, on one node: that node is asked
//! directly, following `MOVED`. Prefixes spread services over nodes.
//!
//! **Failure** is never an acceptance: see `link.rs` for the time that it may take.

mod alone;
mod config;
mod connection;
mod fault;
mod health;
mod link;
mod script;

use std::fmt;

use async_trait::async_trait;

pub use self::config::{OnFailure, RedisConfig};
use self::{alone::Alone, fault::Fault, link::Link};
use super::{Claim, MemoryReplay, ReplayClaim, ReplayStore};
use crate::{
    error::{BackendError, ConfigError, Mistake},
    random::OsRandom,
};

/// A replay memory in Redis or Valkey, which all verifiers of a service share.
///
/// It connects when it is first needed, and again by itself: make it once, inside or outside of a tokio
/// runtime, and use it inside of one, with I/O and time. Where the application has not installed a
/// provider of cryptography for rustls, a connection with TLS installs `ring`.
///
/// What it promises, and what it does not, is in `docs/configuration.md` and `docs/SECURITY.md`.
///
/// ```no_run
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use keyscheme::{
///     KeyConfig, Material, RedisConfig, RedisReplay, Secret, ServiceConfig, Verifier,
/// };
///
/// let password = Secret::from(std::env::var("REDIS_PASSWORD")?);
/// let store = RedisReplay::new(
///     RedisConfig::new("rediss://redis.internal:6379/0").username("keyscheme").password(password),
/// )?;
/// let verifier = Verifier::builder()
///     .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
///     .key("spring-main", KeyConfig::new("spring-2026-11", "hmac1", Material::new()
///         .with("secret", [7; 32].as_slice())))
///     .replay_store(Arc::new(store))
///     .build()?;
/// verifier.ready().await?; // says what is to be mended: an evicting policy, a wrong password
/// # Ok(()) }
/// ```
pub struct RedisReplay {
    link: Link,
    /// Where failures are forgiven: what was accepted here, whatever Redis remembers.
    local: Option<Local>,
}

/// What decides where Redis does not.
struct Local {
    memory: MemoryReplay,
    alone: Alone,
}

impl RedisReplay {
    /// A store that is not connected yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with everything that is wrong.
    pub fn new(config: RedisConfig) -> Result<Self, ConfigError> {
        let mut mistakes = config.mistakes();
        let local = match config.on_failure {
            OnFailure::Closed => None,
            OnFailure::DangerLocal { capacity } => match MemoryReplay::new(capacity, &OsRandom) {
                Ok(memory) => Some(Local { memory, alone: Alone::default() }),
                Err(error) => {
                    let remedy = "lower it: a claim takes 25 bytes";
                    mistakes.push(Mistake::new("replay.capacity", error.to_string(), remedy));
                    None
                }
            },
        };
        let link = Link::new(config, &mut mistakes);
        ConfigError::unless(mistakes, link.map(|link| Self { link, local }))
    }

    async fn shared(&self, claim: &ReplayClaim<'_>) -> Result<Claim, Fault> {
        self.link.claim(claim).await
    }
}

#[async_trait]
impl ReplayStore for RedisReplay {
    async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
        let Some(local) = &self.local else { return Ok(self.shared(claim).await?) };
        // Also while Redis is there: what is accepted now must be known when it has gone, and what was
        // accepted without it when it is back.
        let here = local.memory.claim_now(claim);
        if let Ok(known @ (Claim::Forgotten | Claim::Seen | Claim::Stale)) = here {
            return Ok(known);
        }
        let answer = self.shared(claim).await;
        let why = match &answer {
            Ok(Claim::First | Claim::Seen | Claim::Stale) => {
                local.alone.is_not();
                return Ok(answer?);
            }
            Ok(Claim::Forgotten) => Fault::forgotten(),
            Err(fault) => fault.clone(),
        };
        // Without room here nobody can tell.
        if here.is_err() {
            return Ok(answer?);
        }
        local.alone.accepts(&why.into());
        Ok(Claim::First)
    }

    async fn ready(&self) -> Result<(), BackendError> {
        let ready = self.link.ready().await;
        let Some(local) = &self.local else { return Ok(ready?) };
        let Err(fault) = ready else {
            local.alone.is_not();
            return Ok(());
        };
        // Set up wrong, which does not pass by itself.
        let is_wrong = matches!(fault, Fault::Setup(_));
        let error = fault.into();
        local.alone.would_accept(&error);
        if is_wrong { Err(error) } else { Ok(()) }
    }
}

impl fmt::Debug for RedisReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let danger_local = self.local.is_some();
        f.debug_struct("RedisReplay")
            .field("url", &self.link.url())
            .field("danger_local", &danger_local)
            .finish_non_exhaustive()
    }
}
