//! Keys and where they are kept: an immutable ring, one column per scheme.
//!
//! A key can only ever meet its own scheme, because a look-up begins in the column of the scheme
//! that the credential names.

mod flat;
mod index;
mod ring;

use std::fmt;

pub(crate) use self::{
    flat::{Registered, Sealer, name_of},
    ring::{Column, Found, Ring},
};
use crate::{
    error::Reject,
    id::{ClientName, KeyId},
    time::UnixTime,
};

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyState {
    /// Verifies and issues. One per client and scheme.
    #[default]
    Active,
    /// Refused, and every use is an alarm.
    Compromised,
    /// Refused.
    Disabled,
    /// Verifies, but does not issue yet.
    Staged,
    /// Verifies until its `not-after`, but issues no more.
    VerifyOnly,
}

impl KeyState {
    /// Every state, in the order of a key's life.
    pub const ALL: [Self; 5] =
        [Self::Staged, Self::Active, Self::VerifyOnly, Self::Disabled, Self::Compromised];

    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Compromised => "compromised",
            Self::Disabled => "disabled",
            Self::Staged => "staged",
            Self::VerifyOnly => "verify-only",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is known of a key besides its material: two cache lines, before the key.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct KeyRecord {
    pub(crate) id: KeyId,
    pub(crate) client: ClientName,
    pub(crate) state: KeyState,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

impl KeyRecord {
    /// Its id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Who owns it.
    pub fn client(&self) -> &ClientName {
        &self.client
    }

    /// Where it stands in its life.
    pub fn state(&self) -> KeyState {
        self.state
    }

    /// The first instant at which it verifies, where there is one.
    pub fn not_before(&self) -> Option<UnixTime> {
        (self.not_before > UnixTime(0)).then_some(self.not_before)
    }

    /// The first instant at which it no longer verifies, where there is one.
    pub fn not_after(&self) -> Option<UnixTime> {
        (self.not_after < UnixTime(u64::MAX)).then_some(self.not_after)
    }

    /// Step 6 of a decision: whether a proof with this key counts.
    #[inline]
    pub(crate) fn admits(&self, now: UnixTime) -> Result<(), Reject> {
        if matches!(self.state, KeyState::Compromised | KeyState::Disabled) {
            Err(Reject::KeyDisabled)
        } else if now < self.not_before || now >= self.not_after {
            Err(Reject::KeyExpired)
        } else {
            Ok(())
        }
    }
}
