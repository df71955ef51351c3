//! What several daemons share, checked: stores of models, of leases and of runs, and which share of the series is whose.

use crate::config::check::{Check, written};
use crate::config::daemon::Checked;
use crate::config::document::Document;
use crate::config::key::Table;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem};
use crate::publish::{RemoteSink, SinkSpec};
use crate::schedule::spec::{DaemonSpec, LeaseSpec};
use crate::series::shard::Shard;
use crate::store::{Address, Scheme};
use jiff::SignedDuration;
use std::path::PathBuf;

/// How long a silent holder keeps a slot where nothing is written.
const LEASE_TTL: SignedDuration = SignedDuration::from_secs(30);

/// Less than a few round trips to a store is no lease.
const LEASE_TTL_MIN: SignedDuration = SignedDuration::from_secs(1);

/// How long a shard waits for the others where nothing is written.
const SHARD_TIMEOUT: SignedDuration = SignedDuration::from_mins(10);

impl Check<'_> {
    /// Where the models are, beside the state folder.
    pub(super) fn models(&mut self) -> Option<Address> {
        self.one(Key::Models, store)
    }

    /// Who works a slot, where several daemons could.
    pub(super) fn leases(&mut self) -> Option<LeaseSpec> {
        let node = self.one(Key::Node, node);
        let ttl = self.one(Key::LeaseTtl, lease_ttl).unwrap_or(LEASE_TTL);
        let address = self.one(Key::Leases, store);
        if address.is_none() && !self.settings.has(Key::Leases) {
            for key in [Key::Node, Key::LeaseTtl] {
                if let Some(item) = self.settings.get(key).first() {
                    let wrong = Wrong::new(
                        format!("{} without leases does nothing", key.name()),
                        "write for example leases = \"s3://bucket/leases\"",
                    );
                    self.problem(key, item, wrong);
                }
            }
        }
        Some(LeaseSpec { address: address?, node, ttl })
    }

    /// Which share of the series this daemon works on.
    pub(super) fn shard(&mut self) -> Shard {
        self.one(Key::Shard, |text| Ok(Shard::parse(text.trim())?)).unwrap_or(Shard::WHOLE)
    }

    /// Notes a hierarchy of a daemon that has some of the series.
    pub(super) fn no_sums_of_shards(&mut self) {
        if let Some(item) = self.settings.get(Key::Hierarchy).first() {
            let wrong = Wrong::new(
                "hierarchy of a daemon with a shard: sums are of series of all shards, and no shard forecasts them all".into(),
                "leave the hierarchy out, or let a daemon without a shard forecast this source",
            );
            self.problem(Key::Hierarchy, item, wrong);
        }
    }

    /// How long a shard waits for the others.
    pub(super) fn shard_timeout(&mut self) -> SignedDuration {
        self.one(Key::ShardTimeout, words::span).unwrap_or(SHARD_TIMEOUT)
    }

    /// The folder of a sink, and the store that it is a copy of.
    pub(super) fn sink_place(
        &mut self,
        name: &str,
        daemon: &DaemonSpec,
    ) -> Option<(PathBuf, Option<RemoteSink>)> {
        let place = self.one(Key::SinkPath, |text| match Address::parse(&written(text)?) {
            None => Ok((PathBuf::from(text), None)),
            Some(_) => store(text).map(|address| (daemon.state.join("sinks").join(name), Some(address))),
        });
        let (path, address) = place?;
        let remote =
            |address| RemoteSink { address, shard: daemon.shard, shard_timeout: daemon.shard_timeout };
        Some((path, address.map(remote)))
    }
}

/// An address that can be written to.
fn store(text: &str) -> Result<Address, Wrong> {
    let help = "write for example s3://bucket/folder, or file:///folder for one that machines share";
    let Some(address) = Address::parse(text.trim()) else {
        return Err(Wrong::new(format!("'{text}' is no address"), help));
    };
    match address? {
        address if address.scheme() == Scheme::Http => {
            Err(Wrong::new(format!("'{text}' can only be read: nothing is put to a web server"), help))
        }
        address => Ok(address),
    }
}

fn node(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.into()),
        false => Err(Wrong::new(
            format!("'{text}' names no daemon"),
            "use 1 to 64 letters, digits, dots, _ and -; every daemon needs a name of its own",
        )),
    }
}

fn lease_ttl(text: &str) -> Result<SignedDuration, Wrong> {
    match words::span(text)? {
        ttl if ttl < LEASE_TTL_MIN => Err(Wrong::new(
            format!("lease_ttl {ttl:#} is too short to be renewed in time"),
            "write at least 1s; a slot of a daemon that died waits that long",
        )),
        ttl => Ok(ttl),
    }
}

/// What daemons that share slots or series have to share beside them.
pub(super) fn unshared(document: &Document, spec: &DaemonSpec, sinks: &Checked<SinkSpec>) -> Vec<Problem> {
    let Some(daemon) = &document.daemon else { return Vec::new() };
    let mut problems = Vec::new();
    let mut tell = |key: Key, message: String, help: &str| {
        let place = daemon.place(key).unwrap_or(0..0);
        problems.push(Problem::in_file(&document.file, place, message, Some(help.into())));
    };
    if spec.leases.is_some() && spec.models.is_none() && !daemon.has(Key::Models) {
        let help =
            "write for example models = \"s3://bucket/models\": what one daemon trains, the others serve";
        tell(Key::Leases, "leases without models: every daemon would have models of its own".into(), help);
    }
    let local = |sink: &&SinkSpec| sink.remote.is_none();
    for sink in sinks.all.values().flatten().filter(local) {
        let table = Table::Sink.name();
        let help =
            "write for example path = \"s3://bucket/forecasts\", or file:///folder for one that they share";
        if spec.leases.is_some() {
            let message = format!("leases, and [{table}.{}] is a folder of this machine alone", sink.name);
            tell(Key::Leases, message, help);
        }
        if !spec.shard.is_whole() {
            let message = format!(
                "shard {} of {}, and [{table}.{}] is a folder of this machine alone",
                spec.shard.index(),
                spec.shard.count(),
                sink.name
            );
            tell(Key::Shard, message, help);
        }
    }
    problems
}
