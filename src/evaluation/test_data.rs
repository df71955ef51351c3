//! Small panels and backtests.

use crate::evaluation::spec::{Align, BacktestSpec, Refit};
use crate::model::spec::{ModelKind, ModelSpec, RawModelSpec};
use crate::series::{Frequency, Panel, Series, civil};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

pub(super) const DAY: i64 = civil::DAY;

/// A daily series whose first value is that of day `start`.
pub(super) fn series(unique_id: &str, start: i64, values: Vec<f64>) -> Series {
    Series {
        unique_id: unique_id.into(),
        keys: vec![unique_id.into()],
        frequency: Frequency::Days { days: 1 },
        times: (start..).take(values.len()).map(|day| day * DAY).collect(),
        values,
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    }
}

pub(super) fn panel(series: Vec<Series>) -> Panel {
    Panel {
        id_columns: vec!["meter".into()],
        series,
        zone: TimeZone::UTC,
        marks: BTreeMap::new(),
        covariates: Vec::new(),
    }
}

/// So many windows of so many steps, one after the other, of three models with a weekly season.
pub(super) fn spec(windows: usize, horizon: usize) -> BacktestSpec {
    let raw = RawModelSpec { season_length: Some(7), ..RawModelSpec::new("ridge", horizon) };
    let ridge = ModelSpec::try_from(raw).expect("valid");
    let kinds = [ModelKind::Ridge, ModelKind::Naive, ModelKind::SeasonalNaive];
    BacktestSpec {
        models: kinds.map(|kind| ridge.of_kind(kind)).into(),
        horizon,
        gap: 0,
        windows,
        step: horizon,
        refit: Refit::Always,
        align: Align::Calendar,
        sliding: None,
    }
}
