//! One bad configuration per rule of the builder: what it says, where, and that it never shows a
//! secret.
//!
//! A sound configuration is spoiled in one place at a time, so that each mistake is the only one.

use std::sync::Arc;

use keyscheme::{
    AcceptConfig, BackendError, Binds, ConfigError, Context, Encoding, Facts, Field, Issuer,
    KeyConfig, KeyError, KeyScheme, KeyState, Lengths, Material, MaxAge, Mistake, OpenError,
    Opened, Payload, Random, Registry, Reuse, SealError, Sealing, ServiceConfig, SingleUse,
    UnixTime, Verifier, VerifierBuilder,
};

const CIPHER_KEY: &str = "cIpHeR-kEy-HuNtEr2-AbCdEfGhIjKlM";
const API_KEY: &str = "aPi-KeY-HuNtEr2-nOpQrStUv";
const SECRET: &str = "sEcReT-HuNtEr2-aBcDeFgHiJkLmNoPq";
const SOME_DAY: UnixTime = UnixTime(2_000_000_000);

fn aes(cipher_key: &str, api_key: &str) -> Material {
    Material::new().with("cipher-key", cipher_key).with("api-key", api_key)
}

fn hmac1(id: &str) -> KeyConfig {
    KeyConfig::new(id, "hmac1", Material::new().with("secret", SECRET))
}

/// A service that accepts what `entry` says beside `hmac1`.
fn service(entry: AcceptConfig) -> ServiceConfig {
    ServiceConfig::new("stt").issue("hmac1").accept("hmac1").accept(entry)
}

/// A sound configuration.
fn sound() -> VerifierBuilder {
    Verifier::builder()
        .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
        .key("spring", hmac1("s1"))
}

/// A sound key, so that nothing is wrong but the service.
fn with_service(service: ServiceConfig) -> VerifierBuilder {
    Verifier::builder().service(service).key("spring", hmac1("s1"))
}

fn with_entry(entry: AcceptConfig) -> VerifierBuilder {
    with_service(service(entry))
}

/// Nothing is wrong but this key, which is the second of its client.
fn with_key(key: KeyConfig) -> VerifierBuilder {
    sound().key("spring", key)
}

/// A name in a path: in quotes where TOML would want them.
fn part(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("{name:?}") }
}

fn mistakes(builder: VerifierBuilder) -> Vec<Mistake> {
    let error = builder.build().expect_err("a bad configuration");
    shows_no_secret(&error);
    error.mistakes().to_vec()
}

fn shows_no_secret(error: &ConfigError) {
    let said = format!("{error} {error:?} {error:#?}").to_lowercase();
    let secrets = [CIPHER_KEY, API_KEY, SECRET, "hunter2"];
    let texts = Encoding::ALL.iter().flat_map(|encoding| {
        secrets.map(|secret| encoding.encode(secret.as_bytes()).expect("ASCII").to_lowercase())
    });
    for text in texts {
        assert!(!said.contains(&text), "{said}");
    }
    let list = format!("{:?}", b"hunter2");
    assert!(!said.contains(list.trim_matches(['[', ']'])), "{said}");
}

/// It has this one mistake: the path exactly, problem and remedy by their gist.
#[track_caller]
fn one(builder: VerifierBuilder, path: &str, problem: &str, remedy: &str) {
    let mistakes = mistakes(builder);
    let [mistake] = mistakes.as_slice() else { panic!("not one mistake: {mistakes:#?}") };
    assert_eq!(mistake.path, path, "{mistake}");
    assert!(mistake.problem.contains(problem), "{mistake}");
    assert!(mistake.remedy.contains(remedy), "{mistake}");
    assert_eq!(mistake.position, None);
}

#[test]
fn what_is_spoiled_here_is_sound_before() {
    sound().build().expect("a sound configuration");
    with_entry(AcceptConfig::new("ecb0").until(SOME_DAY)).build().expect("a sound configuration");
    let ecb0 = KeyConfig::new("e1", "ecb0", aes(CIPHER_KEY, API_KEY));
    with_key(ecb0).build().expect("a sound configuration");
}

