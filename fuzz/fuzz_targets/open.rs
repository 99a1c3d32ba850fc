//! Exactly what an issuer makes for a request is accepted with it, and nothing else.
//!
//! Nothing is random here. A credential is issued for one request, changed, and judged with another,
//! for which a second issuer of the same key has its own credential with its own nonce. The input is
//! fields, a byte 0xFF between them:
//!
//! ```text
//! scheme  method target body  arrived-method arrived-target arrived-body  edits  payload
//! ```
//!
//! A second byte of `scheme` leaves the prefix off. Empty fields of the request that arrives are those
//! of the first. Where there is a payload, it is judged instead of the credential.

#![no_main]

use std::sync::LazyLock;

use keyscheme::{Config, Explanation, Facts, Issuer, Reject, Request, explain};
use keyscheme_fuzz::{every_scheme, issuer, judge};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(every_scheme);
static ISSUERS: LazyLock<Vec<Issuers>> =
    LazyLock::new(|| CONFIG.registry().facts().map(Issuers::new).collect());

/// Of one scheme, with a prefix and without.
struct Issuers {
    facts: &'static Facts,
    first: [Issuer; 2],
    second: [Issuer; 2],
}

impl Issuers {
    fn new(facts: &'static Facts) -> Self {
        let both = |nonce| [issuer(&CONFIG, facts, nonce), issuer(&CONFIG, facts, nonce).bare()];
        Self { facts, first: both(1), second: both(2) }
    }
}

fn issue(issuers: &[Issuer], request: &Request<'_>, value: &[u8]) -> bool {
    issuers.iter().any(|issuer| issuer.issue(request).is_ok_and(|own| own.as_bytes() == value))
}

fuzz_target!(|input: &[u8]| {
    let mut fields = input.split(|byte| *byte == 0xff);
    let mut field = || fields.next().unwrap_or_default();
    let [scheme, method, target, body] = std::array::from_fn(|_| field());
    let [to_method, to_target, to_body] = [method, target, body].map(|sent| match field() {
        [] => sent,
        changed => changed,
    });
    let [edits, payload] = std::array::from_fn(|_| field());

    let chosen = usize::from(*scheme.first().unwrap_or(&0)) % ISSUERS.len();
    let Issuers { facts, first, second } = &ISSUERS[chosen];
    let is_bare = scheme.len() > 1;
    let sent = Request::new(method, target).body(body);
    let arrived = Request::new(to_method, to_target).body(to_body);
    let (value, genuine);
    if payload.is_empty() {
        let Ok(issued) = first[usize::from(is_bare)].issue(&sent) else { return };
        let other = second[0].issue(&arrived).unwrap_or_default();
        value = edited(issued.into_bytes(), edits, &other);
        let same_request = [method, target] == [to_method, to_target];
        let bound =
            (same_request || !facts.binds.request) && (body == to_body || !facts.binds.body);
        genuine = bound && issue(first, &sent, &value) || issue(second, &arrived, &value);
    } else {
        let tagged = || [facts.id.as_bytes(), facts.id.as_bytes(), payload].join(&b'.');
        value = if is_bare { payload.to_vec() } else { tagged() };
        genuine = ISSUERS.iter().any(|Issuers { first, second, .. }| {
            [first, second].iter().any(|issuers| issue(*issuers, &arrived, &value))
        });
    }
    let verdict = judge(CONFIG.verifier().snapshot(), &arrived.credential(&value), to_body);
    assert_eq!(verdict.is_ok(), genuine, "{verdict:?}");

    let explained = match explain(&value) {
        Explanation::Bare { payload } => CONFIG.registry().explain(None, payload),
        Explanation::Tagged { scheme, key_id, payload, .. } => {
            let known = CONFIG.registry().explain(Some(scheme), payload);
            // Every key has the name of its scheme; there is no other.
            if known.is_some() && scheme != key_id {
                assert_eq!(verdict, Err(Reject::UnknownKey));
                return;
            }
            known
        }
        Explanation::Fault(_) => return,
    };
    match explained {
        None => assert_eq!(verdict, Err(Reject::UnknownScheme)),
        Some((_, parts)) => {
            assert_eq!(parts.is_err(), verdict == Err(Reject::Malformed), "{parts:?} {verdict:?}");
        }
    }
});

/// Three bytes an edit: which, where, and with what. A whole field can be that of another credential.
fn edited(mut value: Vec<u8>, edits: &[u8], other: &str) -> Vec<u8> {
    for &[which, place, with] in edits.as_chunks().0 {
        let at = usize::from(place).min(value.len());
        match which % 5 {
            0 => value.insert(at, with),
            1 => value.truncate(at),
            2 if at < value.len() => drop(value.remove(at)),
            3 if at < value.len() => value[at] ^= with,
            4 => {
                let mut fields: Vec<_> = value.split(|b| *b == b'.').collect();
                let others: Vec<_> = other.split('.').collect();
                let (to, from) =
                    (usize::from(place) % fields.len(), usize::from(with) % others.len());
                fields[to] = others[from].as_bytes();
                value = fields.join(&b'.');
            }
            _ => {}
        }
    }
    value
}
