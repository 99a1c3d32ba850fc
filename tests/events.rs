//! An event that never fires is not missed by anybody until it is needed. So every one that the sources
//! can write stands in some test, which has seen it.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// All code below a directory of the repository, comments and this file left out.
fn code(directory: &str) -> Vec<String> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut files);
    // The page of commands is held to the messages by reading both, which sees none of them.
    files.retain(|file| !["events.rs", "cli.rs"].iter().any(|name| file.ends_with(name)));
    let code = files.iter().map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    });
    code.collect()
}

/// What an event says is the last argument of the macro that writes it.
fn messages() -> Vec<String> {
    let mut messages = Vec::new();
    for code in code("src") {
        for call in code.split("tracing::").skip(1) {
            let levels = ["debug", "info", "warn", "error"];
            if !levels.iter().any(|level| call.starts_with(&format!("{level}!("))) {
                continue;
            }
            let mut quotes = call.match_indices('"').map(|(at, _)| at);
            let is_last = |at: &usize| {
                let rest = call[at + 1..].trim_start();
                rest.trim_start_matches(',').trim_start().starts_with(')')
            };
            let message = call[..quotes.find(is_last).unwrap()].rsplit('"').next().unwrap();
            messages.push(message.split("\\\n").map(str::trim).collect::<Vec<_>>().join(" "));
        }
    }
    messages
}

#[test]
fn every_event_stands_in_a_test() {
    let (messages, tests) = (messages(), code("tests").join("\n"));
    assert!(messages.len() > 20, "{messages:#?}");
    for message in messages {
        let beginning: String = message.chars().take(40).collect();
        assert!(tests.contains(beginning.trim_end()), "no test sees: {message}");
    }
}
