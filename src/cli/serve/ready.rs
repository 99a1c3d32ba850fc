//! Whether requests should be sent here.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::judge::Judge;

/// What was found out, and when. Anybody may ask, so the store is asked at most once a second.
#[derive(Default)]
pub(super) struct Ready {
    ending: AtomicBool,
    known: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Ready {
    /// Not from now on.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Whether it is, or why not.
    pub(super) async fn ask(&self, judge: &Judge) -> Result<(), String> {
        if self.ending.load(Ordering::Acquire) {
            return Err("ending".to_owned());
        }
        // Who comes meanwhile waits for the answer, and has it too.
        let mut known = self.known.lock().await;
        if let Some((at, answer)) = &*known
            && at.elapsed() < AGE
        {
            return answer.clone();
        }
        let answer = judge.ready().await.map_err(|error| error.to_string());
        let was_ready = known.as_ref().is_none_or(|(_, was)| was.is_ok());
        if let Err(why) = &answer
            && was_ready
        {
            tracing::warn!(target: "keyscheme", why, "not ready");
        }
        *known = Some((Instant::now(), answer.clone()));
        answer
    }
}

const AGE: Duration = Duration::from_secs(1);
