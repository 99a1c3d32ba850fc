//! Reading files that somebody named: regular ones only, and not without end.

use std::{
    fs::{self, File},
    io::{Error, Read, Result},
    path::Path,
};

use crate::secret::Secret;

/// The content of a regular file of at most `longest` bytes.
///
/// A pipe without a writer would be waited for, and a device read, for ever.
pub(crate) fn read_at_most(path: &Path, longest: usize) -> Result<Secret> {
    let not_a_file = || Error::other("is not a regular file");
    if !fs::metadata(path)?.is_file() {
        return Err(not_a_file());
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(not_a_file());
    }
    let too_long = || Error::other(format!("is longer than {} KiB", longest / 1024));
    if opened.len() > longest as u64 {
        return Err(too_long());
    }
    // Of the right size at once: a vector that grows leaves pieces of a secret behind. With 64 bytes to
    // spare, since the end is otherwise looked for in a buffer that nobody erases.
    let size = usize::try_from(opened.len()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size.min(longest) + 64);
    file.take(longest as u64 + 1).read_to_end(&mut bytes)?;
    let content = Secret::from(bytes);
    if content.len() > longest {
        return Err(too_long());
    }
    Ok(content)
}
