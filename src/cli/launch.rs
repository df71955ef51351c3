//! What happens around a command: settings, threads, bugs.

use crate::cli::error::CliError;
use crate::config::{self, Settings};
use crate::ingest;
use crate::pipeline::JobSpec;
use crate::publish;
use crate::registry::Registry;
use crate::schedule::spec::DaemonSpec;
use crate::store::{self, AllowList, Fence};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Environment variable that sizes the thread pool of the file readers; it is read once, before it can be set here.
const READER_THREADS: &str = "POLARS_MAX_THREADS";

/// Environment variable that bounds the heaps of glibc's allocator.
const HEAPS: &str = "MALLOC_ARENA_MAX";

/// Environment variable with the folders and addresses, between colons, below which everything has to lie.
const ALLOW_PATHS: &str = "S4CAST_ALLOW_PATHS";

/// Settings of the config file, if there is one.
pub(super) fn settings(config: Option<&Path>) -> Result<Settings, CliError> {
    let env = |name: &str| std::env::var(name).ok();
    match config {
        None => Ok(Settings::default()),
        Some(path) => {
            Settings::read(path, &env).map_err(|reason| CliError::ConfigFile { path: path.into(), reason })
        }
    }
}

/// The daemon's config, fully checked.
pub(super) fn daemon(path: &Path) -> Result<config::Daemon, CliError> {
    let env = |name: &str| std::env::var(name).ok();
    let daemon = config::daemon(path, &env)?;
    store::set_fence(daemon.fence.clone());
    Ok(daemon)
}

/// Puts the fence around this process that its environment asks for.
pub(super) fn fence() -> Result<(), CliError> {
    let texts = std::env::var(ALLOW_PATHS).unwrap_or_default();
    // A colon that slashes follow is that of an address.
    let mut lists: Vec<String> = Vec::new();
    for part in texts.split(':') {
        match lists.last_mut() {
            Some(last) if part.starts_with("//") => *last = format!("{last}:{part}"),
            _ => lists.push(part.into()),
        }
    }
    lists.retain(|text| !text.trim().is_empty());
    if lists.is_empty() {
        return Ok(());
    }
    let list = AllowList::new(ALLOW_PATHS, &lists).map_err(|problems| CliError::Request {
        message: format!("{ALLOW_PATHS}: {}", problems.join("; ")),
        help: Some("write folders and addresses between colons: /srv/s4cast:s3://bucket/forecasts".into()),
    })?;
    store::set_process_fence(Fence::default().and(list));
    Ok(())
}

/// Whether what a command reads by itself lies inside of the fence.
pub(super) fn within_fence<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), CliError> {
    let fence = store::fence();
    let outside: Vec<String> = paths
        .into_iter()
        .filter_map(|path| fence.input(&path.to_string_lossy()).err().map(|refusal| refusal.to_string()))
        .collect();
    if outside.is_empty() { Ok(()) } else { Err(CliError::Outside(outside.join("; "))) }
}

/// The models of a daemon. Shards train on series of their own, so in a store each has a registry of its own.
pub(super) fn registry(spec: &DaemonSpec) -> Result<Registry, CliError> {
    let root = spec.state.join("models");
    let keys = spec.keys.clone();
    let Some(models) = &spec.models else { return Ok(Registry::alone(root)?.with_keys(keys)) };
    let (shard, mut at) = (spec.shard, models.clone());
    if !shard.is_whole() {
        at = at.join(&format!("shard-{}-of-{}", shard.index(), shard.count()));
    }
    Ok(Registry::copy_of(root, &at)?.with_keys(keys))
}

/// Brings the copies of what stands in stores up to date, for a command that only looks: what cannot be is as it was.
pub(super) fn refresh(registry: &Registry, job: &JobSpec) {
    registry.refresh_or_warn(&job.name);
    for sink in [&job.sink, &job.sink.shadow()] {
        if let Err(error) = publish::pull(sink, &job.name) {
            tracing::warn!(job = job.name, %error, "the runs cannot be brought up to date");
        }
    }
}

/// Bounds the worker threads, those of the file readers included.
///
/// The readers size their pool from the environment, which a running program may not change safely. So the program
/// starts itself again, once, with the variable set; where that is not possible only its own pool is bounded.
pub(super) fn limit_threads(threads: Option<usize>) {
    let Some(threads) = threads else { return };
    let wanted = threads.to_string();
    if std::env::var(READER_THREADS).ok().as_ref() != Some(&wanted) {
        restart(&[(READER_THREADS, wanted)]);
    }
    if let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global() {
        tracing::warn!(%error, "the number of threads stays as it was");
    }
}

