//! `keyscheme verify`

use std::{
    ffi::OsString,
    io::{self, BufRead, Read, Write},
    path::PathBuf,
    sync::Arc,
};

use keyscheme::{
    Clock, Config, Explanation, Failure, Guard, Loader, ManualClock, MemoryReplay, OsRandom,
    Presented, Request, SystemClock, UnixTime, explain,
};
use serde::{Deserialize, Serialize};

use super::{Bound, Status, Unusable, at, load, print, written};

/// Judges a header value as the service would, and prints one JSON object.
///
/// With --jsonl, judges one request per line of standard input, and prints one object per line, in
/// order, with one replay memory for all: {"credential":"…","method":"GET","target":"/v1","body":"…","at":1790000000}.
/// All but "credential" may be left out, and it may be a list, for a request that carries several.
/// The exit status is then 0, or 2 where a line was no such object or could not be decided.
///
/// What is judged here is not used up: each call has a replay memory of its own, and a Redis that
/// replicas share is not asked.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  keyscheme verify --config keyscheme.toml --service stt --method GET --target /v1 \"$VALUE\"
  keyscheme verify --config keyscheme.toml --service stt --jsonl < requests.jsonl")]
pub(super) struct Verify {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// The service that the request came to.
    #[arg(long, value_name = "SERVICE")]
    service: String,

    /// Reads requests from standard input, one JSON object per line.
    #[arg(long, conflicts_with_all = ["credential", "method", "target", "body_file", "at"])]
    jsonl: bool,

    #[command(flatten)]
    bound: Bound,

    /// The header value.
    #[arg(required_unless_present = "jsonl", allow_hyphen_values = true)]
    credential: Option<OsString>,
}

/// What is printed of a request.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Outcome<'a> {
    Accepted {
        service: &'a str,
        client: &'a str,
        scheme: &'a str,
        key_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        upgrade: Option<&'a str>,
    },
    Error {
        detail: String,
    },
    Rejected {
        service: &'a str,
        reason: &'a str,
    },
    Unavailable {
        service: &'a str,
        detail: String,
    },
}

/// One line of input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    credential: Values,
    method: Option<String>,
    target: Option<String>,
    body: Option<String>,
    at: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"credential\" is neither a string nor a list of strings")]
enum Values {
    Many(Vec<String>),
    One(String),
}

impl Verify {
    pub(super) async fn run(self) -> Result<Status, Unusable> {
        let clock = Arc::new(ManualClock::default());
        let mut config = load(&self.config, Arc::clone(&clock) as Arc<dyn Clock>).await?;
        if config.redis().is_some() {
            let memory = Arc::new(MemoryReplay::new(ROOM, &OsRandom)?);
            let loader = Loader::new().clock(Arc::clone(&clock) as Arc<dyn Clock>);
            let loaded = loader.replay_store(memory).load(&self.config).await;
            config = loaded.map_err(|error| at(&self.config, &error))?;
        }
        let verifier = config.verifier();
        let Some(guard) = verifier.service(&self.service) else {
            let names = verifier.snapshot().services();
            let names: Vec<_> = names.iter().map(|rules| rules.service().name().as_str()).collect();
            let why = format!("--service {:?}: no such service; there are: ", self.service);
            return Err(Unusable(why + &names.join(", ")));
        };
        if self.jsonl {
            return lines(guard, &clock).await;
        }
        clock.set(self.bound.at.map_or_else(|| SystemClock.now(), UnixTime));
        let body = self.bound.body()?;
        let credential = self.credential.unwrap_or_default();
        let request = self.bound.request().credential(credential.as_encoded_bytes()).body(&body);
        judge(guard, &request, |outcome| {
            let refused = matches!(outcome, Outcome::Rejected { reason: "bad-credential", .. });
            if refused && is_bound(&config, credential.as_encoded_bytes()) {
                self.bound.note_missing();
            }
            print(format_args!("{}", serde_json::to_string(&outcome)?))?;
            Ok(match outcome {
                Outcome::Accepted { .. } => Status::Done,
                Outcome::Rejected { .. } => Status::Rejected,
                Outcome::Error { .. } | Outcome::Unavailable { .. } => Status::Unusable,
            })
        })
        .await
    }
}

/// Whether a credential is of a scheme that is bound to the request.
fn is_bound(config: &Config, credential: &[u8]) -> bool {
    let Explanation::Tagged { scheme, .. } = explain(credential) else { return false };
    config.registry().facts().any(|facts| facts.id == scheme && facts.binds.request)
}

/// Verifies one request and hands on what is to be printed.
async fn judge<T>(
    guard: Guard<'_>,
    request: &Request<'_>,
    tell: impl FnOnce(Outcome<'_>) -> Result<T, Unusable>,
) -> Result<T, Unusable> {
    let service = guard.service().name().as_str();
    match guard.verify(request).await {
        Ok(verified) => tell(Outcome::Accepted {
            service,
            client: verified.client(),
            scheme: verified.scheme(),
            key_id: verified.key_id(),
            upgrade: verified.upgrade(),
        }),
        Err(Failure::Rejected(reason)) => {
            tell(Outcome::Rejected { service, reason: reason.code() })
        }
        Err(Failure::Unavailable(error)) => {
            tell(Outcome::Unavailable { service, detail: error.to_string() })
        }
    }
}

/// No request of a test is longer.
const LONGEST_LINE: u64 = 16 << 20;

/// One line of input, or what is wrong with it.
fn parse(line: &[u8], number: usize) -> Result<Line, String> {
    let line = line.trim_ascii_end();
    // Without this, a list of the right values in the right order would do as well.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(format!("line {number} is no JSON object such as {{\"credential\":\"…\"}}"));
    }
    serde_json::from_slice(line).map_err(|error| {
        // Each line is a document of its own, of which it would be line 1.
        let what = error.to_string();
        let what = what.split(" at line 1 column ").next().unwrap_or_default();
        format!("line {number} column {}: {what}", error.column())
    })
}

async fn lines(guard: Guard<'_>, clock: &ManualClock) -> Result<Status, Unusable> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout());
    let mut line = Vec::new();
    let mut status = Status::Done;
    let mut number = 0;
    loop {
        line.clear();
        if (&mut input).take(LONGEST_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(status);
        }
        let whole = line.len() as u64 <= LONGEST_LINE;
        if !whole && !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
        }
        let mut tell = |outcome: Outcome<'_>| {
            if matches!(outcome, Outcome::Error { .. } | Outcome::Unavailable { .. }) {
                status = Status::Unusable;
            }
            let mut text = serde_json::to_vec(&outcome)?;
            text.push(b'\n');
            written(output.write_all(&text).and_then(|()| output.flush()))
        };
        number += 1;
        let parsed = match whole {
            true => parse(&line, number),
            false => Err(format!("line {number} is longer than 16 MiB")),
        };
        match parsed {
            Err(detail) => tell(Outcome::Error { detail })?,
            Ok(line) => {
                clock.set(line.at.map_or_else(|| SystemClock.now(), UnixTime));
                let presented = match &line.credential {
                    Values::One(value) => Presented::One(value.as_bytes()),
                    Values::Many(values) => {
                        Presented::from_lines(values.iter().map(String::as_bytes))
                    }
                };
                let [method, target, body] = [line.method, line.target, line.body];
                let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
                let body = body.unwrap_or_default();
                let request = Request::new(&method, &target).presented(presented).body(&body);
                judge(guard, &request, tell).await?;
            }
        }
    }
}

/// Of this many lines none is forgotten.
const ROOM: usize = 1_000_000;
