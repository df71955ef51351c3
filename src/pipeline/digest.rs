//! The file of a backtest in figures: what its page shows, read again from the outcomes.

use crate::evaluation::score::{Case, Scale, Scores, Tally};
use crate::model::spec::{ModelKind, tails};
use crate::publish::{PublishError, Replay, Replayed};
use std::collections::HashMap;
use std::path::Path;

/// Largest file whose rows are read for figures.
pub const DIGEST_ROWS_MAX: usize = 20_000_000;

/// Closer levels are the same: quantile levels are rounded to 1e-6.
const SAME_LEVEL: f64 = 5.1e-7;

/// A figure of each model, by name; `None` where it is not defined.
pub type ByModel = Vec<(String, Option<f64>)>;

/// What a backtest found, in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// Rows of the file.
    pub rows: usize,
    /// Series with an actual.
    pub series: usize,
    /// Windows.
    pub windows: usize,
    /// Scored steps of the longest forecast.
    pub horizon: usize,
    /// By what models are ranked, and cutoffs and steps are told apart.
    pub loss: DigestLoss,
    /// Scores of each model, best first; RMSSE, whose scale the file does not hold, is never among them.
    pub models: Vec<(String, Scores)>,
    /// Latest cutoff of each window, microseconds UTC, the oldest first, with the loss of each model there.
    pub cutoffs: Vec<(i64, ByModel)>,
    /// The loss of each model at each scored step, counted from the cutoff.
    pub steps: Vec<(usize, ByModel)>,
}

/// What a digest ranks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestLoss {
    /// Mean absolute scaled error.
    Mase,
    /// Σ |y − ŷ| / Σ |y|, where the file has no scales.
    Wape,
}

impl DigestLoss {
    /// Name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DigestLoss::Mase => "mase",
            DigestLoss::Wape => "wape",
        }
    }

    /// The figure of that name.
    fn of(self, scores: &Scores) -> Option<f64> {
        match self {
            DigestLoss::Mase => scores.mase,
            DigestLoss::Wape => scores.wape,
        }
    }
}

/// Reads a file of outcomes into figures.
///
/// # Errors
/// [`PublishError::Read`] if it is none, is damaged, or has more than [`DIGEST_ROWS_MAX`] rows.
pub fn digest(path: &Path) -> Result<Digest, PublishError> {
    let replay = Replay::open(path)?;
    let rows = replay.rows;
    if rows > DIGEST_ROWS_MAX {
        let reason = format!("{rows} rows, more than the {DIGEST_ROWS_MAX} that are read for figures");
        return Err(PublishError::Read { path: path.into(), reason });
    }
    let levels = levels(replay.metadata.get("levels"), &replay.quantile_levels);
    let gap = replay.metadata.get("gap").and_then(|gap| gap.parse().ok()).unwrap_or(0);
    let quantiles = replay.quantile_levels.clone();
    let mut course = Course::new(&quantiles, &levels, gap);
    replay.each(|one| course.add(one))?;
    Ok(course.end(rows))
}

/// Coverage levels in percent: those that the file names, or all that the quantiles hold both ends of.
fn levels(named: Option<&String>, quantiles: &[f64]) -> Vec<f64> {
    if let Some(text) = named {
        return text.split(',').filter_map(|level| level.trim().parse().ok()).collect();
    }
    let is_there = |wanted: f64| quantiles.iter().any(|level| (level - wanted).abs() < SAME_LEVEL);
    let of_tail = |tail: &f64| ((1.0 - 2.0 * tail) * 1e8).round() / 1e6;
    let lower = quantiles.iter().filter(|level| **level < 0.5 - SAME_LEVEL);
    let mut levels: Vec<f64> =
        lower.map(of_tail).filter(|level| tails(*level).map(is_there) == [true; 2]).collect();
    levels.sort_by(f64::total_cmp);
    levels
}

/// Figures under way. Memory grows with series, models and windows, not with rows.
struct Course<'a> {
    quantiles: &'a [f64],
    levels: &'a [f64],
    /// Steps before the first one that is scored.
    gap: usize,
    has_scale: bool,
    has_naive: bool,
    /// In the order in which they first occur.
    models: Vec<(String, Tally)>,
    window: i32,
    /// Latest cutoff of the window that is read, and the tallies of its models.
    cutoff: i64,
    in_window: Vec<(String, Tally)>,
    cutoffs: Vec<(i64, Vec<(String, Scores)>)>,
    /// Points of seasonal naive in that window, by series.
    naive: HashMap<String, Vec<f64>>,
    horizon: usize,
}

