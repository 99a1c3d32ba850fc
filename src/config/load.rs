//! From a file to a verifier and to issuers.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::{
    fetch::Fetcher,
    lines::Lines,
    managers::MANAGERS,
    origin::FileOrigin,
    read::{DescribedKey, Description, read},
    secret::{KnownSource, SourceKind},
    serve::{DescribedServe, ServeConfig},
    walk::Found,
};
#[cfg(feature = "redis")]
use crate::replay::{RedisConfig, RedisReplay};
use crate::{
    auth::{Authenticator, Origin, ReloadConfig},
    builder::{KeyConfig, VerifierBuilder},
    error::{ConfigError, Mistake},
    issue::Issuer,
    key::KeyState,
    material::Material,
    registry::{Registry, unknown_scheme},
    replay::ReplayStore,
    scheme::KeyScheme,
    source::{CredentialSource, EnvSource, FileSource, SecretSource, read_at_most},
    time::{Clock, SystemClock},
    verifier::Verifier,
};

/// A configuration that was read, its secrets fetched, and found sound.
#[derive(Debug)]
pub struct Config {
    verifier: Verifier,
    keys: Vec<(String, KeyConfig)>,
    registry: Registry,
    #[cfg(feature = "redis")]
    redis: Option<RedisConfig>,
    serve: ServeConfig,
    pub(super) reload: ReloadConfig,
    clock: Arc<dyn Clock>,
    replay_state: Option<PathBuf>,
    /// Every file that had a part in it.
    pub(super) files: BTreeSet<PathBuf>,
    /// Whether it names secrets that are in no file, and so must be fetched to be known.
    pub(super) has_others: bool,
    /// Of everything that a verifier is made of.
    pub(super) digest: [u8; 32],
    origin: Option<FileOrigin>,
}

impl Config {
    /// Reads a file. Relative names of files in it are below its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Loader::new().load(path).await
    }

    /// The verifier of its services.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The verifier of its services, kept.
    pub fn into_verifier(self) -> Verifier {
        self.verifier
    }

    /// The schemes that it knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where the replay memory leaves what the next process must know, if anywhere.
    pub fn replay_state(&self) -> Option<&Path> {
        self.replay_state.as_deref()
    }

    /// The Redis that remembers what was used, where it says so.
    #[cfg(feature = "redis")]
    pub fn redis(&self) -> Option<&RedisConfig> {
        self.redis.as_ref()
    }

    /// What it says of the forward-auth server.
    pub fn serve(&self) -> &ServeConfig {
        &self.serve
    }

    /// An issuer with a client's active key under `scheme` or, where none is named, under the scheme
    /// that the service wants.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no such service, client, scheme or key.
    pub fn issuer(
        &self,
        service: &str,
        client: &str,
        scheme: Option<&str>,
    ) -> Result<Issuer, ConfigError> {
        let wrong = |path: String, problem: &str, remedy: String| {
            ConfigError::one(Mistake::new(path, problem, remedy))
        };
        let snapshot = self.verifier.snapshot();
        let Some(rules) = snapshot.rules(service) else {
            let services = snapshot.services();
            let names: Vec<_> =
                services.iter().map(|rules| rules.service().name().as_str()).collect();
            let remedy = format!("there are: {}", names.join(", "));
            return Err(wrong(format!("service.{service}"), "there is none", remedy));
        };
        let wanted = rules.accepted().find(|accepted| accepted.is_issued());
        let wanted = wanted.map_or("", |accepted| accepted.facts().id);
        let scheme = scheme.unwrap_or(wanted);
        if self.registry.find(scheme).is_none() {
            let path = "scheme".to_owned();
            return Err(ConfigError::one(unknown_scheme(path, scheme, &self.registry)));
        }
        let owned: Vec<_> = self.keys.iter().filter(|(owner, _)| owner == client).collect();
        let active =
            owned.iter().find(|(_, key)| key.scheme == scheme && key.state == KeyState::Active);
        let Some((_, key)) = active else {
            let path = format!("client.{client}");
            if owned.is_empty() {
                return Err(wrong(path, "there is none", "name a client that has keys".to_owned()));
            }
            let active = owned.iter().filter(|(_, key)| key.state == KeyState::Active);
            let has: Vec<_> = active.map(|(_, key)| key.scheme.as_str()).collect();
            let problem = format!("has no active key under {scheme}");
            let remedy = format!("add one, or name a scheme that it has: {}", has.join(", "));
            return Err(wrong(path, &problem, remedy));
        };
        let now = self.clock.now();
        if key.not_before.is_some_and(|from| now < from)
            || key.not_after.is_some_and(|until| now >= until)
        {
            let path = format!("client.{client}.key {:?}", key.id);
            let remedy = "mend not-before or not-after, or make another key active".to_owned();
            return Err(wrong(path, "is outside its dates", remedy));
        }
        let issuer = self.registry.issuer(scheme, service, &key.id, &key.material)?;
        Ok(issuer.clock(Arc::clone(&self.clock)))
    }
}

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
        let Config { verifier, origin, replay_state, .. } = config;
        let origin = origin.map(|origin| Box::new(origin) as Box<dyn Origin>);
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

