//! From a credential to its verdict nothing is allocated: not where it is accepted, its single use
//! remembered included, and not where it is refused.
//!
//! Each path is taken twice, the second time counted, so that nothing which is made once hides what
//! is made for each request. Futures are polled by hand, since a runtime allocates for itself.
//! Trouble of our own (a full or absent replay store) may allocate: its cause is written down for the
//! operator.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use keyscheme::{
    AcceptConfig, Failure, Issuer, KeyConfig, KeyState, ManualClock, Material, MemoryReplay,
    OsRandom, Presented, Registry, Reject, Request, ServiceConfig, UnixTime, Verified, Verifier,
    VerifierBuilder,
};

const NOW: UnixTime = UnixTime(1_700_000_000);
const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];
const SHORT: &str = "3f1c0a52-7c1b-4f0e-9d6e-2b7a54c8e913";

/// Different bytes for each id.
fn material(scheme: &str, id: &str, api_key: &str) -> Material {
    let mut secret = [0; 32];
    secret.iter_mut().zip(id.bytes().cycle()).for_each(|(to, from)| *to = from);
    match scheme {
        "hmac1" => Material::new().with("secret", secret.as_slice()),
        _ => Material::new().with("cipher-key", secret.as_slice()).with("api-key", api_key),
    }
}

fn issuer(scheme: &str, id: &str, api_key: &str) -> Issuer {
    let material = material(scheme, id, api_key);
    let issuer = Registry::default().issuer(scheme, "stt", id, &material);
    issuer.expect("sound material").clock(Arc::new(ManualClock::new(NOW)))
}

/// A service that accepts every scheme, and a client with a key of each.
fn builder(api_key: &str) -> VerifierBuilder {
    let mut service = ServiceConfig::new("stt").issue("hmac1");
    let mut builder = Verifier::builder();
    for scheme in SCHEMES {
        service = service.accept(AcceptConfig::new(scheme).until(NOW.plus(1)));
        let id = format!("{scheme}-key");
        let key = KeyConfig::new(&id, scheme, material(scheme, &id, api_key));
        builder = builder.key("spring", key);
    }
    builder.service(service).replay_capacity(100).clock(Arc::new(ManualClock::new(NOW)))
}

fn verifier(api_key: &str) -> Verifier {
    builder(api_key).build().expect("a sound configuration")
}

fn verify(verifier: &Verifier, request: &Request<'_>) -> Result<Verified, Failure> {
    let guard = verifier.service("stt").expect("the service");
    let mut future = pin!(guard.verify(request));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("the replay memory does not wait"),
    }
}

/// How often it allocates, and what it says.
fn count(verifier: &Verifier, request: &Request<'_>) -> (u64, Result<Verified, Failure>) {
    let mut verdict = None;
    let counted = allocation_counter::measure(|| verdict = Some(verify(verifier, request)));
    (counted.count_total, verdict.expect("a verdict"))
}

#[test]
fn accepted_without_allocation() {
    let target = format!("/v1/stt?q={}", "a".repeat(400));
    let body = "hello".repeat(1000);
    for api_key in [SHORT, &"k".repeat(256)] {
        for target in ["/v1/stt", &target] {
            for (scheme, bare, body) in forms(&body) {
                let verifier = verifier(api_key);
                let issuer = issuer(scheme, &format!("{scheme}-key"), api_key);
                let issuer = if bare { issuer.bare() } else { issuer };
                let request = Request::new("POST", target);
                let request = body.map_or(request, |body| request.body(body));
                for counted in [false, true] {
                    let value = issuer.issue(&request).expect("a credential");
                    let (allocations, verdict) = count(&verifier, &request.credential(&value));
                    let verified = verdict.unwrap_or_else(|error| panic!("{value}: {error}"));
                    assert_eq!(verified.scheme(), scheme);
                    assert!(!counted || allocations == 0, "{allocations} for {value}");
                }
                let remembered = verifier.memory().map(MemoryReplay::len);
                assert_eq!(remembered, Some(if scheme == "hmac1" { 2 } else { 0 }));
            }
        }
    }
}

