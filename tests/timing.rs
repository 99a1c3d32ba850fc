//! Whether the time of a refusal tells more than the refusal: a statistical test after dudect
//! (Reparaz, Balasch and Verbauwhede, 2017).
//!
//! Two classes of credentials are judged in random order and timed one by one, for example those wrong
//! in the first byte of the MAC and those wrong in the last. What a caller sends may take its own time,
//! for example to be parsed; that is no news to the caller. So both classes are also judged by a
//! verifier with another secret, and what is looked at is how much the difference of their means
//! differs: without a leak it is the same, whatever the secret. **Welch's t** is that in units of its
//! standard error, and stays below 10 by chance but once in 10^22. The slowest tenth is left out, since
//! it tells of interrupts and not of the code.
//!
//! A shared machine disturbs, mostly both classes alike because their order is random. So one quiet
//! attempt of several acquits, while a leak shows in each. The controls are leaks that this very
//! harness must find: a scheme whose comparison stops at the first wrong byte, and one that works only
//! where the key exists.
//!
//! Some difference is tolerated. Up to 2 ns, because values differ in the cell of the index that their
//! hash, random per process, leads to; a comparison that stops early is convicted all the same. Up to
//! 10 ns between key ids that exist and others: which exist is no secret, and what hides it is that the
//! scheme always does its work, of which 10 ns is a fraction.
//!
//! All this says something of optimised builds only. Others run it with few samples and judge the
//! controls alone.

use std::{
    cell::Cell,
    hint::black_box,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use keyscheme::{
    AcceptConfig, Binds, Context, Encoding, Facts, Field, Issuer, KeyConfig, KeyError, KeyScheme,
    Lengths, ManualClock, Material, OpenError, Opened, Payload, Registry, Reject, Request, Reuse,
    SealError, Sealing, ServiceConfig, SingleUse, UnixTime, Verifier,
};
use sha2::{Digest, Sha256};

const OPTIMISED: bool = cfg!(not(debug_assertions));
const SAMPLES: usize = if OPTIMISED { 60_000 } else { 2_000 };
const ATTEMPTS: usize = 6;
const GREATEST_T: f64 = 10.0;
/// Tolerated nanoseconds between two values.
const CELL: f64 = 2.0;
/// Tolerated nanoseconds between a key id that exists and another.
const LOOK_UP: f64 = 10.0;

const NOW: UnixTime = UnixTime(1_700_000_000);
const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];

#[test]
fn where_the_error_lies_does_not_show() {
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let (first, last) = proof(scheme, &good);
        let classes = || [wrong_at(&good, first), wrong_at(&good, last)];
        judge(scheme, scheme, classes, Reject::BadCredential, CELL);
    }
    let good = issuer("ecb0").bare().issue(&Request::new("GET", "/")).expect("a credential");
    let classes = || [wrong_at(&good, 0), wrong_at(&good, good.len() - 3)];
    judge("bare", "ecb0", classes, Reject::BadCredential, CELL);
}

#[test]
fn which_key_ids_exist_does_not_show() {
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let classes = || {
            let mut unknown = wrong_at(&good, proof(scheme, &good).1);
            for (i, value) in unknown.iter_mut().enumerate() {
                *value = value.replace(".key-0005.", &format!(".no-{i:05}."));
            }
            [wrong_at(&good, proof(scheme, &good).1), unknown]
        };
        judge(scheme, scheme, classes, Reject::UnknownKey, LOOK_UP);
    }
}

#[test]
fn an_early_exit_would_be_found() {
    let good = format!("early1.key-0005.{EXPECTED}");
    let classes =
        || [wrong_at(&good, good.len() - EXPECTED.len()), wrong_at(&good, good.len() - 3)];
    let found = |_| leaks("early exit", "early1", classes, Reject::BadCredential, CELL);
    assert!((0..3).any(found));
}

#[test]
fn skipped_work_would_be_found() {
    let classes =
        || ["key-0005", "key-000x"].map(|id| wrong_at(&format!("skips1.{id}.{EXPECTED}"), 20));
    let found = |_| leaks("skipped work", "skips1", classes, Reject::UnknownKey, LOOK_UP);
    assert!((0..3).any(found));
}

#[track_caller]
fn judge(
    name: &str,
    scheme: &str,
    classes: impl Fn() -> [Class; 2],
    second: Reject,
    tolerated: f64,
) {
    let leaks = leaks(name, scheme, classes, second, tolerated);
    assert!(!(OPTIMISED && leaks), "{name}: the time tells the classes apart");
}

