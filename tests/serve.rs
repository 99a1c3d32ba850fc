//! `keyscheme serve`, asked the way proxies ask. With the proxies themselves: `tests/proxies.rs`.

#![cfg(feature = "cli")]

#[path = "support/directory.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod directory;
#[path = "support/mod.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod peers;
#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod server;
#[path = "support/wire.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod wire;
#[path = "serve/world.rs"]
mod world;

#[path = "serve/asking.rs"]
mod asking;
#[path = "serve/bodies.rs"]
mod bodies;
#[path = "serve/grpc.rs"]
mod grpc;
#[path = "serve/running.rs"]
mod running;
