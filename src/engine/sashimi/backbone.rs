//! The backbone of SaShiMi (arXiv 2202.09729): levels of pairs, pooled down and up again; parameters, forward, backward.
//!
//! Kernels depend on the parameters alone, so they are made once per step and shared by all batch slices; their gradients
//! are summed over the slices before [`SashimiPlan::finish`] pulls them back to the parameters once.

use ndarray::{Array2, Array3};
use rand::Rng;

use crate::engine::block::{BlockPlan, into_rows, sequences};
use crate::engine::linear::LinearParams;
use crate::engine::norm::{self, NormCache, NormParams};
use crate::engine::param::Tensor;
use crate::engine::real::Real;
use crate::engine::sashimi::pair::{self, PairCache, PairParams};
use crate::engine::sashimi::pool;
use crate::engine::sashimi::spec::{Level, SashimiSpec};

/// Parameters of a backbone.
#[derive(Clone, Debug)]
pub struct SashimiParams<F> {
    /// Down-pooling maps (expand · H, H p), finest first.
    pub down: Vec<LinearParams<F>>,
    /// Pairs of the coarsest level.
    pub center: Vec<PairParams<F>>,
    /// The other levels on the way up, coarsest first.
    pub up: Vec<UpParams<F>>,
    /// Final norm (H).
    pub norm: NormParams<F>,
}

/// Parameters of one level on the way up.
#[derive(Clone, Debug)]
pub struct UpParams<F> {
    /// Up-pooling map (H p, expand · H).
    pub pool: LinearParams<F>,
    /// Pairs.
    pub pairs: Vec<PairParams<F>>,
}

impl<F: Real> SashimiParams<F> {
    /// All zeros, for gradients.
    pub fn zeros(spec: &SashimiSpec) -> SashimiParams<F> {
        let levels = spec.levels();
        let steps = || levels.windows(2).zip(&spec.pools);
        let pairs = |level: Level| (0..spec.layers).map(|_| PairParams::zeros(spec, level)).collect();
        let down =
            |(level, pool): (&[Level], &usize)| LinearParams::zeros(level[0].width * pool, level[1].width);
        let up = |(level, pool): (&[Level], &usize)| UpParams {
            pool: LinearParams::zeros(level[1].width, level[0].width * pool),
            pairs: pairs(level[0]),
        };
        SashimiParams {
            down: steps().map(down).collect(),
            center: pairs(levels[spec.pools.len()]),
            up: steps().rev().map(up).collect(),
            norm: NormParams::zeros(spec.width),
        }
    }

    /// Parameters to train.
    pub fn init(spec: &SashimiSpec, rng: &mut impl Rng) -> SashimiParams<F> {
        let mut params = SashimiParams::zeros(spec);
        for map in params.down.iter_mut().chain(params.up.iter_mut().map(|up| &mut up.pool)) {
            *map = LinearParams::init(map.weight.ncols(), map.weight.nrows(), rng);
        }
        for (pair, level) in params.pairs_mut().zip(spec.pair_levels()) {
            *pair = PairParams::init(spec, level, rng);
        }
        params.norm = NormParams::init(spec.width);
        params
    }

    /// Named tensors, always in the same order.
    pub fn tensors(&mut self, prefix: &str) -> Vec<Tensor<'_, F>> {
        let mut tensors = Vec::new();
        for (index, down) in self.down.iter_mut().enumerate() {
            tensors.extend(down.tensors(&format!("{prefix}down{index}.")));
        }
        for (index, pair) in self.center.iter_mut().enumerate() {
            tensors.extend(pair.tensors(&format!("{prefix}center.pair{index}.")));
        }
        for (level, up) in self.up.iter_mut().enumerate() {
            tensors.extend(up.pool.tensors(&format!("{prefix}up{level}.pool.")));
            for (index, pair) in up.pairs.iter_mut().enumerate() {
                tensors.extend(pair.tensors(&format!("{prefix}up{level}.pair{index}.")));
            }
        }
        tensors.extend(self.norm.tensors(&format!("{prefix}norm.")));
        tensors
    }

    /// All pairs in the order of computation: centre, then up. Kernels, their gradients and states have this order.
    pub fn pairs(&self) -> impl Iterator<Item = &PairParams<F>> {
        self.center.iter().chain(self.up.iter().flat_map(|up| &up.pairs))
    }

    fn pairs_mut(&mut self) -> impl Iterator<Item = &mut PairParams<F>> {
        self.center.iter_mut().chain(self.up.iter_mut().flat_map(|up| &mut up.pairs))
    }
}

/// What backward needs of one forward pass.
pub struct SashimiCache<F> {
    /// Grouped frames of every down-pooling.
    down: Vec<Array2<F>>,
    center: Vec<PairCache<F>>,
    /// Input of every up-pooling, and its pairs.
    up: Vec<(Array3<F>, Vec<PairCache<F>>)>,
    norm: NormCache<F>,
}

/// How a backbone computes: everything that is not a parameter.
#[derive(Clone)]
pub struct SashimiPlan<F: Real> {
    spec: SashimiSpec,
    /// By level, finest first.
    blocks: Vec<BlockPlan<F>>,
}

impl<F: Real> SashimiPlan<F> {
    /// The plan of a shape.
    ///
    /// # Panics
    /// If the length is not a positive multiple of [`SashimiSpec::stride`].
    pub fn new(spec: SashimiSpec) -> SashimiPlan<F> {
        let stride = spec.stride();
        assert!(spec.len > 0 && spec.len.is_multiple_of(stride), "{} positions, stride {stride}", spec.len);
        let blocks = spec.levels().into_iter().map(pair::plan).collect();
        SashimiPlan { spec, blocks }
    }

