//! Randomness as an argument: nonces and IVs come from here, and from nowhere else.

use std::fmt;

use crate::error::BackendError;

/// A cryptographic random generator.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` with fresh random output.
    ///
    /// # Errors
    ///
    /// [`BackendError`] where none can be had. Nothing is ever issued without it.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        getrandom::fill(bytes).map_err(|error| BackendError::new("random generator", error))
    }
}
