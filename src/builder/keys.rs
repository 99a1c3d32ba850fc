//! Keys: everything that can be wrong with them, and putting them into a ring.

use std::collections::{HashMap, HashSet};

use super::KeyConfig;
use crate::{
    error::Mistake,
    id::{ClientName, KeyId},
    key::{KeyRecord, KeyState, Ring},
    material::{Field, Reuse},
    registry::{Registry, unknown_scheme},
    time::UnixTime,
};

/// `client.spring-main.key[0]` for every key: they count within their client.
pub(super) fn key_paths(keys: &[(String, KeyConfig)]) -> Vec<String> {
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
pub(super) fn key_mistakes(registry: &Registry, keys: &[(String, KeyConfig)]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let paths = key_paths(keys);
    let mut ids: HashMap<&str, &str> = HashMap::new();
    let mut active: HashMap<(&str, &str), &str> = HashMap::new();
    let mut uses: HashMap<&[u8], (&Field, &str, String)> = HashMap::new();
    let mut values: HashMap<[u8; 32], (&str, &str)> = HashMap::new();
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
        // Whose would a request be, if two keys had one value?
        let value = registry.bare_digest(facts.id, &key.material);
        let same = value.and_then(|value| values.insert(value, (path, &key.id)));
        if let Some((other, other_id)) = same {
            let problem = format!("{:?} has the same value as {other_id:?}, {other}", key.id);
            let remedy =
                "a request could not be told to be of one: change one API key, or remove one key";
            mistakes.push(Mistake::new(path, problem, remedy));
        }
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
pub(super) fn add_key(
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
