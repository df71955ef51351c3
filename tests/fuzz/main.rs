//! Foreign bytes into every reader: nothing may panic, hold more memory than an input of its size deserves, or take for ever.
//!
//! ```text
//! cargo test --release --test fuzz                                    a few thousand cases, with the other tests
//! cargo test --release --test fuzz -- --seconds 3600 --seed 7         as long as wanted, shared out among the readers
//! cargo test --release --test fuzz -- parquet --seconds 60            one reader
//! cargo test --release --test fuzz -- model --cases 1000000           so many cases of one reader
//! cargo test --release --test fuzz -- parquet --case 1234 --seed 7    one case again, with its input written to fuzz-parquet-1234
//! ```
//!
//! Good inputs are changed as a seed says (`mutate`, `forged`, `tensors`, `json`), so that a case is a reader, a seed and a number.
//! The first cases are the good inputs themselves and then the files in `corpus/READER`: what was found once, here or by the
//! coverage-guided fuzzer in `fuzz/`, which gives its inputs to the same readers. Every reader
//! runs in a process of its own: what ends that process, by the stack, by the system or by a refused allocation, is a finding
//! as well, and the next one goes on behind it. A program of its own and no module of `tests`, because its allocator counts
//! (`counting`).

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod counting;
mod forged;
mod graft;
mod json;
mod models;
mod mutate;
mod readers;
mod requests;
mod sequences;
mod state;
mod streams;
mod tensors;
mod texts;
mod thrift;
mod world;

use mutate::Dice;
use readers::{ALL, Answer, Bench, Reader};
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Processor time that one input may take, seconds.
const SECONDS_MAX: f64 = 10.0;

/// Findings of one reader after which it is not tried any further.
const FINDINGS_MAX: usize = 200;

/// What is asked for on the command line.
struct Arguments {
    readers: Vec<Reader>,
    seconds: Option<f64>,
    cases: Option<u64>,
    seed: u64,
    case: Option<u64>,
}

fn main() -> ExitCode {
    if let Ok(job) = std::env::var("S4CAST_FUZZ_CHILD") {
        child(&job);
        return ExitCode::SUCCESS;
    }
    let arguments = arguments();
    if let (Some(case), [reader, ..]) = (arguments.case, &arguments.readers[..]) {
        return one_case(*reader, arguments.seed, case);
    }
    let mut is_clean = true;
    for &reader in &arguments.readers {
        let share = arguments.seconds.map(|seconds| seconds / arguments.readers.len() as f64);
        is_clean &= fuzz(reader, arguments.seed, share, arguments.cases.unwrap_or(reader.cases()));
    }
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Flags of the usual test harness are passed over; other words are names of readers, as filters are.
fn arguments() -> Arguments {
    let mut arguments = Arguments { readers: Vec::new(), seconds: None, cases: None, seed: 1, case: None };
    let (mut words, mut filters) = (std::env::args().skip(1), Vec::new());
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|word| word.parse::<f64>().ok()).expect("a number after the flag");
        match word.as_str() {
            "--seconds" => arguments.seconds = Some(number()),
            "--cases" => arguments.cases = Some(number() as u64),
            "--seed" => arguments.seed = number() as u64,
            "--case" => arguments.case = Some(number() as u64),
            "--skip" | "--test-threads" | "--format" | "--color" => drop(words.next()),
            word if word.starts_with('-') => {}
            _ => filters.push(word),
        }
    }
    let is_wanted = |reader: &Reader| filters.is_empty() || filters.iter().any(|word| reader.name() == word);
    arguments.readers = ALL.into_iter().filter(is_wanted).collect();
    arguments
}

/// Puts inputs to one reader, in as many processes as it takes; whether nothing was found.
fn fuzz(reader: Reader, seed: u64, seconds: Option<f64>, cases: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let (mut from, mut tally, mut findings) = (0u64, Tally::default(), Vec::new());
    while findings.len() < FINDINGS_MAX {
        let left = seconds.map(|seconds| seconds - began.elapsed().as_secs_f64());
        if left.is_some_and(|left| left <= 0.0) || left.is_none() && from >= cases {
            break;
        }
        let to = if left.is_some() { u64::MAX } else { cases };
        let job = format!("{} {seed} {from} {to} {}", reader.name(), left.unwrap_or(f64::MAX));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("S4CAST_FUZZ_CHILD", job).env("S4CAST_FUZZ_FOLDER", folder.path()).stdin(Stdio::null());
        // One core, and all of its work on it.
        command.env("RAYON_NUM_THREADS", "1").env("POLARS_MAX_THREADS", "1");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        process.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let status = process.wait().unwrap();
        for line in said.lines() {
            match line.split_once(' ') {
                Some(("tally", numbers)) => tally.add(numbers),
                Some(("found", what)) => findings.push(what.to_owned()),
                _ => {}
            }
        }
        if status.success() {
            break;
        }
        let case = std::fs::read_to_string(folder.path().join("case")).unwrap_or_default();
        let Some((case, so_far)) = case.split_once(' ') else {
            findings.push(format!("{status} before the first case"));
            break;
        };
        tally.add(so_far);
        findings.push(format!("{case}: the process ended, {status}"));
        from = case.parse::<u64>().unwrap() + 1;
    }
    println!(
        "{}: {} cases ({} read, {} refused), {} findings; at most {:.1} MiB and {:.2} s of one processor for one input; {:.0} s",
        reader.name(),
        tally.read + tally.refused,
        tally.read,
        tally.refused,
        findings.len(),
        tally.bytes as f64 / f64::from(1 << 20),
        tally.micros as f64 / 1e6,
        began.elapsed().as_secs_f64(),
    );
    for finding in findings.iter().take(40) {
        println!("  {} --seed {seed} --case {finding}", reader.name());
    }
    findings.is_empty()
}

