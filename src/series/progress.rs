//! How far long work is, how fast it goes and how long it will take: values, told to whoever watches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Equal parts of the work, without a name.
    #[default]
    Parts,
    /// Bytes of files.
    Bytes,
    /// Series.
    Series,
    /// Optimiser steps, or steps of time.
    Steps,
    /// Lookbacks that are tried.
    Lookbacks,
    /// Fits of one model on one window.
    Fits,
    /// Origins of forecasts.
    Origins,
    /// Published runs.
    Runs,
    /// Files that are copied.
    Files,
}

impl Unit {
    /// Name, in the plural.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Parts => "parts",
            Unit::Bytes => "bytes",
            Unit::Series => "series",
            Unit::Steps => "steps",
            Unit::Lookbacks => "lookbacks",
            Unit::Fits => "fits",
            Unit::Origins => "origins",
            Unit::Runs => "runs",
            Unit::Files => "files",
        }
    }
}

/// Progress of a long computation, sent to whoever watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is going on, in two or three words.
    pub stage: &'static str,
    /// Units done.
    pub done: usize,
    /// Units in all; 0 where nobody knows.
    pub total: usize,
    /// What is counted.
    pub unit: Unit,
    /// Which of several stages of that name this is, and how many there are; 0 of 0 where it is the only one.
    pub part: (usize, usize),
    /// After how many units their kinds come round again; 0 where all are alike. Speed means nothing before.
    pub cycle: usize,
}

impl Progress {
    /// A stage has begun, and how long it is nobody knows.
    pub fn begun(stage: &'static str) -> Progress {
        Progress { stage, ..Progress::default() }
    }

    /// So much of a stage is done.
    pub fn of(stage: &'static str, done: usize, total: usize, unit: Unit) -> Progress {
        Progress { stage, done, total, unit, part: (0, 0), cycle: 0 }
    }

    /// The same as one of several stages of that name, counted from 1.
    pub fn in_part(self, part: usize, of: usize) -> Progress {
        Progress { part: (part, of), ..self }
    }

    /// The same with units of so many kinds, which come one after the other again and again.
    pub fn in_cycles(self, cycle: usize) -> Progress {
        Progress { cycle, ..self }
    }

    /// What is going on, with which part of it where there are several.
    pub fn words(&self) -> String {
        match self.part {
            (_, 0 | 1) => self.stage.to_owned(),
            (part, of) => format!("{} {part} of {of}", self.stage),
        }
    }

    /// Share that is done, 0 to 1, where the whole is known.
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).clamp(0.0, 1.0))
    }
}

/// How often a counter of many threads tells, over all that it counts.
const TOLD: usize = 200;

/// Counts what several threads do, and tells of it now and then, never of less than before.
pub struct Counter<'a> {
    watch: &'a (dyn Fn(Progress) + Sync),
    begun: Progress,
    done: AtomicUsize,
    told: Mutex<usize>,
}

impl<'a> Counter<'a> {
    /// Nothing of so much is done.
    pub fn new(
        watch: &'a (dyn Fn(Progress) + Sync),
        stage: &'static str,
        total: usize,
        unit: Unit,
    ) -> Counter<'a> {
        let begun = Progress::of(stage, 0, total, unit);
        watch(begun);
        Counter { watch, begun, done: AtomicUsize::new(0), told: Mutex::new(0) }
    }

    /// One more is done.
    pub fn one(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !done.is_multiple_of((self.begun.total / TOLD).max(1)) {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if done > *told {
            *told = done;
            (self.watch)(Progress { done, ..self.begun });
        }
    }
}

/// Seconds of a stage before its speed means something.
const SETTLED_S: f64 = 3.0;

/// Advances before it does.
const ADVANCES: usize = 2;

/// Seconds that speed is taken over, at least; late in a long stage, this share of its age.
const WINDOW_S: f64 = 8.0;
const WINDOW_SHARE: f64 = 0.25;

/// Advances that it is taken over at least: long units are seldom alike.
const LEAST: usize = 8;

/// Earlier positions that are kept.
const POSITIONS: usize = 64;