impl<'a> Course<'a> {
    fn new(quantiles: &'a [f64], levels: &'a [f64], gap: usize) -> Course<'a> {
        Course {
            quantiles,
            levels,
            gap,
            has_scale: true,
            has_naive: true,
            models: Vec::new(),
            window: i32::MIN,
            cutoff: i64::MIN,
            in_window: Vec::new(),
            cutoffs: Vec::new(),
            naive: HashMap::new(),
            horizon: 0,
        }
    }

    /// Adds a forecast; within a window those of seasonal naive come first.
    fn add(&mut self, one: &Replayed) {
        if one.window != self.window {
            self.end_window();
            (self.window, self.cutoff) = (one.window, i64::MIN);
        }
        self.cutoff = self.cutoff.max(one.cutoff);
        self.horizon = self.horizon.max(one.y.len());
        if one.model == ModelKind::SeasonalNaive.as_str() {
            self.naive.insert(one.unique_id.clone(), one.yhat.clone());
        }
        let naive = self.naive.get(&one.unique_id).filter(|naive| naive.len() == one.y.len());
        self.has_naive &= naive.is_some();
        let scale = one.scale.filter(|scale| *scale > 0.0);
        self.has_scale &= scale.is_some();
        let absolute = scale.unwrap_or(1.0);
        let Ok(quantiles) = one.quantiles(self.quantiles.len()) else { return };
        let case = Case {
            unique_id: &one.unique_id,
            actual: &one.y,
            point: &one.yhat,
            quantiles,
            naive: naive.unwrap_or(&one.yhat),
            // Of the squared scale the file says nothing, and nobody asks for what is divided by it.
            scale: Scale { absolute, squared: absolute * absolute },
        };
        let place = self.in_window.iter().position(|(model, _)| *model == one.model);
        let place = place.unwrap_or_else(|| {
            self.in_window.push((one.model.clone(), Tally::new(self.quantiles, self.levels)));
            self.in_window.len() - 1
        });
        self.in_window[place].1.add(&case);
    }

    fn end_window(&mut self) {
        self.naive.clear();
        let models = std::mem::take(&mut self.in_window);
        if models.is_empty() {
            return;
        }
        let scores = models.iter().map(|(model, tally)| (model.clone(), tally.scores())).collect();
        self.cutoffs.push((self.cutoff, scores));
        for (model, tally) in models {
            match self.models.iter_mut().find(|(name, _)| *name == model) {
                Some((_, all)) => {
                    let before = std::mem::replace(all, Tally::new(self.quantiles, self.levels));
                    *all = before.merge(tally);
                }
                None => self.models.push((model, tally)),
            }
        }
    }

    fn end(mut self, rows: usize) -> Digest {
        self.end_window();
        let loss = if self.has_scale { DigestLoss::Mase } else { DigestLoss::Wape };
        let of = |model: &String, scores: &Scores| (model.clone(), loss.of(scores));
        let by_step: Vec<(&String, Vec<Scores>)> =
            self.models.iter().map(|(model, tally)| (model, tally.by_step())).collect();
        let steps = (0..self.horizon).map(|step| {
            let there = by_step.iter().filter_map(|(model, scores)| Some(of(model, scores.get(step)?)));
            (self.gap + step + 1, there.collect())
        });
        let steps = steps.collect();
        let cutoffs = self.cutoffs.iter().map(|(cutoff, models)| {
            (*cutoff, models.iter().map(|(model, scores)| of(model, scores)).collect())
        });
        let cutoffs = cutoffs.collect();
        let known = |scores: Scores| Scores {
            mase: scores.mase.filter(|_| self.has_scale),
            rmsse: None,
            skill: scores.skill.filter(|_| self.has_scale && self.has_naive),
            ..scores
        };
        let mut models: Vec<(String, Scores)> =
            self.models.iter().map(|(model, tally)| (model.clone(), known(tally.scores()))).collect();
        let rank = |scores: &Scores| loss.of(scores).unwrap_or(f64::INFINITY);
        models.sort_by(|a, b| rank(&a.1).total_cmp(&rank(&b.1)));
        let series = models.iter().map(|(_, scores)| scores.series).max().unwrap_or(0);
        let windows = self.cutoffs.len();
        Digest { rows, series, windows, horizon: self.horizon, loss, models, cutoffs, steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_named_or_those_that_quantiles_bound() {
        assert_eq!(levels(Some(&"80, 97.5".into()), &[]), [80.0, 97.5]);
        let quantiles = [0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975];
        assert_eq!(levels(None, &quantiles), [40.0, 80.0, 95.0]);
        assert_eq!(levels(None, &[0.1, 0.5]), [] as [f64; 0]);
    }
}
