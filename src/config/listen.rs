//! Where a server listens.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// Where a server listens: `127.0.0.1:9400`, or `unix:/run/keyscheme.sock`.
///
/// ```
/// use keyscheme::Listen;
///
/// let listen: Listen = "[::1]:9400".parse()?;
/// assert!(listen.is_local());
/// assert!("localhost".parse::<Listen>().is_err());
/// # Ok::<(), keyscheme::ListenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 is a free one.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether nobody on another machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        match text.strip_prefix("unix:") {
            Some("") => Err(ListenError),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse().map(Self::Tcp).map_err(|_| ListenError),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What cannot be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenError;

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write an address with a port, such as 127.0.0.1:9400, or unix:/path")
    }
}

impl std::error::Error for ListenError {}
