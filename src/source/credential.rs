//! Secrets that systemd hands to a service: `LoadCredential=`, `LoadCredentialEncrypted=`.

use std::path::Path;

use async_trait::async_trait;

use super::{Fetched, SecretRef, SecretSource, file};
use crate::error::BackendError;

/// Credentials of the systemd unit that this process is of: the files of `$CREDENTIALS_DIRECTORY`. One
/// line end behind the secret is taken off.
#[derive(Debug)]
pub struct CredentialSource;

#[async_trait]
impl SecretSource for CredentialSource {
    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        let wrong = |cause, remedy: &'static str| {
            Err(BackendError::new("systemd credential", cause).with_remedy(remedy))
        };
        if secret.name.contains('/') || matches!(secret.name.as_str(), "" | "." | "..") {
            let remedy = "write the name that LoadCredential= gives it, or use { file = \"path\" }";
            return wrong(format!("{:?} is no name of one", secret.name), remedy);
        }
        let Some(directory) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
            let remedy = "start the service with systemd, with LoadCredential= in its unit";
            return wrong("CREDENTIALS_DIRECTORY is not set".to_owned(), remedy);
        };
        file::read("systemd credential", &Path::new(&directory).join(&secret.name))
            .map(Fetched::Text)
    }
}
