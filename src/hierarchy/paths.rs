//! Coherent sample paths: what all nodes may do together at one step.
//!
//! 1. Every node has its own distribution, that of its calibrated quantiles (`marginal.rs`).
//! 2. Draw k takes all nodes at one past moment. The rank of a node's error among its errors then says where in its
//!    distribution it is: who erred together, errs together. This is the empirical copula of the residuals.
//! 3. Draws of all nodes are incoherent, as base forecasts are, and are reconciled by the map that reconciles the points.
//!    Then in every draw all aggregates are the sums of their leaves, and information of every level counts.
//! 4. A node's quantiles are those of its draws, around its reconciled point.
//!
//! With `BottomUp` this is the copula of the leaves, summed (the Schaake shuffle). Few moments are used several times:
//! a rank is a cell of the distribution, cut into as many cells as there are uses, taken in a random order. Draws are
//! stratified so: every node's draws are its distribution, without the noise of sampling. Ties (counts, zeros) are broken
//! at random, since an order by time would make all nodes err together. An unknown error has a random rank.
//!
//! Sources: Clark et al. (2004), the Schaake shuffle; Taieb, Taylor and Hyndman (2017), permutations in hierarchies;
//! Panagiotelis et al. (2023), reconciling samples by the map of the points.

use super::marginal::cell_scores;
use super::residuals::Residuals;
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rayon::prelude::*;

/// Moments below which ranks say too little of who errs with whom.
pub const MOMENTS_MIN: usize = 8;

/// Where in its distribution every node is, in every draw.
#[derive(Clone, Debug)]
pub struct Copula {
    /// Cells (N, K): each row is a permutation of 0 to K − 1.
    cells: Array2<u16>,
    /// z-score of every cell (K), ascending.
    scores: Vec<f64>,
}

impl Copula {
    /// Of the last moments of `residuals`, about `draws` draws; `None` of fewer than [`MOMENTS_MIN`] moments.
    ///
    /// The draws are as many as a whole number of uses of every moment allows. A node's numbers depend on `seed` and its
    /// index alone.
    pub fn new(residuals: &Residuals, draws: usize, seed: u64) -> Option<Copula> {
        let draws = draws.clamp(MOMENTS_MIN, usize::from(u16::MAX));
        let known = residuals.values.ncols();
        let moments = known.min(draws);
        if moments < MOMENTS_MIN {
            return None;
        }
        let uses = draws / moments;
        let errors = residuals.values.slice(s![.., known - moments..]);
        let rows: Vec<Vec<u16>> = (0..errors.nrows())
            .into_par_iter()
            .map(|node| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(node as u64 + 1);
                cells(&errors.row(node).to_vec(), uses, &mut rng)
            })
            .collect();
        let count = moments * uses;
        let cells = Array2::from_shape_vec((rows.len(), count), rows.concat()).expect("equal rows");
        Some(Copula { cells, scores: cell_scores(count) })
    }

    /// Number of draws K.
    pub fn draws(&self) -> usize {
        self.scores.len()
    }

    /// z-scores of the cells (K), ascending.
    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The cell of a node in every draw (K).
    pub(super) fn cells(&self, node: usize) -> ndarray::ArrayView1<'_, u16> {
        self.cells.row(node)
    }
}

/// Cells of one node: moment by moment within each use.
fn cells(errors: &[f64], uses: usize, rng: &mut ChaCha8Rng) -> Vec<u16> {
    let moments = errors.len();
    let mut known: Vec<(f64, u64, usize)> = Vec::new();
    let mut places: Vec<(f64, usize)> = Vec::new();
    for (moment, &error) in errors.iter().enumerate() {
        let draw = rng.next_u64();
        if error.is_nan() {
            places.push((uniform(draw), moment));
        } else {
            known.push((error, draw, moment));
        }
    }
    known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let count = known.len() as f64;
    let spread = known.iter().enumerate().map(|(rank, known)| ((rank as f64 + 0.5) / count, known.2));
    places.extend(spread);
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut cells = vec![0u16; moments * uses];
    let mut order: Vec<u16> = (0..uses as u16).collect();
    for (rank, &(_, moment)) in places.iter().enumerate() {
        for end in (1..uses).rev() {
            order.swap(end, (rng.next_u64() % (end as u64 + 1)) as usize);
        }
        for (at, &within) in order.iter().enumerate() {
            cells[at * moments + moment] = (rank * uses) as u16 + within;
        }
    }
    cells
}

/// A number in [0, 1) of 53 random bits.
fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_follow_errors_and_every_cell_is_taken_once() {
        let errors = Array2::from_shape_fn((3, 10), |(node, t)| match node {
            0 => t as f64,
            1 => 100.0 * t as f64,
            _ => {
                if t < 6 {
                    f64::NAN
                } else {
                    0.0
                }
            }
        });
        let copula = Copula::new(&Residuals { values: errors }, 35, 7).unwrap();
        assert_eq!(copula.draws(), 30);
        for node in 0..3 {
            let mut row = copula.cells(node).to_vec();
            row.sort_unstable();
            assert!(row.iter().enumerate().all(|(at, &cell)| at == cell as usize));
        }
        let same = |k: usize| copula.cells(0)[k] / 3 == copula.cells(1)[k] / 3;
        assert!((0..30).all(same), "nodes that err together are in the same cell");
        assert!((0..10).all(|t| copula.cells(0)[t] as usize / 3 == t));
    }

    #[test]
    fn too_few_moments_make_no_copula() {
        assert!(Copula::new(&Residuals { values: Array2::zeros((2, 7)) }, 100, 1).is_none());
        assert!(Copula::new(&Residuals { values: Array2::zeros((2, 8)) }, 1, 1).is_some());
    }
}
