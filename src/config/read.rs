//! The schema: which tables there are, and what they describe.

use std::collections::HashSet;

use toml::de::{DeTable, DeValue};

use super::{
    managers::DescribedManagers,
    replay::DescribedReplay,
    secret::{DescribedSecret, KnownSource, secret},
    serve::DescribedServe,
    walk::{Found, Table, kind},
};
use crate::{
    auth::ReloadConfig,
    builder::{AcceptConfig, KeyConfig, ServiceConfig},
    key::KeyState,
    material::{Field, Material},
    policy::MaxAge,
    registry::Registry,
};

/// What a file describes, before any secret was fetched.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) services: Vec<ServiceConfig>,
    pub(super) keys: Vec<DescribedKey>,
    pub(super) replay: DescribedReplay,
    pub(super) dotenv: Option<String>,
    pub(super) managers: DescribedManagers,
    pub(super) serve: DescribedServe,
    pub(super) reload: ReloadConfig,
}

impl Description {
    /// The sources that some secret is in.
    pub(super) fn named_sources(&self) -> HashSet<String> {
        let secrets = self.keys.iter().flat_map(|key| &key.secrets).chain(&self.serve.token);
        let secrets = secrets.chain(self.replay.secret());
        secrets.map(|secret| secret.name.source.clone()).collect()
    }
}

#[derive(Debug)]
pub(super) struct DescribedKey {
    pub(super) client: String,
    pub(super) config: KeyConfig,
    pub(super) secrets: Vec<DescribedSecret>,
}

/// Reads a whole file. `sources` are the places that secrets come from.
pub(super) fn read<'t>(
    table: &'t DeTable<'t>,
    registry: &Registry,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> Description {
    let mut root = Table::new(String::new(), table, found);
    let mut description = Description::default();
    if let Some(mut services) = root.table("service", found) {
        for name in services.names().collect::<Vec<_>>() {
            description.services.push(match services.table(name, found) {
                Some(table) => service(name, table, found),
                None => ServiceConfig::new(name),
            });
        }
    }
    if let Some(mut clients) = root.table("client", found) {
        for name in clients.names().collect::<Vec<_>>() {
            if let Some(table) = clients.table(name, found) {
                client(name, table, registry, sources, found, &mut description.keys);
            }
        }
    }
    if let Some(replay) = root.table("replay", found) {
        description.replay = super::replay::read(replay, sources, found);
    }
    if let Some(mut secrets) = root.table("secrets", found) {
        description.dotenv = secrets.text("dotenv", found).map(str::to_owned);
        description.managers = super::managers::read(&mut secrets, sources, found);
        secrets.finish(found, &[]);
    }
    if let Some(reload) = root.table("reload", found) {
        description.reload = super::reload::read(reload, found);
    }
    if let Some(serve) = root.table("serve", found) {
        description.serve = super::serve::read(serve, &description.services, sources, found);
    }
    root.finish(found, &[]);
    description
}

fn service(name: &str, mut table: Table<'_>, found: &mut Found) -> ServiceConfig {
    let mut service = ServiceConfig::new(name);
    if let Some(header) = table.text("header", found) {
        service = service.header(header);
    }
    if let Some(scheme) = table.text("issue", found) {
        service = service.issue(scheme);
    }
    let path = table.path_of("accept");
    for (i, value) in table.list("accept", found).into_iter().flatten().enumerate() {
        let path = format!("{path}[{i}]");
        found.at(&path, value.span());
        match value.get_ref() {
            DeValue::String(scheme) => service = service.accept(scheme.as_ref()),
            DeValue::Table(entry) => {
                let entry = Table::new(path, entry, found);
                service = service.accept(accept(entry, found));
            }
            other => {
                let remedy = "write a scheme in quotes, or a table: { scheme = \"hmac1\" }";
                found.wrong(&path, format!("is {}", kind(other)), remedy);
                // Something stands here, so that what follows keeps its number.
                service = service.accept("");
            }
        }
    }
    table.finish(found, &[]);
    service
}

fn accept(mut table: Table<'_>, found: &mut Found) -> AcceptConfig {
    let mut accept = AcceptConfig::new("");
    if !table.has("scheme") {
        found.wrong(&table.path_of("scheme"), "is missing", "name the scheme");
    }
    accept.scheme = table.text("scheme", found).unwrap_or_default().to_owned();
    accept.until = table.instant("until", found);
    accept.clients = table.texts("clients", found);
    accept.max_age = table.seconds("max-age", found).map(|seconds| match seconds {
        Some(seconds) => MaxAge::Seconds(seconds),
        None => MaxAge::Unlimited,
    });
    accept.once = table.flag("once", found).unwrap_or_default();
    accept.danger_uncovered_body = table.flag("danger-uncovered-body", found).unwrap_or_default();
    table.finish(found, &[]);
    accept
}

fn client(
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
