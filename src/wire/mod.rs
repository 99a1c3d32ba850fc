//! The only parser of the raw header value ([specification](../../docs/spec.md)).
//!
//! ```text
//! credential = tagged / bare
//! tagged     = scheme "." key-id "." payload
//! bare       = base64                               ; RFC 4648 section 4, padded, canonical
//! ```
//!
//! A `.` is in no Base64 alphabet, so the two forms cannot be confused, and a value with a `.` that
//! is not `tagged` is malformed: it is never tried as `bare`.

pub(crate) mod base64;
mod explain;

use std::fmt;

pub use explain::{Explanation, Fault, explain};

use crate::{error::Reject, id::KeyId};

/// The longest credential, in bytes.
pub const MAX_CREDENTIAL: usize = 1024;

/// The field lines that a request carries under the configured header name.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// More than one.
    Many,
    /// None.
    None,
    /// Exactly one, of which optional white space around the value has been removed.
    One(&'a [u8]),
}

impl<'a> Presented<'a> {
    /// From all headers of a request, names and values in any order.
    ///
    /// A header that is ours but for `_` in place of `-`, which some servers read as ours, counts as
    /// one more of ours; and where a `Connection` header names ours, so that a proxy would take it
    /// away, nothing is certain either. Both are [`Presented::Many`].
    ///
    /// ```
    /// use keyscheme::Presented;
    ///
    /// let one = [("host", "stt"), ("X-API-Key", "AAAA")];
    /// assert!(matches!(Presented::from_headers("x-api-key", one), Presented::One(b"AAAA")));
    ///
    /// let two = [("x-api-key", "AAAA"), ("x_api_key", "BBBB")];
    /// assert!(matches!(Presented::from_headers("x-api-key", two), Presented::Many));
    /// ```
    pub fn from_headers<N, V>(name: &str, headers: impl IntoIterator<Item = (&'a N, &'a V)>) -> Self
    where
        N: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        let mut presented = Self::None;
        for (header, value) in headers {
            let (header, value) = (header.as_ref(), value.as_ref());
            let ours = header.eq_ignore_ascii_case(name.as_bytes());
            if ours && matches!(presented, Self::None) {
                presented = Self::One(value);
            } else if ours || is_alias(header, name) || takes_away(header, value, name) {
                presented = Self::Many;
            }
        }
        presented
    }

    /// From all field lines of our header, in order. See [`Self::from_headers`] for what else must be
    /// looked at.
    pub fn from_lines(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut lines = lines.into_iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::None,
            (Some(line), None) => Self::One(line),
            (Some(_), Some(_)) => Self::Many,
        }
    }
}

impl fmt::Debug for Presented<'_> {
    /// Without the value, which of a legacy caller is the API key in all but name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Many => f.write_str("Many"),
            Self::None => f.write_str("None"),
            Self::One(value) => write!(f, "One({} bytes)", value.len()),
        }
    }
}

/// Whether a header is another one that becomes ours with `-` for `_`.
fn is_alias(header: &[u8], name: &str) -> bool {
    // Most headers are of another length.
    header.len() == name.len() && header.contains(&b'_') && {
        let folded = header.iter().map(|b| if *b == b'_' { b'-' } else { b.to_ascii_lowercase() });
        folded.eq(name.bytes().map(|b| b.to_ascii_lowercase()))
    }
}

/// Whether this is a `Connection` header (RFC 9110 section 7.6.1) that lists ours.
fn takes_away(header: &[u8], value: &[u8], name: &str) -> bool {
    let lists = |member: &[u8]| member.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    header.eq_ignore_ascii_case(b"connection") && value.split(|b| *b == b',').any(lists)
}

/// A header value that is syntactically a credential. It proves nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Credential<'a> {
    /// The legacy form: the value is the payload of the one scheme that may be bare.
    Bare(&'a [u8]),
    /// `scheme.key-id.payload`
    Tagged { scheme: SchemeName, key_id: &'a [u8], payload: &'a [u8] },
}

impl<'a> Credential<'a> {
    /// Steps 1 and 2 of a decision: one value, its size, its alphabet, its syntax.
    #[inline]
    pub(crate) fn parse(presented: Presented<'a>) -> Result<Self, Reject> {
        let value = match presented {
            Presented::Many => return Err(Reject::Ambiguous),
            Presented::None => return Err(Reject::Missing),
            Presented::One(value) => value,
        };
        let credential = match SchemeName::before_dot(value) {
            _ if value.len() > MAX_CREDENTIAL => None,
            Some((scheme, rest)) => Self::tagged(scheme, rest),
            // With a `.` further on this is neither: no Base64 holds one.
            None => base64::is_canonical(value).then_some(Self::Bare(value)),
        };
        credential.ok_or_else(|| fault(value))
    }

