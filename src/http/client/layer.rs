//! What is issued into which header, and what is read of the answers.

use std::{
    ascii, fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::outgoing::Outgoing;
#[cfg(feature = "config")]
use crate::config::Config;
use crate::{
    error::{BackendError, ConfigError, Mistake},
    issue::Issuer,
    request::Request,
    scheme::SealError,
};

/// Adds a new credential to every request of a client.
///
/// It wraps a service of [`http::Request`]s (a hyper client, a tonic channel), or with the feature
/// `reqwest` a `reqwest::Client`:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # use std::convert::Infallible;
/// # use bytes::Bytes;
/// # use http_body_util::Full;
/// # use tower::ServiceExt;
/// use keyscheme::{Hmac1, Issuer, Material, http::IssueLayer};
/// use tower::Layer;
///
/// let material = Material::new().with("secret", [7; 32].as_slice()); // from your secret manager
/// let issuer = Issuer::new(Hmac1, "stt", "spring-2026-11", &material)?;
/// # let client = tower::service_fn(|request: http::Request<_>| async move {
/// #     let _: keyscheme::http::IssuedBody<Full<Bytes>> = *request.body();
/// #     Ok::<_, Infallible>(http::Response::new(request.headers()["x-api-key"].clone()))
/// # });
/// let client = IssueLayer::new(issuer).layer(client);
///
/// let request = http::Request::post("http://stt.internal/v1/stt?lang=ko");
/// let response = client.oneshot(request.body(Full::new(Bytes::from("hello")))?).await?;
/// # assert!(response.body().to_str()?.starts_with("hmac1.spring-2026-11."));
/// # Ok(()) })
/// # }
/// ```
///
/// - Every request is signed when it is sent, so put what sends again **outside**: `tower::retry`
///   around this, and nothing below that follows redirects. Such a client sends the credential a
///   second time, and to any host that an answer names.
/// - Below it nothing may change method, target or content: compress outside.
/// - Where the scheme binds the body, that is read into memory before anything is sent, up to
///   [`Self::limit`], and trailers are kept; otherwise it streams through. A call whose requests
///   and responses alternate (gRPC in both directions) cannot be signed so: use another scheme, or
///   [`Issuer::uncovered_body`] where the service takes that.
/// - A request whose method or target cannot be bound is not sent.
/// - Of what a server answers only the announcement of an end is read (`Deprecation`, RFC 9745, and
///   `Sunset`, RFC 8594), for one warning in the log. It changes nothing that is sent.
///
/// With reqwest, a redirect then comes back as the answer:
///
#[cfg_attr(feature = "reqwest", doc = "```no_run")]
#[cfg_attr(not(feature = "reqwest"), doc = "```ignore")]
/// # async fn call(layer: keyscheme::http::IssueLayer) -> Result<(), Box<dyn std::error::Error>> {
/// # use tower::{Layer, ServiceExt};
/// let once = reqwest::redirect::Policy::none();
/// let reqwest = reqwest::Client::builder().redirect(once).build()?;
/// let client = layer.layer(reqwest.clone());
///
/// let request = reqwest.post("https://stt.internal/v1/stt?lang=ko").body("hello").build()?;
/// let response = client.clone().oneshot(request).await?;
/// # Ok(()) }
/// ```
///
/// A tonic channel takes only tonic's own body. Make the issued one into that:
///
/// ```
/// # fn wrap(channel: tonic::transport::Channel, layer: keyscheme::http::IssueLayer) {
/// # use tonic_health::pb::health_client::HealthClient;
/// # use tower::{Layer, ServiceExt};
/// let channel = channel.map_request(|r: http::Request<_>| r.map(tonic::body::Body::new));
/// let client = HealthClient::new(layer.layer(channel));
/// # let mut client = client;
/// # let _ = async move { client.check(tonic_health::pb::HealthCheckRequest::default()).await };
/// # }
/// ```
#[derive(Clone)]
pub struct IssueLayer {
    pub(super) issuer: Arc<Issuer>,
    header: HeaderName,
    pub(super) limit: usize,
    told: Arc<AtomicBool>,
}

impl IssueLayer {
    /// Issues into `x-api-key`.
    pub fn new(issuer: impl Into<Arc<Issuer>>) -> Self {
        Self {
            issuer: issuer.into(),
            header: HeaderName::from_static("x-api-key"),
            limit: LIMIT,
            told: Arc::default(),
        }
    }

    /// Issues into this header, which is the one that the service is configured with. What a request
    /// holds under this name is replaced.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where this is no header name, or has a `_`, which some servers read as a `-`.
    pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
        match HeaderName::try_from(name) {
            Ok(header) if !name.contains('_') => self.header = header,
            _ => {
                let problem = format!("{name:?} is no header name");
                let remedy = "use a token without _, such as x-api-key";
                return Err(ConfigError::one(Mistake::new("header", problem, remedy)));
            }
        }
        Ok(self)
    }

    /// Reads bodies of at most this many bytes into memory, 2 MiB where nothing is said. Without
    /// effect where the scheme does not bind the body.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    pub(super) fn sign<R: Outgoing>(
        &self,
        head: &mut R::Head,
        content: &[u8],
    ) -> Result<(), SealError> {
        let target = R::target(head);
        let target = target.as_ref().map_or("", |target| target.as_str());
        let request = Request::new(R::method(head).as_str(), target).body(content);
        let value = HeaderValue::try_from(self.issuer.issue(&request)?);
        let mut value = value.map_err(|error| BackendError::new(self.issuer.scheme(), error))?;
        value.set_sensitive(true);
        let headers = R::fields(head);
        let aliases: Vec<_> = headers.keys().filter(|name| self.is_alias(name)).cloned().collect();
        for alias in aliases {
            headers.remove(alias);
        }
        headers.insert(&self.header, value);
        Ok(())
    }

    /// Whether a server may read this header as ours.
    fn is_alias(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let folded = name.bytes().map(|b| if b == b'_' { b'-' } else { b });
        name.contains('_') && folded.eq(self.header.as_str().bytes())
    }

    /// Tells once that the service announces an end. Anybody may have written these headers.
    pub(super) fn read(&self, headers: &HeaderMap) {
        let said = |name| headers.get(name).map(excerpt);
        let (deprecation, sunset) = (said("deprecation"), said("sunset"));
        if deprecation.is_none() && sunset.is_none() || self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            target: "keyscheme",
            service = self.issuer.service(),
            scheme = self.issuer.scheme(),
            key = self.issuer.key_id(),
            deprecation,
            sunset,
            "the service announces an end, likely that of this scheme: configure this client with \
             a key under the scheme that the service wants",
        );
    }
}

impl fmt::Debug for IssueLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssueLayer")
            .field("issuer", &self.issuer)
            .field("header", &self.header)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "config")]
impl Config {
    /// A client layer for calls to `service`: with [`Self::issuer`], into the header that the service
    /// is configured with.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no such service, client, scheme or key.
    pub fn issue_layer(
        &self,
        service: &str,
        client: &str,
        scheme: Option<&str>,
    ) -> Result<IssueLayer, ConfigError> {
        let layer = IssueLayer::new(self.issuer(service, client, scheme)?);
        match self.verifier().service(service) {
            Some(guard) => layer.header(guard.service().header()),
            None => Ok(layer),
        }
    }
}

/// What a stranger wrote, for the log.
fn excerpt(value: &HeaderValue) -> String {
    let bytes = value.as_bytes().iter().take(EXCERPT);
    bytes.flat_map(|b| ascii::escape_default(*b)).map(char::from).collect()
}

/// How much of a body is read into memory, where nothing is said.
const LIMIT: usize = 2 << 20;

/// How much of a stranger's header is logged. A date has 29 bytes.
const EXCERPT: usize = 64;
