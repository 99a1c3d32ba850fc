//! Services: everything that can be wrong with them, and the rules that they become.

use std::collections::{HashMap, HashSet};

use super::{AcceptConfig, KeyConfig, ServiceConfig};
use crate::{
    error::{Mistake, path_part},
    id::{ClientName, ServiceName},
    policy::{Accept, DEFAULT_MAX_AGE, Fence, MAX_MAX_AGE, MaxAge, Service},
    registry::{Registry, nearest, unknown_scheme},
    scheme::{Facts, SingleUse},
};

/// The services, as far as they are sound.
pub(super) fn services(
    registry: &Registry,
    described: &[ServiceConfig],
    keys: &[(String, KeyConfig)],
    mistakes: &mut Vec<Mistake>,
) -> HashMap<ServiceName, Service> {
    let clients: HashSet<&str> = keys.iter().map(|(client, _)| client.as_str()).collect();
    let mut services = HashMap::new();
    if described.is_empty() {
        let remedy = "add a table such as [service.stt]";
        mistakes.push(Mistake::new("service", "there is none", remedy));
    }
    for config in described {
        let path = format!("service.{}", path_part(&config.name));
        let name = ServiceName::new(&config.name).map_err(|error| {
            mistakes.push(Mistake::new(&path, "is no name", error.to_string()));
        });
        if !is_header_name(&config.header) {
            let problem = format!("{:?} is no header name", config.header);
            let remedy = "use a token without _, such as x-api-key";
            mistakes.push(Mistake::new(format!("{path}.header"), problem, remedy));
        } else if OF_OTHERS.iter().any(|other| config.header.eq_ignore_ascii_case(other)) {
            let problem = format!("{:?} means something else", config.header);
            let remedy = "name one that neither HTTP nor a proxy uses, such as x-api-key";
            mistakes.push(Mistake::new(format!("{path}.header"), problem, remedy));
        }
        let accept = accept(registry, config, &clients, &path, mistakes);
        let issue = registry.find(&config.issue).map(|(scheme, _)| scheme);
        let accepted = issue.is_some_and(|scheme| matches!(accept.get(scheme), Some(Some(_))));
        let all_known = config.accept.iter().all(|entry| registry.find(&entry.scheme).is_some());
        if config.issue.is_empty() {
            let remedy = "name the accepted scheme that clients should send";
            mistakes.push(Mistake::new(format!("{path}.issue"), "is missing", remedy));
        } else if issue.is_none() {
            mistakes.push(unknown_scheme(format!("{path}.issue"), &config.issue, registry));
        } else if !accepted && !config.accept.is_empty() && all_known {
            let problem = format!("{:?} is not accepted", config.issue);
            let remedy = "name an accepted scheme, or accept this one";
            mistakes.push(Mistake::new(format!("{path}.issue"), problem, remedy));
        }
        let (Ok(name), Some(issue)) = (name, issue) else { continue };
        let header = config.header.to_ascii_lowercase();
        if services.insert(name, Service { name, header, issue, accept }).is_some() {
            mistakes.push(Mistake::new(path, "is described twice", "describe it once"));
        }
    }
    services
}

