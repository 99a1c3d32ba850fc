//! What would cut somebody off, and what cannot be done.

use std::fs;

use crate::world::{DAY, OLD, START, World, replaced};

#[test]
fn a_staged_key_is_not_promoted_unseen() {
    let world = World::new();
    world.stage("spring-2");
    let words = "it is not known whether spring-2 is loaded everywhere; name every server with --server, \
                 or say --loaded, which asserts it";
    world.refuses(START, &[], words);
    world.refuses(START, &["--dry-run"], words);
    world.steps(START, &["--loaded"]);
}

#[test]
fn no_rotation_begins_during_another() {
    let world = World::new();
    world.stage("spring-2");
    let again = ["--secret", "new-file:spring-3"];
    world.refuses(START, &again, "a rotation is under way: spring-2 is staged");
    world.steps(START, &["--loaded"]);
    let in_use =
        format!("{OLD} is in use until 2026-09-28T14:13:20Z: who sends it would be cut off");
    world.refuses(START + 7 * DAY - 1, &again, &in_use);
    world.refuses(START + 7 * DAY - 1, &["--loaded"], &in_use);
    // Not with a record that was staged by hand either.
    let staged = replaced(
        &world.text(),
        "[replay]",
        "[[client.spring-main.key]]\nid = \"spring-4\"\nscheme = \"hmac1\"\nstate = \"staged\"\n\
         secret = { file = \"spring-4\" }\n\n[replay]",
    );
    fs::write(&world.file, staged).unwrap();
    let secret = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
    fs::write(world.directory.join("spring-4"), secret).unwrap();
    world.refuses(START, &["--loaded"], &in_use);
    world.refuses(START, &["--loaded", "--id", "spring-4"], &in_use);
}

#[test]
fn a_life_never_grows() {
    let world = World::new();
    let scheme = "id = \"spring-2026-11\"\nscheme = \"hmac1\"\n";
    let dated = format!("{scheme}not-after = 2026-09-24T23:13:20+09:00 # promised\n");
    fs::write(&world.file, replaced(&world.text(), scheme, &dated)).unwrap();
    world.stage("spring-2");
    let said = world.steps(START, &["--loaded"]);
    assert!(said.contains("is verified until 2026-09-24T14:13:20Z"), "{said}");
    assert_eq!(world.text().matches("not-after").count(), 1);
    let kept = "state = \"verify-only\"\nnot-after = 2026-09-24T23:13:20+09:00 # promised\n";
    assert!(world.text().contains(kept), "{}", world.text());
    // A call that comes again moves nothing.
    let text = world.text();
    world.refuses(
        START + DAY,
        &["--loaded", "--grace", "30d"],
        "is in use until 2026-09-24T14:13:20Z",
    );
    assert_eq!(world.text(), text);
}

#[test]
fn a_grace_covers_what_was_just_sent() {
    let world = World::new();
    world.stage("spring-2");
    let words = "--grace 329s would refuse what was just sent; give 330s or more";
    world.refuses(START, &["--loaded", "--grace", "329s"], words);
    world.steps(START, &["--loaded", "--grace", "330s"]);
}

#[test]
fn dates_of_a_staged_key_are_looked_at() {
    let world = World::new();
    world.stage("spring-2");
    let text = world.text();
    let dated = |line: &str| {
        let text =
            replaced(&text, "state = \"staged\"\n", &format!("state = \"staged\"\n{line}\n"));
        fs::write(&world.file, text).unwrap();
    };
    dated("not-before = 2026-09-22T00:00:00Z");
    world.refuses(START, &["--loaded"], "spring-2 is outside its dates");
    dated("not-after = 2026-09-21T00:00:00Z");
    world.refuses(START, &["--loaded"], "spring-2 is outside its dates");
    dated("not-after = 2026-09-25T00:00:00Z");
    let words = "spring-2 ends on 2026-09-25T00:00:00Z, when the key before it is still verified until \
                 2026-09-28T14:13:20Z";
    world.refuses(START, &["--loaded"], words);
    world.steps(START, &["--loaded", "--grace", "1d"]);
}

#[test]
fn of_several_staged_keys_one_is_named() {
    let world = World::new();
    world.stage("spring-2");
    world.stage_by_hand("spring-3");
    world.refuses(START, &["--loaded"], "say which with --id: spring-2, spring-3");
    world.refuses(START, &["--loaded", "--id", "spring-4"], "\"spring-4\": no staged key");
    let said = world.steps(START, &["--loaded", "--id", "spring-3"]);
    assert!(said.starts_with("promoted: spring-3"), "{said}");
}

#[test]
fn the_last_key_is_not_disabled_early() {
    let world = World::new();
    world.promote("spring-2");
    let text = world.text();
    let dated = "scheme = \"hmac1\"\nstate = \"active\"\nnot-after = 2026-09-21T14:00:00Z\n";
    fs::write(&world.file, replaced(&text, "scheme = \"hmac1\"\nstate = \"active\"\n", dated))
        .unwrap();
    let words = format!("no active key is verified now: without {OLD} the client could send none");
    world.refuses(START + DAY, &["--unused"], &words);
}

#[test]
fn what_cannot_be_meant_is_unusable() {
    let world = World::new();
    let base = ["rotate", "--config", "keyscheme.toml"];
    for (arguments, words) in [
        (
            &["--client", "spring-mian", "--scheme", "hmac1"][..],
            "no such client; known: spring-main",
        ),
        (&["--client", "spring-main", "--scheme", "hmac2"], "no such scheme; known: "),
        (
            &["--client", "spring-main", "--scheme", "gcm1"],
            "has no key under it; add one: keyscheme key new --scheme gcm1 --client spring-main",
        ),
        (&["--client", "spring-main", "--scheme", "hmac1", "--grace", "7"], "such as 12h or 7d"),
        (&["--client", "spring-main", "--scheme", "hmac1", "--grace", "9999d"], "at most 3650d"),
        (
            &["--client", "spring-main", "--scheme", "hmac1", "--server", "https://a:1"],
            "write http://HOST:PORT, or unix:/path",
        ),
        (
            &["--client", "spring-main", "--scheme", "hmac1", "--server", "http://a"],
            "http://HOST:PORT",
        ),
    ] {
        let said = world.run(&[&base[..], arguments].concat());
        assert_eq!(said.status, 2, "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{words}\nis not in\n{}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
    }
    world.ends_with(2, START, &["--secret", "new-file:no/such/directory"], "No such file");
    world.ends_with(2, START, &["--secret", "new-file:x", "--id", "A"], "no key id");
    world.ends_with(2, START, &["--secret", "new-file:x", "--id", OLD], "is the id of");
    fs::write(&world.file, "[service.stt]\nissue = 1\n").unwrap();
    let said = world.rotate(&[]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("keyscheme.toml:2:1: service.stt.issue"), "{said:?}");
    fs::remove_file(&world.file).unwrap();
    world.ends_with(2, START, &[], "name a readable configuration file");
}

impl World {
    fn stage_by_hand(&self, id: &str) {
        let record = format!(
            "[[client.spring-main.key]]\nid = \"{id}\"\nscheme = \"hmac1\"\nstate = \"staged\"\n\
             secret = {{ file = \"{id}\" }}\n\n[replay]"
        );
        fs::write(&self.file, replaced(&self.text(), "[replay]", &record)).unwrap();
        let secret = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
        fs::write(self.directory.join(id), secret).unwrap();
    }
}
