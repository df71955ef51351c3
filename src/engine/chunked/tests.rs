//! The chunked network against the plain one in f64, and against itself on other threads.

use ndarray::{Array2, Array3, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::activation::{gelu_forward, glu_forward};
use crate::engine::block::{self, BlockPlan, Placement, Positions, into_rows, rows, sequences};
use crate::engine::chunked::{Chunked, Shape};
use crate::engine::convolution::{self, Plan};
use crate::engine::linear;
use crate::engine::network::NetworkParams;
use crate::engine::norm;
use crate::engine::param::Kind;
use crate::engine::s4d::{Discretization, Init};
use crate::engine::simd::Isa;
use crate::engine::ssm::SsmKind;

pub(super) fn shape(placement: Placement, len: usize) -> Shape {
    Shape {
        len,
        patch: 3,
        reads_codes: false,
        hidden: 32,
        ssm: SsmKind::S4d,
        bidirectional: false,
        modes: 20,
        layers: 2,
        outputs: 2,
        placement,
        discretization: Discretization::ZeroOrderHold,
    }
}

/// Parameters whose norms are not the identity.
pub(super) fn init(shape: &Shape, rng: &mut ChaCha8Rng) -> NetworkParams<f32> {
    let mut params = shape.init(Init::Lin, (1e-3, 0.1), rng);
    let stack = params.stack_mut();
    for norm in stack.blocks.iter_mut().map(|block| &mut block.norm).chain([&mut stack.norm]) {
        norm.gamma.mapv_inplace(|one| one + rng.random_range(-0.3..0.3));
        norm.beta.mapv_inplace(|_| rng.random_range(-0.3..0.3));
    }
    params
}

pub(super) fn widen(shape: &Shape, params: &mut NetworkParams<f32>) -> NetworkParams<f64> {
    let mut wide = shape.zeros();
    for (to, from) in wide.tensors().into_iter().zip(params.tensors()) {
        for (to, &mut from) in to.values.iter_mut().zip(from.values) {
            *to = f64::from(from);
        }
    }
    wide
}

/// Outputs and gradient of the plain network, given the gradient of its outputs.
pub(super) fn plain(
    shape: &Shape,
    params: &NetworkParams<f64>,
    tokens: Array3<f64>,
    dout: ArrayView2<f64>,
) -> (Array2<f64>, NetworkParams<f64>) {
    let batch = tokens.dim().0;
    let plan = BlockPlan {
        placement: shape.placement,
        positions: Positions::All,
        convolution: Plan::new(shape.len),
    };
    let kernels: Vec<Array2<f64>> = params
        .stack()
        .blocks
        .iter()
        .map(|block| block.ssm.kernel_forward(shape.len, shape.discretization))
        .collect();
    let mut x = sequences(linear::forward(&params.encoder, rows(tokens.view())), batch);
    let mut caches = Vec::new();
    for (block, kernel) in params.stack().blocks.iter().zip(&kernels) {
        let (y, cache) = block::forward(block, &plan, kernel.view(), x, None::<(f64, &mut ChaCha8Rng)>);
        x = y;
        caches.push(cache);
    }
    let mut grad = shape.zeros();
    let x = into_rows(x);
    let (read, norm_cache) = match shape.placement {
        Placement::Pre => {
            let (read, cache) = norm::forward(&params.stack().norm, x.view());
            (read, Some(cache))
        }
        _ => (x, None),
    };
    let out = linear::forward(&params.head, read.view());
    linear::accumulate(read.view(), dout, &mut grad.head);
    let mut d = linear::input_gradient(&params.head, dout);
    if let Some(cache) = norm_cache {
        d = norm::backward(&params.stack().norm, &cache, d.view(), &mut grad.stack_mut().norm);
    }
    let mut dx = sequences(d, batch);
    for index in (0..shape.layers).rev() {
        let mut dk = Array2::zeros(kernels[index].dim());
        let (params, grad) = (&params.stack().blocks[index], &mut grad.stack_mut().blocks[index]);
        dx = block::backward(params, &plan, kernels[index].view(), &caches[index], dx, grad, &mut dk);
        params.ssm.kernel_backward(shape.discretization, dk.view(), &mut grad.ssm);
    }
    linear::accumulate(rows(tokens.view()), into_rows(dx).view(), &mut grad.encoder);
    (out, grad)
}

pub(super) fn relative(exact: impl Iterator<Item = f64>, value: impl Iterator<Item = f32>) -> f64 {
    let (mut error, mut size) = (0.0, 0.0);
    for (exact, value) in exact.zip(value) {
        error += (exact - f64::from(value)).powi(2);
        size += exact * exact;
    }
    (error / size.max(f64::MIN_POSITIVE)).sqrt()
}

/// Outputs and gradient of the chunked network.
fn chunked(
    shape: &Shape,
    isa: Isa,
    params: &NetworkParams<f32>,
    tokens: &[f32],
    dout: &[f32],
) -> (Vec<f32>, NetworkParams<f32>) {
    let batch = tokens.len() / shape.row_sizes()[0];
    let mut network = Chunked::new(shape.clone(), batch, true, isa);
    let (mut out, mut grad) = (vec![0.0; dout.len()], shape.zeros());
    let width = shape.len * shape.outputs;
    let mut loss = |first: usize, values: &[f32], to: &mut [f32]| {
        out[first * width..][..values.len()].copy_from_slice(values);
        to.copy_from_slice(&dout[first * width..][..values.len()]);
    };
    network.gradient(params, tokens, &mut loss, &mut grad);
    let mut alone = vec![0.0; dout.len()];
    network.forward(params, tokens, &mut alone);
    match shape.ssm {
        SsmKind::S4d => assert_eq!(alone, out, "forward by itself"),
        // Slices are of other sizes, so that a sequence shares its transform with another one.
        SsmKind::S4 => {
            let exact: Vec<f64> = out.iter().map(|&value| f64::from(value)).collect();
            assert!(relative(exact.into_iter(), alone.into_iter()) < 1e-6, "forward by itself");
        }
    }
    (out, grad)
}

#[test]
fn outputs_and_gradients_are_those_of_the_plain_network_in_f64() {
    for (case, (ssm, placement, len, batch)) in [
        (SsmKind::S4d, Placement::Post, 70, 3),
        (SsmKind::S4d, Placement::Pre, 70, 3),
        (SsmKind::S4d, Placement::Pre, 2600, 4),
        (SsmKind::S4d, Placement::Post, 20, 5),
        (SsmKind::S4, Placement::Post, 70, 3),
        (SsmKind::S4, Placement::Pre, 2600, 4),
    ]
    .into_iter()
    .enumerate()
    {
        let shape = Shape { ssm, ..shape(placement, len) };
        let mut rng = ChaCha8Rng::seed_from_u64(case as u64);
        let mut params = init(&shape, &mut rng);
        let mut random =
            |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0_f32)).collect() };
        let (tokens, dout) = (random(batch * len * shape.patch), random(batch * len * shape.outputs));
        let wide_tokens = Array3::from_shape_fn((batch, len, shape.patch), |(b, t, p)| {
            f64::from(tokens[(b * len + t) * shape.patch + p])
        });
        let wide_dout = Array2::from_shape_fn((batch * len, shape.outputs), |(r, o)| {
            f64::from(dout[r * shape.outputs + o])
        });
        let wide = widen(&shape, &mut params);
        let (exact_out, mut exact) = plain(&shape, &wide, wide_tokens, wide_dout.view());
        for isa in Isa::available() {
            let (out, mut grad) = chunked(&shape, isa, &params, &tokens, &dout);
            let error = relative(exact_out.iter().copied(), out.into_iter());
            assert!(error < 1e-6, "{} {placement:?} {len}: outputs off by {error:e}", isa.name());
            let mut pairs: Vec<(f64, f32)> = Vec::new();
            for (exact, grad) in exact.tensors().into_iter().zip(grad.tensors()) {
                let both = || exact.values.iter().copied().zip(grad.values.iter().copied());
                pairs.extend(both());
                let error = relative(both().map(|pair| pair.0), both().map(|pair| pair.1));
                assert!(error < 3e-6, "{} {placement:?} {len}: {} off by {error:e}", isa.name(), exact.name);
            }
            let error = relative(pairs.iter().map(|pair| pair.0), pairs.iter().map(|pair| pair.1));
            assert!(error < 1e-6, "{} {placement:?} {len}: gradient off by {error:e}", isa.name());
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (shape, mut rng) = (shape(Placement::Pre, 900), ChaCha8Rng::seed_from_u64(9));
    let params = init(&shape, &mut rng);
    let mut random =
        |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0_f32)).collect() };
    // More than one slice, the last of them smaller.
    let (tokens, dout) = (random(12 * 900 * shape.patch), random(12 * 900 * shape.outputs));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let (out, mut grad) = pool.install(|| chunked(&shape, Isa::detect(), &params, &tokens, &dout));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
        let grads: Vec<Vec<u32>> = grad.tensors().iter().map(|tensor| bits(tensor.values)).collect();
        (bits(&out), grads)
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads");
    }
}