/// The accept entries of a service by scheme, as far as they are sound.
fn accept(
    registry: &Registry,
    config: &ServiceConfig,
    clients: &HashSet<&str>,
    path: &str,
    mistakes: &mut Vec<Mistake>,
) -> Box<[Option<Accept>]> {
    let mut accept: Vec<Option<Accept>> = registry.schemes.iter().map(|_| None).collect();
    if config.accept.is_empty() {
        let remedy = "list the schemes that it accepts, for example [\"hmac1\"]";
        mistakes.push(Mistake::new(format!("{path}.accept"), "accepts nothing", remedy));
    }
    let wanted = registry.find(&config.issue).map(|(_, facts)| facts);
    for (i, entry) in config.accept.iter().enumerate() {
        let path = format!("{path}.accept[{i}]");
        let Some((scheme, facts)) = registry.find(&entry.scheme) else {
            let path = if entry.scheme.is_empty() { format!("{path}.scheme") } else { path };
            mistakes.push(unknown_scheme(path, &entry.scheme, registry));
            continue;
        };
        mistakes.extend(accept_mistakes(entry, facts, clients, &path));
        let weaker = wanted.filter(|wanted| {
            wanted.id != facts.id && (entry.until.is_some() || facts.is_weaker_than(wanted))
        });
        let names = entry.clients.iter().flatten().filter_map(|name| ClientName::new(name).ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        let Some(place) = accept.get_mut(scheme) else { continue };
        let twice = place.replace(Accept {
            until: entry.until,
            clients: entry.clients.as_ref().map(|_| names.into()),
            max_age: entry.max_age.unwrap_or(DEFAULT_MAX_AGE),
            once: entry.once,
            uncovered_body: entry.danger_uncovered_body,
            fence: Fence::default(),
            upgrade: weaker.map(|wanted| wanted.id),
        });
        if twice.is_some() {
            let problem = format!("accepts {:?} a second time", entry.scheme);
            mistakes.push(Mistake::new(path, problem, "keep one entry per scheme"));
        }
    }
    accept.into()
}

/// What is wrong with the conditions of one entry.
fn accept_mistakes(
    entry: &AcceptConfig,
    facts: &Facts,
    clients: &HashSet<&str>,
    path: &str,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut wrong = |field: &str, problem: String, remedy: &str| {
        mistakes.push(Mistake::new(format!("{path}.{field}"), problem, remedy));
    };
    let id = facts.id;
    let unlimited = entry.max_age == Some(MaxAge::Unlimited);
    if entry.until.is_none() && !(facts.authentic && facts.fresh && !unlimited) {
        let why = match (facts.authentic, unlimited) {
            (false, _) => format!("is missing, and {id} is not authentic"),
            (_, true) => format!("is missing, and {id} with unlimited max-age is not fresh"),
            _ => format!("is missing, and {id} is not fresh"),
        };
        wrong("until", why, "say until when, for example until = 2027-06-30T00:00:00Z");
    }
    match entry.max_age {
        Some(_) if !facts.fresh => {
            wrong("max-age", format!("{id} does not say when it was issued"), "leave it out");
        }
        Some(MaxAge::Unlimited) if facts.single_use == SingleUse::Always => {
            let problem =
                format!("unlimited, but every {id} credential must be remembered so long");
            wrong("max-age", problem, "give 1s to 24h");
        }
        Some(MaxAge::Unlimited) if entry.once => {
            let problem = "unlimited, but with once credentials must be remembered so long";
            wrong("max-age", problem.to_owned(), "give 1s to 24h, or leave once out");
        }
        Some(MaxAge::Seconds(s)) if !(1..=MAX_MAX_AGE).contains(&s) => {
            wrong("max-age", format!("is {s} seconds"), "give 1s to 24h");
        }
        _ => {}
    }
    if entry.once && facts.single_use == SingleUse::Never {
        let problem = format!("no use of {id} can be told from the next");
        wrong("once", problem, "leave it out");
    }
    if entry.danger_uncovered_body && !facts.binds.body {
        let problem = format!("{id} never covers a body");
        wrong("danger-uncovered-body", problem, "leave it out");
    }
    if entry.clients.as_ref().is_some_and(Vec::is_empty) {
        wrong("clients", "is empty".to_owned(), "name a client, or leave it out to accept all");
    }
    for (i, client) in entry.clients.iter().flatten().enumerate() {
        if !clients.contains(client.as_str()) {
            let problem = format!("{client:?} has no key");
            let remedy = match nearest(client, clients.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "name a client that has one".to_owned(),
            };
            wrong(&format!("clients[{i}]"), problem, &remedy);
        }
    }
    mistakes
}

/// RFC 9110 section 5.1, without the `_` that some servers read as a `-`.
fn is_header_name(name: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&b);
    !name.is_empty() && name.bytes().all(tchar)
}

/// What HTTP uses (RFC 9110, RFC 9112), what proxies ask `keyscheme serve` by, and what it answers.
const OF_OTHERS: [&str; 20] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-auth-body",
    "x-auth-client",
    "x-auth-content-sha256",
    "x-auth-key-id",
    "x-auth-scheme",
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-uri",
    "x-proxy-token",
];
