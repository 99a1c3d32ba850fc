//! One service, one client with a key of each scheme, a clock that stands, and a spy around each
//! scheme.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{self, Poll, Waker},
};

use keyscheme::{
    AcceptConfig, Cbc1, Checked, Context, Ecb0, Encoding, Facts, Failure, Gcm1, Hmac1, Issuer,
    KeyConfig, KeyError, KeyScheme, ManualClock, Material, OpenError, Opened, Payload, Registry,
    Rejected, Request, SealError, Sealing, ServiceConfig, UnixTime, Verified, Verifier,
    VerifierBuilder,
};

pub const NOW: UnixTime = UnixTime(1_700_000_000);
/// Every built-in scheme; [`all_schemes_are_here`] holds it to the registry.
pub const SCHEMES: [&str; 4] = ["ecb0", "cbc1", "gcm1", "hmac1"];
/// Seven blocks with their padding, so that six of them and three are whole in Base64 too.
pub const API_KEY: &str = "3f1c0a52-7c1b-4f0e-9d6e-2b7a54c8e913.0b9f4c61-5c39-4f8e-8a55-d2f0a9c7e164.\
                           9d2b7e03-1f6a-4c7e-b0a8-5e";

/// How many of something, in optimised builds and in others.
pub const fn many(optimised: usize, otherwise: usize) -> usize {
    if cfg!(debug_assertions) { otherwise } else { optimised }
}

/// The key `<scheme>-key` of `spring`.
pub fn key(scheme: &str) -> KeyConfig {
    let id = format!("{scheme}-key");
    KeyConfig::new(&id, scheme, material(scheme, &id))
}

/// Different bytes for each id.
pub fn material(scheme: &str, id: &str) -> Material {
    let mut secret = [0; 32];
    secret.iter_mut().zip(id.bytes().cycle()).for_each(|(to, from)| *to = from);
    match scheme {
        "hmac1" => Material::new().with("secret", secret.as_slice()),
        _ => Material::new().with("cipher-key", secret.as_slice()).with("api-key", API_KEY),
    }
}

pub fn issuer(scheme: &str, service: &str, id: &str) -> Issuer {
    let material = material(scheme, id);
    let issuer = Registry::default().issuer(scheme, service, id, &material);
    issuer.expect("sound material").clock(Arc::new(ManualClock::new(NOW)))
}

/// The request of all tests that are not about requests.
pub fn request() -> Request<'static> {
    Request::new("POST", "/v1/stt?lang=ko")
}

/// A credential for it, at `now`.
pub fn sealed_at(scheme: &str, now: UnixTime) -> String {
    let issuer = issuer(scheme, "stt", &format!("{scheme}-key"));
    issuer.clock(Arc::new(ManualClock::new(now))).issue(&request()).expect("a credential")
}

pub fn sealed(scheme: &str) -> String {
    sealed_at(scheme, NOW)
}

pub fn bare() -> String {
    issuer("ecb0", "stt", "ecb0-key").bare().issue(&request()).expect("a credential")
}

pub fn decode(base64url: &str) -> Vec<u8> {
    Encoding::Base64Url.decode(base64url.as_bytes()).expect("Base64url").expose().to_vec()
}

pub fn encode(bytes: &[u8]) -> String {
    Encoding::Base64Url.encode(bytes).expect("any bytes").to_string()
}

/// What stands before the last `.`, with it, and what the Base64 after it holds.
pub fn last_field(credential: &str) -> (&str, Vec<u8>) {
    let (head, last) = credential.split_at(credential.rfind('.').expect("tagged") + 1);
    (head, decode(last))
}

pub struct World {
    pub verifier: Verifier,
    pub clock: Arc<ManualClock>,
    opened: [Arc<AtomicUsize>; 4],
}

impl World {
    /// The service `stt` accepts every scheme for a year.
    pub fn new() -> Self {
        let accept = SCHEMES.map(|scheme| AcceptConfig::new(scheme).until(NOW.plus(31_536_000)));
        Self::accepting(accept)
    }

