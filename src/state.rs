//! What a replay memory leaves behind for the process after this one.
//!
//! ```text
//! file = "keyscheme replay 2" LF ( alive / saved ) sha256[32]
//! alive = "alive" until[8]          ; while the process runs, written ahead again and again
//! saved = "saved" fences memory     ; after it has ended in peace
//! ```
//!
//! **The argument.** A claim is made only before `until` as it stands in the file. So after a crash no
//! credential was accepted at or after `until`, and none that is issued later than 30 seconds after
//! that can have been: everything else is fenced. After a peaceful end nothing was accepted after the
//! memory was written. Whoever starts first makes the file say `alive` again, before anything is
//! accepted, so that no state is ever used twice. A lock keeps two processes from one file.

use std::{
    fmt,
    fs::{File, OpenOptions, canonicalize, remove_file, rename},
    io::{Error, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::{
    policy::MAX_FUTURE, replay::MemoryReplay, source::read_at_most, time::UnixTime, verify::Fences,
};

/// A state file that this process has for itself.
pub(crate) struct StateFile {
    path: PathBuf,
    /// Whether it is closed for good: who is still about to keep it must not open it again.
    closed: Mutex<bool>,
    /// Held for as long as the process lives.
    _lock: File,
}

/// What was found at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A process before this one has not ended in peace, or has left what cannot be used, or somebody
    /// has taken it away: what was issued until then is fenced.
    Crashed(UnixTime),
    /// The memory of a process that has ended in peace.
    Memory,
    /// Nothing was ever remembered here.
    Nothing,
}

impl Found {
    /// Nobody knows until when the process before went on: it may have been until now.
    fn unknown(now: UnixTime) -> Self {
        Self::Crashed(now.plus(MAX_FUTURE))
    }

    /// Writes what it means.
    pub(crate) fn report(self) {
        match self {
            Self::Crashed(until) => tracing::warn!(
                target: "keyscheme",
                %until,
                "the replay memory of the process before is lost: single-use credentials that were \
                 issued until then are refused"
            ),
            Self::Memory => {
                tracing::info!(target: "keyscheme", "the replay memory of the process before is known");
            }
            Self::Nothing => {
                tracing::info!(target: "keyscheme", "there is no replay memory of a process before");
            }
        }
    }
}

impl StateFile {
    /// Takes the file, and gives to `memory` what it says.
    pub(crate) fn open(
        path: &Path,
        memory: &mut MemoryReplay,
        fences: &mut Fences,
        now: UnixTime,
    ) -> Result<(Self, Found), Error> {
        // One that is written by another name is the same, and a link stays a link.
        let linked = std::fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
        let path = &if linked { canonicalize(path)? } else { path.to_owned() };
        let lock = beside(path, ".lock");
        // Left by whoever had the file before, and created no sooner than that.
        let had_one = lock.try_exists()?;
        let lock = private(OpenOptions::new().create(true)).open(lock)?;
        if lock.try_lock().is_err() {
            return Err(Error::other("another process uses it: give each a file of its own"));
        }
        let state = Self { path: path.clone(), closed: Mutex::new(false), _lock: lock };
        let found = match read_at_most(path, LONGEST) {
            Ok(content) if is_foreign(content.expose()) => return Err(Error::other(FOREIGN)),
            Ok(content) => found(content.expose(), memory, fences, now),
            Err(error) if error.kind() == ErrorKind::NotFound && had_one => Found::unknown(now),
            Err(error) if error.kind() == ErrorKind::NotFound => Found::Nothing,
            Err(error) => return Err(error),
        };
        if let Found::Crashed(until) = found {
            memory.fence(until);
        }
        state.keep(memory, now)?;
        Ok((state, found))
    }

    /// Says that this process is alive, and lets `memory` remember a little longer. To be called again
    /// and again, a few seconds before the time is over. Nothing, once it is closed.
    pub(crate) fn keep(&self, memory: &MemoryReplay, now: UnixTime) -> Result<(), Error> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Ok(());
        }
        let until = memory.clock().max(now).plus(LEASE);
        self.write(&[ALIVE, &until.0.to_be_bytes()].concat())?;
        memory.keep_until(until);
        Ok(())
    }

    /// Lets `memory` remember nothing more, and writes what it knows.
    pub(crate) fn close(&self, memory: &MemoryReplay, fences: &Fences) -> Result<(), Error> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = true;
        memory.keep_until(UnixTime(0));
        let mut saved = SAVED.to_vec();
        fences.save(&mut saved);
        memory.save(&mut saved);
        self.write(&saved)
    }

    /// As a whole or not at all, also where the power fails.
    fn write(&self, state: &[u8]) -> Result<(), Error> {
        let new = beside(&self.path, ".new");
        // What a crash has left there may be open to others.
        match remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private(OpenOptions::new().create_new(true)).open(&new)?;
        for part in [HEADER, state, &Sha256::digest(state)] {
            file.write_all(part)?;
        }
        file.sync_all()?;
        rename(&new, &self.path)?;
        let directory = self.path.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// What a state file says, and gives to `memory` and `fences`.
fn found(content: &[u8], memory: &mut MemoryReplay, fences: &mut Fences, now: UnixTime) -> Found {
    let unknown = Found::unknown(now);
    let whole = content.strip_prefix(HEADER).and_then(|state| state.split_last_chunk::<32>());
    let Some((state, digest)) = whole else { return unknown };
    if <[u8; 32]>::from(Sha256::digest(state)) != *digest {
        return unknown;
    }
    if let Some(until) = state.strip_prefix(ALIVE).and_then(|until| until.try_into().ok()) {
        let until = UnixTime(u64::from_be_bytes(until));
        memory.advance(until.minus(LEASE));
        // Also where it is later than now: the clock may have been set back a little.
        return Found::Crashed(until.plus(MAX_FUTURE));
    }
    let saved = state.strip_prefix(SAVED).and_then(Fences::restore);
    match saved {
        Some((saved, rest)) if memory.restore(rest) => {
            *fences = saved;
            Found::Memory
        }
        _ => unknown,
    }
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateFile({})", self.path.display())
    }
}

