//! Where the server listens. Whoever can reach it can ask it, so it is not reached from elsewhere
//! without a token.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::PathBuf,
    sync::Arc,
};

use keyscheme::{Listen, ServeConfig};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::super::Unusable;

/// What the command line says, or the configuration, or the default.
pub(super) fn choose(argument: Option<Listen>, config: &ServeConfig) -> Result<Listen, Unusable> {
    let Some(listen) = argument else {
        return Ok(config.listen().cloned().unwrap_or(DEFAULT));
    };
    if listen.is_local() || config.has_proxy_token() {
        return Ok(listen);
    }
    Err(Unusable(format!(
        "--listen: others could reach {listen}, and ask in the name of a proxy; set \
         serve.proxy-token in the configuration, or listen on 127.0.0.1"
    )))
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn bind(listen: &Listen) -> Result<Self, Unusable> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(|error| {
                    Unusable(format!("--listen: {address}: {error}; choose another port"))
                })?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            Listen::Unix(path) => {
                let cannot = |error: io::Error| {
                    let path = path.display();
                    Unusable(format!("--listen: unix:{path}: {error}; choose another path"))
                };
                // One that a process before us has left behind is in the way; one that is used, or
                // anything else of that name, is not ours to remove.
                let is_socket =
                    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
                if is_socket && UnixStream::connect(path).await.is_err() {
                    std::fs::remove_file(path).map_err(cannot)?;
                }
                let listener = UnixListener::bind(path).map_err(cannot)?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// What to call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(_, address) => format!("http://{address}"),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The next connection, and who is at its other end.
    pub(super) async fn accept(&self) -> io::Result<(Connection, Arc<str>)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                // An answer is one small packet, and a proxy waits for it.
                stream.set_nodelay(true)?;
                Ok((Connection::Tcp(stream), peer.to_string().into()))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Connection::Unix(stream), "unix".into()))
            }
        }
    }
}

impl Drop for Listener {
    /// Takes a socket's name away; who is connected already stays so.
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

const DEFAULT: Listen = Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9400));
