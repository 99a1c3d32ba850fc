//! The sources of the repository, for tests that hold them to something.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file of Rust below a directory of the repository.
pub fn sources(directory: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut files);
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file, without lines that are comments.
pub fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the events of `tracing` in some code say: the last argument of each.
pub fn messages(code: &str) -> Vec<String> {
    let levels = ["debug!(", "info!(", "warn!(", "error!("];
    let calls = code.split("tracing::").skip(1);
    let calls = calls.filter(|call| levels.iter().any(|level| call.starts_with(level)));
    let message = |call: &str| {
        let mut quotes = call.match_indices('"').map(|(at, _)| at);
        let is_last = |at: &usize| {
            let rest = call[at + 1..].trim_start();
            rest.trim_start_matches(',').trim_start().starts_with(')')
        };
        let message = call[..quotes.find(is_last).unwrap()].rsplit('"').next().unwrap();
        message.split("\\\n").map(str::trim).collect::<Vec<_>>().join(" ")
    };
    calls.map(message).collect()
}
