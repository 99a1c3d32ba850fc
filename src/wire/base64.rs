//! The two Base64 forms of the wire, canonical only: one text per byte string.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::fault::Fault;

/// Whether `text` is canonical RFC 4648 section 4 Base64: padded, its trailing bits zero.
///
/// It looks at the text only, so a value can be judged without being decoded.
#[inline]
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    let (symbols, last_is_clean) = match text {
        [symbols @ .., b'=', b'='] => (symbols, matches!(symbols, [.., b'A' | b'Q' | b'g' | b'w'])),
        [symbols @ .., b'='] => {
            (symbols, matches!(symbols, [.., last] if sextet_ends_in_00(*last)))
        }
        symbols => (symbols, true),
    };
    let alphabet = symbols
        .iter()
        .fold(true, |so_far, &b| so_far & (b.is_ascii_alphanumeric() | (b == b'+') | (b == b'/')));
    !text.is_empty() & text.len().is_multiple_of(4) & last_is_clean & alphabet
}

/// Whether `text` is canonical RFC 4648 section 5 Base64: without padding, its trailing bits zero.
#[inline]
pub(crate) fn is_canonical_url(text: &[u8]) -> bool {
    let last_is_clean = match (text.len() % 4, text) {
        (0, _) => true,
        (2, [.., last]) => matches!(last, b'A' | b'Q' | b'g' | b'w'),
        (3, [.., last]) => sextet_ends_in_00(*last),
        _ => false,
    };
    let alphabet = text
        .iter()
        .fold(true, |so_far, &b| so_far & (b.is_ascii_alphanumeric() | (b == b'-') | (b == b'_')));
    !text.is_empty() & last_is_clean & alphabet
}

/// Whether the last two bits of a symbol's value are zero: every fourth symbol, from `A`.
fn sextet_ends_in_00(symbol: u8) -> bool {
    matches!(
        symbol,
        b'A' | b'E'
            | b'I'
            | b'M'
            | b'Q'
            | b'U'
            | b'Y'
            | b'c'
            | b'g'
            | b'k'
            | b'o'
            | b's'
            | b'w'
            | b'0'
            | b'4'
            | b'8'
    )
}

/// Decodes canonical Base64 (section 5) to the front of `out`; `None` where it is not that, or is
/// longer than `out`.
///
/// Four symbols at a time, from tables that hold each symbol's bits in their place. On what a
/// credential holds it takes two thirds of the time of the `base64` crate, and a test holds it to
/// that crate's verdicts. What is decoded is public, so the tables tell nobody anything.
#[inline]
pub(crate) fn decode_url<'o>(text: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let (quads, last) = text.as_chunks::<4>();
    let out = out.get_mut(..quads.len() * 3 + last.len().saturating_sub(1))?;
    let (to, to_last) = out.split_at_mut_checked(quads.len() * 3)?;
    let mut seen = 0;
    for (to, quad) in to.as_chunks_mut().0.iter_mut().zip(quads) {
        let [foreign, bytes @ ..] = decode_quad(*quad);
        seen |= foreign;
        *to = bytes;
    }
    let [foreign, bytes @ ..] = match *last {
        [] if !text.is_empty() => [0; 4],
        [a, b] => decode_quad([a, b, b'A', b'A']),
        [a, b, c] => decode_quad([a, b, c, b'A']),
        _ => return None,
    };
    let (tail, unused) = bytes.split_at_checked(to_last.len())?;
    to_last.copy_from_slice(tail);
    let stray = unused.iter().fold(seen | foreign, |so_far, bits| so_far | bits);
    (stray == 0).then_some(out)
}

/// Three bytes, and before them one that is not zero where a symbol is foreign.
#[inline]
fn decode_quad(symbols: [u8; 4]) -> [u8; 4] {
    static PLACES: [[u32; 256]; 4] = [placed(18), placed(12), placed(6), placed(0)];
    let bits = |(place, symbol): (&[u32; 256], u8)| place.get(usize::from(symbol)).copied();
    let places = PLACES.iter().zip(symbols);
    places.fold(0, |quad, place| quad | bits(place).unwrap_or(FOREIGN)).to_be_bytes()
}

const FOREIGN: u32 = 0xff00_0000;

