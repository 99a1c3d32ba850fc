//! Time and replay: through the whole verifier, under a clock that is set by hand.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use keyscheme::{
    AcceptConfig, BackendError, Claim, KeyConfig, KeyId, KeyState, ManualClock, MaxAge,
    MemoryReplay, OsRandom, ReplayClaim, ReplayStore, Request, SealError, ServiceConfig,
    ServiceName, UnixTime, Verifier,
};

use crate::world::{
    NOW, World, encode, issuer, key, last_field, many, material, poll, request, sealed, sealed_at,
    word,
};

const MAX_AGE: u64 = 20;

/// `hmac1` and `gcm1`, both single use and for 20 seconds.
fn single_use() -> [AcceptConfig; 2] {
    ["hmac1", "gcm1"].map(|scheme| {
        let entry = AcceptConfig::new(scheme).max_age(MaxAge::Seconds(MAX_AGE));
        if scheme == "gcm1" { entry.once() } else { entry }
    })
}

#[test]
fn the_window_is_not_doubled() {
    for (scheme, max_age) in [("hmac1", 1), ("hmac1", 20), ("gcm1", 1), ("gcm1", 20), ("gcm1", 300)]
    {
        let world = World::accepting([AcceptConfig::new(scheme).max_age(MaxAge::Seconds(max_age))]);
        let value = sealed(scheme);
        for now in NOW.0 - 400..NOW.0 + 700 {
            world.clock.set(UnixTime(now));
            let refused = world.check(&request().credential(&value)).err();
            let expected = match now {
                _ if now < NOW.0 - 30 => Some("early"),
                _ if now > NOW.0 + max_age => Some("stale"),
                _ => None,
            };
            assert_eq!(refused.map(|refused| refused.reason().code()), expected, "{now}");
        }
    }
}

/// From every second at which a credential can be used first, on every second after it.
#[test]
fn a_replay_meets_replayed_or_stale_at_every_second() {
    for scheme in ["hmac1", "gcm1"] {
        for first in NOW.0 - 30..=NOW.0 + MAX_AGE {
            let world = World::accepting(single_use());
            let value = sealed(scheme);
            world.clock.set(UnixTime(first));
            assert_eq!(world.says(&value), "accepted", "{scheme} at {first}");
            for now in first..NOW.0 + MAX_AGE + 200 {
                world.clock.set(UnixTime(now));
                let expected = if now <= NOW.0 + MAX_AGE { "replayed" } else { "stale" };
                assert_eq!(world.says(&value), expected, "{scheme} at {first}, again at {now}");
            }
        }
    }
}

#[test]
fn extreme_times_are_malformed_or_judged() {
    let world = World::new();
    for scheme in ["gcm1", "hmac1"] {
        let good = sealed(scheme);
        for ts in [
            "0",
            "00",
            "01700000000",
            "+1700000000",
            "-1",
            "-1700000000",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "100000000000",
            "99999999999999999999",
            "1e9",
            "1.7e9",
            "0x6553f100",
            "1_700_000_000",
            "1700000000Z",
            "NaN",
            "",
            "\u{661}",
        ] {
            let value = good.replacen("1700000000", ts, 1);
            assert_eq!(world.says(&value), "malformed", "{value}");
        }
        // Grammatical, and not what was sealed.
        for ts in ["1", "2147483647", "2147483648", "4294967295", "4294967296", "99999999999"] {
            let value = good.replacen("1700000000", ts, 1);
            assert_eq!(world.says(&value), "bad-credential", "{value}");
        }
        // Sealed so, under clocks of every kind.
        let entry = || AcceptConfig::new(scheme);
        for ts in [1, 2_147_483_647, 2_147_483_648, 4_294_967_296, 99_999_999_999] {
            let value = sealed_at(scheme, UnixTime(ts));
            for (now, says) in [
                (ts, "accepted"),
                (0, if ts <= 30 { "accepted" } else { "early" }),
                (1_u64 << 40, "stale"),
                (1 << 63, "stale"),
                (u64::MAX - 1, "stale"),
                // A key without an end lasts until the last second, which is not included.
                (u64::MAX, "key-expired"),
            ] {
                let world = World::accepting([entry()]);
                world.clock.set(UnixTime(now));
                assert_eq!(world.says(&value), says, "{ts} at {now}");
            }
        }
        for now in [0, 100_000_000_000, u64::MAX] {
            let clock = Arc::new(ManualClock::new(UnixTime(now)));
            let issuer = issuer(scheme, "stt", &format!("{scheme}-key")).clock(clock);
            assert!(matches!(issuer.issue(&request()), Err(SealError::Time(at)) if at.0 == now));
        }
    }
    assert!(world.is_empty());
}

