//! What does reconciling 100 000 series cost, and what share of values do reconciled intervals hold?
//!
//! `cargo bench --bench hierarchy -- cost LEAVES METHOD nested|crossed paths|shift` builds daily series of four id columns,
//! sums them, reconciles 28 steps of 11 quantiles and prints seconds and peak memory.
//! `cargo bench --bench hierarchy -- coverage MOMENTS FACTOR [skewed]` repeats one step of 120 leaves 300 times, whose base
//! forecasts miss by noise of their own; errors share a factor of each region and of all.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::tz::TimeZone;
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use s4cast::hierarchy::{Evidence, Hierarchy, Quantiles, Reconciliation, Residuals, reconcile};
use s4cast::series::{Forecasts, Panel, Series, SeriesForecast, Status, metric};

const DAY: i64 = 86_400_000_000;
const DAYS: usize = 120;
const HORIZON: usize = 28;
const LEVELS: [f64; 9] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["cost", leaves, method, levels, quantiles] => {
            cost(leaves.parse().expect("a number"), method, levels == "crossed", quantiles)
        }
        ["coverage", moments, factor, ..] => {
            coverage(moments.parse().expect("a number"), factor.parse().expect("a number"), words.len() > 3)
        }
        _ => cost(10_000, "wls_var", false, "paths"),
    }
}

fn levels(of: &[&[&str]]) -> Vec<Vec<String>> {
    of.iter().map(|level| level.iter().map(|column| (*column).to_owned()).collect()).collect()
}

/// Uniform numbers in (0, 1).
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Largest memory of this process so far, MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn cost(leaves: usize, method: &str, is_crossed: bool, quantiles: &str) {
    let mut draw = uniform(1);
    let mut one = |leaf: usize| {
        let (store, dept, item) = (leaf % 500, leaf / 500 % 20, leaf / 500);
        let keys = vec![
            format!("S{:02}", leaf % 20),
            format!("s{store:03}"),
            format!("d{dept:02}"),
            format!("i{item}"),
        ];
        let size = 1.0 + 20.0 * draw();
        Series {
            covariates: Vec::new(),
            unique_id: keys.join("/"),
            keys,
            frequency: "1d".parse().expect("a frequency"),
            times: (0..DAYS).map(|step| step as i64 * DAY).collect(),
            values: (0..DAYS).map(|_| size * (0.5 + draw())).collect(),
            observations: None,
            filled: Vec::new(),
        }
    };
    let mut series: Vec<Series> = (0..leaves).map(&mut one).collect();
    series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
    let id_columns = levels(&[&["state", "store", "dept", "item"]]).remove(0);
    let panel =
        Panel { id_columns, covariates: Vec::new(), series, zone: TimeZone::UTC, marks: BTreeMap::new() };
    let nested: &[&[&str]] = &[&["state"], &["state", "store"], &["state", "store", "dept"]];
    let crossed: &[&[&str]] =
        &[&["state"], &["state", "store"], &["dept"], &["state", "dept"], &["state", "item"], &["item"]];
    let begin = Instant::now();
    let tree =
        Hierarchy::new(&panel, &levels(if is_crossed { crossed } else { nested })).expect("a hierarchy");
    let all = tree.aggregate(panel).expect("one grid");
    let residuals = Residuals::seasonal_naive(&tree, &all, 7, 64);
    println!("{} nodes, built and summed in {:.1} s", tree.nodes(), begin.elapsed().as_secs_f64());
    let quantile_levels: Vec<f64> = (0..11).map(|at| 0.05 + 0.09 * f64::from(at)).collect();
    let base = |one: &Series| {
        let mean = one.values.iter().sum::<f64>() / DAYS as f64;
        let spread =
            (one.values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / DAYS as f64).sqrt();
        let point: Vec<f64> = (0..HORIZON).map(|_| mean + 0.2 * spread * (draw() - 0.5)).collect();
        let quantile = |(step, at): (usize, usize)| point[step] + 3.0 * spread * (quantile_levels[at] - 0.5);
        SeriesForecast {
            reach: f64::INFINITY,
            unique_id: one.unique_id.clone(),
            keys: one.keys.clone(),
            cutoff: DAYS as i64 * DAY,
            times: (1..=HORIZON).map(|step| (DAYS + step) as i64 * DAY).collect(),
            quantiles: Array2::from_shape_fn((HORIZON, 11), quantile),
            point,
            status: Status::Ok,
            model_id: "bench".to_owned(),
            weights: Vec::new(),
        }
    };
    let series = all.series.iter().map(base).collect();
    let base = Forecasts { quantile_levels, series };
    println!("data and base forecasts: {} MiB", peak_mib());
    let quantiles = if quantiles == "paths" { Quantiles::default() } else { Quantiles::Shift };
    let how = Reconciliation { method: method.parse().expect("a method"), is_nonnegative: false, quantiles };
    let begin = Instant::now();
    let evidence = Evidence { residuals: Some(&residuals), history: Some(&all) };
    let done = reconcile(&tree, base, evidence, &how).expect("reconciled");
    println!(
        "{method}: {:.1} s, peak {} MiB, {} series",
        begin.elapsed().as_secs_f64(),
        peak_mib(),
        done.series.len()
    );
}

