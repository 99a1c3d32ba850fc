//! Questions and answers.

use std::collections::BTreeSet;

use crate::world::{CLIENT, SCHEMES, World, identity, question};

const MISSING: &str = r#"{"title":"Unauthorized","status":401,"detail":"Missing API Key"}"#;
const DIALECTS: [&str; 4] = ["nginx", "caddy", "traefik", "envoy"];

#[test]
fn every_scheme_is_accepted_in_every_dialect() {
    let world = World::new("", &[]);
    for dialect in DIALECTS {
        for scheme in SCHEMES {
            let target = "/v1/stt?lang=ko&q=%EA%B0%80+%20";
            let value = world.credential(scheme, "POST", target, "");
            let answer = world.about(dialect, "POST", target, &[("X-API-KEY", &value)]);
            assert_eq!(answer.status, 200, "{dialect} {scheme} {answer:?}");
            let body = if scheme == "hmac1" { "unverified" } else { "uncovered" };
            assert_eq!(identity(&answer), [CLIENT, scheme, &format!("key-{scheme}"), body]);
            assert_eq!(answer.header("sunset").is_some(), ["ecb0", "cbc1"].contains(&scheme));
            let again = world.about(dialect, "POST", target, &[("X-API-KEY", &value)]);
            assert_eq!(again.status, if scheme == "hmac1" { 401 } else { 200 });
        }
        let missing = world.about(dialect, "GET", "/", &[]);
        assert_eq!(missing.status, 401);
        assert_eq!(identity(&missing), [""; 4]);
        // nginx does not read it, and would close the connection.
        let body = if dialect == "nginx" { "" } else { MISSING };
        assert_eq!(missing.body, body);
        assert_eq!(missing.one("www-authenticate"), r#"ApiKey realm="stt", schemes="hmac1 gcm1""#);
    }
}

#[test]
fn a_client_cannot_name_another_request() {
    let world = World::new("", &[]);
    let forged = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/allowed"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", "/allowed"),
        ("X-Envoy-Original-Path", "/allowed"),
        ("X-HTTP-Method-Override", "GET"),
        ("X-Rewrite-URL", "/allowed"),
    ];
    for dialect in DIALECTS {
        let value = world.credential("hmac1", "GET", "/allowed", "");
        let (_, source) = question(dialect, "", "");
        let ours: Vec<_> = source.iter().map(|(name, _)| *name).collect();
        // Those that the proxy sets itself it has replaced.
        let mut lines: Vec<_> =
            forged.into_iter().filter(|(name, _)| !ours.contains(name)).collect();
        lines.push(("X-API-KEY", &value));
        assert_eq!(world.about(dialect, "DELETE", "/other", &lines).status, 401, "{dialect}");
        assert_eq!(world.about(dialect, "GET", "/allowed", &lines).status, 200, "{dialect}");
        // One that comes twice is nobody's word.
        for name in ours {
            let value = world.credential("hmac1", "GET", "/allowed", "");
            let lines = [(name, "/allowed"), ("X-API-KEY", &value)];
            assert_eq!(world.about(dialect, "GET", "/allowed", &lines).status, 401, "{name}");
        }
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let world = World::new("", &[]);
    for dialect in DIALECTS {
        let value = world.credential("ecb0", "GET", "/", "");
        let mut hostile = vec![
            ("X-API-KEY", value.as_str()),
            ("x-api-key", "AAAA"),
            ("X_API_KEY", &value),
            ("X_Auth_Client", "root"),
            ("x-auth_client", "root"),
            ("Connection", "X-API-KEY"),
            ("Connection", "keep-alive, x-auth-client"),
        ];
        if dialect == "nginx" {
            hostile.push(("X_Original_URI", "/other"));
            hostile.push(("Connection", "X-Original-URI"));
        }
        for line in hostile {
            for lines in [[("X-API-KEY", value.as_str()), line], [line, ("X-API-KEY", &value)]] {
                let answer = world.about(dialect, "GET", "/", &lines);
                assert_eq!(answer.status, 401, "{dialect} {line:?}");
                assert_eq!(identity(&answer), [""; 4]);
            }
        }
        let joined = format!("{value},{value}");
        assert_eq!(world.about(dialect, "GET", "/", &[("X-API-KEY", &joined)]).status, 401);
        // Identity that a client claims in so many words is written over.
        let lines = [("X-Auth-Client", "root"), ("X-API-KEY", value.as_str())];
        assert_eq!(identity(&world.about(dialect, "GET", "/", &lines))[0], CLIENT);
    }
}

