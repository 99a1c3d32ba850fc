//! AES as the two legacy schemes use it: a key of 16, 24 or 32 bytes, whole padded blocks,
//! encryption only.

use aes::{Aes128Enc, Aes192Enc, Aes256Enc, Block};
use cbc::cipher::{BlockModeEncrypt, InnerIvInit, KeyInit, common::InnerInit};
use zeroize::Zeroizing;

use crate::{
    encoding::Encoding,
    material::{Field, Lengths, Reuse},
};

/// The longest API key, in bytes. It bounds every buffer.
pub(crate) const MAX_API_KEY: usize = 256;

/// The longest padded API key.
pub(crate) const MAX_PADDED: usize = MAX_API_KEY + BLOCK;

/// The AES block length.
pub(crate) const BLOCK: usize = 16;

/// The fixed value that a client proves to know.
pub(crate) const API_KEY: Field = Field {
    name: "api-key",
    encoding: Encoding::Utf8,
    lengths: Lengths::Between(1, MAX_API_KEY),
    reuse: Reuse::Anywhere,
};

/// A key schedule for encryption. There is none for decryption anywhere in this crate.
#[derive(Clone)]
pub(crate) enum Schedule {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

impl Schedule {
    /// `None` where `key` has another length than 16, 24 or 32.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let wrong_length = |_| ();
        match key.len() {
            16 => Aes128Enc::new_from_slice(key).map(Self::Aes128).map_err(wrong_length).ok(),
            24 => Aes192Enc::new_from_slice(key).map(Self::Aes192).map_err(wrong_length).ok(),
            32 => Aes256Enc::new_from_slice(key).map(Self::Aes256).map_err(wrong_length).ok(),
            _ => None,
        }
    }

    /// ECB of `padded` to the front of `out`.
    pub(crate) fn ecb<'o>(&self, padded: &[u8], out: &'o mut [u8]) -> &'o [u8] {
        match self {
            Self::Aes128(key) => run(ecb::Encryptor::inner_init(key), padded, out),
            Self::Aes192(key) => run(ecb::Encryptor::inner_init(key), padded, out),
            Self::Aes256(key) => run(ecb::Encryptor::inner_init(key), padded, out),
        }
    }

    /// CBC of `padded` under `iv` to the front of `out`.
    #[inline]
    pub(crate) fn cbc<'o>(&self, iv: &[u8; BLOCK], padded: &[u8], out: &'o mut [u8]) -> &'o [u8] {
        let iv = iv.into();
        match self {
            Self::Aes128(key) => run(cbc::Encryptor::inner_iv_init(key, iv), padded, out),
            Self::Aes192(key) => run(cbc::Encryptor::inner_iv_init(key, iv), padded, out),
            Self::Aes256(key) => run(cbc::Encryptor::inner_iv_init(key, iv), padded, out),
        }
    }
}

#[inline]
fn run<'o>(
    mut mode: impl BlockModeEncrypt<BlockSize = cbc::cipher::consts::U16>,
    padded: &[u8],
    out: &'o mut [u8],
) -> &'o [u8] {
    let blocks = Block::slice_as_chunks(padded).0;
    let to = Block::slice_as_chunks_mut(out).0;
    let Some(to) = to.get_mut(..blocks.len()) else { return &[] };
    // An empty text matches nothing: no room, or lengths that differ, which these do not.
    match mode.encrypt_blocks_b2b(blocks, to) {
        Ok(()) => out.get(..padded.len()).unwrap_or_default(),
        Err(_) => &[],
    }
}

/// PKCS#7 padding (RFC 5652 section 6.3), which Java calls `PKCS5Padding`.
pub(crate) fn pad(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let missing = BLOCK - text.len() % BLOCK;
    let mut padded = Vec::with_capacity(text.len() + missing);
    padded.extend_from_slice(text);
    padded.resize(text.len() + missing, missing as u8);
    Zeroizing::new(padded)
}
