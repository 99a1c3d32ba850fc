//! AWS Secrets Manager, played by moto.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::{Client, config::Builder, primitives::Blob};
use keyscheme::Loader;

use crate::{
    MARK, alone, base64, configuration, has, load, mistake,
    peers::{Listener, canned, hanging},
    secret,
    server::{Server, free_address},
    support::{python, succeeds},
};

/// What the SDK finds, as it does on a machine of AWS.
const VARIABLES: [(&str, &str); 5] = [
    ("AWS_ACCESS_KEY_ID", "AKIAKEYSCHEMETEST"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2-hunter2-hunter2-hunter2"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/nowhere"),
];

/// The variables without these.
fn without(names: &[&str]) -> Vec<(&'static str, &'static str)> {
    VARIABLES.into_iter().filter(|(name, _)| !names.contains(name)).collect()
}

struct Moto {
    _server: Server,
    listener: Listener,
    client: Client,
}

impl Moto {
    fn is_there() -> bool {
        succeeds("moto", Command::new(python()).args(["-c", "import moto.server, flask_cors"]))
    }

    async fn start() -> Self {
        let address = free_address();
        let port = address.port().to_string();
        let mut command = Command::new(python());
        let mut server = Server::start("moto", command.args(["-m", "moto.server", "-p", &port]));
        server.listening(address);
        // The secrets are put there around the listener, so that it hears only who fetches them.
        let found = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let config = Builder::from(&found).endpoint_url(format!("http://{address}"));
        let client = Client::from_conf(config.build());
        Self { _server: server, listener: Listener::before(address), client }
    }

    async fn create(&self, name: &str, text: &str) {
        self.client.create_secret().name(name).secret_string(text).send().await.unwrap();
    }

    async fn put(&self, name: &str, text: &str, label: Option<&str>) {
        let put = self.client.put_secret_value().secret_id(name).secret_string(text);
        put.set_version_stages(label.map(|label| vec![label.to_owned()])).send().await.unwrap();
    }

    fn table(&self) -> String {
        table(self.listener.address)
    }

    /// How often a secret was asked for since this was called last.
    fn asked(&self) -> usize {
        self.listener.heard().matches("secretsmanager.GetSecretValue").count()
    }
}

fn table(address: SocketAddr) -> String {
    format!("[secrets.aws]\nendpoint = \"http://{address}\"\n")
}

/// A rotation: what is pending becomes current, what was current previous, and no key of the
/// configuration changes its place.
#[test]
fn the_versions_of_a_secret_are_keys_of_their_own() {
    if !Moto::is_there() {
        return;
    }
    alone("aws::the_versions_of_a_secret_are_keys_of_their_own", &VARIABLES, async || {
        let moto = Moto::start().await;
        moto.create("stt", &base64(&secret("one"))).await;
        moto.put("stt", &base64(&secret("two")), None).await;
        moto.put("stt", &base64(&secret("three")), Some("AWSPENDING")).await;
        let text = moto.table()
            + &configuration(&[
                ("k-current", "aws = \"stt\", version = \"current\""),
                ("k-previous", "aws = \"stt\", version = \"previous\""),
                ("k-pending", "aws = \"stt\", version = \"pending\""),
            ]);
        let config = load(Loader::new(), &text).await.unwrap();
        println!("{config:?}");
        for (id, name) in [("k-current", "two"), ("k-previous", "one"), ("k-pending", "three")] {
            assert!(has(&config, id, &secret(name)).await, "{id}");
        }
        assert!(!has(&config, "k-current", &secret("one")).await);
        assert_eq!(moto.asked(), 3);

        moto.put("stt", &base64(&secret("four")), None).await;
        let config = load(Loader::new(), &text).await.unwrap();
        for (id, name) in [("k-current", "four"), ("k-previous", "two"), ("k-pending", "three")] {
            assert!(has(&config, id, &secret(name)).await, "{id}");
        }
    });
}

