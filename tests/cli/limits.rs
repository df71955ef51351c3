//! What a job may take: memory, bytes and rows of its source; and what it leaves behind for a while.

use super::exec::{forecasts, metadata};
use super::program::{Place, Run, weekly};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAIVE: &str = "forecast in.csv -H 3 -o out.parquet --model seasonal_naive";

#[test]
fn the_memory_of_a_job_is_planned_and_told() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let memory = place.run(&format!("{NAIVE} --json")).expect(0).json()["memory"].clone();
    let bytes = |key: &str| memory[key].as_u64().unwrap();
    assert!(bytes("planned_bytes") > 1 << 20 && bytes("limit_bytes") > bytes("planned_bytes"), "{memory}");
    assert!(!cfg!(target_os = "linux") || bytes("peak_bytes") > 1 << 20, "{memory}");
    assert_eq!(memory["chunks"], 1);
    let backtest = place.run("backtest in.csv -H 3 --models naive --json").expect(0).json();
    assert!(backtest["memory"]["planned_bytes"].as_u64().unwrap() > 1 << 20);

    let quiet = place.run(NAIVE).expect(0).stdout;
    assert!(!quiet.contains("Memory"), "{quiet}");
    let limited = place.run(&format!("{NAIVE} --max-memory 2GiB")).expect(0).stdout;
    assert!(limited.contains("Memory") && limited.contains("of 2.00 GiB allowed"), "{limited}");
    let json = place.run(&format!("{NAIVE} --json --max-memory 2GiB")).expect(0).json();
    assert_eq!(json["memory"]["limit_bytes"], 2_u64 << 30);
}

#[test]
fn what_would_take_more_memory_than_it_may_is_refused_before_it_begins() {
    let place = Place::new();
    place.put("in.csv", weekly(2_000));
    let reading = place.run(&format!("{NAIVE} --max-memory 16MiB")).expect(69);
    assert!(reading.stderr.contains("reading would take about"), "{}", reading.stderr);
    assert!(reading.stderr.contains("16.0 MiB may be taken: process"), "{}", reading.stderr);
    let ridge = "forecast in.csv -H 3 -o out.parquet --model ridge --max-memory 38MiB";
    let training = place.run(ridge).expect(69);
    assert!(training.stderr.contains("training would take about"), "{}", training.stderr);
    assert!(training.stderr.contains("--load-model") && training.stderr.contains("max_memory"));
    let backtest = place.run("backtest in.csv -H 3 --models ridge --max-memory 38MiB").expect(69);
    assert!(backtest.stderr.contains("training would take about"), "{}", backtest.stderr);
    assert_eq!(place.names(), ["in.csv"]);
    place.run(&format!("{NAIVE} --max-memory 64MiB")).expect(0);
    let refused = place.run(&format!("{NAIVE} --max-memory lots")).expect(2);
    assert!(refused.stderr.contains("'lots' is not a size; write for example"), "{}", refused.stderr);
}

#[test]
fn a_source_may_have_so_many_bytes_and_rows() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let cases = [
        ("--max-bytes 100", "the files have 845 bytes, and max_bytes allows 100"),
        ("--max-rows 59", "the files have at least 60 rows, and max_rows allows 59"),
    ];
    for (flags, message) in cases {
        let run = place.run(&format!("{NAIVE} {flags}")).expect(65);
        assert!(run.stderr.contains(message), "{flags}: {}", run.stderr);
        assert_eq!(place.names(), ["in.csv"]);
    }
    place.run(&format!("{NAIVE} --max-bytes 1KiB --max-rows 60")).expect(0);
    // Of Parquet the footer tells: the forecasts of the forecasts.
    let again = "forecast out.parquet --time ds --target yhat -H 1 -o again.parquet --model naive";
    let run = place.run(&format!("{again} --max-rows 2")).expect(65);
    assert!(run.stderr.contains("the files have 3 rows, and max_rows allows 2"), "{}", run.stderr);
    place.put("job.toml", "[source]\ninputs = \"in.csv\"\nmax_rows = 10\n");
    place.run("forecast -c job.toml -H 3 -o out.parquet --model naive").expect(65);
}

/// So many series of days, the last of them a week shorter than the others.
fn panel(series: u32, days: u32) -> String {
    let start = jiff::civil::date(2015, 1, 1);
    let dates: Vec<String> = (0..days)
        .map(|day| start.saturating_add(jiff::Span::new().days(i64::from(day))).to_string())
        .collect();
    let mut text = String::from("unique_id,ds,y\n");
    for one in 0..series {
        let days = if one + 1 == series { days - 7 } else { days };
        for (day, date) in dates[..days as usize].iter().enumerate() {
            text.push_str(&format!("s{one:05},{date},{}\n", (day * (one as usize + 3)) % 7 + day % 5));
        }
    }
    text
}

