//! Daemon files as people write them, and what becomes of them.

use super::daemon::{Daemon, build};
use super::file::{ConfigFile, parse};
use super::secret::Secrets;
use super::*;
use crate::ingest::{BadSeriesLimit, SuspectAction};
use crate::live::anomaly::Direction;
use crate::pipeline::{Fallback, Promotion};
use crate::publish::{Format, Naming};
use crate::registry::{Keys, SigningKey};
use crate::schedule::spec::{JobPlan, Missed, Overlap};
use jiff::SignedDuration;
use std::path::{Path, PathBuf};

const SMALL: &str = r#"
[source.load]
inputs = "in.csv"
[model.day]
horizon = 24
[schedule.nightly]
cron = "30 2 * * *"
[sink.lake]
path = "out"
[job.load]
source = "load"
model = "day"
sink = "lake"
train = { schedule = "nightly" }
forecast = { every = "15m" }
"#;

fn env(name: &str) -> Option<String> {
    (name == "S4CAST_TOKEN").then(|| " s3cret\n".into())
}

fn read(text: &str) -> Result<Daemon, Problems> {
    match parse("d.toml", text, PathBuf::from("conf"), &env) {
        ConfigFile::Daemon(document) => build(&document, Secrets::Read(&env)),
        ConfigFile::Broken(settings) | ConfigFile::OneShot(settings) => panic!("{:?}", settings.problems),
    }
}

fn valid(text: &str) -> Daemon {
    read(text).unwrap_or_else(|problems| panic!("{:?}", problems.all()))
}

fn plan(text: &str) -> JobPlan {
    valid(text).spec.jobs.remove(0)
}

fn messages(text: &str) -> Vec<String> {
    read(text).expect_err("wrong").all().iter().map(|one| one.message().to_string()).collect()
}

#[test]
fn what_is_left_out_has_the_documented_value() {
    let daemon = valid(SMALL);
    let spec = &daemon.spec;
    assert_eq!((spec.state.as_path(), spec.workers), (Path::new("conf/state"), 2));
    assert_eq!((spec.drain_limit.as_secs(), spec.reload_poll), (60, Some(SignedDuration::from_secs(30))));
    assert_eq!((spec.ledger_retention, daemon.http, daemon.threads), (None, None, None));
    let plan = &spec.jobs[0];
    let job = &plan.job;
    assert_eq!(
        (job.name.as_str(), job.source_name.as_str(), job.model_name.as_str()),
        ("load", "load", "day")
    );
    assert_eq!((job.fallback, job.keep_versions, plan.on_new_data), (Fallback::SeasonalNaive, 10, false));
    let sink = &job.sink;
    assert_eq!((sink.name.as_str(), sink.path.as_path()), ("lake", Path::new("conf/out")));
    assert_eq!((sink.format, sink.naming), (Format::Parquet, Naming::V1));
    assert_eq!((sink.retention, sink.grace), (None, SignedDuration::from_hours(1)));
    let train = plan.train.as_ref().expect("a schedule");
    assert_eq!(train.rule.to_string(), "cron 30 2 * * * (UTC)");
    assert_eq!((train.missed, train.overlap, train.attempts), (Missed::Once, Overlap::Forbid, 3));
    assert_eq!((train.max_lateness, train.jitter.is_zero(), train.backoff.as_secs()), (None, true, 30));
    assert_eq!(plan.forecast.rule.to_string(), "every 15m");
    assert!(plan.score.is_none() && job.source.stale.is_none() && job.source.latency_offset.is_none());
}

