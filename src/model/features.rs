//! Covariates as the models see them: encoded columns per series, and what a map reads of them at one step ahead.
//!
//! ```text
//! price   1.9 2.4 …   ──▶  (x − centre) / scale                      one column
//! event   none fair …  ──▶  is it "fair"?  is it "sale"?  …           one per name; a name never seen is none of them
//! ```
//!
//! At step h of a forecast from origin o, with s the season and m the mean over the steps before o, a map reads of every
//! column
//!
//! ```text
//! x(o+h) − x(o+h−s)      what is different from the step that seasonal naive repeats: last week had a holiday
//! x(o+h) − m             and from the level that the inputs are measured from
//! mean_h x(o+h) − m      for the whole horizon: a cold week
//! x(o+h)                 the value itself
//! ```
//!
//! where x(o+h) is x(o−1) for columns that are known with the target only. Missing values are those one step earlier.

use ndarray::ArrayViewMut2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::series::Series;
use crate::series::covariate::{Covariate, Known, Row, Values};

/// Names of a category that get a column; rarer ones share none.
const NAMES_MAX: usize = 24;

/// Names of a category that are kept to tell new ones by; a category with more of them is an id.
const SEEN_MAX: usize = 1000;

/// Encoded columns that networks read; with more of them, tokens would be covariates in the main.
pub const NETWORK_MAX: usize = 12;

/// What a map reads of a column, see the head of this file.
pub const TERMS: usize = 4;

/// Steps that a level is the mean of, at least.
const LEVEL_MIN: usize = 7;

/// How covariates become columns; learnt from the series of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// One for every column (K).
    columns: Vec<Column>,
    /// Names that each category had in the history, ascending; those of a category with very many are not kept.
    names: BTreeMap<String, Vec<String>>,
}

/// One encoded column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    /// The covariate.
    covariate: String,
    known: Time,
    form: Form,
}

/// [`Known`], as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Time {
    Past,
    Future,
    Static,
}

