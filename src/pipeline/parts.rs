//! A run whose parts are made by several daemons: it counts once all of them are there.

use crate::pipeline::JobSpec;
use crate::pipeline::stage::Context;
use crate::publish::{self, RunKey};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Shards that are named.
const NAMED: usize = 12;

/// Waits for the parts of other shards, as long as the sink allows. What is still missing then, in words: whoever delivers it
/// commits the run.
pub(super) fn wait(job: &JobSpec, context: &Context, key: &RunKey, missing: Vec<u32>) -> Option<String> {
    let remote = job.sink.remote.as_ref().filter(|_| !missing.is_empty())?;
    context.tell("waiting for other shards");
    let limit = Duration::try_from(remote.shard_timeout).unwrap_or_default();
    let since = Instant::now();
    let (mut missing, mut failure) = (missing, None);
    while !missing.is_empty() && since.elapsed() < limit && !context.stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE.min(limit / 10));
        match publish::wait_step(&job.sink, key) {
            Ok(left) => (missing, failure) = (left, None),
            Err(error) => failure = Some(error.to_string()),
        }
    }
    if missing.is_empty() {
        return None;
    }
    let names: Vec<String> = missing.iter().take(NAMED).map(u32::to_string).collect();
    let more = if missing.len() > NAMED { ", …" } else { "" };
    let why = failure.map_or(String::new(), |failure| format!(" ({failure})"));
    Some(format!(
        "the parts of {} of {} shards are missing after {} s: {}{more}; the run counts once they are delivered{why}",
        missing.len(),
        remote.shard.count(),
        since.elapsed().as_secs(),
        names.join(", "),
    ))
}
