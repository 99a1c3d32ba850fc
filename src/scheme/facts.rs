//! What a scheme may promise.

use std::fmt;

use crate::material::Field;

/// What a scheme promises. A credential that breaks a promise is refused.
#[derive(Debug)]
pub struct Facts {
    /// The name on the wire, `LOWER 1*15( LOWER / DIGIT )`, its version included.
    pub id: &'static str,
    /// Whether a credential can only come from one who knows the key.
    pub authentic: bool,
    /// Whether it says when it was issued, so that age can be judged.
    pub fresh: bool,
    /// What a credential is good for, and for nothing else.
    pub binds: Binds,
    /// Whether a credential is accepted once.
    pub single_use: SingleUse,
    /// Whether a value without prefix may be of this scheme. One of a registry at most.
    pub may_be_bare: bool,
    /// The secrets that a key is made of.
    pub fields: &'static [Field],
}

impl Facts {
    /// Whether this scheme lacks something that `other` has.
    pub(crate) fn is_weaker_than(&self, other: &Self) -> bool {
        let strength = |facts: &Self| {
            [
                facts.authentic,
                facts.fresh,
                facts.binds.service,
                facts.binds.request,
                facts.binds.body,
                facts.single_use == SingleUse::Always,
            ]
        };
        strength(self).into_iter().zip(strength(other)).any(|(here, there)| there && !here)
    }
}

impl fmt::Display for Facts {
    /// What a credential of the scheme proves, in a few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound: Vec<_> = [
            (self.binds.service, "service"),
            (self.binds.request, "request"),
            (self.binds.body, "body"),
        ]
        .into_iter()
        .filter_map(|(bound, what)| bound.then_some(what))
        .collect();
        f.write_str(if self.authentic { "authentic" } else { "not authentic" })?;
        f.write_str(if self.fresh { ", fresh" } else { ", not fresh" })?;
        if self.single_use == SingleUse::Always {
            f.write_str(", single use")?;
        }
        match bound.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ", bound to {one}"),
            [most @ .., last] => write!(f, ", bound to {} and {last}", most.join(", ")),
        }
    }
}

/// What a credential is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binds {
    /// The name of the verifying service.
    pub service: bool,
    /// The method and the request target.
    pub request: bool,
    /// The content, where the issuer covers it.
    pub body: bool,
}

/// Whether a credential is accepted once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleUse {
    /// Always.
    Always,
    /// It cannot be told from its next use.
    Never,
    /// Where the accept entry says `once`.
    OnDemand,
}
