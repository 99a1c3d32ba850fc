//! Rotations with the program, as an operator makes them, on copies of `examples/keyscheme.toml`.

#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;
#[path = "rotate/world.rs"]
mod world;

#[path = "rotate/files.rs"]
mod files;
#[path = "rotate/refusals.rs"]
mod refusals;
#[path = "rotate/servers.rs"]
mod servers;
#[path = "rotate/whole.rs"]
mod whole;
