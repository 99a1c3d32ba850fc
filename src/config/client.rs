//! The tables `[[client.NAME.key]]`: the keys of a client.

use toml::de::DeValue;

use super::{
    fetch::Fetcher,
    secret::{DescribedSecret, KnownSource, secret},
    walk::{Found, Table, kind},
};
use crate::{
    builder::KeyConfig,
    key::KeyState,
    material::{Field, Material},
    registry::Registry,
};

/// A key, and the secrets that it names.
#[derive(Debug)]
pub(super) struct DescribedKey {
    client: String,
    config: KeyConfig,
    pub(super) secrets: Vec<DescribedSecret>,
}

impl DescribedKey {
    /// The key with its secrets fetched and decoded, and the client whose it is.
    pub(super) async fn open(
        self,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> (String, KeyConfig) {
        let Self { client, mut config, secrets } = self;
        for described in secrets {
            if let Some(secret) = fetcher.fetch(&described, found).await {
                config.material = config.material.with(described.field.name, secret);
            }
        }
        (client, config)
    }
}

/// Reads what is said of one client.
pub(super) fn client(
    name: &str,
    mut table: Table<'_>,
    registry: &Registry,
    sources: &[KnownSource<'_>],
    found: &mut Found,
    keys: &mut Vec<DescribedKey>,
) {
    let path = table.path_of("key");
    let remedy = format!("add a table [[client.{name}.key]], in two brackets each side");
    if !table.has("key") {
        found.wrong(&path, "there is none", &remedy);
    }
    let list = table.list_of("key", &remedy, found);
    for (i, value) in list.into_iter().flatten().enumerate() {
        let path = format!("{path}[{i}]");
        found.at(&path, value.span());
        match value.get_ref() {
            DeValue::Table(entry) => {
                let entry = Table::new(path, entry, found);
                keys.push(key(name, entry, registry, sources, found));
            }
            other => {
                found.wrong(&path, format!("is {}", kind(other)), "write a table");
                let config = KeyConfig::new("", "", Material::new());
                keys.push(DescribedKey { client: name.to_owned(), config, secrets: Vec::new() });
            }
        }
    }
    table.finish(found, &[]);
}

fn key(
    client: &str,
    mut table: Table<'_>,
    registry: &Registry,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedKey {
    let mut config = KeyConfig::new("", "", Material::new());
    for (name, to) in [("id", &mut config.id), ("scheme", &mut config.scheme)] {
        if !table.has(name) {
            found.wrong(&table.path_of(name), "is missing", "every key has one");
        }
        *to = table.text(name, found).unwrap_or_default().to_owned();
    }
    if let Some(state) = table.text("state", found) {
        match KeyState::ALL.into_iter().find(|known| known.name() == state) {
            Some(state) => config.state = state,
            None => {
                let remedy = format!("use one of {}", KeyState::ALL.map(|s| s.name()).join(", "));
                found.wrong(&table.path_of("state"), format!("{state:?} is no state"), &remedy);
            }
        }
    }
    config.not_before = table.instant("not-before", found);
    config.not_after = table.instant("not-after", found);
    // Of an unknown scheme nobody can say which fields it has: those of all are let pass.
    let scheme = registry.find(&config.scheme).map(|(_, facts)| facts);
    let fields: Vec<&'static Field> = match scheme {
        Some(facts) => facts.fields.iter().collect(),
        None => registry.facts().flat_map(|facts| facts.fields).collect(),
    };
    let mut secrets = Vec::new();
    for field in fields {
        let path = table.path_of(field.name);
        if !table.has(field.name) {
            continue;
        }
        // Whatever is wrong with it is said here, and not once more when it is missed.
        config.material = std::mem::take(&mut config.material).with_unreadable(field.name);
        secrets.extend(secret(&mut table, path, field, sources, found));
    }
    let fields: Vec<_> = scheme.iter().flat_map(|facts| facts.fields).map(|f| f.name).collect();
    table.finish(found, &fields);
    DescribedKey { client: client.to_owned(), config, secrets }
}
