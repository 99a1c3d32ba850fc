//! One authenticator for all services of a process.

use std::{fmt, sync::Arc};

use crate::verifier::Verifier;

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
    verifier: Arc<Verifier>,
}

impl Authenticator {
    /// An authenticator with this verifier.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self { verifier: verifier.into() }
    }

    /// The verifier. Use one for a request from start to end.
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }
}

impl From<Verifier> for Authenticator {
    fn from(verifier: Verifier) -> Self {
        Self::new(verifier)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.verifier.snapshot();
        let services = snapshot.services();
        let names = services.iter().map(|rules| rules.service().name());
        f.debug_tuple("Authenticator").field(&names.collect::<Vec<_>>()).finish()
    }
}
