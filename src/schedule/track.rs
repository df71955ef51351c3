//! The progress of a slot: told by the thread that works it, looked at by the loop.

use crate::series::civil::SECOND;
use crate::series::progress::{Pace, Progress, Unit};
use std::sync::{Arc, Mutex, PoisonError};

/// How far a slot is, shared between two threads. Telling costs a lock that nobody else holds for longer than a copy.
#[derive(Clone, Debug, Default)]
pub struct Tracker(Arc<Mutex<Track>>);

#[derive(Debug, Default)]
struct Track {
    pace: Pace,
    /// When the phase began, and when it was heard of last; microseconds UTC.
    began: i64,
    heard: i64,
}

/// The phase that a slot is in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineProgress {
    /// What is going on, in two or three words.
    pub phase: &'static str,
    /// Which of several phases of that name it is, and how many there are; 0 of 0 where it is the only one.
    pub part: (usize, usize),
    /// Units done.
    pub done: usize,
    /// Units in all; 0 where nobody knows.
    pub total: usize,
    /// What is counted.
    pub unit: Unit,
    /// When the phase began, microseconds UTC.
    pub started_at: i64,
    /// When it was heard of last, microseconds UTC.
    pub updated_at: i64,
    /// Units a second, as of then; `None` until that means something.
    pub rate: Option<f64>,
    /// Seconds that the rest of the phase takes, as of then.
    pub seconds_left: Option<f64>,
}

impl LineProgress {
    /// Share of the phase that is done, 0 to 1, where the whole is known.
    pub fn fraction(&self) -> Option<f64> {
        Progress::of(self.phase, self.done, self.total, self.unit).share()
    }
}

impl Tracker {
    /// Takes note of some progress at an instant (microseconds UTC).
    pub fn hear(&self, now: i64, progress: Progress) {
        let mut track = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if track.pace.hear(seconds(now), progress) {
            track.began = now;
        }
        track.heard = now;
    }

    /// The phase; `None` before the first.
    pub fn look(&self) -> Option<LineProgress> {
        let track = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress { stage, done, total, unit, part, .. } = track.pace.newest()?;
        let at = seconds(track.heard);
        Some(LineProgress {
            phase: stage,
            part,
            done,
            total,
            unit,
            started_at: track.began,
            updated_at: track.heard,
            rate: track.pace.rate(at),
            seconds_left: track.pace.left(at),
        })
    }
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_sees_the_phase_its_age_and_its_end() {
        let tracker = Tracker::default();
        assert_eq!(tracker.look(), None);
        tracker.hear(5 * SECOND, Progress::begun("reading"));
        let reading = tracker.look().expect("heard of");
        assert_eq!((reading.phase, reading.fraction(), reading.started_at), ("reading", None, 5 * SECOND));
        for step in 0..=10 {
            let progress = Progress::of("training", step, 40, Unit::Steps);
            tracker.clone().hear((10 + step as i64) * SECOND, progress);
        }
        let training = tracker.look().expect("heard of");
        assert_eq!((training.started_at, training.updated_at), (10 * SECOND, 20 * SECOND));
        assert_eq!((training.fraction(), training.rate), (Some(0.25), Some(1.0)));
        assert_eq!(training.seconds_left, Some(30.0));
    }
}
