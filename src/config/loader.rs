//! What a configuration is read with: schemes, sources of secrets, a clock and a store.

use std::sync::Arc;

use super::{
    managers::MANAGERS,
    secret::{KnownSource, SourceKind},
};
use crate::{
    registry::Registry,
    replay::ReplayStore,
    scheme::KeyScheme,
    source::SecretSource,
    time::{Clock, SystemClock},
};

/// Reads configurations, with more than the defaults.
#[derive(Clone, Debug)]
pub struct Loader {
    pub(super) registry: Registry,
    pub(super) sources: Vec<(String, Arc<dyn SecretSource>)>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) replay: Option<Arc<dyn ReplayStore>>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Loader {
    /// A loader that knows the built-in schemes, the sources `credential`, `env` and `file`, and with
    /// the features of their names `aws` and `vault`. These two need a tokio runtime with its drivers
    /// enabled.
    pub fn new() -> Self {
        Self {
            registry: Registry::default(),
            sources: Vec::new(),
            clock: Arc::new(SystemClock),
            replay: None,
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

    /// Fetches secrets that are written `{ name = "…" }` from this source, also where a built-in one
    /// has the name.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, source: Arc<dyn SecretSource>) -> Self {
        self.sources.push((name.into(), source));
        self
    }

    /// Verifier and issuers take the time from here.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Remembers claims in this store, which verifiers can share, in place of what `[replay]` says.
    #[must_use]
    pub fn replay_store(mut self, store: Arc<dyn ReplayStore>) -> Self {
        self.replay = Some(store);
        self
    }

    /// The places that secrets can come from, in alphabetical order.
    pub(super) fn known_sources(&self) -> Vec<KnownSource<'_>> {
        let registered = self.sources.iter().map(|(name, source)| KnownSource {
            name,
            options: source.options(),
            kind: SourceKind::Plain,
        });
        let mut known: Vec<_> = registered.chain(BUILT_IN).chain(MANAGERS).collect();
        // Of two with one name the first stays.
        known.sort_by_key(|source| source.name);
        known.dedup_by_key(|source| source.name);
        known
    }
}

/// The sources that are always there; a registered one of the same name takes the place.
const BUILT_IN: [KnownSource<'_>; 3] = [
    KnownSource { name: "credential", options: &[], kind: SourceKind::Plain },
    KnownSource { name: "env", options: &[], kind: SourceKind::Plain },
    KnownSource { name: "file", options: &[], kind: SourceKind::Plain },
];
