//! The program, as it is called.

#![cfg(feature = "cli")]

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "tests of other programs use the rest")]
mod peers;
#[path = "support/sources.rs"]
mod sources;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use peers::has_peer;

fn keyscheme(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyscheme"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// Standard output and exit status.
fn says(arguments: &[&str]) -> (String, i32) {
    let output = keyscheme(arguments);
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

const CONFIG: &str = "examples/keyscheme.toml";
const LEGACY: &str = "nQAmP6Ap/yKErjhtPatZMg==";

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        vec!["check"],
        vec!["demo"],
        vec!["explain"],
        vec!["issue"],
        vec!["key"],
        vec!["key", "new"],
        vec!["rotate"],
        vec!["serve"],
        vec!["verify"],
    ] {
        let (help, status) = says(&[command.as_slice(), &["--help"]].concat());
        assert_eq!(status, 0);
        assert!(help.contains("Example"), "{help}");
        assert!(help.contains(&format!("keyscheme {}", command.join(" "))), "{help}");
    }
    let (help, _) = says(&["--help"]);
    assert!(help.contains("Exit status: 0"), "{help}");
}

#[test]
fn the_demonstration_agrees_with_itself() {
    let (table, status) = says(&["demo", "--once"]);
    assert_eq!(status, 0, "{table}");
    assert_eq!(table.matches(" ok").count(), 7, "{table}");
}

/// Ends what was started, whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The printed calls, pasted, are answered as printed.
#[test]
fn the_demonstration_prints_calls_that_work() {
    let mut command = program();
    command.arg("demo").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Ended(command.spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let log = BufReader::new(demo.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut calls = Vec::new();
    let mut expected = String::new();
    // Not to the end, and not closed: who prints to nobody ends.
    for line in lines.by_ref() {
        if let Some(title) = line.strip_prefix("# ") {
            expected = title.rsplit(": ").next().unwrap().to_owned();
        } else if line.starts_with("curl ") {
            calls.push((line, expected.clone()));
        } else if line.contains("Ctrl-C") {
            break;
        }
    }
    assert_eq!(calls.len(), 7);
    if !has_peer("curl", "--version") {
        return;
    }
    for (call, expected) in calls {
        let output = Command::new("sh").args(["-c", &call]).output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answer.trim().rsplit(' ').next(), Some(expected.as_str()), "{call}\n{answer}");
    }
    let log: Vec<String> = log.take(7).collect();
    for (line, said) in [
        (0, "accepted service=\"demo\" client=\"spring-demo\" scheme=\"ecb0\""),
        (4, "refused service=\"demo\" reason=\"replayed\" client=\"spring-demo\""),
        (6, "refused service=\"demo\" reason=\"missing\" method=\"POST\" path=\"/v1/hello\""),
    ] {
        assert!(log[line].contains(said), "{log:#?}");
    }
}

#[test]
fn verify_prints_the_object_to_the_letter() {
    let base = ["verify", "--config", CONFIG, "--service", "stt"];
    let verify = |more: &[&str]| says(&[&base, more].concat());
    assert_eq!(
        verify(&[LEGACY]),
        (
            "{\"outcome\":\"accepted\",\"service\":\"stt\",\"client\":\"spring-main\",\
             \"scheme\":\"ecb0\",\"key_id\":\"spring-2025-07\",\"upgrade\":\"hmac1\"}\n"
                .to_owned(),
            0
        )
    );
    let rejected = |reason: &str| {
        (format!("{{\"outcome\":\"rejected\",\"service\":\"stt\",\"reason\":\"{reason}\"}}\n"), 1)
    };
    assert_eq!(verify(&["AAAAAAAAAAAAAAAAAAAAAA=="]), rejected("bad-credential"));
    assert_eq!(verify(&[""]), rejected("missing"));
    assert_eq!(verify(&["-a"]), rejected("malformed"));
    assert_eq!(verify(&["a,b"]), rejected("ambiguous"));
    assert_eq!(verify(&["--at", "2114294400", LEGACY]), rejected("scheme-retired"));
}

#[test]
fn what_issue_prints_verify_accepts() {
    let body = scratch("body", "안녕");
    let body = body.to_str().unwrap();
    let bound = ["--method", "POST", "--target", "/v1?a=b&c=%20", "--at", "1790000000"];
    let with = |command: &str, more: &[&str]| {
        says(&[&[command, "--config", CONFIG, "--service", "stt"], bound.as_slice(), more].concat())
    };
    for (more, bare) in [
        (&["--scheme", "ecb0"][..], true),
        (&["--scheme", "ecb0", "--tagged"], false),
        (&[], false),
    ] {
        let body = ["--body-file", body, "--client", "spring-main"];
        let (value, status) = with("issue", &[&body, more].concat());
        assert_eq!(status, 0, "{value}");
        assert_eq!(!value.contains('.'), bare);
        let (outcome, status) = with("verify", &[&body[..2], &[value.trim()]].concat());
        assert_eq!(status, 0, "{outcome}");
        if more.is_empty() {
            let (outcome, _) = with("verify", &[value.trim()]);
            assert!(outcome.contains("body-mismatch"), "{outcome}");
        }
    }
    let (_, status) = with("issue", &["--client", "spring-main", "--scheme", "gcm1"]);
    assert_eq!(status, 2);
    let output =
        keyscheme(&["issue", "--config", CONFIG, "--service", "stt", "--client", "spring-main"]);
    assert_eq!(output.status.code(), Some(2), "neither method nor target");
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("cannot be bound") && why.contains("--method is \"\""), "{why}");
}