mod registry {
    use super::*;

    #[test]
    fn a_name_that_no_credential_can_have() {
        for id in
            ["", "x", "Jwt1", "jwt-1", "1jwt", "jwt.1", "jwt1 ", "aaaaaaaaaaaaaaaaa", "\u{e4}b1"]
        {
            let scheme = Outside::named(Box::leak(id.into()));
            let path = format!("scheme {id:?}");
            one(sound().scheme(scheme), &path, "is not a name for the wire", "2 to 16 of a-z");
        }
    }

    #[test]
    fn one_scheme_twice() {
        one(sound().scheme(keyscheme::Gcm1), "scheme \"gcm1\"", "registered twice", "once");
        one(
            sound().scheme(Outside::named("hmac1")),
            "scheme \"hmac1\"",
            "registered twice",
            "once",
        );
    }

    #[test]
    fn a_second_scheme_that_may_be_bare() {
        let second = Outside::but("old1", |facts| facts.may_be_bare = true);
        let problem = "may be bare, as \"ecb0\" already may";
        one(sound().scheme(second), "scheme \"old1\"", problem, "only one scheme");
        let first = Outside::but("old1", |facts| facts.may_be_bare = true);
        let registry = Registry::empty().with(first).with(keyscheme::Hmac1);
        sound().registry(registry).build().expect("one may be");
    }
}

mod surroundings {
    use super::*;

    #[test]
    fn no_room_for_a_claim() {
        one(sound().replay_capacity(0), "replay.capacity", "is 0", "room for one claim or more");
    }

    /// It is asked for the seed of the ring, for the key of the replay memory, and for a nonce with
    /// which the one key is tried.
    #[test]
    fn no_randomness() {
        for good in 0..3 {
            let random = Arc::new(Fails { good: good.into() });
            let remedy = "generator of the operating system";
            one(sound().random(random), "random", "nothing to give", remedy);
        }
        sound().random(Arc::new(Fails { good: 3.into() })).build().expect("no more");
    }

    #[derive(Debug)]
    struct Fails {
        /// How many times it works before.
        good: std::sync::atomic::AtomicUsize,
    }

    impl Random for Fails {
        fn fill(&self, _: &mut [u8]) -> Result<(), BackendError> {
            use std::sync::atomic::Ordering::SeqCst;
            let good = self.good.fetch_update(SeqCst, SeqCst, |good| good.checked_sub(1));
            good.map(drop).map_err(|_| BackendError::new("generator", "nothing to give"))
        }
    }
}

mod keys {
    use super::*;

    #[test]
    fn a_client_without_a_name_is_reported_once() {
        for name in ["", "Spring", "a.b", "-a", "a/b", "\n"] {
            let builder = sound()
                .key(name, hmac1("x1").state(KeyState::Staged).secret("one"))
                .key(name, hmac1("x2").state(KeyState::Staged).secret("two"));
            one(builder, &format!("client.{}", part(name)), "is no name", "1 to 32 of a-z");
        }
    }

    #[test]
    fn a_bad_key_id() {
        for id in ["", "S1", "a.b", "../etc/passwd", "' or 1=1 --"] {
            let key = hmac1(id).state(KeyState::Staged).secret("another");
            let problem = format!("{id:?} is no key id");
            one(with_key(key), "client.spring.key[1].id", &problem, "1 to 32 of a-z");
        }
    }

    #[test]
    fn one_id_for_two_keys_of_whatever_scheme_and_client() {
        let problem = "\"s1\" is the id of client.spring.key[0] too";
        let remedy = "a key of its own";
        let same_scheme = hmac1("s1").state(KeyState::Staged).secret("another");
        one(with_key(same_scheme), "client.spring.key[1].id", problem, remedy);
        let other_scheme = KeyConfig::new("s1", "gcm1", aes(CIPHER_KEY, API_KEY));
        one(with_key(other_scheme), "client.spring.key[1].id", problem, remedy);
        let other_client = sound().key("node", hmac1("s1").secret("another"));
        one(other_client, "client.node.key[0].id", problem, remedy);
    }

