//! A child process: its output to a file, its last words, its end in any case.

use super::{ExecSpec, NAME};
use crate::ingest::secrets;
use crate::ingest::spec::{IngestError, IngestErrorKind};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked at whether the command is to end.
const TICK: Duration = Duration::from_millis(20);

/// How long a command that is asked to end may take for it.
const GRACE: Duration = Duration::from_secs(2);

/// Bytes that are copied at a time.
const BLOCK: usize = 1 << 16;

/// Lines of the error output that a message shows, and bytes of each.
const LINES: usize = 8;
const LINE_BYTES: u64 = 400;

/// What a command has printed.
pub(super) struct Printed {
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// Why a command gave no data.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be started.
    Start(io::Error),
    /// It ended without success; the last lines of its error output.
    Ended(ExitStatus, Vec<String>),
    /// It took too long; the last lines of its error output, as far as they are known.
    Late,
    /// It printed too much.
    Large,
    /// What it printed could not be kept, or not be read.
    Io(io::Error),
    /// It was ended because this program ends.
    Stopped,
}

/// What the threads that listen have heard.
enum Heard {
    Printed(Result<Printed, Failure>),
    Said(Vec<String>),
}

/// Process groups of the commands that run.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends every command that runs, with its process group: for a program that is about to end.
pub fn end_commands() {
    let running = || RUNNING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    running().into_iter().for_each(|group| signal(group, false));
    let asked = Instant::now();
    while !running().is_empty() && asked.elapsed() < GRACE {
        std::thread::sleep(TICK);
    }
    running().into_iter().for_each(|group| signal(group, true));
}

/// What the environment holds for this process alone: a command that is the source of a job need not know who may write, who signs
/// models, and how to speak for the service.
const UNHEARD: [&str; 5] =
    ["S4CAST_TOKEN", "S4CAST_SIGNING_KEY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Runs a command; what it prints goes to `sink`.
pub(super) fn run(spec: &ExecSpec, stop: &AtomicBool, sink: File) -> Result<Printed, Failure> {
    let deadline = Instant::now().checked_add(spec.timeout);
    let mut command = Command::new(spec.program());
    command.args(&spec.command[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !spec.folder.as_os_str().is_empty() {
        command.current_dir(&spec.folder);
    }
    for name in UNHEARD {
        command.env_remove(name);
    }
    in_own_group(&mut command);
    let mut running = Running::start(&mut command).map_err(Failure::Start)?;
    let (Some(output), Some(errors)) = (running.child.stdout.take(), running.child.stderr.take()) else {
        return Err(Failure::Io(io::Error::other("the command has no output")));
    };
    let (tell, heard) = mpsc::channel();
    let tell_errors = tell.clone();
    let most = spec.max_bytes;
    // They end with the pipes, which may outlive the command; nobody waits for them then.
    std::thread::spawn(move || tell.send(Heard::Printed(keep(output, sink, most))));
    std::thread::spawn(move || tell_errors.send(Heard::Said(last_lines(errors))));
    let (mut printed, mut said, mut status) = (None, None, None);
    loop {
        match heard.recv_timeout(TICK) {
            Ok(Heard::Printed(result)) => printed = Some(result?),
            Ok(Heard::Said(lines)) => said = Some(lines),
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(1)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if status.is_none() {
            status = running.child.try_wait().map_err(Failure::Io)?;
        }
        match (&printed, &said, status) {
            (Some(_), Some(lines), Some(status)) if !status.success() => {
                running.has_ended = true;
                return Err(Failure::Ended(status, lines.clone()));
            }
            (Some(_), Some(_), Some(_)) => break,
            _ if stop.load(Ordering::Relaxed) => return Err(Failure::Stopped),
            _ if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Err(Failure::Late),
            _ => {}
        }
    }
    running.has_ended = true;
    for line in said.into_iter().flatten() {
        tracing::debug!(line, "the command says");
    }
    printed.ok_or_else(|| Failure::Io(io::Error::other("the output was lost")))
}

/// A command that runs; whatever happens, it does not outlive this.
struct Running {
    child: Child,
    group: u32,
    /// Whether it and everything it started that held its output have ended.
    has_ended: bool,
}

impl Running {
    fn start(command: &mut Command) -> io::Result<Running> {
        let mut all = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let group = child.id();
        all.insert(group);
        Ok(Running { child, group, has_ended: false })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            signal(self.group, false);
            let asked = Instant::now();
            while asked.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(TICK);
            }
            signal(self.group, true);
            // Where there are no groups, the child itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group);
    }
}

#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn in_own_group(_: &mut Command) {}

/// Asks a process group to end, or ends it.
#[cfg(unix)]
fn signal(group: u32, is_final: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // A group that has ended already is what is wanted.
        let _ = kill_process_group(pid, if is_final { Signal::KILL } else { Signal::TERM });
    }
}

#[cfg(not(unix))]
fn signal(_: u32, _: bool) {}

/// Copies the output to a file; too much of it is a failure.
fn keep(mut output: ChildStdout, mut sink: File, most: u64) -> Result<Printed, Failure> {
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    let mut block = vec![0; BLOCK];
    loop {
        let count = match output.read(&mut block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Io(error)),
        };
        bytes += count as u64;
        if bytes > most {
            return Err(Failure::Large);
        }
        hash.update(&block[..count]);
        sink.write_all(&block[..count]).map_err(Failure::Io)?;
    }
    sink.flush().map_err(Failure::Io)?;
    Ok(Printed { bytes, sha256: format!("{:x}", hash.finalize()) })
}

/// The last lines of the error output, each cut where it is long.
fn last_lines(errors: ChildStderr) -> Vec<String> {
    let mut errors = BufReader::new(errors);
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut line = Vec::new();
    let mut is_new = true;
    loop {
        line.clear();
        match (&mut errors).take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return lines.into(),
            Ok(_) => {}
        }
        let is_whole = line.ends_with(b"\n");
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if is_new && !text.is_empty() {
            lines.push_back(text);
            if lines.len() > LINES {
                lines.pop_front();
            }
        }
        is_new = is_whole;
    }
}

