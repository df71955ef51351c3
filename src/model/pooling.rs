//! Weights of forecasts that are averaged, one set per series: what the series' own errors say, shrunk towards what those of
//! the whole group say.
//!
//! With L(w) the error of the average with weights w on a window of a series, divided by the median of the errors that the
//! single forecasts make on that series, and G(w) its mean over all windows of the group, the weights of the series are
//!
//! ```text
//! ŵ = argmin  Σ_windows L(w) + κ G(w)        w on a grid over the simplex, in tenths
//! ```
//!
//! so that the group counts as much as κ further windows of the series (an empirical Bayes estimate: the prior is the group,
//! κ its pseudo-observations). A handful of origins says next to nothing about one series: weights from them alone did worse
//! than those of the group on all four panels that both were measured on (Walmart, tourism, Stallion, M4 Weekly; two or
//! three origins). κ is what did best on origins that were left out, ∞ among the values tried, which is the group's weights
//! for all. Without the division, a few series that every forecast misses by far would decide for all (Stallion).
//!
//! Sources: weights on the simplex that minimise the validation error, Caruana et al. (2004, "Ensemble selection from
//! libraries of models") and Montero-Manso et al. (2020, FFORMA); why they are to be shrunk, Hollyman, Petropoulos and
//! Tipping (2021, "Understanding forecast reconciliation", section 4) and Smith and Wallis (2009, "A simple explanation of the forecast combination
//! puzzle").

use rayon::prelude::*;

/// Steps of the grid: weights are multiples of one over that.
const STEPS: usize = 10;

/// Windows of a series that the group counts as much as; the last is no word of its own for a series.
const POOLS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, f64::INFINITY];

/// Least relative improvement on origins that were left out by which an average replaces the first forecast.
const MARGIN: f64 = 0.005;

/// The same where there is one origin, on which weights were chosen and judged.
const MARGIN_SINGLE: f64 = 0.02;

/// Series whose errors are added up one after the other.
const CHUNK: usize = 32;

/// One origin of one series, seen by every forecast.
#[derive(Clone)]
pub struct Window {
    /// Number of the origin: all windows of one are left out together.
    pub fold: usize,
    /// What came (T), `NaN` where nothing was observed.
    pub actual: Vec<f64>,
    /// Point forecasts, (T) each.
    pub points: Vec<Vec<f64>>,
    /// What errors are divided by, positive.
    pub scale: f64,
    /// Whether squared errors count, not absolute ones.
    pub is_squared: bool,
    /// How many windows it counts as.
    pub times: usize,
}

/// The weights of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// Weights for series without their own; those of the group.
    pub shared: Vec<f64>,
    /// Weights of every series that was asked about.
    pub own: Vec<Vec<f64>>,
    /// How many windows of a series the group counts as; infinite where series have no word of their own.
    pub pool: f64,
    /// Error on left-out origins, relative to that of the first forecast alone; below 1 where averaging pays.
    pub error: f64,
}

/// Weights for the windows of every series; `None` where no average beats the first forecast, which then is to serve alone.
///
/// Every window has as many points, at least two, and the same meaning of their order.
pub fn learn(series: &[Vec<Window>]) -> Option<Pooled> {
    let parts = series.iter().flatten().next()?.points.len();
    let grid = grid(parts);
    let folds = series.iter().flatten().map(|window| window.fold).max()? + 1;
    let series: Vec<Own> =
        series.par_iter().map(|windows| Own { windows, unit: unit(windows, parts) }).collect();
    let group = Group::of(&series, folds, &grid);
    let used = (0..folds).filter(|&fold| group.windows(fold) > 0).count();
    if used < 2 {
        let best = least(&group.mean(None, grid.len()));
        let errors = group.mean(None, grid.len());
        let error = errors[best] / errors[0];
        let is_better = error < 1.0 - MARGIN_SINGLE;
        let shared = weights(&grid[best]);
        let own = vec![shared.clone(); series.len()];
        return is_better.then_some(Pooled { shared, own, pool: f64::INFINITY, error });
    }
    // Group errors without each fold, and with all.
    let without: Vec<Vec<f64>> = (0..folds).map(|fold| group.mean(Some(fold), grid.len())).collect();
    let all = group.mean(None, grid.len());
    let one = |own: &Own<'_>| of_one(own, &grid, &without, &all);
    let each: Vec<OfOne> = series.par_iter().map(one).collect();
    let count: usize = each.iter().map(|one| one.windows).sum();
    let mean = |of: &dyn Fn(&OfOne) -> f64| each.iter().map(of).sum::<f64>() / count.max(1) as f64;
    let errors: Vec<f64> = (0..POOLS.len()).map(|pool| mean(&|one| one.errors[pool])).collect();
    let first = mean(&|one| one.first);
    let pool = least(&errors);
    tracing::debug!(first, ?errors, pool = POOLS[pool], shared = ?grid[least(&all)], "weights");
    let error = errors[pool] / first;
    // Not a number where the first forecast is exact: nothing beats that.
    (error < 1.0 - MARGIN).then(|| Pooled {
        shared: weights(&grid[least(&all)]),
        own: each.iter().map(|one| weights(&grid[one.chosen[pool]])).collect(),
        pool: POOLS[pool],
        error,
    })
}