    #[test]
    fn verify_only_without_an_end() {
        let key = hmac1("s2").secret("another").state(KeyState::VerifyOnly);
        one(with_key(key.clone()), "client.spring.key[1].not-after", "is missing", "say when");
        with_key(key.not_after(SOME_DAY)).build().expect("it has an end");
    }

    #[test]
    fn dates_that_leave_no_time() {
        for (until, problem) in [
            (SOME_DAY, "leaves no time: it is not-before itself"),
            (SOME_DAY.minus(1), "leaves no time: it is 1 s before not-before"),
            (UnixTime(0), "leaves no time: it is "),
        ] {
            let key = hmac1("s2").secret("another").state(KeyState::Staged);
            let key = key.not_before(SOME_DAY).not_after(until);
            let path = "client.spring.key[1].not-after";
            one(with_key(key), path, problem, "after not-before");
        }
        let key = hmac1("s2").secret("another").state(KeyState::Staged);
        let key = key.not_before(SOME_DAY).not_after(SOME_DAY.plus(1));
        with_key(key).build().expect("one second");
    }

    #[test]
    fn a_scheme_that_does_not_exist() {
        let path = "client.spring.key[1].scheme";
        for (scheme, remedy) in [
            ("hmac2", "did you mean \"hmac1\"? known: ecb0, cbc1, gcm1, hmac1"),
            ("HMAC1", "known: ecb0, cbc1, gcm1, hmac1"),
            ("", "known: ecb0, cbc1, gcm1, hmac1"),
            ("bcrypt", "known: ecb0, cbc1, gcm1, hmac1"),
        ] {
            let key = KeyConfig::new("s2", scheme, Material::new());
            one(with_key(key), path, &format!("{scheme:?} is no scheme"), remedy);
        }
    }

    #[test]
    fn two_active_keys_of_one_client_and_scheme() {
        let key = hmac1("s2").secret("another");
        let problem = "is active under hmac1, as client.spring.key[0] is";
        one(with_key(key), "client.spring.key[1].state", problem, "staged, or verify-only");
        sound().key("node", hmac1("n1").secret("another")).build().expect("another client");
        with_key(KeyConfig::new("g1", "gcm1", aes(CIPHER_KEY, API_KEY))).build().expect("scheme");
        for state in KeyState::ALL.into_iter().filter(|state| *state != KeyState::Active) {
            let key = hmac1("s2").secret("another").state(state).not_after(SOME_DAY);
            with_key(key).build().unwrap_or_else(|error| panic!("{state}: {error}"));
        }
    }

    #[test]
    fn missing_material() {
        let path = "client.spring.key[1].api-key";
        let key = KeyConfig::new("g1", "gcm1", Material::new().with("cipher-key", CIPHER_KEY));
        one(with_key(key), path, "is missing", "give 1 to 256 bytes");
    }

    #[test]
    fn material_that_the_scheme_does_not_take() {
        let key = KeyConfig::new("g1", "gcm1", aes(CIPHER_KEY, API_KEY).with("salt", SECRET));
        let path = "client.spring.key[1].salt";
        one(with_key(key), path, "is not material", "it takes cipher-key and api-key");
    }

