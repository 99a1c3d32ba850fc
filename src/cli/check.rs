//! `keyscheme check`

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use keyscheme::{
    Accepted, Clock, Config, KeyId, KeyRecord, KeyState, MaxAge, OnFailure, RedisConfig, Rules,
    SingleUse, SystemClock, UnixTime,
};

use super::{Status, Unusable, date, load, print};

/// Reads a configuration and shows what it says, or every mistake at once.
///
/// Per service, a table of the keys that it accepts: whose, under which scheme, in which state, until
/// when, and what a credential proves.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  keyscheme check keyscheme.toml")]
pub(super) struct Check {
    /// The configuration file.
    file: PathBuf,
}

impl Check {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        let config = load(&self.file, Arc::new(SystemClock)).await?;
        let now = SystemClock.now();
        let mut notes = Vec::new();
        for rules in config.verifier().snapshot().services() {
            print(format_args!("{}", describe(rules, now, &mut notes)))?;
        }
        notes.extend(idle_keys(&config));
        if let Some(memory) = config.verifier().memory() {
            let restart = match config.replay_state() {
                None => {
                    "A restart forgets them: what was sent just before can be sent once more while it \
                     is fresh."
                }
                Some(_) => {
                    "A restart knows them from the state file; after a crash, what may have been used \
                     is refused for about a minute."
                }
            };
            notes.push(format!(
                "replay is remembered in memory, up to {} live claims. {restart} Several replicas each \
                 remember their own.",
                memory.capacity()
            ));
        }
        notes.extend(config.redis().into_iter().flat_map(about_redis));
        for note in notes {
            print(format_args!("note: {note}"))?;
        }
        Ok(Status::Done)
    }
}

/// What it means to remember in a Redis. It is not connected to.
fn about_redis(redis: &RedisConfig) -> Vec<String> {
    let mut notes = vec![format!(
        "replay is remembered at {redis}, for all replicas that have it too. When it has lost its \
         memory (restart, failover, FLUSHALL), single-use credentials are answered \"not now\" that \
         were issued until 30 s after. Who can write there can let a credential be used again."
    )];
    match redis.failure_mode() {
        OnFailure::Closed => notes.push(
            "while it is away, single-use credentials are answered \"not now\"".to_owned(),
        ),
        OnFailure::DangerLocal { capacity } => notes.push(format!(
            "while it is away or has forgotten, each replica decides alone (danger-local), with room \
             for {capacity} live claims: what was used at one can be used once more at each other"
        )),
    }
    if redis.is_exposed() {
        notes.push(
            "the way there is not encrypted, password included: rediss:// uses TLS".to_owned(),
        );
    }
    notes
}

/// The table of one service.
fn describe(rules: Rules<'_>, now: UnixTime, notes: &mut Vec<String>) -> String {
    let service = rules.service();
    let mut text = format!("service {}, header {}", service.name(), service.header());
    let head = ["CLIENT", "KEY ID", "SCHEME", "STATE", "ACCEPTED UNTIL", "PROVES"];
    let mut rows = vec![head.map(str::to_owned)];
    for accepted in rules.accepted() {
        let id = accepted.facts().id;
        if accepted.is_issued() {
            text += &format!(", issue {id}");
        }
        let proves = proves(&accepted);
        for key in accepted.keys() {
            rows.push([
                key.client().to_string(),
                key.id().to_string(),
                id.to_owned(),
                key.state().to_string(),
                until(&accepted, key, now),
                proves.clone(),
            ]);
        }
        let owners: Vec<_> = accepted.keys().map(KeyRecord::client).collect();
        if owners.is_empty() {
            notes.push(format!(
                "{} accepts {id}, but no key that it accepts is of it",
                service.name()
            ));
        }
        for client in accepted.clients().into_iter().flatten() {
            if !owners.contains(&client) {
                notes.push(format!(
                    "{} accepts {id} from {client}, who has no such key",
                    service.name()
                ));
            }
        }
    }
    text + "\n" + &table(&rows)
}

fn proves(accepted: &Accepted<'_>) -> String {
    let mut proves = accepted.facts().to_string();
    if accepted.is_once() && accepted.facts().single_use != SingleUse::Always {
        proves += ", single use";
    }
    match accepted.max_age() {
        Some(MaxAge::Seconds(seconds)) => proves += &format!(", at most {seconds} s old"),
        Some(MaxAge::Unlimited) => proves += ", of any age",
        None => {}
    }
    proves
}

/// Until when a key is accepted, or why it is not.
fn until(accepted: &Accepted<'_>, key: &KeyRecord, now: UnixTime) -> String {
    if matches!(key.state(), KeyState::Compromised | KeyState::Disabled) {
        return "refused".to_owned();
    }
    let until = accepted.until().into_iter().chain(key.not_after()).min();
    let from = key.not_before().filter(|from| *from > now);
    match (from, until) {
        (_, Some(until)) if until <= now => format!("closed since {}", date(until)),
        (Some(from), Some(until)) => format!("{}, from {}", date(until), date(from)),
        (Some(from), None) => format!("-, from {}", date(from)),
        (None, Some(until)) => date(until),
        (None, None) => "-".to_owned(),
    }
}

/// Keys that no service accepts.
fn idle_keys(config: &Config) -> Vec<String> {
    let snapshot = config.verifier().snapshot();
    let services = snapshot.services();
    let accepted: HashSet<&KeyId> = services
        .iter()
        .flat_map(Rules::accepted)
        .flat_map(|accepted| accepted.keys())
        .map(KeyRecord::id)
        .collect();
    let idle = snapshot.keys().filter(|key| !accepted.contains(key.id()));
    idle.map(|key| format!("no service accepts key {} of {}", key.id(), key.client())).collect()
}

/// Columns as wide as their widest cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("  {cell:<width$}"));
        text += cells.collect::<String>().trim_end();
        text.push('\n');
    }
    text
}