/// Every scheme, tagged and where it can be bare, with its body and without.
fn forms(body: &str) -> impl Iterator<Item = (&'static str, bool, Option<&str>)> {
    let registry = Registry::default();
    let schemes: Vec<_> = registry.facts().collect();
    let tagged = schemes.clone().into_iter().map(|facts| (facts.id, false));
    let bare = schemes.into_iter().filter(|facts| facts.may_be_bare).map(|facts| (facts.id, true));
    tagged
        .chain(bare)
        .flat_map(move |(scheme, bare)| [(scheme, bare, None), (scheme, bare, Some(body))])
}

#[test]
fn remembered_without_allocation() {
    let once = AcceptConfig::new("gcm1").once();
    let verifier = Verifier::builder()
        .service(ServiceConfig::new("stt").issue("gcm1").accept(once))
        .key("spring", KeyConfig::new("g1", "gcm1", material("gcm1", "g1", SHORT)))
        .clock(Arc::new(ManualClock::new(NOW)))
        .build()
        .expect("a sound configuration");
    let request = Request::new("GET", "/");
    for counted in [false, true] {
        let value = issuer("gcm1", "g1", SHORT).issue(&request).expect("a credential");
        let (allocations, verdict) = count(&verifier, &request.credential(&value));
        assert!(verdict.is_ok() && (!counted || allocations == 0), "{allocations}");
        let (allocations, verdict) = count(&verifier, &request.credential(&value));
        assert_eq!(rejected(verdict), Reject::Replayed);
        assert!(!counted || allocations == 0, "{allocations}");
    }
}

#[test]
fn refused_without_allocation() {
    let mut seen = BTreeSet::new();
    for (reason, verifier, lines) in refusals() {
        let lines = lines.iter().map(|line| line.as_bytes());
        let request = Request::new("POST", "/v1/stt").presented(Presented::from_lines(lines));
        if reason == Reject::Replayed {
            let _ = verify(&verifier, &request).expect("its first use");
        }
        for counted in [false, true] {
            let (allocations, verdict) = count(&verifier, &request);
            assert_eq!(rejected(verdict), reason, "{request:?}");
            assert!(!counted || allocations == 0, "{allocations} for {reason}: {request:?}");
        }
        seen.insert(reason);
    }
    seen.insert(Reject::BodyMismatch);
    assert_eq!(seen, BTreeSet::from(Reject::ALL), "every reason");
}

#[test]
fn another_body_is_refused_without_allocation() {
    let verifier = verifier(SHORT);
    for counted in [false, true] {
        let value = sealed("hmac1");
        let request = Request::new("POST", "/v1/stt").credential(&value).body("another");
        let (allocations, verdict) = count(&verifier, &request);
        assert_eq!(rejected(verdict), Reject::BodyMismatch);
        assert!(!counted || allocations == 0, "{allocations}");
    }
}

