//! One field of a JSON object. What else stands there is not copied, and nothing of it is shown.

use std::{collections::HashMap, fmt};

use serde_json::value::RawValue;

use crate::secret::Secret;

/// The members of an object; of two with one name the last, as other readers have it.
pub(super) fn members(text: &[u8]) -> Option<HashMap<String, &RawValue>> {
    // The errors of serde quote what they have found.
    serde_json::from_slice(text).ok()
}

/// The text of a member that is a string.
pub(super) fn text(value: &RawValue) -> Option<Secret> {
    serde_json::from_str::<String>(value.get()).ok().map(Secret::from)
}

/// The text of a field of an object.
pub(super) fn text_field(object: &[u8], field: &str) -> Result<Secret, NoText> {
    let members = members(object).ok_or(NoText::NoObject)?;
    let value = members.get(field).ok_or(NoText::Missing { others: members.len() })?;
    text(value).ok_or(NoText::OfAnotherType)
}

/// Why there is no text. Names of other fields are not shown: they may be secret too, where somebody
/// keeps a table of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoText {
    Missing { others: usize },
    NoObject,
    OfAnotherType,
}

impl NoText {
    /// What to do about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Missing { .. } => "add it, or name the one that is meant",
            Self::NoObject => "leave the field out where the whole of it is the secret",
            Self::OfAnotherType => "put its value in quotes",
        }
    }
}

impl fmt::Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { others: 0 } => f.write_str("is not there: it has none"),
            Self::Missing { others } => write!(f, "is not among the {others} that it has"),
            Self::NoObject => f.write_str("cannot be looked for: it is no JSON object"),
            Self::OfAnotherType => f.write_str("is no string"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_string_of_an_object() {
        let object =
            r#"{"a":"x\n\u00e9\"","b":7,"c":{"a":"no"},"e":"","d":1,"d":"last"}"#.as_bytes();
        let found = |field| text_field(object, field).map(|text| text.expose().to_vec());
        assert_eq!(found("a"), Ok("x\né\"".as_bytes().to_vec()));
        assert_eq!(found("d"), Ok(b"last".to_vec()));
        assert_eq!(found("e"), Ok(Vec::new()));
        assert_eq!(found("b"), Err(NoText::OfAnotherType));
        assert_eq!(found("c"), Err(NoText::OfAnotherType));
        assert_eq!(found("z"), Err(NoText::Missing { others: 5 }));
        for text in ["", "hunter2", "\"hunter2\"", "[1]", "{\"hunter2\"", "{}{}", "{\"a\":\"b\"} x"]
        {
            assert_eq!(text_field(text.as_bytes(), "a").unwrap_err(), NoText::NoObject, "{text}");
        }
        assert_eq!(text_field(b"\xff", "a").unwrap_err(), NoText::NoObject);
    }
}
