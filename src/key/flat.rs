//! A scheme together with its keys, erased. Keys lie side by side, each behind its record: with many
//! keys, what a decision costs is the number of places in memory that it visits.

use std::{fmt, sync::Arc};

use super::KeyRecord;
#[cfg(feature = "conformance")]
use crate::conformance::{Broken, Report};
use crate::{
    material::{Field, KeyError, Material},
    request::Context,
    scheme::{Facts, KeyScheme, OpenError, Opened, Part, Payload, SealError, Sealing},
    wire::{Fault, SchemeName},
};

/// A scheme of the registry.
pub(crate) trait Registered: fmt::Debug + Send + Sync {
    fn facts(&self) -> &'static Facts;
    /// No keys, and room for as many as will come: a table that grows would leave copies behind.
    fn no_keys(&self, room: usize) -> Box<dyn Keys>;
    fn sealer(&self, material: &Material) -> Result<Box<dyn Sealer>, KeyError>;
    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault>;
    #[cfg(feature = "conformance")]
    fn check(&self) -> Result<Report, Vec<Broken>>;
}

impl<S: KeyScheme> Registered for Arc<S> {
    fn facts(&self) -> &'static Facts {
        S::facts(self)
    }

    fn no_keys(&self, room: usize) -> Box<dyn Keys> {
        let zeros =
            |all: Material, field: &Field| all.with(field.name, vec![0; field.lengths.of_new()]);
        let material = self.facts().fields.iter().fold(Material::new(), zeros);
        let decoy = self.prepare(&material).ok();
        Box::new(Flat { scheme: Self::clone(self), entries: Vec::with_capacity(room), decoy })
    }

    fn sealer(&self, material: &Material) -> Result<Box<dyn Sealer>, KeyError> {
        Ok(Box::new(One { scheme: Self::clone(self), key: self.prepare(material)? }))
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        S::explain(self, payload)
    }

    #[cfg(feature = "conformance")]
    fn check(&self) -> Result<Report, Vec<Broken>> {
        crate::conformance::check::<S>(self)
    }
}

/// The prepared keys of one scheme and their records, by slot.
pub(crate) trait Keys: Send + Sync {
    fn push(&mut self, record: KeyRecord, material: &Material) -> Result<(), KeyError>;
    fn len(&self) -> usize;
    fn record(&self, slot: usize) -> Option<&KeyRecord>;
    fn bare(&self, slot: usize) -> Option<&[u8]>;

    /// On a decoy where there is no such slot. What opens is written where it will be read, which
    /// saves a move of all of it.
    fn open(
        &self,
        slot: usize,
        payload: Payload<'_>,
        cx: &Context<'_>,
        opened: &mut Opened,
    ) -> Result<(), OpenError>;

    /// See [`KeyScheme::misread`].
    fn misread(&self, slot: usize, payload: Payload<'_>, cx: &Context<'_>) -> Option<&'static str>;
}

struct Flat<S: KeyScheme> {
    scheme: Arc<S>,
    entries: Vec<Entry<S::Key>>,
    /// What a payload is judged by where there are no keys. Nothing is accepted by it.
    decoy: Option<S::Key>,
}

#[repr(C)]
struct Entry<K> {
    record: KeyRecord,
    key: K,
}

impl<S: KeyScheme> Keys for Flat<S> {
    fn push(&mut self, record: KeyRecord, material: &Material) -> Result<(), KeyError> {
        let key = self.scheme.prepare(material)?;
        self.entries.push(Entry { record, key });
        Ok(())
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    fn record(&self, slot: usize) -> Option<&KeyRecord> {
        self.entries.get(slot).map(|entry| &entry.record)
    }

    fn bare(&self, slot: usize) -> Option<&[u8]> {
        self.scheme.bare(&self.entries.get(slot)?.key)
    }

    fn open(
        &self,
        slot: usize,
        payload: Payload<'_>,
        cx: &Context<'_>,
        opened: &mut Opened,
    ) -> Result<(), OpenError> {
        let key = self.entries.get(slot).map(|entry| &entry.key).or(self.decoy.as_ref());
        let Some(key) = key else {
            // The scheme has no decoy to show; the form is all that counts then.
            let well_formed = self.scheme.explain(payload).is_ok();
            return Err(if well_formed { OpenError::BadCredential } else { OpenError::Malformed });
        };
        *opened = self.scheme.open(key, payload, cx)?;
        Ok(())
    }

    fn misread(&self, slot: usize, payload: Payload<'_>, cx: &Context<'_>) -> Option<&'static str> {
        let key = self.entries.get(slot).map(|entry| &entry.key).or(self.decoy.as_ref());
        self.scheme.misread(key?, payload, cx)
    }
}

/// One prepared key, for an issuer.
pub(crate) trait Sealer: Send + Sync {
    fn bare(&self) -> Option<&[u8]>;
    fn seal(&self, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError>;
}

struct One<S: KeyScheme> {
    scheme: Arc<S>,
    key: S::Key,
}

impl<S: KeyScheme> Sealer for One<S> {
    fn bare(&self) -> Option<&[u8]> {
        self.scheme.bare(&self.key)
    }

    fn seal(&self, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        self.scheme.seal(&self.key, to, out)
    }
}

/// The name of a scheme as it stands in a credential; `None` where its facts break the grammar.
pub(crate) fn name_of(facts: &Facts) -> Option<SchemeName> {
    SchemeName::new(facts.id)
}
