//! `keyscheme key`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use keyscheme::{
    ClientName, Clock, Encoding, Field, KeyId, KeyState, OsRandom, Random, Registry, SystemClock,
    UnixTime,
};
use zeroize::Zeroizing;

use super::{Status, Unusable, date, facts, print};

/// Makes keys.
#[derive(Subcommand)]
#[command(after_help = "Example:\n  keyscheme key new --scheme hmac1 --client spring-main")]
pub(super) enum Key {
    New(New),
}

/// Makes a key: its secrets for a `.env` file or a secret manager, and the TOML to paste.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  keyscheme key new --scheme hmac1 --client spring-main")]
pub(super) struct New {
    /// The scheme of the key.
    #[arg(long, value_name = "SCHEME")]
    scheme: String,

    /// The client that will own it.
    #[arg(long, value_name = "CLIENT")]
    client: String,

    /// Its id; the client's name and four random hexadecimal digits where none is given.
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// The state of the key: active where none is given, or staged beside one that is active, which it
    /// will follow; verify-only, disabled and compromised too.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

impl Key {
    pub(super) fn run(self) -> Result<Status, Unusable> {
        match self {
            Self::New(new) => new.run(),
        }
    }
}

impl New {
    fn run(self) -> Result<Status, Unusable> {
        let facts = facts(&Registry::default(), &self.scheme)?;
        let client = ClientName::new(&self.client)
            .map_err(|error| Unusable(format!("--client {:?}: {error}", self.client)))?;
        let id = match self.id {
            Some(id) => id,
            None => new_id(&self.client)?,
        };
        let id = KeyId::new(&id).map_err(|error| Unusable(format!("--id {id:?}: {error}")))?;
        let mut variables = Zeroizing::new(String::new());
        let mut fields = String::new();
        if let Some(state) = self.state {
            let names = KeyState::ALL.map(KeyState::name);
            if !names.contains(&state.as_str()) {
                let known = names.join(", ");
                return Err(Unusable(format!("--state {state:?}: no such state; known: {known}")));
            }
            fields += &format!("state = {state:?}\n");
            if state == KeyState::VerifyOnly.name() {
                let end = date(UnixTime(SystemClock.now().0 + 7 * DAY));
                fields +=
                    &format!("# A verify-only key has an end: set yours.\nnot-after = {end}\n");
            }
        }
        for field in facts.fields {
            // By the id, since the next key of the client has another.
            let name = format!("{id}_{}", field.name).replace('-', "_").to_ascii_uppercase();
            let name = if name.starts_with(|c: char| c.is_ascii_digit()) {
                format!("K{name}")
            } else {
                name
            };
            variables.push_str(&format!("{name}={}\n", *secret(field)?));
            fields += &format!("{} = {{ env = {name:?} }}\n", field.name);
        }
        print(format_args!(
            "# For a .env file or a secret manager, of both sides:\n{}",
            *variables
        ))?;
        print(format_args!(
            "# For the configuration:\n[[client.{client}.key]]\nid = \"{id}\"\nscheme = {:?}\n{fields}",
            facts.id
        ))?;
        Ok(Status::Done)
    }
}

/// The client's name and four random digits.
pub(super) fn new_id(client: &str) -> Result<String, Unusable> {
    let stem: String = client.chars().take(KeyId::MAX - 5).collect();
    Ok(format!("{stem}-{:04x}", u16::from_ne_bytes(random()?)))
}

/// A new secret as its text, in the encoding that the field has where none is said.
pub(super) fn secret(field: &Field) -> Result<Zeroizing<String>, Unusable> {
    let bytes = Zeroizing::new(random::<64>()?);
    let text = match field.encoding {
        // Text is itself the secret: as many of 64 characters as the field wants bytes.
        Encoding::Utf8 => {
            let mut text = URL_SAFE_NO_PAD.encode(*bytes);
            text.truncate(field.lengths.of_new());
            Some(Zeroizing::new(text))
        }
        encoding => bytes.get(..field.lengths.of_new()).and_then(|bytes| encoding.encode(bytes)),
    };
    text.ok_or_else(|| Unusable(format!("{} cannot be made here", field.name)))
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Unusable> {
    let mut bytes = [0; N];
    OsRandom.fill(&mut bytes)?;
    Ok(bytes)
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