impl Failure {
    /// As the error of an input.
    pub(super) fn refusal(self, spec: &ExecSpec) -> IngestError {
        let program = spec.command.first().map_or("", String::as_str);
        let error = |kind, problem: String| IngestError::new(kind, vec![problem]);
        match self {
            Failure::Start(reason) if reason.kind() == io::ErrorKind::NotFound => {
                let problem = match !spec.folder.as_os_str().is_empty() && !spec.folder.is_dir() {
                    true => format!("{NAME}: the folder {} to run in does not exist", spec.folder.display()),
                    false => format!(
                        "{NAME}: there is no program '{program}'; install it, or write its whole path"
                    ),
                };
                error(IngestErrorKind::InputMissing, problem)
            }
            Failure::Start(reason) if reason.kind() == io::ErrorKind::PermissionDenied => {
                let problem = format!("{NAME}: '{program}' may not be run; check its permissions (chmod +x)");
                error(IngestErrorKind::Permission, problem)
            }
            Failure::Start(reason) => {
                error(IngestErrorKind::Io, format!("{NAME}: '{program}' cannot be started: {reason}"))
            }
            Failure::Ended(status, lines) => {
                let how = match status.code() {
                    Some(code) => format!("exit code {code}"),
                    None => format!("{status}"),
                };
                let last = if lines.is_empty() { "and said nothing" } else { "and said last:" };
                let mut problems = vec![format!("{NAME}: '{program}' ended with {how} {last}")];
                problems.extend(lines.iter().map(|line| format!("{NAME}: {}", secrets::masked(line))));
                IngestError::new(IngestErrorKind::Io, problems)
            }
            Failure::Late => {
                let seconds = spec.timeout.as_secs_f64();
                let problem = format!(
                    "{NAME}: '{program}' was ended after {seconds} s; make it faster, or raise exec_timeout"
                );
                error(IngestErrorKind::Io, problem)
            }
            Failure::Large => {
                let problem = format!(
                    "{NAME}: '{program}' printed more than {} bytes; ask it for less, or raise exec_max_bytes",
                    spec.max_bytes
                );
                error(IngestErrorKind::Io, problem)
            }
            Failure::Io(reason) => {
                let problem = format!(
                    "{NAME}: the output of '{program}' cannot be kept in {}: {reason}; make room, or set TMPDIR",
                    crate::store::scratch_parent().display()
                );
                error(IngestErrorKind::Io, problem)
            }
            Failure::Stopped => {
                error(IngestErrorKind::Stopped, format!("{NAME}: '{program}' was ended: this program ends"))
            }
        }
    }
}
