//! What a scheme opens, and what it says of it.

use std::fmt;

#[cfg(doc)]
use super::facts::{Binds, Facts};
use crate::time::UnixTime;

/// What follows the prefix, or the whole of a bare value. All of it is token68.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// The whole value, canonical Base64 (RFC 4648 section 4).
    Bare(&'a [u8]),
    /// What follows `scheme.key-id.`, not empty.
    Tagged(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Its bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Bare(bytes) | Self::Tagged(bytes) => bytes,
        }
    }

    /// Its text.
    pub fn as_str(self) -> &'a str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Its text, where it followed a prefix: for schemes that are never bare.
    ///
    /// # Errors
    ///
    /// [`OpenError::Malformed`] where it is a bare value.
    #[inline]
    pub fn tagged(self) -> Result<&'a [u8], OpenError> {
        match self {
            Self::Bare(_) => Err(OpenError::Malformed),
            Self::Tagged(bytes) => Ok(bytes),
        }
    }
}

impl fmt::Debug for Payload<'_> {
    /// Without the bytes, which of a legacy caller are the API key in all but name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self {
            Self::Bare(_) => "Bare",
            Self::Tagged(_) => "Tagged",
        };
        write!(f, "{form}({} bytes)", self.as_bytes().len())
    }
}

/// What an opened credential says. Time, reuse and bodies are judged by others.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// When it was issued; demanded where [`Facts::fresh`].
    pub issued_at: Option<UnixTime>,
    /// The first instant at which it is too old, where it says so itself.
    pub expires_at: Option<UnixTime>,
    /// What tells it from every other; demanded where it is single use.
    pub nonce: Option<Nonce>,
    /// What it says of the content; demanded where [`Binds::body`].
    pub content: Option<Covers>,
}

/// What a credential says of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// It has this SHA-256 digest.
    Digest([u8; 32]),
    /// Nothing.
    Nothing,
}

/// The part of a credential that never comes twice, 1 to 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    bytes: [u8; 32],
    len: u8,
}

impl<const N: usize> From<[u8; N]> for Nonce {
    #[inline]
    fn from(nonce: [u8; N]) -> Self {
        const { assert!(N > 0 && N <= 32, "a nonce has 1 to 32 bytes") };
        let mut bytes = [0; 32];
        if let Some(to) = bytes.first_chunk_mut() {
            *to = nonce;
        }
        Self { bytes, len: N as u8 }
    }
}

impl Nonce {
    /// `None` where `bytes` are none, or more than 32: give a digest of them instead.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut nonce = Self { bytes: [0; 32], len: bytes.len() as u8 };
        nonce.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(nonce)
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Why a payload does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It does not prove knowledge of the key, for this service and request.
    BadCredential,
    /// It is not a payload of the scheme.
    Malformed,
}
