//! What the suite tries: requests, lengths, and payloads that must not open.

use super::Property;
use crate::{
    encoding::Encoding,
    error::BackendError,
    material::{Field, Lengths},
    random::{OsRandom, Random},
    request::{Body, Context},
    scheme::Sealing,
    time::UnixTime,
};

/// As long as an id may be.
pub(super) const KEY_ID: &str = "spring-gateway-production-2026-1";

/// The service has one byte less than it may have, so that one of the id can move there.
pub(super) const HERE: Context<'static> = Context {
    service: b"speech-to-text.production.north-west.internal-services.example",
    key_id: KEY_ID.as_bytes(),
    method: b"POST",
    target: b"/v1/stt?lang=ko",
};

/// What most credentials of the suite are made for.
pub(super) const USUAL: Sealing<'static> = Sealing {
    context: HERE,
    body: Body::Content(b"hello"),
    now: UnixTime(1_700_000_000),
    random: &OsRandom,
    bare: false,
};

/// Other contexts, and what is another there.
pub(super) const ELSEWHERE: [(Property, Context<'static>); 13] = [
    service(b"tts"),
    service(b"speech-to-text.production.north-west.internal-services.exampl"),
    service(b"speech-to-text.production.north-west.internal-services.example2"),
    key_id(b"spring-2"),
    key_id(b"spring-gateway-production-2026-"),
    (
        Property::KeyId,
        Context {
            service: b"speech-to-text.production.north-west.internal-services.examples",
            key_id: b"pring-gateway-production-2026-1",
            ..HERE
        },
    ),
    request(b"PUT", HERE.target),
    request(b"post", HERE.target),
    request(b"POS", HERE.target),
    request(HERE.method, b"/v1/stt"),
    request(HERE.method, b"/v1/stt?lang=k"),
    request(HERE.method, b"/v1/stt?lang=ko&"),
    request(HERE.method, b"/v1/stt?lang=%6Bo"),
];

const fn service(service: &'static [u8]) -> (Property, Context<'static>) {
    (Property::Service, Context { service, ..HERE })
}

const fn key_id(key_id: &'static [u8]) -> (Property, Context<'static>) {
    (Property::KeyId, Context { key_id, ..HERE })
}

const fn request(method: &'static [u8], target: &'static [u8]) -> (Property, Context<'static>) {
    (Property::Request, Context { method, target, ..HERE })
}

/// Methods and targets of which one cannot be bound.
pub(super) const UNBINDABLE: [(&[u8], &[u8]); 10] = [
    (b"", HERE.target),
    (b"CONNECT", HERE.target),
    (b"PO ST", HERE.target),
    (b"POST\n", HERE.target),
    (b"POST", b""),
    (b"POST", b"*"),
    (b"POST", b"/v1/stt?lang=ko#"),
    (b"POST", b"/v1/stt?lang=ko\n"),
    (b"POST", b"/v1/stt?lang=\xea\xb0\x80"),
    (b"POST", b"http://stt/v1/stt?lang=ko"),
];

/// A context as a person reads it.
pub(super) fn place(cx: &Context<'_>) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes);
    let Context { service, key_id, method, target } = *cx;
    format!("{} {} {:?} {:?}", text(service), text(key_id), text(method), text(target))
}

/// Every body at every time, and a target that is longer than most.
pub(super) fn sealings(bare: bool) -> impl Iterator<Item = Sealing<'static>> {
    const LONG: [u8; 600] = [b'/'; 600];
    const BODIES: [Body<'static>; 4] = [
        Body::Content(b""),
        Body::Content(b"hello"),
        Body::Content(&[0xff; 5000]),
        Body::Uncovered,
    ];
    // Long past and far ahead, so that a scheme which reads a clock cannot pass.
    const TIMES: [u64; 4] = [1, 1_000_000_000, 1_700_000_000, 99_999_999_999];
    let contexts = [HERE, Context { target: &LONG, ..HERE }];
    contexts.into_iter().flat_map(move |context| {
        BODIES.into_iter().flat_map(move |body| {
            TIMES.map(|now| Sealing { context, body, now: UnixTime(now), bare, ..USUAL })
        })
    })
}

/// How many credentials must differ.
pub(super) const SEALS: usize = 200;

/// A generator that has failed.
#[derive(Debug)]
pub(super) struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), BackendError> {
        Err(BackendError::new("random generator", "none, for the test"))
    }
}

/// Lengths of the secrets of one key after another: the shortest, then longer ones, then the
/// longest. Every length to be tried is among them.
pub(super) fn lengths_of_keys(fields: &[Field]) -> Vec<Vec<usize>> {
    let fields: Vec<_> = fields.iter().map(lengths).collect();
    let keys = fields.iter().map(Vec::len).max().unwrap_or(0);
    let of_key = |key| fields.iter().filter_map(move |all| all.get(key).or(all.last()).copied());
    (0..keys).map(|key| of_key(key).collect()).collect()
}

