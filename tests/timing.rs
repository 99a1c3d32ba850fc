//! Whether the time of a refusal tells more than the refusal: a statistical test after dudect
//! (Reparaz, Balasch and Verbauwhede, 2017).
//!
//! Two classes of credentials are judged in random order and timed one by one, for example those wrong
//! in the first byte of the MAC and those wrong in the last. If the time depended on where the error
//! lies, the means of the two would differ. **Welch's t** is that difference in units of its standard
//! error; without a leak it stays below 10 but once in 10^22. The slowest tenth is left out, since it
//! tells of interrupts and not of the code.
//!
//! A shared machine disturbs, mostly both classes alike because their order is random. So one quiet
//! attempt of several acquits, while a leak shows in each. The controls are leaks that this very
//! harness must find: a scheme whose comparison stops at the first wrong byte, and a refusal that skips
//! the work.
//!
//! Some difference is tolerated. Up to 1 ns, because values differ in the cell of the index that their
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
    AcceptConfig, Binds, Cbc1, Context, Ecb0, Facts, Gcm1, Hmac1, Issuer, KeyConfig, KeyError,
    KeyScheme, ManualClock, Material, OpenError, Opened, Payload, Reject, Request, SealError,
    Sealing, ServiceConfig, SingleUse, UnixTime, Verifier,
};

const OPTIMISED: bool = cfg!(not(debug_assertions));
const SAMPLES: usize = if OPTIMISED { 60_000 } else { 2_000 };
const ATTEMPTS: usize = 6;
const GREATEST_T: f64 = 10.0;
/// Tolerated nanoseconds between two values.
const CELL: f64 = 1.0;
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
    assert!((0..3).any(|_| leaks("early exit", "early1", classes, Reject::BadCredential, CELL)));
}

#[test]
fn skipped_work_would_be_found() {
    let good = sealed("hmac1");
    let (_, last) = proof("hmac1", &good);
    let classes = || [wrong_at(&good, last), wrong_at(&good.replace("hmac1.", "hmac9."), last)];
    assert!((0..3).any(|_| leaks("skip", "hmac1", classes, Reject::UnknownScheme, LOOK_UP)));
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
/// credentials, the second is refused for the reason given. Each attempt has a verifier of its own, and
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
        let (verifier, classes) = (verifier(scheme), classes());
        let [a, b] = durations(&verifier, &classes, [Reject::BadCredential, second]);
        let (difference, error) = welch(a, b);
        let t = (difference.abs() - tolerated).max(0.0) / error;
        println!("{name}, attempt {attempt}: {difference:.2} ns, t = {t:.1}");
        t > GREATEST_T
    })
}

/// How long each refusal took, in nanoseconds, by class.
fn durations(verifier: &Verifier, classes: &[Class; 2], reasons: [Reject; 2]) -> [Vec<f64>; 2] {
    let service = verifier.snapshot().service("stt").expect("the service");
    // Everything is judged at one address, so that no class has the better cache lines.
    let mut value = classes[0][0].clone().into_bytes();
    let mut durations = [const { Vec::new() }; 2];
    for _ in 0..2 * SAMPLES {
        let random = random();
        let class = random as usize & 1;
        let values = &classes[class];
        value.copy_from_slice(values[(random >> 1) as usize % values.len()].as_bytes());
        let request = Request::new("POST", "/v1/stt").credential(&value);
        let start = Instant::now();
        let verdict = verifier.snapshot().check(service, black_box(&request), NOW);
        let took = start.elapsed();
        assert_eq!(verdict.err().map(|refused| refused.reason()), Some(reasons[class]));
        durations[class].push(took.as_nanos() as f64);
    }
    durations
}

/// The difference of the means, and its standard error.
fn welch(a: Vec<f64>, b: Vec<f64>) -> (f64, f64) {
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
    let (difference, error) = welch(vec![1.0, 2.0, 3.0, 9.0], vec![4.0, 5.0, 6.0, 9.0]);
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
        "early1" => Material::new(),
        "hmac1" => Material::new().with("secret", secret.as_slice()),
        _ => Material::new().with("cipher-key", secret.as_slice()).with("api-key", api_key),
    }
}

fn issuer(scheme: &str) -> Issuer {
    let material = material(scheme, "key-0005");
    let issuer = match scheme {
        "cbc1" => Issuer::new(Cbc1, "stt", "key-0005", &material),
        "ecb0" => Issuer::new(Ecb0, "stt", "key-0005", &material),
        "gcm1" => Issuer::new(Gcm1, "stt", "key-0005", &material),
        "hmac1" => Issuer::new(Hmac1, "stt", "key-0005", &material),
        other => panic!("no issuer for {other}"),
    };
    issuer.expect("sound material").clock(Arc::new(ManualClock::new(NOW)))
}

fn sealed(scheme: &str) -> String {
    issuer(scheme).issue(&Request::new("POST", "/v1/stt")).expect("a credential")
}

/// Ten keys, `key-0005` among them.
fn verifier(scheme: &str) -> Verifier {
    let entry = AcceptConfig::new(scheme).until(NOW.plus(1));
    let service = ServiceConfig::new("stt").issue(scheme).accept(entry);
    let mut builder = Verifier::builder().scheme(EarlyExit).service(service).replay_capacity(1);
    for i in 0..10 {
        let id = format!("key-{i:04}");
        let key = KeyConfig::new(&id, scheme, material(scheme, &id));
        builder = builder.key(format!("client-{i}"), key);
    }
    builder.build().expect("a sound configuration")
}

const EXPECTED: &str = "224bf9708118d7779ca40400ee76cf71";

/// A comparison as nobody should write it.
#[derive(Debug)]
struct EarlyExit;

impl KeyScheme for EarlyExit {
    type Key = Vec<u8>;

    fn facts(&self) -> &'static Facts {
        static FACTS: Facts = Facts {
            id: "early1",
            authentic: true,
            fresh: true,
            binds: Binds { service: false, request: false, body: false },
            single_use: SingleUse::Never,
            may_be_bare: false,
            fields: &[],
        };
        &FACTS
    }

    fn prepare(&self, _: &Material) -> Result<Vec<u8>, KeyError> {
        Ok(EXPECTED.into())
    }

    fn open(
        &self,
        key: &Vec<u8>,
        payload: Payload<'_>,
        _: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        let presented = payload.tagged()?;
        for (presented, expected) in presented.iter().zip(key) {
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
