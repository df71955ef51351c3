//! `s4cast data check` and `s4cast data show`.

use crate::cli::args::{DataCheck, DataShow};
use crate::cli::clock;
use crate::cli::clock::shown;
use crate::cli::error::CliError;
use crate::cli::summary::{self, Page, count, day};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, json, launch};
use crate::config::{self, Key, nearest};
use crate::ingest::{self, BadSeriesLimit, Ingested};
use crate::pipeline::{self, SourceReport};
use crate::publish;
use crate::series::Series;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of the head and of the tail that `data show` prints.
const SHOWN: usize = 5;

/// Checks every series. One that would be left out means exit code 65, unless a limit allows it.
pub(super) fn check(args: &DataCheck, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut settings = launch::settings(args.source.config.as_deref())?;
    args.source.apply(&mut settings);
    settings.flag(Key::Id, args.id.clone());
    settings.flag(Key::Quality, args.quality.clone());
    let launch = config::source(&settings)?;
    launch::limit_threads(launch.threads);
    launch::end_tidily();
    if let Some(path) = &launch.quality {
        publish::Outlet::open(path)?;
        pipeline::check_overwrites([path].into_iter(), launch.config_file.iter())?;
    }
    // The report must come out however many series are bad, so the limit is judged here.
    let limit = if launch.limit_given { launch.source.max_bad_series } else { BadSeriesLimit::Count(0) };
    let mut source = launch.source.at(clock::now());
    source.max_bad_series = BadSeriesLimit::All;
    let ingested = {
        let meter = terminal.meter();
        ingest::read_watched(&source, &|progress| meter.show(progress))?
    };
    if let Some(path) = &launch.quality {
        pipeline::check_overwrites([path].into_iter(), &ingested.files)?;
        publish::write_to(path, |file| publish::write_quality(file, &ingested.quality))?;
    }
    let bad = ingested.quality.len() - ingested.panel.series.len();
    let accepted = limit.allows(bad, ingested.quality.len());
    terminal.result(|| json::check(&ingested, accepted), || page(&ingested, accepted))?;
    Ok(if accepted { Exit::Ok } else { Exit::Data })
}

fn page(ingested: &Ingested, accepted: bool) -> String {
    let mut page = Page::default();
    summary::source(&mut page, &SourceReport::of(ingested));
    let mut steps: BTreeMap<String, usize> = BTreeMap::new();
    for series in &ingested.panel.series {
        *steps.entry(series.frequency.to_string()).or_default() += 1;
    }
    for (step, series) in steps {
        page.line("Step", format!("{step}: {}", count(series, "series")));
    }
    let sum = |value: fn(&crate::series::Quality) -> usize| ingested.quality.iter().map(value).sum::<usize>();
    let gaps = count(sum(|one| one.gaps), "gap");
    page.line(
        "Holes",
        format!("{gaps}, {} missing values, {} filled", sum(|one| one.missing), sum(|one| one.filled)),
    );
    page.line(
        "Verdict",
        match accepted {
            true => "ready to forecast",
            false => "not ready: see what is left out, and why; --max-bad-series allows some",
        },
    );
    page.text
}

/// Shows one series as it will be forecast.
pub(super) fn show(args: &DataShow, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut settings = launch::settings(args.source.config.as_deref())?;
    args.source.apply(&mut settings);
    settings.flag(Key::Id, args.id.clone());
    let launch = config::source(&settings)?;
    launch::limit_threads(launch.threads);
    launch::end_tidily();
    let ingested = {
        let meter = terminal.meter();
        ingest::read_watched(&launch.source.at(clock::now()), &|progress| meter.show(progress))?
    };
    let series = find(&ingested, args.series.as_deref())?;
    terminal.result(|| document(series), || portrait(series, ingested.panel.series.len()))?;
    Ok(Exit::Ok)
}

fn find<'a>(ingested: &'a Ingested, id: Option<&str>) -> Result<&'a Series, CliError> {
    let series = &ingested.panel.series;
    let Some(id) = id else {
        let message = "no usable series".to_string();
        return series.first().ok_or(CliError::Request { message, help: None });
    };
    series.iter().find(|one| one.unique_id == id).ok_or_else(|| {
        let left_out = SourceReport::of(ingested).quarantined.into_iter().find(|(bad, _)| bad == id);
        let ids = || series.iter().map(|one| one.unique_id.as_str());
        let help = match (left_out, nearest(id, ids())) {
            (Some((_, reasons)), _) => format!("it was left out: {}", reasons.join("; ")),
            (None, Some(nearest)) => format!("did you mean '{nearest}'?"),
            (None, None) => {
                let some: Vec<String> = ids().take(SHOWN).map(|id| format!("'{id}'")).collect();
                let more = if series.len() > SHOWN { ", …" } else { "" };
                format!("the series are {}{more}", some.join(", "))
            }
        };
        CliError::Request { message: format!("no usable series '{id}'"), help: Some(help) }
    })
}

/// Order statistics and moments of the observed values.
struct Statistics {
    observed: usize,
    missing: usize,
    min: f64,
    median: f64,
    mean: f64,
    max: f64,
    deviation: f64,
}