/// What the service will refuse is said, beside the value.
#[test]
fn issue_says_what_the_service_does_not_accept() {
    let base = ["issue", "--config", CONFIG, "--service", "stt", "--client", "spring-main"];
    let bound = ["--method", "GET", "--target", "/"];
    let covered = "note: stt accepts hmac1 with the content covered only, unless its entry says \
                   danger-uncovered-body = true\n";
    for (more, said) in [
        (&["--uncovered-body"][..], covered),
        (&[], ""),
        (&["--uncovered-body", "--scheme", "ecb0"], ""),
        (
            &["--scheme", "ecb0", "--at", "2114294400"],
            "note: stt does not accept ecb0 from spring-main now\n",
        ),
    ] {
        let output = keyscheme(&[&base, &bound[..], more].concat());
        assert!(output.status.success() && !output.stdout.is_empty(), "{more:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), said, "{more:?}");
    }
    let config = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG)).unwrap();
    let allowed = "{ scheme = \"hmac1\", danger-uncovered-body = true },\n";
    let config = scratch("uncovered.toml", &config.replacen("\"hmac1\",\n", allowed, 1));
    fs::copy("examples/example.env", config.with_file_name("example.env")).unwrap();
    let config = ["issue", "--config", config.to_str().unwrap()];
    let output = keyscheme(&[&config, &base[3..], &bound, &["--uncovered-body"]].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let output =
        keyscheme(&[&base, &bound[..], &["--uncovered-body", "--body-file", "-"]].concat());
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{why}");
    assert!(why.contains("'--uncovered-body' cannot be used with '--body-file <FILE>'"), "{why}");
}

