//! What a benchmark found, for a person.

use crate::cli::summary::{Page, count};
use crate::cli::train::document::parameters;
use crate::cli::usage;
use crate::lab::{Experiment, Figures, Kind, Metric, Outcome, Report};
use serde_json::Value;

/// The settings as TOML.
pub(super) fn settings(resolved: &Value) -> String {
    toml::to_string(&without_nulls(resolved)).unwrap_or_else(|_| format!("{resolved:#}\n"))
}

/// TOML has no null: what is not set is not there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The report.
pub(super) fn report(experiment: &Experiment, report: &Report) -> String {
    let pipeline = &experiment.pipeline;
    let mut page = Page::default();
    let kind = match pipeline.kind() {
        Kind::Rolling { .. } => "every window of the test part, values scaled by the training part",
        Kind::OneOrigin { .. } => "one forecast per series",
        Kind::Holdout { .. } => "origins through the last rows, trained once before them",
    };
    page.line("Pipeline", format!("{}: {kind}", pipeline.name()));
    if !experiment.is_official {
        page.line("", "not the protocol as it is defined: stride, split or horizon was changed");
    }
    let (files, rows, series) = (count(report.files.len(), "file"), count(report.rows, "row"), report.series);
    page.line("Read", format!("{files}, {rows}, {series} series"));
    for outcome in &report.outcomes {
        trained(&mut page, outcome);
    }
    page.row("");
    table(&mut page, experiment, report);
    page.row("");
    cost(&mut page, report);
    for (published, with_quantiles) in report.outcomes.iter().filter_map(|outcome| outcome.saved.as_ref()) {
        let rows = count(published.rows, "row");
        let less =
            if *with_quantiles { "" } else { ", point forecasts alone: quantiles would take gigabytes" };
        page.line("Wrote", format!("{}: {rows}{less}", published.path));
    }
    page.text
}

fn trained(page: &mut Page, outcome: &Outcome) {
    let evaluation = &outcome.evaluation;
    let models: Vec<String> =
        evaluation.models.iter().map(|(model, forecasts)| format!("{forecasts} by {model}")).collect();
    let forecasts = models.join(", ");
    page.line(
        "Forecast",
        format!("{} steps from {}: {forecasts}", outcome.horizon, count(outcome.origins, "origin")),
    );
    if evaluation.fallbacks > 0 {
        let forecasts = count(evaluation.fallbacks, "forecast");
        page.line("", format!("{forecasts} made by seasonal naive in place of the model"));
    }
    if evaluation.unreached > 0 {
        let steps = count(evaluation.unreached, "step");
        page.line(
            "",
            format!("{steps} not scored: values before the origin are missing, forecasts end earlier"),
        );
    }
    for fit in outcome.fits.iter().filter(|fit| fit.budget_exhausted) {
        page.line("", format!("the budget ended the training of step {} early", fit.frequency));
    }
}

/// What stands below each model in the table.
const SEASONAL: &str = "season before";
const LAST: &str = "last value";

/// A line of the table: horizon, forecaster, figures.
type Row = (String, String, Vec<Option<f64>>);

fn table(page: &mut Page, experiment: &Experiment, report: &Report) {
    let metric = experiment.pipeline.metric();
    let levels = experiment.models.first().map_or(&[][..], |spec| spec.levels());
    let mut heads: Vec<String> = heads(metric).map(str::to_owned).to_vec();
    heads.extend(levels.iter().map(|level| format!("in {level} %")));
    let name = experiment.models.first().map_or("", |spec| spec.kind().as_str());
    let mut rows: Vec<Row> = Vec::new();
    for outcome in &report.outcomes {
        let horizon = outcome.horizon.to_string();
        rows.push((horizon, name.into(), figures(&outcome.model, metric, true)));
        rows.push((String::new(), SEASONAL.into(), figures(&outcome.seasonal_naive, metric, false)));
        rows.push((String::new(), LAST.into(), figures(&outcome.naive, metric, false)));
    }
    if report.outcomes.len() > 1 {
        let mean = |of: &dyn Fn(&Outcome) -> Vec<Option<f64>>| {
            (0..heads.len()).map(|at| report.mean(|outcome| of(outcome).get(at).copied().flatten())).collect()
        };
        rows.push(("mean".into(), name.into(), mean(&|outcome| figures(&outcome.model, metric, true))));
        let naive = mean(&|outcome| figures(&outcome.seasonal_naive, metric, false));
        rows.push((String::new(), SEASONAL.into(), naive));
        let naive = mean(&|outcome| figures(&outcome.naive, metric, false));
        rows.push((String::new(), LAST.into(), naive));
    }
    let cells: String = heads.iter().map(|head| format!("{head:>10}")).collect();
    page.row(format!("{:<9}{:<15}{cells}", "horizon", "forecaster"));
    for (horizon, forecaster, figures) in rows {
        let cell = |figure: &Option<f64>| figure.map_or(String::new(), |figure| format!("{figure:.4}"));
        let cells: String = figures.iter().map(|figure| format!("{:>10}", cell(figure))).collect();
        page.row(format!("{horizon:<9}{forecaster:<15}{cells}"));
    }
}

fn heads(metric: Metric) -> [&'static str; 4] {
    match metric {
        Metric::Mse => ["MSE", "MAE", "MASE", "CRPS"],
        Metric::Mase => ["MASE", "sMAPE", "MAE", "sCRPS"],
        Metric::Owa => ["OWA", "sMAPE", "MASE", "sCRPS"],
    }
}

/// The figures below [`heads`], and the share of values inside each interval; naive forecasts have points alone.
fn figures(Figures { scores, owa }: &Figures, metric: Metric, with_intervals: bool) -> Vec<Option<f64>> {
    let mut figures = match metric {
        Metric::Mse => vec![scores.mse, scores.mae, scores.mase, scores.crps],
        Metric::Mase => vec![scores.mase, scores.smape, scores.mae, scores.scaled_crps],
        Metric::Owa => vec![*owa, scores.smape, scores.mase, scores.scaled_crps],
    };
    if with_intervals {
        figures.extend(scores.coverage.iter().map(|(_, share)| Some(*share)));
    }
    figures
}

fn cost(page: &mut Page, report: &Report) {
    let sum = |of: fn(&Outcome) -> f64| report.outcomes.iter().map(of).sum::<f64>();
    let (fit, predict) =
        (sum(|outcome| outcome.fit_seconds), sum(|outcome| outcome.evaluation.predict_seconds));
    let parameters: usize = report.outcomes.iter().map(parameters).sum();
    page.line("Cost", format!("training {fit:.1} s, forecasting {predict:.1} s, {parameters} parameters"));
    let peak = usage::peak_mib().map(|peak| format!(", {peak:.0} MiB at the peak")).unwrap_or_default();
    page.line("", format!("{:.1} s of processor time{peak}", usage::cpu_seconds()));
}
