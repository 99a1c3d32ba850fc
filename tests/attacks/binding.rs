//! Binding: a credential is good for one service, key, method, target and body.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use keyscheme::{
    Body, BodyState, Context, Gcm1, Hmac1, KeyConfig, KeyScheme, ManualClock, Material, OsRandom,
    Payload, Reject, Request, Sealing, ServiceConfig, UnixTime, Verifier, VerifierBuilder,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::world::{NOW, World, encode, issuer, material, poll, request, sealed, word};

/// What a scheme may bind to.
type Tuple<'a> = (&'a str, &'a str, &'a [u8], &'a [u8]);

fn context<'a>((service, key_id, method, target): Tuple<'a>) -> Context<'a> {
    Context { service: service.as_bytes(), key_id: key_id.as_bytes(), method, target }
}

fn seal<S: KeyScheme>(scheme: &S, material: &Material, tuple: Tuple<'_>, now: UnixTime) -> String {
    let (context, body) = (context(tuple), Body::Content(b""));
    let to = Sealing { context, body, now, random: &OsRandom, bare: false };
    let mut payload = String::new();
    scheme.seal(&scheme.prepare(material).expect("sound"), &to, &mut payload).expect("sealed");
    payload
}

fn opens<S: KeyScheme>(scheme: &S, material: &Material, payload: &str, tuple: Tuple<'_>) -> bool {
    let key = scheme.prepare(material).expect("sound");
    scheme.open(&key, Payload::Tagged(payload.as_bytes()), &context(tuple)).is_ok()
}

proptest! {
    /// Tuples of few letters, and pairs of one text that is cut in two places: what is easily confused.
    #[test]
    fn different_requests_never_share_a_mac(
        services in ["[ab][ab.-]{0,2}", "[ab][ab.-]{0,2}"],
        ids in ["[ab][ab-]{0,2}", "[ab][ab-]{0,2}"],
        methods in ["[AB!]{1,3}", "[AB!]{1,3}"],
        targets in ["/[AB/?!]{0,3}", "/[AB/?!]{0,3}"],
        same in any::<[bool; 4]>(),
        text in "[ab]{6}",
        cuts in [1_usize..6, 1..6],
    ) {
        let [one, mut other] = [0, 1].map(|i| {
            (&*services[i], &*ids[i], methods[i].as_bytes(), targets[i].as_bytes())
        });
        if same[0] { other.0 = one.0; }
        if same[1] { other.1 = one.1; }
        if same[2] { other.2 = one.2; }
        if same[3] { other.3 = one.3; }
        let cut = cuts.map(|cut| text.split_at(cut));
        let [shifted, unshifted] = cut.map(|(service, id)| (service, id, one.2, one.3));
        for (one, other) in [(one, other), (shifted, unshifted)] {
            let material = material("hmac1", "k");
            let payload = seal(&Hmac1, &material, one, NOW);
            prop_assert!(opens(&Hmac1, &material, &payload, one));
            prop_assert_eq!(opens(&Hmac1, &material, &payload, other), one == other);

            let material = self::material("gcm1", "k");
            let payload = seal(&Gcm1, &material, one, NOW);
            let bound = |tuple: Tuple<'_>| (tuple.0.to_owned(), tuple.1.to_owned());
            prop_assert_eq!(opens(&Gcm1, &material, &payload, other), bound(one) == bound(other));
        }
    }

    /// Bytes that no issuer would cover, in every place.
    #[test]
    fn a_hostile_request_line_shifts_no_field(
        method in prop::collection::vec(prop::sample::select(b"POST/av1\n\r\0 #.-\xc3".to_vec()), 0..8),
        target in prop::collection::vec(prop::sample::select(b"POST/av1\n\r\0 #.-\xc3".to_vec()), 0..8),
    ) {
        let material = material("hmac1", "k");
        let good: Tuple<'_> = ("stt", "k", b"POST", b"/v1");
        let payload = seal(&Hmac1, &material, good, NOW);
        let asked: Tuple<'_> = ("stt", "k", &method, &target);
        prop_assert_eq!(opens(&Hmac1, &material, &payload, asked), asked == good);
        let appended = [b"/v1\n", target.as_slice()].concat();
        prop_assert!(!opens(&Hmac1, &material, &payload, ("stt", "k", b"POST", &appended)));
    }
}

