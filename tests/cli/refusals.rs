//! Requests that make no sense: each has its exit code and a message that names what to change.

use super::program::{Place, weekly};

/// Runs a command over `in.csv` and checks code, message, and that nothing was written.
fn refused(input: impl AsRef<[u8]>, arguments: &str, code: i32, message: &str) {
    let place = Place::new();
    place.put("in.csv", input);
    let run = place.run(arguments).expect(code);
    assert!(run.stderr.contains(message), "{arguments}: '{message}' is not in: {}", run.stderr);
    assert_eq!(run.stdout, "");
    assert_eq!(place.names(), ["in.csv"], "{arguments}");
}

const RUN: &str = "forecast in.csv -H 3 -o out.parquet --model seasonal_naive";

#[test]
fn requests_that_make_no_sense() {
    let cases = [
        ("--target nope", "nope"),
        ("--time nope", "nope"),
        ("--id nope", "nope"),
        ("--levels 80,100", "level 100"),
        ("--levels x", "'x' is not a number"),
        ("--freq sometimes", "sometimes"),
        ("--tz Europe/Berlln", "did you mean 'Europe/Berlin'?"),
        ("--budget 60", "write for example 90s"),
        ("--seed -1", "-1"),
        ("--preset slow", "unknown preset 'slow'; choose one of fast, balanced, best"),
        ("--point mode", "unknown point 'mode'; choose one of median, mean"),
        ("--min x", "'x' is not a number"),
        ("--max nan", "both are to be finite"),
        ("--min 3 --max -3", "no value lies between min 3 and max -3"),
        ("--min 0.2 --max 0.8 --integer", "no whole number lies between min 0.2 and max 0.8"),
        ("--min -1 --non-negative", "non_negative says that min is 0, and min is given too"),
        ("--season-length 0", "season length 0"),
        ("--threads none", "'none' is not a whole number"),
        ("--gaps fill", "unknown policy for gaps 'fill'"),
        ("--sampling sometimes", "unknown policy for sampling 'sometimes'"),
        ("--sampling irregular --gaps zero", "gaps with sampling"),
        ("--max-bad-series lots", "'lots'"),
        ("--as-of soon", "'soon' is not a time"),
        ("--colour always", "--color"),
        ("--save-model out.parquet", "asked for twice"),
        ("--quality q.csv", "write for example q.parquet"),
        ("--max-bad-series -1", "'-1'"),
    ];
    for (flag, message) in cases {
        refused(weekly(30), &format!("{RUN} {flag}"), 2, message);
    }
    refused(weekly(9), "forecast in.csv -H -3 -o out.parquet", 2, "'-3' is not a whole number");
    refused(weekly(9), "forecast in.csv -H 3 -o out.csv", 2, "write for example out.parquet");
    refused(weekly(9), "data show in.csv --series nope", 2, "the series are 'series'");
    refused(weekly(9), "demo in.csv", 73, "name another folder");
    refused(weekly(9), "forecast in.csv -H 0 -o out.parquet", 2, "horizon 0 is not in 1..=10000");
    refused(
        weekly(9),
        "forecast in.csv -H 3 -o out.parquet --model seasonal_nave",
        2,
        "did you mean 'seasonal_naive'?",
    );
    refused(weekly(9), "forecast in.csv -H 3", 2, "no output");
    refused(weekly(9), "forecast in.csv -o out.parquet", 2, "no horizon");
    refused(weekly(9), "forecast -H 3 -o out.parquet", 2, "no input");
    refused(weekly(9), "forcast in.csv", 2, "forecast");
    refused(weekly(9), "data", 2, "check");
    refused(weekly(9), "", 2, "Usage");
}

#[test]
fn all_wrong_flags_are_named_at_once() {
    let place = Place::new();
    let run = place.run("forecast in.csv -H x --levels 180 --tz Mars --budget 3 -o out.parquet").expect(2);
    for words in ["--horizon", "--levels", "--tz", "--budget"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn a_refusal_is_a_document_too() {
    let place = Place::new();
    place.put("in.csv", weekly(1));
    let cases = [
        ("forecast in.csv -H 3 -o out.parquet --json", 65),
        ("forecast nosuch.csv -H 3 -o out.parquet --json", 66),
        ("forecast in.csv -H 3 -o no/out.parquet --json", 73),
        ("forecast in.csv --no-such-flag --json", 2),
        ("forecast in.csv -H 0 -o out.parquet --json", 2),
    ];
    for (arguments, code) in cases {
        let error = &place.run(arguments).expect(code).json()["error"];
        assert_eq!(error["exit_code"], code, "{arguments}");
        assert!(error["problems"][0].as_str().is_some_and(|line| !line.is_empty()), "{arguments}");
    }
}

#[test]
fn the_environment_asks_for_a_document_too() {
    let place = Place::new();
    let output =
        place.command().args(["forecast", "--no-such-flag"]).env("S4CAST_JSON", "1").output().unwrap();
    let run = super::program::Run::of(output).expect(2);
    assert_eq!(run.json()["error"]["exit_code"], 2);
}

#[test]
fn help_and_version_are_on_stdout() {
    let place = Place::new();
    assert_eq!(place.run("--version").expect(0).stdout, concat!("s4cast ", env!("CARGO_PKG_VERSION"), "\n"));
    for arguments in ["--help", "forecast --help", "backtest --help", "data check --help"] {
        let run = place.run(arguments).expect(0);
        assert!(run.stdout.contains("Exit codes:") && run.stdout.contains("73  output cannot be created"));
    }
    // Every flag has a variable: as many `[env: ` as options with a long name, help and version aside.
    let help = place.run("forecast --help").expect(0).stdout;
    let flags = help.lines().filter(|line| line.trim_start().starts_with('-') && line.contains("--")).count();
    assert_eq!(help.matches("[env: S4CAST_").count(), flags - 1, "{help}");
}
