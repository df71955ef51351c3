//! Broken inputs and requests: each has its exit code and a message that names what to change.

use super::program::{Place, daily, weekly};

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
fn data_that_cannot_be_used() {
    let text =
        |value: &'static str| daily(30, move |step| if step == 5 { value.into() } else { step.to_string() });
    refused(text("abc"), RUN, 65, "'abc'");
    refused(text("inf"), RUN, 65, "infinite");
    refused(weekly(30) + "2024-01-05,3\n", RUN, 65, "2024-01-05");
    refused("", RUN, 65, "empty");
    refused("ds,y\n", RUN, 65, "no rows");
    refused(weekly(1), RUN, 65, "--freq");
    refused(daily(30, |_| String::new()), RUN, 65, "none of the 30 rows has a value");
    refused(weekly(30).replace("2024-01-07", "2024-13-07"), RUN, 65, "2024-13-07");
    refused("ds,y\n2024-01-01,1\n2024-01-02,1,2\n", RUN, 65, "line 3");
    refused((0..=255).collect::<Vec<u8>>().repeat(40), RUN, 65, "no text");
    refused(b"ds,gr\xf6\xdfe\n2024-01-01,1\n", RUN, 65, "UTF-8");
    refused("words and words\nbut no table\n", RUN, 65, "no time column");
    let mixed = weekly(30).replace("2024-01-07,", "2024-01-07T00:00:00+01:00,");
    refused(mixed, RUN, 65, "offset");
    let repeated = "2024-01-01,1\n2024-01-01,2\n";
    let bad: String = ["a", "b"].map(|id| repeated.replace("2024", &format!("{id},2024"))).concat();
    refused(format!("unique_id,ds,y\n{bad}"), RUN, 65, "2 of 2 series");
    refused(weekly(30), &format!("{RUN} --as-of 2020-01-01"), 65, "as-of");
}

#[test]
fn data_that_is_odd_but_fine() {
    for (name, input) in [
        ("constant", daily(30, |_| "5".into())),
        ("gigantic", daily(60, |step| format!("{}e300", 1 + step % 7))),
        ("alternating", daily(30, |step| if step % 2 == 0 { "1e308".into() } else { "-1e308".into() })),
        ("zero", daily(30, |_| "0".into())),
        ("two rows", weekly(2)),
        ("byte order mark", format!("\u{feff}{}", weekly(30))),
        ("line ends of Windows", weekly(30).replace('\n', "\r\n")),
    ] {
        let place = Place::new();
        place.put("in.csv", input);
        for model in ["auto", "seasonal_naive"] {
            let run = place.run(&format!("forecast in.csv -H 3 -o out.parquet --model {model}"));
            assert_eq!(run.code, Some(0), "{name}, {model}: {}", run.stderr);
        }
    }
    let place = Place::new();
    place.put("in.csv", weekly(1));
    place.run(&format!("{RUN} --freq 1d")).expect(0);
}

#[test]
fn inputs_that_are_not_there() {
    refused(weekly(9), "forecast nosuch.csv -H 3 -o out.parquet", 66, "nosuch.csv");
    refused(weekly(9), "forecast no*.csv -H 3 -o out.parquet", 66, "no*.csv");
    refused(weekly(9), "data check nosuch.csv", 66, "nosuch.csv");
    refused(weekly(9), "forecast -c nosuch.toml", 78, "nosuch.toml");
}

#[test]
fn damaged_parquet() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.run("forecast in.csv -H 3 -o whole.parquet --model naive").expect(0);
    let whole = place.read("whole.parquet");
    place.put("torn.parquet", &whole[..whole.len() / 2]);
    place.put("text.parquet", "ds,y\n");
    for name in ["torn.parquet", "text.parquet"] {
        let run = place.run(&format!("forecast {name} -H 3 -o out.parquet")).expect(65);
        assert!(run.stderr.contains(name), "{}", run.stderr);
    }
}

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
        ("--season-length 0", "season length 0"),
        ("--threads none", "'none' is not a whole number"),
        ("--gaps fill", "unknown policy for gaps 'fill'"),
        ("--max-bad-series lots", "'lots'"),
        ("--as-of soon", "'soon' is not a time"),
        ("--colour always", "--color"),
        ("--save-model out.parquet", "asked for twice"),
    ];
    for (flag, message) in cases {
        refused(weekly(30), &format!("{RUN} {flag}"), 2, message);
    }
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
fn help_and_version_are_on_stdout() {
    let place = Place::new();
    assert_eq!(place.run("--version").expect(0).stdout, concat!("s4cast ", env!("CARGO_PKG_VERSION"), "\n"));
    for arguments in ["--help", "forecast --help", "data check --help"] {
        let run = place.run(arguments).expect(0);
        assert!(run.stdout.contains("Exit codes:") && run.stdout.contains("73  output cannot be created"));
    }
    // Every flag has a variable: as many `[env: ` as options with a long name, help and version aside.
    let help = place.run("forecast --help").expect(0).stdout;
    let flags = help.lines().filter(|line| line.trim_start().starts_with('-') && line.contains("--")).count();
    assert_eq!(help.matches("[env: S4CAST_").count(), flags - 1, "{help}");
}
