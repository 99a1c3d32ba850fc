//! The table `[replay]`: where what was used is remembered.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    fetch::Fetcher,
    secret::{DescribedSecret, KnownSource},
    walk::{Found, Table},
};
#[cfg(feature = "redis")]
use crate::replay::{RedisConfig, RedisReplay};
#[cfg(feature = "watch")]
use crate::state::{FOREIGN, holds_something_else};
use crate::{builder::VerifierBuilder, registry::nearest, time::Clock};

/// What is said of the memory, before any secret was fetched.
#[derive(Debug, Default)]
pub(super) struct DescribedReplay {
    capacity: Option<usize>,
    per_key: Option<usize>,
    state: Option<String>,
    #[cfg(feature = "redis")]
    redis: Option<super::redis::DescribedRedis>,
}

impl DescribedReplay {
    /// The password of a Redis, where there is one.
    pub(super) fn secret(&self) -> Option<&DescribedSecret> {
        #[cfg(feature = "redis")]
        return self.redis.as_ref()?.password.as_ref();
        #[cfg(not(feature = "redis"))]
        None
    }

    /// The memory with its store, where that is not in this process and nothing is wrong with it.
    #[cfg_attr(
        not(feature = "redis"),
        allow(unused_variables, reason = "without a Redis there is nothing to open")
    )]
    pub(super) async fn open(
        self,
        directory: &Path,
        clock: &Arc<dyn Clock>,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> OpenReplay {
        let state = self.state.map(|name| directory.join(name));
        #[cfg(feature = "watch")]
        if let Some(path) = state.as_deref().filter(|path| holds_something_else(path)) {
            let problem = format!("{} {FOREIGN}", path.display());
            found.wrong("replay.state", problem, "name a file of its own");
        }
        OpenReplay {
            capacity: self.capacity,
            per_key: self.per_key,
            state,
            #[cfg(feature = "redis")]
            redis: match self.redis {
                None => None,
                Some(redis) => redis.open(directory, clock, fetcher, found).await,
            },
        }
    }
}

/// The memory, ready to be used.
#[derive(Debug)]
pub(super) struct OpenReplay {
    capacity: Option<usize>,
    per_key: Option<usize>,
    pub(super) state: Option<PathBuf>,
    #[cfg(feature = "redis")]
    pub(super) redis: Option<(RedisConfig, Arc<RedisReplay>)>,
}

impl OpenReplay {
    /// Has a verifier use it.
    pub(super) fn give_to(&self, mut builder: VerifierBuilder) -> VerifierBuilder {
        if let Some(capacity) = self.capacity {
            builder = builder.replay_capacity(capacity);
        }
        if let Some(claims) = self.per_key {
            builder = builder.replay_per_key(claims);
        }
        #[cfg(feature = "redis")]
        if let Some((_, store)) = &self.redis {
            builder = builder.replay_store(Arc::<RedisReplay>::clone(store));
        }
        builder
    }
}

pub(super) fn read(
    mut table: Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedReplay {
    let per_key = table.count("per-key", found);
    let mut replay = DescribedReplay { per_key, ..DescribedReplay::default() };
    match table.text("kind", found) {
        None | Some("memory") => {
            replay.capacity = memory(&mut table, found);
            replay.state = state(&mut table, found);
        }
        #[cfg(feature = "redis")]
        Some("redis") => replay.redis = Some(super::redis::read(&mut table, sources, found)),
        #[cfg(not(feature = "redis"))]
        Some("redis") => {
            let _ = sources;
            let remedy = "build with the feature redis, as the feature cli does";
            found.wrong("replay.kind", "\"redis\" is not part of this program", remedy);
            // Nothing is wrong with the rest, for all that is known here.
            return replay;
        }
        Some(kind) => {
            let remedy = match nearest(kind, KINDS.into_iter()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "write \"memory\" or \"redis\"".to_owned(),
            };
            found.wrong("replay.kind", format!("{kind:?} is no store"), &remedy);
            return replay;
        }
    }
    table.finish(found, &[]);
    replay
}

fn memory(table: &mut Table<'_>, found: &mut Found) -> Option<usize> {
    for field in OF_REDIS {
        if table.has(field) {
            let remedy = "say kind = \"redis\", or leave it out";
            found.wrong(&table.path_of(field), "is for a Redis", remedy);
            table.skip(field);
        }
    }
    table.count("capacity", found)
}

fn state(table: &mut Table<'_>, found: &mut Found) -> Option<String> {
    let state = table.text("state", found).map(str::to_owned);
    if cfg!(not(feature = "watch")) && state.is_some() {
        found.wrong(&table.path_of("state"), "is not kept by this build", "add the feature watch");
    }
    state
}

const KINDS: [&str; 2] = ["memory", "redis"];
const OF_REDIS: [&str; 7] =
    ["ca-file", "on-failure", "password", "prefix", "timeout", "url", "username"];
