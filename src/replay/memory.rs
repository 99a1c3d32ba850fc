//! The replay memory of one process.
//!
//! A claim is kept as 16 bytes: 88 bits of a keyed hash, and the second until which it is kept.
//!
//! ```text
//! slot = fingerprint[88] || until[40]              ; 0 where empty
//! ```
//!
//! Slots lie in shards, each a table with linear probing behind a mutex. Expired claims are removed
//! a few at each claim, by shifting back what follows, so that there are no tombstones and a
//! negative answer stays short. Nothing live is ever evicted: a full shard refuses.
//!
//! **Fingerprints.** SipHash-1-3 under a random key is a pseudorandom function, so callers cannot
//! choose nonces that collide. By chance a new claim meets an equal fingerprint among the few slots
//! that it probes with a probability below 2^-80, and is then refused, not accepted.

#[cfg(feature = "watch")]
use std::sync::PoisonError;
use std::{
    hash::Hasher,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::{Claim, ReplayClaim, ReplayStore};
use crate::{error::BackendError, random::Random, time::UnixTime};

/// A replay memory in this process, of a size that is allocated in advance.
pub struct MemoryReplay {
    shards: Box<[Mutex<Shard>]>,
    hasher: SipHasher13,
    /// The greatest time seen.
    clock: AtomicU64,
    capacity: usize,
    /// What was issued until then may have been used before this memory began.
    fence: UnixTime,
    /// From then on nothing is remembered, and so nothing accepted.
    until: AtomicU64,
}

impl MemoryReplay {
    /// A memory with room for at least `capacity` live claims, about 21 bytes each.
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
        // Three quarters full at most, and one slot that is always empty ends every probe.
        let slots = most.checked_mul(4)?.div_ceil(3) + 1;
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
        self.shards.iter().filter_map(|shard| shard.lock().ok()).map(|shard| shard.taken).sum()
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
        if now.0 >= self.until.load(Ordering::Relaxed) {
            return Err(BackendError::new("replay memory", "its state file is not kept"));
        }
        let until = claim.remember_until(now).0;
        if until > UNTIL_MASK as u64 {
            return Err(BackendError::new("replay memory", "a claim is to be kept for ever"));
        }
        shard.claim(fingerprint, until, now.0).ok_or_else(|| {
            let full = format!("its room for {} live claims is taken", self.capacity);
            BackendError::new("replay memory", full)
        })
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

    /// Appends all that it knows:
    ///
    /// ```text
    /// clock[8] key[16] fence[8] shards[4] *( slots[4] *( slot[16] ) )
    /// ```
    #[cfg(feature = "watch")]
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        out.extend_from_slice(&self.clock().0.to_be_bytes());
        out.extend_from_slice(&self.hasher.key());
        out.extend_from_slice(&self.fence.0.to_be_bytes());
        out.extend_from_slice(&length(self.shards.len()));
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = shard.slots.iter().filter(|slot| **slot != 0);
            out.extend_from_slice(&length(taken.clone().count()));
            taken.for_each(|slot| out.extend_from_slice(&slot.to_be_bytes()));
        }
    }

    /// Takes in what another has saved; `false` where it cannot, after which it knows nothing.
    #[cfg(feature = "watch")]
    pub(crate) fn restore(&mut self, saved: &[u8]) -> bool {
        let restored = self.take_in(saved).is_some();
        if !restored {
            self.shards.iter_mut().for_each(|shard| {
                let shard = shard.get_mut().unwrap_or_else(PoisonError::into_inner);
                *shard = Shard::new(shard.most, shard.slots.len());
            });
        }
        restored
    }

    #[cfg(feature = "watch")]
    fn take_in(&mut self, saved: &[u8]) -> Option<()> {
        let (clock, saved) = saved.split_first_chunk()?;
        let (key, saved) = saved.split_first_chunk()?;
        let (fence, saved) = saved.split_first_chunk()?;
        let (shards, mut saved) = saved.split_first_chunk()?;
        // Which shard a claim is in shows nowhere but in its place.
        if u32::from_be_bytes(*shards) as usize != self.shards.len() {
            return None;
        }
        for shard in &mut self.shards {
            let shard = shard.get_mut().unwrap_or_else(PoisonError::into_inner);
            let (length, rest) = saved.split_first_chunk()?;
            saved = rest;
            for _ in 0..u32::from_be_bytes(*length) {
                let (slot, rest) = saved.split_first_chunk()?;
                saved = rest;
                let slot = u128::from_be_bytes(*slot);
                let place = shard.find(slot >> UNTIL_BITS)?;
                if slot == 0 || shard.taken >= shard.most || shard.slot(place) != 0 {
                    return None;
                }
                shard.put(place, slot);
                shard.taken += 1;
            }
        }
        self.hasher = SipHasher13::new_with_key(key);
        self.clock = AtomicU64::new(u64::from_be_bytes(*clock));
        self.fence = UnixTime(u64::from_be_bytes(*fence));
        saved.is_empty().then_some(())
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

struct Shard {
    slots: Box<[u128]>,
    taken: usize,
    most: usize,
    /// Where the next few slots are looked at for expired claims.
    hand: usize,
    /// No claim expires before, as far as the last full sweep saw.
    earliest: u64,
}

impl Shard {
    fn new(most: usize, slots: usize) -> Self {
        Self { slots: vec![0; slots].into(), taken: 0, most, hand: 0, earliest: 0 }
    }

    /// `None` where there is no room.
    fn claim(&mut self, fingerprint: u128, until: u64, now: u64) -> Option<Claim> {
        self.sweep(SWEPT_PER_CLAIM, now);
        let mut free = self.find(fingerprint)?;
        if self.slot(free) != 0 {
            return Some(Claim::Seen);
        }
        if self.taken >= self.most {
            self.sweep_all(now);
            if self.taken >= self.most {
                return None;
            }
            free = self.find(fingerprint)?;
        }
        *self.slots.get_mut(free)? = fingerprint << UNTIL_BITS | u128::from(until);
        self.taken += 1;
        self.earliest = self.earliest.min(until);
        Some(Claim::First)
    }

    /// The slot that holds `fingerprint`, or the empty one where it belongs.
    fn find(&self, fingerprint: u128) -> Option<usize> {
        let (before, after) = self.slots.split_at_checked(self.home(fingerprint))?;
        let here = |slot: &u128| *slot == 0 || *slot >> UNTIL_BITS == fingerprint;
        after
            .iter()
            .position(here)
            .map(|at| before.len() + at)
            .or_else(|| before.iter().position(here))
    }

    /// Where the probe for a fingerprint begins: its upper 64 bits as a fraction of the table.
    fn home(&self, fingerprint: u128) -> usize {
        let fraction = fingerprint >> (FINGERPRINT_BITS - 64);
        ((fraction * self.slots.len() as u128) >> 64) as usize
    }

    fn sweep(&mut self, slots: usize, now: u64) {
        for _ in 0..slots {
            let slot = self.slot(self.hand);
            if slot != 0 && until_of(slot) < now {
                self.remove(self.hand);
            } else {
                self.hand = self.after(self.hand);
            }
        }
    }

    /// Removes all that has expired, unless nothing can have.
    fn sweep_all(&mut self, now: u64) {
        if now <= self.earliest {
            return;
        }
        // Each step removes a claim or moves on, so this is once around.
        self.hand = 0;
        self.sweep(self.slots.len() + self.taken, now);
        let untils = self.slots.iter().filter(|slot| **slot != 0).map(|slot| until_of(*slot));
        self.earliest = untils.min().unwrap_or(u64::MAX);
    }

    /// Empties a slot and shifts back what would no longer be found behind it.
    fn remove(&mut self, at: usize) {
        let (mut hole, mut next) = (at, self.after(at));
        while self.slot(next) != 0 {
            let slot = self.slot(next);
            let home = self.home(slot >> UNTIL_BITS);
            if self.distance(home, next) >= self.distance(hole, next) {
                self.put(hole, slot);
                hole = next;
            }
            next = self.after(next);
        }
        self.put(hole, 0);
        self.taken -= 1;
    }

    fn slot(&self, at: usize) -> u128 {
        self.slots.get(at).copied().unwrap_or_default()
    }

    fn put(&mut self, at: usize, slot: u128) {
        if let Some(to) = self.slots.get_mut(at) {
            *to = slot;
        }
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 < self.slots.len() { at + 1 } else { 0 }
    }

    /// Steps from one slot forward to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to { to - from } else { to + self.slots.len() - from }
    }
}

fn until_of(slot: u128) -> u64 {
    (slot & UNTIL_MASK) as u64
}

const SHARDS: usize = 64;
const SHARDED_FROM: usize = 1 << 16;
/// One cache line.
const SWEPT_PER_CLAIM: usize = 4;
const UNTIL_BITS: u32 = 40;
const UNTIL_MASK: u128 = (1 << UNTIL_BITS) - 1;
const FINGERPRINT_BITS: u32 = 128 - UNTIL_BITS;

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
