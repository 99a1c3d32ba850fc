//! From what was written to what is used: everything is validated here, all mistakes at once.
//!
//! A configuration file and a program fill the same plain descriptions, so both get the same checks
//! and the same messages. Paths are those of the configuration file.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    error::{BackendError, ConfigError, Mistake},
    id::{ClientName, KeyId, ServiceName},
    key::{KeyRecord, KeyState, Registered, Ring, name_of},
    material::{Field, Material, Reuse},
    policy::{Accept, DEFAULT_MAX_AGE, MAX_MAX_AGE, MaxAge, Service},
    random::{OsRandom, Random},
    replay::{DEFAULT_CAPACITY, MemoryReplay, ReplayStore},
    scheme::{Cbc1, Ecb0, Facts, Gcm1, Hmac1, KeyScheme, SingleUse},
    time::{Clock, SystemClock, UnixTime},
    verifier::{Replay, Verifier},
    verify::Snapshot,
};

/// A service, as it is described.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Its name.
    pub name: String,
    /// The header that it reads.
    pub header: String,
    /// The scheme that its clients should send.
    pub issue: String,
    /// The schemes that it accepts.
    pub accept: Vec<AcceptConfig>,
}

impl ServiceConfig {
    /// A service that reads `x-api-key` and accepts nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            header: "x-api-key".to_owned(),
            issue: String::new(),
            accept: Vec::new(),
        }
    }

    /// Reads this header.
    #[must_use]
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// Wants this scheme. It must be accepted too.
    #[must_use]
    pub fn issue(mut self, scheme: impl Into<String>) -> Self {
        self.issue = scheme.into();
        self
    }

    /// Accepts this scheme too: a name alone, or an [`AcceptConfig`] with conditions.
    #[must_use]
    pub fn accept(mut self, entry: impl Into<AcceptConfig>) -> Self {
        self.accept.push(entry.into());
        self
    }
}

/// A scheme that a service accepts, and on which terms.
#[derive(Clone, Debug)]
pub struct AcceptConfig {
    /// The scheme.
    pub scheme: String,
    /// The first instant at which it is no longer accepted. Mandatory where the scheme is not
    /// authentic or not fresh.
    pub until: Option<UnixTime>,
    /// The only clients that it is accepted from.
    pub clients: Option<Vec<String>>,
    /// How old a credential may be; 300 s where nothing is said.
    pub max_age: Option<MaxAge>,
    /// Whether a credential is accepted once only, where the scheme leaves that open.
    pub once: bool,
    /// Whether a credential that could cover the body need not.
    pub danger_uncovered_body: bool,
}

impl AcceptConfig {
    /// This scheme, without conditions.
    pub fn new(scheme: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            until: None,
            clients: None,
            max_age: None,
            once: false,
            danger_uncovered_body: false,
        }
    }

    /// Until this instant, which is not included.
    #[must_use]
    pub fn until(mut self, until: UnixTime) -> Self {
        self.until = Some(until);
        self
    }

    /// From these clients only.
    #[must_use]
    pub fn clients<C: Into<String>>(mut self, clients: impl IntoIterator<Item = C>) -> Self {
        self.clients = Some(clients.into_iter().map(Into::into).collect());
        self
    }

    /// To this age.
    #[must_use]
    pub fn max_age(mut self, max_age: MaxAge) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Once only.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Even where the credential does not cover the body: anybody on the way may change it.
    #[must_use]
    pub fn danger_uncovered_body(mut self) -> Self {
        self.danger_uncovered_body = true;
        self
    }
}

impl From<&str> for AcceptConfig {
    fn from(scheme: &str) -> Self {
        Self::new(scheme)
    }
}

/// A key, as it is described.
#[derive(Clone, Debug)]
pub struct KeyConfig {
    /// Its id, which credentials name. One of a ring.
    pub id: String,
    /// Its scheme.
    pub scheme: String,
    /// Its secrets.
    pub material: Material,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The first instant at which it verifies.
    pub not_before: Option<UnixTime>,
    /// The first instant at which it no longer does.
    pub not_after: Option<UnixTime>,
}

impl KeyConfig {
    /// An active key.
    pub fn new(id: impl Into<String>, scheme: impl Into<String>, material: Material) -> Self {
        Self {
            id: id.into(),
            scheme: scheme.into(),
            material,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
        }
    }

    /// In this state.
    #[must_use]
    pub fn state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }

    /// Verifies from this instant on.
    #[must_use]
    pub fn not_before(mut self, not_before: UnixTime) -> Self {
        self.not_before = Some(not_before);
        self
    }

    /// Verifies until this instant, which is not included.
    #[must_use]
    pub fn not_after(mut self, not_after: UnixTime) -> Self {
        self.not_after = Some(not_after);
        self
    }
}

