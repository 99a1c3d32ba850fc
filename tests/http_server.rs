//! The server layer before real servers on loopback, and before a stranger who tries everything.

#![cfg(all(feature = "axum", feature = "config", feature = "http"))]

#[path = "http_server/accepted.rs"]
mod accepted;
#[path = "http_server/answers.rs"]
mod answers;
#[path = "http_server/examples.rs"]
mod examples;
#[path = "http_server/log.rs"]
mod log;
#[path = "http_server/world.rs"]
mod world;
