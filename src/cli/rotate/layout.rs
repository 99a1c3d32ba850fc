//! How a text of TOML is laid out: lines, white space, commas, and where a value ends.

use toml::{Spanned, de::DeValue};

/// Whether a record stands below `[[client.NAME.key]]`. Otherwise it stands in `{ }`.
pub(super) fn is_block(text: &str, record: &Spanned<DeValue<'_>>) -> bool {
    text.get(record.span()).is_some_and(|text| text.starts_with('['))
}

/// Where all that belongs to a value ends.
pub(super) fn end_of(value: &Spanned<DeValue<'_>>) -> usize {
    let inside = match value.get_ref() {
        DeValue::Table(table) => table.values().map(end_of).max(),
        _ => None,
    };
    inside.unwrap_or_default().max(value.span().end)
}

/// Where the line of `at` ends, before its line end.
pub(super) fn end_of_line(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    at + if line.len() < rest.len() { line.trim_end_matches('\r').len() } else { line.len() }
}

/// The white space that the line of `at` begins with.
pub(super) fn indent(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// What ends the first line, and so all new ones.
pub(super) fn line_end(text: &str) -> &'static str {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if first.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// The comma between `from` and `to`, where there are only white space and comments besides; `None`
/// inside where there is none.
pub(super) fn comma(text: &str, from: usize, to: usize) -> Option<Option<usize>> {
    let mut comment = false;
    for (at, c) in text.get(from..to)?.char_indices() {
        match c {
            '\n' => comment = false,
            '#' => comment = true,
            ',' if !comment => return Some(Some(from + at)),
            _ => {}
        }
    }
    Some(None)
}