/// The schemes that can be named. Always a value that is passed in; there is no global one.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) schemes: Vec<Arc<dyn Registered>>,
}

impl Default for Registry {
    /// The four built-in schemes.
    fn default() -> Self {
        Self::empty().with(Ecb0).with(Cbc1).with(Gcm1).with(Hmac1)
    }
}

impl Registry {
    /// No schemes.
    pub fn empty() -> Self {
        Self { schemes: Vec::new() }
    }

    /// These schemes and one more.
    #[must_use]
    pub fn with(mut self, scheme: impl KeyScheme) -> Self {
        self.schemes.push(Arc::new(Arc::new(scheme)));
        self
    }

    /// What each scheme promises, in order.
    pub fn facts(&self) -> impl Iterator<Item = &'static Facts> {
        self.schemes.iter().map(|scheme| scheme.facts())
    }

    /// The parts of a payload of this scheme, for a person; `None` where there is no such scheme.
    /// Where the value is bare, `scheme` is `None`.
    ///
    /// # Errors
    ///
    /// [`Fault`](crate::Fault) with the place in the payload where it stops being one.
    pub fn explain(
        &self,
        scheme: Option<&str>,
        payload: &[u8],
    ) -> Option<(&'static Facts, Result<Vec<crate::scheme::Part>, crate::wire::Fault>)> {
        let meant = |facts: &Facts| scheme.map_or(facts.may_be_bare, |name| facts.id == name);
        let found = self.schemes.iter().find(|registered| meant(registered.facts()))?;
        let payload = match scheme {
            Some(_) => crate::scheme::Payload::Tagged(payload),
            None => crate::scheme::Payload::Bare(payload),
        };
        Some((found.facts(), found.explain(payload)))
    }

    /// The scheme of this name.
    #[cfg(feature = "config")]
    pub(crate) fn registered(&self, id: &str) -> Option<&dyn Registered> {
        self.schemes.iter().find(|scheme| scheme.facts().id == id).map(AsRef::as_ref)
    }

    /// The place and the facts of the scheme of this name.
    pub(crate) fn find(&self, id: &str) -> Option<(usize, &'static Facts)> {
        self.facts().enumerate().find(|(_, facts)| facts.id == id)
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut seen = HashSet::new();
        for facts in self.facts() {
            let path = format!("scheme {:?}", facts.id);
            if name_of(facts).is_none() {
                let remedy = "use 2 to 16 of a-z and 0-9, beginning with a letter";
                mistakes.push(Mistake::new(&path, "is not a name for the wire", remedy));
            }
            if !seen.insert(facts.id) {
                mistakes.push(Mistake::new(&path, "is registered twice", "register it once"));
            }
        }
        let bare: Vec<_> = self.facts().filter(|f| f.may_be_bare).map(|f| f.id).collect();
        if let [first, second, ..] = bare.as_slice() {
            let problem = format!("may be bare, as {first:?} already may");
            let remedy = "only one scheme of a registry can own the values without prefix";
            mistakes.push(Mistake::new(format!("scheme {second:?}"), problem, remedy));
        }
        mistakes
    }
}

/// Collects what a [`Verifier`] is made of, and builds it if all of it is sound.
#[derive(Debug)]
pub struct VerifierBuilder {
    registry: Registry,
    services: Vec<ServiceConfig>,
    keys: Vec<(String, KeyConfig)>,
    replay: Option<Replay>,
    capacity: usize,
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

    /// Remembers this many live claims at least, in this process.
    #[must_use]
    pub fn replay_capacity(mut self, claims: usize) -> Self {
        self.capacity = claims;
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
        mistakes.extend(key_mistakes(&self.registry, &self.keys));
        let services = services(&self.registry, &self.services, &self.keys, &mut mistakes);
        let parts = if mistakes.is_empty() { Some(self.assemble(&mut mistakes)) } else { None };
        let built = parts.and_then(Result::ok).map(|(ring, replay, builder)| Verifier {
            snapshot: Snapshot { ring, services },
            replay,
            clock: builder.clock,
        });
        ConfigError::unless(mistakes, built)
    }

