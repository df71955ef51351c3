//! What releases wrote is read by this program: a folder of `tests/formats` for every release, made by `generate.sh` there.

use crate::cli::program::{Place, Run};
use s4cast::publish::{self, Filter, parts, read_anomalies, read_outcomes, read_run, read_scores};
use s4cast::schedule::lease::{Answer, Desk, Key, Member, Times};
use s4cast::schedule::spec::Stage;
use s4cast::series::Shard;
use s4cast::store::{Address, Store};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of the releases, oldest first.
fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/formats")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    let number = |path: &PathBuf| -> Vec<u32> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.split('.').map(|part| part.parse().unwrap()).collect()
    };
    folders.sort_by_key(number);
    assert!(!folders.is_empty());
    folders
}

/// A copy of a part of a release, to go on with.
fn copy(release: &Path, part: &str) -> Place {
    let place = Place::new();
    copy_into(&release.join(part), &place.path(""));
    place
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_into(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

fn array(document: &Value, key: &str) -> Vec<Value> {
    document[key].as_array().unwrap().clone()
}

/// How the slots of a state folder ended, and how many there are.
fn outcomes(place: &Place, state: &str) -> (BTreeSet<String>, usize) {
    let runs =
        array(&place.run(&format!("runs ls --state {state} --limit 1000 --json")).expect(0).json(), "runs");
    let outcome = |run: &Value| run["outcome"].as_str().unwrap_or("open").to_owned();
    (runs.iter().map(outcome).collect(), runs.len())
}

/// The constants of versions that the source has: `FILE NAME` and value.
fn constants() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let file = path.strip_prefix(root()).unwrap().display().to_string();
            for line in fs::read_to_string(&path).unwrap().lines() {
                let Some((_, rest)) = line.split_once("const ").filter(|(before, _)| !before.contains("//"))
                else {
                    continue;
                };
                let Some((name, rest)) = rest.split_once(':') else { continue };
                let Some((_, value)) = rest.split_once(" = ") else { continue };
                if ["FORMAT", "VERSION", "MAGIC"].iter().any(|end| name.ends_with(end)) {
                    let value = value.trim_start_matches('b').trim_matches(['"', ';']);
                    let value = value.split(['\\', '"', ';']).next().unwrap().to_owned();
                    found.insert(format!("{file} {name}"), value);
                }
            }
        }
    }
    found
}

/// Constants that sound like versions of formats and are none.
const OTHERS: [&str; 2] = ["src/ingest/objects/copies.rs OLD_VERSION", "src/publish/splice.rs MAGIC"];

#[test]
fn a_format_has_a_new_version_only_with_a_new_folder_of_what_is_written_with_it() {
    let newest = releases().pop().unwrap();
    let recorded: BTreeMap<String, String> =
        serde_json::from_slice(&fs::read(newest.join("formats.json")).unwrap()).unwrap();
    let listed = fs::read_to_string(root().join("tests/formats/constants.txt")).unwrap();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let mut found = constants();
    OTHERS.iter().for_each(|other| assert!(found.remove(*other).is_some(), "{other} is gone"));
    for (name, value) in &found {
        assert!(
            listed.contains(name.as_str()),
            "{name} is a new format: put it into tests/formats/constants.txt and docs/formats.md"
        );
        assert_eq!(
            recorded.get(name),
            Some(value),
            "{name} has changed: keep reading what was written before, and let tests/formats/generate.sh make the folder of the \
             release that writes it"
        );
    }
    for name in listed {
        assert!(found.contains_key(name), "{name} is no constant of the source any more");
    }
}

#[test]
fn the_table_of_formats_names_every_version() {
    let page = fs::read_to_string(root().join("docs/formats.md")).unwrap();
    for (name, value) in constants().into_iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())) {
        let (file, _) = name.split_once(' ').unwrap();
        let module = file
            .trim_start_matches("src/")
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .replace('/', "::");
        let rows = page.lines().filter(|line| line.starts_with('|') && line.contains(&format!("`{module}`")));
        let has = rows.clone().any(|row| row.split('|').any(|cell| cell.trim() == value));
        assert!(has, "docs/formats.md has no row of `{module}` with version {value}");
    }
}

/// The numbers of a file of forecasts: column by column, each in the order of its rows.
fn numbers(path: &Path) -> BTreeMap<String, Vec<f64>> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for batch in read_run(path, &Filter::default()).unwrap() {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if let Some(values) = column.as_primitive_opt::<Float64Type>() {
                columns.entry(field.name().clone()).or_default().extend(values.values());
            }
        }
    }
    columns
}

