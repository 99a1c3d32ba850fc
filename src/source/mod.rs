//! Where secrets come from. Never from the configuration itself: it names them.

mod env;
mod file;
mod read;

use std::fmt;

use async_trait::async_trait;

#[cfg(feature = "config")]
pub(crate) use self::read::read_at_most;
pub use self::{env::EnvSource, file::FileSource};
use crate::{error::BackendError, secret::Secret};

/// The name of a secret in its source: `{ env = "SALT" }`, `{ file = "/run/secrets/spring-main" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// The kind of source, `env` or `file`, or one that was registered.
    pub source: String,
    /// The name of the secret there.
    pub name: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.source, self.name)
    }
}

/// Fetches secrets by name. What comes back is the text, before its `encoding` is undone.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// [`BackendError`] where there is none, or the source is out of reach. It must not show any of
    /// the secret.
    async fn fetch(&self, name: &SecretRef) -> Result<Secret, BackendError>;
}
