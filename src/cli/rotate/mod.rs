//! `keyscheme rotate`
//!
//! ```text
//! read the file (file) -> what comes next (plan) -> its new text (edit) -> load that -> write it (file)
//!                            ^ what servers have loaded (servers)
//! ```

mod edit;
mod file;
mod plan;
#[cfg(test)]
mod properties;
mod secrets;
mod servers;
mod tree;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keyscheme::{Config, ConfigError, Facts, KeyState, Loader, MAX_FUTURE, MaxAge, Mistake, Rules};
use similar::TextDiff;

use self::{
    edit::Change,
    file::{Edited, Trouble},
    plan::{Key, Step, Wish, plan},
    secrets::Secrets,
    servers::Server,
};
use super::{Status, Unusable, at, clock, complain, date, key::new_id, print};

/// Takes the next step of a rotation: edits the configuration in place, comments and order kept.
///
/// A rotation has three steps, each a call, and between them servers and callers load the file:
///
///   1. With --secret a new key is added, staged: servers verify it, nobody sends it yet.
///   2. The staged key becomes active; the one before it is verify-only, until the grace is over.
///   3. When it is over, the old key is disabled.
///
/// Each step says what is next. A step that could cut somebody off is refused: exit status 1.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    about = "Takes the next step of a rotation: edits the configuration in place, comments and order kept",
    after_help = "Examples:
  keyscheme rotate --config keyscheme.toml --client spring-main --scheme hmac1 \\
      --secret new-file:/run/secrets/spring-main-2
  keyscheme rotate --config keyscheme.toml --client spring-main --scheme hmac1 \\
      --server http://127.0.0.1:9400 --dry-run"
)]
pub(super) struct Rotate {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The client whose key is to be followed by a new one.
    #[arg(long, value_name = "CLIENT")]
    client: String,

    /// The scheme of the key.
    #[arg(long, value_name = "SCHEME")]
    scheme: String,

    /// Begins a rotation. Where the new secret is: file:PATH, env:NAME, or new-file:PATH to have one made
    /// there, with mode 600; or as in the configuration: '{ file = "PATH", encoding = "hex" }'. For each
    /// field of the scheme where it has several: --secret cipher-key=new-file:PATH.
    #[arg(long, value_name = "[FIELD=]REFERENCE")]
    secret: Vec<String>,

    /// The id of the new key; the client's name and four random hexadecimal digits where none is given.
    /// Of several staged keys, the one to promote.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// How long the old key is still verified: 90s, 30m, 12h or 7d. Where it has a sooner not-after,
    /// that stays.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
    grace: u64,

    /// A running keyscheme serve, asked at /keyz whether it has loaded the staged key: http://HOST:PORT or
    /// unix:/path. Name every one; behind a load balancer one answers for none of the others. It is
    /// shown serve.proxy-token, where the configuration has one.
    #[arg(long, value_name = "ADDRESS")]
    server: Vec<Server>,

    /// Asserts that everything that verifies has loaded the staged key, where that cannot be asked: a service
    /// that has the library inside, for example. Servers that are named are asked all the same.
    #[arg(long)]
    loaded: bool,

    /// Asserts that nobody sends the old key any more, and disables it before its not-after.
    #[arg(long)]
    unused: bool,

    /// Prints the change as a unified difference, and makes none.
    #[arg(long)]
    dry_run: bool,

    /// The time, in Unix seconds, instead of the present: to rehearse on a copy.
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,
}

