//! The decision: a pure function of snapshot, request and time.
//!
//! Each step is a private struct that the next consumes, so nothing can be judged on one value and
//! executed on another, and no step can be left out:
//!
//! ```text
//! Credential -> Admitted -> Proven -> Fresh -> Unclaimed -> Verified
//! ```
//!
//! At most one scheme runs per request. Nothing ever falls back.

mod accepted;
mod fence;
mod verified;

use std::fmt;

pub(crate) use self::fence::Fences;
use self::verified::Content;
pub use self::{
    accepted::Accepted,
    verified::{BodyState, Verified},
};
use crate::{
    error::{BackendError, Failure, Reject},
    id::{ClientName, KeyId},
    key::{Column, Found, KeyRecord, Ring},
    policy::{Accept, MaxAge, Service},
    replay::{Claim, ReplayClaim},
    request::{Context, Request},
    scheme::{Covers, Facts, Nonce, OpenError, Opened, Payload, SingleUse},
    time::UnixTime,
    wire::Credential,
};

/// Keys and policy at one moment: immutable, and used by a request from start to end.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) ring: Ring,
    /// By name.
    services: Box<[Service]>,
}

impl Snapshot {
    pub(crate) fn new(ring: Ring, mut services: Vec<Service>) -> Self {
        services.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Self { ring, services: services.into() }
    }

    /// The rules of the service of this name.
    pub fn rules(&self, service: &str) -> Option<Rules<'_>> {
        let by_name = |known: &Service| known.name.as_bytes().cmp(service.as_bytes());
        let service = self.services.get(self.services.binary_search_by(by_name).ok()?)?;
        Some(Rules { snapshot: self, service })
    }

    /// The rules of every service, by name.
    pub fn services(&self) -> Vec<Rules<'_>> {
        self.services.iter().map(|service| Rules { snapshot: self, service }).collect()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &KeyRecord> {
        self.ring.columns().iter().flat_map(Column::records)
    }
}

/// The rules of one service in one snapshot: what is judged by them cannot meet the keys of another.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'s> {
    snapshot: &'s Snapshot,
    service: &'s Service,
}

impl<'s> Rules<'s> {
    /// The service.
    pub fn service(&self) -> &'s Service {
        self.service
    }

    /// What it accepts, in the order of the registry.
    pub fn accepted(&self) -> impl Iterator<Item = Accepted<'s>> + use<'s> {
        let service = self.service;
        let columns = self.snapshot.ring.columns().iter().zip(&service.accept).enumerate();
        columns.filter_map(move |(scheme, (column, accept))| {
            let issued = service.issue == scheme;
            Some(Accepted { column, accept: accept.as_ref()?, issued })
        })
    }

    /// Judges a request. What remains to be done afterwards is what cannot be pure: to claim the
    /// first use, and to compare a body that arrives later. [`Guard`](crate::Guard) does the whole.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the reason and, where a key was proved, its record.
    #[inline]
    pub fn check(&self, request: &Request<'_>, now: UnixTime) -> Result<Checked, Rejected<'s>> {
        let credential = Credential::parse(request.presented)?;
        let mut opened = Opened::default();
        let admitted = self.admit(credential, now)?;
        let proven = admitted.open(request, now, &mut opened)?;
        Ok(proven.fresh(now)?.checked())
    }

    /// Why a refused credential may have been meant well: the common misreading of the request, or the
    /// one of the `others` targets with its explanation, under which it would have proved its key.
    /// For the operator's log alone: a peer must not learn it, and nobody is accepted by it. It costs
    /// several decisions, so not every refusal can be looked at.
    pub fn misread(
        &self,
        request: &Request<'_>,
        others: &[(&'static str, &[u8])],
        now: UnixTime,
    ) -> Option<Misread<'s>> {
        let credential = Credential::parse(request.presented).ok()?;
        let Admitted { service, column, payload, named, found, .. } =
            self.admit(credential, now).ok()?;
        let context = Context {
            service: service.name.as_bytes(),
            key_id: named?,
            method: request.method,
            target: request.target,
        };
        let keys = column.keys();
        let mut reading = keys.misread(found.slot, payload, &context);
        for &(other, target) in others {
            let context = Context { target, ..context };
            if keys.open(found.slot, payload, &context, &mut Opened::default()).is_ok() {
                reading = Some(other);
            }
        }
        // Without a key the work is done all the same, so that the time does not tell.
        Some(Misread { reading: reading?, key: found.record? })
    }

    /// Step 3, and the look-up of step 4.
    #[inline]
    fn admit<'c>(
        &self,
        credential: Credential<'c>,
        now: UnixTime,
    ) -> Result<Admitted<'s, 'c>, Reject> {
        let Self { snapshot: Snapshot { ring, .. }, service } = *self;
        let scheme = match &credential {
            Credential::Bare(_) => ring.bare_scheme(),
            Credential::Tagged { scheme, .. } => ring.scheme(*scheme),
        };
        let scheme = scheme.ok_or(Reject::UnknownScheme)?;
        let accept = service.admit(scheme, now)?;
        let column = ring.column(scheme).ok_or(Reject::UnknownScheme)?;
        let (payload, named, found) = match credential {
            Credential::Bare(value) => (Payload::Bare(value), None, column.find_value(value)),
            Credential::Tagged { key_id, payload, .. } => {
                (Payload::Tagged(payload), Some(key_id), column.find_id(key_id))
            }
        };
        Ok(Admitted { service, accept, column, payload, named, found })
    }
}

