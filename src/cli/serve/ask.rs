//! What a proxy asks. Each has its own way to say which request it is about, and each has exactly one:
//! what a client writes into the headers of another dialect is not looked at.

use hyper::{HeaderMap, Method, StatusCode, Uri};

/// How a proxy asks, and what it can be told.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) name: &'static str,
    /// The headers that hold method and target; `None` where they are those of the question itself.
    source: Option<[&'static str; 2]>,
    /// What says that we could not decide. nginx makes 500 of everything but 401 and 403, and Envoy can
    /// be told to let a request pass on a 5xx.
    pub(super) unavailable: StatusCode,
    /// Whether it reads what comes with a denial. nginx does not, and would close the connection.
    pub(super) reads_denials: bool,
}

impl Dialect {
    /// The dialect of an endpoint below `/auth/`.
    fn named(name: &str) -> Option<&'static Self> {
        [&CADDY, &ENVOY, &NGINX, &TRAEFIK].into_iter().find(|dialect| dialect.name == name)
    }
}

static CADDY: Dialect = Dialect {
    name: "caddy",
    source: Some(["x-forwarded-method", "x-forwarded-uri"]),
    unavailable: StatusCode::SERVICE_UNAVAILABLE,
    reads_denials: true,
};
static ENVOY: Dialect = Dialect {
    name: "envoy",
    source: None,
    unavailable: StatusCode::FORBIDDEN,
    reads_denials: true,
};
pub(super) static GRPC: Dialect =
    Dialect { name: "grpc", source: None, unavailable: StatusCode::FORBIDDEN, reads_denials: true };
static NGINX: Dialect = Dialect {
    name: "nginx",
    source: Some(["x-original-method", "x-original-uri"]),
    unavailable: StatusCode::FORBIDDEN,
    reads_denials: false,
};
static TRAEFIK: Dialect = Dialect {
    name: "traefik",
    source: Some(["x-forwarded-method", "x-forwarded-uri"]),
    unavailable: StatusCode::SERVICE_UNAVAILABLE,
    reads_denials: true,
};

/// What every answer says of the caller, and what no caller may say itself.
pub(super) const IDENTITY: [&str; 5] =
    ["x-auth-client", "x-auth-scheme", "x-auth-key-id", "x-auth-body", "x-auth-content-sha256"];

/// May this request pass?
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) dialect: &'static Dialect,
    pub(super) service: &'a str,
    pub(super) subject: Subject<'a>,
    pub(super) headers: &'a HeaderMap,
    pub(super) peer: &'a str,
}

/// The request that is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// It cannot be told for certain, or what reads it later may read something else.
    Ambiguous,
    /// The proxy does not send this header.
    Missing(&'static str),
    One {
        method: &'a [u8],
        target: &'a [u8],
    },
}

impl<'a> Ask<'a> {
    /// What is asked at an endpoint; `None` where there is none.
    pub(super) fn at_endpoint(
        method: &'a Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        peer: &'a str,
    ) -> Option<Self> {
        let whole = uri.path_and_query()?.as_str();
        let (name, rest) = whole.strip_prefix("/auth/")?.split_once('/')?;
        let dialect = Dialect::named(name)?;
        let end = match dialect.source {
            // Byte for byte: nothing is resolved or normalised, and a `/` follows.
            None => rest.find('/')?,
            Some(_) => rest.find('?').unwrap_or(rest.len()),
        };
        let (service, target) = rest.split_at_checked(end)?;
        let subject = match dialect.source {
            None => Subject::One { method: method.as_str().as_bytes(), target: target.as_bytes() },
            Some(names) => from_headers(names, headers),
        };
        let disputed = disputed(headers, dialect.source.iter().flatten().chain(&IDENTITY));
        let subject = if disputed { Subject::Ambiguous } else { subject };
        Some(Self { dialect, service, subject, headers, peer })
    }
}

/// Whether a proxy says that it has sent a part of the body only.
pub(super) fn is_partial(headers: &HeaderMap) -> bool {
    headers.get_all(PARTIAL).iter().any(|value| value == "true")
}

fn from_headers<'a>([method, target]: [&'static str; 2], headers: &'a HeaderMap) -> Subject<'a> {
    let one = |name: &'static str| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Err(Subject::Missing(name)),
            (Some(value), None) => Ok(value.as_bytes()),
            (Some(_), Some(_)) => Err(Subject::Ambiguous),
        }
    };
    match (one(method), one(target)) {
        (Ok(method), Ok(target)) => Subject::One { method, target },
        (Err(wrong), _) | (_, Err(wrong)) => wrong,
    }
}

