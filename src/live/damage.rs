//! Ends of series that nothing should be learnt from: meters that froze, values in another unit.

use crate::model::baseline;
use crate::series::{Panel, Series};

/// Share of the series from which on damage speaks against a model of all of them.
const SHARE: f64 = 0.1;

/// Equal values near the end of a series that are a frozen meter: so many, and so many times the longest other run.
const FROZEN_STEPS: usize = 12;
const FROZEN_TIMES: usize = 3;

/// Ratio of sizes that is another unit and no change of the world.
const UNIT: f64 = 50.0;

/// Values at the end that tell the size of a series now.
const RECENT: usize = 24;

/// What is wrong with a series, one line.
fn damage(series: &Series) -> Option<String> {
    frozen(series).or_else(|| rescaled(series))
}

/// What is wrong with the ends of many series of a panel: one line with the first of them, or nothing.
pub fn found(panel: &Panel) -> Option<String> {
    let found: Vec<(&str, String)> =
        panel.series.iter().filter_map(|series| Some((series.unique_id.as_str(), damage(series)?))).collect();
    let (id, first) = found.first()?;
    let is_many = found.len() as f64 >= SHARE * panel.series.len() as f64;
    is_many.then(|| match found.len() {
        1 => format!("the data looks damaged: series {id}: {first}"),
        count => {
            format!("the data looks damaged: {count} of {} series, {id} first: {first}", panel.series.len())
        }
    })
}

fn observed(series: &Series) -> Vec<f64> {
    series.values.iter().copied().filter(|value| !value.is_nan()).collect()
}

/// A run of equal values at the end, or a few values before it, far longer than any other.
fn frozen(series: &Series) -> Option<String> {
    let values = observed(series);
    let runs: Vec<&[f64]> = values.chunk_by(|a, b| a == b).collect();
    let mut after = 0;
    let recent = runs.iter().enumerate().rev().take_while(|(_, run)| {
        let is_recent = after < FROZEN_STEPS;
        after += run.len();
        is_recent
    });
    let (place, run) = recent.max_by_key(|(_, run)| run.len())?;
    let others = runs.iter().enumerate().filter(|(other, _)| *other != place);
    let longest = others.map(|(_, other)| other.len()).max()?;
    let is_frozen = run.len() >= FROZEN_STEPS && run.len() >= FROZEN_TIMES * longest;
    is_frozen.then(|| {
        let (count, value) = (run.len(), run[0]);
        format!(
            "{count} values in a row at its end are all {value}; otherwise no more than {longest} were equal"
        )
    })
}

/// Values at the end of another order of magnitude than those of the first two thirds.
fn rescaled(series: &Series) -> Option<String> {
    let sizes: Vec<f64> = observed(series).into_iter().map(f64::abs).collect();
    let (before, after) = sizes.split_at_checked(sizes.len() - sizes.len() / 3)?;
    if after.len() < RECENT {
        return None;
    }
    let recent = &after[after.len() - RECENT..];
    let (usual, now) = (median(before), median(recent));
    let (least, most) = (quantile(before, 0.01), quantile(before, 0.99));
    let is_larger = usual > 0.0 && now > UNIT * usual && now > 3.0 * most;
    let is_smaller = now > 0.0 && usual > UNIT * now && now < least / 3.0;
    (is_larger || is_smaller).then(|| {
        format!(
            "the last {} values are about {:.3e} in size, those before {usual:.3e}: another unit?",
            RECENT, now
        )
    })
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &[f64], level: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    baseline::quantile(&sorted, level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;
    use jiff::tz::TimeZone;
    use std::collections::BTreeMap;

    const HOUR: i64 = 3_600_000_000;

    fn panel(all: Vec<Vec<f64>>) -> Panel {
        let series = |(index, values): (usize, Vec<f64>)| Series {
            unique_id: format!("s{index:02}"),
            keys: Vec::new(),
            frequency: "1h".parse::<Frequency>().expect("frequency"),
            times: (0..values.len() as i64).map(|hour| hour * HOUR).collect(),
            values,
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        };
        Panel {
            id_columns: Vec::new(),
            series: all.into_iter().enumerate().map(series).collect(),
            zone: TimeZone::UTC,
            marks: BTreeMap::new(),
            covariates: Vec::new(),
        }
    }

    fn wave(steps: usize) -> Vec<f64> {
        (0..steps)
            .map(|t| 20.0 + 5.0 * (t as f64 / 24.0 * std::f64::consts::TAU).sin() + (t % 7) as f64)
            .collect()
    }

    #[test]
    fn a_frozen_meter_and_another_unit_are_seen_and_a_new_level_is_not() {
        assert_eq!(found(&panel(vec![wave(900)])), None);
        let mut frozen = wave(900);
        frozen[732..].fill(21.5);
        let text = found(&panel(vec![frozen.clone()])).expect("frozen");
        assert!(text.contains("168 values in a row at its end are all 21.5"), "{text}");
        frozen[892..].copy_from_slice(&wave(8));
        assert!(found(&panel(vec![frozen])).is_some(), "it works again, since a few hours");
        for (factor, is_damage) in [(1000.0, true), (0.001, true), (3.0, false), (0.2, false)] {
            let mut scaled = wave(900);
            scaled[732..].iter_mut().for_each(|value| *value *= factor);
            assert_eq!(found(&panel(vec![scaled])).is_some(), is_damage, "{factor}");
        }
        // Nights without sun are zeros in a row, and always were.
        let sun: Vec<f64> = (0..900).map(|t| if t % 24 < 12 { 0.0 } else { (t % 24) as f64 }).collect();
        assert_eq!(found(&panel(vec![sun[..900 - 12].to_vec()])), None);
        assert_eq!(found(&panel(vec![vec![3.0; 500]])), None, "it never was otherwise");
        assert_eq!(found(&panel(vec![vec![], vec![1.0]])), None);
    }

    #[test]
    fn one_of_many_series_is_no_reason_to_distrust_all() {
        let mut frozen = wave(300);
        frozen[200..].fill(1.0);
        let mut all = vec![frozen; 1];
        all.extend(vec![wave(300); 19]);
        assert_eq!(found(&panel(all.clone())), None);
        all.truncate(5);
        assert!(found(&panel(all)).is_some());
    }
}
