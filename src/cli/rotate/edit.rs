//! Changes to the text of a configuration that leave every other byte as it was.
//!
//! A writer of TOML would not: `toml_edit` for one makes LF of CRLF and drops a byte order mark. So the
//! parser says where things stand, and what is new is put there.

use std::ops::Range;

use keyscheme::KeyState;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::layout::{comma, end_of, end_of_line, indent, is_block, line_end};

/// What is to be changed of the keys of a client.
#[derive(Debug)]
pub(super) enum Change {
    /// A staged key more. Its secrets are field and reference, as TOML.
    Add { id: String, scheme: String, secrets: Vec<(&'static str, String)> },
    /// A key in another state, and maybe with another not-after, as TOML.
    Set { id: String, state: KeyState, not_after: Option<String> },
}

/// Ids and schemes of a client's keys, in the order of the file; `None` where there is no such client.
/// The text is a sound configuration.
pub(super) fn keys(text: &str, client: &str) -> Option<Vec<(String, String)>> {
    let root = DeTable::parse(text).ok()?.into_inner();
    let of = |record: &Spanned<DeValue<'_>>, name| {
        field(record.get_ref().as_table()?, name)?.get_ref().as_str().map(str::to_owned)
    };
    let records = records(&root, client)?.1.iter();
    Some(records.filter_map(|record| Some((of(record, "id")?, of(record, "scheme")?))).collect())
}

/// The text with the changes; `None` where they cannot be made in it.
pub(super) fn changed(text: &str, client: &str, changes: &[Change]) -> Option<String> {
    let root = DeTable::parse(text).ok()?.into_inner();
    let (list, records) = records(&root, client)?;
    let mut splices = Vec::new();
    for change in changes {
        match change {
            Change::Add { id, scheme, secrets } => {
                let mut fields = vec![("id", quoted(id)), ("scheme", quoted(scheme))];
                fields.push(("state", quoted(KeyState::Staged.name())));
                fields.extend(secrets.iter().map(|(name, value)| (*name, value.clone())));
                let last = records.last()?;
                splices.extend(if is_block(text, last) {
                    block(text, last, &fields)?
                } else {
                    element(text, list, last, &fields)?
                });
            }
            Change::Set { id, state, not_after } => {
                let is_it = |record: &&Spanned<DeValue<'_>>| is_named(record, id);
                splices.extend(set(
                    text,
                    records.iter().find(is_it)?,
                    *state,
                    not_after.as_deref(),
                )?);
            }
        }
    }
    // From the end, so that what stands before stays where it is.
    splices.sort_by_key(|splice| std::cmp::Reverse((splice.at.start, splice.at.end)));
    let mut text = text.to_owned();
    for Splice { at, with } in splices {
        text.get(at.clone())?;
        text.replace_range(at, &with);
    }
    Some(text)
}

/// New text in place of old.
struct Splice {
    at: Range<usize>,
    with: String,
}

fn insert(at: usize, with: String) -> Splice {
    Splice { at: at..at, with }
}

/// A record in brackets of its own, behind the last one of the client.
fn block(
    text: &str,
    last: &Spanned<DeValue<'_>>,
    fields: &[(&str, String)],
) -> Option<Vec<Splice>> {
    let line = line_end(text);
    let header = text.get(last.span())?;
    let inner = field(last.get_ref().as_table()?, "scheme")?.span().start;
    let (outer, inner) = (indent(text, last.span().start), indent(text, inner));
    let mut record = format!("{line}{outer}{header}");
    for (name, value) in fields {
        record += &format!("{line}{inner}{name} = {value}");
    }
    let at = end_of_line(text, end_of(last));
    Some(vec![insert(at, format!("{line}{record}"))])
}

/// A table in the list of a client's keys, behind the last one.
fn element(
    text: &str,
    list: &Spanned<DeValue<'_>>,
    last: &Spanned<DeValue<'_>>,
    fields: &[(&str, String)],
) -> Option<Vec<Splice>> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let record = format!("{{ {} }}", fields.join(", "));
    let (from, to) = (last.span().end, list.span().end.checked_sub(1)?);
    let comma = comma(text, from, to)?;
    let behind = comma.map_or(from, |comma| comma + 1);
    let more = if comma.is_some() { "," } else { "" };
    let mut splices = Vec::new();
    if comma.is_none() {
        splices.push(insert(from, ",".to_owned()));
    }
    let line = end_of_line(text, behind);
    if line < to {
        // A line of its own, below what is said of the last one.
        let indent = indent(text, last.span().start);
        splices.push(insert(line, format!("{}{indent}{record}{more}", line_end(text))));
    } else {
        splices.push(insert(behind, format!(" {record}{more}")));
    }
    // Both at one place: the comma comes first.
    if let [first, second] = splices.as_slice()
        && first.at == second.at
    {
        let with = format!("{}{}", first.with, second.with);
        splices = vec![insert(from, with)];
    }
    Some(splices)
}

