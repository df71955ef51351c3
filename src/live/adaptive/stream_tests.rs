//! The whole loop on simulated streams: issue, publish, wait for what comes, adapt.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::live::adaptive::{Correction, Row, Vintage, adapt};

const LEVELS: [f64; 5] = [0.05, 0.1, 0.5, 0.9, 0.95];

/// Standard normal quantiles of [`LEVELS`].
const NORMAL: [f64; 5] = [-1.644_854, -1.281_552, 0.0, 1.281_552, 1.644_854];

/// One series of noise, its standard deviation `noise` of the time, forecast (T) at every step as standard
/// normal times `said`. Coverage of the 90 % interval (issues, T).
fn stream(
    issues: usize,
    horizon: usize,
    said: f64,
    seed: u64,
    noise: &dyn Fn(usize) -> f64,
) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = (0..issues + horizon)
        .map(|time| {
            let drawn: f64 = StandardNormal.sample(&mut rng);
            drawn * noise(time)
        })
        .collect();
    let mut published: Vec<Vec<[f64; 5]>> = Vec::new();
    let mut corrections: Vec<Correction> = Vec::new();
    for issue in 0..issues {
        let first = issue.saturating_sub(200);
        let vintages: Vec<Vintage> = (first..issue)
            .map(|past| Vintage {
                issued_at: past as i64,
                correction: corrections[past].clone(),
                rows: (0..horizon.min(issue - past))
                    .map(|step| Row {
                        unique_id: "a",
                        step,
                        ds: (past + step) as i64,
                        actual: values[past + step],
                        published: &published[past][step],
                    })
                    .collect(),
            })
            .collect();
        let correction = adapt(&vintages, &LEVELS, horizon, false);
        let row = |step: usize| {
            let mut row = NORMAL.map(|value| said * value);
            correction.apply("a", step, &mut row);
            row
        };
        published.push((0..horizon).map(row).collect());
        corrections.push(correction);
    }
    // The probability that it holds, not whether it did: as true, and fewer issues tell.
    let below =
        |value: f64, time: usize| 0.5 + 0.5 * libm::erf(value / noise(time) / std::f64::consts::SQRT_2);
    let covered = |issue: usize, step: usize| {
        let (row, time) = (published[issue][step], issue + step);
        below(row[LEVELS.len() - 1], time) - below(row[0], time)
    };
    (0..issues).map(|issue| (0..horizon).map(|step| covered(issue, step)).collect()).collect()
}

fn mean(covered: &[Vec<f64>]) -> f64 {
    covered.iter().flatten().sum::<f64>() / covered.iter().flatten().count() as f64
}

#[test]
fn a_stationary_stream_is_covered_as_promised_at_every_step() {
    for said in [1.0, 0.7] {
        let covered = stream(260, 12, said, 3, &|_| 1.0);
        for step in 0..12 {
            let of_step: Vec<Vec<f64>> = covered[100..].iter().map(|covered| vec![covered[step]]).collect();
            let covered = mean(&of_step);
            assert!((0.88..=0.92).contains(&covered), "said {said}, step {step}: {covered}");
        }
    }
}

#[test]
fn a_stream_whose_noise_grows_is_covered_again_within_a_hundred_steps() {
    let root = 2.0_f64.sqrt();
    for (times, horizon, seeds) in [(root, 1, 6), (2.0, 1, 6), (root, 6, 1), (2.0, 24, 1)] {
        let noise = |time: usize| if time < 200 { 1.0 } else { times };
        let streams: Vec<Vec<Vec<f64>>> =
            (0..seeds).map(|seed| stream(400, horizon, 1.0, seed, &noise)).collect();
        let covered = |issues: std::ops::Range<usize>| {
            streams.iter().map(|covered| mean(&covered[issues.clone()])).sum::<f64>() / seeds as f64
        };
        let (before, soon, back) = (covered(100..176), covered(260..300), covered(300..400));
        for covered in [before, soon, back] {
            let terms = format!("x{times} T={horizon}: {before} {soon} {back}");
            assert!((0.85..=0.95).contains(&covered), "{terms}");
        }
    }
}
