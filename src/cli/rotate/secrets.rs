//! Where the secrets of a new key are: what the operator has named, or files that are made.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use keyscheme::{BackendError, Facts, Fetched, Field, FileSource, Secret, SecretRef, SecretSource};
use zeroize::Zeroizing;

use super::{
    super::{Unusable, key::secret},
    edit::{is_table, quoted},
    file::NewSecret,
};

/// The secrets of a key that is not in the file yet.
#[derive(Default)]
pub(super) struct Secrets {
    /// Field and reference, as TOML.
    pub(super) fields: Vec<(&'static str, String)>,
    new: Vec<(PathBuf, Zeroizing<String>)>,
}

impl Secrets {
    /// Those that were named, one for each field of a scheme. Relative files are below `directory`.
    pub(super) fn named(
        texts: &[String],
        facts: &'static Facts,
        directory: &Path,
    ) -> Result<Self, Unusable> {
        let mut secrets = Self::default();
        for text in texts {
            let (field, reference) = field_of(text, facts)?;
            if secrets.fields.iter().any(|(name, _)| *name == field.name) {
                return Err(wrong(text, &format!("{} is named twice", field.name)));
            }
            let toml = match reference.split_once(':') {
                Some(("env", name)) if is_plain(name) => format!("{{ env = {} }}", quoted(name)),
                Some(("file", name)) if is_plain(name) => format!("{{ file = {} }}", quoted(name)),
                Some(("new-file", name)) if is_plain(name) => {
                    let path = directory.join(name);
                    if fs::symlink_metadata(&path).is_ok() || secrets.makes(&path) {
                        return Err(wrong(text, "is there already; name a file that is not"));
                    }
                    secrets.new.push((path, secret(field)?));
                    format!("{{ file = {} }}", quoted(name))
                }
                _ if is_plain(reference) && is_table(reference) => reference.to_owned(),
                _ => return Err(wrong(text, FORMS)),
            };
            secrets.fields.push((field.name, toml));
        }
        let is_missing =
            |field: &&Field| !secrets.fields.iter().any(|(name, _)| *name == field.name);
        let missing: Vec<_> =
            facts.fields.iter().filter(is_missing).map(|field| field.name).collect();
        if !missing.is_empty() {
            let (scheme, missing) = (facts.id, missing.join(" and "));
            let why = format!("--secret: a key of {scheme} has {missing} too; write ");
            return Err(Unusable(format!("{why}--secret FIELD=REFERENCE for each")));
        }
        Ok(secrets)
    }

    fn makes(&self, path: &Path) -> bool {
        self.new.iter().any(|(new, _)| new == path)
    }

    /// The files that are made.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.new.iter().map(|(path, _)| path.as_path())
    }

    /// Reads files as if those that are made were there.
    pub(super) fn source(&self, directory: &Path) -> Arc<dyn SecretSource> {
        let new = self.new.iter();
        let new = new.map(|(path, text)| (path.clone(), Secret::from(text.as_bytes()))).collect();
        let (directory, files) = (directory.to_owned(), FileSource::below(directory));
        Arc::new(Soon { directory, files, new })
    }

    /// Makes the files.
    pub(super) fn write(&self) -> Result<Vec<NewSecret>, Unusable> {
        self.new.iter().map(|(path, text)| NewSecret::write(path.clone(), text)).collect()
    }
}

/// The field that is meant, and the reference.
fn field_of<'t>(
    text: &'t str,
    facts: &'static Facts,
) -> Result<(&'static Field, &'t str), Unusable> {
    let named = text.split_once('=').map(|(name, rest)| (name.trim(), rest.trim()));
    for field in facts.fields {
        if let Some((name, reference)) = named
            && name == field.name
        {
            return Ok((field, reference));
        }
    }
    match facts.fields {
        [one] if !named.is_some_and(|(name, _)| name.bytes().all(is_name)) => {
            Ok((one, text.trim()))
        }
        _ => {
            let names: Vec<_> = facts.fields.iter().map(|field| field.name).collect();
            Err(wrong(text, &format!("names no secret of {}: {}", facts.id, names.join(", "))))
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

fn wrong(text: &str, why: &str) -> Unusable {
    Unusable(format!("--secret {text:?}: {why}"))
}

/// Files, and some that will be there soon.
#[derive(Debug)]
struct Soon {
    directory: PathBuf,
    files: FileSource,
    new: HashMap<PathBuf, Secret>,
}

#[async_trait]
impl SecretSource for Soon {
    async fn fetch(&self, name: &SecretRef) -> Result<Fetched, BackendError> {
        match self.new.get(&self.directory.join(&name.name)) {
            Some(secret) => Ok(secret.clone().into()),
            None => self.files.fetch(name).await,
        }
    }
}

const FORMS: &str = "write new-file:PATH, file:PATH, env:NAME, or what the configuration would say: \
                     { file = \"PATH\", encoding = \"hex\" }";
