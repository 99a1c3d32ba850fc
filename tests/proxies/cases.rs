//! What is sent through every proxy, and what must come of it.

use keyscheme::Encoding;
use sha2::{Digest, Sha256};

use crate::{calls::Call, world::World};

/// The headers that tell the application who calls.
pub const IDENTITY: [&str; 5] =
    ["X-Auth-Client", "X-Auth-Scheme", "X-Auth-Key-Id", "X-Auth-Body", "X-Auth-Content-SHA256"];

/// What a client writes where it would be somebody else.
pub const FORGED: &str = "mallory";

pub struct Case {
    pub name: String,
    pub call: Call,
    pub expect: Expect,
}

#[derive(Debug)]
pub enum Expect {
    /// The application is called by this client, scheme, key id and body state; `covered` is the
    /// content that the credential covers.
    Accepted { identity: [&'static str; 4], covered: Option<&'static [u8]> },
    /// The 401 of the article with this text; either where it is empty.
    Refused(&'static str),
    /// No more than this status, and the application is not called.
    Status(u16),
}

/// How many [`cases`] there are.
pub const COUNT: usize = 72;

/// How many [`forwarded_cases`] there are.
pub const FORWARDED_COUNT: usize = 13;

const INVALID: Expect = Expect::Refused("Invalid API Key");
const MISSING: Expect = Expect::Refused("Missing API Key");

const LEGACY: Expect = accepted(["spring-main", "ecb0", "spring-2025-07", "uncovered"], None);
const TARGET: &str = "/v1/stt?lang=ko&q=%EA%B0%80+%20";
const CONTENT: &str = "안녕";

/// Where keyscheme, or an application, may look for the target and method that a client sent.
const SOURCES: [(&str, &str); 9] = [
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Method", "GET"),
    ("X-HTTP-Method-Override", "GET"),
    ("X-Original-URI", "/v1/admin?x"),
    ("X-Original-URL", "/v1/admin?x"),
    ("X-Forwarded-Uri", "/v1/admin?x"),
    ("X-Forwarded-URL", "/v1/admin?x"),
    ("X-Rewrite-URL", "/v1/admin?x"),
    ("x-envoy-original-path", "/v1/admin?x"),
];

/// Targets that something on the way might rewrite.
const TARGETS: [&str; 9] = [
    "/a//b/../c/./d",
    "//example.org/x",
    "/%2F%41%5c",
    "/a%20b?c=%20+&&=",
    "/a;b=c?d",
    "/a?b?c",
    "/a?",
    "/auth/nginx/tts",
    "/?service=tts&x=/../tts",
];

struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, name: impl Into<String>, call: Call, expect: Expect) {
        self.0.push(Case { name: name.into(), call, expect });
    }
}

pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    the_article(world, &mut cases);
    the_schemes(world, &mut cases);
    refused(world, &mut cases);
    forged(world, &mut cases);
    duplicated(world, &mut cases);
    other_requests(world, &mut cases);
    targets(world, &mut cases);
    odd(world, &mut cases);
    cases.0
}

/// The Spring service's call.
fn the_article(world: &World, cases: &mut Cases) {
    let call = Call::get("/v1/voices?lang=ko");
    cases.add("the article's call", call.clone().key(&world.legacy()), LEGACY);
    cases.add("the same again", call.clone().key(&world.legacy()), LEGACY);
    let post = Call::new("POST", TARGET, CONTENT);
    cases.add("the article's call with a body", post.key(&world.legacy()), LEGACY);
    cases.add("no key", call.clone(), MISSING);
    cases.add("an empty key", call.clone().key(""), MISSING);
    cases.add("another key", call.key("1PT1wfcJslWitK2mN3f9PA=="), INVALID);
}