/// A refused credential that was probably meant well.
#[derive(Clone, Copy, Debug)]
pub struct Misread<'s> {
    /// What the request was mistaken for.
    pub reading: &'static str,
    /// The key that the credential names.
    pub key: &'s KeyRecord,
}

/// A credential of a scheme that the service accepts now.
struct Admitted<'s, 'c> {
    service: &'s Service,
    accept: &'s Accept,
    column: &'s Column,
    payload: Payload<'c>,
    named: Option<&'c [u8]>,
    found: Found<'s>,
}

impl<'s> Admitted<'s, '_> {
    /// Steps 4 to 6.
    ///
    /// The scheme always runs. Where the key does not exist it runs on another key of its column, so
    /// that the time does not tell; what it says then is not looked at, but for the form of a bare
    /// value.
    #[inline]
    fn open<'o>(
        self,
        request: &Request<'_>,
        now: UnixTime,
        opened: &'o mut Opened,
    ) -> Result<Proven<'s, 'o>, Rejected<'s>> {
        let Self { service, accept, column, payload, named, found } = self;
        let context = Context {
            service: service.name.as_bytes(),
            key_id: named.unwrap_or_default(),
            method: request.method,
            target: request.target,
        };
        let outcome = column.keys().open(found.slot, payload, &context, opened);
        let Some(record) = found.record else {
            return Err(unknown(payload, outcome).into());
        };
        outcome.map_err(Reject::from)?;
        let because = |reason| Rejected { reason, proved: Some(record) };
        record.admits(now).map_err(because)?;
        if !accept.is_for(&record.client) {
            return Err(because(Reject::ClientRefused));
        }
        Ok(Proven { service, accept, facts: column.facts(), record, opened })
    }
}

/// Why a credential without a key is refused. A bare value names no key, so only its form counts.
#[cold]
fn unknown(payload: Payload<'_>, outcome: Result<(), OpenError>) -> Reject {
    match (payload, outcome) {
        (Payload::Bare(_), Err(OpenError::Malformed)) => Reject::Malformed,
        (Payload::Bare(_), _) => Reject::BadCredential,
        (Payload::Tagged(_), _) => Reject::UnknownKey,
    }
}

impl From<OpenError> for Reject {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::BadCredential => Self::BadCredential,
            OpenError::Malformed => Self::Malformed,
        }
    }
}

/// A credential that proved a key which may be used.
struct Proven<'s, 'o> {
    service: &'s Service,
    accept: &'s Accept,
    facts: &'static Facts,
    record: &'s KeyRecord,
    opened: &'o Opened,
}

impl<'s, 'o> Proven<'s, 'o> {
    /// Steps 7 and 8. A scheme that breaks a promise of its facts is not believed.
    #[inline]
    fn fresh(self, now: UnixTime) -> Result<Fresh<'s, 'o>, Rejected<'s>> {
        let Self { accept, facts, record, opened, .. } = self;
        let because = |reason| Rejected { reason, proved: Some(record) };
        if facts.fresh {
            let issued_at = opened.issued_at.ok_or_else(|| because(Reject::BadCredential))?;
            accept.max_age.judge(issued_at, now).map_err(because)?;
        }
        if opened.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Err(because(Reject::Stale));
        }
        match opened.content {
            None if facts.binds.body => return Err(because(Reject::BadCredential)),
            Some(Covers::Nothing) if !accept.uncovered_body => {
                return Err(because(Reject::BodyNotCovered));
            }
            _ => {}
        }
        let once = accept.once || facts.single_use == SingleUse::Always;
        if once && (opened.nonce.is_none() || opened.issued_at.is_none()) {
            return Err(because(Reject::BadCredential));
        }
        Ok(Fresh { proven: self, once })
    }
}