/// The windows of a series, and what their errors are divided by.
struct Own<'a> {
    windows: &'a [Window],
    unit: Option<f64>,
}

/// Median of the mean errors of the single forecasts; that failing the largest, `None` where none errs.
fn unit(windows: &[Window], parts: usize) -> Option<f64> {
    let single: Vec<Vec<usize>> = (0..parts)
        .map(|part| (0..parts).map(|other| if other == part { STEPS } else { 0 }).collect())
        .collect();
    let errors: Vec<Vec<f64>> = windows.iter().filter_map(|window| window.errors(&single)).collect();
    let mean =
        |part: usize| errors.iter().map(|errors| errors[part]).sum::<f64>() / errors.len().max(1) as f64;
    let mut means: Vec<f64> = (0..parts).map(mean).collect();
    means.sort_by(f64::total_cmp);
    let median = 0.5 * (means[(parts - 1) / 2] + means[parts / 2]);
    [median, means[parts - 1]].into_iter().find(|unit| *unit > 0.0 && unit.is_finite())
}

/// Every way to share out the steps of the grid among that many parts; all to the first one comes first.
fn grid(parts: usize) -> Vec<Vec<usize>> {
    fn fill(parts: usize, left: usize, start: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if parts == 1 {
            all.push(start.iter().copied().chain([left]).collect());
            return;
        }
        for share in (0..=left).rev() {
            start.push(share);
            fill(parts - 1, left - share, start, all);
            start.pop();
        }
    }
    let mut all = Vec::new();
    fill(parts.max(1), STEPS, &mut Vec::new(), &mut all);
    all
}

fn weights(shares: &[usize]) -> Vec<f64> {
    shares.iter().map(|&share| share as f64 / STEPS as f64).collect()
}

/// Index of the least of some errors, the first of equals.
fn least(errors: &[f64]) -> usize {
    let least = errors.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    least.map_or(0, |(index, _)| index)
}

impl Window {
    /// Mean error of every average of the grid; `None` where nothing was observed.
    fn errors(&self, grid: &[Vec<usize>]) -> Option<Vec<f64>> {
        let observed: Vec<usize> = (0..self.actual.len()).filter(|&t| !self.actual[t].is_nan()).collect();
        if observed.is_empty() {
            return None;
        }
        let error = |shares: &Vec<usize>| {
            let step = |&t: &usize| {
                let parts = shares.iter().zip(&self.points);
                let point: f64 = parts.map(|(&share, points)| share as f64 * points[t]).sum::<f64>();
                let error = (self.actual[t] - point / STEPS as f64) / self.scale;
                if self.is_squared { error * error } else { error.abs() }
            };
            observed.iter().map(step).sum::<f64>() / observed.len() as f64
        };
        let errors: Vec<f64> = grid.iter().map(error).collect();
        errors.iter().all(|error| error.is_finite()).then_some(errors)
    }
}

impl Own<'_> {
    /// Errors of one of its windows as often as it counts.
    fn errors(&self, window: &Window, grid: &[Vec<usize>]) -> Option<Vec<f64>> {
        let (unit, mut errors) = (self.unit?, window.errors(grid)?);
        errors.iter_mut().for_each(|error| *error *= window.times as f64 / unit);
        Some(errors)
    }
}

