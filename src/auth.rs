//! One authenticator for all services of a process.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;

#[cfg(feature = "watch")]
use {
    crate::state::StateFile,
    std::{io::Error, path::Path},
};

use crate::{
    error::{ConfigError, Mistake},
    time::UnixTime,
    verifier::Verifier,
    verify::Fences,
};

/// A [`Verifier`] to hand around: a clone is another handle on the same keys, policy and replay
/// memory. HTTP layers are made from it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyscheme::{Authenticator, KeyConfig, Material, ServiceConfig, Verifier};
///
/// let auth = Authenticator::new(Verifier::builder()
///     .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
///     .key("spring-main", KeyConfig::new("spring-2026-11", "hmac1", Material::new()
///         .with("secret", [7; 32].as_slice())))
///     .build()?);
/// assert!(auth.verifier().service("stt").is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Verifier>,
    /// How many readings have begun.
    readings: AtomicU64,
    /// The latest reading that is in force, so that none is put in force after it that began before;
    /// and what changes have made uncertain.
    latest: Mutex<(u64, Fences)>,
    origin: Option<Box<dyn Origin>>,
    health: Mutex<Health>,
    /// Whether a credential named a key that is not known, and may be known elsewhere already.
    missed_key: AtomicBool,
    #[cfg(feature = "watch")]
    state: Option<StateFile>,
}

impl Shared {
    fn new(verifier: Arc<Verifier>, origin: Option<Box<dyn Origin>>) -> Self {
        let current_at = verifier.clock.now();
        let waiting = Vec::new();
        let health = Health { current_at, changes: 0, failures: 0, failure: None, waiting };
        Self {
            current: ArcSwap::new(verifier),
            readings: AtomicU64::new(0),
            latest: Mutex::default(),
            origin,
            health: Mutex::new(health),
            missed_key: AtomicBool::new(false),
            #[cfg(feature = "watch")]
            state: None,
        }
    }
}

/// Where keys and policy come from, to be read again.
#[async_trait]
pub(crate) trait Origin: Send + Sync {
    /// What there is now; `None` where it is what it was. Only with `all` are those places asked that
    /// are expensive to ask.
    async fn read(&self, all: bool) -> Result<Option<Verifier>, ConfigError>;

    fn reload_config(&self) -> ReloadConfig;

    /// See [`Health::waiting`].
    fn waiting(&self) -> Vec<&'static str>;
}

/// How often keys and policy are looked at again by [`Authenticator::watch`](crate::Authenticator).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// How long until the files are looked at again: by default half a second.
    pub interval: Duration,
    /// How long until secrets that are in no file are fetched again: by default a minute.
    pub refresh: Duration,
    /// How long keys and policy count as current that could not be looked at again: by default
    /// without end.
    pub max_stale: Option<Duration>,
}

impl Default for ReloadConfig {
    fn default() -> Self {
        let (interval, refresh) = (Duration::from_millis(500), Duration::from_secs(60));
        Self { interval, refresh, max_stale: None }
    }
}

/// How it stands with keys and policy.
#[derive(Clone, Debug)]
pub struct Health {
    /// When what is in force was last known to be what there is.
    pub current_at: UnixTime,
    /// How often they have changed.
    pub changes: u64,
    /// How often reading them has begun to fail, or to fail in another way.
    pub failures: u64,
    /// Why, where it has failed since they were current.
    pub failure: Option<ConfigError>,
    /// Tables of the configuration that say something else than at the start, of those to which a
    /// process keeps until it ends: `reload`, `replay` and `serve`.
    pub waiting: Vec<&'static str>,
}

/// What a reload has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Other keys or another policy, by which is judged from now on.
    Changed,
    /// The same as before.
    Same,
}