/// Lengths to try, in ascending order; none where the field allows none.
pub(super) fn lengths(field: &Field) -> Vec<usize> {
    let mut lengths = match field.lengths {
        Lengths::Between(least, most) => {
            vec![least, 15, 16, field.lengths.of_new(), least.midpoint(most), most]
        }
        Lengths::OneOf(lengths) => lengths.to_vec(),
    };
    lengths.retain(|length| field.lengths.allow(*length));
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// The neighbours of those that are allowed, and an empty secret.
pub(super) fn wrong_lengths(field: &Field) -> Vec<usize> {
    let neighbours = lengths(field).into_iter().flat_map(|n| [n.saturating_sub(1), n + 1]);
    neighbours.chain([0]).filter(|length| !field.lengths.allow(*length)).collect()
}

/// The same secrets but for one bit, at either end of each.
pub(super) fn other_secrets(secrets: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for at in 0..secrets.len() {
        for last in [false, true] {
            let mut others = secrets.to_vec();
            let secret = others.get_mut(at);
            let end = secret.and_then(|s| if last { s.last_mut() } else { s.first_mut() });
            if let Some(byte) = end {
                *byte ^= 1;
                all.push(others);
            }
        }
    }
    all
}

/// A payload with something flipped, left out, put in or spelled otherwise.
pub(super) fn alterations(payload: &[u8]) -> Vec<(Property, Vec<u8>)> {
    let mut all = Vec::new();
    let mut splice = |property, at: usize, removed: usize, with: &[u8]| {
        let mut altered = payload.to_vec();
        altered.splice(at..at + removed, with.iter().copied());
        all.push((property, altered));
    };
    for (at, &here) in payload.iter().enumerate() {
        for bit in 0..8 {
            splice(Property::Flipped, at, 1, &[here ^ 1 << bit]);
        }
        splice(Property::Truncated, at, 1, b"");
        splice(Property::Truncated, 0, at + 1, b"");
        splice(Property::Truncated, at, payload.len() - at, b"");
        for put_in in b"A.=0-~" {
            splice(Property::Extended, at, 0, &[*put_in]);
        }
        if matches!(payload.get(at + 1), None | Some(b'.')) {
            for other in TOKEN68.iter().filter(|other| **other != here) {
                splice(Property::Spelling, at, 1, &[*other]);
            }
        }
    }
    for end in [0, payload.len()] {
        for one in TOKEN68 {
            splice(Property::Extended, end, 0, &[*one]);
        }
        for more in ["==", ".A", "A.", "AAAA"] {
            splice(Property::Extended, end, 0, more.as_bytes());
        }
        splice(Property::Extended, end, 0, payload);
    }
    all
}

/// Lengths of what is made up, in random bytes.
pub(super) fn garbage_lengths() -> impl Iterator<Item = usize> {
    (1..100).chain((100..720).step_by(7))
}

/// Payloads made up of random bytes: plain token68, both forms of Base64, and one of the shape of a
/// good payload, which comes furthest.
pub(super) fn garbage(random: &[u8], length: usize, good: &[u8]) -> Vec<Vec<u8>> {
    let symbol = |all: &[u8], b: &u8| all.iter().cycle().nth(usize::from(*b)).copied();
    let bytes = random.get(..length).unwrap_or(random);
    let shaped = good.iter().zip(random).filter_map(|(good, b)| match good {
        b'.' | b'=' => Some(*good),
        b'0'..=b'9' => symbol(b"123456789", b),
        _ => symbol(BASE64URL, b),
    });
    let encoded = [Encoding::Base64, Encoding::Base64Url].into_iter();
    let encoded = encoded.filter_map(|how| Some(how.encode(bytes)?.as_bytes().to_vec()));
    let plain = bytes.iter().filter_map(|b| symbol(TOKEN68, b)).collect();
    encoded.chain([plain, shaped.collect()]).collect()
}

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const TOKEN68: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{KeyId, ServiceName};

    #[test]
    fn names_are_as_long_as_they_may_be() {
        for (_, cx) in ELSEWHERE.into_iter().chain([(Property::Service, HERE)]) {
            assert!(ServiceName::is_name(cx.service) && KeyId::is_name(cx.key_id), "{cx:?}");
            assert!(cx.is_bindable(), "{cx:?}");
        }
        assert_eq!((HERE.service.len(), HERE.key_id.len()), (ServiceName::MAX - 1, KeyId::MAX));
        let joined = |cx: &Context<'_>| [cx.service, cx.key_id].concat();
        assert!(ELSEWHERE.iter().any(|(_, cx)| joined(cx) == joined(&HERE)));
    }

    #[test]
    fn what_cannot_be_bound_cannot() {
        for (method, target) in UNBINDABLE {
            assert!(!Context { method, target, ..HERE }.is_bindable(), "{method:?} {target:?}");
        }
    }

    #[test]
    fn alterations_are_alterations() {
        let all = alterations(b"17.AA");
        assert!(all.iter().all(|(_, altered)| altered != b"17.AA"));
        for (property, altered) in [
            (Property::Extended, "17.AA=="),
            (Property::Extended, "17.AA17.AA"),
            (Property::Flipped, "16.AA"),
            (Property::Spelling, "19.AA"),
            (Property::Spelling, "17.AB"),
            (Property::Truncated, "AA"),
            (Property::Truncated, "1.AA"),
            (Property::Truncated, ""),
        ] {
            assert!(all.contains(&(property, altered.into())), "{altered}");
        }
    }

    #[test]
    fn every_length_is_tried() {
        let field = |lengths| Field {
            name: "secret",
            encoding: Encoding::Hex,
            lengths,
            reuse: crate::Reuse::Never,
        };
        let fields = [field(Lengths::OneOf(&[16, 32])), field(Lengths::Between(20, 40))];
        let keys = lengths_of_keys(&fields);
        assert_eq!(keys, [[16, 20], [32, 30], [32, 32], [32, 40]]);
        assert_eq!(wrong_lengths(&fields[0]), [15, 17, 31, 33, 0]);
        assert_eq!(wrong_lengths(&fields[1]), [19, 41, 0]);
        assert!(lengths(&field(Lengths::Between(2, 1))).is_empty());
    }
}
