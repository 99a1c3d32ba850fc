//! A replay memory in Redis: a real one, which is killed, frozen, filled and robbed of its memory.
//!
//! Time goes on as it does, so these credentials are issued half a minute ahead, as late as they may
//! be: what a loss of memory fences then ends a second later.

#![cfg(feature = "redis")]

#[allow(dead_code)]
#[path = "support/mod.rs"]
mod peers;
#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;
#[path = "redis/world.rs"]
mod world;

#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/loss.rs"]
mod loss;
#[path = "redis/nodes.rs"]
mod nodes;
#[cfg(feature = "cli")]
#[path = "redis/program.rs"]
mod program;
#[path = "redis/setup.rs"]
mod setup;
#[path = "redis/shared.rs"]
mod shared;
