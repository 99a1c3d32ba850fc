//! A file that is edited in place: read, and replaced as a whole if it is still what was read.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::super::{Unusable, key::random};

/// A file as it was read, and kept from other rotations.
pub(super) struct Edited {
    /// As it was named.
    name: PathBuf,
    /// Where links lead.
    path: PathBuf,
    file: File,
    pub(super) text: String,
}

/// Why a file was not replaced.
pub(super) enum Trouble {
    /// It is not what was read any more, or somebody else is at work on it.
    Busy(String),
    Unusable(Unusable),
}

impl From<Unusable> for Trouble {
    fn from(unusable: Unusable) -> Self {
        Self::Unusable(unusable)
    }
}

impl Edited {
    pub(super) fn open(name: &Path) -> Result<Self, Trouble> {
        let cannot = |error: io::Error| {
            let name = name.display();
            Unusable(format!("{name}: {error}; name a readable configuration file"))
        };
        let path = fs::canonicalize(name).map_err(cannot)?;
        // A pipe would be waited for.
        if !fs::metadata(&path).map_err(cannot)?.is_file() {
            return Err(cannot(io::Error::other("is not a regular file")).into());
        }
        let mut file = File::open(&path).map_err(cannot)?;
        // Where there are no locks it is left to the comparison before writing.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let name = name.display();
            return Err(Trouble::Busy(format!(
                "{name}: another rotation is at work on it; try again"
            )));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(cannot)?;
        Ok(Self { name: name.to_owned(), path, file, text })
    }

    /// Puts a text in its place, with its owner and mode: under its name there is always one of the two,
    /// and whole.
    pub(super) fn replace(&self, text: &str) -> Result<(), Trouble> {
        let cannot = |error: io::Error| {
            let remedy = "nothing was changed; where it is mounted, change what it is mounted from by what \
                          --dry-run prints";
            Unusable(format!("{}: {error}; {remedy}", self.name.display()))
        };
        let metadata = self.file.metadata().map_err(cannot)?;
        if metadata.permissions().readonly() {
            let error =
                format!("its mode is {:o}, which lets nobody write", metadata.mode() & 0o7777);
            return Err(cannot(io::Error::other(error)).into());
        }
        if metadata.nlink() > 1 {
            let error = "it has other names (hard links), which would keep the old text";
            return Err(cannot(io::Error::other(error)).into());
        }
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let number = u64::from_ne_bytes(random()?);
        let new = Beside(directory.join(format!(".{name}.{number:016x}")));
        new.write(text, &metadata).map_err(cannot)?;
        if !self.is_unchanged() {
            let name = self.name.display();
            let why = format!(
                "{name}: somebody else has changed it meanwhile; look at it, then try again"
            );
            return Err(Trouble::Busy(why));
        }
        fs::rename(&new.0, &self.path).map_err(cannot)?;
        sync_directory(directory);
        Ok(())
    }

    fn is_unchanged(&self) -> bool {
        fs::canonicalize(&self.name).is_ok_and(|path| path == self.path)
            && fs::read(&self.path).is_ok_and(|now| now == self.text.as_bytes())
    }
}

/// A file that is taken away again, unless it was renamed.
struct Beside(PathBuf);

impl Beside {
    fn write(&self, text: &str, like: &Metadata) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        file.write_all(text.as_bytes())?;
        let new = file.metadata()?;
        let owner = (like.uid(), like.gid());
        if (new.uid(), new.gid()) != owner {
            fchown(&file, Some(owner.0), Some(owner.1)).map_err(|error| {
                let (user, group) = owner;
                io::Error::other(format!(
                    "it would no longer belong to user {user} and group {group}: {error}"
                ))
            })?;
        }
        file.set_permissions(like.permissions())?;
        file.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A new secret in a file of its own, which nobody else can read. It is taken away again unless it is kept.
pub(super) struct NewSecret {
    path: PathBuf,
    kept: bool,
}

impl NewSecret {
    pub(super) fn write(path: PathBuf, text: &Zeroizing<String>) -> Result<Self, Unusable> {
        let cannot = |error: io::Error| {
            Unusable(format!("{}: {error}; name a file that can be made", path.display()))
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&path).map_err(cannot)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let new = Self { path: path.clone(), kept: false };
        written.map_err(cannot)?;
        if let Some(directory) = path.parent() {
            sync_directory(directory);
        }
        Ok(new)
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewSecret {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// So that a name survives a loss of power. Some file systems cannot, and need not.
fn sync_directory(path: &Path) {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let _ = File::open(path).and_then(|directory| directory.sync_all());
}
