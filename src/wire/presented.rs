//! What of a request's headers is looked at.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
