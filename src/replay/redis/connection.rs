//! One connection to one process of Redis, and the memory that was found there.

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, Pipeline,
    aio::MultiplexedConnection,
};
use sha2::{Digest, Sha256};

use super::{
    config::RedisConfig,
    fault::Fault,
    health::{Health, SECTIONS},
    script::Source,
};
use crate::{
    replay::{Claim, MARGIN, ReplayClaim},
    time::UnixTime,
};

/// A connection. All claims share it, without waiting for each other.
pub(super) struct Connection {
    multiplexed: MultiplexedConnection,
    keys: Keys,
    memory: Mutex<Memory>,
    /// Held by who looks, so that the others wait for what he sees.
    looking: tokio::sync::Mutex<()>,
}

/// The memory that was found at the last look.
#[derive(Clone)]
pub(super) struct Memory {
    /// The name of its marker.
    born: Arc<str>,
    /// The time on its clock.
    pub(super) clock: u64,
    /// What was issued until then may have been forgotten.
    pub(super) fence: u64,
    looked: Instant,
}

impl Connection {
    /// Connects to the node that has our keys. `seen` is the greatest time known of its clock.
    pub(super) async fn open(
        config: &RedisConfig,
        target: &ConnectionInfo,
        now: UnixTime,
        seen: u64,
    ) -> Result<Self, Fault> {
        let mut address = target.addr().clone();
        for _ in 0..MOVES {
            let identity = config.identity(target.redis_settings().db());
            let info = target.clone().set_addr(address.clone()).set_redis_settings(identity);
            let keys = Keys::new(&config.prefix);
            match Self::to(info, keys, now, seen).await {
                Err(Fault::Moved(node)) => address = moved(&address, &node)?,
                other => return other,
            }
        }
        Err(Fault::Away("its cluster sends us from node to node".to_owned()))
    }

    async fn to(info: ConnectionInfo, keys: Keys, now: UnixTime, seen: u64) -> Result<Self, Fault> {
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // An application that has chosen a provider of its own did so before.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        // Timeouts are ours: they cover all that a claim does.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BUFFERED);
        let client = Client::open(info)?;
        let multiplexed = client.get_multiplexed_async_connection_with_config(&config).await?;
        let memory = look(&multiplexed, &keys, now, seen).await?;
        let looking = tokio::sync::Mutex::default();
        Ok(Self { multiplexed, keys, memory: Mutex::new(memory), looking })
    }

