//! Dropout of branches. A factor k of a channel's branch is the same as k W and k b in the rows of its values, one network for
//! every sequence: what the plain network computes with those is what has to come out.

use ndarray::{Array2, Array3, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::activation::dropout_factors;
use crate::engine::block::Placement;
use crate::engine::chunked::tests::{init, plain, relative, shape, widen};
use crate::engine::chunked::{Chunked, Shape};
use crate::engine::network::NetworkParams;
use crate::engine::real::Real;
use crate::engine::simd::Isa;
use crate::engine::ssm::SsmKind;

/// A batch, the gradient of its outputs, and factors (sequences, layers, H).
struct Case {
    tokens: Vec<f32>,
    dout: Vec<f32>,
    factors: Vec<f32>,
}

impl Case {
    fn new(shape: &Shape, batch: usize, rng: &mut ChaCha8Rng) -> Case {
        let mut random =
            |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0_f32)).collect() };
        let [read, written] = shape.row_sizes();
        let (tokens, dout) = (random(batch * read), random(batch * written));
        let factors =
            dropout_factors((batch * shape.layers, shape.hidden), 0.3, rng).into_raw_vec_and_offset().0;
        Case { tokens, dout, factors }
    }

    /// Outputs and gradient of the chunked network; `factors` may be others, or none.
    fn chunked(
        &self,
        shape: &Shape,
        isa: Isa,
        params: &NetworkParams<f32>,
        factors: &[f32],
    ) -> (Vec<f32>, NetworkParams<f32>) {
        let [read, written] = shape.row_sizes();
        let mut network = Chunked::new(shape.clone(), self.tokens.len() / read, true, isa);
        let (mut out, mut grad) = (vec![0.0; self.dout.len()], shape.zeros());
        let mut loss = |first: usize, values: &[f32], to: &mut [f32]| {
            out[first * written..][..values.len()].copy_from_slice(values);
            to.copy_from_slice(&self.dout[first * written..][..values.len()]);
        };
        network.gradient_with_dropout(params, &self.tokens, factors, &mut loss, &mut grad);
        (out, grad)
    }

    /// One sequence of the batch.
    fn alone(&self, shape: &Shape, index: usize) -> Case {
        let [read, written] = shape.row_sizes();
        let part = |values: &[f32], size: usize| values[index * size..][..size].to_vec();
        Case {
            tokens: part(&self.tokens, read),
            dout: part(&self.dout, written),
            factors: part(&self.factors, shape.layers * shape.hidden),
        }
    }
}

/// Multiplies the rows of the values of every block by factors (layers, H).
fn scale<F: Real>(params: &mut NetworkParams<F>, factors: &[f32]) {
    let hidden = params.stack().norm.gamma.len();
    for (block, factors) in params.stack_mut().blocks.iter_mut().zip(factors.chunks(hidden)) {
        for (h, &factor) in factors.iter().enumerate() {
            let factor = F::of(f64::from(factor));
            block.mix.weight.row_mut(h).mapv_inplace(|weight| weight * factor);
            block.mix.bias[h] *= factor;
        }
    }
}

fn add<F: Real>(to: &mut NetworkParams<F>, mut from: NetworkParams<F>) {
    for (to, from) in to.tensors().into_iter().zip(from.tensors()) {
        to.values.iter_mut().zip(from.values).for_each(|(to, &mut value)| *to += value);
    }
}

fn bits(out: &[f32], mut grad: NetworkParams<f32>) -> Vec<u32> {
    let grads = grad.tensors().into_iter().flat_map(|tensor| tensor.values.to_vec());
    out.iter().copied().chain(grads).map(f32::to_bits).collect()
}

