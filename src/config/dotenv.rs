//! `.env` files, read so that what one reader sees is what every other sees.
//!
//! Readers disagree on what `$` and `\` mean outside single quotes, and on which of two lines of one
//! name counts. Where a secret depends on that, a verifier that reads another value than its callers
//! would refuse them all, so such a file is an error and not a guess.

use std::{collections::HashMap, path::Path};

use crate::secret::Secret;

/// Why a `.env` file is not used.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) remedy: &'static str,
}

/// The variables of a `.env` file.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Secret)>, Fault> {
    let unreadable =
        |problem| Fault { problem, remedy: "name a readable file of NAME=value lines" };
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    // A secret may be of any bytes elsewhere, but these files are text.
    let text = Secret::from(text);
    let text = std::str::from_utf8(text.expose()).map_err(|_| unreadable("is not UTF-8".into()))?;
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(c) = ambiguous(line) {
            return Err(Fault {
                problem: format!("line {number} has a {c:?}, which readers understand differently"),
                remedy: "put a value with $ in single quotes, and one with \\ in a file of its own",
            });
        }
        if let Some(first) = name_of(line).and_then(|name| names.insert(name, number)) {
            return Err(Fault {
                problem: format!("line {number} sets what line {first} has set"),
                remedy: "keep one of them: readers differ in which one counts",
            });
        }
    }
    dotenvy::from_read_iter(text.as_bytes())
        .map(|variable| match variable {
            Ok((name, value)) => Ok((name, Secret::from(value))),
            // The error holds the line or its end, which may be a secret.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let here = |text: &str| text.trim_end().ends_with(line.trim_end());
                let number = text.lines().position(here);
                let place = number.map_or_else(String::new, |i| format!("line {} ", i + 1));
                Err(Fault {
                    problem: format!("{place}is not NAME=value"),
                    remedy: "put a value with a space or a quote in single quotes",
                })
            }
            Err(_) => Err(unreadable("cannot be read".into())),
        })
        .collect()
}

/// The name that a line sets.
fn name_of(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    (!name.starts_with('#')).then_some(name)
}

/// A character of a value that readers understand differently.
fn ambiguous(line: &str) -> Option<char> {
    name_of(line)?;
    let value = line.split_once('=')?.1.trim();
    let quoted = value.len() >= 2 && value.starts_with('\'') && value.ends_with('\'');
    value.chars().find(|c| *c == '\\' || *c == '$' && !quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_reader_reads_alike_is_read() {
        for good in ["A=b", "A='a$b'", "export A=b", "# $A=\\", "A=\"b c\"", "", "A=b#c", "A=가"] {
            assert_eq!(ambiguous(good), None, "{good}");
        }
        for bad in ["A=a$b", "A=\"a$b\"", "A=a\\b", "A='a\\b'", "A=${B}"] {
            assert!(ambiguous(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn names_are_found() {
        assert_eq!(name_of("export A = b=c"), Some("A"));
        assert_eq!(name_of(" A=b"), Some("A"));
        assert_eq!(name_of("# A=b"), None);
        assert_eq!(name_of("A"), None);
    }
}
