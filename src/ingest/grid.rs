//! Puts a draft on its regular grid and measures its quality.

use super::draft::Draft;
use super::fill;
use super::problems::{Kind, Reason};
use super::rows::Rows;
use super::spec::{Gaps, Sampling, SuspectAction};
use super::suspect::{self, Findings, Rules, Suspicion};
use super::text_of_instant;
use crate::series::civil::{DAY, SECOND};
use crate::series::infer::{anchored, even_step, greatest_common_divisor, most_common};
use crate::series::{Frequency, Observations, Quality, Series, Verdict};
use jiff::tz::TimeZone;

/// A series with fewer stamps than this takes the frequency of the other series if it fits.
const SURE_STAMPS: usize = 8;

/// A grid may have this many times as many steps as rows, and always [`STEPS_FREE`].
const SPARSE_MAX: i64 = 1000;

/// Eleven years of hours: a mistyped year must not fill the memory.
pub(super) const STEPS_FREE: i64 = 100_000;

/// What all series share while they are put on their grids.
pub(super) struct Context<'a> {
    pub(super) rows: &'a Rows,
    pub(super) zone: &'a TimeZone,
    pub(super) gaps: Gaps,
    pub(super) sampling: Sampling,
    /// See [`super::SourceSpec::season_length`].
    pub(super) season: Option<usize>,
    /// Frequency of most series.
    pub(super) majority: Option<Frequency>,
    pub(super) declared: bool,
    /// Whether there are other series whose frequency nobody knows here.
    pub(super) is_part: bool,
    pub(super) rules: Rules,
    /// Whether rows after the last target are there for what is known in advance.
    pub(super) goes_ahead: bool,
}

/// A series with its quality; `series` is missing where the verdict says why.
pub(super) struct Placed {
    /// Code of its id.
    pub(super) code: u32,
    pub(super) quality: Quality,
    pub(super) series: Option<Series>,
    pub(super) reasons: Vec<Reason>,
    /// Whether the frequency is that of the other series.
    pub(super) borrowed: bool,
    /// What looks wrong.
    findings: Findings,
    /// The as-of time from which on the series will be stale, if it is not yet.
    pub(super) stale_from: Option<i64>,
}

impl Placed {
    /// The id, and what looks wrong.
    pub(super) fn look(&self) -> (&str, &[Suspicion]) {
        (&self.quality.unique_id, &self.findings.suspicions)
    }
}

/// A complete grid.
struct Gridded {
    frequency: Frequency,
    /// `None` where the draft has a row for every step.
    holes: Option<Holes>,
    /// What stands on no grid, if that is how the series was sampled.
    observations: Option<Observations>,
}

/// A grid with steps that have no row.
struct Holes {
    times: Vec<i64>,
    values: Vec<f64>,
    /// For each grid step, whether a row stands on it.
    rows: Vec<bool>,
}

/// The frequency of most series, of which the number of stamps and the own frequency are given; those with many stamps first.
pub(super) fn majority(stamps: &[(usize, Option<Frequency>)]) -> Option<Frequency> {
    let most = |least: usize| {
        let mut counts: std::collections::HashMap<Frequency, usize> = std::collections::HashMap::new();
        let known =
            stamps.iter().filter(|(stamps, _)| *stamps >= least).filter_map(|(_, frequency)| *frequency);
        known.for_each(|frequency| *counts.entry(frequency).or_default() += 1);
        counts.into_iter().min_by_key(|(frequency, count)| (std::cmp::Reverse(*count), frequency.to_string()))
    };
    most(SURE_STAMPS).or_else(|| most(0)).map(|(frequency, _)| frequency)
}

/// The frequency of the grid that a draft stands on; `None` where there is none.
pub(super) fn frequency(draft: &Draft, context: &Context<'_>) -> Option<Frequency> {
    if draft.times.is_empty() { None } else { fit(draft, context).ok().map(|(gridded, _)| gridded.frequency) }
}

