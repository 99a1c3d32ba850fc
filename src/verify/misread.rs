//! Why a credential was refused that was probably meant well.

use super::{check::Admitted, snapshot::Rules};
use crate::{
    key::KeyRecord,
    request::{Context, Request},
    scheme::Opened,
    time::UnixTime,
    wire::Credential,
};

/// A refused credential that was probably meant well.
#[derive(Clone, Copy, Debug)]
pub struct Misread<'s> {
    /// What the request was mistaken for.
    pub reading: &'static str,
    /// The key that the credential names.
    pub key: &'s KeyRecord,
}

impl<'s> Rules<'s> {
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
}
