//! The scores of a backtest for a person: best model first.

use crate::cli::args_backtest::By;
use crate::cli::backtest_json::parts;
use crate::cli::summary::{self, Page, count, day};
use crate::evaluation::backtest::ModelResult;
use crate::evaluation::score::Scores;
use crate::evaluation::spec::Refit;
use crate::model::spec::ModelKind;
use crate::pipeline::BacktestReport;
use crate::store::Place;

/// Rows of a breakdown, and notes of a model, that are shown before the rest is only counted.
const SHOWN: usize = 20;
const NOTES: usize = 2;

/// The summary of a backtest.
pub(super) fn page(report: &BacktestReport, by: &[By], file: Option<&Place>) -> String {
    let mut page = Page::default();
    summary::source(&mut page, &report.source);
    windows(&mut page, report);
    for note in &report.notes {
        page.line("Note", note);
    }
    page.row("");
    let models = best_first(report);
    table(&mut page, &models);
    for by in by {
        breakdown(&mut page, report, &models, *by);
    }
    for model in &models {
        served(&mut page, model);
    }
    if let Some(file) = file {
        page.line("Report", file);
    }
    if let Some(published) = &report.published {
        let (rows, size) = (count(published.rows, "row"), published.bytes.div_ceil(1024));
        page.line("Wrote", format!("{}: {rows}, {size} KiB", published.path));
        if let [first, second, ..] = models.as_slice() {
            let (file, first, second) = (&published.path, first.model.as_str(), second.model.as_str());
            page.line("Compare", format!("s4cast compare {file}:{first} :{second}"));
        }
    }
    page.text
}

fn windows(page: &mut Page, report: &BacktestReport) {
    let spec = &report.spec;
    let series = count(report.source.series - report.left_out.len(), "series");
    let apart = if spec.windows > 1 { format!(", {} apart", spec.step) } else { String::new() };
    let gap = if spec.gap > 0 { format!(" after a gap of {}", spec.gap) } else { String::new() };
    let windows = count(spec.windows, "window");
    page.line("Windows", format!("{windows} of {}{gap}{apart}, of {series}", count(spec.horizon, "step")));
    let cutoffs = match report.cutoffs.as_slice() {
        [] => return,
        [only] => format!("cutoff {}", day(*only)),
        [first, .., last] => format!("cutoffs {} to {}", day(*first), day(*last)),
    };
    let fitted = match spec.refit {
        _ if spec.windows == 1 => "fitted there".to_owned(),
        Refit::Always => "fitted at every one".to_owned(),
        Refit::Never => "fitted at the first one".to_owned(),
        Refit::Every(windows) => format!("fitted at every {windows} of them"),
    };
    page.line("", format!("{cutoffs}, {fitted}"));
    let seasons = report.seasons.iter().map(|(frequency, length)| match length {
        0 | 1 => format!("no season at step {frequency}"),
        length => format!("a season of {length} steps of {frequency}"),
    });
    page.line("", format!("scaled by seasonal naive: {}", seasons.collect::<Vec<_>>().join(", ")));
}

/// By MASE; models without one last, otherwise in the order asked for.
fn best_first(report: &BacktestReport) -> Vec<&ModelResult> {
    let mut models: Vec<&ModelResult> = report.models.iter().collect();
    let mase = |model: &ModelResult| model.tally.scores().mase.unwrap_or(f64::INFINITY);
    models.sort_by(|a, b| mase(a).total_cmp(&mase(b)));
    models
}

fn table(page: &mut Page, models: &[&ModelResult]) {
    let levels = models.first().map_or(Vec::new(), |model| model.tally.scores().coverage);
    let coverages: String =
        levels.iter().map(|(level, _)| format!("{:>8}", format!("in {level}%"))).collect();
    page.row(format!(
        "{:<16}{:>8}{:>8}{:>8}{:>8}{:>8}{coverages}{:>8}{:>9}",
        "model", "MASE", "RMSSE", "sMAPE", "WAPE", "WQL", "skill", "seconds"
    ));
    for model in models {
        let scores = model.tally.scores();
        let seconds = model.fit_seconds + model.predict_seconds;
        page.row(format!("{}{:>9}", row(model.model.as_str(), &scores), format!("{seconds:.1}")));
    }
    page.row("");
}

fn row(name: &str, scores: &Scores) -> String {
    let inside: String = scores.coverage.iter().map(|(_, share)| percent(Some(*share))).collect();
    format!(
        "{name:<16}{}{}{}{}{}{inside}{}",
        number(scores.mase, 3),
        number(scores.rmsse, 3),
        number(scores.smape, 2),
        number(scores.wape, 3),
        number(scores.wql, 3),
        percent(scores.skill),
    )
}

fn number(value: Option<f64>, decimals: usize) -> String {
    let text = value.filter(|value| value.is_finite()).map(|value| match value.abs() {
        1e4.. => format!("{value:.1e}"),
        _ => format!("{value:.decimals$}"),
    });
    format!("{:>8}", text.unwrap_or("-".into()))
}

fn percent(share: Option<f64>) -> String {
    let text = share.filter(|share| share.is_finite()).map(|share| format!("{:.1}%", 100.0 * share));
    format!("{:>8}", text.unwrap_or("-".into()))
}

/// MASE of every part under every model.
fn breakdown(page: &mut Page, report: &BacktestReport, models: &[&ModelResult], by: By) {
    let what = match by {
        By::Series => "series",
        By::Step => "step ahead",
        By::Segment => "segment",
    };
    let names: String = models.iter().map(|model| format!("{:>16}", model.model.as_str())).collect();
    page.row(format!("{:<16}{names}", format!("MASE by {what}")));
    let columns: Vec<Vec<(String, Scores)>> = models.iter().map(|model| parts(report, model, by)).collect();
    let rows = columns.first().map_or(0, Vec::len);
    for place in 0..rows.min(SHOWN) {
        let mase = |column: &Vec<(String, Scores)>| column.get(place).and_then(|(_, scores)| scores.mase);
        let cells: String =
            columns.iter().map(|column| format!("{:>16}", number(mase(column), 3).trim())).collect();
        page.row(format!("{:<16}{cells}", columns[0][place].0));
    }
    if rows > SHOWN {
        page.row(format!("and {} more; --json lists all", rows - SHOWN));
    }
    page.row("");
}

/// Who forecast in the name of a model, where that is not the model itself, and what went wrong.
fn served(page: &mut Page, model: &ModelResult) {
    let name = model.model.as_str();
    let others = model.served.iter().filter(|(served, _)| served.as_str() != name);
    let others: Vec<String> = others.map(|(served, forecasts)| format!("{forecasts} by {served}")).collect();
    if !others.is_empty() {
        page.line("Served", format!("forecasts of {name}: {}", others.join(", ")));
    }
    if model.model == ModelKind::Ensemble {
        page.line("Weights", format!("of {name}: {} on average", summary::weighed(&model.weights())));
    }
    for note in model.notes.iter().take(NOTES) {
        page.line("", format!("{name}, {note}"));
    }
    if model.notes.len() > NOTES {
        page.line("", format!("and {} more notes on {name}; --json lists all", model.notes.len() - NOTES));
    }
}