fn jsonl(input: &str) -> (Vec<String>, i32) {
    let mut child = program()
        .args(["verify", "--config", CONFIG, "--service", "stt", "--jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(str::to_owned).collect(), output.status.code().unwrap())
}

#[test]
fn jsonl_answers_line_by_line_with_one_replay_memory() {
    let issue = |at: &str| {
        let (value, _) = says(&[
            "issue",
            "--config",
            CONFIG,
            "--service",
            "stt",
            "--client",
            "spring-main",
            "--method",
            "GET",
            "--target",
            "/v1",
            "--at",
            at,
        ]);
        value.trim().to_owned()
    };
    let (early, late) = (issue("1790000000"), issue("1790000400"));
    let line = |value: &str, at: u64| {
        format!("{{\"credential\":\"{value}\",\"method\":\"GET\",\"target\":\"/v1\",\"at\":{at}}}")
    };
    let input = [
        line(&early, 1_790_000_000),
        line(&early, 1_790_000_001),
        line(&late, 1_790_000_400),
        // The memory's clock is the greatest time so far: for it, this one is too old.
        line(&issue("1790000050"), 1_790_000_060),
        format!("{{\"credential\":\"{late}\"}}"),
        format!("{{\"credential\":[\"{LEGACY}\"]}}"),
        format!("{{\"credential\":[\"{LEGACY}\",\"{LEGACY}\"]}}"),
        "{\"credential\":[]}".to_owned(),
        "{\"credential\":\"a\\u0000b\"}".to_owned(),
    ];
    let (lines, status) = jsonl(&(input.join("\n") + "\n"));
    let expected = [
        "accepted",
        "replayed",
        "accepted",
        "stale",
        "bad-credential",
        "accepted",
        "ambiguous",
        "missing",
        "malformed",
    ];
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(&format!("\"{expected}\"")), "{expected}: {line}");
    }
    assert_eq!(status, 0);
}

#[test]
fn jsonl_says_what_is_no_request_and_goes_on() {
    let wrong = [
        "",
        "[]",
        "[\"x\",\"GET\",\"/\",\"\",5]",
        "7",
        "{",
        "{}",
        "{\"credential\":1}",
        "{\"credential\":\"x\",\"at\":-1}",
        "{\"credential\":\"x\",\"at\":1.5}",
        "{\"credential\":\"x\",\"metod\":\"GET\"}",
        "{\"credential\":\"x\",\"credential\":\"y\"}",
        "\u{1}",
    ];
    let input = format!("{}\n{{\"credential\":\"{LEGACY}\"}}", wrong.join("\n"));
    let (lines, status) = jsonl(&input);
    assert_eq!(lines.len(), wrong.len() + 1);
    for (line, wrong) in lines.iter().zip(wrong) {
        assert!(line.starts_with("{\"outcome\":\"error\",\"detail\":\""), "{wrong}: {line}");
    }
    assert!(lines.last().unwrap().contains("accepted"), "the last line needs no line end");
    assert_eq!(status, 2);
}