/// Judges a draft and puts it on its grid.
pub(super) fn place(mut draft: Draft, context: &Context<'_>) -> Placed {
    let after = trim(&mut draft);
    if context.goes_ahead {
        draft.missing -= after.min(draft.missing);
    }
    let mut borrowed = false;
    let gridded = if draft.times.is_empty() {
        None
    } else {
        match fit(&draft, context) {
            Ok((gridded, from_others)) => {
                borrowed = from_others;
                Some(gridded)
            }
            Err(reason) => {
                // A series that is left out anyway does not need to hear about its grid.
                if draft.reasons.is_empty() {
                    draft.reasons.push(reason);
                }
                None
            }
        }
    };
    let mut quality = Quality {
        unique_id: context.rows.keys.unique_id(draft.code),
        rows: draft.rows_read,
        missing: draft.missing,
        gaps: 0,
        longest_gap: 0,
        flat_run: 0,
        filled: 0,
        spikes: 0,
        level_shift: None,
        first_ds: draft.times.first().copied(),
        last_ds: draft.times.last().copied(),
        frequency: gridded.as_ref().map_or(draft.frequency, |gridded| Some(gridded.frequency)),
        verdict: Verdict::Ok,
        warnings: Vec::new(),
    };
    let mut stale_from = None;
    let (frequency, holes, observations) =
        gridded.map_or((None, None, None), |grid| (Some(grid.frequency), grid.holes, grid.observations));
    let values = holes.as_ref().map_or(&draft.values, |holes| &holes.values);
    quality.flat_run =
        longest_run(values.windows(2).map(|pair| pair[0] == pair[1])) + usize::from(!values.is_empty());
    if frequency.is_some() {
        quality.longest_gap = longest_run(values.iter().map(|value| value.is_nan()));
    }
    if let (Some(frequency), Some(holes)) = (frequency, &holes) {
        quality.gaps = holes.rows.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        if context.gaps == Gaps::Error && context.sampling == Sampling::Regular {
            draft.reasons.push(gap_reason(&quality, frequency, holes, &draft, context));
        }
    }
    let (times, values, rows) = match holes {
        Some(holes) => (holes.times, holes.values, Some(holes.rows)),
        None => (draft.times, draft.values, None),
    };
    let mut findings = Findings::default();
    let usable = frequency.filter(|_| draft.reasons.is_empty());
    if let Some(frequency) = usable {
        let season = fill::season(context.season, frequency);
        findings = context.rules.judge(&times, &values, season, context.zone);
        stale_from = quality.last_ds.and_then(|last| context.rules.stale_from(last));
        (quality.spikes, quality.level_shift) = (findings.spikes.len(), findings.level_shift);
        quality.warnings = suspect::texts(&findings.suspicions, SuspectAction::Warn);
        let reasons = suspect::texts(&findings.suspicions, SuspectAction::Fallback);
        quality.verdict = if reasons.is_empty() { Verdict::Ok } else { Verdict::Fallback(reasons) };
        let unfit = suspect::texts(&findings.suspicions, SuspectAction::Quarantine).into_iter();
        draft.reasons.extend(unfit.map(|text| Reason { kind: Kind::Suspect, text }));
    }
    if !draft.reasons.is_empty() {
        quality.verdict =
            Verdict::Quarantined(draft.reasons.iter().map(|reason| reason.text.clone()).collect());
    }
    let series = usable.filter(|_| draft.reasons.is_empty()).map(|frequency| {
        let mut series = Series {
            unique_id: quality.unique_id.clone(),
            keys: Vec::new(),
            frequency,
            times,
            values,
            covariates: Vec::new(),
            observations,
            filled: Vec::new(),
        };
        if findings.is_masked {
            mask(&mut series, &findings.spikes);
        }
        quality.filled = fill_holes(&mut series, rows.as_deref(), context);
        series
    });
    Placed { code: draft.code, quality, series, reasons: draft.reasons, borrowed, findings, stale_from }
}

/// Makes steps missing, raw observations within them included; the series ends with the last value that is left.
fn mask(series: &mut Series, steps: &[usize]) {
    series.observations = series.observations.take().map(|all| all.without(steps, &series.times));
    steps.iter().for_each(|&step| series.values[step] = f64::NAN);
    let end = series.observed_until(series.values.len());
    series.times.truncate(end);
    series.values.truncate(end);
}

/// Fills missing steps by policy, gives their number; `rows` says which steps have a row, all where it is missing.
fn fill_holes(series: &mut Series, rows: Option<&[bool]>, context: &Context<'_>) -> usize {
    if context.gaps == Gaps::Zero {
        let steps = series.values.iter_mut().zip(rows.unwrap_or_default());
        let absent = steps.filter(|(_, row)| !**row);
        return absent.map(|(value, _)| *value = 0.0).count();
    }
    series.filled =
        fill::fill(&mut series.values, context.gaps, fill::season(context.season, series.frequency));
    series.filled.len()
}

