//! Requests per second through the layer, through `keyscheme serve`, and through what they take the
//! place of, on this machine in one run.
//!
//! ```text
//! cargo bench --bench http --features axum,cli -- --help
//! ```
//!
//! Every server is a process of its own, started anew for every reading and driven by wrk over
//! loopback with connections that stay open. What stands before axum is measured beside axum without
//! it, one directly after the other under the same load (headers, body, script of wrk), round after
//! round with the order changing: on a machine whose speed drifts the ratio of such neighbours still
//! means something, and the table has the medians. The steadier figure is the processor time per
//! request, which the kernel counts for the server alone; wrk shares the cores with it.

mod app;
mod load;
mod process;
mod world;

use std::path::Path;

use self::{
    app::Before,
    load::{Load, Reading},
    process::Server,
    world::World,
};

const HELP: &str = "Requests per second through the layer, through `keyscheme serve`, and through \
what they take the place of.

cargo bench --bench http --features axum,cli -- [OPTIONS] [WORD...]

  --seconds N   how long each reading takes (3)
  --rounds N    how many readings of each (9)
  smoke         one reading of a second each, for CI
  WORD          only rows whose name holds one of these words

KEYSCHEME_PYTHON names a Python with fastapi, uvicorn and pycryptodome (python3).
KEYSCHEME_REQUIRE_PEERS=1 fails where wrk or Python is missing, instead of leaving rows out.

Example:
  KEYSCHEME_PYTHON=venv/bin/python \\
      cargo bench --bench http --features axum,cli -- --seconds 5 hmac1 article";

/// A line of the table.
struct Row {
    name: &'static str,
    server: Server,
    load: Load,
    readings: Vec<Reading>,
    /// Of bare axum under the same load, where that is compared.
    beside: Option<Vec<Reading>>,
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "server") {
        return app::serve(&arguments[1..]);
    }
    // Cargo says this to every benchmark.
    arguments.retain(|argument| argument != "--bench");
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if has("--help") || has("-h") {
        println!("{HELP}");
        return;
    }
    let smoke = has("smoke") || has("--test");
    let (mut seconds, mut rounds) = if smoke { (1, 1) } else { (3, 9) };
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "smoke" | "--test" => {}
            "--seconds" => seconds = number(rest.next()),
            "--rounds" => rounds = number(rest.next()),
            option if option.starts_with('-') => panic!("{option}: see --help"),
            word => words.push(word),
        }
    }
    run(seconds, rounds, &words);
}

fn number(argument: Option<&String>) -> u32 {
    let number = argument.and_then(|it| it.parse().ok()).filter(|number| *number > 0);
    number.expect("a positive number behind the option")
}