    #[test]
    fn material_of_a_wrong_length_with_its_likely_cause() {
        let newline = format!("{CIPHER_KEY}\n");
        let hex = Encoding::Hex.encode(CIPHER_KEY.as_bytes()).expect("ASCII");
        let base64 = Encoding::Base64.encode(CIPHER_KEY.as_bytes()).expect("ASCII");
        let base64url = Encoding::Base64Url.encode(CIPHER_KEY.as_bytes()).expect("ASCII");
        for (text, remedy) in [
            ("", "an empty variable or file"),
            (newline.as_str(), "a stray newline"),
            (&*hex, "still hex-encoded: say encoding = \"hex\""),
            (&*base64, "still Base64-encoded: say encoding = \"base64\""),
            (&*base64url, "still Base64-encoded: say encoding = \"base64url\""),
            ("hunter2", "give 32 bytes"),
        ] {
            let key = KeyConfig::new("g1", "gcm1", aes(text, API_KEY));
            let problem = format!("has {} bytes", text.len());
            one(with_key(key), "client.spring.key[1].cipher-key", &problem, remedy);
        }
        let korean = "\u{ac00}".repeat(11);
        for (scheme, cipher_key, api_key, field, remedy) in [
            ("ecb0", korean.as_str(), API_KEY, "cipher-key", "outside ASCII take 2 to 4 bytes"),
            ("cbc1", "hunter2", API_KEY, "cipher-key", "give 16, 24 or 32 bytes"),
            ("ecb0", CIPHER_KEY, "", "api-key", "an empty variable or file"),
            ("cbc1", CIPHER_KEY, &"hunter2".repeat(40), "api-key", "give 1 to 256 bytes"),
        ] {
            let key = KeyConfig::new("k1", scheme, aes(cipher_key, api_key));
            one(with_key(key), &format!("client.spring.key[1].{field}"), "has ", remedy);
        }
        let key = KeyConfig::new("s2", "hmac1", Material::new().with("secret", "hunter2"));
        let key = key.state(KeyState::Staged);
        one(with_key(key), "client.spring.key[1].secret", "has 7 bytes", "give 32 bytes");
    }

    #[test]
    fn material_that_only_the_scheme_can_judge() {
        let scheme = Outside { picky: true, ..Outside::named("jwt1") };
        let key =
            KeyConfig::new("j1", "jwt1", Material::new().with("one", SECRET).with("two", "x"));
        let builder = Verifier::builder()
            .scheme(scheme)
            .service(ServiceConfig::new("stt").issue("jwt1").accept("jwt1"))
            .key("spring", key);
        one(builder, "client.spring.key[0].one", "is no curve point", "make another");
    }

    #[test]
    fn two_bare_keys_of_one_value_names_both() {
        let ecb0 = |id: &str| KeyConfig::new(id, "ecb0", aes(CIPHER_KEY, API_KEY));
        let builder = Verifier::builder()
            .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
            .key("spring", ecb0("old-1"))
            .key("node", ecb0("old-2"));
        let mistakes = mistakes(builder);
        let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
        let said = mistake.to_string();
        for name in ["client.spring", "\"old-1\"", "client.node", "\"old-2\"", "the same value"] {
            assert!(said.contains(name), "{said}");
        }
        assert!(mistake.remedy.contains("change one API key"), "{said}");
    }

    /// Whatever the states: a request could not be told to be of one.
    #[test]
    fn two_bare_keys_of_one_value_are_refused_in_every_state() {
        for state in KeyState::ALL {
            let ecb0 = |id: &str| KeyConfig::new(id, "ecb0", aes(CIPHER_KEY, API_KEY));
            let second = ecb0("old-2").state(state).not_after(SOME_DAY);
            let mistakes = mistakes(sound().key("node", ecb0("old-1")).key("zoo", second));
            assert_eq!(mistakes.len(), 1, "{state}: {mistakes:#?}");
        }
    }
}

mod reuse {
    use super::*;

    const PROBLEM: &str = "holds the same bytes as client.spring.key[0].cipher-key";
    const REMEDY: &str = "secret of its own";

    fn two(first: KeyConfig, second: KeyConfig) -> VerifierBuilder {
        Verifier::builder()
            .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
            .key("spring", first)
            .key("node", second)
    }

    fn key(id: &str, scheme: &str) -> KeyConfig {
        let material = match scheme {
            "hmac1" => Material::new().with("secret", CIPHER_KEY),
            _ => aes(CIPHER_KEY, &format!("{API_KEY}-{id}")),
        };
        KeyConfig::new(id, scheme, material)
    }

