//! What a key is made of: the secrets that a scheme asks for, by name, with their lengths.
//!
//! A scheme declares a table of [`Field`]s. That table drives everything that is said about key
//! material anywhere: reading it, refusing a wrong length with its likely cause, refusing reuse,
//! making a new key.

use std::{error::Error, fmt};

use crate::{encoding::Encoding, secret::Secret};

/// One secret that a scheme needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in configuration, for example `cipher-key`.
    pub name: &'static str,
    /// How the secret is written where nothing else is said.
    pub encoding: Encoding,
    /// The lengths that it may have, in bytes.
    pub lengths: Lengths,
    /// Where else the same bytes may stand.
    pub reuse: Reuse,
}

impl Field {
    /// The encoding that `text` is probably of, where the bytes that were read from it have a wrong
    /// length and those of another encoding would not.
    #[cfg(feature = "config")]
    pub(crate) fn misread(&self, text: &[u8], bytes: &Secret) -> Option<Encoding> {
        let allowed = |bytes: &Secret| self.lengths.allow(bytes.len());
        let meant = |encoding: &Encoding| encoding.decode(text).is_ok_and(|bytes| allowed(&bytes));
        // The narrowest alphabet first: all hex is Base64 too.
        let order = [Encoding::Hex, Encoding::Base64, Encoding::Base64Url];
        if allowed(bytes) { None } else { order.into_iter().find(meant) }
    }
}

/// Lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths {
    /// From the first to the second, both included.
    Between(usize, usize),
    /// One of these, in ascending order.
    OneOf(&'static [usize]),
}

impl Lengths {
    /// Whether `length` is one of them.
    pub fn allow(&self, length: usize) -> bool {
        match self {
            Self::Between(least, most) => (*least..=*most).contains(&length),
            Self::OneOf(lengths) => lengths.contains(&length),
        }
    }

    /// The length that a new secret gets: 32 where allowed, otherwise the greatest below it.
    pub fn of_new(&self) -> usize {
        (1..=32).rev().find(|length| self.allow(*length)).unwrap_or(32)
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between(least, most) => write!(f, "{least} to {most} bytes"),
            Self::OneOf(lengths) => {
                for (i, length) in lengths.iter().enumerate() {
                    let separator = match i {
                        0 => "",
                        _ if i + 1 == lengths.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{separator}{length}")?;
                }
                f.write_str(" bytes")
            }
        }
    }
}

/// Where else in a ring the bytes of a field may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Wherever it likes: an API key is sealed under several schemes while its client migrates.
    Anywhere,
    /// Nowhere: under two records, what one caller sends could be turned into what another sends.
    Never,
    /// In other keys of the same scheme only: legacy fleets share one cipher key.
    WithinScheme,
}

/// The secrets of one key, by field name.
#[derive(Clone, Debug, Default)]
pub struct Material {
    entries: Vec<(String, Option<Secret>)>,
}

impl Material {
    /// No secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more. A name that is given twice counts as given last.
    #[must_use]
    pub fn with(self, field: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.put(field.into(), Some(secret.into()))
    }

    /// These and one that stands in the configuration but could not be read, which has been
    /// reported already.
    #[cfg(feature = "config")]
    pub(crate) fn with_unreadable(self, field: impl Into<String>) -> Self {
        self.put(field.into(), None)
    }

    /// All of it that could be read, in order.
    #[cfg(feature = "config")]
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.entries.iter().filter_map(|(_, secret)| secret.as_ref())
    }

    /// Whether all of it could be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.entries.iter().all(|(_, secret)| secret.is_some())
    }

    fn put(mut self, field: String, secret: Option<Secret>) -> Self {
        self.entries.retain(|(name, _)| *name != field);
        self.entries.push((field, secret));
        self
    }

    /// The bytes of `field`, of a length that it allows.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where it is missing or of another length.
    pub fn get(&self, field: &Field) -> Result<&[u8], KeyError> {
        let entry = self.entries.iter().find(|(name, _)| name == field.name);
        let secret = match entry {
            None => return Err(KeyError::missing(field)),
            Some((_, None)) => return Err(KeyError::unreadable(field)),
            Some((_, Some(secret))) => secret.expose(),
        };
        if !field.lengths.allow(secret.len()) {
            return Err(KeyError::wrong_length(field, secret));
        }
        Ok(secret)
    }

    /// Everything that keeps this from being the material of `fields`.
    pub(crate) fn mistakes(&self, fields: &[Field]) -> Vec<KeyError> {
        let known = fields.iter().filter_map(|field| self.get(field).err());
        let unknown = self.entries.iter().filter_map(|(name, _)| {
            let known = fields.iter().any(|field| field.name == name);
            (!known).then(|| KeyError::unknown(name, fields))
        });
        known.chain(unknown).filter(|error| !error.reported).collect()
    }
}

