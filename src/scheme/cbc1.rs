//! `cbc1`: AES-CBC with a fresh IV ([specification](../../docs/spec.md#cbc1)).
//!
//! ```text
//! "cbc1." key-id "." base64url( iv[16] || AES-CBC-PKCS7( api-key ) )
//! ```
//!
//! The expected API key is encrypted under the presented IV, and the ciphertexts are compared.
//! Nothing is decrypted and nothing is unpadded, so there is no padding oracle to ask.

use std::fmt;

use super::{
    aes::{API_KEY, BLOCK, MAX_PADDED, Schedule, pad},
    contract::{KeyScheme, Part},
    facts::{Binds, Facts, SingleUse},
    opening::{OpenError, Opened, Payload},
    sealing::{SealError, Sealing},
};
use crate::{
    ct,
    encoding::Encoding,
    material::{Field, KeyError, Lengths, Material, Reuse},
    request::Context,
    secret::Packed,
    wire::{
        Fault,
        base64::{decode_url, encode_url, url_fault},
    },
};

/// AES-CBC with a random IV.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cbc1;

/// A key schedule and the padded API key.
pub struct Key {
    schedule: Schedule,
    padded: Packed,
}

impl Key {
    #[inline]
    fn encrypt<'o>(&self, iv: &[u8; BLOCK], out: &'o mut [u8]) -> &'o [u8] {
        self.schedule.cbc(iv, self.padded.expose(), out)
    }

    /// Whether `text` is what this key gives under the IV before it. `N` bounds both.
    #[inline]
    fn matches<const N: usize>(&self, text: &[u8]) -> Result<(), OpenError> {
        let mut buffer = [0; N];
        let decoded = decode_url(text, &mut buffer).ok_or(OpenError::Malformed)?;
        let (iv, ciphertext) = decoded.split_first_chunk().ok_or(OpenError::Malformed)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(OpenError::Malformed);
        }
        if ct::eq(ciphertext, self.encrypt(iv, &mut [0; N])) {
            Ok(())
        } else {
            Err(OpenError::BadCredential)
        }
    }
}

impl KeyScheme for Cbc1 {
    type Key = Key;

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Key, KeyError> {
        let schedule = Schedule::new(material.get(&CIPHER_KEY)?).ok_or_else(|| {
            KeyError::new(&CIPHER_KEY, "is no AES key", "give 16, 24 or 32 bytes")
        })?;
        Ok(Key { schedule, padded: Packed::new(&pad(material.get(&API_KEY)?)) })
    }

    #[inline]
    fn open(&self, key: &Key, payload: Payload<'_>, _: &Context<'_>) -> Result<Opened, OpenError> {
        let text = payload.tagged()?;
        // A small buffer is cleared sooner, and most API keys are short.
        if text.len() <= 4 * USUAL / 3 {
            key.matches::<USUAL>(text)?;
        } else {
            key.matches::<{ BLOCK + MAX_PADDED }>(text)?;
        }
        Ok(Opened::default())
    }

    fn seal(&self, key: &Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        let mut iv = [0; BLOCK];
        to.random.fill(&mut iv)?;
        let mut ciphertext = [0; MAX_PADDED];
        encode_url(&[iv.as_slice(), key.encrypt(&iv, &mut ciphertext)].concat(), out);
        Ok(())
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        let text = payload.as_bytes();
        if let Some(fault) = url_fault(text) {
            return Err(fault);
        }
        let length = text.len() * 3 / 4;
        if !(2 * BLOCK..=BLOCK + MAX_PADDED).contains(&length) || !length.is_multiple_of(BLOCK) {
            let problem = format!("{length} bytes are not an IV and 1 to 17 AES blocks");
            return Err(Fault::malformed(text.len(), problem));
        }
        Ok(vec![
            Part::new("iv", format!("{BLOCK} bytes")),
            Part::new("ciphertext", format!("{} bytes", length - BLOCK)),
        ])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cbc1::Key")
    }
}

/// IV, and an API key of 79 bytes, padded.
const USUAL: usize = 96;

/// Of one record only: a CBC value of one client could otherwise be turned into another's.
const CIPHER_KEY: Field = Field {
    name: "cipher-key",
    encoding: Encoding::Utf8,
    lengths: Lengths::OneOf(&[16, 24, 32]),
    reuse: Reuse::Never,
};

static FACTS: Facts = Facts {
    id: "cbc1",
    authentic: false,
    fresh: false,
    binds: Binds { service: false, request: false, body: false },
    single_use: SingleUse::Never,
    may_be_bare: false,
    fields: &[CIPHER_KEY, API_KEY],
};