/// A MAC that is right over a request that must not be covered, as a careless issuer would make it:
/// the method and the target of one are parted elsewhere than those of the other.
#[test]
fn a_right_mac_over_a_line_feed_is_refused() {
    let world = World::new();
    let secret = material("hmac1", "hmac1-key");
    let field = Hmac1.facts().fields[0];
    let digest = encode(&Sha256::digest(b""));
    let (ts, nonce) = (NOW.to_string(), encode(&[7; 16]));
    for (method, target, says) in [
        ("POST", "/a", "accepted"),
        ("POST\n/a", "/b", "bad-credential"),
        ("POST", "/a\n/b", "bad-credential"),
        ("POST\n/a\n/b", "", "bad-credential"),
        ("", "POST\n/a\n/b", "bad-credential"),
        ("CONNECT", "/a", "bad-credential"),
        ("POST", "*", "bad-credential"),
        ("POST", "/a#b", "bad-credential"),
        ("POST", "http://stt/a", "bad-credential"),
    ] {
        let joined = ["keyscheme/hmac1", "stt", "hmac1-key", &ts, &nonce, method, target, &digest];
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.get(&field).expect("sound")).expect("a key");
        mac.update(joined.join("\n").as_bytes());
        let mac = encode(&mac.finalize().into_bytes());
        let value = format!("hmac1.hmac1-key.{ts}.{nonce}.{digest}.{mac}");
        let request = Request::new(method, target).credential(&value);
        assert_eq!(word(&world.verify(&request)), says, "{method:?} {target:?}");
    }
}

/// Fields of two genuine credentials, mixed in every way.
#[test]
fn mixed_fields_of_two_credentials_are_refused() {
    let world = World::new();
    let issued = |now, body: &'static str| {
        let clock = Arc::new(ManualClock::new(now));
        let issuer = issuer("hmac1", "stt", "hmac1-key").clock(clock);
        issuer.issue(&request().body(body)).expect("a credential")
    };
    let credentials = [issued(NOW, "one"), issued(NOW.plus(1), "other")];
    let fields = credentials.each_ref().map(|value| value.split('.').collect::<Vec<_>>());
    for mask in 0..16 {
        let mixed: Vec<_> = (0..4).map(|i| fields[mask >> i & 1][2 + i]).collect();
        let value = format!("hmac1.hmac1-key.{}", mixed.join("."));
        let says = if matches!(mask, 0 | 15) { "accepted" } else { "bad-credential" };
        assert_eq!(world.says(&value), says, "{mask:04b}");
    }
}

