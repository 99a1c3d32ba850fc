//! Configuration files.
//!
//! Reading one goes through four steps, and every mistake that any of them finds is reported, each
//! at its line and column:
//!
//! ```text
//! text -> tables (toml) -> descriptions (read) -> secrets fetched (fetch) -> validated (builder)
//! ```

mod dotenv;
mod fetch;
mod lines;
mod load;
mod managers;
mod origin;
mod read;
#[cfg(feature = "redis")]
mod redis;
mod reload;
mod replay;
mod secret;
mod serve;
mod walk;

pub use self::{
    load::{Config, Loader},
    serve::{EndpointConfig, Listen, ListenError, ServeConfig},
};