impl Statistics {
    fn of(series: &Series) -> Statistics {
        let mut values: Vec<f64> = series.values.iter().copied().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let observed = values.len();
        let share = 1.0 / observed as f64;
        // Shares first, sum later: gigantic values do not overflow.
        let mean: f64 = values.iter().map(|value| value * share).sum();
        let variance: f64 = values.iter().map(|value| (value - mean).powi(2) * share).sum();
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        Statistics {
            observed,
            missing: series.values.len() - observed,
            min: at(0),
            median: at(observed / 2) / 2.0 + at(observed.saturating_sub(1) / 2) / 2.0,
            mean,
            max: at(observed.saturating_sub(1)),
            deviation: variance.sqrt(),
        }
    }
}

/// First and last rows without overlap.
fn ends(series: &Series) -> [Vec<(i64, f64)>; 2] {
    let rows: Vec<(i64, f64)> = series.times.iter().copied().zip(series.values.iter().copied()).collect();
    let tail = rows.len().saturating_sub(SHOWN).max(SHOWN.min(rows.len()));
    [rows[..SHOWN.min(rows.len())].to_vec(), rows[tail..].to_vec()]
}

fn document(series: &Series) -> Value {
    let statistics = Statistics::of(series);
    let rows = |rows: Vec<(i64, f64)>| -> Vec<Value> {
        rows.into_iter().map(|(time, value)| json!({ "ds": shown(time), "y": value })).collect()
    };
    let [head, tail] = ends(series).map(rows);
    json!({
        "unique_id": series.unique_id,
        "freq": series.frequency.to_string(),
        "steps": series.times.len(),
        "observed": statistics.observed,
        "missing": statistics.missing,
        "first_ds": series.times.first().copied().map(shown),
        "last_ds": series.times.last().copied().map(shown),
        "min": statistics.min,
        "median": statistics.median,
        "mean": statistics.mean,
        "max": statistics.max,
        "std": statistics.deviation,
        "head": head,
        "tail": tail,
    })
}

fn portrait(series: &Series, all: usize) -> String {
    let mut page = Page::default();
    let Statistics { observed, missing, min, median, mean, max, deviation } = Statistics::of(series);
    page.line("Series", format!("{} (one of {all})", series.unique_id));
    page.line("Step", format!("{}, {}", series.frequency, count(series.times.len(), "step")));
    page.line("Values", format!("{observed} observed, {missing} missing"));
    let shown = [min, median, mean, max, deviation].map(rounded);
    let [min, median, mean, max, deviation] = shown;
    page.line("", format!("min {min}, median {median}, mean {mean}, max {max}, deviation {deviation}"));
    let [head, tail] = ends(series);
    for (heading, rows) in [("Head", head), ("Tail", tail)] {
        for (place, (time, value)) in rows.into_iter().enumerate() {
            let value = if value.is_nan() { "missing".into() } else { value.to_string() };
            page.line(if place == 0 { heading } else { "" }, format!("{:<22}{value}", day(time)));
        }
    }
    page.text
}

/// About six significant digits.
fn rounded(value: f64) -> String {
    let magnitude = value.abs().log10().floor();
    match magnitude {
        -4.0..6.0 => {
            let decimals = (5.0 - magnitude) as usize;
            let text = format!("{value:.decimals$}");
            if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
        }
        _ if value == 0.0 => "0".into(),
        _ => format!("{value:.5e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn series(values: &[f64]) -> Series {
        Series {
            unique_id: "a".into(),
            keys: Vec::new(),
            frequency: Frequency::Fixed { micros: 1_000_000 },
            times: (0..values.len() as i64).map(|step| step * 1_000_000).collect(),
            values: values.to_vec(),
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    #[test]
    fn statistics_ignore_what_was_not_observed() {
        let statistics = Statistics::of(&series(&[4.0, f64::NAN, 1.0, 3.0]));
        assert_eq!((statistics.observed, statistics.missing), (3, 1));
        assert_eq!((statistics.min, statistics.median, statistics.max), (1.0, 3.0, 4.0));
        assert!((statistics.mean - 8.0 / 3.0).abs() < 1e-12);
        let gigantic = Statistics::of(&series(&[1.7e308, 1.7e308]));
        assert_eq!((gigantic.median, gigantic.mean), (1.7e308, 1.7e308));
    }

    #[test]
    fn head_and_tail_do_not_repeat_a_row() {
        for (rows, want) in [(1, [1, 0]), (5, [5, 0]), (7, [5, 2]), (30, [5, 5])] {
            let ends = ends(&series(&vec![1.0; rows]));
            assert_eq!(ends.map(|rows| rows.len()), want, "{rows} rows");
        }
    }

    #[test]
    fn numbers_are_shown_to_six_digits() {
        let cases = [(67.759_999_999, "67.76"), (0.0, "0"), (120.0, "120"), (-0.001_234_567, "-0.00123457")];
        for (value, text) in cases {
            assert_eq!(rounded(value), text);
        }
        assert_eq!(rounded(1.7e308), "1.70000e308");
        assert_eq!(rounded(123_456.4), "123456");
    }
}