impl Rotate {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        match self.step().await {
            Ok(()) => Ok(Status::Done),
            Err(Trouble::Busy(why)) => {
                complain(&why);
                Ok(Status::Rejected)
            }
            Err(Trouble::Unusable(unusable)) => Err(unusable),
        }
    }

    async fn step(&self) -> Result<(), Trouble> {
        let clock = clock(self.at);
        let now = clock.now();
        let file = Edited::open(&self.config)?;
        // Relative names are below where it was named, as they are for who loads it.
        let directory = self.config.parent().map(Path::to_path_buf).unwrap_or_default();
        let loader = || Loader::new().clock(Arc::clone(&clock));
        let config = loader().parse(&file.text, directory.clone()).await;
        let config = config.map_err(|error| at(&self.config, &error))?;
        let facts = self.facts(&config)?;
        let keys = self.keys(&config, &file.text)?;
        let secrets = match self.secret.as_slice() {
            [] => Secrets::default(),
            texts => Secrets::named(texts, facts, &directory)?,
        };
        // Who has loaded what matters to later steps only.
        let servers = if self.secret.is_empty() { self.server.as_slice() } else { &[] };
        let reports = servers::ask(servers, config.serve().proxy_token()).await;
        let wish = Wish {
            begin: !self.secret.is_empty(),
            id: self.id.as_deref(),
            grace: self.grace,
            least_grace: least_grace(&config, &self.scheme),
            loaded: self.loaded,
            unused: self.unused,
            reports: &reports,
        };
        let step = plan(&keys, now, &wish).map_err(|refusal| Trouble::Busy(refusal.to_string()))?;
        let (changes, said) = self.changes(&step, &keys, &config, &secrets)?;
        let text = edit::changed(&file.text, &self.client, &changes)
            .filter(|text| tree::is_exactly(&file.text, text, &self.client, &changes))
            .ok_or_else(|| {
                let name = self.config.display();
                Unusable(format!(
                    "{name}: cannot be edited as it is written; change it by hand: {said}"
                ))
            })?;
        // What is written is loaded by others later: it must be sound before.
        let loader = loader().source("file", secrets.source(&directory));
        loader.parse(&text, directory).await.map_err(|error| unsound(&error))?;
        if self.dry_run {
            let name = self.config.display().to_string();
            let difference = TextDiff::from_lines(file.text.as_str(), text.as_str());
            let difference = difference.unified_diff().header(&name, &name).to_string();
            return Ok(print(format_args!("{}", difference.trim_end_matches('\n')))?);
        }
        let files = secrets.write()?;
        file.replace(&text)?;
        files.into_iter().for_each(file::NewSecret::keep);
        print(format_args!("{said}"))?;
        for file in secrets.files() {
            print(format_args!(
                "its secret is new, in {}, which only its owner can read",
                file.display()
            ))?;
        }
        Ok(print(format_args!("next: {}", self.next(&step)))?)
    }

    fn facts(&self, config: &Config) -> Result<&'static Facts, Unusable> {
        let registry = config.registry();
        registry.facts().find(|facts| facts.id == self.scheme).ok_or_else(|| {
            let known: Vec<_> = registry.facts().map(|facts| facts.id).collect();
            let known = known.join(", ");
            Unusable(format!("--scheme {:?}: no such scheme; known: {known}", self.scheme))
        })
    }

    /// The keys of the client under the scheme.
    fn keys(&self, config: &Config, text: &str) -> Result<Vec<Key>, Unusable> {
        let (client, scheme) = (&self.client, &self.scheme);
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

    /// The changes of a step, and what to say of it.
    fn changes(
        &self,
        step: &Step,
        keys: &[Key],
        config: &Config,
        secrets: &Secrets,
    ) -> Result<(Vec<Change>, String), Unusable> {
        let (client, scheme) = (&self.client, &self.scheme);
        let of = format!("of {client} ({scheme})");
        let set = |id: &str, state, not_after| Change::Set { id: id.to_owned(), state, not_after };
        Ok(match step {
            Step::Disable { ids } => {
                let changes = ids.iter().map(|id| set(id, KeyState::Disabled, None));
                let said = format!("disabled: {} {of} is refused from now on", ids.join(", "));
                (changes.collect(), said)
            }
            Step::Promote { id, old } => {
                let mut changes = vec![set(id, KeyState::Active, None)];
                let mut said = format!("promoted: {id} {of} is active");
                if let Some((old, until)) = old {
                    // A date that stays is left as it is written.
                    let is_it = |key: &Key| key.id == *old && key.not_after == Some(*until);
                    let not_after = Some(date(*until)).filter(|_| !keys.iter().any(is_it));
                    changes.push(set(old, KeyState::VerifyOnly, not_after));
                    said +=
                        &format!("; {old} is verified until {}, and issues no more", date(*until));
                }
                (changes, said)
            }
            Step::Stage => {
                let id = match &self.id {
                    Some(id) => id.clone(),
                    None => self.free_id(config)?,
                };
                let said = format!("staged: {id} {of} is verified, and issues nothing yet");
                let (scheme, secrets) = (scheme.clone(), secrets.fields.clone());
                (vec![Change::Add { id, scheme, secrets }], said)
            }
        })
    }

    fn free_id(&self, config: &Config) -> Result<String, Unusable> {
        loop {
            let id = new_id(&self.client)?;
            if !config.verifier().snapshot().keys().any(|key| key.id().as_str() == id) {
                return Ok(id);
            }
        }
    }

    fn next(&self, step: &Step) -> String {
        let Self { config, client, scheme, .. } = self;
        let config = shell_word(&config.display().to_string());
        let command =
            format!("keyscheme rotate --config {config} --client {client} --scheme {scheme}");
        match step {
            Step::Disable { .. } => {
                "let every server load the file; the record and its secret can be removed"
                    .to_owned()
            }
            Step::Promote { old: None, .. } => {
                "let every server and caller load the file".to_owned()
            }
            Step::Promote { old: Some((_, until)), .. } => format!(
                "let every server and caller load the file, and give the new secret to callers that have \
                 their own; then, from {} on:\n  {command}",
                date(*until)
            ),
            Step::Stage => format!(
                "let every server load the file; then, with each of them:\n  \
                 {command} --server http://HOST:PORT"
            ),
        }
    }
}

/// What would be wrong with the new text. Nobody sees its lines.
fn unsound(error: &ConfigError) -> Unusable {
    let mistakes = error.mistakes().iter().cloned();
    let mistakes = mistakes.map(|mistake| Mistake { position: None, ..mistake }.to_string());
    Unusable(mistakes.collect::<Vec<_>>().join("\n"))
}

/// How long what was just sent may still be on its way, at least a minute.
fn least_grace(config: &Config, scheme: &str) -> u64 {
    let services = config.verifier().snapshot().services();
    let accepted = services.iter().flat_map(Rules::accepted);
    let accepted = accepted.filter(|accepted| accepted.facts().id == scheme);
    let ages = accepted.filter_map(|accepted| match accepted.max_age() {
        Some(MaxAge::Seconds(seconds)) => Some(seconds + MAX_FUTURE),
        Some(MaxAge::Unlimited) | None => None,
    });
    ages.max().unwrap_or_default().max(60)
}

/// A text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "./_-".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Seconds, from a number and its unit.
fn duration(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?;
        let number = Some(number).filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        number.parse::<u64>().ok()?.checked_mul(seconds)
    });
    let within = seconds.filter(|seconds| *seconds <= LONGEST_GRACE);
    within.ok_or_else(|| "write a duration such as 12h or 7d, at most 3650d".to_owned())
}

const LONGEST_GRACE: u64 = 3650 * 24 * 3600;
