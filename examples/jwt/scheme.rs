//! A scheme of one's own in one file: `jwt1`, a JSON Web Token (RFC 7519) signed with HS256.
//!
//! ```text
//! "jwt1." key-id "." base64url( header ) "." base64url( claims ) "." base64url( signature )
//! claims: aud = service, exp? = time, iat = time, jti = base64url( 16 bytes ), sub = key-id
//! ```

use std::str;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use keyscheme::{
    BackendError, Binds, Context, Encoding, Facts, Fault, Field, KeyError, KeyScheme, Lengths,
    Material, Nonce, OpenError, Opened, Part, Payload, Reuse, SealError, Sealing, SingleUse,
    UnixTime,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Debug)]
pub struct Jwt1;

/// What can be done before a request is done once. Keys of all clients lie side by side, so a key
/// holds nothing but its own secret.
pub struct Key {
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// No other claims: one that is not understood, an `nbf` say, must not be passed over.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    aud: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    iat: u64,
    jti: String,
    sub: String,
}

impl KeyScheme for Jwt1 {
    type Key = Key;

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Key, KeyError> {
        // `get` checks the length, and its error says what is wrong without showing the secret.
        let secret = material.get(&SECRET)?;
        Ok(Key {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
        })
    }

    fn open(&self, key: &Key, payload: Payload<'_>, cx: &Context<'_>) -> Result<Opened, OpenError> {
        payload.tagged()?;
        // First the form, which needs no key: this decides between malformed and bad.
        let (_, nonce) = parse(payload.as_str()).map_err(|_| OpenError::Malformed)?;
        // Then the proof. The rules name the one algorithm; the token does not get to choose.
        let token = decode::<Claims>(payload.as_str(), &key.verifying, &rules(cx)?);
        let claims = token.map_err(|_| OpenError::BadCredential)?.claims;
        Ok(Opened {
            issued_at: Some(UnixTime(claims.iat)),
            expires_at: claims.exp.map(UnixTime),
            nonce: Some(nonce),
            content: None,
        })
    }

    fn seal(&self, key: &Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        let mut jti = [0; 16];
        to.random.fill(&mut jti)?;
        let text = |name| String::from_utf8_lossy(name).into_owned();
        let claims = Claims {
            aud: text(to.context.service),
            exp: None,
            iat: to.now.0,
            jti: Encoding::Base64Url.encode(&jti).unwrap_or_default().to_string(),
            sub: text(to.context.key_id),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key.signing);
        // Appended: the prefix is there already.
        out.push_str(&token.map_err(|error| BackendError::new("jsonwebtoken", error))?);
        Ok(())
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        let (claims, _) = parse(payload.as_str())?;
        Ok(vec![Part::new("aud", claims.aud), Part::new("iat", claims.iat.to_string())])
    }
}

/// The form of a payload: what `open` and `explain` must agree on.
fn parse(token: &str) -> Result<(Claims, Nonce), Fault> {
    let (header, rest) = token.split_once('.').ok_or(Fault::malformed(token.len(), "no claims"))?;
    let claims_at = header.len() + 1;
    let (claims, mac) =
        rest.split_once('.').ok_or(Fault::malformed(token.len(), "no signature"))?;
    let mac_at = claims_at + claims.len() + 1;

    // Another `alg`, a `crit` or any other member makes it another header.
    if json(header) != Some(Header::new(Algorithm::HS256)) {
        return Err(Fault::malformed(0, "the header is {\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    }
    let claims: Claims =
        json(claims).ok_or(Fault::malformed(claims_at, "aud, iat, jti, sub, and exp"))?;
    let nonce = bytes::<16>(&claims.jti)
        .ok_or(Fault::malformed(claims_at, "jti is 16 bytes in Base64url"))?;
    bytes::<32>(mac).ok_or(Fault::malformed(mac_at, "the signature is 32 bytes in Base64url"))?;
    Ok((claims, Nonce::from(nonce)))
}

/// Canonical Base64url of `N` bytes. Of one byte string it takes one spelling, so that nobody can
/// turn a used credential into one that looks new.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    Encoding::Base64Url.decode(text.as_bytes()).ok()?.expose().try_into().ok()
}

fn json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(Encoding::Base64Url.decode(text.as_bytes()).ok()?.expose()).ok()
}

/// For this service and key, by HS256. A scheme has no clock: the verifier judges `iat` and `exp`.
fn rules(cx: &Context<'_>) -> Result<Validation, OpenError> {
    let text = |name| str::from_utf8(name).map_err(|_| OpenError::BadCredential);
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_exp = false;
    rules.set_audience(&[text(cx.service)?]);
    rules.sub = Some(text(cx.key_id)?.to_owned());
    rules.set_required_spec_claims(&["aud", "sub"]);
    Ok(rules)
}

const SECRET: Field = Field {
    name: "secret",
    encoding: Encoding::Base64,
    lengths: Lengths::OneOf(&[32]),
    reuse: Reuse::Never,
};

/// What policy goes by. `OnDemand` because of the `jti`: with `once` a token is accepted once.
static FACTS: Facts = Facts {
    id: "jwt1",
    authentic: true,
    fresh: true,
    binds: Binds { service: true, request: false, body: false },
    single_use: SingleUse::OnDemand,
    may_be_bare: false,
    fields: &[SECRET],
};
