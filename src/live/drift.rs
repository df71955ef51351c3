//! When a model is due to be trained again, beside its schedule.

use crate::live::review::{summary, whole_runs};
use crate::publish::ScoreRow;
use crate::registry::Manifest;
use crate::series::civil::micros;
use jiff::SignedDuration;

/// Runs of the champion whose scores tell how it does now, newest first.
const RUNS: usize = 20;

/// What makes a training due. Nothing does where nothing is set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RetrainSpec {
    /// Age of the champion.
    pub age: Option<SignedDuration>,
    /// Values later than those that the champion was trained on.
    pub new_rows: Option<usize>,
    /// MASE of its runs as a multiple of its MASE when it was trained.
    pub error_drift: Option<f64>,
    /// Distance of the coverage of its runs from its level, percentage points.
    pub coverage_drift: Option<f64>,
    /// Least time between trainings that this asks for.
    pub cool_down: SignedDuration,
}

/// Why a training is due: the word that its record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The champion is old.
    Age,
    /// There is much new data.
    NewRows,
    /// Its errors have grown.
    ErrorDrift,
    /// Its intervals do not hold what they promise.
    CoverageDrift,
}

/// What is known of a job when the question is asked.
pub struct Situation<'a> {
    /// The model that serves.
    pub champion: &'a Manifest,
    /// Nominal instant of the training of the newest version, whether or not it serves, microseconds UTC.
    pub trained_at: i64,
    /// The instant of the question, microseconds UTC.
    pub now: i64,
    /// Values later than the cutoff of the champion.
    pub new_rows: usize,
    /// Scores of the job's runs, ascending by instant.
    pub scores: &'a [ScoreRow],
}

/// Why a training is due, with the figures: the strongest reason first. Nothing before the cool-down is over.
pub fn due(spec: &RetrainSpec, situation: &Situation<'_>) -> Vec<(Reason, String)> {
    let Situation { champion, trained_at, now, new_rows, scores } = *situation;
    if now.saturating_sub(trained_at) < micros(spec.cool_down) {
        return Vec::new();
    }
    let version = champion.version;
    let is_own = |row: &&ScoreRow| i64::from(row.model_version) == i64::from(version) && row.issued_at < now;
    let own = whole_runs(scores).rev().filter(is_own);
    let own: Vec<&ScoreRow> = own.take(RUNS).collect();
    let live = summary(own.iter().copied());
    let trained = trained_mase(champion);
    let error = || {
        let (factor, live, trained) = (spec.error_drift?, live.as_ref()?, trained?);
        let times = live.mase / trained;
        (times >= factor).then(|| {
            let text =
                format!("the MASE of version {version} is {:.3}, {times:.2} times what it was", live.mase);
            (Reason::ErrorDrift, text)
        })
    };
    let coverage = || {
        let (points, live) = (spec.coverage_drift?, live.as_ref()?);
        let (level, share) = live.coverage.first()?;
        let off = 100.0 * share - level;
        (off.abs() >= points).then(|| {
            let text = format!("the {level} % interval of version {version} holds {:.1} %", 100.0 * share);
            (Reason::CoverageDrift, text)
        })
    };
    let grown = || {
        let text = format!("{new_rows} values have come since those that version {version} was trained on");
        (new_rows >= spec.new_rows?).then_some((Reason::NewRows, text))
    };
    let aged = || {
        let age = now.saturating_sub(champion.slot);
        let text =
            format!("version {version} is {:#} old", SignedDuration::from_secs(age.div_euclid(1_000_000)));
        (age >= micros(spec.age?)).then_some((Reason::Age, text))
    };
    [error(), coverage(), grown(), aged()].into_iter().flatten().collect()
}

/// MASE of a model on the tail of its training data: mean over groups, by series.
fn trained_mase(champion: &Manifest) -> Option<f64> {
    let scores = champion.fits.iter().filter_map(|fit| fit.holdout.as_ref());
    let scores: Vec<(f64, f64)> =
        scores.filter_map(|score| Some((score.series as f64, score.mase?))).collect();
    let series: f64 = scores.iter().map(|(series, _)| series).sum();
    let mase = scores.iter().map(|(series, mase)| series * mase).sum::<f64>() / series;
    (mase.is_finite() && mase > 0.0).then_some(mase)
}
