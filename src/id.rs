//! Checked names, held inline so that they can be copied across an await without allocating.
//!
//! | type | grammar | length |
//! |---|---|---|
//! | [`KeyId`], [`ClientName`] | `( LOWER / DIGIT ) 0*31( LOWER / DIGIT / "-" )` | 1 to 32 |
//! | [`ServiceName`] | `( LOWER / DIGIT ) 0*62( LOWER / DIGIT / "." / "-" )` | 1 to 63 |
//!
//! No name can hold a line feed, a dot where a credential uses it, or a byte that needs escaping,
//! which is what makes the joined texts of `gcm1` and `hmac1` injective.

use std::{error::Error, fmt, str::FromStr};

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError {
    kind: &'static str,
    grammar: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} is {}", self.kind, self.grammar)
    }
}

impl Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, $kind:literal, $grammar:literal, $tail:pat) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            bytes: [u8; $max],
            len: u8,
        }

        impl $name {
            /// The longest name, in bytes.
            pub const MAX: usize = $max;

            /// Checks `text` against the grammar.
            ///
            /// # Errors
            ///
            /// [`NameError`] where it is empty, too long, or holds another character.
            pub fn new(text: &str) -> Result<Self, NameError> {
                Self::from_bytes(text.as_bytes())
                    .ok_or(NameError { kind: $kind, grammar: $grammar })
            }

            /// The name, where `text` is one.
            fn from_bytes(text: &[u8]) -> Option<Self> {
                let mut bytes = [0; $max];
                bytes.get_mut(..text.len())?.copy_from_slice(text);
                Self::is_name(text).then_some(Self { bytes, len: text.len() as u8 })
            }

            /// Whether `text` is such a name.
            #[inline]
            pub(crate) fn is_name(text: &[u8]) -> bool {
                (1..=$max).contains(&text.len())
                    && !matches!(text, [b'-' | b'.', ..])
                    && text.iter().all(|b| matches!(b, $tail))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(self.as_bytes()).unwrap_or_default()
            }

            /// The name as bytes.
            #[inline]
            pub fn as_bytes(&self) -> &[u8] {
                self.bytes.get(..usize::from(self.len)).unwrap_or_default()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

name!(
    /// The name of a caller. It owns keys, and every acceptance is attributed to one.
    ClientName,
    32,
    "client name",
    "1 to 32 of a-z, 0-9 and -, beginning with a letter or digit",
    b'a'..=b'z' | b'0'..=b'9' | b'-'
);

name!(
    /// The id of a key: what a credential names, in the clear.
    KeyId,
    32,
    "key id",
    "1 to 32 of a-z, 0-9 and -, beginning with a letter or digit",
    b'a'..=b'z' | b'0'..=b'9' | b'-'
);

name!(
    /// The name of a verifying service: one replay domain, and part of every authentic credential.
    ServiceName,
    63,
    "service name",
    "1 to 63 of a-z, 0-9, . and -, beginning with a letter or digit",
    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for good in ["a", "0", "spring-1", "a-", &"x".repeat(32)] {
            assert_eq!(KeyId::new(good).unwrap().as_str(), good);
            assert_eq!(ClientName::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "\0",
            "a\0",
            "a\0b",
            "-a",
            "A",
            "a.b",
            "a b",
            "a\n",
            "ä",
            "ａ",
            "a/b",
            &"x".repeat(33),
        ] {
            assert!(KeyId::new(bad).is_err(), "{bad:?}");
            assert!(ClientName::new(bad).is_err(), "{bad:?}");
        }
        assert!(ServiceName::new("stt.example-1").is_ok());
        assert!(ServiceName::new(&"s".repeat(63)).is_ok());
        for bad in ["", ".a", "-a", "A", "a_b", &"s".repeat(64)] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
    }
}
