//! Bytes that must not be seen: redacted in `Debug`, erased when dropped, without `==`.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroize;

/// A cipher key, an API key or an HMAC secret.
///
/// ```
/// let secret = keyscheme::Secret::from("open sesame");
/// assert_eq!(format!("{secret:?}"), "Secret(11 bytes)");
/// ```
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// The bytes. Every reading of a secret in this crate goes through here.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// How many bytes it has. Lengths are not secret: the wire format shows them.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::from(bytes.to_vec())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(mut bytes: Vec<u8>) -> Self {
        // A boxed slice drops the spare capacity, and with it a copy that nobody would erase: so
        // the copy is made here, and the original erased with all of its capacity.
        let exact: Box<[u8]> = bytes.as_slice().into();
        bytes.zeroize();
        Self(SecretSlice::from(exact))
    }
}

/// Secret bytes inside a prepared key: inline where they are few, so that a key is one piece of
/// memory, and erased when dropped.
pub(crate) struct Packed {
    inline: [u8; Self::INLINE],
    len: usize,
    spilled: Vec<u8>,
}

impl Packed {
    /// An API key of 63 bytes, padded, in Base64.
    const INLINE: usize = 88;

    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut packed = Self { inline: [0; Self::INLINE], len: bytes.len(), spilled: Vec::new() };
        match packed.inline.get_mut(..bytes.len()) {
            Some(inline) => inline.copy_from_slice(bytes),
            None => packed.spilled = bytes.to_vec(),
        }
        packed
    }

    #[inline]
    pub(crate) fn expose(&self) -> &[u8] {
        self.inline.get(..self.len).unwrap_or(&self.spilled)
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        self.inline.zeroize();
        self.spilled.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        let secret = Secret::from("hunter2-hunter2-");
        let shown = format!("{secret:?} {secret:#?}");
        assert!(!shown.contains("hunter2"));
        assert!(!shown.contains("104"), "not as a list of bytes either");
        assert_eq!(secret.len(), 16);
    }

    #[test]
    fn packed_holds_any_length() {
        for length in [0, 1, 87, 88, 89, 400] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            assert_eq!(Packed::new(&bytes).expose(), bytes);
        }
    }
}
