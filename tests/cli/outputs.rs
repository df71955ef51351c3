//! Outputs that cannot be written: an earlier file survives, nothing else is left behind.

use super::program::{Place, Run, weekly};
use std::process::{Command, Stdio};

const OLD: &str = "what stood there before";

fn refused(place: &Place, output: &str, code: i32, message: &str) {
    let before = place.names();
    let run = place.run(&format!("forecast in.csv -H 3 --model naive -o {output}")).expect(code);
    assert!(run.stderr.contains(message), "{output}: {}", run.stderr);
    assert_eq!(place.names(), before);
}

#[test]
fn paths_that_cannot_hold_the_output() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.put("locked.parquet", OLD);
    std::fs::create_dir(place.path("folder")).unwrap();
    let mut permissions = place.path("locked.parquet").metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(place.path("locked.parquet"), permissions).unwrap();

    refused(&place, "no/such/out.parquet", 73, "mkdir -p 'no/such'");
    refused(&place, "folder", 73, "it is a folder");
    refused(&place, "out/", 73, "names no file");
    refused(&place, "in.csv/out.parquet", 73, "in.csv");
    refused(&place, "locked.parquet", 77, "read-only");
    assert_eq!(place.read("locked.parquet"), OLD.as_bytes());
    assert_eq!(place.read("in.csv"), weekly(60).into_bytes());
}

#[test]
fn what_is_read_is_not_overwritten() {
    let place = Place::new();
    let table = weekly(60);
    place.put("table", &table);
    std::fs::create_dir(place.path("folder")).unwrap();
    let job = "[source]\ninputs = \"table\"\n[model]\nhorizon = 3\nkind = \"naive\"\n";
    place.put("job.toml", job);
    for arguments in [
        "forecast table -H 3 --model naive -o table",
        "forecast table -H 3 --model naive -o ./folder/../table",
        "forecast table -H 3 --model naive -o out.parquet --quality table",
        "forecast -c job.toml -o job.toml",
        "forecast -c job.toml -o out.parquet --save-model job.toml",
        "data check table --report table",
        "data check -c job.toml --report folder/../job.toml",
    ] {
        let run = place.run(arguments).expect(2);
        assert!(run.stderr.contains("choose another path"), "{arguments}: {}", run.stderr);
        assert_eq!(place.names(), ["folder", "job.toml", "table"], "{arguments}");
    }
    assert_eq!((place.read("table"), place.read("job.toml")), (table.into(), job.into()));
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_one() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.put(".s4cast-killed.partial", "half of a file");
    place.put(".other.partial", "of another program");
    place.run("forecast in.csv -H 3 --model naive -o out.parquet").expect(0);
    assert_eq!(place.names(), [".other.partial", "in.csv", "out.parquet"]);
}

#[test]
fn marks_of_other_programs_are_no_degradation() {
    let place = Place::new();
    std::fs::create_dir(place.path("table")).unwrap();
    place.put("table/part-0.csv", weekly(60));
    place.put("table/_SUCCESS", "");
    place.put("table/.part-0.csv.crc", "x");
    let run = place.run("forecast table -H 3 --model naive -o out.parquet --strict --json").expect(0);
    assert_eq!(run.json()["source"]["skipped_files"], serde_json::json!([]));
    place.put("table/torn.parquet", "PAR1 and no more");
    place.run("forecast table -H 3 --model naive -o out.parquet --strict").expect(3);
}

/// Where not even root may create a file.
#[cfg(target_os = "linux")]
#[test]
fn file_systems_that_refuse() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    refused(&place, "/proc/out.parquet", 73, "choose another path");
    refused(&place, "/dev/null", 73, "not a file");
}

/// A limit on the size of files is what a full disk looks like to a writer.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_earlier_file() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.put("out.parquet", OLD);
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" forecast in.csv -H 300 --model naive -o out.parquet";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_s4cast")])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let run = Run::of(output).expect(74);
    assert!(run.stderr.contains("the earlier file, if any, is untouched"), "{}", run.stderr);
    assert!(run.stderr.contains("writing out.parquet failed"), "{}", run.stderr);
    assert_eq!(place.read("out.parquet"), OLD.as_bytes());
    assert_eq!(place.names(), ["in.csv", "out.parquet"]);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let place = Place::new();
    let mut child = place.command().args(["demo", "d"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_takes_nothing_is_an_error() {
    let place = Place::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command().args(["demo", "d"]).stdout(full).output().unwrap();
    assert_eq!(Run::of(output).expect(74).stdout, "");
}

/// `--threads` holds for the readers of files too, whose pool is sized by the environment.
#[cfg(unix)]
#[test]
fn the_program_restarts_once_to_bound_its_readers() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let run = place.run("forecast in.csv -H 3 -o out.parquet --model ridge --threads 1 --json").expect(0);
    assert_eq!(run.json()["output"]["rows"], 3);
}
