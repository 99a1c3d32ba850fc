//! Mistakes, each at its line and column.

use std::collections::HashSet;

use super::{lines::Lines, walk::Found};
use crate::error::Mistake;

/// One that a parser of TOML has found.
pub(super) fn syntax(error: &toml::de::Error, lines: &Lines<'_>) -> Mistake {
    let message = error.message().trim();
    let key = error.span().filter(|_| message == "duplicate key");
    let mut mistake = match key.and_then(|span| lines.key(span)) {
        Some(key) => Mistake::new(SYNTAX, format!("{message} {key}"), only_one(key)),
        None => Mistake::new(SYNTAX, message, "mend the syntax"),
    };
    mistake.position = error.span().map(|span| lines.position(span.start));
    mistake
}

/// What to do where a key stands twice.
fn only_one(key: &str) -> String {
    if key.starts_with("client.") && key.ends_with(".key") {
        format!("write [[{key}]], in two brackets each side, for every key")
    } else {
        "keep one of them, or name one differently".to_owned()
    }
}

/// All that were found, in the order of the text.
pub(super) fn placed(mut found: Found, lines: &Lines<'_>) -> Vec<Mistake> {
    let mut mistakes = std::mem::take(&mut found.mistakes);
    for mistake in &mut mistakes {
        if mistake.position.is_none() {
            mistake.position = found.offset(&mistake.path).map(|offset| lines.position(offset));
        }
    }
    // What is made of a line that is no TOML says nothing of what was meant.
    let line_of = |mistake: &Mistake| mistake.position.map(|(line, _)| line);
    let syntax = mistakes.iter().filter(|mistake| mistake.path == SYNTAX);
    let broken: HashSet<usize> = syntax.filter_map(line_of).collect();
    let is_sound = |mistake: &Mistake| line_of(mistake).is_none_or(|at| !broken.contains(&at));
    mistakes.retain(|mistake| mistake.path == SYNTAX || is_sound(mistake));
    mistakes.sort_by_key(|mistake| mistake.position);
    mistakes
}

/// What a mistake of syntax is in.
const SYNTAX: &str = "TOML";