    /// Every ordered pair of schemes: an ECB oracle yields GCM's hash key, and so on.
    #[test]
    fn one_secret_in_two_schemes_is_refused_both_ways() {
        for first in ["ecb0", "cbc1", "gcm1", "hmac1"] {
            for second in ["ecb0", "cbc1", "gcm1", "hmac1"] {
                let builder = two(key("k1", first), key("k2", second));
                if (first, second) == ("ecb0", "ecb0") {
                    builder.build().expect("legacy fleets share one cipher key");
                    continue;
                }
                let field = |scheme| if scheme == "hmac1" { "secret" } else { "cipher-key" };
                let path = format!("client.node.key[0].{}", field(second));
                let problem =
                    format!("holds the same bytes as client.spring.key[0].{}", field(first));
                one(builder, &path, &problem, REMEDY);
            }
        }
    }

    #[test]
    fn a_third_key_does_not_hide_behind_two_that_may_share() {
        let builder = two(key("k1", "ecb0"), key("k2", "ecb0")).key("zoo", key("k3", "cbc1"));
        one(builder, "client.zoo.key[0].cipher-key", PROBLEM, REMEDY);
    }

    #[test]
    fn one_api_key_under_several_schemes_is_a_migration() {
        let cipher_key = |with: &str| CIPHER_KEY.replace("AbC", with);
        let gcm1 = KeyConfig::new("k2", "gcm1", aes(&cipher_key("xyz"), API_KEY));
        let cbc1 = KeyConfig::new("k3", "cbc1", aes(&cipher_key("uvw"), API_KEY));
        two(KeyConfig::new("k1", "ecb0", aes(CIPHER_KEY, API_KEY)), gcm1)
            .key("zoo", cbc1)
            .build()
            .expect("a migration");
    }

    /// The rule of the stricter of two fields counts, whichever comes first.
    #[test]
    fn two_fields_of_one_scheme_with_different_rules() {
        static FIELDS: [Field; 2] = [field("one", Reuse::Never), field("two", Reuse::WithinScheme)];
        let key = |id: &str, one: &str, two: &str| {
            KeyConfig::new(id, "jwt1", Material::new().with("one", one).with("two", two))
        };
        for (first, second, path, other) in
            [(["a", "b"], ["b", "c"], "one", "two"), (["a", "b"], ["c", "a"], "two", "one")]
        {
            let scheme = Outside::but("jwt1", |facts| facts.fields = &FIELDS);
            let builder =
                two(key("k1", first[0], first[1]), key("k2", second[0], second[1])).scheme(scheme);
            let problem = format!("holds the same bytes as client.spring.key[0].{other}");
            one(builder, &format!("client.node.key[0].{path}"), &problem, REMEDY);
        }
    }
}

mod services {
    use super::*;

    #[test]
    fn there_is_none() {
        let builder = Verifier::builder().key("spring", hmac1("s1"));
        one(builder, "service", "there is none", "[service.stt]");
    }

    #[test]
    fn a_bad_name() {
        for name in ["", "STT", "a/b", ".a", "a\nb"] {
            let service = ServiceConfig::new(name).issue("hmac1").accept("hmac1");
            let path = format!("service.{}", part(name));
            one(with_service(service), &path, "is no name", "1 to 63 of a-z");
        }
    }

    #[test]
    fn a_bad_header() {
        for header in ["", "x api key", "x-api-key:", "x-api-key\r\nx", "\u{e4}"] {
            let service = ServiceConfig::new("stt").header(header).issue("hmac1").accept("hmac1");
            let problem = format!("{header:?} is no header name");
            one(with_service(service), "service.stt.header", &problem, "x-api-key");
        }
    }

    #[test]
    fn a_header_of_others() {
        for header in ["Connection", "host", "X-Auth-Client", "x-original-uri", "x-proxy-token"] {
            let service = ServiceConfig::new("stt").header(header).issue("hmac1").accept("hmac1");
            let problem = format!("{header:?} means something else");
            one(with_service(service), "service.stt.header", &problem, "x-api-key");
        }
        let service = ServiceConfig::new("stt").header("Authorization").issue("hmac1");
        assert!(with_service(service.accept("hmac1")).build().is_ok());
    }

    #[test]
    fn it_accepts_nothing() {
        let service = ServiceConfig::new("stt").issue("hmac1");
        one(with_service(service), "service.stt.accept", "accepts nothing", "[\"hmac1\"]");
    }

