//! What a decision comes to, and the one way on from a first use that is not claimed yet.

use super::verified::Verified;
use crate::{
    error::{BackendError, Failure, Reject},
    id::{ClientName, KeyId},
    policy::{Fence, MaxAge},
    replay::{Claim, ReplayClaim},
    scheme::Nonce,
    time::UnixTime,
};

/// What a decision came to.
#[derive(Debug)]
#[must_use]
pub enum Checked {
    /// Accepted if this is its first use.
    FirstUse(Unclaimed),
    /// Accepted.
    Verified(Verified),
}

/// A credential that proved everything but that it is used for the first time.
/// [`Unclaimed::settle`] is the only way on.
#[derive(Debug)]
#[must_use]
pub struct Unclaimed {
    pub(super) verified: Verified,
    pub(super) nonce: Nonce,
    pub(super) max_age: MaxAge,
    pub(super) expires_at: UnixTime,
    pub(super) fence: Fence,
}

impl Unclaimed {
    /// Whose key was proved.
    pub(crate) fn proved(&self) -> (ClientName, KeyId) {
        self.verified.proved()
    }

    /// Whether it may have been used before under an earlier policy, unknown to the store: then
    /// nothing that the store answers accepts it.
    pub(crate) fn is_fenced(&self, now: UnixTime) -> bool {
        self.fence.is_around(self.verified.issued_at.unwrap_or_default(), now)
    }

    /// What to ask a store.
    #[inline]
    pub fn claim(&self, now: UnixTime) -> ReplayClaim<'_> {
        ReplayClaim {
            service: &self.verified.service,
            key_id: &self.verified.key_id,
            nonce: self.nonce.as_bytes(),
            issued_at: self.verified.issued_at.unwrap_or_default(),
            max_age: self.max_age.seconds(),
            now,
        }
    }

    /// Step 9: what the store answered, and the time after it did.
    ///
    /// # Errors
    ///
    /// [`Failure`] unless this is the first use, and the credential is fresh still.
    #[inline]
    pub fn settle(
        self,
        answer: Result<Claim, BackendError>,
        now: UnixTime,
    ) -> Result<Verified, Failure> {
        match answer? {
            Claim::First if !self.is_fenced(now) => {
                self.max_age.judge(self.verified.issued_at.unwrap_or_default(), now)?;
                if now >= self.expires_at {
                    return Err(Reject::Stale.into());
                }
                Ok(self.verified)
            }
            Claim::First | Claim::Forgotten => {
                let cause = "it may have forgotten an earlier use";
                Err(BackendError::new("replay store", cause).into())
            }
            Claim::Seen => Err(Reject::Replayed.into()),
            Claim::Stale => Err(Reject::Stale.into()),
        }
    }
}
