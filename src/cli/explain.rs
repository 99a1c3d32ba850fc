//! `keyscheme explain`

use std::ffi::OsString;

use keyscheme::{Explanation, Fault, Part, Registry, explain};

use super::{Status, Unusable, date, print};

/// Says what a header value is, or the exact place where it stops being one. Needs no secret.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  keyscheme explain ecb0.spring-1.1PT1wfcJslWitK2mN3f9PA")]
pub(super) struct Explain {
    /// The header value.
    #[arg(allow_hyphen_values = true)]
    credential: OsString,
}

impl Explain {
    pub(super) fn run(self) -> Result<Status, Unusable> {
        let value = self.credential.as_encoded_bytes();
        match dissect(value) {
            Ok(lines) => {
                print(format_args!("{lines}"))?;
                Ok(Status::Done)
            }
            Err(fault) => {
                print(format_args!("{}", point_at(value, &fault)))?;
                Ok(Status::Rejected)
            }
        }
    }
}

fn dissect(value: &[u8]) -> Result<String, Fault> {
    let registry = Registry::default();
    let (scheme, payload, payload_at, mut text) = match explain(value) {
        Explanation::Fault(fault) => return Err(fault),
        Explanation::Bare { payload } => (None, payload, 0, "a bare credential".to_owned()),
        Explanation::Tagged { scheme, key_id, payload, payload_at } => {
            let text = format!("a tagged credential\n  key id: {key_id}");
            (Some(scheme), payload, payload_at, text)
        }
    };
    match registry.explain(scheme, payload) {
        None => {
            let scheme = scheme.unwrap_or("none");
            text += &format!("\n  scheme: {scheme}, which is not built in; its payload is unread");
        }
        Some((facts, parts)) => {
            text += &format!("\n  scheme: {} ({facts})", facts.id);
            let parts = parts.map_err(|fault| Fault { at: payload_at + fault.at, ..fault })?;
            for Part { name, meaning } in parts {
                text += &format!("\n  {name}: {meaning}");
                if let (true, Ok(seconds)) = (name == "ts", meaning.parse()) {
                    text += &format!(" ({})", date(keyscheme::UnixTime(seconds)));
                }
            }
        }
    }
    Ok(text)
}

/// The value, and below it a mark at the place.
fn point_at(value: &[u8], fault: &Fault) -> String {
    let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let before = shown(value.get(..fault.at).unwrap_or(value));
    format!(
        "not a credential: {} at byte {}\n  {}\n  {:width$}^ {}",
        fault.reason,
        fault.at,
        shown(value),
        "",
        fault.problem,
        width = before.len()
    )
}
