//! How many connections there may be at once, so that file descriptors are left for everything else:
//! who only connects must not keep a key from being disabled, or the state file from being written.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for connections.
pub(super) struct Room {
    places: Arc<Semaphore>,
    /// When it was last written that there is none.
    written: Mutex<Option<Instant>>,
    most: usize,
}

impl Room {
    /// As many as this process may have file descriptors, but for those that it needs itself.
    pub(super) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let most = limit.saturating_sub(OURS.min(limit / 2)).clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(most)), written: Mutex::default(), most }
    }

    /// A place, kept for as long as what is returned. Where all are taken, that is written, and waited.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        if self.is_to_be_written() {
            tracing::warn!(
                target: "keyscheme",
                connections = self.most,
                "there are as many connections as there may be: others wait until one ends"
            );
        }
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn is_to_be_written(&self) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = written.is_none_or(|at| at.elapsed() >= AGAIN);
        if is_new {
            *written = Some(Instant::now());
        }
        is_new
    }
}

/// The file descriptors for everything that is no connection of a proxy: files, their directory, the
/// connections to Redis and secret managers.
const OURS: usize = 64;
const AGAIN: Duration = Duration::from_secs(60);
