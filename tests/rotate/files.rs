//! Files: what is kept of them, and what must not be written.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    process::{Command, Stdio},
};

use crate::{
    peers::has_peer,
    world::{OLD, START, World, replaced},
};

const STAGE: [&str; 4] = ["--secret", "new-file:spring-2", "--id", "spring-2"];

#[test]
fn a_dry_run_shows_what_would_be_done_and_does_nothing() {
    let world = World::new();
    let before = world.everything();
    let shown = world.steps(START, &[&STAGE[..], &["--dry-run"]].concat());
    assert_eq!(world.everything(), before);
    assert_eq!(
        shown,
        "--- keyscheme.toml\n+++ keyscheme.toml\n@@ -24,6 +24,12 @@\n scheme = \"hmac1\"\n \
         secret = { env = \"SPRING_MAIN_SECRET\" }\n \n\
         +[[client.spring-main.key]]\n+id = \"spring-2\"\n+scheme = \"hmac1\"\n+state = \"staged\"\n\
         +secret = { file = \"spring-2\" }\n+\n [replay]\n kind = \"memory\"\n \
         capacity = 1_000_000 # single-use credentials remembered at once, 25 bytes each\n"
    );
    world.stage("spring-2");
    // Applied elsewhere, it is the same.
    let (here, there) = (world.text(), World::new());
    let shown = world.steps(START, &["--loaded", "--dry-run"]);
    assert_eq!(world.text(), here);
    fs::write(&there.file, &here).unwrap();
    world.steps(START, &["--loaded"]);
    let mut patch = Command::new("patch");
    patch.current_dir(&there.directory).args(["-s", "-p0"]).stdin(Stdio::piped());
    if !has_peer("patch", "--version") {
        return;
    }
    let mut patch = patch.spawn().unwrap();
    patch.stdin.take().unwrap().write_all(shown.as_bytes()).unwrap();
    assert!(patch.wait().unwrap().success());
    assert_eq!(there.text(), world.text());
}

#[test]
fn line_ends_of_windows_stay() {
    let world = World::new();
    let original = world.text().replace('\n', "\r\n");
    fs::write(&world.file, &original).unwrap();
    world.promote("spring-2");
    let text = world.text();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(text.lines().count(), original.lines().count() + 6 + 2);
    for line in original.lines() {
        assert!(text.lines().any(|kept| kept == line), "{line}");
    }
}