    #[test]
    fn it_wants_nothing() {
        let service = ServiceConfig::new("stt").accept("hmac1");
        one(with_service(service), "service.stt.issue", "is missing", "name the accepted scheme");
    }

    #[test]
    fn it_wants_a_scheme_that_does_not_exist() {
        let service = ServiceConfig::new("stt").issue("hmac2").accept("hmac1");
        let remedy = "did you mean \"hmac1\"? known: ecb0, cbc1, gcm1, hmac1";
        one(with_service(service), "service.stt.issue", "\"hmac2\" is no scheme", remedy);
    }

    #[test]
    fn it_wants_a_scheme_that_it_does_not_accept() {
        let service = ServiceConfig::new("stt").issue("gcm1").accept("hmac1");
        let remedy = "name an accepted scheme, or accept this one";
        one(with_service(service), "service.stt.issue", "\"gcm1\" is not accepted", remedy);
    }

    #[test]
    fn it_is_described_twice() {
        let again = ServiceConfig::new("stt").issue("hmac1").accept("hmac1");
        one(sound().service(again), "service.stt", "described twice", "once");
    }
}

mod accept {
    use super::*;

    const ENTRY: &str = "service.stt.accept[1]";

    #[track_caller]
    fn spoiled(entry: AcceptConfig, field: &str, problem: &str, remedy: &str) {
        one(with_entry(entry), &format!("{ENTRY}.{field}"), problem, remedy);
    }

    #[test]
    fn a_scheme_that_does_not_exist() {
        let entry = AcceptConfig::new("gcm2");
        one(with_entry(entry), ENTRY, "\"gcm2\" is no scheme", "did you mean \"gcm1\"?");
    }

    #[test]
    fn a_scheme_twice() {
        let entry = AcceptConfig::new("hmac1");
        let problem = "accepts \"hmac1\" a second time";
        one(with_entry(entry), ENTRY, problem, "one entry per scheme");
    }

    #[test]
    fn legacy_without_a_date() {
        for scheme in ["ecb0", "cbc1"] {
            let problem = format!("is missing, and {scheme} is not authentic");
            spoiled(AcceptConfig::new(scheme), "until", &problem, "2027-06-30T00:00:00Z");
            with_entry(AcceptConfig::new(scheme).until(SOME_DAY)).build().expect("it has a date");
        }
    }

    #[test]
    fn unlimited_age_without_a_date() {
        let entry = AcceptConfig::new("gcm1").max_age(MaxAge::Unlimited);
        let problem = "is missing, and gcm1 with unlimited max-age is not fresh";
        spoiled(entry.clone(), "until", problem, "2027-06-30T00:00:00Z");
        with_entry(entry.until(SOME_DAY)).build().expect("it has a date");
    }

    #[test]
    fn a_scheme_without_time_and_without_a_date() {
        let scheme = Outside::but("tok1", |facts| facts.fresh = false);
        let builder = with_entry(AcceptConfig::new("tok1")).scheme(scheme);
        let problem = "is missing, and tok1 is not fresh";
        one(builder, &format!("{ENTRY}.until"), problem, "say until when");
    }

    #[test]
    fn max_age_where_nothing_says_when() {
        for scheme in ["ecb0", "cbc1"] {
            for max_age in [MaxAge::Seconds(300), MaxAge::Unlimited] {
                let entry = AcceptConfig::new(scheme).until(SOME_DAY).max_age(max_age);
                let problem = format!("{scheme} does not say when it was issued");
                spoiled(entry, "max-age", &problem, "leave it out");
            }
        }
    }

    #[test]
    fn unlimited_age_where_every_use_is_remembered() {
        let entry = AcceptConfig::new("hmac1").until(SOME_DAY).max_age(MaxAge::Unlimited);
        let service = ServiceConfig::new("stt").issue("hmac1").accept(entry);
        let problem = "unlimited, but every hmac1 credential must be remembered";
        one(with_service(service), "service.stt.accept[0].max-age", problem, "1s to 24h");
        let entry = AcceptConfig::new("gcm1").until(SOME_DAY).max_age(MaxAge::Unlimited).once();
        spoiled(entry, "max-age", "unlimited, but with once", "1s to 24h, or leave once out");
    }