/// Models forecast as they did. To the last bit they do so on a processor with the same vectors; on another one sums of networks,
/// which are of single precision, are taken in another order.
#[test]
fn models_forecast_as_they_did_when_they_were_saved() {
    for release in releases() {
        let place = copy(&release, "models");
        for name in ["in.csv", "counts.csv"] {
            fs::copy(release.join(name), place.path(name)).unwrap();
        }
        let models = place.names().into_iter().filter(|name| name.ends_with(".safetensors"));
        let kinds: Vec<String> = models.map(|name| name.replace(".safetensors", "")).collect();
        assert!(kinds.len() >= 6, "{kinds:?}");
        for kind in kinds {
            let input = if kind == "counts" { "counts.csv" } else { "in.csv" };
            place
                .run(&format!("forecast {input} --load-model {kind}.safetensors -o again.parquet"))
                .expect(0);
            let (before, now) =
                (numbers(&place.path(&format!("{kind}.parquet"))), numbers(&place.path("again.parquet")));
            let tolerance = if ["s4d", "s4"].contains(&kind.as_str()) { 1e-4 } else { 1e-9 };
            assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "{kind}");
            for (name, before) in &before {
                assert_eq!(before.len(), now[name].len(), "{kind}");
                for (a, b) in before.iter().zip(&now[name]) {
                    let is_close = (a - b).abs() <= tolerance * a.abs().max(1.0) || a.is_nan() && b.is_nan();
                    assert!(is_close, "{}: {kind} forecasts {name} {b}, and forecast {a}", release.display());
                }
            }
        }
    }
}

#[test]
fn a_registry_a_ledger_and_a_sink_are_read_and_go_on() {
    for release in releases() {
        let place = copy(&release, "daemon");
        let (found, before) = outcomes(&place, "state");
        let all = ["ok", "degraded", "failed", "missed"].map(String::from);
        assert!(all.iter().all(|outcome| found.contains(outcome)), "{found:?}");

        let models = array(&place.run("models ls --job sales --json").expect(0).json(), "models");
        let is = |key: &str| models.iter().filter(|model| model[key] == true).count();
        assert_eq!((models.len() >= 4, is("serves"), is("shadow"), is("pinned")), (true, 1, 1, 1));
        assert!(models.iter().all(|model| model["broken"].is_null()));
        let shown = place.run("models show --job sales --json").expect(0).json();
        assert_eq!(array(&shown, "history").len(), 4, "promoted by training twice, by hand, rolled back");
        assert!(array(&shown, "history").iter().any(|event| event["rollback"] == true));
        assert!(models.iter().any(|model| {
            let shown = place.run(&format!("models show {} --job sales --json", model["version"])).expect(0);
            shown.json()["judgement"]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty())
        }));
        place.run("models verify").expect(0);
        if let Ok(key) = fs::read_to_string(place.path("key.txt")) {
            let key = key.lines().next().unwrap();
            let signed = array(&place.run("models ls --job sales --json").expect(0).json(), "models");
            assert!(signed.iter().any(|model| model["signed_by"] == key));
        }

        // Runs with their corrections, scores, anomalies, a backtest.
        let sink = place.path("out");
        let runs = publish::runs(&sink, "sales").unwrap();
        assert!(runs.len() >= 4 && publish::latest(&sink, "sales").unwrap().is_some());
        let corrected = runs.iter().filter(|run| publish::read_correction(run).unwrap().is_some()).count();
        assert!(corrected > 0 && runs.iter().all(|run| publish::read_columns(run, &[0.1, 0.5, 0.9]).is_ok()));
        let scores = read_scores(&publish::scores_path(&sink, "sales").unwrap()).unwrap();
        let anomalies = read_anomalies(&publish::anomalies_path(&sink, "sales").unwrap()).unwrap();
        assert!(!scores.is_empty() && anomalies.iter().any(|row| row.is_anomaly && row.y == 400.0));
        assert!(read_outcomes(&place.path("backtest.parquet")).unwrap().len() >= 2);
        place.run("score -c daemon.toml --job sales --json").expect(0);

        let clock = "--clock sim:2024-10-25T05:00:00Z..2024-10-26T06:00:00Z";
        let drill = copy(&release, "daemon");
        drill.run(&format!("serve -c daemon.toml --dry-run {clock}")).expect(0);
        assert!(outcomes(&drill, "state").1 > before);
        place.run(&format!("serve -c daemon.toml {clock}")).expect(0);
        let runs = array(&place.run("runs ls --state state --job sales --json").expect(0).json(), "runs");
        let forecast = runs.iter().find(|run| run["slot"] == "2024-10-26T01:00:00Z").unwrap();
        assert_eq!(forecast["outcome"], "ok", "{forecast}");
        assert_eq!(forecast["detail"]["corrected"], true, "what was learnt from earlier runs is used");
        assert_eq!(forecast["detail"]["model_version"], shown["version"]);
        let later = read_scores(&publish::scores_path(&sink, "sales").unwrap()).unwrap();
        assert!(scores.iter().all(|row| later.iter().any(|now| now.run_id == row.run_id)));
    }
}

