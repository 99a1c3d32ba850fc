//! What a scheme seals for, and why it may not.

use std::{error::Error, fmt};

#[cfg(doc)]
use super::facts::Facts;
use crate::{
    error::BackendError,
    random::Random,
    request::{Body, Context},
    time::UnixTime,
};

/// What a new credential is made for.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// What it is bound to.
    pub context: Context<'a>,
    /// The content that goes with it.
    pub body: Body<'a>,
    /// The present.
    pub now: UnixTime,
    /// Where nonces and IVs come from.
    pub random: &'a dyn Random,
    /// Whether the payload will stand alone, where [`Facts::may_be_bare`].
    pub bare: bool,
}

/// Why no credential can be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum SealError {
    /// The scheme has no bare form.
    NotBare,
    /// The credential would be longer than a verifier reads.
    TooLong,
    /// The clock stands where no credential can be issued: at 0, or past eleven digits.
    Time(UnixTime),
    /// The method or the target is not one that a credential can be bound to.
    Unbindable,
    /// There is no randomness.
    Unavailable(BackendError),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBare => f.write_str("the scheme has no bare form; leave the prefix on"),
            Self::TooLong => f.write_str("the credential would be longer than 1024 bytes"),
            Self::Time(now) => write!(f, "the clock reads {now}; set it to 1 to 99999999999"),
            Self::Unbindable => f.write_str(
                "method or target cannot be bound: the method must be a token, the target begin \
                 with / and hold visible ASCII without #",
            ),
            Self::Unavailable(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for SealError {}

impl From<BackendError> for SealError {
    fn from(error: BackendError) -> Self {
        Self::Unavailable(error)
    }
}
