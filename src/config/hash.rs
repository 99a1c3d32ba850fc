//! What a configuration was made of, to be known again.

use std::fmt;

use sha2::{Digest, Sha256};

/// A hash of what secrets are among. It is as good as they are for who wants to try some, so it stays
/// in memory, and out of `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// Of these texts, one behind the other.
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        Self(hash.finalize().into())
    }

    /// Of this and more.
    pub(super) fn and(self, text: &[u8]) -> Self {
        Self::of([&self.0, text])
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}
