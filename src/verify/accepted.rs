//! What a service accepts, to be looked at.

use crate::{
    id::ClientName,
    key::{Column, KeyRecord},
    policy::{Accept, MaxAge},
    scheme::{Facts, SingleUse},
    time::UnixTime,
};

/// A scheme that a service accepts, for those who want to know.
#[derive(Clone, Copy, Debug)]
pub struct Accepted<'s> {
    pub(super) column: &'s Column,
    pub(super) accept: &'s Accept,
    pub(super) issued: bool,
}

impl<'s> Accepted<'s> {
    /// What the scheme proves.
    pub fn facts(&self) -> &'static Facts {
        self.column.facts()
    }

    /// Whether it is the one that clients should send.
    pub fn is_issued(&self) -> bool {
        self.issued
    }

    /// The first instant at which it is no longer accepted, where there is one.
    pub fn until(&self) -> Option<UnixTime> {
        self.accept.until
    }

    /// How old a credential may be, where the scheme says when it was issued.
    pub fn max_age(&self) -> Option<MaxAge> {
        self.facts().fresh.then_some(self.accept.max_age)
    }

    /// Whether a credential is accepted once only.
    pub fn is_once(&self) -> bool {
        self.accept.once || self.facts().single_use == SingleUse::Always
    }

    /// Whether it is accepted with a body that it could cover and does not.
    pub fn allows_uncovered_body(&self) -> bool {
        self.accept.uncovered_body
    }

    /// The only clients that it is accepted from, where there are such.
    pub fn clients(&self) -> Option<&'s [ClientName]> {
        self.accept.clients.as_deref()
    }

    /// The keys that it is accepted with: those of the clients that the service accepts it from.
    pub fn keys(&self) -> impl Iterator<Item = &'s KeyRecord> + use<'s> {
        let accept = self.accept;
        self.column.records().filter(move |key| accept.is_for(&key.client))
    }
}