/// Whether there is something else, which a state file in its place would destroy. What cannot be read
/// is not.
pub(crate) fn holds_something_else(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    let mut start = Vec::new();
    let mut read = || File::open(path)?.take(MARK.len() as u64).read_to_end(&mut start);
    !metadata.is_file() || read().is_ok() && is_foreign(&start)
}

/// Whether no state file begins like this, whole or cut off, of this version or another.
fn is_foreign(content: &[u8]) -> bool {
    !content.starts_with(MARK) && !MARK.starts_with(content)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// So that others may not read it.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true).mode(0o600)
}

/// How long a process may go on after it has said that it is alive, in seconds. It says so twice in
/// that time.
pub(crate) const LEASE: u64 = 20;
const MARK: &[u8] = b"keyscheme replay ";
const HEADER: &[u8] = b"keyscheme replay 2\n";
/// What to say of a place where something else is.
pub(crate) const FOREIGN: &str = "holds something else, which would be lost";
const ALIVE: &[u8] = b"alive";
const SAVED: &[u8] = b"saved";
/// Whatever a memory has left, the next must read.
const LONGEST: usize = usize::MAX / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{KeyId, ServiceName},
        random::OsRandom,
        replay::{Claim, ReplayClaim},
    };

    /// A file in a directory that goes with the test.
    struct Place(PathBuf);

    impl std::ops::Deref for Place {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = self.0.parent().map(std::fs::remove_dir_all);
        }
    }

    fn path(name: &str) -> Place {
        let name = format!("keyscheme-state-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Place(directory.join("state"))
    }

    fn memory() -> MemoryReplay {
        MemoryReplay::new(100, &OsRandom).unwrap()
    }

    fn open(path: &Path, now: u64) -> (MemoryReplay, StateFile, Found) {
        let mut memory = memory();
        let (state, found) =
            StateFile::open(path, &mut memory, &mut Fences::default(), UnixTime(now)).unwrap();
        (memory, state, found)
    }

    fn claim(memory: &MemoryReplay, nonce: u8, issued_at: u64, now: u64) -> Option<Claim> {
        let (service, key_id) = (ServiceName::new("stt").unwrap(), KeyId::new("k").unwrap());
        let (issued_at, now) = (UnixTime(issued_at), UnixTime(now));
        let (service, key_id, nonce) = (&service, &key_id, &[nonce][..]);
        let claim = ReplayClaim { service, key_id, nonce, issued_at, max_age: 300, now };
        memory.claim_now(&claim).ok()
    }

    #[test]
    fn after_a_peaceful_end_everything_is_known() {
        let path = path("peace");
        let (memory, state, found) = open(&path, 1_000);
        assert_eq!(found, Found::Nothing);
        for nonce in 0..50 {
            assert_eq!(claim(&memory, nonce, 1_000, 1_000), Some(Claim::First));
        }
        state.close(&memory, &Fences::default()).unwrap();
        // Nothing that would not be known later.
        assert_eq!(claim(&memory, 99, 1_000, 1_000), None);
        drop(state);
        let (memory, _state, found) = open(&path, 1_005);
        assert_eq!(found, Found::Memory);
        for nonce in 0..50 {
            assert_eq!(claim(&memory, nonce, 1_000, 1_005), Some(Claim::Seen));
        }
        assert_eq!(claim(&memory, 50, 1_000, 1_005), Some(Claim::First));
    }

    #[test]
    fn who_keeps_it_late_does_not_open_it_again() {
        let path = path("late");
        let (memory, state, _) = open(&path, 1_000);
        assert_eq!(claim(&memory, 1, 1_000, 1_000), Some(Claim::First));
        state.close(&memory, &Fences::default()).unwrap();
        state.keep(&memory, UnixTime(1_001)).unwrap();
        assert_eq!(claim(&memory, 2, 1_001, 1_001), None);
        drop(state);
        assert_eq!(open(&path, 1_002).2, Found::Memory);
    }

    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt;

        let path = path("private");
        std::fs::write(beside(&path, ".new"), "left by a crash").unwrap();
        let (memory, state, _) = open(&path, 1_000);
        state.close(&memory, &Fences::default()).unwrap();
        for ending in ["", ".lock"] {
            let mode = std::fs::metadata(beside(&path, ending)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{ending}");
        }
    }

    #[test]
    fn after_a_crash_what_may_have_been_used_is_fenced() {
        let path = path("crash");
        let (memory, state, _) = open(&path, 1_000);
        assert_eq!(claim(&memory, 1, 1_019, 1_019), Some(Claim::First));
        // It has not said again that it is alive.
        assert_eq!(claim(&memory, 2, 1_020, 1_020), None);
        state.keep(&memory, UnixTime(1_020)).unwrap();
        assert_eq!(claim(&memory, 2, 1_020, 1_020), Some(Claim::First));
        drop((memory, state));
        let (memory, state, found) = open(&path, 1_025);
        assert_eq!(found, Found::Crashed(UnixTime(1_070)));
        assert_eq!(claim(&memory, 1, 1_019, 1_025), Some(Claim::Forgotten));
        assert_eq!(claim(&memory, 3, 1_070, 1_041), Some(Claim::Forgotten));
        assert_eq!(claim(&memory, 3, 1_071, 1_041), Some(Claim::First));
        // The fence outlives a peaceful end.
        state.close(&memory, &Fences::default()).unwrap();
        drop(state);
        let (memory, _state, found) = open(&path, 1_030);
        assert_eq!(found, Found::Memory);
        assert_eq!(claim(&memory, 1, 1_019, 1_030), Some(Claim::Forgotten));
    }

    #[test]
    fn long_after_a_crash_nothing_fresh_is_fenced() {
        let path = path("long");
        drop(open(&path, 1_000));
        let (memory, _state, found) = open(&path, 5_000);
        assert_eq!(found, Found::Crashed(UnixTime(1_050)));
        assert_eq!(claim(&memory, 1, 4_990, 5_000), Some(Claim::First));
    }

    #[test]
    fn a_clock_that_was_set_back_reopens_nothing() {
        let path = path("back");
        let (memory, state, _) = open(&path, 10_000);
        assert_eq!(claim(&memory, 1, 10_000, 10_000), Some(Claim::First));
        drop((memory, state));
        let (memory, _state, found) = open(&path, 9_000);
        assert_eq!(found, Found::Crashed(UnixTime(10_050)));
        assert_eq!(claim(&memory, 1, 10_000, 9_990), Some(Claim::Forgotten));
        assert_eq!(claim(&memory, 2, 9_000, 9_000), Some(Claim::Stale));
    }

    #[test]
    fn what_cannot_be_used_is_a_crash() {
        let path = path("broken");
        let (memory, state, _) = open(&path, 1_000);
        assert_eq!(claim(&memory, 1, 1_000, 1_000), Some(Claim::First));
        let alive = std::fs::read(&*path).unwrap();
        state.close(&memory, &Fences::default()).unwrap();
        drop(state);
        let saved = std::fs::read(&*path).unwrap();
        for at in MARK.len()..alive.len() {
            let mut broken = alive.clone();
            broken[at] ^= 1;
            std::fs::write(&*path, &broken).unwrap();
            assert_eq!(open(&path, 1_001).2, Found::Crashed(UnixTime(1_031)), "byte {at}");
        }
        for at in MARK.len()..saved.len() {
            let mut broken = saved.clone();
            broken[at] ^= 1;
            std::fs::write(&*path, &broken).unwrap();
            let (memory, _state, found) = open(&path, 1_001);
            assert_eq!(found, Found::Crashed(UnixTime(1_031)), "byte {at}");
            assert_eq!(claim(&memory, 1, 1_000, 1_001), Some(Claim::Forgotten));
        }
        for length in 0..saved.len() {
            std::fs::write(&*path, &saved[..length]).unwrap();
            assert_eq!(open(&path, 1_001).2, Found::Crashed(UnixTime(1_031)), "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_state_file_stays_as_it_is() {
        let path = path("foreign");
        let mark: Vec<_> = (0..MARK.len())
            .map(|at| {
                let mut broken = HEADER.to_vec();
                broken[at] ^= 1;
                broken
            })
            .collect();
        let others = ["SALT=salt\n", "k\n", "\0"].map(|text| text.as_bytes().to_vec());
        for content in others.into_iter().chain(mark) {
            std::fs::write(&*path, &content).unwrap();
            assert!(holds_something_else(&path));
            let error =
                StateFile::open(&path, &mut memory(), &mut Fences::default(), UnixTime(1_000))
                    .unwrap_err();
            assert!(error.to_string().contains("something else"), "{error}");
            assert_eq!(std::fs::read(&*path).unwrap(), content);
        }
        for ours in [&b""[..], MARK, HEADER, b"keyscheme replay 2\n", b"key"] {
            std::fs::write(&*path, ours).unwrap();
            assert!(!holds_something_else(&path), "{ours:?}");
            assert_eq!(open(&path, 1_001).2, Found::Crashed(UnixTime(1_031)), "{ours:?}");
        }
        assert!(holds_something_else(path.parent().unwrap()));
        assert!(!holds_something_else(&beside(&path, ".none")));
    }

    #[test]
    fn what_somebody_has_taken_away_is_a_crash() {
        let path = path("gone");
        let (memory, state, found) = open(&path, 1_000);
        assert_eq!(found, Found::Nothing);
        assert_eq!(claim(&memory, 1, 1_000, 1_000), Some(Claim::First));
        state.close(&memory, &Fences::default()).unwrap();
        drop(state);
        std::fs::remove_file(&*path).unwrap();
        let (memory, _state, found) = open(&path, 1_001);
        assert_eq!(found, Found::Crashed(UnixTime(1_031)));
        assert_eq!(claim(&memory, 1, 1_000, 1_001), Some(Claim::Forgotten));
    }

    #[test]
    fn a_link_stays_one_and_locks_what_it_names() {
        let path = path("link");
        let link = beside(&path, ".link");
        std::os::unix::fs::symlink("state", &link).unwrap();
        let nothing = StateFile::open(&link, &mut memory(), &mut Fences::default(), UnixTime(1));
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::NotFound);
        drop(open(&path, 1_000));
        let (memory, state, _) = open(&link, 1_100);
        let other =
            StateFile::open(&path, &mut self::memory(), &mut Fences::default(), UnixTime(1_100));
        assert!(other.unwrap_err().to_string().contains("another process"));
        assert_eq!(claim(&memory, 1, 1_100, 1_100), Some(Claim::First));
        state.close(&memory, &Fences::default()).unwrap();
        drop(state);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        let (memory, _state, found) = open(&path, 1_101);
        assert_eq!((found, claim(&memory, 1, 1_100, 1_101)), (Found::Memory, Some(Claim::Seen)));
    }

    #[test]
    fn one_process_has_it_for_itself() {
        let path = path("lock");
        let (_, _state, _) = open(&path, 1_000);
        let error = StateFile::open(&path, &mut memory(), &mut Fences::default(), UnixTime(1_000))
            .unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }
}
