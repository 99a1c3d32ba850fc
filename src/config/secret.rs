//! Secrets that a file names, such as `{ env = "SALT", encoding = "hex" }`.

use super::walk::{Found, Table};
use crate::{encoding::Encoding, material::Field, registry::nearest, source::SecretRef};

/// A secret that is named, and how to read it.
#[derive(Debug)]
pub(super) struct DescribedSecret {
    pub(super) path: String,
    pub(super) field: &'static Field,
    pub(super) encoding: Encoding,
    pub(super) name: SecretRef,
}

/// A reference such as `{ env = "SALT", encoding = "hex" }`.
pub(super) fn secret(
    key: &mut Table<'_>,
    path: String,
    field: &'static Field,
    sources: &[&str],
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
    let mut encoding = field.encoding;
    if let Some(name) = table.text("encoding", found) {
        match Encoding::ALL.into_iter().find(|known| known.name() == name) {
            Some(known) => encoding = known,
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
    let named: Vec<_> = sources.iter().filter(|source| table.has(source)).copied().collect();
    let name = match named.as_slice() {
        [source] => table
            .text(source, found)
            .map(|name| SecretRef { source: (*source).to_owned(), name: name.to_owned() }),
        [] => {
            let remedy = format!("say one of {}", sources.join(", "));
            found.wrong(&path, "names no source", &remedy);
            None
        }
        [_, _, ..] => {
            found.wrong(&path, format!("names {}", named.join(" and ")), "keep one of them");
            for source in named {
                table.text(source, found);
            }
            None
        }
    };
    table.finish(found, sources);
    Some(DescribedSecret { path, field, encoding, name: name? })
}
