//! What the figures of a backtest say, in words.

use crate::evaluation::backtest::ModelResult;
use crate::evaluation::score::Scores;
use crate::evaluation::spec::Refit;
use crate::model::spec::ModelKind;
use crate::pipeline::BacktestReport;
use crate::plot::fan::unit;
use crate::plot::number::{separated, spoken};
use crate::plot::ticks::written;

/// The measures of the leaderboard: name, and what it is.
pub(super) const MEASURES: [(&str, &str); 7] = [
    (
        "MASE",
        "mean absolute scaled error: errors divided by those of seasonal naive within the history, averaged over the points of \
         a series, then over series. Below 1 is better than repeating the last season did in the past. Models are ordered by it.",
    ),
    ("RMSSE", "root mean squared scaled error: the same with squares, so large errors count more."),
    ("sMAPE", "symmetric mean absolute percentage error, 0 to 200: misleading where values are near zero."),
    (
        "WAPE",
        "weighted absolute percentage error: the sum of all errors in percent of the sum of all values.",
    ),
    (
        "WQL",
        "weighted quantile loss: how good the whole distribution is, by its nine deciles; lower is better.",
    ),
    (
        "skill",
        "how much less a model errs than seasonal naive on the same points: 1 − MASE / MASE of seasonal naive. Above 0 is better.",
    ),
    ("bias", "mean of forecast minus actual, in units of the target: above 0 forecasts are too high."),
];

/// Points of percent that a coverage may lie beside its promise without a word.
const TOLERANCE: f64 = 0.03;

/// What is said of a whole page in one line.
pub(super) fn title(report: &BacktestReport) -> String {
    let target = match report.source.roles.targets.as_slice() {
        [one] => format!(" of {one}"),
        _ => String::new(),
    };
    format!("Backtest{target}: {} ahead", counted(report.spec.horizon, "step"))
}

/// Models by MASE, the best first; those without one last.
pub(super) fn best_first(report: &BacktestReport) -> Vec<(&ModelResult, Scores)> {
    let mut models: Vec<(&ModelResult, Scores)> =
        report.models.iter().map(|model| (model, model.tally.scores())).collect();
    let mase = |scores: &Scores| scores.mase.unwrap_or(f64::INFINITY);
    models.sort_by(|a, b| mase(&a.1).total_cmp(&mase(&b.1)));
    models
}

/// How good the best model is.
pub(super) fn verdict(models: &[(&ModelResult, Scores)]) -> String {
    let Some((best, scores)) = models.first().filter(|(_, scores)| scores.mase.is_some()) else {
        return "No step of any window was observed, so nothing is scored.".into();
    };
    let name = best.model.as_str();
    let mase = spoken(scores.mase.unwrap_or(f64::NAN));
    if best.model == ModelKind::SeasonalNaive {
        return format!("No model beat seasonal naive, which has a MASE of {mase}.");
    }
    match scores.skill.map(|skill| (100.0 * skill).round()) {
        Some(percent) if percent >= 1.0 => {
            format!("{name} is best and errs {percent:.0} % less than seasonal naive (MASE {mase}).")
        }
        Some(percent) if percent <= -1.0 => {
            format!(
                "{name} is best, and errs {:.0} % more than seasonal naive on the points it forecast (MASE {mase}).",
                -percent
            )
        }
        Some(_) => format!("{name} is best, on a par with seasonal naive (MASE {mase})."),
        None => format!("{name} is best (MASE {mase}); seasonal naive makes no error to compare with."),
    }
}

/// What the skill of a model means.
pub(super) fn skill(model: ModelKind, scores: &Scores) -> String {
    match scores.skill.map(|skill| (100.0 * skill).round()) {
        _ if model == ModelKind::SeasonalNaive => "what all are held against".into(),
        Some(percent) if percent >= 1.0 => format!("errs {percent:.0} % less than seasonal naive"),
        Some(percent) if percent <= -1.0 => format!("errs {:.0} % more than seasonal naive", -percent),
        Some(_) => "on a par with seasonal naive".into(),
        None => "cannot be compared".into(),
    }
}

/// What was held of a promise of some percent.
pub(super) fn held(level: f64, share: f64) -> &'static str {
    match share - level / 100.0 {
        miss if miss < -TOLERANCE => "too narrow: it holds less than it promises",
        miss if miss > TOLERANCE => "wider than it promises",
        _ => "keeps its promise",
    }
}

/// What was done, in one sentence.
pub(super) fn done(report: &BacktestReport) -> String {
    let spec = &report.spec;
    let series = counted(report.source.series - report.left_out.len(), "series");
    let apart =
        if spec.windows > 1 { format!(", {} apart", counted(spec.step, "step")) } else { String::new() };
    let gap =
        if spec.gap > 0 { format!(" after a gap of {}", counted(spec.gap, "step")) } else { String::new() };
    let steps = report.gallery.iter().flat_map(|gallery| &gallery.exhibits).map(|one| one.frequency).next();
    let step = steps.map_or(String::new(), |step| format!(" (one {} each)", unit(step)));
    let fitted = match spec.refit {
        _ if spec.windows == 1 => "fitted there".to_owned(),
        Refit::Always => "fitted anew at every one".to_owned(),
        Refit::Never => "fitted once, at the first one".to_owned(),
        Refit::Every(windows) => format!("fitted at every {windows} of them"),
    };
    let day = |at: &i64| written(*at, &report.zone, true);
    let cutoffs = match report.cutoffs.as_slice() {
        [] => "no cutoff".to_owned(),
        [only] => format!("one cutoff, {}", day(only)),
        [first, .., last] => format!("{} cutoffs from {} to {}", report.cutoffs.len(), day(first), day(last)),
    };
    format!(
        "At {cutoffs}, models saw what was known by then, forecast {}{step}{gap}{apart} of {series}, and were held against what \
         came. They were {fitted}.",
        counted(spec.horizon, "step")
    )
}

/// A number with its noun.
pub(super) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 || noun.ends_with('s') { "" } else { "s" };
    format!("{} {noun}{plural}", separated(number as f64, 0))
}

/// A figure that may not be defined.
pub(super) fn figure(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or("–".into(), spoken)
}

/// A share in percent.
pub(super) fn percent(share: Option<f64>) -> String {
    let shown = |share: f64| format!("{:.1} %", 100.0 * share).replace('-', "−");
    share.filter(|share| share.is_finite()).map_or("–".into(), shown)
}
