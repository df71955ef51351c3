//! Every hand-derived backward pass against central differences in f64, scalar by scalar.
//!
//! The loss is Σ w ⊙ y with random w, so that every output matters. Bound and stencil: support/finite_difference.rs.

use ndarray::{Array, Array1, Array2, Array3, Dimension, array, s};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::activation;
use s4cast::engine::block::{self, BlockParams, BlockPlan, Placement, Positions};
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::linear::{self, LinearParams};
use s4cast::engine::loss::Loss;
use s4cast::engine::network::{Levels, Network, NetworkGradient, NetworkParams, NetworkSpec, Readout};
use s4cast::engine::norm::{self, NormParams};
use s4cast::engine::param::{Kind, Tensor, tensor};
use s4cast::engine::s4d::{self, Discretization, Init, S4dParams};
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{dot, generator, random, random_ssm};
use crate::support::finite_difference::check;

const DISCRETIZATIONS: [Discretization; 2] = [Discretization::ZeroOrderHold, Discretization::Bilinear];

/// An array as the only tensor of its kind.
fn alone<D: Dimension>(x: &mut Array<f64, D>) -> Vec<Tensor<'_, f64>> {
    vec![tensor("", "input", Kind::Vector, x)]
}

#[test]
fn linear_map() {
    let x = random((5, 4), 1);
    let params = LinearParams { weight: random((3, 4), 2), bias: random(3, 3) };
    let w = random((5, 3), 4);
    let mut grad = LinearParams::zeros(4, 3);
    linear::accumulate(x.view(), w.view(), &mut grad);
    check("linear", &params, &mut grad, |p| p.tensors(""), |p| dot(&linear::forward(p, x.view()), &w));
    let mut dx = linear::input_gradient(&params, w.view());
    check("linear input", &x, &mut dx, alone, |x| dot(&linear::forward(&params, x.view()), &w));
}

#[test]
fn layer_norm() {
    let x = random((4, 6), 1);
    let params = NormParams { gamma: random(6, 2), beta: random(6, 3) };
    let w = random((4, 6), 4);
    let (_, cache) = norm::forward(&params, x.view());
    let mut grad = NormParams::zeros(6);
    let mut dx = norm::backward(&params, &cache, w.view(), &mut grad);
    check("norm", &params, &mut grad, |p| p.tensors(""), |p| dot(&norm::forward(p, x.view()).0, &w));
    check("norm input", &x, &mut dx, alone, |x| dot(&norm::forward(&params, x.view()).0, &w));
}

#[test]
fn gelu_and_glu() {
    let x = random((6, 5), 1) * 4.0;
    let w = random((6, 5), 2);
    let mut dx = w.clone();
    activation::gelu_backward(x.view(), &mut dx);
    check("gelu", &x, &mut dx, alone, |x| dot(&activation::gelu_forward(x.view()), &w));
    let v = random((6, 8), 3) * 3.0;
    let w = random((6, 4), 4);
    let mut gated = v.clone();
    activation::glu_forward(&mut gated);
    let mut dv = activation::glu_backward(gated.view(), w.view());
    check("glu", &v, &mut dv, alone, |v| dot(&activation::glu_forward(&mut v.clone()), &w));
}

#[test]
fn s4d_kernel_of_every_initialisation() {
    for init in [Init::Lin, Init::Inv, Init::LegS, Init::Real, Init::Random] {
        for discretization in DISCRETIZATIONS {
            for len in [1, 2, 13] {
                let params = random_ssm(3, 4, init, 5);
                let w = random((len, 3), 6);
                let mut grad = S4dParams::zeros(3, 4);
                s4d::kernel_backward(&params, discretization, w.view(), &mut grad);
                let label = format!("kernel {init:?} {discretization:?} of length {len}");
                check(
                    &label,
                    &params,
                    &mut grad,
                    |p| p.tensors(""),
                    |p| dot(&s4d::kernel_forward(p, discretization, len), &w),
                );
            }
        }
    }
}

/// The bilinear Ā is zero at dt A = −2, where a kernel gradient through 1/Ā would fail.
#[test]
fn s4d_kernel_where_the_bilinear_pole_maps_to_zero() {
    let mut params = random_ssm(1, 2, Init::Real, 7);
    params.log_dt[0] = 2.0_f64.ln();
    params.log_neg_a.fill(0.0);
    params.a_im.fill(0.0);
    let w = random((6, 1), 8);
    let mut grad = S4dParams::zeros(1, 2);
    s4d::kernel_backward(&params, Discretization::Bilinear, w.view(), &mut grad);
    let loss = |p: &S4dParams<f64>| dot(&s4d::kernel_forward(p, Discretization::Bilinear, 6), &w);
    check("kernel at a zero pole", &params, &mut grad, |p| p.tensors(""), loss);
}

/// u (batch, L, H), K (L, H) and D (H).
#[derive(Clone)]
struct Operands {
    u: Array3<f64>,
    k: Array2<f64>,
    d: Array1<f64>,
}