/// The newest progress of some work, and the speed of its stage; seconds come in as values, on any clock that does not go back.
///
/// The speed is that of the last seconds, a longer stretch the older the stage is. What is said to be left is what the rest takes at
/// that speed; nothing is said before the stage is settled, and none of it holds for later stages.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    newest: Option<Progress>,
    /// When the stage began, and how much of it was done by then.
    began: (f64, usize),
    /// When it went on last.
    advanced: f64,
    advances: usize,
    /// Positions of the stage, oldest first.
    positions: VecDeque<(f64, usize)>,
}

impl Pace {
    /// Hears of some progress at a time in seconds; true if a stage begins with it.
    pub fn hear(&mut self, now: f64, progress: Progress) -> bool {
        let goes_on = self.newest.is_some_and(|before| {
            (before.stage, before.part, before.total) == (progress.stage, progress.part, progress.total)
                && before.done <= progress.done
        });
        let advances = self.newest.is_some_and(|before| before.done < progress.done);
        self.newest = Some(progress);
        if !goes_on {
            (self.began, self.advanced, self.advances) = ((now, progress.done), now, 0);
            self.positions.clear();
            self.positions.push_back((now, progress.done));
        } else if advances {
            self.advanced = now;
            self.advances += 1;
            self.keep(now, progress.done);
        }
        !goes_on
    }

    /// Remembers a position, the last ones densely enough for a speed and no more.
    fn keep(&mut self, now: f64, done: usize) {
        let step = self.window(now) / (POSITIONS / 2) as f64;
        if self.positions.len() > 1
            && self.positions.iter().rev().nth(1).is_some_and(|(at, _)| now - at < step)
        {
            self.positions.pop_back();
        }
        self.positions.push_back((now, done));
        if self.positions.len() > POSITIONS {
            self.positions.pop_front();
        }
    }

    fn window(&self, now: f64) -> f64 {
        ((now - self.began.0) * WINDOW_SHARE).max(WINDOW_S)
    }

    /// What was heard last.
    pub fn newest(&self) -> Option<Progress> {
        self.newest
    }

    /// Seconds since the stage began.
    pub fn elapsed(&self, now: f64) -> f64 {
        (now - self.began.0).max(0.0)
    }

    /// Units a second; `None` until the stage is settled. Falls while nothing comes.
    pub fn rate(&self, now: f64) -> Option<f64> {
        let cycle = self.newest.map_or(0, |progress| progress.cycle);
        if self.elapsed(now) < SETTLED_S || self.advances < ADVANCES.max(cycle) {
            return None;
        }
        let last = *self.positions.back()?;
        let since = last.0 - self.window(last.0);
        let by_time = self.positions.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        let by_count = self.positions.len().saturating_sub(1 + LEAST.max(cycle));
        let first = self.positions.get(by_time.min(by_count))?;
        let (mut seconds, done) = (last.0 - first.0, last.1.saturating_sub(first.1) as f64);
        // A silence longer than two usual waits is slowness, not the wait for the next news.
        let usual = (last.0 - self.began.0) / self.advances.max(1) as f64;
        seconds += (now - self.advanced - 2.0 * usual).max(0.0);
        (seconds > 0.0 && done > 0.0).then(|| done / seconds)
    }