/// Every byte of method and target: replaced by every other, dropped, doubled, added.
#[test]
fn any_changed_byte_of_method_or_target_is_refused() {
    const METHOD: &[u8] = b"POST";
    const TARGET: &[u8] = b"/v1//stt/./a%2Fb/../c?lang=ko&q=%EA%B0%80+%20&empty=";
    let world = World::new();
    let issuer = issuer("hmac1", "stt", "hmac1-key");
    let value = issuer.issue(&Request::new(METHOD, TARGET)).expect("a credential");
    let refused = |method: &[u8], target: &[u8]| {
        let checked = world.check(&Request::new(method, target).credential(&value));
        checked.err().map(|refused| refused.reason())
    };
    assert_eq!(refused(METHOD, TARGET), None);
    let variants = |text: &[u8]| {
        let mut variants = vec![Vec::new()];
        for at in 0..=text.len() {
            let (before, after) = text.split_at(at);
            for byte in 0..=255 {
                variants.push([before, &[byte], after].concat());
                if let [_, after @ ..] = after {
                    variants.push([before, &[byte], after].concat());
                }
            }
            if let [_, after @ ..] = after {
                variants.push([before, after].concat());
            }
        }
        variants.retain(|variant| variant != text);
        variants
    };
    for method in variants(METHOD) {
        assert_eq!(refused(&method, TARGET), Some(Reject::BadCredential), "{method:?}");
    }
    for target in variants(TARGET) {
        assert_eq!(refused(METHOD, &target), Some(Reject::BadCredential), "{target:?}");
    }
    // What others take for the same.
    for target in [
        "/v1//stt/./a%2fb/../c?lang=ko&q=%EA%B0%80+%20&empty=",
        "/v1//stt/./a/b/../c?lang=ko&q=%EA%B0%80+%20&empty=",
        "/v1/stt/./a%2Fb/../c?lang=ko&q=%EA%B0%80+%20&empty=",
        "/v1//stt/a%2Fb/../c?lang=ko&q=%EA%B0%80+%20&empty=",
        "/v1//stt/./c?lang=ko&q=%EA%B0%80+%20&empty=",
        "/v1//stt/./a%2Fb/../c?q=%EA%B0%80+%20&lang=ko&empty=",
        "/v1//stt/./a%2Fb/../c?lang=ko&q=%EA%B0%80%20%20&empty=",
        "/v1//stt/./a%2Fb/../c?lang=ko&q=\u{ac00}+%20&empty=",
        "/v1//stt/./a%2Fb/../c?lang=ko&q=%EA%B0%80+%20&empty",
        "/v1//stt/./a%2Fb/../c",
        "http://stt/v1//stt/./a%2Fb/../c?lang=ko&q=%EA%B0%80+%20&empty=",
    ] {
        assert_eq!(refused(METHOD, target.as_bytes()), Some(Reject::BadCredential), "{target}");
    }
    for method in ["post", "Post", "PUT", "GET", "HEAD", "POST ", "POST\0"] {
        assert_eq!(refused(method.as_bytes(), TARGET), Some(Reject::BadCredential), "{method}");
    }
}

/// A table of services, and of two clients' keys under each other's ids.
#[test]
fn a_credential_is_good_for_its_service_and_key_alone() {
    for scheme in ["gcm1", "hmac1"] {
        let services = ["stt", "tts", "stt.", "st", "stt-staging"];
        let ids = ["k1", "k2", "k"];
        let keys = |builder: VerifierBuilder| {
            ids.into_iter().fold(builder, |builder, id| {
                let key = KeyConfig::new(id, scheme, material(scheme, id));
                builder.key(format!("client-{id}"), key)
            })
        };
        let verifier = services.iter().fold(keys(Verifier::builder()), |builder, name| {
            builder.service(ServiceConfig::new(*name).issue(scheme).accept(scheme))
        });
        let clock = Arc::new(ManualClock::new(NOW));
        let verifier = verifier.clock(clock).build().expect("a sound configuration");
        for (sealed_for, sealed_by) in services.iter().flat_map(|s| ids.map(|id| (*s, id))) {
            for (service, id) in services.iter().flat_map(|s| ids.map(|id| (*s, id))) {
                let request = Request::new("GET", "/");
                let value = issuer(scheme, sealed_for, sealed_by).issue(&request).expect("issued");
                let value = value.replacen(&format!(".{sealed_by}."), &format!(".{id}."), 1);
                let guard = verifier.service(service).expect("the service");
                let verdict = poll(guard.verify(&request.credential(&value)));
                let same = (sealed_for, sealed_by) == (service, id);
                let says = if same { "accepted" } else { "bad-credential" };
                assert_eq!(word(&verdict), says, "{sealed_for} {sealed_by}, {service} {id}");
                if let Ok(verified) = verdict {
                    assert_eq!(verified.client(), format!("client-{id}"));
                    assert_eq!((verified.service(), verified.key_id()), (service, id));
                }
            }
        }
    }
}