    fn assemble(mut self, mistakes: &mut Vec<Mistake>) -> Result<(Ring, Replay, Self), ()> {
        let no_random = |error: BackendError| {
            Mistake::new(
                "random",
                error.to_string(),
                "a generator of the operating system is needed",
            )
        };
        let mut seed = [0; 8];
        if let Err(error) = self.random.fill(&mut seed) {
            mistakes.push(no_random(error));
            return Err(());
        }
        let mut ring = Ring::new(&self.registry.schemes, u64::from_ne_bytes(seed));
        let paths = key_paths(&self.keys);
        for ((client, key), path) in self.keys.iter().zip(&paths) {
            if let Err(mistake) = add_key(&mut ring, &self.registry, client, key) {
                mistakes.push(Mistake { path: format!("{path}{}", mistake.path), ..mistake });
            }
        }
        let ring = ring.indexed();
        mistakes.extend(equal_values(&ring));
        let replay = match self.replay.take() {
            Some(replay) => replay,
            None => match MemoryReplay::new(self.capacity, self.random.as_ref()) {
                Ok(memory) => Replay::Memory(memory),
                Err(error) => {
                    mistakes.push(no_random(error));
                    return Err(());
                }
            },
        };
        Ok((ring, replay, self))
    }
}

/// `client.spring-main.key[0]` for every key: they count within their client.
fn key_paths(keys: &[(String, KeyConfig)]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    keys.iter()
        .map(|(client, _)| {
            let count = counts.entry(client).or_default();
            *count += 1;
            format!("client.{client}.key[{}]", *count - 1)
        })
        .collect()
}

/// Everything that is wrong with the keys, before any is prepared.
fn key_mistakes(registry: &Registry, keys: &[(String, KeyConfig)]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let paths = key_paths(keys);
    let mut ids: HashMap<&str, &str> = HashMap::new();
    let mut active: HashMap<(&str, &str), &str> = HashMap::new();
    let mut uses: HashMap<&[u8], (&Field, &str, String)> = HashMap::new();
    let mut bad_clients: HashSet<&str> = HashSet::new();
    for ((client, key), path) in keys.iter().zip(&paths) {
        if let Err(error) = ClientName::new(client)
            && bad_clients.insert(client)
        {
            mistakes.push(Mistake::new(
                format!("client.{client}"),
                "is no name",
                error.to_string(),
            ));
        }
        match KeyId::new(&key.id) {
            Err(error) => {
                let problem = format!("{:?} is no key id", key.id);
                mistakes.push(Mistake::new(format!("{path}.id"), problem, error.to_string()));
            }
            Ok(_) => {
                if let Some(other) = ids.insert(&key.id, path) {
                    let problem = format!("{:?} is the id of {other} too", key.id);
                    let remedy = "a new version of a secret is a key of its own, with its own id";
                    mistakes.push(Mistake::new(format!("{path}.id"), problem, remedy));
                }
            }
        }
        if key.state == KeyState::VerifyOnly && key.not_after.is_none() {
            let remedy = "say not-after: a key that issues no more must end some day";
            mistakes.push(Mistake::new(format!("{path}.state"), "verify-only has no end", remedy));
        }
        if key.not_before.zip(key.not_after).is_some_and(|(from, until)| from >= until) {
            let remedy = "let it come after not-before";
            mistakes.push(Mistake::new(format!("{path}.not-after"), "leaves no time", remedy));
        }
        let Some((_, facts)) = registry.find(&key.scheme) else {
            mistakes.push(unknown_scheme(format!("{path}.scheme"), &key.scheme, registry));
            continue;
        };
        if key.state == KeyState::Active
            && let Some(other) = active.insert((client, facts.id), path)
        {
            let problem = format!("is active under {}, as {other} is", facts.id);
            let remedy = "make one of them staged, or verify-only with a not-after";
            mistakes.push(Mistake::new(format!("{path}.state"), problem, remedy));
        }
        let wrong = key.material.mistakes(facts.fields);
        mistakes.extend(wrong.into_iter().map(|error| {
            Mistake::new(format!("{path}.{}", error.field), error.problem, error.remedy)
        }));
        for field in facts.fields.iter().filter(|field| field.reuse != Reuse::Anywhere) {
            let Ok(bytes) = key.material.get(field) else { continue };
            let here = format!("{path}.{}", field.name);
            match uses.get(bytes) {
                Some((other, scheme, _))
                    if field.reuse == Reuse::WithinScheme
                        && other.reuse == Reuse::WithinScheme
                        && *scheme == facts.id => {}
                Some((_, _, other)) => {
                    let problem = format!("holds the same bytes as {other}");
                    let remedy = "make a secret of its own with `keyscheme key new`";
                    mistakes.push(Mistake::new(here, problem, remedy));
                }
                None => {
                    uses.insert(bytes, (field, facts.id, here));
                }
            }
        }
    }
    mistakes
}

