//! What went wrong, in words of our own: Redis repeats the beginning of a command that it does not
//! know, and with it a password.

use ::redis::{ErrorKind, RedisError};

use crate::error::BackendError;

/// Why there is no answer to rely on.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is there no longer, or not yet: the connection is given up.
    Away(String),
    /// Another node has our keys.
    Moved(String),
    /// This one command was refused.
    Refused(String),
    /// Nothing but another setting mends it: the connection is given up.
    Setup(String),
}

impl Fault {
    /// What [`Claim::Forgotten`](crate::Claim::Forgotten) means, where it is a fault.
    pub(super) fn forgotten() -> Self {
        Self::Away("it may have known the credential, and have forgotten it".to_owned())
    }
}

impl From<Fault> for BackendError {
    fn from(fault: Fault) -> Self {
        let (Fault::Away(why) | Fault::Refused(why) | Fault::Setup(why)) = fault else {
            return Self::new(WHAT, "its cluster sends us from node to node");
        };
        Self::new(WHAT, why)
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        if let (Some((node, _)), Some("MOVED")) = (error.redirect_node(), error.code()) {
            return Self::Moved(node.to_owned());
        }
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Self::Setup(WRONG_PASSWORD.to_owned());
        }
        match code(&error).as_deref() {
            Some("OOM") => Self::Refused("it is full; give it more maxmemory".to_owned()),
            Some("NOAUTH") => Self::Setup("it demands a password".to_owned()),
            Some("NOPERM") => Self::Setup(DENIED.to_owned()),
            Some("ERR") if is_denied(&error) => Self::Setup(DENIED.to_owned()),
            Some("ASK" | "TRYAGAIN") => {
                Self::Refused("its cluster is moving our keys to another node".to_owned())
            }
            Some("WRONGPASS") => Self::Setup(WRONG_PASSWORD.to_owned()),
            Some("READONLY") => Self::Setup(REPLICA.to_owned()),
            Some(code @ ("CLUSTERDOWN" | "LOADING" | "MASTERDOWN")) => {
                Self::Away(format!("it answers {code}"))
            }
            Some(code) => Self::Refused(format!("it answers {}", word(code))),
            None if error.is_io_error() => Self::Away(error.category().to_owned()),
            None => Self::Away(format!("cannot be spoken with: {}", error.category())),
        }
    }
}

/// The code that the server gave, also of one of several commands.
fn code(error: &RedisError) -> Option<String> {
    let of_several =
        || error.clone().into_server_errors()?.first().map(|(_, e)| e.code().to_owned());
    error.code().map(str::to_owned).or_else(of_several)
}

/// Whether a script met a command or key that its user has no right to: the code does not say so.
fn is_denied(error: &RedisError) -> bool {
    let said = error.detail().unwrap_or_default().to_ascii_lowercase();
    // The first two before Redis 7.2.
    let denials =
        ["can't run this command", "can't access at least one of the keys", "no permissions"];
    denials.iter().any(|denial| said.contains(denial))
}

/// An error's code is the first word that the server says, and may be anything.
fn word(code: &str) -> &str {
    let is_code = code.len() <= 16 && code.bytes().all(|b| b.is_ascii_uppercase());
    if is_code { code } else { "an error" }
}

const WHAT: &str = "Redis";
const DENIED: &str = "its user must not run our commands; docs/configuration.md has the ACL";
const WRONG_PASSWORD: &str = "it refuses our user name or password";
pub(super) const REPLICA: &str = "it is a replica; name the primary";
