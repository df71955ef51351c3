//! Sources that are commands: what they print is read as a file would be.

use super::covariates::shops;
use super::program::{Place, Run, weekly};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampSecondArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two shops, with a price, as a table.
fn table() -> RecordBatch {
    let steps = || (0..2).flat_map(|shop| (0..120_i64).map(move |step| (shop, step)));
    let ids: Vec<String> = steps().map(|(shop, _)| format!("s{shop}")).collect();
    // Seconds: coarser than what Parquet has.
    let times: Vec<i64> = steps().map(|(_, step)| 1_704_067_200 + step * 86_400).collect();
    let values: Vec<f64> =
        steps().map(|(shop, step)| (10 * (shop + 1) + step % 7) as f64 + step as f64 / 50.0).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("shop", Arc::new(StringArray::from(ids))),
        ("ds", Arc::new(TimestampSecondArray::from(times).with_timezone("UTC"))),
        ("y", Arc::new(Float64Array::from(values))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Every row of a file of forecasts but for what tells its run.
pub(super) fn forecasts(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let of_run = ["issued_at", "created_at", "run_id"];
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|at| !of_run.contains(&schema.field(*at).name().as_str()))
        .collect();
    let batches = reader.build().unwrap();
    batches.map(|batch| batch.unwrap().project(&kept).unwrap()).collect()
}

pub(super) fn metadata(path: &Path, key: &str) -> Option<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    pairs.into_iter().find(|pair| pair.key == key)?.value
}

/// Runs the program with the command of its source as one argument, and the others separated by spaces.
fn run(place: &Place, exec: &str, arguments: &str) -> Run {
    let mut command = place.command();
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env("PATH", path).args(arguments.split_whitespace()).args(["--exec", exec]);
    Run::of(command.output().unwrap())
}

#[test]
fn what_a_command_prints_is_forecast_as_a_file_would_be() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    let table = table();
    let mut writer =
        ArrowWriter::try_new(File::create(place.path("in.parquet")).unwrap(), table.schema(), None).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(
        File::create(place.path("in.arrows")).unwrap(),
        &table.schema(),
    )
    .unwrap();
    let mut file = arrow_ipc::writer::FileWriter::try_new(
        File::create(place.path("in.arrow")).unwrap(),
        &table.schema(),
    )
    .unwrap();
    // In parts, as programs print them.
    for from in (0..table.num_rows()).step_by(50) {
        let part = table.slice(from, 50.min(table.num_rows() - from));
        stream.write(&part).unwrap();
        file.write(&part).unwrap();
    }
    stream.finish().unwrap();
    file.finish().unwrap();

    let common = "-H 7 --model ridge --id shop --target y";
    let covariates = "--future-covariates promo,event";
    place.run(&format!("forecast in.csv {common} {covariates} -o csv.parquet")).expect(0);
    place.run(&format!("forecast in.parquet {common} -o parquet.parquet")).expect(0);
    let cases = [
        ("in.csv", "csv.parquet", covariates),
        ("in.parquet", "parquet.parquet", ""),
        ("in.arrows", "parquet.parquet", ""),
        ("in.arrow", "parquet.parquet", ""),
    ];
    for (file, expected, flags) in cases {
        let arguments = format!("forecast {common} {flags} -o exec.parquet --json");
        let document = run(&place, &format!("cat '{file}'"), &arguments).expect(0).json();
        assert_eq!(document["source"]["files"], serde_json::json!(["exec"]), "{file}");
        assert_eq!(document["source"]["command"], format!("cat {file}"));
        let (own, theirs) = (place.path("exec.parquet"), place.path(expected));
        assert_eq!(forecasts(&own), forecasts(&theirs), "{file}");
        for key in ["s4cast.data_fingerprint", "s4cast.weights_sha256", "s4cast.config_sha256"] {
            assert_eq!(metadata(&own, key), metadata(&theirs, key), "{file}: {key}");
        }
        assert_eq!(metadata(&own, "s4cast.source_command"), Some(format!("cat {file}")));
    }
    let names = place.names();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

