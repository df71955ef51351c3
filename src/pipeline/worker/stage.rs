//! Threads that hand on what they make, one piece waiting at a time.

use crate::pipeline::JobError;
use crate::publish::{ForecastBatches, ForecastStream, Provenance};
use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Bytes that are written at a time.
const WRITE_BYTES: usize = 1 << 18;

/// A thread that makes pieces, in order. It is not waited for where nobody takes them any more: it may be reading from
/// somebody who says nothing.
pub(super) struct Stage<T, E> {
    pieces: Receiver<Result<Option<T>, E>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static, E: Send + From<io::Error> + 'static> Stage<T, E> {
    /// Starts a thread that calls `make` until it gives nothing more, or an error.
    pub(super) fn run(
        name: &str,
        mut make: impl FnMut() -> Result<Option<T>, E> + Send + 'static,
    ) -> Stage<T, E> {
        let (sender, pieces) = sync_channel(1);
        let begun = sender.clone();
        let work = move || {
            loop {
                let piece = make();
                let is_last = !matches!(piece, Ok(Some(_)));
                if sender.send(piece).is_err() || is_last {
                    break;
                }
            }
        };
        match Builder::new().name(name.to_owned()).spawn(work) {
            Ok(thread) => Stage { pieces, thread: Some(thread) },
            Err(error) => {
                // There is room for one piece.
                let _ = begun.send(Err(error.into()));
                Stage { pieces, thread: None }
            }
        }
    }

    /// The next piece; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<T>, E> {
        match self.pieces.recv() {
            Ok(piece) => piece,
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                // A bug there is a bug here.
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => Ok(None),
            },
        }
    }
}

/// A thread that writes what it is given. Dropped before its end, it leaves the stream without one.
pub(super) struct Outlet {
    rows: Option<SyncSender<Option<ForecastBatches>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Outlet {
    /// Begins a stream of forecasts with these quantile levels.
    pub(super) fn begin(
        output: impl Write + Send + 'static,
        levels: Vec<f64>,
        id_columns: Vec<String>,
        provenance: Provenance,
    ) -> Result<Outlet, JobError> {
        let (rows, pieces) = sync_channel::<Option<ForecastBatches>>(1);
        let work = move || {
            let output = BufWriter::with_capacity(WRITE_BYTES, output);
            let mut stream = ForecastStream::begin(output, &levels, &id_columns, &provenance)?;
            while let Ok(piece) = pieces.recv() {
                match piece {
                    Some(batches) => stream.write(&batches)?,
                    None => return stream.end(),
                }
            }
            Ok(())
        };
        let thread = Builder::new().name("writing".into()).spawn(work).map_err(JobError::Stream)?;
        Ok(Outlet { rows: Some(rows), thread: Some(thread) })
    }

    /// Hands over rows.
    pub(super) fn write(&mut self, batches: ForecastBatches) -> Result<(), JobError> {
        let is_taken = self.rows.as_ref().is_some_and(|rows| rows.send(Some(batches)).is_ok());
        if is_taken { Ok(()) } else { self.join() }
    }

    /// Marks the end, once everything is written.
    pub(super) fn end(mut self) -> Result<(), JobError> {
        // If nobody listens, why is told below.
        let _ = self.rows.take().map(|rows| rows.send(None));
        self.join()
    }

    fn join(&mut self) -> Result<(), JobError> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(written)) => written.map_err(JobError::Stream),
            None => Ok(()),
        }
    }
}

impl Drop for Outlet {
    /// What was handed over is written, whatever happens to the rest.
    fn drop(&mut self) {
        drop(self.rows.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
