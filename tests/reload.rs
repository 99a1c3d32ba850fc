//! Keys and policy that change while requests run.

#[cfg(feature = "watch")]
#[path = "support/directory.rs"]
mod directory;

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

/// What was used just before is known for a while, and not for as long as it is fresh now.
#[test]
fn a_greater_max_age_fences_what_its_store_will_drop() {
    for raises in [&[1_000][..], &[50, 1_000], &[50, 400, 1_000], &[1_000, 10, 1_000]] {
        let world = World::new(once(5));
        let used: Vec<_> = [0, 5, 30].map(|at| world.issued_at(at)).into();
        used.iter().for_each(|used| assert_eq!(world.says(used), "accepted"));
        raises.iter().for_each(|max_age| world.replace(once(*max_age)));
        for now in 0..=1_030 {
            world.clock.set(UnixTime(NOW.saturating_add_signed(now)));
            for used in &used {
                assert_ne!(world.says(used), "accepted", "at {now}, {raises:?}");
            }
            // Whoever sends at once notices nothing.
            assert_eq!(world.says(&world.issued_at(now)), "accepted", "at {now}");
        }
    }
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

/// A process that ends in peace and another after it, with a state file.
#[cfg(feature = "watch")]
mod restart {
    use std::fs;

    use keyscheme::Loader;

    use super::*;

    struct Place {
        directory: directory::Temporary,
        clock: Arc<ManualClock>,
    }

    impl Place {
        fn new() -> Self {
            let place = Self {
                directory: directory::Temporary::new("restart"),
                clock: Arc::new(ManualClock::new(UnixTime(NOW))),
            };
            place.put("cipher", &"01".repeat(32));
            place.put("api", "key");
            place
        }

        fn put(&self, name: &str, content: &str) {
            fs::write(self.directory.0.join(name), content).unwrap();
        }

        /// What the configuration says of `gcm1`.
        fn says(&self, entry: &str) {
            self.put(
                "keyscheme.toml",
                &format!(
                    "[service.stt]\nissue = \"gcm1\"\naccept = [{{ scheme = \"gcm1\", {entry} }}]\n\
                     [[client.main.key]]\nid = \"k1\"\nscheme = \"gcm1\"\n\
                     cipher-key = {{ file = \"cipher\", encoding = \"hex\" }}\n\
                     api-key = {{ file = \"api\", encoding = \"utf8\" }}\n\
                     [replay]\nstate = \"state\"\n"
                ),
            );
        }

        fn start(&self) -> World {
            let loader = Loader::new().clock(Arc::<ManualClock>::clone(&self.clock));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let config = runtime.block_on(loader.load(self.directory.0.join("keyscheme.toml")));
            World { clock: Arc::clone(&self.clock), auth: config.unwrap().try_into().unwrap() }
        }

        fn reload(&self, world: &World) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(world.auth.reload()).unwrap();
        }
    }

    const AGED: &str = "max-age = \"5s\", once = true";
    const OLDER: &str = "max-age = \"300s\", once = true";
    const MANY: &str = "max-age = \"300s\"";

    #[test]
    fn a_greater_max_age_after_it_fences_as_a_reload_does() {
        let place = Place::new();
        place.says(AGED);
        let world = place.start();
        let used = world.issued_at(0);
        assert_eq!(world.says(&used), "accepted");
        world.auth.close().unwrap();
        drop(world);
        place.says(OLDER);
        for now in [1, 6, 95, 96, 110, 299] {
            place.clock.set(UnixTime(NOW + now));
            let world = place.start();
            assert_ne!(world.says(&used), "accepted", "at {now}");
            let fresh = world.issued_at(i64::try_from(now).unwrap());
            assert_eq!((world.says(&fresh), world.says(&fresh)), ("accepted", "replayed"));
            world.auth.close().unwrap();
        }
    }

    #[test]
    fn a_scheme_that_is_single_use_after_it_is_fenced() {
        let place = Place::new();
        place.says(MANY);
        let world = place.start();
        let used = world.issued_at(0);
        assert_eq!(world.says(&used), "accepted");
        world.auth.close().unwrap();
        drop(world);
        place.says(OLDER);
        assert_eq!(place.start().says(&used), "unavailable");
    }

    /// Nothing single use passes any more, so nobody is to be sent here.
    #[test]
    fn a_state_file_that_is_not_kept_is_not_ready() {
        let place = Place::new();
        place.says(OLDER);
        let world = place.start();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ready = || runtime.block_on(world.auth.verifier().ready());
        place.clock.set(UnixTime(NOW + 19));
        assert!(ready().is_ok());
        place.clock.set(UnixTime(NOW + 20));
        assert!(ready().unwrap_err().to_string().contains("state file is not kept"));
        assert_eq!(world.says(&world.issued_at(20)), "unavailable");
    }

    #[test]
    fn a_fence_outlives_it() {
        let place = Place::new();
        place.says(MANY);
        let world = place.start();
        let used = world.issued_at(0);
        assert_eq!(world.says(&used), "accepted");
        place.says(OLDER);
        place.reload(&world);
        assert_eq!(world.says(&used), "unavailable");
        world.auth.close().unwrap();
        drop(world);
        place.clock.set(UnixTime(NOW + 31));
        for restart in 1..3 {
            let world = place.start();
            assert_eq!(world.says(&used), "unavailable", "{restart}");
            assert_eq!(world.says(&world.issued_at(31)), "accepted", "{restart}");
            world.auth.close().unwrap();
        }
    }
}
