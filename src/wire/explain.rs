//! What a header value is, or the exact place where it stops being a credential. No secret needed.
//!
//! This is the slow, talkative twin of [`Credential::parse`](super::credential::Credential::parse); a test holds
//! the two to the same verdicts.

use std::fmt;

use super::{
    base64::is_canonical,
    credential::{MAX_CREDENTIAL, is_token68_byte},
    fault::Fault,
};
use crate::{error::Reject, id::KeyId};

/// What a header value is.
#[derive(Clone, PartialEq, Eq)]
pub enum Explanation<'a> {
    /// Canonical Base64 without a prefix: the legacy form.
    Bare {
        /// The whole value.
        payload: &'a [u8],
    },
    /// Not a credential.
    Fault(Fault),
    /// `scheme.key-id.payload`
    Tagged {
        /// The scheme that it names.
        scheme: &'a str,
        /// The key that it names.
        key_id: &'a str,
        /// The rest, of which the scheme knows the meaning.
        payload: &'a [u8],
        /// Where in the value the payload begins.
        payload_at: usize,
    },
}

impl fmt::Debug for Explanation<'_> {
    /// Without the payload, which of a legacy caller is the API key in all but name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare { payload } => write!(f, "Bare({} bytes)", payload.len()),
            Self::Fault(fault) => f.debug_tuple("Fault").field(fault).finish(),
            Self::Tagged { scheme, key_id, payload, .. } => {
                write!(f, "Tagged({scheme}.{key_id}, {} bytes)", payload.len())
            }
        }
    }
}

/// Explains one field value.
///
/// ```
/// use keyscheme::{Explanation, explain};
///
/// let Explanation::Fault(fault) = explain(b"gcm1.Spring.x") else { panic!() };
/// assert_eq!(fault.at, 5);
/// ```
pub fn explain(value: &[u8]) -> Explanation<'_> {
    match dissect(value) {
        Ok(explanation) => explanation,
        Err(fault) => Explanation::Fault(fault),
    }
}

fn dissect(value: &[u8]) -> Result<Explanation<'_>, Fault> {
    if value.is_empty() {
        let problem = "an empty value is no credential".to_owned();
        return Err(Fault { at: 0, reason: Reject::Missing, problem });
    }
    if let Some(at) = value.iter().position(|&b| b == b',') {
        let problem = "a comma joins several values into one field".to_owned();
        return Err(Fault { at, reason: Reject::Ambiguous, problem });
    }
    if let Some((at, b)) = value.iter().enumerate().find(|(_, b)| !is_token68_byte(**b)) {
        let problem = format!("byte 0x{b:02x} is not one of A-Z a-z 0-9 - . _ ~ + / =");
        return Err(Fault::malformed(at, problem));
    }
    if value.len() > MAX_CREDENTIAL {
        let problem = format!("{} bytes; a credential has at most {MAX_CREDENTIAL}", value.len());
        return Err(Fault::malformed(MAX_CREDENTIAL, problem));
    }
    let text = std::str::from_utf8(value).unwrap_or_default();
    match text.split_once('.') {
        None => bare(value),
        Some((scheme, rest)) => tagged(scheme, rest),
    }
}

fn bare(value: &[u8]) -> Result<Explanation<'_>, Fault> {
    if is_canonical(value) {
        return Ok(Explanation::Bare { payload: value });
    }
    let symbols = value.iter().rposition(|&b| b != b'=').map_or(0, |last| last + 1);
    let foreign = value
        .iter()
        .position(|b| matches!(b, b'-' | b'_' | b'~'))
        .or_else(|| value.iter().take(symbols).position(|&b| b == b'='));
    Err(match foreign {
        Some(at) => Fault::malformed(
            at,
            "without a `.` a value is standard Base64, where this does not belong",
        ),
        None if !value.len().is_multiple_of(4) || value.len() - symbols > 2 || symbols == 0 => {
            let problem = format!("Base64 of {symbols} symbols with wrong padding");
            Fault::malformed(symbols, problem)
        }
        None => Fault::malformed(symbols - 1, "the unused bits of this Base64 symbol are not zero"),
    })
}

fn tagged<'a>(scheme: &'a str, rest: &'a str) -> Result<Explanation<'a>, Fault> {
    let scheme_rule = "a scheme is 2 to 16 of a-z and 0-9, beginning with a letter";
    let in_scheme = |(at, b): (usize, u8)| b.is_ascii_lowercase() || at > 0 && b.is_ascii_digit();
    if let Some(at) = first_not(scheme, in_scheme) {
        return Err(Fault::malformed(at, scheme_rule));
    }
    if !(2..=16).contains(&scheme.len()) {
        return Err(Fault::malformed(scheme.len().min(16), scheme_rule));
    }
    let id_at = scheme.len() + 1;
    let id_rule = "a key id is 1 to 32 of a-z, 0-9 and -, beginning with a letter or digit";
    let (key_id, payload) = rest.split_once('.').unwrap_or((rest, ""));
    let in_id =
        |(at, b): (usize, u8)| b.is_ascii_lowercase() || b.is_ascii_digit() || at > 0 && b == b'-';
    if let Some(at) = first_not(key_id, in_id) {
        return Err(Fault::malformed(id_at + at, id_rule));
    }
    if !(1..=KeyId::MAX).contains(&key_id.len()) {
        return Err(Fault::malformed(id_at + key_id.len().min(KeyId::MAX), id_rule));
    }
    let payload_at = id_at + key_id.len() + 1;
    if payload.is_empty() {
        let at = payload_at.min(id_at + rest.len());
        return Err(Fault::malformed(at, "the key id must be followed by `.` and a payload"));
    }
    Ok(Explanation::Tagged { scheme, key_id, payload: payload.as_bytes(), payload_at })
}

fn first_not(text: &str, rule: impl Fn((usize, u8)) -> bool) -> Option<usize> {
    text.bytes().enumerate().position(|at_and_byte| !rule(at_and_byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{credential::Credential, presented::Presented},
        *,
    };

    fn verdict(value: &[u8]) -> Result<(), Reject> {
        match explain(value) {
            Explanation::Fault(fault) => {
                assert!(fault.at <= value.len());
                Err(fault.reason)
            }
            _ => Ok(()),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_parser(value in "[a-zA-C0-2.=_,-]{0,40}") {
            let value = value.as_bytes();
            let parsed = Credential::parse(Presented::One(value)).map(|_| ());
            prop_assert_eq!(verdict(value), parsed);
        }

        #[test]
        fn agrees_with_the_parser_near_the_grammar(
            scheme in "[a-z][a-z0-9]{0,16}", id in "[a-z0-9][a-z0-9-]{0,33}", rest in "[A-Za-z0-9.=]{0,3}",
        ) {
            let value = format!("{scheme}.{id}.{rest}");
            let parsed = Credential::parse(Presented::One(value.as_bytes())).map(|_| ());
            prop_assert_eq!(verdict(value.as_bytes()), parsed);
        }

        #[test]
        fn agrees_with_the_parser_on_any_bytes(value in proptest::collection::vec(any::<u8>(), 0..1100)) {
            let parsed = Credential::parse(Presented::One(&value)).map(|_| ());
            prop_assert_eq!(verdict(&value), parsed);
        }
    }
}
