//! The log of a server, on standard error.

use std::{
    io::{self, Write},
    sync::mpsc::{self, SyncSender, TrySendError},
    thread,
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

/// Starts it.
pub(super) fn start(format: Format) {
    let layer = tracing_subscriber::fmt::layer().with_writer(Writer::start());
    let layer = match format {
        Format::Json => layer.json().flatten_event(true).with_target(false).boxed(),
        Format::Text => layer.with_ansi(false).with_target(false).boxed(),
    };
    let levels = Targets::new().with_target("keyscheme", LevelFilter::DEBUG);
    let levels = levels.with_default(LevelFilter::WARN);
    tracing_subscriber::registry().with(layer.with_filter(levels)).init();
}

/// Hands lines to a thread that writes them. Whoever reads the log may stop reading; then lines are
/// lost, and decisions still made.
#[derive(Clone)]
struct Writer {
    lines: SyncSender<Vec<u8>>,
}

impl Writer {
    fn start() -> Self {
        let (sender, lines) = mpsc::sync_channel::<Vec<u8>>(BACKLOG);
        thread::spawn(move || {
            let mut batch = Vec::new();
            while let Ok(line) = lines.recv() {
                batch.extend_from_slice(&line);
                // What has come meanwhile goes into the same write.
                while let Ok(line) = lines.try_recv() {
                    batch.extend_from_slice(&line);
                    if batch.len() > BATCH {
                        break;
                    }
                }
                let _ = io::stderr().write_all(&batch);
                batch.clear();
            }
        });
        Self { lines: sender }
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
        match self.lines.try_send(line.to_vec()) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that may wait to be written.
const BACKLOG: usize = 16_384;
/// About how much is written at once, in bytes.
const BATCH: usize = 64 * 1024;
