//! `hmac1`: HMAC-SHA-256 over time, nonce, request and body
//! ([specification](../../docs/spec.md#hmac1)).
//!
//! ```text
//! "hmac1." key-id "." ts "." nonce "." digest "." mac
//! mac over: "keyscheme/hmac1" LF service LF key-id LF ts LF nonce LF METHOD LF target LF digest
//! ```
//!
//! No field can hold a line feed: names, `ts`, nonce and digest by their grammars, method and target
//! because others are refused before the MAC is computed. So different requests never join to the
//! same text.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{
    contract::{KeyScheme, Part},
    facts::{Binds, Facts, SingleUse},
    misread::{is_milliseconds, misread},
    opening::{Covers, OpenError, Opened, Payload},
    sealing::{SealError, Sealing},
    text::{format_ts, join, parse_ts, split_field, split_field_of},
};
use crate::{
    ct,
    encoding::Encoding,
    material::{Field, KeyError, Lengths, Material, Reuse},
    request::{Body, Context},
    time::UnixTime,
    wire::{
        Fault,
        base64::{decode_url_exact, encode_url, url_fault},
    },
};

/// HMAC-SHA-256 with a timestamp and a nonce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hmac1;

/// Both states of the MAC, the key absorbed.
pub struct Key {
    mac: Hmac<Sha256>,
}

impl Key {
    #[inline]
    fn mac(&self, cx: &Context<'_>, signed: &Signed<'_>) -> [u8; 32] {
        let fields = [
            LABEL,
            cx.service,
            cx.key_id,
            signed.ts,
            signed.nonce,
            cx.method,
            cx.target,
            signed.digest,
        ];
        // One long update is faster than many short ones; a target of any length still works.
        match join(&fields, &mut [0; USUAL]) {
            Some(joined) => self.mac_of([joined]),
            None => self.mac_of(fields.into_iter().enumerate().flat_map(|(i, field)| {
                let separator: &[u8] = if i == 0 { b"" } else { b"\n" };
                [separator, field]
            })),
        }
    }

    /// The MAC of some texts, one behind the other.
    #[inline]
    pub(super) fn mac_of<'t>(&self, texts: impl IntoIterator<Item = &'t [u8]>) -> [u8; 32] {
        let mut mac = self.mac.clone();
        texts.into_iter().for_each(|text| mac.update(text));
        mac.finalize().into_bytes().into()
    }
}

/// The fields that the MAC covers, as they stand in the credential.
struct Signed<'a> {
    ts: &'a [u8],
    nonce: &'a [u8],
    digest: &'a [u8],
}

impl KeyScheme for Hmac1 {
    type Key = Key;

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn prepare(&self, material: &Material) -> Result<Key, KeyError> {
        let mac = Hmac::new_from_slice(material.get(&SECRET)?)
            .map_err(|_| KeyError::new(&SECRET, "is no HMAC key", "give 32 bytes"))?;
        Ok(Key { mac })
    }

    #[inline]
    fn open(&self, key: &Key, payload: Payload<'_>, cx: &Context<'_>) -> Result<Opened, OpenError> {
        let fields = Fields::parse(payload.tagged()?).ok_or(OpenError::Malformed)?;
        let expected = key.mac(cx, &fields.signed);
        if ct::eq_32(&fields.mac, &expected) & cx.is_bindable() {
            Ok(Opened {
                issued_at: Some(fields.issued_at),
                nonce: Some(fields.nonce.into()),
                content: Some(fields.covers),
                ..Opened::default()
            })
        } else {
            Err(OpenError::BadCredential)
        }
    }

