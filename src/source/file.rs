//! Secrets in files of their own, as Docker, Kubernetes and systemd mount them.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{SecretRef, SecretSource};
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
const LONGEST: u64 = 64 * 1024;

#[async_trait]
impl SecretSource for FileSource {
    async fn fetch(&self, secret: &SecretRef) -> Result<Secret, BackendError> {
        let path = self.directory.join(&secret.name);
        let bytes = read(&path).map_err(|error| {
            BackendError::new("secret file", format!("{}: {error}", path.display()))
        })?;
        let text = bytes.expose();
        Ok(match text.strip_suffix(b"\n") {
            Some(line) => Secret::from(line.strip_suffix(b"\r").unwrap_or(line)),
            None => bytes,
        })
    }
}

fn read(path: &Path) -> std::io::Result<Secret> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    let bytes = Secret::from(bytes);
    if bytes.len() as u64 > LONGEST {
        return Err(std::io::Error::other("longer than 64 KiB; no secret is"));
    }
    Ok(bytes)
}
