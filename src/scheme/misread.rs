//! What a well-meaning client may have signed in place of the request that was sent. For the operator's
//! log only: nothing here accepts anything.

use crate::request::Context;

/// The misreading under which a credential would have been proved, if `proves` says so of one.
pub(super) fn misread(
    cx: &Context<'_>,
    proves: impl Fn(&Context<'_>) -> bool,
) -> Option<&'static str> {
    let method = cx.method.to_ascii_lowercase();
    let decoded = percent_decoded(cx.target);
    let with_query = [cx.target, b"?"].concat();
    let path = cx.target.split(|&b| b == b'?').next().unwrap_or_default();
    let readings: [(&'static str, &[u8], &[u8]); 5] = [
        ("the target was signed percent-decoded", cx.method, &decoded),
        ("the target was signed with a `?` that was not sent", cx.method, &with_query),
        ("the target was signed without its `?`, or without its query", cx.method, path),
        (
            "the target was signed without its first `/`: an empty path is `/`",
            cx.method,
            cx.target.get(1..)?,
        ),
        ("the method was signed in lower case", &method, cx.target),
    ];
    // All are tried, so that the time does not tell which one it was.
    let mut found = None;
    for (reading, method, target) in readings {
        if proves(&Context { method, target, ..*cx }) {
            found = Some(reading);
        }
    }
    found
}

/// Unix milliseconds of this century have 12 or 13 digits.
pub(super) fn is_milliseconds(ts: &[u8]) -> bool {
    (12..=13).contains(&ts.len()) && ts.iter().all(u8::is_ascii_digit)
}

fn percent_decoded(target: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| char::from(*b?).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut decoded = Vec::with_capacity(target.len());
    let mut rest = target;
    while let [first, after @ ..] = rest {
        rest = after;
        let escape = || Some((digit(after.first())? << 4 | digit(after.get(1))?, after.get(2..)?));
        match escape().filter(|_| *first == b'%') {
            Some((byte, after)) => {
                decoded.push(byte);
                rest = after;
            }
            None => decoded.push(*first),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cx<'a>((method, target): (&'a str, &'a str)) -> Context<'a> {
        let (method, target) = (method.as_bytes(), target.as_bytes());
        Context { service: b"stt", key_id: b"k", method, target }
    }

    fn reading(signed: (&str, &str), sent: (&str, &str)) -> Option<&'static str> {
        let signed = cx(signed);
        misread(&cx(sent), |cx| (cx.method, cx.target) == (signed.method, signed.target))
    }

    #[test]
    fn every_common_misreading_is_named() {
        for (signed, sent, words) in [
            ("/p", "/p?", "without its `?`"),
            ("/p?", "/p", "that was not sent"),
            ("/p", "/p?a=b", "without its query"),
            ("/가", "/%EA%B0%80", "percent-decoded"),
            ("/a b?c=d", "/a%20b?c=d", "percent-decoded"),
            ("", "/", "empty path"),
            ("?a=b", "/?a=b", "empty path"),
            ("p?a", "/p?a", "first `/`"),
        ] {
            let found = reading(("GET", signed), ("GET", sent));
            assert!(found.is_some_and(|found| found.contains(words)), "{signed} {sent} {found:?}");
        }
        let found = reading(("get", "/p"), ("GET", "/p"));
        assert!(found.is_some_and(|found| found.contains("lower case")));
        assert_eq!(reading(("GET", "/other"), ("GET", "/p")), None);
    }

    #[test]
    fn milliseconds_have_twelve_or_thirteen_digits() {
        for (ts, named) in [("1700000000000", true), ("17000000000000", false), ("x", false)] {
            assert_eq!(is_milliseconds(ts.as_bytes()), named, "{ts}");
        }
    }
}
