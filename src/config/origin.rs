//! Verifiers and authenticators from a file, and the file once more when it has changed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::{fixed::Fixed, load::LONGEST, loaded::Config, loader::Loader};
#[cfg(feature = "watch")]
use crate::error::Mistake;
use crate::{
    auth::{Authenticator, Origin, ReloadConfig},
    error::ConfigError,
    source::read_at_most,
    verifier::Verifier,
};

impl Verifier {
    /// Reads a configuration file. See [`Config`] for more.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Config::load(path).await.map(Config::into_verifier)
    }
}

impl Authenticator {
    /// Reads a configuration file. See [`Config`] for more.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Config::load(path).await?.try_into()
    }
}

impl TryFrom<Config> for Authenticator {
    type Error = ConfigError;

    /// One that can be [reloaded](Self::reload), where the configuration was read from a file, and that
    /// remembers what the process before it has left in the state file, where there is one.
    fn try_from(config: Config) -> Result<Self, ConfigError> {
        let origin = FileOrigin::of(&config).map(|origin| Box::new(origin) as Box<dyn Origin>);
        let Config { verifier, replay_state, .. } = config;
        match replay_state {
            #[cfg(feature = "watch")]
            Some(path) => Self::with_state(verifier, origin, &path).map_err(|error| {
                let problem = format!("{}: {error}", path.display());
                let remedy = "name a file of its own that this process may write";
                ConfigError::one(Mistake::new("replay.state", problem, remedy))
            }),
            _ => Ok(Self::of(verifier, origin)),
        }
    }
}

/// A file, and how it is read.
#[derive(Debug)]
struct FileOrigin {
    loader: Loader,
    path: PathBuf,
    reload: ReloadConfig,
    /// What the process keeps to.
    fixed: Fixed,
    seen: Mutex<Seen>,
}

/// What was found when it was read last.
#[derive(Clone, Debug)]
struct Seen {
    /// Every file that had a part in it.
    files: BTreeSet<PathBuf>,
    /// Of the contents of the files, taken before they were read; `None` where it was not known
    /// before which they were.
    contents: Option<[u8; 32]>,
    /// Whether it takes more than the files to know that nothing has changed.
    has_others: bool,
    /// Of what came of it, when something did.
    result: [u8; 32],
    /// The tables of it that the process does not keep to.
    waiting: Vec<&'static str>,
    /// Why nothing came of it.
    failure: Option<ConfigError>,
}

impl FileOrigin {
    /// Where `config` came from, if it was a file.
    fn of(config: &Config) -> Option<Self> {
        let (loader, path) = config.origin.clone()?;
        let Config { files, has_others, digest: result, .. } = config;
        let (files, has_others, result) = (files.clone(), *has_others, *result);
        let (contents, waiting, failure) = (None, Vec::new(), None);
        let seen = Seen { files, contents, has_others, result, waiting, failure };
        let (reload, fixed) = (config.reload, config.fixed.clone());
        Some(Self { loader, path, reload, fixed, seen: Mutex::new(seen) })
    }
}

#[async_trait]
impl Origin for FileOrigin {
    async fn read(&self, all: bool) -> Result<Option<Verifier>, ConfigError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let contents = hash_of(&seen.files);
        if Some(contents) == seen.contents && !(all && seen.has_others) {
            return seen.failure.map_or(Ok(None), Err);
        }
        let loaded = self.loader.clone().load(&self.path).await;
        seen.contents = Some(contents);
        let outcome = match loaded {
            Ok(config) => {
                let changed = seen.result != config.digest;
                if seen.files != config.files {
                    // What stands in the new ones is read once more, when that can be told.
                    seen.contents = None;
                }
                seen.files.clone_from(&config.files);
                (seen.has_others, seen.result) = (config.has_others, config.digest);
                seen.waiting = config.fixed.other_than(&self.fixed);
                seen.failure = None;
                Ok(changed.then(|| config.into_verifier()))
            }
            Err(error) => {
                seen.has_others = true;
                seen.failure = Some(error.clone());
                Err(error)
            }
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        outcome
    }

    fn reload_config(&self) -> ReloadConfig {
        self.reload
    }

    fn waiting(&self) -> Vec<&'static str> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).waiting.clone()
    }
}

/// A hash of what files hold, those included that cannot be read.
fn hash_of(files: &BTreeSet<PathBuf>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for path in files {
        match read_at_most(path, LONGEST) {
            Ok(content) => {
                hash.update(b"file");
                hash.update((content.expose().len() as u64).to_be_bytes());
                hash.update(content.expose());
            }
            Err(_) => hash.update(b"none"),
        }
    }
    hash.finalize().into()
}