#[test]
fn bad_macs_leave_the_store_empty_and_squat_no_nonce() {
    for scheme in ["hmac1", "gcm1"] {
        let world = World::accepting(single_use());
        let good = sealed(scheme);
        let (head, bytes) = last_field(&good);
        // The nonce of the real request, under proofs that are none.
        for i in 1..=many(500_000, 50_000) as u64 {
            let mut wrong = bytes.clone();
            let proof = wrong.last_chunk_mut().expect("eight bytes");
            *proof = (u64::from_le_bytes(*proof) ^ i).to_le_bytes();
            assert_eq!(world.says(&format!("{head}{}", encode(&wrong))), "bad-credential");
        }
        assert!(world.is_empty(), "{scheme}");
        assert_eq!(world.says(&good), "accepted");
        assert_eq!(world.says(&good), "replayed");
    }
}

#[test]
fn what_is_refused_after_its_proof_claims_nothing() {
    for scheme in ["hmac1", "gcm1"] {
        let id = format!("{scheme}-key");
        let entry = || {
            let entry = AcceptConfig::new(scheme);
            if scheme == "gcm1" { entry.once() } else { entry }
        };
        let value = sealed(scheme);
        let other = || KeyConfig::new("other", scheme, material(scheme, "other"));
        for (world, now, says) in [
            (
                World::with([entry()], |b| b.key("spring", key(scheme).state(KeyState::Disabled))),
                NOW,
                "key-disabled",
            ),
            (
                World::with([entry()], |b| b.key("spring", key(scheme).not_after(NOW))),
                NOW,
                "key-expired",
            ),
            (
                World::with([entry()], |b| b.key("spring", key(scheme).not_before(NOW.plus(1)))),
                NOW,
                "key-expired",
            ),
            (
                World::with([entry().clients(["node"])], |b| {
                    b.key("spring", key(scheme)).key("node", other())
                }),
                NOW,
                "client-refused",
            ),
            (World::accepting([entry()]), NOW.plus(301), "stale"),
            (World::accepting([entry()]), NOW.minus(31), "early"),
        ] {
            world.clock.set(now);
            assert_eq!(world.says(&value), says, "{id}");
            assert!(world.is_empty(), "{says}");
        }
    }
    let world = World::new();
    let uncovered = issuer("hmac1", "stt", "hmac1-key").uncovered_body();
    let value = uncovered.issue(&request()).expect("a credential");
    assert_eq!(world.says(&value), "body-not-covered");
    assert!(world.is_empty());
}

#[test]
fn a_full_store_is_unavailable_and_forgets_nothing() {
    const CAPACITY: usize = 50;
    let world = World::with(single_use(), |builder| {
        builder
            .key("spring", key("hmac1"))
            .key("spring", key("gcm1"))
            .replay_capacity(CAPACITY)
            .replay_per_key(2 * CAPACITY)
    });
    let used: Vec<_> = (0..CAPACITY).map(|_| sealed("hmac1")).collect();
    assert!(used.iter().all(|value| world.says(value) == "accepted"));
    for _ in 0..3 * CAPACITY {
        assert_eq!(world.says(&sealed("hmac1")), "unavailable");
        assert_eq!(world.says(&sealed("gcm1")), "unavailable");
    }
    for now in NOW.0..=NOW.0 + MAX_AGE {
        world.clock.set(UnixTime(now));
        assert!(used.iter().all(|value| world.says(value) == "replayed"), "{now}");
    }
    // Once the old claims have expired there is room again, for as many.
    let later = NOW.plus(MAX_AGE + 91);
    world.clock.set(later);
    assert!((0..CAPACITY).all(|_| world.says(&sealed_at("hmac1", later)) == "accepted"));
    assert_eq!(world.says(&sealed_at("hmac1", later)), "unavailable");
}

#[test]
fn one_caller_cannot_fill_the_store_for_all() {
    let world = World::with(single_use(), |builder| {
        builder.key("greedy", key("hmac1")).key("other", key("gcm1")).replay_capacity(20)
    });
    let mut says = Vec::new();
    says.resize_with(30, || world.says(&sealed("hmac1")));
    assert!(says[..10].iter().all(|said| *said == "accepted"), "{says:?}");
    assert!(says[10..].iter().all(|said| *said == "unavailable"), "{says:?}");
    for _ in 0..10 {
        assert_eq!(world.says(&sealed("gcm1")), "accepted");
    }
}