/// Whether every attempt finds a difference of more than what is tolerated. The first class is bad
/// credentials, the second is refused for the reason given. Each attempt has verifiers of its own, and
/// so another hash of the look-up, and other credentials.
fn leaks(
    name: &str,
    scheme: &str,
    classes: impl Fn() -> [Class; 2],
    second: Reject,
    tolerated: f64,
) -> bool {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (1..=ATTEMPTS).all(|attempt| {
        let classes = classes();
        let verifiers = [KEY, "key-none"].map(|id| verifier(scheme, id));
        for (class, reason) in classes.iter().zip([Reject::BadCredential, second]) {
            assert!(class.iter().all(|value| refused(&verifiers[0], value.as_bytes()).1 == reason));
        }
        let [near, far] = durations(&verifiers, &classes).map(welch);
        let difference = near.0 - far.0;
        let t = (difference.abs() - tolerated).max(0.0) / near.1.hypot(far.1);
        println!("{name}, attempt {attempt}: {:.2} - {:.2} ns, t = {t:.1}", near.0, far.0);
        t > GREATEST_T
    })
}

/// How long each refusal took, in nanoseconds, by verifier and class.
fn durations(verifiers: &[Verifier; 2], classes: &[Class; 2]) -> [[Vec<f64>; 2]; 2] {
    // Everything is judged at one address, so that no class has the better cache lines.
    let mut value = classes[0][0].clone().into_bytes();
    let mut durations = [const { [const { Vec::new() }; 2] }; 2];
    for _ in 0..4 * SAMPLES {
        let random = random();
        let (verifier, class) = (random as usize & 1, random as usize >> 1 & 1);
        let values = &classes[class];
        value.copy_from_slice(values[(random >> 2) as usize % values.len()].as_bytes());
        durations[verifier][class].push(refused(&verifiers[verifier], &value).0);
    }
    durations
}

/// Nanoseconds until a refusal, and its reason.
fn refused(verifier: &Verifier, value: &[u8]) -> (f64, Reject) {
    let rules = verifier.snapshot().rules("stt").expect("the service");
    let request = Request::new("POST", "/v1/stt").credential(value);
    let start = Instant::now();
    let verdict = rules.check(black_box(&request), NOW);
    let took = start.elapsed();
    (took.as_nanos() as f64, verdict.expect_err("it is wrong").reason())
}

/// The difference of the means, and its standard error.
fn welch([a, b]: [Vec<f64>; 2]) -> (f64, f64) {
    let mut all = [a.as_slice(), &b].concat();
    all.sort_by(f64::total_cmp);
    let greatest = all[all.len() * 9 / 10];
    let [(mean_a, error_a), (mean_b, error_b)] = [a, b].map(|durations| {
        let kept: Vec<f64> = durations.into_iter().filter(|took| *took <= greatest).collect();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let squares: f64 = kept.iter().map(|took| (took - mean).powi(2)).sum();
        (mean, squares / (count - 1.0) / count)
    });
    (mean_a - mean_b, (error_a + error_b).sqrt().max(f64::MIN_POSITIVE))
}

#[test]
fn welch_is_what_textbooks_say() {
    let (difference, error) = welch([vec![1.0, 2.0, 3.0, 9.0], vec![4.0, 5.0, 6.0, 9.0]]);
    // The two greatest are the slowest tenth and equal, so they stay.
    assert!((difference + 2.25).abs() < 1e-12, "{difference}");
    assert!((error - (155.0_f64 / 48.0 + 14.0 / 12.0).sqrt()).abs() < 1e-12, "{error}");
}

/// Where the part that proves something begins and ends: two symbols each that hold its first and its
/// last byte.
fn proof(scheme: &str, credential: &str) -> (usize, usize) {
    let field = credential.rfind('.').map_or(0, |dot| dot + 1);
    let first = match scheme {
        "cbc1" => field + 22,
        "gcm1" => field + 16,
        _ => field,
    };
    (first, credential.len() - 3)
}

type Class = Vec<String>;

/// Copies that are wrong in one or both of the two symbols at `at`, each in another way.
fn wrong_at(good: &str, at: usize) -> Class {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut class: Class = Vec::new();
    while class.len() < 2_000 {
        let pair = [random(), random()].map(|random| SYMBOLS[random as usize % SYMBOLS.len()]);
        let pair = str::from_utf8(&pair).expect("ASCII");
        if pair != &good[at..at + 2] {
            class.push(format!("{}{pair}{}", &good[..at], &good[at + 2..]));
        }
    }
    class
}