    /// The memory as it was at the last look.
    pub(super) fn memory(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether all is as it was, unless that was seen within the last second.
    pub(super) async fn look(&self, now: UnixTime) -> Result<Memory, Fault> {
        let _turn = self.looking.lock().await;
        let memory = self.memory();
        if memory.looked.elapsed() < LOOK {
            return Ok(memory);
        }
        self.looked(now).await
    }

    /// Looks, whatever was seen.
    pub(super) async fn look_again(&self, now: UnixTime) -> Result<Memory, Fault> {
        let _turn = self.looking.lock().await;
        self.looked(now).await
    }

    async fn looked(&self, now: UnixTime) -> Result<Memory, Fault> {
        let memory = look(&self.multiplexed, &self.keys, now, self.memory().clock).await?;
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory.clone();
        Ok(memory)
    }

    pub(super) async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, Fault> {
        for _ in 0..2 {
            let memory = self.memory();
            match self.ask(claim, &memory.born).await?.as_str() {
                "first" => {
                    // What was as before at a look after the claim, was so at the claim.
                    let whole = memory.looked.elapsed() < LOOK
                        || self.look(claim.now).await?.born == memory.born;
                    return Ok(if whole { Claim::First } else { Claim::Forgotten });
                }
                "forgotten" => return Ok(Claim::Forgotten),
                "seen" => return Ok(Claim::Seen),
                "stale" => return Ok(Claim::Stale),
                "ahead" => {
                    let why = "the credential was issued more than 30 s ahead of its clock";
                    return Err(Fault::Refused(why.to_owned()));
                }
                "clocks" => return Err(clocks()),
                // Another marker, or none: nothing was claimed. It is found out what there is.
                _ => {
                    let _turn = self.looking.lock().await;
                    if self.memory().born == memory.born {
                        self.looked(claim.now).await?;
                    }
                }
            }
        }
        Ok(Claim::Forgotten)
    }

    async fn ask(&self, claim: &ReplayClaim<'_>, born: &str) -> Result<String, Fault> {
        let mut call = CLAIM.call(2);
        call.arg(&self.keys.marker)
            .arg(self.keys.of(claim))
            .arg(born)
            .arg(claim.now.0)
            .arg(claim.issued_at.0)
            .arg(claim.max_age)
            .arg(MARGIN)
            .arg(FUTURE)
            .arg(SKEW);
        CLAIM.run(&call, &mut self.multiplexed.clone()).await
    }
}

/// What is there, and whether it can be relied on.
async fn look(
    connection: &MultiplexedConnection,
    keys: &Keys,
    now: UnixTime,
    seen: u64,
) -> Result<Memory, Fault> {
    // Before anything is sent: what is seen is at least as late.
    let looked = Instant::now();
    let mut connection = connection.clone();
    let mut sections = Pipeline::with_capacity(SECTIONS.len());
    for section in SECTIONS {
        sections.cmd("INFO").arg(section);
    }
    let info: Vec<String> = sections.query_async(&mut connection).await?;
    let health = Health::read(&info.concat())?;
    let mut call = LOOK_AT.call(2);
    call.arg(&keys.marker).arg(&keys.probe);
    call.arg(&health.run_id).arg(&health.promoted_from).arg(health.evicted);
    call.arg(now.0).arg(seen).arg(FUTURE).arg(SKEW);
    let found: (String, u64, u64) = LOOK_AT.run(&call, &mut connection).await?;
    let (born, clock, fence) = found;
    if born.is_empty() {
        return Err(clocks());
    }
    Ok(Memory { born: born.into(), clock, fence, looked })
}

fn clocks() -> Fault {
    Fault::Refused("its clock and those here differ by more than a minute; mend them".to_owned())
}

/// The address of another node, as a node says it: without a host where that is its own.
fn moved(from: &ConnectionAddr, node: &str) -> Result<ConnectionAddr, Fault> {
    let parts = node.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let unknown = || Fault::Away("its cluster names a node that is no address".to_owned());
    let (host, to) = parts.ok_or_else(unknown)?;
    let mut address = from.clone();
    match &mut address {
        ConnectionAddr::Tcp(name, port) | ConnectionAddr::TcpTls { host: name, port, .. } => {
            if !host.is_empty() {
                *name = host.trim_matches(['[', ']']).to_owned();
            }
            *port = to;
        }
        _ => return Err(unknown()),
    }
    Ok(address)
}

/// The names of keys.
struct Keys {
    /// A hash tag: what stands in braces decides the slot.
    tag: String,
    marker: String,
    /// What a look sets as a claim is set, and deletes: no claim has a name of this length.
    probe: String,
}

impl Keys {
    fn new(prefix: &str) -> Self {
        Self {
            tag: format!("{{{prefix}}}"),
            marker: format!("{{{prefix}}}:memory"),
            probe: format!("{{{prefix}}}:probe"),
        }
    }

    /// A collision would refuse the second claim, and only who holds both keys can look for one.
    fn of(&self, claim: &ReplayClaim<'_>) -> Vec<u8> {
        let mut hash = Sha256::new();
        // No name holds a line feed, so different claims are different texts.
        hash.update(claim.service.as_bytes());
        hash.update(b"\n");
        hash.update(claim.key_id.as_bytes());
        hash.update(b"\n");
        hash.update(claim.nonce);
        let digest = hash.finalize();
        self.tag.bytes().chain(digest.iter().copied().take(DIGEST)).collect()
    }
}

static CLAIM: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("claim.lua")));
static LOOK_AT: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("look.lua")));

/// How long what a look has seen is believed.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How far in the future a credential may have been issued.
const FUTURE: u64 = 30;
/// How far clocks may differ: what [`MARGIN`] has room for.
const SKEW: u64 = MARGIN - FUTURE;
const DIGEST: usize = 16;
/// How many claims may wait to be written before others wait for room.
const BUFFERED: usize = 1024;
/// How often a cluster may say that another node has our keys.
const MOVES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_with_its_host_or_without() {
        let from = ConnectionAddr::Tcp("a".to_owned(), 1);
        for (node, host, port) in
            [("10.0.0.7:6380", "10.0.0.7", 6380), (":2", "a", 2), ("[::1]:3", "::1", 3)]
        {
            let expected = ConnectionAddr::Tcp(host.to_owned(), port);
            assert_eq!(moved(&from, node).unwrap(), expected, "{node}");
        }
        for node in ["", "b", "b:", "b:x", "b:65536"] {
            assert!(moved(&from, node).is_err(), "{node}");
        }
    }
}
