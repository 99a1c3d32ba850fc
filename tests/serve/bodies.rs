//! Bodies that a proxy sends along, or does not.

use crate::{
    wire::Answer,
    world::{World, identity},
};

const FORWARDED: &str = r#"
[serve.endpoint."envoy/stt"]
body = "forwarded"
"#;
const REFUSED: &str = r#"
[serve.endpoint."envoy/stt"]
body = "forwarded"
unverified-body = "refuse"
"#;
const PARTLY: (&str, &str) = ("X-Envoy-Auth-Partial-Body", "true");

fn ask(world: &World, covered: &str, sent: &str, more: &[(&str, &str)]) -> Answer {
    let value = world.credential("hmac1", "POST", "/v1", covered);
    let mut lines = vec![("X-API-KEY", value.as_str())];
    lines.extend(more);
    world.ask("POST /auth/envoy/stt/v1", &lines, sent)
}

#[test]
fn a_body_that_never_comes_is_unverified() {
    let world = World::new("", &[]);
    for (covered, sent) in [("hello", ""), ("hello", "hello"), ("", ""), ("hello", "other")] {
        let answer = ask(&world, covered, sent, &[]);
        assert_eq!((answer.status, identity(&answer)[3]), (200, "unverified"), "{covered} {sent}");
        let digest = answer.one("x-auth-content-sha256");
        assert_eq!(digest.starts_with("2cf24dba5fb0a30e"), covered == "hello", "{digest}");
    }
}

#[test]
fn a_body_that_comes_is_compared() {
    let world = World::new(FORWARDED, &[]);
    for (covered, sent, status, state) in [
        ("hello", "hello", 200, "verified"),
        ("", "", 200, "empty"),
        ("hello", "", 401, ""),
        ("hello", "hellO", 401, ""),
        ("hello", "hello!", 401, ""),
        ("", "x", 401, ""),
    ] {
        let answer = ask(&world, covered, sent, &[]);
        assert_eq!((answer.status, identity(&answer)[3]), (status, state), "{covered} {sent}");
    }
    let partly = ask(&world, "hello", "hel", &[PARTLY]);
    assert_eq!((partly.status, identity(&partly)[3]), (200, "unverified"));
    // Other endpoints of the service do not forward.
    let value = world.credential("hmac1", "POST", "/v1", "hello");
    let lines = [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/v1"), ("X-API-KEY", &value)];
    assert_eq!(identity(&world.ask("GET /auth/traefik/stt", &lines, ""))[3], "unverified");
}

#[test]
fn what_is_unverified_can_be_refused() {
    let world = World::new(REFUSED, &[]);
    assert_eq!(identity(&ask(&world, "hello", "hello", &[]))[3], "verified");
    assert_eq!(ask(&world, "hello", "hello", &[PARTLY]).status, 401);
    assert_eq!(ask(&world, "hello", "hel", &[PARTLY]).status, 401);
}

#[test]
fn a_body_that_is_not_covered_is_said_to_be_so() {
    let world = World::new(FORWARDED, &[]);
    let issuer = world.issuer("hmac1").uncovered_body();
    let request = keyscheme::Request::new("POST", "/v1").body("hello");
    let value = issuer.issue(&request).unwrap();
    let answer = world.ask("POST /auth/envoy/stt/v1", &[("X-API-KEY", &value)], "anything");
    assert_eq!((answer.status, identity(&answer)[3]), (200, "uncovered"));
    assert_eq!(answer.one("x-auth-content-sha256"), "");
}
