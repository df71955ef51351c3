//! Whether one model is better than another on the same points: a paired bootstrap over series and windows, and the
//! test of Diebold and Mariano over windows.

use crate::evaluation::student;
use crate::model::baseline::quantile;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Losses of both models on the points of one series in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Number of the series.
    pub series: usize,
    /// Number of the window; later windows have larger ones.
    pub window: usize,
    /// Points with an actual, at least 1.
    pub points: usize,
    /// Sum of the first model's losses, and of the second's.
    pub losses: [f64; 2],
}

/// How two models compare; differences are first minus second, so that below 0 the first is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Points compared.
    pub points: usize,
    /// Series compared.
    pub series: usize,
    /// Windows compared.
    pub windows: usize,
    /// Mean loss over all points, of each.
    pub means: [f64; 2],
    /// Their difference.
    pub difference: f64,
    /// 95 % interval of the difference; `None` where there is only one block to draw.
    pub interval: Option<[f64; 2]>,
    /// The test over windows, where there are enough of them.
    pub diebold_mariano: Option<DieboldMariano>,
    /// Probability of such a difference between equals: the larger one of bootstrap and test.
    pub p_value: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// The test of Diebold and Mariano (1995), corrected by Harvey, Leybourne and Newbold (1997).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DieboldMariano {
    /// Corrected statistic, of Student's t with `windows` − 1 degrees of freedom; below 0 the first is better.
    pub statistic: f64,
    /// Two-sided probability.
    pub p_value: f64,
}

/// Whether a difference is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first model is better: its interval excludes 0 and p is below 5 %.
    First,
    /// The second model is better.
    Second,
    /// Neither is shown to be.
    Neither,
}

/// Clusters from which on a dimension is drawn beside another one; fewer tell little of their spread.
const CLUSTERS_MIN: f64 = 5.0;

/// Windows that do not overlap from which on the test over windows is made.
const WINDOWS_MIN: usize = 8;

/// Probability below which a difference counts as shown.
const SIGNIFICANT: f64 = 0.05;

/// Compares two models on the same blocks, in any order but without repeats.
///
/// Whole series are drawn `draws` times with replacement, then whole windows; of the two intervals the wider one counts,
/// for errors are alike within a series as well as within a window. A dimension of fewer than five clusters is not drawn
/// where the other one has more. `overlap` is the number of consecutive windows that share target times (1 if none do):
/// that many are drawn together. Deviations are widened by Student's t, for few clusters vary more than they show.
pub fn compare(blocks: &[Block], overlap: usize, draws: usize, seed: u64) -> Comparison {
    let overlap = overlap.max(1);
    let points: usize = blocks.iter().map(|block| block.points).sum();
    let mean = |model: usize| blocks.iter().map(|block| block.losses[model]).sum::<f64>() / points as f64;
    let series = clusters(blocks.iter().map(|block| (block.series, block)));
    let windows = clusters(blocks.iter().map(|block| (block.window, block)));
    let sizes = [(&series, 1), (&windows, overlap)].map(|(of, run)| of.len() as f64 / run as f64);
    let largest = sizes[0].max(sizes[1]);
    let difference = Cluster::mean(blocks.iter().map(Cluster::of));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let drawn = [(&series, 1), (&windows, overlap)].into_iter().zip(sizes);
    let drawn = drawn.filter(|(_, size)| *size > 1.0 && (*size >= CLUSTERS_MIN || *size == largest));
    let drawn: Vec<Drawn> =
        drawn.map(|((clusters, run), _)| draw(clusters, run, difference, draws, &mut rng)).collect();
    let interval =
        drawn.iter().map(|drawn| drawn.interval).reduce(|a, b| if b[1] - b[0] > a[1] - a[0] { b } else { a });
    let diebold_mariano = diebold_mariano(&windows, overlap);
    let p_values = drawn.iter().map(|drawn| drawn.p_value).chain(diebold_mariano.map(|test| test.p_value));
    let p_value = p_values.reduce(f64::max);
    let is_shown = interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0)
        && p_value.is_some_and(|p_value| p_value < SIGNIFICANT);
    Comparison {
        points,
        series: series.len(),
        windows: windows.len(),
        means: [mean(0), mean(1)],
        difference,
        interval,
        diebold_mariano,
        p_value,
        verdict: match (is_shown, difference < 0.0) {
            (true, true) => Verdict::First,
            (true, false) => Verdict::Second,
            (false, _) => Verdict::Neither,
        },
    }
}