/// Lets a series begin and end with an observed value; gives the number of steps after the last one.
fn trim(draft: &mut Draft) -> usize {
    let observed = |value: &f64| !value.is_nan();
    let end = draft.values.iter().rposition(observed).map_or(0, |last| last + 1);
    let start = draft.values.iter().position(observed).unwrap_or(end);
    let after = draft.times.len() - end;
    draft.times.truncate(end);
    draft.times.drain(..start);
    draft.rows.cut(start, end);
    draft.values.truncate(end);
    draft.values.drain(..start);
    after
}

/// The grid of a draft, and whether its frequency is that of the other series.
fn fit(draft: &Draft, context: &Context<'_>) -> Result<(Gridded, bool), Reason> {
    if context.sampling == Sampling::Irregular {
        let step = draft.frequency.or(context.majority).ok_or_else(|| no_frequency(draft, context))?;
        return at_any_times(draft, step, context).map(|gridded| (gridded, draft.frequency.is_none()));
    }
    let majority = context.majority.map(|majority| anchored(majority, &draft.times, context.zone));
    let own = draft.frequency;
    if context.is_part && !context.declared && majority.is_none() && draft.times.len() < SURE_STAMPS {
        return Err(too_few(draft, context));
    }
    if !context.declared
        && (own.is_none() || draft.times.len() < SURE_STAMPS)
        && let Some(majority) = majority.filter(|majority| Some(*majority) != own)
        && let Ok(gridded) = gridded(draft, majority, context)
    {
        return Ok((gridded, true));
    }
    match own {
        Some(own) => gridded(draft, own, context).map(|gridded| (gridded, false)),
        None => Err(no_frequency(draft, context)),
    }
}

fn gridded(draft: &Draft, frequency: Frequency, context: &Context<'_>) -> Result<Gridded, Reason> {
    let times = &draft.times;
    let (first, last) = (times[0], times[times.len() - 1]);
    is_not_too_long(draft, frequency, context)?;
    let whole = Gridded { frequency, holes: None, observations: None };
    if matches!(frequency, Frequency::Fixed { micros } if even_step(times) == Some(micros)) {
        return Ok(whole);
    }
    let grid = frequency.grid(first, last, context.zone);
    match off_grid(times, &grid) {
        None if grid.len() == times.len() => Ok(whole),
        None => Ok(Gridded { holes: Some(with_holes(draft, grid)), ..whole }),
        Some(second) => {
            // Where all but the first row stand on one grid, the first is the stray.
            let without_first = || off_grid(&times[1..], &frequency.grid(times[1], last, context.zone));
            let stray = if times.len() > 2 && without_first().is_none() { 0 } else { second };
            let (place, time) =
                (context.rows.place(draft.rows.at(stray)), text_of_instant(times[stray], context.zone));
            let text = format!(
                "{place}: {time} does not stand on the grid of {frequency}; correct it, or give the step with --freq"
            );
            Err(Reason { kind: Kind::Frequency, text })
        }
    }
}

/// The means of the steps of a grid on which the times need not stand, and the observations.
fn at_any_times(draft: &Draft, frequency: Frequency, context: &Context<'_>) -> Result<Gridded, Reason> {
    is_not_too_long(draft, frequency, context)?;
    let observed = draft.times.iter().zip(&draft.values).filter(|(_, value)| !value.is_nan());
    let (times, values) = observed.map(|(time, value)| (*time, *value)).unzip();
    let observations = Observations::new(times, values);
    let Some((times, values)) = observations.on_grid(frequency, context.zone) else {
        let text = format!(
            "irregular times have no mean over steps of {frequency}; give a step of fixed length, of days or weeks \
             with --freq, such as 1h"
        );
        return Err(Reason { kind: Kind::Frequency, text });
    };
    let rows = values.iter().map(|value| !value.is_nan()).collect();
    Ok(Gridded { frequency, holes: Some(Holes { times, values, rows }), observations: Some(observations) })
}

/// Refuses a grid with far more steps than rows.
fn is_not_too_long(draft: &Draft, frequency: Frequency, context: &Context<'_>) -> Result<(), Reason> {
    let times = &draft.times;
    let (first, last) = (times[0], times[times.len() - 1]);
    let steps = frequency.steps_between(first, last);
    if steps > STEPS_FREE.max(SPARSE_MAX.saturating_mul(times.len() as i64)) {
        let far = far_off(times);
        let text = format!(
            "{}: {} stands so far from the other {} times that a grid of {frequency} would have about {steps} steps; \
             correct the time, or give --freq",
            context.rows.place(draft.rows.at(far)),
            text_of_instant(times[far], context.zone),
            times.len() - 1
        );
        return Err(Reason { kind: Kind::Frequency, text });
    }
    Ok(())
}

