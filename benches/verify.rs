//! A whole decision beside the bare primitives that it needs, in one run on the same bytes.
//!
//! ```text
//! cargo bench --bench verify            # criterion's report, then the table of ratios
//! cargo bench --bench verify -- ratios  # the table alone
//! cargo bench --bench verify -- smoke   # everything once, for CI
//! ```
//!
//! The primitives are the decoding of the Base64 and the one cipher or MAC call, on prepared keys and
//! joined texts: what no verifier can do without. A ratio is that of medians of many short,
//! alternating batches, so that a machine whose speed drifts does not favour one side.

use std::{hint::black_box, time::Instant};

use aes::cipher::BlockCipherDecrypt;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, aead::inout::InOutBuf};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use cbc::cipher::{BlockModeEncrypt, InnerIvInit, common::InnerInit};
use criterion::Criterion;
use hmac::{Hmac, Mac};
use keyscheme::{
    AcceptConfig, Facts, KeyConfig, Material, Registry, Request, Reuse, Rules, ServiceConfig,
    UnixTime, Verifier,
};
use sha2::{Digest, Sha256};

const METHOD: &str = "POST";
const TARGET: &str = "/v1/stt?lang=ko";
const API_KEY: &[u8] = b"3f1c0a52-7c1b-4f0e-9d6e-2b7a54c8e913";
/// At most this many different credentials: enough to leave every cache.
const MOST_CREDENTIALS: usize = 1 << 16;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let says = |word: &str| arguments.iter().any(|argument| argument == word);
    let smoke = says("smoke") || says("--test");
    if !smoke && !says("ratios") && !says("hot") {
        criterion_report();
    }
    let sizes: &[usize] = match () {
        () if smoke => &[1, 100],
        () if says("hot") => &[1],
        () => &[1, 10_000, 1_000_000],
    };
    println!("| scheme | keys | answer | primitives, ns | decision, ns | ratio |");
    println!("|---|---|---|---|---|---|");
    let some = schemes().any(|facts| says(facts.id));
    for facts in schemes().filter(|facts| !some || says(facts.id)) {
        let scheme = facts.id;
        for &keys in sizes {
            let bench = Bench::new(facts, keys);
            for accepted in [true, false] {
                let [primitives, decision] = bench.paired(accepted, if smoke { 3 } else { 301 });
                println!(
                    "| {scheme} | {keys} | {} | {primitives:.0} | {decision:.0} | {:.2} |",
                    if accepted { "accepted" } else { "refused" },
                    decision / primitives
                );
            }
        }
    }
    if !some {
        others(if smoke { 3 } else { 301 });
    }
}

/// What people use today, beside the scheme of ours that would take its place.
fn others(rounds: usize) {
    println!("\n| instead of | ns | here | ns | ratio |");
    println!("|---|---|---|---|---|");
    let secret = secret(0);
    let key = jsonwebtoken::EncodingKey::from_secret(&secret);
    let claims =
        serde_json::json!({ "iss": "spring-0", "aud": "stt", "exp": u32::MAX, "jti": "x" });
    let header = jsonwebtoken::Header::default();
    let token = jsonwebtoken::encode(&header, &claims, &key).expect("a token");
    let key = jsonwebtoken::DecodingKey::from_secret(&secret);
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["stt"]);
    let jwt = || {
        let decoded =
            jsonwebtoken::decode::<serde_json::Value>(black_box(&token), &key, &validation);
        assert!(black_box(decoded).is_ok());
    };
    let decrypt = aes::Aes256Dec::new((&secret).into());
    let legacy = Bench::new(scheme("ecb0"), 1);
    let recipe = || {
        let mut blocks = STANDARD.decode(black_box(&legacy.calls[0].good)).expect("base64");
        for block in aes::Block::slice_as_chunks_mut(&mut blocks).0 {
            decrypt.decrypt_block(block);
        }
        let padding = usize::from(*blocks.last().expect("padding"));
        let api_key = blocks[..blocks.len() - padding].to_vec();
        assert!(black_box(api_key) == API_KEY);
    };
    let signed = Bench::new(scheme("hmac1"), 1);
    for (name, other, scheme, bench) in [
        ("decrypt the legacy value and compare", &recipe as &dyn Fn(), "ecb0", &legacy),
        ("jsonwebtoken, HS256", &jwt, "hmac1", &signed),
    ] {
        let rules = bench.rules();
        let decide = || {
            bench.decide(rules, 0, true);
        };
        let [other, ours] = alternate([&other, &decide], rounds);
        println!("| {name} | {other:.0} | {scheme} | {ours:.0} | {:.1} |", other / ours);
    }
}

/// Medians in ns of two pieces of work, in alternating batches.
fn alternate(work: [&dyn Fn(); 2], rounds: usize) -> [f64; 2] {
    let batch = 1_000;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (times, work) in times.iter_mut().zip(work) {
            let begun = Instant::now();
            (0..batch).for_each(|_| work());
            times.push(begun.elapsed().as_nanos() as f64 / f64::from(batch));
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn schemes() -> impl Iterator<Item = &'static Facts> {
    let facts: Vec<_> = Registry::default().facts().collect();
    facts.into_iter()
}

fn scheme(id: &str) -> &'static Facts {
    schemes().find(|facts| facts.id == id).expect("a built-in scheme")
}