#[test]
fn every_key_arrives_where_it_belongs() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/daemon_full.toml"));
    let daemon = valid(&text.expect("readable"));
    let http = daemon.http.expect("an address");
    assert_eq!(http.token().map(|token| token.reveal()), Some("s3cret"));
    assert_eq!(daemon.threads, Some(2));
    assert_eq!(daemon.spec.ledger_retention, Some(SignedDuration::from_hours(400 * 24)));
    let plan = &daemon.spec.jobs[0];
    let source = &plan.job.source;
    // The job's limit wins over the source's.
    assert_eq!(source.max_bad_series, BadSeriesLimit::Share(0.05));
    assert_eq!(source.latency_offset, Some(SignedDuration::from_mins(30)));
    let (stale, flat) = (source.stale.expect("a rule"), source.flat.expect("a rule"));
    assert_eq!((stale.after.as_hours(), stale.action), (48, SuspectAction::Warn));
    assert_eq!((flat.steps, flat.action), (48, SuspectAction::Fallback));
    let bounds = plan.job.model.bounds();
    assert_eq!((bounds.min, bounds.max, bounds.is_integer), (Some(0.0), Some(2000.0), false));
    let train = plan.train.as_ref().expect("a schedule");
    assert_eq!(train.rule.to_string(), "cron 30 2 * * * (Europe/Berlin)");
    assert_eq!(
        (train.max_lateness, train.jitter),
        (Some(SignedDuration::from_hours(6)), SignedDuration::from_mins(5))
    );
    assert_eq!(plan.forecast.jitter, SignedDuration::from_mins(2));
    assert!(plan.on_new_data && plan.score.is_some());
    assert!(daemon.warnings.is_empty(), "{:?}", daemon.warnings);
}

#[test]
fn the_full_example_holds_every_key() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/daemon_full.toml"));
    let text = text.expect("readable");
    for table in key::Table::ALL.into_iter().filter(|table| table.is_in(FileKind::Daemon)) {
        let part = text.split(&format!("\n[{}", table.name())).nth(1).expect("a table");
        let part = part.split("\n[").next().unwrap_or_default();
        for key in table.keys(FileKind::Daemon) {
            let written = part.contains(&format!("\n{} =", key.name()))
                || part.contains(&format!("\n# {} =", key.name()));
            // One rule is enough, and the comment beside it shows the other.
            assert!(
                written || key == Key::Every && part.contains("every ="),
                "{}.{}",
                table.name(),
                key.name()
            );
        }
    }
}

#[test]
fn every_choice_can_be_made() {
    for key in Key::all().filter(|key| !key.choices().is_empty() && key.table() != Table::Output) {
        for word in key.choices() {
            let (start, header) = match key.table() {
                Table::Schedule => ("[schedule.nightly]", "[schedule.nightly]\n"),
                Table::Source => (
                    "[source.load]",
                    "[source.load]\nstale_after = \"1d\"\nflat_steps = 3\nspike_threshold = 8\nshift_steps = 9\n",
                ),
                Table::Model => ("[model.day]", "[model.day]\n"),
                Table::Sink => ("[sink.lake]", "[sink.lake]\n"),
                Table::Http => ("[job.load]", "[http]\ntoken = { env = \"S4CAST_TOKEN\" }\n"),
                _ => ("[job.load]", "[job.load]\n"),
            };
            let one = format!("{} = \"{word}\"", key.name());
            let one = match key.table() {
                Table::Http => format!("{one}\n[job.load]"),
                Table::Job if *word == "shadow" => format!("score = {{ every = \"1h\" }}\n{one}"),
                Table::Anomaly => format!("score = {{ every = \"1h\" }}\nanomaly = {{ {one} }}"),
                _ => one,
            };
            valid(&SMALL.replace(start, &format!("{header}{one}")));
        }
    }
    let queue = plan(&SMALL.replace("[schedule.nightly]", "[schedule.nightly]\noverlap = \"queue\""));
    assert_eq!(queue.train.expect("a schedule").overlap, Overlap::Queue);
}

