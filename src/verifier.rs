//! The decision with its edges: a clock, and a replay memory.

use std::{fmt, sync::Arc};

use crate::{
    error::{BackendError, Failure, Reject},
    id::{ClientName, KeyId},
    policy::Service,
    replay::{Claim, MemoryReplay, Quotas, ReplayStore},
    request::Request,
    time::{Clock, UnixTime},
    verify::{Checked, Fences, Rejected, Rules, Snapshot, Unclaimed, Verified},
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
    pub(crate) replay: Arc<Replay>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Verifier {
    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<Guard<'_>> {
        Some(Guard { verifier: self, rules: self.snapshot.rules(name)? })
    }

    /// Keys and policy, for those who judge themselves.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether the replay memory can be relied on. See [`ReplayStore::ready`].
    ///
    /// # Errors
    ///
    /// [`BackendError`] that says what is to be mended.
    pub async fn ready(&self) -> Result<(), BackendError> {
        match self.replay.as_ref() {
            Replay::Memory(memory) => memory.ready(self.clock.now()),
            Replay::Store(store) => store.ready().await,
        }
    }

    /// The memory of this process, before anybody else has a hold on it.
    #[cfg(feature = "watch")]
    pub(crate) fn memory_mut(&mut self) -> Option<&mut MemoryReplay> {
        match Arc::get_mut(&mut self.replay)? {
            Replay::Memory(memory) => Some(memory),
            Replay::Store(_) => None,
        }
    }

    /// This verifier in the place of `previous`: with its memory of what was used, and with fences
    /// around what a change of policy has made uncertain.
    pub(crate) fn in_place_of(mut self, previous: &Self, fences: &mut Fences) -> Self {
        fences.note(&previous.snapshot);
        fences.raise(&mut self.snapshot, previous.clock.now());
        self.replay = Arc::clone(&previous.replay);
        previous.quotas.follow(&self.quotas);
        self.quotas = Arc::clone(&previous.quotas);
        self
    }

    /// The replay memory, where it is the one in this process.
    pub fn memory(&self) -> Option<&MemoryReplay> {
        match self.replay.as_ref() {
            Replay::Memory(memory) => Some(memory),
            Replay::Store(_) => None,
        }
    }
}

/// Stands before one service.
#[derive(Clone, Copy)]
pub struct Guard<'v> {
    verifier: &'v Verifier,
    rules: Rules<'v>,
}

impl<'v> Guard<'v> {
    /// The service.
    pub fn service(&self) -> &'v Service {
        self.rules.service()
    }

    /// The rules that it judges by.
    pub fn rules(&self) -> Rules<'v> {
        self.rules
    }

    /// Accepts or refuses a request. Where the request has its body, that is compared too;
    /// otherwise see [`Verified::body`].
    ///
    /// # Errors
    ///
    /// [`Failure`], of which a peer learns nothing but "refused" or "not now".
    pub async fn verify(&self, request: &Request<'_>) -> Result<Verified, Failure> {
        Ok(self.judge(request).await?)
    }

    /// [`Self::verify`] for a caller that keeps a log: a refusal says whose key was proved.
    ///
    /// # Errors
    ///
    /// [`Refused`], which is not for the peer.
    pub async fn judge(&self, request: &Request<'_>) -> Result<Verified, Refused> {
        let verified = match self.begin(request) {
            Begun::Settled(outcome) => outcome?,
            Begun::Claiming(claiming) => claiming.finish().await?,
        };
        let Some(content) = request.body else { return Ok(verified) };
        Refused::unless(verified, |verified| verified.with_body(content))
    }

    /// The decision as far as it goes without waiting: all of it, unless a store has to be asked. The
    /// body is not looked at.
    #[inline]
    pub(crate) fn begin(&self, request: &Request<'_>) -> Begun {
        let Verifier { replay, quotas, clock, .. } = self.verifier;
        let now = clock.now();
        let unclaimed = match self.rules.check(request, now) {
            Ok(Checked::FirstUse(unclaimed)) => unclaimed,
            Ok(Checked::Verified(verified)) => return Begun::Settled(Ok(verified)),
            Err(rejected) => return Begun::Settled(Err(rejected.into())),
        };
        if unclaimed.is_fenced(now) {
            let answer = Ok(Claim::Forgotten);
            return Begun::Settled(settle(unclaimed, answer, clock.as_ref()));
        }
        if !quotas.has_room(&unclaimed.claim(now)) {
            let taken = format!("the key has its {} live claims", quotas.most());
            let answer = Err(BackendError::new("replay quota", taken));
            return Begun::Settled(settle(unclaimed, answer, clock.as_ref()));
        }
        match replay.as_ref() {
            Replay::Memory(memory) => {
                let answer = memory.claim_now(&unclaimed.claim(now));
                if let Ok(Claim::First) = answer {
                    quotas.count(&unclaimed.claim(now));
                }
                Begun::Settled(settle(unclaimed, answer, clock.as_ref()))
            }
            Replay::Store(store) => Begun::Claiming(Claiming {
                unclaimed,
                store: Arc::clone(store),
                quotas: Arc::clone(quotas),
                clock: Arc::clone(clock),
                now,
            }),
        }
    }
}

