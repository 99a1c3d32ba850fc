//! Whose keys are rotated, and what a configuration says of them.

use keyscheme::{Config, MAX_FUTURE, MaxAge, Rules};

use super::{
    super::{Unusable, key::new_id},
    edit,
    plan::Key,
};

/// A client, and the scheme of its keys.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) client: &'a str,
    pub(super) scheme: &'a str,
}

impl Whose<'_> {
    /// The keys of the client under the scheme.
    pub(super) fn keys(&self, config: &Config, text: &str) -> Result<Vec<Key>, Unusable> {
        let Self { client, scheme } = *self;
        let records = edit::keys(text, client).ok_or_else(|| {
            let mut clients: Vec<_> =
                config.verifier().snapshot().keys().map(|key| key.client().as_str()).collect();
            clients.sort_unstable();
            clients.dedup();
            let clients = clients.join(", ");
            Unusable(format!("--client {client:?}: no such client; known: {clients}"))
        })?;
        let is_ours = |id: &str| records.iter().any(|(known, of)| known == id && of == scheme);
        let snapshot = config.verifier().snapshot();
        let keys: Vec<_> = snapshot
            .keys()
            .filter(|key| is_ours(key.id().as_str()))
            .map(|key| Key {
                id: key.id().to_string(),
                state: key.state(),
                not_before: key.not_before(),
                not_after: key.not_after(),
            })
            .collect();
        if keys.is_empty() {
            let why = format!("--scheme {scheme:?}: {client} has no key under it; add one: ");
            let command = format!("keyscheme key new --scheme {scheme} --client {client}");
            return Err(Unusable(why + &command));
        }
        Ok(keys)
    }

    /// An id that no key has.
    pub(super) fn free_id(&self, config: &Config) -> Result<String, Unusable> {
        loop {
            let id = new_id(self.client)?;
            if !config.verifier().snapshot().keys().any(|key| key.id().as_str() == id) {
                return Ok(id);
            }
        }
    }

    /// How long what was just sent may still be on its way, at least a minute.
    pub(super) fn least_grace(&self, config: &Config) -> u64 {
        let services = config.verifier().snapshot().services();
        let accepted = services.iter().flat_map(Rules::accepted);
        let accepted = accepted.filter(|accepted| accepted.facts().id == self.scheme);
        let ages = accepted.filter_map(|accepted| match accepted.max_age() {
            Some(MaxAge::Seconds(seconds)) => Some(seconds + MAX_FUTURE),
            Some(MaxAge::Unlimited) | None => None,
        });
        ages.max().unwrap_or_default().max(60)
    }
}