impl From<Known> for Time {
    fn from(known: Known) -> Time {
        match known {
            Known::Past => Time::Past,
            Known::Future => Time::Future,
            Known::Static => Time::Static,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Form {
    /// (x − centre) / scale.
    Real { center: f64, scale: f64 },
    /// Whether it is that name.
    Is(String),
}

/// The encoded covariates of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Values of each column (K), of all steps and what is known beyond them; all finite. Series share those that are the
    /// same for all.
    columns: Vec<Arc<[f32]>>,
    /// The step that is the first here.
    start: usize,
    /// Whether each column is known in advance (K).
    is_ahead: Vec<bool>,
    /// Season length, 1 for none.
    season: usize,
}

impl Encoding {
    /// Of the covariates of a panel, from the history of these series of it: what is known of the time after it teaches
    /// nothing.
    pub fn learn(covariates: &[Covariate], series: &[&Series]) -> Encoding {
        let of = |(place, covariate): (usize, &Covariate)| -> Vec<Column> {
            let known = Time::from(covariate.known);
            let column = |form| Column { covariate: covariate.name.clone(), known, form };
            let seen = || series.iter().flat_map(|one| observed(one, place));
            match &covariate.values {
                Values::Real => moments(seen())
                    .map(|(center, scale)| column(Form::Real { center, scale }))
                    .into_iter()
                    .collect(),
                Values::Category(names) => {
                    frequent(seen(), names).into_iter().map(|name| column(Form::Is(name))).collect()
                }
            }
        };
        let columns = covariates.iter().enumerate().flat_map(of).collect();
        let names = covariates.iter().enumerate().filter_map(|(place, covariate)| {
            let Values::Category(names) = &covariate.values else { return None };
            let seen = occurring(series.iter().flat_map(|one| observed(one, place)), names);
            (seen.len() <= SEEN_MAX).then(|| (covariate.name.clone(), seen))
        });
        Encoding { columns, names: names.collect() }
    }

    /// Encoded columns (K).
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The covariate that each column is made of (K).
    pub fn covariates(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.covariate.as_str())
    }

    /// Why the covariates of a panel are not those that this reads, one line for each column that is missing or another.
    pub fn unmet(&self, covariates: &[Covariate]) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for column in &self.columns {
            let name = &column.covariate;
            let known = match column.known {
                Time::Past => "a past covariate",
                Time::Future => "a future covariate",
                Time::Static => "a static covariate",
            };
            let line = match covariates.iter().find(|covariate| covariate.name == *name) {
                None => format!("covariate '{name}' is missing, {known} that the model reads"),
                Some(found) if Time::from(found.known) != column.known => {
                    format!("covariate '{name}' is known at other times: it is {known} of the model")
                }
                Some(found)
                    if matches!(found.values, Values::Real) != matches!(column.form, Form::Real { .. }) =>
                {
                    let (here, there) = match found.values {
                        Values::Real => ("numbers", "names"),
                        Values::Category(_) => ("names", "numbers"),
                    };
                    format!("covariate '{name}' holds {here}, and the model was trained on {there}")
                }
                Some(_) => continue,
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// Names of a panel's covariates that it does not read: it was trained without them, or on a single value of them.
    pub fn unread<'a>(&self, covariates: &'a [Covariate]) -> impl Iterator<Item = &'a str> {
        let is_read = |covariate: &&Covariate| self.covariates().any(|name| name == covariate.name);
        covariates
            .iter()
            .filter(move |covariate| !is_read(covariate))
            .map(|covariate| covariate.name.as_str())
    }

    /// Whether there is nothing to encode.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether another has the same columns, of whatever scale: a network that was made for one can go on with the other.
    pub fn reads_like(&self, other: &Encoding) -> bool {
        let is_alike = |(a, b): (&Column, &Column)| {
            let form =
                matches!((&a.form, &b.form), (Form::Real { .. }, Form::Real { .. })) || a.form == b.form;
            a.covariate == b.covariate && a.known == b.known && form
        };
        self.width() == other.width() && self.columns.iter().zip(&other.columns).all(is_alike)
    }

    /// Whether it has learnt nothing at all.
    pub fn is_blank(&self) -> bool {
        self.is_empty() && self.names.is_empty()
    }

    /// Whether it can be used: files may say anything.
    pub fn is_valid(&self) -> bool {
        let is_usable = |column: &Column| match &column.form {
            Form::Real { center, scale } => center.is_finite() && scale.is_finite() && *scale > 0.0,
            Form::Is(_) => true,
        };
        self.columns.iter().all(is_usable)
    }

    /// The covariates of some series in these columns. Those that the panel lacks are 0 throughout: the centre, none of the
    /// names.
    pub fn apply(
        &self,
        covariates: &[Covariate],
        series: &[&Series],
        horizon: usize,
        season: usize,
    ) -> Vec<Arc<Features>> {
        if self.is_empty() {
            return vec![Arc::default(); series.len()];
        }
        let is_ahead: Vec<bool> = self.columns.iter().map(|column| column.known != Time::Past).collect();
        // What was encoded of values that others have too, by where they lie, column and length.
        let mut known = BTreeMap::new();
        let mut of = |one: &&Series| {
            let steps = one.values.len() + horizon;
            let encoded = |(column, form): (usize, &Column)| -> Arc<[f32]> {
                let place = covariates.iter().position(|covariate| covariate.name == form.covariate);
                let Some((row, values)) =
                    place.and_then(|place| Some((one.covariates.get(place)?, &covariates[place].values)))
                else {
                    return vec![0.0; steps].into();
                };
                let (address, range) = row.place();
                let key = (address, range.start, range.end, column, steps);
                known.entry(key).or_insert_with(|| form.form.encoded(row, values, steps)).clone()
            };
            let columns = self.columns.iter().enumerate().map(encoded).collect();
            Arc::new(Features { columns, start: 0, is_ahead: is_ahead.clone(), season })
        };
        series.iter().map(&mut of).collect()
    }

    /// Names of a panel that it has never seen, by covariate.
    pub fn unknown_names(&self, covariates: &[Covariate]) -> BTreeMap<String, Vec<String>> {
        let of = |covariate: &Covariate| {
            let Values::Category(names) = &covariate.values else { return None };
            let seen = self.names.get(&covariate.name)?;
            let is_new = |name: &&String| seen.binary_search(name).is_err();
            let unknown: Vec<String> = names.iter().filter(is_new).cloned().collect();
            (!unknown.is_empty()).then(|| (covariate.name.clone(), unknown))
        };
        covariates.iter().filter_map(of).collect()
    }
}

impl Form {
    /// A row in this column; a missing value is the one before it.
    fn encoded(&self, row: &Row, values: &Values, steps: usize) -> Arc<[f32]> {
        let encode = self.of(values);
        let mut last = 0.0;
        let mut next = |step: usize| {
            let value = row.at(step);
            if !value.is_nan() {
                last = encode(value);
            }
            last
        };
        (0..steps).map(&mut next).collect()
    }