#[test]
fn keys_may_stand_in_any_order_and_notation() {
    let key =
        |text: &str| format!("scheme = \"hmac1\"{text}secret = {{ file = \"a\" }}{text}id = \"a\"");
    let service = "[service.stt]\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n";
    let other = "[[client.other.key]]\nscheme = \"hmac1\"\nid = \"o\"\nsecret = { file = \"o\" }\n";
    for text in [
        format!("{other}[[client.spring-main.key]]\n{}\n{service}", key("\n")),
        format!("[client.spring-main]\nkey = [{{ {} }}] # x\n{other}{service}", key(", ")),
        format!("client.spring-main.key = [{{ {} }}]\n{service}{other}", key(", ")),
    ] {
        let world = World::with(&text);
        fs::write(world.directory.join("a"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .unwrap();
        fs::write(world.directory.join("o"), "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .unwrap();
        world.promote("b");
        let credential = world.issue(START);
        assert_eq!(world.verify(START, &credential), "b", "{}", world.text());
        world.steps(START, &["--unused"]);
        let without: String = world.text().replace("b", "");
        assert!(without.contains("state = \"disaled\""), "{without}");
    }
}

#[test]
fn owner_and_mode_stay() {
    let world = World::new();
    for mode in [0o640, 0o600, 0o666, 0o2644] {
        fs::set_permissions(&world.file, Permissions::from_mode(mode)).unwrap();
        // Only root can give a file away, and then it stays given away.
        let given = chown(&world.file, Some(4242), Some(4343)).is_ok();
        if given {
            fs::set_permissions(&world.file, Permissions::from_mode(mode)).unwrap();
        }
        let before = fs::metadata(&world.file).unwrap();
        world.stage(&format!("k-{mode:o}"));
        let after = fs::metadata(&world.file).unwrap();
        assert_ne!(before.ino(), after.ino(), "it was replaced as a whole");
        assert_eq!(
            (before.mode(), before.uid(), before.gid()),
            (after.mode(), after.uid(), after.gid())
        );
        assert!(!given || after.uid() == 4242);
        fs::write(&world.file, World::new().text()).unwrap();
    }
    let left = fs::read_dir(&world.directory).unwrap().flatten();
    let left: Vec<_> = left.filter(|f| f.file_name().to_string_lossy().starts_with(".k")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_edited() {
    let world = World::new();
    // As Kubernetes mounts: keyscheme.toml -> ..data/keyscheme.toml, ..data -> ..1
    let real = world.directory.join("..1");
    fs::create_dir(&real).unwrap();
    fs::rename(&world.file, real.join("keyscheme.toml")).unwrap();
    symlink("..1", world.directory.join("..data")).unwrap();
    symlink("..data/keyscheme.toml", &world.file).unwrap();
    // Names in it are below the link, as they are for who loads it.
    let base =
        ["rotate", "--config", "keyscheme.toml", "--client", "spring-main", "--scheme", "hmac1"];
    let said = world.run(&[&base[..], &STAGE].concat());
    assert_eq!(said.status, 0, "{said:?}");
    assert!(fs::symlink_metadata(&world.file).unwrap().is_symlink());
    assert!(fs::read_to_string(real.join("keyscheme.toml")).unwrap().contains("spring-2"));
    assert!(world.directory.join("spring-2").exists() && !real.join("spring-2").exists());
    world.is_sound();
}

#[test]
fn a_file_that_must_not_be_written_is_not() {
    let world = World::new();
    fs::set_permissions(&world.file, Permissions::from_mode(0o444)).unwrap();
    world.ends_with(
        2,
        START,
        &STAGE,
        "its mode is 444, which lets nobody write; nothing was changed",
    );
    fs::set_permissions(&world.file, Permissions::from_mode(0o644)).unwrap();
    let other = world.directory.join("other-name");
    fs::hard_link(&world.file, &other).unwrap();
    world.ends_with(2, START, &STAGE, "it has other names (hard links)");
    fs::remove_file(&other).unwrap();
    // Where nothing can be made beside it; root can.
    let directory = Permissions::from_mode(0o555);
    fs::set_permissions(&world.directory, directory).unwrap();
    if File::create(world.directory.join("probe")).is_err() {
        world.ends_with(2, START, &["--secret", "env:SALT"], "where it is mounted");
    }
    fs::set_permissions(&world.directory, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn two_rotations_at_once_are_one() {
    let world = World::new();
    let held = File::open(&world.file).unwrap();
    held.lock().unwrap();
    world.refuses(START, &STAGE, "another rotation is at work on it; try again");
    drop(held);
    world.steps(START, &STAGE);
}

/// What is to be typed next can be pasted, whatever the file is called.
#[test]
fn a_name_with_a_space_is_quoted() {
    let world = World::new();
    fs::rename(&world.file, world.directory.join("it's one.toml")).unwrap();
    let base =
        ["rotate", "--config", "it's one.toml", "--client", "spring-main", "--scheme", "hmac1"];
    let said = world.run(&[&base[..], &STAGE].concat());
    assert!(said.out.contains("--config 'it'\\''s one.toml' --client"), "{said:?}");
}

/// Bytes that no TOML writer would keep.
#[test]
fn odd_bytes_stay() {
    let world = World::new();
    let text = world.text();
    let odd = replaced(&text, "header = \"x-api-key\"", "  header   =\t'x-api-key'   #\t한국어  ");
    fs::write(&world.file, format!("\u{feff}{}", odd.trim_end())).unwrap();
    let before = world.text();
    world.promote("spring-2");
    let after = world.text();
    let new = after.replace(
        "\n\n[[client.spring-main.key]]\nid = \"spring-2\"\nscheme = \"hmac1\"\nstate = \"active\"\n\
         secret = { file = \"spring-2\" }",
        "",
    );
    let dates = "\nstate = \"verify-only\"\nnot-after = 2026-09-28T14:13:20Z";
    assert_eq!(replaced(&new, dates, ""), before);
    assert!(after.contains(OLD));
}
