//! `gcm1`: AES-256-GCM over the API key ([specification](../../docs/spec.md#gcm1)).
//!
//! ```text
//! "gcm1." key-id "." ts "." base64url( nonce[12] || ciphertext || tag[16] )
//! additional data: "keyscheme/gcm1" LF service LF key-id LF ts
//! ```
//!
//! GCM is deterministic under a nonce, so the expected API key is encrypted under the presented one
//! and ciphertext and tag are compared as a whole. That accepts exactly what decrypting and comparing
//! would accept: for a given key, nonce and additional data there is one ciphertext and one tag of
//! the expected text. A stranger's bytes are never decrypted.
//!
//! Nonces are random. SP 800-38D section 8.3 allows 2^32 of them per key, which keeps the chance of
//! one repetition below 2^-32.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, aead::inout::InOutBuf};

use super::{
    aes::{API_KEY, MAX_API_KEY},
    contract::{KeyScheme, Part},
    facts::{Binds, Facts, SingleUse},
    opening::{Nonce, OpenError, Opened, Payload},
    sealing::{SealError, Sealing},
    text::{format_ts, join, parse_ts, split_field},
};
use crate::{
    ct,
    encoding::Encoding,
    id::{KeyId, ServiceName},
    material::{Field, KeyError, Lengths, Material, Reuse},
    request::Context,
    secret::Packed,
    wire::{
        Fault,
        base64::{decode_url, encode_url, url_fault},
    },
};

/// AES-256-GCM with a random nonce and the time in its additional data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gcm1;

/// A key schedule with its hash key, and the API key.
pub struct Key {
    cipher: Aes256Gcm,
    api_key: Packed,
}

impl Key {
    /// Ciphertext and tag of the API key, to the front of `out`; `None` where they do not fit.
    #[inline]
    fn encrypt<'o>(
        &self,
        nonce: &[u8; NONCE],
        cx: &Context<'_>,
        ts: &[u8],
        out: &'o mut [u8],
    ) -> Option<&'o [u8]> {
        // Names and `ts` have a greatest length, so this always fits.
        let mut room = [0; MAX_ADDITIONAL_DATA];
        let additional_data = join(&[LABEL, cx.service, cx.key_id, ts], &mut room)?;
        self.encrypt_beside(additional_data, nonce, out)
    }

    #[inline]
    pub(super) fn encrypt_beside<'o>(
        &self,
        additional_data: &[u8],
        nonce: &[u8; NONCE],
        out: &'o mut [u8],
    ) -> Option<&'o [u8]> {
        let api_key = self.api_key.expose();
        let (ciphertext, after) = out.split_at_mut_checked(api_key.len())?;
        let buffer = InOutBuf::new(api_key, ciphertext).ok()?;
        let tag = self.cipher.encrypt_inout_detached(nonce.into(), additional_data, buffer).ok()?;
        after.get_mut(..TAG)?.copy_from_slice(&tag);
        out.get(..api_key.len() + TAG)
    }

    /// Whether `sealed` is what this key seals under the nonce before it. `N` bounds both.
    #[inline]
    fn matches<const N: usize>(
        &self,
        cx: &Context<'_>,
        ts: &[u8],
        sealed: &[u8],
    ) -> Result<Nonce, OpenError> {
        let mut buffer = [0; N];
        let decoded = decode_url(sealed, &mut buffer).ok_or(OpenError::Malformed)?;
        let (nonce, sealed) = decoded.split_first_chunk().ok_or(OpenError::Malformed)?;
        if sealed.len() <= TAG {
            return Err(OpenError::Malformed);
        }
        let mut out = [0; N];
        match self.encrypt(nonce, cx, ts, &mut out) {
            Some(expected) if ct::eq(sealed, expected) => Ok(Nonce::from(*nonce)),
            _ => Err(OpenError::BadCredential),
        }
    }
}

impl KeyScheme for Gcm1 {
    type Key = Key;

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Key, KeyError> {
        let cipher = Aes256Gcm::new_from_slice(material.get(&CIPHER_KEY)?)
            .map_err(|_| KeyError::new(&CIPHER_KEY, "is no AES-256 key", "give 32 bytes"))?;
        Ok(Key { cipher, api_key: Packed::new(material.get(&API_KEY)?) })
    }

    #[inline]
    fn open(&self, key: &Key, payload: Payload<'_>, cx: &Context<'_>) -> Result<Opened, OpenError> {
        let (ts, sealed) = split_field(payload.tagged()?).ok_or(OpenError::Malformed)?;
        let issued_at = parse_ts(ts).ok_or(OpenError::Malformed)?;
        // A small buffer is cleared sooner, and most API keys are short.
        let nonce = if sealed.len() <= 4 * USUAL / 3 {
            key.matches::<USUAL>(cx, ts, sealed)
        } else {
            key.matches::<MAX_SEALED>(cx, ts, sealed)
        }?;
        Ok(Opened { issued_at: Some(issued_at), nonce: Some(nonce), ..Opened::default() })
    }

    fn seal(&self, key: &Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        let mut ts = String::new();
        format_ts(to.now, &mut ts)?;
        let mut nonce = [0; NONCE];
        to.random.fill(&mut nonce)?;
        let mut sealed = [0; MAX_SEALED];
        let sealed = key
            .encrypt(&nonce, &to.context, ts.as_bytes(), &mut sealed)
            .ok_or(SealError::TooLong)?;
        out.push_str(&ts);
        out.push('.');
        encode_url(&[nonce.as_slice(), sealed].concat(), out);
        Ok(())
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        let text = payload.as_bytes();
        let (ts, sealed) = split_field(text)
            .ok_or_else(|| Fault::malformed(text.len(), "ts must be followed by `.`"))?;
        let issued_at = parse_ts(ts)
            .ok_or_else(|| Fault::malformed(0, "ts is 1 to 11 digits without a leading zero"))?;
        let sealed_at = ts.len() + 1;
        if let Some(fault) = url_fault(sealed) {
            return Err(Fault { at: sealed_at + fault.at, ..fault });
        }
        let length = sealed.len() * 3 / 4;
        if !(NONCE + 1 + TAG..=NONCE + MAX_API_KEY + TAG).contains(&length) {
            let problem = format!("{length} bytes are not a nonce, an API key and a tag");
            return Err(Fault::malformed(text.len(), problem));
        }
        Ok(vec![
            Part::new("ts", issued_at.to_string()),
            Part::new("nonce", format!("{NONCE} bytes")),
            Part::new("ciphertext", format!("{} bytes", length - NONCE - TAG)),
            Part::new("tag", format!("{TAG} bytes")),
        ])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gcm1::Key")
    }
}

const NONCE: usize = 12;
const TAG: usize = 16;
const MAX_SEALED: usize = NONCE + MAX_API_KEY + TAG;
/// Nonce, an API key of 68 bytes and tag.
const USUAL: usize = 96;
const LABEL: &[u8] = b"keyscheme/gcm1";
/// With a line feed after each of the four, the last of which is left off again.
const MAX_ADDITIONAL_DATA: usize = LABEL.len() + ServiceName::MAX + KeyId::MAX + 11 + 4;

const CIPHER_KEY: Field = Field {
    name: "cipher-key",
    encoding: Encoding::Base64,
    lengths: Lengths::OneOf(&[32]),
    reuse: Reuse::Never,
};

static FACTS: Facts = Facts {
    id: "gcm1",
    authentic: true,
    fresh: true,
    binds: Binds { service: true, request: false, body: false },
    single_use: SingleUse::OnDemand,
    may_be_bare: false,
    fields: &[CIPHER_KEY, API_KEY],
};