impl Authenticator {
    /// An authenticator with this verifier.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self::with(Shared::new(verifier.into(), None))
    }

    /// One whose keys and policy can be read again.
    #[cfg(feature = "config")]
    pub(crate) fn of(verifier: Verifier, origin: Option<Box<dyn Origin>>) -> Self {
        Self::with(Shared::new(Arc::new(verifier), origin))
    }

    /// One that remembers what another process has left in a state file, and leaves its own there.
    #[cfg(feature = "watch")]
    pub(crate) fn with_state(
        mut verifier: Verifier,
        origin: Option<Box<dyn Origin>>,
        path: &Path,
    ) -> Result<Self, Error> {
        let now = verifier.clock.now();
        let Some(memory) = verifier.memory_mut() else {
            return Err(Error::other("only the memory of this process has a state file"));
        };
        let mut fences = Fences::default();
        let (state, found) = StateFile::open(path, memory, &mut fences, now)?;
        found.report();
        let now = now.max(memory.clock());
        fences.raise(&mut verifier.snapshot, now);
        let shared = Shared::new(Arc::new(verifier), origin);
        Ok(Self::with(Shared { state: Some(state), latest: Mutex::new((0, fences)), ..shared }))
    }

    fn with(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    #[cfg(feature = "watch")]
    pub(crate) fn has_state(&self) -> bool {
        self.shared.state.is_some()
    }

    /// Says in the state file that this process is alive, where there is such a file. Without that,
    /// nothing that is single use is accepted any more a few seconds later.
    #[cfg(feature = "watch")]
    pub(crate) fn keep_state(&self) -> Result<(), Error> {
        let verifier = self.verifier();
        let kept = self.shared.state.as_ref().zip(verifier.memory());
        kept.map_or(Ok(()), |(state, memory)| state.keep(memory, self.now()))
    }

    /// Leaves what must be known by the process after this one, in the state file that the
    /// configuration names. Nothing that is single use is accepted after that.
    ///
    /// # Errors
    ///
    /// Those of writing. The next process then finds what it finds after a crash.
    #[cfg(feature = "watch")]
    pub fn close(&self) -> Result<(), Error> {
        let latest = self.shared.latest.lock();
        let (_, fences) = &mut *latest.unwrap_or_else(PoisonError::into_inner);
        let verifier = self.verifier();
        fences.note(&verifier.snapshot);
        let kept = self.shared.state.as_ref().zip(verifier.memory());
        kept.map_or(Ok(()), |(state, memory)| state.close(memory, fences))
    }

    /// The verifier of this moment. Use one for a request from start to end.
    pub fn verifier(&self) -> Arc<Verifier> {
        self.shared.current.load_full()
    }

    /// [`Self::verifier`] for a moment.
    pub(crate) fn current(&self) -> impl Deref<Target = Arc<Verifier>> + use<> {
        self.shared.current.load()
    }

    /// Judges by the keys and the policy of another verifier from now on. What was used before is
    /// remembered, so its replay memory stays unused.
    ///
    /// Where a scheme becomes single use, or older credentials are accepted than before, those that
    /// may have been used meanwhile are answered "not now": of the former all that were issued until
    /// 30 seconds from now, of the latter those older than was accepted, if they were issued until 90
    /// seconds from now.
    pub fn replace(&self, verifier: Verifier) {
        self.put_in_force(verifier, self.next_reading());
    }

    fn next_reading(&self) -> u64 {
        self.shared.readings.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn put_in_force(&self, verifier: Verifier, reading: u64) {
        // A panic cannot have left it half done: what is in there only ever grows.
        let latest = self.shared.latest.lock();
        let (latest, fences) = &mut *latest.unwrap_or_else(PoisonError::into_inner);
        if reading > *latest {
            *latest = reading;
            let verifier = verifier.in_place_of(&self.verifier(), fences);
            self.shared.current.store(Arc::new(verifier));
            self.health_mut().changes += 1;
        }
    }

    /// Reads keys and policy again, from where they came: the file, and every secret that it names.
    /// What is found is put in force if all of it is sound; otherwise everything stays as it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake; also where there is no file to read, because this was made
    /// from a verifier that was built by hand.
    pub async fn reload(&self) -> Result<Reload, ConfigError> {
        self.reload_from(true).await
    }

    /// How it stands with keys and policy.
    pub fn health(&self) -> Health {
        self.health_mut().clone()
    }

    /// Whether what is in force was known to be what there is not longer ago than `max-stale`. Always,
    /// where nothing is said of that.
    pub fn is_current(&self) -> bool {
        let max_stale = self.reload_config().max_stale;
        let since = self.health_mut().current_at;
        max_stale.is_none_or(|max_stale| since.plus(max_stale.as_secs()) >= self.now())
    }

    /// How often it is to be looked whether something has changed.
    pub(crate) fn reload_config(&self) -> ReloadConfig {
        self.shared.origin.as_ref().map(|origin| origin.reload_config()).unwrap_or_default()
    }

    pub(crate) async fn reload_from(&self, all: bool) -> Result<Reload, ConfigError> {
        let Some(origin) = &self.shared.origin else {
            let remedy = "give it another verifier (replace), or load it from a file";
            return Err(ConfigError::one(Mistake::new(
                "reload",
                "has nowhere to read from",
                remedy,
            )));
        };
        let (reading, now) = (self.next_reading(), self.now());
        match origin.read(all).await {
            Ok(found) => {
                let reload = if found.is_some() { Reload::Changed } else { Reload::Same };
                if let Some(verifier) = found {
                    self.put_in_force(verifier, reading);
                }
                let mut health = self.health_mut();
                health.current_at = health.current_at.max(now);
                health.failure = None;
                health.waiting = origin.waiting();
                Ok(reload)
            }
            Err(error) => {
                let mut health = self.health_mut();
                if health.failure.as_ref() != Some(&error) {
                    health.failures += 1;
                    health.failure = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// Notes that a credential named a key that is not known. The key may be new: secrets that are
    /// fetched now and then only may be fetched a little earlier. Layers do this.
    pub fn missed_key(&self) {
        self.shared.missed_key.store(true, Ordering::Relaxed);
    }

    /// Whether one was missed since this was asked last.
    pub fn has_missed_key(&self) -> bool {
        self.shared.missed_key.swap(false, Ordering::Relaxed)
    }

    fn now(&self) -> UnixTime {
        self.current().clock.now()
    }

    fn health_mut(&self) -> MutexGuard<'_, Health> {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Verifier> for Authenticator {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifier = self.verifier();
        let services = verifier.snapshot().services();
        let names = services.iter().map(|rules| rules.service().name());
        f.debug_tuple("Authenticator").field(&names.collect::<Vec<_>>()).finish()
    }
}