/// The bits of every symbol, shifted to their place in a quad.
#[expect(clippy::indexing_slicing, reason = "judged when compiled: `get_mut` is not const yet")]
const fn placed(shift: u32) -> [u32; 256] {
    let mut table = [FOREIGN; 256];
    let mut symbol = 0_u8;
    while symbol < u8::MAX {
        let sextet = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => u8::MAX,
        };
        if sextet != u8::MAX {
            table[symbol as usize] = (sextet as u32) << shift;
        }
        symbol += 1;
    }
    table
}

/// [`decode_url`] where the length is known.
#[inline]
pub(crate) fn decode_url_exact<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let length = decode_url(text, &mut out)?.len();
    (length == N).then_some(out)
}

/// Where `text` stops being canonical Base64 (section 5), for a person.
pub(crate) fn url_fault(text: &[u8]) -> Option<Fault> {
    let foreign = text.iter().position(|&b| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    if text.is_empty() {
        return Some(Fault::malformed(0, "an empty field"));
    }
    if let Some(at) = foreign {
        return Some(Fault::malformed(at, "not a symbol of unpadded Base64url"));
    }
    if text.len() % 4 == 1 {
        return Some(Fault::malformed(text.len(), "no byte string has this many Base64 symbols"));
    }
    let last = text.len() - 1;
    (!is_canonical_url(text))
        .then(|| Fault::malformed(last, "the unused bits of this Base64 symbol are not zero"))
}

/// Appends `bytes` as Base64 (section 5).
pub(crate) fn encode_url(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_decoding_on_what_is_nearly_base64(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            at in any::<prop::sample::Index>(),
            with in prop::sample::select(b"AQgwEBz09+/-_=.~ \n".to_vec()),
        ) {
            for (text, url) in [(STANDARD.encode(&bytes), false), (URL_SAFE_NO_PAD.encode(&bytes), true)] {
                let mut text = text.into_bytes();
                for changed in [false, true] {
                    if changed && !text.is_empty() {
                        let at = at.index(text.len());
                        text[at] = with;
                    }
                    let (judged, decoded) = if url {
                        (is_canonical_url(&text), URL_SAFE_NO_PAD.decode(&text).is_ok())
                    } else {
                        (is_canonical(&text), STANDARD.decode(&text).is_ok())
                    };
                    prop_assert_eq!(judged, decoded && !text.is_empty());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn decodes_as_the_base64_crate_does(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
        ) {
            let mut text = URL_SAFE_NO_PAD.encode(&bytes).into_bytes();
            for changed in [false, true] {
                if changed && !text.is_empty() {
                    let at = at.index(text.len());
                    text[at] = with;
                }
                let mut out = [0; 300];
                let theirs = URL_SAFE_NO_PAD.decode(&text).ok().filter(|bytes| !bytes.is_empty());
                prop_assert_eq!(decode_url(&text, &mut out), theirs.as_deref());
                let short = &mut [0; 5][..];
                prop_assert_eq!(decode_url(&text, short), theirs.as_deref().filter(|b| b.len() <= 5));
            }
        }
    }

    #[test]
    fn every_symbol_at_every_place() {
        for place in 0..8 {
            for b in 0..=255_u8 {
                let mut text = *b"AAAAAAAA";
                text[place] = b;
                let theirs = URL_SAFE_NO_PAD.decode(text).ok();
                assert_eq!(decode_url(&text, &mut [0; 6]), theirs.as_deref(), "{b:#x} at {place}");
            }
        }
    }

    #[test]
    fn every_last_symbol() {
        for last in 0..=255_u8 {
            for length in 1..6 {
                let text = [vec![b'A'; length], vec![last]].concat();
                let theirs = URL_SAFE_NO_PAD.decode(&text).ok();
                assert_eq!(is_canonical_url(&text), theirs.is_some(), "{text:?}");
                assert_eq!(decode_url(&text, &mut [0; 8]), theirs.as_deref(), "{text:?}");
                for padding in ["=", "=="] {
                    let text = [text.clone(), padding.into()].concat();
                    assert_eq!(is_canonical(&text), STANDARD.decode(&text).is_ok(), "{text:?}");
                }
            }
        }
    }
}
