//! The steps as changes of a text, through the loader.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use keyscheme::{
    BackendError, Config, Fetched, Loader, ManualClock, Request, Secret, SecretRef, SecretSource,
    UnixTime,
};
use proptest::{collection::vec, prelude::*};

use super::{
    super::{
        edit::changed,
        plan::{Key, Step, Wish, plan},
        say::{NewKey, changes},
        tree::is_exactly,
        whose::Whose,
    },
    HOUR,
};

/// A rotation as a text, in one of the notations.
#[derive(Clone, Copy, Debug)]
enum Notation {
    Blocks,
    CrLf,
    List,
}

/// Secrets that are made of their names.
#[derive(Debug)]
struct Made;

#[async_trait]
impl SecretSource for Made {
    async fn fetch(&self, name: &SecretRef) -> Result<Fetched, BackendError> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(name.name.bytes()) {
            *byte = from;
        }
        Ok(Secret::from(STANDARD.encode(bytes)).into())
    }
}

const WHOSE: Whose<'_> = Whose { client: "c", scheme: "hmac1" };

fn text(notation: Notation) -> String {
    let service = "# one\n[service.s] # two\nissue = \"hmac1\"\naccept = [\"hmac1\"]\n\n";
    let key = "# three\n[[client.c.key]]\nid = \"k0\" # four\nscheme = \"hmac1\"\nsecret = { file = \"k0\" }\n";
    let list = "[client.c]\nkey = [ # three\n    { id = \"k0\", scheme = \"hmac1\", secret.file = \"k0\" }, # four\n]\n";
    let end = "\n# five\n[replay]\ncapacity = 100 # six\n";
    match notation {
        Notation::Blocks => format!("{service}{key}{end}"),
        Notation::CrLf => format!("{service}{key}{end}").replace('\n', "\r\n"),
        Notation::List => format!("{service}{list}{end}"),
    }
}

fn load(runtime: &tokio::runtime::Runtime, text: &str, clock: &Arc<ManualClock>) -> Config {
    let loader = Loader::new().clock(Arc::<ManualClock>::clone(clock));
    let loader = loader.source("file", Arc::new(Made));
    runtime.block_on(loader.parse(text, "".into())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// As text, through the loader: every version is sound, and accepts what the one before it has issued
    /// until the grace ends; what is not about keys stays, to the byte.
    #[test]
    fn every_version_accepts_what_the_one_before_has_issued(
        notation in prop_oneof![Just(Notation::Blocks), Just(Notation::CrLf), Just(Notation::List)],
        calls in vec((any::<bool>(), 0..30_u64, 1..24_u64), 0..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Arc::new(ManualClock::new(UnixTime(1_790_000_000)));
        let mut now = UnixTime(1_790_000_000);
        let mut file = text(notation);
        let mut ends: HashMap<String, UnixTime> = HashMap::new();
        for (begin, hours, grace) in calls {
            now = now.plus(hours * HOUR);
            clock.set(now);
            let config = load(&runtime, &file, &clock);
            let keys: Vec<Key> = config.verifier().snapshot().keys().map(|key| Key {
                id: key.id().to_string(),
                state: key.state(),
                not_before: key.not_before(),
                not_after: key.not_after(),
            }).collect();
            for key in &keys {
                let until = key.not_after.unwrap_or(UnixTime(u64::MAX));
                let before = ends.insert(key.id.clone(), until).unwrap_or(UnixTime(u64::MAX));
                prop_assert!(until <= before, "{key:?}");
            }
            let issuer = config.issuer("s", "c", None).unwrap();
            let request = Request::new("GET", "/");
            let credential = issuer.issue(&request).unwrap();

            let wish = Wish { begin, grace: grace * HOUR, loaded: true, ..Wish::default() };
            let Ok(step) = plan(&keys, now, &wish) else { continue };
            let new = || {
                let id = format!("k{}", keys.len());
                let secrets = vec![("secret", format!("{{ file = \"{id}\" }}"))];
                Ok(NewKey { id, secrets })
            };
            let Ok((changes, _)) = changes(&step, WHOSE, &keys, new) else { panic!("{step:?}") };
            let new = changed(&file, WHOSE.client, &changes).unwrap();
            prop_assert!(is_exactly(&file, &new, WHOSE.client, &changes));
            for comment in ["# one", "# two", "# three", "# four", "# five", "# six"] {
                prop_assert_eq!(new.matches(comment).count(), 1, "{}", new);
            }
            let bare = new.replace("\r\n", "").contains('\n');
            prop_assert_eq!(bare, !matches!(notation, Notation::CrLf));
            let next = load(&runtime, &new, &clock);
            let service = next.verifier().service("s").unwrap();
            let verdict = runtime.block_on(service.verify(&request.credential(&credential).body("")));
            prop_assert!(verdict.is_ok(), "{:?} after {step:?}:\n{new}", verdict);
            // And with the key that issued, until the grace ends.
            if let Step::Promote { old: Some((old, until)), .. } = &step {
                clock.set(until.minus(1));
                let late = issuer.issue(&request).unwrap();
                let late = request.credential(&late).body("");
                let verdict = runtime.block_on(service.verify(&late));
                prop_assert!(verdict.is_ok_and(|caller| caller.key_id() == old));
            }
            file = new;
        }
    }
}
