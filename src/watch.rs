//! Keys and policy that follow what they were read from.

use std::time::{Duration, Instant};

use tokio::{task::JoinHandle, time::sleep};

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
        Watch { task: tokio::spawn(watch(self.clone())) }
    }
}

/// Ends the task of [`Authenticator::watch`] when it is dropped.
#[derive(Debug)]
#[must_use = "the task ends when this is dropped"]
pub struct Watch {
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(auth: Authenticator) {
    let settings = auth.reload_config();
    let (mut refreshed, mut kept) = (Instant::now(), Instant::now());
    let mut missed = None::<Instant>;
    let mut failure = None;
    loop {
        sleep(settings.interval).await;
        if kept.elapsed() >= KEEP {
            kept = Instant::now();
            keep(auth.clone()).await;
        }
        let may_be_early = missed.is_none_or(|at| at.elapsed() >= EARLIEST);
        let is_early = may_be_early && auth.has_missed_key();
        if is_early {
            missed = Some(Instant::now());
        }
        let all = is_early || refreshed.elapsed() >= settings.refresh;
        if all {
            refreshed = Instant::now();
        }
        let outcome = auth.reload_from(all).await;
        report(&outcome, &mut failure);
    }
}

/// Writes the state file, where there is one, without holding others up.
async fn keep(auth: Authenticator) {
    let written = tokio::task::spawn_blocking(move || auth.keep_state()).await;
    if let Ok(Err(error)) = written {
        tracing::error!(
            target: "keyscheme",
            %error,
            "the state file cannot be written: single-use credentials will be refused"
        );
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
