//! `ecb0`: the legacy value of the Spring recipe ([specification](../../docs/spec.md#ecb0)).
//!
//! ```text
//! bare:    base64( AES-ECB-PKCS7( api-key ) )
//! tagged:  "ecb0." key-id "." base64url( the same bytes )
//! ```
//!
//! The value of a key never changes, so it is computed once, when the key is loaded. A request is
//! judged by comparing texts; nothing is decoded, and no cipher runs.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

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
        base64::{is_canonical, is_canonical_url, url_fault},
    },
};

/// AES-ECB, compatible with `Cipher.getInstance("AES")`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ecb0;

/// The one value of a key, in its bare form.
pub struct Key {
    bare: Packed,
}

impl KeyScheme for Ecb0 {
    type Key = Key;

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Key, KeyError> {
        let cipher_key = material.get(&CIPHER_KEY)?;
        let schedule = Schedule::new(cipher_key).ok_or_else(|| {
            KeyError::new(&CIPHER_KEY, "is no AES key", "give 16, 24 or 32 bytes")
        })?;
        let mut out = Zeroizing::new([0; MAX_PADDED]);
        let ciphertext = schedule.ecb(&pad(material.get(&API_KEY)?), out.as_mut_slice());
        let bare = Zeroizing::new(STANDARD.encode(ciphertext));
        Ok(Key { bare: Packed::new(bare.as_bytes()) })
    }

    #[inline]
    fn open(&self, key: &Key, payload: Payload<'_>, _: &Context<'_>) -> Result<Opened, OpenError> {
        let mut standard = [0; MAX_TEXT];
        let presented = match payload {
            Payload::Bare(text) if is_whole_blocks(decoded_len(text)) => text,
            Payload::Tagged(text)
                if is_whole_blocks(text.len() * 3 / 4) && is_canonical_url(text) =>
            {
                to_standard(text, &mut standard).ok_or(OpenError::Malformed)?
            }
            _ => return Err(OpenError::Malformed),
        };
        if ct::eq(presented, key.bare.expose()) {
            Ok(Opened::default())
        } else {
            Err(OpenError::BadCredential)
        }
    }

    fn seal(&self, key: &Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        for &b in key.bare.expose() {
            match b {
                _ if to.bare => out.push(char::from(b)),
                b'+' => out.push('-'),
                b'/' => out.push('_'),
                b'=' => {}
                _ => out.push(char::from(b)),
            }
        }
        Ok(())
    }

    fn bare<'k>(&self, key: &'k Key) -> Option<&'k [u8]> {
        Some(key.bare.expose())
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        let text = payload.as_bytes();
        let length = match payload {
            Payload::Bare(text) if !is_canonical(text) => {
                return Err(Fault::malformed(0, "not canonical Base64"));
            }
            Payload::Bare(text) => decoded_len(text),
            Payload::Tagged(text) => url_fault(text).map_or(Ok(text.len() * 3 / 4), Err)?,
        };
        if !is_whole_blocks(length) {
            let problem = format!("{length} bytes are not 1 to 17 AES blocks");
            return Err(Fault::malformed(text.len(), problem));
        }
        let blocks = length / BLOCK;
        Ok(vec![Part::new(
            "ciphertext",
            format!(
                "{length} bytes, so an API key of {} to {} bytes",
                ((blocks - 1) * BLOCK).max(1),
                blocks * BLOCK - 1
            ),
        )])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ecb0::Key")
    }
}

/// How many bytes a canonical padded text stands for.
fn decoded_len(text: &[u8]) -> usize {
    let padding = text.iter().rev().take(2).filter(|b| **b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

fn is_whole_blocks(length: usize) -> bool {
    (BLOCK..=MAX_PADDED).contains(&length) && length.is_multiple_of(BLOCK)
}

/// Canonical Base64url as canonical Base64. Both sides of the comparison are then one text, and
/// what is presented is not secret.
#[inline]
fn to_standard<'o>(url: &[u8], out: &'o mut [u8; MAX_TEXT]) -> Option<&'o [u8]> {
    let length = url.len().next_multiple_of(4);
    let out = out.get_mut(..length)?;
    for (to, from) in out.iter_mut().zip(url) {
        *to = match from {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
    }
    for padding in out.iter_mut().skip(url.len()) {
        *padding = b'=';
    }
    Some(out)
}

const MAX_TEXT: usize = MAX_PADDED.div_ceil(3) * 4;

const CIPHER_KEY: Field = Field {
    name: "cipher-key",
    encoding: Encoding::Utf8,
    lengths: Lengths::OneOf(&[16, 24, 32]),
    reuse: Reuse::WithinScheme,
};

static FACTS: Facts = Facts {
    id: "ecb0",
    authentic: false,
    fresh: false,
    binds: Binds { service: false, request: false, body: false },
    single_use: SingleUse::Never,
    may_be_bare: true,
    fields: &[CIPHER_KEY, API_KEY],
};