#[test]
fn codes_are_read_as_tokens_that_are_one_in_one_place() {
    for placement in [Placement::Pre, Placement::Post] {
        let one_hot = Shape { patch: 5, ..shape(placement, 70) };
        let coded = Shape { reads_codes: true, ..one_hot.clone() };
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let params = init(&one_hot, &mut rng);
        let codes: Vec<f32> = (0..3 * 70).map(|_| rng.random_range(0..5_u8).into()).collect();
        let tokens: Vec<f32> = codes
            .iter()
            .flat_map(|&code| (0..5_u8).map(move |p| f32::from(u8::from(code == f32::from(p)))))
            .collect();
        let dout: Vec<f32> = (0..3 * 70 * 2).map(|_| rng.random_range(-1.0..1.0)).collect();
        for isa in Isa::available() {
            let (out, mut grad) = chunked(&coded, isa, &params, &codes, &dout);
            let (exact, mut exact_grad) = chunked(&one_hot, isa, &params, &tokens, &dout);
            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
            assert!(relative(wide(&exact).into_iter(), out.into_iter()) < 1e-6, "{}", isa.name());
            for (exact, grad) in exact_grad.tensors().into_iter().zip(grad.tensors()) {
                let error = relative(wide(exact.values).into_iter(), grad.values.iter().copied());
                assert!(error < 1e-6, "{} {}: {error:e}", isa.name(), exact.name);
            }
        }
    }
}

