//! A scheme together with its keys, erased: the keys lie side by side, and the only dynamic call of
//! a decision is made here.

use std::{fmt, sync::Arc};

use crate::{
    material::{KeyError, Material},
    request::Context,
    scheme::{Facts, KeyScheme, OpenError, Opened, Payload, SealError, Sealing},
    wire::{Fault, SchemeName},
};

/// A scheme of the registry.
pub(crate) trait Registered: fmt::Debug + Send + Sync {
    fn facts(&self) -> &'static Facts;
    fn no_keys(&self) -> Box<dyn Keys>;
    fn explain(&self, payload: Payload<'_>) -> Result<Vec<crate::scheme::Part>, Fault>;
}

impl<S: KeyScheme> Registered for Arc<S> {
    fn facts(&self) -> &'static Facts {
        S::facts(self)
    }

    fn no_keys(&self) -> Box<dyn Keys> {
        Box::new(Flat { scheme: Self::clone(self), keys: Vec::new() })
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<crate::scheme::Part>, Fault> {
        S::explain(self, payload)
    }
}

/// The prepared keys of one scheme, by slot.
pub(crate) trait Keys: Send + Sync {
    fn push(&mut self, material: &Material) -> Result<(), KeyError>;
    fn len(&self) -> usize;
    fn bare(&self, slot: usize) -> Option<&[u8]>;

    /// `None` where there is no such slot. What opens is written where it will be read, which saves
    /// a move of all of it.
    fn open(
        &self,
        slot: usize,
        payload: Payload<'_>,
        cx: &Context<'_>,
        opened: &mut Opened,
    ) -> Option<Result<(), OpenError>>;

    /// Whether there was such a slot to seal with.
    fn seal(
        &self,
        slot: usize,
        to: &Sealing<'_>,
        out: &mut String,
    ) -> Option<Result<(), SealError>>;

    /// Whether a payload is one of the scheme at all.
    fn is_well_formed(&self, payload: Payload<'_>) -> bool;
}

struct Flat<S: KeyScheme> {
    scheme: Arc<S>,
    keys: Vec<S::Key>,
}

impl<S: KeyScheme> Keys for Flat<S> {
    fn push(&mut self, material: &Material) -> Result<(), KeyError> {
        self.keys.push(self.scheme.prepare(material)?);
        Ok(())
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn bare(&self, slot: usize) -> Option<&[u8]> {
        self.scheme.bare(self.keys.get(slot)?)
    }

    fn open(
        &self,
        slot: usize,
        payload: Payload<'_>,
        cx: &Context<'_>,
        opened: &mut Opened,
    ) -> Option<Result<(), OpenError>> {
        match self.scheme.open(self.keys.get(slot)?, payload, cx) {
            Ok(said) => *opened = said,
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(()))
    }

    fn seal(
        &self,
        slot: usize,
        to: &Sealing<'_>,
        out: &mut String,
    ) -> Option<Result<(), SealError>> {
        Some(self.scheme.seal(self.keys.get(slot)?, to, out))
    }

    fn is_well_formed(&self, payload: Payload<'_>) -> bool {
        self.scheme.explain(payload).is_ok()
    }
}

/// The name of a scheme as it stands in a credential; `None` where its facts break the grammar.
pub(crate) fn name_of(facts: &Facts) -> Option<SchemeName> {
    SchemeName::new(facts.id)
}
