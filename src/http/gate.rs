//! What a layer does with a head, a body and an answer: everything but waiting.

use std::{fmt, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Response, request::Parts};
use http_body::Body;

use super::{
    answer::{
        Announcement, Refusal, announce, answer, broken_off, too_long, translated, unavailable,
    },
    body::{Collecting, Mismatch, RequestBody, ResponseBody, Unread, Whole},
    head::{self, is_grpc, other_targets},
    log::{Decision, DecisionLog},
};
use crate::{
    auth::Authenticator,
    error::{BackendError, Failure, Reject},
    time::UnixTime,
    verifier::{Begun, Guard, Refused, Verifier},
    verify::{BodyState, Rules, Verified},
};

/// What a layer is told.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    auth: Authenticator,
    service: String,
    pub(super) exempt: Vec<String>,
    pub(super) buffer: Option<usize>,
    /// Schemes with an end are deprecated since then, at the latest.
    since: UnixTime,
    /// Of the ends that schemes had then.
    ends: Arc<[(UnixTime, Announcement)]>,
    log: Arc<DecisionLog>,
}

impl Settings {
    pub(super) fn new(auth: Authenticator, service: &str) -> Self {
        let verifier = auth.verifier();
        let now = verifier.clock.now();
        let rules = verifier.snapshot().rules(service);
        let ends = rules.iter().flat_map(Rules::accepted).filter_map(|accepted| accepted.until());
        let ends = ends.map(|until| (until, Announcement::new(until, now))).collect::<Arc<[_]>>();
        let (service, log) = (service.to_owned(), Arc::default());
        Self { auth, service, exempt: Vec::new(), buffer: None, since: now, ends, log }
    }
}

/// Stands before one service, and all clones of it.
pub(super) struct Gate {
    settings: Settings,
}

/// What becomes of a request.
pub(super) enum Admitted<B> {
    Collect(Pin<Box<Collecting<B>>>),
    Refuse(Response<Bytes>),
    Serve(RequestBody<B>, After),
}

/// What is left to do with the answer of the service.
#[derive(Default)]
pub(super) struct After {
    until: Option<UnixTime>,
    mismatch: Option<Mismatch>,
    is_grpc: bool,
}