fn run(seconds: u32, rounds: u32, words: &[&str]) {
    let required = std::env::var_os("KEYSCHEME_REQUIRE_PEERS").is_some_and(|it| it == "1");
    if !load::is_there() {
        assert!(!required, "wrk is not installed");
        println!("wrk is not installed: nothing was measured");
        return;
    }
    let article = process::article_versions();
    match &article {
        Ok(versions) => println!("the article's middleware: {versions}"),
        Err(missing) => {
            assert!(!required, "the article's middleware: {missing}");
            println!("the article's middleware is left out: {missing}");
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores, load average {} before", load_average());
    // More than twice what the fastest could use.
    let credentials = (fastest() * f64::from(seconds) * 2.5) as usize + 10_000;
    let world = World::new(credentials + credentials / 8);
    let mut rows = rows(&world, credentials, article.is_ok());
    rows.retain(|row| words.is_empty() || words.iter().any(|word| row.name.contains(word)));
    for round in 0..rounds {
        for row in &mut rows {
            row.measure(&world, seconds, round % 2 == 0);
        }
    }
    println!(
        "load average {} after; medians of {rounds} readings of {seconds} s\n",
        load_average()
    );
    print(&rows);
}

/// About how many requests per second there can be.
fn fastest() -> f64 {
    let server = Server::Axum(Before::Nothing).start(Path::new(""), Path::new(""));
    let load = Load { headers: headers(&[]), ..get(&[]) };
    load.drive(&server, 1).per_second
}

fn rows(world: &World, credentials: usize, article: bool) -> Vec<Row> {
    let key = |credential: &str| format!("X-API-Key: {credential}");
    let fixed = |scheme| key(&world.credential(scheme, "GET", 0));
    let pooled = |method, body| Load {
        method,
        body,
        pool: Some(world.pool(method, body, credentials)),
        ..get(&[&key("POOL")])
    };
    // As nginx asks, with the headers of the client's request beside its own.
    let asked = |load: Load| {
        let mut headers = load.headers;
        headers.push("X-Original-Method: GET".to_owned());
        headers.push(format!("X-Original-URI: {}", world::TARGET));
        Load { path: "/auth/nginx/stt", headers, ..load }
    };
    let bearer = format!("Authorization: Bearer {}", world::token());
    let (bare, keyscheme) = (Server::Axum(Before::Nothing), Server::Axum(Before::Keyscheme));
    let row = |name, server, load| Row {
        name,
        server,
        load,
        readings: Vec::new(),
        beside: (matches!(server, Server::Axum(_)) && server != bare).then(Vec::new),
    };
    let mut rows = vec![
        row("axum, bare", bare, get(&[&fixed("ecb0")])),
        row("axum, a layer that does nothing", Server::Axum(Before::Layer), get(&[&fixed("ecb0")])),
        row("axum, jsonwebtoken HS256", Server::Axum(Before::Jwt), get(&[&bearer])),
        row("axum, keyscheme, ecb0", keyscheme, get(&[&fixed("ecb0")])),
        row("axum, keyscheme, cbc1", keyscheme, get(&[&fixed("cbc1")])),
        row("axum, keyscheme, gcm1", keyscheme, get(&[&fixed("gcm1")])),
        row("axum, keyscheme, hmac1", keyscheme, pooled("GET", 0)),
        row("axum, keyscheme, hmac1, POST of 1 KiB", keyscheme, pooled("POST", 1024)),
        row("keyscheme serve, ecb0", Server::Serve, asked(get(&[&fixed("ecb0")]))),
        row("keyscheme serve, hmac1", Server::Serve, asked(pooled("GET", 0))),
    ];
    if article {
        rows.push(row("the article's middleware", Server::Article, get(&[&fixed("ecb0")])));
    }
    rows
}

fn get(more: &[&str]) -> Load {
    Load { method: "GET", path: world::TARGET, headers: headers(more), body: 0, pool: None }
}

/// What curl sends, and some.
fn headers(more: &[&str]) -> Vec<String> {
    let common = ["Host: stt.example", "User-Agent: curl/8.14.1", "Accept: */*"];
    common.iter().chain(more).map(|&header| header.to_owned()).collect()
}

impl Row {
    /// One reading, and one of bare axum before or after it.
    fn measure(&mut self, world: &World, seconds: u32, bare_first: bool) {
        let Self { server, load, readings, beside, .. } = self;
        let bare = Server::Axum(Before::Nothing);
        let read = |server: Server, into: &mut Vec<Reading>| {
            let process = server.start(&world.config(), &world.log());
            load.warm_up(&process, world, server.refuses());
            into.push(load.drive(&process, seconds));
        };
        match beside {
            Some(beside) if bare_first => {
                read(bare, beside);
                read(*server, readings);
            }
            Some(beside) => {
                read(*server, readings);
                read(bare, beside);
            }
            None => read(*server, readings),
        }
    }

    fn median(&self, of: impl Fn(&Reading) -> f64) -> f64 {
        median(self.readings.iter().map(of))
    }

    /// The median of ratios to the readings beside these.
    fn ratio(&self, to: Option<&[Reading]>, of: impl Fn(&Reading) -> f64) -> Option<f64> {
        Some(median(self.readings.iter().zip(to?).map(|(ours, theirs)| of(ours) / of(theirs))))
    }
}

fn print(rows: &[Row]) {
    let article = rows.iter().find(|row| row.server == Server::Article);
    let article = article.map(|row| row.readings.as_slice());
    let or_none = |ratio: Option<f64>, digits: usize| {
        ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.digits$}"))
    };
    println!(
        "| | requests/s | of bare | CPU per request, µs | of bare | p50, ms | p99, ms | times the article's |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let beside = row.beside.as_deref();
        println!(
            "| {} | {:.0} | {} | {:.2} | {} | {:.2} | {:.2} | {} |",
            row.name,
            row.median(|it| it.per_second),
            or_none(row.ratio(beside, |it| it.per_second), 3),
            row.median(|it| it.cpu),
            or_none(row.ratio(beside, |it| it.cpu), 3),
            row.median(|it| it.p50),
            row.median(|it| it.p99),
            or_none(row.ratio(article, |it| it.per_second), 1),
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of the last minute: what else runs shows in it.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
