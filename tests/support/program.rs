//! The program itself, called, and as a server beside a test.

use std::{net::SocketAddr, path::Path, process::Command};

use crate::server::Server;

pub fn keyscheme() -> Command {
    Command::new(env!("CARGO_BIN_EXE_keyscheme"))
}

/// `keyscheme serve` with a configuration.
pub fn serve(file: &Path, arguments: &[&str]) -> Command {
    let mut command = keyscheme();
    command.arg("serve").arg("--config").arg(file).args(arguments);
    command
}

/// The same on a free port of this machine.
pub fn serve_here(file: &Path) -> Command {
    serve(file, &["--listen", "127.0.0.1:0"])
}

/// Starts it, and waits until it listens on TCP.
pub fn started(command: &mut Command) -> (Server, SocketAddr) {
    let mut server = Server::start("keyscheme serve", command);
    let address = server.announced("listening on http://").parse().unwrap();
    (server, address)
}
