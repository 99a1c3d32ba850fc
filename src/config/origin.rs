//! Verifiers and authenticators from a file, and the file once more when it has changed.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{dotenv, fixed::Fixed, hash::Hash, load::LONGEST, loaded::Config, loader::Loader};
#[cfg(feature = "watch")]
use crate::error::Mistake;
use crate::{
    auth::{Authenticator, Origin, ReloadConfig},
    error::ConfigError,
    source::read_at_most,
    verifier::Verifier,
};
use async_trait::async_trait;

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
    /// How many readings have ended.
    ended: u64,
    /// Every file that had a part in it.
    files: BTreeSet<PathBuf>,
    /// Of the contents of the files, taken before they were read; `None` where it was not known
    /// before which they were.
    contents: Option<Hash>,
    /// Whether it takes more than the files to know that nothing has changed.
    has_others: bool,
    /// Of what came of it, when something did; `None` where it is not known whether that is in force.
    result: Option<Hash>,
    /// The tables of it that the process does not keep to.
    waiting: Vec<&'static str>,
    /// Why nothing came of it.
    failure: Option<ConfigError>,
}

impl FileOrigin {
    /// Where `config` came from, if it was a file.
    fn of(config: &Config) -> Option<Self> {
        let (loader, path) = config.origin.clone()?;
        let Config { files, has_others, hash, .. } = config;
        let (files, has_others, result) = (files.clone(), *has_others, Some(*hash));
        let (contents, waiting, failure) = (None, Vec::new(), None);
        let seen = Seen { ended: 0, files, contents, has_others, result, waiting, failure };
        let (reload, fixed) = (config.reload, config.fixed.clone());
        Some(Self { loader, path, reload, fixed, seen: Mutex::new(seen) })
    }

    /// Of what files hold, those included that cannot be read.
    fn hash_of(&self, files: &BTreeSet<PathBuf>) -> Hash {
        files.iter().fold(Hash::of([]), |hash, path| {
            let longest = if *path == self.path { LONGEST } else { dotenv::LONGEST };
            match read_at_most(path, longest) {
                Ok(content) => hash.and(b"file").and(content.expose()),
                Err(_) => hash.and(b"none"),
            }
        })
    }
}

#[async_trait]
impl Origin for FileOrigin {
    async fn read(&self, all: bool) -> Result<Option<Verifier>, ConfigError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let contents = self.hash_of(&seen.files);
        if Some(contents) == seen.contents && !(all && seen.has_others) {
            return seen.failure.map_or(Ok(None), Err);
        }
        let (files, loaded) = self.loader.clone().look(&self.path).await;
        // What stands in new ones is read once more, when that can be told.
        seen.contents = files.is_subset(&seen.files).then_some(contents);
        let outcome = match loaded {
            Ok(config) => {
                let changed = seen.result != Some(config.hash);
                seen.files = files;
                (seen.has_others, seen.result) = (config.has_others, Some(config.hash));
                seen.waiting = config.fixed.other_than(&self.fixed);
                seen.failure = None;
                Ok(changed.then(|| config.into_verifier()))
            }
            Err(error) => {
                seen.files.extend(files);
                seen.has_others = true;
                seen.failure = Some(error.clone());
                Err(error)
            }
        };
        let mut last = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if last.ended != seen.ended {
            // Another reading has ended meanwhile, and either may be in force: the next tells.
            (seen.contents, seen.result) = (None, None);
        }
        seen.ended = last.ended + 1;
        *last = seen;
        outcome
    }

    fn reload_config(&self) -> ReloadConfig {
        self.reload
    }

    fn waiting(&self) -> Vec<&'static str> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).waiting.clone()
    }
}
