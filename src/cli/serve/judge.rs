//! The decision on a question, whichever way it was asked.

use std::time::Instant;

use hyper::{HeaderMap, Response, StatusCode, body::Bytes};
use keyscheme::{
    Authenticator, BackendError, BodyState, Clock, Config, ConfigError, Failure, Guard, Presented,
    Refused, Reject, Request, ServeConfig, SystemClock, UnixTime, Verified, Verifier,
    http::{Decision, DecisionLog, other_targets, presented},
};

use super::{
    answer::{allow, deny, unavailable},
    ask::{Ask, Subject},
};

/// Judges questions.
pub(super) struct Judge {
    pub(super) auth: Authenticator,
    config: ServeConfig,
    pub(super) log: DecisionLog,
    /// Since when the configuration is known here.
    since: UnixTime,
}

/// What came of the body.
pub(super) enum Forwarded {
    /// A part, since the proxy does not send more.
    Part,
    /// More than is read, or it broke off.
    Unreadable,
    Whole(Bytes),
}

/// Who is let through, and the digest that the credential covers.
type Passed = (Verified, Option<[u8; 32]>);

impl Judge {
    pub(super) fn new(config: Config, since: UnixTime) -> Result<Self, ConfigError> {
        let serve = config.serve().clone();
        let auth = config.try_into()?;
        Ok(Self { auth, config: serve, log: DecisionLog::default(), since })
    }

    /// Answers a question. `body` is waited for after the head was accepted only, and only where the
    /// configuration says that this proxy sends bodies.
    pub(super) async fn judge(
        &self,
        ask: &Ask<'_>,
        body: impl Future<Output = Forwarded>,
    ) -> Response<Bytes> {
        let started = Instant::now();
        // One for the question from start to end.
        let verifier = self.auth.verifier();
        let outcome = self.decide(&verifier, ask, body).await;
        let (method, target) = match ask.subject {
            Subject::One { method, target } => (method, target),
            _ => (&b""[..], &b""[..]),
        };
        let (method, target) = (String::from_utf8_lossy(method), String::from_utf8_lossy(target));
        let guard = verifier.service(ask.service);
        let decision = Decision {
            // A name that is not configured is anybody's, and decides nothing in the log.
            service: guard.map_or(UNKNOWN, |guard| guard.service().name().as_str()),
            method: &method,
            target: &target,
            peer: Some(ask.peer),
            took: Some(started.elapsed()),
        };
        let refused = match outcome {
            Ok((verified, digest)) => {
                self.log.accepted(decision, &verified);
                return allow(&verified, digest, self.since);
            }
            Err(refused) => refused,
        };
        self.log.refused(decision, &refused);
        if let Failure::Rejected(Reject::UnknownKey) = refused.failure() {
            self.auth.missed_key();
        }
        let Some(guard) = guard else { return unavailable(ask.dialect.unavailable) };
        if let Some(request) = request(guard, ask) {
            let others = || other_targets(ask.headers, &target);
            let (rules, now) = (guard.rules(), SystemClock.now());
            self.log.look_for_misreading(decision, &refused, rules, &request, others, now);
        }
        deny(refused.failure(), guard.rules(), ask.dialect)
    }

    /// Ids and states of the keys that are loaded.
    pub(super) fn keys(&self) -> Vec<(String, &'static str)> {
        let verifier = self.auth.verifier();
        let keys = verifier.snapshot().keys();
        keys.map(|key| (key.id().to_string(), key.state().name())).collect()
    }

    /// Whether the configuration is current, and the store can be relied on.
    pub(super) async fn ready(&self) -> Result<(), BackendError> {
        if !self.auth.is_current() {
            return Err(BackendError::new("configuration", "is stale"));
        }
        self.auth.verifier().ready().await
    }

    /// Whether a proxy has shown the token, where one is configured. Without one the address that
    /// is listened on keeps others away.
    pub(super) fn knows(&self, headers: &HeaderMap) -> bool {
        self.config.knows_proxy(presented(headers, "x-proxy-token"))
    }

    /// The answer to a proxy that is not known.
    pub(super) fn unknown_proxy(&self, peer: &str) -> Response<Bytes> {
        let error = BackendError::new("proxy", "its X-Proxy-Token is missing or wrong");
        let (service, peer) = (NONE, Some(peer));
        let decision = Decision { service, method: "", target: "", peer, took: None };
        self.log.refused(decision, &Refused::from(error));
        unavailable(StatusCode::FORBIDDEN)
    }

    async fn decide(
        &self,
        verifier: &Verifier,
        ask: &Ask<'_>,
        body: impl Future<Output = Forwarded>,
    ) -> Result<Passed, Refused> {
        let cannot = |what, why: String| Refused::from(BackendError::new(what, why));
        if let Subject::Missing(name) = ask.subject {
            return Err(cannot("proxy", format!("it does not send {name}")));
        }
        let Some(guard) = verifier.service(ask.service) else {
            return Err(cannot("configuration", format!("there is no service {:?}", ask.service)));
        };
        let Some(request) = request(guard, ask) else {
            return Err(Refused::from(Reject::Ambiguous));
        };
        let verified = guard.judge(&request).await?;
        let BodyState::Pending(digest) = verified.body() else { return Ok((verified, None)) };
        let endpoint = self.config.endpoint(ask.dialect.name, ask.service);
        if !endpoint.forwards_bodies {
            return Ok((verified, Some(digest)));
        }
        let caller = verified.clone();
        let judged = match body.await {
            Forwarded::Part if endpoint.refuses_unverified => Err(Reject::BodyMismatch),
            Forwarded::Part => Ok(verified),
            Forwarded::Unreadable => Err(Reject::BodyMismatch),
            Forwarded::Whole(content) => verified.with_body(&content),
        };
        match judged {
            Ok(verified) => Ok((verified, Some(digest))),
            Err(reason) => Err(Refused::after(&caller, reason)),
        }
    }
}

/// What stands in the log in place of the service where a stranger asks. No service has this name.
const NONE: &str = "-";
/// And where there is no such service.
const UNKNOWN: &str = "?";

/// The request that is asked about; `None` where it is ambiguous.
fn request<'a>(guard: Guard<'_>, ask: &Ask<'a>) -> Option<Request<'a>> {
    let Subject::One { method, target } = ask.subject else { return None };
    let presented: Presented<'a> = presented(ask.headers, guard.service().header());
    Some(Request::new(method, target).presented(presented))
}
