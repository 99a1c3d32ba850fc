//! `keyscheme serve`, asked the way proxies ask. With the proxies themselves: `tests/proxies.rs`.

#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;
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