/// Whether a request has a header that becomes one of these when `_` is read as `-`, as many services
/// do, or a `Connection` header that lists one of them, so that a proxy would take it away.
pub(super) fn disputed<'n>(
    headers: &HeaderMap,
    names: impl Iterator<Item = &'n &'static str> + Clone,
) -> bool {
    headers.iter().any(|(header, value)| {
        let header = header.as_str();
        if header.contains('_') {
            let folded = header.replace('_', "-");
            return names.clone().any(|name| *name == folded);
        }
        let lists = |name: &str| {
            let mut members = value.as_bytes().split(|b| *b == b',');
            members.any(|member| member.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        header == "connection" && names.clone().any(|name| lists(name))
    })
}

/// What Envoy says of a body that it has sent a part of. A client that says so itself has its body
/// reported as unverified, which is no more than the truth.
const PARTIAL: &str = "x-envoy-auth-partial-body";

#[cfg(test)]
mod tests {
    use keyscheme::{ServiceConfig, Verifier};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn ask(uri: &str, lines: &[(&'static str, &'static str)]) -> Option<(String, String)> {
        let (uri, headers) = (uri.parse().unwrap(), headers(lines));
        let ask = Ask::at_endpoint(&Method::POST, &uri, &headers, "")?;
        let subject = match ask.subject {
            Subject::Ambiguous => "ambiguous".to_owned(),
            Subject::Missing(name) => format!("no {name}"),
            Subject::One { method, target } => {
                format!("{} {}", method.escape_ascii(), target.escape_ascii())
            }
        };
        Some((format!("{}/{}", ask.dialect.name, ask.service), subject))
    }

    fn subject(uri: &str, lines: &[(&'static str, &'static str)]) -> String {
        ask(uri, lines).unwrap().1
    }

    #[test]
    fn each_dialect_has_one_source() {
        let all = [
            ("x-original-method", "GET"),
            ("x-original-uri", "/nginx?a"),
            ("x-forwarded-method", "PUT"),
            ("x-forwarded-uri", "/forwarded?b"),
            ("x-envoy-original-path", "/envoy"),
        ];
        for (uri, endpoint, expected) in [
            ("/auth/nginx/stt", "nginx/stt", "GET /nginx?a"),
            ("/auth/caddy/stt?x=y", "caddy/stt", "PUT /forwarded?b"),
            ("/auth/traefik/a.b", "traefik/a.b", "PUT /forwarded?b"),
            ("/auth/envoy/stt/v1?c", "envoy/stt", "POST /v1?c"),
        ] {
            assert_eq!(ask(uri, &all), Some((endpoint.to_owned(), expected.to_owned())), "{uri}");
        }
    }

    #[test]
    fn a_source_that_is_not_there_or_there_twice_is_no_source() {
        let (method, target) = (("x-original-method", "GET"), ("x-original-uri", "/"));
        assert_eq!(subject("/auth/nginx/stt", &[method]), "no x-original-uri");
        assert_eq!(subject("/auth/nginx/stt", &[target]), "no x-original-method");
        assert_eq!(subject("/auth/nginx/stt", &[method, target, target]), "ambiguous");
        assert_eq!(subject("/auth/caddy/stt", &[method, target]), "no x-forwarded-method");
    }

    #[test]
    fn the_prefix_is_taken_off_byte_for_byte() {
        for (uri, target) in [
            ("/auth/envoy/stt/", "/"),
            ("/auth/envoy/stt//a", "//a"),
            ("/auth/envoy/stt/../other/x", "/../other/x"),
            ("/auth/envoy/stt/%2F?", "/%2F?"),
            ("/auth/envoy/stt/?a=/b", "/?a=/b"),
        ] {
            assert_eq!(subject(uri, &[]), format!("POST {target}"), "{uri}");
        }
        for uri in
            ["/auth/envoy/stt", "/auth/envoy/stt?/", "/auth/other/stt", "/auth", "/", "/auth/"]
        {
            let found = ask(uri, &[]);
            assert!(
                found.as_ref().is_none_or(|(endpoint, _)| endpoint == "envoy/stt?"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_a_service_may_read_as_ours_is_ambiguous() {
        let source = [("x-original-method", "GET"), ("x-original-uri", "/")];
        for line in [
            ("x_auth_client", "root"),
            ("x-auth_client", "root"),
            ("x_original_uri", "/other"),
            ("connection", "X-Auth-Client"),
            ("connection", "close, x-original-uri"),
        ] {
            let lines = [source[0], source[1], line];
            assert_eq!(subject("/auth/nginx/stt", &lines), "ambiguous", "{line:?}");
        }
        // Java's own client sends these.
        let lines =
            [source[0], source[1], ("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")];
        assert_eq!(subject("/auth/nginx/stt", &lines), "GET /");
    }

    #[test]
    fn no_credential_is_read_from_what_a_proxy_says() {
        let sources = [&CADDY, &ENVOY, &GRPC, &NGINX, &TRAEFIK].into_iter();
        let sources = sources.filter_map(|dialect| dialect.source).flatten();
        for name in sources.chain(IDENTITY).chain(["x-proxy-token"]) {
            let service = ServiceConfig::new("stt").header(name).issue("ecb0").accept("ecb0");
            let error = Verifier::builder().service(service).build().unwrap_err().to_string();
            assert!(error.contains("means something else"), "{name}: {error}");
        }
    }
}
