//! Commands that end well, badly, late and never.

use super::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

fn command(words: &[&str]) -> ExecSpec {
    ExecSpec::new(words.iter().map(|word| (*word).to_owned()).collect())
}

fn shell(script: &str) -> ExecSpec {
    command(&["sh", "-c", script])
}

fn attempt(spec: &ExecSpec) -> Result<Output, IngestError> {
    run(spec, &AtomicBool::new(false))
}

fn problems(spec: &ExecSpec) -> (IngestErrorKind, String) {
    let error = attempt(spec).expect_err("refused");
    (error.kind(), error.problems().join("\n"))
}

#[test]
fn what_is_printed_is_kept_as_long_as_it_is_needed() {
    let output = attempt(&command(&["printf", "ds,y\\n2024-01-01,1\\n"])).expect("printed");
    assert_eq!(output.bytes, 18);
    assert_eq!(output.sha256, format!("{:x}", Sha256::digest("ds,y\n2024-01-01,1\n")));
    assert_eq!(std::fs::read_to_string(&output.path).expect("there"), "ds,y\n2024-01-01,1\n");
    let found = output.found().expect("found");
    assert_eq!((found.files[0].name.as_str(), found.files[0].format), ("exec", Format::Csv(None)));
    let path = output.path.to_path_buf();
    drop(output);
    assert!(!path.exists());
}

#[test]
fn nothing_reads_the_words_but_the_program() {
    let output = attempt(&command(&["printf", "%s", "$HOME `id`;*"])).expect("printed");
    assert_eq!(std::fs::read_to_string(&output.path).expect("there"), "$HOME `id`;*");
}

#[test]
fn a_command_runs_in_its_folder() {
    let folder = tempfile::tempdir().expect("folder");
    let script = folder.path().join("get.sh");
    std::fs::write(&script, "#!/bin/sh\npwd\n").expect("written");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("allowed");
    let spec = ExecSpec { folder: folder.path().into(), ..command(&["./get.sh"]) };
    let output = attempt(&spec).expect("printed");
    let printed = std::fs::read_to_string(&output.path).expect("there");
    assert_eq!(PathBuf::from(printed.trim()), folder.path().canonicalize().expect("there"));
    let gone = ExecSpec { folder: folder.path().join("gone"), ..command(&["cat"]) };
    let (kind, text) = problems(&gone);
    assert!(
        kind == IngestErrorKind::InputMissing && text.contains("gone to run in does not exist"),
        "{text}"
    );
}

#[test]
fn every_way_to_fail_has_its_kind_and_its_words() {
    let (kind, text) = problems(&command(&["s4cast-no-such-program"]));
    assert_eq!(kind, IngestErrorKind::InputMissing);
    assert!(text.contains("exec: there is no program 's4cast-no-such-program'"), "{text}");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("data.csv");
    std::fs::write(&file, "x").expect("written");
    let (kind, text) = problems(&command(&[&file.display().to_string()]));
    assert!(kind == IngestErrorKind::Permission && text.contains("may not be run"), "{text}");
    let failing = "seq 1 20 >&2; echo 'password=s3cret' >&2; echo ds,y; exit 3";
    let (kind, text) = problems(&shell(failing));
    assert_eq!(kind, IngestErrorKind::Io);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "exec: 'sh' ended with exit code 3 and said last:");
    assert_eq!((lines.len(), lines[1], lines[8]), (9, "exec: 14", "exec: password=****"));
    let (_, text) = problems(&shell("kill -9 $$"));
    assert!(text.contains("signal: 9") && text.contains("said nothing"), "{text}");
    let (kind, text) = problems(&shell("exit 0"));
    assert!(kind == IngestErrorKind::Data && text.contains("printed nothing"), "{text}");
    let (kind, text) = problems(&command(&["printf", "{\"ds\": 1}"]));
    assert!(kind == IngestErrorKind::Data && text.contains("JSON"), "{text}");
    let (kind, text) = problems(&ExecSpec { max_bytes: 999, ..shell("while :; do echo 1,2,3; done") });
    assert!(kind == IngestErrorKind::Io && text.contains("more than 999 bytes"), "{text}");
    let torn = attempt(&command(&["printf", "PAR1 and more"])).expect("printed");
    assert!(torn.found().expect_err("torn").to_string().contains("no Parquet footer"));
    let (kind, text) = problems(&command(&["printf", "ARROW1..and no more of it"]));
    assert!(kind == IngestErrorKind::Data && text.contains("exec: damaged or unusual Arrow IPC"), "{text}");
}

/// Whether a process is there and not merely waited for.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

fn until(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// A command that starts another one, which prints nothing and writes its id to a file; both would go on for long.
fn endless(folder: &std::path::Path, setup: &str) -> (ExecSpec, PathBuf) {
    let pid = folder.join("pid");
    let script = format!("{setup} sleep 300 & echo $! > {0}.part; mv {0}.part {0}; wait", pid.display());
    (shell(&script), pid)
}

#[test]
fn a_late_command_ends_with_everything_it_has_started() {
    let folder = tempfile::tempdir().expect("folder");
    let (spec, pid) = endless(folder.path(), "");
    let start = Instant::now();
    let (kind, text) = problems(&ExecSpec { timeout: Duration::from_millis(300), ..spec });
    assert!(kind == IngestErrorKind::Io && text.contains("was ended after 0.3 s"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let pid = std::fs::read_to_string(pid).expect("it ran");
    assert!(until(|| !is_alive(&pid)), "process {pid} lives on");
}

#[test]
fn a_command_that_does_not_want_to_end_is_made_to() {
    let folder = tempfile::tempdir().expect("folder");
    let (spec, pid) = endless(folder.path(), "trap '' TERM;");
    problems(&ExecSpec { timeout: Duration::from_millis(300), ..spec });
    let pid = std::fs::read_to_string(pid).expect("it ran");
    assert!(until(|| !is_alive(&pid)), "process {pid} lives on");
}

#[test]
fn a_command_is_stopped_when_the_program_ends() {
    let folder = tempfile::tempdir().expect("folder");
    let (spec, pid) = endless(folder.path(), "");
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    let waiting = std::thread::spawn(move || run(&spec, &seen).map(drop).map_err(|error| error.kind()));
    assert!(until(|| pid.exists()), "it starts");
    stop.store(true, Ordering::Relaxed);
    assert_eq!(waiting.join().expect("no panic"), Err(IngestErrorKind::Stopped));
    let pid = std::fs::read_to_string(pid).expect("it ran");
    assert!(until(|| !is_alive(&pid)), "process {pid} lives on");
}

#[test]
fn secrets_stay_out_of_descriptions() {
    let spec = |password: &str| command(&["psql", &format!("password={password}")]);
    let (one, other) = (format!("{:?}", spec("abc")), format!("{:?}", spec("xyz")));
    assert!(!one.contains("abc") && one.contains("****"), "{one}");
    assert_ne!(one, other, "other commands are other sources");
}
