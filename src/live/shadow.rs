//! A model in shadow: its runs beside those that were served, on the rows that both forecast.

use crate::live::gate;
use crate::live::review::Score;
use crate::publish::RunColumns;
use std::collections::BTreeMap;

/// The rows of two runs that forecast the same value of a series from the same cutoff, with the quantile levels that both
/// have. In the order of the first run.
pub fn common(one: &RunColumns, other: &RunColumns) -> [RunColumns; 2] {
    let key = |run: &RunColumns, row: usize| (run.ds[row], run.cutoff[row]);
    let mut places: BTreeMap<(&str, (i64, i64)), usize> = BTreeMap::new();
    places.extend((0..other.ds.len()).map(|row| ((other.unique_id[row].as_str(), key(other, row)), row)));
    let find = |row: usize| Some((row, *places.get(&(one.unique_id[row].as_str(), key(one, row)))?));
    let (ours, theirs): (Vec<usize>, Vec<usize>) = (0..one.ds.len()).filter_map(find).unzip();
    [select(one, &ours, other), select(other, &theirs, one)]
}

/// Some rows of a run, and those of its quantile levels that another one has, ascending.
fn select(run: &RunColumns, rows: &[usize], other: &RunColumns) -> RunColumns {
    let is_common = |level: f64| other.quantiles.iter().any(|(known, _)| *known == level);
    let numbers = |column: &[f64]| rows.iter().map(|&row| column[row]).collect::<Vec<f64>>();
    let quantiles = run.quantiles.iter().filter(|(level, _)| is_common(*level));
    let mut quantiles: Vec<(f64, Vec<f64>)> =
        quantiles.map(|(level, values)| (*level, numbers(values))).collect();
    quantiles.sort_by(|a, b| a.0.total_cmp(&b.0));
    RunColumns {
        unique_id: rows.iter().map(|&row| run.unique_id[row].clone()).collect(),
        ds: rows.iter().map(|&row| run.ds[row]).collect(),
        cutoff: rows.iter().map(|&row| run.cutoff[row]).collect(),
        step: rows.iter().map(|&row| run.step[row]).collect(),
        yhat: numbers(&run.yhat),
        quantiles,
    }
}

/// What speaks against letting the shadow serve, by the scores of both on the same rows; empty if nothing does. It has to
/// lose no more, and its coverage must not be far below both promise and champion.
pub fn against(shadow: &Score, champion: &Score) -> Vec<String> {
    let mut reasons = Vec::new();
    match shadow.pinball.zip(champion.pinball) {
        Some((own, served)) if own <= served => {}
        Some((own, served)) => reasons.push(format!(
            "its pinball loss on the {} values that both forecast is {own:.4}, that of the champion {served:.4}",
            shadow.rows
        )),
        None => reasons.push("it has no quantile that the champion has, so that they cannot be compared".into()),
    }
    reasons.extend(gate::uncovered(&shadow.coverage, &champion.coverage, "values that both forecast"));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: &[(&str, i64, i64)], levels: &[f64]) -> RunColumns {
        let yhat: Vec<f64> = (0..rows.len()).map(|row| row as f64).collect();
        RunColumns {
            unique_id: rows.iter().map(|row| row.0.to_owned()).collect(),
            ds: rows.iter().map(|row| row.1).collect(),
            cutoff: rows.iter().map(|row| row.2).collect(),
            step: vec![1; rows.len()],
            quantiles: levels.iter().map(|level| (*level, yhat.clone())).collect(),
            yhat,
        }
    }

    #[test]
    fn only_rows_of_the_same_series_time_and_cutoff_are_compared() {
        let one = run(&[("a", 1, 0), ("a", 2, 0), ("b", 1, 0), ("c", 1, 0)], &[0.5, 0.1]);
        let other = run(&[("c", 1, 0), ("b", 1, -1), ("a", 2, 0)], &[0.1, 0.5, 0.9]);
        let [ours, theirs] = common(&one, &other);
        assert_eq!((ours.yhat.as_slice(), theirs.yhat.as_slice()), (&[1.0, 3.0][..], &[2.0, 0.0][..]));
        assert_eq!((&ours.unique_id, &ours.ds), (&theirs.unique_id, &theirs.ds));
        assert_eq!(ours.quantiles, [(0.1, vec![1.0, 3.0]), (0.5, vec![1.0, 3.0])]);
        assert_eq!(theirs.quantiles.iter().map(|one| one.0).collect::<Vec<_>>(), [0.1, 0.5]);
    }

    #[test]
    fn no_worse_is_enough_and_far_less_coverage_is_not() {
        let score = |pinball: f64, share: f64| Score {
            rows: 9,
            mase: 1.0,
            mase_seasonal_naive: 1.0,
            bias: 0.0,
            wape: None,
            pinball: Some(pinball),
            coverage: vec![(80.0, share)],
        };
        assert!(against(&score(0.3, 0.7), &score(0.3, 0.8)).is_empty());
        assert!(against(&score(0.31, 0.7), &score(0.3, 0.8))[0].contains("0.3100"));
        assert!(against(&score(0.2, 0.6), &score(0.3, 0.7))[0].contains("60 %"));
        assert!(against(&score(0.2, 0.6), &score(0.3, 0.5)).is_empty(), "the champion covers even less");
    }
}
