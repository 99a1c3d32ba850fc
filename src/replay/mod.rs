//! What makes a credential single use: the memory of the ones that were accepted.
//!
//! A claim is made only for a caller that has proved its key, so strangers can neither fill the
//! store nor claim a nonce before its owner. A claim is (service, key id, nonce); it is remembered for
//! `max-age` and [`MARGIN`] on the store's own clock, which never runs back.

mod memory;
mod quota;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "watch")]
mod saved;
mod shard;

use std::fmt;

use async_trait::async_trait;

pub use self::memory::MemoryReplay;
pub(crate) use self::quota::{Quotas, Share};
#[cfg(feature = "redis")]
pub use self::redis::{OnFailure, RedisConfig, RedisReplay};
use crate::{
    error::BackendError,
    id::{KeyId, ServiceName},
    time::UnixTime,
};

/// How long a claim is kept beyond its `max-age`: 30 s that a credential may lie in the future, and
/// 60 s that the clocks of verifiers may differ.
pub const MARGIN: u64 = 90;

/// How many claims a memory store has room for where nothing else is said.
pub const DEFAULT_CAPACITY: usize = 1_000_000;

/// One use of a single-use credential.
#[derive(Clone, Copy, Debug)]
pub struct ReplayClaim<'a> {
    /// The service that it is used at.
    pub service: &'a ServiceName,
    /// The key that it was proved with.
    pub key_id: &'a KeyId,
    /// What tells it from every other of the key.
    pub nonce: &'a [u8],
    /// When it was issued.
    pub issued_at: UnixTime,
    /// How old it may become, in seconds.
    pub max_age: u64,
    /// The time of the decision.
    pub now: UnixTime,
}

impl ReplayClaim<'_> {
    /// Until when the claim must be remembered, by a store whose clock reads `now`.
    pub fn remember_until(&self, now: UnixTime) -> UnixTime {
        now.plus(self.max_age).plus(MARGIN)
    }

    /// Whether the credential is too old at `now`.
    pub fn is_stale_at(&self, now: UnixTime) -> bool {
        self.issued_at.plus(self.max_age) < now
    }
}

/// What a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Never seen before, and now remembered.
    First,
    /// The store may have known it and have lost its memory since.
    Forgotten,
    /// Seen before.
    Seen,
    /// Too old by the store's clock, which is the greatest time that it has seen.
    Stale,
}

/// Remembers claims. Several verifiers of one service share one.
///
/// Implement it with the `async-trait` crate. A store has a clock of its own: the greatest
/// [`ReplayClaim::now`] that it has seen, or that of its machine, kept from running back. By that clock
///
/// - a claim that [is stale](ReplayClaim::is_stale_at) is [`Claim::Stale`], never [`Claim::First`];
/// - one that is [`Claim::First`] is kept [until](ReplayClaim::remember_until) its time has passed, and
///   not dropped before for want of room;
/// - one that a lost memory may have held is [`Claim::Forgotten`], which a caller sees as "not now".
///
/// ```
/// use std::{collections::{HashMap, hash_map::Entry}, sync::Mutex};
///
/// use async_trait::async_trait;
/// use keyscheme::{BackendError, Claim, ReplayClaim, ReplayStore, UnixTime};
///
/// #[derive(Debug, Default)]
/// struct Simple(Mutex<(UnixTime, HashMap<String, UnixTime>)>);
///
/// #[async_trait]
/// impl ReplayStore for Simple {
///     async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
///         let mut store = self.0.lock().map_err(|_| BackendError::new("replay", "lost"))?;
///         let (clock, claims) = &mut *store;
///         *clock = claim.now.max(*clock);
///         if claim.is_stale_at(*clock) {
///             return Ok(Claim::Stale);
///         }
///         claims.retain(|_, until| *until >= *clock);
///         let name = format!("{}/{}/{:?}", claim.service, claim.key_id, claim.nonce);
///         match claims.entry(name) {
///             Entry::Occupied(_) => Ok(Claim::Seen),
///             Entry::Vacant(place) => {
///                 place.insert(claim.remember_until(*clock));
///                 Ok(Claim::First)
///             }
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait ReplayStore: fmt::Debug + Send + Sync + 'static {
    /// Remembers a claim, atomically: of any number of equal claims at once, one is [`Claim::First`].
    ///
    /// # Errors
    ///
    /// [`BackendError`] where the store cannot tell, or has no room. A live claim is never dropped
    /// to make some.
    async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError>;

    /// Whether it can be relied on: that it is there, and set up so that it forgets nothing live.
    /// A server asks before it says that it is ready.
    ///
    /// # Errors
    ///
    /// [`BackendError`] that says what is to be mended.
    async fn ready(&self) -> Result<(), BackendError> {
        Ok(())
    }
}