/// Errors of a group on the grid: sums and numbers of windows by fold.
struct Group {
    folds: Vec<(Vec<f64>, usize)>,
}

impl Group {
    fn of(series: &[Own<'_>], folds: usize, grid: &[Vec<usize>]) -> Group {
        let none = || vec![(vec![0.0; grid.len()], 0usize); folds];
        let add = |to: &mut Vec<(Vec<f64>, usize)>, fold: usize, errors: &[f64], count: usize| {
            to[fold].0.iter_mut().zip(errors).for_each(|(to, error)| *to += error);
            to[fold].1 += count;
        };
        let of_chunk = |chunk: &[Own<'_>]| {
            let mut sums = none();
            let windows = chunk.iter().flat_map(|own| own.windows.iter().map(move |window| (own, window)));
            for (own, window) in windows {
                let Some(errors) = own.errors(window, grid) else { continue };
                add(&mut sums, window.fold, &errors, window.times);
            }
            sums
        };
        let chunks: Vec<_> = series.par_chunks(CHUNK).map(of_chunk).collect();
        let mut sums = none();
        for chunk in chunks {
            chunk.iter().enumerate().for_each(|(fold, (errors, count))| add(&mut sums, fold, errors, *count));
        }
        Group { folds: sums }
    }

    fn windows(&self, fold: usize) -> usize {
        self.folds[fold].1
    }

    /// Mean errors of all folds but one.
    fn mean(&self, without: Option<usize>, cells: usize) -> Vec<f64> {
        let mut mean = vec![0.0; cells];
        let mut count = 0;
        for (_, (errors, windows)) in self.folds.iter().enumerate().filter(|(fold, _)| Some(*fold) != without)
        {
            mean.iter_mut().zip(errors).for_each(|(to, error)| *to += error);
            count += windows;
        }
        mean.iter_mut().for_each(|error| *error /= count.max(1) as f64);
        mean
    }
}

/// What one series says about every pool.
struct OfOne {
    windows: usize,
    /// Error of the first forecast alone, sum over windows.
    first: f64,
    /// Error of each pool on windows that were left out, sum over them.
    errors: Vec<f64>,
    /// What each pool chooses from all windows.
    chosen: Vec<usize>,
}

fn of_one(own: &Own<'_>, grid: &[Vec<usize>], without: &[Vec<f64>], all: &[f64]) -> OfOne {
    let of_window = |window: &Window| Some((window.fold, window.times, own.errors(window, grid)?));
    let errors: Vec<(usize, usize, Vec<f64>)> = own.windows.iter().filter_map(of_window).collect();
    let sum = |left_out: Option<usize>| {
        let mut sum = vec![0.0; grid.len()];
        for (_, _, errors) in errors.iter().filter(|(fold, ..)| Some(*fold) != left_out) {
            sum.iter_mut().zip(errors).for_each(|(to, error)| *to += error);
        }
        sum
    };
    let choose = |own: &[f64], group: &[f64], pool: f64| match pool.is_finite() {
        true => least(&own.iter().zip(group).map(|(own, group)| own + pool * group).collect::<Vec<f64>>()),
        false => least(group),
    };
    let mut left_out = vec![0.0; POOLS.len()];
    for (fold, _, of_fold) in &errors {
        let own = sum(Some(*fold));
        for (total, &pool) in left_out.iter_mut().zip(&POOLS) {
            *total += of_fold[choose(&own, &without[*fold], pool)];
        }
    }
    let own = sum(None);
    OfOne {
        windows: errors.iter().map(|(_, times, _)| times).sum(),
        first: errors.iter().map(|(.., errors)| errors[0]).sum(),
        errors: left_out,
        chosen: POOLS.iter().map(|&pool| choose(&own, all, pool)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of three forecasts, of a series with that many windows; the truth is zero.
    fn series(windows: usize, errors: impl Fn(usize) -> [f64; 3]) -> Vec<Window> {
        let window = |fold: usize| Window {
            fold,
            actual: vec![0.0, f64::NAN],
            points: errors(fold).map(|error| vec![error, 9.0]).into(),
            scale: 2.0,
            is_squared: false,
            times: 1,
        };
        (0..windows).map(window).collect()
    }

    /// The first errs by 1 with a sign that alternates between windows, the second a little less and the other way.
    fn opposed(fold: usize) -> [f64; 3] {
        let sign = if fold.is_multiple_of(2) { 1.0 } else { -1.0 };
        [sign, -sign, 3.0]
    }

    #[test]
    fn the_grid_covers_the_simplex_and_begins_with_the_first() {
        let all = grid(3);
        assert_eq!(all.len(), 66);
        assert_eq!(all[0], [10, 0, 0]);
        assert!(all.iter().all(|shares| shares.iter().sum::<usize>() == STEPS));
        assert_eq!(grid(1), [[10]]);
    }

    #[test]
    fn errors_that_cancel_are_averaged_and_equal_series_have_the_weights_of_the_group() {
        let all: Vec<Vec<Window>> = (0..40).map(|_| series(4, opposed)).collect();
        let pooled = learn(&all).expect("averaging pays");
        assert_eq!(pooled.shared, [0.5, 0.5, 0.0]);
        assert!(pooled.own.iter().all(|own| *own == pooled.shared), "{:?}", pooled.own);
        assert!(pooled.error < 1e-9, "{}", pooled.error);
    }

    #[test]
    fn a_series_where_one_forecast_alone_works_gets_it_and_the_others_stay_with_the_group() {
        let mut all: Vec<Vec<Window>> = (0..60).map(|_| series(4, opposed)).collect();
        for odd in all.iter_mut().step_by(6) {
            *odd = series(4, |_| [40.0, 40.0, 0.1]);
        }
        let pooled = learn(&all).expect("averaging pays");
        assert!(pooled.pool.is_finite(), "{}", pooled.pool);
        for (index, own) in pooled.own.iter().enumerate() {
            assert!((own.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let wanted = if index % 6 == 0 { [0.0, 0.0, 1.0] } else { [0.5, 0.5, 0.0] };
            assert_eq!(*own, wanted, "{index}");
        }
    }

    #[test]
    fn noise_of_single_series_is_left_to_the_group() {
        // Which of two equal forecasts is better is chance, by window and series.
        let lucky = |seed: usize| {
            series(3, move |fold| {
                let chance = |salt: usize| ((seed * 31 + fold * 17 + salt) as f64 * 12.9898).sin() * 3.0;
                [chance(1), chance(5), 8.0]
            })
        };
        let all: Vec<Vec<Window>> = (0..200).map(lucky).collect();
        let pooled = learn(&all).expect("averaging pays");
        assert!(pooled.pool >= 32.0, "{}", pooled.pool);
        assert!((pooled.shared[0] - 0.5).abs() < 0.21 && pooled.shared[2] < 0.2, "{:?}", pooled.shared);
    }

    #[test]
    fn the_first_serves_alone_where_nothing_improves_on_it_or_nothing_can_be_judged() {
        let best =
            |count: usize| (0..20).map(move |_| series(count, |_| [1.0, 1.5, 3.0])).collect::<Vec<_>>();
        assert_eq!((learn(&best(3)), learn(&best(1)), learn(&best(0)), learn(&[])), (None, None, None, None));
        let exact: Vec<Vec<Window>> = (0..20).map(|_| series(3, |_| [0.0, 1.0, 1.0])).collect();
        assert_eq!(learn(&exact), None);
        let single: Vec<Vec<Window>> = (0..20).map(|_| series(1, |_| [2.0, 1.0, 3.0])).collect();
        let pooled = learn(&single).expect("the second is better");
        assert_eq!((pooled.shared, pooled.pool), (vec![0.0, 1.0, 0.0], f64::INFINITY));
    }

    #[test]
    fn weights_do_not_depend_on_the_number_of_threads() {
        let all = || {
            (0..150).map(|seed| {
                series(3, move |fold| {
                    [0, 3, 7].map(|salt| ((seed * 7 + fold * 13 + salt) as f64 * 78.233).sin())
                })
            })
        };
        let of = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| learn(&all().collect::<Vec<_>>()))
        };
        assert_eq!(of(1), of(4));
        assert!(of(1).is_some());
    }
}
