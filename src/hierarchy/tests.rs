//! What the layer promises, on golden numbers and on random trees and crossings.

use super::cases::{forecasts, incoherent, levels, noise, panel, points, random, residuals, series};
use super::*;
use crate::series::{Forecasts, Panel};
use ndarray::{Array2, s};
use proptest::prelude::*;
use serde_json::Value;

fn methods(is_nested: bool) -> Vec<Method> {
    let words = ["bottom_up", "ols", "wls_struct", "wls_var", "mint_shrink"];
    let down =
        ["top_down_average_proportions", "top_down_proportion_averages", "top_down_forecast_proportions"];
    let all = words.into_iter().chain(down.into_iter().take(if is_nested { 3 } else { 2 }));
    all.map(|word| word.parse().unwrap()).collect()
}

fn by(method: Method) -> Reconciliation {
    Reconciliation { method, is_nonnegative: false, quantiles: Quantiles::default() }
}

/// Largest difference between nodes and the sums of their leaves, relative to the sum of their sizes.
fn gap(tree: &Hierarchy, points: &Array2<f64>) -> f64 {
    let leaves = points.slice(s![tree.aggregates().., ..]).to_owned();
    let (sums, sizes) = (tree.sum(&leaves), tree.sum(&leaves.mapv(f64::abs)));
    (&sums - points).iter().zip(&sizes).map(|(gap, size)| gap.abs() / size.max(1e-300)).fold(0.0, f64::max)
}

fn history(tree: &Hierarchy, seed: u64) -> Panel {
    let mut draw = noise(seed);
    let keys = |node: usize| tree.id(node).split('/').map(str::to_owned).collect::<Vec<_>>();
    let leaves = (tree.aggregates()..tree.nodes()).map(|node| {
        let values: Vec<f64> = (0..12).map(|_| 3.0 + draw()).collect();
        let keys = keys(node);
        series(&keys.iter().map(String::as_str).collect::<Vec<_>>(), 0, &values)
    });
    let leaves = leaves.collect();
    tree.aggregate(panel(&["region", "town", "item"], leaves)).unwrap()
}

