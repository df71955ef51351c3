//! Covariates beside the series: each column is read like a target and put on the grids that the targets have.

use super::columns::{Assignment, Companion};
use super::draft::{self, Draft};
use super::files::data;
use super::gauge::{Gauge, Watch};
use super::grid::{Placed, STEPS_FREE};
use super::keys::Names;
use super::problems::{Kind, Reason};
use super::raw_series::RawSeries;
use super::rows::Rows;
use super::sketch::{Other, Outline, Share, Sketch};
use super::source::Source;
use super::spec::{Duplicates, IngestError, Layout};
use super::text_of_instant;
use crate::series::covariate::{Covariate, Known, Row, Values};
use crate::series::{Frequency, Series, Verdict};
use rayon::prelude::*;
use std::sync::Arc;

/// Names of a category, and which of them stand beside series of other shards.
type Named = (Vec<Arc<str>>, Vec<bool>);

/// What is read for the covariates.
pub(super) struct Companions<'a> {
    pub(super) sources: &'a [Source],
    pub(super) assignment: &'a Assignment,
    /// Rows after this instant are not read, but for what is known in advance.
    pub(super) as_of: Option<i64>,
    /// Which series are kept.
    pub(super) share: Option<Share>,
    pub(super) watch: &'a Watch<'a>,
}

impl Companions<'_> {
    /// Puts the covariates beside the series. One whose cells cannot be used is left out with the reason, like one whose
    /// target cannot. Gives the covariates, and what is worth a note. Series of other shards are judged alike.
    pub(super) fn attach(
        &self,
        placed: &mut [Placed],
        others: &mut [Other],
        context: &draft::Context<'_>,
    ) -> Result<(Vec<Covariate>, Vec<String>), IngestError> {
        let (mut covariates, mut notes) = (Vec::new(), Vec::new());
        let passes = self.assignment.covariates.len();
        if passes == 0 {
            return Ok((covariates, notes));
        }
        let gauge = Gauge::new(self.watch, "reading covariates", self.sources, passes);
        for column in &self.assignment.covariates {
            let names = self.attach_column(column, placed, others, context, &gauge)?;
            let values = match names {
                Some((names, occur)) => Values::Category(renumber(placed, &names, occur)),
                None => Values::Real,
            };
            notes.extend(note(column, placed));
            covariates.push(Covariate { name: column.name.clone(), known: column.known, values });
        }
        Ok((covariates, notes))
    }

    /// Adds the row of one covariate to every usable series; gives the names, where the values are numbers of names.
    fn attach_column(
        &self,
        column: &Companion,
        placed: &mut [Placed],
        others: &mut [Other],
        context: &draft::Context<'_>,
        gauge: &Gauge<'_>,
    ) -> Result<Option<Named>, IngestError> {
        let assignment = self.assignment.with_covariate(column);
        let names = column.is_category.then(Names::default);
        // A row of a wide table is of all series.
        let is_wide = self.assignment.layout == Layout::Wide;
        let tells = column.is_category || column.known == Known::Static;
        let share = self.share.filter(|_| !is_wide);
        let share = share.map(|share| if tells { share.with_values() } else { share });
        let timeline = context.rows.timeline.clone();
        let mut rows = Rows::read_as(self.sources, &assignment, names, (timeline, share), gauge)?;
        let decoded = rows.timeline.decide().map_err(|problem| {
            data(format!("{}: column {}: {problem}", rows.first_file(), assignment.roles.time))
        })?;
        let raw = std::mem::take(&mut rows.series);
        let sketches = std::mem::take(&mut rows.sketches);
        let duplicates = match (context.duplicates, column.is_category) {
            (Duplicates::Mean | Duplicates::Sum, true) => Duplicates::First,
            // Targets of several rows add up; what they cost or how warm it was does not.
            (Duplicates::Sum, false) => Duplicates::Mean,
            (policy, _) => policy,
        };
        let limit = self.as_of.filter(|_| column.known != Known::Future);
        let own = draft::Context { rows: &rows, decoded, duplicates, ..*context };
        let attach = |placed: &mut Placed| {
            let Some(series) = &mut placed.series else { return };
            let code = if is_wide { 0 } else { placed.code };
            let raw: RawSeries = raw.get(code as usize).cloned().unwrap_or_default();
            let mut draft = Draft::new(code, raw, limit, &own);
            // A covariate without any value is missing throughout.
            draft.reasons.retain(|reason| reason.kind != Kind::Empty);
            match draft.reasons.is_empty().then(|| row(column, series, &draft, &own)) {
                Some(Ok(row)) => series.covariates.push(row),
                Some(Err(reason)) => leave_out(placed, vec![reason]),
                None => {
                    let reasons = draft.reasons.into_iter().map(|reason| of_column(&column.name, reason));
                    leave_out(placed, reasons.collect());
                }
            }
        };
        placed.par_iter_mut().for_each(attach);
        let judge = |other: &mut Other| {
            let outline = other.outline.take()?;
            let code = if is_wide { 0 } else { other.code };
            let kept =
                if is_wide { raw.first().cloned() } else { sketches.get(code as usize).map(Sketch::rows) };
            let mut draft = Draft::new(code, kept.unwrap_or_default(), limit, &own);
            draft.reasons.retain(|reason| reason.kind != Kind::Empty);
            let is_fine = draft.reasons.is_empty() && is_usable(column, outline, &draft, &own);
            other.outline = is_fine.then_some(outline);
            Some((outline, draft)).filter(|_| is_fine && column.is_category)
        };
        let drafts: Vec<(Outline, Draft)> = others.par_iter_mut().filter_map(judge).collect();
        Ok(rows.names.map(|names| {
            let names = names.values().to_vec();
            let occur = occurring(column.known, &drafts, names.len());
            (names, occur)
        }))
    }
}