impl Operands {
    fn random(len: usize) -> Operands {
        Operands { u: random((2, len, 3), 1), k: random((len, 3), 2), d: random(3, 3) }
    }

    fn tensors(&mut self) -> Vec<Tensor<'_, f64>> {
        vec![
            tensor("", "u", Kind::Vector, &mut self.u),
            tensor("", "k", Kind::Vector, &mut self.k),
            tensor("", "d", Kind::Vector, &mut self.d),
        ]
    }
}

impl From<convolution::ConvolutionGradient<f64>> for Operands {
    fn from(gradient: convolution::ConvolutionGradient<f64>) -> Operands {
        Operands { u: gradient.du, k: gradient.dk, d: gradient.dd }
    }
}

#[test]
fn convolutions() {
    for len in [1, 5, 17] {
        let x = Operands::random(len);
        let w = random(x.u.dim(), 4);
        for (name, plan) in [("direct", Plan::Direct), ("fft", Plan::fft(len))] {
            let y = |x: &Operands| convolution::forward(&plan, x.u.view(), x.k.view(), x.d.view());
            let mut grad = convolution::backward(&plan, x.u.view(), x.k.view(), x.d.view(), w.view()).into();
            check(name, &x, &mut grad, Operands::tensors, |x| dot(&y(x), &w));
            let y = |x: &Operands| convolution::anticausal_forward(&plan, x.u.view(), x.k.view());
            let mut grad = convolution::anticausal_backward(&plan, x.u.view(), x.k.view(), w.view()).into();
            check(&format!("anticausal {name}"), &x, &mut grad, Operands::tensors, |x| dot(&y(x), &w));
        }
        let w = random((2, 3), 5);
        let y = |x: &Operands| convolution::last_forward(x.u.view(), x.k.view(), x.d.view());
        let mut grad = convolution::last_backward(x.u.view(), x.k.view(), x.d.view(), w.view()).into();
        check("last position", &x, &mut grad, Operands::tensors, |x| dot(&y(x), &w));
    }
}

/// Parameters and input of a block.
#[derive(Clone)]
struct BlockOperands {
    params: BlockParams<f64>,
    x: Array3<f64>,
}

impl BlockOperands {
    fn tensors(&mut self) -> Vec<Tensor<'_, f64>> {
        let mut tensors = self.params.tensors("");
        tensors.push(tensor("", "x", Kind::Vector, &mut self.x));
        tensors
    }
}

#[test]
fn blocks() {
    let (batch, len, hidden, modes) = (2, 6, 4, 2);
    let x = BlockOperands {
        params: BlockParams {
            reverse: None,
            norm: NormParams { gamma: 1.0 + random(hidden, 1), beta: random(hidden, 2) },
            ssm: random_ssm(hidden, modes, Init::Lin, 3).into(),
            mix: LinearParams { weight: random((2 * hidden, hidden), 4), bias: random(2 * hidden, 5) },
        },
        x: random((batch, len, hidden), 6),
    };
    let cases = [
        (Placement::None, Positions::All),
        (Placement::Pre, Positions::All),
        (Placement::Post, Positions::All),
        (Placement::Pre, Positions::Last),
    ];
    for (placement, positions) in cases {
        for dropout in [0.0, 0.3] {
            for convolution in [Plan::Direct, Plan::fft(len)] {
                let plan = BlockPlan { placement, positions, convolution };
                let forward = |x: &BlockOperands| {
                    let kernel = x.params.ssm.kernel_forward(len, Discretization::ZeroOrderHold);
                    // The same seed gives the same dropout mask every time.
                    let mut rng = generator(9);
                    let dropout = Some((dropout, &mut rng));
                    let (y, cache) = block::forward(&x.params, &plan, kernel.view(), x.x.clone(), dropout);
                    (y, cache, kernel)
                };
                let (y, cache, kernel) = forward(&x);
                let w = random(y.dim(), 7);
                let mut grad = BlockOperands { params: BlockParams::zeros(hidden, modes), x: x.x.clone() };
                let mut dk = Array2::zeros(kernel.dim());
                let dy = w.clone();
                grad.x =
                    block::backward(&x.params, &plan, kernel.view(), &cache, dy, &mut grad.params, &mut dk);
                let discretization = Discretization::ZeroOrderHold;
                x.params.ssm.kernel_backward(discretization, dk.view(), &mut grad.params.ssm);
                let label = format!("block {placement:?} {positions:?}, dropout {dropout}");
                check(&label, &x, &mut grad, BlockOperands::tensors, |x| dot(&forward(x).0, &w));
            }
        }
    }
}

/// The tensors of a network that training moves: all but B, whose gradient a network drops.
fn trained(params: &mut NetworkParams<f64>) -> Vec<Tensor<'_, f64>> {
    let mut tensors = params.tensors();
    tensors.retain(|tensor| tensor.kind != Kind::Frozen);
    tensors
}

