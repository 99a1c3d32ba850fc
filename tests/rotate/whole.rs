//! From the first step to the last.

use std::{fs, os::unix::fs::MetadataExt};

use crate::world::{DAY, OLD, START, World, replaced};

/// No request fails, the comments stay, and every step says what is next.
#[test]
fn a_rotation_from_end_to_end() {
    let (world, caller) = (World::new(), World::new());
    let original = world.text();
    let mut sent = vec![(START, world.issue(START))];
    let all_are_accepted = |sent: &[(u64, String)]| {
        for (at, credential) in sent {
            assert!(world.verify(*at, credential).starts_with("spring"), "{at} {credential}");
        }
    };
    let (_server, address) = world.serve();
    let address = format!("http://{address}");

    // 1. Staged.
    let said = world.steps(START, &["--secret", "new-file:spring-2", "--id", "spring-2"]);
    assert!(said.starts_with("staged: spring-2 of spring-main (hmac1) is verified"), "{said}");
    assert!(
        said.contains("its secret is new, in spring-2, which only its owner can read"),
        "{said}"
    );
    assert!(said.contains("next: let every server load the file"), "{said}");
    let command = "keyscheme rotate --config keyscheme.toml --client spring-main --scheme hmac1";
    assert!(said.contains(&format!("{command} --server http://HOST:PORT")), "{said}");
    let secret = fs::read_to_string(world.directory.join("spring-2")).unwrap();
    assert_eq!(fs::metadata(world.directory.join("spring-2")).unwrap().mode() & 0o7777, 0o600);
    assert!(!said.contains(&secret) && !world.text().contains(&secret));
    let line = "secret = { env = \"SPRING_MAIN_SECRET\" }\n";
    let added = format!(
        "{line}\n[[client.spring-main.key]]\nid = \"spring-2\"\nscheme = \"hmac1\"\nstate = \"staged\"\n\
         secret = {{ file = \"spring-2\" }}\n"
    );
    let staged = replaced(&original, line, &added);
    assert_eq!(world.text(), staged);
    sent.push((START + 1, world.issue(START + 1)));
    assert_eq!(world.verify(START + 1, &sent[1].1), OLD, "a staged key issues nothing");
    all_are_accepted(&sent);

    // 2. Promoted, as soon as the server has loaded it.
    let server = ["--server", address.as_str()];
    world.refuses(
        START + 2,
        &server,
        "has not loaded spring-2: who sends it would be refused there",
    );
    drop(_server);
    let (_server, address) = world.serve();
    let address = format!("http://{address}");
    let said = world.steps(START + DAY, &["--server", &address, "--grace", "2d"]);
    assert!(said.starts_with("promoted: spring-2 of spring-main (hmac1) is active"), "{said}");
    assert!(said.contains(&format!("{OLD} is verified until 2026-09-24T14:13:20Z")), "{said}");
    assert!(said.contains(&format!("from 2026-09-24T14:13:20Z on:\n  {command}\n")), "{said}");
    let end = START + 3 * DAY;
    let promoted = replaced(&staged, "state = \"staged\"", "state = \"active\"");
    let promoted = replaced(
        &promoted,
        "id = \"spring-2026-11\"\nscheme = \"hmac1\"\n",
        "id = \"spring-2026-11\"\nscheme = \"hmac1\"\nstate = \"verify-only\"\n\
         not-after = 2026-09-24T14:13:20Z\n",
    );
    assert_eq!(world.text(), promoted);
    sent.push((START + DAY, world.issue(START + DAY)));
    assert_eq!(world.verify(START + DAY, &sent[2].1), "spring-2");
    all_are_accepted(&sent);
    // A caller that has not heard of it goes on until the grace is over.
    for at in [START + DAY, end - 1] {
        assert_eq!(world.verify(at, &caller.issue(at)), OLD);
    }
    assert_eq!(world.verify(end, &caller.issue(end)), "key-expired");

    // 3. Disabled: not a second before.
    world.refuses(end - 1, &[], &format!("{OLD} is in use until 2026-09-24T14:13:20Z"));
    let said = world.steps(end, &[]);
    let disabled = format!("disabled: {OLD} of spring-main (hmac1) is refused from now on");
    assert!(said.starts_with(&disabled) && said.contains("next: let every server load"), "{said}");
    assert_eq!(world.text(), replaced(&promoted, "verify-only", "disabled"));
    assert_eq!(world.verify(end, &caller.issue(end)), "key-disabled");
    assert_eq!(world.verify(end, &world.issue(end)), "spring-2");

    // And again.
    world.refuses(end, &[], "no rotation is under way; to begin one, name the new secret");
    world.steps(end, &["--secret", "new-file:spring-3", "--id", "spring-3"]);
    world.steps(end, &["--loaded"]);
    assert_eq!(world.verify(end, &world.issue(end)), "spring-3");
    assert_eq!(world.text().matches('#').count(), original.matches('#').count());
}

