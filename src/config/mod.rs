//! Configuration files.
//!
//! Reading one goes through four steps, and every mistake that any of them finds is reported, each
//! at its line and column:
//!
//! ```text
//! text -> tables (toml) -> descriptions (read) -> secrets fetched (fetch) -> validated (builder)
//! ```

mod client;
mod dotenv;
mod fetch;
mod fixed;
mod hash;
mod lines;
mod listen;
mod load;
mod loaded;
mod loader;
mod managers;
mod mistakes;
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
    listen::{Listen, ListenError},
    loaded::Config,
    loader::Loader,
    serve::{EndpointConfig, ServeConfig},
};