/// 100,000 lines, and no more memory after the last than after the first tenth.
#[test]
fn jsonl_does_not_grow() {
    let mut child = Ended(
        program()
            .args(["verify", "--config", CONFIG, "--service", "stt", "--jsonl"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut input = child.0.stdin.take().unwrap();
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let status = format!("/proc/{}/status", child.0.id());
    let resident = || {
        let text = fs::read_to_string(&status).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    };
    let batch =
        format!("{{\"credential\":\"{LEGACY}\",\"body\":\"{}\"}}\n", "x".repeat(300)).repeat(100);
    let mut after = Vec::new();
    let mut line = String::new();
    for _ in 0..1000 {
        // Less than a pipe holds, both ways.
        input.write_all(batch.as_bytes()).unwrap();
        for _ in 0..100 {
            line.clear();
            output.read_line(&mut line).unwrap();
            assert!(line.contains("accepted"), "{line}");
        }
        after.push(resident());
    }
    drop(input);
    assert_eq!(output.read_to_string(&mut line).unwrap(), 0);
    assert!(child.0.wait().unwrap().success());
    if let (Some(early), Some(late)) = (after[99], after[999]) {
        assert!(late <= early + 1024, "{early} KiB after 10,000 lines, {late} KiB after 100,000");
    }
}

#[test]
fn check_prints_a_table_or_every_mistake() {
    let (table, status) = says(&["check", CONFIG]);
    assert_eq!(status, 0);
    for words in [
        "service stt, header x-api-key, issue hmac1",
        "CLIENT",
        "KEY ID",
        "SCHEME",
        "STATE",
        "ACCEPTED UNTIL",
        "PROVES",
        "spring-main  spring-2025-07  ecb0    active  2036-12-31T00:00:00Z  not authentic, not fresh",
        "authentic, fresh, single use, bound to service, request and body",
        "A restart forgets them",
    ] {
        assert!(table.contains(words), "{words}\nis not in\n{table}");
    }
    let bad = scratch("bad.toml", "[service.stt]\nissue = 1\naccept = [\"ecb0\"]\n[clint]\n");
    let output = keyscheme(&["check", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, place) in lines.iter().zip([":2:1: service.stt.issue", ":3:1", ":4:2: clint"]) {
        assert!(line.contains(&format!("bad.toml{place}")), "{line}");
    }
}

/// What `key new` prints can be pasted, for every scheme.
#[test]
fn new_keys_can_be_pasted() {
    for scheme in ["ecb0", "cbc1", "gcm1", "hmac1"] {
        let (printed, status) = says(&["key", "new", "--scheme", scheme, "--client", "c-1"]);
        assert_eq!(status, 0);
        let (env, toml) = printed.split_once("# For the configuration:").unwrap();
        scratch("new.env", env);
        let until = "2037-01-01T00:00:00Z";
        let config = format!(
            "[service.s]\nissue = {scheme:?}\naccept = [{{ scheme = {scheme:?}, until = {until} }}]\n\
             [secrets]\ndotenv = \"new.env\"\n{toml}"
        );
        let config = scratch("new.toml", &config);
        let config = config.to_str().unwrap();
        let bound = ["--config", config, "--service", "s", "--method", "GET", "--target", "/"];
        let (value, status) = says(&[&["issue"], &bound[..], &["--client", "c-1"]].concat());
        assert_eq!(status, 0, "{printed}");
        let (outcome, status) = says(&[&["verify"], &bound[..], &[value.trim()]].concat());
        assert_eq!(status, 0, "{outcome}");
        let (again, _) = says(&["key", "new", "--scheme", scheme, "--client", "c-1"]);
        assert_ne!(printed, again);
    }
}

/// Beside an active key, since a service wants one of its client.
#[test]
fn new_keys_of_every_state_can_be_pasted() {
    let key = |id: &str, more: &[&str]| {
        let base = ["key", "new", "--scheme", "hmac1", "--client", "c", "--id", id];
        let (printed, status) = says(&[&base, more].concat());
        assert_eq!(status, 0);
        let (env, toml) = printed.split_once("# For the configuration:").unwrap();
        (env.to_owned(), toml.to_owned())
    };
    let (active_env, active) = key("k-1", &[]);
    for state in ["staged", "active", "verify-only", "disabled", "compromised"] {
        let (env, toml) = key("k-2", &["--state", state]);
        scratch("states.env", &format!("{active_env}{env}"));
        let active = if state == "active" { "" } else { &active };
        let config = format!(
            "[service.s]\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n\
             [secrets]\ndotenv = \"states.env\"\n{active}{toml}"
        );
        let config = scratch("states.toml", &config);
        let output = keyscheme(&["check", config.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{state}: {said}\n{toml}");
        assert_eq!(toml.contains("\nnot-after = "), state == "verify-only", "{toml}");
    }
}

#[test]
fn explain_points_at_the_place() {
    let (said, status) = says(&["explain", "hmac1.spring-1.1700000000.AAECAwQFBgcICQoLDA0ODw.-.x"]);
    assert_eq!(status, 1);
    assert!(said.contains("malformed at byte 52"), "{said}");
    let mark = said.lines().nth(2).unwrap();
    assert_eq!(mark.find('^'), Some(2 + 52), "{said}");
    let (said, status) = says(&["explain", "1PT1wfcJslWitK2mN3f9PA=="]);
    assert_eq!(status, 0);
    assert!(said.contains("a bare credential") && said.contains("ecb0"), "{said}");
    let (said, status) = says(&["explain", "gcm1.k.1700000000.\u{e4}"]);
    assert_eq!(status, 1);
    assert!(said.contains("byte 0xc3"), "{said}");
}

#[test]
fn unusable_input_ends_with_2_and_one_line() {
    for arguments in [
        &["verify", "--config", "no.toml", "--service", "stt", "x"][..],
        &["verify", "--config", CONFIG, "--service", "tts", "x"],
        &["verify", "--config", CONFIG, "--service", "stt", "--body-file", "no/such", "x"],
        &["issue", "--config", CONFIG, "--service", "stt", "--client", "nobody"],
        &["key", "new", "--scheme", "rot13", "--client", "a"],
        &["rotate", "--config", CONFIG, "--scheme", "rot13", "--client", "spring-main"],
        &["key", "new", "--scheme", "hmac1", "--client", "A"],
        &["key", "new", "--scheme", "hmac1", "--client", "a", "--id", "A"],
        &["check", "no.toml"],
    ] {
        let output = keyscheme(arguments);
        let why = String::from_utf8(output.stderr).unwrap();
        if arguments.contains(&"rot13") {
            let said = "--scheme \"rot13\": no such scheme; known: ecb0, cbc1, gcm1, hmac1\n";
            assert_eq!(why, said, "{arguments:?}");
        }
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {why}");
        assert_eq!(why.lines().count(), 1, "{arguments:?}: {why}");
    }
}

/// Each names the option, the value and what to write, and ends once.
#[test]
fn what_is_wrong_with_the_arguments_is_one_line_too() {
    for (arguments, said) in [
        ("issue --at abc", "'abc' for '--at <UNIX>': write Unix seconds, such as 1790000000"),
        ("verify --at -- -1", "a value is required for '--at <UNIX>' but none was supplied"),
        (
            "rotate --at 1.5",
            "invalid value '1.5' for '--at <UNIX>': write Unix seconds, such as 1790000000",
        ),
        ("rotate --grace 1w", "'--grace <DURATION>': write a duration such as 12h or 7d, at most"),
        ("rotate --server 127.0.0.1:1", "'--server <ADDRESS>': write http://HOST:PORT, or unix:"),
        ("serve --drain 1.5", "'1.5' for '--drain <SECONDS>': write whole seconds, such as 10"),
        ("serve --log xml", "invalid value 'xml' for '--log <LOG>' [possible values: json, text]"),
        ("serve --listen 9400", "'--listen <ADDRESS>': write an address with a port, such as"),
        ("serve --confg x", "'--confg' found; tip: a similar argument exists: '--config'"),
        ("check", "were not provided: <FILE>; Usage: keyscheme check <FILE>"),
        ("key", "'keyscheme key' requires a subcommand but one was not provided [subcommands: new"),
        (
            "",
            "'keyscheme' requires a subcommand but one was not provided [subcommands: check, demo",
        ),
        ("isue", "unrecognized subcommand 'isue'; tip: a similar subcommand exists: 'issue'"),
    ] {
        let output = keyscheme(&arguments.split_whitespace().collect::<Vec<_>>());
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {why}");
        assert_eq!(why.lines().count(), 1, "{arguments}: {why}");
        assert!(why.starts_with("error: ") && why.contains(said), "{said}\nis not in\n{why}");
        assert!(why.ends_with("; see --help\n") && why.matches("--help").count() == 1, "{why}");
    }
}

/// The page about the commands, held to the program.
mod page {
    use std::collections::BTreeMap;

    use super::*;

    /// Commands, each with its section: from its heading to the next of its rank.
    fn sections() -> BTreeMap<String, String> {
        let page =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md")).unwrap();
        let mut sections = BTreeMap::new();
        for section in page.split("\n## ").skip(1) {
            let (heading, text) = section.split_once('\n').unwrap();
            let command = heading.trim_matches('`').to_owned();
            assert!(sections.insert(command, text.to_owned()).is_none(), "{heading} comes twice");
        }
        sections
    }

    /// What `--help` of a command says, and of those below it. Those with commands of their own are none.
    fn helps(above: &[&str]) -> BTreeMap<String, String> {
        let (help, status) = says(&[above, &["--help"]].concat());
        assert_eq!(status, 0, "{above:?}");
        let Some((_, commands)) = help.split_once("\nCommands:\n") else {
            return BTreeMap::from([(above.join(" "), help)]);
        };
        let names = commands.lines().take_while(|line| !line.is_empty());
        let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next());
        let below = names.filter(|name| *name != "help");
        below.flat_map(|name| helps(&[above, &[name]].concat())).collect()
    }

    /// Options and arguments that a help defines, each with its value as a page would write it, and with
    /// the value that it has by default.
    fn defined(help: &str) -> BTreeMap<String, Option<String>> {
        let mut defined = BTreeMap::new();
        let mut last = String::new();
        let (_, lists) = help.split_once("\nUsage: ").unwrap();
        let (lists, _) = lists.split_once("\nExample").unwrap();
        for line in lists.lines().skip(1).map(str::trim) {
            let begins = ["-", "<", "["].iter().any(|first| line.starts_with(first));
            if let Some((_, value)) = line.split_once("[default: ") {
                let value = value.split(']').next().map(str::to_owned);
                defined.insert(last.clone(), value);
            } else if begins && !line.starts_with("- ") && !line.starts_with("-h") {
                let words = line.split("  ").next().unwrap();
                // Of an argument in brackets, only those around it are not its own.
                let words = words.replace(['<', '>'], "");
                last = match words.strip_prefix('[') {
                    Some(words) => words.trim_end_matches(']').to_owned(),
                    None => words,
                };
                defined.insert(last.clone(), None);
            }
        }
        defined
    }

    /// The first two cells of the rows about options and arguments.
    fn rows(section: &str) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        let mut inside = false;
        for line in section.lines() {
            let heads = ["| option |", "| argument |", "| option or argument |"];
            inside = line.starts_with('|') && (inside || heads.iter().any(|h| line.starts_with(h)));
            if let (true, Some(row)) = (inside, line.strip_prefix("| `")) {
                let (name, rest) = row.split_once("` |").unwrap();
                let second = rest.split(" |").next().unwrap();
                assert!(rows.insert(name.to_owned(), second.to_owned()).is_none(), "{name}");
            }
        }
        rows
    }

    /// Every word that looks like an option.
    fn options(text: &str) -> impl Iterator<Item = &str> {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        words.filter(|word| {
            word.strip_prefix("--")
                .is_some_and(|name| name.starts_with(|c: char| c.is_alphabetic()))
        })
    }

    #[test]
    fn it_has_a_section_for_every_command_and_no_other() {
        let (sections, helps) = (sections(), helps(&[]));
        assert!(helps.len() >= 8, "{:?}", helps.keys());
        assert!(sections.keys().eq(helps.keys()), "{:?}\n{:?}", sections.keys(), helps.keys());
    }

    #[test]
    fn it_has_every_option_and_no_other() {
        let sections = sections();
        for (command, help) in helps(&[]) {
            let (section, defined) = (&sections[&command], defined(&help));
            let rows = rows(section);
            let (in_page, in_help) = (rows.keys(), defined.keys());
            assert!(in_page.eq(in_help), "{command}:\n{:?}\n{:?}", rows.keys(), defined.keys());
            for (name, value) in &defined {
                let cell = &rows[name];
                let said = value.as_ref().is_none_or(|value| cell.contains(&format!("`{value}`")));
                assert!(said, "{command} {name}: {value:?} is not {cell}");
            }
            for option in options(section) {
                let known = defined.keys().any(|name| name.split(' ').next() == Some(option));
                assert!(known, "{command} has no {option}");
            }
        }
    }

    /// The blocks of a page: language, text.
    fn blocks(section: &str) -> Vec<(&str, &str)> {
        let parts: Vec<_> = section.split("\n```").collect();
        // Every second one is outside.
        parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
    }

    /// Whether a text is what a page shows, where `…` stands for anything within a line.
    fn shows(shown: &str, text: &str) -> bool {
        let is_it = |(shown, line): (&str, &str)| {
            let parts: Vec<_> = shown.split('…').collect();
            let [first, middle @ .., last] = parts.as_slice() else { return shown == line };
            let rest = line.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
            let found = middle.iter().try_fold(rest, |rest, part| {
                rest.map(|rest| rest.split_once(part).map(|(_, behind)| behind))
            });
            found.is_some_and(|rest| rest.is_some())
        };
        let (shown, text): (Vec<_>, Vec<_>) =
            (shown.lines().collect(), text.trim_end().lines().collect());
        shown.len() == text.len() && shown.into_iter().zip(text).all(is_it)
    }

    /// A shell in the root of the repository that finds the program.
    fn shell(script: &str) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_keyscheme")).parent().unwrap().to_path_buf();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(program).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(path).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).env("PATH", &path).stdin(Stdio::null());
        shell.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    }

    /// What the README shows at the command line works as it is typed.
    #[test]
    fn the_commands_of_the_readme_work() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = fs::read_to_string(readme).unwrap().replace("\\\n", "");
        let (_, section) = readme.split_once("\n## At the command line\n").unwrap();
        let (_, script) = blocks(section)[0];
        assert!(script.lines().count() >= 6, "{script}");
        for line in script.lines() {
            let output = shell(line);
            // To point at a mistake is to find one.
            let expected = if line.starts_with("keyscheme explain ") { 1 } else { 0 };
            assert_eq!(output.status.code(), Some(expected), "{line}\n{output:?}");
        }
    }

    #[test]
    fn its_examples_print_what_it_shows() {
        for (command, section) in sections() {
            let blocks = blocks(&section);
            let mut run = 0;
            for (i, (_, script)) in blocks.iter().enumerate().filter(|(_, (kind, _))| *kind == "sh")
            {
                let first = script.lines().next().unwrap();
                assert!(first.starts_with(&format!("keyscheme {command} ")), "{command}: {first}");
                let expected = match first.split_once("# exit status ") {
                    Some((_, status)) => status.parse().unwrap(),
                    None => 0,
                };
                if command == "serve" || command == "demo" && !first.contains("--once") {
                    continue;
                }
                let script = format!("exec 2>&1\n{script}\n");
                let output = shell(&script);
                let printed = String::from_utf8(output.stdout).unwrap();
                assert_eq!(output.status.code(), Some(expected), "{first}\n{printed}");
                let (_, shown) =
                    blocks.get(i + 1).unwrap_or_else(|| panic!("{first} prints what?"));
                assert!(shows(shown, &printed), "{first}\n{printed}\nis not\n{shown}");
                run += 1;
            }
            assert!(run > 0 || command == "serve", "{command} has no example");
        }
    }

    /// Every message that the code of the server can write.
    fn messages() -> Vec<String> {
        let of_serve = ["src/cli/serve/", "src/http/log.rs", "src/state.rs", "src/watch.rs"];
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = sources::sources("src");
        files.retain(|file| {
            let name = file.strip_prefix(root).unwrap();
            of_serve.iter().any(|place| name.starts_with(place))
        });
        files.iter().flat_map(|file| sources::messages(&sources::code(file))).collect()
    }

    #[test]
    fn it_has_every_message_of_the_log() {
        let (sections, messages) = (sections(), messages());
        assert!(messages.len() > 15, "{messages:#?}");
        for message in messages {
            assert!(sections["serve"].contains(&format!("`{message}`")), "{message:?}");
        }
    }
}