fn random() -> u64 {
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) });
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x >> 20
    })
}

fn material(scheme: &str, id: &str) -> Material {
    let mut secret = [0; 32];
    secret.iter_mut().zip(id.bytes().cycle()).for_each(|(to, from)| *to = from);
    let api_key = format!("3f1c0a52-7c1b-4f0e-9d6e-2b7a54c8e913-{id}");
    match scheme {
        "early1" => Material::new().with("expected", if id == KEY { EXPECTED } else { id }),
        "hmac1" => Material::new().with("secret", secret.as_slice()),
        "skips1" => Material::new().with("expected", id),
        _ => Material::new().with("cipher-key", secret.as_slice()).with("api-key", api_key),
    }
}

fn issuer(scheme: &str) -> Issuer {
    let material = material(scheme, KEY);
    let issuer = Registry::default().issuer(scheme, "stt", KEY, &material);
    issuer.expect("sound material").clock(Arc::new(ManualClock::new(NOW)))
}

fn sealed(scheme: &str) -> String {
    issuer(scheme).issue(&Request::new("POST", "/v1/stt")).expect("a credential")
}

/// A ring of ten keys, `id` among them.
fn verifier(scheme: &str, id: &str) -> Verifier {
    let entry = AcceptConfig::new(scheme).until(NOW.plus(1));
    let service = ServiceConfig::new("stt").issue(scheme).accept(entry);
    let builder = Verifier::builder().scheme(EarlyExit).scheme(SkipsWork).service(service);
    let ids = (0..10).map(|i| if i == 5 { id.to_owned() } else { format!("key-{i:04}") });
    let keys = ids.map(|id| KeyConfig::new(&id, scheme, material(scheme, &id)));
    let builder = keys.enumerate().fold(builder.replay_capacity(1), |builder, (i, key)| {
        builder.key(format!("client-{i}"), key)
    });
    builder.build().expect("a sound configuration")
}

const KEY: &str = "key-0005";
const EXPECTED: &str = "224bf9708118d7779ca40400ee76cf71";

/// A comparison as nobody should write it.
#[derive(Debug)]
struct EarlyExit;

impl KeyScheme for EarlyExit {
    type Key = Vec<u8>;

    fn facts(&self) -> &'static Facts {
        static FACTS: Facts = careless("early1");
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Vec<u8>, KeyError> {
        Ok(material.get(&FIELD)?.to_vec())
    }

    fn open(
        &self,
        key: &Vec<u8>,
        payload: Payload<'_>,
        _: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        for (presented, expected) in payload.tagged()?.iter().zip(key) {
            if presented != expected {
                return Err(OpenError::BadCredential);
            }
        }
        Ok(Opened::default())
    }

    fn seal(&self, _: &Vec<u8>, _: &Sealing<'_>, _: &mut String) -> Result<(), SealError> {
        Err(SealError::NotBare)
    }
}

/// A scheme that does its work for the key that is meant, and none on a dummy.
#[derive(Debug)]
struct SkipsWork;

impl KeyScheme for SkipsWork {
    type Key = Vec<u8>;

    fn facts(&self) -> &'static Facts {
        static FACTS: Facts = careless("skips1");
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Vec<u8>, KeyError> {
        Ok(material.get(&FIELD)?.to_vec())
    }

    fn open(
        &self,
        key: &Vec<u8>,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        if cx.key_id == key {
            black_box(Sha256::digest(payload.as_bytes()));
        }
        Err(OpenError::BadCredential)
    }

    fn seal(&self, _: &Vec<u8>, _: &Sealing<'_>, _: &mut String) -> Result<(), SealError> {
        Err(SealError::NotBare)
    }
}

const fn careless(id: &'static str) -> Facts {
    Facts {
        id,
        authentic: true,
        fresh: true,
        binds: Binds { service: false, request: false, body: false },
        single_use: SingleUse::Never,
        may_be_bare: false,
        fields: &[FIELD],
    }
}

const FIELD: Field = Field {
    name: "expected",
    encoding: Encoding::Utf8,
    lengths: Lengths::Between(1, 64),
    reuse: Reuse::Anywhere,
};

#[test]
fn all_schemes_are_here() {
    let registered: Vec<_> = Registry::default().facts().map(|facts| facts.id).collect();
    assert_eq!(registered, SCHEMES);
}
