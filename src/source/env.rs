//! Secrets in environment variables, and for those that are not set in a `.env` file.

use std::{collections::HashMap, ffi::OsString};

use async_trait::async_trait;

use super::{Fetched, SecretRef, SecretSource};
use crate::{error::BackendError, secret::Secret};

/// The environment of this process. A variable of the process wins over the `.env` file.
#[derive(Debug, Default)]
pub struct EnvSource {
    dotenv: HashMap<String, Secret>,
    /// What to call the `.env` file in a message.
    dotenv_name: Option<String>,
}

impl EnvSource {
    /// The process's variables alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The process's variables, and these where it has none. `name` says where they are from.
    #[must_use]
    pub fn with_dotenv(
        name: impl Into<String>,
        variables: impl IntoIterator<Item = (String, Secret)>,
    ) -> Self {
        Self { dotenv: variables.into_iter().collect(), dotenv_name: Some(name.into()) }
    }
}

#[async_trait]
impl SecretSource for EnvSource {
    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        if let Some(value) = std::env::var_os(&secret.name) {
            return Ok(Secret::from(OsString::into_encoded_bytes(value)).into());
        }
        self.dotenv.get(&secret.name).cloned().map(Fetched::Text).ok_or_else(|| {
            let cause = match &self.dotenv_name {
                Some(file) => format!("{} is not set, and {file} has none either", secret.name),
                None => format!("{} is not set", secret.name),
            };
            let remedy = "set it, or name the variable that is meant";
            BackendError::new("environment", cause).with_remedy(remedy)
        })
    }
}
