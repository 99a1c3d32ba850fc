//! What is known of a Redis before it is connected to.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates,
};

use crate::{
    error::Mistake,
    replay::DEFAULT_CAPACITY,
    secret::Secret,
    time::{Clock, SystemClock},
};

/// Where a [`RedisReplay`](super::RedisReplay) remembers, and how.
#[derive(Clone)]
pub struct RedisConfig {
    pub(super) url: String,
    pub(super) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(super) authorities: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) prefix: String,
    pub(super) on_failure: OnFailure,
    pub(super) clock: Arc<dyn Clock>,
}

/// What happens to a claim that Redis does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is refused as "not now".
    #[default]
    Closed,
    /// The memory of this process decides alone: what was used at another replica can be used once
    /// more at this one.
    DangerLocal {
        /// How many live claims this memory has room for.
        capacity: usize,
    },
}

impl OnFailure {
    /// [`Self::DangerLocal`] with room for a million claims.
    pub const DANGER_LOCAL: Self = Self::DangerLocal { capacity: DEFAULT_CAPACITY };
}

impl RedisConfig {
    /// The Redis at `redis://host:port/database`, or with TLS `rediss://…`, or `unix:///path`. No
    /// password stands in it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            authorities: None,
            timeout: DEFAULT_TIMEOUT,
            prefix: DEFAULT_PREFIX.to_owned(),
            on_failure: OnFailure::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The user of its access control list; otherwise it is `default`.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password of the user.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The certificate authorities, as PEM, that alone vouch for a `rediss` server; otherwise those of
    /// the machine do.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// How long a claim may take: 20 ms where nothing else is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the names of all keys begin with, as a hash tag: `keyscheme` where nothing else is said.
    /// Verifiers that share a memory have the same.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What happens to a claim that is not answered.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Takes the time that is compared with that of Redis, when it connects, from here.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What happens to a claim that is not answered.
    pub fn failure_mode(&self) -> OnFailure {
        self.on_failure
    }

    /// Whether what is sent can be read by others on the way.
    pub fn is_exposed(&self) -> bool {
        let local = |host: &str| {
            let address = host.parse::<std::net::IpAddr>();
            address.map_or(host == "localhost", |address| address.is_loopback())
        };
        let info = self.url.as_str().into_connection_info();
        info.is_ok_and(|i| matches!(i.addr(), ConnectionAddr::Tcp(host, _) if !local(host)))
    }

    /// All that is wrong but for what the address is.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut wrong = |field: &str, problem: String, remedy: &str| {
            mistakes.push(Mistake::new(format!("replay.{field}"), problem, remedy));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if !(1..=LONGEST_PREFIX).contains(&self.prefix.len()) || !self.prefix.chars().all(plain) {
            let remedy = "use 1 to 32 letters, digits, and - _ . :";
            wrong("prefix", format!("{:?} is no prefix", self.prefix), remedy);
        }
        if self.timeout < SHORTEST || self.timeout > LONGEST {
            wrong("timeout", format!("is {:?}", self.timeout), "give 1ms to 5s");
        }
        if self.password.as_ref().is_some_and(|p| std::str::from_utf8(p.expose()).is_err()) {
            wrong("password", "is not UTF-8".to_owned(), "set one of letters, digits and signs");
        }
        if self.username.is_some() && self.password.is_none() {
            wrong("password", "is missing, and there is a user name".to_owned(), "name it");
        }
        if let OnFailure::DangerLocal { capacity: 0 } = self.on_failure {
            wrong("capacity", "is 0".to_owned(), "give room for one claim or more");
        }
        mistakes
    }

    /// Where to connect to, less the password.
    pub(super) fn target(&self, mistakes: &mut Vec<Mistake>) -> Option<ConnectionInfo> {
        let mut wrong = |field: &str, problem: &str, remedy: &str| {
            mistakes.push(Mistake::new(format!("replay.{field}"), problem, remedy));
        };
        // Not shown: it may hold a password in the wrong place.
        let Some(url) = ::redis::parse_redis_url(&self.url) else {
            wrong("url", "is no address of a Redis", URL);
            return None;
        };
        if url.password().is_some() || !url.username().is_empty() || self.url.contains('@') {
            let remedy = "write username = \"…\" and password = { env = \"NAME\" } beside it";
            wrong("url", "holds a user name or password", remedy);
            return None;
        }
        if url.query().is_some() || url.fragment().is_some() {
            wrong("url", "holds a ? or a #", URL);
            return None;
        }
        let info = url.into_connection_info().ok();
        let info = info.filter(|info| info.redis_settings().db() >= 0);
        let Some(info) = info else {
            wrong("url", "is no address of a Redis", URL);
            return None;
        };
        let Some(authorities) = &self.authorities else { return Some(info) };
        if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            wrong("ca-file", "has no use without TLS", "say rediss:// in url, or leave it out");
            return None;
        }
        let certificates =
            TlsCertificates { client_tls: None, root_cert: Some(authorities.clone()) };
        match ::redis::Client::build_with_tls(info, certificates) {
            Ok(client) if authorities.windows(CERTIFICATE.len()).any(|at| at == CERTIFICATE) => {
                Some(client.get_connection_info().clone())
            }
            _ => {
                wrong("ca-file", "holds no certificates", "name a file in PEM");
                None
            }
        }
    }

    /// Who we are, with the password: made when it is needed.
    pub(super) fn identity(&self, database: i64) -> RedisConnectionInfo {
        let mut identity = RedisConnectionInfo::default().set_db(database);
        identity = identity.set_skip_set_lib_name();
        if let Some(username) = &self.username {
            identity = identity.set_username(username);
        }
        let password = self.password.as_ref().map(Secret::expose).map(std::str::from_utf8);
        if let Some(Ok(password)) = password {
            identity = identity.set_password(password);
        }
        identity
    }
}

/// The address, and what the names of keys begin with.
impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One that holds a password is refused, but may be shown before.
        let url = if self.url.contains('@') { "redis://…" } else { &self.url };
        write!(f, "{url}, keys {{{}}}…", self.prefix)
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisConfig({self})")
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_millis(20);
const DEFAULT_PREFIX: &str = "keyscheme";
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(5);
const LONGEST_PREFIX: usize = 32;
const URL: &str = "write redis://host:6379/0, rediss:// with TLS, or unix:///path";
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