/// Points and summed loss differences that are drawn together.
#[derive(Clone, Copy, Debug, Default)]
struct Cluster {
    points: f64,
    difference: f64,
}

impl Cluster {
    fn of(block: &Block) -> Cluster {
        Cluster { points: block.points as f64, difference: block.losses[0] - block.losses[1] }
    }

    fn mean(all: impl Iterator<Item = Cluster>) -> f64 {
        let (points, difference) = all
            .fold((0.0, 0.0), |(points, difference), one| (points + one.points, difference + one.difference));
        difference / points
    }
}

/// Blocks of the same key as one, ascending by key.
fn clusters<'a>(blocks: impl Iterator<Item = (usize, &'a Block)>) -> Vec<Cluster> {
    let mut clusters: BTreeMap<usize, Cluster> = BTreeMap::new();
    for (key, block) in blocks {
        let (cluster, more) = (clusters.entry(key).or_default(), Cluster::of(block));
        cluster.points += more.points;
        cluster.difference += more.difference;
    }
    clusters.into_values().collect()
}

/// What drawing clusters of one dimension gave.
struct Drawn {
    interval: [f64; 2],
    p_value: f64,
}

/// Draws runs of consecutive clusters (the first follows the last) until there are as many as there were.
fn draw(clusters: &[Cluster], run: usize, difference: f64, draws: usize, rng: &mut ChaCha8Rng) -> Drawn {
    let (count, runs) = (clusters.len(), clusters.len().div_ceil(run));
    let freedom = (count as f64 / run as f64 - 1.0).max(1.0);
    // A sample of n shows (n − 1)/n of the variance; t makes up for not knowing it.
    let few = ((freedom + 1.0) / freedom).sqrt() * student::critical(SIGNIFICANT, freedom)
        / student::critical(SIGNIFICANT, 1e9);
    let mut differences: Vec<f64> = (0..draws.max(1))
        .map(|_| {
            let starts: Vec<usize> = (0..runs).map(|_| rng.random_range(0..count)).collect();
            let places = starts.iter().flat_map(|start| (*start..start + run).map(|place| place % count));
            let drawn = Cluster::mean(places.take(count).map(|place| clusters[place]));
            difference + few * (drawn - difference)
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let beyond = |is_beyond: fn(&f64) -> bool| differences.iter().filter(|one| is_beyond(one)).count();
    let side = beyond(|one| *one <= 0.0).min(beyond(|one| *one >= 0.0));
    let p_value = (2.0 * (side + 1) as f64 / (differences.len() + 1) as f64).min(1.0);
    let tail = SIGNIFICANT / 2.0;
    Drawn { interval: [tail, 1.0 - tail].map(|level| quantile(&differences, level)), p_value }
}

/// The test over the mean differences of the windows; `None` where they are too few, or too much alike for a variance.
fn diebold_mariano(windows: &[Cluster], overlap: usize) -> Option<DieboldMariano> {
    if windows.len() < WINDOWS_MIN * overlap {
        return None;
    }
    let differences: Vec<f64> = windows.iter().map(|window| window.difference / window.points).collect();
    let (count, lags) = (differences.len() as f64, overlap as f64);
    let mean = differences.iter().sum::<f64>() / count;
    let covariance = |lag: usize| {
        let pairs = differences.iter().skip(lag).zip(&differences);
        pairs.map(|(now, before)| (now - mean) * (before - mean)).sum::<f64>() / count
    };
    let variance = covariance(0) + 2.0 * (1..overlap).map(covariance).sum::<f64>();
    let correction = (count + 1.0 - 2.0 * lags + lags * (lags - 1.0) / count) / count;
    if variance <= 0.0 || correction <= 0.0 {
        return None;
    }
    let statistic = mean / (variance / count).sqrt() * correction.sqrt();
    Some(DieboldMariano { statistic, p_value: student::two_sided(statistic, count - 1.0) })
}
