//! The steps of the decision, from a header value to what is proved.

use super::{
    checked::{Checked, Unclaimed},
    rejected::Rejected,
    snapshot::{Rules, Snapshot},
    verified::{BodyState, Content, Verified},
};
use crate::{
    error::Reject,
    key::{Column, Found, KeyRecord},
    policy::{Accept, Service},
    request::{Context, Request},
    scheme::{Covers, Facts, OpenError, Opened, Payload, SingleUse},
    time::UnixTime,
    wire::Credential,
};

impl<'s> Rules<'s> {
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

    /// Step 3, and the look-up of step 4.
    #[inline]
    pub(super) fn admit<'c>(
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

/// A credential of a scheme that the service accepts now.
pub(super) struct Admitted<'s, 'c> {
    pub(super) service: &'s Service,
    accept: &'s Accept,
    pub(super) column: &'s Column,
    pub(super) payload: Payload<'c>,
    pub(super) named: Option<&'c [u8]>,
    pub(super) found: Found<'s>,
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
