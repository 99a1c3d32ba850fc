//! What a request's body tells the response.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Waker},
};

use crate::{http::answer::Refusal, verifier::Refused};

/// Whether a body turned out to be another than its credential covers. Request and response share it.
#[derive(Clone)]
pub(in crate::http) struct Mismatch(Arc<Watch>);

struct Watch<F: ?Sized = dyn Fn(&Refused) + Send + Sync> {
    refusal: OnceLock<Refusal>,
    /// A response that waits, and must not wait any longer.
    waiting: Mutex<Option<Waker>>,
    log: F,
}

impl Mismatch {
    /// `log` is called at the moment it happens, even if nobody looks any more.
    pub(in crate::http) fn new(log: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        let (refusal, waiting) = (OnceLock::new(), Mutex::default());
        Self(Arc::new(Watch { refusal, waiting, log }))
    }

    pub(super) fn happens(&self, refused: Refused) {
        (self.0.log)(&refused);
        let _ = self.0.refusal.set(Refusal::from(refused));
        let waiting = self.waiting().take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub(in crate::http) fn happened(&self) -> Option<&Refusal> {
        self.0.refusal.get()
    }

    /// Whether it has not happened; then the task is woken when it does.
    pub(super) fn wait(&self, cx: &Context<'_>) -> bool {
        *self.waiting() = Some(cx.waker().clone());
        self.happened().is_none()
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