#[test]
fn what_a_job_does_about_what_came_is_checked_in_one_go() {
    let with = |keys: &str| SMALL.replace("[job.load]\n", &format!("[job.load]\n{keys}\n"));
    let full = "score = { every = \"1h\" }\npromotion = \"manual\"\nsegment = \"site\"\n\
                retrain = { age = \"30d\", new_rows = 5, error_drift = 1.5, coverage_drift = 10 }\n\
                anomaly = { level = 95, direction = \"above\", least_share = 0.1, range = [0, 9] }";
    let job = plan(&with(full)).job;
    let (retrain, anomaly) = (job.retrain.expect("a policy"), job.anomaly.expect("a rule"));
    assert_eq!((job.promotion, job.segment.as_deref()), (Promotion::Manual, Some("site")));
    assert_eq!(
        (retrain.new_rows, retrain.error_drift, retrain.cool_down.as_hours()),
        (Some(5), Some(1.5), 24)
    );
    assert_eq!((anomaly.level, anomaly.direction, anomaly.range), (95.0, Direction::Above, Some([0.0, 9.0])));
    let wrong = "score = { every = \"1h\" }\nretrain = { error_drift = 0.5, cool_down = \"1h\" }\n\
                 anomaly = { level = 90, least_distance = -1, range = [3, 1] }";
    let problems = messages(&with(wrong)).join("\n");
    for words in ["0.5 is not above 1", "no interval of 90 %", "-1 is below 0", "a range has two ends"] {
        assert!(problems.contains(words), "{words}: {problems}");
    }
    let job = plan(&with("score = { every = \"1h\" }\npromotion = \"shadow\"\nshadow_runs = 3")).job;
    assert_eq!((job.promotion, job.shadow_runs), (Promotion::Shadow, 3));
    assert!(messages(&with("promotion = \"shadow\"")).join("").contains("without score"));
    let idle = "anomaly = { level = 95 }";
    assert!(messages(&with(idle)).join("").contains("anomaly without score does nothing"));
    let empty = "score = { every = \"1h\" }\nretrain = { cool_down = \"1h\" }";
    assert!(messages(&with(empty)).join("").contains("nothing makes a training due"));
}

#[test]
fn the_fingerprint_follows_the_job_and_nothing_else() {
    let print = |text: &str| plan(text).fingerprint;
    let before = print(SMALL);
    let same = [
        SMALL.replace("[model.day]\n", "[model.other]\nhorizon = 3\n[model.day]\n"),
        SMALL.replace("source = \"load\"\nmodel = \"day\"", "model = \"day\"\nsource = \"load\""),
        SMALL.replace("[model.day]\n", "[model.day]\n# a comment\n"),
        SMALL.replace("path = \"out\"", "path = \"out\"\nformat = \"parquet\""),
        format!("[daemon]\nworkers = 7\n{SMALL}"),
        SMALL
            .replace("train = { schedule = \"nightly\" }", "train = { cron = \"30 2 * * *\", attempts = 3 }"),
    ];
    for text in same {
        assert_eq!(print(&text), before, "{text}");
    }
    let other = [
        SMALL.replace("30 2", "31 2"),
        SMALL.replace("horizon = 24", "horizon = 25"),
        SMALL.replace("in.csv", "other.csv"),
        SMALL.replace("path = \"out\"", "path = \"out2\""),
        SMALL.replace("sink = \"lake\"", "sink = \"lake\"\non_new_data = true"),
        SMALL.replace("sink = \"lake\"", "sink = \"lake\"\nkeep_versions = 3"),
    ];
    for text in other {
        assert_ne!(print(&text), before, "{text}");
    }
}

#[test]
fn the_hash_of_the_settings_is_that_of_a_one_shot_job() {
    let one_shot =
        "[source]\ninputs = \"x.csv\"\nmax_bad_series = \"5%\"\n[model]\nhorizon = 24\nthreads = 2";
    let settings = Settings::parse("j.toml", one_shot, PathBuf::new(), &env);
    let text = SMALL.replace("sink = \"lake\"", "sink = \"lake\"\nmax_bad_series = \"5%\"");
    assert_eq!(plan(&text).job.config_sha256, settings.sha256());
    let hash = |text: &str| plan(text).job.config_sha256.clone();
    assert_eq!(hash(&text.replace("30 2", "31 2")), settings.sha256());
    assert_ne!(hash(SMALL), settings.sha256());
}

