//! Forecasts: what model, evaluation, publication and serving share.

use ndarray::Array2;

/// How a forecast came about, as published in the `status` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The requested model forecast this series.
    Ok,
    /// The series could not feed the model, or looks wrong; seasonal naive stands in.
    Fallback,
    /// The model forecast it, from incomplete input.
    Degraded,
    /// The series is new to the model.
    ColdStart,
    /// The series ends well before the others.
    Stale,
}

impl Status {
    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Fallback => "fallback",
            Status::Degraded => "degraded",
            Status::ColdStart => "cold_start",
            Status::Stale => "stale",
        }
    }
}

/// Forecast of one series from one cutoff.
#[derive(Clone, Debug)]
pub struct SeriesForecast {
    /// Composed id, as in the panel.
    pub unique_id: String,
    /// Values of the id columns.
    pub keys: Vec<String>,
    /// Timestamp of the last observation used, microseconds UTC.
    pub cutoff: i64,
    /// Target timestamps (T), microseconds UTC.
    pub times: Vec<i64>,
    /// Point forecast (T), the median.
    pub point: Vec<f64>,
    /// Quantile forecasts (T, Q), never decreasing along Q.
    pub quantiles: Array2<f64>,
    /// How far a quantile may lie from the median; infinite where nothing is known of that.
    pub reach: f64,
    /// How it came about.
    pub status: Status,
    /// Which model made it (`s4d`, `ridge`, `seasonal_naive`, …).
    pub model_id: String,
    /// Models that it is an average of with their weights, which add up to 1; the heaviest first. Empty where nobody says.
    pub weights: Vec<(String, f64)>,
}

impl SeriesForecast {
    /// The weights as published: `s4d:0.55,ets:0.3`; `None` where nobody says.
    pub fn weights_text(&self) -> Option<String> {
        let one = |(name, weight): &(String, f64)| format!("{name}:{}", (weight * 1e4).round() / 1e4);
        let all: Vec<String> = self.weights.iter().map(one).collect();
        (!all.is_empty()).then(|| all.join(","))
    }
}

/// What would be forecast if covariates were other than planned.
#[derive(Clone, Debug)]
pub struct ScenarioForecasts {
    /// Name of the scenario, as published in the `scenario` column; never empty.
    pub name: String,
    /// Forecasts of the same series, steps and quantile levels as without it.
    pub forecasts: Forecasts,
}

/// A row of quantiles (Q), none of them further than `reach` from the median, which is at that index.
pub fn within(reach: f64, median: usize, row: &mut [f64]) {
    let middle = row[median];
    row.iter_mut().for_each(|value| *value = value.max(middle - reach).min(middle + reach));
}

/// Forecasts of a whole panel.
#[derive(Clone, Debug)]
pub struct Forecasts {
    /// Quantile levels (Q), ascending, each in (0, 1).
    pub quantile_levels: Vec<f64>,
    /// One entry per series, ascending by `unique_id`.
    pub series: Vec<SeriesForecast>,
}
