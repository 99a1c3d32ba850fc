//! Programs in other languages, which tests compare the library with.
//!
//! Not every machine has them, so a test does without: it says what is missing, and passes. Where
//! `KEYSCHEME_REQUIRE_PEERS=1`, as in continuous integration, it fails.

use std::{
    env,
    io::{self, Read, Write},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Whoever runs longer than this hangs.
const LIFE: Duration = Duration::from_secs(60);

/// Whether the program `name` is there, which is when it succeeds with the argument `probe`.
pub fn has_peer(name: &str, probe: &str) -> bool {
    succeeds(name, Command::new(name).arg(probe))
}

/// Whether `name` is there, which is when `command` succeeds.
pub fn succeeds(name: &str, command: &mut Command) -> bool {
    let there = match run(command, b"") {
        Ok(run) => run.status.success(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => panic!("{name}: {error}"),
    };
    is_there(name, there)
}

/// Says so where `name` is not there, and fails where it must be.
pub fn is_there(name: &str, there: bool) -> bool {
    if !there {
        let required = env::var_os("KEYSCHEME_REQUIRE_PEERS").is_some_and(|value| value == "1");
        assert!(!required, "{name} is missing, and KEYSCHEME_REQUIRE_PEERS=1");
        // Unlike `println`, this is shown of tests that pass too.
        let _ = writeln!(io::stderr(), "skipped: {name} is missing");
    }
    there
}

/// The interpreter that has the packages of the tests.
pub fn python() -> String {
    env::var("KEYSCHEME_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// What a program says to `input`, in lines. It must succeed.
pub fn lines(command: &mut Command, input: &str) -> Vec<String> {
    let name = command.get_program().to_owned();
    let run = run(command, input.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", name.display()));
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {}\n{errors}", name.display(), run.status);
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Runs a program to its end, or to that of its time.
fn run(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        // One that ends without reading all is judged by its status.
        scope.spawn(|| stdin.map(|mut pipe| pipe.write_all(input)));
        let stdout = scope.spawn(|| read(stdout));
        let stderr = scope.spawn(|| read(stderr));
        let status = wait(&mut child)?;
        let joined = |bytes: thread::Result<_>| bytes.expect("a reader does not panic");
        Ok(Output { status, stdout: joined(stdout.join())?, stderr: joined(stderr.join())? })
    })
}

fn read(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)).transpose()?;
    Ok(bytes)
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let end = Instant::now() + LIFE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("ran for {LIFE:?}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
}