/// A decision, or what it still has to wait for.
pub(crate) enum Begun {
    Claiming(Claiming),
    Settled(Result<Verified, Refused>),
}

/// A claim that a store has to be asked for. It owns its parts, so a future can keep it.
pub(crate) struct Claiming {
    unclaimed: Unclaimed,
    store: Arc<dyn ReplayStore>,
    quotas: Arc<Quotas>,
    clock: Arc<dyn Clock>,
    now: UnixTime,
}

impl Claiming {
    pub(crate) async fn finish(self) -> Result<Verified, Refused> {
        let claim = self.unclaimed.claim(self.now);
        let answer = self.store.claim(&claim).await;
        // One that was not answered is not counted: while a store is away for long, that would be all,
        // and the key would be refused when it is back.
        if let Ok(Claim::First) = answer {
            self.quotas.count(&claim);
        }
        settle(self.unclaimed, answer, self.clock.as_ref())
    }
}

/// Step 9, with the time after the store has answered.
#[inline]
fn settle(
    unclaimed: Unclaimed,
    answer: Result<Claim, BackendError>,
    clock: &dyn Clock,
) -> Result<Verified, Refused> {
    let proved = Some(unclaimed.proved());
    unclaimed.settle(answer, clock.now()).map_err(|failure| Refused { failure, proved })
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({})", self.service().name())
    }
}

/// A failure, for the log.
#[derive(Debug)]
pub struct Refused {
    failure: Failure,
    proved: Option<(ClientName, KeyId)>,
}

impl Refused {
    /// What went wrong with an accepted request afterwards, for example with its body.
    pub fn after(verified: &Verified, failure: impl Into<Failure>) -> Self {
        Self { failure: failure.into(), proved: Some(verified.proved()) }
    }

    /// What went wrong where the body of an accepted request is compared.
    pub(crate) fn unless(
        verified: Verified,
        compare: impl FnOnce(Verified) -> Result<Verified, Reject>,
    ) -> Result<Verified, Self> {
        let proved = Some(verified.proved());
        compare(verified).map_err(|reason| Self { failure: reason.into(), proved })
    }

    /// What the peer is answered by.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The client, only where its key was proved.
    pub fn client(&self) -> Option<&str> {
        self.proved.as_ref().map(|(client, _)| client.as_str())
    }

    /// The key, only where it was proved.
    pub fn key_id(&self) -> Option<&str> {
        self.proved.as_ref().map(|(_, key_id)| key_id.as_str())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proved {
            Some((client, key_id)) => write!(f, "{} (client {client}, key {key_id})", self.failure),
            None => fmt::Display::fmt(&self.failure, f),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.failure)
    }
}

impl From<Reject> for Refused {
    fn from(reason: Reject) -> Self {
        Self { failure: reason.into(), proved: None }
    }
}

impl From<BackendError> for Refused {
    fn from(error: BackendError) -> Self {
        Self { failure: error.into(), proved: None }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        refused.failure
    }
}

impl From<Rejected<'_>> for Refused {
    fn from(rejected: Rejected<'_>) -> Self {
        let proved = rejected.proved().map(|key| (*key.client(), *key.id()));
        Self { failure: rejected.into(), proved }
    }
}

/// Where used credentials are remembered. The memory of this process is asked without a future on
/// the heap.
#[derive(Debug)]
pub(crate) enum Replay {
    Memory(MemoryReplay),
    Store(Arc<dyn ReplayStore>),
}
