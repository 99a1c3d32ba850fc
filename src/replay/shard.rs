//! One table of claims.
//!
//! ```text
//! slot = fingerprint[88] || until[40]              ; 0 where empty
//! ```
//!
//! Linear probing. Expired claims are removed now and then, many slots in a row, by shifting back what
//! follows, so that there are no tombstones and a negative answer stays short.

use super::Claim;

/// A table of claims, allocated in advance, with one slot at least that is always empty.
// A line of its own each, since every claim writes here, and threads should not wait for each other.
#[repr(align(64))]
pub(super) struct Shard {
    slots: Box<[u128]>,
    taken: usize,
    most: usize,
    /// Where the next slots are looked at for expired claims.
    hand: usize,
    claims_since_sweep: usize,
    /// No claim expires before.
    earliest: u64,
}

impl Shard {
    /// How many slots are needed for so many claims: two thirds full at most, and one that ends every
    /// probe.
    pub(super) fn slots_for(most: usize) -> Option<usize> {
        Some(most.checked_mul(3)?.div_ceil(2) + 1)
    }

    /// Room for `most` claims, among so many slots.
    pub(super) fn new(most: usize, slots: usize) -> Self {
        let slots = vec![0; slots].into();
        Self { slots, taken: 0, most, hand: 0, claims_since_sweep: 0, earliest: u64::MAX }
    }

    /// Forgets everything.
    #[cfg(feature = "watch")]
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.most, self.slots.len());
    }

    /// How many claims are in it, expired ones included.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// `None` where there is no room.
    pub(super) fn claim(&mut self, fingerprint: u128, until: u64, now: u64) -> Option<Claim> {
        self.sweep_some(now);
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
        self.fill(free, fingerprint << UNTIL_BITS | u128::from(until));
        Some(Claim::First)
    }

    /// The slots that are taken.
    #[cfg(feature = "watch")]
    pub(super) fn taken(&self) -> impl Iterator<Item = u128> + Clone {
        self.slots.iter().copied().filter(|slot| *slot != 0)
    }

    /// Takes in a slot of another table; `None` where it is none, is there already, or has no room.
    #[cfg(feature = "watch")]
    pub(super) fn take_in(&mut self, slot: u128) -> Option<()> {
        let free = self.find(slot >> UNTIL_BITS)?;
        let is_new = slot != 0 && self.taken < self.most && self.slot(free) == 0;
        is_new.then(|| self.fill(free, slot))
    }

    fn fill(&mut self, free: usize, slot: u128) {
        self.put(free, slot);
        self.taken += 1;
        self.earliest = self.earliest.min(until_of(slot));
    }

    /// The slot that holds `fingerprint`, or the empty one where it belongs.
    fn find(&self, fingerprint: u128) -> Option<usize> {
        let (before, after) = self.slots.split_at_checked(self.home(fingerprint))?;
        let is_end = |slot: &u128| *slot == 0 || *slot >> UNTIL_BITS == fingerprint;
        let behind = after.iter().position(is_end).map(|at| before.len() + at);
        behind.or_else(|| before.iter().position(is_end))
    }

    /// Where the probe for a fingerprint begins: its upper 64 bits as a fraction of the table.
    fn home(&self, fingerprint: u128) -> usize {
        let fraction = fingerprint >> (FINGERPRINT_BITS - 64);
        ((fraction * self.slots.len() as u128) >> 64) as usize
    }

    /// Now and then many slots in a row, which costs memory less than a few each time.
    fn sweep_some(&mut self, now: u64) {
        self.claims_since_sweep += 1;
        if self.claims_since_sweep >= CLAIMS_PER_SWEEP && now > self.earliest {
            self.claims_since_sweep = 0;
            self.sweep(CLAIMS_PER_SWEEP * SWEPT_PER_CLAIM, now);
        }
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

const CLAIMS_PER_SWEEP: usize = 16;
/// All slots are looked at before as many claims have come as half of the slots.
const SWEPT_PER_CLAIM: usize = 4;
pub(super) const UNTIL_BITS: u32 = 40;
const UNTIL_MASK: u128 = (1 << UNTIL_BITS) - 1;
/// The last second until which a claim can be kept: some 35,000 years.
pub(super) const LAST_UNTIL: u64 = UNTIL_MASK as u64;
const FINGERPRINT_BITS: u32 = 128 - UNTIL_BITS;
