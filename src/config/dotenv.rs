//! `.env` files, read so that what one reader sees is what shells, Compose and the dotenv libraries see.
//!
//! ```text
//! line  = [ "export " ] name "=" value [ " #" comment ] / "#" comment / ""
//! name  = ( ALPHA / "_" ) *( ALPHA / DIGIT / "_" )
//! value = "'" any but ' \ and ${ "'"  /  DQUOTE any but " \ $ ` DQUOTE
//!       / any but blanks and ' " \ $ ` # ; & | < > ( ) ~
//! ```
//!
//! They differ in the rest: escapes, what `$` means, where a comment begins, values over several lines,
//! blanks that are not ASCII, which of two lines with one name counts. Where a secret depends on that, a
//! verifier that reads another value than its callers would refuse them all. So it is an error here and
//! not a guess, and that is why this file is not read by a crate that guesses.

use std::{collections::HashMap, path::Path};

use crate::{secret::Secret, source::read_at_most};

/// Why a `.env` file is not used.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) remedy: &'static str,
}

/// The variables of a `.env` file.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Secret)>, Fault> {
    let unusable =
        |problem: String| Fault { problem, remedy: "name a readable file of NAME=value" };
    let content = read_at_most(path, LONGEST).map_err(|error| unusable(error.to_string()))?;
    let text =
        std::str::from_utf8(content.expose()).map_err(|_| unusable("is not UTF-8".into()))?;
    parse(text)
}

pub(super) const LONGEST: usize = 64 << 20;

/// The only white space that all take for such.
const BLANK: [char; 2] = [' ', '\t'];

fn parse(text: &str) -> Result<Vec<(String, Secret)>, Fault> {
    let mut variables = Vec::new();
    let mut lines_of: HashMap<&str, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let fault = |problem: &str, remedy| {
            Err(Fault { problem: format!("line {number} {problem}"), remedy })
        };
        let line = line.trim_matches(BLANK);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains(|c: char| (c.is_whitespace() || c.is_control()) && !BLANK.contains(&c)) {
            let remedy = "take the white space that cannot be seen out of it";
            return fault("holds a character that readers understand differently", remedy);
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let Some((name, value)) =
            assignment.filter(|(name, _)| is_name(name.trim_end_matches(BLANK)))
        else {
            return fault(
                "is not NAME=value",
                "write NAME=value, with a name of letters, digits and _",
            );
        };
        let Some(value) = value_of(value.trim_start_matches(BLANK)) else {
            return fault(
                "has a value that readers of such files understand differently",
                "put it in single quotes, or in a file of its own where it holds ' or \\",
            );
        };
        let name = name.trim_end_matches(BLANK);
        if let Some(first) = lines_of.insert(name, number) {
            let problem = format!("sets what line {first} has set");
            return fault(&problem, "keep one of them: readers differ in which one counts");
        }
        variables.push((name.to_owned(), Secret::from(value)));
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(in_name)
}

/// The value, where there can be no doubt of it.
fn value_of(text: &str) -> Option<&str> {
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest: &str| rest.split_once(quote));
    let (value, rest, doubtful): (_, _, &[char]) = if let Some((value, rest)) = quoted('\'') {
        (value, rest, &['\\'])
    } else if let Some((value, rest)) = quoted('"') {
        (value, rest, &['\\', '$', '`'])
    } else {
        let (value, rest) = text.split_at_checked(text.find(BLANK).unwrap_or(text.len()))?;
        (value, rest, &['\\', '$', '\'', '"', '`', '#', ';', '&', '|', '<', '>', '(', ')', '~'])
    };
    let comment = rest.trim_start_matches(BLANK);
    let ends = rest.is_empty() || comment.len() < rest.len() && comment.starts_with('#');
    (ends && !value.contains(doubtful) && !value.contains("${")).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_reader_reads_alike_is_read() {
        for (line, value) in [
            ("A=b", "b"),
            ("A = b", "b"),
            ("export A=b", "b"),
            ("A='a$b # \"c'", "a$b # \"c"),
            ("A=\"b c's\"", "b c's"),
            ("A=a=b==", "a=b=="),
            ("A=가 # a note", "가"),
            ("A=", ""),
            ("A=''", ""),
            ("A=+/b64==", "+/b64=="),
        ] {
            let variables = parse(line).unwrap();
            assert_eq!(variables[0].0, "A", "{line}");
            assert_eq!(variables[0].1.expose(), value.as_bytes(), "{line}");
        }
        for line in [
            "A=a$b",
            "A='a${b}'",
            "A=x\u{a0}",
            "A\u{a0}=x",
            "A=x\u{2028}",
            "A='x\ry'",
            "A=\"a`id`b\"",
            "A=a;b",
            "A=~/x",
            "A=(a)",
            "A=\"a$b\"",
            "A=a\\b",
            "A='a\\b'",
            "A=${B}",
            "A=a b",
            "A=a#b",
            "A=a'b'c",
            "A=ab\" c\"",
            "A='a' b",
            "A='a'#b",
            "A=`b`",
            "A='",
            "A='a'b'",
            "A=\"a",
            "A b",
            "1=b",
            "=b",
            "A.B=c",
            "\u{feff}A=b",
            "A",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("# a\n\n  # A=$b\nexport B=c\r\nC=d").is_ok());
        assert!(parse("A=b\nA=b").is_err());
        assert!(parse("A=\"x\n${B}y\"").is_err());
    }
}