    #[test]
    fn a_max_age_out_of_range() {
        for seconds in [0, 86_401, u64::MAX] {
            let entry = AcceptConfig::new("gcm1").max_age(MaxAge::Seconds(seconds));
            spoiled(entry, "max-age", &format!("is {seconds} seconds"), "1s to 24h");
        }
        for seconds in [1, 86_400] {
            let entry = AcceptConfig::new("gcm1").max_age(MaxAge::Seconds(seconds));
            with_entry(entry).build().expect("in range");
        }
    }

    #[test]
    fn once_where_one_use_is_like_the_next() {
        for scheme in ["ecb0", "cbc1"] {
            let entry = AcceptConfig::new(scheme).until(SOME_DAY).once();
            let problem = format!("no use of {scheme} can be told from the next");
            spoiled(entry, "once", &problem, "leave it out");
        }
    }

    #[test]
    fn uncovered_body_where_none_is_ever_covered() {
        for scheme in ["ecb0", "cbc1", "gcm1"] {
            let entry = AcceptConfig::new(scheme).until(SOME_DAY).danger_uncovered_body();
            let problem = format!("{scheme} never covers a body");
            spoiled(entry, "danger-uncovered-body", &problem, "leave it out");
        }
    }

    #[test]
    fn no_clients_at_all() {
        let entry = AcceptConfig::new("gcm1").clients::<String>([]);
        spoiled(entry, "clients", "is empty", "leave it out to accept all");
    }

    #[test]
    fn a_client_that_has_no_key() {
        for (client, remedy) in
            [("sprong", "did you mean \"spring\"?"), ("zoo", "name a client that has one")]
        {
            let entry = AcceptConfig::new("gcm1").clients(["spring", client]);
            spoiled(entry, "clients[1]", &format!("{client:?} has no key"), remedy);
        }
    }
}

mod issuer {
    use super::*;

    #[test]
    fn everything_that_is_wrong_at_once() {
        let material = Material::new().with("secret", "hunter2").with("salt", API_KEY);
        let error = Issuer::new(keyscheme::Hmac1, "STT", "a.b", &material).expect_err("mistakes");
        shows_no_secret(&error);
        let said: Vec<_> = error.mistakes().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(said[0].starts_with("service: is no name; a service name is 1 to 63"));
        assert!(said[1].starts_with("id: is no key id; a key id is 1 to 32"));
        assert_eq!(said[2], "secret: has 7 bytes; give 32 bytes");
        assert_eq!(said[3], "salt: is not material of this scheme; it takes secret");
    }
}

/// A configuration with everything wrong reports all of it, in order, in one go.
#[test]
fn all_mistakes_at_once() {
    let ecb0 = KeyConfig::new("E1", "ecb0", Material::new().with("cipher-key", "hunter2"));
    let builder = Verifier::builder()
        .scheme(Outside::named("no-name"))
        .scheme(keyscheme::Ecb0)
        .service(ServiceConfig::new("STT").header("a b").accept("gcm2").accept("ecb0"))
        .service(ServiceConfig::new("tts").issue("gcm1"))
        .key("Spring", ecb0)
        .key("Spring", hmac1("s1").state(KeyState::VerifyOnly))
        .key("node", KeyConfig::new("s1", "hmac1", Material::new().with("secret", SECRET)))
        .replay_capacity(0);
    let mistakes = mistakes(builder);
    let paths: Vec<_> = mistakes.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "scheme \"no-name\"",
            "scheme \"ecb0\"",
            "scheme \"ecb0\"",
            "replay.capacity",
            "client.Spring",
            "client.Spring.key[0].id",
            "client.Spring.key[0].cipher-key",
            "client.Spring.key[0].api-key",
            "client.Spring.key[1].not-after",
            "client.node.key[0].id",
            "client.node.key[0].secret",
            "service.STT",
            "service.STT.header",
            "service.STT.accept[0]",
            "service.STT.accept[1].until",
            "service.STT.issue",
            "service.tts.accept",
        ]
    );
    for mistake in &mistakes {
        assert!(!mistake.problem.is_empty() && !mistake.remedy.is_empty(), "{mistake}");
    }
}

