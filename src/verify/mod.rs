//! The decision: a pure function of snapshot, request and time.
//!
//! Each step is a private struct that the next consumes, so nothing can be judged on one value and
//! executed on another, and no step can be left out:
//!
//! ```text
//! Credential -> Admitted -> Proven -> Fresh -> Unclaimed -> Verified
//! ```
//!
//! At most one scheme runs per request. Nothing ever falls back.

mod accepted;
mod check;
mod checked;
mod fence;
mod misread;
mod rejected;
mod snapshot;
mod verified;

pub(crate) use self::fence::Fences;
pub use self::{
    accepted::Accepted,
    checked::{Checked, Unclaimed},
    misread::Misread,
    rejected::Rejected,
    snapshot::{Rules, Snapshot},
    verified::{BodyState, Verified},
};
