//! The schema: which tables there are, and what they describe.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    client::{DescribedKey, client},
    managers::DescribedManagers,
    replay::DescribedReplay,
    secret::KnownSource,
    serve::DescribedServe,
    walk::{Found, Table, kind},
};
use crate::{
    auth::ReloadConfig,
    builder::{AcceptConfig, ServiceConfig},
    policy::MaxAge,
    registry::Registry,
    source::SecretRef,
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
    /// The secrets of keys, and of everything else but the managers.
    fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let secrets = self.keys.iter().flat_map(|key| &key.secrets).chain(&self.serve.token);
        secrets.chain(self.replay.secret()).map(|secret| &secret.name)
    }

    /// The sources that some secret is in.
    pub(super) fn named_sources(&self) -> HashSet<String> {
        self.secrets().map(|secret| secret.source.clone()).collect()
    }

    /// The files that have a part in it.
    pub(super) fn files(&self, directory: &Path) -> BTreeSet<PathBuf> {
        let secrets = self.secrets().filter(|secret| secret.source == "file");
        let names = self.dotenv.iter().chain(secrets.map(|secret| &secret.name));
        names.map(|name| directory.join(name)).collect()
    }

    /// Whether some secret is in no file, and so must be fetched to be known.
    pub(super) fn has_others(&self) -> bool {
        self.secrets().any(|secret| !["env", "file"].contains(&secret.source.as_str()))
    }
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
            let remedy = "write a table for each service, such as [service.NAME]";
            description.services.push(match services.table_of(name, remedy, found) {
                Some(table) => service(name, table, found),
                None => ServiceConfig::new(name),
            });
        }
    }
    if let Some(mut clients) = root.table("client", found) {
        for name in clients.names().collect::<Vec<_>>() {
            let of = if name == "key" { "NAME" } else { name };
            let remedy = format!("write a table for each of its keys: [[client.{of}.key]]");
            if let Some(table) = clients.table_of(name, &remedy, found) {
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
