//! What a decision proves. Only the decision beside it can make one.

use sha2::{Digest, Sha256};

#[cfg(doc)]
use crate::request::Request;
use crate::{
    ct,
    error::Reject,
    id::{ClientName, KeyId, ServiceName},
    scheme::Facts,
    time::UnixTime,
};

/// Proof that a request was accepted: who called, with what. Only a decision can make one.
///
/// It owns its parts, so it can be kept, and keeps no secret alive. Where the body was not part of
/// the [`Request`], see [`Self::body`] before you act on it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Verified {
    pub(super) service: ServiceName,
    pub(super) client: ClientName,
    pub(super) key_id: KeyId,
    pub(super) facts: &'static Facts,
    pub(super) issued_at: Option<UnixTime>,
    pub(super) until: Option<UnixTime>,
    pub(super) upgrade: Option<&'static str>,
    pub(super) content: Content,
}

impl Verified {
    /// The service that accepted it.
    pub fn service(&self) -> &str {
        self.service.as_str()
    }

    /// Who called.
    pub fn client(&self) -> &str {
        self.client.as_str()
    }

    /// The key that was proved.
    pub fn key_id(&self) -> &str {
        self.key_id.as_str()
    }

    pub(crate) fn proved(&self) -> (ClientName, KeyId) {
        (self.client, self.key_id)
    }

    /// The scheme that it was proved by.
    pub fn scheme(&self) -> &'static str {
        self.facts.id
    }

    /// What that scheme proves.
    pub fn facts(&self) -> &'static Facts {
        self.facts
    }

    /// When the credential was issued, where its scheme says so.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// The first instant at which the service will no longer accept this scheme, where that is set.
    pub fn accepted_until(&self) -> Option<UnixTime> {
        self.until
    }

    /// The scheme that the client should send instead, where this one ends or is weaker.
    pub fn upgrade(&self) -> Option<&'static str> {
        self.upgrade
    }

    /// What is known of the body. While it is [`BodyState::Pending`], anybody may have changed it:
    /// compare it with [`Self::with_body`], or [`Self::with_digest`] where it was hashed as it arrived,
    /// before anything is done that depends on it.
    pub fn body(&self) -> BodyState {
        match self.content {
            Content::Pending(digest) => BodyState::Pending(digest),
            Content::Settled(state) => state,
        }
    }

    /// Compares the whole content of the request with what the credential covers. Where it covers
    /// nothing, any content will do, and stays [`BodyState::Uncovered`].
    ///
    /// # Errors
    ///
    /// [`Reject::BodyMismatch`]. The credential stays spent.
    pub fn with_body(self, content: &[u8]) -> Result<Self, Reject> {
        match self.content {
            Content::Pending(_) if content.is_empty() => self.with_digest(DIGEST_OF_NOTHING),
            Content::Pending(_) => self.with_digest(Sha256::digest(content).into()),
            Content::Settled(_) => Ok(self),
        }
    }

    /// [`Self::with_body`] for a body that was hashed (SHA-256) as it arrived.
    ///
    /// # Errors
    ///
    /// [`Reject::BodyMismatch`]. The credential stays spent.
    pub fn with_digest(mut self, digest: [u8; 32]) -> Result<Self, Reject> {
        if let Content::Pending(expected) = self.content {
            if !ct::eq_32(&expected, &digest) {
                return Err(Reject::BodyMismatch);
            }
            self.content = Content::Settled(if digest == DIGEST_OF_NOTHING {
                BodyState::Empty
            } else {
                BodyState::Verified
            });
        }
        Ok(self)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Pending([u8; 32]),
    Settled(BodyState),
}

/// What is known of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyState {
    /// There is none, and the credential says so.
    Empty,
    /// The credential covers a body of this SHA-256 digest, which has not been compared yet: see
    /// [`Verified::with_body`] and [`Verified::with_digest`].
    Pending([u8; 32]),
    /// The credential says nothing of the body.
    Uncovered,
    /// It is the one that the credential covers.
    Verified,
}

/// SHA-256 of the empty string.
const DIGEST_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_that() {
        assert_eq!(DIGEST_OF_NOTHING, <[u8; 32]>::from(Sha256::digest(b"")));
    }
}
