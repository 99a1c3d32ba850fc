//! Every file under `tests/vectors` and every example of the specification.
//!
//! The vectors were made by an implementation in another language, which shares no code with this
//! one. A directory is walked, so a new file is a new test.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use keyscheme::{
    AcceptConfig, BackendError, Encoding, Failure, KeyConfig, ManualClock, Material, MaxAge,
    Presented, Random, Registry, Reject, Request, ServiceConfig, UnixTime, Verifier,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[allow(dead_code)]
    description: String,
    service: String,
    key: Key,
    accept: Accept,
    now: u64,
    request: Sent,
    expect: String,
    steps: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    scheme: String,
    material: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Accept {
    max_age: u64,
    uncovered_body: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    credential: Vec<String>,
    method: String,
    target: String,
    body: String,
}

fn hex(text: &str) -> Vec<u8> {
    Encoding::Hex.decode(text.as_bytes()).expect("hex").expose().to_vec()
}

impl Vector {
    fn material(&self) -> Material {
        let fields = self.key.material.iter();
        fields.fold(Material::new(), |all, (name, text)| all.with(name, hex(text)))
    }

    fn facts(&self) -> &'static keyscheme::Facts {
        Registry::default().facts().find(|facts| facts.id == self.key.scheme).expect("a scheme")
    }

    /// What a verifier makes of it.
    fn outcome(&self) -> String {
        let facts = self.facts();
        let mut entry = AcceptConfig::new(&self.key.scheme);
        if facts.fresh {
            entry = entry.max_age(MaxAge::Seconds(self.accept.max_age));
        } else {
            entry = entry.until(UnixTime(u64::MAX));
        }
        if self.accept.uncovered_body && facts.binds.body {
            entry = entry.danger_uncovered_body();
        }
        let verifier = Verifier::builder()
            .service(ServiceConfig::new(&self.service).issue(&self.key.scheme).accept(entry))
            .key("caller", KeyConfig::new(&self.key.id, &self.key.scheme, self.material()))
            .replay_capacity(1)
            .clock(Arc::new(ManualClock::new(UnixTime(self.now))))
            .build()
            .expect("a sound configuration");
        let body = hex(&self.request.body);
        let lines = self.request.credential.iter().map(|line| line.as_bytes());
        let request = Request::new(&self.request.method, &self.request.target)
            .presented(Presented::from_lines(lines))
            .body(&body);
        let guard = verifier.service(&self.service).expect("the service");
        match block_on(guard.verify(&request)) {
            Ok(_) => "accepted".to_owned(),
            Err(Failure::Rejected(reason)) => reason.code().to_owned(),
            Err(Failure::Unavailable(error)) => panic!("{error}"),
        }
    }

    /// Its credential again, from what it was made of.
    fn issued(&self, steps: &BTreeMap<String, String>) -> String {
        let (service, id, material) = (&self.service, &self.key.id, self.material());
        let issuer = Registry::default().issuer(&self.key.scheme, service, id, &material);
        let credential = &self.request.credential[0];
        let ts = credential.split('.').nth(2).and_then(|ts| ts.parse().ok()).unwrap_or(self.now);
        let mut issuer = issuer
            .expect("sound material")
            .clock(Arc::new(ManualClock::new(UnixTime(ts))))
            .random(Arc::new(Given(hex(&steps["random"]))));
        if steps["form"] == "bare" {
            issuer = issuer.bare();
        }
        if self.facts().binds.body && !steps.contains_key("digest") {
            issuer = issuer.uncovered_body();
        }
        let body = hex(&self.request.body);
        let request = Request::new(&self.request.method, &self.request.target).body(&body);
        issuer.issue(&request).expect("a credential")
    }
}

#[derive(Debug)]
struct Given(Vec<u8>);

impl Random for Given {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), BackendError> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

fn vectors() -> Vec<(String, Vector)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut vectors = Vec::new();
    for directory in fs::read_dir(root).expect("vectors").flatten() {
        let Ok(files) = fs::read_dir(directory.path()) else { continue };
        for file in files.flatten() {
            let name =
                format!("{}/{}", directory.file_name().display(), file.file_name().display());
            let text = fs::read_to_string(file.path()).expect("a text");
            let vector = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            vectors.push((name, vector));
        }
    }
    vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    vectors
}

#[test]
fn every_vector_is_judged_as_it_says() {
    let mut judged: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, vector) in vectors() {
        let outcome = vector.outcome();
        if outcome != vector.expect {
            wrong.push(format!("{name}: {outcome}, not {}", vector.expect));
        }
        *judged.entry(format!("{} {outcome}", name.split('/').next().unwrap())).or_default() += 1;
    }
    println!("{judged:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_accepted_vector_is_issued_again_byte_for_byte() {
    let mut issued = 0;
    for (name, vector) in vectors() {
        assert_eq!(vector.expect == "accepted", vector.steps.is_some(), "{name}");
        if let Some(steps) = &vector.steps {
            assert_eq!(vector.issued(steps), vector.request.credential[0], "{name}");
            issued += 1;
        }
    }
    assert!(issued >= 60, "only {issued}");
}

#[test]
fn every_scheme_has_vectors_and_a_section() {
    let vectors = vectors();
    let spec = specification();
    for facts in Registry::default().facts() {
        for accepted in [true, false] {
            let prefix = format!("{}/", facts.id);
            let some = vectors.iter().any(|(name, vector)| {
                name.starts_with(&prefix) && (vector.expect == "accepted") == accepted
            });
            assert!(some, "{} has no vector that is accepted: {accepted}", facts.id);
        }
        assert!(spec.contains(&format!("\n## {}\n", facts.id)), "{} has no section", facts.id);
    }
}

fn specification() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec.md");
    fs::read_to_string(path).expect("the specification")
}

/// The worked examples stand alone in `text` blocks, one per form.
#[test]
fn the_examples_of_the_specification_are_vectors_that_are_accepted() {
    let vectors = vectors();
    let spec = specification();
    let examples: Vec<&str> = spec
        .split("```text\n")
        .skip(1)
        .filter_map(|block| block.split_once("\n```").map(|(example, _)| example))
        .collect();
    assert_eq!(examples.len(), 5);
    for example in examples {
        let accepted = vectors.iter().any(|(_, vector)| {
            vector.expect == "accepted" && vector.request.credential == [example]
        });
        assert!(accepted, "{example}");
    }
}

#[test]
fn the_table_of_reasons_is_complete() {
    let spec = specification();
    for reason in Reject::ALL {
        assert!(spec.contains(&format!("`{}`", reason.code())), "{reason}");
    }
}
