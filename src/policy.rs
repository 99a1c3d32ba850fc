//! Admission rules: what a service accepts, from whom, how old, until when.

use crate::{
    error::Reject,
    id::{ClientName, ServiceName},
    time::UnixTime,
};

/// How far in the future a credential may have been issued, in seconds.
pub const MAX_FUTURE: u64 = 30;

/// The greatest `max-age` that is not unlimited, in seconds: 24 hours.
pub const MAX_MAX_AGE: u64 = 86_400;

/// How old a credential may be where nothing else is said.
pub const DEFAULT_MAX_AGE: MaxAge = MaxAge::Seconds(300);

/// A service that verifies credentials.
#[derive(Debug)]
pub struct Service {
    pub(crate) name: ServiceName,
    pub(crate) header: String,
    /// The place of the scheme that clients should send.
    pub(crate) issue: usize,
    /// By the place of the scheme.
    pub(crate) accept: Box<[Option<Accept>]>,
}

impl Service {
    /// Its name, which credentials are bound to.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// The header that it reads, in lower case.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Step 3 of a decision: whether it accepts a scheme at this time.
    #[inline]
    pub(crate) fn admit(&self, scheme: usize, now: UnixTime) -> Result<&Accept, Reject> {
        let entry =
            self.accept.get(scheme).and_then(Option::as_ref).ok_or(Reject::SchemeRefused)?;
        match entry.until {
            Some(until) if now >= until => Err(Reject::SchemeRetired),
            _ => Ok(entry),
        }
    }
}

/// The terms on which a service accepts a scheme.
#[derive(Debug)]
pub(crate) struct Accept {
    /// The first instant at which it no longer does.
    pub(crate) until: Option<UnixTime>,
    /// The only clients that it is for, in order.
    pub(crate) clients: Option<Box<[ClientName]>>,
    pub(crate) max_age: MaxAge,
    pub(crate) once: bool,
    pub(crate) uncovered_body: bool,
    pub(crate) fence: Fence,
    /// What a client that still sends this should send.
    pub(crate) upgrade: Option<&'static str>,
}

impl Accept {
    #[inline]
    pub(crate) fn is_for(&self, client: &ClientName) -> bool {
        self.clients.as_ref().is_none_or(|clients| clients.binary_search(client).is_ok())
    }
}

/// The single-use credentials that may have been used under an earlier policy, unknown to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fence {
    /// All that were issued until then.
    pub(crate) all: UnixTime,
    /// Those that were issued until then, and are at least this old.
    pub(crate) old: UnixTime,
    /// In seconds.
    pub(crate) age: u64,
}

impl Fence {
    #[inline]
    pub(crate) fn is_around(self, issued_at: UnixTime, now: UnixTime) -> bool {
        issued_at <= self.all || issued_at <= self.old && issued_at.plus(self.age) <= now
    }
}

/// How old a credential may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAge {
    /// This many seconds, and at that age still fresh.
    Seconds(u64),
    /// Any age.
    Unlimited,
}

impl MaxAge {
    /// Step 7 of a decision. Age and future are judged apart: the absolute difference would double
    /// the window.
    #[inline]
    pub(crate) fn judge(self, issued_at: UnixTime, now: UnixTime) -> Result<(), Reject> {
        if issued_at > now.plus(MAX_FUTURE) {
            return Err(Reject::Early);
        }
        match self {
            Self::Seconds(seconds) if issued_at < now.minus(seconds) => Err(Reject::Stale),
            _ => Ok(()),
        }
    }

    pub(crate) fn seconds(self) -> u64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Unlimited => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_exact_at_both_ends() {
        let judge = |issued_at| MaxAge::Seconds(300).judge(UnixTime(issued_at), UnixTime(10_000));
        assert_eq!(judge(9_699), Err(Reject::Stale));
        assert_eq!(judge(9_700), Ok(()));
        assert_eq!(judge(10_030), Ok(()));
        assert_eq!(judge(10_031), Err(Reject::Early));
    }

    #[test]
    fn extreme_times_do_not_wrap() {
        let judge = |age: MaxAge, at, now| age.judge(UnixTime(at), UnixTime(now));
        assert_eq!(judge(MaxAge::Seconds(300), 0, 0), Ok(()));
        assert_eq!(judge(MaxAge::Seconds(300), u64::MAX, 0), Err(Reject::Early));
        assert_eq!(judge(MaxAge::Seconds(300), 0, u64::MAX), Err(Reject::Stale));
        assert_eq!(judge(MaxAge::Unlimited, 0, u64::MAX), Ok(()));
        assert_eq!(judge(MaxAge::Unlimited, u64::MAX, 0), Err(Reject::Early));
    }

    #[test]
    fn until_is_exclusive() {
        let entry = Accept {
            until: Some(UnixTime(100)),
            clients: None,
            max_age: DEFAULT_MAX_AGE,
            once: false,
            uncovered_body: false,
            fence: Fence::default(),
            upgrade: None,
        };
        let service = Service {
            name: ServiceName::new("stt").unwrap(),
            header: "x-api-key".to_owned(),
            issue: 0,
            accept: vec![Some(entry), None].into(),
        };
        assert!(service.admit(0, UnixTime(99)).is_ok());
        assert_eq!(service.admit(0, UnixTime(100)).err(), Some(Reject::SchemeRetired));
        assert_eq!(service.admit(0, UnixTime(101)).err(), Some(Reject::SchemeRetired));
        assert_eq!(service.admit(1, UnixTime(0)).err(), Some(Reject::SchemeRefused));
        assert_eq!(service.admit(2, UnixTime(0)).err(), Some(Reject::SchemeRefused));
    }
}