#[test]
fn two_thousand_bad_credentials_get_one_answer() {
    let world = World::new("", &[]);
    let good: Vec<String> =
        SCHEMES.iter().map(|scheme| world.credential(scheme, "GET", "/", "")).collect();
    let mut credentials: BTreeSet<String> =
        ["é", "a b", "=", ".", "a,b", "-"].iter().map(ToString::to_string).collect();
    for number in 0..540 {
        for value in &good {
            let mut bytes = value.clone().into_bytes();
            let at = number * 7 % bytes.len();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            credentials.insert(match number % 5 {
                _ if number * 7 < value.len() => tampered,
                0 => format!("{tampered}.{number}"),
                1 => format!("hmac1.nobody-{number}.{tampered}"),
                2 => format!("{}.{number}.x", &tampered[..5]),
                3 => format!("{number}{tampered}"),
                _ => tampered.repeat(number % 30 + 2),
            });
        }
    }
    assert!(credentials.len() >= 2_000, "{}", credentials.len());
    let mut answers = BTreeSet::new();
    for (value, dialect) in credentials.iter().zip(DIALECTS.iter().cycle()) {
        let answer = world.about(dialect, "GET", "/", &[("X-API-KEY", value)]);
        assert_eq!(answer.status, 401, "{value}");
        answers.insert((*dialect == "nginx", answer.undated()));
    }
    // To nginx without a body.
    assert_eq!(answers.len(), 2, "{answers:#?}");
}

#[test]
fn trouble_of_our_own_is_said_as_the_proxy_needs_it() {
    let world = World::new("", &[]);
    for (line, headers, status) in [
        ("GET /auth/nginx/other", vec![("X-Original-Method", "GET"), ("X-Original-URI", "/")], 403),
        ("GET /auth/nginx/stt", vec![("X-Original-Method", "GET")], 403),
        ("GET /auth/nginx/stt", vec![], 403),
        ("GET /auth/caddy/stt", vec![], 503),
        (
            "GET /auth/traefik/other",
            vec![("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/")],
            503,
        ),
        ("GET /auth/envoy/other/", vec![], 403),
        ("GET /auth/envoy/stt", vec![], 404),
        ("GET /auth/other/stt", vec![], 404),
        ("GET /auth", vec![], 404),
        ("GET /", vec![], 404),
    ] {
        let answer = world.ask(line, &headers, "");
        assert_eq!(answer.status, status, "{line} {headers:?}");
        if status != 404 {
            assert_eq!(identity(&answer), [""; 4], "{line}");
            let told = answer.body.contains(&format!("\"status\":{status}"));
            assert_ne!(told, line.contains("nginx"), "{answer:?}");
            assert!(told || answer.body.is_empty(), "{answer:?}");
        }
    }
}

#[test]
fn a_proxy_that_must_show_a_token_shows_it() {
    let world = World::new("[serve]\nproxy-token = { file = \"token\" }\n", &[]);
    let value = world.credential("ecb0", "GET", "/", "");
    let key = ("X-API-KEY", value.as_str());
    let token = "a-token-that-proxies-show";
    let right = ("X-Proxy-Token", token);
    for dialect in DIALECTS {
        assert_eq!(world.about(dialect, "GET", "/", &[key, right]).status, 200);
        for lines in [
            vec![key],
            vec![key, ("X-Proxy-Token", "another-token-of-them-all")],
            vec![key, ("X-Proxy-Token", &token[1..])],
            vec![key, right, right],
            vec![key, right, ("X_Proxy_Token", token)],
        ] {
            let answer = world.about(dialect, "GET", "/", &lines);
            assert_eq!(answer.status, 403, "{dialect} {lines:?}");
            assert_eq!(answer.body.is_empty(), dialect == "nginx", "{answer:?}");
            assert_eq!(identity(&answer), [""; 4]);
        }
    }
    assert_eq!(world.ask("GET /healthz", &[], "").status, 200);
    assert_eq!(world.ask("GET /readyz", &[], "").status, 200);
}