fn criterion_report() {
    let mut criterion = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    for facts in schemes() {
        let bench = Bench::new(facts, 1);
        let mut group = criterion.benchmark_group(facts.id);
        group.bench_function("primitives", |b| b.iter(|| bench.primitives(0)));
        let rules = bench.rules();
        group.bench_function("accepted", |b| b.iter(|| bench.decide(rules, 0, true)));
        group.bench_function("refused", |b| b.iter(|| bench.decide(rules, 0, false)));
    }
    criterion.final_summary();
}

struct Bench {
    verifier: Verifier,
    now: UnixTime,
    primitives: Vec<Primitive>,
    /// Some keys in random order, each with a credential that is accepted and one that is not.
    calls: Vec<Call>,
}

struct Call {
    key: usize,
    good: String,
    bad: String,
    /// Where the Base64 fields are that a primitive decodes.
    fields: Vec<std::ops::Range<usize>>,
    /// The text that GCM or HMAC authenticates.
    joined: Vec<u8>,
}

impl Bench {
    fn new(facts: &'static Facts, keys: usize) -> Self {
        let now = UnixTime(1_700_000_000);
        let scheme = facts.id;
        let entry = AcceptConfig::new(scheme).until(UnixTime(u64::MAX));
        let service = ServiceConfig::new("stt").issue(scheme).accept(entry);
        let mut builder = Verifier::builder().service(service).replay_capacity(1);
        for key in 0..keys {
            let config = KeyConfig::new(id(key), scheme, material(facts, key));
            builder = builder.key(format!("client-{key}"), config);
        }
        let verifier = builder.build().expect("a sound configuration");
        let calls = (0..keys.min(MOST_CREDENTIALS))
            .map(|i| {
                // A multiplicative step visits the keys without order.
                let key = i * 7_368_787 % keys;
                let good = issue(facts, key, now);
                let at = good.len() - if facts.may_be_bare { 10 } else { 30 };
                let mut bad = good.clone();
                let other = if bad.as_bytes()[at] == b'A' { "B" } else { "A" };
                bad.replace_range(at..=at, other);
                let fields = fields(scheme, &good);
                Call { key, joined: joined(scheme, &good), fields, good, bad }
            })
            .collect();
        let primitives = (0..keys).map(|key| Primitive::new(scheme, key)).collect();
        Self { verifier, now, primitives, calls }
    }

    fn rules(&self) -> Rules<'_> {
        self.verifier.snapshot().rules("stt").expect("the service")
    }

    #[inline(never)]
    fn decide(&self, rules: Rules<'_>, call: usize, accepted: bool) -> bool {
        let call = &self.calls[call];
        let value = if accepted { &call.good } else { &call.bad };
        let request = Request::new(METHOD, TARGET).credential(value);
        let checked = rules.check(black_box(&request), self.now);
        assert_eq!(black_box(&checked).is_ok(), accepted);
        accepted
    }

    #[inline(never)]
    fn primitives(&self, call: usize) -> bool {
        let call = &self.calls[call];
        black_box(self.primitives[call.key].run(black_box(call)))
    }

    /// Medians in ns: primitives, decision.
    fn paired(&self, accepted: bool, rounds: usize) -> [f64; 2] {
        let batch = 2_000;
        let rules = self.rules();
        let mut times = [Vec::new(), Vec::new()];
        let mut next = 0;
        for round in 0..rounds + rounds / 10 {
            for (side, times) in times.iter_mut().enumerate() {
                let from = next;
                let begun = Instant::now();
                for i in 0..batch {
                    let call = (from + i) % self.calls.len();
                    if side == 0 {
                        self.primitives(call)
                    } else {
                        self.decide(rules, call, accepted)
                    };
                }
                let each = begun.elapsed().as_nanos() as f64 / batch as f64;
                if round >= rounds / 10 {
                    times.push(each);
                }
                next = (next + batch) % self.calls.len().max(1);
            }
        }
        times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
    }
}

/// The prepared key of a bare primitive.
#[expect(clippy::large_enum_variant, reason = "keys lie side by side, as those of the library do")]
enum Primitive {
    Cbc(aes::Aes256Enc, Vec<u8>),
    Ecb(aes::Aes256Enc, Vec<u8>),
    Gcm(Aes256Gcm),
    Hmac(Hmac<Sha256>),
}

impl Primitive {
    fn new(scheme: &str, key: usize) -> Self {
        let secret = secret(key);
        match scheme {
            "cbc1" => Self::Cbc(aes::Aes256Enc::new((&secret).into()), padded()),
            "ecb0" => Self::Ecb(aes::Aes256Enc::new((&secret).into()), padded()),
            "gcm1" => Self::Gcm(Aes256Gcm::new((&secret).into())),
            "hmac1" => Self::Hmac(Hmac::new_from_slice(&secret).expect("a key")),
            other => panic!("say here which primitives {other} needs"),
        }
    }

