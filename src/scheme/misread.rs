//! What a well-meaning `hmac1` client may have signed in place of the request that was sent. For the
//! operator's log only: nothing here accepts anything.

use super::{
    Context,
    hmac1::{Fields, Key},
    text::split_field,
};
use crate::ct;

/// The misreading under which this payload would have been proved.
pub(super) fn misread(key: &Key, payload: &[u8], cx: &Context<'_>) -> Option<&'static str> {
    let Some(fields) = Fields::parse(payload) else {
        let (ts, _) = split_field(payload)?;
        return is_milliseconds(ts).then_some("ts is in milliseconds, not in seconds");
    };
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
        let mac = key.mac(&Context { method, target, ..*cx }, &fields.signed);
        if ct::eq_32(&fields.mac, &mac) {
            found = Some(reading);
        }
    }
    found
}

/// Unix milliseconds of this century have 12 or 13 digits.
fn is_milliseconds(ts: &[u8]) -> bool {
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
    use super::{
        super::{Hmac1, KeyScheme},
        *,
    };
    use crate::{
        material::Material,
        random::OsRandom,
        scheme::{Body, Sealing},
        time::UnixTime,
    };

    fn cx<'a>((method, target): (&'a str, &'a str)) -> Context<'a> {
        let (method, target) = (method.as_bytes(), target.as_bytes());
        Context { service: b"stt", key_id: b"k", method, target }
    }

    fn reading(signed: (&str, &str), sent: (&str, &str)) -> Option<&'static str> {
        let key = Hmac1.prepare(&Material::new().with("secret", [7; 32].as_slice())).unwrap();
        // What cannot be bound is not sealed by us, so the MAC is made by hand.
        let nonce = "AAECAwQFBgcICQoLDA0ODw";
        let digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let payload = format!("1700000000.{nonce}.{digest}.{}", "A".repeat(43));
        let fields = Fields::parse(payload.as_bytes()).unwrap();
        let mac = key.mac(&cx(signed), &fields.signed);
        let mut text = String::new();
        crate::wire::base64::encode_url(&mac, &mut text);
        let payload = format!("1700000000.{nonce}.{digest}.{text}");
        misread(&key, payload.as_bytes(), &cx(sent))
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
    fn milliseconds_are_named_without_a_proof() {
        let key = Hmac1.prepare(&Material::new().with("secret", [7; 32].as_slice())).unwrap();
        let cx = Context { service: b"stt", key_id: b"k", method: b"GET", target: b"/" };
        for (ts, named) in [("1700000000000", true), ("17000000000000", false), ("x", false)] {
            let payload = format!("{ts}.a.b.c");
            assert_eq!(misread(&key, payload.as_bytes(), &cx).is_some(), named, "{ts}");
        }
    }

    #[test]
    fn what_was_signed_well_is_no_misreading() {
        let key = Hmac1.prepare(&Material::new().with("secret", [7; 32].as_slice())).unwrap();
        let cx = Context { service: b"stt", key_id: b"k", method: b"GET", target: b"/a%20b?c" };
        let sealing = Sealing {
            context: cx,
            body: Body::Content(b""),
            now: UnixTime(1_700_000_000),
            random: &OsRandom,
            bare: false,
        };
        let mut payload = String::new();
        Hmac1.seal(&key, &sealing, &mut payload).unwrap();
        assert_eq!(misread(&key, payload.as_bytes(), &cx), None);
    }
}
