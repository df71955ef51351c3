//! The backward passes of SaShiMi against central differences, as in gradients.rs.

use ndarray::{Array2, Array3};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::cross_entropy;
use s4cast::engine::embedding::{self, EmbeddingParams};
use s4cast::engine::linear::LinearParams;
use s4cast::engine::norm::NormParams;
use s4cast::engine::param::{Kind, Tensor, tensor};
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::sashimi::autoregressive::{Autoregressive, AutoregressiveParams, AutoregressiveSpec};
use s4cast::engine::sashimi::backbone::{SashimiParams, SashimiPlan};
use s4cast::engine::sashimi::feed_forward::{self, FeedForwardParams};
use s4cast::engine::sashimi::pool;
use s4cast::engine::sashimi::spec::SashimiSpec;
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{dot, generator, random};
use crate::support::finite_difference::check;

/// Parameters and input of a layer.
#[derive(Clone)]
struct Operands<P> {
    params: P,
    x: Array3<f64>,
}

fn pool_tensors(of: &mut Operands<LinearParams<f64>>) -> Vec<Tensor<'_, f64>> {
    let mut tensors = of.params.tensors("");
    tensors.push(tensor("", "x", Kind::Vector, &mut of.x));
    tensors
}

#[test]
fn pools() {
    for pool in [1, 2, 3] {
        let down = Operands {
            params: LinearParams { weight: random((5, 2 * pool), 1), bias: random(5, 2) },
            x: random((2, 6, 2), 3),
        };
        let forward = |of: &Operands<_>| pool::down_forward(&of.params, pool, of.x.view());
        let (y, grouped) = forward(&down);
        let w = random(y.dim(), 4);
        let mut grad = Operands { params: LinearParams::zeros(2 * pool, 5), x: down.x.clone() };
        grad.x = pool::down_backward(&down.params, pool, &grouped, w.view(), &mut grad.params);
        check(&format!("down {pool}"), &down, &mut grad, pool_tensors, |of| dot(&forward(of).0, &w));

        let up = Operands {
            params: LinearParams { weight: random((2 * pool, 5), 5), bias: random(2 * pool, 6) },
            x: random((2, 3, 5), 7),
        };
        let forward = |of: &Operands<_>| pool::up_forward(&of.params, pool, of.x.view());
        let w = random(forward(&up).dim(), 8);
        let mut grad = Operands { params: LinearParams::zeros(5, 2 * pool), x: up.x.clone() };
        grad.x = pool::up_backward(&up.params, pool, up.x.view(), w.view(), &mut grad.params);
        check(&format!("up {pool}"), &up, &mut grad, pool_tensors, |of| dot(&forward(of), &w));
    }
}

#[test]
fn feed_forward_layer() {
    let (width, factor, rows) = (4, 3, 5);
    let params = FeedForwardParams {
        norm: NormParams { gamma: 1.0 + random(width, 1), beta: random(width, 2) },
        expand: LinearParams { weight: random((factor * width, width), 3), bias: random(factor * width, 4) },
        contract: LinearParams { weight: random((width, factor * width), 5), bias: random(width, 6) },
    };
    let (x, w): (Array2<f64>, Array2<f64>) = (random((rows, width), 7), random((rows, width), 8));
    for dropout in [0.0, 0.3] {
        let forward = |params: &FeedForwardParams<f64>, x: &Array2<f64>| {
            // The same seed gives the same dropout mask every time.
            feed_forward::forward(params, x.clone(), Some((dropout, &mut generator(9))))
        };
        let (_, cache) = forward(&params, &x);
        let mut grad = FeedForwardParams::zeros(width, factor);
        let mut dx = feed_forward::backward(&params, &cache, w.view(), &mut grad);
        let label = format!("feed-forward, dropout {dropout}");
        check(&label, &params, &mut grad, |p| p.tensors(""), |p| dot(&forward(p, &x).0, &w));
        check(&label, &x, &mut dx, input, |x| dot(&forward(&params, x).0, &w));
    }
}

fn input(x: &mut Array2<f64>) -> Vec<Tensor<'_, f64>> {
    vec![tensor("", "input", Kind::Vector, x)]
}

#[test]
fn embeddings() {
    let params = EmbeddingParams { table: random((5, 3), 1) };
    // Code 2 stands twice, code 4 never.
    let codes = ndarray::array![[2, 0, 1], [3, 2, 0]];
    let w = random((2, 3, 3), 2);
    let mut grad = EmbeddingParams::zeros(5, 3);
    embedding::accumulate(codes.view(), w.view(), &mut grad);
    let loss = |p: &EmbeddingParams<f64>| dot(&embedding::forward(p, codes.view()), &w);
    check("embedding", &params, &mut grad, |p| p.tensors(""), loss);
}

#[test]
fn cross_entropies() {
    let logits = random((4, 7), 1) * 3.0;
    let labels = [6, 0, 3, 3];
    let of = |logits: &Array2<f64>, gradient: &mut Array2<f64>| {
        cross_entropy::value_and_gradient(logits.view(), &labels, 0.25, gradient.view_mut())
    };
    let mut gradient = Array2::zeros(logits.dim());
    let value = of(&logits, &mut gradient);
    let direct = |(row, &label): (usize, &u16)| {
        -cross_entropy::log_probability(logits.row(row), usize::from(label)) / 4.0
    };
    let expected: f64 = labels.iter().enumerate().map(direct).sum();
    assert!((value - expected).abs() < 1e-14);
    check("cross-entropy", &logits, &mut gradient, input, |l| of(l, &mut Array2::zeros(l.dim())));
}

