//! Rotations with the program, as an operator makes them, on copies of `examples/keyscheme.toml`.

#![cfg(feature = "cli")]

#[path = "support/directory.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod directory;
#[path = "support/mod.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod peers;
#[path = "support/program.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod program;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod server;
#[path = "support/wire.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod wire;
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
