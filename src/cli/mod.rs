//! The command line: one file per command, and what they share.

mod check;
mod demo;
mod explain;
mod issue;
mod key;
mod log;
mod rotate;
mod serve;
mod verify;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use keyscheme::{
    Clock, Config, ConfigError, Facts, Loader, ManualClock, Registry, Request, SystemClock,
    UnixTime,
};

/// API keys between services in one HTTP header, and a safe way from AES-ECB to modern schemes.
///
/// Exit status: 0 done or accepted, 1 rejected or not ready, 2 unusable input or configuration.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = false)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Demo(demo::Demo),
    Explain(explain::Explain),
    Issue(issue::Issue),
    #[command(subcommand, arg_required_else_help = false)]
    Key(key::Key),
    Rotate(rotate::Rotate),
    Serve(serve::Serve),
    Verify(verify::Verify),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Done, or accepted.
    Done = 0,
    /// Rejected, or not ready.
    Rejected = 1,
    /// Unusable input or configuration, or trouble of our own.
    Unusable = 2,
}

/// Why a command could not do its work: lines that say what and how to mend it.
struct Unusable(String);

impl<E: fmt::Display> From<E> for Unusable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.exit_code() == 0 => error.exit(),
        Err(error) => {
            complain(&format!("{}; see --help", one_line(&error.render().to_string())));
            return ExitCode::from(Status::Unusable as u8);
        }
    };
    let runtime = tokio::runtime::Runtime::new();
    let outcome = runtime.map_err(Unusable::from).and_then(|runtime| {
        let outcome = runtime.block_on(async {
            match arguments.command {
                Command::Check(check) => check.run().await,
                Command::Demo(demo) => demo.run().await,
                Command::Explain(explain) => explain.run(),
                Command::Issue(issue) => issue.run().await,
                Command::Key(key) => key.run(),
                Command::Rotate(rotate) => rotate.run().await,
                Command::Serve(serve) => serve.run().await,
                Command::Verify(verify) => verify.run().await,
            }
        });
        // Where reading a file hangs, nobody waits for it.
        runtime.shutdown_background();
        outcome
    });
    let status = outcome.unwrap_or_else(|Unusable(why)| {
        if !why.is_empty() {
            complain(&why);
        }
        Status::Unusable
    });
    ExitCode::from(status as u8)
}

/// What is wrong with the arguments in one line, as every other error has.
fn one_line(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|text| !text.starts_with("For more information"));
    let lines = paragraphs.take(2).map(|text| text.split_whitespace().collect::<Vec<_>>());
    lines.map(|words| words.join(" ")).collect::<Vec<_>>().join("; ")
}

/// Writes a line to standard output.
fn print(text: fmt::Arguments<'_>) -> Result<(), Unusable> {
    written(writeln!(io::stdout(), "{text}"))
}

/// What became of writing. A reader that went away ends the work without a word.
fn written(result: io::Result<()>) -> Result<(), Unusable> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Unusable(String::new()),
        _ => Unusable(format!("standard output: {error}")),
    })
}

/// Writes a line to standard error, where there is one that can be written.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What a user should know besides the answer.
fn note(text: &str) {
    complain(&format!("note: {text}"));
}

/// A configuration, or its mistakes with the file's name before each.
async fn load(path: &Path, clock: Arc<dyn Clock>) -> Result<Config, Unusable> {
    Loader::new().clock(clock).load(path).await.map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &ConfigError) -> Unusable {
    let lines = error.mistakes().iter().map(|mistake| match mistake.position {
        Some(_) => format!("{}:{mistake}", path.display()),
        None => mistake.to_string(),
    });
    Unusable(lines.collect::<Vec<_>>().join("\n"))
}

/// The given time, or the system's.
fn clock(at: Option<u64>) -> Arc<dyn Clock> {
    match at {
        Some(seconds) => Arc::new(ManualClock::new(UnixTime(seconds))),
        None => Arc::new(SystemClock),
    }
}

/// What is known of the scheme that `--scheme` names.
fn facts(registry: &Registry, scheme: &str) -> Result<&'static Facts, Unusable> {
    registry.facts().find(|facts| facts.id == scheme).ok_or_else(|| {
        let known: Vec<_> = registry.facts().map(|facts| facts.id).collect();
        let known = known.join(", ");
        Unusable(format!("--scheme {scheme:?}: no such scheme; known: {known}"))
    })
}

fn unix(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "write Unix seconds, such as 1790000000")
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "write whole seconds, such as 10")
}

/// What a credential is bound to.
#[derive(clap::Args)]
struct Bound {
    /// The method of the request.
    #[arg(long, value_name = "METHOD", default_value = "", hide_default_value = true)]
    method: OsString,

    /// The request target: the path and, where there is a ?, the ? and all after it.
    #[arg(long, value_name = "TARGET", default_value = "", hide_default_value = true)]
    target: OsString,

    /// The file that holds the request's content, or - for standard input. Without it, the content is
    /// empty.
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,

    /// The time, in Unix seconds, instead of the present.
    #[arg(long, value_name = "UNIX", value_parser = unix)]
    at: Option<u64>,
}

impl Bound {
    /// A note to standard error where a scheme that is bound to the request was not given one.
    fn note_missing(&self) {
        if self.method.is_empty() || self.target.is_empty() {
            note("a scheme that covers the request needs --method and --target");
        }
    }

    /// The request, without its body.
    fn request(&self) -> Request<'_> {
        Request::new(self.method.as_encoded_bytes(), self.target.as_encoded_bytes())
    }

    fn body(&self) -> Result<Vec<u8>, Unusable> {
        let Some(path) = &self.body_file else { return Ok(Vec::new()) };
        let mut content = Vec::new();
        let read = if path.as_os_str() == "-" {
            io::stdin().read_to_end(&mut content).map(drop)
        } else {
            std::fs::read(path).map(|bytes| content = bytes)
        };
        read.map_err(|error| {
            Unusable(format!("--body-file {}: {error}; name a readable file", path.display()))
        })?;
        Ok(content)
    }
}

/// An instant for people.
fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| time.to_string(), |timestamp| timestamp.to_string())
}
