//! Envoy's question over gRPC, with messages of our own.

use std::collections::HashMap;

use tonic::{Status, client::Grpc, metadata::MetadataMap, transport::Channel};

use crate::world::{CLIENT, SCHEMES, World};

#[derive(Clone, PartialEq, prost::Message)]
struct Check {
    #[prost(message, optional, tag = "1")]
    attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Attributes {
    #[prost(message, optional, tag = "4")]
    request: Option<Request>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(message, optional, tag = "2")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Http {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "11")]
    body: String,
    #[prost(bytes = "vec", tag = "12")]
    raw_body: Vec<u8>,
    #[prost(message, optional, tag = "13")]
    header_map: Option<Lines>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Lines {
    #[prost(message, repeated, tag = "1")]
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    ok: Option<Ok>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Code {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<SetHeader>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ok {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<SetHeader>,
    #[prost(message, repeated, tag = "6")]
    to_the_client: Vec<SetHeader>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetHeader {
    #[prost(message, optional, tag = "1")]
    header: Option<Line>,
    #[prost(int32, tag = "3")]
    append_action: i32,
    #[prost(bool, tag = "4")]
    keep_empty_value: bool,
}

type Metadata<'a> = &'a [(&'static str, &'static str)];

fn check(world: &World, metadata: Metadata<'_>, http: Http) -> Result<Response, Status> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let address = format!("http://{}", world.address);
        let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
        let request = Some(Request { http: Some(http) });
        let message = Check { attributes: Some(Attributes { request }) };
        let mut call = tonic::Request::new(message);
        for (name, value) in metadata {
            let map: &mut MetadataMap = call.metadata_mut();
            map.append(*name, value.parse().unwrap());
        }
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<Check, Response>::default();
        let path = "/envoy.service.auth.v3.Authorization/Check".parse().unwrap();
        grpc.unary(call, path, codec).await.map(tonic::Response::into_inner)
    })
}

const STT: Metadata<'static> = &[("x-keyscheme-service", "stt")];

/// With the headers joined, or each line by itself.
fn http(raw: bool, target: &str, lines: &[(&str, &str)]) -> Http {
    let mut http = Http { method: "POST".to_owned(), path: target.to_owned(), ..Http::default() };
    if raw {
        let line = |(key, value): &(&str, &str)| Line {
            key: (*key).to_owned(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        };
        let mut lines: Vec<_> = lines.iter().map(line).collect();
        lines.push(line(&(":path", "/elsewhere")));
        http.header_map = Some(Lines { lines });
    } else {
        for (name, value) in lines {
            let joined = http.headers.entry((*name).to_owned()).or_default();
            let comma = if joined.is_empty() { "" } else { "," };
            joined.push_str(&format!("{comma}{value}"));
        }
    }
    http
}

fn denied(response: &Response) -> (i32, &str) {
    assert!(response.ok.is_none() && response.status.as_ref().unwrap().code != 0, "{response:?}");
    let denied = response.denied.as_ref().unwrap();
    (denied.status.as_ref().unwrap().code, &denied.body)
}

#[test]
fn every_scheme_is_accepted_and_everything_is_said_of_the_caller() {
    let world = World::new("", &[]);
    for raw in [false, true] {
        for scheme in SCHEMES {
            let target = "/v1?a=%EA%B0%80";
            let value = world.credential(scheme, "POST", target, "");
            let ask = http(raw, target, &[("x-api-key", &value), ("x-auth-client", "root")]);
            let response = check(&world, STT, ask.clone()).unwrap();
            assert_eq!(response.status.unwrap().code, 0);
            let set = response.ok.unwrap();
            assert_eq!(set.headers.len(), 5);
            for header in &set.headers {
                // Written over what the client sent, also where nothing is to be said.
                assert_eq!((header.append_action, header.keep_empty_value), (2, true));
            }
            let said: HashMap<_, _> = set
                .headers
                .into_iter()
                .map(|header| header.header.unwrap())
                .map(|line| (line.key, line.value))
                .collect();
            assert_eq!(said["x-auth-client"], CLIENT);
            assert_eq!(said["x-auth-scheme"], scheme);
            let dated = ["ecb0", "cbc1"].contains(&scheme);
            assert_eq!(set.to_the_client.len(), if dated { 2 } else { 0 });
            let again = check(&world, STT, ask).unwrap();
            assert_eq!(again.denied.is_some(), scheme == "hmac1");
        }
    }
}

#[test]
fn what_is_refused_is_one_answer() {
    let world = World::new("", &[]);
    let value = world.credential("ecb0", "POST", "/", "");
    let good = ("x-api-key", value.as_str());
    let invalid = (401, r#"{"title":"Unauthorized","status":401,"detail":"Invalid API Key"}"#);
    for raw in [false, true] {
        for lines in [
            vec![good, good],
            vec![good, ("x-api-key", "AAAA")],
            vec![("x-api-key", "AAAA")],
            vec![good, ("x_api_key", &value)],
            vec![good, ("x_auth_client", "root")],
            vec![good, ("connection", "x-api-key")],
            vec![good, ("not a name", "x")],
        ] {
            let response = check(&world, STT, http(raw, "/", &lines)).unwrap();
            assert_eq!(denied(&response), invalid, "{raw} {lines:?}");
            let headers = &response.denied.as_ref().unwrap().headers;
            let names: Vec<_> =
                headers.iter().map(|h| h.header.as_ref().unwrap().key.as_str()).collect();
            assert_eq!(names, ["content-type", "www-authenticate"]);
        }
        let response = check(&world, STT, http(raw, "/", &[])).unwrap();
        assert!(denied(&response).1.contains("Missing API Key"));
    }
}

/// More than any proxy sends, and than a map of headers holds.
#[test]
fn more_headers_than_there_can_be_are_refused() {
    let world = World::new("", &[]);
    let value = world.credential("ecb0", "POST", "/", "");
    let names: Vec<_> = (0..40_000).map(|number| format!("h{number:x}")).collect();
    let lines = names.iter().map(|name| (name.as_str(), ""));
    let lines: Vec<_> = [("x-api-key", value.as_str())].into_iter().chain(lines).collect();
    for raw in [false, true] {
        let response = check(&world, STT, http(raw, "/", &lines)).unwrap();
        assert_eq!(denied(&response).0, 401, "{raw}");
    }
}

#[test]
fn the_service_is_named_by_the_proxy_alone() {
    let world = World::new("", &[]);
    let value = world.credential("ecb0", "POST", "/", "");
    let lines = [("x-api-key", value.as_str()), ("x-keyscheme-service", "stt")];
    for metadata in [&[][..], &[("x-keyscheme-service", "other")], &[("x-keyscheme-service", "")]] {
        let response = check(&world, metadata, http(true, "/", &lines)).unwrap();
        assert_eq!(denied(&response).0, 403, "{metadata:?}");
    }
    let twice = [("x-keyscheme-service", "stt"), ("x-keyscheme-service", "other")];
    let response = check(&world, &twice, http(true, "/", &lines)).unwrap();
    assert_eq!(denied(&response).0, 403);
}

#[test]
fn the_token_is_metadata() {
    let world = World::new("[serve]\nproxy-token = { file = \"token\" }\n", &[]);
    let value = world.credential("ecb0", "POST", "/", "");
    let token = ("x-proxy-token", "a-token-that-proxies-show");
    let lines = [("x-api-key", value.as_str()), token];
    let response = check(&world, STT, http(true, "/", &lines)).unwrap();
    assert_eq!(denied(&response).0, 403);
    // And of a stranger no body is read.
    let mut long = http(true, "/", &lines);
    long.raw_body = vec![0; 1024 * 1024];
    assert_eq!(check(&world, STT, long.clone()).unwrap_err().code(), tonic::Code::OutOfRange);
    let metadata = [STT[0], token];
    assert!(check(&world, &metadata, long).unwrap().ok.is_some());
    assert!(check(&world, &metadata, http(true, "/", &lines)).unwrap().ok.is_some());
}

#[test]
fn bodies_are_compared_where_they_are_sent() {
    let world = World::new("[serve.endpoint.\"grpc/stt\"]\nbody = \"forwarded\"\n", &[]);
    for (covered, sent, partly, state) in [
        ("hello", "hello", false, Some("verified")),
        ("", "", false, Some("empty")),
        ("hello", "hellO", false, None),
        ("hello", "", false, None),
        ("hello", "hel", true, Some("unverified")),
    ] {
        for raw in [false, true] {
            let value = world.credential("hmac1", "POST", "/", covered);
            let mut lines = vec![("x-api-key", value.as_str())];
            if partly {
                lines.push(("x-envoy-auth-partial-body", "true"));
            }
            let mut ask = http(raw, "/", &lines);
            if raw {
                ask.raw_body = sent.as_bytes().to_vec();
            } else {
                ask.body = sent.to_owned();
            }
            let response = check(&world, STT, ask).unwrap();
            let said = response.ok.map(|ok| {
                let lines = ok.headers.into_iter().map(|header| header.header.unwrap());
                lines.filter(|line| line.key == "x-auth-body").map(|line| line.value).collect()
            });
            assert_eq!(said, state.map(|state| vec![state.to_owned()]), "{covered} {sent}");
        }
    }
}