/// Whether the values of a draft could stand beside a series of another shard.
fn is_usable(column: &Companion, series: Outline, draft: &Draft, context: &draft::Context<'_>) -> bool {
    match column.known {
        Known::Static => constant(column, draft, context).is_ok(),
        Known::Past => true,
        Known::Future => ahead(column, (series.cutoff, series.frequency), draft, context).is_ok(),
    }
}

/// Which of so many names stand beside series of other shards.
fn occurring(known: Known, drafts: &[(Outline, Draft)], names: usize) -> Vec<bool> {
    let mut occur = vec![false; names];
    for (series, draft) in drafts {
        let stands = |time: i64| match known {
            Known::Static => true,
            Known::Past => (series.first..=series.cutoff).contains(&time),
            Known::Future => time >= series.first,
        };
        let values =
            draft.times.iter().zip(&draft.values).filter(|(time, name)| !name.is_nan() && stands(**time));
        values.for_each(|(_, name)| occur[*name as usize] = true);
    }
    occur
}

fn leave_out(placed: &mut Placed, reasons: Vec<Reason>) {
    placed.series = None;
    placed.quality.verdict = Verdict::Quarantined(reasons.iter().map(|reason| reason.text.clone()).collect());
    placed.reasons = reasons;
}

/// The reason with its column, where it does not name it. Names are taken for numbers where a sample of the column is empty.
fn of_column(name: &str, reason: Reason) -> Reason {
    let Reason { kind, text } = reason;
    let text = match kind {
        Kind::Cell => format!("{text}; if the cells of {name} are names, list it under categories"),
        _ => format!("column {name}: {text}"),
    };
    Reason { kind, text }
}

/// The values of a draft on the grid of its series.
fn row(
    column: &Companion,
    series: &Series,
    draft: &Draft,
    context: &draft::Context<'_>,
) -> Result<Row, Reason> {
    let known = column.known;
    if known == Known::Static {
        return Ok(Row::new(known, vec![constant(column, draft, context)?]));
    }
    let mut values = on_grid(&series.times, &draft.times, &draft.values);
    if known == Known::Future
        && let Some(cutoff) = series.cutoff()
    {
        values.extend(ahead(column, (cutoff, series.frequency), draft, context)?);
    }
    Ok(Row::new(known, values))
}

/// Values at the times of an ascending grid; `NaN` where no row stands on it.
fn on_grid(grid: &[i64], times: &[i64], values: &[f64]) -> Vec<f64> {
    let mut at = 0;
    let value = |stamp: &i64| {
        while times.get(at).is_some_and(|time| time < stamp) {
            at += 1;
        }
        if times.get(at) == Some(stamp) { values[at] } else { f64::NAN }
    };
    grid.iter().map(value).collect()
}

