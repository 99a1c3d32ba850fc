//! Why a body ends early.

use std::{error::Error, fmt};

/// Why a body ended before its end.
#[derive(Debug)]
pub enum BodyError {
    /// It is not the one that the credential covers.
    Mismatch,
    /// It could not be read.
    Transport(BoxError),
}

/// Whatever the error of a body is.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

impl BodyError {
    pub(super) fn transport(error: impl Into<BoxError>) -> Self {
        Self::Transport(error.into())
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch => f.write_str("the body is not the one that the credential covers"),
            Self::Transport(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Mismatch => None,
            Self::Transport(error) => Some(error.as_ref()),
        }
    }
}
