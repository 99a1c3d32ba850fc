//! One line per decision, and no flood.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    error::{Failure, Reject},
    request::Request,
    time::UnixTime,
    verifier::Refused,
    verify::{Rules, Verified},
};

/// Writes decisions as events of `tracing`, with the target `keyscheme`: acceptances at level `DEBUG`,
/// refusals at `INFO`, trouble of our own at `ERROR`.
///
/// Of refusals that are alike (one service, one reason, one client) a few per second are written; how
/// many were left out stands as `suppressed` in the next one that is. Nothing that a stranger chose
/// decides what is alike: a client is named only where its key was proved.
#[derive(Default)]
pub struct DecisionLog {
    alike: Mutex<HashMap<Kind, Window>>,
    /// When a refusal was last looked at for a misreading, in Unix seconds.
    misread_at: AtomicU64,
}

/// A decision to be written. What is empty is not known, and left out.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The service that was called.
    pub service: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The target of the request; its query is not written.
    pub target: &'a str,
    /// Who is at the other end, where that is known.
    pub peer: Option<&'a str>,
    /// How long it took, where that was measured.
    pub took: Option<Duration>,
}

/// Service, reason, and the client where its key was proved.
type Kind = (String, &'static str, Option<String>);

/// The refusals of one kind within a second.
struct Window {
    since: Instant,
    written: u32,
    suppressed: u64,
}

impl DecisionLog {
    /// Writes an acceptance.
    pub fn accepted(&self, decision: Decision<'_>, verified: &Verified) {
        let Decision { service, peer, took, .. } = decision;
        tracing::debug!(
            target: "keyscheme",
            service,
            client = verified.client(),
            scheme = verified.scheme(),
            key_id = verified.key_id(),
            upgrade = verified.upgrade(),
            peer,
            method = decision.method(),
            path = decision.path(),
            micros = took.map(micros),
            "accepted"
        );
    }

    /// Writes a refusal, unless many like it were written just now.
    pub fn refused(&self, decision: Decision<'_>, refused: &Refused) {
        let reason = reason(refused.failure());
        let Some(suppressed) = self.admits(decision.service, reason, refused.client()) else {
            return;
        };
        let Decision { service, peer, took, .. } = decision;
        let (method, path) = (decision.method(), decision.path());
        let (client, key_id) = (refused.client(), refused.key_id());
        let (micros, suppressed) = (took.map(micros), Some(suppressed).filter(|n| *n > 0));
        if let Failure::Unavailable(error) = refused.failure() {
            tracing::error!(
                target: "keyscheme",
                service, reason, %error, client, key_id, peer, method, path, micros, suppressed,
                "unavailable"
            );
        } else {
            tracing::info!(
                target: "keyscheme",
                service, reason, client, key_id, peer, method, path, micros, suppressed,
                "refused"
            );
        }
    }

    /// Writes that the body of an accepted request was not read to its end, and why.
    pub(super) fn unread(&self, decision: Decision<'_>, caller: &Verified, reason: &'static str) {
        let client = Some(caller.client());
        let Some(suppressed) = self.admits(decision.service, reason, client) else { return };
        let (service, key_id) = (decision.service, caller.key_id());
        let (method, path) = (decision.method(), decision.path());
        let suppressed = Some(suppressed).filter(|n| *n > 0);
        tracing::info!(
            target: "keyscheme",
            service, reason, client, key_id, method, path, suppressed,
            "refused"
        );
    }

    /// Looks whether a request that was refused for its credential was meant well, and writes what its
    /// client may have got wrong. That costs several decisions, so one refusal a second is looked at.
    /// `others` are targets that may have been signed instead, such as those of
    /// [`other_targets`](super::other_targets).
    pub fn look_for_misreading(
        &self,
        decision: Decision<'_>,
        refused: &Refused,
        rules: Rules<'_>,
        request: &Request<'_>,
        others: impl FnOnce() -> Vec<(&'static str, Vec<u8>)>,
        now: UnixTime,
    ) {
        if !matches!(refused.failure(), Failure::Rejected(reason) if UNPROVED.contains(reason)) {
            return;
        }
        if self.misread_at.swap(now.0, Ordering::Relaxed) == now.0 {
            return;
        }
        let others = others();
        let others: Vec<_> = others.iter().map(|(why, target)| (*why, target.as_slice())).collect();
        let Some(misread) = rules.misread(request, &others, now) else { return };
        let Decision { service, peer, .. } = decision;
        tracing::warn!(
            target: "keyscheme",
            service,
            named_client = misread.key.client().as_str(),
            named_key = misread.key.id().as_str(),
            reading = misread.reading,
            peer,
            method = decision.method(),
            path = decision.path(),
            "refused, but probably meant well"
        );
    }

    /// Writes how many refusals were left out since the last one of their kind, for a log that ends
    /// or is quiet.
    pub fn flush(&self) {
        let mut alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        for ((service, reason, client), window) in alike.iter_mut() {
            let suppressed = std::mem::take(&mut window.suppressed);
            if suppressed > 0 {
                tracing::info!(target: "keyscheme", service, reason, client, suppressed, "refused");
            }
        }
    }

    /// How many were left out before this one, if it is to be written.
    fn admits(&self, service: &str, reason: &'static str, client: Option<&str>) -> Option<u64> {
        let now = Instant::now();
        let mut alike = self.alike.lock().unwrap_or_else(PoisonError::into_inner);
        // As many kinds as there are services, reasons and clients of ours, and no more.
        let kind = (service.to_owned(), reason, client.map(str::to_owned));
        let window = alike.entry(kind).or_insert(Window { since: now, written: 0, suppressed: 0 });
        if now.duration_since(window.since) >= SECOND {
            (window.since, window.written) = (now, 0);
        }
        if window.written >= PER_SECOND {
            window.suppressed += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Decision<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.method).filter(|method| !method.is_empty())
    }

    fn path(&self) -> Option<&str> {
        self.target.split('?').next().filter(|path| !path.is_empty())
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecisionLog")
    }
}

fn reason(failure: &Failure) -> &'static str {
    match failure {
        Failure::Rejected(reason) => Reject::code(*reason),
        Failure::Unavailable(_) => "unavailable",
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Why a credential that was meant well may be refused. A key that does not exist is as one that does: it
/// must not show in the time.
const UNPROVED: [Reject; 3] = [Reject::BadCredential, Reject::Malformed, Reject::UnknownKey];
const SECOND: Duration = Duration::from_secs(1);
/// Of one kind.
const PER_SECOND: u32 = 5;
