//! The progress of long work on stderr: a bar on a terminal; elsewhere plain lines, few of them.

use crate::model::report::Progress;
use crate::series::progress::Pace;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Seconds before the first line: what takes no longer says nothing.
const FIRST_S: f64 = 4.0;

/// Seconds between two lines.
const EVERY_S: f64 = 10.0;

/// How often is looked whether a line is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(120);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As a bar that moves.
    Bar,
    /// As a line now and then.
    Lines,
    /// Not at all.
    Nothing,
}

/// When lines are due.
#[derive(Debug)]
struct Lines {
    next: f64,
}

impl Lines {
    fn new() -> Lines {
        Lines { next: FIRST_S }
    }

    /// Whether a line is due, seconds after the work began; the next one is due a while later.
    fn due(&mut self, now: f64) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + EVERY_S;
        }
        is_due
    }
}

/// A figure with its unit, as people read it: `12.3 MB`, `310 steps`, `0.25 fits`.
pub(super) fn measured(value: f64, unit: &str, with_unit: bool) -> String {
    if unit == "bytes" {
        let (scaled, name) = match value {
            _ if value < 1e3 => (value, "B"),
            _ if value < 1e6 => (value / 1e3, "kB"),
            _ if value < 1e9 => (value / 1e6, "MB"),
            _ => (value / 1e9, "GB"),
        };
        return format!("{} {name}", short(scaled));
    }
    match value {
        _ if !with_unit => short(value),
        _ => format!("{} {unit}", short(value)),
    }
}

/// A figure with as many digits as mean something: whole numbers stay whole.
fn short(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 || value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A span of time for a line: `8 s`, `3 min 20 s`, `2 h 5 min`.
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).ceil() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// How far, how fast and how long, as far as that is known; a note says the last two better where there is one.
fn figures(pace: &Pace, note: &str, now: f64) -> String {
    let Some(Progress { done, total, unit, .. }) = pace.newest() else { return String::new() };
    if total == 0 {
        return format!("{} so far", span(pace.elapsed(now)));
    }
    let (share, unit) = (100.0 * done as f64 / total as f64, unit.as_str());
    let mut parts = vec![
        format!("{:.0} %", share.floor()),
        format!("{} of {}", measured(done as f64, unit, false), measured(total as f64, unit, true)),
    ];
    if !note.is_empty() {
        parts.push(note.to_owned());
        return parts.join(", ");
    }
    parts.extend(pace.rate(now).map(|rate| format!("{}/s", measured(rate, unit, true))));
    parts.push(match pace.left(now) {
        Some(left) => format!("{} left", span(left)),
        None => format!("{} so far", span(pace.elapsed(now))),
    });
    parts.join(", ")
}

/// A line about the work; `None` before anything was heard of it.
fn line(pace: &Pace, note: &str, now: f64) -> Option<String> {
    Some(format!("{}: {}", pace.newest()?.words(), figures(pace, note, now)))
}

/// What the worker says and whoever shows it reads.
#[derive(Default)]
struct Board {
    /// With a note on the newest progress.
    news: Mutex<(Pace, String)>,
    /// Whether the work is done.
    is_over: Mutex<bool>,
    over: Condvar,
}

impl Board {
    fn news(&self) -> MutexGuard<'_, (Pace, String)> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of one piece of work; what shows it disappears when this is dropped.
pub(super) struct Meter {
    since: Instant,
    board: Arc<Board>,
    bar: ProgressBar,
    teller: Option<JoinHandle<()>>,
}

impl Meter {
    /// Begins to show.
    pub fn new(shown: Shown) -> Meter {
        let (since, board) = (Instant::now(), Arc::new(Board::default()));
        let target = match shown {
            Shown::Bar => ProgressDrawTarget::stderr(),
            Shown::Lines | Shown::Nothing => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(&board, since, false));
        if shown == Shown::Bar {
            bar.enable_steady_tick(DRAW_EVERY);
        }
        let teller = (shown == Shown::Lines).then(|| {
            let board = board.clone();
            std::thread::Builder::new().name("progress".into()).spawn(move || tell(&board, since))
        });
        // Without the thread the work is as good, only silent.
        Meter { since, board, bar, teller: teller.and_then(Result::ok) }
    }

    /// Takes note of some progress: a lock that is held for a copy at most.
    pub fn show(&self, progress: Progress) {
        self.show_with(progress, String::new());
    }

