//! What comes next for the keys of one client under one scheme, or why nothing may: a pure function of
//! their records, the time, and what is known of the servers.
//!
//! ```text
//!           stage              promote               disable
//! active   --------> active    --------> verify-only --------> disabled
//!                    staged    --------> active                active
//! ```
//!
//! Whoever sends what the file let them send is verified: a staged key is promoted only where it is
//! known to be loaded, and the key before it is verified for a grace that never grows. Nobody is caught
//! between two rotations: none begins before the key of the last one has ended.

use std::fmt;

use keyscheme::{KeyState, UnixTime};

use super::super::date;

/// A key of the client and scheme.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) state: KeyState,
    pub(super) not_before: Option<UnixTime>,
    pub(super) not_after: Option<UnixTime>,
}

/// What the operator wants, and what is known of the servers.
#[derive(Debug, Default)]
pub(super) struct Wish<'a> {
    /// Whether a new secret was named.
    pub(super) begin: bool,
    /// Which staged key is to be promoted.
    pub(super) id: Option<&'a str>,
    /// How long the key before is still verified, in seconds.
    pub(super) grace: u64,
    /// The least of it: how long what was just sent may still be on its way.
    pub(super) least_grace: u64,
    /// It is asserted that every server has loaded the staged key.
    pub(super) loaded: bool,
    /// It is asserted that nobody sends the old key any more.
    pub(super) unused: bool,
    /// What the servers have said.
    pub(super) reports: &'a [Report],
}

/// The ids and states that a server has loaded, or why it has not said.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) server: String,
    pub(super) keys: Result<Vec<(String, String)>, String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These keys are refused from now on.
    Disable { ids: Vec<String> },
    /// A staged key issues from now on, and the one that did is verified until an instant.
    Promote { id: String, old: Option<(String, UnixTime)> },
    /// A new key is verified, but does not issue yet.
    Stage,
}

/// Why nothing may be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Begun { id: String },
    EndsFirst { id: String, until: UnixTime, old: UnixTime },
    InUse { id: String, until: UnixTime },
    Never { id: String, state: String, server: String },
    NoSuccessor { id: String },
    NotBegun,
    NotLoaded { id: String, server: String },
    NotStaged { id: String },
    NothingInUse,
    OutsideItsDates { id: String },
    ShortGrace { grace: u64, least: u64 },
    Unknown { id: String },
    Unreported { server: String, why: String },
    Which { ids: Vec<String> },
}

pub(super) fn plan(keys: &[Key], now: UnixTime, wish: &Wish<'_>) -> Result<Step, Refusal> {
    let of = |state| keys.iter().filter(move |key| key.state == state);
    let active = of(KeyState::Active).next();
    let staged: Vec<&Key> = of(KeyState::Staged).collect();
    let (ended, in_use): (Vec<&Key>, Vec<&Key>) =
        of(KeyState::VerifyOnly).partition(|key| key.not_after.is_some_and(|until| now >= until));
    if wish.begin {
        return match (in_use.first(), staged.first()) {
            (Some(old), _) => Err(old.in_use()),
            (None, Some(staged)) => Err(Refusal::Begun { id: staged.id.clone() }),
            (None, None) => Ok(Step::Stage),
        };
    }
    if wish.unused && !in_use.is_empty() {
        return end(&in_use, active, now, wish);
    }
    if !ended.is_empty() {
        return Ok(Step::Disable { ids: ids(&ended) });
    }
    if wish.unused {
        return Err(Refusal::NothingInUse);
    }
    if let Some(old) = in_use.first() {
        return Err(old.in_use());
    }
    let chosen = match (wish.id, staged.as_slice()) {
        (None, []) => return Err(Refusal::NotBegun),
        (None, [one]) => one,
        (None, _) => return Err(Refusal::Which { ids: ids(&staged) }),
        (Some(id), _) => match staged.iter().find(|key| key.id == id) {
            Some(key) => key,
            None => return Err(Refusal::NotStaged { id: id.to_owned() }),
        },
    };
    promote(chosen, active, now, wish)
}

/// The old key is refused before its time: only where the one after it is verified.
fn end(
    old: &[&Key],
    active: Option<&Key>,
    now: UnixTime,
    wish: &Wish<'_>,
) -> Result<Step, Refusal> {
    match active.filter(|key| key.is_verified(now)) {
        None => Err(Refusal::NoSuccessor { id: ids(old).join(", ") }),
        Some(active) => {
            is_loaded(&active.id, wish.reports)?;
            Ok(Step::Disable { ids: ids(old) })
        }
    }
}