    /// Value to column, for a covariate with these values.
    fn of<'a>(&'a self, values: &'a Values) -> Box<dyn Fn(f64) -> f32 + 'a> {
        match (self, values) {
            (Form::Real { center, scale }, Values::Real) => {
                Box::new(move |x| ((x - center) / scale).clamp(-1e6, 1e6) as f32)
            }
            (Form::Is(name), Values::Category(names)) => {
                let wanted = names.iter().position(|one| one == name).map(|at| at as f64);
                Box::new(move |code| f32::from(u8::from(Some(code) == wanted)))
            }
            // Numbers where names were, or the other way round.
            _ => Box::new(|_| 0.0),
        }
    }
}

/// Values of a covariate that are there, up to the last step of the series.
fn observed(series: &Series, place: usize) -> impl Iterator<Item = f64> {
    let values = series.covariates.get(place).map_or(&[][..], |row| match row.known {
        Known::Static => row.values(),
        Known::Past | Known::Future => &row.values()[..row.values().len().min(series.values.len())],
    });
    values.iter().copied().filter(|value| value.is_finite())
}

/// The names that occur, ascending as they are.
fn occurring(codes: impl Iterator<Item = f64>, names: &[String]) -> Vec<String> {
    let mut occurs = vec![false; names.len()];
    for code in codes {
        if let Some(occurs) = occurs.get_mut(code as usize) {
            *occurs = true;
        }
    }
    names.iter().zip(occurs).filter(|(_, occurs)| *occurs).map(|(name, _)| name.clone()).collect()
}

/// Mean and deviation; `None` where nothing varies.
fn moments(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let distance = value - mean;
        mean += distance / count;
        squares += distance * (value - mean);
    }
    let deviation: f64 = f64::sqrt(squares / count);
    (deviation.is_finite() && deviation > 1e-9 * mean.abs()).then_some((mean, deviation))
}

/// The names that occur most often, at most [`NAMES_MAX`], ascending; of two names, one: the other says the same.
fn frequent(codes: impl Iterator<Item = f64>, names: &[String]) -> Vec<String> {
    let mut counts = vec![0_usize; names.len()];
    for code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|&at| counts[at] > 0).collect();
    order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(a.cmp(&b)));
    if order.len() == 2 {
        order.remove(0);
    } else if order.len() == 1 {
        order.clear();
    }
    order.truncate(NAMES_MAX);
    let mut kept: Vec<String> = order.into_iter().map(|at| names[at].clone()).collect();
    kept.sort();
    kept
}

impl Features {
    /// Columns (K).
    pub fn width(&self) -> usize {
        self.is_ahead.len()
    }

    /// Without the first steps.
    pub fn after(&self, steps: usize) -> Features {
        Features { start: self.start + steps, ..self.clone() }
    }

    /// The steps from the first one on.
    fn column(&self, column: usize) -> &[f32] {
        self.columns[column].get(self.start..).unwrap_or(&[])
    }

    /// Value of a column at a step, as it is known at an origin; the last known one beyond that.
    fn at(&self, column: usize, step: usize, origin: usize) -> f32 {
        let values = self.column(column);
        let known = if self.is_ahead[column] { values.len() } else { origin };
        known.min(step + 1).checked_sub(1).map_or(0.0, |last| values[last])
    }

    /// What a map reads at every step from an origin: (T, [`TERMS`] K).
    pub fn read(&self, origin: usize, mut out: ArrayViewMut2<f32>) {
        let (horizon, season) = (out.nrows(), self.season);
        for column in 0..self.width() {
            let before = origin.saturating_sub(season.max(LEVEL_MIN))..origin;
            let count = before.len().max(1) as f32;
            let level = before.map(|step| self.at(column, step, origin)).sum::<f32>() / count;
            let ahead: Vec<f32> = (0..horizon).map(|step| self.at(column, origin + step, origin)).collect();
            let mean = ahead.iter().sum::<f32>() / horizon as f32;
            for (step, &value) in ahead.iter().enumerate() {
                let back = season * (step / season + 1);
                let earlier = match (origin + step).checked_sub(back) {
                    Some(at) => self.at(column, at, origin),
                    None => level,
                };
                let terms = [value - earlier, value - level, mean - level, value];
                for (term, value) in terms.into_iter().enumerate() {
                    out[[step, TERMS * column + term]] = value;
                }
            }
        }
    }