#[test]
fn messages_name_the_output_as_they_would_a_file() {
    let place = Place::new();
    place.put("in.csv", format!("{}2024-01-05,3\n", weekly(30)));
    let check = run(&place, "cat in.csv", "data check").expect(65);
    let text = format!("{}{}", check.stdout, check.stderr);
    assert!(text.contains("exec: line 6 and line 32"), "{text}");
    place.put("good.csv", weekly(60));
    let page = run(&place, "cat good.csv", "data check").expect(0).stdout;
    assert!(page.contains("printed by cat good.csv"), "{page}");
    let backtest = run(&place, "cat good.csv", "backtest -H 7 -W 2 --models naive --json").expect(0).json();
    assert_eq!(backtest["source"]["command"], "cat good.csv");
}

#[test]
fn commands_that_fail_end_the_job_with_their_reason_and_code() {
    let place = Place::new();
    let forecast = "forecast -H 7 -o out.parquet";
    let cases = [
        ("no-such-program-here -x", forecast.into(), 66, "exec: there is no program 'no-such-program-here'"),
        ("sh -c 'echo broken pipe of data >&2; exit 7'", forecast.into(), 74, "exec: broken pipe of data"),
        ("sleep 60", format!("{forecast} --exec-timeout 200ms"), 74, "was ended after 0.2 s"),
        ("yes 1,2", format!("{forecast} --exec-max-bytes 5000"), 74, "more than 5000 bytes"),
        ("true", forecast.into(), 65, "exec: the command printed nothing"),
        ("cat 'in.csv", forecast.into(), 2, "a quote that is not closed"),
        ("cat in.csv", format!("{forecast} --exec-timeout 0s"), 2, "no time at all"),
    ];
    for (exec, arguments, code, words) in cases {
        let start = Instant::now();
        let run = run(&place, exec, &arguments).expect(code);
        assert!(run.stderr.contains(words), "{words} not in {}", run.stderr);
        assert!(start.elapsed() < Duration::from_secs(20), "{exec}");
    }
    place.put("in.csv", weekly(30));
    let both = run(&place, "cat in.csv", "forecast in.csv -H 7 -o out.parquet").expect(2);
    assert!(both.stderr.contains("cannot be used with"), "{}", both.stderr);
    assert_eq!(place.names(), ["in.csv"]);
}

#[test]
fn a_file_runs_its_command_where_it_stands_and_flags_win_over_it() {
    let place = Place::new();
    std::fs::create_dir(place.path("conf")).unwrap();
    place.put("conf/in.csv", weekly(60));
    place.put("here.csv", weekly(40));
    let file = "[source]\nexec = [\"cat\", \"in.csv\"]\nexec_timeout = \"10s\"\n[model]\nkind = \"naive\"\nhorizon = 7\n\
                [output]\npath = \"out.parquet\"\n";
    place.put("conf/job.toml", file);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let rows = |arguments: &[&str]| {
        let mut command = place.command();
        command.env("PATH", &path).args(["forecast", "--json", "-c", "conf/job.toml"]).args(arguments);
        Run::of(command.output().unwrap()).expect(0).json()["source"]["rows"].clone()
    };
    assert_eq!(rows(&[]), 60);
    assert_eq!(rows(&["here.csv"]), 40);
    assert_eq!(rows(&["--exec", "cat here.csv"]), 40);
    let validated = Run::of(
        place.command().env("PATH", &path).args(["validate", "-c", "conf/job.toml"]).output().unwrap(),
    );
    assert!(validated.expect(0).stdout.contains("the command cat in.csv, which was not run"));
    place.put("conf/job.toml", file.replace("\"cat\", ", "\"./cat\", \"--password\", \"s3cret\", "));
    let run = place.run("validate -c conf/job.toml").expect(78);
    let text = format!("{}{}", run.stdout, run.stderr);
    assert!(text.contains("there is no program") && !text.contains("s3cret"), "{text}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_program_takes_its_command_along() {
    let place = Place::new();
    let script = "sleep 300 & echo $! > pid.part; mv pid.part pid; wait";
    let mut command = place.command();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["forecast", "-H", "7", "-o", "out.parquet", "--exec", &format!("sh -c '{script}'")]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let soon = |condition: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(30), "it never came");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    soon(&|| place.path("pid").exists());
    let pid = String::from_utf8(place.read("pid")).unwrap().trim().to_owned();
    let is_alive =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(is_alive());
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert!(!child.wait().unwrap().success());
    soon(&|| !is_alive());
    assert!(!place.path("out.parquet").exists());
}