/// Prepares one key. The path of a mistake is relative to the key.
fn add_key(
    ring: &mut Ring,
    registry: &Registry,
    client: &str,
    key: &KeyConfig,
) -> Result<(), Mistake> {
    let unexpected = |what: &str| Mistake::new("", format!("{what} was not found"), "report this");
    let (scheme, _) = registry.find(&key.scheme).ok_or_else(|| unexpected("the scheme"))?;
    let column = ring.column_mut(scheme).ok_or_else(|| unexpected("the column"))?;
    let record = KeyRecord {
        id: KeyId::new(&key.id).map_err(|e| Mistake::new(".id", e.to_string(), "mend it"))?,
        client: ClientName::new(client).map_err(|e| Mistake::new("", e.to_string(), "mend it"))?,
        state: key.state,
        not_before: key.not_before.unwrap_or_default(),
        not_after: key.not_after.unwrap_or(UnixTime(u64::MAX)),
    };
    column
        .push(record, &key.material)
        .map_err(|e| Mistake::new(format!(".{}", e.field), e.problem, e.remedy))
}

/// Keys whose bare values are equal: whose would a request be?
fn equal_values(ring: &Ring) -> Vec<Mistake> {
    let columns = ring.columns().iter().filter(|column| column.facts().may_be_bare);
    columns
        .flat_map(|column| {
            let mut owners: HashMap<&[u8], &KeyRecord> = HashMap::new();
            column.records().iter().enumerate().filter_map(move |(slot, record)| {
                let value = column.keys().bare(slot)?;
                let other = owners.insert(value, record)?;
                Some(Mistake::new(
                    format!("client.{}.key {:?}", record.client, record.id),
                    format!("has the same value as client.{}.key {:?}", other.client, other.id),
                    "a request could not be told to be of one: change one API key, or remove one key",
                ))
            })
        })
        .collect()
}

fn services(
    registry: &Registry,
    described: &[ServiceConfig],
    keys: &[(String, KeyConfig)],
    mistakes: &mut Vec<Mistake>,
) -> HashMap<ServiceName, Service> {
    let clients: HashSet<&str> = keys.iter().map(|(client, _)| client.as_str()).collect();
    let mut services = HashMap::new();
    if described.is_empty() {
        let remedy = "add a table such as [service.stt]";
        mistakes.push(Mistake::new("service", "there is none", remedy));
    }
    for config in described {
        let path = format!("service.{}", config.name);
        let name = ServiceName::new(&config.name).map_err(|error| {
            mistakes.push(Mistake::new(&path, "is no name", error.to_string()));
        });
        if !is_header_name(&config.header) {
            let problem = format!("{:?} is no header name", config.header);
            let remedy = "use a token without _, such as x-api-key";
            mistakes.push(Mistake::new(format!("{path}.header"), problem, remedy));
        }
        let accept = accept(registry, config, &clients, &path, mistakes);
        let issue = registry.find(&config.issue).map(|(scheme, _)| scheme);
        let accepted = issue.is_some_and(|scheme| matches!(accept.get(scheme), Some(Some(_))));
        if config.issue.is_empty() {
            let remedy = "name the accepted scheme that clients should send";
            mistakes.push(Mistake::new(format!("{path}.issue"), "is missing", remedy));
        } else if issue.is_none() {
            mistakes.push(unknown_scheme(format!("{path}.issue"), &config.issue, registry));
        } else if !accepted && !config.accept.is_empty() {
            let problem = format!("{:?} is not accepted", config.issue);
            let remedy = "name an accepted scheme, or accept this one";
            mistakes.push(Mistake::new(format!("{path}.issue"), problem, remedy));
        }
        let (Ok(name), Some(issue)) = (name, issue) else { continue };
        let header = config.header.to_ascii_lowercase();
        if services.insert(name, Service { name, header, issue, accept }).is_some() {
            mistakes.push(Mistake::new(path, "is described twice", "describe it once"));
        }
    }
    services
}