    /// Values of a column in the `steps` steps from one on, as they are known at an origin; 0 where they are not, and before
    /// the first.
    pub fn window(&self, column: usize, from: isize, origin: usize, out: &mut [f32]) {
        let values = self.column(column);
        for (index, to) in out.iter_mut().enumerate() {
            let step = usize::try_from(from + index as isize).ok();
            let is_known = |step: &usize| *step < origin || self.is_ahead[column];
            *to = step.filter(is_known).and_then(|step| values.get(step)).copied().unwrap_or(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;
    use ndarray::Array2;

    fn covariate(name: &str, known: Known, values: Values) -> Covariate {
        Covariate { name: name.into(), known, values }
    }

    fn series(rows: Vec<Row>, steps: usize) -> Series {
        Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: (0..steps as i64).collect(),
            values: vec![1.0; steps],
            covariates: rows,
            observations: None,
            filled: Vec::new(),
        }
    }

    fn names(all: &[&str]) -> Values {
        Values::Category(all.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_name_never_seen_is_none_of_those_that_were() {
        let known = Known::Future;
        let row = |codes: &[f64]| vec![Row::new(known, codes.to_vec())];
        let trained = series(row(&[0.0, 1.0, 2.0, 2.0]), 4);
        let covariates = [covariate("event", known, names(&["fair", "none", "sale"]))];
        let encoding = Encoding::learn(&covariates, &[&trained]);
        assert_eq!(encoding.width(), 3);
        let now = [covariate("event", known, names(&["flood", "sale"]))];
        let features = encoding.apply(&now, &[&series(row(&[0.0, 1.0]), 2)], 0, 1);
        let columns: Vec<&[f32]> = (0..3).map(|column| features[0].column(column)).collect();
        assert_eq!(columns, [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]);
    }

    #[test]
    fn new_names_are_told_from_those_without_a_column() {
        let known = Known::Future;
        let row = |codes: &[f64]| vec![Row::new(known, codes.to_vec())];
        let covariates = [covariate("open", known, names(&["later", "no", "yes"]))];
        // The last code is of a step after the series.
        let encoding = Encoding::learn(&covariates, &[&series(row(&[1.0, 2.0, 1.0, 0.0]), 3)]);
        assert_eq!(encoding.width(), 1, "of two names, one says all");
        assert!(encoding.unknown_names(&[covariate("open", known, names(&["no", "yes"]))]).is_empty());
        let unknown = encoding.unknown_names(&covariates);
        assert_eq!(unknown["open"], ["later"]);
        assert!(encoding.unknown_names(&[covariate("other", known, names(&["x"]))]).is_empty());
    }

    #[test]
    fn past_columns_end_at_the_origin_and_known_ones_do_not() {
        let rows = [Known::Past, Known::Future].map(|known| Row::new(known, (0..8).map(f64::from).collect()));
        let covariates = [
            covariate("measured", Known::Past, Values::Real),
            covariate("planned", Known::Future, Values::Real),
        ];
        let one = series(rows.to_vec(), 8);
        let encoding = Encoding::learn(&covariates, &[&one]);
        let features = encoding.apply(&covariates, &[&one], 0, 2).remove(0);
        let mut out = Array2::zeros((2, 2 * TERMS));
        features.read(4, out.view_mut());
        let scale = 1.0 / (21.0_f32 / 4.0).sqrt();
        // Measured: 3 at the origin; planned: 4 and 5, two steps earlier 2 and 3, 1.5 on the average of 0 to 3.
        let expected = [[1.0, 1.5, 1.5, -0.5, 2.0, 2.5, 3.0, 0.5], [0.0, 1.5, 1.5, -0.5, 2.0, 3.5, 3.0, 1.5]];
        for (row, expected) in out.outer_iter().zip(expected) {
            for (value, expected) in row.iter().zip(expected) {
                assert!((value - expected * scale).abs() < 1e-6, "{out}");
            }
        }
        let mut window = [9.0; 3];
        features.window(0, 3, 4, &mut window);
        assert_eq!(window[1..], [0.0, 0.0]);
        features.window(1, -1, 4, &mut window);
        assert_eq!(window[0], 0.0);
    }

    #[test]
    fn what_never_varies_is_no_column() {
        let rows = vec![
            Row::new(Known::Static, vec![3.0]),
            Row::new(Known::Past, vec![f64::NAN; 4]),
            Row::new(Known::Future, vec![0.0; 4]),
        ];
        let covariates = [
            covariate("area", Known::Static, Values::Real),
            covariate("empty", Known::Past, Values::Real),
            covariate("event", Known::Future, names(&["none"])),
        ];
        assert!(Encoding::learn(&covariates, &[&series(rows, 4)]).is_empty());
    }
}
