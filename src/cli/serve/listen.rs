//! Where the server listens. Whoever can reach it can ask it, so it is not reached from elsewhere
//! without a token.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use keyscheme::{Listen, ServeConfig};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::super::Unusable;

/// What the command line says, or the configuration, or the default; and the name of what says so.
pub(super) fn choose(
    argument: Option<Listen>,
    config: &ServeConfig,
) -> Result<(Listen, &'static str), Unusable> {
    let Some(listen) = argument else {
        let configured = config.listen().map(|listen| (listen.clone(), "serve.listen"));
        return Ok(configured.unwrap_or((DEFAULT, "--listen")));
    };
    if listen.is_local() || config.has_proxy_token() {
        return Ok((listen, "--listen"));
    }
    Err(Unusable(format!(
        "--listen: others could reach {listen}, and ask in the name of a proxy; set \
         serve.proxy-token in the configuration, or listen on 127.0.0.1"
    )))
}

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf, FileId),
}

pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens there, as `field` says.
    pub(super) async fn bind(listen: &Listen, field: &str) -> Result<Self, Unusable> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(|error| {
                    Unusable(format!("{field}: {address}: {error}; choose another port"))
                })?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            Listen::Unix(path) => {
                let cannot = |error: io::Error| {
                    let path = path.display();
                    Unusable(format!("{field}: unix:{path}: {error}; choose another path"))
                };
                let file = std::fs::symlink_metadata(path);
                if file.is_ok_and(|file| !file.file_type().is_socket()) {
                    return Err(cannot(io::Error::other("there is something else")));
                }
                // One that a process before us has left behind is in the way. It refuses; who is only
                // too busy to answer does not.
                let answer = UnixStream::connect(path).await;
                if answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
                    std::fs::remove_file(path).map_err(cannot)?;
                }
                let listener = UnixListener::bind(path).map_err(cannot)?;
                let file = id_of(path).map_err(cannot)?;
                Ok(Self::Unix(listener, path.clone(), file))
            }
        }
    }

    /// What to call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(_, address) => format!("http://{address}"),
            Self::Unix(_, path, _) => format!("unix:{}", path.display()),
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
            Self::Unix(listener, ..) => {
                let (stream, _) = listener.accept().await?;
                Ok((Connection::Unix(stream), "unix".into()))
            }
        }
    }
}

impl Drop for Listener {
    /// Takes a socket's name away, unless it is that of another by now; who is connected already stays
    /// so.
    fn drop(&mut self) {
        if let Self::Unix(_, path, file) = self
            && id_of(path).is_ok_and(|there| there == *file)
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What no two files have alike.
type FileId = (u64, u64);

fn id_of(path: &Path) -> io::Result<FileId> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

const DEFAULT: Listen = Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9400));
