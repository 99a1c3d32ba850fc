//! `kind = "redis"`: what `[replay]` says of a Redis, and the store that is made of it.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::SignedDuration;

use super::{
    fetch::Fetcher,
    secret::{DescribedSecret, KnownSource, secret},
    walk::{Found, Table},
};
use crate::{
    encoding::Encoding,
    material::{Field, Lengths, Reuse},
    replay::{OnFailure, RedisConfig, RedisReplay},
    secret::Secret,
    source::read_at_most,
    time::Clock,
};

/// All but what stands elsewhere.
#[derive(Debug)]
pub(super) struct DescribedRedis {
    config: RedisConfig,
    pub(super) password: Option<DescribedSecret>,
    ca_file: Option<String>,
}

pub(super) fn read(
    table: &mut Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedRedis {
    if !table.has("url") {
        let remedy = "say where it is: \"redis://host:6379/0\"";
        found.wrong(&table.path_of("url"), "is missing", remedy);
    }
    let mut config = RedisConfig::new(table.text("url", found).unwrap_or_default());
    if let Some(username) = table.text("username", found) {
        config = config.username(username);
    }
    let path = table.path_of("password");
    let password = table.has("password").then(|| secret(table, path, &PASSWORD, sources, found));
    let ca_file = table.text("ca-file", found).map(str::to_owned);
    if let Some(timeout) = timeout(table, found) {
        config = config.timeout(timeout);
    }
    if let Some(prefix) = table.text("prefix", found) {
        config = config.prefix(prefix);
    }
    let config = config.on_failure(on_failure(table, found));
    DescribedRedis { config, password: password.flatten(), ca_file }
}

impl DescribedRedis {
    /// The store, where nothing is wrong with it. It connects when it is needed.
    pub(super) async fn open(
        self,
        directory: &Path,
        clock: &Arc<dyn Clock>,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> Option<(RedisConfig, Arc<RedisReplay>)> {
        let Self { mut config, password, ca_file } = self;
        if let Some(described) = password {
            let fetched = fetcher.fetch(&described, found).await;
            // Where there is none, that was said, and must not be said of the configuration too.
            let password = fetched.unwrap_or_else(|| Secret::from("-"));
            if !described.field.lengths.allow(password.len()) {
                found.wrong(&described.path, "is empty or too long", "set another");
            }
            config = config.password(password);
        }
        if let Some(path) = ca_file.map(|name| directory.join(name)) {
            match read_at_most(&path, LONGEST) {
                Ok(pem) => config = config.authorities(pem.expose()),
                Err(error) => {
                    let problem = format!("{}: {error}", path.display());
                    found.wrong("replay.ca-file", problem, "name a readable file in PEM");
                }
            }
        }
        config = config.clock(Arc::clone(clock));
        match RedisReplay::new(config.clone()) {
            Ok(store) => Some((config, Arc::new(store))),
            Err(error) => {
                found.add(error);
                None
            }
        }
    }
}

fn on_failure(table: &mut Table<'_>, found: &mut Found) -> OnFailure {
    let path = table.path_of("on-failure");
    match table.text("on-failure", found) {
        None | Some("closed") => {}
        Some("danger-local") => {
            let capacity = table.count("capacity", found);
            return match capacity {
                Some(capacity) => OnFailure::DangerLocal { capacity },
                None => OnFailure::DANGER_LOCAL,
            };
        }
        Some(other) => {
            let remedy = "write \"closed\" or \"danger-local\"";
            found.wrong(&path, format!("{other:?}"), remedy);
            table.skip("capacity");
        }
    }
    if table.has("capacity") {
        let problem = "is for a memory in this process";
        let remedy = "leave it out: the room of a Redis is its maxmemory";
        found.wrong(&table.path_of("capacity"), problem, remedy);
        table.skip("capacity");
    }
    OnFailure::Closed
}

fn timeout(table: &mut Table<'_>, found: &mut Found) -> Option<Duration> {
    let text = table.text("timeout", found)?;
    let duration = text.parse::<SignedDuration>().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    if duration.is_none() {
        let remedy = "write a duration such as \"20ms\"";
        found.wrong(&table.path_of("timeout"), format!("{text:?} is no duration"), remedy);
    }
    duration
}

const PASSWORD: Field = Field {
    name: "password",
    encoding: Encoding::Utf8,
    lengths: Lengths::Between(1, 4096),
    reuse: Reuse::Never,
};
/// The certificate authorities of a whole machine are a quarter of it.
const LONGEST: usize = 1 << 20;
