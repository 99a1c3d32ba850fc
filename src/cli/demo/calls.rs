//! The calls of the demonstration.

use std::net::SocketAddr;

use http_body_util::Full;
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use keyscheme::{Facts, Material, Registry, SingleUse};
use tokio::net::TcpStream;

use super::{super::Unusable, SERVICE};

/// The keys of the demonstration: scheme, id and material.
pub(super) type Keyring = Vec<(&'static Facts, String, Material)>;

const TARGET: &str = "/v1/hello?lang=ko";
const BODY: &str = "hello";

/// One call and its expected status.
pub(super) struct Call {
    pub(super) title: String,
    pub(super) expected: u16,
    credential: Option<String>,
}

/// One call that is accepted per scheme, and the ways to be refused.
pub(super) fn all(keyring: &Keyring) -> Result<Vec<Call>, Unusable> {
    let registry = Registry::default();
    let request = keyscheme::Request::new("POST", TARGET).body(BODY);
    let call = |title: String, expected, credential| Call { title, expected, credential };
    let mut calls = Vec::new();
    let mut single_use = None;
    for (facts, id, material) in keyring {
        let mut issuer = registry.issuer(facts.id, SERVICE, id, material)?;
        if facts.may_be_bare {
            issuer = issuer.bare();
        }
        let value = issuer.issue(&request)?;
        if facts.single_use == SingleUse::Always {
            single_use = Some((facts.id, value.clone(), tampered(issuer.issue(&request)?)));
        }
        calls.push(call(format!("{}, accepted", facts.id), 200, Some(value)));
    }
    if let Some((scheme, used, tampered)) = single_use {
        calls.push(call(format!("that of {scheme} again, replayed"), 401, Some(used)));
        calls.push(call(format!("{scheme} with one character changed"), 401, Some(tampered)));
    }
    calls.push(call("without a credential".to_owned(), 401, None));
    Ok(calls)
}

/// A credential with another character before its end.
fn tampered(mut value: String) -> String {
    if let Some(last) = value.pop() {
        let other = if value.ends_with('A') { 'B' } else { 'A' };
        value.pop();
        value.extend([other, last]);
    }
    value
}

impl Call {
    /// The call as a command to paste.
    pub(super) fn curl(&self, address: SocketAddr) -> String {
        let header = self
            .credential
            .as_ref()
            .map_or(String::new(), |value| format!(" -H 'X-API-KEY: {value}'"));
        format!("curl -s -w ' %{{http_code}}\\n' 'http://{address}{TARGET}'{header} -d {BODY}")
    }

    /// Makes the call, and returns the status.
    pub(super) async fn make(&self, address: SocketAddr) -> Result<u16, Unusable> {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::post(TARGET).header("host", address.to_string());
        if let Some(value) = &self.credential {
            request = request.header("x-api-key", value);
        }
        let request = request.body(Full::new(Bytes::from_static(BODY.as_bytes())))?;
        Ok(sender.send_request(request).await?.status().as_u16())
    }
}
