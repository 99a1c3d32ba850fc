//! Secrets in the KV engine, version 2, of HashiCorp Vault and OpenBao.
//!
//! ```text
//! POST   /v1/auth/MOUNT/login             approle: role_id, secret_id; kubernetes: role, jwt
//! GET    /v1/MOUNT/data/PATH[?version=N]  { "data": { "data": { FIELD: "…" }, "metadata": { … } } }
//! POST   /v1/auth/token/revoke-self       a token that was got by a login, when all is read
//! ```
//!
//! Three requests need no client library: the one there is keeps what it reads in strings that nobody
//! erases.

mod login;
mod server;

use std::collections::HashMap;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use tokio::sync::Mutex;

pub(crate) use self::login::Login;
use self::server::{REACH, Server, Unanswered, WHAT, address, client, namespace};
use super::{Fetched, SecretRef, SecretSource, VAULT_OPTIONS, json};
use crate::{
    error::{BackendError, Mistake},
    secret::Secret,
};

/// How Vault is reached.
#[derive(Debug)]
pub(crate) struct VaultSettings {
    pub(crate) address: String,
    pub(crate) namespace: Option<String>,
    /// Where the engine is, where the names of secrets do not begin with it.
    pub(crate) mount: Option<String>,
    /// The only authorities that are trusted, in PEM; otherwise the system's.
    pub(crate) authorities: Option<Secret>,
    pub(crate) login: Login,
}

/// Secrets as they were when they were first asked for.
#[derive(Debug)]
pub(crate) struct VaultSource {
    server: Server,
    mount: Option<String>,
    login: Login,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Secret>,
    answers: HashMap<Place, Secret>,
}

/// A secret, without its field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    mount: String,
    path: String,
    version: Option<u32>,
}

impl VaultSource {
    pub(crate) fn new(settings: VaultSettings) -> Result<Self, Mistake> {
        let VaultSettings { address: at, namespace: name, mount, authorities, login } = settings;
        let address = address(&at)?;
        let namespace = name.as_deref().map(namespace).transpose()?;
        login.check()?;
        let http = client(&address, authorities.as_ref())?;
        let server = Server { http, address, namespace };
        Ok(Self { server, mount, login, state: Mutex::default() })
    }

    /// Gives back the token that a login has got: the next load gets another.
    pub(crate) async fn close(&self) {
        let token = self.state.lock().await.token.take();
        if let Some(token) = token.filter(|_| self.login.is_login()) {
            let url = self.server.url(&["auth/token/revoke-self"]);
            // If it cannot be done, the token ends with its lease.
            let _ = self.server.ask(Method::POST, url, Some(&token), None).await;
        }
    }

    /// All fields of a secret, as JSON.
    async fn whole(&self, place: &Place, name: &str) -> Result<Secret, BackendError> {
        let mut state = self.state.lock().await;
        if let Some(answer) = state.answers.get(place) {
            return Ok(answer.clone());
        }
        let token = match &state.token {
            Some(token) => token.clone(),
            None => state.token.insert(self.login.token(&self.server).await?).clone(),
        };
        let Place { mount, path, version } = place;
        let wrong = |cause: String, remedy: String| {
            BackendError::new(WHAT, format!("{name:?}: {cause}")).with_remedy(remedy)
        };
        let mut url = self.server.url(&[mount, "data", path]);
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("version", &version.to_string());
        }
        let answer = match self.server.ask(Method::GET, url, Some(&token), None).await {
            Ok(answer) => answer,
            Err(Unanswered(why)) => return Err(wrong(why, REACH.to_owned()).outage()),
        };
        let which = version.map(|n| format!("version {n} of ")).unwrap_or_default();
        match answer.status {
            StatusCode::OK => {
                let fields = answer.raw("data", "data").ok_or_else(|| {
                    let remedy = "name a KV engine of version 2".to_owned();
                    wrong("the answer is not one of a KV engine".to_owned(), remedy)
                })?;
                state.answers.insert(place.clone(), fields.clone());
                Ok(fields)
            }
            StatusCode::FORBIDDEN => Err(wrong(
                "permission is denied".to_owned(),
                format!(
                    "let a policy of the token read \"{mount}/data/{path}\", or give another token \
                     where this one has expired"
                ),
            )),
            // A version that was deleted is answered with its metadata.
            StatusCode::NOT_FOUND if answer.raw("data", "metadata").is_some() => Err(wrong(
                format!("{which}\"{mount}/data/{path}\" is deleted"),
                "restore it, or name another version".to_owned(),
            )),
            StatusCode::NOT_FOUND => Err(wrong(
                format!("there is no {which}\"{mount}/data/{path}\""),
                "mend mount and path, without \"data/\"; the engine must be KV of version 2"
                    .to_owned(),
            )),
            StatusCode::BAD_REQUEST => Err(wrong(
                "the request is refused (400)".to_owned(),
                "mend the name or secrets.vault.namespace".to_owned(),
            )),
            _ => {
                let (cause, remedy) = answer.trouble();
                Err(wrong(cause, remedy.to_owned()).outage())
            }
        }
    }

    fn place(&self, secret: &SecretRef) -> Result<Place, BackendError> {
        let wrong = |cause: String, remedy: &'static str| {
            BackendError::new(WHAT, format!("{:?}: {cause}", secret.name)).with_remedy(remedy)
        };
        let version = match secret.option("version") {
            None => None,
            Some(said) => match said.parse::<u32>() {
                Ok(version) if version > 0 => Some(version),
                _ => {
                    let remedy = "write its number; without one the newest is read";
                    return Err(wrong(format!("{said:?} is no version"), remedy));
                }
            },
        };
        let mount = secret.option("mount").or(self.mount.as_deref());
        let (mount, path) = match mount {
            Some(mount) => (mount, secret.name.as_str()),
            None => secret.name.split_once('/').ok_or_else(|| {
                let remedy = "write it in front, as in \"secret/stt\", or say mount";
                wrong("names no mount".to_owned(), remedy)
            })?,
        };
        for part in [mount, path].iter().flat_map(|part| part.split('/')) {
            if matches!(part, "" | "." | "..") {
                let remedy = "write its path without a / at either end";
                return Err(wrong("is no path of a secret".to_owned(), remedy));
            }
        }
        Ok(Place { mount: mount.to_owned(), path: path.to_owned(), version })
    }
}

#[async_trait]
impl SecretSource for VaultSource {
    fn options(&self) -> &[&'static str] {
        &VAULT_OPTIONS
    }

    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        let place = self.place(secret)?;
        let Some(field) = secret.option("field") else {
            let cause = format!("{:?}: a secret has fields, and none is named", secret.name);
            return Err(BackendError::new(WHAT, cause).with_remedy("say field = \"…\""));
        };
        let whole = self.whole(&place, &secret.name).await?;
        json::text_field(whole.expose(), field).map(Fetched::Text).map_err(|why| {
            BackendError::new(WHAT, format!("{:?}: its field {field:?} {why}", secret.name))
                .with_remedy(why.remedy())
        })
    }
}
