//! What a text of TOML says, to compare it with what was meant.

use std::collections::BTreeMap;

use keyscheme::KeyState;
use toml::de::{DeTable, DeValue};

use super::edit::Change;

/// Whether `new` says what `old` says but for these changes, and nothing else.
pub(super) fn is_exactly(old: &str, new: &str, client: &str, changes: &[Change]) -> bool {
    let tree = |text: &str| DeTable::parse(text).ok().map(|root| Tree::of_table(root.get_ref()));
    let expected = tree(old).and_then(|mut root| {
        changes.iter().try_for_each(|change| root.change(client, change))?;
        Some(root)
    });
    expected.is_some() && expected == tree(new)
}

/// What a text says, however it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tree {
    Leaf(String),
    List(Vec<Self>),
    Table(BTreeMap<String, Self>),
}

impl Tree {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Array(list) => {
                Self::List(list.iter().map(|v| Self::of(v.get_ref())).collect())
            }
            DeValue::Boolean(flag) => Self::Leaf(format!("boolean {flag}")),
            DeValue::Datetime(date) => Self::Leaf(format!("date {date}")),
            DeValue::Float(number) => Self::Leaf(format!("float {}", number.as_str())),
            DeValue::Integer(number) => {
                Self::Leaf(format!("integer {} {}", number.radix(), number.as_str()))
            }
            DeValue::String(text) => Self::text(text),
            DeValue::Table(table) => Self::of_table(table),
        }
    }

    fn of_table(table: &DeTable<'_>) -> Self {
        let fields = table.iter().map(|(name, value)| {
            let name: &str = name.get_ref();
            (name.to_owned(), Self::of(value.get_ref()))
        });
        Self::Table(fields.collect())
    }

    /// Of a value as TOML.
    fn of_toml(text: &str) -> Option<Self> {
        DeValue::parse(text).ok().map(|value| Self::of(value.get_ref()))
    }

    fn text(text: &str) -> Self {
        Self::Leaf(format!("string {text}"))
    }

    fn inside(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Table(fields) => fields.get_mut(name),
            _ => None,
        }
    }

    fn change(&mut self, client: &str, change: &Change) -> Option<()> {
        let Self::List(keys) = self.inside("client")?.inside(client)?.inside("key")? else {
            return None;
        };
        match change {
            Change::Add { id, scheme, secrets } => {
                let state = KeyState::Staged.name();
                let known = [("id", id.as_str()), ("scheme", scheme), ("state", state)];
                let known = known.map(|(name, text)| (name.to_owned(), Self::text(text)));
                let mut fields = BTreeMap::from(known);
                for (name, value) in secrets {
                    fields.insert((*name).to_owned(), Self::of_toml(value)?);
                }
                keys.push(Self::Table(fields));
            }
            Change::Set { id, state, not_after } => {
                let id = Self::text(id);
                let mut tables = keys.iter_mut().filter_map(|key| match key {
                    Self::Table(fields) => Some(fields),
                    _ => None,
                });
                let fields = tables.find(|fields| fields.get("id") == Some(&id))?;
                fields.insert("state".to_owned(), Self::text(state.name()));
                if let Some(not_after) = not_after {
                    fields.insert("not-after".to_owned(), Self::of_toml(not_after)?);
                }
            }
        }
        Some(())
    }
}
