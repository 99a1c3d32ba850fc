//! Fetching what a configuration names: each secret from its source, decoded.

use std::{collections::HashSet, sync::Arc};

use super::{secret::DescribedSecret, walk::Found};
use crate::{
    encoding::Encoding,
    secret::Secret,
    source::{Fetched, SecretSource},
};

/// The sources of one load.
#[derive(Debug)]
pub(super) struct Fetcher {
    sources: Vec<(String, Arc<dyn SecretSource>)>,
    /// Those that are out of reach, which was said already.
    silent: HashSet<String>,
}

impl Fetcher {
    /// Of two sources with one name the first is asked.
    pub(super) fn new(sources: Vec<(String, Arc<dyn SecretSource>)>) -> Self {
        Self { sources, silent: HashSet::new() }
    }

    #[cfg(any(feature = "aws", feature = "vault"))]
    pub(super) fn knows(&self, source: &str) -> bool {
        self.sources.iter().any(|(known, _)| known == source)
    }

    #[cfg(any(feature = "aws", feature = "vault"))]
    pub(super) fn add(&mut self, name: &str, source: Arc<dyn SecretSource>) {
        self.sources.push((name.to_owned(), source));
    }

    /// What a variable of the environment holds.
    #[cfg(feature = "vault")]
    pub(super) async fn variable(&self, name: &str) -> Option<Secret> {
        let (_, env) = self.sources.iter().find(|(known, _)| known == ENV)?;
        let (Fetched::Bytes(value) | Fetched::Text(value)) =
            env.fetch(&crate::source::SecretRef::new(ENV, name)).await.ok()?;
        Some(value).filter(|value| !value.is_empty())
    }

    /// Says nothing of what is not found in this source.
    pub(super) fn silence(&mut self, source: &str) {
        self.silent.insert(source.to_owned());
    }

    /// One secret, decoded.
    pub(super) async fn fetch(
        &mut self,
        described: &DescribedSecret,
        found: &mut Found,
    ) -> Option<Secret> {
        let DescribedSecret { path, field, encoding, name } = described;
        let (_, source) = self.sources.iter().find(|(known, _)| *known == name.source)?;
        if name.source != ENV && self.silent.contains(&name.source) {
            return None;
        }
        let (text, encoding) = match source.fetch(name).await {
            Ok(Fetched::Bytes(bytes)) => (bytes, encoding.unwrap_or(Encoding::Utf8)),
            Ok(Fetched::Text(text)) => (text, encoding.unwrap_or(field.encoding)),
            // Nothing of a `.env` file that could not be read is missing for a reason of its own.
            Err(_) if self.silent.contains(&name.source) => return None,
            Err(error) => {
                let remedy =
                    error.remedy().unwrap_or("make it readable, or name the one that is meant");
                found.wrong(path, error.to_string(), remedy);
                if error.is_outage() {
                    self.silence(&name.source);
                }
                return None;
            }
        };
        match encoding.decode(text.expose()) {
            Ok(bytes) => match field.misread(text.expose(), &bytes) {
                None => return Some(bytes),
                Some(meant) => {
                    let problem = format!("has {} bytes, read as {}", bytes.len(), encoding.name());
                    let remedy = format!(
                        "give {}; likely cause: it is {1}: say encoding = \"{1}\"",
                        field.lengths,
                        meant.name()
                    );
                    found.wrong(path, problem, &remedy);
                }
            },
            Err(error) => {
                let fields = source.options().contains(&"field") && name.option("field").is_none();
                let remedy = if fields && text.expose().trim_ascii_start().starts_with(b"{") {
                    "it is JSON: say which field = \"…\" of it"
                } else {
                    "mend it, or say its encoding: utf8, hex, base64 or base64url"
                };
                found.wrong(path, error.to_string(), remedy);
            }
        }
        None
    }
}

/// What can be set there, even where its file cannot be read.
const ENV: &str = "env";
