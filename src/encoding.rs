//! How secrets are written down.

use std::{error::Error, fmt};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How the text of a secret stands for its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 section 4, padded.
    Base64,
    /// RFC 4648 section 5, without padding.
    Base64Url,
    /// Two digits a byte, in either case.
    Hex,
    /// The bytes of the text themselves, as Java's `getBytes(UTF_8)` gives them.
    Utf8,
}

impl Encoding {
    /// Every encoding, in alphabetical order.
    pub const ALL: [Self; 4] = [Self::Base64, Self::Base64Url, Self::Hex, Self::Utf8];

    /// The name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Hex => "hex",
            Self::Utf8 => "utf8",
        }
    }

    /// The bytes that `text` stands for.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without showing any of `text`.
    pub fn decode(self, text: &[u8]) -> Result<Secret, DecodeError> {
        let bytes = match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text).ok(),
            Self::Hex => decode_hex(text),
            Self::Utf8 => Some(text.to_vec()),
        };
        bytes.map(Secret::from).ok_or(DecodeError {
            encoding: self,
            length: text.len(),
            newline: matches!(text, [.., b'\n' | b'\r']),
        })
    }

    /// The text that stands for `bytes`; `None` where no text does.
    pub fn encode(self, bytes: &[u8]) -> Option<Zeroizing<String>> {
        let text = match self {
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
            Self::Hex => {
                bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
                    for nibble in [byte >> 4, byte & 15] {
                        text.extend(char::from_digit(u32::from(nibble), 16));
                    }
                    text
                })
            }
            Self::Utf8 => std::str::from_utf8(bytes).ok()?.to_owned(),
        };
        Some(Zeroizing::new(text))
    }
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Of the right size at once: a vector that grows leaves pieces behind.
    let mut bytes = Vec::with_capacity(pairs.len());
    for &[high, low] in pairs {
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Some(bytes)
}

/// A secret's text is not of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    encoding: Encoding,
    length: usize,
    newline: bool,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} characters are not {}", self.length, self.encoding.name())?;
        if self.newline {
            f.write_str(" (they end in a line end)")?;
        }
        Ok(())
    }
}

impl Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_strict_and_invert() {
        for encoding in [Encoding::Base64, Encoding::Base64Url, Encoding::Hex] {
            let bytes: Vec<u8> = (0..=255).collect();
            let text = encoding.encode(&bytes).unwrap();
            assert_eq!(encoding.decode(text.as_bytes()).unwrap().expose(), bytes);
            assert!(encoding.decode(format!("{}\n", *text).as_bytes()).is_err());
        }
        assert!(Encoding::Base64.decode(b"AB==").is_err(), "trailing bits");
        assert!(Encoding::Base64.decode(b"AA").is_err(), "padding");
        assert!(Encoding::Hex.decode(b"abc").is_err());
        assert_eq!(Encoding::Utf8.decode("가".as_bytes()).unwrap().len(), 3);
    }
}
