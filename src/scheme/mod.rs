//! The plug-in point: what a scheme is, and what it may promise.
//!
//! A scheme is pure. It has no clock (`now` is not in [`Context`], so none can judge time), no state,
//! no I/O and no log. It turns key material into a prepared key once, and then opens and seals
//! payloads under it. Policy decides by its [`Facts`], never by its name.

pub(crate) mod aes;
pub(crate) mod cbc1;
mod contract;
pub(crate) mod ecb0;
mod facts;
pub(crate) mod gcm1;
pub(crate) mod hmac1;
mod misread;
mod opening;
mod sealing;
mod text;
#[cfg(test)]
mod wycheproof;

#[cfg(doc)]
use crate::request::Context;

pub use self::{
    cbc1::Cbc1,
    contract::{KeyScheme, Part},
    ecb0::Ecb0,
    facts::{Binds, Facts, SingleUse},
    gcm1::Gcm1,
    hmac1::Hmac1,
    opening::{Covers, Nonce, OpenError, Opened, Payload},
    sealing::{SealError, Sealing},
};
