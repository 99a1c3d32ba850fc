//! Exactly what an issuer makes for a request is accepted with it, and nothing else.
//!
//! Nothing is random here, so for each request and scheme there is one credential, and where the
//! scheme may be bare, two spellings of it. The input is fields, a byte 0xFF between them:
//!
//! ```text
//! scheme  method target body  arrived-method arrived-target arrived-body  edits  payload
//! ```
//!
//! A credential is issued for the first request, changed by the edits, and judged with the second;
//! or, where there is a payload, that is judged instead. Empty fields of the second request are those
//! of the first.

#![no_main]

use std::sync::LazyLock;

use keyscheme::{Config, Explanation, Facts, Issuer, Reject, Request, explain};
use keyscheme_fuzz::{every_scheme, issuer, judge};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(every_scheme);
static ISSUERS: LazyLock<Vec<Issuers>> =
    LazyLock::new(|| CONFIG.registry().facts().map(Issuers::new).collect());

struct Issuers {
    facts: &'static Facts,
    tagged: Issuer,
    bare: Issuer,
}

impl Issuers {
    fn new(facts: &'static Facts) -> Self {
        let issuer = || issuer(&CONFIG, facts);
        Self { facts, tagged: issuer(), bare: issuer().bare() }
    }
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
    let Issuers { facts, tagged, bare } = &ISSUERS[chosen];
    let is_bare = scheme.len() > 1;
    let sent = Request::new(method, target).body(body);
    let arrived = Request::new(to_method, to_target).body(to_body);
    let value = match (if is_bare { bare } else { tagged }).issue(&sent) {
        _ if !payload.is_empty() && is_bare => payload.to_vec(),
        _ if !payload.is_empty() => [facts.id.as_bytes(), facts.id.as_bytes(), payload].join(&b'.'),
        Ok(issued) => edited(issued.into_bytes(), edits),
        Err(_) => return,
    };

    let verdict = judge(CONFIG.verifier().snapshot(), &arrived.credential(&value), to_body);
    let genuine = ISSUERS.iter().any(|Issuers { tagged, bare, .. }| {
        [tagged, bare].iter().any(|i| i.issue(&arrived).is_ok_and(|v| v.as_bytes() == value))
    });
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

/// Three bytes an edit: which, where, and with what.
fn edited(mut value: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for &[which, at, with] in edits.as_chunks().0 {
        let at = usize::from(at).min(value.len());
        match which % 4 {
            0 => value.insert(at, with),
            1 => value.truncate(at),
            2 if at < value.len() => drop(value.remove(at)),
            3 if at < value.len() => value[at] ^= with,
            _ => {}
        }
    }
    value
}
