//! The plan in a modelled world, where servers and callers load the file when they like.

use keyscheme::{KeyState, UnixTime};
use proptest::{collection::vec, option, prelude::*};

use super::{
    super::plan::{Key, Refusal, Report, Step, Wish, plan},
    HOUR,
};

/// What may happen. Times are in hours.
#[derive(Clone, Debug)]
enum Event {
    CallerLoads(usize),
    /// Somebody stages a key by hand, or gives the active one an end.
    ByHand(Option<u64>),
    /// Somebody calls `rotate`.
    Rotate(Call),
    ServerLoads(usize),
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Call {
    begin: bool,
    grace: u64,
    unused: bool,
    /// The servers are not asked: the operator looks, and asserts what is so.
    asserts: bool,
    /// A server that does not answer.
    silent: Option<usize>,
    /// The dates of a key that is staged.
    dates: (Option<u64>, Option<u64>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let dates = (option::weighted(0.1, 0..30_u64), option::weighted(0.1, 10..200_u64));
    let (rare, silent) = (any::<u8>().prop_map(|n| n < 40), option::weighted(0.1, 0..SERVERS));
    let call = (any::<bool>(), 1..48_u64, rare, any::<bool>(), silent, dates);
    let call = call.prop_map(|(begin, grace, unused, asserts, silent, dates)| {
        Event::Rotate(Call { begin, grace, unused, asserts, silent, dates })
    });
    let event = prop_oneof![
        3 => call,
        1 => (0..60_u64).prop_map(Event::Wait),
        2 => (0..SERVERS).prop_map(Event::ServerLoads),
        2 => (0..CALLERS).prop_map(Event::CallerLoads),
        1 => option::weighted(0.3, 0..100_u64).prop_map(Event::ByHand),
    ];
    vec(event, 0..120)
}

const SERVERS: usize = 3;
const CALLERS: usize = 3;

/// Every version of the file, and which of them is loaded where.
struct World {
    now: UnixTime,
    versions: Vec<Vec<Key>>,
    servers: [usize; SERVERS],
    callers: [usize; CALLERS],
}

fn key(id: usize, state: KeyState) -> Key {
    Key { id: format!("k{id}"), state, not_before: None, not_after: None }
}

fn is_verified(keys: &[Key], id: &str, now: UnixTime) -> bool {
    let refused = [KeyState::Compromised, KeyState::Disabled];
    keys.iter().find(|key| key.id == id).is_some_and(|key| {
        !refused.contains(&key.state)
            && key.not_before.is_none_or(|from| now >= from)
            && key.not_after.is_none_or(|until| now < until)
    })
}

fn active(keys: &[Key]) -> Option<&Key> {
    keys.iter().find(|key| key.state == KeyState::Active)
}

impl World {
    fn new() -> Self {
        let versions = vec![vec![key(0, KeyState::Active)]];
        Self { now: UnixTime(1 << 30), versions, servers: [0; SERVERS], callers: [0; CALLERS] }
    }

    fn file(&self) -> &[Key] {
        self.versions.last().unwrap()
    }

    fn latest(&self) -> usize {
        self.versions.len() - 1
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::ByHand(end) => self.edit(*end),
            Event::CallerLoads(caller) => self.callers[*caller] = self.latest(),
            Event::Rotate(call) => self.rotate(call),
            Event::ServerLoads(server) => self.servers[*server] = self.latest(),
            Event::Wait(hours) => self.now = self.now.plus(hours * HOUR),
        }
    }

    fn edit(&mut self, end: Option<u64>) {
        let mut next = self.file().to_vec();
        let until = end.map(|hours| self.now.plus(hours * HOUR));
        match next.iter_mut().find(|key| key.state == KeyState::Active && until.is_some()) {
            Some(active) => active.not_after = until.min(active.not_after.or(until)),
            None => next.push(key(next.len(), KeyState::Staged)),
        }
        self.versions.push(next);
    }

    fn rotate(&mut self, call: &Call) {
        let reports = self.reports(call.silent);
        let file = self.file().to_vec();
        let staged = file.iter().filter(|key| key.state == KeyState::Staged);
        let id = staged.clone().map(|key| key.id.as_str()).next_back();
        // What is asserted is so.
        let loaded = staged.clone().all(|key| {
            let verifies =
                |version: &usize| is_verified(&self.versions[*version], &key.id, self.now);
            self.servers.iter().all(verifies)
        });
        let sends_old = |version: &usize| {
            let sent = active(&self.versions[*version]).map(|key| &key.id);
            sent != active(&file).map(|key| &key.id)
        };
        let wish = Wish {
            begin: call.begin,
            id,
            grace: call.grace * HOUR,
            loaded: call.asserts && loaded,
            unused: call.unused && !self.callers.iter().any(sends_old),
            reports: if call.asserts { &[] } else { &reports },
            ..Wish::default()
        };
        let Ok(step) = plan(&file, self.now, &wish) else { return };
        let is_in_use =
            |key: &Key| key.state == KeyState::VerifyOnly && is_verified(&file, &key.id, self.now);
        let goes_on = !matches!(step, Step::Disable { .. });
        assert!(!(goes_on && file.iter().any(is_in_use)), "{step:?} during another rotation");
        let mut next = file.clone();
        let mut set = |id: &str, state, until: Option<UnixTime>| {
            let key = next.iter_mut().find(|key| key.id == id).unwrap();
            key.state = state;
            key.not_after = until.or(key.not_after);
        };
        match step {
            Step::Disable { ids } => {
                ids.iter().for_each(|id| set(id, KeyState::Disabled, None));
            }
            Step::Promote { id, old } => {
                set(&id, KeyState::Active, None);
                let (old, until) = old.unwrap();
                set(&old, KeyState::VerifyOnly, Some(until));
            }
            Step::Stage => {
                let mut new = key(file.len(), KeyState::Staged);
                new.not_before = call.dates.0.map(|hours| self.now.plus(hours * HOUR));
                new.not_after = call.dates.1.map(|hours| self.now.plus(hours * HOUR));
                if new.not_before.zip(new.not_after).is_none_or(|(from, until)| from < until) {
                    next.push(new);
                }
            }
        }
        self.check_change(&file, &next);
        self.versions.push(next);
    }

    fn reports(&self, silent: Option<usize>) -> Vec<Report> {
        let loaded = self.servers.iter().map(|version| {
            let keys = self.versions[*version].iter();
            Ok(keys.map(|key| (key.id.clone(), key.state.name().to_owned())).collect())
        });
        let report = |(server, keys)| Report {
            server: format!("s{server}"),
            keys: if silent == Some(server) { Err("silent".to_owned()) } else { keys },
        };
        loaded.enumerate().map(report).collect()
    }

    /// Of one version and the next.
    fn check_change(&self, old: &[Key], new: &[Key]) {
        for key in old {
            let after = new.iter().find(|after| after.id == key.id).unwrap();
            assert!(
                key.not_after.is_none_or(|until| after.not_after.is_some_and(|now| now <= until)),
                "a life grew: {key:?} {after:?}"
            );
            assert_eq!(key.not_before, after.not_before);
            let ended = after.state == KeyState::Disabled && key.state != KeyState::Disabled;
            let successor = active(new).is_some_and(|key| is_verified(new, &key.id, self.now));
            assert!(!ended || !is_verified(old, &key.id, self.now) || successor, "none is left");
        }
        assert_eq!(new.iter().filter(|key| key.state == KeyState::Active).count(), 1);
        let in_use =
            |key: &&Key| key.state == KeyState::VerifyOnly && is_verified(new, &key.id, self.now);
        assert!(new.iter().filter(in_use).count() <= 1, "a rotation during a rotation: {new:?}");
    }

    /// Of every instant: who sends what a version of the file let them send is verified everywhere, unless
    /// the file has set an end to it that has come.
    fn check(&self) {
        for caller in self.callers {
            let version = &self.versions[caller];
            let key = active(version).unwrap();
            let is_issued = is_verified(version, &key.id, self.now);
            let is_admitted = is_verified(self.file(), &key.id, self.now);
            if !(is_issued && is_admitted) {
                continue;
            }
            for server in self.servers {
                let version = &self.versions[server];
                assert!(
                    is_verified(version, &key.id, self.now),
                    "{key:?} is refused by {version:?}"
                );
            }
        }
        // What the newest file lets a caller send has ended by its own date at most.
        let key = active(self.file()).unwrap();
        assert!(
            is_verified(self.file(), &key.id, self.now)
                || key.not_after.is_some_and(|until| self.now >= until),
            "{key:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_cut_off(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.take(event);
            world.check();
        }
    }

    /// No refusal is for ever: where all have loaded the file and time goes by, a rotation comes to its end.
    #[test]
    fn a_rotation_can_be_ended(events in events()) {
        let mut world = World::new();
        for event in &events {
            let mut event = event.clone();
            if let Event::Rotate(call) = &mut event {
                call.dates = (None, None);
            }
            if !matches!(event, Event::ByHand(_)) {
                world.take(&event);
            }
        }
        for _ in 0..4 {
            world.servers = [world.latest(); SERVERS];
            world.now = world.now.plus(48 * HOUR);
            let call = Call {
                begin: false,
                grace: 1,
                unused: false,
                asserts: false,
                silent: None,
                dates: (None, None),
            };
            world.rotate(&call);
        }
        let ended = plan(world.file(), world.now, &Wish::default());
        prop_assert_eq!(ended, Err(Refusal::NotBegun));
    }
}
