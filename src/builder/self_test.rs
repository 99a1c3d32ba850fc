//! Whether every key opens what it seals, and is found by it: a scheme or an index that is broken must
//! not be put in force.

use super::{KeyConfig, no_randomness};
use crate::{
    error::Mistake,
    key::Ring,
    random::Random,
    registry::Registry,
    request::{Body, Context},
    scheme::{Opened, Payload, SealError, Sealing},
    time::UnixTime,
};

/// Seals with one key, and opens. What is sealed never leaves this function.
pub(super) fn self_test(
    ring: &Ring,
    registry: &Registry,
    random: &dyn Random,
    key: &KeyConfig,
) -> Result<(), Mistake> {
    let failed = |what: String| Mistake::new("", what, "the scheme is broken: report this");
    let missing = || failed(format!("{} was not found", key.scheme));
    let (scheme, _) = registry.find(&key.scheme).ok_or_else(missing)?;
    let column = ring.column(scheme).ok_or_else(missing)?;
    let registered = registry.registered(&key.scheme).ok_or_else(missing)?;
    let sealer = registered.sealer(&key.material).map_err(|error| failed(error.to_string()))?;
    let id = key.id.as_bytes();
    let context = Context { service: b"self-test", key_id: id, method: b"GET", target: b"/" };
    let body = Body::Content(b"");
    let sealing = Sealing { context, body, now: SOME_DAY, random, bare: false };
    let mut payload = String::new();
    match sealer.seal(&sealing, &mut payload) {
        Ok(()) => {}
        Err(SealError::Unavailable(error)) => return Err(no_randomness(&error)),
        // A scheme that verifies only, by a public key for example, has nothing to be tried with.
        Err(_) => return Ok(()),
    }
    let found = column.find_id(id);
    let opened = column.keys().open(
        found.slot,
        Payload::Tagged(payload.as_bytes()),
        &context,
        &mut Opened::default(),
    );
    let is_it = |id_found: &[u8]| id_found == id;
    if opened.is_err() || !found.record.is_some_and(|record| is_it(record.id.as_bytes())) {
        return Err(failed("does not open what it seals".to_owned()));
    }
    match sealer.bare().map(|value| column.find_value(value).record) {
        Some(record) if !record.is_some_and(|record| is_it(record.id.as_bytes())) => {
            Err(failed("is not found by its bare value".to_owned()))
        }
        _ => Ok(()),
    }
}

const SOME_DAY: UnixTime = UnixTime(1_700_000_000);
