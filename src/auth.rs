//! One authenticator for all services of a process.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use crate::{verifier::Verifier, verify::Fences};

/// A [`Verifier`] to hand around: a clone is another handle on the same keys, policy and replay
/// memory. HTTP layers are made from it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyscheme::{Authenticator, KeyConfig, Material, ServiceConfig, Verifier};
///
/// let auth = Authenticator::new(Verifier::builder()
///     .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
///     .key("spring-main", KeyConfig::new("spring-2026-11", "hmac1", Material::new()
///         .with("secret", [7; 32].as_slice())))
///     .build()?);
/// assert!(auth.verifier().service("stt").is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Verifier>,
    fences: Mutex<Fences>,
}

impl Authenticator {
    /// An authenticator with this verifier.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        let current = ArcSwap::new(verifier.into());
        Self { shared: Arc::new(Shared { current, fences: Mutex::default() }) }
    }

    /// The verifier of this moment. Use one for a request from start to end.
    pub fn verifier(&self) -> Arc<Verifier> {
        self.shared.current.load_full()
    }

    /// [`Self::verifier`] for a moment.
    pub(crate) fn current(&self) -> impl Deref<Target = Arc<Verifier>> + use<> {
        self.shared.current.load()
    }

    /// Judges by the keys and the policy of another verifier from now on. What was used before is
    /// remembered, so its replay memory stays unused.
    ///
    /// Where a scheme becomes single use, or older credentials are accepted than before, those that
    /// may have been used meanwhile are answered "not now": of the former all that were issued until
    /// 30 seconds from now.
    pub fn replace(&self, verifier: Verifier) {
        // A panic cannot have left it half done: what is in there only ever grows.
        let mut fences = self.shared.fences.lock().unwrap_or_else(PoisonError::into_inner);
        let verifier = verifier.in_place_of(&self.verifier(), &mut fences);
        self.shared.current.store(Arc::new(verifier));
    }
}

impl From<Verifier> for Authenticator {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifier = self.verifier();
        let services = verifier.snapshot().services();
        let names = services.iter().map(|rules| rules.service().name());
        f.debug_tuple("Authenticator").field(&names.collect::<Vec<_>>()).finish()
    }
}