    /// The service `stt` accepts these.
    pub fn accepting(accept: impl IntoIterator<Item = AcceptConfig>) -> Self {
        Self::with(accept, |builder| {
            SCHEMES.into_iter().fold(builder, |b, s| b.key("spring", key(s)))
        })
    }

    /// The service `stt` accepts these; the rest is told.
    pub fn with(
        accept: impl IntoIterator<Item = AcceptConfig>,
        rest: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let opened: [Arc<AtomicUsize>; 4] = Default::default();
        let [ecb0, cbc1, gcm1, hmac1] = &opened;
        let registry = Registry::empty()
            .with(Spy(Ecb0, Arc::clone(ecb0)))
            .with(Spy(Cbc1, Arc::clone(cbc1)))
            .with(Spy(Gcm1, Arc::clone(gcm1)))
            .with(Spy(Hmac1, Arc::clone(hmac1)));
        let mut service = ServiceConfig::new("stt");
        for entry in accept {
            service = service.issue(&entry.scheme).accept(entry);
        }
        let builder = Verifier::builder()
            .registry(registry)
            .service(service)
            .replay_capacity(1_000)
            .clock(Arc::<ManualClock>::clone(&clock));
        let verifier = rest(builder).build().expect("a sound configuration");
        let world = Self { verifier, clock, opened };
        // Each key has opened what it seals, before it was put in force.
        world.opened();
        world
    }

    /// Judges, and claims.
    pub fn verify(&self, request: &Request<'_>) -> Result<Verified, Failure> {
        let guard = self.verifier.service("stt").expect("the service");
        poll(guard.verify(request))
    }

    /// Judges, and claims nothing.
    pub fn check(&self, request: &Request<'_>) -> Result<Checked, Rejected<'_>> {
        let rules = self.verifier.snapshot().rules("stt").expect("the service");
        rules.check(request, keyscheme::Clock::now(&*self.clock))
    }

    /// The verdict on a credential in a word.
    pub fn says(&self, credential: &str) -> &'static str {
        word(&self.verify(&request().credential(credential)))
    }

    pub fn is_empty(&self) -> bool {
        self.verifier.memory().expect("a memory").is_empty()
    }

    /// How often each scheme opened something since this was asked last, in the order of [`SCHEMES`].
    pub fn opened(&self) -> [usize; 4] {
        self.opened.each_ref().map(|count| count.swap(0, Ordering::SeqCst))
    }
}

/// The output of a future that does not wait.
pub fn poll<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// A verdict in a word.
pub fn word(verdict: &Result<Verified, Failure>) -> &'static str {
    match verdict {
        Ok(_) => "accepted",
        Err(Failure::Rejected(reason)) => reason.code(),
        Err(Failure::Unavailable(_)) => "unavailable",
    }
}

/// One of `scheme`, none of the others.
pub fn once(scheme: &str) -> [usize; 4] {
    SCHEMES.map(|each| usize::from(each == scheme))
}

/// A scheme that counts what it is asked to open.
#[derive(Debug)]
struct Spy<S>(S, Arc<AtomicUsize>);

impl<S: KeyScheme> KeyScheme for Spy<S> {
    type Key = S::Key;

    fn facts(&self) -> &'static Facts {
        self.0.facts()
    }

    fn prepare(&self, material: &Material) -> Result<S::Key, KeyError> {
        self.0.prepare(material)
    }

    fn open(
        &self,
        key: &S::Key,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.open(key, payload, cx)
    }

    fn seal(&self, key: &S::Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError> {
        self.0.seal(key, to, out)
    }

    fn bare<'k>(&self, key: &'k S::Key) -> Option<&'k [u8]> {
        self.0.bare(key)
    }

    fn explain(&self, payload: Payload<'_>) -> Result<Vec<keyscheme::Part>, keyscheme::Fault> {
        self.0.explain(payload)
    }
}

#[test]
fn all_schemes_are_here() {
    let registered: Vec<_> = Registry::default().facts().map(|facts| facts.id).collect();
    assert_eq!(registered, SCHEMES);
}
