//! The pictures of the page.

use crate::evaluation::backtest::ModelResult;
use crate::evaluation::score::Scores;
use crate::model::spec::ModelKind;
use crate::pipeline::{BacktestReport, Exhibit, Windowed};
use crate::plot::paint::inline;
use crate::plot::{
    Band, Chart, Dash, Fan, Figure, Ink, Layer, Mark, PlotError, SeriesPicture, Sheet, Theme, XAxis,
    zone_name,
};

/// Size of a picture and of its letters, in pixels; two stand beside each other on a wide screen.
const SIZE: (u32, u32) = (600, 370);
const LETTER: f64 = 14.0;

/// Models that are drawn; the table has all.
const MODELS: usize = 7;

fn sheet(title: String, description: String, chart: Chart) -> Sheet {
    Sheet { title, description, charts: vec![chart], size: SIZE, theme: Theme::Light, letter: Some(LETTER) }
}

/// The line of a model, by its place in the leaderboard.
fn line(model: ModelKind, place: usize, points: Vec<(i64, f64)>) -> Layer {
    let (ink, dash) = match (model, place) {
        (ModelKind::SeasonalNaive, _) => (Ink::Observed, Dash::Dashed),
        (_, 0) => (Ink::Forecast, Dash::Solid),
        (_, place) => {
            let number = u8::try_from(place - 1).unwrap_or(0);
            (Ink::Other(number), [Dash::Solid, Dash::DashDot, Dash::Dotted][place % 3])
        }
    };
    let width = if place == 0 { 2.0 } else { 1.4 };
    Layer { name: Some(model.as_str().into()), ink, figure: Figure::Line { points, dash, width } }
}

/// The best models and seasonal naive, with their places.
fn drawn<'a, 'b>(
    models: &'b [(&'a ModelResult, Scores)],
) -> impl Iterator<Item = (usize, &'a ModelResult)> + 'b {
    let all = models.iter().enumerate().map(|(place, (model, _))| (place, *model));
    all.filter(|(place, model)| *place < MODELS || model.model == ModelKind::SeasonalNaive)
}

/// Loss of each model by step ahead.
pub(super) fn by_step(
    report: &BacktestReport,
    models: &[(&ModelResult, Scores)],
) -> Result<String, PlotError> {
    let layers = drawn(models).map(|(place, model)| {
        let steps = (report.spec.gap as i64 + 1..).zip(model.tally.by_step());
        line(model.model, place, steps.filter_map(|(step, scores)| Some((step, scores.mase?))).collect())
    });
    let chart = Chart {
        title: String::new(),
        x: XAxis::Count,
        x_title: "steps ahead".into(),
        y_title: "scaled error (MASE)".into(),
        layers: layers.collect(),
        marks: Vec::new(),
    };
    inline(&sheet(
        "Loss by step ahead".into(),
        "Mean absolute scaled error of every model by step ahead.".into(),
        chart,
    ))
}

/// Loss of each model by cutoff.
pub(super) fn by_cutoff(
    report: &BacktestReport,
    models: &[(&ModelResult, Scores)],
) -> Result<String, PlotError> {
    let layers = drawn(models).map(|(place, model)| {
        let own = report.losses.iter().filter(|loss| loss.model == model.model);
        let points =
            own.filter_map(|loss| Some((*report.cutoffs.get(loss.window.checked_sub(1)?)?, loss.mase)));
        line(model.model, place, points.collect())
    });
    let chart = Chart {
        title: String::new(),
        x: XAxis::Time(report.zone.clone()),
        x_title: format!("cutoff ({})", zone_name(&report.zone)),
        y_title: "scaled error".into(),
        layers: layers.collect(),
        marks: Vec::<Mark>::new(),
    };
    inline(&sheet(
        "Loss by cutoff".into(),
        "Mean absolute scaled error of every model by cutoff.".into(),
        chart,
    ))
}

/// Forecasts of one series over what was observed.
pub(super) fn exhibit(report: &BacktestReport, exhibit: &Exhibit) -> Result<String, PlotError> {
    let fan = |window: &Windowed| Fan {
        scenario: None,
        cutoff: window.cutoff,
        times: window.times.clone(),
        point: window.point.clone(),
        is_median: false,
        bands: window
            .intervals
            .iter()
            .map(|(level, lower, upper)| Band { level: *level, lower: lower.clone(), upper: upper.clone() })
            .collect(),
    };
    let target = match report.source.roles.targets.as_slice() {
        [one] => one.clone(),
        _ => "value".into(),
    };
    let picture = SeriesPicture {
        unique_id: exhibit.unique_id.clone(),
        y_title: target,
        frequency: Some(exhibit.frequency),
        zone: report.zone.clone(),
        observed: exhibit.observed.clone(),
        fans: exhibit.windows.iter().map(fan).collect(),
    };
    inline(&sheet(exhibit.unique_id.clone(), picture.described(), picture.chart()))
}
