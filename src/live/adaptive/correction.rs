//! What one run's quantiles were corrected by: made, applied, taken back, stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of the stored form.
const FORMAT: u32 = 1;

/// Horizon bands at most, each with its own shifts.
const BANDS_MAX: usize = 6;

/// Least share of a row's own distances that stays where levels move inwards; the rest of what was asked for
/// is not done in one run. Far from 0, so that taking it back magnifies rounding errors little.
const SHAPE_MIN: f64 = 0.5;

/// Width of a row, relative to its largest value, up to which it is rounding errors: such rows are left
/// alone. A row within a few times of it may not come back.
const WIDTH_MIN: f64 = 1e-12;

/// Shifts, shares and factors are kept in steps of one by this many, so that files are short.
const GRAINS: f64 = 1e6;

/// What one run's quantiles were corrected by. Stored as JSON beside the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    format: u32,
    /// Quantile levels (Q), ascending.
    levels: Vec<f64>,
    /// First step past each band (B), ascending; the last one is the horizon.
    bands: Vec<usize>,
    /// Share of a row's distances to its median that is kept (B), in (0, 1].
    shares: Vec<f64>,
    /// Shifts (B, Q) in units of a row's width, ascending along Q.
    shifts: Vec<Vec<f64>>,
    /// Factors of series with outcomes of their own.
    factors: BTreeMap<String, f64>,
    /// Factor of every other series.
    common: f64,
    /// Levels too rare for the outcomes seen: they move as the rarest one does that is not.
    unsupported: Vec<f64>,
}

impl Correction {
    /// Corrects nothing.
    pub fn identity(levels: &[f64], horizon: usize) -> Correction {
        let bands = bands(horizon);
        Correction {
            format: FORMAT,
            levels: levels.to_vec(),
            shares: vec![1.0; bands.len()],
            shifts: vec![vec![0.0; levels.len()]; bands.len()],
            bands,
            factors: BTreeMap::new(),
            common: 1.0,
            unsupported: Vec::new(),
        }
    }

    /// Moves the levels of each band as `moves` (B, Q) says, in units of a row's width, on a row of the shape
    /// `shape` ((q − m) / w, (Q)): the part that narrows becomes a share of the row's own distances, so that
    /// rows of any shape stay ascending.
    pub(super) fn set(&mut self, moves: &[Vec<f64>], shape: &[f64], unsupported: Vec<f64>) {
        let middle = median(&self.levels);
        for (band, moves) in moves.iter().enumerate() {
            let share = share(moves, shape);
            let mut shifts: Vec<f64> =
                moves.iter().zip(shape).map(|(shift, at)| rounded(shift + (1.0 - share) * at)).collect();
            (middle + 1..shifts.len()).for_each(|level| shifts[level] = shifts[level].max(shifts[level - 1]));
            (0..middle).rev().for_each(|level| shifts[level] = shifts[level].min(shifts[level + 1]));
            self.shares[band] = share;
            self.shifts[band] = shifts;
        }
        self.unsupported = unsupported;
    }

    /// Widens single series, and all others by `common`.
    pub(super) fn set_factors(&mut self, factors: BTreeMap<String, f64>, common: f64) {
        self.factors = factors.into_iter().map(|(id, factor)| (id, rounded(factor))).collect();
        self.common = rounded(common);
    }

    /// Whether it leaves every row as it is.
    pub fn is_identity(&self) -> bool {
        self.shares.iter().all(|share| *share == 1.0)
            && self.shifts.iter().flatten().all(|shift| *shift == 0.0)
            && self.factors.values().chain([&self.common]).all(|factor| *factor == 1.0)
    }

    /// Whether it can be read: of this format, consistent and invertible. Files may come from anywhere.
    pub fn is_valid(&self) -> bool {
        let Correction { levels, bands, shares, shifts, factors, common, .. } = self;
        let is_positive = |value: &f64| value.is_finite() && *value > 0.0;
        let is_ascending = |row: &Vec<f64>| {
            row.iter().all(|value| value.is_finite()) && row.is_sorted() && row.len() == levels.len()
        };
        self.format == FORMAT
            && !levels.is_empty()
            && levels.windows(2).all(|pair| pair[0] < pair[1])
            && !bands.is_empty()
            && bands.windows(2).all(|pair| pair[0] < pair[1])
            && shares.len() == bands.len()
            && shifts.len() == bands.len()
            && shares.iter().all(is_positive)
            && factors.values().chain([common]).all(is_positive)
            && shifts.iter().all(is_ascending)
    }

    /// Levels (Q) that it corrects.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Levels too rare for the outcomes seen: they move as far as the rarest level that is not.
    pub fn unsupported(&self) -> &[f64] {
        &self.unsupported
    }

    /// Factor of a series, the common one where it has none of its own.
    pub fn factor(&self, unique_id: &str) -> f64 {
        self.factors.get(unique_id).copied().unwrap_or(self.common)
    }

