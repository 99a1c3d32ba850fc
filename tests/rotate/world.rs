//! A configuration in a directory of its own, and the program before it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    directory::directory,
    program::{keyscheme, serve_here, started},
    server::Server,
};

pub const START: u64 = 1_790_000_000;
pub const DAY: u64 = 24 * 3600;
pub const OLD: &str = "spring-2026-11";

pub struct World {
    pub directory: PathBuf,
    pub file: PathBuf,
}

/// What the program has said.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl World {
    /// A copy of the example, with its comments.
    pub fn new() -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let world = Self::with(&fs::read_to_string(example.join("keyscheme.toml")).unwrap());
        fs::copy(example.join("example.env"), world.directory.join("example.env")).unwrap();
        world
    }

    pub fn with(text: &str) -> Self {
        let directory = directory("rotate");
        let file = directory.join("keyscheme.toml");
        fs::write(&file, text).unwrap();
        Self { directory, file }
    }

    pub fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    /// Names and contents of everything that is there.
    pub fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(&self.directory).unwrap().flatten();
        entries.map(|entry| (entry.path(), fs::read(entry.path()).unwrap())).collect()
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = self.within(&mut keyscheme()).args(arguments).output().unwrap();
        Said {
            status: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A server with the configuration as it stands now.
    pub fn serve(&self) -> (Server, SocketAddr) {
        started(self.within(&mut serve_here(Path::new("keyscheme.toml"))))
    }

    /// In the directory, and without the secrets of who runs the tests.
    fn within<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for name in ["SALT", "API_KEY", "SPRING_MAIN_SECRET"] {
            command.env_remove(name);
        }
        command.current_dir(&self.directory).stdin(Stdio::null())
    }

    /// `rotate` for the key of the example.
    pub fn rotate(&self, arguments: &[&str]) -> Said {
        let base = ["rotate", "--config", "keyscheme.toml", "--client", "spring-main"];
        self.run(&[&base[..], &["--scheme", "hmac1"], arguments].concat())
    }

    /// `rotate` at a time, which is done.
    pub fn steps(&self, at: u64, arguments: &[&str]) -> String {
        let said = self.rotate(&[&["--at", &at.to_string()], arguments].concat());
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
        self.is_sound();
        said.out
    }

    /// `rotate` at a time, which is refused with these words, and changes nothing.
    pub fn refuses(&self, at: u64, arguments: &[&str], words: &str) {
        self.ends_with(1, at, arguments, words);
    }

    pub fn ends_with(&self, status: i32, at: u64, arguments: &[&str], words: &str) {
        let before = self.everything();
        let said = self.rotate(&[&["--at", &at.to_string()], arguments].concat());
        assert_eq!((said.status, said.out.as_str()), (status, ""), "{arguments:?}: {said:?}");
        assert!(said.err.contains(words), "{words}\nis not in\n{}", said.err);
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
        assert_eq!(self.everything(), before, "{arguments:?}");
    }

    pub fn is_sound(&self) {
        let said = self.run(&["check", "keyscheme.toml"]);
        assert_eq!(said.status, 0, "{said:?}");
    }

    /// A credential of the client's active key.
    pub fn issue(&self, at: u64) -> String {
        let said = self.bound("issue", at, &["--client", "spring-main", "--scheme", "hmac1"]);
        assert_eq!(said.status, 0, "{said:?}");
        said.out.trim().to_owned()
    }

    /// The key that a credential is accepted with, or the reason why not.
    pub fn verify(&self, at: u64, credential: &str) -> String {
        let said = self.bound("verify", at, &[credential]);
        let outcome: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let member = if said.status == 0 { "key_id" } else { "reason" };
        outcome[member].as_str().unwrap().to_owned()
    }

    fn bound(&self, command: &str, at: u64, more: &[&str]) -> Said {
        let at = at.to_string();
        let base = [command, "--config", "keyscheme.toml", "--service", "stt", "--at", &at];
        self.run(&[&base[..], &["--method", "GET", "--target", "/v1"], more].concat())
    }

    /// Stages a key of this id.
    pub fn stage(&self, id: &str) {
        self.steps(START, &["--id", id, "--secret", &format!("new-file:{id}")]);
    }

    /// Stages and promotes it.
    pub fn promote(&self, id: &str) {
        self.stage(id);
        self.steps(START, &["--loaded"]);
    }
}

/// A text with another in the place of what stands there once.
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}
