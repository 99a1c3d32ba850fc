//! The server: what it is asked, and what it answers.

use std::{error::Error, time::Duration};

use reqwest::{
    Certificate, Client, Method, StatusCode, Url,
    header::{HeaderName, HeaderValue},
};
use zeroize::Zeroizing;

use crate::{
    error::Mistake,
    secret::Secret,
    source::{json, no_address},
};

/// Where it is, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) http: Client,
    pub(super) address: Url,
    pub(super) namespace: Option<HeaderValue>,
}

/// The address of a server, without a name or a password in it.
pub(super) fn address(text: &str) -> Result<Url, Mistake> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or_else(|| {
        let remedy = "write one such as https://vault.example:8200";
        wrong("address", no_address(text), remedy)
    })
}

/// The value of the header that names a namespace.
pub(super) fn namespace(name: &str) -> Result<HeaderValue, Mistake> {
    HeaderValue::from_str(name)
        .map_err(|_| wrong("namespace", "is no name of one", "write it as Vault shows it"))
}

/// A client for the server at this address that trusts these authorities, or else the system's.
pub(super) fn client(address: &Url, authorities: Option<&Secret>) -> Result<Client, Mistake> {
    let unusable = |why: &str| {
        let remedy = "install the system's certificates, or name a PEM file of those to trust";
        wrong("ca-file", format!("no certificate can be trusted: {why}"), remedy)
    };
    let mut http = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(LIMIT)
        // What follows a redirect would show the token to whoever is named there.
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = authorities {
        let trusted =
            Certificate::from_pem_bundle(pem.expose()).map_err(|error| unusable(&chain(&error)))?;
        if trusted.is_empty() {
            return Err(unusable("it holds none"));
        }
        http = http.tls_certs_only(trusted);
    } else if address.scheme() == "http" {
        // A machine without certificates can do without them here.
        http = http.tls_certs_only([]);
    }
    http.build().map_err(|error| unusable(&chain(&error)))
}

/// What is wrong in `[secrets.vault]`.
pub(super) fn wrong(field: &str, problem: impl Into<String>, remedy: &str) -> Mistake {
    Mistake::new(format!("secrets.vault.{field}"), problem, remedy)
}

impl Server {
    /// A path below the API's. The parts of it may hold more than one segment.
    pub(super) fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            segments.extend(parts.iter().flat_map(|part| part.split('/')));
        }
        url
    }

    pub(super) async fn ask(
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
}

/// What it has answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Secret,
}

impl Answer {
    /// What stands at `{ outer: { inner: … } }`, where it is an object.
    pub(super) fn raw(&self, outer: &str, inner: &str) -> Option<Secret> {
        let members = json::members(self.body.expose())?;
        let members = json::members(members.get(outer)?.get().as_bytes())?;
        let value = members.get(inner)?.get();
        value.starts_with('{').then(|| Secret::from(value))
    }

    /// The text that stands there.
    pub(super) fn member(&self, outer: &str, inner: &str) -> Option<Secret> {
        let members = json::members(self.body.expose())?;
        json::text_field(members.get(outer)?.get().as_bytes(), inner).ok()
    }

    /// What is wrong with the server, in words of our own: its own might quote anything.
    pub(super) fn trouble(&self) -> (String, &'static str) {
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
pub(super) struct Unanswered(pub(super) String);

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
pub(super) fn header(token: &Secret) -> Option<HeaderValue> {
    let visible = !token.is_empty() && token.expose().iter().all(u8::is_ascii_graphic);
    let mut value = HeaderValue::from_bytes(token.expose()).ok().filter(|_| visible)?;
    value.set_sensitive(true);
    Some(value)
}

/// What a secret manager is called in a message.
pub(super) const WHAT: &str = "Vault";
pub(super) const REACH: &str =
    "see that secrets.vault.address can be reached from here, and who signs for it";

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Without it an agent that is set up so refuses, since a browser could not have sent it.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");
const LIMIT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_unless_it_may_hold_a_password() {
        let said = |text| address(text).unwrap_err().to_string();
        assert!(said("localhost").contains(": \"localhost\" is no address of a server; write one"));
        for text in ["http://a:hunter2@c", "hunter2@c", "c?token=hunter2"] {
            assert!(said(text).starts_with("secrets.vault.address: is no address"), "{text}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_said_to_hold_none() {
        let address = address("https://localhost").unwrap();
        for empty in ["", "hunter2"] {
            let said = client(&address, Some(&Secret::from(empty))).unwrap_err().to_string();
            let why =
                "secrets.vault.ca-file: no certificate can be trusted: it holds none; install";
            assert!(said.starts_with(why), "{said}");
        }
    }
}