/// What came of many cases.
#[derive(Clone, Copy, Default)]
struct Tally {
    read: u64,
    refused: u64,
    /// Most memory of one case.
    bytes: u64,
    /// Most processor time of one case.
    micros: u64,
}

impl Tally {
    fn add(&mut self, numbers: &str) {
        let numbers: Vec<u64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        if let [read, refused, bytes, micros] = numbers[..] {
            (self.read, self.refused) = (self.read + read, self.refused + refused);
            (self.bytes, self.micros) = (self.bytes.max(bytes), self.micros.max(micros));
        }
    }

    fn text(&self) -> String {
        format!("{} {} {} {}", self.read, self.refused, self.bytes, self.micros)
    }
}

/// Works cases until the end, or until one ends the process.
fn child(job: &str) {
    let parts: Vec<&str> = job.split(' ').collect();
    let [name, seed, from, to, seconds] = parts[..] else { panic!("{job}") };
    let reader = ALL.into_iter().find(|reader| reader.name() == name).unwrap();
    let (seed, from, to): (u64, u64, u64) =
        (seed.parse().unwrap(), from.parse().unwrap(), to.parse().unwrap());
    let seconds: f64 = seconds.parse().unwrap();
    let folder = PathBuf::from(std::env::var_os("S4CAST_FUZZ_FOLDER").unwrap());
    let bench = Bench::new(reader, &folder);
    let began_case = Arc::new(AtomicU64::new(processor_micros()));
    watch(Arc::clone(&began_case));
    let heard = hear_panics();
    let (began, mut tally, mut findings) = (Instant::now(), Tally::default(), 0);
    for case in from..to {
        if began.elapsed().as_secs_f64() > seconds || findings >= FINDINGS_MAX {
            break;
        }
        let mut dice = Dice::new(seed, reader as u64, case);
        let input = bench.input(&mut dice, case);
        std::fs::write(folder.join("case"), format!("{case} {}", tally.text())).unwrap();
        let (micros, held) = (processor_micros(), counting::begin());
        began_case.store(micros, Relaxed);
        let answer = catch_unwind(AssertUnwindSafe(|| bench.read(&mut dice, &input)));
        let (bytes, micros) = (counting::peak().saturating_sub(held), processor_micros() - micros);
        tally.bytes = tally.bytes.max(bytes as u64);
        tally.micros = tally.micros.max(micros);
        let panicked = std::mem::take(&mut *heard.lock().unwrap());
        let mut found = |what: String| {
            findings += 1;
            println!("found {case} ({} bytes): {what}", input.len());
        };
        match answer {
            Ok(Answer::Read) => tally.read += 1,
            Ok(Answer::Refused) => tally.refused += 1,
            Err(_) => found(format!("panicked: {panicked}")),
        }
        if bytes > reader.memory_max(input.len()) {
            found(format!("held {:.1} MiB", bytes as f64 / f64::from(1 << 20)));
        }
    }
    println!("tally {}", tally.text());
}

/// Where and why the last panic was.
fn hear_panics() -> Arc<Mutex<String>> {
    let heard = Arc::new(Mutex::new(String::new()));
    let write = Arc::clone(&heard);
    std::panic::set_hook(Box::new(move |bug| {
        if let Ok(mut text) = write.lock() {
            text.clear();
            let _ = write!(text, "{bug}");
            *text = text.replace('\n', " ").chars().take(300).collect();
        }
    }));
    heard
}

/// Ends the process where a case takes too long, so that a loop without end is a finding.
fn watch(began: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let micros = processor_micros().saturating_sub(began.load(Relaxed));
            if micros as f64 > SECONDS_MAX * 1e6 {
                std::process::exit(9);
            }
        }
    });
}

/// Processor time of this process, microseconds.
fn processor_micros() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// One case again, with its input kept.
fn one_case(reader: Reader, seed: u64, case: u64) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(reader, folder.path());
    let mut dice = Dice::new(seed, reader as u64, case);
    let input = bench.input(&mut dice, case);
    let name = format!("fuzz-{}-{case}", reader.name());
    std::fs::write(Path::new(&name), &input).unwrap();
    println!("{name}: {} bytes", input.len());
    let held = counting::begin();
    let answer = bench.read(&mut dice, &input);
    let bytes = counting::peak().saturating_sub(held);
    println!("{}, {bytes} bytes held", if answer == Answer::Read { "read" } else { "refused" });
    ExitCode::SUCCESS
}
