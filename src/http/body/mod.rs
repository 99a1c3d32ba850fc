//! Bodies on their way through: of a request, checked against its credential; of a response, cut off
//! where that check failed.
//!
//! A covered body is read frame by frame by its service ([`request`]), or to its end before the service
//! is called ([`collect`]); either way [`digest`] compares it. [`mismatch`] tells the response of it.

mod collect;
mod digest;
mod error;
mod mismatch;
mod request;
mod response;

pub(super) use self::{
    collect::{Collecting, Unread, Whole},
    mismatch::Mismatch,
};
pub use self::{error::BodyError, request::RequestBody, response::ResponseBody};
