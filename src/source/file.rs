//! Secrets in files of their own, as Docker and Kubernetes mount them.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Fetched, SecretRef, SecretSource, read::read_at_most};
use crate::{error::BackendError, secret::Secret};

/// Files; relative names are below a directory. One line end behind the secret is taken off.
///
/// A file is opened once, so that what is read is of one version where the name is a link that is
/// turned meanwhile, as Kubernetes does.
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

#[async_trait]
impl SecretSource for FileSource {
    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        read("secret file", &self.directory.join(&secret.name)).map(Fetched::Text)
    }
}

/// A file's content without the line end behind it.
pub(super) fn read(what: &'static str, path: &Path) -> Result<Secret, BackendError> {
    let content = read_at_most(path, LONGEST).map_err(|error| {
        BackendError::new(what, format!("{}: {error}", path.display()))
            .with_remedy("make it readable, or name the one that is meant")
    })?;
    let text = content.expose();
    Ok(match text.strip_suffix(b"\n") {
        Some(line) => Secret::from(line.strip_suffix(b"\r").unwrap_or(line)),
        None => content,
    })
}

/// No secret of any scheme is nearly as long.
const LONGEST: usize = 64 * 1024;
