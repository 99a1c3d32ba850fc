//! The decision with its edges: a clock, and a replay memory.

use std::{fmt, sync::Arc};

use crate::{
    error::Failure,
    policy::Service,
    replay::{MemoryReplay, ReplayStore},
    request::Request,
    time::Clock,
    verify::{Checked, Snapshot, Verified},
};

/// Verifies requests for its services.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use keyscheme::{Failure, KeyConfig, Material, Reject, Request, ServiceConfig, Verifier};
///
/// let verifier = Verifier::builder()
///     .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
///     .key("spring-main", KeyConfig::new("spring-2026-11", "hmac1", Material::new()
///         .with("secret", [7; 32].as_slice())))
///     .build()?;
/// let stt = verifier.service("stt").ok_or("no such service")?;
///
/// let request = Request::new("GET", "/v1/voices").credential("hmac1.spring-2026-11.1.x.y.z");
/// let failure = stt.verify(&request).await.unwrap_err();
/// assert!(matches!(failure, Failure::Rejected(Reject::Malformed)));
/// # Ok(()) })
/// # }
/// ```
#[derive(Debug)]
pub struct Verifier {
    pub(crate) snapshot: Snapshot,
    pub(crate) replay: Replay,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Verifier {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<Guard<'_>> {
        Some(Guard { verifier: self, service: self.snapshot.service(name)? })
    }

    /// Keys and policy, for those who judge themselves.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The replay memory, where it is the one in this process.
    pub fn memory(&self) -> Option<&MemoryReplay> {
        match &self.replay {
            Replay::Memory(memory) => Some(memory),
            Replay::Store(_) => None,
        }
    }
}

/// Stands before one service.
#[derive(Clone, Copy, Debug)]
pub struct Guard<'v> {
    verifier: &'v Verifier,
    service: &'v Service,
}

impl Guard<'_> {
    /// The rules of the service.
    pub fn service(&self) -> &Service {
        self.service
    }

    /// Accepts or refuses a request. Where the request has its body, that is compared too;
    /// otherwise see [`Verified::body`].
    ///
    /// # Errors
    ///
    /// [`Failure`], of which a peer learns nothing but "refused" or "not now".
    pub async fn verify(&self, request: &Request<'_>) -> Result<Verified, Failure> {
        let Verifier { snapshot, replay, clock } = self.verifier;
        let now = clock.now();
        let verified = match snapshot.check(self.service, request, now)? {
            Checked::Verified(verified) => verified,
            Checked::FirstUse(unclaimed) => {
                let claim = unclaimed.claim(now);
                let answer = match replay {
                    Replay::Memory(memory) => memory.claim_now(&claim),
                    Replay::Store(store) => store.claim(&claim).await,
                };
                unclaimed.settle(answer, clock.now())?
            }
        };
        match request.body {
            Some(content) => Ok(verified.with_body(content)?),
            None => Ok(verified),
        }
    }
}

/// Where used credentials are remembered. The memory of this process is asked without a future on
/// the heap.
pub(crate) enum Replay {
    Memory(MemoryReplay),
    Store(Arc<dyn ReplayStore>),
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(memory) => memory.fmt(f),
            Self::Store(_) => f.write_str("ReplayStore"),
        }
    }
}
