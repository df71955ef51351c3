//! Hierarchies, panels and forecasts for the tests of this layer.

use super::{Hierarchy, Residuals};
use crate::series::{Forecasts, Panel, Series, SeriesForecast, Status};
use jiff::tz::TimeZone;
use ndarray::Array2;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;

pub const DAY: i64 = 86_400_000_000;

/// Numbers in [-1, 1).
pub fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || (rng.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A daily series that begins at a step.
pub fn series(keys: &[&str], begin: usize, values: &[f64]) -> Series {
    Series {
        covariates: Vec::new(),
        unique_id: keys.join("/"),
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        frequency: "1d".parse().unwrap(),
        times: (begin..begin + values.len()).map(|step| step as i64 * DAY).collect(),
        values: values.to_vec(),
        observations: None,
        filled: Vec::new(),
    }
}

pub fn panel(id_columns: &[&str], mut series: Vec<Series>) -> Panel {
    series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
    Panel {
        covariates: Vec::new(),
        id_columns: id_columns.iter().map(|&column| column.to_owned()).collect(),
        series,
        zone: TimeZone::UTC,
        marks: BTreeMap::new(),
    }
}

pub fn levels(of: &[&[&str]]) -> Vec<Vec<String>> {
    of.iter().map(|level| level.iter().map(|&column| column.to_owned()).collect()).collect()
}

/// Leaves that carry random values of three columns, with levels that nest or cross.
pub fn random(leaves: usize, seed: u64, is_nested: bool) -> Hierarchy {
    let mut draw = noise(seed);
    let mut pick = |count: f64| format!("{}", ((draw() + 1.0) * count / 2.0) as usize);
    let keys: Vec<Vec<String>> =
        (0..leaves).map(|leaf| vec![pick(3.0), format!("t{}", pick(4.0)), format!("i{leaf}")]).collect();
    let ids: Vec<String> = keys.iter().map(|keys| keys.join("/")).collect();
    let of: Vec<(&str, &[String])> =
        ids.iter().map(String::as_str).zip(keys.iter().map(Vec::as_slice)).collect();
    let columns = levels(&[&["region", "town", "item"]]).remove(0);
    let nested: &[&[&str]] = &[&["region"], &["region", "town"]];
    let crossed: &[&[&str]] = &[&["region"], &["town"], &["region", "town"]];
    Hierarchy::of_keys(&columns, &of, &levels(if is_nested { nested } else { crossed })).unwrap()
}

/// Forecasts of all nodes with points (N, H) and symmetric quantiles at 0.1, 0.5 and 0.9, `width` times the root of the
/// node's size apart.
pub fn forecasts(tree: &Hierarchy, points: &Array2<f64>, width: f64) -> Forecasts {
    let series = tree.by_id().map(|node| {
        let size = if node < tree.aggregates() { tree.members(node).len() } else { 1 };
        let spread = width * (size as f64).sqrt();
        let point = points.row(node).to_vec();
        SeriesForecast {
            reach: f64::INFINITY,
            unique_id: tree.id(node).to_owned(),
            keys: Vec::new(),
            cutoff: 0,
            times: (1..=point.len()).map(|step| step as i64 * DAY).collect(),
            quantiles: Array2::from_shape_fn((point.len(), 3), |(step, q)| {
                point[step] + spread * (q as f64 - 1.0)
            }),
            point,
            status: Status::Ok,
            model_id: "test".to_owned(),
            weights: Vec::new(),
        }
    });
    Forecasts { quantile_levels: vec![0.1, 0.5, 0.9], series: series.collect() }
}

/// Points (N, H) that do not add up, around sums that do.
pub fn incoherent(tree: &Hierarchy, horizon: usize, seed: u64) -> Array2<f64> {
    let mut draw = noise(seed);
    let leaves = Array2::from_shape_simple_fn((tree.leaves(), horizon), || 5.0 + 4.0 * draw());
    tree.sum(&leaves) + Array2::from_shape_simple_fn((tree.nodes(), horizon), &mut draw)
}

/// Errors of all nodes: those of leaves, their sums, and a little of their own.
pub fn residuals(tree: &Hierarchy, moments: usize, seed: u64) -> Residuals {
    let mut draw = noise(seed);
    let leaves = Array2::from_shape_simple_fn((tree.leaves(), moments), &mut draw);
    let own = Array2::from_shape_simple_fn((tree.nodes(), moments), || 0.3 * draw());
    Residuals { values: tree.sum(&leaves) + own }
}

/// Points by node (N, H).
pub fn points(tree: &Hierarchy, forecasts: &Forecasts) -> Array2<f64> {
    let horizon = forecasts.series[0].point.len();
    let mut points = Array2::zeros((tree.nodes(), horizon));
    for one in &forecasts.series {
        let node = tree.node(&one.unique_id).unwrap();
        points.row_mut(node).assign(&ndarray::ArrayView1::from(&one.point));
    }
    points
}