fn in_fleet(place: &Place, member: &str, arguments: &str) -> Run {
    let mut command = place.command();
    command.args(arguments.split_whitespace()).env("PLACE", place.path("")).env("MEMBER", member);
    Run::of(command.output().unwrap())
}

#[test]
fn stores_of_models_runs_and_leases_are_read_and_go_on() {
    for release in releases() {
        let place = copy(&release, "fleet");
        let ends: BTreeSet<String> = ["a", "b"].iter().flat_map(|state| outcomes(&place, state).0).collect();
        assert!(["ok", "failed", "skipped"].iter().all(|one| ends.contains(*one)), "{ends:?}");
        let folder = place.path("lake/job=sales").display().to_string();
        let serve = "serve -c fleet.toml --clock sim:2024-10-21T00:00:00Z..2024-10-21T06:00:00Z";
        for member in ["a", "b"] {
            in_fleet(&place, member, serve).expect(0);
            let runs =
                array(&place.run(&format!("runs ls --state {member} --json")).expect(0).json(), "runs");
            let forecast = runs.iter().find(|run| run["slot"] == "2024-10-21T03:00:00Z").unwrap();
            assert_eq!(forecast["outcome"], "ok", "{forecast}");
        }
        assert!(place.path("lake/job=sales/issued_date=2024-10-21").is_dir(), "{folder}");
        let models = array(&in_fleet(&place, "a", "models ls --state a --json").expect(0).json(), "models");
        assert!(models.len() >= 3 && models.iter().any(|model| model["serves"] == true));
        assert!(place.path("models/sales/champion/000001.json").exists());

        // Turns of leases: what another daemon has ended is over.
        let store = Store::open(
            &Address::parse(&format!("file://{}", place.path("leases").display())).unwrap().unwrap(),
        );
        let (store, times) = (store.unwrap(), Times { ticks: Arc::new(|| 0), now: Arc::new(|| 0) });
        let member = Member { node: "c".into(), state: "c".into(), process: "c".into() };
        let desk = Arc::new(Desk::new(store.clone(), member, Duration::from_secs(9), times));
        let entries = store.list("").unwrap();
        let done: Vec<&str> =
            entries.iter().filter_map(|entry| entry.name.rsplit_once("/turn-")).map(|one| one.0).collect();
        assert!(!done.is_empty());
        for folder in done {
            let (_, what) = folder.rsplit_once('/').unwrap();
            let day = folder.split('/').nth(2).unwrap().parse::<jiff::civil::Date>().unwrap();
            let day = day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_microsecond();
            let key = Key::apart("gone", Stage::Forecast, Shard::WHOLE, day, what);
            assert_eq!(key.folder(), folder);
            assert!(matches!(desk.acquire(&key).unwrap(), Answer::Done(_) | Answer::Held { .. }), "{folder}");
        }
    }
}

#[test]
fn the_parts_of_a_sharded_run_are_read() {
    for release in releases() {
        let place = copy(&release, "parts");
        let at = Address::parse(&format!("file://{}", place.path("").display())).unwrap().unwrap();
        let store = Store::open(&at).unwrap();
        let commit = parts::committed(&store, "").unwrap().expect("a commit");
        assert_eq!((commit.rows, commit.parts.len()), (21, 2));
        for index in 0..2 {
            let part = parts::standing(&store, "", Shard::parse(&format!("{index}/2")).unwrap()).unwrap();
            assert!(commit.parts.iter().any(|one| one.sha256 == part.as_ref().unwrap().sha256));
        }
        let begun: Value = serde_json::from_slice(&place.read("_run.json")).unwrap();
        let own = parts::Opening {
            run_id: "other".into(),
            issued_at: 0,
            created_at: 0,
            config_sha256: begun["config_sha256"].as_str().unwrap().into(),
        };
        let joined = parts::open(&store, "", &own, parts::Asked::default()).unwrap();
        assert_eq!(
            (joined.run_id.as_str(), joined.run_id == commit.run_id),
            (begun["run_id"].as_str().unwrap(), true)
        );
    }
}

