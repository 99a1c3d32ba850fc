//! The table `[serve]`: what the forward-auth server is told.

use std::path::Path;

use super::{
    fetch::Fetcher,
    listen::Listen,
    secret::{DescribedSecret, KnownSource, secret},
    walk::{Found, Table},
};
use crate::{
    builder::ServiceConfig,
    ct,
    encoding::Encoding,
    error::path_part,
    material::{Field, Lengths, Material, Reuse},
    registry::nearest,
    secret::Secret,
    wire::Presented,
};

/// What a configuration says of the forward-auth server, `keyscheme serve`.
#[derive(Clone, Debug, Default)]
pub struct ServeConfig {
    listen: Option<Listen>,
    proxy_token: Option<Secret>,
    endpoints: Vec<(String, EndpointConfig)>,
}

impl ServeConfig {
    /// Where to listen.
    pub fn listen(&self) -> Option<&Listen> {
        self.listen.as_ref()
    }

    /// Whether proxies must show a token to be believed. Without one the server must not be
    /// [reached from elsewhere](Listen::is_local).
    pub fn has_proxy_token(&self) -> bool {
        self.proxy_token.is_some()
    }

    /// The token itself, for who asks such a server.
    pub fn proxy_token(&self) -> Option<&Secret> {
        self.proxy_token.as_ref()
    }

    /// Whether a proxy that has shown this as its token is one of ours. Without a token all are.
    pub fn knows_proxy(&self, shown: Presented<'_>) -> bool {
        match (&self.proxy_token, shown) {
            (None, _) => true,
            (Some(token), Presented::One(shown)) => ct::eq(token.expose(), shown),
            (Some(_), _) => false,
        }
    }

    /// What is known of an endpoint, such as `envoy/stt`.
    pub fn endpoint(&self, dialect: &str, service: &str) -> EndpointConfig {
        let is_it = |name: &str| name.split_once('/') == Some((dialect, service));
        let found = self.endpoints.iter().find(|(name, _)| is_it(name));
        found.map(|(_, endpoint)| *endpoint).unwrap_or_default()
    }
}

/// What is known of the requests that a proxy sends to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Whether the proxy forwards bodies. Otherwise no body is ever compared, not even one that is
    /// said to be empty.
    pub forwards_bodies: bool,
    /// Whether a request is refused whose body is covered, but did not come whole.
    pub refuses_unverified: bool,
}

/// The table, and the secret that it names.
#[derive(Debug, Default)]
pub(super) struct DescribedServe {
    config: ServeConfig,
    pub(super) token: Option<DescribedSecret>,
}

impl DescribedServe {
    /// What proxies must show, and everything else that the server is told.
    pub(super) async fn open(
        self,
        directory: &Path,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> ServeConfig {
        let Self { mut config, token } = self;
        if let Some(Listen::Unix(path)) = &mut config.listen {
            *path = directory.join(&*path);
        }
        let Some(described) = token else { return config };
        let Some(secret) = fetcher.fetch(&described, found).await else { return config };
        let visible = secret.expose().iter().all(u8::is_ascii_graphic);
        if !visible {
            let remedy = "a header carries it: use letters, digits and signs only";
            found.wrong(&described.path, "holds other bytes than visible ASCII", remedy);
        }
        let material = Material::new().with(described.field.name, secret.clone());
        if let Err(error) = material.get(described.field) {
            found.wrong(&described.path, error.problem, &error.remedy);
        }
        config.proxy_token = Some(secret);
        config
    }
}

pub(super) fn read(
    mut table: Table<'_>,
    services: &[ServiceConfig],
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedServe {
    let mut serve = DescribedServe::default();
    let has_token = table.has(PROXY_TOKEN.name);
    if let Some(text) = table.text("listen", found) {
        let path = table.path_of("listen");
        match text.parse::<Listen>() {
            Ok(listen) if !listen.is_local() && !has_token => {
                let problem = format!("others could reach {text}, and ask in the name of a proxy");
                found.wrong(&path, problem, "set serve.proxy-token, or listen on 127.0.0.1");
            }
            Ok(listen) => serve.config.listen = Some(listen),
            Err(remedy) => {
                found.wrong(&path, format!("{text:?} is no address"), &remedy.to_string());
            }
        }
    }
    if has_token {
        let path = table.path_of(PROXY_TOKEN.name);
        serve.token = secret(&mut table, path, &PROXY_TOKEN, sources, found);
    }
    if let Some(mut endpoints) = table.table("endpoint", found) {
        for name in endpoints.names().collect::<Vec<_>>() {
            let path = format!("{}.{}", endpoints.path, path_part(name));
            known_endpoint(name, &path, services, found);
            if let Some(table) = endpoints.table(name, found) {
                serve.config.endpoints.push((name.to_owned(), endpoint(name, table, found)));
            }
        }
    }
    table.finish(found, &[]);
    serve
}

fn known_endpoint(name: &str, path: &str, services: &[ServiceConfig], found: &mut Found) {
    let Some((dialect, service)) = name.split_once('/') else {
        let remedy = "write a dialect and a service, such as \"envoy/stt\"";
        found.wrong(path, "is no endpoint", remedy);
        return;
    };
    if !DIALECTS.contains(&dialect) {
        let problem = format!("{dialect:?} is no dialect");
        found.wrong(path, problem, &format!("use one of {}", DIALECTS.join(", ")));
    }
    if !services.iter().any(|known| known.name == service) {
        let problem = format!("there is no service {service:?}");
        let remedy = match nearest(service, services.iter().map(|known| known.name.as_str())) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "name a service of this file".to_owned(),
        };
        found.wrong(path, problem, &remedy);
    }
}

fn endpoint(name: &str, mut table: Table<'_>, found: &mut Found) -> EndpointConfig {
    let mut endpoint = EndpointConfig::default();
    let never = NEVER_FORWARD.iter().any(|dialect| name.split('/').next() == Some(dialect));
    match table.text("body", found) {
        None | Some("never") => {}
        Some("forwarded") if never => {
            let remedy = "leave it out: this proxy never forwards bodies";
            found.wrong(&table.path_of("body"), "\"forwarded\"", remedy);
        }
        Some("forwarded") => endpoint.forwards_bodies = true,
        Some(other) => {
            let remedy = "write \"never\" or \"forwarded\"";
            found.wrong(&table.path_of("body"), format!("{other:?}"), remedy);
        }
    }
    match table.text("unverified-body", found) {
        None | Some("pass-on") => {}
        Some("refuse") if !endpoint.forwards_bodies => {
            let problem = "\"refuse\" where bodies are not forwarded would refuse every one";
            let remedy = "say body = \"forwarded\", or leave it out and let the service compare \
                          X-Auth-Content-SHA256";
            found.wrong(&table.path_of("unverified-body"), problem, remedy);
        }
        Some("refuse") => endpoint.refuses_unverified = true,
        Some(other) => {
            let remedy = "write \"pass-on\" or \"refuse\"";
            found.wrong(&table.path_of("unverified-body"), format!("{other:?}"), remedy);
        }
    }
    table.finish(found, &[]);
    endpoint
}

/// How proxies ask, each in a way of its own.
const DIALECTS: [&str; 5] = ["caddy", "envoy", "grpc", "nginx", "traefik"];
/// Those that cannot send a body along.
const NEVER_FORWARD: [&str; 2] = ["caddy", "nginx"];

const PROXY_TOKEN: Field = Field {
    name: "proxy-token",
    encoding: Encoding::Utf8,
    lengths: Lengths::Between(16, 256),
    reuse: Reuse::Never,
};
