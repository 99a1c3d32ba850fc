//! A step, as changes of the file and in words.

use std::path::Path;

use keyscheme::KeyState;

use super::{
    super::{Unusable, date},
    edit::Change,
    plan::{Key, Step},
    whose::Whose,
};

/// What a key is made of that is added: its secrets are field and reference, as TOML.
pub(super) struct NewKey {
    pub(super) id: String,
    pub(super) secrets: Vec<(&'static str, String)>,
}

/// The changes of a step, and what to say of it. `new` is asked for a key where one is to be added.
pub(super) fn changes(
    step: &Step,
    whose: Whose<'_>,
    keys: &[Key],
    new: impl FnOnce() -> Result<NewKey, Unusable>,
) -> Result<(Vec<Change>, String), Unusable> {
    let Whose { client, scheme } = whose;
    let of = format!("of {client} ({scheme})");
    let set = |id: &str, state, not_after| Change::Set { id: id.to_owned(), state, not_after };
    Ok(match step {
        Step::Disable { ids } => {
            let changes = ids.iter().map(|id| set(id, KeyState::Disabled, None));
            let said = format!("disabled: {} {of} is refused from now on", ids.join(", "));
            (changes.collect(), said)
        }
        Step::Promote { id, old } => {
            let mut changes = vec![set(id, KeyState::Active, None)];
            let mut said = format!("promoted: {id} {of} is active");
            if let Some((old, until)) = old {
                // A date that stays is left as it is written.
                let is_it = |key: &Key| key.id == *old && key.not_after == Some(*until);
                let not_after = Some(date(*until)).filter(|_| !keys.iter().any(is_it));
                changes.push(set(old, KeyState::VerifyOnly, not_after));
                said += &format!("; {old} is verified until {}, and issues no more", date(*until));
            }
            (changes, said)
        }
        Step::Stage => {
            let NewKey { id, secrets } = new()?;
            let said = format!("staged: {id} {of} is verified, and issues nothing yet");
            let scheme = scheme.to_owned();
            (vec![Change::Add { id, scheme, secrets }], said)
        }
    })
}

/// What is to be done after a step.
pub(super) fn next(step: &Step, whose: Whose<'_>, config: &Path) -> String {
    let Whose { client, scheme } = whose;
    let config = shell_word(&config.display().to_string());
    let command = format!("keyscheme rotate --config {config} --client {client} --scheme {scheme}");
    match step {
        Step::Disable { .. } => {
            "let every server load the file; the record and its secret can be removed".to_owned()
        }
        Step::Promote { old: None, .. } => "let every server and caller load the file".to_owned(),
        Step::Promote { old: Some((_, until)), .. } => format!(
            "let every server and caller load the file, and give the new secret to callers that have \
             their own; then, from {} on:\n  {command}",
            date(*until)
        ),
        Step::Stage => format!(
            "let every server load the file; then, with each of them:\n  \
             {command} --server http://HOST:PORT"
        ),
    }
}

/// A text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "./_-".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
