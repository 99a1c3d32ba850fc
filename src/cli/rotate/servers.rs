//! What running servers say of the keys that they have loaded.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use keyscheme::Secret;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use super::plan::Report;

/// Where a server can be asked.
#[derive(Clone, Debug)]
pub(super) enum Server {
    /// A host and a port, as they stand in a URL.
    Http(String),
    Unix(PathBuf),
}

impl FromStr for Server {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str = "write http://HOST:PORT, or unix:/path";
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(FORMS) } else { Ok(Self::Unix(path.into())) };
        }
        let uri: Uri = text.parse().map_err(|_| FORMS)?;
        let is_root = uri.path_and_query().is_none_or(|path| path == "/");
        match uri.authority() {
            Some(authority)
                if uri.scheme_str() == Some("http")
                    && authority.port().is_some()
                    && !authority.as_str().contains('@')
                    && is_root =>
            {
                Ok(Self::Http(authority.to_string()))
            }
            _ => Err(FORMS),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(authority) => write!(f, "http://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Asks each of them; `token` is what proxies show them.
pub(super) async fn ask(servers: &[Server], token: Option<&Secret>) -> Vec<Report> {
    let mut reports = Vec::new();
    for server in servers {
        let answer = tokio::time::timeout(PATIENCE, server.loaded(token)).await;
        let keys = answer.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
        reports.push(Report { server: server.to_string(), keys });
    }
    reports
}

impl Server {
    async fn loaded(&self, token: Option<&Secret>) -> Result<Vec<(String, String)>, String> {
        let text = |error: std::io::Error| error.to_string();
        match self {
            Self::Http(authority) => {
                let stream = TcpStream::connect(authority).await.map_err(text)?;
                exchange(stream, authority, token).await
            }
            Self::Unix(path) => {
                exchange(UnixStream::connect(path).await.map_err(text)?, "localhost", token).await
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    token: Option<&Secret>,
) -> Result<Vec<(String, String)>, String> {
    let text = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = Uri::from_static("/keyz");
    let header = |bytes: &[u8]| HeaderValue::from_bytes(bytes).map_err(|error| error.to_string());
    request.headers_mut().insert(HOST, header(host.as_bytes())?);
    if let Some(token) = token {
        let mut token = header(token.expose())?;
        token.set_sensitive(true);
        request.headers_mut().insert("x-proxy-token", token);
    }
    let response = sender.send_request(request).await.map_err(text)?;
    let status = response.status();
    let body = match status {
        StatusCode::OK => Limited::new(response.into_body(), LONGEST).collect().await,
        StatusCode::FORBIDDEN => {
            return Err("403: its serve.proxy-token is not the one of this file".to_owned());
        }
        StatusCode::NOT_FOUND => {
            return Err("404: it is no keyscheme serve, or one before /keyz".to_owned());
        }
        _ => return Err(format!("it answers {status}")),
    };
    connection.abort();
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let keyz: Keyz = serde_json::from_slice(&body)
        .map_err(|error| format!("what it answers is not JSON of ours: {error}"))?;
    Ok(keyz.keys.into_iter().map(|key| (key.id, key.state)).collect())
}

#[derive(Deserialize)]
struct Keyz {
    keys: Vec<Loaded>,
}

#[derive(Deserialize)]
struct Loaded {
    id: String,
    state: String,
}

/// Whoever is there answers sooner.
const PATIENCE: Duration = Duration::from_secs(5);
/// That of a million keys.
const LONGEST: usize = 128 * 1024 * 1024;