/// Values of the steps after the last one of a series, up to the last that is known.
fn ahead(
    column: &Companion,
    (cutoff, frequency): (i64, Frequency),
    draft: &Draft,
    context: &draft::Context<'_>,
) -> Result<Vec<f64>, Reason> {
    let from = draft.times.partition_point(|time| *time <= cutoff);
    let known = draft.values[from..].iter().rposition(|value| !value.is_nan()).map_or(0, |last| last + 1);
    let (times, values) = (&draft.times[from..from + known], &draft.values[from..from + known]);
    let Some(&last) = times.last() else { return Ok(Vec::new()) };
    let name = &column.name;
    let stray = |at: usize, what: &str| {
        let place = context.rows.place(draft.rows.at(from + at));
        let time = text_of_instant(times[at], context.zone);
        Reason { kind: Kind::Frequency, text: format!("{place}: column {name}: {time} {what}") }
    };
    if frequency.steps_between(cutoff, last) > STEPS_FREE {
        return Err(stray(times.len() - 1, "lies too far ahead of the last target; correct the time"));
    }
    let mut grid = frequency.grid(cutoff, last, context.zone);
    grid.drain(..1.min(grid.len()));
    let is_off = |at: &usize| !values[*at].is_nan() && grid.binary_search(&times[*at]).is_err();
    if let Some(at) = (0..times.len()).find(is_off) {
        let what = format!("does not stand on the grid of {frequency} that the targets stand on; correct it");
        return Err(stray(at, &what));
    }
    Ok(on_grid(&grid, times, values))
}

/// The one value of a static covariate; `NaN` where no row has any.
fn constant(column: &Companion, draft: &Draft, context: &draft::Context<'_>) -> Result<f64, Reason> {
    let mut there = (0..draft.values.len()).filter(|at| !draft.values[*at].is_nan());
    let Some(first) = there.next() else { return Ok(f64::NAN) };
    let Some(other) = there.find(|at| draft.values[*at] != draft.values[first]) else {
        return Ok(draft.values[first]);
    };
    let shown = |at: usize| match &context.rows.names {
        Some(names) => format!("'{}'", names.values()[draft.values[at] as usize]),
        None => draft.values[at].to_string(),
    };
    let (one, two) = (draft.rows.at(first), draft.rows.at(other));
    let (place, after) = (context.rows.place(one), context.rows.place_after(one, two));
    let text = format!(
        "{place}: column {} is {} there and {} in {after}, and a static covariate never changes; correct it, or name it under \
         past_covariates or future_covariates",
        column.name,
        shown(first),
        shown(other)
    );
    Err(Reason { kind: Kind::Static, text })
}

/// Makes the newest rows of the usable series numbers of the names that occur in them or elsewhere, ascending, and gives
/// those.
fn renumber(placed: &mut [Placed], names: &[Arc<str>], elsewhere: Vec<bool>) -> Vec<String> {
    let mut occurs = elsewhere;
    for code in rows(placed).flatten().filter(|code| !code.is_nan()) {
        occurs[*code as usize] = true;
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|at| occurs[*at]).collect();
    order.sort_by(|one, other| names[*one].cmp(&names[*other]));
    let mut number = vec![f64::NAN; names.len()];
    order.iter().enumerate().for_each(|(place, at)| number[*at] = place as f64);
    let series = placed.iter_mut().filter_map(|placed| placed.series.as_mut());
    let rename = |code: &mut f64| *code = if code.is_nan() { *code } else { number[*code as usize] };
    for row in series.filter_map(|series| series.covariates.last_mut()) {
        row.change(|values| values.iter_mut().for_each(rename));
    }
    order.into_iter().map(|at| names[at].to_string()).collect()
}

/// The newest row of every usable series.
fn rows(placed: &[Placed]) -> impl Iterator<Item = &[f64]> {
    let series = placed.iter().filter_map(|placed| placed.series.as_ref());
    series.filter_map(|series| series.covariates.last()).map(Row::values)
}

/// What to say of missing values.
fn note(column: &Companion, placed: &[Placed]) -> Option<String> {
    let name = &column.name;
    let series = || placed.iter().filter_map(|placed| placed.series.as_ref());
    let history = |series: &'_ Series| match column.known {
        Known::Static => 1,
        Known::Past | Known::Future => series.values.len(),
    };
    let all: usize = series().map(history).sum();
    let missing = |series: &Series| {
        let values = series.covariates.last().map_or(&[][..], Row::values);
        values.iter().take(history(series)).filter(|value| value.is_nan()).count()
    };
    let missing: usize = series().map(missing).sum();
    (missing > 0).then(|| match column.known {
        Known::Static => format!("covariate '{name}' has no value for {missing} of {all} series"),
        Known::Past | Known::Future => format!(
            "covariate '{name}': {missing} of {all} values of the history are missing and count as the ones before them"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_their_steps() {
        let values = on_grid(&[10, 20, 30, 40], &[5, 10, 30, 35], &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((values[0], values[2]), (2.0, 3.0));
        assert!(values[1].is_nan() && values[3].is_nan());
    }
}