/// Key material that a scheme cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    pub(crate) field: String,
    pub(crate) problem: String,
    pub(crate) remedy: String,
    /// Whether somebody has been told already.
    reported: bool,
}

impl KeyError {
    /// Something that only the scheme can know is wrong with `field`.
    pub fn new(field: &Field, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            field: field.name.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
            reported: false,
        }
    }

    fn missing(field: &Field) -> Self {
        Self::new(field, "is missing", format!("give {}", field.lengths))
    }

    fn unreadable(field: &Field) -> Self {
        Self { reported: true, ..Self::new(field, "could not be read", "see its own message") }
    }

    fn unknown(name: &str, fields: &[Field]) -> Self {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        Self {
            field: name.to_owned(),
            problem: "is not material of this scheme".to_owned(),
            remedy: format!("it takes {}", names.join(" and ")),
            reported: false,
        }
    }

    fn wrong_length(field: &Field, found: &[u8]) -> Self {
        let remedy = match likely_cause(field, found) {
            Some(cause) => format!("give {}; likely cause: {cause}", field.lengths),
            None => format!("give {}", field.lengths),
        };
        Self::new(field, format!("has {} bytes", found.len()), remedy)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.field, self.problem, self.remedy)
    }
}

impl Error for KeyError {}

/// What usually makes a secret as long as this.
fn likely_cause(field: &Field, found: &[u8]) -> Option<&'static str> {
    let decodes_to_allowed = |encoding: Encoding| {
        encoding.decode(found).is_ok_and(|bytes| field.lengths.allow(bytes.len()))
    };
    if found.is_empty() {
        return Some("an empty variable or file");
    }
    if let [text @ .., b'\n'] = found
        && field.lengths.allow(text.strip_suffix(b"\r").unwrap_or(text).len())
    {
        return Some("a stray newline at the end");
    }
    if field.encoding == Encoding::Utf8 && found.len() > field.lengths.of_new() && !found.is_ascii()
    {
        return Some("characters outside ASCII take 2 to 4 bytes each");
    }
    if decodes_to_allowed(Encoding::Hex) {
        return Some("still hex-encoded: say encoding = \"hex\"");
    }
    if decodes_to_allowed(Encoding::Base64) {
        return Some("still Base64-encoded: say encoding = \"base64\"");
    }
    if decodes_to_allowed(Encoding::Base64Url) {
        return Some("still Base64-encoded: say encoding = \"base64url\"");
    }
    None
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    const KEY: Field = Field {
        name: "cipher-key",
        encoding: Encoding::Base64,
        lengths: Lengths::OneOf(&[16, 24, 32]),
        reuse: Reuse::Never,
    };

    fn error(bytes: &[u8]) -> String {
        Material::new().with("cipher-key", bytes).get(&KEY).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_length_names_its_likely_cause() {
        for length in [16, 24, 32] {
            let newline = [vec![7; length], b"\n".to_vec()].concat();
            let said = error(&newline);
            assert!(said.contains(&format!("has {} bytes", length + 1)), "{said}");
            assert!(said.contains("16, 24 or 32 bytes"), "{said}");
            assert!(said.contains("stray newline"), "{said}");
        }
        let base64 = STANDARD.encode([3; 32]);
        assert!(
            error(base64.as_bytes()).contains("Base64-encoded"),
            "{}",
            error(base64.as_bytes())
        );
        assert!(error(&[b'a'; 64]).contains("hex"), "{}", error(&[b'a'; 64]));
        assert!(error(b"").contains("empty"), "{}", error(b""));
    }

    #[test]
    fn no_error_shows_material() {
        let said = error(b"hunter2");
        assert!(!said.contains("hunter2"), "{said}");
        let said = Encoding::Hex.decode(b"hunter2").unwrap_err().to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn unknown_and_missing_fields_are_named() {
        let said: Vec<_> = Material::new()
            .with("secret", "x")
            .mistakes(&[KEY])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("cipher-key is missing"));
        assert!(said[1].contains("secret is not material"));
    }
}
