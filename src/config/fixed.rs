//! What a configuration says once and for all: a process keeps to it until it ends.

use std::fmt::Write;

use toml::de::{DeTable, DeValue};

use super::hash::Hash;
use crate::secret::Secret;

/// What stands in [`TABLES`], in a notation of its own: where, and how it is laid out, does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fixed([Hash; TABLES.len()]);

impl Fixed {
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        Self(TABLES.map(|name| {
            let mut out = String::new();
            if let Some(value) = root.get(name) {
                write(value.get_ref(), &mut out);
            }
            Hash::of([out.as_bytes()])
        }))
    }

    /// With the secret that a table names.
    pub(super) fn with(mut self, table: &str, secret: Option<&Secret>) -> Self {
        for (name, hash) in TABLES.iter().zip(&mut self.0) {
            if let Some(secret) = secret.filter(|_| *name == table) {
                *hash = hash.and(secret.expose());
            }
        }
        self
    }

    /// The names of the tables that say something else there.
    pub(super) fn other_than(&self, other: &Self) -> Vec<&'static str> {
        let pairs = TABLES.iter().zip(self.0.iter().zip(&other.0));
        pairs.filter(|(_, (here, there))| here != there).map(|(name, _)| *name).collect()
    }
}

fn write(value: &DeValue<'_>, out: &mut String) {
    // Writing to a text does not fail.
    let _ = match value {
        DeValue::String(text) => write!(out, "{text:?}"),
        DeValue::Integer(number) => write!(out, "{number}"),
        DeValue::Float(number) => write!(out, "{number}"),
        DeValue::Boolean(flag) => write!(out, "{flag}"),
        DeValue::Datetime(at) => write!(out, "{at}"),
        DeValue::Array(values) => {
            out.push('[');
            for value in values.iter() {
                write(value.get_ref(), out);
                out.push(',');
            }
            out.write_char(']')
        }
        DeValue::Table(table) => {
            out.push('{');
            for (name, value) in table.iter() {
                let _ = write!(out, "{:?}=", name.get_ref());
                write(value.get_ref(), out);
                out.push(',');
            }
            out.write_char('}')
        }
    };
}

/// Those that are read at the start alone.
const TABLES: [&str; 3] = ["reload", "replay", "serve"];

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{errors:?}");
        Fixed::of(table.get_ref())
    }

    #[test]
    fn layout_order_and_other_tables_do_not_show() {
        let one = fixed("[replay]\nkind = \"redis\"\nurl = 'a'\n[serve]\nlisten = \"b\"\n");
        let other =
            "serve.listen = \"b\" # here\n[service.x]\n[replay]\nurl=\"a\"\nkind=\"redis\"\n";
        assert_eq!(one.other_than(&fixed(other)), Vec::<&str>::new());
    }

    #[test]
    fn each_kind_of_change_shows() {
        let was = fixed("replay = { a = \"1\", b = [1, 2], c = { d = true } }\n");
        for (text, tables) in [
            ("replay = { a = 1, b = [1, 2], c = { d = true } }", &["replay"][..]),
            ("replay = { a = \"1\", b = [12], c = { d = true } }", &["replay"]),
            ("replay = { a = \"1\", b = [1, 2], c = { d = false } }", &["replay"]),
            ("replay = { a = \"1\", b = [1, 2] }", &["replay"]),
            ("[serve]\n[reload]\n", &["reload", "replay", "serve"]),
        ] {
            assert_eq!(fixed(text).other_than(&was), tables, "{text}");
        }
    }
}