/// Index of the time next to the widest gap, on the side that has fewer times.
fn far_off(times: &[i64]) -> usize {
    let gap = |at: &usize| times[at + 1].saturating_sub(times[*at]);
    let before = (0..times.len().saturating_sub(1)).max_by_key(gap).unwrap_or_default();
    if before < times.len() / 2 { before } else { before + 1 }
}

/// Index of the first of the ascending times that is not on the ascending grid.
fn off_grid(times: &[i64], grid: &[i64]) -> Option<usize> {
    let mut steps = grid.iter();
    times.iter().position(|time| steps.by_ref().find(|step| *step >= time) != Some(time))
}

fn with_holes(draft: &Draft, grid: Vec<i64>) -> Holes {
    let mut values = vec![f64::NAN; grid.len()];
    let mut rows = vec![false; grid.len()];
    let mut at = 0;
    for (time, value) in draft.times.iter().zip(&draft.values) {
        while grid[at] < *time {
            at += 1;
        }
        values[at] = *value;
        rows[at] = true;
    }
    Holes { times: grid, values, rows }
}

fn gap_reason(
    quality: &Quality,
    frequency: Frequency,
    holes: &Holes,
    draft: &Draft,
    context: &Context<'_>,
) -> Reason {
    let hole = holes.rows.iter().position(|row| !row).unwrap_or_default();
    let place = context.rows.place(draft.rows.at(hole.saturating_sub(1)));
    let time = text_of_instant(holes.times[hole], context.zone);
    let count =
        if quality.gaps == 1 { String::new() } else { format!(", the first of {} holes", quality.gaps) };
    let text = format!(
        "{place}: no row for {time} follows on the grid of {frequency}{count}; add the rows, or set gaps = mask, zero, ffill, linear or seasonal"
    );
    Reason { kind: Kind::Gap, text }
}

/// What the other series say of a short one is not known within a part of them.
fn too_few(draft: &Draft, context: &Context<'_>) -> Reason {
    let rows = draft.times.len();
    let text = format!(
        "{}: {rows} {} too few to tell the step of a series whose neighbours are not known; give it with --freq",
        context.rows.place(draft.rows.at(0)),
        if rows == 1 { "row is" } else { "rows are" }
    );
    Reason { kind: Kind::Frequency, text }
}

fn no_frequency(draft: &Draft, context: &Context<'_>) -> Reason {
    let times = &draft.times;
    let text = if let [_] = times[..] {
        format!("{}: a single row tells no step; give it with --freq", context.rows.place(draft.rows.at(0)))
    } else {
        let step = most_common(times.windows(2).map(|pair| pair[1] - pair[0])).unwrap_or(1).max(1);
        let stray = times.iter().position(|time| (time - times[0]) % step != 0).unwrap_or(times.len() - 1);
        let named = |micros: i64| match micros % DAY {
            0 => Frequency::Days { days: micros / DAY },
            _ => Frequency::Fixed { micros },
        };
        let fine =
            times.windows(2).fold(0, |common, pair| greatest_common_divisor(common, pair[1] - pair[0]));
        let remedy = match fine >= SECOND {
            true => format!("resample, or give --freq {}, on which all stand with holes", named(fine)),
            false => "resample, or give --freq".to_owned(),
        };
        format!(
            "{}: {} fits no regular grid with the other {} times (the most common step is {}); {remedy}",
            context.rows.place(draft.rows.at(stray)),
            text_of_instant(times[stray], context.zone),
            times.len() - 1,
            named(step)
        )
    };
    Reason { kind: Kind::Frequency, text }
}

/// Length of the longest run of `true`.
fn longest_run(flags: impl Iterator<Item = bool>) -> usize {
    let (mut longest, mut run) = (0, 0);
    for flag in flags {
        run = if flag { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_off_the_grid() {
        assert_eq!(off_grid(&[0, 20, 30], &[0, 10, 20, 30]), None);
        assert_eq!(off_grid(&[0, 15, 30], &[0, 10, 20, 30]), Some(1));
        assert_eq!(off_grid(&[0, 40], &[0, 10]), Some(1));
    }

    #[test]
    fn the_time_far_from_the_others() {
        assert_eq!(far_off(&[0, 700, 701]), 0);
        assert_eq!(far_off(&[0, 1, 700]), 2);
        assert_eq!(far_off(&[0, 700]), 0);
    }

    #[test]
    fn runs() {
        assert_eq!(longest_run([true, false, true, true].into_iter()), 2);
        assert_eq!(longest_run([].into_iter()), 0);
    }
}
