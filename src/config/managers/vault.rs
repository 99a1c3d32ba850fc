//! `[secrets.vault]`: where HashiCorp Vault or OpenBao is, and how a token is got.

use std::{path::Path, sync::Arc};

use crate::{
    config::{
        fetch::Fetcher,
        secret::{DescribedSecret, KnownSource, secret},
        walk::{Found, Table},
    },
    encoding::Encoding,
    material::{Field, Lengths, Material, Reuse},
    secret::Secret,
    source::{Login, VaultSettings, VaultSource, read_at_most},
};

/// What is said of it.
#[derive(Debug, Default)]
pub(super) struct DescribedVault {
    address: Option<String>,
    namespace: Option<String>,
    mount: Option<String>,
    ca_file: Option<String>,
    login: DescribedLogin,
}

/// How a token is got.
#[derive(Debug, Default)]
enum DescribedLogin {
    AppRole {
        mount: String,
        role_id: String,
        secret_id: DescribedSecret,
    },
    Kubernetes {
        mount: String,
        role: String,
        token_file: String,
    },
    Token(DescribedSecret),
    /// None is said: it is the token of the environment.
    #[default]
    Unsaid,
    /// What is said is a mistake, which is named.
    Wrong,
}

impl DescribedVault {
    /// The source, with what is not said taken from where other programs for Vault have it.
    pub(super) async fn open(
        self,
        directory: &Path,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> Option<Arc<VaultSource>> {
        let text = async |said: Option<String>, variable, fetcher: &mut Fetcher| match said {
            Some(said) => Some(said),
            None => {
                let value = fetcher.variable(variable).await?;
                Some(String::from_utf8_lossy(value.expose()).into_owned())
            }
        };
        let address = text(self.address, "VAULT_ADDR", fetcher).await;
        let namespace = text(self.namespace, "VAULT_NAMESPACE", fetcher).await;
        let ca_file = text(self.ca_file, "VAULT_CACERT", fetcher).await;
        let authorities = match ca_file.map(|name| directory.join(name)) {
            None => None,
            Some(path) => match read_at_most(&path, LONGEST) {
                Ok(pem) => Some(pem),
                Err(error) => {
                    let problem = format!("{}: {error}", path.display());
                    found.wrong("secrets.vault.ca-file", problem, "name a readable PEM file");
                    return None;
                }
            },
        };
        let login = self.login.open(directory, fetcher, found).await;
        let Some(address) = address else {
            let remedy = "say where Vault is, here or in VAULT_ADDR";
            found.wrong("secrets.vault.address", "is missing", remedy);
            return None;
        };
        let settings =
            VaultSettings { address, namespace, mount: self.mount, authorities, login: login? };
        match VaultSource::new(settings) {
            Ok(source) => Some(Arc::new(source)),
            Err(mistake) => {
                found.mistakes.push(mistake);
                None
            }
        }
    }
}

impl DescribedLogin {
    async fn open(
        self,
        directory: &Path,
        fetcher: &mut Fetcher,
        found: &mut Found,
    ) -> Option<Login> {
        match self {
            Self::AppRole { mount, role_id, secret_id } => {
                let secret_id = fetched(&secret_id, fetcher, found).await?;
                Some(Login::AppRole { mount, role_id, secret_id })
            }
            Self::Kubernetes { mount, role, token_file } => {
                Some(Login::Kubernetes { mount, role, token_file: directory.join(token_file) })
            }
            Self::Token(token) => fetched(&token, fetcher, found).await.map(Login::Token),
            Self::Unsaid => {
                let token = fetcher.variable("VAULT_TOKEN").await;
                if token.is_none() {
                    let remedy = "say token, approle or kubernetes, or set VAULT_TOKEN";
                    found.wrong("secrets.vault.token", "is missing", remedy);
                }
                token.map(Login::Token)
            }
            Self::Wrong => None,
        }
    }
}

/// A secret of a length that there can be.
async fn fetched(
    described: &DescribedSecret,
    fetcher: &mut Fetcher,
    found: &mut Found,
) -> Option<Secret> {
    let secret = fetcher.fetch(described, found).await?;
    let material = Material::new().with(described.field.name, secret.clone());
    match material.get(described.field) {
        Ok(_) => Some(secret),
        Err(error) => {
            found.wrong(&described.path, error.problem, &error.remedy);
            None
        }
    }
}

/// Reads the table. Its own secrets come from `sources`.
pub(super) fn read(
    mut table: Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> DescribedVault {
    let [address, namespace, mount, ca_file] = ["address", "namespace", "mount", "ca-file"]
        .map(|name| table.text(name, found).map(str::to_owned));
    let mut logins = Vec::new();
    for (name, read) in LOGINS {
        if table.has(name) {
            logins.push((name, read(&mut table, sources, found).unwrap_or(DescribedLogin::Wrong)));
        }
    }
    if let [(first, _), (second, _), ..] = logins.as_slice() {
        let problem = format!("names {first} and {second}");
        found.wrong(&table.path, problem, "keep one of them");
    }
    let login = match logins.len() {
        0 => DescribedLogin::Unsaid,
        1 => logins.pop().map(|(_, login)| login).unwrap_or_default(),
        _ => DescribedLogin::Wrong,
    };
    table.finish(found, &LOGINS.map(|(name, _)| name));
    DescribedVault { address, namespace, mount, ca_file, login }
}

type ReadLogin = fn(&mut Table<'_>, &[KnownSource<'_>], &mut Found) -> Option<DescribedLogin>;

const LOGINS: [(&str, ReadLogin); 3] =
    [("approle", approle), ("kubernetes", kubernetes), ("token", token)];

fn approle(
    vault: &mut Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> Option<DescribedLogin> {
    let mut table = vault.table("approle", found)?;
    let mount = table.text("mount", found).unwrap_or("approle").to_owned();
    let role_id = mandatory("role-id", &mut table, found);
    let path = table.path_of(SECRET_ID.name);
    let secret_id = if table.has(SECRET_ID.name) {
        secret(&mut table, path, &SECRET_ID, sources, found)
    } else {
        found.wrong(&path, "is missing", "write { file = \"path\" } or { env = \"NAME\" }");
        None
    };
    table.finish(found, &[SECRET_ID.name]);
    Some(DescribedLogin::AppRole { mount, role_id: role_id?, secret_id: secret_id? })
}

fn kubernetes(
    vault: &mut Table<'_>,
    _: &[KnownSource<'_>],
    found: &mut Found,
) -> Option<DescribedLogin> {
    let mut table = vault.table("kubernetes", found)?;
    let mount = table.text("mount", found).unwrap_or("kubernetes").to_owned();
    let role = mandatory("role", &mut table, found);
    let token_file = table.text("token-file", found).unwrap_or(TOKEN_FILE).to_owned();
    table.finish(found, &[]);
    Some(DescribedLogin::Kubernetes { mount, role: role?, token_file })
}

fn token(
    vault: &mut Table<'_>,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> Option<DescribedLogin> {
    let path = vault.path_of(TOKEN.name);
    secret(vault, path, &TOKEN, sources, found).map(DescribedLogin::Token)
}

fn mandatory(name: &str, table: &mut Table<'_>, found: &mut Found) -> Option<String> {
    if !table.has(name) {
        found.wrong(&table.path_of(name), "is missing", "say who logs in");
    }
    table.text(name, found).map(str::to_owned)
}

/// Where Kubernetes mounts the token of a pod's service account.
const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

const TOKEN: Field = text_field("token");

const SECRET_ID: Field = text_field("secret-id");

const fn text_field(name: &'static str) -> Field {
    let lengths = Lengths::Between(1, 8192);
    Field { name, encoding: Encoding::Utf8, lengths, reuse: Reuse::Anywhere }
}

/// Of a bundle of certificates.
const LONGEST: usize = 4 << 20;