fn spec(pools: &[usize], ssm: SsmKind, layers: usize, dropout: f64) -> SashimiSpec {
    SashimiSpec {
        len: 2 * pools.iter().product::<usize>(),
        width: 3,
        pools: pools.to_vec(),
        expand: 2,
        layers,
        feed_forward: 2,
        modes: 2,
        ssm,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.05, 0.3),
        dropout,
    }
}

/// The tensors that training moves: all but B, whose gradient is dropped.
fn trained<'a>(mut tensors: Vec<Tensor<'a, f64>>) -> Vec<Tensor<'a, f64>> {
    tensors.retain(|tensor| tensor.kind != Kind::Frozen);
    tensors
}

#[test]
fn backbones() {
    let cases = [
        (vec![], SsmKind::S4d, 2, 0.0),
        (vec![3], SsmKind::S4d, 2, 0.0),
        (vec![2, 3], SsmKind::S4d, 1, 0.25),
        (vec![2, 2], SsmKind::S4, 1, 0.0),
    ];
    for (pools, ssm, layers, dropout) in cases {
        let spec = spec(&pools, ssm, layers, dropout);
        let plan = SashimiPlan::<f64>::new(spec.clone());
        let params = SashimiParams::init(&spec, &mut generator(1));
        let x = random((2, spec.len, spec.width), 2);
        let w = random(x.dim(), 3);
        let forward = |params: &SashimiParams<f64>, x: &Array3<f64>| {
            let kernels = plan.kernels(params);
            let (y, cache) = plan.forward(params, &kernels, x.clone(), Some(&mut generator(4)));
            (y, cache, kernels)
        };
        let (_, cache, kernels) = forward(&params, &x);
        let (mut grad, mut dk) = (SashimiParams::zeros(&spec), plan.zero_kernels());
        let mut dx = plan.backward(&params, &kernels, &cache, w.clone(), &mut grad, &mut dk);
        plan.finish(&params, &dk, &mut grad);
        let label = format!("backbone {ssm:?} {pools:?}, {layers} pairs a level, dropout {dropout}");
        check(&label, &params, &mut grad, |p| trained(p.tensors("")), |p| dot(&forward(p, &x).0, &w));
        check(&label, &x, &mut dx, sequences, |x| dot(&forward(&params, x).0, &w));
    }
}

fn sequences(x: &mut Array3<f64>) -> Vec<Tensor<'_, f64>> {
    vec![tensor("", "x", Kind::Vector, x)]
}

#[test]
fn a_whole_autoregressive_model() {
    let spec = AutoregressiveSpec { codes: 6, backbone: spec(&[2, 2], SsmKind::S4d, 1, 0.0) };
    let mut model = Autoregressive::<f64>::init(spec.clone(), &mut generator(1));
    // The head starts at zero, which would hide everything below it.
    model.params.head.weight = random(model.params.head.weight.dim(), 2);
    model.params.head.bias = random(model.params.head.bias.dim(), 3);
    let codes = ndarray::array![[3, 1, 4, 1, 5, 2, 0, 5], [2, 0, 1, 3, 3, 3, 1, 0]];
    let labels = codes.as_slice().unwrap();
    let forward = |model: &Autoregressive<f64>| {
        let kernels = model.kernels();
        let inputs = model.spec.inputs(codes.view());
        let (logits, cache) = model.forward(&kernels, inputs, None::<&mut ChaCha8Rng>);
        let mut gradient = Array2::zeros(logits.dim());
        let weight = 1.0 / labels.len() as f64;
        let value = cross_entropy::value_and_gradient(logits.view(), labels, weight, gradient.view_mut());
        (value, gradient, cache, kernels)
    };
    let (_, gradient, cache, kernels) = forward(&model);
    let mut grad = model.zero_gradient();
    model.backward(&kernels, &cache, gradient.view(), &mut grad);
    model.finish(&mut grad);
    let loss =
        |params: &AutoregressiveParams<f64>| forward(&Autoregressive::new(spec.clone(), params.clone())).0;
    check("autoregressive", &model.params, &mut grad.params, |p| trained(p.tensors()), loss);
}

#[test]
fn slices_of_a_batch_add_up() {
    let spec = AutoregressiveSpec { codes: 6, backbone: spec(&[2], SsmKind::S4d, 2, 0.0) };
    let mut model = Autoregressive::<f64>::init(spec, &mut generator(1));
    model.params.head.weight = random(model.params.head.weight.dim(), 2);
    let codes = ndarray::array![[3, 1, 4, 1], [2, 0, 1, 3], [5, 5, 0, 2]];
    let kernels = model.kernels();
    let gradient_of = |codes: ndarray::ArrayView2<u16>| {
        let inputs = model.spec.inputs(codes);
        let (logits, cache) = model.forward(&kernels, inputs, None::<&mut ChaCha8Rng>);
        let mut d_logits = Array2::zeros(logits.dim());
        let labels: Vec<u16> = codes.iter().copied().collect();
        cross_entropy::value_and_gradient(logits.view(), &labels, 1.0 / 12.0, d_logits.view_mut());
        let mut grad = model.zero_gradient();
        model.backward(&kernels, &cache, d_logits.view(), &mut grad);
        grad
    };
    let mut whole = gradient_of(codes.view());
    let mut sum = model.zero_gradient();
    for slice in [ndarray::s![..1, ..], ndarray::s![1.., ..]] {
        sum.add(&mut gradient_of(codes.slice(slice)));
    }
    model.finish(&mut whole);
    model.finish(&mut sum);
    for (whole, sum) in whole.params.tensors().into_iter().zip(sum.params.tensors()) {
        for (&mut a, &mut b) in whole.values.iter_mut().zip(sum.values) {
            assert!((a - b).abs() < 1e-12, "{}: {a} and {b}", whole.name);
        }
    }
}