#[test]
fn of_64_at_once_one_is_accepted() {
    const TASKS: usize = 64;
    let rounds = many(3_000, 300);
    let world = World::with(single_use(), |builder| {
        builder
            .key("spring", key("hmac1"))
            .key("spring", key("gcm1"))
            .replay_capacity(rounds)
            .replay_per_key(rounds)
    });
    let schemes = ["hmac1", "gcm1"].into_iter().cycle();
    let values: Vec<String> = schemes.take(rounds).map(sealed).collect();
    let (world, values, arrived) =
        (Arc::new(world), Arc::new(values), Arc::new(AtomicUsize::new(0)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
    let runtime = runtime.expect("a runtime");
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (world, values, arrived) =
                (Arc::clone(&world), Arc::clone(&values), Arc::clone(&arrived));
            runtime.spawn(async move {
                let guard = world.verifier.service("stt").expect("the service");
                let mut verdicts = Vec::new();
                for (round, value) in values.iter().enumerate() {
                    // All begin a round together.
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while arrived.load(Ordering::SeqCst) < (round + 1) * TASKS {
                        // Both to the other tasks and to the other threads, of which cores are few.
                        std::thread::yield_now();
                        tokio::task::yield_now().await;
                    }
                    verdicts.push(word(&guard.verify(&request().credential(value)).await));
                }
                verdicts
            })
        })
        .collect();
    let verdicts: Vec<Vec<_>> = runtime.block_on(async {
        let mut verdicts = Vec::new();
        for task in tasks {
            verdicts.push(task.await.expect("verdicts"));
        }
        verdicts
    });
    let mut winners = BTreeSet::new();
    for round in 0..rounds {
        let says = |says| verdicts.iter().filter(move |verdicts| verdicts[round] == says).count();
        assert_eq!((says("accepted"), says("replayed")), (1, TASKS - 1), "round {round}");
        winners.insert(verdicts.iter().position(|verdicts| verdicts[round] == "accepted"));
    }
    assert!(winners.len() > 1, "it is a race");
}

/// Each is presented by two of sixteen tasks, at about the same time.
#[test]
fn of_a_million_nonces_each_is_first_once() {
    const NONCES: u64 = 1_000_000;
    let store = Arc::new(MemoryReplay::new(NONCES as usize, &OsRandom).expect("a store"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build();
    let runtime = runtime.expect("a runtime");
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = Arc::clone(&store);
            runtime.spawn(async move {
                let service = ServiceName::new("stt").expect("a name");
                let key_id = KeyId::new("k").expect("an id");
                let mut firsts = 0;
                for nonce in (task % 8..NONCES).step_by(8) {
                    let claim = ReplayClaim {
                        service: &service,
                        key_id: &key_id,
                        nonce: &nonce.to_be_bytes(),
                        issued_at: NOW,
                        max_age: MAX_AGE,
                        now: NOW,
                    };
                    match store.claim(&claim).await.expect("room") {
                        Claim::First => firsts += 1,
                        answer => assert_eq!(answer, Claim::Seen),
                    }
                    if nonce % 64 == task {
                        tokio::task::yield_now().await;
                    }
                }
                firsts
            })
        })
        .collect();
    let firsts: Vec<u64> = runtime.block_on(async {
        let mut firsts = Vec::new();
        for task in tasks {
            firsts.push(task.await.expect("a count"));
        }
        firsts
    });
    assert_eq!(firsts.iter().sum::<u64>(), NONCES);
    assert_eq!(store.len(), NONCES as usize);
    let in_both = (0..8).filter(|i| firsts[*i] > 0 && firsts[*i + 8] > 0).count();
    assert!(in_both > 0, "it is a race: {firsts:?}");
}

#[test]
fn a_clock_that_steps_back_reopens_nothing() {
    for scheme in ["hmac1", "gcm1"] {
        for ahead in [1, MAX_AGE, MAX_AGE + 1, MAX_AGE + 30, MAX_AGE + 91, 100_000] {
            let world = World::accepting(single_use());
            let value = sealed(scheme);
            assert_eq!(world.says(&value), "accepted");
            // Others are used later, often enough for every old claim to be swept away.
            let later = NOW.plus(ahead);
            world.clock.set(later);
            for _ in 0..400 {
                assert_eq!(world.says(&sealed_at(scheme, later)), "accepted");
            }
            // Then the clock is put back: to before the first use, to it, and in between.
            for back in (NOW.0 - 30..=NOW.0 + MAX_AGE).chain([NOW.0 - 100]) {
                world.clock.set(UnixTime(back));
                let says = world.says(&value);
                assert!(["replayed", "stale", "early"].contains(&says), "{says} at {back}");
            }
            // A credential of then that was never used is accepted only where it would be stale by no
            // clock that the store has seen.
            let fresh = sealed(scheme);
            world.clock.set(NOW);
            let expected = if ahead <= MAX_AGE { "accepted" } else { "stale" };
            assert_eq!(world.says(&fresh), expected, "{ahead}");
            assert_ne!(world.says(&fresh), "accepted");
        }
    }
}

