//! What a claim in the replay memory costs, beside what else remembers nonces in a process: moka, a
//! cache with a time to live, and dashmap, a concurrent map.
//!
//! ```text
//! cargo bench --bench replay            # 1,000,000 and 10,000,000 live nonces, one and two threads
//! cargo bench --bench replay -- smoke   # few of them, for CI
//! ```
//!
//! Every store is filled in a process of its own, by turns; of three, the one with the median time for a
//! new claim is shown. The others are given the nonce alone as a key, and as much room as is needed from
//! the start; nothing expires in dashmap, and nothing can be evicted from moka. The last row is ours at
//! the rate at which it works for good: for each claim that comes, one expires. `times` is how long a
//! new claim takes, in claims of ours.

use std::{
    error::Error,
    process::Command,
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use keyscheme::{Claim, KeyId, MemoryReplay, OsRandom, ReplayClaim, ServiceName, UnixTime};

type Outcome<T> = Result<T, Box<dyn Error>>;
type Nonce = [u8; 16];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, store, live, threads] = arguments.as_slice()
        && word == RUN
    {
        let measured = run(store, live.parse()?, threads.parse()?)?;
        println!("{measured}");
        return Ok(());
    }
    let smoke = arguments.iter().any(|argument| argument == "smoke" || argument == "--test");
    let (sizes, rounds): (&[usize], _) =
        if smoke { (&[20_000], 1) } else { (&[1_000_000, 10_000_000], 3) };
    println!(
        "| live nonces | threads | store | bytes each | new, ns | seen, ns | claims/s | times |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for &live in sizes {
        for threads in [1, 2] {
            let mut measured = vec![Vec::new(); STORES.len()];
            for _ in 0..rounds {
                for (store, measured) in STORES.iter().zip(&mut measured) {
                    measured.push(apart(store, live, threads)?);
                }
            }
            let medians: Vec<_> = measured.into_iter().map(median).collect();
            for (store, here) in STORES.iter().zip(&medians) {
                println!(
                    "| {live} | {threads} | {store} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
                    here.bytes,
                    here.new,
                    here.seen,
                    1e9 / here.new,
                    here.new / medians[0].new
                );
            }
        }
    }
    Ok(())
}

/// In a process of its own, whose memory nobody has used before.
fn apart(store: &str, live: usize, threads: usize) -> Outcome<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args([RUN, store, &live.to_string(), &threads.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    String::from_utf8(output.stdout)?.parse()
}

fn run(store: &str, live: usize, threads: usize) -> Outcome<Measured> {
    let before = resident()?;
    let measure_of = |store: &dyn Store, come: usize| measure(store, come, live, threads, before);
    match store {
        OURS => measure_of(&Ours::new(live, u64::MAX)?, live),
        // Twice around, so that what comes has long been in the way of what is there.
        TURNING => measure_of(&Ours::new(live * 4 / 3, live as u64 / WINDOW)?, 2 * live),
        MOKA => measure_of(&moka_of(live), live),
        _ => measure_of(&Dash::with_capacity(live), live),
    }
}

/// A store of nonces. The nonce with number `n` is the `n`th that comes.
trait Store: Sync {
    /// Whether it is the first use.
    fn claim(&self, number: u64, nonce: Nonce) -> bool;
}

struct Ours {
    memory: MemoryReplay,
    service: ServiceName,
    key: KeyId,
    /// How many come in a second, where time goes on.
    rate: u64,
}

impl Ours {
    fn new(capacity: usize, rate: u64) -> Outcome<Self> {
        let memory = MemoryReplay::new(capacity, &OsRandom)?;
        let (service, key) = (ServiceName::new("stt")?, KeyId::new("spring-2026-11")?);
        Ok(Self { memory, service, key, rate })
    }
}

impl Store for Ours {
    fn claim(&self, number: u64, nonce: Nonce) -> bool {
        let now = UnixTime(1_790_000_000 + number / self.rate);
        let claim = ReplayClaim {
            service: &self.service,
            key_id: &self.key,
            nonce: &nonce,
            // None is stale because another thread is ahead.
            issued_at: UnixTime(1 << 40),
            max_age: MAX_AGE,
            now,
        };
        self.memory.claim_now(&claim).expect("room") == Claim::First
    }
}

type Moka = moka::sync::Cache<Nonce, ()>;

fn moka_of(live: usize) -> Moka {
    Moka::builder().initial_capacity(live).time_to_live(Duration::from_secs(3_600)).build()
}

impl Store for Moka {
    fn claim(&self, _: u64, nonce: Nonce) -> bool {
        self.entry(nonce).or_insert(()).is_fresh()
    }
}

type Dash = DashMap<Nonce, u64>;

impl Store for Dash {
    fn claim(&self, number: u64, nonce: Nonce) -> bool {
        let mut first = false;
        self.entry(nonce).or_insert_with(|| {
            first = true;
            number
        });
        first
    }
}

/// Of so many that come, the last tenth of `live` is timed.
fn measure(
    store: &dyn Store,
    come: usize,
    live: usize,
    threads: usize,
    before: usize,
) -> Outcome<Measured> {
    let timed = live / 10;
    // By turns, in the order in which they come, so that time goes on for all threads.
    let claim = |numbers: std::ops::Range<usize>, first: bool| {
        let started = Instant::now();
        thread::scope(|scope| {
            for thread in 0..threads {
                let numbers = numbers.clone();
                scope.spawn(move || {
                    for number in numbers.skip(thread).step_by(threads) {
                        assert_eq!(store.claim(number as u64, nonce(number as u64)), first);
                    }
                });
            }
        });
        started.elapsed().as_nanos() as f64 / timed as f64
    };
    // A tenth after the other: a thread that is held up would otherwise claim at a time that has long
    // passed for the other, whose claims it then finds live.
    for tenth in 1..come / timed {
        claim((tenth - 1) * timed..tenth * timed, true);
    }
    let new = claim(come - timed..come, true);
    let bytes = (resident()? - before) as f64 / live as f64;
    let seen = claim(come - timed..come, false);
    Ok(Measured { bytes, new, seen })
}

/// No two are equal, and they look random: a bijection of the number in each half.
fn nonce(number: u64) -> Nonce {
    let mixed = |mut n: u64| {
        n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    };
    (u128::from(mixed(number)) << 64 | u128::from(mixed(!number))).to_be_bytes()
}

/// The memory that this process has, in bytes.
fn resident() -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(kib.parse::<usize>()? * 1_024)
}

#[derive(Clone, Copy)]
struct Measured {
    bytes: f64,
    new: f64,
    seen: f64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.bytes, self.new, self.seen)
    }
}

impl FromStr for Measured {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Outcome<Self> {
        let mut numbers = text.split_whitespace().map(str::parse);
        let mut next = || numbers.next().ok_or("too few numbers");
        Ok(Self { bytes: next()??, new: next()??, seen: next()?? })
    }
}

fn median(mut measured: Vec<Measured>) -> Measured {
    measured.sort_by(|one, other| one.new.total_cmp(&other.new));
    measured[measured.len() / 2]
}

const RUN: &str = "run-one";
const OURS: &str = "keyscheme";
const MOKA: &str = "moka";
const TURNING: &str = "keyscheme, as many expire";
const STORES: [&str; 4] = [OURS, "dashmap", MOKA, TURNING];
const MAX_AGE: u64 = 300;
/// How long a claim is kept: [`MAX_AGE`] and what is added to it.
const WINDOW: u64 = 390;
