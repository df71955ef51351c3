//! What a job did, in a dozen lines for a person who sees it for the first time.

use crate::cli::clock;
use crate::cli::error::plain;
use crate::ingest::Layout;
use crate::machine::Size;
use crate::model::rate::Rate;
use crate::model::report::{FitReport, HoldoutScore};
use crate::model::spec::ModelKind;
use crate::pipeline::memory_plan::MemoryReport;
use crate::pipeline::{CovariateReport, Delivered, JobReport, LoadReport, ScenarioReport, SourceReport};
use crate::series::Known;
use crate::store::Place;
use std::fmt::Display;

/// Lines of one kind that are shown before the rest is only counted.
const SHOWN: usize = 3;

/// Missing shards that are named before the rest is only counted.
const SHARDS_SHOWN: usize = 20;

/// The summary of a job.
pub(super) fn job(report: &JobReport) -> String {
    let mut page = Page::default();
    source(&mut page, &report.source);
    if let Some(from) = &report.loaded {
        loaded(&mut page, from, report);
    }
    for fit in report.fits.iter().take(SHOWN) {
        trained(&mut page, fit, report);
    }
    page.rest("Trained", report.fits.len(), "frequencies");
    for scenario in report.scenarios.iter().take(SHOWN) {
        page.line("What if", what_if(scenario));
    }
    page.rest("What if", report.scenarios.len(), "scenarios");
    memory(&mut page, &report.memory);
    wrote(&mut page, report);
    page.text
}

/// Where the model is from, and the steps that it is made to take.
fn loaded(page: &mut Page, from: &LoadReport, report: &JobReport) {
    let version = from
        .version
        .as_ref()
        .map_or(String::new(), |(job, version)| format!(", version {version} of job {job}"));
    let kind = report.model.kind().as_str();
    page.line("Loaded", format!("{}{version}: {kind}, trained before", from.path));
    page.line("", format!("weights {}", report.weights_sha256));
    for (found, rows) in from.matches.iter().filter(|(found, _)| found.rate != Rate::Same).take(SHOWN) {
        let (data, model, rate) = (found.data, found.model, found.rate);
        page.line("", format!("series of step {data} are {rate} of its step {model}: {rows} rows each"));
    }
}

/// The part about the data, shared with `data check`.
pub(super) fn source(page: &mut Page, source: &SourceReport) {
    let (files, rows, series) = (source.files.len(), source.rows, source.series);
    let span =
        source.span.map_or(String::new(), |(first, last)| format!(", {} to {}", day(first), day(last)));
    page.line(
        "Read",
        format!("{}, {}, {series} usable series{span}", count(files, "file"), count(rows, "row")),
    );
    if let Some(command) = &source.command {
        page.line("", format!("printed by {command}"));
    }
    page.line("", columns(source));
    for one in source.covariates.iter().take(SHOWN) {
        page.line("", format!("covariate {}", covariate(one)));
    }
    page.rest("", source.covariates.len(), "covariates");
    for (id, reasons) in source.quarantined.iter().take(SHOWN) {
        page.line("Left out", format!("series {id}: {}", reasons.join("; ")));
    }
    page.rest("Left out", source.quarantined.len(), "series");
    for file in source.skipped_files.iter().take(SHOWN) {
        page.line("Skipped", file);
    }
    page.rest("Skipped", source.skipped_files.len(), "files");
    for note in source.notes.iter().take(SHOWN) {
        page.line("Assumed", note);
    }
    page.rest("Assumed", source.notes.len(), "notes");
}

/// What a scenario changed, and what came of it.
fn what_if(scenario: &ScenarioReport) -> String {
    let changes = scenario.changes.join(", ");
    let (mean, plain) = (scenario.mean, scenario.plain_mean);
    let change = match scenario.change() {
        Some(change) => format!("{:+.1} %", change * 100.0),
        None => format!("{plain:.4} becomes {mean:.4}"),
    };
    format!("{} ({changes}): mean of all forecasts {change}", scenario.name)
}

fn columns(source: &SourceReport) -> String {
    let roles = &source.roles;
    let id = match roles.id.as_slice() {
        [] => String::new(),
        columns => format!(", id {}", columns.join(" + ")),
    };
    let targets = match (source.layout, roles.targets.as_slice()) {
        (Layout::Wide, targets) => format!("one series in each of {}", count(targets.len(), "column")),
        (Layout::Long, targets) => format!("target {}", targets.join(", ")),
    };
    format!("time {}{id}, {targets}", roles.time)
}

/// What a covariate is, and how much of it there is.
fn covariate(covariate: &CovariateReport) -> String {
    let known = match (covariate.known, covariate.ahead) {
        (Known::Past, _) => "known as far as the target".into(),
        (Known::Static, _) => "one value per series".into(),
        (Known::Future, (least, most)) if least == most => format!("known {} ahead", count(most, "step")),
        (Known::Future, (least, most)) => format!("known {least} to {most} steps ahead"),
    };
    let values = covariate.names.map_or("numbers".into(), |names| count(names, "name"));
    let missing = match covariate.missing {
        0 => String::new(),
        missing => format!(", {missing} missing"),
    };
    format!("{}: {values}, {known}{missing}", covariate.name)
}