/// State and not-after of a record: in the place of the old ones, or else behind its scheme.
fn set(
    text: &str,
    record: &Spanned<DeValue<'_>>,
    state: KeyState,
    not_after: Option<&str>,
) -> Option<Vec<Splice>> {
    let table = record.get_ref().as_table()?;
    let mut splices = Vec::new();
    let mut missing = Vec::new();
    let mut put = |name: &'static str, value: String| match field(table, name) {
        Some(old) => splices.push(Splice { at: old.span(), with: value }),
        None => missing.push(format!("{name} = {value}")),
    };
    let old = field(table, "state").and_then(|old| text.get(old.span()));
    let literal = old.is_some_and(|old| old.starts_with('\''));
    let state = state.name();
    put("state", if literal { format!("'{state}'") } else { quoted(state) });
    if let Some(not_after) = not_after {
        put("not-after", not_after.to_owned());
    }
    if missing.is_empty() {
        return Some(splices);
    }
    let anchor = field(table, "state").or_else(|| field(table, "scheme"))?.span();
    if is_block(text, record) {
        let line = format!("{}{}", line_end(text), indent(text, anchor.start));
        let with = missing.iter().map(|field| format!("{line}{field}")).collect();
        splices.push(insert(end_of_line(text, anchor.end), with));
    } else {
        let with = missing.iter().map(|field| format!(", {field}")).collect();
        splices.push(insert(anchor.end, with));
    }
    Some(splices)
}

/// The list of a client's keys, and the records in it.
fn records<'a, 't>(
    root: &'a DeTable<'t>,
    client: &str,
) -> Option<(&'a Spanned<DeValue<'t>>, &'a [Spanned<DeValue<'t>>])> {
    let clients = field(root, "client")?.get_ref().as_table()?;
    let list = field(field(clients, client)?.get_ref().as_table()?, "key")?;
    Some((list, list.get_ref().as_array()?))
}

fn field<'a, 't>(table: &'a DeTable<'t>, name: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    table.get(name)
}

fn is_named(record: &Spanned<DeValue<'_>>, id: &str) -> bool {
    let table = record.get_ref().as_table();
    table.and_then(|table| field(table, "id")).and_then(|v| v.get_ref().as_str()) == Some(id)
}

/// Whether a text is one table of TOML, `{ … }`.
pub(super) fn is_table(text: &str) -> bool {
    DeValue::parse(text).is_ok_and(|value| value.get_ref().is_table())
}

