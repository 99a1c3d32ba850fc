//! Configurations that change on the disk while requests run: soundly, and in every other way.

#![cfg(feature = "watch")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use keyscheme::{
    Authenticator, BackendError, Failure, Fetched, Hmac1, Issuer, Loader, Material, Reject, Reload,
    Request, Secret, SecretRef, SecretSource, Verified,
};

const SERVICE: &str = "[service.stt]\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n";

fn directory(name: &str) -> PathBuf {
    let name = format!("reload-{name}-{}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A configuration with these keys, each with a secret file of its name.
fn configuration(keys: &[&str]) -> String {
    let mut text = SERVICE.to_owned();
    for key in keys {
        text += &format!(
            "[[client.{key}.key]]\nid = \"{key}\"\nscheme = \"hmac1\"\n\
             secret = {{ file = \"{key}\", encoding = \"utf8\" }}\n"
        );
    }
    text
}

fn secret(key: &str) -> String {
    format!("the secret of the key {key}........................").chars().take(32).collect()
}

/// Put in place as a whole, as those who write with care do.
fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

struct World {
    file: PathBuf,
    auth: Authenticator,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(name: &str, keys: &[&str]) -> Self {
        let directory = directory(name);
        for key in ["a", "b", "c"] {
            fs::write(directory.join(key), secret(key)).unwrap();
        }
        let file = directory.join("keyscheme.toml");
        put(&file, &configuration(keys));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let auth = runtime.block_on(Authenticator::from_file(&file)).unwrap();
        Self { file, auth, runtime }
    }

    fn reload(&self) -> Result<Reload, String> {
        self.runtime.block_on(self.auth.reload()).map_err(|error| error.to_string())
    }

    fn says(&self, key: &str) -> String {
        says(&self.auth, key, &secret(key))
    }
}

fn issued(key: &str, secret: &str) -> (String, Request<'static>) {
    let material = Material::new().with("secret", secret.as_bytes());
    let issuer = Issuer::new(Hmac1, "stt", key, &material).unwrap();
    let call = Request::new("GET", "/").body("");
    (issuer.issue(&call).unwrap(), call)
}

fn verify(auth: &Authenticator, key: &str, secret: &str) -> Result<Verified, Failure> {
    let (credential, call) = issued(key, secret);
    let verifier = auth.verifier();
    let verified = verifier.service("stt").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verified.verify(&call.credential(&credential)))
}

fn says(auth: &Authenticator, key: &str, secret: &str) -> String {
    match verify(auth, key, secret) {
        Ok(caller) => caller.client().to_owned(),
        Err(Failure::Rejected(reason)) => reason.code().to_owned(),
        Err(Failure::Unavailable(error)) => error.to_string(),
    }
}

#[test]
fn a_sound_change_is_put_in_force() {
    let world = World::new("sound", &["a"]);
    assert_eq!((world.says("a"), world.says("b")), ("a".to_owned(), "unknown-key".to_owned()));
    // The first time everything is read again.
    assert_eq!(world.reload(), Ok(Reload::Same));
    put(&world.file, &configuration(&["a", "b"]));
    assert_eq!(world.reload(), Ok(Reload::Changed));
    assert_eq!((world.says("a"), world.says("b")), ("a".to_owned(), "b".to_owned()));
    assert_eq!(world.reload(), Ok(Reload::Same));
    assert_eq!(world.auth.health().changes, 1);
    // A secret that changes in its own file.
    fs::write(world.file.with_file_name("a"), secret("other")).unwrap();
    assert_eq!(world.reload(), Ok(Reload::Changed));
    assert_eq!(world.says("a"), "bad-credential");
    assert_eq!(says(&world.auth, "a", &secret("other")), "a");
}

/// What is said, and what is done to a configuration before.
type Break = (&'static str, fn(&Path));

/// Each way to break a configuration.
fn breaks() -> Vec<Break> {
    vec![
        ("service: there is none", |file| fs::write(file, "").unwrap()),
        ("TOML", |file| {
            let text = configuration(&["a", "b"]);
            fs::write(file, &text[..text.len() / 2 + 3]).unwrap();
        }),
        ("No such file", |file| fs::remove_file(file).unwrap()),
        ("is not a regular file", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        }),
        ("is longer than", |file| {
            fs::File::create(file).unwrap().set_len((1 << 30) + 1).unwrap();
        }),
        ("is not UTF-8", |file| fs::write(file, b"\xff\xfe").unwrap()),
        ("No such file", |file| {
            fs::remove_file(file).unwrap();
            symlink("nowhere", file).unwrap();
        }),
        ("client.a.key[0].secret: secret file", |file| {
            fs::remove_file(file.with_file_name("a")).unwrap()
        }),
        ("has 3 bytes", |file| fs::write(file.with_file_name("a"), "abc").unwrap()),
        ("has no key", |file| {
            let text = configuration(&["a"]).replace(
                "accept = [\"hmac1\"]",
                "accept = [{ scheme = \"hmac1\", clients = [\"nobody\"] }]",
            );
            put(file, &text);
        }),
    ]
}

/// As it was before it was broken.
fn mend(file: &Path) {
    let _ = fs::remove_dir(file);
    let _ = fs::remove_file(file);
    fs::write(file.with_file_name("a"), secret("a")).unwrap();
    put(file, &configuration(&["a"]));
}

#[test]
fn what_is_broken_leaves_everything_as_it_was() {
    let world = World::new("broken", &["a"]);
    for (i, (said, breaking)) in breaks().into_iter().enumerate() {
        breaking(&world.file);
        for _ in 0..2 {
            let error = world.reload().unwrap_err();
            assert!(error.contains(said), "{said}\nis not in\n{error}");
            assert_eq!(world.says("a"), "a", "{said}");
        }
        let health = world.auth.health();
        assert_eq!(health.failures, i as u64 + 1, "{said}");
        assert!(health.failure.is_some());
        mend(&world.file);
        assert_eq!(world.reload(), Ok(Reload::Same), "{said}");
        assert!(world.auth.health().failure.is_none());
    }
    assert_eq!(world.auth.health().changes, 0);
}

#[test]
fn a_file_that_may_not_be_read_leaves_everything_as_it_was() {
    let world = World::new("unreadable", &["a"]);
    fs::set_permissions(&world.file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&world.file).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert!(world.reload().unwrap_err().contains("denied"));
    assert_eq!(world.says("a"), "a");
}

/// As Kubernetes mounts them: a link to a directory is put in the place of another.
#[test]
fn a_mount_that_is_swapped_is_seen() {
    let directory = directory("mount");
    for (generation, keys) in [("..1", &["a"][..]), ("..2", &["a", "b"])] {
        let place = directory.join(generation);
        fs::create_dir(&place).unwrap();
        for key in keys {
            fs::write(place.join(key), secret(key)).unwrap();
        }
        put(&place.join("keyscheme.toml"), &configuration(keys));
    }
    let data = directory.join("..data");
    symlink("..1", &data).unwrap();
    let file = directory.join("keyscheme.toml");
    symlink("..data/keyscheme.toml", &file).unwrap();
    for key in ["a", "b"] {
        symlink(format!("..data/{key}"), directory.join(key)).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let auth = runtime.block_on(Authenticator::from_file(&file)).unwrap();
    assert_eq!(says(&auth, "b", &secret("b")), "unknown-key");
    symlink("..2", directory.join("..tmp")).unwrap();
    fs::rename(directory.join("..tmp"), &data).unwrap();
    assert_eq!(runtime.block_on(auth.reload()).unwrap(), Reload::Changed);
    assert_eq!(says(&auth, "b", &secret("b")), "b");
}

#[test]
fn a_watch_puts_a_change_in_force_within_a_second_until_it_is_dropped() {
    let world = World::new("watch", &["a"]);
    let entered = world.runtime.enter();
    let watch = world.auth.watch();
    thread::sleep(Duration::from_millis(700));
    for keys in [&["a", "b"][..], &["b"], &["a", "b", "c"]] {
        put(&world.file, &configuration(keys));
        let started = Instant::now();
        let last = *keys.last().unwrap();
        while world.says(last) != last || (keys == ["b"]) != (world.says("a") == "unknown-key") {
            assert!(started.elapsed() < Duration::from_secs(1), "{keys:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
    drop(watch);
    drop(entered);
    put(&world.file, &configuration(&["a"]));
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(world.says("c"), "c");
}

/// The configuration may come first, and the secret of its new key later.
#[test]
fn a_secret_file_that_comes_later_is_seen_within_a_second() {
    let world = World::new("later", &["a"]);
    let _entered = world.runtime.enter();
    let _watch = world.auth.watch();
    put(&world.file, &configuration(&["a", "d"]));
    let failed = Instant::now();
    while world.auth.health().failure.is_none() {
        assert!(failed.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(1_200));
    let come = Instant::now();
    put(&world.file.with_file_name("d"), &secret("d"));
    while world.says("d") != "d" {
        assert!(come.elapsed() < Duration::from_secs(1), "{:?}", world.auth.health());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Gives every secret, and waits before that for as long as it is told to.
#[derive(Debug, Default)]
struct Hanging {
    hangs: AtomicBool,
    asked: AtomicU64,
}

#[async_trait::async_trait]
impl SecretSource for Hanging {
    async fn fetch(&self, named: &SecretRef) -> Result<Fetched, BackendError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        while self.hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Secret::from(secret(&named.name)).into())
    }
}

/// One that began before, and ends after another, does not count as what is in force.
#[test]
fn a_reading_that_ends_late_hides_nothing() {
    let file = directory("late").join("keyscheme.toml");
    let hanging = "secret = { hanging = \"a\", encoding = \"utf8\" }";
    let before =
        configuration(&["a"]).replace("secret = { file = \"a\", encoding = \"utf8\" }", hanging);
    put(&file, &before);
    fs::write(file.with_file_name("b"), secret("b")).unwrap();
    let source = Arc::new(Hanging::default());
    let loader = Loader::new().source("hanging", Arc::clone(&source) as Arc<dyn SecretSource>);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let auth: Authenticator = runtime.block_on(loader.load(&file)).unwrap().try_into().unwrap();
    let asked = source.asked.load(Ordering::SeqCst);
    source.hangs.store(true, Ordering::SeqCst);
    let late = auth.clone();
    let late = runtime.spawn(async move { late.reload().await });
    while source.asked.load(Ordering::SeqCst) == asked {
        thread::sleep(Duration::from_millis(5));
    }
    put(&file, &configuration(&["b"]));
    assert_eq!(runtime.block_on(auth.reload()).unwrap(), Reload::Changed);
    assert_eq!(says(&auth, "b", &secret("b")), "b");
    put(&file, &before);
    source.hangs.store(false, Ordering::SeqCst);
    runtime.block_on(late).unwrap().unwrap();
    runtime.block_on(auth.reload()).unwrap();
    assert_eq!(says(&auth, "a", &secret("a")), "a");
    assert_eq!(says(&auth, "b", &secret("b")), "unknown-key");
}

/// Where secrets are that no file tells of; it counts how often it is asked.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

#[async_trait::async_trait]
impl SecretSource for Counting {
    async fn fetch(&self, named: &SecretRef) -> Result<Fetched, BackendError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::from(secret(&named.name)).into())
    }
}

/// A key that is not known may be new: its secret is fetched before its time, and a flood of such
/// credentials has nothing fetched more often.
#[cfg(feature = "http")]
#[test]
fn an_unknown_key_has_secrets_fetched_early_and_no_flood_does() {
    use http_body_util::Empty;
    use keyscheme::http::RequestBody;
    use tower::{Layer, ServiceExt, service_fn};

    type Body = Empty<hyper::body::Bytes>;

    let file = directory("early").join("keyscheme.toml");
    let counted = "secret = { counted = \"a\", encoding = \"utf8\" }";
    let text =
        configuration(&["a"]).replace("secret = { file = \"a\", encoding = \"utf8\" }", counted);
    put(&file, &(text + "[reload]\nrefresh = \"1h\"\n"));
    let source = Arc::new(Counting::default());
    let asked = || source.0.load(Ordering::SeqCst);
    let loader = Loader::new().source("counted", Arc::clone(&source) as Arc<dyn SecretSource>);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let auth: Authenticator = runtime.block_on(loader.load(&file)).unwrap().try_into().unwrap();
    let service = service_fn(async |_: http::Request<RequestBody<Body>>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::new()))
    });
    let protected = auth.layer("stt").layer(service);
    let call = |key: &str| {
        let (credential, _) = issued(key, &secret(key));
        let request = http::Request::get("/").header("x-api-key", credential);
        let request = request.body(Body::new()).unwrap();
        runtime.block_on(protected.clone().oneshot(request)).unwrap().status().as_u16()
    };
    let _entered = runtime.enter();
    let _watch = auth.watch();
    // The first look takes in what the file system had not told, and then there is nothing to fetch.
    while asked() < 2 {
        thread::sleep(Duration::from_millis(10));
    }
    let before = asked();
    assert_eq!(call("a"), 200);
    thread::sleep(Duration::from_millis(1_200));
    assert_eq!(asked(), before);
    assert_eq!(call("b"), 401);
    let started = Instant::now();
    while asked() == before {
        assert!(started.elapsed() < Duration::from_secs(2), "nothing was fetched");
        thread::sleep(Duration::from_millis(10));
    }
    while started.elapsed() < Duration::from_secs(4) {
        assert_eq!(call("b"), 401);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(asked(), before + 1);
}

/// A store, and how often is read, are chosen once; who changes them is told.
#[test]
fn what_takes_a_restart_is_said() {
    let world = World::new("restart", &["a"]);
    let waiting = || world.auth.health().waiting;
    assert_eq!(waiting(), Vec::<&str>::new());
    let more = "[replay]\ncapacity = 7\n[reload]\nrefresh = \"2s\"\n";
    put(&world.file, &(configuration(&["a", "b"]) + more));
    assert_eq!(world.reload(), Ok(Reload::Changed));
    assert_eq!(waiting(), ["reload", "replay"]);
    // The rest is in force.
    assert_eq!(world.says("b"), "b");
    // What cannot be used says nothing of it.
    put(&world.file, "nonsense");
    assert!(world.reload().is_err());
    assert_eq!(waiting(), ["reload", "replay"]);
    put(&world.file, &configuration(&["a"]));
    assert_eq!(world.reload(), Ok(Reload::Changed));
    assert_eq!(waiting(), Vec::<&str>::new());
}

/// What a secret of theirs is, too.
#[test]
fn a_token_that_takes_a_restart_is_said() {
    let directory = directory("token");
    let file = directory.join("keyscheme.toml");
    fs::write(directory.join("a"), secret("a")).unwrap();
    fs::write(directory.join("token"), "the-token-that-was-first").unwrap();
    put(&file, &(configuration(&["a"]) + "[serve]\nproxy-token = { file = \"token\" }\n"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let auth = runtime.block_on(Authenticator::from_file(&file)).unwrap();
    for (token, waits) in [
        ("the-token-that-was-first", &[][..]),
        ("the-token-that-comes-now", &["serve"]),
        ("the-token-that-was-first", &[]),
    ] {
        put(&directory.join("token"), token);
        runtime.block_on(auth.reload()).unwrap();
        assert_eq!(auth.health().waiting, waits, "{token}");
    }
}

/// While requests run, a thousand reloads, each from another state of the disk.
#[test]
fn no_request_is_judged_wrongly_while_everything_changes() {
    let world = World::new("thousand", &["a"]);
    let auth = world.auth.clone();
    changes(&world, move |key, secret| says(&auth, key, secret));
}

/// The same through a layer, a socket and connections that stay.
#[cfg(feature = "axum")]
#[test]
fn no_call_over_http_is_judged_wrongly_while_everything_changes() {
    use axum::{Router, routing::get};

    let world = World::new("thousand-http", &["a"]);
    let whoami = async |caller: Verified| caller.client().to_owned();
    let app = Router::new().route("/", get(whoami)).layer(world.auth.layer("stt"));
    let serving = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await });
        address
    };
    let address = world.runtime.block_on(serving);
    let (client, runtime) = (reqwest::Client::new(), world.runtime.handle().clone());
    changes(&world, move |key, secret| {
        let (credential, _) = issued(key, secret);
        let call = client.get(format!("http://{address}/")).header("x-api-key", credential);
        runtime.block_on(async {
            let answer = call.send().await.unwrap();
            match answer.status().as_u16() {
                200 => answer.text().await.unwrap(),
                401 => Reject::UnknownKey.code().to_owned(),
                status => status.to_string(),
            }
        })
    });
}

fn changes(world: &World, says: impl Fn(&str, &str) -> String + Clone + Send + 'static) {
    let done = Arc::new(AtomicBool::new(false));
    let judged = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (says, done, judged) = (says.clone(), Arc::clone(&done), Arc::clone(&judged));
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // In every sound configuration, in some, and in none.
                    assert_eq!(says("a", &secret("a")), "a");
                    let sometimes = says("b", &secret("b"));
                    assert!(
                        ["b", Reject::UnknownKey.code()].contains(&sometimes.as_str()),
                        "{sometimes}"
                    );
                    assert_eq!(says("c", &secret("c")), "unknown-key");
                    assert_ne!(says("b", &secret("a")), "b");
                    judged.fetch_add(4, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let breaks = breaks();
    let mut outcomes = [0; 3];
    for round in 0..1_000 {
        match round % 4 {
            0 => put(&world.file, &configuration(&["a", "b"])),
            1 | 3 => mend(&world.file),
            _ => breaks[round / 4 % breaks.len()].1(&world.file),
        }
        let outcome = match world.reload() {
            Ok(Reload::Changed) => 0,
            Ok(Reload::Same) => 1,
            Err(_) => 2,
        };
        outcomes[outcome] += 1;
    }
    done.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert_eq!(outcomes, [500, 250, 250]);
    assert!(judged.load(Ordering::Relaxed) > 1_000);
}
