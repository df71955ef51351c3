//! Daemons that share the series of one job, by a folder that all of them reach: every run is all of their parts, or none.

use super::program::Place;
use super::shards::{add, commit_at};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};

const DAEMONS: u32 = 3;

/// Twelve series of sixty days.
fn data() -> String {
    let mut text = String::from("id,ds,y\n");
    for id in 0..12 {
        for step in 0..60_i64 {
            let day = jiff::civil::date(2025, 12, 1).saturating_add(jiff::Span::new().days(step));
            writeln!(
                text,
                "s{id},{day},{}",
                10 + id + [0, 3, 5, 4, 2, 9, 11][(step % 7) as usize] + step % 3
            )
            .unwrap();
        }
    }
    text
}

fn config(place: &Place, index: u32, timeout: &str, extra: &str) -> String {
    let sink = place.path("lake").display().to_string();
    let text = format!(
        "[daemon]\nstate = \"state-{index}\"\nshard = \"{index}/{DAEMONS}\"\nshard_timeout = \"{timeout}\"\n\
         [source.sales]\ninputs = \"in.csv\"\n{extra}\n\
         [model.week]\nkind = \"ridge\"\nhorizon = 7\n\
         [sink.lake]\npath = \"file://{sink}\"\n\
         [job.sales]\nsource = \"sales\"\nmodel = \"week\"\nsink = \"lake\"\n\
         train = {{ cron = \"0 1 * * 1\" }}\nforecast = {{ cron = \"0 3 * * *\", missed = \"all\" }}\n"
    );
    let name = format!("daemon-{index}.toml");
    place.put(&name, text);
    name
}

fn start(place: &Place, index: u32, timeout: &str, clock: &str) -> Child {
    let config = config(place, index, timeout, "");
    let mut command = place.command();
    command.args(["serve", "-c", &config, "--clock", &format!("sim:{clock}")]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(daemons: Vec<Child>) {
    for daemon in daemons {
        let output = daemon.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The runs of the lake by their day: the folder, and the commit if there is one.
fn runs(place: &Place) -> BTreeMap<String, (PathBuf, Option<serde_json::Value>)> {
    let mut found = BTreeMap::new();
    for day in std::fs::read_dir(place.path("lake/job=sales")).unwrap() {
        let day = day.unwrap();
        for run in std::fs::read_dir(day.path()).unwrap() {
            let folder = run.unwrap().path();
            let commit = commit_at(&folder);
            let name = day.file_name().into_string().unwrap().replace("issued_date=", "");
            assert!(found.insert(name.clone(), (folder, commit)).is_none(), "two runs of {name}");
        }
    }
    found
}

/// The ids of a committed run; every one stands in one part alone.
fn ids(folder: &std::path::Path, commit: &serde_json::Value) -> BTreeSet<String> {
    let parts = commit["parts"].as_array().unwrap();
    assert_eq!(parts.len(), DAEMONS as usize);
    let mut rows = BTreeMap::new();
    parts.iter().for_each(|part| add(&mut rows, &folder.join(part["name"].as_str().unwrap())));
    assert_eq!((commit["rows"].as_u64(), rows.len()), (Some(12 * 7), 12 * 7));
    rows.keys().map(|key| key.split('|').next().unwrap().to_owned()).collect()
}

#[test]
fn daemons_with_shards_commit_whole_runs_and_wait_for_one_that_is_away() {
    let place = Place::new();
    place.put("in.csv", data());
    let first = "2026-01-05T00:30:00Z..2026-01-07T04:00:00Z";
    finish((0..DAEMONS).map(|index| start(&place, index, "2min", first)).collect());
    let all = runs(&place);
    assert_eq!(
        all.keys().map(String::as_str).collect::<Vec<_>>(),
        ["2026-01-05", "2026-01-06", "2026-01-07"]
    );
    for (day, (folder, commit)) in &all {
        let commit = commit.as_ref().unwrap_or_else(|| panic!("no commit on {day}"));
        assert_eq!(ids(folder, commit).len(), 12, "{day}");
    }

    // One is away: nothing counts, and the others say whom they miss.
    let next = "2026-01-07T04:00:00Z..2026-01-08T04:00:00Z";
    finish([0, 2].map(|index| start(&place, index, "1s", next)).into());
    let (_, commit) = &runs(&place)["2026-01-08"];
    assert!(commit.is_none(), "{commit:?}");
    for index in [0, 2] {
        let list = place.run(&format!("runs ls --state state-{index} --json")).expect(0).json();
        let text = list.to_string();
        assert!(text.contains("degraded") && text.contains("of 3 shards are missing"), "{text}");
        assert!(text.contains(": 1;"), "{text}");
    }

    // It comes back, works what it missed, and completes the run.
    finish(vec![start(&place, 1, "1s", next)]);
    let all = runs(&place);
    let (folder, commit) = &all["2026-01-08"];
    assert_eq!(ids(folder, commit.as_ref().expect("committed")).len(), 12);
}

#[test]
fn a_daemon_with_a_shard_has_no_sums() {
    let place = Place::new();
    place.put("in.csv", data());
    let name = config(&place, 0, "1s", "hierarchy = [\"total\"]");
    let run = place.run(&format!("validate -c {name} --no-environment")).expect(78);
    assert!(run.stderr.contains("no shard forecasts them all"), "{}", run.stderr);
}
