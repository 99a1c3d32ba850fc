//! What a configuration is accepted as can be used, and what is wrong with it is said well.

#![no_main]

use keyscheme::{Config, ConfigError, Failure, KeyRecord, KeyState, Reject, Request, ServiceName};
use keyscheme_fuzz::{NOW, parse, ready};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Without a slash, written or escaped, no file outside of `fuzz/files` can be named.
    if text.contains('/') || text.to_ascii_lowercase().contains("2f") {
        return;
    }
    // A replay memory is allocated whole: a large one takes a time that says nothing.
    let digits = text.replace('_', "");
    if digits.split(|c: char| !c.is_ascii_hexdigit()).any(|number| number.len() > 5) {
        return;
    }
    let small = if text.contains("replay") { "" } else { "\n[replay]\ncapacity = 1\n" };
    let text = [text, small].concat();
    match parse(&text) {
        Ok(config) => usable(&config),
        Err(error) => helpful(&error, &text),
    }
});

fn usable(config: &Config) {
    let snapshot = config.verifier().snapshot();
    for rules in snapshot.services() {
        let name = rules.service().name();
        assert_eq!(ServiceName::new(name.as_str()), Ok(*name));
        let guard = config.verifier().service(name.as_str()).expect("a service that is listed");
        let request = Request::new("GET", "/").body("");
        let missing = ready(guard.verify(&request));
        assert!(matches!(missing, Err(Failure::Rejected(Reject::Missing))), "{missing:?}");
        for accepted in rules.accepted() {
            let scheme = accepted.facts().id;
            for key in accepted.keys().filter(|key| issues(key)) {
                let issuer = config
                    .issuer(name.as_str(), key.client().as_str(), Some(scheme))
                    .expect("an issuer with an active key");
                assert_eq!(issuer.key_id(), key.id().as_str());
                let value = issuer.issue(&request).expect("a credential");
                match ready(guard.verify(&request.credential(&value))) {
                    Ok(verified) => assert_eq!(verified.client(), key.client().as_str()),
                    Err(Failure::Rejected(Reject::SchemeRetired)) => {}
                    Err(failure) => panic!("{failure}"),
                }
            }
        }
    }
}

fn issues(key: &KeyRecord) -> bool {
    let begun = key.not_before().is_none_or(|from| from <= NOW);
    let open = key.not_after().is_none_or(|until| NOW < until);
    key.state() == KeyState::Active && begun && open
}

fn helpful(error: &ConfigError, text: &str) {
    assert!(!error.mistakes().is_empty());
    for mistake in error.mistakes() {
        for said in [&mistake.path, &mistake.problem, &mistake.remedy] {
            assert!(!said.trim().is_empty(), "{mistake:?}");
        }
        let Some((line, column)) = mistake.position else {
            // What is missing altogether has no place, and nesting that is too deep gets none.
            assert!(matches!(mistake.path.as_str(), "service" | "TOML"), "{mistake:?}");
            continue;
        };
        let there = text.split('\n').nth(line - 1).expect("a line of the text");
        assert!((1..=there.chars().count() + 1).contains(&column), "{mistake:?}");
    }
}
