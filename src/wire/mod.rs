//! The wire format: which header is looked at, what a credential is, and where one is broken.

pub(crate) mod base64;
mod credential;
mod explain;
mod fault;
mod presented;

pub(crate) use self::credential::{Credential, SchemeName};
pub use self::{
    credential::MAX_CREDENTIAL,
    explain::{Explanation, explain},
    fault::Fault,
    presented::Presented,
};