/// Outputs of a bidirectional pre-norm network, layer by layer.
fn bidirectional(shape: &Shape, params: &NetworkParams<f64>, tokens: &Array3<f64>) -> Array2<f64> {
    let (batch, plan) = (tokens.dim().0, Plan::new(shape.len));
    let mut x = linear::forward(&params.encoder, rows(tokens.view()));
    for block in &params.stack().blocks {
        let reverse = block.reverse.as_ref().expect("two directions");
        let kernel = block.ssm.kernel_forward(shape.len, shape.discretization);
        let other = reverse.kernel_forward(&block.ssm, shape.len, shape.discretization);
        let u = sequences(norm::forward(&block.norm, x.view()).0, batch);
        let y = convolution::forward(&plan, u.view(), kernel.view(), block.ssm.d().view())
            + convolution::anticausal_forward(&plan, u.view(), other.view());
        let mut gated = linear::forward(&block.mix, gelu_forward(rows(y.view())).view());
        x = x + glu_forward(&mut gated);
    }
    linear::forward(&params.head, norm::forward(&params.stack().norm, x.view()).0.view())
}

#[test]
fn two_directions_are_those_of_the_plain_convolutions() {
    for ssm in [SsmKind::S4d, SsmKind::S4] {
        let shape = Shape { ssm, bidirectional: true, ..shape(Placement::Pre, 75) };
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut params = init(&shape, &mut rng);
        let mut random =
            |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0_f32)).collect() };
        let (tokens, dout) = (random(3 * 75 * shape.patch), random(3 * 75 * shape.outputs));
        let wide_tokens = Array3::from_shape_fn((3, 75, shape.patch), |(b, t, p)| {
            f64::from(tokens[(b * 75 + t) * shape.patch + p])
        });
        let (out, mut grad) = chunked(&shape, Isa::detect(), &params, &tokens, &dout);
        let wide = widen(&shape, &mut params);
        let exact = bidirectional(&shape, &wide, &wide_tokens);
        let error = relative(exact.iter().copied(), out.into_iter());
        assert!(error < 2e-6, "{ssm:?}: outputs off by {error:e}");
        let loss = |params: &NetworkParams<f64>| -> f64 {
            let out = bidirectional(&shape, params, &wide_tokens);
            out.iter().zip(&dout).map(|(out, &d)| out * f64::from(d)).sum()
        };
        // Every tensor along one random direction, by central differences of the plain network.
        for (index, tensor) in grad.tensors().into_iter().enumerate() {
            if tensor.kind == Kind::Frozen {
                continue;
            }
            let direction: Vec<f64> = tensor.values.iter().map(|_| rng.random_range(-1.0..1.0)).collect();
            let moved = |step: f64| {
                let mut params = wide.clone();
                let values = params.tensors().swap_remove(index).values;
                values.iter_mut().zip(&direction).for_each(|(value, d)| *value += step * d);
                loss(&params)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let own: f64 = tensor.values.iter().zip(&direction).map(|(&g, d)| f64::from(g) * d).sum();
            let size: f64 = tensor.values.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            assert!((slope - own).abs() < 2e-5 * size.max(1.0), "{ssm:?} {}: {slope} {own}", tensor.name);
        }
    }
}