trait WithSecret {
    /// Another secret, of the right length.
    fn secret(self, text: &str) -> Self;
}

impl WithSecret for KeyConfig {
    fn secret(mut self, text: &str) -> Self {
        let mut secret = SECRET.to_owned();
        secret.replace_range(..text.len(), text);
        self.material = Material::new().with("secret", secret);
        self
    }
}

/// A scheme of somebody else's, with facts to spoil.
#[derive(Debug)]
struct Outside {
    facts: &'static Facts,
    picky: bool,
}

impl Outside {
    fn named(id: &'static str) -> Self {
        Self::but(id, |_| {})
    }

    fn but(id: &'static str, spoil: impl FnOnce(&mut Facts)) -> Self {
        static FIELDS: [Field; 2] = [field("one", Reuse::Never), field("two", Reuse::Anywhere)];
        let mut facts = Facts {
            id,
            authentic: true,
            fresh: true,
            binds: Binds { service: true, request: false, body: false },
            single_use: SingleUse::OnDemand,
            may_be_bare: false,
            fields: &FIELDS,
        };
        spoil(&mut facts);
        Self { facts: Box::leak(Box::new(facts)), picky: false }
    }
}

const fn field(name: &'static str, reuse: Reuse) -> Field {
    Field { name, encoding: Encoding::Utf8, lengths: Lengths::Between(1, 64), reuse }
}

impl KeyScheme for Outside {
    type Key = ();

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn prepare(&self, _: &Material) -> Result<(), KeyError> {
        match self.facts.fields {
            [first, ..] if self.picky => {
                Err(KeyError::new(first, "is no curve point", "make another"))
            }
            _ => Ok(()),
        }
    }

    fn open(&self, _: &(), _: Payload<'_>, _: &Context<'_>) -> Result<Opened, OpenError> {
        Err(OpenError::BadCredential)
    }

    fn seal(&self, _: &(), _: &Sealing<'_>, _: &mut String) -> Result<(), SealError> {
        Err(SealError::NotBare)
    }
}

/// A scheme that cannot open what it seals, as a broken one would not.
mod broken {
    use std::sync::Arc;

    use keyscheme::{
        Context, Facts, Hmac1, KeyConfig, KeyError, KeyScheme, Material, OpenError, Opened,
        Payload, Registry, SealError, Sealing, ServiceConfig, Verifier,
    };

    #[derive(Debug)]
    struct Broken;

    impl KeyScheme for Broken {
        type Key = Arc<<Hmac1 as KeyScheme>::Key>;

        fn facts(&self) -> &'static Facts {
            Hmac1.facts()
        }

        fn prepare(&self, material: &Material) -> Result<Self::Key, KeyError> {
            Hmac1.prepare(material).map(Arc::new)
        }

        fn open(
            &self,
            _: &Self::Key,
            _: Payload<'_>,
            _: &Context<'_>,
        ) -> Result<Opened, OpenError> {
            Err(OpenError::BadCredential)
        }

        fn seal(
            &self,
            key: &Self::Key,
            to: &Sealing<'_>,
            out: &mut String,
        ) -> Result<(), SealError> {
            Hmac1.seal(key, to, out)
        }
    }

    #[test]
    fn a_key_that_does_not_open_what_it_seals_is_not_put_in_force() {
        let material = Material::new().with("secret", vec![7; 32]);
        let error = Verifier::builder()
            .registry(Registry::empty().with(Broken))
            .service(ServiceConfig::new("stt").issue("hmac1").accept("hmac1"))
            .key("main", KeyConfig::new("k1", "hmac1", material))
            .build()
            .unwrap_err();
        let said = error.to_string();
        assert!(said.contains("client.main.key[0]: does not open what it seals"), "{said}");
    }
}
