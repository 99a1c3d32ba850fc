//! Secrets that a file names, such as `{ env = "SALT", encoding = "hex" }`.

use super::walk::{Found, Table};
use crate::{encoding::Encoding, material::Field, registry::nearest, source::SecretRef};

/// A secret that is named, and how to read it.
#[derive(Debug)]
pub(super) struct DescribedSecret {
    pub(super) path: String,
    pub(super) field: &'static Field,
    /// Where none is said, the field has one.
    pub(super) encoding: Option<Encoding>,
    pub(super) name: SecretRef,
}

/// A place that secrets can come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownSource<'s> {
    pub(super) name: &'s str,
    pub(super) options: &'s [&'static str],
    pub(super) kind: SourceKind,
}

/// What is known of a place that secrets can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// A secret manager, with a table of its own. The feature of its name adds it to a build.
    Manager { is_built: bool },
    /// Ready to be asked.
    Plain,
}

const MISSING: SourceKind = SourceKind::Manager { is_built: false };

/// A reference such as `{ env = "SALT", encoding = "hex" }`.
pub(super) fn secret(
    key: &mut Table<'_>,
    path: String,
    field: &'static Field,
    sources: &[KnownSource<'_>],
    found: &mut Found,
) -> Option<DescribedSecret> {
    let mut table = key.table(field.name, found).or_else(|| {
        // `table` has said that it is no table, but not what is meant.
        let mistake = found.mistakes.last_mut()?;
        mistake.remedy =
            "secrets do not stand in this file: write { env = \"NAME\" } or { file = \"path\" }"
                .to_owned();
        None
    })?;
    let mut encoding = None;
    if let Some(name) = table.text("encoding", found) {
        match Encoding::ALL.into_iter().find(|known| known.name() == name) {
            Some(known) => encoding = Some(known),
            None => {
                let names = Encoding::ALL.map(Encoding::name);
                let remedy = match nearest(name, names.into_iter()) {
                    Some(near) => format!("did you mean {near:?}? known: {}", names.join(", ")),
                    None => format!("use one of {}", names.join(", ")),
                };
                let problem = format!("{name:?} is no encoding");
                found.wrong(&table.path_of("encoding"), problem, &remedy);
            }
        }
    }
    let named: Vec<_> = sources.iter().filter(|source| table.has(source.name)).collect();
    let name = match named.as_slice() {
        [source] => reference(&mut table, source, found),
        [] => {
            let built = sources.iter().filter(|source| source.kind != MISSING);
            let names: Vec<_> = built.map(|source| source.name).collect();
            let remedy = format!("say one of {}", names.join(", "));
            found.wrong(&path, "names no source", &remedy);
            let options = sources.iter().flat_map(|source| source.options);
            options.for_each(|option| drop(table.word(option, found)));
            None
        }
        [_, _, ..] => {
            let names: Vec<_> = named.iter().map(|source| source.name).collect();
            found.wrong(&path, format!("names {}", names.join(" and ")), "keep one of them");
            for source in named {
                reference(&mut table, source, &mut Found::default());
            }
            None
        }
    };
    let names: Vec<_> = sources.iter().map(|source| source.name).collect();
    table.finish(found, &names);
    Some(DescribedSecret { path, field, encoding, name: name? })
}

/// The secret's name there, and the options of this source.
fn reference(
    table: &mut Table<'_>,
    source: &KnownSource<'_>,
    found: &mut Found,
) -> Option<SecretRef> {
    let name = table.text(source.name, found);
    let mut reference = SecretRef::new(source.name, name.unwrap_or_default());
    for option in source.options {
        if let Some(value) = table.word(option, found) {
            reference = reference.with(*option, value);
        }
    }
    if source.kind == MISSING {
        not_built(&table.path, source.name, found);
        return None;
    }
    name.map(|_| reference)
}

/// Says that this build cannot use a secret manager.
pub(super) fn not_built(path: &str, source: &str, found: &mut Found) {
    let remedy =
        format!("build with the feature {source}: --features cli,{source} for the program");
    found.wrong(path, format!("this build has no {source}"), &remedy);
}