fn numbers(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect())
        .collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn golden_numbers_of_hierarchicalforecast_hold() {
    let file: Value =
        serde_json::from_str(include_str!("../../tests/golden/hierarchy/hierarchy.json")).unwrap();
    let mut compared = 0;
    for case in file["cases"].as_array().unwrap() {
        let columns = words(&case["columns"]);
        let keys: Vec<Vec<String>> = case["leaves"].as_array().unwrap().iter().map(words).collect();
        let history = numbers(&case["history"]);
        let leaves = keys.iter().zip(history.outer_iter()).map(|(keys, row)| {
            series(&keys.iter().map(String::as_str).collect::<Vec<_>>(), 0, &row.to_vec())
        });
        let leaves = panel(&columns.iter().map(String::as_str).collect::<Vec<_>>(), leaves.collect());
        let levels: Vec<Vec<String>> = case["levels"].as_array().unwrap().iter().map(words).collect();
        let tree = Hierarchy::new(&leaves, &levels).unwrap();
        let ids = words(&case["ids"]);
        assert_eq!(ids.len(), tree.nodes());
        let order: Vec<usize> =
            (0..tree.nodes()).map(|node| ids.iter().position(|id| id == tree.id(node)).unwrap()).collect();
        let by_node = |value: &Value| numbers(value).select(ndarray::Axis(0), &order);
        let residuals = Residuals { values: by_node(&case["residuals"]) };
        let panel = tree.aggregate(leaves).unwrap();
        let base = by_node(&case["base"]);
        for (word, expected) in case["expected"].as_object().unwrap() {
            let evidence = Evidence { residuals: Some(&residuals), history: Some(&panel) };
            let done =
                reconcile(&tree, forecasts(&tree, &base, 1.0), evidence, &by(word.parse().unwrap())).unwrap();
            let error =
                (points(&tree, &done) - by_node(expected)).iter().fold(0.0, |max: f64, e| max.max(e.abs()));
            assert!(error < 1e-8, "{word} of {levels:?}: {error:e}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8 + 5 + 3);
}

#[test]
fn ids_and_nodes_are_as_users_expect() {
    let leaves =
        vec![series(&["A", "x"], 0, &[1.0]), series(&["A", "y"], 0, &[2.0]), series(&["B", "x"], 0, &[4.0])];
    let leaves = panel(&["region", "store"], leaves);
    let tree = Hierarchy::new(&leaves, &levels(&[&["region"], &["region", "store"], &[]])).unwrap();
    let ids: Vec<&str> = (0..tree.nodes()).map(|node| tree.id(node)).collect();
    assert_eq!(ids, ["total", "A", "B", "A/x", "A/y", "B/x"]);
    assert_eq!(
        (tree.aggregates(), tree.members(1), tree.node("B"), tree.node("C")),
        (3, &[0, 1][..], Some(2), None)
    );
    assert!(tree.is_nested() && tree.keys(1) == ["A".to_owned(), String::new()]);
    assert_eq!(tree.levels()[1].name(), "region");
    assert_eq!(
        tree.sum(&numbers(&serde_json::json!([[1.0], [2.0], [4.0]]))).column(0).to_vec(),
        [7., 3., 4., 1., 2., 4.]
    );
    let crossed = Hierarchy::new(&leaves, &levels(&[&["region"], &["store"]])).unwrap();
    assert!(!crossed.is_nested());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let leaves = || vec![series(&["A", "x"], 0, &[1.0]), series(&["x", "A"], 0, &[2.0])];
    let refuse = |panel: &Panel, of: &[&[&str]]| Hierarchy::new(panel, &levels(of)).unwrap_err().to_string();
    let two = panel(&["a", "b"], leaves());
    assert!(refuse(&two, &[&["c"]]).contains("'c', which is no id column; there are: a, b"));
    assert!(refuse(&two, &[&["a"], &["a"]]).contains("written twice"));
    assert!(
        refuse(&two, &[&["a"], &["b"]])
            .contains("'A' would stand for a node of level 'a' and for a node of level 'b'")
    );
    assert!(
        refuse(&panel(&["a"], vec![series(&["total"], 0, &[1.0])]), &[])
            .contains("'total' would stand for the total")
    );
    assert_eq!(Hierarchy::new(&panel(&[], Vec::new()), &[]).unwrap_err(), HierarchyError::NoLeaves);
    let mut hourly = leaves();
    hourly[1].frequency = "1h".parse().unwrap();
    let tree = Hierarchy::new(&two, &[]).unwrap();
    assert!(
        tree.aggregate(panel(&["a", "b"], hourly))
            .unwrap_err()
            .to_string()
            .contains("the step 1d, series x/A has 1h")
    );
    let mut shifted = leaves();
    shifted[1].times[0] += 1;
    assert!(matches!(tree.aggregate(panel(&["a", "b"], shifted)), Err(HierarchyError::Grids { .. })));
}

#[test]
fn ragged_and_broken_leaves_make_no_dips() {
    let n = f64::NAN;
    let leaves = vec![
        series(&["big"], 0, &[10.0; 30]),
        series(&["late"], 0, &[5.0; 28]),
        series(&["new"], 20, &[1.0; 10]),
        series(&["old"], 0, &[2.0; 10]),
        series(&["gap"], 0, &[[0.1; 14].as_slice(), &[n, n], &[0.2; 14]].concat()),
    ];
    let leaves = panel(&["k"], leaves);
    let tree = Hierarchy::new(&leaves, &[]).unwrap();
    let all = tree.aggregate(leaves).unwrap();
    assert!(all.series.windows(2).all(|pair| pair[0].unique_id < pair[1].unique_id));
    let total = all.series.iter().find(|one| one.unique_id == "total").unwrap();
    assert_eq!(total.values.len(), 28, "the total ends where a third of it is late");
    let close = |step: usize, value: f64| {
        assert!((total.values[step] - value).abs() < 1e-9, "{step}: {}", total.values[step])
    };
    close(9, 17.1);
    assert!(
        total.values[10..14].iter().all(|value| value.is_nan()),
        "a ninth is carried: {:?}",
        &total.values[9..20]
    );
    close(18, 15.2);
    close(27, 16.2);
}

#[test]
fn middle_out_keeps_its_level() {
    let tree = random(20, 3, true);
    let base = incoherent(&tree, 2, 4);
    let method = Method::TopDown { proportions: Proportions::Forecast, from: Some("region".into()) };
    let done = points(
        &tree,
        &reconcile(&tree, forecasts(&tree, &base, 1.0), Evidence::default(), &by(method)).unwrap(),
    );
    for node in tree.levels()[1].nodes.clone() {
        assert!((done[[node, 0]] - base[[node, 0]]).abs() < 1e-9);
    }
    assert!(gap(&tree, &done) < 1e-12);
    let lost = Method::TopDown { proportions: Proportions::Forecast, from: Some("shop".into()) };
    let lost = reconcile(&tree, forecasts(&tree, &base, 1.0), Evidence::default(), &by(lost));
    assert_eq!(lost.unwrap_err(), HierarchyError::UnknownLevel("shop".into()));
}

#[test]
fn non_negative_leaves_are_the_least_squares_ones() {
    let mut held = 0;
    for seed in 0..20 {
        let tree = random(30, seed, seed % 2 == 0);
        let base = incoherent(&tree, 3, seed) - tree.sum(&Array2::from_elem((tree.leaves(), 3), 4.0));
        let how = Reconciliation { is_nonnegative: true, ..by("ols".parse().unwrap()) };
        let done = points(
            &tree,
            &reconcile(&tree, forecasts(&tree, &base, 1.0), Evidence::default(), &how).unwrap(),
        );
        assert!(gap(&tree, &done) < 1e-12);
        for step in 0..3 {
            let errors = (&done - &base).column(step).to_owned();
            for leaf in 0..tree.leaves() {
                let node = tree.aggregates() + leaf;
                let above: f64 = tree.groups().iter().map(|group| errors[group[leaf] as usize]).sum();
                let gradient = errors[node] + above;
                held += usize::from(done[[node, step]] == 0.0);
                assert!(done[[node, step]] >= 0.0 && gradient > -1e-9, "seed {seed}: {gradient}");
                assert!(done[[node, step]] == 0.0 || gradient < 1e-9, "seed {seed}: {gradient}");
            }
        }
    }
    assert!(held > 100);
}

#[test]
fn bottom_up_alone_needs_no_forecasts_of_aggregates() {
    let tree = random(15, 1, true);
    let base = incoherent(&tree, 2, 1);
    let mut given = forecasts(&tree, &base, 1.0);
    given.series.retain(|one| tree.node(&one.unique_id).unwrap() >= tree.aggregates());
    let before = given.clone();
    let residuals = residuals(&tree, 40, 1);
    let evidence = Evidence { residuals: Some(&residuals), history: None };
    let done = reconcile(&tree, given.clone(), evidence, &by(Method::BottomUp)).unwrap();
    assert_eq!(done.series.len(), tree.nodes());
    assert!(gap(&tree, &points(&tree, &done)) < 1e-12);
    for one in &before.series {
        let after = done.series.iter().find(|after| after.unique_id == one.unique_id).unwrap();
        assert!(after.point == one.point && after.quantiles == one.quantiles, "leaves are untouched");
    }
    let total = done.series.iter().find(|one| one.unique_id == "total").unwrap();
    let width = total.quantiles[[0, 2]] - total.quantiles[[0, 0]];
    assert!(width > 4.0 && width < 14.0, "15 independent leaves: about 2 √15, got {width}");
    let lost = reconcile(&tree, given.clone(), evidence, &by("ols".parse().unwrap()));
    assert_eq!(lost.unwrap_err(), HierarchyError::MissingForecast("total".into()));
    let blind = reconcile(&tree, given, Evidence::default(), &by(Method::BottomUp));
    assert!(blind.unwrap_err().to_string().contains("needs residuals"));
}

#[test]
fn series_that_ended_are_held_or_nothing() {
    let tree = random(6, 2, true);
    let mut given = forecasts(&tree, &incoherent(&tree, 3, 2), 1.0);
    let (late, gone) = (tree.aggregates(), tree.aggregates() + 1);
    for one in &mut given.series {
        let node = tree.node(&one.unique_id).unwrap();
        let back = if node == late {
            1
        } else if node == gone {
            9
        } else {
            0
        };
        one.cutoff -= back * super::cases::DAY;
        one.times.iter_mut().for_each(|time| *time -= back * super::cases::DAY);
    }
    let residuals = residuals(&tree, 20, 2);
    let evidence = Evidence { residuals: Some(&residuals), history: None };
    for word in ["bottom_up", "wls_var", "mint_shrink", "top_down_forecast_proportions"] {
        let done = reconcile(&tree, given.clone(), evidence, &by(word.parse().unwrap())).unwrap();
        let points = points(&tree, &done);
        assert!(gap(&tree, &points) < 1e-12 && points.row(gone).iter().all(|&point| point == 0.0), "{word}");
        assert!(done.series.windows(2).all(|pair| pair[0].times == pair[1].times));
        let ended = done.series.iter().find(|one| one.unique_id == tree.id(gone)).unwrap();
        assert!(ended.quantiles.iter().all(|&quantile| quantile == 0.0), "{word}");
    }
}

#[test]
fn degenerate_evidence_breaks_nothing() {
    for (leaves, fill) in [(1, 0.0), (1, f64::NAN), (5, 0.0), (5, f64::NAN), (5, 3.0)] {
        let tree = random(leaves, 5, true);
        let residuals = Residuals { values: Array2::from_elem((tree.nodes(), 10), fill) };
        let mut past = history(&tree, 5);
        past.series.iter_mut().for_each(|one| one.values.fill(0.0));
        let evidence = Evidence { residuals: Some(&residuals), history: Some(&past) };
        for base in [incoherent(&tree, 2, 5), Array2::zeros((tree.nodes(), 2))] {
            for method in methods(true) {
                let done =
                    reconcile(&tree, forecasts(&tree, &base, 0.0), evidence, &by(method.clone())).unwrap();
                let points = points(&tree, &done);
                assert!(
                    points.iter().all(|point| point.is_finite()) && gap(&tree, &points) < 1e-9,
                    "{}",
                    method.name()
                );
            }
        }
        let mut bad = forecasts(&tree, &incoherent(&tree, 2, 5), 0.0);
        bad.series[0].point[1] = f64::NAN;
        let bad = reconcile(&tree, bad, evidence, &by(Method::BottomUp));
        assert!(matches!(bad, Err(HierarchyError::NotFinite(_))));
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let tree = random(300, 8, false);
    let (base, residuals) = (incoherent(&tree, 3, 8), residuals(&tree, 30, 8));
    let evidence = Evidence { residuals: Some(&residuals), history: None };
    let run = |threads: usize, word: &str| -> Forecasts {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            reconcile(&tree, forecasts(&tree, &base, 1.0), evidence, &by(word.parse().unwrap())).unwrap()
        })
    };
    for word in ["wls_var", "mint_shrink", "bottom_up"] {
        let (one, four) = (run(1, word), run(4, word));
        let same = one.series.iter().zip(&four.series);
        assert!(same.clone().all(|(a, b)| a.point == b.point && a.quantiles == b.quantiles), "{word}");
    }
}

#[test]
fn every_sample_path_adds_up() {
    for (is_nested, seed) in [(true, 1), (false, 2), (false, 3)] {
        let tree = random(60, seed, is_nested);
        let (residuals, past) = (residuals(&tree, 25, seed), history(&tree, seed));
        let (base, deviations) = (incoherent(&tree, 2, seed), incoherent(&tree, 50, seed + 9) - 5.0);
        let gone = vec![false; tree.leaves()];
        for method in methods(is_nested) {
            let of =
                super::solve::Projection::new(&tree, &method, &base, Some(&residuals), Some(&past), &gone)
                    .unwrap();
            let mut draws = deviations.clone();
            of.draws(&tree, &mut draws, 1);
            assert!(gap(&tree, &draws) < 1e-12, "{}", method.name());
        }
    }
}

#[test]
fn paths_know_who_errs_together() {
    let tree = random(40, 4, true);
    let base = incoherent(&tree, 1, 4);
    let mut draw = noise(4);
    let together: Vec<f64> = (0..40).map(|_| draw()).collect();
    let apart = residuals(&tree, 40, 4);
    let together =
        Residuals { values: Array2::from_shape_fn((tree.nodes(), 40), |(_, moment)| together[moment]) };
    let width = |residuals: &Residuals| {
        let evidence = Evidence { residuals: Some(residuals), history: None };
        let done = reconcile(&tree, forecasts(&tree, &base, 1.0), evidence, &by(Method::BottomUp)).unwrap();
        let total = done.series.iter().find(|one| one.unique_id == "total").unwrap();
        total.quantiles[[0, 2]] - total.quantiles[[0, 0]]
    };
    let (wide, narrow) = (width(&together), width(&apart));
    assert!((wide - 80.0).abs() < 5.0, "40 leaves of width 2 that err as one: {wide}");
    assert!(narrow > 8.0 && narrow < 18.0, "and apart, 2 √40: {narrow}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reconciled_forecasts_add_up_and_stay(leaves in 1usize..40, seed in any::<u64>(), is_nested in any::<bool>()) {
        let tree = random(leaves, seed, is_nested);
        let (residuals, past) = (residuals(&tree, 25, seed), history(&tree, seed));
        let evidence = Evidence { residuals: Some(&residuals), history: Some(&past) };
        let base = incoherent(&tree, 2, seed);
        for method in methods(tree.is_nested()) {
            let done = reconcile(&tree, forecasts(&tree, &base, 1.0), evidence, &by(method.clone())).unwrap();
            let first = points(&tree, &done);
            prop_assert!(gap(&tree, &first) < 1e-9, "{}", method.name());
            for one in &done.series {
                for (row, &point) in one.quantiles.outer_iter().zip(&one.point) {
                    prop_assert!(row[0] <= point && row[1] == point && point <= row[2], "{}", method.name());
                }
            }
            if !matches!(method, Method::TopDown { .. }) {
                let again = reconcile(&tree, forecasts(&tree, &first, 1.0), evidence, &by(method.clone())).unwrap();
                let moved = (points(&tree, &again) - &first).iter().fold(0.0, |max: f64, e| max.max(e.abs()));
                prop_assert!(moved < 1e-9, "{}: {moved:e}", method.name());
            }
            if method == Method::BottomUp {
                prop_assert_eq!(first.slice(s![tree.aggregates().., ..]), base.slice(s![tree.aggregates().., ..]));
            }
        }
    }

    #[test]
    fn weighted_least_squares_has_no_slope_left(leaves in 1usize..40, seed in any::<u64>(), is_nested in any::<bool>()) {
        let tree = random(leaves, seed, is_nested);
        let residuals = residuals(&tree, 25, seed);
        let evidence = Evidence { residuals: Some(&residuals), history: None };
        let base = incoherent(&tree, 1, seed);
        let variances = residuals.variances(&tree);
        let done = reconcile(&tree, forecasts(&tree, &base, 1.0), evidence, &by("wls_var".parse().unwrap())).unwrap();
        let errors = (points(&tree, &done) - &base).column(0).to_owned();
        let weighted: Vec<f64> = errors.iter().zip(&variances).map(|(error, variance)| error / variance).collect();
        for leaf in 0..tree.leaves() {
            let above: f64 = tree.groups().iter().map(|group| weighted[group[leaf] as usize]).sum();
            prop_assert!((weighted[tree.aggregates() + leaf] + above).abs() < 1e-7);
        }
    }
}