fn promote(new: &Key, old: Option<&Key>, now: UnixTime, wish: &Wish<'_>) -> Result<Step, Refusal> {
    let id = new.id.clone();
    if !new.is_verified(now) {
        return Err(Refusal::OutsideItsDates { id });
    }
    let old = match old {
        None => None,
        Some(old) => {
            if wish.grace < wish.least_grace {
                return Err(Refusal::ShortGrace { grace: wish.grace, least: wish.least_grace });
            }
            // What was promised to end on a date ends on that date.
            let grace = now.plus(wish.grace);
            let until = old.not_after.map_or(grace, |promised| promised.min(grace));
            if old.not_before.is_some_and(|from| from >= until) {
                return Err(Refusal::OutsideItsDates { id: old.id.clone() });
            }
            if let Some(ends) = new.not_after.filter(|ends| *ends <= until) {
                return Err(Refusal::EndsFirst { id, until: ends, old: until });
            }
            Some((old.id.clone(), until))
        }
    };
    if wish.reports.is_empty() && !wish.loaded {
        return Err(Refusal::Unknown { id });
    }
    is_loaded(&id, wish.reports)?;
    Ok(Step::Promote { id, old })
}

/// Whether every server that was asked verifies this key.
fn is_loaded(id: &str, reports: &[Report]) -> Result<(), Refusal> {
    for Report { server, keys } in reports {
        let server = server.clone();
        let keys = match keys {
            Ok(keys) => keys,
            Err(why) => return Err(Refusal::Unreported { server, why: why.clone() }),
        };
        let id = id.to_owned();
        match keys.iter().find(|(known, _)| *known == id).map(|(_, state)| state.as_str()) {
            None => return Err(Refusal::NotLoaded { id, server }),
            Some("active" | "staged") => {}
            Some(state) => return Err(Refusal::Never { id, state: state.to_owned(), server }),
        }
    }
    Ok(())
}

impl Key {
    fn is_verified(&self, now: UnixTime) -> bool {
        self.not_before.is_none_or(|from| now >= from)
            && self.not_after.is_none_or(|until| now < until)
    }

    fn in_use(&self) -> Refusal {
        let until = self.not_after.unwrap_or(UnixTime(u64::MAX));
        Refusal::InUse { id: self.id.clone(), until }
    }
}

fn ids(keys: &[&Key]) -> Vec<String> {
    keys.iter().map(|key| key.id.clone()).collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun { id } => write!(
                f,
                "a rotation is under way: {id} is staged; promote it (leave --secret out), or take its \
                 record away"
            ),
            Self::EndsFirst { id, until, old } => write!(
                f,
                "{id} ends on {}, when the key before it is still verified until {}; mend its \
                 not-after, or give a shorter --grace",
                date(*until),
                date(*old)
            ),
            Self::InUse { id, until } => write!(
                f,
                "{id} is in use until {}: who sends it would be cut off; wait, or say --unused where \
                 nobody sends it any more",
                date(*until)
            ),
            Self::Never { id, state, server } => write!(
                f,
                "{server} has loaded {id}, but as {state}; let it load this file, then try again"
            ),
            Self::NoSuccessor { id } => write!(
                f,
                "no active key is verified now: without {id} the client could send none; make one \
                 active first"
            ),
            Self::NotBegun => f.write_str(
                "no rotation is under way; to begin one, name the new secret: \
                 --secret new-file:PATH, file:PATH or env:NAME",
            ),
            Self::NotLoaded { id, server } => write!(
                f,
                "{server} has not loaded {id}: who sends it would be refused there; let it load this \
                 file, then try again"
            ),
            Self::NotStaged { id } => {
                write!(f, "--id {id:?}: no staged key of this client and scheme has it")
            }
            Self::NothingInUse => {
                f.write_str("--unused: no key of this client and scheme is verify-only")
            }
            Self::OutsideItsDates { id } => {
                write!(f, "{id} is outside its dates; mend its not-before or not-after")
            }
            Self::ShortGrace { grace, least } => write!(
                f,
                "--grace {grace}s would refuse what was just sent; give {least}s or more, or make the \
                 key compromised by hand"
            ),
            Self::Unknown { id } => write!(
                f,
                "it is not known whether {id} is loaded everywhere; name every server with --server, or \
                 say --loaded, which asserts it"
            ),
            Self::Unreported { server, why } => {
                write!(f, "{server} does not say what it has loaded: {why}")
            }
            Self::Which { ids } => {
                write!(f, "several keys are staged; say which with --id: {}", ids.join(", "))
            }
        }
    }
}
