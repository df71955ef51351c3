//! Circumstances of a fit that are no property of the data or the model: when to end, who listens, where to go on.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::model::checkpoint::Journal;
use crate::model::forecaster::Unseen;
use crate::model::group::Group;
use crate::model::report::Progress;
use crate::series::{Covariate, Series};

/// What the caller of a fit decides.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// When to be done: the best model so far is the result then. A resumed fit has that much less time as the fit
    /// before it had used.
    pub deadline: Option<Instant>,
    /// Hears of the progress.
    pub watch: &'a (dyn Fn(Progress) + Sync),
    /// Once true, the fit ends within one optimiser step or one evaluation, without a result.
    pub stop: &'a AtomicBool,
    /// Folder of the checkpoint, one fit at a time; it is created. `None` keeps none.
    pub checkpoints: Option<&'a Path>,
    /// A forecaster whose networks training starts from, for less than a third of the steps; those of other shapes, maps or
    /// spaces than the fit wants are left aside, and the ridge maps are fitted anew in any case.
    ///
    /// What it has seen, the fit has seen: a network that learnt the validation origins is judged too well on them. So this
    /// is the champion as it was before it was trained on everything, and it is left aside, with a note, unless what it was
    /// kept from covers what the fit keeps back.
    pub champion: Option<&'a Unseen>,
}

/// The flag of fits that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

impl<'a> Control<'a> {
    /// No deadline, no stop, no checkpoint, no champion.
    pub fn watched(watch: &'a (dyn Fn(Progress) + Sync)) -> Control<'a> {
        Control { deadline: None, watch, stop: &NEVER, checkpoints: None, champion: None }
    }
}

/// The same as one group of series sees it.
pub struct Conditions<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) watch: &'a (dyn Fn(Progress) + Sync),
    pub(super) stop: &'a AtomicBool,
    pub(super) journal: &'a RefCell<Journal>,
    pub(super) champion: Option<Predecessor<'a>>,
    /// Covariates of the series.
    pub(super) covariates: &'a [Covariate],
}

/// A group of the champion, and how far it had looked.
#[derive(Clone, Copy)]
pub struct Predecessor<'a> {
    /// Its networks are those to start from.
    pub group: &'a Group,
    /// What they have seen.
    pub extent: Extent,
}

/// How far a group of series was looked at before it was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Latest cutoff of the series, microseconds UTC.
    pub cutoff: i64,
    /// Last steps of each of them that took no part in any choice; 0 where they are too short to hold a tail back.
    pub tail: usize,
    /// Last steps of each of them that no network learnt from: the tail, and what networks were stopped by.
    pub held: usize,
}

impl Extent {
    /// Whether the last `held` steps of every series were hidden from its networks, and the last `tail` from whoever chose
    /// among them. A series counts as longer by its steps after the cutoff: where it had ended before that, by too few.
    pub fn is_blind_to(&self, series: &[&Series], tail: usize, held: usize) -> bool {
        let is_later = series.iter().filter_map(|series| series.cutoff()).max() >= Some(self.cutoff);
        is_later
            && series.iter().all(|series| {
                let known = series.times.partition_point(|time| *time <= self.cutoff);
                let new = series.times.len() - known;
                tail <= self.tail + new && held <= self.held + new
            })
    }
}

/// The fit was told to stop. What it had done is in its checkpoint, if it keeps one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl Conditions<'_> {
    /// When that share of the time that is left will be over.
    pub(super) fn share(&self, share: f64) -> Option<Instant> {
        self.deadline.map(|deadline| {
            let now = Instant::now();
            now + deadline.saturating_duration_since(now).mul_f64(share)
        })
    }

    /// Whether time is over.
    pub(super) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether the fit is to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Ends the fit between two pieces of work if it is to stop; what is finished is saved first.
    pub(super) fn go_on(&self) -> Result<(), Stopped> {
        if self.is_stopped() {
            self.journal.borrow_mut().save(None);
            return Err(Stopped);
        }
        Ok(())
    }
}
