//! The suite that every scheme must pass, for authors of other schemes (feature `conformance`).
//!
//! It goes by the [`Facts`] of a scheme, never by its name: material is made from
//! [`Facts::fields`], and what a credential must depend on is read from [`Facts::binds`]. Facts and
//! behaviour must agree both ways, so that a scheme which binds more than it says fails as well.
//!
//! One call is one test. What was broken says with what, and a panic of the scheme is let through:
//!
//! ```
//! use keyscheme::{Hmac1, conformance};
//!
//! let report = conformance::check(&Hmac1).expect("it keeps its promises");
//! assert!(report.refused > 2_000);
//! ```
//!
//! It holds a scheme to what can be seen from outside. That a comparison takes the same time
//! whatever it finds, and that a MAC or a cipher is a good one, is for its author to show.

mod suite;
mod tries;

use std::fmt;

use self::suite::Suite;
use crate::scheme::KeyScheme;
#[cfg(doc)]
use crate::scheme::{Facts, OpenError, Payload, Sealing, SingleUse};

/// Holds a scheme to its facts.
///
/// # Errors
///
/// Each [`Property`] that it does not have, with the first thing that showed it.
pub fn check<S: KeyScheme>(scheme: &S) -> Result<Report, Vec<Broken>> {
    Suite::run(scheme)
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Keys that were prepared.
    pub keys: usize,
    /// Credentials that were sealed.
    pub sealed: usize,
    /// Payloads that opened.
    pub opened: usize,
    /// Payloads that did not. What the wire refuses never comes to a scheme, and is not counted.
    pub refused: usize,
}

/// A property that a scheme does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// Which.
    pub property: Property,
    /// What showed it first.
    pub with: String,
    /// How often it was seen.
    pub times: usize,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {} ({} times)", self.property, self.with, self.times)
    }
}

/// What every scheme must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Property {
    /// It has a bare form exactly where [`Facts::may_be_bare`]: what [`KeyScheme::bare`] gives is
    /// what `seal` seals and `open` opens. Otherwise no payload opens as [`Payload::Bare`].
    Bare,
    /// `content` is what was sealed, exactly where [`Binds::body`](crate::Binds::body).
    Content,
    /// `explain` finds a [`Fault`](crate::Fault), inside the payload, exactly where `open` answers
    /// [`OpenError::Malformed`].
    Explain,
    /// No payload opens with characters before, in or behind it.
    Extended,
    /// The facts can be: a name for the wire, fields of different names that may have a length, and
    /// single use only where age can be judged, since a used credential is forgotten in the end.
    Facts,
    /// No payload opens with a bit flipped.
    Flipped,
    /// `issued_at` is the time of sealing, exactly where [`Facts::fresh`], and `expires_at` is
    /// later. Any time will do, since no scheme judges age.
    Fresh,
    /// Nothing made up opens.
    Garbage,
    /// A credential that is bound to a service is bound to the id of its key.
    KeyId,
    /// Material of lengths that the fields do not allow is refused, as is missing material.
    Lengths,
    /// A nonce comes with every credential unless [`SingleUse::Never`], and never twice.
    Nonce,
    /// A key that differs in one bit of any field opens nothing.
    OtherKey,
    /// No nonce is made without [`Sealing::random`].
    Random,
    /// Neither `Debug` nor an error shows material.
    Redacted,
    /// It is bound to method and target exactly where [`Binds::request`](crate::Binds::request).
    Request,
    /// What is sealed opens, as often as it likes, under every length that the fields allow.
    RoundTrip,
    /// It is bound to the service exactly where [`Binds::service`](crate::Binds::service).
    Service,
    /// No payload opens with another character where a field ends: Base64 has bits to spare there.
    Spelling,
    /// What is sealed is appended, and is a credential: token68, and 1024 bytes at most under the
    /// longest names.
    Syntax,
    /// No payload opens with a part missing.
    Truncated,
    /// What cannot be bound is not sealed where the request is bound, and is no matter elsewhere.
    Unbindable,
    /// No authentic credential comes twice.
    Unique,
}

impl Property {
    /// Every property, in alphabetical order.
    pub const ALL: [Self; 22] = [
        Self::Bare,
        Self::Content,
        Self::Explain,
        Self::Extended,
        Self::Facts,
        Self::Flipped,
        Self::Fresh,
        Self::Garbage,
        Self::KeyId,
        Self::Lengths,
        Self::Nonce,
        Self::OtherKey,
        Self::Random,
        Self::Redacted,
        Self::Request,
        Self::RoundTrip,
        Self::Service,
        Self::Spelling,
        Self::Syntax,
        Self::Truncated,
        Self::Unbindable,
        Self::Unique,
    ];
}
