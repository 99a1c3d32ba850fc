//! From an offset to a line and a column.

use std::ops::Range;

/// Where the lines of a text begin.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let after = |(at, _)| at + 1;
        let starts = [0].into_iter().chain(text.match_indices('\n').map(after)).collect();
        Self { text, starts }
    }

    /// Line and column of an offset, both from 1; columns count characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied();
        let before = self.text.get(start.unwrap_or_default()..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The key at a span; in the heading of a table with all before it. Nothing else of a line may be
    /// shown, since it may hold a secret.
    pub(super) fn key(&self, span: Range<usize>) -> Option<&'t str> {
        let start = self.text.get(..span.start)?.rfind('\n').map_or(0, |end| end + 1);
        let heading = self.text.get(start..span.end)?.trim_start();
        // A line inside of a list may begin so too, but has no key outside of braces.
        if heading.starts_with('[') && !heading.contains('{') {
            return Some(heading.trim_start_matches(['[', ' ', '\t']));
        }
        self.text.get(span)
    }
}
