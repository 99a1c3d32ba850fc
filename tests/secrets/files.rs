//! Files that are exchanged under a reader, and systemd's credentials.

use std::{fs, os::unix::fs::symlink, path::PathBuf, thread};

use keyscheme::{Fetched, FileSource, Loader, SecretRef, SecretSource};

use crate::{alone, base64, configuration, directory, has, load, mistake, secret};

/// What the kubelet does: a directory for each version, a link `..data` to the one that counts, and links
/// through it. The link is replaced in one step.
struct Mounted {
    path: PathBuf,
    version: usize,
}

impl Mounted {
    fn new(path: PathBuf) -> Self {
        symlink("..data/hmac", path.join("hmac")).unwrap();
        Self { path, version: 0 }
    }

    fn update(&mut self, text: &str) {
        let name = |version: usize| format!("..2026_11_23_{version}");
        let before = self.path.join(name(self.version));
        self.version += 1;
        let next = self.path.join(name(self.version));
        fs::create_dir(&next).unwrap();
        // Its reader would see a part, if it read what is being written.
        for part in [&text[..text.len() / 2], text] {
            fs::write(next.join("hmac"), part).unwrap();
        }
        let link = self.path.join("..data_tmp");
        symlink(name(self.version), &link).unwrap();
        fs::rename(&link, self.path.join("..data")).unwrap();
        let _ = fs::remove_dir_all(before);
    }
}

/// Whoever reads while a secret is exchanged sees the old or the new one.
#[tokio::test]
async fn a_mounted_secret_is_exchanged_in_one_step() {
    let path = directory("kubernetes");
    let texts = [base64(&secret("odd")), base64(&secret("even")) + "\n"];
    let mut mounted = Mounted::new(path.clone());
    mounted.update(&texts[0]);
    let source = FileSource::below(&path);
    let written = texts.clone();
    let writer = thread::spawn(move || {
        for i in 1..=2000 {
            mounted.update(&written[i % 2]);
        }
    });
    let mut seen = [0; 2];
    while !writer.is_finished() {
        let found = source.fetch(&SecretRef::new("file", "hmac")).await;
        // Between finding the link and opening what is behind it, that may be removed.
        let Ok(Fetched::Text(found)) = found else { continue };
        let which = texts.iter().position(|text| text.trim_end().as_bytes() == found.expose());
        seen[which.expect("a mixture")] += 1;
    }
    writer.join().unwrap();
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

/// Each load follows the links anew.
#[tokio::test]
async fn a_load_reads_what_is_mounted_now() {
    let path = directory("kubernetes-load");
    let mut mounted = Mounted::new(path.clone());
    let text = configuration(&[("k1", "file = \"kubernetes-load/hmac\"")]);
    for name in ["first", "second"] {
        mounted.update(&base64(&secret(name)));
        let config = load(Loader::new(), &text).await.unwrap();
        assert!(has(&config, "k1", &secret(name)).await, "{name}");
    }
}

#[test]
fn credentials_of_systemd_are_files_of_its_directory() {
    let test = "files::credentials_of_systemd_are_files_of_its_directory";
    let path = directory("credentials");
    fs::write(path.join("hmac"), base64(&secret("credential")) + "\n").unwrap();
    alone(test, &[("CREDENTIALS_DIRECTORY", path.to_str().unwrap())], async || {
        let key = |name: &str| configuration(&[("k1", &format!("credential = {name:?}"))]);
        let config = load(Loader::new(), &key("hmac")).await.unwrap();
        assert!(has(&config, "k1", &secret("credential")).await);
        for (name, said) in [
            ("none", "secret: systemd credential: "),
            ("none", "; make it readable, or name the one that is meant"),
            ("../hmac", "\"../hmac\" is no name of one; write the name that LoadCredential= gives"),
            ("..", "\"..\" is no name of one"),
            ("", "\"\" is no name of one"),
        ] {
            let found = mistake(&key(name)).await;
            assert!(found.contains(said), "{said}\nis not in\n{found}");
        }
    });
}

#[tokio::test]
async fn without_systemd_there_are_no_credentials() {
    if std::env::var_os("CREDENTIALS_DIRECTORY").is_none() {
        let found = mistake(&configuration(&[("k1", "credential = \"hmac\"")])).await;
        assert!(found.contains("CREDENTIALS_DIRECTORY is not set; start the service"), "{found}");
    }
}
