//! Why a request was not sent, or not answered.

use std::{error::Error, fmt};

use crate::scheme::SealError;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a call through an [`IssueLayer`](crate::http::IssueLayer) failed. Only where it is
/// [`Self::Inner`] can anything have been sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum IssueError {
    /// The request's body failed while it was read.
    Body(BoxError),
    /// The client below failed.
    Inner(BoxError),
    /// No credential can be made for this request.
    Seal(SealError),
    /// The body is longer than what may be read into memory.
    TooLong {
        /// How much that is, in bytes.
        limit: usize,
    },
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => f.write_str("not sent: the body could not be read"),
            Self::Inner(error) => fmt::Display::fmt(error, f),
            Self::Seal(error) => write!(f, "not sent: {error}"),
            Self::TooLong { limit } => write!(
                f,
                "not sent: the body is longer than {limit} bytes, and must be known before it is \
                 sent; raise IssueLayer::limit, or leave it uncovered where the service takes that",
            ),
        }
    }
}

impl Error for IssueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) | Self::Inner(error) => Some(error.as_ref()),
            Self::Seal(error) => Some(error),
            Self::TooLong { .. } => None,
        }
    }
}

impl From<SealError> for IssueError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}
