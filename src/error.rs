//! Errors by reader.
//!
//! - The peer sees a [`Failure`] and learns from it one thing only: refused, or not available now.
//! - Logs, metrics and tests see a [`Reject`]: copyable, without payload, with a stable code.
//! - The operator sees a [`ConfigError`] before anything starts: every [`Mistake`] at once, each with
//!   the field, the value that was found and the remedy.

use std::{borrow::Cow, error::Error, fmt};

/// Why a credential was refused. The peer never learns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reject {
    /// More than one field line, or a comma.
    Ambiguous,
    /// The credential does not prove knowledge of the key that it names.
    BadCredential,
    /// The body that arrived is not the one that the credential covers.
    BodyMismatch,
    /// The credential covers no body, and the service demands it.
    BodyNotCovered,
    /// The service accepts the scheme, but not from this client.
    ClientRefused,
    /// Issued further in the future than clocks may differ.
    Early,
    /// The key is disabled or compromised.
    KeyDisabled,
    /// Now lies outside the dates of the key.
    KeyExpired,
    /// Not a credential, or not a payload of its scheme.
    Malformed,
    /// No field line, or one empty value.
    Missing,
    /// A single-use credential that was used before.
    Replayed,
    /// A known scheme that the service does not accept.
    SchemeRefused,
    /// The scheme was accepted until a date that has passed.
    SchemeRetired,
    /// Older than the accepted age.
    Stale,
    /// No key of this id under this scheme.
    UnknownKey,
    /// No scheme of this name.
    UnknownScheme,
}

impl Reject {
    /// Every reason, in alphabetical order.
    pub const ALL: [Self; 16] = [
        Self::Ambiguous,
        Self::BadCredential,
        Self::BodyMismatch,
        Self::BodyNotCovered,
        Self::ClientRefused,
        Self::Early,
        Self::KeyDisabled,
        Self::KeyExpired,
        Self::Malformed,
        Self::Missing,
        Self::Replayed,
        Self::SchemeRefused,
        Self::SchemeRetired,
        Self::Stale,
        Self::UnknownKey,
        Self::UnknownScheme,
    ];

    /// The stable code, for logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::BadCredential => "bad-credential",
            Self::BodyMismatch => "body-mismatch",
            Self::BodyNotCovered => "body-not-covered",
            Self::ClientRefused => "client-refused",
            Self::Early => "early",
            Self::KeyDisabled => "key-disabled",
            Self::KeyExpired => "key-expired",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::Replayed => "replayed",
            Self::SchemeRefused => "scheme-refused",
            Self::SchemeRetired => "scheme-retired",
            Self::Stale => "stale",
            Self::UnknownKey => "unknown-key",
            Self::UnknownScheme => "unknown-scheme",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Error for Reject {}

/// What stands between a request and its acceptance.
#[derive(Debug)]
pub enum Failure {
    /// The credential was refused: 401.
    Rejected(Reject),
    /// We could not decide, and so did not accept: 503.
    Unavailable(BackendError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) => write!(f, "rejected: {reason}"),
            Self::Unavailable(error) => write!(f, "unavailable: {error}"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(reason) => Some(reason),
            Self::Unavailable(error) => Some(error),
        }
    }
}

impl From<Reject> for Failure {
    fn from(reason: Reject) -> Self {
        Self::Rejected(reason)
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Unavailable(error)
    }
}

/// Trouble of our own: a store, a secret source or a generator that did not do its work.
#[derive(Debug)]
pub struct BackendError(Box<Trouble>);

#[derive(Debug)]
struct Trouble {
    what: &'static str,
    cause: Box<dyn Error + Send + Sync>,
    remedy: Option<Cow<'static, str>>,
    outage: bool,
}

impl BackendError {
    /// `what` names the part that failed; `cause` must not hold secret material.
    pub fn new(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Trouble { what, cause: cause.into(), remedy: None, outage: false }))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Says that nothing else is to be had there now either: it is out of reach, or refuses us. While
    /// a configuration is loaded, such a source is asked for nothing more.
    #[must_use]
    pub fn outage(mut self) -> Self {
        self.0.outage = true;
        self
    }

    /// What to do about it, where that is known.
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// Whether nothing else is to be had there now either.
    pub fn is_outage(&self) -> bool {
        self.0.outage
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.what, self.0.cause)
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0.cause)
    }
}

/// Everything that is wrong with a configuration, one mistake per line. `Debug` is the same text,
/// since it is what a `main` that fails prints.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

impl ConfigError {
    /// The mistakes, in the order of the configuration.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    pub(crate) fn one(mistake: Mistake) -> Self {
        Self { mistakes: vec![mistake] }
    }

    #[cfg(feature = "config")]
    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// `value`, unless mistakes were made.
    pub(crate) fn unless<T>(mistakes: Vec<Mistake>, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => Err(Self { mistakes }),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConfigError {}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The field, for example `client.spring-main.key[0].secret`.
    pub path: String,
    /// What was found there and what is wrong with it. Never secret material.
    pub problem: String,
    /// What to do.
    pub remedy: String,
    /// Line and column in the file, both from 1, where there is a file.
    pub position: Option<(usize, usize)>,
}

impl Mistake {
    pub(crate) fn new(
        path: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), problem: problem.into(), remedy: remedy.into(), position: None }
    }
}

/// A name as a part of a path: in quotes where it must be in TOML. Quotes inside are left out, so that
/// those around can be told.
pub(crate) fn path_part(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_plain) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "").escape_debug()))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "{line}:{column}: ")?;
        }
        write!(f, "{}: {}; {}", self.path, self.problem, self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_the_published_ones() {
        let codes: BTreeSet<&str> = Reject::ALL.iter().map(|reason| reason.code()).collect();
        let published = "missing ambiguous malformed unknown-scheme scheme-refused scheme-retired \
            unknown-key key-disabled key-expired client-refused bad-credential stale early replayed \
            body-mismatch body-not-covered";
        assert_eq!(codes, published.split_whitespace().collect());
    }
}