    /// Seconds that the rest of the stage takes; `None` until that means something.
    pub fn left(&self, now: f64) -> Option<f64> {
        let progress = self.newest.filter(|progress| progress.total > 0)?;
        let rest = progress.total.saturating_sub(progress.done) as f64;
        let whole = rest / self.rate(now)?;
        let usual = (self.advanced - self.began.0) / self.advances.max(1) as f64;
        // Part of the next unit is done, too.
        Some((whole - (now - self.advanced).clamp(0.0, usual)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(done: usize) -> Progress {
        Progress::of("training", done, 1000, Unit::Steps)
    }

    #[test]
    fn nothing_is_said_until_a_stage_is_settled() {
        let mut pace = Pace::default();
        assert!(pace.hear(0.0, steps(0)));
        for second in 1..=2 {
            assert!(!pace.hear(f64::from(second), steps(10 * second as usize)));
            assert_eq!((pace.rate(f64::from(second)), pace.left(f64::from(second))), (None, None));
        }
        pace.hear(4.0, steps(40));
        assert_eq!(pace.rate(4.0), Some(10.0));
        assert_eq!(pace.left(4.0), Some(96.0));
    }

    #[test]
    fn a_new_stage_forgets_the_speed_of_the_one_before() {
        let mut pace = Pace::default();
        (0..=10).for_each(|second| _ = pace.hear(f64::from(second), steps(50 * second as usize)));
        assert_eq!(pace.left(10.0), Some(10.0));
        assert!(pace.hear(11.0, Progress::begun("publishing")));
        assert_eq!((pace.rate(20.0), pace.left(20.0), pace.elapsed(20.0)), (None, None, 9.0));
        assert!(pace.hear(21.0, steps(0)) && !pace.hear(22.0, steps(5)) && pace.hear(23.0, steps(1)));
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        (0..=40).for_each(|second| _ = pace.hear(f64::from(second), steps(10 * second as usize)));
        (1..=12).for_each(|second| _ = pace.hear(40.0 + f64::from(second), steps(400 + 2 * second as usize)));
        let rate = pace.rate(52.0).expect("settled");
        assert!((1.9..3.5).contains(&rate), "{rate}");
    }

    #[test]
    fn silence_lowers_the_speed_and_the_rest_never_falls_below_nothing() {
        let mut pace = Pace::default();
        (0..=10).for_each(|second| _ = pace.hear(f64::from(second), steps(90 * second as usize)));
        let soon = pace.left(10.5).expect("settled");
        assert!(soon < 1.2, "{soon}");
        assert!(pace.rate(60.0).expect("known") < 0.3 * pace.rate(10.0).expect("known"));
        pace.hear(61.0, steps(1000));
        assert_eq!(pace.left(62.0), Some(0.0));
    }

    #[test]
    fn few_long_units_give_a_rest_after_two_of_them() {
        let mut pace = Pace::default();
        let fits = |done| Progress::of("backtesting", done, 8, Unit::Fits);
        pace.hear(0.0, fits(0));
        pace.hear(30.0, fits(1));
        assert_eq!(pace.left(31.0), None);
        pace.hear(60.0, fits(2));
        assert_eq!(pace.left(60.0), Some(180.0));
        assert_eq!(pace.left(75.0), Some(165.0), "half of the next one is done");
    }

    #[test]
    fn kinds_of_units_are_waited_for_until_each_was_seen() {
        let mut pace = Pace::default();
        let fits = |done| Progress::of("backtesting", done, 9, Unit::Fits).in_cycles(3);
        pace.hear(0.0, fits(0));
        pace.hear(1.0, fits(1));
        pace.hear(4.0, fits(2));
        assert_eq!((pace.rate(20.0), pace.left(20.0)), (None, None));
        pace.hear(60.0, fits(3));
        assert_eq!(pace.left(60.0), Some(120.0));
    }

    #[test]
    fn a_counter_of_threads_tells_now_and_then_and_never_of_less() {
        let told = Mutex::new(Vec::new());
        let watch = |progress: Progress| told.lock().expect("unpoisoned").push(progress.done);
        let counter = Counter::new(&watch, "forecasting", 10_000, Unit::Series);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_500).for_each(|_| counter.one()));
            }
        });
        let told = told.into_inner().expect("unpoisoned");
        assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
        assert_eq!((told[0], told.last()), (0, Some(&10_000)));
        assert!(told.len() <= TOLD + 1);
    }

    #[test]
    fn a_million_advances_keep_few_positions() {
        let mut pace = Pace::default();
        for done in 0..1_000_000 {
            pace.hear(done as f64 * 1e-4, Progress::of("training", done, 2_000_000, Unit::Steps));
        }
        assert!(pace.positions.len() <= POSITIONS);
        let rate = pace.rate(100.0).expect("settled");
        assert!((rate - 1e4).abs() < 100.0, "{rate}");
    }
}