fn trained(page: &mut Page, fit: &FitReport, report: &JobReport) {
    let season = match fit.season_length {
        0 | 1 => "no season".into(),
        length => format!("season of {length} steps"),
    };
    let group = format!("{} of step {}, {season}", count(fit.series, "series"), fit.frequency);
    if fit.lookbacks.is_empty() {
        page.line("Model", format!("{} for {group}; nothing to train", fit.model_id));
    } else {
        let lookbacks: Vec<String> = fit.lookbacks.iter().map(usize::to_string).collect();
        let seconds = report.seconds.iter().find(|(stage, _)| *stage == "train").map_or(0.0, |(_, s)| *s);
        let space = if fit.log_space { ", on the logarithm" } else { "" };
        page.line("Trained", format!("{} for {group}, in {seconds:.1} s", fit.model_id));
        let lookbacks = lookbacks.join(", ");
        page.line("", format!("looks back {lookbacks} steps, {} parameters{space}", fit.parameters));
        if let Some(verdict) = gate(fit, report.model.kind()) {
            page.line("", verdict);
        }
    }
    if report.model.kind() == ModelKind::Ensemble {
        page.line("", format!("forecasts are {} on average", weighed(&fit.weights)));
    }
    if fit.fallbacks > 0 {
        page.line("", format!("{} fell back to seasonal naive", count(fit.fallbacks, "series")));
    }
    if fit.budget_exhausted {
        page.line("", "the time budget ended training early; the best model so far forecasts");
    }
    for note in fit.notes.iter().take(SHOWN) {
        page.line("", note);
    }
    match &fit.holdout {
        Some(score) => scored(page, score),
        None => page.line("Scored", "not at all: the series are too short to hold a tail back"),
    }
}

/// Models and how much they count, in words: `55 % s4d, 30 % ets`.
pub(super) fn weighed<S: Display>(weights: &[(S, f64)]) -> String {
    let one = |(name, weight): &(S, f64)| format!("{:.0} % {name}", 100.0 * weight);
    weights.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What the exam of the network decided, in words; nothing where no network was asked for.
fn gate(fit: &FitReport, kind: ModelKind) -> Option<&'static str> {
    match kind {
        ModelKind::Auto if fit.model_id == ModelKind::Counts.as_str() => {
            Some("the series are counts, and their distribution forecast them better on unseen data")
        }
        ModelKind::Auto if fit.steps_tried == 0 => {
            Some("there was no time to train a network, so the linear base forecasts alone")
        }
        ModelKind::Auto if fit.steps == 0 || fit.gate <= 0.0 => {
            Some("the network did not beat the linear base on unseen data, so the base forecasts alone")
        }
        ModelKind::Auto if fit.gate < 1.0 => {
            Some("networks improved on the linear base on unseen data and forecast together with it")
        }
        ModelKind::Auto => {
            Some("networks improved on the linear base on unseen data and forecast in its place")
        }
        ModelKind::S4d | ModelKind::S4 | ModelKind::Sashimi if fit.gate <= 0.0 => {
            Some("no network improved on the linear base, so the base forecasts alone")
        }
        ModelKind::S4d => Some("the network corrects the linear base, as asked for with --model s4d"),
        ModelKind::S4 => Some("the network corrects the linear base, as asked for with --model s4"),
        ModelKind::Sashimi => Some("the network corrects the linear base, as asked for with --model sashimi"),
        _ => None,
    }
}

/// The scores; percentage errors only where no actual is zero or negative, for they mislead there.
fn scored(page: &mut Page, score: &HoldoutScore) {
    let (mase, naive) = (score.mase, score.mase_seasonal_naive);
    let against = match (1.0 - mase / naive) * 100.0 {
        gain if !gain.is_finite() => {
            "no comparison with seasonal naive, which errs by nothing measurable".into()
        }
        gain if gain.abs() < 0.5 => "on a par with seasonal naive".into(),
        gain if gain > 0.0 => format!("{gain:.0} % better than seasonal naive"),
        loss => format!("{:.0} % worse than seasonal naive", -loss),
    };
    let steps = score.origins * score.horizon;
    let forecasts =
        if score.origins > 1 { format!(" in {} forecasts", score.origins) } else { String::new() };
    let tail = format!("last {steps} steps of {}{forecasts}", count(score.series, "series"));
    page.line("Scored", format!("{tail}, held back: {against}"));
    let pair = |name: &str, own: f64, naive: f64, unit: &str| match own.is_finite() && naive.is_finite() {
        true => format!("{name} {own:.2}{unit} (naive {naive:.2}{unit})"),
        false => format!("{name} not defined"),
    };
    let mut scores = pair("MASE", mase, naive, "");
    if let (Some(own), Some(naive)) = (score.smape, score.smape_seasonal_naive) {
        scores += &format!(", {}", pair("sMAPE", own, naive, " %"));
    }
    page.line("", scores);
    let coverage: Vec<String> = score
        .coverage
        .iter()
        .map(|(level, share)| format!("the {level} % interval held {:.0} %", share * 100.0))
        .collect();
    if !coverage.is_empty() {
        page.line("", format!("{} of the values", coverage.join(", ")));
    }
}