#[test]
fn a_shared_store_remembers_for_both() {
    let store = Arc::new(MemoryReplay::new(1_000, &OsRandom).expect("a store"));
    let replica = |clock: u64| {
        let store = Arc::<MemoryReplay>::clone(&store);
        let world = World::with(single_use(), |builder| {
            builder.key("spring", key("hmac1")).key("spring", key("gcm1")).replay_store(store)
        });
        world.clock.set(UnixTime(clock));
        world
    };
    // Clocks that differ by up to a minute.
    let (one, other) = (replica(NOW.0), replica(NOW.0 - 20));
    for scheme in ["hmac1", "gcm1"] {
        let value = sealed(scheme);
        assert_eq!(one.says(&value), "accepted");
        assert_eq!(other.says(&value), "replayed");
        let value = sealed(scheme);
        assert_eq!(other.says(&value), "accepted");
        for now in NOW.0 - 20..=NOW.0 + MAX_AGE {
            one.clock.set(UnixTime(now));
            assert_eq!(one.says(&value), "replayed", "{now}");
        }
        one.clock.set(NOW);
    }
}

/// A store that answers as it is told, after its clock has moved.
#[derive(Debug, Default)]
struct Told {
    answer: Mutex<Option<Result<Claim, BackendError>>>,
    moves: Mutex<Option<(Arc<ManualClock>, UnixTime)>>,
}

#[async_trait]
impl ReplayStore for Told {
    async fn claim(&self, _: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
        if let Some((clock, to)) = &*self.moves.lock().expect("a clock") {
            clock.set(*to);
        }
        self.answer.lock().expect("an answer").take().expect("asked once")
    }
}

#[test]
fn a_store_in_trouble_accepts_nothing() {
    for (answer, after, says) in [
        (Ok(Claim::First), NOW, "accepted"),
        (Ok(Claim::First), NOW.plus(MAX_AGE), "accepted"),
        (Ok(Claim::First), NOW.plus(MAX_AGE + 1), "stale"),
        (Ok(Claim::First), NOW.minus(30), "accepted"),
        (Ok(Claim::First), NOW.minus(31), "early"),
        (Ok(Claim::Seen), NOW, "replayed"),
        (Ok(Claim::Stale), NOW, "stale"),
        (Ok(Claim::Forgotten), NOW, "unavailable"),
        (Err(BackendError::new("store", "down")), NOW, "unavailable"),
    ] {
        for scheme in ["hmac1", "gcm1"] {
            let told = Arc::new(Told::default());
            let store = Arc::<Told>::clone(&told);
            let world = World::with(single_use(), |builder| {
                builder.key("spring", key("hmac1")).key("spring", key("gcm1")).replay_store(store)
            });
            let clock = Arc::<ManualClock>::clone(&world.clock);
            *told.moves.lock().expect("a clock") = Some((clock, after));
            let copy = match &answer {
                Ok(claim) => Ok(*claim),
                Err(error) => Err(BackendError::new("store", error.to_string())),
            };
            *told.answer.lock().expect("an answer") = Some(copy);
            assert_eq!(world.says(&sealed(scheme)), says, "{answer:?} at {after}");
        }
    }
}

/// A store that was away for long has kept nothing, and nobody is refused for that when it is back.
#[test]
fn a_store_that_is_back_refuses_nobody_for_want_of_room() {
    let told = Arc::new(Told::default());
    let store = Arc::<Told>::clone(&told);
    let world = World::with(single_use(), |builder| {
        builder.key("spring", key("hmac1")).replay_store(store).replay_per_key(10)
    });
    let answers = |answer| *told.answer.lock().expect("an answer") = Some(answer);
    for _ in 0..100 {
        answers(Err(BackendError::new("store", "down")));
        assert_eq!(world.says(&sealed("hmac1")), "unavailable");
    }
    for number in 0..11 {
        answers(Ok(Claim::First));
        let expected = if number < 10 { "accepted" } else { "unavailable" };
        assert_eq!(world.says(&sealed("hmac1")), expected, "{number}");
    }
}

/// One nonce under two services or two keys is two claims.
#[test]
fn a_replay_domain_is_one_service_and_one_key() {
    let service = |name: &str| ServiceConfig::new(name).issue("hmac1").accept("hmac1");
    let verifier = Verifier::builder()
        .service(service("stt"))
        .service(service("tts"))
        .key("spring", key("hmac1"))
        .clock(Arc::new(ManualClock::new(NOW)))
        .build()
        .expect("a sound configuration");
    for name in ["stt", "tts"] {
        let value = issuer("hmac1", name, "hmac1-key").issue(&Request::new("GET", "/"));
        let value = value.expect("a credential");
        let guard = verifier.service(name).expect("the service");
        let request = Request::new("GET", "/").credential(&value);
        assert_eq!(word(&poll(guard.verify(&request))), "accepted");
        assert_eq!(word(&poll(guard.verify(&request))), "replayed");
    }
}
