//! What a change of policy makes uncertain.
//!
//! A store remembers a claim for the `max-age` that held when it was made, and [`MARGIN`] more; of a
//! scheme that was not single use it remembers nothing at all. Where a later policy accepts older
//! credentials, or makes a scheme single use, some that were used before are no longer known as such.
//! They are fenced: answered "not now", for as long as they would be fresh.
//!
//! **Older ones.** A credential that was issued at `ts` can have been claimed from `ts - 30` on, so its
//! claim is kept until `ts + 60 + max-age` at least. Up to the `max-age` of then it is known, therefore,
//! and fenced from that age on, if it was issued while that held. Nothing is refused that would have
//! been accepted without the change.
//!
//! [`MARGIN`]: crate::replay::MARGIN

use std::collections::HashMap;

use super::snapshot::Snapshot;
use crate::{
    id::ServiceName,
    key::Column,
    policy::{Fence, MAX_FUTURE},
    time::UnixTime,
};

/// What is known of the claims under every policy that has been replaced.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    entries: HashMap<Entry, Known>,
}

/// A service, and the id of a scheme.
type Entry = (ServiceName, String);

/// What a store knows of the credentials of one scheme at one service.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// How old a used credential may have become and is known; `None` where uses were not claimed.
    max_age: Option<u64>,
    fence: Fence,
}

impl Fences {
    /// Takes note of a policy that held until now.
    pub(crate) fn note(&mut self, old: &Snapshot) {
        for rules in old.services() {
            for accepted in rules.accepted() {
                let max_age = accepted.is_once().then(|| accepted.accept.max_age.seconds());
                let known = Known { max_age, fence: accepted.accept.fence };
                let entry = (rules.service.name, accepted.facts().id.to_owned());
                self.entries.insert(entry, known);
            }
        }
    }

    /// Fences in a policy that holds from `now` on what stores may not know.
    pub(crate) fn raise(&self, new: &mut Snapshot, now: UnixTime) {
        let schemes: Vec<_> = new.ring.columns().iter().map(Column::facts).collect();
        for service in &mut new.services {
            for (facts, accept) in schemes.iter().zip(service.accept.iter_mut()) {
                let Some(accept) = accept else { continue };
                let entry = (service.name, facts.id.to_owned());
                let Some(known) = self.entries.get(&entry) else { continue };
                accept.fence = known.fence_for(accept.max_age.seconds(), now);
            }
        }
    }

    /// Appends all of it, for the process after this one.
    #[cfg(feature = "watch")]
    pub(crate) fn save(&self, out: &mut Vec<u8>) {
        put(out, self.entries.len() as u64);
        for ((service, scheme), known) in &self.entries {
            for text in [service.as_bytes(), scheme.as_bytes()] {
                put(out, text.len() as u64);
                out.extend_from_slice(text);
            }
            let Known { max_age, fence: Fence { all, old, age } } = known;
            let is_once = u64::from(max_age.is_some());
            for number in [is_once, max_age.unwrap_or_default(), all.0, old.0, *age] {
                put(out, number);
            }
        }
    }

    /// What [`Self::save`] has appended, and what follows it.
    #[cfg(feature = "watch")]
    pub(crate) fn restore(mut saved: &[u8]) -> Option<(Self, &[u8])> {
        let saved = &mut saved;
        let mut entries = HashMap::new();
        for _ in 0..take(saved)? {
            let service = ServiceName::new(take_text(saved)?).ok()?;
            let scheme = take_text(saved)?.to_owned();
            let (is_once, max_age) = (take(saved)? == 1, take(saved)?);
            let (all, old) = (UnixTime(take(saved)?), UnixTime(take(saved)?));
            let fence = Fence { all, old, age: take(saved)? };
            entries.insert((service, scheme), Known { max_age: is_once.then_some(max_age), fence });
        }
        Some((Self { entries }, saved))
    }
}

impl Known {
    /// What may have been used without being known, where credentials are accepted up to this age.
    fn fence_for(self, max_age: u64, now: UnixTime) -> Fence {
        let was = self.fence;
        match self.max_age {
            None => Fence { all: now.plus(MAX_FUTURE).max(was.all), ..was },
            Some(before) if before < max_age => {
                let matters = was.old.plus(max_age) >= now;
                let age = if matters { before.min(was.age) } else { before };
                Fence { old: now.plus(MAX_FUTURE + FOLLOWING).max(was.old), age, ..was }
            }
            Some(_) => was,
        }
    }
}

#[cfg(feature = "watch")]
fn put(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

#[cfg(feature = "watch")]
fn take(saved: &mut &[u8]) -> Option<u64> {
    let (number, rest) = saved.split_first_chunk()?;
    *saved = rest;
    Some(u64::from_be_bytes(*number))
}

#[cfg(feature = "watch")]
fn take_text<'s>(saved: &mut &'s [u8]) -> Option<&'s str> {
    let length = usize::try_from(take(saved)?).ok()?;
    let (text, rest) = saved.split_at_checked(length)?;
    *saved = rest;
    std::str::from_utf8(text).ok()
}

/// How many seconds later other replicas, which share a store, may put the same change in force.
const FOLLOWING: u64 = 60;
