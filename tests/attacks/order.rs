//! The order of reasons: the first step that fails gives the reason, and what comes after the proof is
//! told of a proved key only.

use std::sync::Arc;

use keyscheme::{
    AcceptConfig, KeyConfig, KeyState, ManualClock, Presented, Reject, Request, UnixTime,
};

use crate::world::{
    NOW, SCHEMES, World, bare, encode, issuer, key, last_field, material, request, sealed,
    sealed_at, word,
};

/// Everything that can be wrong with an `hmac1` request, in the order of the specification.
const FAULTS: [Reject; 14] = [
    Reject::Ambiguous,
    Reject::UnknownScheme,
    Reject::SchemeRefused,
    Reject::SchemeRetired,
    Reject::UnknownKey,
    Reject::Malformed,
    Reject::BadCredential,
    Reject::KeyDisabled,
    Reject::KeyExpired,
    Reject::ClientRefused,
    Reject::Stale,
    Reject::BodyNotCovered,
    Reject::Replayed,
    Reject::BodyMismatch,
];

/// A request with all faults from one on is refused for that one.
#[test]
fn the_first_fault_gives_the_reason() {
    for (i, first) in FAULTS.into_iter().enumerate() {
        let faults = &FAULTS[i..];
        let has = |fault| faults.contains(&fault);
        let accepted = if has(Reject::SchemeRefused) { "gcm1" } else { "hmac1" };
        let mut entry = AcceptConfig::new(accepted).until(NOW.plus(1000));
        if has(Reject::SchemeRetired) {
            entry = entry.until(NOW);
        }
        if has(Reject::ClientRefused) {
            entry = entry.clients(["node"]);
        }
        let mut own = key("hmac1");
        if has(Reject::KeyDisabled) {
            own = own.state(KeyState::Disabled);
        }
        if has(Reject::KeyExpired) {
            own = own.not_after(NOW);
        }
        let other = KeyConfig::new("other", "hmac1", material("hmac1", "other"));
        let world = World::with([entry], |builder| {
            let builder = builder.key("node", other);
            if has(Reject::UnknownKey) { builder } else { builder.key("spring", own) }
        });

        let ts = if has(Reject::Stale) { NOW.minus(301) } else { NOW };
        let issuer = issuer("hmac1", "stt", "hmac1-key");
        let issuer = issuer.clock(Arc::new(ManualClock::new(ts)));
        let issuer = if has(Reject::BodyNotCovered) { issuer.uncovered_body() } else { issuer };
        let mut value = issuer.issue(&request().body("body")).expect("a credential");
        if has(Reject::BadCredential) {
            let (head, mut mac) = last_field(&value);
            mac[0] ^= 1;
            value = format!("{head}{}", encode(&mac));
        }
        if has(Reject::Malformed) {
            value.push('=');
        }
        if has(Reject::UnknownScheme) {
            value = value.replacen("hmac1", "hmac9", 1);
        }
        let lines = [value.as_bytes(), value.as_bytes()];
        let lines = &lines[..if has(Reject::Ambiguous) { 2 } else { 1 }];
        let asked = request().presented(Presented::from_lines(lines.iter().copied()));
        if first == Reject::Replayed {
            assert_eq!(word(&world.verify(&asked.body("body"))), "accepted");
        }
        let body = if has(Reject::BodyMismatch) { "another" } else { "body" };
        assert_eq!(word(&world.verify(&asked.body(body))), first.code());

        if !matches!(first, Reject::Replayed | Reject::BodyMismatch) {
            let refused = world.check(&asked.body(body)).expect_err("a fault");
            assert_eq!(refused.reason(), first);
            let after_proof = i >= 7;
            let proved = refused.proved().map(|key| key.id().as_str());
            assert_eq!(proved, after_proof.then_some("hmac1-key"), "{first}");
            let client = refused.proved().map(|key| key.client().as_str());
            assert_eq!(client, after_proof.then_some("spring"), "{first}");
            assert_eq!(refused.to_string().contains("spring"), after_proof, "{refused}");
        }
    }
}