#[test]
fn a_reload_may_be_left_to_a_signal() {
    let reload = |word: &str| format!("[daemon]\nreload = \"{word}\"\n{SMALL}");
    assert_eq!(valid(&reload("off")).spec.reload_poll, None);
    assert_eq!(valid(&reload("2m")).spec.reload_poll, Some(SignedDuration::from_mins(2)));
    assert!(read(&reload("0s")).is_err());
}

#[test]
fn secrets_come_from_their_places_and_are_never_shown() {
    let http = |token: &str| format!("[http]\ntoken = {token}\n{SMALL}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("token"), "of-a-file\n").expect("written");
    std::fs::write(path("empty"), " \n").expect("written");
    let daemon = valid(&http(&format!("{{ file = \"{}\" }}", path("token"))));
    assert_eq!(
        daemon.http.as_ref().and_then(|http| http.token()).map(|token| token.reveal()),
        Some("of-a-file")
    );
    assert!(!format!("{daemon:?}").contains("of-a-file"));
    let cases = [
        ("{ env = \"NO_SUCH\" }", "the environment variable NO_SUCH of a secret is not set"),
        (&format!("{{ file = \"{}\" }}", path("empty")), "is empty"),
        (&format!("{{ file = \"{}\" }}", path("none")), "cannot be read"),
        ("{}", "a secret without env and file"),
        ("\"s3cret\"", "token does not stand in the config"),
    ];
    for (token, want) in cases {
        let found = messages(&http(token));
        assert!(found.len() == 1 && found[0].contains(want), "{token}: {found:?}");
    }
    let problems = read(&format!("{}workers = 1", http("\"s3cret\""))).expect_err("wrong");
    assert!(!format!("{problems:?}").contains("s3cret"));
}

#[test]
fn tables_that_nobody_needs_are_warned_of() {
    let text =
        format!("{SMALL}[model.old]\nhorizon = 3\n[source.x]\ninputs = \"x.csv\"\nas_of = 2024-01-01\n");
    let warnings = valid(&text).warnings;
    let messages: Vec<&str> = warnings.iter().map(Problem::message).collect();
    assert_eq!(messages[..2], ["no job refers to [model.old]", "no job refers to [source.x]"]);
    assert!(messages[2].starts_with("as_of is for one-shot jobs"), "{messages:?}");
    let lines: Vec<usize> = warnings.iter().filter_map(Problem::place).map(|place| place.line).collect();
    assert_eq!(lines, [16, 18, 20]);
}

#[test]
fn what_is_wrong_once_is_told_once() {
    for (from, to) in
        [("[sink.lake]", "[snik.lake]"), ("horizon = 24", "horizon = 0"), ("[source.load]\n", "[source]\n")]
    {
        let found = messages(&SMALL.replace(from, to));
        assert_eq!(found.len(), 1, "{to}: {found:?}");
    }
}

#[test]
fn each_kind_of_file_is_told_where_it_belongs() {
    let settings = Settings::parse("d.toml", SMALL, PathBuf::new(), &env);
    let problems = job(&settings).expect_err("a daemon file");
    assert_eq!(problems.all().len(), 1);
    assert!(problems.all()[0].remedy().is_some_and(|help| help.contains("s4cast serve")));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("job.toml");
    for text in ["[source]\ninputs = \"in.csv\"\n", "", "[source"] {
        std::fs::write(&path, text).expect("written");
        assert!(daemon::daemon(&path, &env).expect_err("no daemon file").in_config(), "{text}");
    }
    assert!(daemon::daemon(&folder.path().join("none.toml"), &env).expect_err("no file").in_config());
}

/// A daemon with these lines under [daemon] and this path of its sink.
fn fleet(lines: &str, sink: &str) -> String {
    format!("[daemon]\n{lines}\n{}", SMALL.replace("path = \"out\"", &format!("path = \"{sink}\"")))
}

#[test]
fn daemons_that_share_jobs_name_what_they_share() {
    let lines =
        "models = \"s3://b/models/\"\nleases = \"file:///nfs/leases\"\nnode = \"a-1\"\nlease_ttl = \"5s\"
        shard = \"2/3\"\nshard_timeout = \"1m\"";
    let spec = valid(&fleet(lines, "s3://b/out")).spec;
    assert_eq!(spec.models.as_ref().map(|at| at.as_str()), Some("s3://b/models"));
    let leases = spec.leases.expect("written");
    assert_eq!((leases.address.as_str(), leases.node.as_deref()), ("file:///nfs/leases", Some("a-1")));
    assert_eq!((leases.ttl.as_secs(), spec.shard.to_string()), (5, "2/3".into()));
    let sink = &spec.jobs[0].job.sink;
    let remote = sink.remote.as_ref().expect("an address");
    assert_eq!((remote.address.as_str(), remote.shard), ("s3://b/out", spec.shard));
    assert_eq!(
        (remote.shard_timeout.as_secs(), sink.path.as_path()),
        (60, Path::new("conf/state/sinks/lake"))
    );
    assert_eq!(sink.shadow().remote.expect("an address").address.as_str(), "s3://b/out/shadow");
}

#[test]
fn what_is_not_shared_is_told() {
    let wrong = messages(&fleet("leases = \"s3://b/leases\"\nshard = \"0/2\"", "out"));
    assert!(wrong[0].contains("leases without models"), "{wrong:?}");
    assert!(wrong[1].contains("leases, and [sink.lake] is a folder of this machine"), "{wrong:?}");
    assert!(wrong[2].contains("shard 0 of 2, and [sink.lake]"), "{wrong:?}");
    for (lines, sink, part) in [
        ("node = \"a\"", "out", "node without leases"),
        ("models = \"models\"", "out", "is no address"),
        ("models = \"https://host/models\"", "out", "can only be read"),
        ("shard = \"3/3\"", "s3://b/out", "does not exist"),
        ("lease_ttl = \"1ms\"\nleases = \"s3://b/l\"\nmodels = \"s3://b/m\"", "s3://b/out", "too short"),
        ("", "ftp://host/out", "no such scheme"),
    ] {
        let wrong = messages(&fleet(lines, sink));
        assert!(wrong.len() == 1 && wrong[0].contains(part), "{lines} {sink}: {wrong:?}");
    }
}

#[test]
fn signing_keys_are_read_and_have_to_be_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, text) = SigningKey::generate().expect("a key");
    let other = SigningKey::generate().expect("a key").0.public();
    std::fs::write(path("key"), &text).expect("written");
    std::fs::write(path("not"), "c2VjcmV0").expect("written");
    let daemon = |name: &str, trusted: &str| {
        let signing = format!("signing_key = {{ file = \"{}\" }}", path(name));
        format!("[daemon]\n{signing}\ntrusted_keys = [{trusted}]\n{SMALL}")
    };
    let (own, both) = (format!("\"{}\"", key.public()), format!("\"{other}\", \"{}\"", key.public()));
    for trusted in ["", &own, &both] {
        let keys = valid(&daemon("key", trusted)).spec.keys;
        assert_eq!(keys.signing.map(|key| key.public()), Some(key.public()));
    }
    let found = messages(&daemon("key", &format!("\"{other}\"")));
    assert!(found.len() == 1 && found[0].contains(&key.public().to_string()), "{found:?}");
    let found = messages(&daemon("not", "\"ed25519:AAAA\""));
    assert!(found.len() == 2 && found.iter().all(|one| !one.contains("c2Vj")), "{found:?}");
    assert_eq!(valid(SMALL).spec.keys, Keys::default());
    let literal = format!("[daemon]\nsigning_key = \"MC4CAQAw\"\n{SMALL}");
    assert!(messages(&literal)[0].contains("signing_key does not stand in the config"));
    assert!(!format!("{:?}", read(&literal).expect_err("wrong")).contains("MC4C"));
}
