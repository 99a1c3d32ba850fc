//! The schemes that can be named, as a value that is passed in.

use std::{collections::HashSet, sync::Arc};

use sha2::{Digest, Sha256};

#[cfg(feature = "conformance")]
use crate::conformance::{Broken, Report};
use crate::{
    error::{ConfigError, Mistake},
    issue::Issuer,
    key::{Registered, name_of},
    material::Material,
    scheme::{Cbc1, Ecb0, Facts, Gcm1, Hmac1, KeyScheme, Part, Payload},
    wire::Fault,
};

/// The schemes that can be named. Always a value that is passed in; there is no global one.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(crate) schemes: Vec<Arc<dyn Registered>>,
}

impl Default for Registry {
    /// The four built-in schemes.
    fn default() -> Self {
        Self::empty().with(Ecb0).with(Cbc1).with(Gcm1).with(Hmac1)
    }
}

impl Registry {
    /// No schemes.
    pub fn empty() -> Self {
        Self { schemes: Vec::new() }
    }

    /// These schemes and one more.
    #[must_use]
    pub fn with(mut self, scheme: impl KeyScheme) -> Self {
        self.schemes.push(Arc::new(Arc::new(scheme)));
        self
    }

    /// What each scheme promises, in order.
    pub fn facts(&self) -> impl Iterator<Item = &'static Facts> {
        self.schemes.iter().map(|scheme| scheme.facts())
    }

    /// An issuer under a scheme that is known by name. See [`Issuer::new`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no such scheme, or a name or the material is not such as it
    /// needs.
    pub fn issuer(
        &self,
        scheme: &str,
        service: &str,
        key_id: &str,
        material: &Material,
    ) -> Result<Issuer, ConfigError> {
        let Some(registered) = self.registered(scheme) else {
            return Err(ConfigError::one(unknown_scheme("scheme".to_owned(), scheme, self)));
        };
        Issuer::of(registered, service, key_id, material)
    }

    /// Holds every scheme to its facts. See [`conformance::check`](crate::conformance::check).
    #[cfg(feature = "conformance")]
    pub fn check(&self) -> impl Iterator<Item = (&'static str, Result<Report, Vec<Broken>>)> {
        self.schemes.iter().map(|scheme| (scheme.facts().id, scheme.check()))
    }

    /// What stands for the value of a key without prefix, where its scheme has one and takes the
    /// material: its SHA-256, since the value itself is as good as the key.
    pub(crate) fn bare_digest(&self, scheme: &str, material: &Material) -> Option<[u8; 32]> {
        let registered = self.registered(scheme)?;
        if !registered.facts().may_be_bare {
            return None;
        }
        registered.sealer(material).ok()?.bare().map(|value| Sha256::digest(value).into())
    }

    /// The parts of a payload of this scheme, for a person; `None` where there is no such scheme.
    /// Where the value is bare, `scheme` is `None`.
    ///
    /// # Errors
    ///
    /// [`Fault`](crate::Fault) with the place in the payload where it stops being one.
    pub fn explain(
        &self,
        scheme: Option<&str>,
        payload: &[u8],
    ) -> Option<(&'static Facts, Result<Vec<Part>, Fault>)> {
        let meant = |facts: &Facts| scheme.map_or(facts.may_be_bare, |name| facts.id == name);
        let found = self.schemes.iter().find(|registered| meant(registered.facts()))?;
        let payload = match scheme {
            Some(_) => Payload::Tagged(payload),
            None => Payload::Bare(payload),
        };
        Some((found.facts(), found.explain(payload)))
    }

    pub(crate) fn registered(&self, id: &str) -> Option<&dyn Registered> {
        self.schemes.iter().find(|scheme| scheme.facts().id == id).map(AsRef::as_ref)
    }

    /// The place and the facts of the scheme of this name.
    pub(crate) fn find(&self, id: &str) -> Option<(usize, &'static Facts)> {
        self.facts().enumerate().find(|(_, facts)| facts.id == id)
    }

    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut seen = HashSet::new();
        for facts in self.facts() {
            let path = format!("scheme {:?}", facts.id);
            if name_of(facts).is_none() {
                let remedy = "use 2 to 16 of a-z and 0-9, beginning with a letter";
                mistakes.push(Mistake::new(&path, "is not a name for the wire", remedy));
            }
            if !seen.insert(facts.id) {
                mistakes.push(Mistake::new(&path, "is registered twice", "register it once"));
            }
        }
        let bare: Vec<_> = self.facts().filter(|f| f.may_be_bare).map(|f| f.id).collect();
        if let [first, second, ..] = bare.as_slice() {
            let problem = format!("may be bare, as {first:?} already may");
            let remedy = "only one scheme of a registry can own the values without prefix";
            mistakes.push(Mistake::new(format!("scheme {second:?}"), problem, remedy));
        }
        mistakes
    }
}

/// A name that no scheme has, and the one that was probably meant.
pub(crate) fn unknown_scheme(path: String, found: &str, registry: &Registry) -> Mistake {
    let known: Vec<_> = registry.facts().map(|facts| facts.id).collect();
    let remedy = match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}? known: {}", known.join(", ")),
        None => format!("known: {}", known.join(", ")),
    };
    Mistake::new(path, format!("{found:?} is no scheme"), remedy)
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let score = |name: &str| strsim::normalized_damerau_levenshtein(found, name);
    known
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
