//! The server layer before real servers on loopback, and before a stranger who tries everything.

#![cfg(all(feature = "axum", feature = "config", feature = "http"))]

#[path = "http_server/accepted.rs"]
mod accepted;
#[path = "http_server/answers.rs"]
mod answers;
#[path = "http_server/bodies.rs"]
mod bodies;
#[path = "http_server/buffer.rs"]
mod buffer;
#[path = "http_server/examples.rs"]
mod examples;
#[path = "http_server/frames.rs"]
mod frames;
#[path = "http_server/headers.rs"]
mod headers;
#[path = "http_server/inside.rs"]
mod inside;
#[path = "http_server/log.rs"]
mod log;
#[path = "http_server/raw.rs"]
mod raw;
#[path = "http_server/store.rs"]
mod store;
#[path = "http_server/tampering.rs"]
mod tampering;
#[path = "http_server/targets.rs"]
mod targets;
#[path = "http_server/world.rs"]
mod world;