    #[inline]
    fn tagged(scheme: SchemeName, rest: &'a [u8]) -> Option<Self> {
        let (key_id, payload) = key_id_before_dot(rest)?;
        is_token68(payload).then_some(Self::Tagged { scheme, key_id, payload })
    }
}

/// Why a value is no credential.
#[cold]
fn fault(value: &[u8]) -> Reject {
    match value {
        [] => Reject::Missing,
        _ if value.contains(&b',') => Reject::Ambiguous,
        _ => Reject::Malformed,
    }
}

/// Whether all of a text is token68, and there is some: sixteen bytes at a time.
#[inline]
fn is_token68(text: &[u8]) -> bool {
    let mut foreign = [0; 16];
    let mut look_at = |bytes: &[u8]| {
        for (foreign, &b) in foreign.iter_mut().zip(bytes) {
            *foreign |= u8::from(!is_token68_byte(b));
        }
    };
    let (blocks, rest) = text.as_chunks::<16>();
    blocks.iter().for_each(|block| look_at(block));
    match text.last_chunk::<16>() {
        // To look at some bytes twice is faster than to look at the last few one by one.
        Some(last) => look_at(last),
        None => look_at(rest),
    }
    !text.is_empty() & (foreign == [0; 16])
}

/// RFC 9110 section 11.2, with `=` anywhere: the payloads narrow it.
#[inline]
fn is_token68_byte(b: u8) -> bool {
    // Without a branch, so that a value can be judged sixteen bytes at a time.
    (b | 0x20).is_ascii_lowercase()
        | (b.wrapping_sub(b'-') <= b'9' - b'-')
        | (b == b'_')
        | (b == b'~')
        | (b == b'+')
        | (b == b'=')
}

/// A key id and what follows the `.` behind it.
#[inline]
fn key_id_before_dot(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().take(KeyId::MAX + 1).position(|&b| b == b'.')?;
    let (key_id, rest) = text.split_at_checked(at)?;
    KeyId::is_name(key_id).then_some((key_id, rest.get(1..)?))
}

/// `LOWER 1*15( LOWER / DIGIT )`, as a number: the bytes, big-endian, which is injective because no
/// name begins with a zero byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SchemeName(u128);

impl SchemeName {
    const MAX: usize = 16;

