//! How many live claims each key has, so that one caller cannot fill the store for all.
//!
//! Claims are counted in eight buckets of time, which together cover the longest that a claim is kept:
//! a bucket is forgotten when nothing in it can be live. So a key may be counted as having up to a
//! seventh more than it has, and never less than the store has said to keep.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::quality::RandomState;

use super::{MARGIN, ReplayClaim};
use crate::id::{KeyId, ServiceName};

/// The counts of all keys. There are as many as keys that have been proved.
#[derive(Debug)]
pub(crate) struct Quotas {
    shards: [Mutex<Shard>; SHARDS],
    share: Share,
    is_alone: AtomicBool,
}

/// The most that one key may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Where there is no other.
    pub(crate) alone: u64,
    pub(crate) beside_others: u64,
}

type Shard = HashMap<(ServiceName, KeyId), Counts, RandomState>;

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    buckets: [u32; BUCKETS],
    /// The number of the bucket of now, in units of its width since 1970.
    newest: u64,
    width: u64,
}

impl Quotas {
    /// For keys of which there is one only, or more.
    pub(crate) fn new(share: Share, is_alone: bool) -> Self {
        Self { shards: Default::default(), share, is_alone: AtomicBool::new(is_alone) }
    }

    /// For the keys for which another was made: the counts stay, and what a share is.
    pub(crate) fn follow(&self, other: &Self) {
        self.is_alone.store(other.is_alone.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The most that one key may have.
    pub(crate) fn most(&self) -> u64 {
        let is_alone = self.is_alone.load(Ordering::Relaxed);
        if is_alone { self.share.alone } else { self.share.beside_others }
    }

    /// Whether the key may have one more. Those that ask at the same time are all told so.
    #[inline]
    pub(crate) fn has_room(&self, claim: &ReplayClaim<'_>) -> bool {
        self.with(claim, |counts| {
            counts.buckets.iter().map(|count| u64::from(*count)).sum::<u64>() < self.most()
        })
    }

    /// Counts a claim that the store keeps.
    #[inline]
    pub(crate) fn count(&self, claim: &ReplayClaim<'_>) {
        self.with(claim, |counts| {
            if let Some(count) = counts.bucket() {
                *count = count.saturating_add(1);
            }
        });
    }

    fn with<T>(&self, claim: &ReplayClaim<'_>, work: impl FnOnce(&mut Counts) -> T) -> T {
        let key = (*claim.service, *claim.key_id);
        // Keys of one client are often named alike; their last letters tell them apart.
        let last = claim.key_id.as_bytes().last().copied().unwrap_or_default();
        let shard = self.shards.get(usize::from(last) % SHARDS);
        let Some(shard) = shard else { return work(&mut Counts::default()) };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = shard.entry(key).or_default();
        counts.advance(claim);
        work(counts)
    }
}

impl Counts {
    /// Forgets the buckets in which nothing can be live.
    #[inline]
    fn advance(&mut self, claim: &ReplayClaim<'_>) {
        let width = claim.max_age.saturating_add(MARGIN).div_ceil(BUCKETS as u64 - 1).max(1);
        let now = claim.now.0 / width;
        if width != self.width {
            // Another `max-age`: all that is counted is as new as can be.
            let all = self.buckets.iter().fold(0, |sum: u32, count| sum.saturating_add(*count));
            *self = Self { buckets: [0; BUCKETS], newest: now, width };
            self.bucket().into_iter().for_each(|count| *count = all);
        }
        // A clock that steps back counts on in the newest.
        let steps = now.saturating_sub(self.newest);
        for step in 1..=steps.min(BUCKETS as u64) {
            if let Some(count) = self.buckets.get_mut((self.newest + step) as usize % BUCKETS) {
                *count = 0;
            }
        }
        self.newest = self.newest.max(now);
    }

    fn bucket(&mut self) -> Option<&mut u32> {
        self.buckets.get_mut(self.newest as usize % BUCKETS)
    }
}

const BUCKETS: usize = 8;
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    struct World {
        quotas: Quotas,
        service: ServiceName,
    }

    impl World {
        fn new(most: u64) -> Self {
            let share = Share { alone: most * 2, beside_others: most };
            Self { quotas: Quotas::new(share, false), service: ServiceName::new("stt").unwrap() }
        }

        fn with<T>(
            &self,
            key: &str,
            max_age: u64,
            now: u64,
            ask: fn(&Quotas, &ReplayClaim<'_>) -> T,
        ) -> T {
            let key_id = KeyId::new(key).unwrap();
            let now = UnixTime(now);
            let (service, key_id) = (&self.service, &key_id);
            let claim = ReplayClaim { service, key_id, nonce: b"", issued_at: now, max_age, now };
            ask(&self.quotas, &claim)
        }

        fn take(&self, key: &str, max_age: u64, now: u64) -> bool {
            self.with(key, max_age, now, |quotas, claim| {
                let takes = quotas.has_room(claim);
                if takes {
                    quotas.count(claim);
                }
                takes
            })
        }
    }

    #[test]
    fn who_is_alone_shares_with_nobody_until_others_come() {
        let world = World::new(2);
        world.quotas.follow(&Quotas::new(world.quotas.share, true));
        assert_eq!([1, 2, 3].map(|_| world.take("a", 300, 1_000)), [true; 3]);
        world.quotas.follow(&Quotas::new(world.quotas.share, false));
        assert!(!world.take("a", 300, 1_000) && world.take("b", 300, 1_000));
        world.quotas.follow(&Quotas::new(world.quotas.share, true));
        assert_eq!([4, 5].map(|_| world.take("a", 300, 1_000)), [true, false]);
    }

    #[test]
    fn one_key_is_refused_alone() {
        let world = World::new(3);
        assert_eq!([1, 2, 3, 4].map(|_| world.take("a", 300, 1_000)), [true, true, true, false]);
        assert!(world.take("b", 300, 1_000));
    }

    /// Whatever comes when, no key ever has more live claims than it may have, and each gets some back
    /// a seventh of their life after they have ended at the latest.
    #[test]
    fn what_is_counted_lives_and_little_more() {
        let (max_age, most) = (300, 50);
        let life = max_age + MARGIN;
        let world = World::new(most);
        let mut taken = Vec::new();
        for now in (10_000..14_000).flat_map(|now| [now; 2]) {
            if world.take("a", max_age, now) {
                taken.push(now);
            }
            let live = taken.iter().filter(|at| **at + life >= now).count() as u64;
            assert!(live <= most);
        }
        // 50 in at most eight sevenths of a life.
        let least = 4_000 * most / (life * 8 / 7 + 2) - most;
        assert!(taken.len() as u64 >= least, "{} of {least}", taken.len());
    }

    #[test]
    fn another_max_age_forgets_nothing_live_and_not_for_ever() {
        let world = World::new(2);
        assert!(world.take("a", 300, 10_000) && world.take("a", 300, 10_000));
        for max_age in [86_400, 1, 300] {
            assert!(!world.take("a", max_age, 10_000), "{max_age}");
        }
        assert!(world.take("a", 300, 10_000 + 500));
    }

    #[test]
    fn a_clock_that_steps_back_frees_nothing() {
        let world = World::new(1);
        assert!(world.take("a", 300, 10_000));
        assert!(!world.take("a", 300, 5_000) && !world.take("a", 300, 10_000));
        assert!(world.take("a", 300, 10_500));
    }
}
