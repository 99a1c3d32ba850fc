//! A refusal, with what only the log may say of it.

use std::fmt;

use crate::{
    error::{Failure, Reject},
    key::KeyRecord,
};

/// A refusal, for the log.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'v> {
    pub(super) reason: Reject,
    pub(super) proved: Option<&'v KeyRecord>,
}

impl<'v> Rejected<'v> {
    /// Why.
    pub fn reason(&self) -> Reject {
        self.reason
    }

    /// The key, only where it was proved. A name in a credential that proves nothing is anybody's.
    pub fn proved(&self) -> Option<&'v KeyRecord> {
        self.proved
    }
}

impl From<Reject> for Rejected<'_> {
    fn from(reason: Reject) -> Self {
        Self { reason, proved: None }
    }
}

impl From<Rejected<'_>> for Failure {
    fn from(rejected: Rejected<'_>) -> Self {
        Self::Rejected(rejected.reason)
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proved {
            Some(key) => write!(f, "{} (client {}, key {})", self.reason, key.client, key.id),
            None => fmt::Display::fmt(&self.reason, f),
        }
    }
}