    /// The name, where `text` is one.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let dotted = format!("{text}.");
        Self::before_dot(dotted.as_bytes())
            .filter(|(_, rest)| rest.is_empty())
            .map(|(name, _)| name)
    }

    /// The name and what follows the `.` behind it.
    #[inline]
    fn before_dot(text: &[u8]) -> Option<(Self, &[u8])> {
        let mut packed = 0;
        for (at, &b) in text.iter().take(Self::MAX + 1).enumerate() {
            match b {
                b'.' if at >= 2 => return Some((Self(packed), text.get(at + 1..)?)),
                b'0'..=b'9' if at > 0 => {}
                b'a'..=b'z' => {}
                _ => return None,
            }
            packed = packed << 8 | u128::from(b);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(value: &str) -> Result<Credential<'_>, Reject> {
        Credential::parse(Presented::One(value.as_bytes()))
    }

    #[test]
    fn one_value() {
        assert_eq!(Credential::parse(Presented::None).unwrap_err(), Reject::Missing);
        assert_eq!(Credential::parse(Presented::Many).unwrap_err(), Reject::Ambiguous);
        let lines = |lines: &[&'static str]| {
            Credential::parse(Presented::from_lines(lines.iter().map(|line| line.as_bytes())))
                .unwrap_err()
        };
        assert_eq!(lines(&[]), Reject::Missing);
        assert_eq!(lines(&[""]), Reject::Missing);
        assert_eq!(lines(&["", ""]), Reject::Ambiguous);
        assert_eq!(lines(&["AAAA", "AAAA"]), Reject::Ambiguous);
    }

    #[test]
    fn headers_are_looked_at_as_a_whole() {
        let seen = |headers: &[(&'static str, &'static str)]| match Presented::from_headers(
            "x-api-key",
            headers.iter().copied(),
        ) {
            Presented::Many => "many",
            Presented::None => "none",
            Presented::One(value) => std::str::from_utf8(value).unwrap(),
        };
        assert_eq!(seen(&[]), "none");
        assert_eq!(seen(&[("host", "h"), ("connection", "close, te")]), "none");
        assert_eq!(seen(&[("host", "h"), ("X-API-KEY", "a"), ("connection", "close")]), "a");
        for headers in [
            [("x-api-key", "a"), ("x-api-key", "a")],
            [("x-api-key", "a"), ("X-Api-Key", "b")],
            [("x-api-key", ""), ("x-api-key", "a")],
            [("x_api_key", "b"), ("x-api-key", "a")],
            [("x-api-key", "a"), ("X-API_KEY", "b")],
            [("host", "h"), ("x_api_key", "b")],
            [("Connection", "close, X-API-Key"), ("x-api-key", "a")],
            [("x-api-key", "a"), ("connection", "x-api-key")],
            [("connection", " x-api-key ,close"), ("host", "h")],
        ] {
            assert_eq!(seen(&headers), "many", "{headers:?}");
        }
    }

    #[test]
    fn a_comma_is_judged_before_size_and_alphabet() {
        assert_eq!(parse(",").unwrap_err(), Reject::Ambiguous);
        assert_eq!(parse("AAAA, BBBB").unwrap_err(), Reject::Ambiguous);
        assert_eq!(parse(&format!("{},", "A".repeat(5000))).unwrap_err(), Reject::Ambiguous);
        assert_eq!(parse(&"A".repeat(1028)).unwrap_err(), Reject::Malformed);
        assert!(parse(&"A".repeat(1024)).is_ok());
    }

    #[test]
    fn what_has_a_dot_is_never_bare() {
        for value in [
            ".",
            "..",
            "...",
            "gcm1.",
            "gcm1.k",
            "gcm1.k.",
            "gcm1..x",
            ".k.x",
            "gcm1.k",
            "Gcm1.k.x",
            "GCM1.k.x",
            "g.k.x",
            "1gcm.k.x",
            "gcm1.K.x",
            "gcm1.-k.x",
            "gcm-1.k.x",
            "aaaaaaaaaaaaaaaaa.k.x",
            "gcm1.k k.x",
            " gcm1.k.x",
            "gcm1.k.x ",
            "gcm1.k.x\0",
            "ｇcm1.k.x",
            "gcm1.k.x\n",
            "gcm1 .k.x",
            "gcm1.k.\u{e9}",
            "1PT1wfcJslWitK2mN3f9PA==.",
            ".1PT1wfcJslWitK2mN3f9PA==",
        ] {
            assert_eq!(parse(value).unwrap_err(), Reject::Malformed, "{value:?}");
        }
        let long_id = format!("gcm1.{}.x", "k".repeat(33));
        assert_eq!(parse(&long_id).unwrap_err(), Reject::Malformed);
        assert!(parse(&format!("gcm1.{}.x", "k".repeat(32))).is_ok());
        assert!(parse("aaaaaaaaaaaaaaaa.k.x").is_ok());
        assert!(matches!(
            parse("zzz9.k1.1PT1wfcJslWitK2mN3f9PA=="),
            Ok(Credential::Tagged { payload: b"1PT1wfcJslWitK2mN3f9PA==", .. })
        ));
        assert!(matches!(parse("zz.k1..a."), Ok(Credential::Tagged { payload: b".a.", .. })));
    }

    #[test]
    fn bare_is_canonical_base64() {
        assert!(matches!(parse("1PT1wfcJslWitK2mN3f9PA=="), Ok(Credential::Bare(_))));
        for value in ["A", "AA", "AAA", "AB==", "AAB=", "AA=A", "====", "=", "AA-_", "A~AA", "AA=="]
        {
            assert_eq!(parse(value).is_ok(), value == "AA==", "{value:?}");
        }
    }

    #[test]
    fn the_alphabet_is_token68() {
        for b in 0..=255_u8 {
            let listed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
                .contains(&b);
            assert_eq!(is_token68_byte(b), listed, "{b:#x}");
            let value = [b"zz.k.".as_slice(), &[b]].concat();
            assert_eq!(Credential::parse(Presented::One(&value)).is_ok(), listed, "{b:#x}");
        }
    }

    #[test]
    fn a_legacy_value_is_never_tagged() {
        use ::base64::{Engine as _, engine::general_purpose::STANDARD};
        let mut state = 1_u64;
        let mut ciphertext = [0_u8; 48];
        for i in 0..1_000_000 {
            for word in ciphertext.as_chunks_mut().0 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i);
                *word = (state ^ state >> 29).to_le_bytes();
            }
            let value = STANDARD.encode(&ciphertext[..16 * (1 + i as usize % 3)]);
            assert!(matches!(parse(&value), Ok(Credential::Bare(_))), "{value}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(value in proptest::collection::vec(any::<u8>(), 0..1100)) {
            let _ = Credential::parse(Presented::One(&value));
        }
    }
}