    /// As [`Meter::show`], with what there is to say of speed and rest.
    pub fn show_with(&self, progress: Progress, note: String) {
        let is_new = {
            let mut news = self.board.news();
            news.1 = note;
            news.0.hear(self.since.elapsed().as_secs_f64(), progress)
        };
        if is_new {
            self.bar.set_style(style(&self.board, self.since, progress.total > 0));
        }
        if progress.total > 0 {
            self.bar.update(|state| {
                state.set_len(progress.total as u64);
                state.set_pos(progress.done as u64);
            });
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        *self.board.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.board.over.notify_all();
        if let Some(teller) = self.teller.take() {
            let _ = teller.join();
        }
        self.bar.finish_and_clear();
    }
}

/// Prints a line whenever one is due, until the work is done.
fn tell(board: &Board, since: Instant) {
    let mut lines = Lines::new();
    let mut is_over = board.is_over.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_over {
        let waited = board.over.wait_timeout(is_over, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
        is_over = waited.0;
        let now = since.elapsed().as_secs_f64();
        if !*is_over && lines.due(now) {
            let line = {
                let news = board.news();
                line(&news.0, &news.1, now)
            };
            line.iter().for_each(|line| say(line));
        }
    }
}

/// Where stderr is gone there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The bar of a stage, or a wheel where nobody knows how long it is.
fn style(board: &Arc<Board>, since: Instant, is_counted: bool) -> ProgressStyle {
    let (stage, rest) = (board.clone(), board.clone());
    let stage = move |_: &ProgressState, to: &mut dyn fmt::Write| {
        // A bar that cannot be drawn is no reason to stop the work.
        let words = stage.news().0.newest().map_or(String::new(), |progress| progress.words());
        let _ = to.write_str(&words);
    };
    let rest = move |_: &ProgressState, to: &mut dyn fmt::Write| {
        let news = rest.news();
        let _ = to.write_str(&figures(&news.0, &news.1, since.elapsed().as_secs_f64()));
    };
    let template =
        if is_counted { "{spinner} {stage:<20} {wide_bar} {figures}" } else { "{spinner} {stage} {figures}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.with_key("stage", stage).with_key("figures", rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::Unit;

    /// The lines of a work that does `done(second)` at every second, as a fake clock has it.
    fn told(seconds: u32, progress: impl Fn(u32) -> Progress) -> Vec<(u32, String)> {
        let (mut pace, mut lines, mut told) = (Pace::default(), Lines::new(), Vec::new());
        for second in 0..=seconds {
            let now = f64::from(second);
            pace.hear(now, progress(second));
            if lines.due(now) {
                told.extend(line(&pace, "", now).map(|line| (second, line)));
            }
        }
        told
    }

    #[test]
    fn short_work_says_nothing_and_long_work_a_line_every_ten_seconds() {
        let reading =
            |second: u32| Progress::of("reading", 40_000_000 * second as usize, 1_400_000_000, Unit::Bytes);
        assert!(told(3, reading).is_empty());
        assert_eq!(
            told(25, reading),
            [
                (4, "reading: 11 %, 160 MB of 1.40 GB, 40 MB/s, 31 s left".to_owned()),
                (14, "reading: 40 %, 560 MB of 1.40 GB, 40 MB/s, 21 s left".to_owned()),
                (24, "reading: 68 %, 960 MB of 1.40 GB, 40 MB/s, 11 s left".to_owned()),
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(told(4, |_| Progress::begun("publishing")), [(4, "publishing: 4 s so far".to_owned())]);
        let fits = |second: u32| Progress::of("backtesting", usize::from(second > 2), 8, Unit::Fits);
        assert_eq!(told(4, fits), [(4, "backtesting: 12 %, 1 of 8 fits, 4 s so far".to_owned())]);
        assert_eq!(line(&Pace::default(), "", 9.0), None);
        let mut pace = Pace::default();
        pace.hear(0.0, Progress::of("training", 31, 100, Unit::Steps));
        let noted = line(&pace, "epoch 1 of 3, 2 min 0 s left", 9.0);
        assert_eq!(noted.as_deref(), Some("training: 31 %, 31 of 100 steps, epoch 1 of 3, 2 min 0 s left"));
    }

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        let cases = [
            (999.0, "bytes", "999 B"),
            (1500.0, "bytes", "1.50 kB"),
            (28_400_000.0, "bytes", "28.4 MB"),
            (12.25, "steps", "12.2 steps"),
            (0.05, "fits", "0.05 fits"),
            (31_000.0, "series", "31000 series"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(measured(value, unit, true), text);
        }
        assert_eq!(
            (span(59.2), span(200.0), span(7500.0)),
            ("1 min 0 s".into(), "3 min 20 s".into(), "2 h 5 min".into())
        );
    }
}
