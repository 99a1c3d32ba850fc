//! Secrets in files of their own, as Docker, Kubernetes and systemd mount them.

use std::path::PathBuf;

use async_trait::async_trait;

use super::{SecretRef, SecretSource, read::read_at_most};
use crate::{error::BackendError, secret::Secret};

/// Files; relative names are below a directory. One line end behind the secret is taken off.
#[derive(Debug)]
pub struct FileSource {
    directory: PathBuf,
}

impl FileSource {
    /// Relative names are below `directory`.
    pub fn below(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

/// No secret of any scheme is nearly as long.
const LONGEST: usize = 64 * 1024;

#[async_trait]
impl SecretSource for FileSource {
    async fn fetch(&self, secret: &SecretRef) -> Result<Secret, BackendError> {
        let path = self.directory.join(&secret.name);
        let content = read_at_most(&path, LONGEST).map_err(|error| {
            BackendError::new("secret file", format!("{}: {error}", path.display()))
        })?;
        let text = content.expose();
        Ok(match text.strip_suffix(b"\n") {
            Some(line) => Secret::from(line.strip_suffix(b"\r").unwrap_or(line)),
            None => content,
        })
    }
}
