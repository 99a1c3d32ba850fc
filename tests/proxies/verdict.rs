//! What the client and the application may see of a call, and what not.

use serde_json::Value;

use crate::{
    calls::Call,
    cases::{Case, Expect, FORGED, IDENTITY, digest},
    wire::Answer,
};

/// What is wrong with an answer, after so many calls of the application by a proxy that announces ends or
/// does not.
pub fn problem(
    case: &Case,
    expect: &Expect,
    answer: &Answer,
    calls: u64,
    announces: bool,
) -> Option<String> {
    // Nobody learns why, and an answer names no identity.
    for (name, value) in &answer.headers {
        if name == "x-auth-reason" || name.starts_with("x-auth-") && !value.is_empty() {
            return Some(format!("{name} reaches the client"));
        }
    }
    let passes = matches!(expect, Expect::Accepted { .. });
    if calls != u64::from(passes) {
        return Some(format!("the application was called {calls} times"));
    }
    match *expect {
        Expect::Accepted { identity, covered } => {
            if answer.status != 200 {
                return Some("not accepted".to_owned());
            }
            let closing = announces && ["ecb0", "cbc1"].contains(&identity[1]);
            let told = ["deprecation", "sunset"].map(|name| answer.header(name).is_some());
            if told != [closing; 2] {
                return Some(format!("whether its scheme has an end is told wrongly: {told:?}"));
            }
            if case.call.method == "HEAD" {
                return None;
            }
            seen(&answer.json(), &case.call, identity, covered)
        }
        Expect::Refused(detail) => refused(answer, detail),
        Expect::Status(status) => (answer.status != status).then(|| format!("not {status}")),
    }
}

/// What is wrong with what the application saw.
fn seen(seen: &Value, call: &Call, identity: [&str; 4], covered: Option<&[u8]>) -> Option<String> {
    let covered = covered.map(digest).unwrap_or_default();
    let [client, scheme, key_id, body] = identity;
    let values = [client, scheme, key_id, body, &covered];
    let lines: Vec<(&str, &str)> = seen["headers"].as_array()?.iter().map(pair).collect();
    for (name, value) in IDENTITY.iter().zip(values) {
        let name = name.to_lowercase();
        let found: Vec<&str> =
            lines.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value).collect();
        // Proxies leave out an empty one, or send it.
        if found != [value] && !(value.is_empty() && found.is_empty()) {
            return Some(format!("{name} should be {value:?}: {found:?}"));
        }
    }
    for (name, value) in &lines {
        let folded = name.replace('_', "-");
        let is_ours = IDENTITY.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        let like_ours = IDENTITY.iter().any(|ours| ours.eq_ignore_ascii_case(&folded));
        if like_ours && (!is_ours || value.contains(FORGED)) {
            return Some(format!("{name}: {value} was let through"));
        }
        if folded == "x-api-key" {
            return Some("the application sees the credential".to_owned());
        }
    }
    let target = call.target.strip_prefix("http://example.com").unwrap_or(&call.target);
    // uvicorn does not tell an empty query from none.
    let target = target.strip_suffix('?').unwrap_or(target);
    let expected = (call.method.as_str(), target, digest(&call.body));
    let found = ["method", "target", "sha256"].map(|name| seen[name].as_str().unwrap_or(""));
    (found != [expected.0, expected.1, &expected.2]).then(|| format!("{found:?}, not {expected:?}"))
}

fn pair(line: &Value) -> (&str, &str) {
    (line[0].as_str().unwrap_or(""), line[1].as_str().unwrap_or(""))
}

/// What is wrong with a refusal; with either text where `detail` is empty.
fn refused(answer: &Answer, detail: &str) -> Option<String> {
    if answer.status != 401 {
        return Some("not refused".to_owned());
    }
    let kind = answer.header("content-type");
    if kind != Some("application/problem+json") {
        return Some(format!("Content-Type: {kind:?}"));
    }
    let challenge = answer.header("www-authenticate").unwrap_or("");
    if !challenge.starts_with("ApiKey realm=\"stt\"") {
        return Some(format!("WWW-Authenticate: {challenge:?}"));
    }
    let problem = answer.json();
    let found = problem["detail"].as_str().unwrap_or("");
    let expected = ["Invalid API Key", "Missing API Key"].contains(&found)
        && (detail.is_empty() || detail == found);
    let rest = serde_json::json!({"title": "Unauthorized", "status": 401, "detail": found});
    (!expected || problem != rest).then(|| format!("{problem}"))
}
