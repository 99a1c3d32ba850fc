//! The client layer: a new credential in every request.
//!
//! ```text
//! caller -> retry -> IssueLayer -> client (redirects off) -> wire
//! ```
//!
//! What is signed is what the client below will send, as it will send it.

mod body;
mod error;
mod future;
mod layer;
mod outgoing;
mod service;

pub use self::{
    body::IssuedBody,
    error::IssueError,
    future::IssueFuture,
    layer::IssueLayer,
    outgoing::{Incoming, Outgoing},
    service::IssueService,
};
