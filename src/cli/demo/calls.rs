//! The calls of the demonstration.

use std::net::SocketAddr;

use http_body_util::Full;
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use keyscheme::{Cbc1, Ecb0, Gcm1, Hmac1, Issuer, Material};
use tokio::net::TcpStream;

use super::{super::Unusable, SERVICE};

/// The keys of the demonstration: scheme, id and material.
pub(super) type Keyring = Vec<(&'static str, String, Material)>;

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
    let mut calls = Vec::new();
    let mut last = String::new();
    for (scheme, id, material) in keyring {
        let issuer = match *scheme {
            "cbc1" => Issuer::new(Cbc1, SERVICE, id, material),
            "ecb0" => Issuer::new(Ecb0, SERVICE, id, material).map(Issuer::bare),
            "gcm1" => Issuer::new(Gcm1, SERVICE, id, material),
            "hmac1" => Issuer::new(Hmac1, SERVICE, id, material),
            _ => continue,
        }?;
        last = issuer.issue(&keyscheme::Request::new("POST", TARGET).body(BODY))?;
        calls.push(Call {
            title: format!("{scheme}, accepted"),
            expected: 200,
            credential: Some(last.clone()),
        });
    }
    // The last is single use, and every bit of it counts.
    let refused =
        |title: &str, credential| Call { title: title.to_owned(), expected: 401, credential };
    let tampered = last.replacen(".hmac1-key.1", ".hmac1-key.2", 1);
    calls.push(refused("the last one a second time, replayed", Some(last)));
    calls.push(refused("the last one with another time, tampered", Some(tampered)));
    calls.push(refused("without a credential", None));
    Ok(calls)
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
