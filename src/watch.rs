//! Keys and policy that follow what they were read from.

use std::time::{Duration, Instant};

use tokio::{
    runtime::Handle,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use crate::{
    auth::{Authenticator, Reload},
    error::ConfigError,
    state::LEASE,
};

impl Authenticator {
    /// Looks again and again at what keys and policy were read from, and puts in force what has
    /// changed there, as [`Self::reload`] does. How often is said in the table `[reload]` of the
    /// configuration. Every change is logged, with the target `keyscheme`, and so is every failure,
    /// after which everything stays as it was.
    ///
    /// A credential that names a key which is not known lets secrets be fetched earlier, once in half
    /// a minute at most.
    ///
    /// It goes on until what is returned is dropped. It must be called within a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), keyscheme::ConfigError> {
    /// let auth = keyscheme::Authenticator::from_file("keyscheme.toml").await?;
    /// let _watch = auth.watch();
    /// # Ok(()) }
    /// ```
    pub fn watch(&self) -> Watch {
        // Apart, since the one must not wait for the other.
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(self.clone()));
        if self.has_state() {
            tasks.spawn(keep(self.clone()));
        }
        Watch { _tasks: tasks }
    }
}

/// Ends the work of [`Authenticator::watch`] when it is dropped.
#[derive(Debug)]
#[must_use = "the work ends when this is dropped"]
pub struct Watch {
    _tasks: JoinSet<()>,
}

/// Keeps the state file, for as long as this process lives.
async fn keep(auth: Authenticator) {
    loop {
        sleep(KEEP).await;
        let keeping = auth.clone();
        if let Ok(Err(error)) = spawn_blocking(move || keeping.keep_state()).await {
            tracing::error!(
                target: "keyscheme",
                %error,
                "the state file cannot be written: single-use credentials will be refused"
            );
        }
    }
}

/// Follows what keys and policy were read from.
async fn follow(auth: Authenticator) {
    let settings = auth.reload_config();
    let (mut refreshed, mut missed) = (Instant::now(), None::<Instant>);
    let (mut failure, mut waiting) = (None, Vec::new());
    loop {
        sleep(settings.interval).await;
        let may_be_early = missed.is_none_or(|at| at.elapsed() >= EARLIEST);
        let is_early = may_be_early && auth.has_missed_key();
        if is_early {
            missed = Some(Instant::now());
        }
        let all = is_early || refreshed.elapsed() >= settings.refresh;
        if all {
            refreshed = Instant::now();
        }
        // Files may lie where reading hangs. That must not hold up those who serve requests.
        let (runtime, reloading) = (Handle::current(), auth.clone());
        let reload = move || runtime.block_on(reloading.reload_from(all));
        if let Ok(outcome) = spawn_blocking(reload).await {
            report(&outcome, &mut failure);
        }
        let found = auth.health().waiting;
        if found != waiting && !found.is_empty() {
            tracing::warn!(
                target: "keyscheme",
                tables = found.join(" "),
                "what these tables say is put in force at the next start"
            );
        }
        waiting = found;
    }
}

/// Writes what has changed, and a failure once.
fn report(outcome: &Result<Reload, ConfigError>, last: &mut Option<ConfigError>) {
    match outcome {
        Ok(reload) => {
            if *reload == Reload::Changed || last.is_some() {
                tracing::info!(target: "keyscheme", "keys and policy are what the configuration says");
            }
            *last = None;
        }
        Err(error) => {
            if last.as_ref() != Some(error) {
                tracing::error!(target: "keyscheme", %error, "the configuration cannot be used; what was read before stays in force");
            }
            *last = Some(error.clone());
        }
    }
}

/// How often the state file is written: twice before what it says is over.
const KEEP: Duration = Duration::from_secs(LEASE / 2);
/// How long it takes at least from one early look to the next.
const EARLIEST: Duration = Duration::from_secs(30);
