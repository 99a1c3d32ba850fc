//! The log of a server, on standard error.

use std::{
    io::{self, Write},
    sync::mpsc::{self, SyncSender, TrySendError},
    thread,
    time::{Duration, Instant},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::{Layer, SubscriberExt},
    util::SubscriberInitExt,
};

/// How lines are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Format {
    /// An object per line.
    Json,
    /// For people.
    Text,
}

/// A log that was started.
pub(super) struct Log {
    entries: SyncSender<Entry>,
}

impl Log {
    /// Waits until everything is written, though not for ever.
    pub(super) fn finish(self) {
        let end = Instant::now() + PATIENCE;
        let (done, written) = mpsc::sync_channel(1);
        let mut entry = Entry::End(done);
        // A reader that is behind may still come to it.
        while let Err(TrySendError::Full(back)) = self.entries.try_send(entry) {
            if Instant::now() >= end {
                return;
            }
            entry = back;
            thread::sleep(NAP);
        }
        let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Starts it.
pub(super) fn start(format: Format) -> Log {
    let writer = Writer::start(io::stderr());
    let log = Log { entries: writer.entries.clone() };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match format {
        Format::Json => layer.json().flatten_event(true).with_target(false).boxed(),
        Format::Text => layer.with_ansi(false).with_target(false).boxed(),
    };
    let levels = Targets::new().with_target("keyscheme", LevelFilter::DEBUG);
    let levels = levels.with_default(LevelFilter::WARN);
    tracing_subscriber::registry().with(layer.with_filter(levels)).init();
    log
}

/// What the thread that writes is told.
enum Entry {
    /// Say when all before this is written.
    End(SyncSender<()>),
    Line(Vec<u8>),
}

/// Hands lines to a thread that writes them. Whoever reads the log may stop reading; then lines are
/// lost, and decisions still made.
#[derive(Clone)]
struct Writer {
    entries: SyncSender<Entry>,
}

impl Writer {
    fn start(mut to: impl Write + Send + 'static) -> Self {
        let (sender, entries) = mpsc::sync_channel(BACKLOG);
        thread::spawn(move || {
            let mut batch = Vec::new();
            let mut end = None;
            while let Ok(entry) = entries.recv() {
                // What has come meanwhile goes into the same write.
                let more = std::iter::from_fn(|| entries.try_recv().ok());
                for entry in std::iter::once(entry).chain(more) {
                    match entry {
                        Entry::End(done) => end = Some(done),
                        Entry::Line(line) => batch.extend_from_slice(&line),
                    }
                    if batch.len() > BATCH {
                        break;
                    }
                }
                let _ = to.write_all(&batch);
                let is_behind = batch.len() > BATCH;
                batch.clear();
                if let Some(done) = end.take() {
                    let _ = done.try_send(());
                }
                // So that those who decide need not wake this thread for every line.
                if !is_behind {
                    thread::sleep(NAP);
                }
            }
        });
        Self { entries: sender }
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.entries.try_send(Entry::Line(line.to_vec())) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that may wait to be written.
const BACKLOG: usize = 16_384;
/// How long the end waits for a reader of the log.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long lines wait for others to be written with.
const NAP: Duration = Duration::from_millis(1);
/// About how much is written at once, in bytes.
const BATCH: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc::Receiver};

    use super::*;

    /// A reader that takes nothing until it is told to.
    struct Reader {
        begin: Option<Receiver<()>>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(begin) = self.begin.take() {
                let _ = begin.recv();
            }
            self.read.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn full() -> (Log, SyncSender<()>, Arc<Mutex<Vec<u8>>>) {
        let (begin, told) = mpsc::sync_channel(1);
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let mut writer = Writer::start(Reader { begin: Some(told), read: Arc::clone(&read) });
        for _ in 0..2 * BACKLOG {
            writer.write_all(b"a line of the log\n").unwrap();
        }
        (Log { entries: writer.entries }, begin, read)
    }

    #[test]
    fn the_end_waits_for_a_reader_that_is_behind() {
        let (log, begin, read) = full();
        thread::spawn(move || {
            thread::sleep(PATIENCE / 10);
            begin.send(()).unwrap();
        });
        log.finish();
        let lines = read.lock().unwrap().iter().filter(|byte| **byte == b'\n').count();
        assert!(lines >= BACKLOG, "{lines} of {BACKLOG} lines that waited");
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let (log, _begin, read) = full();
        let started = Instant::now();
        log.finish();
        let waited = started.elapsed();
        assert!(waited >= PATIENCE && waited < 3 * PATIENCE, "{waited:?}");
        assert!(read.lock().unwrap().is_empty());
    }
}