    #[inline]
    fn run(&self, call: &Call) -> bool {
        let field = |i: usize| &call.good[call.fields[i].clone()];
        let mut buffer = [0_u8; 128];
        let mut out = [0_u8; 128];
        match self {
            Self::Cbc(key, padded) => {
                let n = URL_SAFE_NO_PAD.decode_slice(field(0), &mut buffer).expect("base64");
                let iv: &[u8; 16] = buffer[..16].try_into().expect("an iv");
                let mode = cbc::Encryptor::<&aes::Aes256Enc>::inner_iv_init(key, iv.into());
                encrypt(mode, padded, &mut out) & (n > 16)
            }
            Self::Ecb(key, padded) => {
                let n = STANDARD.decode_slice(field(0), &mut buffer).expect("base64");
                encrypt(ecb::Encryptor::<&aes::Aes256Enc>::inner_init(key), padded, &mut out)
                    & (n > 0)
            }
            Self::Gcm(key) => {
                let n = URL_SAFE_NO_PAD.decode_slice(field(0), &mut buffer).expect("base64");
                let nonce: &[u8; 12] = buffer[..12].try_into().expect("a nonce");
                let tag: &[u8; 16] = buffer[n - 16..n].try_into().expect("a tag");
                let text = InOutBuf::new(&buffer[12..n - 16], &mut out[..n - 28]).expect("room");
                key.decrypt_inout_detached(nonce.into(), &call.joined, text, tag.into()).is_ok()
            }
            Self::Hmac(key) => {
                let (mut nonce, mut digest, mut tag) = ([0; 18], [0; 33], [0; 33]);
                URL_SAFE_NO_PAD.decode_slice(field(0), &mut nonce).expect("base64");
                URL_SAFE_NO_PAD.decode_slice(field(1), &mut digest).expect("base64");
                URL_SAFE_NO_PAD.decode_slice(field(2), &mut tag).expect("base64");
                black_box((&nonce, &digest));
                let mut mac = key.clone();
                mac.update(&call.joined);
                mac.verify_slice(&tag[..32]).is_ok()
            }
        }
    }
}

fn encrypt(
    mut mode: impl BlockModeEncrypt<BlockSize = cbc::cipher::consts::U16>,
    padded: &[u8],
    out: &mut [u8],
) -> bool {
    let blocks = aes::Block::slice_as_chunks(padded).0;
    let to = &mut aes::Block::slice_as_chunks_mut(out).0[..blocks.len()];
    mode.encrypt_blocks_b2b(blocks, to).is_ok()
}

fn secret(key: usize) -> [u8; 32] {
    Sha256::digest(key.to_be_bytes()).into()
}

fn padded() -> Vec<u8> {
    let missing = 16 - API_KEY.len() % 16;
    [API_KEY, &vec![missing as u8; missing]].concat()
}

fn id(key: usize) -> String {
    format!("spring-{key}")
}

fn material(facts: &Facts, key: usize) -> Material {
    facts.fields.iter().fold(Material::new(), |all, field| match field.reuse {
        Reuse::Anywhere => all.with(field.name, API_KEY),
        _ => all.with(field.name, secret(key).as_slice()),
    })
}

fn issue(facts: &Facts, key: usize, now: UnixTime) -> String {
    let material = material(facts, key);
    let issuer = Registry::default().issuer(facts.id, "stt", &id(key), &material);
    let mut issuer = issuer.expect("sound material");
    if facts.may_be_bare {
        issuer = issuer.bare();
    }
    let clock = std::sync::Arc::new(keyscheme::ManualClock::new(now));
    let request = Request::new(METHOD, TARGET).body("hello");
    issuer.clock(clock).issue(&request).expect("a credential")
}

fn fields(scheme: &str, credential: &str) -> Vec<std::ops::Range<usize>> {
    let base = credential.as_ptr() as usize;
    let count = if scheme == "hmac1" { 3 } else { 1 };
    let fields: Vec<&str> = credential.split('.').collect();
    let place = |field: &&str| field.as_ptr() as usize - base;
    let range = |field: &&str| place(field)..place(field) + field.len();
    fields[fields.len() - count..].iter().map(range).collect()
}

fn joined(scheme: &str, credential: &str) -> Vec<u8> {
    let fields: Vec<&str> = credential.split('.').collect();
    match (scheme, fields.as_slice()) {
        ("gcm1", [_, id, ts, _]) => format!("keyscheme/gcm1\nstt\n{id}\n{ts}").into_bytes(),
        ("hmac1", [_, id, ts, nonce, digest, _]) => {
            format!("keyscheme/hmac1\nstt\n{id}\n{ts}\n{nonce}\n{METHOD}\n{TARGET}\n{digest}")
                .into_bytes()
        }
        _ => Vec::new(),
    }
}
