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

use super::{base64, presented::Presented};
use crate::{error::Reject, id::KeyId};

/// The longest credential, in bytes.
pub const MAX_CREDENTIAL: usize = 1024;

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
pub(super) fn is_token68_byte(b: u8) -> bool {
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
