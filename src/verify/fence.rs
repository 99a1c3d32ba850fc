//! What a change of policy makes uncertain.
//!
//! A store remembers a claim for the `max-age` that held when it was made, and nothing at all of a
//! scheme that was not single use. Where a later policy accepts older credentials, or makes a scheme
//! single use, some that were used before are no longer known as such. They are fenced: credentials
//! issued up to that time are answered "not now", for as long as they would be fresh.

use std::collections::HashMap;

use super::snapshot::Snapshot;
use crate::{id::ServiceName, key::Column, policy::MAX_FUTURE, time::UnixTime};

/// What is known of the claims under every policy that has been replaced.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    entries: HashMap<(ServiceName, &'static str), Known>,
}

/// What a store knows of the credentials of one scheme at one service.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// How old a used credential may have become and is known; `None` where uses were not claimed.
    max_age: Option<u64>,
    fence: UnixTime,
}

impl Fences {
    /// Fences in `new` what stores may not know, given that `old` was the policy until `now`.
    pub(crate) fn raise(&mut self, old: &Snapshot, new: &mut Snapshot, now: UnixTime) {
        for rules in old.services() {
            for accepted in rules.accepted() {
                let max_age = accepted.is_once().then(|| accepted.accept.max_age.seconds());
                let known = Known { max_age, fence: accepted.accept.fence };
                self.entries.insert((rules.service.name, accepted.facts().id), known);
            }
        }
        let schemes: Vec<_> = new.ring.columns().iter().map(Column::facts).collect();
        for service in &mut new.services {
            for (facts, accept) in schemes.iter().zip(service.accept.iter_mut()) {
                let Some(accept) = accept else { continue };
                let Some(known) = self.entries.get(&(service.name, facts.id)) else { continue };
                accept.fence = known.fence_for(accept.max_age.seconds(), now);
            }
        }
    }
}

impl Known {
    /// What may have been used without being known, where credentials are accepted up to this age.
    fn fence_for(self, max_age: u64, now: UnixTime) -> UnixTime {
        let lost = match self.max_age {
            None => now.plus(MAX_FUTURE),
            // Of this age it was refused until now, and its claim may be gone since.
            Some(before) if before < max_age => now.minus(before),
            Some(_) => UnixTime(0),
        };
        lost.max(self.fence)
    }
}
