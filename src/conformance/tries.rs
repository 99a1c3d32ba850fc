//! What the suite tries: names, requests, lengths, and payloads that must not open.

use std::ops::Range;

use super::Property;
use crate::{
    error::BackendError,
    material::{Encoding, Field, Lengths},
    random::{OsRandom, Random},
    request::{Body, Context},
    scheme::Sealing,
    time::UnixTime,
};

/// As long as an id can be.
pub(super) const KEY_ID: &str = "spring-gateway-production-2026-1a";

/// Its service has one byte less than a name may have, so that a byte can move there from the id.
pub(super) const HERE: Context<'static> = Context {
    service: b"speech-to-text.production.north-west.internal-services.example",
    key_id: KEY_ID.as_bytes(),
    method: b"POST",
    target: b"/v1/stt?lang=ko",
};

pub(super) const USUAL: Sealing<'static> = Sealing {
    context: HERE,
    body: Body::Content(b"hello"),
    now: UnixTime(1_700_000_000),
    random: &OsRandom,
    bare: false,
};

/// Other contexts, and what of the context is another there.
pub(super) const ELSEWHERE: [(Property, Context<'static>); 14] = [
    (Property::Service, Context { service: b"tts", ..HERE }),
    (
        Property::Service,
        Context {
            service: b"speech-to-text.production.north-west.internal-services.exampl",
            ..HERE
        },
    ),
];