#[test]
fn a_secret_has_fields_or_is_one_and_is_fetched_once() {
    if !Moto::is_there() {
        return;
    }
    alone("aws::a_secret_has_fields_or_is_one_and_is_fetched_once", &VARIABLES, async || {
        let moto = Moto::start().await;
        let (a, b, n) = (base64(&secret("a")), base64(&secret("b")), secret("n"));
        let table = format!(
            "{{\"hmac\": {a:?}, \"other\": {b:?}, \"n\": 7, \"deep\": {{\"hmac\": {b:?}}},\
             \"text\": {:?}, \"{MARK}\": \"x\"}}",
            String::from_utf8(n.clone()).unwrap()
        );
        moto.create("prod/stt", &table).await;
        moto.create("plain", &a).await;
        let binary = moto.client.create_secret().name("binary");
        binary.secret_binary(Blob::new(secret("binary"))).send().await.unwrap();
        let binary = moto.client.create_secret().name("binary-json");
        binary.secret_binary(Blob::new(table)).send().await.unwrap();
        let text = moto.table()
            + &configuration(&[
                ("k1", "aws = \"prod/stt\", field = \"hmac\""),
                ("k2", "aws = \"prod/stt\", field = \"other\", version = \"current\""),
                ("k3", "aws = \"prod/stt\", field = \"text\", encoding = \"utf8\""),
                ("k4", "aws = \"binary\""),
            ]);
        let config = load(Loader::new(), &text).await.unwrap();
        println!("{config:?}");
        for (id, bytes) in
            [("k1", secret("a")), ("k2", secret("b")), ("k3", n), ("k4", secret("binary"))]
        {
            assert!(has(&config, id, &bytes).await, "{id}");
        }
        assert_eq!(moto.asked(), 2);
        for (reference, bytes) in [
            ("aws = \"plain\"", secret("a")),
            ("aws = \"binary-json\", field = \"hmac\"", secret("a")),
        ] {
            let text = moto.table() + &configuration(&[("k1", reference)]);
            let config = load(Loader::new(), &text).await.unwrap();
            assert!(has(&config, "k1", &bytes).await, "{reference}");
        }

        let deleted = moto.client.delete_secret().secret_id("plain");
        deleted.recovery_window_in_days(7).send().await.unwrap();
        moto.asked();
        for (reference, said) in [
            ("aws = \"none\"", "\"none\" in eu-central-1: there is no such secret; mend the name"),
            (
                "aws = \"binary\", version = \"pending\"",
                "there is no such secret, or none of its versions is AWSPENDING; mend",
            ),
            (
                "aws = \"prod/stt\", field = \"hnac\"",
                "\"prod/stt\": its field \"hnac\" is not among the 6 that it has; add it, or",
            ),
            ("aws = \"prod/stt\", field = \"n\"", "its field \"n\" is no string; put its value"),
            ("aws = \"prod/stt\", field = \"deep\"", "its field \"deep\" is no string"),
            (
                "aws = \"binary\", field = \"x\"",
                "cannot be looked for: it is no JSON object; leave",
            ),
            (
                "aws = \"prod/stt\"",
                "characters are not base64; it is JSON: say which field = \"…\"",
            ),
            ("aws = \"prod/stt\", field = \"text\"", "its 32 characters are not base64; mend it"),
            (
                "aws = \"plain\"",
                "it is in no state to be read; restore it where it is to be deleted",
            ),
            ("aws = \"\"", "AWS Secrets Manager: \"\" in eu-central-1: "),
        ] {
            let found = mistake(&(moto.table() + &configuration(&[("k1", reference)]))).await;
            assert!(found.contains("client.c0.key[0].secret: ") && found.contains(said), "{found}");
        }
        assert!(moto.asked() > 0);
        for (reference, said) in [
            (
                "aws = \"plain\", version = \"newest\"",
                "\"newest\" is no version; write current, previous or pending",
            ),
            (
                "aws = \"plain\", feild = \"x\"",
                "secret.feild: is not known; did you mean \"field\"?",
            ),
            ("aws = 1", "secret.aws: is an integer; write a string"),
        ] {
            let text = moto.table() + &configuration(&[("k1", reference)]);
            let error = load(Loader::new(), &text).await.unwrap_err().to_string();
            assert!(error.contains(said), "{said}\nis not in\n{error}");
            // What is not known of it does not keep the rest from being looked for.
            assert_eq!(moto.asked(), usize::from(reference.contains("feild")), "{reference}");
        }
        let elsewhere = format!("{}region = \"us-east-1\"\n", moto.table());
        let elsewhere = elsewhere + &configuration(&[("k1", "aws = \"binary\"")]);
        let found = mistake(&elsewhere).await;
        assert!(
            found.contains("\"binary\" in us-east-1: there is no such secret; mend the"),
            "{found}"
        );
    });
}

