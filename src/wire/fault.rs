//! Where a value is broken.

use crate::error::Reject;

/// The place where a value stops being a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes before it.
    pub at: usize,
    /// How a verifier answers.
    pub reason: Reject,
    /// What should stand there.
    pub problem: String,
}

impl Fault {
    /// A value that is malformed at `at`.
    pub fn malformed(at: usize, problem: impl Into<String>) -> Self {
        Self { at, reason: Reject::Malformed, problem: problem.into() }
    }
}