/// What memory was taken, where a limit was asked for or the series did not fit at once.
pub(super) fn memory(page: &mut Page, memory: &MemoryReport) {
    if !memory.is_limited && memory.chunks <= 1 {
        return;
    }
    let taken = memory.peak_bytes.map_or(String::new(), |peak| format!("{} taken, ", Size(peak)));
    let limit = memory.limit_bytes.map_or(String::new(), |limit| format!(" of {} allowed", Size(limit)));
    let chunks = match memory.chunks {
        0 | 1 => String::new(),
        chunks => format!("; the series were forecast in {chunks} parts, one after the other"),
    };
    page.line("Memory", format!("{taken}{} planned{limit}{chunks}", Size(memory.planned_bytes)));
}

fn wrote(page: &mut Page, report: &JobReport) {
    let published = &report.published;
    let path = &published.path;
    let statuses: Vec<String> =
        report.statuses.iter().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
    let size = published.bytes.div_ceil(1024);
    let rows = count(published.rows, "row");
    page.line("Wrote", format!("{path}: {rows}, {size} KiB, series by status: {}", statuses.join(", ")));
    for extra in [&report.saved_model, &report.quality].into_iter().flatten() {
        page.line("", extra);
    }
    match &report.delivered {
        Some(delivered) => page.line("Run", parts(report, delivered)),
        None => page.line("Read it", read_it(&published.path)),
    }
}

/// How far the run of several shards is.
fn parts(report: &JobReport, delivered: &Delivered) -> String {
    let (shard, folder, run_id) = (delivered.shard, &delivered.folder, &report.moment.run_id);
    match report.missing_shards() {
        [] => format!(
            "{run_id} is committed in {folder}, with the parts of all {}",
            count(shard.count() as usize, "shard")
        ),
        missing => {
            let first: Vec<String> = missing.iter().take(SHARDS_SHOWN).map(u32::to_string).collect();
            let more = missing.len().saturating_sub(SHARDS_SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let plural = if missing.len() == 1 { "shard" } else { "shards" };
            format!("{run_id} in {folder} waits for {plural} {}{more} of {}", first.join(", "), shard.count())
        }
    }
}

/// A command that shows the forecasts.
fn read_it(path: &Place) -> String {
    let path = path.to_string().replace('\'', "''");
    format!("duckdb -c \"select unique_id, ds, yhat, yhat_lower, yhat_upper from '{path}'\"")
}

/// Lines with a heading in front.
#[derive(Default)]
pub(super) struct Page {
    pub text: String,
}

impl Page {
    /// Adds a line; an empty heading continues the one above.
    pub fn line(&mut self, heading: &str, line: impl Display) {
        let line = line.to_string();
        self.text.push_str(&format!("{heading:<10}{}\n", plain(&line)));
    }

    /// Adds a line without room for a heading.
    pub fn row(&mut self, line: impl Display) {
        self.text.push_str(&format!("{}\n", plain(line.to_string().trim_end())));
    }

    fn rest(&mut self, heading: &str, all: usize, what: &str) {
        if all > SHOWN {
            self.line(heading, format!("and {} more {what}; --json lists all", all - SHOWN));
        }
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 || noun.ends_with('s') { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A timestamp; midnight is left out.
pub(super) fn day(micros: i64) -> String {
    let text = clock::shown(micros);
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_put_in_words() {
        let score = HoldoutScore {
            series: 1,
            horizon: 12,
            origins: 1,
            mase: 0.75,
            mase_seasonal_naive: 1.0,
            smape: Some(4.0),
            smape_seasonal_naive: Some(6.0),
            coverage: vec![(80.0, 0.83)],
        };
        let mut page = Page::default();
        scored(&mut page, &score);
        assert!(page.text.contains("held back: 25 % better than seasonal naive"), "{}", page.text);
        assert!(page.text.contains("the 80 % interval held 83 %"), "{}", page.text);
        let mut worse = Page::default();
        scored(&mut worse, &HoldoutScore { mase: 1.5, smape: None, ..score.clone() });
        assert!(!worse.text.contains("sMAPE"), "{}", worse.text);
        let mut equal = Page::default();
        scored(&mut equal, &HoldoutScore { mase: 1.0, ..score.clone() });
        assert!(equal.text.contains("on a par"), "{}", equal.text);
        assert!(worse.text.contains("50 % worse"), "{}", worse.text);
        let mut exact = Page::default();
        let perfect = HoldoutScore { mase: 0.0, mase_seasonal_naive: 0.0, smape: Some(f64::NAN), ..score };
        scored(&mut exact, &perfect);
        assert!(
            exact.text.contains("no comparison") && exact.text.contains("sMAPE not defined"),
            "{}",
            exact.text
        );
    }

    #[test]
    fn small_words() {
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(2, "row"), "2 rows");
        assert_eq!(count(2, "series"), "2 series");
        assert_eq!(day(0), "1970-01-01");
        assert!(read_it(&Place::Local("it's.parquet".into())).contains("'it''s.parquet'"));
    }
}
