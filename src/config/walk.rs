//! A walk over TOML tables that remembers where everything stood and what was wrong with it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use jiff::{SignedDuration, Timestamp};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use crate::{
    error::{ConfigError, Mistake, path_part},
    registry::nearest,
    time::UnixTime,
};

/// What was found on the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) mistakes: Vec<Mistake>,
    /// Where the field of a path begins in the file.
    offsets: HashMap<String, usize>,
}

impl Found {
    pub(super) fn wrong(&mut self, path: &str, problem: impl Into<String>, remedy: &str) {
        self.mistakes.push(Mistake::new(path, problem, remedy));
    }

    /// Adds what is wrong with a value that was made of fields, but for what follows from a mistake that
    /// was named already.
    pub(super) fn add(&mut self, error: ConfigError) {
        let known: HashSet<String> =
            self.mistakes.iter().map(|mistake| mistake.path.clone()).collect();
        let follows = |mistake: &Mistake| above(&mistake.path).any(|path| known.contains(path));
        self.mistakes.extend(error.into_mistakes().into_iter().filter(|m| !follows(m)));
    }

    pub(super) fn at(&mut self, path: &str, span: Range<usize>) {
        self.offsets.insert(path.to_owned(), span.start);
    }

    /// Where the field of a path, or else what it stands in, begins.
    pub(super) fn offset(&self, path: &str) -> Option<usize> {
        above(path).find_map(|path| self.offsets.get(path)).copied()
    }
}

/// A path, and those of what it stands in.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.get(..last_separator(path)?))
}

/// The last `.` or `[` that is not inside of a quoted name.
fn last_separator(path: &str) -> Option<usize> {
    let (mut quoted, mut last) = (false, None);
    for (at, c) in path.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '.' | '[' if !quoted => last = Some(at),
            _ => {}
        }
    }
    last
}

/// A table on the walk. Fields that are not taken from it are unknown.
pub(super) struct Table<'t> {
    pub(super) path: String,
    entries: BTreeMap<&'t str, &'t Spanned<DeValue<'t>>>,
    known: Vec<Cow<'static, str>>,
}

