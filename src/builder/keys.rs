//! Keys: everything that can be wrong with them, and putting them into a ring.

use std::collections::{HashMap, HashSet};

use super::KeyConfig;
use crate::{
    error::{Mistake, path_part},
    id::{ClientName, KeyId},
    key::{KeyRecord, KeyState, Ring},
    material::{Field, Reuse},
    registry::{Registry, unknown_scheme},
    scheme::Facts,
    time::UnixTime,
};

/// `client.spring-main.key[0]` for every key: they count within their client.
pub(super) fn key_paths(keys: &[(String, KeyConfig)]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    keys.iter()
        .map(|(client, _)| {
            let count = counts.entry(client).or_default();
            *count += 1;
            format!("client.{}.key[{}]", path_part(client), *count - 1)
        })
        .collect()
}

/// Everything that is wrong with the keys, before any is prepared.
pub(super) fn key_mistakes(registry: &Registry, keys: &[(String, KeyConfig)]) -> Vec<Mistake> {
    let paths = key_paths(keys);
    let mut seen = Seen::default();
    for ((client, key), path) in keys.iter().zip(&paths) {
        seen.name(client, key, path);
        seen.life(key, path);
        let Some((_, facts)) = registry.find(&key.scheme) else {
            let path = format!("{path}.scheme");
            seen.mistakes.push(unknown_scheme(path, &key.scheme, registry));
            continue;
        };
        seen.active(client, key, facts, path);
        seen.material(key, facts, path);
        seen.value(key, registry.bare_digest(facts.id, &key.material), path);
    }
    seen.mistakes
}

/// What must not come twice, with the path where it came first.
#[derive(Default)]
struct Seen<'k> {
    mistakes: Vec<Mistake>,
    bad_clients: HashSet<&'k str>,
    ids: HashMap<&'k str, &'k str>,
    active: HashMap<(&'k str, &'k str), &'k str>,
    uses: HashMap<&'k [u8], (&'static Field, &'static str, String)>,
    values: HashMap<[u8; 32], (&'k str, &'k str)>,
}

impl<'k> Seen<'k> {
    fn wrong(&mut self, path: String, problem: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(Mistake::new(path, problem, remedy));
    }

    fn name(&mut self, client: &'k str, key: &'k KeyConfig, path: &'k str) {
        if let Err(error) = ClientName::new(client)
            && self.bad_clients.insert(client)
        {
            self.wrong(format!("client.{}", path_part(client)), "is no name", error.to_string());
        }
        let here = format!("{path}.id");
        if let Err(error) = KeyId::new(&key.id) {
            self.wrong(here, format!("{:?} is no key id", key.id), error.to_string());
        } else if let Some(other) = self.ids.insert(&key.id, path) {
            let remedy = "a new version of a secret is a key of its own, with its own id";
            self.wrong(here, format!("{:?} is the id of {other} too", key.id), remedy);
        }
    }

    fn life(&mut self, key: &KeyConfig, path: &str) {
        if key.state == KeyState::VerifyOnly && key.not_after.is_none() {
            let remedy = "say when: a key that issues no more must end some day";
            self.wrong(
                format!("{path}.not-after"),
                "is missing, and the key is verify-only",
                remedy,
            );
        }
        if let Some((from, until)) = key.not_before.zip(key.not_after)
            && from >= until
        {
            // By how much, since only who wrote the dates knows how they are written.
            let problem = match from.0 - until.0 {
                0 => "leaves no time: it is not-before itself".to_owned(),
                seconds => format!("leaves no time: it is {seconds} s before not-before"),
            };
            self.wrong(format!("{path}.not-after"), problem, "let it come after not-before");
        }
    }

    fn active(&mut self, client: &'k str, key: &KeyConfig, facts: &'static Facts, path: &'k str) {
        if key.state != KeyState::Active {
            return;
        }
        if let Some(other) = self.active.insert((client, facts.id), path) {
            let problem = format!("is active under {}, as {other} is", facts.id);
            let remedy = "make one of them staged, or verify-only with a not-after";
            self.wrong(format!("{path}.state"), problem, remedy);
        }
    }

    fn material(&mut self, key: &'k KeyConfig, facts: &'static Facts, path: &str) {
        for error in key.material.mistakes(facts.fields) {
            self.wrong(format!("{path}.{}", error.field), error.problem, error.remedy);
        }
        for field in facts.fields.iter().filter(|field| field.reuse != Reuse::Anywhere) {
            let Ok(bytes) = key.material.get(field) else { continue };
            let here = format!("{path}.{}", field.name);
            let both_may = |other: &Field, scheme: &str| {
                [field.reuse, other.reuse] == [Reuse::WithinScheme; 2] && scheme == facts.id
            };
            match self.uses.get(bytes) {
                None => {
                    self.uses.insert(bytes, (field, facts.id, here));
                }
                Some((other, scheme, _)) if both_may(other, scheme) => {}
                Some((_, _, other)) => {
                    let problem = format!("holds the same bytes as {other}");
                    self.wrong(here, problem, "make a secret of its own with `keyscheme key new`");
                }
            }
        }
    }

    /// Whose would a request be, if two keys had one value?
    fn value(&mut self, key: &'k KeyConfig, value: Option<[u8; 32]>, path: &'k str) {
        let same = value.and_then(|value| self.values.insert(value, (path, &key.id)));
        if let Some((other, other_id)) = same {
            let problem = format!("{:?} has the same value as {other_id:?}, {other}", key.id);
            let remedy =
                "a request could not be told to be of one: change one API key, or remove one key";
            self.wrong(path.to_owned(), problem, remedy);
        }
    }
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