/// Bounds the worker threads and the heaps of a process that runs for months.
///
/// glibc gives threads up to eight heaps a core, and each keeps the largest slot that was ever worked in it: memory grows until
/// all of them have. One a worker thread is enough. They too are sized from the environment, at the start; what is set there
/// already holds.
pub(super) fn limit_daemon(threads: Option<usize>) {
    if cfg!(target_env = "gnu") && std::env::var_os(HEAPS).is_none() {
        let workers =
            threads.or(std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(2).max(2);
        let readers = threads.map(|threads| (READER_THREADS, threads.to_string()));
        let variables: Vec<_> = readers.into_iter().chain([(HEAPS, workers.to_string())]).collect();
        restart(&variables);
    }
    limit_threads(threads);
}

/// Replaces this process by itself with variables set; returns only where that failed.
#[cfg(unix)]
fn restart(variables: &[(&str, String)]) {
    use std::os::unix::process::CommandExt;
    if let Ok(program) = std::env::current_exe() {
        let mut command = Command::new(program);
        let error = command.args(std::env::args_os().skip(1)).envs(variables.iter().cloned()).exec();
        tracing::warn!(%error, "the threads of the file readers and the heaps stay unbounded");
    }
}

#[cfg(not(unix))]
fn restart(variables: &[(&str, String)]) {
    let _ = (variables, Command::new(""));
}

/// From here on temporary files are in the state directory of a daemon; what killed ones left there is removed.
pub(super) fn scratch_in(state: &Path) {
    store::sweep();
    store::scratch_below(state.join("tmp"));
    store::sweep();
}

/// Whether a signal is being heeded, after which this program ends.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Waits for the end where a signal is being heeded: what failed for that, such as the command of a source that was ended, is not
/// what this program ends with.
pub(super) fn give_way() {
    while IS_ENDING.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes what killed runs left in the folder for temporary files. From here on a signal that ends this program removes its own:
/// copies of objects, what was to be put at an address, files that were being written. It ends the command of a source first,
/// which has a process group of its own that Ctrl-C does not reach.
pub(super) fn end_tidily() {
    store::sweep();
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        on_signal(|number| {
            IS_ENDING.store(true, Ordering::SeqCst);
            ingest::end_commands();
            store::remove_scratch();
            std::process::exit(128 + number);
        });
    });
}

/// From here on the first signal that asks this program to end does this instead, with its number.
#[cfg(unix)]
pub(super) fn on_signal(heed: impl FnOnce(i32) + Send + 'static) {
    let listening = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let streams = {
            let _entered = runtime.enter();
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            // Who started this program with nohup or in the background wants it to go on.
            let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
            let kinds = kinds.into_iter().filter(|kind| ignored & (1 << (kind.as_raw_value() - 1)) == 0);
            let streams: io::Result<Vec<_>> = kinds.map(|kind| Ok((kind, signal(kind)?))).collect();
            streams?
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || heed(runtime.block_on(first(streams))))
    });
    if let Err(error) = listening {
        tracing::warn!(%error, "nothing is put right if this program is interrupted");
    }
}

/// The signals that this process ignores, one bit each, as the kernel shows them.
#[cfg(unix)]
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Elsewhere a command is a child like any other, and a terminal is put right by whoever has it next.
#[cfg(not(unix))]
pub(super) fn on_signal(_: impl FnOnce(i32) + Send + 'static) {}

/// The number of the first signal that comes.
#[cfg(unix)]
async fn first(streams: Vec<(SignalKind, Signal)>) -> i32 {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    for (kind, mut stream) in streams {
        let sender = sender.clone();
        tokio::spawn(async move {
            if stream.recv().await.is_some() {
                // Only the first one is waited for.
                let _ = sender.send(kind.as_raw_value()).await;
            }
        });
    }
    receiver.recv().await.unwrap_or(0)
}

/// Runs a command; a panic anywhere in it becomes an error that is printed once.
pub(super) fn caught<T>(command: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    // The last one: readers of damaged files catch panics of their own, which are no bugs.
    let last: Arc<Mutex<Option<String>>> = Arc::default();
    let seen = last.clone();
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |bug| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(bug.to_string());
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(command));
    panic::set_hook(previous);
    outcome.unwrap_or_else(|_| {
        let bug = last.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(CliError::Bug(bug.unwrap_or_else(|| "panicked".into()).replace('\n', " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[cfg(unix)]
    #[test]
    fn ignored_signals_are_bits_of_a_mask() {
        assert_eq!(ignored("SigBlk:\t0\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(ignored(""), 0);
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_place() {
        let error = caught::<()>(|| panic!("index out of reach")).expect_err("panics");
        assert_eq!(error.exit(), Exit::Internal);
        let text = error.to_string();
        assert!(text.contains("index out of reach") && text.contains("launch.rs"), "{text}");
    }
}