#[test]
fn dropped_branches_are_those_of_the_plain_network_with_scaled_rows_in_f64() {
    for (case, (ssm, placement, len, batch)) in [
        (SsmKind::S4d, Placement::Post, 70, 3),
        (SsmKind::S4d, Placement::Pre, 70, 5),
        (SsmKind::S4d, Placement::Pre, 2600, 4),
        (SsmKind::S4, Placement::Post, 70, 3),
        (SsmKind::S4, Placement::Pre, 70, 5),
    ]
    .into_iter()
    .enumerate()
    {
        let shape = Shape { ssm, ..shape(placement, len) };
        let mut rng = ChaCha8Rng::seed_from_u64(case as u64);
        let mut params = init(&shape, &mut rng);
        let wide = widen(&shape, &mut params);
        let all = Case::new(&shape, batch, &mut rng);
        let (mut exact_out, mut exact) = (Vec::new(), shape.zeros());
        for index in 0..batch {
            let Case { tokens, dout, factors } = all.alone(&shape, index);
            let mut scaled = wide.clone();
            scale(&mut scaled, &factors);
            let tokens = Array3::from_shape_fn((1, len, shape.patch), |(_, t, p)| {
                f64::from(tokens[t * shape.patch + p])
            });
            let dout =
                Array2::from_shape_fn((len, shape.outputs), |(t, o)| f64::from(dout[t * shape.outputs + o]));
            let (out, mut grad) = plain(&shape, &scaled, tokens, dout.view());
            exact_out.extend(out);
            scale(&mut grad, &factors);
            add(&mut exact, grad);
        }
        for isa in Isa::available() {
            let (out, mut grad) = all.chunked(&shape, isa, &params, &all.factors);
            let error = relative(exact_out.iter().copied(), out.into_iter());
            assert!(error < 1e-6, "{} {ssm:?} {placement:?} {len}: outputs off by {error:e}", isa.name());
            for (exact, grad) in exact.tensors().into_iter().zip(grad.tensors()) {
                let error = relative(exact.values.iter().copied(), grad.values.iter().copied());
                // As without dropout: f32 rounds a sum over all positions to about that.
                assert!(
                    error < 3e-6,
                    "{} {ssm:?} {placement:?} {len}: {} off by {error:e}",
                    isa.name(),
                    exact.name
                );
            }
        }
    }
}

#[test]
fn two_directions_drop_as_one_does() {
    for ssm in [SsmKind::S4d, SsmKind::S4] {
        let shape = Shape { ssm, bidirectional: true, ..shape(Placement::Pre, 75) };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let params = init(&shape, &mut rng);
        let all = Case::new(&shape, 3, &mut rng);
        let (out, mut grad) = all.chunked(&shape, Isa::detect(), &params, &all.factors);
        let (mut exact_out, mut exact) = (Vec::new(), shape.zeros::<f32>());
        for index in 0..3 {
            let one = all.alone(&shape, index);
            let mut scaled = params.clone();
            scale(&mut scaled, &one.factors);
            let (out, mut grad) = one.chunked(&shape, Isa::detect(), &scaled, &[]);
            exact_out.extend(out.into_iter().map(f64::from));
            scale(&mut grad, &one.factors);
            add(&mut exact, grad);
        }
        // Two computations in f32, each as far from the exact one as the other test allows.
        assert!(relative(exact_out.into_iter(), out.into_iter()) < 2e-6, "{ssm:?}: outputs");
        for (exact, grad) in exact.tensors().into_iter().zip(grad.tensors()) {
            let error = relative(exact.values.iter().map(|&v| f64::from(v)), grad.values.iter().copied());
            assert!(error < 6e-6, "{ssm:?} {}: {error:e}", exact.name);
        }
    }
}

#[test]
fn factors_of_one_and_no_factors_give_the_same_bits() {
    for (ssm, placement) in
        [(SsmKind::S4d, Placement::Pre), (SsmKind::S4d, Placement::Post), (SsmKind::S4, Placement::Pre)]
    {
        let shape = Shape { ssm, ..shape(placement, 300) };
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let params = init(&shape, &mut rng);
        let all = Case::new(&shape, 5, &mut rng);
        for isa in Isa::available() {
            let run = |factors: &[f32]| {
                let (out, grad) = all.chunked(&shape, isa, &params, factors);
                bits(&out, grad)
            };
            assert!(run(&vec![1.0; all.factors.len()]) == run(&[]), "{} {ssm:?} {placement:?}", isa.name());
        }
    }
}

#[test]
fn neither_threads_nor_slices_change_what_is_dropped() {
    let (shape, mut rng) = (shape(Placement::Pre, 900), ChaCha8Rng::seed_from_u64(9));
    let params = init(&shape, &mut rng);
    // More than one slice, the last of them smaller.
    let all = Case::new(&shape, 12, &mut rng);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| all.chunked(&shape, Isa::detect(), &params, &all.factors))
    };
    let (out, grad) = run(1);
    let one = bits(&out, grad);
    for threads in [2, 3, 8] {
        let (out, grad) = run(threads);
        assert!(bits(&out, grad) == one, "{threads} threads");
    }
    let outputs = Array2::from_shape_vec((12, 900 * shape.outputs), out).expect("whole sequences");
    for index in 0..12 {
        let one = all.alone(&shape, index);
        let (out, _) = one.chunked(&shape, Isa::detect(), &params, &one.factors);
        assert!(outputs.slice(s![index, ..]).iter().eq(&out), "sequence {index}");
    }
}
