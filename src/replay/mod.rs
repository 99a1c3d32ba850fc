//! What makes a credential single use: the memory of the ones that were accepted.
//!
//! A claim is made only for a caller that has proved its key, so strangers can neither fill the
//! store nor claim a nonce before its owner. A claim is (service, key id, nonce); it is remembered for
//! `max-age` and [`MARGIN`] on the store's own clock, which never runs back.

mod memory;

use async_trait::async_trait;

pub use self::memory::MemoryReplay;
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
#[async_trait]
pub trait ReplayStore: Send + Sync + 'static {
    /// Remembers a claim, atomically: of any number of equal claims at once, one is [`Claim::First`].
    ///
    /// # Errors
    ///
    /// [`BackendError`] where the store cannot tell, or has no room. A live claim is never dropped
    /// to make some.
    async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError>;
}
