//! `s4cast compare`.

use crate::cli::args_backtest::{Compare, LossName};
use crate::cli::error::CliError;
use crate::cli::summary::{Page, count};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::evaluation::compare::Verdict;
use crate::model::report::Progress;
use crate::pipeline::{self, CompareJob, CompareReport, Loss};
use serde_json::{Value, json};

/// Compares two models and prints which one is better, if that can be told.
pub(super) fn run(args: &Compare, terminal: &Terminal) -> Result<Exit, CliError> {
    let a = pipeline::contender(&args.a, None);
    let b = pipeline::contender(&args.b, Some(&a));
    launch::within_fence([a.path.as_path(), b.path.as_path()])?;
    let loss = match args.loss {
        LossName::Mae => Loss::Mae,
        LossName::Mse => Loss::Mse,
        LossName::Pinball => Loss::Pinball,
    };
    let report = {
        let meter = terminal.meter();
        meter.show(Progress::begun("comparing"));
        pipeline::compare(&CompareJob { contenders: [a, b], loss, seed: args.seed })?
    };
    terminal.result(|| document(&report, loss), || page(&report, loss))?;
    Ok(Exit::Ok)
}

fn document(report: &CompareReport, loss: Loss) -> Value {
    let CompareReport { names: [a, b], comparison, overlap } = report;
    json!({
        "a": { "name": a, "loss": comparison.means[0] },
        "b": { "name": b, "loss": comparison.means[1] },
        "loss": loss.as_str(),
        "difference": comparison.difference,
        "interval": comparison.interval,
        "diebold_mariano": comparison.diebold_mariano.map(|test| {
            json!({ "statistic": test.statistic, "p_value": test.p_value })
        }),
        "p_value": comparison.p_value,
        "verdict": match comparison.verdict {
            Verdict::First => "a",
            Verdict::Second => "b",
            Verdict::Neither => "none",
        },
        "points": comparison.points,
        "series": comparison.series,
        "windows": comparison.windows,
        "overlap": overlap,
    })
}

fn page(report: &CompareReport, loss: Loss) -> String {
    let CompareReport { names: [a, b], comparison, .. } = report;
    let mut page = Page::default();
    let name = match loss {
        Loss::Mae => "absolute error",
        Loss::Mse => "squared error",
        Loss::Pinball => "pinball loss",
    };
    let (series, windows) = (count(comparison.series, "series"), count(comparison.windows, "window"));
    page.line(
        "Compared",
        format!("{name}, scaled, of {} in {series} and {windows}", count(comparison.points, "point")),
    );
    let width = a.len().max(b.len());
    for (heading, name, mean) in [("A", a, comparison.means[0]), ("B", b, comparison.means[1])] {
        page.line(heading, format!("{name:<width$}  {mean:.4}"));
    }
    let interval =
        comparison.interval.map_or("too few series and windows for an interval".into(), |[low, high]| {
            format!("95 % interval {low:+.4} to {high:+.4}")
        });
    page.line("A − B", format!("{:+.4}, {interval}", comparison.difference));
    if let Some(test) = comparison.diebold_mariano {
        page.line("Test", format!("Diebold-Mariano {:+.2}, p = {:.4}", test.statistic, test.p_value));
    }
    let p_value = comparison.p_value.map_or(String::new(), |p_value| format!(" (p = {p_value:.4})"));
    page.line(
        "Verdict",
        match comparison.verdict {
            Verdict::First => format!("{a} is better{p_value}"),
            Verdict::Second => format!("{b} is better{p_value}"),
            Verdict::Neither => format!("no difference shown{p_value}"),
        },
    );
    page.text
}
