use super::*;
use crate::series::metric::pinball;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LEVELS: [f64; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// Standard normal quantiles of those levels.
const SCORES: [f64; 11] =
    [-1.96, -1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816, 1.96];

const HORIZON: usize = 14;

fn uniform(rng: &mut impl Rng) -> f64 {
    rng.random()
}

/// Zero-inflated negative binomial draws by inversion; levels, extra zeros and weekdays differ.
fn zero_inflated(seed: u64, series: usize, length: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let one = |index: usize| {
        let (level, zero) =
            (1.0 + 7.0 * (index as f64 * 0.37).fract(), 0.3 + 0.5 * (index as f64 * 0.61).fract());
        let value = |t: usize| {
            let mean = level * if t % 7 >= 5 { 1.8 } else { 0.7 };
            Counts { zero, mean, dispersion: 0.4 }.quantiles(&[uniform(&mut rng).clamp(1e-9, 1.0 - 1e-9)])[0]
        };
        (0..length).map(value).collect()
    };
    (0..series).map(one).collect()
}

fn panel(series: &[Vec<f64>]) -> Panel<'_> {
    Panel {
        values: series.iter().map(Vec::as_slice).collect(),
        features: &[],
        columns: 0,
        season: 7,
        horizon: HORIZON,
    }
}

/// Mean pinball loss of the quantiles of the last steps.
fn loss(series: &[Vec<f64>], quantiles: impl Fn(usize, usize) -> Array2<f64>) -> f64 {
    let mut sum = 0.0;
    for (index, values) in series.iter().enumerate() {
        let origin = values.len() - HORIZON;
        let quantiles = quantiles(index, origin);
        for (step, y) in values[origin..].iter().enumerate() {
            sum +=
                LEVELS.iter().zip(quantiles.row(step)).map(|(level, q)| pinball(*y, *q, *level)).sum::<f64>();
        }
    }
    sum / (series.len() * HORIZON * LEVELS.len()) as f64
}

/// Losses of the count head and of a Gaussian head on the same features, its quantiles as they are and as near as a whole
/// number from 0 on can be.
fn losses(seed: u64) -> [f64; 3] {
    let series = zero_inflated(seed, 60, 300);
    let panel = panel(&series);
    let weights = panel.learn(Likelihood::Counts, HORIZON, &|| false).expect("enough windows");
    let (head, _) = panel.head(weights, &LEVELS, &[]);
    let counts = loss(&series, |index, origin| {
        let forecast = head.forecast(&series[index][..origin], &Features::default(), 7, HORIZON);
        forecast.expect("counts").quantiles
    });
    let weights = panel.learn(Likelihood::Gaussian, HORIZON, &|| false).expect("enough windows");
    let gaussian = |index: usize, origin: usize| {
        let inputs = panel.read(Likelihood::Gaussian, index, origin).expect("long enough");
        let outputs = regression::outputs(&inputs, weights.view());
        Array2::from_shape_fn((HORIZON, LEVELS.len()), |(step, level)| {
            outputs[[step, 0]] + SCORES[level] * outputs[[step, 1]].exp()
        })
    };
    let rounded = |index, origin| gaussian(index, origin).mapv(|q: f64| q.max(0.0).round());
    [counts, loss(&series, gaussian), loss(&series, rounded)]
}

#[test]
fn on_zero_inflated_counts_the_head_beats_a_gaussian_one() {
    for seed in 1..=4 {
        let [counts, gaussian, rounded] = losses(seed);
        assert!(counts < 0.93 * gaussian, "seed {seed}: {counts} {gaussian}");
        assert!(counts < 0.97 * rounded, "seed {seed}: {counts} {rounded}");
    }
}

#[test]
fn what_is_learnt_is_better_than_the_start_and_nearly_as_good_as_the_truth() {
    let series = zero_inflated(9, 60, 300);
    let panel = panel(&series);
    let weights = panel.learn(Likelihood::Counts, HORIZON, &|| false).expect("enough windows");
    let of = |weights: Array2<f64>| {
        let (head, _) = panel.head(weights, &LEVELS, &[]);
        loss(&series, |index, origin| {
            let forecast = head.forecast(&series[index][..origin], &Features::default(), 7, HORIZON);
            forecast.expect("counts").quantiles
        })
    };
    let truth = loss(&series, |index, origin| {
        let (level, zero) =
            (1.0 + 7.0 * (index as f64 * 0.37).fract(), 0.3 + 0.5 * (index as f64 * 0.61).fract());
        let rows = (0..HORIZON).flat_map(|step| {
            let mean = level * if (origin + step) % 7 >= 5 { 1.8 } else { 0.7 };
            Counts { zero, mean, dispersion: 0.4 }.quantiles(&LEVELS)
        });
        Array2::from_shape_vec((HORIZON, LEVELS.len()), rows.collect()).expect("of that shape")
    });
    let (start, learnt) = (of(Array2::zeros(weights.dim())), of(weights.clone()));
    assert!(learnt < start && learnt < 1.06 * truth, "{start} {learnt} {truth}");
}

#[test]
fn quantiles_are_whole_finite_and_in_order_whatever_the_counts() {
    let series = zero_inflated(3, 40, 200);
    let panel = panel(&series);
    let weights = panel.learn(Likelihood::Counts, 0, &|| false).expect("enough windows");
    let (head, _) = panel.head(weights, &LEVELS, &[]);
    let odd: [Vec<f64>; 5] = [
        vec![0.0; 50],
        vec![1e8; 50],
        (0..400).map(|t| if t == 30 { 1e6 } else { 0.0 }).collect(),
        (0..90).map(|t| if t % 3 == 0 { f64::NAN } else { f64::from(t % 5) }).collect(),
        (0..90).map(|t| f64::from(t * t)).collect(),
    ];
    for values in odd.iter().chain(&series) {
        let forecast = head.forecast(values, &Features::default(), 7, HORIZON).expect("counts");
        for row in forecast.quantiles.outer_iter() {
            assert!(row.iter().all(|q| q.is_finite() && *q >= 0.0 && *q == q.round()), "{row}");
            assert!(row.to_vec().is_sorted(), "{row}");
        }
        assert!(forecast.mean.iter().all(|mean| *mean > 0.0 && mean.is_finite()));
    }
    for values in [vec![0.5; 50], vec![-1.0; 50], vec![1.0; 5]] {
        assert!(head.forecast(&values, &Features::default(), 7, HORIZON).is_none());
    }
}

#[test]
fn levels_move_to_where_their_share_of_values_came() {
    // Values that a distribution on 0..10 says are even, and that lie in its lower half alone.
    let known: Vec<(f64, f64)> =
        (0..2_000).map(|i| (f64::from(i % 5) / 10.0, f64::from(i % 5 + 1) / 10.0)).collect();
    for (level, corrected) in LEVELS.iter().zip(corrected(&LEVELS, &known)) {
        assert!((corrected - level / 2.0).abs() < 1e-5, "{level}: {corrected}");
    }
    assert_eq!(corrected(&LEVELS, &known[..10]), LEVELS);
}