    /// Shape.
    pub fn spec(&self) -> &SashimiSpec {
        &self.spec
    }

    /// Kernels (L of the level, H of the level) of all pairs.
    pub fn kernels(&self, params: &SashimiParams<F>) -> Vec<Array2<F>> {
        params
            .pairs()
            .zip(self.spec.pair_levels())
            .map(|(pair, level)| pair.kernel(&self.spec, level))
            .collect()
    }

    /// All zeros in the shapes of [`SashimiPlan::kernels`], for gradients.
    pub fn zero_kernels(&self) -> Vec<Array2<F>> {
        self.spec.pair_levels().iter().map(|level| Array2::zeros((level.len, level.width))).collect()
    }

    /// Output (batch, L, H) of x (batch, L, H).
    ///
    /// `rng` draws the dropout masks while training; without it nothing is dropped.
    pub fn forward(
        &self,
        params: &SashimiParams<F>,
        kernels: &[Array2<F>],
        x: Array3<F>,
        mut rng: Option<&mut impl Rng>,
    ) -> (Array3<F>, SashimiCache<F>) {
        let (spec, dropout) = (&self.spec, self.spec.dropout);
        let batch = x.dim().0;
        assert_eq!(x.dim().1, spec.len, "positions");
        let (mut down, mut skips) = (Vec::new(), vec![x]);
        for (map, &pool) in params.down.iter().zip(&spec.pools) {
            let finer = skips.last().expect("the input is there");
            let (coarse, grouped) = pool::down_forward(map, pool, finer.view());
            down.push(grouped);
            skips.push(coarse);
        }
        let (now, mut kernels) = kernels.split_at(spec.layers);
        let skip = skips.pop().expect("one skip per level");
        let (plan, of_center) = (&self.blocks[skips.len()], rng.as_deref_mut());
        let (mut x, center) = pair::forward(&params.center, plan, now, skip.clone(), dropout, of_center);
        x += &skip;
        let mut up = Vec::new();
        for stage in &params.up {
            let mut skip = skips.pop().expect("one skip per level");
            let level = skips.len();
            skip += &pool::up_forward(&stage.pool, spec.pools[level], x.view());
            let (now, later) = kernels.split_at(spec.layers);
            let (plan, rng) = (&self.blocks[level], rng.as_deref_mut());
            let (mut y, caches) = pair::forward(&stage.pairs, plan, now, skip.clone(), dropout, rng);
            y += &skip;
            up.push((std::mem::replace(&mut x, y), caches));
            kernels = later;
        }
        let (y, norm) = norm::forward(&params.norm, into_rows(x).view());
        (sequences(y, batch), SashimiCache { down, center, up, norm })
    }

    // On the way up, y = s + pairs(s) with s = up(x) + skip: ds = dy + pairsᵀ dy goes to the skip as it is and through
    // the pool to x. The centre is y = d + pairs(d). On the way down a level's output has two readers, the next
    // down-pooling and the skip; their gradients add.

    /// dLoss/dx (batch, L, H) given dy (batch, L, H); adds to `grad`, whose state-space part holds D only until
    /// [`SashimiPlan::finish`], and to the kernels' gradients `dk`.
    pub fn backward(
        &self,
        params: &SashimiParams<F>,
        kernels: &[Array2<F>],
        cache: &SashimiCache<F>,
        dy: Array3<F>,
        grad: &mut SashimiParams<F>,
        dk: &mut [Array2<F>],
    ) -> Array3<F> {
        let (spec, batch) = (&self.spec, dy.dim().0);
        let dy = norm::backward(&params.norm, &cache.norm, into_rows(dy).view(), &mut grad.norm);
        let mut dx = sequences(dy, batch);
        // Finest first, as the way up is walked backwards.
        let mut d_skips = Vec::with_capacity(spec.pools.len());
        for (index, (stage, (x, caches))) in params.up.iter().zip(&cache.up).enumerate().rev() {
            let level = d_skips.len();
            let (plan, grad) = (&self.blocks[level], &mut grad.up[index]);
            let of_stage = (index + 1) * spec.layers..(index + 2) * spec.layers;
            let (kernels, dk) = (&kernels[of_stage.clone()], &mut dk[of_stage]);
            let mut ds = pair::backward(&stage.pairs, plan, kernels, caches, dx.clone(), &mut grad.pairs, dk);
            ds += &dx;
            dx = pool::up_backward(&stage.pool, spec.pools[level], x.view(), ds.view(), &mut grad.pool);
            d_skips.push(ds);
        }
        let (kernels, dk) = (&kernels[..spec.layers], &mut dk[..spec.layers]);
        let plan = &self.blocks[spec.pools.len()];
        let (pairs, d_center) = (&params.center, dx.clone());
        dx += &pair::backward(pairs, plan, kernels, &cache.center, d_center, &mut grad.center, dk);
        for (level, grouped) in cache.down.iter().enumerate().rev() {
            let (map, pool) = (&params.down[level], spec.pools[level]);
            dx = pool::down_backward(map, pool, grouped, dx.view(), &mut grad.down[level]);
            dx += &d_skips[level];
        }
        dx
    }

    /// Pulls the summed kernel gradients `dk`, in the shapes of [`SashimiPlan::kernels`], back to the state-space parameters
    /// in `grad`.
    pub fn finish(&self, params: &SashimiParams<F>, dk: &[Array2<F>], grad: &mut SashimiParams<F>) {
        for ((params, dk), grad) in params.pairs().zip(dk).zip(grad.pairs_mut()) {
            params.pull_back(&self.spec, dk, grad);
        }
    }
}
