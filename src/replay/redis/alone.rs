//! What the log says while this process decides alone: once when it begins, once a minute, and when
//! it has ended.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::error::BackendError;

/// Whether this process decides alone. While it does not, that is one atomic to read.
#[derive(Default)]
pub(super) struct Alone {
    is_alone: AtomicBool,
    period: Mutex<Option<Period>>,
}

/// A time in which Redis does not decide, or not always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    since: Instant,
    /// When Redis did not decide for the last time.
    last: Instant,
    written: Instant,
    /// How many credentials were accepted alone.
    accepted: u64,
}

impl Alone {
    /// Accepts without Redis.
    pub(super) fn accepts(&self, error: &BackendError) {
        self.goes_on(error, 1);
    }

    /// Would accept without Redis.
    pub(super) fn would_accept(&self, error: &BackendError) {
        self.goes_on(error, 0);
    }

    fn goes_on(&self, error: &BackendError, accepted: u64) {
        let now = Instant::now();
        let Some(period) = self.extend(now, accepted) else { return };
        tracing::error!(
            target: "keyscheme",
            %error,
            seconds = (now - period.since).as_secs(),
            accepted = period.accepted,
            "single-use credentials are judged by this process alone (danger-local)"
        );
    }

    /// Redis has decided.
    pub(super) fn is_not(&self) {
        if !self.is_alone.load(Ordering::Relaxed) {
            return;
        }
        let Some(period) = self.end(Instant::now()) else { return };
        tracing::info!(
            target: "keyscheme",
            seconds = (period.last - period.since).as_secs(),
            accepted = period.accepted,
            "single-use credentials are judged by Redis again"
        );
    }

    /// What is to be written, where it is time for that.
    fn extend(&self, now: Instant, accepted: u64) -> Option<Period> {
        let mut place = self.period.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = place.is_none();
        let new = Period { since: now, last: now, written: now, accepted: 0 };
        let period = place.get_or_insert(new);
        // Of two at once the later may come first.
        period.last = period.last.max(now);
        period.accepted += accepted;
        self.is_alone.store(true, Ordering::Relaxed);
        if !is_new && now.saturating_duration_since(period.written) < AGAIN {
            return None;
        }
        period.written = now;
        Some(*period)
    }

    /// What has ended, where it has.
    fn end(&self, now: Instant) -> Option<Period> {
        let mut place = self.period.lock().unwrap_or_else(PoisonError::into_inner);
        let has_ended = |period: &mut Period| now.saturating_duration_since(period.last) >= QUIET;
        let ended = place.take_if(has_ended);
        if ended.is_some() {
            self.is_alone.store(false, Ordering::Relaxed);
        }
        ended
    }
}

/// How often it is written while it lasts.
const AGAIN: Duration = Duration::from_secs(60);
/// How long Redis must have decided all: one that comes and goes fills no log.
const QUIET: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_at_the_beginning_once_a_minute_and_at_the_end() {
        let (alone, begun) = (Alone::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        let accepted = |period: Option<Period>| period.map(|period| period.accepted);
        assert_eq!(alone.end(at(0)), None);
        let written: Vec<_> =
            (0..=125).filter_map(|second| accepted(alone.extend(at(second), 1))).collect();
        assert_eq!(written, [1, 61, 121]);
        assert_eq!(alone.end(at(129)), None);
        let period = alone.end(at(130)).unwrap();
        assert_eq!((period.last - period.since, period.accepted), (Duration::from_secs(125), 126));
        assert!(!alone.is_alone.load(Ordering::Relaxed));
        assert_eq!(alone.end(at(140)), None);
        assert_eq!(accepted(alone.extend(at(141), 0)), Some(0));
    }

    #[test]
    fn one_that_comes_and_goes_fills_no_log() {
        let (alone, begun) = (Alone::default(), Instant::now());
        let lines = (0..60_000).filter(|millis| {
            let now = begun + Duration::from_millis(*millis);
            if millis % 2 == 0 { alone.extend(now, 1).is_some() } else { alone.end(now).is_some() }
        });
        assert_eq!(lines.count(), 1);
    }
}