impl<'t> Table<'t> {
    pub(super) fn new(path: String, table: &'t DeTable<'t>, found: &mut Found) -> Self {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            found.at(&join(&path, name), key.span());
            entries.insert(name, value);
        }
        Self { path, entries, known: Vec::new() }
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'t str> {
        self.entries.keys().copied()
    }

    /// Whether there is such a field that was not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Says nothing of a field, of which enough was said.
    pub(super) fn skip(&mut self, name: &str) {
        self.take(name);
    }

    fn take(&mut self, name: &str) -> Option<&'t DeValue<'t>> {
        self.known.push(Cow::Owned(name.to_owned()));
        Some(self.entries.remove(name)?.get_ref())
    }

    /// A field of one type, which `read` recognises.
    fn typed<T>(
        &mut self,
        name: &str,
        found: &mut Found,
        remedy: &str,
        read: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let typed = read(value);
        if typed.is_none() {
            let problem = format!("is {}", kind(value));
            found.wrong(&self.path_of(name), problem, remedy);
        }
        typed
    }

    pub(super) fn text(&mut self, name: &str, found: &mut Found) -> Option<&'t str> {
        self.typed(name, found, "write a string in quotes", DeValue::as_str)
    }

    /// A string, or a number as it stands there.
    pub(super) fn word(&mut self, name: &str, found: &mut Found) -> Option<String> {
        self.typed(name, found, "write a string in quotes", |value| {
            let number = value.as_integer().map(ToString::to_string);
            number.or_else(|| value.as_str().map(str::to_owned))
        })
    }

    pub(super) fn flag(&mut self, name: &str, found: &mut Found) -> Option<bool> {
        self.typed(name, found, "write true or false", DeValue::as_bool)
    }

    pub(super) fn count(&mut self, name: &str, found: &mut Found) -> Option<usize> {
        let number = self.typed(name, found, "write a whole number", DeValue::as_integer)?;
        let count = usize::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
        if count.is_none() {
            let remedy = format!("give a whole number from 1 to {}", usize::MAX);
            found.wrong(&self.path_of(name), format!("is {number}"), &remedy);
        }
        count
    }

    pub(super) fn table(&mut self, name: &str, found: &mut Found) -> Option<Table<'t>> {
        self.table_of(name, "write a table", found)
    }

    pub(super) fn table_of(
        &mut self,
        name: &str,
        remedy: &str,
        found: &mut Found,
    ) -> Option<Table<'t>> {
        let table = self.typed(name, found, remedy, DeValue::as_table)?;
        Some(Table::new(self.path_of(name), table, found))
    }

    pub(super) fn list(&mut self, name: &str, found: &mut Found) -> Option<&'t DeArray<'t>> {
        self.list_of(name, "write a list in brackets", found)
    }

    pub(super) fn list_of(
        &mut self,
        name: &str,
        remedy: &str,
        found: &mut Found,
    ) -> Option<&'t DeArray<'t>> {
        self.typed(name, found, remedy, DeValue::as_array)
    }

    pub(super) fn texts(&mut self, name: &str, found: &mut Found) -> Option<Vec<String>> {
        let list = self.list(name, found)?;
        let path = self.path_of(name);
        let mut texts = Vec::new();
        for (i, value) in list.iter().enumerate() {
            let path = format!("{path}[{i}]");
            found.at(&path, value.span());
            match value.get_ref().as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    let problem = format!("is {}", kind(value.get_ref()));
                    found.wrong(&path, problem, "write a string in quotes");
                    texts.push(String::new());
                }
            }
        }
        Some(texts)
    }

    /// An instant: a TOML date with time and offset.
    pub(super) fn instant(&mut self, name: &str, found: &mut Found) -> Option<UnixTime> {
        let example = "write a date with time and offset, not in quotes: 2027-06-30T00:00:00Z";
        let date = self.typed(name, found, example, DeValue::as_datetime)?;
        let path = self.path_of(name);
        if date.offset.is_none() {
            let problem = format!("{date} has no offset, so it is another instant in each zone");
            found.wrong(&path, problem, example);
            return None;
        }
        let seconds = date.to_string().parse::<Timestamp>().ok().map(Timestamp::as_second);
        let instant = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(UnixTime);
        if instant.is_none() {
            found.wrong(&path, format!("{date} is no instant since 1970"), "mend the date");
        }
        instant
    }

    /// Whole seconds, written with a unit; `None` inside where it is the word `unlimited`.
    pub(super) fn seconds(&mut self, name: &str, found: &mut Found) -> Option<Option<u64>> {
        let example = "write a duration such as \"300s\", \"10m\" or \"24h\"";
        let text = self.typed(name, found, example, DeValue::as_str)?;
        if text == "unlimited" {
            return Some(None);
        }
        let duration = text.parse::<SignedDuration>().ok().filter(|d| d.subsec_nanos() == 0);
        let seconds = duration.and_then(|duration| u64::try_from(duration.as_secs()).ok());
        if seconds.is_none() {
            let problem = format!("{text:?} is no duration of whole seconds");
            found.wrong(&self.path_of(name), problem, example);
        }
        seconds.map(Some)
    }

    /// Reports the fields that nobody took. `more` are names that would have been known too.
    pub(super) fn finish(self, found: &mut Found, more: &[&str]) {
        let mut known: Vec<&str> = Vec::new();
        for name in self.known.iter().map(Cow::as_ref).chain(more.iter().copied()) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let follows_a_name = matches!(above(&self.path).nth(1), Some("service" | "client"));
        for (name, value) in &self.entries {
            let remedy = match nearest(name, known.iter().copied()) {
                None if follows_a_name && value.get_ref().is_table() => {
                    "is it part of a name? Names with a dot stand in quotes: [service.\"a.b\"]"
                        .to_owned()
                }
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            found.wrong(&join(&self.path, name), "is not known", &remedy);
        }
    }
}

/// What a value is, without showing it: it may be a secret in the wrong place.
pub(super) fn kind(value: &DeValue<'_>) -> String {
    let article = if matches!(value.type_str(), "integer" | "array") { "an" } else { "a" };
    format!("{article} {}", value.type_str())
}

fn join(path: &str, name: &str) -> String {
    let name = path_part(name);
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}
