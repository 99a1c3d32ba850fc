//! What the targets share: a verifier with one key under every built-in scheme, made from the facts
//! of the registry alone, where time stands and nothing is random.
//!
//! ```text
//! cargo install cargo-fuzz --locked
//! RUSTC_BOOTSTRAP=1 cargo fuzz run open fuzz/corpus/open fuzz/seeds/open -- -dict=fuzz/open.dict
//! ```
//!
//! `RUSTC_BOOTSTRAP=1` is for a stable toolchain; a nightly one does not need it.

use std::{
    fmt::Write,
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use keyscheme::{
    BackendError, Checked, Claim, Config, Facts, Fetched, Issuer, Loader, ManualClock, Random,
    Registry, Reject, Request, Secret, SecretRef, SecretSource, Snapshot, UnixTime,
};

pub const SERVICE: &str = "stt";
pub const CLIENT: &str = "spring";
pub const NOW: UnixTime = UnixTime(1_700_000_000);

/// Reads a configuration. Only its files could make it wait, and they are on a disk.
pub fn parse(text: &str) -> Result<Config, keyscheme::ConfigError> {
    let files = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/files"));
    let loader =
        Loader::new().clock(Arc::new(ManualClock::new(NOW))).source("fixed", Arc::new(Fixed));
    ready(loader.parse(text, files))
}

/// A service that accepts every built-in scheme, and a client with a key of the same id under each.
pub fn every_scheme() -> Config {
    let (mut accept, mut keys) = (String::new(), String::new());
    for Facts { id, authentic, fresh, fields, .. } in Registry::default().facts() {
        let until = if *authentic && *fresh { "" } else { ", until = 2999-12-31T00:00:00Z" };
        write!(accept, "{{ scheme = {id:?}{until} }},").unwrap();
        writeln!(keys, "[[client.{CLIENT}.key]]\nid = {id:?}\nscheme = {id:?}").unwrap();
        for field in *fields {
            let (name, length) = (field.name, field.lengths.of_new());
            let secret = format!("{length} of {id} {name}");
            writeln!(keys, "{name} = {{ fixed = {secret:?}, encoding = \"utf8\" }}").unwrap();
        }
    }
    let issue = Registry::default().facts().last().unwrap().id;
    parse(&format!("[service.{SERVICE}]\nissue = {issue:?}\naccept = [{accept}]\n{keys}")).unwrap()
}

/// Its credentials depend on nothing but the request and a byte, of which it makes its nonces.
pub fn issuer(config: &Config, facts: &Facts, nonce: u8) -> Issuer {
    config.issuer(SERVICE, CLIENT, Some(facts.id)).unwrap().random(Arc::new(NotRandom(nonce)))
}

/// The verdict where no credential was used before, body included.
pub fn judge(snapshot: &Snapshot, request: &Request<'_>, body: &[u8]) -> Result<(), Reject> {
    let verified = match snapshot.rules(SERVICE).unwrap().check(request, NOW) {
        Ok(Checked::Verified(verified)) => verified,
        Ok(Checked::FirstUse(unclaimed)) => unclaimed.settle(Ok(Claim::First), NOW).unwrap(),
        Err(rejected) => return Err(rejected.reason()),
    };
    verified.with_body(body).map(drop)
}

/// What a future comes to that waits for nothing.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// `{ fixed = "32 of whatever" }` is 32 digits and letters that depend on the whole name.
#[derive(Debug)]
struct Fixed;

#[async_trait]
impl SecretSource for Fixed {
    async fn fetch(&self, secret: &SecretRef) -> Result<Fetched, BackendError> {
        let digits = secret.name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let length: usize = digits.parse().map_err(|error| BackendError::new("fixed", error))?;
        if length > 1000 {
            return Err(BackendError::new("fixed", "no secret is so long"));
        }
        let step = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let mut state = secret.name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        let text = (0..length).map(|_| {
            state = step(state, 0);
            b"0123456789abcdef"[(state >> 60) as usize]
        });
        Ok(Secret::from(text.collect::<Vec<_>>()).into())
    }
}

/// Always the same.
#[derive(Debug)]
struct NotRandom(u8);

impl Random for NotRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        bytes.fill(self.0);
        Ok(())
    }
}
