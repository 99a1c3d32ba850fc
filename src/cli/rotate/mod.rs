//! `keyscheme rotate`
//!
//! ```text
//! read the file (file) -> what comes next (plan) -> its new text (edit) -> load that -> write it (file)
//!   whose keys (whose)       ^ what servers have loaded (servers)    and what to say of it (say)
//! ```

mod edit;
mod file;
mod layout;
mod plan;
#[cfg(test)]
mod properties;
mod say;
mod secrets;
mod servers;
mod tree;
mod whose;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use keyscheme::{ConfigError, Loader, Mistake};
use similar::TextDiff;

use self::{
    file::{Edited, Trouble},
    plan::{Wish, plan},
    say::{NewKey, changes, next},
    secrets::Secrets,
    servers::Server,
    whose::Whose,
};
use super::{Status, Unusable, at, clock, complain, facts, print, unix};

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
    #[arg(long, value_name = "UNIX", value_parser = unix)]
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
        let whose = Whose { client: &self.client, scheme: &self.scheme };
        let facts = facts(config.registry(), &self.scheme)?;
        let keys = whose.keys(&config, &file.text)?;
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
            least_grace: whose.least_grace(&config),
            loaded: self.loaded,
            unused: self.unused,
            reports: &reports,
        };
        let step = plan(&keys, now, &wish).map_err(|refusal| Trouble::Busy(refusal.to_string()))?;
        let new = || {
            let id = self.id.clone().map_or_else(|| whose.free_id(&config), Ok)?;
            Ok(NewKey { id, secrets: secrets.fields.clone() })
        };
        let (changes, said) = changes(&step, whose, &keys, new)?;
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
        Ok(print(format_args!("next: {}", next(&step, whose, &self.config)))?)
    }
}

/// What would be wrong with the new text. Nobody sees its lines.
fn unsound(error: &ConfigError) -> Unusable {
    let mistakes = error.mistakes().iter().cloned();
    let mistakes = mistakes.map(|mistake| Mistake { position: None, ..mistake }.to_string());
    Unusable(mistakes.collect::<Vec<_>>().join("\n"))
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
