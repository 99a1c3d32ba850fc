//! Modules stand in levels and use lower ones only; siblings do not know each other.

#[path = "support/sources.rs"]
#[allow(dead_code, reason = "tests of events use the rest")]
mod sources;

use std::{collections::BTreeSet, fs, path::Path};

use sources::sources;

/// From the ground up. A module that is not named here fails the test.
const LEVELS: [&[&str]; 15] = [
    &["ct", "error", "id", "secret", "time"],
    &["encoding", "random"],
    &["material"],
    &["wire"],
    &["request"],
    &["scheme", "replay"],
    &["conformance"],
    &["key", "policy"],
    &["issue", "source", "verify"],
    &["registry", "state"],
    &["verifier"],
    &["builder"],
    &["auth"],
    &["config"],
    &["http", "watch"],
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&module))
}

/// The modules that a source names after `crate::`, in `use` lines and elsewhere.
fn named(source: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<&str> =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 1 && c != ',' && c != '}' {
                    item.push(c);
                } else if depth == 0 || depth == 1 && c == ',' {
                    modules.extend(item.trim().split("::").next().map(str::to_owned));
                    item.clear();
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
            modules.insert(rest[..end].to_owned());
        }
    }
    modules.remove("");
    modules
}

fn edges() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut edges = BTreeSet::new();
    for file in sources("src") {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(module, "cli" | "lib" | "main") {
            continue;
        }
        for used in named(&fs::read_to_string(&file).unwrap()) {
            if used != module {
                edges.insert((module.to_owned(), used));
            }
        }
    }
    edges
}

#[test]
fn modules_use_lower_levels_only() {
    let edges = edges();
    assert!(edges.len() > 40, "only {} edges were found", edges.len());
    for (from, to) in &edges {
        let above = level(from).unwrap_or_else(|| panic!("src/{from} stands in no level"));
        let below = level(to).unwrap_or_else(|| panic!("src/{from} uses crate::{to}: what is it?"));
        assert!(below < above, "src/{from} must not use crate::{to}");
    }
}

#[test]
fn the_core_knows_no_io() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources("src") {
        let inside = file.strip_prefix(&root).unwrap();
        let edge = [
            "cli",
            "config",
            "http",
            "replay/redis",
            "source",
            "state.rs",
            "main.rs",
            "time.rs",
            "watch.rs",
        ];
        if edge.iter().any(|edge| inside.starts_with(edge)) {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        for word in ["std::fs", "std::net", "std::env::", "SystemTime", "tokio::", "serde::"] {
            let code = source.split("#[cfg(test)]").next().unwrap();
            let found = code
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert!(!found, "{} uses {word}", inside.display());
        }
    }
}

#[test]
fn the_reader_of_use_lines_reads_them() {
    let source =
        "use crate::{ct, id::{A, B}, wire::base64::x};\nuse crate::error::E;\ncrate::time::T";
    let found: Vec<_> = named(source).into_iter().collect();
    assert_eq!(found, ["ct", "error", "id", "time", "wire"]);
}