fn the_schemes(world: &World, cases: &mut Cases) {
    let tagged: [(&str, [&'static str; 4]); 3] = [
        ("ecb0", ["spring-main", "ecb0", "spring-2025-07", "uncovered"]),
        ("cbc1", ["old-batch", "cbc1", "batch-0", "uncovered"]),
        ("gcm1", ["batch", "gcm1", "batch-1", "uncovered"]),
    ];
    for (scheme, identity) in tagged {
        let call = Call::new("POST", TARGET, CONTENT);
        let value = world.issue(identity[0], scheme, &call);
        cases.add(scheme, call.clone().key(&value), accepted(identity, None));
        cases.add(format!("{scheme}, changed"), call.key(&changed(&value)), INVALID);
    }

    let signed = |call: &Call| world.issue("spring-main", "hmac1", call);
    let call = Call::new("POST", TARGET, CONTENT);
    let value = signed(&call);
    let call = call.key(&value);
    cases.add("hmac1", call.clone(), hmac1("unverified", Some(CONTENT)));
    cases.add("hmac1, replayed", call, INVALID);
    for (method, content) in [("GET", ""), ("DELETE", ""), ("HEAD", ""), ("PUT", CONTENT)] {
        let call = Call::new(method, TARGET, content);
        let value = signed(&call);
        let expect = hmac1("unverified", Some(content));
        cases.add(format!("hmac1, {method}"), call.key(&value), expect);
    }
    let call = Call { chunked: true, ..Call::new("PATCH", TARGET, CONTENT) };
    let value = signed(&call);
    cases.add("hmac1, in chunks", call.key(&value), hmac1("unverified", Some(CONTENT)));
    let call = Call::new("POST", TARGET, CONTENT);
    let value = world.issue_uncovered(&call);
    cases.add("hmac1, uncovered", call.key(&value), hmac1("uncovered", None));
    let call = Call::new("POST", TARGET, CONTENT);
    let value = signed(&call);
    // Nobody but the application can tell: that is what "unverified" says.
    let other = Call { body: "반가워".into(), ..call.key(&value) };
    cases.add("hmac1, another body", other, hmac1("unverified", Some(CONTENT)));
    let call = Call::new("POST", TARGET, CONTENT);
    let value = signed(&call);
    cases.add("hmac1, changed", call.clone().key(&changed(&value)), INVALID);
    let value = signed(&call);
    cases.add(
        "hmac1, another method",
        Call { method: "PUT".into(), ..call.clone() }.key(&value),
        INVALID,
    );
    let value = signed(&call);
    let target = format!("{TARGET}&x");
    cases.add("hmac1, another target", Call { target, ..call }.key(&value), INVALID);
}

fn refused(world: &World, cases: &mut Cases) {
    let legacy = world.legacy();
    for (name, value) in [
        ("an unknown scheme", "hmac2.spring-2026-11.AAAA"),
        ("an unknown key", "cbc1.nobody.AAECAwQFBgcICQoLDA0OD60p-5CdPzs6KUGKGOr5Ohk"),
        ("no credential at all", "Bearer abc"),
        ("a quoted value", &format!("\"{legacy}\"")),
        ("1025 bytes", &"A".repeat(1025)),
        ("a value of another service", &world.of_another_service()),
    ] {
        cases.add(name, Call::get(TARGET).key(value), INVALID);
    }
}

/// Who would be somebody else.
fn forged(world: &World, cases: &mut Cases) {
    let legacy = world.legacy();
    let spelled = |call: Call, spell: &dyn Fn(&str) -> Vec<String>| {
        let names = IDENTITY.iter().flat_map(|name| spell(name));
        names.fold(call, |call, name| call.line(format!("{name}: {FORGED}")))
    };
    let plain = |name: &str| vec![name.to_owned(), name.to_lowercase(), name.to_uppercase()];
    let aliases = |name: &str| {
        let (first, last) = (name.replacen('-', "_", 1), name.rsplit_once('-').unwrap());
        vec![name.replace('-', "_"), first, format!("{}_{}", last.0, last.1)]
    };
    let call = Call::get(TARGET);
    cases.add("a forged identity", spelled(call.clone().key(&legacy), &plain), LEGACY);
    cases.add("a forged identity, no key", spelled(call.clone(), &plain), MISSING);
    cases.add("a forged identity in aliases", spelled(call.clone().key(&legacy), &aliases), LEGACY);
    let upper = |name: &str| aliases(&name.to_uppercase());
    cases.add("the same in capitals", spelled(call.clone().key(&legacy), &upper), LEGACY);
    cases.add(
        "an alias of the header alone",
        call.clone().line(format!("X_API_KEY: {legacy}")),
        MISSING,
    );
    let beside = call.clone().key(&legacy).line("X_API_KEY: AAAA");
    cases.add("an alias of the header beside it", beside, LEGACY);

    let strips = |names| Call { connection: names, ..call.clone().key(&legacy) };
    cases.add("Connection strips the credential", strips("X-API-KEY"), LEGACY);
    let all = "X-Auth-Client, x-auth-scheme, X-AUTH-KEY-ID, X-Auth-Body, X-Auth-Content-SHA256";
    cases.add("Connection strips the identity", strips(all), LEGACY);
    cases.add("Connection strips a forged identity", spelled(strips(all), &plain), LEGACY);
    let second = call.clone().key(&legacy).line(format!("Connection: {all}"));
    cases.add("a second Connection strips the identity", second, LEGACY);
    let others = ["Keep-Alive", "Proxy-Connection", "TE", "Trailer"];
    let others =
        others.iter().fold(call.key(&legacy), |call, name| call.line(format!("{name}: {all}")));
    cases.add("other headers of the hop name the identity", others, LEGACY);
}

fn duplicated(world: &World, cases: &mut Cases) {
    let legacy = world.legacy();
    for (name, values) in [
        ("two lines, the first right", [legacy.as_str(), "AAAA"]),
        ("two lines, the second right", ["AAAA", &legacy]),
        ("two lines, both right", [&legacy, &legacy]),
        ("two lines, the first empty", ["", &legacy]),
        ("two lines, the second empty", [&legacy, ""]),
    ] {
        cases.add(name, Call::get(TARGET).key(values[0]).key(values[1]), INVALID);
    }
    let spelled = Call::get(TARGET).key(&legacy).line(format!("x-api-key: {legacy}"));
    cases.add("two lines in two spellings", spelled, INVALID);
    for (name, value) in [
        ("a comma between two", format!("{legacy},{legacy}")),
        ("a comma behind it", format!("{legacy},")),
    ] {
        cases.add(name, Call::get(TARGET).key(&value), INVALID);
    }
}

/// A credential of one request, sent with another that claims to be it.
fn other_requests(world: &World, cases: &mut Cases) {
    let signed = |call: &Call| world.issue("spring-main", "hmac1", call);
    let claiming = |call: Call, alias: bool| {
        SOURCES.iter().fold(call, |call, (name, value)| {
            let name = if alias { name.replace('-', "_") } else { (*name).to_owned() };
            call.line(format!("{name}: {value}"))
        })
    };
    let value = signed(&Call::get("/v1/admin?x"));
    let call = Call::get("/v1/voices").key(&value);
    cases.add("the target of another request", claiming(call.clone(), false), INVALID);
    cases.add("the same twice", claiming(claiming(call, false), false), INVALID);
    let call = Call::new("DELETE", "/v1/admin?x", "").key(&value);
    cases.add("the method of another request", claiming(call, false), INVALID);
    let call = Call::get("/v1/voices");
    let value = signed(&call);
    let expect = hmac1("unverified", Some(""));
    cases.add("claims beside the right credential", claiming(call.key(&value), false), expect);
    let call = Call::get("/v1/voices").key(&world.legacy());
    cases.add("aliases of where keyscheme reads the target", claiming(call, true), LEGACY);
}

fn targets(world: &World, cases: &mut Cases) {
    let signed = |target: &str| world.issue("spring-main", "hmac1", &Call::get(target));
    for target in TARGETS {
        let expect = hmac1("unverified", Some(""));
        cases.add(format!("the target {target}"), Call::get(target).key(&signed(target)), expect);
    }
    let expect = || hmac1("unverified", Some(""));
    let absolute = Call::get(&format!("http://example.com{TARGET}"));
    cases.add("an absolute target", absolute.key(&signed(TARGET)), expect());
    let target = "/a\"b{}|^";
    cases.add("a target that needs escapes", Call::get(target).key(&signed(target)), expect());
    let legacy = world.legacy();
    cases.add("the location that asks keyscheme", Call::get("/keyscheme").key(&legacy), LEGACY);
    let up = "/../../tts/v1";
    cases.add("dot segments beyond the root", Call::get(up).key(&legacy), LEGACY);
    let up = "/%2e%2e/%2e%2e/tts/v1";
    cases.add("escaped dot segments beyond the root", Call::get(up).key(&legacy), LEGACY);
}

fn odd(world: &World, cases: &mut Cases) {
    let legacy = world.legacy();
    let call = Call::get(TARGET).line(format!("X-API-KEY: \t {legacy} \t "));
    cases.add("white space around the value", call, LEGACY);
    let call = Call::get(TARGET).key(&legacy).line("X-Name: \u{ff}\u{fe}");
    cases.add("bytes that are no ASCII", call, LEGACY);
    let call = Call::get(TARGET).key(&legacy).line("X-Name: a\u{1}b");
    cases.add("a control character", call, Expect::Status(400));
    let many = (0..150).map(|i| format!("X-{i}: x"));
    let call = many.fold(Call::get(TARGET).key(&legacy), Call::line);
    cases.add("150 headers", call, Expect::Status(431));
}

/// With bodies that keyscheme sees.
pub fn forwarded_cases(world: &World) -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    let signed = |call: &Call| world.issue("spring-main", "hmac1", call);
    let post = |content: &str| Call::new("POST", TARGET, content);

    let call = post(CONTENT);
    let value = signed(&call);
    cases.add("a body", call.key(&value), hmac1("verified", Some(CONTENT)));
    let call = Call { chunked: true, ..post(CONTENT) };
    let value = signed(&call);
    cases.add("a body in chunks", call.key(&value), hmac1("verified", Some(CONTENT)));
    let call = Call { body: vec![0xFF, 0, 0xFE], ..post("") };
    let value = signed(&call);
    let identity = ["spring-main", "hmac1", "spring-2026-11", "verified"];
    cases.add(
        "a body that is no text",
        call.key(&value),
        accepted(identity, Some(&[0xFF, 0, 0xFE])),
    );
    let value = signed(&post(""));
    cases.add("no body", post("").key(&value), hmac1("empty", Some("")));
    let longest = "a".repeat(65536).leak();
    let value = signed(&post(longest));
    cases.add("the longest body", post(longest).key(&value), hmac1("verified", Some(longest)));
    let value = signed(&post(longest));
    let longer = Call { body: "a".repeat(65537).into(), ..post("") };
    cases.add("a longer body", longer.key(&value), Expect::Status(413));

    let value = signed(&post(CONTENT));
    cases.add("another body", post("반가워").key(&value), INVALID);
    cases.add("then the right one", post(CONTENT).key(&value), INVALID);
    let value = signed(&post(CONTENT));
    cases.add("a body that was dropped", post("").key(&value), INVALID);
    let value = signed(&post(""));
    cases.add("a body that was added", post(CONTENT).key(&value), INVALID);

    cases.add("the article's call", post(CONTENT).key(&world.legacy()), LEGACY);
    let value = world.issue_uncovered(&post(CONTENT));
    cases.add("hmac1, uncovered", post(CONTENT).key(&value), hmac1("uncovered", None));
    let value = signed(&post(CONTENT));
    let claims = post("반가워").key(&value).line("x-envoy-auth-partial-body: true");
    cases.add("a claim that the body is a part", claims, INVALID);
    cases.0
}

const fn accepted(identity: [&'static str; 4], covered: Option<&'static [u8]>) -> Expect {
    Expect::Accepted { identity, covered }
}

fn hmac1(body: &'static str, covered: Option<&'static str>) -> Expect {
    let identity = ["spring-main", "hmac1", "spring-2026-11", body];
    accepted(identity, covered.map(str::as_bytes))
}

/// With one character changed that carries six bits.
fn changed(value: &str) -> String {
    let at = value.len() - 6;
    let other = if &value[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &value[..at], &value[at + 1..])
}

/// As X-Auth-Content-SHA256 has it.
pub fn digest(content: &[u8]) -> String {
    Encoding::Hex.encode(&Sha256::digest(content)).expect("a text").to_string()
}
