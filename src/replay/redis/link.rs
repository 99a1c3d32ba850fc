//! Connecting, and not waiting for who does not answer.
//!
//! ```text
//! New  --- the first claims wait a moment for the connection --->  Up or Down
//! Up   --- no answer in time, or a broken connection ----------->  Down
//! Down --- an answer: to what was asked once more, or at a try -->  Up
//! ```
//!
//! While it is down a claim is refused at once. One a second tries again, and waits no longer than a
//! claim may take; the try goes on behind it. Who has not answered in time is asked once more on the
//! same connection, so that a pause of Redis costs as long as it takes and not a second.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ::redis::ConnectionInfo;
use tokio::{sync::watch, time::timeout};

use super::{
    config::RedisConfig,
    connection::{Connection, Memory},
    fault::{Fault, LOOK_AT_URL},
};
use crate::{
    error::Mistake,
    replay::{Claim, ReplayClaim},
    time::UnixTime,
};

/// The way to a Redis.
pub(super) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    config: RedisConfig,
    target: ConnectionInfo,
    state: watch::Sender<State>,
    /// Until when nobody else tries, or for ever while somebody does.
    trying: Mutex<Trying>,
    /// The greatest time seen of its clock.
    seen: AtomicU64,
}

#[derive(Clone)]
enum State {
    Down(Fault),
    New,
    Up(Arc<Connection>),
}

enum Trying {
    Now,
    NotBefore(Instant),
}

impl Link {
    pub(super) fn new(config: RedisConfig, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let target = config.target(mistakes)?;
        let shared = Shared {
            config,
            target,
            state: watch::Sender::new(State::New),
            trying: Mutex::new(Trying::NotBefore(Instant::now())),
            seen: AtomicU64::new(0),
        };
        Some(Self { shared: Arc::new(shared) })
    }

    pub(super) fn url(&self) -> String {
        self.shared.config.to_string()
    }

    pub(super) async fn claim(&self, claim: &ReplayClaim<'_>) -> Result<Claim, Fault> {
        let limit = self.shared.config.timeout;
        let connection = self.connection(claim.now, limit).await?;
        let answer = timeout(limit, connection.claim(claim)).await;
        self.judge(&connection, answer.unwrap_or_else(|_| Err(no_answer(limit))), claim.now)
    }

    /// Whether a first use would be accepted now.
    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let now = self.shared.config.clock.now();
        let connection = self.connection(now, OPENING).await?;
        let memory = timeout(OPENING, connection.look(now)).await;
        let memory = memory.unwrap_or_else(|_| Err(no_answer(OPENING)));
        let Memory { clock, fence, .. } = self.judge(&connection, memory, now)?;
        match fence.saturating_add(1).saturating_sub(clock) {
            0 => Ok(()),
            seconds => Err(Fault::Away(format!(
                "it is new, or has forgotten what was used: in {seconds} s it can be relied on"
            ))),
        }
    }

    /// The connection; where there is none, one of those who ask tries to get it.
    async fn connection(
        &self,
        now: UnixTime,
        patience: Duration,
    ) -> Result<Arc<Connection>, Fault> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Fault::Away("it is asked outside of a tokio runtime".to_owned()));
        }
        let mut changes = self.shared.state.subscribe();
        let state = changes.borrow_and_update().clone();
        let tries = match &state {
            State::Up(connection) => return Ok(Arc::clone(connection)),
            State::Down(_) | State::New => self.shared.try_to(None, now),
        };
        let patience = match &state {
            State::Down(fault) if !tries => return Err(fault.clone()),
            State::New => OPENING,
            _ => patience,
        };
        let _ = timeout(patience, changes.changed()).await;
        let state = changes.borrow().clone();
        match state {
            State::Down(fault) => Err(fault),
            State::New => Err(no_connection(patience)),
            State::Up(connection) => Ok(connection),
        }
    }

    /// What an answer says of the connection that it came from.
    fn judge<T>(
        &self,
        from: &Arc<Connection>,
        answer: Result<T, Fault>,
        now: UnixTime,
    ) -> Result<T, Fault> {
        let fault = match answer {
            Err(fault @ (Fault::Away(_) | Fault::Moved(_) | Fault::Setup(_))) => fault,
            other => return other,
        };
        // Unless another has taken its place meanwhile, or somebody has seen it before.
        let went = self.shared.state.send_if_modified(|state| {
            let is_up = matches!(state, State::Up(up) if Arc::ptr_eq(up, from));
            if is_up {
                *state = State::Down(fault.clone());
            }
            is_up
        });
        if went {
            self.shared.seen.fetch_max(from.memory().clock, Ordering::Relaxed);
            // At once, and then on the connection that there was.
            let again = matches!(fault, Fault::Away(_)).then(|| Arc::clone(from));
            self.shared.try_to(again, now);
        }
        Err(fault)
    }
}

impl Shared {
    /// Tries to connect, behind the caller: false where somebody else does, or did a moment ago.
    /// A connection that was there is asked `again` first.
    fn try_to(self: &Arc<Self>, again: Option<Arc<Connection>>, now: UnixTime) -> bool {
        let begun = Instant::now();
        {
            let mut trying = self.trying.lock().unwrap_or_else(PoisonError::into_inner);
            match *trying {
                Trying::NotBefore(at) if at <= begun || again.is_some() => *trying = Trying::Now,
                _ => return false,
            }
        }
        // Made here, so that it ends also where the task never begins.
        let turn = Turn { shared: Arc::clone(self), begun };
        tokio::spawn(async move {
            let shared = &turn.shared;
            let found = shared.find(again, now).await;
            shared.state.send_replace(match found {
                Ok(connection) => State::Up(connection),
                Err(fault) => State::Down(fault),
            });
        });
        true
    }

    async fn find(
        &self,
        again: Option<Arc<Connection>>,
        now: UnixTime,
    ) -> Result<Arc<Connection>, Fault> {
        if let Some(connection) = again
            && let Ok(Ok(_)) = timeout(PAUSE, connection.look_again(now)).await
        {
            return Ok(connection);
        }
        let seen = self.seen.load(Ordering::Relaxed);
        let opened = Connection::open(&self.config, &self.target, now, seen);
        match timeout(PAUSE, opened).await {
            Ok(opened) => opened.map(Arc::new),
            Err(_) => Err(no_connection(PAUSE)),
        }
    }
}

/// The turn of who tries. It ends with him, also where he is dropped with his runtime.
struct Turn {
    shared: Arc<Shared>,
    begun: Instant,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut trying = self.shared.trying.lock().unwrap_or_else(PoisonError::into_inner);
        *trying = Trying::NotBefore(self.begun + PAUSE);
    }
}

fn no_answer(limit: Duration) -> Fault {
    Fault::Away(format!("no answer within {} ms", limit.as_millis()))
}

fn no_connection(limit: Duration) -> Fault {
    Fault::Away(format!("no connection within {} ms; {LOOK_AT_URL}", limit.as_millis()))
}

/// How long the first claims wait for the connection.
const OPENING: Duration = Duration::from_millis(200);
/// Between two tries, and how long each may take.
const PAUSE: Duration = Duration::from_secs(1);