/// Reads configurations, with more than the defaults.
#[derive(Clone, Debug)]
pub struct Loader {
    registry: Registry,
    sources: Vec<(String, Arc<dyn SecretSource>)>,
    pub(super) clock: Arc<dyn Clock>,
    replay: Option<Arc<dyn ReplayStore>>,
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

    /// Reads a file. Relative names of files in it are below its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn load(self, path: impl AsRef<Path>) -> Result<Config, ConfigError> {
        let path = path.as_ref();
        let cannot = |problem: fmt::Arguments<'_>| {
            let remedy = "name a readable configuration file";
            ConfigError::one(Mistake::new(path.display().to_string(), problem.to_string(), remedy))
        };
        let content = read_at_most(path, LONGEST);
        let content = content.map_err(|error| cannot(format_args!("{error}")))?;
        let text = std::str::from_utf8(content.expose());
        let text = text.map_err(|_| cannot(format_args!("is not UTF-8")))?;
        let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut config = self.clone().parse(text, directory).await?;
        config.files.insert(path.to_owned());
        config.origin = Some(FileOrigin::of(&config, self, path.to_owned()));
        Ok(config)
    }

    /// Reads a text. Relative names of files in it are below `directory`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake, each at its line and column.
    pub async fn parse(self, text: &str, directory: PathBuf) -> Result<Config, ConfigError> {
        let mut found = Found::default();
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let mut mistake = Mistake::new(SYNTAX, error.message().trim(), "mend the syntax");
            mistake.position = error.span().map(|span| lines.position(span.start));
            found.mistakes.push(mistake);
        }
        let sources = self.known_sources();
        let description = read(table.get_ref(), &self.registry, &sources, &mut found);
        let mut config = self.build(&lines, description, directory, found).await?;
        config.digest = digest_of(text, &config.keys);
        Ok(config)
    }

    /// The places that secrets can come from, in alphabetical order.
    fn known_sources(&self) -> Vec<KnownSource<'_>> {
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

    async fn build(
        mut self,
        lines: &Lines<'_>,
        description: Description,
        directory: PathBuf,
        mut found: Found,
    ) -> Result<Config, ConfigError> {
        let mut dotenv = true;
        let mut files: BTreeSet<_> =
            description.dotenv.iter().map(|name| directory.join(name)).collect();
        let secrets = || {
            let secrets = description.keys.iter().flat_map(|key| &key.secrets);
            secrets
                .chain(&description.serve.token)
                .chain(description.replay.secret())
                .map(|secret| &secret.name)
        };
        let in_files = secrets().filter(|name| name.source == "file");
        files.extend(in_files.map(|secret| directory.join(&secret.name)));
        let replay_state = description.replay.state.as_ref().map(|name| directory.join(name));
        let has_others = secrets().any(|secret| !["env", "file"].contains(&secret.source.as_str()));
        let env = match &description.dotenv {
            None => EnvSource::new(),
            Some(name) => {
                let path = directory.join(name);
                let variables = super::dotenv::read(&path).unwrap_or_else(|fault| {
                    let problem = format!("{}: {}", path.display(), fault.problem);
                    found.wrong("secrets.dotenv", problem, fault.remedy);
                    dotenv = false;
                    Vec::new()
                });
                EnvSource::with_dotenv(path.display().to_string(), variables)
            }
        };
        self.sources.push(("credential".to_owned(), Arc::new(CredentialSource)));
        self.sources.push(("env".to_owned(), Arc::new(env)));
        self.sources.push(("file".to_owned(), Arc::new(FileSource::below(&directory))));
        let mut fetcher = Fetcher::new(self.sources);
        if !dotenv {
            fetcher.silence("env");
        }
        let named = description.named_sources();
        let managers = description.managers;
        let managers = managers.open(&named, &directory, &mut fetcher, &mut found).await;
        let mut keys = Vec::new();
        for key in description.keys {
            keys.push(with_secrets(key, &mut fetcher, &mut found).await);
        }
        let serve = with_token(description.serve, &mut fetcher, &mut found).await;
        #[cfg(feature = "redis")]
        let redis = match description.replay.redis {
            None => None,
            Some(redis) => redis.open(&directory, &self.clock, &mut fetcher, &mut found).await,
        };
        managers.close().await;
        let mut builder =
            VerifierBuilder::new().registry(self.registry.clone()).clock(Arc::clone(&self.clock));
        if let Some(capacity) = description.replay.capacity {
            builder = builder.replay_capacity(capacity);
        }
        if let Some(claims) = description.replay.per_key {
            builder = builder.replay_per_key(claims);
        }
        #[cfg(feature = "redis")]
        if let Some((_, store)) = &redis {
            builder = builder.replay_store(Arc::<RedisReplay>::clone(store));
        }
        if let Some(store) = &self.replay {
            builder = builder.replay_store(Arc::clone(store));
        }
        for service in description.services {
            builder = builder.service(service);
        }
        for (client, key) in &keys {
            builder = builder.key(client, key.clone());
        }
        let verifier = match builder.build() {
            Ok(verifier) => Some(verifier),
            Err(error) => {
                found.add(error);
                None
            }
        };
        let mut mistakes = std::mem::take(&mut found.mistakes);
        for mistake in &mut mistakes {
            if mistake.position.is_none() {
                mistake.position = found.offset(&mistake.path).map(|offset| lines.position(offset));
            }
        }
        // What is made of a line that is no TOML says nothing of what was meant.
        let line_of = |mistake: &Mistake| mistake.position.map(|(line, _)| line);
        let syntax = mistakes.iter().filter(|mistake| mistake.path == SYNTAX);
        let broken: HashSet<usize> = syntax.filter_map(line_of).collect();
        let is_sound = |mistake: &Mistake| line_of(mistake).is_none_or(|at| !broken.contains(&at));
        mistakes.retain(|mistake| mistake.path == SYNTAX || is_sound(mistake));
        mistakes.sort_by_key(|mistake| mistake.position);
        let config = verifier.map(|verifier| Config {
            verifier,
            keys,
            registry: self.registry,
            #[cfg(feature = "redis")]
            redis: redis.filter(|_| self.replay.is_none()).map(|(config, _)| config),
            serve,
            reload: description.reload,
            replay_state,
            clock: self.clock,
            files,
            has_others,
            digest: [0; 32],
            origin: None,
        });
        ConfigError::unless(mistakes, config)
    }
}