/// A credential of the right age that covers what it must.
struct Fresh<'s, 'o> {
    proven: Proven<'s, 'o>,
    once: bool,
}

impl Fresh<'_, '_> {
    #[inline]
    fn checked(self) -> Checked {
        let Self { proven: Proven { service, accept, facts, record, opened }, once } = self;
        let verified = Verified {
            service: service.name,
            client: record.client,
            key_id: record.id,
            facts,
            issued_at: opened.issued_at,
            until: accept.until,
            upgrade: accept.upgrade,
            content: match opened.content {
                Some(Covers::Digest(digest)) => Content::Pending(digest),
                _ => Content::Settled(BodyState::Uncovered),
            },
        };
        match (once, opened.nonce) {
            (true, Some(nonce)) => {
                let expires_at = opened.expires_at.unwrap_or(UnixTime(u64::MAX));
                let (max_age, fence) = (accept.max_age, accept.fence);
                Checked::FirstUse(Unclaimed { verified, nonce, max_age, expires_at, fence })
            }
            _ => Checked::Verified(verified),
        }
    }
}

/// What a decision came to.
#[derive(Debug)]
#[must_use]
pub enum Checked {
    /// Accepted if this is its first use.
    FirstUse(Unclaimed),
    /// Accepted.
    Verified(Verified),
}

/// A credential that proved everything but that it is used for the first time.
/// [`Unclaimed::settle`] is the only way on.
#[derive(Debug)]
#[must_use]
pub struct Unclaimed {
    verified: Verified,
    nonce: Nonce,
    max_age: MaxAge,
    expires_at: UnixTime,
    fence: UnixTime,
}

impl Unclaimed {
    /// Whose key was proved.
    pub(crate) fn proved(&self) -> (ClientName, KeyId) {
        self.verified.proved()
    }

    /// Whether it may have been used before under an earlier policy, unknown to the store: then
    /// nothing that the store answers accepts it.
    pub(crate) fn is_fenced(&self) -> bool {
        self.verified.issued_at.unwrap_or_default() <= self.fence
    }

    /// What to ask a store.
    #[inline]
    pub fn claim(&self, now: UnixTime) -> ReplayClaim<'_> {
        ReplayClaim {
            service: &self.verified.service,
            key_id: &self.verified.key_id,
            nonce: self.nonce.as_bytes(),
            issued_at: self.verified.issued_at.unwrap_or_default(),
            max_age: self.max_age.seconds(),
            now,
        }
    }

    /// Step 9: what the store answered, and the time after it did.
    ///
    /// # Errors
    ///
    /// [`Failure`] unless this is the first use, and the credential is fresh still.
    #[inline]
    pub fn settle(
        self,
        answer: Result<Claim, BackendError>,
        now: UnixTime,
    ) -> Result<Verified, Failure> {
        match answer? {
            Claim::First if !self.is_fenced() => {
                self.max_age.judge(self.verified.issued_at.unwrap_or_default(), now)?;
                if now >= self.expires_at {
                    return Err(Reject::Stale.into());
                }
                Ok(self.verified)
            }
            Claim::First | Claim::Forgotten => {
                let cause = "it may have forgotten an earlier use";
                Err(BackendError::new("replay store", cause).into())
            }
            Claim::Seen => Err(Reject::Replayed.into()),
            Claim::Stale => Err(Reject::Stale.into()),
        }
    }
}

/// A refusal, for the log.
#[derive(Clone, Copy, Debug)]
pub struct Rejected<'v> {
    reason: Reject,
    proved: Option<&'v KeyRecord>,
}

impl<'v> Rejected<'v> {
    /// Why.
    pub fn reason(&self) -> Reject {
        self.reason
    }

    /// The key, only where it was proved. A name in a credential that proves nothing is anybody's.
    pub fn proved(&self) -> Option<&'v KeyRecord> {
        self.proved
    }
}

impl From<Reject> for Rejected<'_> {
    fn from(reason: Reject) -> Self {
        Self { reason, proved: None }
    }
}

impl From<Rejected<'_>> for Failure {
    fn from(rejected: Rejected<'_>) -> Self {
        Self::Rejected(rejected.reason)
    }
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proved {
            Some(key) => write!(f, "{} (client {}, key {})", self.reason, key.client, key.id),
            None => fmt::Display::fmt(&self.reason, f),
        }
    }
}