#[test]
fn an_old_key_that_nobody_sends_is_disabled_before_its_time() {
    let world = World::new();
    world.promote("spring-2");
    world.refuses(START + 5, &[], "or say --unused where nobody sends it any more");
    let said = world.steps(START + 5, &["--unused"]);
    assert!(said.starts_with(&format!("disabled: {OLD}")), "{said}");
    assert_eq!(world.verify(START + 5, &world.issue(START + 5)), "spring-2");
    world.refuses(START + 5, &["--unused"], "no key of this client and scheme is verify-only");
}

#[test]
fn a_compromised_key_is_followed_at_once() {
    let (world, caller) = (World::new(), World::new());
    let scheme = "id = \"spring-2026-11\"\nscheme = \"hmac1\"\n";
    let compromised = format!("{scheme}state = \"compromised\"\n");
    fs::write(&world.file, replaced(&world.text(), scheme, &compromised)).unwrap();
    world.stage("spring-2");
    let said = world.steps(START, &["--loaded"]);
    assert!(said.contains("next: let every server and caller load the file\n"), "{said}");
    assert_eq!(world.verify(START, &world.issue(START)), "spring-2");
    assert_eq!(world.verify(START, &caller.issue(START)), "key-disabled");
    assert!(world.text().contains(&compromised));
}

/// The other secrets of a scheme, and references as they stand in a configuration.
#[test]
fn a_scheme_with_two_secrets_names_both() {
    let text = "[service.stt]\nissue = \"gcm1\"\naccept = [\"gcm1\"]\n\n[client.spring-main]\nkey = [\n    \
                { id = \"old\", scheme = \"gcm1\", cipher-key.file = \"a\", api-key.file = \"api\" }\n]\n";
    let world = World::with(text);
    fs::write(world.directory.join("a"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    fs::write(world.directory.join("b"), "ZYXWVUTSRQPONMLKJIHGFEDCBA543210").unwrap();
    fs::write(world.directory.join("api"), "an-api-key").unwrap();
    let rotate = |arguments: &[&str]| {
        let base = ["rotate", "--config", "keyscheme.toml", "--client", "spring-main"];
        world.run(&[&base[..], &["--scheme", "gcm1"], arguments].concat())
    };
    for (arguments, words) in [
        (&["--secret", "file:b"][..], "names no secret of gcm1: cipher-key, api-key"),
        (&["--secret", "cipher-key=file:b"], "a key of gcm1 has api-key too"),
        (&["--secret", "api-key=file:api", "--secret", "api-key=file:api"], "is named twice"),
        (&["--secret", "api-key=b"], "write new-file:PATH, file:PATH, env:NAME"),
        (&["--secret", "api-key={ file = \"a\" }, x = 1"], "write new-file:PATH"),
        (&["--secret", "api-key=new-file:api"], "is there already"),
        (
            &["--secret", "api-key=file:api", "--secret", "cipher-key=file:b"],
            "key[1].cipher-key: has 24 bytes",
        ),
        (
            &["--secret", "api-key=file:api", "--secret", "cipher-key=file:a"],
            "holds the same bytes",
        ),
        (
            &["--secret", "api-key=file:api", "--secret", "cipher-key=env:NOT_SET"],
            "NOT_SET is not set",
        ),
    ] {
        let said = rotate(arguments);
        assert_eq!(said.status, 2, "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{words}\nis not in\n{}", said.err);
        assert_eq!(world.text(), text);
    }
    let cipher_key = "cipher-key={ file = \"b\", encoding = \"utf8\" }";
    let said = rotate(&["--id", "new", "--secret", "api-key=file:api", "--secret", cipher_key]);
    assert_eq!(said.status, 0, "{said:?}");
    let line = "api-key.file = \"api\" }\n";
    let added = "api-key.file = \"api\" },\n    { id = \"new\", scheme = \"gcm1\", state = \"staged\", \
                 api-key = { file = \"api\" }, cipher-key = { file = \"b\", encoding = \"utf8\" } }\n";
    assert_eq!(world.text(), replaced(text, line, added));
    assert_eq!(rotate(&["--loaded"]).status, 0);
    world.is_sound();
}

/// An id is found where none is named.
#[test]
fn a_new_key_is_named_after_its_client() {
    let world = World::new();
    let said = world.steps(START, &["--secret", "new-file:x"]);
    let id = said.strip_prefix("staged: spring-main-").unwrap().split(' ').next().unwrap();
    assert!(id.len() == 4 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{said}");
    assert!(world.text().contains(&format!("id = \"spring-main-{id}\"")));
}

/// What docs/rotation.md says that there is, there is.
#[test]
fn the_procedure_names_options_that_exist() {
    let world = World::new();
    let help = world.run(&["rotate", "--help"]).out;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rotation.md");
    let page = fs::read_to_string(page).unwrap();
    let words = page.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    let options: Vec<&str> = words
        .filter(|word| word.strip_prefix("--").is_some_and(|n| n.starts_with(|c| c != '-')))
        .collect();
    assert!(options.len() > 20, "{options:?}");
    for option in options {
        assert!(
            help.contains(&format!("{option} <")) || help.contains(&format!("{option}\n")),
            "{option}"
        );
    }
    for option in help.split_whitespace().filter(|word| word.starts_with("--")) {
        let known = ["--help", "--http", "--unix"].iter().any(|other| option.starts_with(other));
        assert!(known || page.contains(option), "{option} is not in docs/rotation.md");
    }
}