/// Whether two files hold the same forecasts, in the same order, of the same data.
fn is_same(place: &Place, one: &str, other: &str) -> bool {
    let [one, other] = [place.path(one), place.path(other)];
    let print = |path: &std::path::Path| metadata(path, "s4cast.data_fingerprint");
    forecasts(&one) == forecasts(&other) && print(&one).is_some() && print(&one) == print(&other)
}

#[test]
fn series_that_do_not_fit_at_once_are_read_in_passes_and_forecast_alike() {
    let place = Place::new();
    place.put("in.csv", panel(100, 3_000));
    let train = "forecast in.csv -H 3 -o trained.parquet --model seasonal_naive --save-model model";
    place.run(train).expect(0);
    let load = "forecast in.csv --load-model model --quality q.parquet --json -o";
    let whole = place.run(&format!("{load} whole.parquet")).expect(0).json();
    let quality = place.read("q.parquet");
    assert_eq!(whole["memory"]["chunks"], 1);
    let passes = place.run(&format!("{load} passes.parquet --max-memory 39MiB")).expect(0).json();
    assert!(passes["memory"]["chunks"].as_u64().unwrap() > 1, "{}", passes["memory"]);
    assert!(is_same(&place, "whole.parquet", "passes.parquet"));
    for key in ["rows", "series", "fingerprint", "first_ds", "last_ds", "quarantined"] {
        assert_eq!(whole["source"][key], passes["source"][key], "{key}");
    }
    assert_eq!(whole["statuses"], passes["statuses"]);
    assert_eq!(quality, place.read("q.parquet"), "the report of every series is the same, too");
    // What trains has to have all of it.
    let train = "forecast in.csv -H 3 -o trained.parquet --model seasonal_naive --max-memory 39MiB";
    place.run(train).expect(69);
}

#[test]
fn forecasts_that_do_not_fit_at_once_are_made_in_parts_and_are_the_same() {
    let place = Place::new();
    place.put("few.csv", panel(20, 60));
    place.put("in.csv", panel(2_000, 20));
    let train = "forecast few.csv -H 200 -o trained.parquet --model seasonal_naive --save-model model";
    place.run(train).expect(0);
    let load = "forecast in.csv --load-model model --json -o";
    place.run(&format!("{load} whole.parquet")).expect(0);
    let parts = place.run(&format!("{load} parts.parquet --max-memory 105MiB")).expect(0).json();
    assert!(parts["memory"]["chunks"].as_u64().unwrap() > 1, "{}", parts["memory"]);
    assert!(is_same(&place, "whole.parquet", "parts.parquet"));
    place.run(&format!("{load} parts.parquet --max-memory 60MiB")).expect(69);
}

/// Starts the program with a command that never ends, and waits until the output of that has its file.
#[cfg(unix)]
fn waiting(place: &Place) -> Child {
    // Whoever runs the tests under nohup hands on that SIGHUP is ignored.
    let mut command = Command::new("env");
    command.current_dir(place.path("")).env_clear().env("TMPDIR", place.path("tmp"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["--default-signal", env!("CARGO_BIN_EXE_s4cast")]);
    command.args(["forecast", "-H", "3", "-o", "out.parquet", "--model", "naive", "--exec", "sleep 60"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while left(place).iter().all(|name| !name.starts_with(&format!("s4cast-{}-", child.id()))) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never begins");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The handler of signals is there before the folder is.
    child
}

/// What is in the folder for temporary files.
fn left(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("tmp")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[cfg(unix)]
#[test]
fn nothing_temporary_is_left_however_a_run_ends() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    place.put("in.csv", weekly(40));
    let run = |exec: &str| {
        let mut command = place.command();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", place.path("tmp"));
        command.args(["forecast", "-H", "3", "-o", "out.parquet", "--model", "naive", "--exec", exec]);
        Run::of(command.output().unwrap())
    };
    for round in 0..12 {
        run("cat in.csv").expect(0);
        run("false").expect(74);
        run("echo nothing").expect(65);
        assert_eq!(left(&place), [""; 0], "round {round}");
    }
    for signal in ["TERM", "INT", "HUP"] {
        let mut child = waiting(&place);
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert!(child.wait().unwrap().code().is_some_and(|code| code > 128), "{signal}");
        assert_eq!(left(&place), [""; 0], "{signal}");
    }
    let mut child = waiting(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left(&place).len(), 1, "nobody can tidy up after that");
    run("cat in.csv").expect(0);
    assert_eq!(left(&place), [""; 0], "but the next run does");
    assert_eq!(place.names(), ["in.csv", "out.parquet", "tmp"]);
}
