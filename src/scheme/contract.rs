//! What a scheme is.

use std::fmt;

use super::{
    facts::Facts,
    opening::{OpenError, Opened, Payload},
    sealing::{SealError, Sealing},
};
use crate::{
    material::{KeyError, Material},
    request::Context,
    wire::Fault,
};

/// A way to prove knowledge of a key in one header value.
///
/// The suite in `keyscheme::conformance` (feature `conformance`) holds an implementation to its
/// facts.
pub trait KeyScheme: fmt::Debug + Send + Sync + 'static {
    /// A prepared key: everything done that can be done before a request. Plain data, since keys
    /// lie side by side in memory.
    type Key: Send + Sync + 'static;

    /// What the scheme promises and needs.
    fn facts(&self) -> &'static Facts;

    /// Prepares a key, once, when it is loaded.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the material is not such as [`Facts::fields`] says.
    fn prepare(&self, material: &Material) -> Result<Self::Key, KeyError>;

    /// Judges a payload under a key. `Malformed` comes before any work that depends on the key;
    /// from the first such step on it must take the same time whatever the payload proves.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where the payload is not one of the scheme, or does not prove the key.
    fn open(
        &self,
        key: &Self::Key,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError>;

    /// Appends the payload of a new credential to `out`.
    ///
    /// # Errors
    ///
    /// [`SealError`] where the request cannot be bound, or randomness is not to be had.
    fn seal(&self, key: &Self::Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError>;

    /// The one bare value of a key, where [`Facts::may_be_bare`].
    fn bare<'k>(&self, _key: &'k Self::Key) -> Option<&'k [u8]> {
        None
    }

    /// What the request was commonly mistaken for, if this refused payload would prove the key under
    /// that reading. For the operator's log alone: it changes no verdict. It must take the same time
    /// whatever the payload proves.
    fn misread(
        &self,
        _key: &Self::Key,
        _payload: Payload<'_>,
        _cx: &Context<'_>,
    ) -> Option<&'static str> {
        None
    }

    /// What the parts of a payload are, for a person. Of a payload in a form that the facts allow it
    /// must find a [`Fault`] exactly where `open` answers `Malformed`.
    ///
    /// # Errors
    ///
    /// [`Fault`] with the place in the payload where it stops being one.
    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        Ok(vec![Part::new("payload", format!("{} bytes", payload.as_bytes().len()))])
    }
}

/// One part of an explained payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in the specification.
    pub name: &'static str,
    /// What it says.
    pub meaning: String,
}

impl Part {
    /// A part.
    pub fn new(name: &'static str, meaning: impl Into<String>) -> Self {
        Self { name, meaning: meaning.into() }
    }
}
