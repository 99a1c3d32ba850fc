//! What went wrong, in words of our own: Redis repeats the beginning of a command that it does not
//! know, and with it a password.

use std::{
    error::Error,
    io::{self, ErrorKind as Io},
    sync::Arc,
};

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
    /// A claim that may have been forgotten, where that is a fault.
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
            Some("OOM") => Self::Refused(FULL.to_owned()),
            Some("NOAUTH") => Self::Setup("it demands a password".to_owned()),
            Some("NOPERM") => Self::Setup(DENIED.to_owned()),
            Some("ERR") if is_denied(&error) => Self::Setup(DENIED.to_owned()),
            // Of a script before Redis 7.
            Some("ERR") if says(&error, &["-oom "]) => Self::Refused(FULL.to_owned()),
            Some("ASK" | "TRYAGAIN") => {
                Self::Refused("its cluster is moving our keys to another node".to_owned())
            }
            Some("WRONGPASS") => Self::Setup(WRONG_PASSWORD.to_owned()),
            Some("READONLY") => Self::Setup(REPLICA.to_owned()),
            Some(code @ ("CLUSTERDOWN" | "LOADING" | "MASTERDOWN")) => {
                Self::Away(format!("it answers {code}"))
            }
            Some(code) => Self::Refused(format!("it answers {}", word(code))),
            None if error.is_io_error() => Self::Away(broken(&error)),
            None => {
                let why = format!("it does not answer as Redis does ({})", error.category());
                Self::Away(format!("{why}; {LOOK_AT_URL}"))
            }
        }
    }
}

/// Why there is no connection, or none any more.
fn broken(error: &RedisError) -> String {
    let Some(error) = beneath(error) else {
        let why = if error.is_connection_dropped() { ENDED } else { "there is no connection" };
        return format!("{why}; {LOOK_AT_URL}");
    };
    let why = match error.kind() {
        Io::ConnectionRefused => "the connection is refused",
        Io::NotFound => "there is no such socket",
        Io::PermissionDenied => "we must not connect to it",
        Io::HostUnreachable | Io::NetworkUnreachable => "its machine cannot be reached",
        Io::TimedOut => "the connection timed out",
        Io::BrokenPipe
        | Io::ConnectionAborted
        | Io::ConnectionReset
        | Io::NotConnected
        | Io::UnexpectedEof => ENDED,
        // Of a certificate too, whose names are not repeated.
        Io::InvalidData => {
            return "TLS with it fails; look at replay.url and replay.ca-file".to_owned();
        }
        // The standard library has no kind for it, and says it in these words.
        _ if error.to_string().starts_with("failed to lookup address") => "its host is not found",
        kind => return format!("{kind}; {LOOK_AT_URL}"),
    };
    format!("{why}; {LOOK_AT_URL}")
}

/// The trouble of the operating system, or of TLS, that the client found.
fn beneath(error: &RedisError) -> Option<&io::Error> {
    let error = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    error.downcast_ref()
}

/// The code that the server gave, also of one of several commands.
fn code(error: &RedisError) -> Option<String> {
    let of_several =
        || error.clone().into_server_errors()?.first().map(|(_, e)| e.code().to_owned());
    error.code().map(str::to_owned).or_else(of_several)
}

/// Whether a script met a command or key that its user has no right to: the code does not say so.
fn is_denied(error: &RedisError) -> bool {
    // The first two before Redis 7.2.
    says(
        error,
        &["can't run this command", "can't access at least one of the keys", "no permissions"],
    )
}

/// Whether one of these stands in what the server says behind the code.
fn says(error: &RedisError, parts: &[&str]) -> bool {
    let said = error.detail().unwrap_or_default().to_ascii_lowercase();
    parts.iter().any(|part| said.contains(part))
}

/// An error's code is the first word that the server says, and may be anything.
fn word(code: &str) -> &str {
    let is_code = code.len() <= 16 && code.bytes().all(|b| b.is_ascii_uppercase());
    if is_code { code } else { "an error" }
}

const WHAT: &str = "Redis";
/// The client ends a connection itself where it does not understand an answer.
const ENDED: &str = "it has ended the connection, or is no Redis";
pub(super) const LOOK_AT_URL: &str = "look whether it runs, and at replay.url";
const FULL: &str = "it is full; give it more maxmemory";
const DENIED: &str = "its user must not run our commands; docs/configuration.md has the ACL";
const WRONG_PASSWORD: &str = "it refuses our user name or password";
pub(super) const REPLICA: &str = "it is a replica; name the primary";

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis 6, 7.0, 7.2 and Valkey say it.
    #[test]
    fn what_is_refused_within_a_script_is_known_by_its_text() {
        for (said, expected) in [
            (
                "ERR Error running script (call to f_1): @user_script:18: @user_script: 18: The user \
              executing the script can't run this command or subcommand",
                DENIED,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: 1, on \
              @user_script:1.",
                DENIED,
            ),
            (
                "ERR The user executing the script can't access at least one of the keys mentioned in \
              the command arguments script: 1",
                DENIED,
            ),
            (
                "ERR ACL failure in script: User hunter2 has no permissions to run the 'set' command",
                DENIED,
            ),
            ("ERR ACL failure in script: No permissions to access a key script: 1", DENIED),
            ("NOPERM User hunter2 has no permissions to run the 'evalsha' command", DENIED),
            (
                "ERR Error running script (call to f_1): @user_script:18: @user_script: 18: -OOM command \
              not allowed when used memory > 'maxmemory'.",
                FULL,
            ),
            ("OOM command not allowed when used memory > 'maxmemory'.", FULL),
            ("ERR unknown command 'hunter2'", "it answers ERR"),
            ("HUNTER2 hunter2", "it answers an error"),
        ] {
            let answer = ::redis::parse_redis_value(format!("-{said}\r\n").as_bytes()).unwrap();
            let error = answer.extract_error().unwrap_err();
            let why = BackendError::from(Fault::from(error)).to_string();
            assert_eq!(why, format!("Redis: {expected}"), "{said}");
        }
    }
}