impl Gate {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings }
    }

    pub(super) fn is_exempt(&self, head: &Parts) -> bool {
        let is_it = |path: &String| path == head::sent_uri(head).path();
        self.settings.exempt.iter().any(is_it)
    }

    /// Lets a request pass as nobody's.
    pub(super) fn exempt<B>(head: &mut Parts, body: B) -> Admitted<B> {
        head.extensions.remove::<Verified>();
        Admitted::Serve(RequestBody::unchecked(body), After::default())
    }

    /// The decision on the head. Nothing of the body is read before.
    pub(super) fn begin(&self, head: &Parts) -> Begun {
        let verifier = self.settings.auth.current();
        let Some(guard) = self.guard(&verifier) else {
            let error = BackendError::new("configuration", "there is no such service");
            return Begun::Settled(Err(Refused::from(error)));
        };
        guard.begin(&head::judged(head, guard.service().header()))
    }

    /// Goes on with a head that was judged. A body that is not there is compared at once, one that is
    /// covered on its way.
    pub(super) fn settle<B: Body<Data = Bytes>>(
        self: &Arc<Self>,
        head: &mut Parts,
        body: B,
        outcome: Result<Verified, Refused>,
    ) -> Admitted<B> {
        let verified = match outcome {
            Ok(verified) => verified,
            Err(refused) => return self.refuse(head, refused),
        };
        if !matches!(verified.body(), BodyState::Pending(_)) {
            return self.serve(head, RequestBody::unchecked(body), verified, None);
        }
        if body.is_end_stream() {
            return match Refused::unless(verified, |verified| verified.with_body(b"")) {
                Ok(verified) => self.serve(head, RequestBody::unchecked(body), verified, None),
                Err(refused) => self.refuse(head, refused),
            };
        }
        if let Some(limit) = self.settings.buffer {
            if body.size_hint().lower() > limit as u64 {
                return self.too_long(head, &verified);
            }
            let collecting = Collecting::new(body, verified, limit);
            return Admitted::Collect(Box::pin(collecting));
        }
        let mismatch = self.mismatch(head);
        let body = RequestBody::checked(body, verified.clone(), mismatch.clone());
        self.serve(head, body, verified, Some(mismatch))
    }

    /// Goes on with a body that was read.
    pub(super) fn collected<B>(
        &self,
        head: &mut Parts,
        read: Result<Whole, Unread>,
    ) -> Admitted<B> {
        match read {
            Err(Unread::BrokenOff(caller)) => {
                self.settings.log.unread(self.decision(head), &caller, "body-broken-off");
                Admitted::Refuse(translated(broken_off(), is_grpc(&head.headers)))
            }
            Err(Unread::Mismatch(refused)) => self.refuse(head, refused),
            Err(Unread::TooLong(caller)) => self.too_long(head, &caller),
            Ok(Whole { verified, data, trailers }) => {
                self.serve(head, RequestBody::collected(data, trailers), verified, None)
            }
        }
    }

    /// The service's answer, unless the request's body turned out to be false meanwhile.
    pub(super) fn finish<T, E>(
        &self,
        result: Result<Response<T>, E>,
        after: After,
    ) -> Result<Response<ResponseBody<T>>, E> {
        let After { until, mismatch, is_grpc } = after;
        if let Some(refusal) = mismatch.as_ref().and_then(Mismatch::happened) {
            return Ok(self.answer(refusal.clone(), is_grpc).map(ResponseBody::answer));
        }
        let mut response = result?;
        if let Some(until) = until {
            match self.settings.ends.iter().find(|(end, _)| *end == until) {
                Some((_, end)) => end.add_to(response.headers_mut()),
                // The policy has changed meanwhile.
                None => announce(until, self.settings.since, response.headers_mut()),
            }
        }
        Ok(response.map(|body| ResponseBody::service(body, mismatch)))
    }

    fn guard<'v>(&self, verifier: &'v Verifier) -> Option<Guard<'v>> {
        verifier.service(&self.settings.service)
    }

    fn serve<B>(
        &self,
        head: &mut Parts,
        body: RequestBody<B>,
        verified: Verified,
        mismatch: Option<Mismatch>,
    ) -> Admitted<B> {
        // What nobody reads need not be looked up.
        if tracing::enabled!(target: "keyscheme", tracing::Level::DEBUG) {
            self.settings.log.accepted(self.decision(head), &verified);
        }
        let is_grpc = is_grpc(&head.headers);
        let after = After { until: verified.accepted_until(), mismatch, is_grpc };
        head.extensions.insert(verified);
        Admitted::Serve(body, after)
    }

    fn refuse<B>(&self, head: &Parts, refused: Refused) -> Admitted<B> {
        self.settings.log.refused(self.decision(head), &refused);
        if let Failure::Rejected(Reject::UnknownKey) = refused.failure() {
            self.settings.auth.missed_key();
        }
        let verifier = self.settings.auth.current();
        if let Some(guard) = self.guard(&verifier) {
            let (decision, rules) = (self.decision(head), guard.rules());
            let request = head::judged(head, guard.service().header());
            let now = verifier.clock.now();
            let others = || {
                let others = other_targets(&head.headers, head::sent_target(head));
                others.into_iter().chain(head::shortened(head)).collect()
            };
            let log = &self.settings.log;
            log.look_for_misreading(decision, &refused, rules, &request, others, now);
        }
        Admitted::Refuse(self.answer(refused.into(), is_grpc(&head.headers)))
    }

    fn too_long<B>(&self, head: &Parts, caller: &Verified) -> Admitted<B> {
        self.settings.log.unread(self.decision(head), caller, "body-too-long");
        Admitted::Refuse(translated(too_long(), is_grpc(&head.headers)))
    }

    fn answer(&self, refusal: Refusal, to_grpc: bool) -> Response<Bytes> {
        let verifier = self.settings.auth.current();
        let response = match self.guard(&verifier) {
            Some(guard) => answer(refusal.failure(), guard.rules()),
            None => unavailable(),
        };
        let mut response = translated(response, to_grpc);
        response.extensions_mut().insert(refusal);
        response
    }

    /// What a covered body reports to if it is false.
    fn mismatch(self: &Arc<Self>, head: &Parts) -> Mismatch {
        let gate = Arc::clone(self);
        let (method, target) = (head.method.clone(), head::sent_target(head).to_owned());
        Mismatch::new(move |refused| {
            gate.settings.log.refused(gate.decision_on(method.as_str(), &target), refused);
        })
    }

    fn decision<'a>(&'a self, head: &'a Parts) -> Decision<'a> {
        self.decision_on(head.method.as_str(), head::sent_target(head))
    }

    fn decision_on<'a>(&'a self, method: &'a str, target: &'a str) -> Decision<'a> {
        Decision { service: &self.settings.service, method, target, peer: None, took: None }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.settings, f)
    }
}
