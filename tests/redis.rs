//! A replay memory in Redis: a real one, which is killed, frozen, filled and robbed of its memory.
//!
//! Time goes on as it does, so these credentials are issued half a minute ahead, as late as they may
//! be: what a loss of memory fences then ends a second later.

#![cfg(feature = "redis")]

#[path = "support/directory.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod directory;
#[path = "support/mod.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod peers;
#[cfg(feature = "cli")]
#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod server;
#[cfg(feature = "cli")]
#[path = "support/wire.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod wire;
#[path = "redis/world.rs"]
mod world;

#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/loss.rs"]
mod loss;
#[path = "redis/nodes.rs"]
mod nodes;
#[cfg(feature = "cli")]
#[path = "redis/serve.rs"]
mod serve;
#[path = "redis/setup.rs"]
mod setup;
#[path = "redis/shared.rs"]
mod shared;