/// What moto never says. The text of an answer is not repeated.
#[test]
fn refusals_are_told_apart() {
    alone("aws::refusals_are_told_apart", &VARIABLES, async || {
        for (status, code, said) in [
            (400, "AccessDeniedException", "access is denied; allow secretsmanager:GetSecretValue"),
            (400, "DecryptionFailure", "its KMS key does not decrypt it; mend the key"),
            (400, "ExpiredTokenException", "the credentials are refused (ExpiredTokenException); "),
            (400, "UnrecognizedClientException", "; give this process a role or fresh credentials"),
            (500, "InternalServiceError", "the service is not available; try again"),
            (400, "ThrottlingException", "the service is not available; try again"),
            (400, "SomethingNew", "refused with SomethingNew; see that its endpoint"),
            (400, "Their words", "refused without a reason"),
        ] {
            let body = format!("{{\"__type\": {code:?}, \"Message\": \"Their words\"}}");
            let table = table(canned(status, &body));
            let keys = configuration(&[("k1", "aws = \"stt\"")]);
            let found = mistake(&(table + &keys)).await;
            assert!(found.contains("\"stt\" in eu-central-1: ") && found.contains(said), "{found}");
            assert!(!found.contains("Their words"), "{found}");
        }
        for body in
            [format!("{MARK} {MARK}"), "{}".to_owned(), format!("{{\"SecretString\": {MARK}}}")]
        {
            let table = table(canned(200, &body));
            let found = mistake(&(table + &configuration(&[("k1", "aws = \"stt\"")]))).await;
            assert!(found.contains("AWS Secrets Manager: \"stt\" in eu-central-1: "), "{found}");
        }
        for (table, said) in [
            ("region = 1", "2:1: secrets.aws.region: is an integer"),
            ("endpont = \"x\"", "secrets.aws.endpont: is not known; did you mean \"endpoint\"?"),
            (
                "endpoint = \"localhost:1\"",
                "secrets.aws.endpoint: \"localhost:1\" is no address of a server; ",
            ),
            ("endpoint = \"a:b@c\"", "secrets.aws.endpoint: is no address of a server; "),
        ] {
            let text = format!("[secrets.aws]\n{table}\n{}", configuration(&[]));
            let error = load(Loader::new(), &text).await.unwrap_err().to_string();
            assert!(error.contains(said), "{said}\nis not in\n{error}");
        }
    });
}

/// In a bounded time, however many secrets are asked for; and all of them in one mistake.
#[test]
fn who_does_not_answer_is_not_waited_for() {
    alone("aws::who_does_not_answer_is_not_waited_for", &VARIABLES, async || {
        let keys = configuration(&[
            ("k1", "aws = \"stt\""),
            ("k2", "aws = \"stt\", field = \"a\""),
            ("k3", "aws = \"tts\""),
        ]);
        let down = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (address, said) in [
            (down, "\"stt\" in eu-central-1: cannot be reached; see that its endpoint"),
            (hanging(), "\"stt\" in eu-central-1: no answer in time; see that its endpoint"),
        ] {
            let start = Instant::now();
            let found = mistake(&(table(address) + &keys)).await;
            assert!(found.contains(said), "{found}");
            assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
        }
    });
}

#[test]
fn without_credentials_nothing_is_asked() {
    let variables = without(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    alone("aws::without_credentials_nothing_is_asked", &variables, async || {
        let keys = configuration(&[("k1", "aws = \"stt\"")]);
        let found = mistake(&(table(canned(200, "{}")) + &keys)).await;
        let said = "no credentials were found; give this process a role or fresh credentials";
        assert!(found.contains(said), "{found}");
    });
}

#[test]
fn without_a_region_nothing_is_asked() {
    alone("aws::without_a_region_nothing_is_asked", &without(&["AWS_REGION"]), async || {
        let found = mistake(&configuration(&[("k1", "aws = \"stt\"")])).await;
        let said = "AWS Secrets Manager: no region is known; set secrets.aws.region, or AWS_REGION";
        assert!(found.contains(said), "{found}");
        // A table alone asks for nothing either.
        let unused = "[secrets.aws]\nregion = \"eu-central-1\"\n".to_owned();
        let found = mistake(&(unused + &configuration(&[("k1", "env = \"NOT_SET\"")]))).await;
        assert!(found.contains("NOT_SET is not set"), "{found}");
    });
}
