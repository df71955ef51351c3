//! Residual feed-forward layer of SaShiMi (arXiv 2202.09729): x + contract(GELU(expand(norm(x)))), position by position.

use ndarray::{Array2, ArrayView2};
use rand::Rng;

use crate::engine::activation::{dropout_factors, gelu_backward, gelu_forward};
use crate::engine::linear::{self, LinearParams};
use crate::engine::norm::{self, NormCache, NormParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;

/// Parameters of one layer.
#[derive(Clone, Debug)]
pub struct FeedForwardParams<F> {
    /// Layer norm (H).
    pub norm: NormParams<F>,
    /// First map (factor · H, H).
    pub expand: LinearParams<F>,
    /// Second map (H, factor · H).
    pub contract: LinearParams<F>,
}

impl<F: Real> FeedForwardParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(width: usize, factor: usize) -> FeedForwardParams<F> {
        FeedForwardParams {
            norm: NormParams::zeros(width),
            expand: LinearParams::zeros(width, factor * width),
            contract: LinearParams::zeros(factor * width, width),
        }
    }

    /// Norm the identity, maps as PyTorch's `Linear`.
    pub fn init(width: usize, factor: usize, rng: &mut impl Rng) -> FeedForwardParams<F> {
        FeedForwardParams {
            norm: NormParams::init(width),
            expand: LinearParams::init(width, factor * width, rng),
            contract: LinearParams::init(factor * width, width, rng),
        }
    }

    /// Named tensors.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        let mut tensors = self.norm.tensors(&format!("{prefix}norm."));
        tensors.extend(self.expand.tensors(&format!("{prefix}expand.")));
        tensors.extend(self.contract.tensors(&format!("{prefix}contract.")));
        tensors
    }
}

/// What backward needs of one forward pass over (rows, H).
pub struct FeedForwardCache<F> {
    norm: NormCache<F>,
    /// Normed input (rows, H).
    normed: Array2<F>,
    /// Input of GELU (rows, factor · H).
    expanded: Array2<F>,
    /// GELU output after dropout (rows, factor · H).
    activated: Array2<F>,
    /// Dropout factors (rows, factor · H), if any.
    dropout: Option<Array2<F>>,
}

/// Output (rows, H) of x (rows, H) where nothing is trained.
pub fn apply<F: Real>(params: &FeedForwardParams<F>, x: Array2<F>) -> Array2<F> {
    let (normed, _) = norm::forward(&params.norm, x.view());
    let activated = gelu_forward(linear::forward(&params.expand, normed.view()).view());
    x + linear::forward(&params.contract, activated.view())
}

/// Output (rows, H) of x (rows, H). `dropout` is (probability, generator) while training.
pub fn forward<F: Real>(
    params: &FeedForwardParams<F>,
    x: Array2<F>,
    dropout: Option<(f64, &mut impl Rng)>,
) -> (Array2<F>, FeedForwardCache<F>) {
    let (normed, norm) = norm::forward(&params.norm, x.view());
    let expanded = linear::forward(&params.expand, normed.view());
    let mut activated = gelu_forward(expanded.view());
    let dropout = dropout.filter(|(probability, _)| *probability > 0.0).map(|(probability, rng)| {
        let factors = dropout_factors(activated.dim(), probability, rng);
        activated *= &factors;
        factors
    });
    let y = x + linear::forward(&params.contract, activated.view());
    (y, FeedForwardCache { norm, normed, expanded, activated, dropout })
}

// The residual splits the gradient: dy goes to x unchanged and through the maps and the norm in reverse.

/// dLoss/dx (rows, H) given dy (rows, H); adds to `grad`.
pub fn backward<F: Real>(
    params: &FeedForwardParams<F>,
    cache: &FeedForwardCache<F>,
    dy: ArrayView2<F>,
    grad: &mut FeedForwardParams<F>,
) -> Array2<F> {
    linear::accumulate(cache.activated.view(), dy, &mut grad.contract);
    let mut d_expanded = linear::input_gradient(&params.contract, dy);
    if let Some(factors) = &cache.dropout {
        d_expanded *= factors;
    }
    gelu_backward(cache.expanded.view(), &mut d_expanded);
    linear::accumulate(cache.normed.view(), d_expanded.view(), &mut grad.expand);
    let d_normed = linear::input_gradient(&params.expand, d_expanded.view());
    norm::backward(&params.norm, &cache.norm, d_normed.view(), &mut grad.norm) + dy
}
