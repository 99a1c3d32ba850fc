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
    if !fs::metadata(path)?.is_file() {
        return Err(Error::other("is not a regular file"));
    }
    // Of the right size at once: a vector that grows leaves pieces of a secret behind.
    let size = fs::metadata(path)?.len().try_into().unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(longest.min(size) + 2);
    File::open(path)?.take(longest as u64 + 1).read_to_end(&mut bytes)?;
    let content = Secret::from(bytes);
    if content.len() > longest {
        return Err(Error::other(format!("is longer than {} KiB", longest / 1024)));
    }
    Ok(content)
}
