//! What a layer does with a head, a body and an answer: everything but waiting.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, request::Parts};
use http_body::Body;

use super::{
    answer::{Refusal, answer, broken_off, too_long, unavailable},
    body::{Mismatch, RequestBody, ResponseBody},
    collect::{Collecting, Unread, Whole},
    head,
    log::{Decision, DecisionLog},
};
use crate::{
    auth::Authenticator,
    error::{BackendError, Failure, Reject},
    time::UnixTime,
    verifier::{Begun, Guard, Refused},
    verify::{BodyState, Verified},
};

/// What a layer is told.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    auth: Authenticator,
    service: String,
    pub(super) exempt: Vec<String>,
    pub(super) buffer: Option<usize>,
    /// The value of `Deprecation` (RFC 9745): a scheme with an end date is deprecated since now, at the
    /// latest.
    deprecation: Option<HeaderValue>,
}

impl Settings {
    pub(super) fn new(auth: Authenticator, service: &str) -> Self {
        let since = format!("@{}", auth.verifier().clock.now());
        let deprecation = HeaderValue::try_from(since).ok();
        Self { auth, service: service.to_owned(), exempt: Vec::new(), buffer: None, deprecation }
    }
}

/// Stands before one service, and all clones of it.
pub(super) struct Gate {
    settings: Settings,
    log: DecisionLog,
    /// When a refusal was last looked at for a misreading, in Unix seconds.
    misread_at: AtomicU64,
}

/// What becomes of a request.
pub(super) enum Admitted<B> {
    Collect(Parts, Pin<Box<Collecting<B>>>),
    Refuse(Response<Bytes>),
    Serve(Request<RequestBody<B>>, After),
}

/// What is left to do with the answer of the service.
#[derive(Default)]
pub(super) struct After {
    until: Option<UnixTime>,
    mismatch: Option<Mismatch>,
}