/// Two blocks on five tokens; every case changes some of it.
fn network_spec() -> NetworkSpec {
    NetworkSpec {
        patch: 3,
        tokens: 5,
        hidden: 4,
        modes: 2,
        layers: 2,
        outputs: 3,
        readout: Readout::Last,
        ssm: SsmKind::S4d,
        levels: None,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.05, 0.3),
        dropout: 0.0,
    }
}

fn check_network(spec: &NetworkSpec) {
    let mut network = Network::<f64>::init(spec.clone(), &mut generator(1));
    // The head starts at zero, which would hide everything below it.
    network.params.head.weight = random(network.params.head.weight.dim(), 2);
    network.params.head.bias = random(network.params.head.bias.dim(), 3);
    let tokens = random((2, spec.tokens, spec.patch), 4);
    let forward = |network: &Network<f64>| {
        let kernels = network.kernels();
        let (out, cache) = network.forward(&kernels, tokens.clone(), Some(&mut generator(5)));
        (out, cache, kernels)
    };
    let (out, cache, kernels) = forward(&network);
    let w = random(out.dim(), 6);
    let mut grad = NetworkGradient::zeros(spec);
    network.backward(&kernels, &cache, w.view(), &mut grad);
    network.finish(&mut grad);
    let loss = |params: &NetworkParams<f64>| dot(&forward(&Network::new(spec.clone(), params.clone())).0, &w);
    let label = format!("network {:?} {:?}", spec.readout, spec.levels);
    check(&label, &network.params, &mut grad.params, trained, loss);
}

const READOUTS: [Readout; 3] = [Readout::Last, Readout::Flatten, Readout::Suffix(2)];

#[test]
fn networks() {
    for readout in READOUTS {
        for (discretization, dropout) in
            [(Discretization::ZeroOrderHold, 0.25), (Discretization::Bilinear, 0.0)]
        {
            check_network(&NetworkSpec { readout, discretization, dropout, ..network_spec() });
        }
    }
}

/// Of one level, and of two and three whose strides divide the tokens or do not.
#[test]
fn networks_of_levels() {
    for readout in READOUTS {
        for (pools, tokens, dropout) in [
            (vec![], 3, 0.0),
            (vec![2], 4, 0.25),
            (vec![2], 5, 0.0),
            (vec![2, 2], 4, 0.0),
            (vec![2, 3], 7, 0.25),
        ] {
            let levels = Some(Levels { pools, expand: 2, feed_forward: 2 });
            let spec = NetworkSpec { tokens, layers: 1, readout, levels, dropout, ..network_spec() };
            check_network(&spec);
        }
    }
}

/// What is read at a token depends on it and on those before, padded or not.
#[test]
fn networks_of_levels_look_back_only() {
    for tokens in [8, 9, 11] {
        let levels = Some(Levels { pools: vec![2, 2], expand: 2, feed_forward: 2 });
        let readout = Readout::Suffix(tokens);
        let spec = NetworkSpec { tokens, readout, levels, ..network_spec() };
        let mut network = Network::<f64>::init(spec, &mut generator(1));
        network.params.head.weight = random(network.params.head.weight.dim(), 2);
        let kernels = network.kernels();
        let before = random((1, tokens, 3), 4);
        let out = |tokens: &Array3<f64>| network.forward(&kernels, tokens.clone(), None::<&mut ChaCha8Rng>).0;
        for changed in 0..tokens {
            let mut after = before.clone();
            after.slice_mut(s![.., changed, ..]).mapv_inplace(|x| x + 0.5);
            let difference = out(&after) - out(&before);
            for (position, row) in difference.outer_iter().enumerate() {
                let moved = row.iter().any(|x| x.abs() > 1e-9);
                assert_eq!(moved, position >= changed, "token {changed} of {tokens}, read at {position}");
            }
        }
    }
}

#[test]
fn losses() {
    let levels = vec![0.1, 0.5, 0.8];
    for loss in [
        Loss::Pinball { levels: levels.clone() },
        Loss::PinballAroundMean { levels },
        Loss::SquaredError,
        Loss::Huber { delta: 0.4 },
    ] {
        let forecast = random((2, 4, 3), 1);
        let mut target = random((2, 4), 2);
        target[[0, 1]] = f64::NAN;
        target[[1, 3]] = f64::NAN;
        let weights = array![0.5, 2.0];
        let mut gradient = Array3::zeros(forecast.dim());
        let of = |forecast: &Array3<f64>, gradient: &mut Array3<f64>| {
            loss.value_and_gradient(forecast.view(), target.view(), weights.view(), gradient.view_mut())
        };
        of(&forecast, &mut gradient);
        let value = |forecast: &Array3<f64>| of(forecast, &mut Array3::zeros(forecast.dim()));
        check(&format!("{loss:?}"), &forecast, &mut gradient, alone, value);
    }
}
