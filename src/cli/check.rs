//! `keyscheme check`

use std::path::PathBuf;

use keyscheme::{Config, MaxAge, Service, SystemClock, UnixTime};

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
        let config = load(&self.file, std::sync::Arc::new(SystemClock)).await?;
        for service in config.verifier().snapshot().services() {
            print(format_args!("{}", describe(&config, service)))?;
        }
        if let Some(memory) = config.verifier().memory() {
            print(format_args!(
                "replay: in memory, {} live claims. A restart forgets them: what was sent just \
                 before can be sent once more while it is fresh. Several replicas each remember \
                 their own.",
                memory.capacity()
            ))?;
        }
        Ok(Status::Done)
    }
}

fn describe(config: &Config, service: &Service) -> String {
    let snapshot = config.verifier().snapshot();
    let mut text = format!("service {}, header {}", service.name(), service.header());
    let head = ["CLIENT", "KEY ID", "SCHEME", "STATE", "ACCEPTED UNTIL", "PROVES"];
    let mut rows = vec![head.map(str::to_owned)];
    for accepted in snapshot.accepted(service) {
        let facts = accepted.facts();
        if accepted.is_issued() {
            text += &format!(", issue {}", facts.id);
        }
        let mut proves = facts.to_string();
        if accepted.is_once() && facts.single_use != keyscheme::SingleUse::Always {
            proves += ", once";
        }
        match accepted.max_age() {
            Some(MaxAge::Seconds(seconds)) => proves += &format!(", at most {seconds} s old"),
            Some(MaxAge::Unlimited) => proves += ", of any age",
            None => {}
        }
        let before = rows.len();
        for key in accepted.keys() {
            rows.push([
                key.client().to_string(),
                key.id().to_string(),
                facts.id.to_owned(),
                key.state().to_string(),
                earlier(accepted.until(), key.not_after()).map_or_else(|| "-".to_owned(), date),
                proves.clone(),
            ]);
        }
        if rows.len() == before {
            let until = accepted.until().map_or_else(|| "-".to_owned(), date);
            let none = || "-".to_owned();
            rows.push([none(), none(), facts.id.to_owned(), "no key".to_owned(), until, proves]);
        }
    }
    text + "\n" + &table(&rows)
}

fn earlier(a: Option<UnixTime>, b: Option<UnixTime>) -> Option<UnixTime> {
    a.into_iter().chain(b).min()
}

/// Columns as wide as their widest cell.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (i, cell) in row.iter().enumerate() {
            let width = rows.iter().filter_map(|row| row.get(i)).map(|c| c.chars().count()).max();
            line += &format!(" {cell:<width$} ", width = width.unwrap_or(0));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