/// A key with its secrets fetched and decoded.
async fn with_secrets(
    key: DescribedKey,
    fetcher: &mut Fetcher,
    found: &mut Found,
) -> (String, KeyConfig) {
    let DescribedKey { client, mut config, secrets } = key;
    for described in secrets {
        if let Some(secret) = fetcher.fetch(&described, found).await {
            config.material = config.material.with(described.field.name, secret);
        }
    }
    (client, config)
}

/// What the proxies must show, and everything else that the server is told.
async fn with_token(
    serve: DescribedServe,
    fetcher: &mut Fetcher,
    found: &mut Found,
) -> ServeConfig {
    let DescribedServe { mut config, token } = serve;
    let Some(described) = token else { return config };
    let Some(secret) = fetcher.fetch(&described, found).await else { return config };
    let visible = secret.expose().iter().all(u8::is_ascii_graphic);
    if !visible {
        let remedy = "a header carries it: use letters, digits and signs only";
        found.wrong(&described.path, "holds other bytes than visible ASCII", remedy);
    }
    let material = Material::new().with(described.field.name, secret.clone());
    if let Err(error) = material.get(described.field) {
        found.wrong(&described.path, error.problem, &error.remedy);
    }
    config.proxy_token = Some(secret);
    config
}

/// A hash of everything that a verifier is made of. It is as good as the secrets for who wants to try
/// some, and stays in memory.
fn digest_of(text: &str, keys: &[(String, KeyConfig)]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(text);
    for secret in keys.iter().flat_map(|(_, key)| key.material.secrets()) {
        hash.update((secret.expose().len() as u64).to_be_bytes());
        hash.update(secret.expose());
    }
    hash.finalize().into()
}

/// The sources that are always there; a registered one of the same name takes the place.
const BUILT_IN: [KnownSource<'_>; 3] = [
    KnownSource { name: "credential", options: &[], kind: SourceKind::Plain },
    KnownSource { name: "env", options: &[], kind: SourceKind::Plain },
    KnownSource { name: "file", options: &[], kind: SourceKind::Plain },
];

/// What a mistake of syntax is in.
const SYNTAX: &str = "TOML";

/// No configuration is nearly as long: that of a million keys is 200 MB.
pub(super) const LONGEST: usize = 1 << 30;
