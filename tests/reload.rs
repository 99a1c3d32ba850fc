//! Keys and policy that change while requests run.

use std::sync::Arc;

use keyscheme::{
    AcceptConfig, Authenticator, Failure, Issuer, KeyConfig, ManualClock, Material, MaxAge, Reject,
    Request, ServiceConfig, UnixTime, Verified, Verifier,
};

const NOW: u64 = 1_790_000_000;

struct World {
    clock: Arc<ManualClock>,
    auth: Authenticator,
}

fn material() -> Material {
    Material::new().with("cipher-key", vec![1; 32]).with("api-key", b"key".to_vec())
}

impl World {
    fn new(accept: AcceptConfig) -> Self {
        let clock = Arc::new(ManualClock::new(UnixTime(NOW)));
        let auth = Authenticator::new(Self::verifier(&clock, accept));
        Self { clock, auth }
    }

    fn verifier(clock: &Arc<ManualClock>, accept: AcceptConfig) -> Verifier {
        let builder = Verifier::builder().clock(Arc::<ManualClock>::clone(clock));
        builder
            .service(ServiceConfig::new("stt").issue("gcm1").accept(accept))
            .key("main", KeyConfig::new("k1", "gcm1", material()))
            .build()
            .unwrap()
    }

    fn replace(&self, accept: AcceptConfig) {
        self.auth.replace(Self::verifier(&self.clock, accept));
    }

    /// A credential that was issued so many seconds from the start.
    fn issued_at(&self, seconds: i64) -> String {
        let at = UnixTime(NOW.checked_add_signed(seconds).unwrap());
        let issuer = Issuer::new(keyscheme::Gcm1, "stt", "k1", &material()).unwrap();
        let issuer = issuer.clock(Arc::new(ManualClock::new(at)));
        issuer.issue(&Request::new("GET", "/")).unwrap()
    }

    fn verify(&self, credential: &str) -> Result<Verified, Failure> {
        let verifier = self.auth.verifier();
        let request = Request::new("GET", "/").credential(credential).body("");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(verifier.service("stt").unwrap().verify(&request))
    }

    fn says(&self, credential: &str) -> &'static str {
        match self.verify(credential) {
            Ok(_) => "accepted",
            Err(Failure::Rejected(reason)) => reason.code(),
            Err(Failure::Unavailable(_)) => "unavailable",
        }
    }
}

fn once(max_age: u64) -> AcceptConfig {
    AcceptConfig { once: true, ..many(max_age) }
}

fn many(max_age: u64) -> AcceptConfig {
    AcceptConfig::new("gcm1").max_age(MaxAge::Seconds(max_age))
}

#[test]
fn what_was_used_stays_used() {
    let world = World::new(once(300));
    let used = world.issued_at(0);
    assert_eq!(world.says(&used), "accepted");
    for _ in 0..3 {
        world.replace(once(300));
        assert_eq!(world.says(&used), "replayed");
        assert_eq!(world.says(&world.issued_at(1)), "accepted");
    }
}

#[test]
fn what_was_not_single_use_is_fenced_when_it_becomes_so() {
    let world = World::new(many(300));
    let (used, early) = (world.issued_at(0), world.issued_at(30));
    assert_eq!(
        (world.says(&used), world.says(&used), world.says(&early)),
        ("accepted", "accepted", "accepted")
    );
    world.replace(once(300));
    assert_eq!((world.says(&used), world.says(&early)), ("unavailable", "unavailable"));
    world.clock.set(UnixTime(NOW + 1));
    let fresh = world.issued_at(31);
    assert_eq!((world.says(&fresh), world.says(&fresh)), ("accepted", "replayed"));
    // Not forgotten by a reload that changes nothing.
    world.replace(once(300));
    assert_eq!((world.says(&used), world.says(&early)), ("unavailable", "unavailable"));
    world.clock.set(UnixTime(NOW + 301));
    assert_eq!(world.says(&used), Reject::Stale.code());
}

#[test]
fn a_greater_max_age_fences_what_its_store_may_have_dropped() {
    let world = World::new(once(100));
    let used = world.issued_at(0);
    assert_eq!(world.says(&used), "accepted");
    // The claim is dropped after 190 seconds.
    world.clock.set(UnixTime(NOW + 200));
    assert_eq!(world.says(&world.issued_at(200)), "accepted");
    world.replace(once(1_000));
    assert_eq!(world.says(&used), "unavailable");
    assert_eq!(world.says(&world.issued_at(100)), "unavailable");
    // Nothing that was fresh at that time is refused.
    assert_eq!(world.says(&world.issued_at(101)), "accepted");
    world.replace(once(100));
    world.replace(once(2_000));
    assert_eq!(world.says(&used), "unavailable");
}

#[test]
fn a_scheme_that_was_away_is_fenced_as_if_it_had_stayed() {
    let world = World::new(many(300));
    let used = world.issued_at(0);
    assert_eq!(world.says(&used), "accepted");
    let hmac1 = Verifier::builder()
        .clock(Arc::<ManualClock>::clone(&world.clock))
        .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
        .key("main", KeyConfig::new("k2", "hmac1", Material::new().with("secret", vec![2; 32])));
    world.auth.replace(hmac1.build().unwrap());
    assert_eq!(world.says(&used), "scheme-refused");
    world.replace(once(300));
    assert_eq!(world.says(&used), "unavailable");
}

#[test]
fn a_handle_judges_by_what_is_new_and_a_verifier_by_what_it_had() {
    let world = World::new(once(300));
    let (clone, before) = (world.auth.clone(), world.auth.verifier());
    world.replace(many(300));
    let once = |verifier: &Verifier| {
        let rules = verifier.snapshot().rules("stt").unwrap();
        rules.accepted().any(|accepted| accepted.is_once())
    };
    assert!(once(&before) && !once(&clone.verifier()));
}