/// The accept entries of a service by scheme, as far as they are sound.
fn accept(
    registry: &Registry,
    config: &ServiceConfig,
    clients: &HashSet<&str>,
    path: &str,
    mistakes: &mut Vec<Mistake>,
) -> Box<[Option<Accept>]> {
    let mut accept: Vec<Option<Accept>> = registry.schemes.iter().map(|_| None).collect();
    if config.accept.is_empty() {
        let remedy = "list the schemes that it accepts, for example [\"hmac1\"]";
        mistakes.push(Mistake::new(format!("{path}.accept"), "accepts nothing", remedy));
    }
    let wanted = registry.find(&config.issue).map(|(_, facts)| facts);
    for (i, entry) in config.accept.iter().enumerate() {
        let path = format!("{path}.accept[{i}]");
        let Some((scheme, facts)) = registry.find(&entry.scheme) else {
            mistakes.push(unknown_scheme(path, &entry.scheme, registry));
            continue;
        };
        mistakes.extend(accept_mistakes(entry, facts, clients, &path));
        let weaker = wanted.filter(|wanted| {
            wanted.id != facts.id && (entry.until.is_some() || facts.is_weaker_than(wanted))
        });
        let names = entry.clients.iter().flatten().filter_map(|name| ClientName::new(name).ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        let Some(place) = accept.get_mut(scheme) else { continue };
        let twice = place.replace(Accept {
            until: entry.until,
            clients: entry.clients.as_ref().map(|_| names.into()),
            max_age: entry.max_age.unwrap_or(DEFAULT_MAX_AGE),
            once: entry.once,
            uncovered_body: entry.danger_uncovered_body,
            upgrade: weaker.map(|wanted| wanted.id),
        });
        if twice.is_some() {
            let problem = format!("accepts {:?} a second time", entry.scheme);
            mistakes.push(Mistake::new(path, problem, "keep one entry per scheme"));
        }
    }
    accept.into()
}

/// What is wrong with the conditions of one entry.
fn accept_mistakes(
    entry: &AcceptConfig,
    facts: &Facts,
    clients: &HashSet<&str>,
    path: &str,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut wrong = |field: &str, problem: String, remedy: &str| {
        mistakes.push(Mistake::new(format!("{path}.{field}"), problem, remedy));
    };
    let id = facts.id;
    let unlimited = entry.max_age == Some(MaxAge::Unlimited);
    if entry.until.is_none() && !(facts.authentic && facts.fresh && !unlimited) {
        let why = match (facts.authentic, unlimited) {
            (false, _) => format!("is missing, and {id} is not authentic"),
            (_, true) => format!("is missing, and {id} with unlimited max-age is not fresh"),
            _ => format!("is missing, and {id} is not fresh"),
        };
        wrong("until", why, "say until when, for example until = 2027-06-30T00:00:00Z");
    }
    match entry.max_age {
        Some(_) if !facts.fresh => {
            wrong("max-age", format!("{id} does not say when it was issued"), "leave it out");
        }
        Some(MaxAge::Unlimited) if facts.single_use == SingleUse::Always => {
            let problem =
                format!("unlimited, but every {id} credential must be remembered so long");
            wrong("max-age", problem, "give 1s to 24h");
        }
        Some(MaxAge::Unlimited) if entry.once => {
            let problem = "unlimited, but with once credentials must be remembered so long";
            wrong("max-age", problem.to_owned(), "give 1s to 24h, or leave once out");
        }
        Some(MaxAge::Seconds(s)) if !(1..=MAX_MAX_AGE).contains(&s) => {
            wrong("max-age", format!("is {s} seconds"), "give 1s to 24h");
        }
        _ => {}
    }
    if entry.once && facts.single_use == SingleUse::Never {
        let problem = format!("no use of {id} can be told from the next");
        wrong("once", problem, "leave it out");
    }
    if entry.danger_uncovered_body && !facts.binds.body {
        let problem = format!("{id} never covers a body");
        wrong("danger-uncovered-body", problem, "leave it out");
    }
    if entry.clients.as_ref().is_some_and(Vec::is_empty) {
        wrong("clients", "is empty".to_owned(), "name a client, or leave it out to accept all");
    }
    for client in entry.clients.iter().flatten() {
        if !clients.contains(client.as_str()) {
            let problem = format!("{client:?} has no key");
            let remedy = match nearest(client, clients.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "name a client that has one".to_owned(),
            };
            wrong("clients", problem, &remedy);
        }
    }
    mistakes
}

fn unknown_scheme(path: String, found: &str, registry: &Registry) -> Mistake {
    let known: Vec<_> = registry.facts().map(|facts| facts.id).collect();
    let remedy = match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}? known: {}", known.join(", ")),
        None => format!("known: {}", known.join(", ")),
    };
    Mistake::new(path, format!("{found:?} is no scheme"), remedy)
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let score = |name: &str| strsim::normalized_damerau_levenshtein(found, name);
    known
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// RFC 9110 section 5.1, without the `_` that some servers read as a `-`.
fn is_header_name(name: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&b);
    !name.is_empty() && name.bytes().all(tchar)
}
