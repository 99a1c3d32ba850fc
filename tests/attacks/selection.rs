//! Selection and downgrade: at most one scheme runs, and it is the one that was named.

use keyscheme::{AcceptConfig, KeyState, Presented, UnixTime};

use crate::world::{NOW, SCHEMES, World, bare, key, once, request, sealed};

/// Every symbol replaced, dropped, doubled; the value cut everywhere.
#[test]
fn a_tampered_credential_runs_no_other_scheme() {
    let world = World::new();
    let tagged = SCHEMES.map(|scheme| (scheme, sealed(scheme)));
    for (scheme, good) in tagged.into_iter().chain([("ecb0", bare())]) {
        let mut variants = Vec::new();
        for at in 0..good.len() {
            let (before, here, after) = (&good[..at], &good[at..=at], &good[at + 1..]);
            for other in ["A", "B", "-", "_", ".", "=", "+", "0", "z"] {
                if other != here {
                    variants.push(format!("{before}{other}{after}"));
                }
            }
            variants.push(format!("{before}{after}"));
            variants.push(format!("{before}{here}{here}{after}"));
            variants.push(before.to_owned());
            variants.push(format!("{here}{after}{before}"));
        }
        variants.retain(|variant| *variant != good);
        assert!(variants.len() > 500);
        for variant in variants {
            let verdict = world.says(&variant);
            assert_ne!(verdict, "accepted", "{variant}");
            let opened = world.opened();
            let others = SCHEMES.iter().zip(opened).filter(|(each, _)| **each != scheme);
            let others: usize = others.map(|(_, opened)| opened).sum();
            // What lost its dots may be a bare value, and then nothing else.
            let most_others = usize::from(!variant.contains('.'));
            assert!(others <= most_others, "{variant}: {opened:?}");
            assert!(opened.iter().sum::<usize>() <= 1, "{variant}: {opened:?}");
        }
        assert_eq!(world.says(&good), "accepted");
        assert_eq!(world.opened(), once(scheme));
    }
}

#[test]
fn an_unknown_prefix_is_never_a_bare_value() {
    let world = World::new();
    let (bare, tagged) = (bare(), sealed("ecb0"));
    let url = tagged.rsplit('.').next().expect("a payload");
    for (value, reason) in [
        (format!("zzz9.k1.{bare}"), "unknown-scheme"),
        (format!("zzz9.ecb0-key.{bare}"), "unknown-scheme"),
        (format!("zzz9.ecb0-key.{url}"), "unknown-scheme"),
        (format!("ecb1.ecb0-key.{url}"), "unknown-scheme"),
        (format!("zzz9.{bare}"), "malformed"),
        (format!(".{bare}"), "malformed"),
        (format!("{bare}."), "malformed"),
        (format!("..{bare}"), "malformed"),
        (format!("noop.k1.{bare}"), "unknown-scheme"),
        (format!("{{noop}}{bare}"), "malformed"),
        (format!("Bearer {bare}"), "malformed"),
        (format!("zzz9:k1:{bare}"), "malformed"),
    ] {
        assert_eq!(world.says(&value), reason, "{value}");
        assert_eq!(world.opened(), [0; 4], "{value}");
    }
    assert_eq!(world.says(&bare), "accepted");
}

#[test]
fn a_retired_prefix_is_never_a_bare_value() {
    let until = NOW.plus(1000);
    let world = World::accepting([
        AcceptConfig::new("ecb0").until(until),
        AcceptConfig::new("cbc1").until(NOW),
        AcceptConfig::new("gcm1").until(NOW.minus(1)),
    ]);
    let bare = bare();
    for (scheme, reason) in
        [("cbc1", "scheme-retired"), ("gcm1", "scheme-retired"), ("hmac1", "scheme-refused")]
    {
        for payload in [&bare, bare.trim_end_matches('=')] {
            for id in ["ecb0-key", &format!("{scheme}-key")] {
                let value = format!("{scheme}.{id}.{payload}");
                assert_eq!(world.says(&value), reason, "{value}");
            }
        }
        assert_eq!(world.says(&sealed(scheme)), reason);
        assert_eq!(world.opened(), [0; 4]);
    }
    assert_eq!(world.says(&bare), "accepted");
}

#[test]
fn a_prefix_in_another_spelling_runs_no_scheme() {
    let world = World::new();
    for scheme in SCHEMES {
        let good = sealed(scheme);
        let rest = &good[scheme.len()..];
        let upper = scheme.to_ascii_uppercase();
        let title = format!("{}{}", &upper[..1], &scheme[1..]);
        let wide: String = scheme
            .chars()
            .map(|c| char::from_u32(c as u32 - 0x21 + 0xff01).expect("a full-width form"))
            .collect();
        for prefix in [
            upper.clone(),
            title,
            format!(" {scheme}"),
            format!("{scheme} "),
            format!("\t{scheme}"),
            format!("{scheme}\0"),
            format!("\0{scheme}"),
            format!("\u{feff}{scheme}"),
            format!("{scheme}\u{200b}"),
            format!("{scheme}\r\n"),
            format!("%{:02x}{}", scheme.as_bytes()[0], &scheme[1..]),
            scheme.replace('0', "\u{660}").replace('1', "\u{661}"),
            wide,
            format!("{scheme}-"),
            format!(".{scheme}"),
            String::new(),
        ] {
            assert_eq!(world.says(&format!("{prefix}{rest}")), "malformed", "{prefix:?}");
            assert_eq!(world.opened(), [0; 4], "{prefix:?}");
        }
        // A full-width dot is no dot, and a space at the end no part of a payload.
        for value in [good.replace('.', "\u{ff0e}"), format!("{good} "), format!("{good}\n")] {
            assert_eq!(world.says(&value), "malformed", "{value:?}");
            assert_eq!(world.opened(), [0; 4], "{value:?}");
        }
        assert_eq!(world.says(&good), "accepted");
        world.opened();
    }
}

