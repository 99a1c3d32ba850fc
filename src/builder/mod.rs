//! From what was written to what is used: everything is validated here, all mistakes at once.
//!
//! A configuration file and a program fill the same plain descriptions, so both get the same checks
//! and the same messages. Paths are those of the configuration file.

mod describe;
mod keys;
mod self_test;
mod services;

use std::sync::Arc;

pub use self::describe::{AcceptConfig, KeyConfig, ServiceConfig};
use self::{
    keys::{add_key, key_mistakes, key_paths},
    self_test::self_test,
    services::services,
};
use crate::{
    error::{BackendError, ConfigError, Mistake},
    key::Ring,
    random::{OsRandom, Random},
    registry::Registry,
    replay::{DEFAULT_CAPACITY, MemoryReplay, Quotas, ReplayStore, Share},
    scheme::KeyScheme,
    time::{Clock, SystemClock},
    verifier::{Replay, Verifier},
    verify::Snapshot,
};

/// Collects what a [`Verifier`] is made of, and builds it if all of it is sound.
#[derive(Debug)]
pub struct VerifierBuilder {
    registry: Registry,
    services: Vec<ServiceConfig>,
    keys: Vec<(String, KeyConfig)>,
    replay: Option<Replay>,
    capacity: usize,
    per_key: Option<usize>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Verifier {
    /// A verifier without services and keys, to which they can be added.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }
}

impl VerifierBuilder {
    pub(crate) fn new() -> Self {
        Self {
            registry: Registry::default(),
            services: Vec::new(),
            keys: Vec::new(),
            replay: None,
            capacity: DEFAULT_CAPACITY,
            per_key: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        }
    }

    /// Knows this scheme too.
    #[must_use]
    pub fn scheme(mut self, scheme: impl KeyScheme) -> Self {
        self.registry = self.registry.with(scheme);
        self
    }

    /// Knows these schemes, and no others.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Verifies for this service too.
    #[must_use]
    pub fn service(mut self, service: ServiceConfig) -> Self {
        self.services.push(service);
        self
    }

    /// Knows this key of a client too.
    #[must_use]
    pub fn key(mut self, client: impl Into<String>, key: KeyConfig) -> Self {
        self.keys.push((client.into(), key));
        self
    }

    /// Remembers this many live claims at least, in this process, unless
    /// [another store](Self::replay_store) does.
    #[must_use]
    pub fn replay_capacity(mut self, claims: usize) -> Self {
        self.capacity = claims;
        self
    }

    /// Lets no key have more live claims than this, so that none fills the memory for all: what is
    /// beyond is answered "not now". By default half of what there is room for, or all of it where
    /// there is one key only.
    #[must_use]
    pub fn replay_per_key(mut self, claims: usize) -> Self {
        self.per_key = Some(claims);
        self
    }

    /// Remembers claims in this store, which verifiers can share.
    #[must_use]
    pub fn replay_store(mut self, store: Arc<dyn ReplayStore>) -> Self {
        self.replay = Some(Replay::Store(store));
        self
    }

    /// Takes the time from here.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes the seeds of its hashes from here.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with everything that is wrong.
    pub fn build(self) -> Result<Verifier, ConfigError> {
        let mut mistakes = self.registry.mistakes();
        if self.capacity == 0 {
            mistakes.push(Mistake::new(
                "replay.capacity",
                "is 0",
                "give room for one claim or more",
            ));
        }
        if self.per_key == Some(0) {
            mistakes.push(Mistake::new("replay.per-key", "is 0", "give one claim or more"));
        }
        mistakes.extend(key_mistakes(&self.registry, &self.keys));
        let services = services(&self.registry, &self.services, &self.keys, &mut mistakes);
        // What could not be read has been reported where it was read.
        let complete = self.keys.iter().all(|(_, key)| key.material.is_readable());
        let sound = mistakes.is_empty() && complete;
        let parts = if sound { self.assemble(&mut mistakes) } else { None };
        let built = parts.map(|(ring, replay, builder)| Verifier {
            snapshot: Snapshot::new(ring, services.into_values().collect()),
            replay: Arc::new(replay),
            quotas: Arc::new(Quotas::new(builder.share(), builder.keys.len() == 1)),
            clock: builder.clock,
        });
        ConfigError::unless(mistakes, built)
    }

    fn share(&self) -> Share {
        let of = |usual: usize| self.per_key.unwrap_or(usual) as u64;
        Share { alone: of(self.capacity), beside_others: of(self.capacity.div_ceil(2)) }
    }

    /// The parts that cannot be made without randomness and memory; `None` where one of them cannot.
    fn assemble(mut self, mistakes: &mut Vec<Mistake>) -> Option<(Ring, Replay, Self)> {
        let (mut seed, mut key) = ([0; 8], [0; 16]);
        if let Err(error) = self.random.fill(&mut seed).and_then(|()| self.random.fill(&mut key)) {
            mistakes.push(no_randomness(&error));
            return None;
        }
        let of = |id: &str| self.keys.iter().filter(|(_, key)| key.scheme == id).count();
        let rooms: Vec<usize> = self.registry.facts().map(|facts| of(facts.id)).collect();
        let mut ring = Ring::new(&self.registry.schemes, &rooms, u64::from_ne_bytes(seed));
        let paths = key_paths(&self.keys);
        for ((client, key), path) in self.keys.iter().zip(&paths) {
            if let Err(mistake) = add_key(&mut ring, &self.registry, client, key) {
                mistakes.push(Mistake { path: format!("{path}{}", mistake.path), ..mistake });
            }
        }
        let memory = || MemoryReplay::with_key(self.capacity, &key).map(Replay::Memory);
        let Some(replay) = self.replay.take().or_else(memory) else {
            let problem = format!("there is no memory for {} claims", self.capacity);
            let remedy = "lower it: a claim takes 25 bytes";
            mistakes.push(Mistake::new("replay.capacity", problem, remedy));
            return None;
        };
        let ring = ring.indexed();
        let before = mistakes.len();
        for ((_, key), path) in self.keys.iter().zip(&paths) {
            // One that could not be added has been reported.
            if before == 0
                && let Err(mistake) = self_test(&ring, &self.registry, self.random.as_ref(), key)
            {
                let path = if mistake.path.is_empty() { path.clone() } else { mistake.path };
                mistakes.push(Mistake { path, ..mistake });
            }
        }
        Some((ring, replay, self))
    }
}

fn no_randomness(error: &BackendError) -> Mistake {
    let remedy = "a generator of the operating system is needed";
    Mistake::new("random", error.to_string(), remedy)
}