/// A basic string of TOML; of text without control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tree::is_exactly, *};

    const SECRET: &str = "{ file = \"b\" }";

    fn stage() -> Change {
        let (id, scheme) = ("new".to_owned(), "hmac1".to_owned());
        Change::Add { id, scheme, secrets: vec![("secret", SECRET.to_owned())] }
    }

    fn retire() -> Change {
        let not_after = Some("2030-01-01T00:00:00Z".to_owned());
        Change::Set { id: "old".to_owned(), state: KeyState::VerifyOnly, not_after }
    }

    fn edited(text: &str, change: Change) -> String {
        let changes = [change];
        let new = changed(text, "c", &changes).unwrap();
        assert!(is_exactly(text, &new, "c", &changes), "{new}");
        new
    }

    /// Old text, then what a new key and what a new state make of it.
    #[test]
    fn everything_else_stays_to_the_byte() {
        let added =
            "id = \"new\"\nscheme = \"hmac1\"\nstate = \"staged\"\nsecret = { file = \"b\" }";
        let crlf = added.replace('\n', "\r\n");
        let tabbed = added.replace('\n', "\n\t");
        let inline = added.replace('\n', ", ");
        let state = "state = \"verify-only\"";
        let date = "not-after = 2030-01-01T00:00:00Z";
        let cases = [
            // No state, comments, more behind it.
            (
                "# a\n[[client.c.key]] # b\nid = \"old\" # c\nscheme = \"hmac1\" # d\n\
                 secret = { env = \"S\" } # e\n\n# f\n[replay]\n",
                format!(
                    "# a\n[[client.c.key]] # b\nid = \"old\" # c\nscheme = \"hmac1\" # d\n\
                     secret = {{ env = \"S\" }} # e\n\n[[client.c.key]]\n{added}\n\n# f\n[replay]\n"
                ),
                format!(
                    "# a\n[[client.c.key]] # b\nid = \"old\" # c\nscheme = \"hmac1\" # d\n{state}\n\
                     {date}\nsecret = {{ env = \"S\" }} # e\n\n# f\n[replay]\n"
                ),
            ),
            // CRLF, a byte order mark, a state first, an odd header, no line end at the end.
            (
                "\u{feff}[[ client.\"c\" . key ]]\r\nstate = 'active' # x\r\nid = 'old'\r\n\
                 scheme = 'hmac1'\r\nsecret.env = 'S'",
                format!(
                    "\u{feff}[[ client.\"c\" . key ]]\r\nstate = 'active' # x\r\nid = 'old'\r\n\
                     scheme = 'hmac1'\r\nsecret.env = 'S'\r\n\r\n[[ client.\"c\" . key ]]\r\n{crlf}"
                ),
                format!(
                    "\u{feff}[[ client.\"c\" . key ]]\r\nstate = 'verify-only' # x\r\n{date}\r\n\
                     id = 'old'\r\nscheme = 'hmac1'\r\nsecret.env = 'S'"
                ),
            ),
            // Indented, a table of its own for the secret, a later date.
            (
                "[[client.c.key]]\n\tscheme = \"hmac1\"\n\tnot-after=2031-01-01T00:00:00Z#x\n\
                 \tid = \"old\"\n[client.c.key.secret]\nenv = \"S\"\n[service.s]\n",
                format!(
                    "[[client.c.key]]\n\tscheme = \"hmac1\"\n\tnot-after=2031-01-01T00:00:00Z#x\n\
                     \tid = \"old\"\n[client.c.key.secret]\nenv = \"S\"\n\n[[client.c.key]]\n\t{tabbed}\n\
                     [service.s]\n"
                ),
                format!(
                    "[[client.c.key]]\n\tscheme = \"hmac1\"\n\t{state}\n\tnot-after=2030-01-01T00:00:00Z#x\n\
                     \tid = \"old\"\n[client.c.key.secret]\nenv = \"S\"\n[service.s]\n"
                ),
            ),
            // A list on one line.
            (
                "client.c.key = [{ scheme = \"hmac1\", id = \"old\" }] # x\n",
                format!(
                    "client.c.key = [{{ scheme = \"hmac1\", id = \"old\" }}, {{ {inline} }}] # x\n"
                ),
                format!(
                    "client.c.key = [{{ scheme = \"hmac1\", {state}, {date}, id = \"old\" }}] # x\n"
                ),
            ),
            // A list on several, with a comma behind the last.
            (
                "[client.c]\nkey = [\n  { id = \"old\", state = \"active\", scheme = \"hmac1\" }, # a, b\n  # c\n]\n",
                format!(
                    "[client.c]\nkey = [\n  {{ id = \"old\", state = \"active\", scheme = \"hmac1\" }}, # a, b\n  \
                     {{ {inline} }},\n  # c\n]\n"
                ),
                format!(
                    "[client.c]\nkey = [\n  {{ id = \"old\", {state}, {date}, scheme = \"hmac1\" }}, # a, b\n  # c\n]\n"
                ),
            ),
            // And without one.
            (
                "[client]\nc = { key = [\n  { id = \"old\", scheme = \"hmac1\" } # a, b\n] }\n",
                format!(
                    "[client]\nc = {{ key = [\n  {{ id = \"old\", scheme = \"hmac1\" }}, # a, b\n  {{ {inline} }}\n] }}\n"
                ),
                format!(
                    "[client]\nc = {{ key = [\n  {{ id = \"old\", scheme = \"hmac1\", {state}, {date} }} # a, b\n] }}\n"
                ),
            ),
        ];
        for (text, staged, retired) in cases {
            assert_eq!(edited(text, stage()), staged);
            assert_eq!(edited(text, retire()), retired);
        }
    }

    #[test]
    fn several_changes_are_made_at_once() {
        let text = "[[client.c.key]]\nid = \"new\"\nscheme = \"hmac1\"\nstate = \"staged\"\n\
                    [[client.d.key]]\nid = \"other\"\n[[client.c.key]]\nid = \"old\"\nscheme = \"hmac1\"\n";
        let promote =
            Change::Set { id: "new".to_owned(), state: KeyState::Active, not_after: None };
        let changes = [promote, retire()];
        let new = changed(text, "c", &changes).unwrap();
        assert!(is_exactly(text, &new, "c", &changes));
        assert_eq!(
            new,
            "[[client.c.key]]\nid = \"new\"\nscheme = \"hmac1\"\nstate = \"active\"\n\
             [[client.d.key]]\nid = \"other\"\n[[client.c.key]]\nid = \"old\"\nscheme = \"hmac1\"\n\
             state = \"verify-only\"\nnot-after = 2030-01-01T00:00:00Z\n"
        );
    }

    #[test]
    fn another_difference_is_seen() {
        let text =
            "[[client.c.key]]\nid = \"old\"\nscheme = \"hmac1\"\n[[client.d.key]]\nid = \"x\"\n";
        let changes = [retire()];
        let new = changed(text, "c", &changes).unwrap();
        for (from, to) in [("\"x\"", "\"y\""), ("2030", "2031"), ("verify-only", "disabled")] {
            assert!(!is_exactly(text, &new.replace(from, to), "c", &changes), "{from}");
        }
        assert!(!is_exactly(text, text, "c", &changes));
        assert!(!is_exactly(text, "no toml", "c", &changes));
    }

    /// Whether `old` is `new` less some of its characters.
    fn only_grew(old: &str, new: &str) -> bool {
        let mut rest = new.chars();
        old.chars().all(|c| rest.any(|other| other == c))
    }

    /// A record's fields in some order and with this between them.
    fn record(id: &str, order: usize, between: &str) -> String {
        let mut fields = [
            format!("id = '{id}'"),
            "scheme=\"hmac1\"".to_owned(),
            "not-after = 2033-01-01T00:00:00+09:00".to_owned(),
            "secret . env = \"[{#,'\"".to_owned(),
        ];
        fields.rotate_left(order % 4);
        fields.swap(order / 4 % 4, order / 16 % 4);
        fields.join(between)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However it is written, what is meant is done, and the rest stays.
        #[test]
        fn any_notation_can_be_edited(
            block in any::<bool>(),
            orders in prop::array::uniform2(0..64_usize),
            line in prop::sample::select(vec!["\n", "\r\n"]),
            indent in prop::sample::select(vec!["", "  ", "\t"]),
            comment in prop::sample::select(vec!["", " # }], [[x]] \"", "#,", " # '''"]),
            gap in prop::sample::select(vec!["", " ", "\n", "\n# ,]\n", " # ]\n  # ,\n\n"]),
            comma in any::<bool>(),
            wide in any::<bool>(),
            end in any::<bool>(),
        ) {
            let gap = gap.replace('\n', line);
            let between = format!("{comment}{line}{indent}");
            let records = ["older", "old"].into_iter().zip(orders);
            let mut text = format!("# first{line}");
            if block {
                for (id, order) in records {
                    let record = record(id, order, &between);
                    text += &format!("{indent}[[client . 'c'.key]]{between}{record}{comment}{line}");
                    text += &format!("{gap}{line}");
                }
            } else {
                // TOML 1.1 lets tables in braces have lines.
                let between = if wide { format!(",{between}") } else { ", ".to_owned() };
                let records =
                    records.map(|(id, order)| format!("{{ {} }}", record(id, order, &between)));
                let records = records.collect::<Vec<_>>().join(&format!(",{gap}"));
                let comma = if comma { format!("{gap},{gap}") } else { gap.clone() };
                text += &format!("[client.c]{line}key = [{gap}{records}{comma}]{comment}{line}");
            }
            text += &format!("[client.d]{line}key = [{{ id = 'd' }}]");
            if end {
                text += line;
            }
            prop_assert!(DeTable::parse(&text).is_ok(), "{text}");
            let staged = edited(&text, stage());
            prop_assert!(only_grew(&text, &staged), "{text}\nbecame\n{staged}");
            let retired = edited(&staged, retire());
            let undone = retired.replace("2030-01-01T00:00:00Z", "2033-01-01T00:00:00+09:00");
            prop_assert!(only_grew(&staged, &undone), "{staged}\nbecame\n{retired}");
            if line == "\r\n" {
                let ends = retired.matches("\r\n").count();
                prop_assert_eq!(retired.matches('\n').count(), ends);
            }
        }
    }
}