impl Gate {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, log: DecisionLog::default(), misread_at: AtomicU64::new(0) }
    }

    pub(super) fn is_exempt(&self, head: &Parts) -> bool {
        let is_it = |path: &String| path == head::sent_uri(head).path();
        self.settings.exempt.iter().any(is_it)
    }

    /// Lets a request pass as nobody's.
    pub(super) fn exempt<B>(mut head: Parts, body: B) -> Admitted<B> {
        head.extensions.remove::<Verified>();
        let request = Request::from_parts(head, RequestBody::unchecked(body));
        Admitted::Serve(request, After::default())
    }

    /// The decision on the head. Nothing of the body is read before.
    pub(super) fn begin(&self, head: &Parts) -> Begun {
        let Some(guard) = self.guard() else {
            let error = BackendError::new("configuration", "there is no such service");
            return Begun::Settled(Err(Refused::from(error)));
        };
        guard.begin(&head::judged(head, guard.service().header()))
    }

    /// Goes on with a head that was judged. A body that is not there is compared at once, one that is
    /// covered on its way.
    pub(super) fn settle<B: Body<Data = Bytes>>(
        self: &Arc<Self>,
        head: Parts,
        body: B,
        outcome: Result<Verified, Refused>,
    ) -> Admitted<B> {
        let verified = match outcome {
            Ok(verified) => verified,
            Err(refused) => return self.refuse(&head, refused),
        };
        if !matches!(verified.body(), BodyState::Pending(_)) {
            return self.serve(head, RequestBody::unchecked(body), verified, None);
        }
        if body.is_end_stream() {
            let caller = verified.clone();
            return match verified.with_body(b"") {
                Ok(verified) => self.serve(head, RequestBody::unchecked(body), verified, None),
                Err(reason) => self.refuse(&head, Refused::after(&caller, reason)),
            };
        }
        if let Some(limit) = self.settings.buffer {
            return match Collecting::new(body, verified, limit) {
                Some(collecting) => Admitted::Collect(head, Box::pin(collecting)),
                None => Admitted::Refuse(too_long()),
            };
        }
        let mismatch = self.mismatch(&head);
        let body = RequestBody::checked(body, verified.clone(), mismatch.clone());
        self.serve(head, body, verified, Some(mismatch))
    }

    /// Goes on with a body that was read.
    pub(super) fn collected<B>(&self, head: Parts, read: Result<Whole, Unread>) -> Admitted<B> {
        match read {
            Err(Unread::BrokenOff) => Admitted::Refuse(broken_off()),
            Err(Unread::Mismatch(refused)) => self.refuse(&head, refused),
            Err(Unread::TooLong) => Admitted::Refuse(too_long()),
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
        let After { until, mismatch } = after;
        if let Some(refusal) = mismatch.as_ref().and_then(Mismatch::happened) {
            return Ok(self.answer(refusal.clone()).map(ResponseBody::answer));
        }
        let mut response = result?;
        if let Some(until) = until {
            self.announce(until, &mut response);
        }
        Ok(response.map(|body| ResponseBody::service(body, mismatch)))
    }

    fn guard(&self) -> Option<Guard<'_>> {
        self.settings.auth.verifier().service(&self.settings.service)
    }

    fn serve<B>(
        &self,
        mut head: Parts,
        body: RequestBody<B>,
        verified: Verified,
        mismatch: Option<Mismatch>,
    ) -> Admitted<B> {
        self.log.accepted(self.decision(&head), &verified);
        let after = After { until: verified.accepted_until(), mismatch };
        head.extensions.insert(verified);
        Admitted::Serve(Request::from_parts(head, body), after)
    }

    fn refuse<B>(&self, head: &Parts, refused: Refused) -> Admitted<B> {
        self.log.refused(self.decision(head), &refused);
        if let Failure::Rejected(Reject::BadCredential | Reject::Malformed) = refused.failure() {
            self.look_for_misreading(head);
        }
        Admitted::Refuse(self.answer(refused.into()))
    }

    fn answer(&self, refusal: Refusal) -> Response<Bytes> {
        let mut response = match self.guard() {
            Some(guard) => answer(refusal.failure(), guard.rules()),
            None => unavailable(),
        };
        response.extensions_mut().insert(refusal);
        response
    }

    /// Says in the log what a client may have got wrong. It costs several decisions, so one refusal a
    /// second is looked at.
    fn look_for_misreading(&self, head: &Parts) {
        let Some(guard) = self.guard() else { return };
        let now = self.settings.auth.verifier().clock.now();
        if self.misread_at.swap(now.0, Ordering::Relaxed) == now.0 {
            return;
        }
        let others = head::others(head);
        let others: Vec<_> = others.iter().map(|(why, target)| (*why, target.as_slice())).collect();
        let request = head::judged(head, guard.service().header());
        if let Some(misread) = guard.rules().misread(&request, &others, now) {
            self.log.misread(self.decision(head), &misread);
        }
    }

    /// What a covered body reports to if it is false.
    fn mismatch(self: &Arc<Self>, head: &Parts) -> Mismatch {
        let gate = Arc::clone(self);
        let (method, uri) = (head.method.clone(), head::sent_uri(head).clone());
        Mismatch::new(move |refused| {
            let target = head::target(&uri);
            gate.log.refused(gate.decision_on(method.as_str(), target), refused);
        })
    }

    fn decision<'a>(&'a self, head: &'a Parts) -> Decision<'a> {
        self.decision_on(head.method.as_str(), head::target(head::sent_uri(head)))
    }

    fn decision_on<'a>(&'a self, method: &'a str, target: &'a str) -> Decision<'a> {
        Decision { service: &self.settings.service, method, target, peer: None, took: None }
    }

    /// Tells the client that what it sent will be refused one day: `Deprecation` (RFC 9745) and
    /// `Sunset` (RFC 8594).
    fn announce<T>(&self, until: UnixTime, response: &mut Response<T>) {
        let Some(deprecation) = &self.settings.deprecation else { return };
        response.headers_mut().insert(DEPRECATION, deprecation.clone());
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until.0));
        // The format has four digits for the year.
        let end = end.filter(|_| until.0 < YEAR_10000).map(httpdate::fmt_http_date);
        if let Some(Ok(end)) = end.map(HeaderValue::try_from) {
            response.headers_mut().insert(SUNSET, end);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.settings, f)
    }
}

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
/// The first second after the year 9999.
const YEAR_10000: u64 = 253_402_300_800;
