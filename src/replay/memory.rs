//! The replay memory of one process.
//!
//! A claim is kept as 16 bytes, 88 bits of a keyed hash and the second until which it is kept, in one
//! of several tables, each behind a mutex. Nothing live is ever evicted: a full table refuses.
//!
//! **Fingerprints.** SipHash-1-3 under a random key is a pseudorandom function, so callers cannot
//! choose nonces that collide. By chance a new claim meets an equal fingerprint among the few slots
//! that it probes with a probability below 2^-80, and is then refused, not accepted.

use std::{
    hash::Hasher,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::{
    Claim, ReplayClaim, ReplayStore,
    shard::{LAST_UNTIL, Shard, UNTIL_BITS},
};
use crate::{error::BackendError, random::Random, time::UnixTime};

/// A replay memory in this process, of a size that is allocated in advance.
pub struct MemoryReplay {
    pub(super) shards: Box<[Mutex<Shard>]>,
    pub(super) hasher: SipHasher13,
    /// The greatest time seen.
    pub(super) clock: AtomicU64,
    capacity: usize,
    /// What was issued until then may have been used before this memory began.
    pub(super) fence: UnixTime,
    /// From then on nothing is remembered, and so nothing accepted.
    until: AtomicU64,
}

impl MemoryReplay {
    /// A memory with room for at least `capacity` live claims, about 25 bytes each.
    ///
    /// # Errors
    ///
    /// [`BackendError`] where `random` has nothing to give, or there is not so much memory.
    pub fn new(capacity: usize, random: &dyn Random) -> Result<Self, BackendError> {
        let mut key = [0; 16];
        random.fill(&mut key)?;
        let no_room =
            || BackendError::new("replay memory", format!("no room for {capacity} claims"));
        Self::with_key(capacity, &key).ok_or_else(no_room)
    }

    /// `None` where there is not so much memory.
    pub(crate) fn with_key(capacity: usize, key: &[u8; 16]) -> Option<Self> {
        let shards = if capacity < SHARDED_FROM { 1 } else { SHARDS };
        let mean = capacity.div_ceil(shards);
        // Claims spread over the shards at random; six standard deviations hold them all.
        let most = if shards == 1 { mean } else { mean.checked_add(6 * mean.isqrt())? };
        let slots = Shard::slots_for(most)?;
        // Asked for as a whole and given back at once: what is not there must not be found out later.
        Vec::<u128>::new().try_reserve_exact(slots.checked_mul(shards)?).ok()?;
        Some(Self {
            shards: (0..shards).map(|_| Mutex::new(Shard::new(most, slots))).collect(),
            hasher: SipHasher13::new_with_key(key),
            clock: AtomicU64::new(0),
            capacity,
            fence: UnixTime(0),
            until: AtomicU64::new(u64::MAX),
        })
    }

    /// How many live claims it has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many claims it holds, those included that have expired and are not removed yet.
    pub fn len(&self) -> usize {
        self.shards.iter().filter_map(|shard| shard.lock().ok()).map(|shard| shard.len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// [`ReplayStore::claim`], without a future.
    ///
    /// # Errors
    ///
    /// [`BackendError`] where there is no room.
    pub fn claim_now(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
        if claim.now.0 > self.clock.load(Ordering::Relaxed) {
            self.clock.fetch_max(claim.now.0, Ordering::Relaxed);
        }
        let (fingerprint, choice) = self.fingerprint(claim);
        let lost = || BackendError::new("replay memory", "a shard is unusable");
        let shard = self.shards.get(choice % self.shards.len().max(1)).ok_or_else(lost)?;
        let mut shard = shard.lock().map_err(|_| lost())?;
        // Read under the lock: no claim of this shard was removed by a later clock than this.
        let now = UnixTime(self.clock.load(Ordering::Relaxed));
        if claim.is_stale_at(now) {
            return Ok(Claim::Stale);
        }
        if claim.issued_at <= self.fence {
            return Ok(Claim::Forgotten);
        }
        // Read under the lock too: once a shard was saved, nothing more is remembered in it.
        self.ready(now)?;
        let until = claim.remember_until(now).0;
        if until > LAST_UNTIL {
            return Err(BackendError::new("replay memory", "a claim is to be kept for ever"));
        }
        shard.claim(fingerprint, until, now.0).ok_or_else(|| {
            let full = format!("its room for {} live claims is taken", self.capacity);
            BackendError::new("replay memory", full)
        })
    }

    /// Whether it still remembers.
    pub(crate) fn ready(&self, now: UnixTime) -> Result<(), BackendError> {
        if now.0 < self.until.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(BackendError::new("replay memory", "its state file is not kept"))
    }

    /// The greatest time that it has seen.
    #[cfg(feature = "watch")]
    pub(crate) fn clock(&self) -> UnixTime {
        UnixTime(self.clock.load(Ordering::Relaxed))
    }

    /// Has seen this time.
    #[cfg(feature = "watch")]
    pub(crate) fn advance(&mut self, to: UnixTime) {
        self.clock.fetch_max(to.0, Ordering::Relaxed);
    }

    /// Answers [`Claim::Forgotten`] to everything that was issued until then.
    #[cfg(feature = "watch")]
    pub(crate) fn fence(&mut self, until: UnixTime) {
        self.fence = self.fence.max(until);
    }

    /// Remembers nothing from then on.
    #[cfg(feature = "watch")]
    pub(crate) fn keep_until(&self, until: UnixTime) {
        self.until.store(until.0, Ordering::Relaxed);
    }

    /// 88 bits that stand for the claim, and what chooses its shard.
    #[inline]
    fn fingerprint(&self, claim: &ReplayClaim<'_>) -> (u128, usize) {
        let mut hasher = self.hasher;
        // No name holds a line feed, so different claims are different texts.
        hasher.write(claim.service.as_bytes());
        hasher.write_u8(b'\n');
        hasher.write(claim.key_id.as_bytes());
        hasher.write_u8(b'\n');
        hasher.write(claim.nonce);
        let hash = hasher.finish128().as_u128();
        (hash >> UNTIL_BITS, hash as usize & 0xffff)
    }
}

#[async_trait]
impl ReplayStore for MemoryReplay {
    async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, BackendError> {
        self.claim_now(claim)
    }
}

impl std::fmt::Debug for MemoryReplay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryReplay").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

const SHARDS: usize = 64;
const SHARDED_FROM: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        id::{KeyId, ServiceName},
        random::OsRandom,
        replay::MARGIN,
    };

    fn store(capacity: usize) -> MemoryReplay {
        MemoryReplay::new(capacity, &OsRandom).unwrap()
    }

    fn claim(store: &MemoryReplay, nonce: u64, ts: u64, max_age: u64, now: u64) -> Option<Claim> {
        let claim = ReplayClaim {
            service: &ServiceName::new("stt").unwrap(),
            key_id: &KeyId::new("k").unwrap(),
            nonce: &nonce.to_be_bytes(),
            issued_at: UnixTime(ts),
            max_age,
            now: UnixTime(now),
        };
        store.claim_now(&claim).ok()
    }

    #[test]
    fn replayed_or_stale_at_every_second_of_the_window() {
        let store = store(100);
        let (ts, max_age) = (1_000, 300);
        for now in ts - 30..ts + 1_000 {
            let answer = claim(&store, 7, ts, max_age, now).unwrap();
            let expected = match now {
                970 => Claim::First,
                _ if now <= ts + max_age => Claim::Seen,
                _ => Claim::Stale,
            };
            assert_eq!(answer, expected, "at {now}");
        }
    }

    #[test]
    fn the_clock_never_runs_back() {
        let store = store(100);
        assert_eq!(claim(&store, 1, 5_000, 300, 5_000), Some(Claim::First));
        assert_eq!(claim(&store, 2, 1_000, 300, 1_000), Some(Claim::Stale));
        assert_eq!(claim(&store, 1, 5_000, 300, 4_900), Some(Claim::Seen));
    }

    #[test]
    fn a_live_claim_is_never_evicted_and_a_full_store_refuses() {
        for capacity in [1, 2, 10, 1_000] {
            let store = store(capacity);
            for nonce in 0..capacity as u64 {
                assert_eq!(claim(&store, nonce, 100, 10, 100), Some(Claim::First));
            }
            for nonce in 0..capacity as u64 {
                assert_eq!(claim(&store, nonce, 100, 10, 110), Some(Claim::Seen));
            }
            let one_more = capacity as u64;
            assert_eq!(claim(&store, one_more, 100 + 10 + MARGIN, 10, 110 + MARGIN), None);
            let later = 111 + MARGIN;
            assert_eq!(claim(&store, one_more, later, 10, later), Some(Claim::First));
        }
    }

    /// Long before there is no room, so that nobody has to wait for it.
    #[test]
    fn what_has_expired_is_removed_bit_by_bit() {
        let store = store(1_000);
        for nonce in 0..500 {
            assert_eq!(claim(&store, nonce, 100, 10, 100), Some(Claim::First));
        }
        let later = 111 + MARGIN;
        for nonce in 500..1_000 {
            assert_eq!(claim(&store, nonce, later, 10, later), Some(Claim::First));
        }
        assert!((500..530).contains(&store.len()), "{}", store.len());
    }

    #[test]
    fn every_part_of_a_claim_counts() {
        let store = store(100);
        let names = |s: &str, k: &str| (ServiceName::new(s).unwrap(), KeyId::new(k).unwrap());
        for (service, key_id, nonce) in [
            ("a", "bc", "d"),
            ("ab", "c", "d"),
            ("a", "b", "cd"),
            ("a", "bc", "e"),
            ("b", "bc", "d"),
        ] {
            let (service, key_id) = names(service, key_id);
            let claim = ReplayClaim {
                service: &service,
                key_id: &key_id,
                nonce: nonce.as_bytes(),
                issued_at: UnixTime(1),
                max_age: 1,
                now: UnixTime(1),
            };
            assert_eq!(store.claim_now(&claim).unwrap(), Claim::First);
            assert_eq!(store.claim_now(&claim).unwrap(), Claim::Seen);
        }
    }

    #[test]
    fn sharded_stores_hold_their_capacity() {
        let store = store(200_000);
        for nonce in 0..200_000 {
            assert_eq!(claim(&store, nonce, 100, 10, 100), Some(Claim::First));
        }
        for nonce in 0..200_000 {
            assert_eq!(claim(&store, nonce, 100, 10, 100), Some(Claim::Seen));
        }
    }

    #[test]
    fn of_64_at_once_one_is_first() {
        let store = store(100_000);
        for round in 0..1_000 {
            let firsts: usize = std::thread::scope(|scope| {
                let tasks: Vec<_> = (0..64)
                    .map(|_| {
                        scope.spawn(|| claim(&store, round, 100, 10, 100) == Some(Claim::First))
                    })
                    .collect();
                tasks.into_iter().map(|task| usize::from(task.join().unwrap())).sum()
            });
            assert_eq!(firsts, 1);
        }
    }

    proptest! {
        /// Against a plain map that forgets nothing but what has expired.
        #[test]
        fn behaves_as_a_map(steps in proptest::collection::vec((0_u64..40, 0_u64..30, 1_u64..50), 1..400)) {
            let store = store(24);
            let mut model: HashMap<u64, u64> = HashMap::new();
            let mut now = 10_000;
            for (nonce, step, max_age) in steps {
                now += step;
                let live = model.values().filter(|until| **until >= now).count();
                match claim(&store, nonce, now, max_age, now) {
                    Some(Claim::First) => {
                        prop_assert!(model.get(&nonce).is_none_or(|until| *until < now));
                        model.insert(nonce, now + max_age + MARGIN);
                    }
                    Some(Claim::Seen) => prop_assert!(model.contains_key(&nonce)),
                    None => prop_assert!(live >= 24),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