#[test]
fn networks_of_sequences_generate_and_foreign_checkpoints_are_told() {
    for release in releases() {
        let place = copy(&release, "sequence");
        place.run("generate best.safetensors -o out.bin -n 40 --seed 4").expect(0);
        assert_eq!(place.read("out.bin").len(), 40);
        // A run goes on only with the program that began it: what it gives would be no run of either.
        let train = "train pipeline=text model=sashimi data_dir=. out=. len=64 hidden=16 state=8 layers=1 pools=[4] batch=4 \
                     epochs=1 warmup=5 seed=3 resume=true";
        let run = place.run(train);
        assert!(
            run.code == Some(0) || run.code == Some(2) && run.stderr.contains("of another run"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_training_that_was_stopped_is_done_whatever_its_checkpoint_is_of() {
    for release in releases() {
        let place = copy(&release, "stopped");
        assert!(place.path("state/checkpoints/sales/checkpoint").exists());
        let runs = array(&place.run("runs ls --state state --json").expect(0).json(), "runs");
        let slot: jiff::Timestamp = runs[0]["slot"].as_str().unwrap().parse().unwrap();
        assert!(runs[0]["outcome"].is_null());
        let (start, end) =
            (slot + jiff::SignedDuration::from_secs(60), slot + jiff::SignedDuration::from_mins(10));
        place.run(&format!("serve -c daemon.toml --clock sim:{start}..{end}")).expect(0);
        let runs = array(&place.run("runs ls --state state --json").expect(0).json(), "runs");
        let done = runs.iter().find(|run| run["stage"] == "train" && run["outcome"] == "ok");
        assert!(done.is_some(), "{runs:?}");
        assert!(!place.path("state/checkpoints/sales/checkpoint").exists());
    }
}

/// Replaces a text in a file of a copy.
fn change(place: &Place, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(place.read(file)).unwrap();
    assert!(text.contains(from), "{file}: {from}");
    place.put(file, text.replacen(from, to, 1));
}

/// Whether an error says what is wrong with a newer file: its version, the program, the remedy.
fn tells(run: Run, file: &str) {
    let run = run.expect(65);
    for words in ["format 9", env!("CARGO_PKG_VERSION"), "use a newer s4cast"] {
        let said: Vec<&str> = run.stderr.split_whitespace().filter(|word| *word != "│").collect();
        assert!(said.join(" ").contains(words), "{file}: {words}: {}", run.stderr);
    }
}

#[test]
fn what_a_newer_program_wrote_is_refused_and_not_misread() {
    let release = releases().pop().unwrap();
    let place = copy(&release, "daemon");
    change(&place, "state/models/sales/champion.json", "\"format\": 1", "\"format\": 9");
    tells(place.run("models show --job sales"), "champion.json");

    let place = copy(&release, "daemon");
    change(&place, "state/models/sales/4/manifest.json", "\"format\": 1", "\"format\": 9");
    tells(place.run("models promote 4 --job sales"), "manifest.json");

    let place = copy(&release, "daemon");
    let newest = publish::latest(&place.path("out"), "sales").unwrap().unwrap().folder;
    let commit = newest.join("_commit.json");
    let text = fs::read_to_string(&commit).unwrap();
    fs::write(&commit, text.replacen("\"version\": 1", "\"version\": 9", 1)).unwrap();
    tells(place.run("score -c daemon.toml --job sales"), "_commit.json");
    place.run("serve -c daemon.toml --clock sim:2024-10-25T05:00:00Z..2024-10-25T06:00:00Z").expect(0);
    assert!(commit.exists(), "a run of a newer program is not cleared away");

    let place = copy(&release, "daemon");
    let ledger = rusqlite::Connection::open(place.path("state/ledger.db")).unwrap();
    ledger.pragma_update(None, "user_version", 9).unwrap();
    drop(ledger);
    tells(place.run("runs ls --state state"), "ledger.db");
    tells(
        place.run("serve -c daemon.toml --clock sim:2024-10-26T00:00:00Z..2024-10-26T06:00:00Z"),
        "ledger.db",
    );

    let place = copy(&release, "models");
    fs::copy(release.join("in.csv"), place.path("in.csv")).unwrap();
    let mut bytes = place.read("ridge.safetensors");
    let field = br#"\"format\":2"#;
    let at = bytes.windows(field.len()).position(|window| window == field).unwrap();
    bytes[at + field.len() - 1] = b'9';
    place.put("ridge.safetensors", bytes);
    tells(place.run("forecast in.csv --load-model ridge.safetensors -o out.parquet"), "ridge.safetensors");
}
