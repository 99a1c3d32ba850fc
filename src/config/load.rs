//! From a file to a configuration.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::de::DeTable;
use zeroize::Zeroizing;

use super::{
    fetch::Fetcher,
    fixed::Fixed,
    hash::Hash,
    lines::Lines,
    loaded::Config,
    loader::Loader,
    mistakes::{placed, syntax},
    read::{Description, read},
    walk::Found,
};
use crate::{
    builder::{KeyConfig, ServiceConfig, VerifierBuilder},
    error::{ConfigError, Mistake},
    secret::Secret,
    source::{CredentialSource, EnvSource, FileSource, SecretSource, read_at_most},
    verifier::Verifier,
};

impl Config {
    /// Reads a file. Relative names of files in it are below its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Loader::new().load(path).await
    }
}

impl Loader {
    /// Reads a file. Relative names of files in it are below its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn load(self, path: impl AsRef<Path>) -> Result<Config, ConfigError> {
        self.look(path.as_ref()).await.1
    }

    /// Every file that has a part in it, as far as that is known, and what came of it.
    pub(super) async fn look(
        self,
        path: &Path,
    ) -> (BTreeSet<PathBuf>, Result<Config, ConfigError>) {
        let mut files = BTreeSet::from([path.to_owned()]);
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => return (files, Err(error)),
        };
        let directory = path.parent().unwrap_or(Path::new(""));
        let (more, config) = self.clone().read(&text, directory).await;
        files.extend(more);
        let config = config.map(|config| Config {
            files: files.clone(),
            origin: Some((self, path.to_owned())),
            ..config
        });
        (files, config)
    }

    /// Reads a text. Relative names of files in it are below `directory`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn parse(self, text: &str, directory: PathBuf) -> Result<Config, ConfigError> {
        self.read(text, &directory).await.1
    }

    /// The files that it names, and what came of it.
    async fn read(
        self,
        text: &str,
        directory: &Path,
    ) -> (BTreeSet<PathBuf>, Result<Config, ConfigError>) {
        let mut found = Found::default();
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        found.mistakes.extend(errors.iter().map(|error| syntax(error, &lines)));
        let sources = self.known_sources();
        let description = read(table.get_ref(), &self.registry, &sources, &mut found);
        let files = description.files(directory);
        let fixed = Fixed::of(table.get_ref());
        let config = self.build(text, fixed, description, directory, &mut found).await;
        (files, ConfigError::unless(placed(found, &lines), config))
    }

    /// What the description of a text comes to; `None` where it makes no verifier.
    async fn build(
        self,
        text: &str,
        fixed: Fixed,
        description: Description,
        directory: &Path,
        found: &mut Found,
    ) -> Option<Config> {
        let Self { registry, sources, clock, replay: store } = self;
        let has_others = description.has_others();
        let named = description.named_sources();
        let Description { services, keys: described, replay, dotenv, managers, serve, reload } =
            description;

        let mut fetcher = fetcher(sources, dotenv.as_deref(), directory, found);
        let managers = managers.open(&named, directory, &mut fetcher, found).await;
        let mut keys = Vec::new();
        for key in described {
            keys.push(key.open(&mut fetcher, found).await);
        }
        let serve = serve.open(directory, &mut fetcher, found).await;
        let memory = replay.open(directory, &clock, &mut fetcher, found).await;
        managers.close().await;

        let builder = VerifierBuilder::new().registry(registry.clone()).clock(Arc::clone(&clock));
        let mut builder = memory.give_to(builder);
        #[cfg(feature = "redis")]
        let redis = memory.redis.filter(|_| store.is_none()).map(|(config, _)| config);
        #[cfg(feature = "redis")]
        let password = redis.as_ref().and_then(|redis| redis.password.as_ref());
        #[cfg(not(feature = "redis"))]
        let password = None;
        if let Some(store) = store {
            builder = builder.replay_store(store);
        }
        Some(Config {
            verifier: verifier(builder, services, &keys, found)?,
            hash: hash_of(text, &keys),
            fixed: fixed.with("serve", serve.proxy_token()).with("replay", password),
            keys,
            registry,
            #[cfg(feature = "redis")]
            redis,
            serve,
            reload,
            clock,
            replay_state: memory.state,
            files: BTreeSet::new(),
            has_others,
            origin: None,
        })
    }
}

/// What asks the sources of secrets: those of the program, and those that are always there.
fn fetcher(
    mut sources: Vec<(String, Arc<dyn SecretSource>)>,
    dotenv: Option<&str>,
    directory: &Path,
    found: &mut Found,
) -> Fetcher {
    let env = environment(dotenv, directory, found);
    let is_whole = env.is_some();
    sources.push(("credential".to_owned(), Arc::new(CredentialSource)));
    sources.push(("env".to_owned(), Arc::new(env.unwrap_or_default())));
    sources.push(("file".to_owned(), Arc::new(FileSource::below(directory))));
    let mut fetcher = Fetcher::new(sources);
    if !is_whole {
        fetcher.silence("env");
    }
    fetcher
}

/// The variables of the process and of a `.env` file; `None` where that cannot be read.
fn environment(dotenv: Option<&str>, directory: &Path, found: &mut Found) -> Option<EnvSource> {
    let Some(name) = dotenv else { return Some(EnvSource::new()) };
    let path = directory.join(name);
    match super::dotenv::read(&path) {
        Ok(variables) => Some(EnvSource::with_dotenv(path.display().to_string(), variables)),
        Err(fault) => {
            let problem = format!("{}: {}", path.display(), fault.problem);
            found.wrong("secrets.dotenv", problem, fault.remedy);
            None
        }
    }
}

/// The verifier of these services and keys, where nothing is wrong with them.
fn verifier(
    mut builder: VerifierBuilder,
    services: Vec<ServiceConfig>,
    keys: &[(String, KeyConfig)],
    found: &mut Found,
) -> Option<Verifier> {
    for service in services {
        builder = builder.service(service);
    }
    for (client, key) in keys {
        builder = builder.key(client, key.clone());
    }
    builder.build().map_err(|error| found.add(error)).ok()
}

/// Of everything that a verifier is made of.
fn hash_of(text: &str, keys: &[(String, KeyConfig)]) -> Hash {
    let secrets = keys.iter().flat_map(|(_, key)| key.material.secrets());
    Hash::of([text.as_bytes()].into_iter().chain(secrets.map(Secret::expose)))
}

/// The text of a configuration file.
fn read_text(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let cannot = |problem: fmt::Arguments<'_>| {
        let remedy = "name a readable configuration file";
        ConfigError::one(Mistake::new(path.display().to_string(), problem.to_string(), remedy))
    };
    let content = read_at_most(path, LONGEST);
    let content = content.map_err(|error| cannot(format_args!("{error}")))?;
    let text = std::str::from_utf8(content.expose());
    // Erased, since a secret may stand in the wrong place.
    let text = text.map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| cannot(format_args!("is not UTF-8")))
}

/// No configuration is nearly as long: that of a million keys is 200 MB.
pub(super) const LONGEST: usize = 1 << 30;
