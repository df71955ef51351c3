//! The daemons that share the jobs of a config.

use crate::cli::error::CliError;
use crate::schedule::clock::Clock;
use crate::schedule::lease::{Fleet, Member, Times};
use crate::schedule::lock::LockError;
use crate::schedule::metrics::Metrics;
use crate::schedule::spec::DaemonSpec;
use crate::schedule::work;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the name of the machine stands.
const HOSTNAMES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// The fleet of a config, which this process joins; `None` where it works alone. The state directory is locked.
pub(super) fn join(
    spec: &DaemonSpec,
    clock: &Clock,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Fleet>>, CliError> {
    let Some(leases) = &spec.leases else { return Ok(None) };
    let node = leases.node.clone().unwrap_or_else(hostname);
    let unusable = |reason| LockError::Unusable { state: spec.state.clone(), reason };
    let me = Member::of(&spec.state, &node, clock.now()).map_err(unusable)?;
    let refuse = |error: StoreError| CliError::Request { message: error.to_string(), help: None };
    let store = Store::open(&leases.address).map_err(refuse)?;
    let ttl = Duration::try_from(leases.ttl).unwrap_or(Duration::from_secs(30));
    tracing::info!(node, leases = %leases.address, ttl_s = ttl.as_secs_f64(), "sharing jobs with other daemons");
    let times = times(clock.clone());
    Ok(Some(Arc::new(Fleet::new(store, (me, ttl, spec.shard), times, metrics.clone(), work::stamp()))))
}

/// The daemon's time; a clock that nobody sets is the machine's since its start, or the simulated one.
fn times(clock: Clock) -> Times {
    let began = Instant::now();
    let simulated = clock.clone();
    let ticks = move || match simulated.is_simulated() {
        true => simulated.now(),
        false => i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX),
    };
    Times { ticks: Arc::new(ticks), now: Arc::new(move || clock.now()) }
}

/// Name of the machine.
fn hostname() -> String {
    let tidy = |text: String| Some(text.trim().to_owned()).filter(|name| !name.is_empty());
    let told = std::env::var("HOSTNAME").ok().and_then(tidy);
    let read = || HOSTNAMES.iter().find_map(|path| std::fs::read_to_string(path).ok().and_then(tidy));
    told.or_else(read).unwrap_or_else(|| "unnamed".into())
}