fn coverage(moments: usize, factor: f64, is_skewed: bool) {
    let mut draw = uniform(5);
    let mut normal = move || (-2.0 * draw().ln()).sqrt() * (std::f64::consts::TAU * draw()).cos();
    let keys: Vec<Vec<String>> = (0..120)
        .map(|leaf| vec![format!("r{}", leaf % 4), format!("t{}", leaf % 12), format!("i{leaf}")])
        .collect();
    let ids: Vec<String> = keys.iter().map(|keys| keys.join("/")).collect();
    let leaves: Vec<(&str, &[String])> =
        ids.iter().map(String::as_str).zip(keys.iter().map(Vec::as_slice)).collect();
    let columns = levels(&[&["region", "town", "item"]]).remove(0);
    let tree =
        Hierarchy::of_keys(&columns, &leaves, &levels(&[&["region"], &["region", "town"]])).expect("a tree");
    let size = |node: usize| if node < tree.aggregates() { tree.members(node).len() as f64 } else { 1.0 };
    let level_of =
        |node: usize| tree.levels().iter().position(|level| level.nodes.contains(&node)).unwrap_or(3);
    // By run and level: held by the 80 % and by the 90 % interval, pinball loss, count.
    let mut table: BTreeMap<String, [[f64; 4]; 4]> = BTreeMap::new();
    for _ in 0..300 {
        let mut errors = Array2::zeros((120, moments + 1));
        for mut moment in errors.columns_mut() {
            let common = normal();
            let regions: Vec<f64> = (0..4).map(|_| normal()).collect();
            for (leaf, error) in moment.iter_mut().enumerate() {
                let own = if is_skewed { 0.6 * (normal().exp() - 1.0) } else { normal() };
                *error = own + factor * (common + regions[leaf % 4]);
            }
        }
        let truth = tree.sum(&errors);
        let noise = Array2::from_shape_fn(truth.raw_dim(), |(node, _)| 0.5 * size(node).sqrt() * normal());
        let missed = &truth - &noise;
        let base = tree.by_id().map(|node| {
            let mut past = missed.slice(s![node, ..moments]).to_vec();
            past.sort_by(f64::total_cmp);
            let forecast = |level: f64| noise[[node, moments]] + quantile(&past, level);
            SeriesForecast {
                reach: f64::INFINITY,
                unique_id: tree.id(node).to_owned(),
                keys: Vec::new(),
                cutoff: 0,
                times: vec![DAY],
                point: vec![forecast(0.5)],
                quantiles: Array2::from_shape_fn((1, LEVELS.len()), |(_, at)| forecast(LEVELS[at])),
                status: Status::Ok,
                model_id: "bench".to_owned(),
                weights: Vec::new(),
            }
        });
        let base = Forecasts { quantile_levels: LEVELS.to_vec(), series: base.collect() };
        let residuals = Residuals { values: missed.slice(s![.., ..moments]).to_owned() };
        let mut runs = vec![("base".to_owned(), base.clone())];
        for method in ["bottom_up", "wls_struct", "wls_var", "mint_shrink"] {
            for (word, quantiles) in [("shift", Quantiles::Shift), ("paths", Quantiles::default())] {
                let method_of = method.parse().expect("a method");
                let how = Reconciliation { method: method_of, is_nonnegative: false, quantiles };
                let evidence = Evidence { residuals: Some(&residuals), history: None };
                let done = reconcile(&tree, base.clone(), evidence, &how).expect("reconciled");
                runs.push((format!("{method} {word}"), done));
            }
        }
        for (name, forecasts) in runs {
            let row = table.entry(name).or_default();
            for one in &forecasts.series {
                let node = tree.node(&one.unique_id).expect("a node");
                let (actual, quantiles) = (truth[[node, moments]], one.quantiles.row(0));
                let holds = |low: usize, high: usize| {
                    f64::from(quantiles[low] <= actual && actual <= quantiles[high])
                };
                let losses =
                    LEVELS.iter().zip(&quantiles).map(|(&level, &at)| metric::pinball(actual, at, level));
                let loss = losses.sum::<f64>() / LEVELS.len() as f64 / size(node).sqrt();
                let cell = &mut row[level_of(node)];
                [holds(1, 7), holds(0, 8), loss, 1.0].iter().zip(cell).for_each(|(new, sum)| *sum += new);
            }
        }
    }
    println!("80 % and 90 % intervals held, pinball loss: total, 4 regions, 12 towns, 120 leaves");
    for (name, row) in &table {
        print!("{name:20}");
        for [held_80, held_90, loss, count] in row {
            print!(" | {:4.1} {:4.1} {:.3}", 100.0 * held_80 / count, 100.0 * held_90 / count, loss / count);
        }
        println!();
    }
}

/// Quantile of ascending values; value k of n stands at level k / (n + 1).
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let place = (level * (sorted.len() as f64 + 1.0) - 1.0).clamp(0.0, sorted.len() as f64 - 1.0);
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}
