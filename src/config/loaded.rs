//! A configuration that was read, and the issuers of its clients.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{fixed::Fixed, hash::Hash, loader::Loader, serve::ServeConfig};
#[cfg(feature = "redis")]
use crate::replay::RedisConfig;
use crate::{
    auth::ReloadConfig,
    builder::KeyConfig,
    error::{ConfigError, Mistake},
    issue::Issuer,
    key::KeyState,
    registry::{Registry, unknown_scheme},
    time::Clock,
    verifier::Verifier,
};

/// A configuration that was read, its secrets fetched, and found sound.
#[derive(Debug)]
pub struct Config {
    pub(super) verifier: Verifier,
    /// Each with the client whose it is.
    pub(super) keys: Vec<(String, KeyConfig)>,
    pub(super) registry: Registry,
    #[cfg(feature = "redis")]
    pub(super) redis: Option<RedisConfig>,
    pub(super) serve: ServeConfig,
    pub(super) reload: ReloadConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) replay_state: Option<PathBuf>,
    /// Every file that had a part in it.
    pub(super) files: BTreeSet<PathBuf>,
    /// Whether it names secrets that are in no file, and so must be fetched to be known.
    pub(super) has_others: bool,
    /// Of everything that a verifier is made of.
    pub(super) hash: Hash,
    pub(super) fixed: Fixed,
    /// The file that it was read from, and how, to read it again.
    pub(super) origin: Option<(Loader, PathBuf)>,
}

impl Config {
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