#[test]
fn of_two_credentials_neither_is_used() {
    let world = World::new();
    let (strong, weak) = (sealed("hmac1"), bare());
    let broken = strong.replace("hmac1-key", "hmac1-kez");
    let pairs = [
        (strong.as_str(), weak.as_str()),
        (&broken, &weak),
        (&strong, &strong),
        (&weak, &weak),
        (&strong, ""),
        (&weak, ""),
        ("", ""),
    ];
    for (one, other) in pairs.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]) {
        let lines = [one.as_bytes(), other.as_bytes()];
        let two = request().presented(Presented::from_lines(lines));
        let verdict = world.verify(&two).expect_err("ambiguous");
        assert_eq!(verdict.to_string(), "rejected: ambiguous", "{one:?} {other:?}");
        for joined in [format!("{one},{other}"), format!("{one}, {other}")] {
            assert_eq!(world.says(&joined), "ambiguous", "{joined}");
        }
    }
    assert_eq!(world.opened(), [0; 4]);
    assert!(world.is_empty());
}

#[test]
fn a_key_never_meets_another_scheme() {
    let world = World::new();
    for named in SCHEMES {
        for prefix in SCHEMES.into_iter().filter(|prefix| *prefix != named) {
            let id = format!("{named}-key");
            // Another scheme's own payload under this key's id, and this key's payload under another
            // scheme's name.
            let theirs = sealed(prefix).replace(&format!("{prefix}-key"), &id);
            let ours = sealed(named).replacen(named, prefix, 1);
            for value in [theirs, ours] {
                assert!(value.starts_with(&format!("{prefix}.{named}-key.")), "{value}");
                assert_eq!(world.says(&value), "unknown-key", "{value}");
                assert_eq!(world.opened(), once(prefix), "its dummy, and nothing else: {value}");
            }
        }
    }
    assert!(world.is_empty());
}

#[test]
fn a_key_id_that_is_a_path_or_a_query_or_a_megabyte_is_malformed() {
    let world = World::new();
    let payload = sealed("cbc1");
    let payload = payload.rsplit('.').next().expect("a payload");
    for id in [
        "",
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/b",
        "a\\b",
        "' or 1=1 --",
        "k;drop",
        "*",
        "%2e%2e",
        "$(id)",
        "a\0",
        "cbc1-key\n",
        "CBC1-KEY",
        "-k",
        "k_1",
        "\u{43a}",
        &"k".repeat(33),
        &"k".repeat(1 << 20),
    ] {
        let value = format!("cbc1.{id}.{payload}");
        assert_eq!(world.says(&value), "malformed", "{:?}", &id[..id.len().min(40)]);
        assert_eq!(world.opened(), [0; 4]);
    }
}

#[test]
fn a_verdict_does_not_outlive_its_policy() {
    let until = NOW.plus(1000);
    let entry = |scheme: &str| AcceptConfig::new(scheme).until(until);
    for scheme in ["ecb0", "cbc1", "gcm1"] {
        let value = sealed(scheme);
        let before = World::accepting([entry(scheme), entry("hmac1")]);
        assert_eq!(before.says(&value), "accepted");
        assert_eq!(before.says(&value), "accepted");

        // The same process, the same credential, another snapshot.
        assert_eq!(World::accepting([entry("hmac1")]).says(&value), "scheme-refused");
        for (state, says) in [
            (KeyState::Active, "accepted"),
            (KeyState::Disabled, "key-disabled"),
            (KeyState::Compromised, "key-disabled"),
        ] {
            let after = World::with([entry(scheme)], |b| b.key("spring", key(scheme).state(state)));
            assert_eq!(after.says(&value), says);
        }
        let without = World::with([entry(scheme)], |builder| builder);
        assert_eq!(without.says(&value), "unknown-key");

        // The same verifier, later, and back again.
        let world = World::accepting([entry(scheme).until(NOW.plus(10))]);
        for (now, says) in [
            (NOW, "accepted"),
            (NOW.plus(10), "scheme-retired"),
            (NOW.plus(9), "accepted"),
            (NOW.plus(11), "scheme-retired"),
        ] {
            world.clock.set(now);
            assert_eq!(world.says(&value), says);
        }
    }
}

#[test]
fn a_scheme_ends_at_its_until_to_the_second() {
    for scheme in SCHEMES {
        let until = NOW.plus(100);
        let world = World::accepting([AcceptConfig::new(scheme).until(until)]);
        for (now, says, opened) in [
            (until.minus(1), "accepted", once(scheme)),
            (until, "scheme-retired", [0; 4]),
            (until.plus(1), "scheme-retired", [0; 4]),
            (UnixTime(u64::MAX), "scheme-retired", [0; 4]),
        ] {
            world.clock.set(now);
            assert_eq!(world.says(&sealed(scheme)), says, "{scheme} at {now}");
            assert_eq!(world.opened(), opened, "{scheme} at {now}");
        }
    }
}