/// One material under two ids, as a ring that is read twice would have it: the id is in the MAC.
#[test]
fn a_key_id_is_bound_and_not_looked_up_only() {
    let (gcm1, hmac1) = (material("gcm1", "k"), material("hmac1", "k"));
    let (one, other): (Tuple<'_>, Tuple<'_>) =
        (("stt", "k1", b"GET", b"/"), ("stt", "k2", b"GET", b"/"));
    let payload = seal(&Hmac1, &hmac1, one, NOW);
    assert!(opens(&Hmac1, &hmac1, &payload, one) && !opens(&Hmac1, &hmac1, &payload, other));
    let payload = seal(&Gcm1, &gcm1, one, NOW);
    assert!(opens(&Gcm1, &gcm1, &payload, one) && !opens(&Gcm1, &gcm1, &payload, other));
}

#[test]
fn another_body_is_refused_and_the_claim_stays_spent() {
    let body = b"amount=10&to=alice".as_slice();
    let world = World::new();
    let issuer = issuer("hmac1", "stt", "hmac1-key");
    let request = Request::new("POST", "/pay");
    let longer = [body, b"&to=mallory"].concat();
    let flipped: Vec<u8> = body.iter().map(|b| b ^ 1).collect();
    for other in [
        b"".as_slice(),
        &body[..body.len() - 1],
        &body[1..],
        &longer,
        &flipped,
        b"\0",
        &[body, body].concat(),
    ] {
        let value = issuer.issue(&request.body(body)).expect("a credential");
        let asked = request.credential(&value);
        assert_eq!(word(&world.verify(&asked.body(other))), "body-mismatch");
        assert_eq!(word(&world.verify(&asked.body(body))), "replayed", "the claim stays spent");

        // Where none was covered, none may come.
        let value = issuer.issue(&request).expect("a credential");
        if !other.is_empty() {
            let verdict = world.verify(&request.credential(&value).body(other));
            assert_eq!(word(&verdict), "body-mismatch");
        }
    }
    let value = issuer.issue(&request.body(body)).expect("a credential");
    let verified = world.verify(&request.credential(&value).body(body)).expect("the same body");
    assert_eq!(verified.body(), BodyState::Verified);
    let value = issuer.issue(&request).expect("a credential");
    let verified = world.verify(&request.credential(&value).body(b"")).expect("no body");
    assert_eq!(verified.body(), BodyState::Empty);
}

#[test]
fn a_body_that_has_not_arrived_is_pending() {
    let world = World::new();
    let issuer = issuer("hmac1", "stt", "hmac1-key");
    let request = Request::new("POST", "/pay");
    let head = || {
        let value = issuer.issue(&request.body(b"hello")).expect("a credential");
        world.verify(&request.credential(&value)).expect("its head is genuine")
    };
    let digest: [u8; 32] = Sha256::digest(b"hello").into();
    assert_eq!(head().body(), BodyState::Pending(digest), "never verified by default");
    assert_eq!(head().with_body(b"hello").expect("it").body(), BodyState::Verified);
    assert_eq!(head().with_digest(digest).expect("it").body(), BodyState::Verified);
    for other in [b"".as_slice(), b"hell", b"hello ", b"Hello"] {
        assert_eq!(head().with_body(other).err(), Some(Reject::BodyMismatch));
        let digest = Sha256::digest(other).into();
        assert_eq!(head().with_digest(digest).err(), Some(Reject::BodyMismatch));
    }
    // A scheme that covers no body never says that it did.
    for scheme in ["ecb0", "cbc1", "gcm1"] {
        let value = sealed(scheme);
        let verified = world.verify(&request.credential(&value).body(b"x")).expect("accepted");
        assert_eq!(verified.body(), BodyState::Uncovered);
        assert_eq!(verified.with_body(b"y").expect("nothing to say").body(), BodyState::Uncovered);
    }
}
