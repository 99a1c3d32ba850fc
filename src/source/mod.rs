//! Where secrets come from. Never from the configuration itself: it names them.

#[cfg(feature = "aws")]
mod aws;
mod credential;
mod env;
mod file;
#[cfg(any(feature = "aws", feature = "vault"))]
mod json;
mod read;
#[cfg(feature = "vault")]
mod vault;

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;

#[cfg(feature = "aws")]
pub(crate) use self::aws::AwsSource;
#[cfg(feature = "config")]
pub(crate) use self::read::read_at_most;
#[cfg(feature = "vault")]
pub(crate) use self::vault::{Login, VaultSettings, VaultSource};
pub use self::{credential::CredentialSource, env::EnvSource, file::FileSource};
use crate::{error::BackendError, secret::Secret};

/// What is wrong with a text in the place of an address. One that may hold a password is not shown.
#[cfg(any(feature = "aws", feature = "vault"))]
pub(crate) fn no_address(text: &str) -> String {
    const PROBLEM: &str = "is no address of a server";
    if text.contains(['@', '?']) { PROBLEM.to_owned() } else { format!("{text:?} {PROBLEM}") }
}

/// The name of a secret in its source: `{ env = "SALT" }`, `{ file = "/run/secrets/spring-main" }`,
/// `{ aws = "prod/stt", field = "hmac" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretRef {
    /// The kind of source, such as `env` or `file`, or one that was registered.
    pub source: String,
    /// The name of the secret there.
    pub name: String,
    /// What else is said of it: of the source's [options](SecretSource::options) those that are there.
    pub options: BTreeMap<String, String>,
}

impl SecretRef {
    /// A secret of this name, without options.
    pub fn new(source: impl Into<String>, name: impl Into<String>) -> Self {
        Self { source: source.into(), name: name.into(), options: BTreeMap::new() }
    }

    /// This one with an option.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.insert(option.into(), value.into());
        self
    }

    /// What an option says.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.source, self.name)?;
        self.options.iter().try_for_each(|(option, value)| write!(f, ", {option} {value:?}"))
    }
}

/// The options of the secret managers, which a build without them knows too.
#[cfg(feature = "config")]
pub(crate) const AWS_OPTIONS: [&str; 2] = ["field", "version"];
#[cfg(feature = "config")]
pub(crate) const VAULT_OPTIONS: [&str; 3] = ["field", "mount", "version"];

/// What a source holds under a name.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Bytes: the secret itself, where the reference does not say an encoding.
    Bytes(Secret),
    /// Text, which stands for the secret in the encoding that the reference says or the field has.
    Text(Secret),
}

impl From<Secret> for Fetched {
    fn from(text: Secret) -> Self {
        Self::Text(text)
    }
}

/// Fetches secrets by name. Register one with `Loader::source`.
///
/// ```
/// use keyscheme::{BackendError, Fetched, Secret, SecretRef, SecretSource};
///
/// /// `{ keyring = "stt", account = "spring" }`
/// #[derive(Debug)]
/// struct Keyring;
///
/// #[async_trait::async_trait]
/// impl SecretSource for Keyring {
///     fn options(&self) -> &[&'static str] {
///         &["account"]
///     }
///
///     async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
///         match (secret.name.as_str(), secret.option("account")) {
///             ("stt", Some("spring")) => Ok(Secret::from("open sesame").into()),
///             _ => Err(BackendError::new("keyring", format!("{secret}: there is none"))
///                 .with_remedy("add it, or name the one that is meant")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// The fields that a reference may have beside the name of the secret and `encoding`. Any other is
    /// a mistake of the configuration.
    fn options(&self) -> &[&'static str] {
        &[]
    }

    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// [`BackendError`] where there is none, or the source is out of reach. It must not show any of
    /// the secret.
    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError>;
}
