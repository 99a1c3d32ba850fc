//! `.env` files, read so that what one reader sees is what every other sees.
//!
//! Readers disagree on what `$` and `\` mean outside single quotes. Where a secret holds one, a
//! verifier that reads another value than its callers would refuse them all, so such a line is an
//! error and not a guess.

use std::path::Path;

use crate::secret::Secret;

/// The variables of a `.env` file.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Secret)>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    // A secret may be of any bytes elsewhere, but these files are text.
    let text = Secret::from(text);
    let text = std::str::from_utf8(text.expose()).map_err(|_| "is not UTF-8".to_owned())?;
    for (i, line) in text.lines().enumerate() {
        if let Some(byte) = ambiguous_byte(line) {
            return Err(format!(
                "line {} has a {byte:?}, which readers of such files understand differently",
                i + 1
            ));
        }
    }
    dotenvy::from_read_iter(text.as_bytes())
        .map(|variable| match variable {
            Ok((name, value)) => Ok((name, Secret::from(value))),
            // The error holds the line, and the line may hold a secret.
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number = text.lines().position(|here| here == line).map_or(0, |i| i + 1);
                Err(format!("line {number} is not NAME=value"))
            }
            Err(_) => Err("cannot be read".to_owned()),
        })
        .collect()
}

/// A byte of a value that readers understand differently.
fn ambiguous_byte(line: &str) -> Option<char> {
    let (name, value) = line.split_once('=')?;
    let value = value.trim();
    let quoted = value.len() >= 2 && value.starts_with('\'') && value.ends_with('\'');
    let comment = name.trim_start().starts_with('#');
    value.chars().find(|c| !comment && (*c == '\\' || *c == '$' && !quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_reader_reads_alike_is_read() {
        for good in ["A=b", "A='a$b'", "export A=b", "# $A=\\", "A=\"b c\"", "", "A=b#c", "A=가"] {
            assert_eq!(ambiguous_byte(good), None, "{good}");
        }
        for bad in ["A=a$b", "A=\"a$b\"", "A=a\\b", "A='a\\b'", "A=${B}"] {
            assert!(ambiguous_byte(bad).is_some(), "{bad}");
        }
    }
}
