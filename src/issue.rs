//! The caller's side: a header value for each request.

use std::{fmt, sync::Arc};

use crate::{
    error::{ConfigError, Mistake},
    id::{KeyId, ServiceName},
    key::{Registered, Sealer},
    material::Material,
    random::{OsRandom, Random},
    request::{Body, Context, Request},
    scheme::{Facts, KeyScheme, SealError, Sealing},
    time::{Clock, SystemClock},
    wire::MAX_CREDENTIAL,
};

/// Issues credentials of one scheme, under one key, for one service. No answer of a server changes
/// which.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyscheme::{Hmac1, Issuer, Material, Request};
///
/// let material = Material::new().with("secret", [7; 32].as_slice());
/// let issuer = Issuer::new(Hmac1, "stt", "spring-2026-11", &material)?;
///
/// let request = Request::new("POST", "/v1/stt?lang=ko").body("hello");
/// let value = issuer.issue(&request)?;
/// assert!(value.starts_with("hmac1.spring-2026-11."));
/// # Ok(()) }
/// ```
pub struct Issuer {
    service: ServiceName,
    key_id: KeyId,
    facts: &'static Facts,
    key: Box<dyn Sealer>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    bare: bool,
    cover_body: bool,
}

impl Issuer {
    /// An issuer for the service that is configured with the name `service`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where a name or the material is not such as the scheme needs.
    pub fn new(
        scheme: impl KeyScheme,
        service: &str,
        key_id: &str,
        material: &Material,
    ) -> Result<Self, ConfigError> {
        Self::of(&Arc::new(scheme), service, key_id, material)
    }

    pub(crate) fn of(
        scheme: &dyn Registered,
        service: &str,
        key_id: &str,
        material: &Material,
    ) -> Result<Self, ConfigError> {
        let mut mistakes = Vec::new();
        let service = ServiceName::new(service)
            .map_err(|e| mistakes.push(Mistake::new("service", "is no name", e.to_string())));
        let key_id = KeyId::new(key_id)
            .map_err(|e| mistakes.push(Mistake::new("id", "is no key id", e.to_string())));
        let mut wrong = material.mistakes(scheme.facts().fields);
        let key = match scheme.sealer(material) {
            Ok(key) => Some(key),
            Err(error) if wrong.is_empty() => {
                wrong.push(error);
                None
            }
            Err(_) => None,
        };
        mistakes.extend(wrong.into_iter().map(|e| Mistake::new(e.field, e.problem, e.remedy)));
        let issuer = match (service, key_id, key) {
            (Ok(service), Ok(key_id), Some(key)) => Some(Self {
                service,
                key_id,
                facts: scheme.facts(),
                key,
                clock: Arc::new(SystemClock),
                random: Arc::new(OsRandom),
                bare: false,
                cover_body: true,
            }),
            _ => None,
        };
        ConfigError::unless(mistakes, issuer)
    }

    /// Takes the time from here.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes nonces and IVs from here.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Leaves the prefix off, as legacy callers do.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Does not cover bodies, for callers that cannot know them in advance. Verifiers refuse that
    /// unless told otherwise.
    #[must_use]
    pub fn uncovered_body(mut self) -> Self {
        self.cover_body = false;
        self
    }

    /// A new header value for this request; its body is empty where none is given. Every
    /// transmission needs one of its own, retries and redirects included.
    ///
    /// # Errors
    ///
    /// [`SealError`] where the request cannot be bound, or there is no randomness.
    pub fn issue(&self, request: &Request<'_>) -> Result<String, SealError> {
        let body = if self.cover_body {
            Body::Content(request.body.unwrap_or_default())
        } else {
            Body::Uncovered
        };
        let sealing = Sealing {
            context: Context {
                service: self.service.as_bytes(),
                key_id: self.key_id.as_bytes(),
                method: request.method,
                target: request.target,
            },
            body,
            now: self.clock.now(),
            random: self.random.as_ref(),
            bare: self.bare,
        };
        if self.bare && self.key.bare().is_none() {
            return Err(SealError::NotBare);
        }
        let mut value = String::with_capacity(256);
        if !self.bare {
            for part in [self.facts.id, ".", self.key_id.as_str(), "."] {
                value.push_str(part);
            }
        }
        self.key.seal(&sealing, &mut value)?;
        if value.len() > MAX_CREDENTIAL { Err(SealError::TooLong) } else { Ok(value) }
    }

    /// Whether the body must be known when a credential is issued: the scheme binds it, and
    /// [`Self::uncovered_body`] was not said.
    pub fn covers_body(&self) -> bool {
        self.facts.binds.body && self.cover_body
    }

    /// The service that it issues for.
    pub fn service(&self) -> &str {
        self.service.as_str()
    }

    /// The scheme of its credentials.
    pub fn scheme(&self) -> &'static str {
        self.facts.id
    }

    /// The key that it issues under.
    pub fn key_id(&self) -> &str {
        self.key_id.as_str()
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("service", &self.service)
            .field("key_id", &self.key_id)
            .field("scheme", &self.facts.id)
            .finish_non_exhaustive()
    }
}
