//! The texts that payloads and joined inputs are made of.

use super::sealing::SealError;
use crate::time::UnixTime;

/// `ts`: `[1-9][0-9]{0,10}`, Unix seconds.
#[inline]
pub(crate) fn parse_ts(text: &[u8]) -> Option<UnixTime> {
    if !(1..=11).contains(&text.len()) || text.first() == Some(&b'0') {
        return None;
    }
    let mut digits = true;
    let mut seconds = 0_u64;
    for &b in text {
        digits &= b.is_ascii_digit();
        seconds = seconds * 10 + u64::from(b & 15);
    }
    digits.then_some(UnixTime(seconds))
}

/// The present as a `ts`.
pub(crate) fn format_ts(now: UnixTime, out: &mut String) -> Result<(), SealError> {
    if !(1..=99_999_999_999).contains(&now.0) {
        return Err(SealError::Time(now));
    }
    out.push_str(&now.0.to_string());
    Ok(())
}

/// Splits at the first `.`.
#[inline]
pub(crate) fn split_field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == b'.')?;
    let (field, rest) = text.split_at_checked(at)?;
    Some((field, rest.get(1..)?))
}

/// Copies a text that is usually short: two overlapping pieces of a fixed size cost less than a call.
/// Both are of one length.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    /// Whether the length is from `N` to `2 * N`, and so it was copied.
    #[inline]
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
        from.len() <= 2 * N
    }
    if from.len() > 64 {
        to.copy_from_slice(from);
    } else if !(ends::<32>(to, from) || ends::<16>(to, from) || ends::<8>(to, from)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Splits off a field of `length` bytes and the `.` behind it.
#[inline]
pub(crate) fn split_field_of(length: usize, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (field, rest) = text.split_at_checked(length)?;
    Some((field, rest.strip_prefix(b".")?))
}

/// Joins fields in `room`, a line feed between them; `None` where they do not fit.
#[inline]
pub(crate) fn join<'r>(fields: &[&[u8]], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let mut end = 0;
    for field in fields {
        let [to @ .., after] = room.get_mut(end..=end + field.len())? else { return None };
        copy_short(to, field);
        *after = b'\n';
        end += field.len() + 1;
    }
    room.get(..end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_plain_decimals() {
        assert_eq!(parse_ts(b"1"), Some(UnixTime(1)));
        assert_eq!(parse_ts(b"1700000000"), Some(UnixTime(1_700_000_000)));
        assert_eq!(parse_ts(b"99999999999"), Some(UnixTime(99_999_999_999)));
        for bad in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1e9",
            "1.",
            " 1",
            "1 ",
            "100000000000",
            "9223372036854775808",
            "99999999999999999999",
            "１",
            "0x1",
            "1_0",
            "?",
        ] {
            assert_eq!(parse_ts(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn fields_that_do_not_fit_are_not_joined() {
        let joined = |fields: &[&[u8]]| join(fields, &mut [0; 5]).map(<[u8]>::to_vec);
        assert_eq!(joined(&[b"ab", b"c"]), Some(b"ab\nc".to_vec()));
        assert_eq!(joined(&[b"", b"", b""]), Some(b"\n\n".to_vec()));
        assert_eq!(joined(&[b"ab", b"cd"]), None);
        assert_eq!(joined(&[]), Some(Vec::new()));
    }
}