    /// Corrects the quantiles (Q) of one step (0-based) of one series in place; ascending before and after. A
    /// row without width, of another length or with a value that is not finite stays as it is.
    pub fn apply(&self, unique_id: &str, step: usize, row: &mut [f64]) {
        let Some(terms) = self.terms(unique_id, step, row) else { return };
        let Terms { factor, share, shifts, middle, width } = terms;
        let median = row[middle];
        let moved =
            |(value, shift): (&f64, &f64)| median + factor * (share * (value - median) + width * shift);
        let corrected: Vec<f64> = row.iter().zip(shifts).map(moved).collect();
        keep(row, corrected);
    }

    /// Takes [`Correction::apply`] back.
    pub fn undo(&self, unique_id: &str, step: usize, row: &mut [f64]) {
        let Some(terms) = self.terms(unique_id, step, row) else { return };
        let Terms { factor, share, shifts, middle, width } = terms;
        let (lower, upper) = outer(&self.levels);
        let width = width / (factor * (share + shifts[upper] - shifts[lower]));
        let median = row[middle] - factor * width * shifts[middle];
        let moved_back =
            |(value, shift): (&f64, &f64)| median + ((value - median) / factor - width * shift) / share;
        let raw: Vec<f64> = row.iter().zip(shifts).map(moved_back).collect();
        keep(row, raw);
    }

    fn terms(&self, unique_id: &str, step: usize, row: &[f64]) -> Option<Terms<'_>> {
        let width = width(row, &self.levels)?;
        let band = self.band(step);
        let factor = self.factor(unique_id);
        let (share, shifts) = (*self.shares.get(band)?, self.shifts.get(band)?);
        let is_nothing = factor == 1.0 && share == 1.0 && shifts.iter().all(|shift| *shift == 0.0);
        (!is_nothing).then(|| Terms { factor, share, shifts, middle: median(&self.levels), width })
    }

    /// Band of a step; the last one for steps past the horizon.
    pub(super) fn band(&self, step: usize) -> usize {
        self.bands.partition_point(|end| *end <= step).min(self.bands.len().saturating_sub(1))
    }

    /// Number of bands.
    pub(super) fn bands(&self) -> usize {
        self.bands.len()
    }

    /// Shares (B) and shifts (B, Q) of a band as one move on a row of that shape: what [`Correction::set`]
    /// was given.
    pub(super) fn moves(&self, band: usize, shape: &[f64]) -> Vec<f64> {
        self.shifts[band]
            .iter()
            .zip(shape)
            .map(|(shift, at)| shift - (1.0 - self.shares[band]) * at)
            .collect()
    }
}

struct Terms<'a> {
    factor: f64,
    share: f64,
    shifts: &'a [f64],
    middle: usize,
    width: f64,
}

/// Index of the median, or of the level in the middle.
pub(super) fn median(levels: &[f64]) -> usize {
    levels.iter().position(|level| *level == 0.5).unwrap_or(levels.len() / 2)
}

/// Indices of the outermost deciles, or of the outermost levels.
pub(super) fn outer(levels: &[f64]) -> (usize, usize) {
    let at = |wanted: f64| levels.iter().position(|level| *level == wanted);
    at(0.1).zip(at(0.9)).unwrap_or((0, levels.len().saturating_sub(1)))
}

/// Distance between the outermost deciles of a row. `None` where the row is not one of these levels or has no
/// width.
pub(super) fn width(row: &[f64], levels: &[f64]) -> Option<f64> {
    if row.len() != levels.len() || row.is_empty() || row.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let (lower, upper) = outer(levels);
    let width = row[upper] - row[lower];
    let size = row[0].abs().max(row[row.len() - 1].abs());
    (width.is_finite() && width > WIDTH_MIN * size).then_some(width)
}

/// First steps past the bands of a horizon: one band for each step while there are few, then ever longer
/// ones.
fn bands(horizon: usize) -> Vec<usize> {
    let horizon = horizon.max(1);
    if horizon <= BANDS_MAX {
        return (1..=horizon).collect();
    }
    let end = |band: usize| (horizon as f64).powf(band as f64 / BANDS_MAX as f64).round() as usize;
    let mut ends: Vec<usize> = (1..BANDS_MAX).map(end).chain([horizon]).collect();
    ends.dedup();
    ends
}

/// The largest share of a shape's distances at which the rest of these moves ascends, at least [`SHAPE_MIN`].
fn share(moves: &[f64], shape: &[f64]) -> f64 {
    let kept = |level: usize| {
        let distance = shape[level] - shape[level - 1];
        let moved = distance + moves[level] - moves[level - 1];
        if distance > 1e-9 { moved / distance } else { 1.0 }
    };
    let least = (1..moves.len()).map(kept).fold(1.0, f64::min);
    if least.is_finite() { rounded(least.max(SHAPE_MIN)) } else { 1.0 }
}

fn rounded(value: f64) -> f64 {
    (value * GRAINS).round() / GRAINS
}

/// Takes over what is finite, ascending against rounding errors.
fn keep(row: &mut [f64], mut corrected: Vec<f64>) {
    if corrected.iter().all(|value| value.is_finite()) {
        corrected.sort_by(f64::total_cmp);
        row.copy_from_slice(&corrected);
    }
}
