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

use std::{collections::HashMap, error::Error, path::PathBuf, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Certificate, Client, Method, StatusCode, Url,
    header::{HeaderName, HeaderValue},
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{Fetched, SecretRef, SecretSource, VAULT_OPTIONS, json, read_at_most};
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

/// How a token is got.
#[derive(Debug)]
pub(crate) enum Login {
    AppRole { mount: String, role_id: String, secret_id: Secret },
    Kubernetes { mount: String, role: String, token_file: PathBuf },
    Token(Secret),
}

/// Secrets as they were when they were first asked for.
#[derive(Debug)]
pub(crate) struct VaultSource {
    http: Client,
    address: Url,
    namespace: Option<HeaderValue>,
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
        let VaultSettings { address, namespace, mount, authorities, login } = settings;
        let wrong = |field: &str, problem: String, remedy: &str| {
            Mistake::new(format!("secrets.vault.{field}"), problem, remedy)
        };
        let url = Url::parse(&address).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url.filter(|url| url.username().is_empty() && url.password().is_none())
        else {
            let remedy = "write one such as https://vault.example:8200";
            return Err(wrong("address", "is no address of a server".to_owned(), remedy));
        };
        let namespace = namespace.map(|name| HeaderValue::from_str(&name)).transpose();
        let namespace = namespace.map_err(|_| {
            wrong("namespace", "is no name of one".to_owned(), "write it as Vault shows it")
        })?;
        if let Login::Token(token) = &login
            && header(token).is_none()
        {
            let remedy = "give the token alone, without a line end or quotes";
            return Err(wrong("token", "is no token".to_owned(), remedy));
        }
        let unusable = |why: &(dyn Error + 'static)| {
            let remedy = "install the system's certificates, or name a PEM file of those to trust";
            wrong("ca-file", format!("no certificate can be trusted: {}", chain(why)), remedy)
        };
        let mut http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(LIMIT)
            // What follows a redirect would show the token to whoever is named there.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = authorities {
            let trusted = Certificate::from_pem_bundle(pem.expose()).map_err(|e| unusable(&e))?;
            if trusted.is_empty() {
                return Err(unusable(&std::fmt::Error));
            }
            http = http.tls_certs_only(trusted);
        } else if url.scheme() == "http" {
            // A machine without certificates can do without them here.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| unusable(&error))?;
        Ok(Self { http, address: url, namespace, mount, login, state: Mutex::default() })
    }

    /// Gives back the token that a login has got: the next load gets another.
    pub(crate) async fn close(&self) {
        let token = self.state.lock().await.token.take();
        if let (Some(token), Login::AppRole { .. } | Login::Kubernetes { .. }) =
            (token, &self.login)
        {
            // If it cannot be done, the token ends with its lease.
            let _ = self
                .ask(Method::POST, self.url(&["auth/token/revoke-self"]), Some(&token), None)
                .await;
        }
    }

    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            segments.extend(parts.iter().flat_map(|part| part.split('/')));
        }
        url
    }

    async fn ask(
        &self,
        method: Method,
        url: Url,
        token: Option<&Secret>,
        body: Option<String>,
    ) -> Result<Answer, Unanswered> {
        let mut request = self.http.request(method, url).header(REQUEST, "true");
        if let Some(namespace) = &self.namespace {
            request = request.header(NAMESPACE, namespace);
        }
        if let Some(token) = token.and_then(header) {
            request = request.header(TOKEN, token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let mut response = request.send().await?;
        let status = response.status();
        // Of the greatest size at once: a vector that grows leaves pieces of a secret behind.
        let mut body = Zeroizing::new(Vec::with_capacity(LONGEST));
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LONGEST {
                return Err(Unanswered(format!(
                    "the answer is longer than {} KiB",
                    LONGEST / 1024
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body: Secret::from(body.as_slice()) })
    }

    /// A token, from a login where none was given.
    async fn token(&self) -> Result<Secret, BackendError> {
        let (kind, mount, fields, hint) = match &self.login {
            Login::Token(token) => return Ok(token.clone()),
            Login::AppRole { mount, role_id, secret_id } => {
                let fields = [("role_id", role_id.as_bytes()), ("secret_id", secret_id.expose())];
                ("AppRole", mount, login_body(fields), APPROLE)
            }
            Login::Kubernetes { mount, role, token_file } => {
                let jwt = read_at_most(token_file, LONGEST_TOKEN).map_err(|error| {
                    let cause = format!("login with Kubernetes: {}: {error}", token_file.display());
                    let remedy = "mount the token of a service account there, or name its file in \
                                  secrets.vault.kubernetes.token-file";
                    BackendError::new(WHAT, cause).with_remedy(remedy).outage()
                })?;
                let fields = [("role", role.as_bytes()), ("jwt", jwt.expose().trim_ascii())];
                ("Kubernetes", mount, login_body(fields), KUBERNETES)
            }
        };
        let wrong = |cause: String, remedy: &'static str| {
            let cause = format!("login with {kind} at auth/{mount}: {cause}");
            BackendError::new(WHAT, cause).with_remedy(remedy).outage()
        };
        let Some(body) = fields else { return Err(wrong("is no text".to_owned(), hint)) };
        let url = self.url(&["auth", mount, "login"]);
        let answer = match self.ask(Method::POST, url, None, Some(body)).await {
            Ok(answer) => answer,
            Err(Unanswered(why)) => return Err(wrong(why, REACH)),
        };
        match answer.status {
            StatusCode::OK => answer
                .member("auth", "client_token")
                .filter(|token| header(token).is_some())
                .ok_or_else(|| wrong("the answer holds no token".to_owned(), REACH)),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(wrong(format!("it is refused ({})", answer.status.as_u16()), hint))
            }
            _ => {
                let (cause, remedy) = answer.trouble();
                Err(wrong(cause, remedy))
            }
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
            None => state.token.insert(self.token().await?).clone(),
        };
        let Place { mount, path, version } = place;
        let wrong = |cause: String, remedy: String| {
            BackendError::new(WHAT, format!("{name:?}: {cause}")).with_remedy(remedy)
        };
        let mut url = self.url(&[mount, "data", path]);
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("version", &version.to_string());
        }
        let answer = match self.ask(Method::GET, url, Some(&token), None).await {
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

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    body: Secret,
}

impl Answer {
    /// What stands at `{ outer: { inner: … } }`, where it is an object.
    fn raw(&self, outer: &str, inner: &str) -> Option<Secret> {
        let members = json::members(self.body.expose())?;
        let members = json::members(members.get(outer)?.get().as_bytes())?;
        let value = members.get(inner)?.get();
        value.starts_with('{').then(|| Secret::from(value))
    }

    /// The text that stands there.
    fn member(&self, outer: &str, inner: &str) -> Option<Secret> {
        let members = json::members(self.body.expose())?;
        json::text_field(members.get(outer)?.get().as_bytes(), inner).ok()
    }

    /// What is wrong with the server, in words of our own: its own might quote anything.
    fn trouble(&self) -> (String, &'static str) {
        let sealed =
            || self.body.expose().windows(6).any(|word| word.eq_ignore_ascii_case(b"sealed"));
        let status = self.status.as_u16();
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE if sealed() => ("it is sealed".to_owned(), "unseal it"),
            StatusCode::TOO_MANY_REQUESTS => ("it is asked too much".to_owned(), "try again"),
            status if status.is_redirection() => (
                format!("it points elsewhere ({})", status.as_u16()),
                "set secrets.vault.address to the server that answers",
            ),
            status if status.is_server_error() => {
                (format!("it is not available ({})", status.as_u16()), "see its log")
            }
            _ => {
                (format!("it answers {status}"), "set secrets.vault.address to a Vault or OpenBao")
            }
        }
    }
}

/// Why there is no answer.
struct Unanswered(String);

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        Self(match error {
            error if error.is_connect() => {
                format!("cannot be reached: {}", chain(&error.without_url()))
            }
            error if error.is_timeout() => format!("no answer within {} s", LIMIT.as_secs()),
            error => format!("no answer: {}", chain(&error.without_url())),
        })
    }
}

/// The innermost cause, which says most.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// `None` where no header can carry it.
fn header(token: &Secret) -> Option<HeaderValue> {
    let visible = !token.is_empty() && token.expose().iter().all(u8::is_ascii_graphic);
    let mut value = HeaderValue::from_bytes(token.expose()).ok().filter(|_| visible)?;
    value.set_sensitive(true);
    Some(value)
}

fn login_body(fields: [(&str, &[u8]); 2]) -> Option<String> {
    let mut texts = [("", ""); 2];
    for (text, (name, value)) in texts.iter_mut().zip(fields) {
        *text = (name, std::str::from_utf8(value).ok()?);
    }
    serde_json::to_string(&HashMap::from(texts)).ok()
}

const WHAT: &str = "Vault";
const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Without it an agent that is set up so refuses, since a browser could not have sent it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");
const REACH: &str = "see that secrets.vault.address can be reached from here, and who signs for it";
const APPROLE: &str = "mend role-id or secret-id, or make a secret id that has not expired";
const KUBERNETES: &str =
    "mend role, or let it be used by this service account with the audience of its token";

const LIMIT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
const LONGEST: usize = 1 << 20;
const LONGEST_TOKEN: usize = 64 * 1024;
