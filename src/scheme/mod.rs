//! The plug-in point: what a scheme is, and what it may promise.
//!
//! A scheme is pure. It has no clock (`now` is not in [`Context`], so none can judge time), no state,
//! no I/O and no log. It turns key material into a prepared key once, and then opens and seals
//! payloads under it. Policy decides by its [`Facts`], never by its name.

pub(crate) mod aes;
pub(crate) mod cbc1;
pub(crate) mod ecb0;
pub(crate) mod gcm1;
pub(crate) mod hmac1;
mod misread;
mod text;
#[cfg(test)]
mod wycheproof;

use std::{error::Error, fmt};

pub use self::{cbc1::Cbc1, ecb0::Ecb0, gcm1::Gcm1, hmac1::Hmac1};
use crate::request::{Body, Context};
use crate::{
    error::BackendError,
    material::{Field, KeyError, Material},
    random::Random,
    time::UnixTime,
    wire::Fault,
};

/// A way to prove knowledge of a key in one header value.
///
/// The suite in `keyscheme::conformance` (feature `conformance`) holds an implementation to its
/// facts.
pub trait KeyScheme: fmt::Debug + Send + Sync + 'static {
    /// A prepared key: everything done that can be done before a request. Plain data, since keys
    /// lie side by side in memory.
    type Key: Send + Sync + 'static;

    /// What the scheme promises and needs.
    fn facts(&self) -> &'static Facts;

    /// Prepares a key, once, when it is loaded.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the material is not such as [`Facts::fields`] says.
    fn prepare(&self, material: &Material) -> Result<Self::Key, KeyError>;

    /// Judges a payload under a key. `Malformed` comes before any work that depends on the key;
    /// from the first such step on it must take the same time whatever the payload proves.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where the payload is not one of the scheme, or does not prove the key.
    fn open(
        &self,
        key: &Self::Key,
        payload: Payload<'_>,
        cx: &Context<'_>,
    ) -> Result<Opened, OpenError>;

    /// Appends the payload of a new credential to `out`.
    ///
    /// # Errors
    ///
    /// [`SealError`] where the request cannot be bound, or randomness is not to be had.
    fn seal(&self, key: &Self::Key, to: &Sealing<'_>, out: &mut String) -> Result<(), SealError>;

    /// The one bare value of a key, where [`Facts::may_be_bare`].
    fn bare<'k>(&self, _key: &'k Self::Key) -> Option<&'k [u8]> {
        None
    }

    /// What the request was commonly mistaken for, if this refused payload would prove the key under
    /// that reading. For the operator's log alone: it changes no verdict. It must take the same time
    /// whatever the payload proves.
    fn misread(
        &self,
        _key: &Self::Key,
        _payload: Payload<'_>,
        _cx: &Context<'_>,
    ) -> Option<&'static str> {
        None
    }

    /// What the parts of a payload are, for a person. Of a payload in a form that the facts allow it
    /// must find a [`Fault`] exactly where `open` answers `Malformed`.
    ///
    /// # Errors
    ///
    /// [`Fault`] with the place in the payload where it stops being one.
    fn explain(&self, payload: Payload<'_>) -> Result<Vec<Part>, Fault> {
        Ok(vec![Part::new("payload", format!("{} bytes", payload.as_bytes().len()))])
    }
}

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

/// What follows the prefix, or the whole of a bare value. All of it is token68.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// The whole value, canonical Base64 (RFC 4648 section 4).
    Bare(&'a [u8]),
    /// What follows `scheme.key-id.`, not empty.
    Tagged(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Its bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Bare(bytes) | Self::Tagged(bytes) => bytes,
        }
    }

    /// Its text.
    pub fn as_str(self) -> &'a str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Its text, where it followed a prefix: for schemes that are never bare.
    ///
    /// # Errors
    ///
    /// [`OpenError::Malformed`] where it is a bare value.
    #[inline]
    pub fn tagged(self) -> Result<&'a [u8], OpenError> {
        match self {
            Self::Bare(_) => Err(OpenError::Malformed),
            Self::Tagged(bytes) => Ok(bytes),
        }
    }
}

impl fmt::Debug for Payload<'_> {
    /// Without the bytes, which of a legacy caller are the API key in all but name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self {
            Self::Bare(_) => "Bare",
            Self::Tagged(_) => "Tagged",
        };
        write!(f, "{form}({} bytes)", self.as_bytes().len())
    }
}

/// What an opened credential says. Time, reuse and bodies are judged by others.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// When it was issued; demanded where [`Facts::fresh`].
    pub issued_at: Option<UnixTime>,
    /// The first instant at which it is too old, where it says so itself.
    pub expires_at: Option<UnixTime>,
    /// What tells it from every other; demanded where it is single use.
    pub nonce: Option<Nonce>,
    /// What it says of the content; demanded where [`Binds::body`].
    pub content: Option<Covers>,
}

/// What a credential says of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers {
    /// It has this SHA-256 digest.
    Digest([u8; 32]),
    /// Nothing.
    Nothing,
}

/// The part of a credential that never comes twice, 1 to 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    bytes: [u8; 32],
    len: u8,
}

impl<const N: usize> From<[u8; N]> for Nonce {
    #[inline]
    fn from(nonce: [u8; N]) -> Self {
        const { assert!(N > 0 && N <= 32, "a nonce has 1 to 32 bytes") };
        let mut bytes = [0; 32];
        if let Some(to) = bytes.first_chunk_mut() {
            *to = nonce;
        }
        Self { bytes, len: N as u8 }
    }
}

impl Nonce {
    /// `None` where `bytes` are none, or more than 32: give a digest of them instead.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut nonce = Self { bytes: [0; 32], len: bytes.len() as u8 };
        nonce.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(nonce)
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Why a payload does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It does not prove knowledge of the key, for this service and request.
    BadCredential,
    /// It is not a payload of the scheme.
    Malformed,
}

/// What a new credential is made for.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// What it is bound to.
    pub context: Context<'a>,
    /// The content that goes with it.
    pub body: Body<'a>,
    /// The present.
    pub now: UnixTime,
    /// Where nonces and IVs come from.
    pub random: &'a dyn Random,
    /// Whether the payload will stand alone, where [`Facts::may_be_bare`].
    pub bare: bool,
}

/// Why no credential can be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum SealError {
    /// The scheme has no bare form.
    NotBare,
    /// The credential would be longer than a verifier reads.
    TooLong,
    /// The clock stands where no credential can be issued: at 0, or past eleven digits.
    Time(UnixTime),
    /// The method or the target is not one that a credential can be bound to.
    Unbindable,
    /// There is no randomness.
    Unavailable(BackendError),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBare => f.write_str("the scheme has no bare form; leave the prefix on"),
            Self::TooLong => f.write_str("the credential would be longer than 1024 bytes"),
            Self::Time(now) => write!(f, "the clock reads {now}; set it to 1 to 99999999999"),
            Self::Unbindable => f.write_str(
                "method or target cannot be bound: the method must be a token, the target begin \
                 with / and hold visible ASCII without #",
            ),
            Self::Unavailable(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for SealError {}

impl From<BackendError> for SealError {
    fn from(error: BackendError) -> Self {
        Self::Unavailable(error)
    }
}

/// One part of an explained payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in the specification.
    pub name: &'static str,
    /// What it says.
    pub meaning: String,
}

impl Part {
    /// A part.
    pub fn new(name: &'static str, meaning: impl Into<String>) -> Self {
        Self { name, meaning: meaning.into() }
    }
}