fn rejected(verdict: Result<Verified, Failure>) -> Reject {
    match verdict {
        Err(Failure::Rejected(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// A credential for `POST /v1/stt` without content, now.
fn sealed(scheme: &str) -> String {
    let issuer = issuer(scheme, &format!("{scheme}-key"), SHORT);
    issuer.issue(&Request::new("POST", "/v1/stt")).expect("a credential")
}

/// What is refused, by whom, and the field lines that ask for it.
fn refusals() -> Vec<(Reject, Verifier, Vec<String>)> {
    let mut all = Vec::new();
    let mut add = |reason, verifier: VerifierBuilder, lines: &[&str]| {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        all.push((reason, verifier.build().expect("a sound configuration"), lines));
    };
    let sound = || builder(SHORT);
    let clock = |now| Arc::new(ManualClock::new(now));
    add(Reject::Missing, sound(), &[]);
    add(Reject::Missing, sound(), &[""]);
    add(Reject::Ambiguous, sound(), &["AAAA", "AAAA"]);
    add(Reject::Ambiguous, sound(), &["AAAA,BBBB"]);
    for value in ["\u{1f600}", "Gcm1.k.x", "gcm1.k", "A", "AAAA", &"A".repeat(1028)] {
        add(Reject::Malformed, sound(), &[value]);
    }
    add(Reject::UnknownScheme, sound(), &["zzz9.k1.AAAA"]);
    add(Reject::BadCredential, sound(), &["AAAAAAAAAAAAAAAAAAAAAA=="]);
    let uncovered = issuer("hmac1", "hmac1-key", SHORT).uncovered_body();
    let uncovered = uncovered.issue(&Request::new("POST", "/v1/stt")).expect("a credential");
    add(Reject::BodyNotCovered, sound(), &[&uncovered]);
    add(Reject::Replayed, sound(), &[&sealed("hmac1")]);
    for (i, scheme) in SCHEMES.into_iter().enumerate() {
        let value = &sealed(scheme);
        let id = format!("{scheme}-key");
        let at = value.len() - 12;
        let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
        let wrong = format!("{}{other}{}", &value[..at], &value[at + 1..]);
        add(Reject::BadCredential, sound(), &[&wrong]);
        add(Reject::Malformed, sound(), &[&format!("{scheme}.{id}.=")]);
        add(Reject::UnknownKey, sound(), &[&value.replace("-key", "-other")]);

        // A service of this scheme alone, and its one key.
        let only = |entry: AcceptConfig, key: KeyConfig| {
            let service = ServiceConfig::new("stt").issue(&entry.scheme).accept(entry);
            Verifier::builder().service(service).key("spring", key).clock(clock(NOW))
        };
        let entry = |scheme: &str| AcceptConfig::new(scheme).until(NOW.plus(1000));
        let key = || KeyConfig::new(&id, scheme, material(scheme, &id, SHORT));
        let another = KeyConfig::new("x1", scheme, material(scheme, "x1", "another"));
        add(Reject::SchemeRefused, only(entry(SCHEMES[(i + 1) % 4]), key()), &[value]);
        add(Reject::SchemeRetired, only(entry(scheme).until(NOW), key()), &[value]);
        let disabled = key().state(KeyState::Disabled);
        add(Reject::KeyDisabled, only(entry(scheme), disabled), &[value]);
        add(Reject::KeyExpired, only(entry(scheme), key().not_after(NOW)), &[value]);
        let for_another = only(entry(scheme).clients(["node"]), key()).key("node", another);
        add(Reject::ClientRefused, for_another, &[value]);
        if matches!(scheme, "gcm1" | "hmac1") {
            let (late, soon) = (clock(NOW.plus(301)), clock(NOW.minus(31)));
            add(Reject::Stale, only(entry(scheme), key()).clock(late), &[value]);
            add(Reject::Early, only(entry(scheme), key()).clock(soon), &[value]);
        }
    }
    all
}

/// A service may accept `ecb0` before its first key of it exists.
#[test]
fn a_bare_value_is_refused_without_allocation_where_no_key_is_bare() {
    let verifier = Verifier::builder()
        .service(
            ServiceConfig::new("stt").issue("ecb0").accept(AcceptConfig::new("ecb0").until(NOW)),
        )
        .clock(Arc::new(ManualClock::new(NOW.minus(1))))
        .build()
        .expect("a sound configuration");
    for (value, expected) in
        [("AAAAAAAAAAAAAAAAAAAAAA==", Reject::BadCredential), ("AAAA", Reject::Malformed)]
    {
        let request = Request::new("GET", "/").credential(value);
        let _ = verify(&verifier, &request);
        let (allocations, verdict) = count(&verifier, &request);
        assert_eq!(rejected(verdict), expected);
        assert_eq!(allocations, 0, "{expected}");
    }
}

/// The control: the same path to a store behind a trait object, whose future is boxed, is seen.
#[test]
fn an_allocation_would_be_seen() {
    let store = MemoryReplay::new(100, &OsRandom).expect("a store");
    let verifier =
        builder(SHORT).replay_store(Arc::new(store)).build().expect("a sound configuration");
    let request = Request::new("GET", "/");
    // The first claim of a key takes a place among the keys whose claims are counted.
    for expected in [2, 1, 1] {
        let value = issuer("hmac1", "hmac1-key", SHORT).issue(&request).expect("a credential");
        let (allocations, verdict) = count(&verifier, &request.credential(&value));
        assert!(verdict.is_ok());
        assert_eq!(allocations, expected, "one boxed future");
    }
}

#[test]
fn all_schemes_are_here() {
    let registered: Vec<_> = Registry::default().facts().map(|facts| facts.id).collect();
    assert_eq!(registered, SCHEMES);
}