    fn seal(&self, key: &Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        if !to.context.is_bindable() {
            return Err(SealError::Unbindable);
        }
        let (mut ts, mut nonce, mut digest) = (String::new(), String::new(), String::new());
        format_ts(to.now, &mut ts)?;
        let mut random = [0; NONCE];
        to.random.fill(&mut random)?;
        encode_url(&random, &mut nonce);
        match to.body {
            Body::Content(content) => encode_url(&Sha256::digest(content), &mut digest),
            Body::Uncovered => digest.push('-'),
        }
        let signed =
            Signed { ts: ts.as_bytes(), nonce: nonce.as_bytes(), digest: digest.as_bytes() };
        let mac = key.mac(&to.context, &signed);
        for field in [&ts, &nonce, &digest] {
            out.push_str(field);
            out.push('.');
        }
        encode_url(&mac, out);
        Ok(())
    }

    fn misread(&self, key: &Key, payload: Payload<'_>, cx: &Context<'_>) -> Option<&'static str> {
        let payload = payload.tagged().ok()?;
        let Some(fields) = Fields::parse(payload) else {
            let (ts, _) = split_field(payload)?;
            return is_milliseconds(ts).then_some("ts is in milliseconds, not in seconds");
        };
        misread(cx, |cx| ct::eq_32(&fields.mac, &key.mac(cx, &fields.signed)))
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        let mut rest = payload.as_bytes();
        let mut at = 0;
        let mut parts = Vec::new();
        for (name, length) in [("ts", None), ("nonce", Some(22)), ("digest", Some(43))] {
            let Some((field, after)) = split_field(rest) else {
                let problem = format!("{name} must be followed by `.`");
                return Err(Fault::malformed(at + rest.len(), problem));
            };
            parts.push(Part::new(name, field_meaning(name, field, length, at)?));
            at += field.len() + 1;
            rest = after;
        }
        parts.push(Part::new("mac", field_meaning("mac", rest, Some(43), at)?));
        Ok(parts)
    }
}

/// What one field says: a digest may be `-`, all but `ts` are Base64url of a fixed length.
fn field_meaning(
    name: &str,
    field: &[u8],
    length: Option<usize>,
    at: usize,
) -> Result<String, Fault> {
    let Some(length) = length else {
        return parse_ts(field)
            .map(|ts| ts.to_string())
            .ok_or_else(|| Fault::malformed(at, "ts is 1 to 11 digits without a leading zero"));
    };
    if field == UNCOVERED && name == "digest" {
        return Ok("the body is not covered".to_owned());
    }
    if let Some(fault) = url_fault(field) {
        return Err(Fault { at: at + fault.at, ..fault });
    }
    if field.len() != length {
        let problem = format!("{} characters; this field has {length}", field.len());
        return Err(Fault::malformed(at, problem));
    }
    Ok(format!("{} bytes", length * 3 / 4))
}

/// A payload in its parts, none of them believed yet.
struct Fields<'a> {
    issued_at: UnixTime,
    nonce: [u8; NONCE],
    covers: Covers,
    mac: [u8; 32],
    signed: Signed<'a>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let (ts, rest) = split_field(payload)?;
        let (nonce, rest) = split_field_of(22, rest)?;
        let (digest, covers, mac) = if let [b'-', b'.', mac @ ..] = rest {
            (UNCOVERED, Covers::Nothing, mac)
        } else {
            let (digest, mac) = split_field_of(43, rest)?;
            (digest, Covers::Digest(decode_url_exact(digest)?), mac)
        };
        Some(Self {
            issued_at: parse_ts(ts)?,
            nonce: decode_url_exact(nonce)?,
            covers,
            mac: decode_url_exact(mac)?,
            signed: Signed { ts, nonce, digest },
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hmac1::Key")
    }
}

const NONCE: usize = 16;
const LABEL: &[u8] = b"keyscheme/hmac1";
/// Room for the joined text of a target of about 200 bytes.
const USUAL: usize = 320;
const UNCOVERED: &[u8] = b"-";

const SECRET: Field = Field {
    name: "secret",
    encoding: Encoding::Base64,
    lengths: Lengths::OneOf(&[32]),
    reuse: Reuse::Never,
};

static FACTS: Facts = Facts {
    id: "hmac1",
    authentic: true,
    fresh: true,
    binds: Binds { service: true, request: true, body: true },
    single_use: SingleUse::Always,
    may_be_bare: false,
    fields: &[SECRET],
};