/// Whether a key is disabled or compromised is told to one who has it, and to nobody else.
#[test]
fn a_state_is_told_to_a_proved_key_only() {
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let (head, mut bytes) = last_field(&good);
        bytes[0] ^= 1;
        let bad = format!("{head}{}", encode(&bytes));
        for state in KeyState::ALL {
            let own = key(scheme).state(state).not_after(NOW.plus(1));
            let entry = AcceptConfig::new(scheme).until(NOW.plus(1));
            let world = World::with([entry], |builder| builder.key("spring", own));
            let asked = request().credential(&bad);
            let refused = world.check(&asked).expect_err("a bad proof");
            assert_eq!(refused.reason(), Reject::BadCredential, "{scheme} {state}");
            assert!(refused.proved().is_none());

            let asked = request().credential(&good);
            let refused = world.check(&asked).err();
            if matches!(state, KeyState::Compromised | KeyState::Disabled) {
                let refused = refused.expect("refused");
                assert_eq!(refused.reason(), Reject::KeyDisabled, "{scheme} {state}");
                let proved = refused.proved().expect("an alarm has a name");
                assert_eq!((proved.client().as_str(), proved.state()), ("spring", state));
            } else {
                assert!(refused.is_none(), "{scheme} {state}");
            }
        }
    }
}

/// A bare value names nobody; where it is one, its key is proved.
#[test]
fn a_compromised_bare_value_is_an_alarm() {
    let own = key("ecb0").state(KeyState::Compromised);
    let entry = AcceptConfig::new("ecb0").until(NOW.plus(1));
    let world = World::with([entry], |builder| builder.key("spring", own));
    let value = bare();
    let asked = request().credential(&value);
    let refused = world.check(&asked).expect_err("compromised");
    assert_eq!(refused.to_string(), "key-disabled (client spring, key ecb0-key)");
    let asked = request().credential("AAAAAAAAAAAAAAAAAAAAAA==");
    let refused = world.check(&asked).expect_err("a stranger");
    assert_eq!(refused.to_string(), "bad-credential");
}

#[test]
fn the_dates_of_a_key_are_exact_to_the_second() {
    let (from, until) = (NOW.plus(100), NOW.plus(200));
    for scheme in SCHEMES {
        let entry = AcceptConfig::new(scheme).until(NOW.plus(1000));
        let own = key(scheme).not_before(from).not_after(until);
        let world = World::with([entry], |builder| builder.key("spring", own));
        for (now, says) in [
            (from.minus(1), "key-expired"),
            (from, "accepted"),
            (from.plus(1), "accepted"),
            (until.minus(1), "accepted"),
            (until, "key-expired"),
            (until.plus(1), "key-expired"),
        ] {
            world.clock.set(now);
            let value = sealed_at(scheme, now);
            assert_eq!(world.says(&value), says, "{scheme} at {now}");
        }
    }
    let forever =
        World::with([AcceptConfig::new("hmac1")], |builder| builder.key("spring", key("hmac1")));
    forever.clock.set(UnixTime(99_999_999_999));
    assert_eq!(forever.says(&sealed_at("hmac1", UnixTime(99_999_999_999))), "accepted");
}

#[test]
fn a_scheme_for_some_clients_is_refused_to_others() {
    for scheme in SCHEMES {
        let keys = [("node", "node-1"), ("spring", "spring-1"), ("zoo", "zoo-1")];
        let entry = AcceptConfig::new(scheme).until(NOW.plus(1)).clients(["zoo", "node"]);
        let world = World::with([entry], |builder| {
            keys.into_iter().fold(builder, |builder, (client, id)| {
                builder.key(client, KeyConfig::new(id, scheme, material(scheme, id)))
            })
        });
        for (client, id) in keys {
            let value = issuer(scheme, "stt", id).issue(&request()).expect("a credential");
            let says = if client == "spring" { "client-refused" } else { "accepted" };
            assert_eq!(world.says(&value), says, "{scheme} {id}");
        }
    }
}

#[test]
fn gcm1_is_single_use_where_once_is_said() {
    let value = sealed("gcm1");
    let world = World::accepting([AcceptConfig::new("gcm1").once()]);
    assert_eq!(world.says(&value), "accepted");
    assert_eq!(world.says(&value), "replayed");
    // Also with another request, which it does not cover.
    let elsewhere = Request::new("DELETE", "/all").credential(&value);
    assert_eq!(word(&world.verify(&elsewhere)), "replayed");

    let world = World::accepting([AcceptConfig::new("gcm1")]);
    for _ in 0..3 {
        assert_eq!(world.says(&value), "accepted");
    }
    assert!(world.is_empty());
}
