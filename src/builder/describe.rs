//! Services and keys, as they are described: plain data, not checked yet.

use crate::{key::KeyState, material::Material, policy::MaxAge, time::UnixTime};

/// A service, as it is described.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Its name.
    pub name: String,
    /// The header that it reads.
    pub header: String,
    /// The scheme that its clients should send.
    pub issue: String,
    /// The schemes that it accepts.
    pub accept: Vec<AcceptConfig>,
}

impl ServiceConfig {
    /// A service that reads `x-api-key` and accepts nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            header: "x-api-key".to_owned(),
            issue: String::new(),
            accept: Vec::new(),
        }
    }

    /// Reads this header.
    #[must_use]
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// Wants this scheme. It must be accepted too.
    #[must_use]
    pub fn issue(mut self, scheme: impl Into<String>) -> Self {
        self.issue = scheme.into();
        self
    }

    /// Accepts this scheme too: a name alone, or an [`AcceptConfig`] with conditions.
    #[must_use]
    pub fn accept(mut self, entry: impl Into<AcceptConfig>) -> Self {
        self.accept.push(entry.into());
        self
    }
}

/// A scheme that a service accepts, and on which terms.
#[derive(Clone, Debug)]
pub struct AcceptConfig {
    /// The scheme.
    pub scheme: String,
    /// The first instant at which it is no longer accepted. Mandatory where the scheme is not
    /// authentic or not fresh.
    pub until: Option<UnixTime>,
    /// The only clients that it is accepted from.
    pub clients: Option<Vec<String>>,
    /// How old a credential may be; 300 s where nothing is said.
    pub max_age: Option<MaxAge>,
    /// Whether a credential is accepted once only, where the scheme leaves that open.
    pub once: bool,
    /// Whether a credential that could cover the body need not.
    pub danger_uncovered_body: bool,
}

impl AcceptConfig {
    /// This scheme, without conditions.
    pub fn new(scheme: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            until: None,
            clients: None,
            max_age: None,
            once: false,
            danger_uncovered_body: false,
        }
    }

    /// Until this instant, which is not included.
    #[must_use]
    pub fn until(mut self, until: UnixTime) -> Self {
        self.until = Some(until);
        self
    }

    /// From these clients only.
    #[must_use]
    pub fn clients<C: Into<String>>(mut self, clients: impl IntoIterator<Item = C>) -> Self {
        self.clients = Some(clients.into_iter().map(Into::into).collect());
        self
    }

    /// To this age.
    #[must_use]
    pub fn max_age(mut self, max_age: MaxAge) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Once only.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Even where the credential does not cover the body: anybody on the way may change it.
    #[must_use]
    pub fn danger_uncovered_body(mut self) -> Self {
        self.danger_uncovered_body = true;
        self
    }
}

impl From<&str> for AcceptConfig {
    fn from(scheme: &str) -> Self {
        Self::new(scheme)
    }
}

/// A key, as it is described.
#[derive(Clone, Debug)]
pub struct KeyConfig {
    /// Its id, which credentials name. One of a ring.
    pub id: String,
    /// Its scheme.
    pub scheme: String,
    /// Its secrets.
    pub material: Material,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The first instant at which it verifies.
    pub not_before: Option<UnixTime>,
    /// The first instant at which it no longer does.
    pub not_after: Option<UnixTime>,
}

impl KeyConfig {
    /// An active key.
    pub fn new(id: impl Into<String>, scheme: impl Into<String>, material: Material) -> Self {
        Self {
            id: id.into(),
            scheme: scheme.into(),
            material,
            state: KeyState::Active,
            not_before: None,
            not_after: None,
        }
    }

    /// In this state.
    #[must_use]
    pub fn state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }

    /// Verifies from this instant on.
    #[must_use]
    pub fn not_before(mut self, not_before: UnixTime) -> Self {
        self.not_before = Some(not_before);
        self
    }

    /// Verifies until this instant, which is not included.
    #[must_use]
    pub fn not_after(mut self, not_after: UnixTime) -> Self {
        self.not_after = Some(not_after);
        self
    }
}
