//! The state-space model on observations at any times: gradients by central differences, step = scan = convolution.

use ndarray::{Array2, Array3, s};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::irregular::step::IrregularRecurrence;
use s4cast::engine::irregular::{IrregularNetwork, scan};
use s4cast::engine::network::{NetworkParams, NetworkSpec, Readout};
use s4cast::engine::param::{Kind, Tensor, tensor};
use s4cast::engine::s4d::{self, Discretization, Init, S4dParams};
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{dot, generator, random, random_ssm};
use crate::support::finite_difference::check;

const BATCH: usize = 2;
const LEN: usize = 9;
const QUERIES: usize = 3;

/// Gaps of a Poisson process, with a repeated instant, a padded start and a long pause.
fn gaps() -> Array2<f64> {
    let mut rng = generator(11);
    let mut gaps = Array2::from_shape_simple_fn((BATCH, LEN), || -rng.random_range(1e-3_f64..1.0).ln());
    gaps[[0, 0]] = 0.0;
    gaps[[0, 4]] = 0.0;
    gaps[[1, 3]] = 40.0;
    gaps
}

#[test]
fn scan_gradients() {
    for init in [Init::Lin, Init::LegS, Init::Real, Init::Random] {
        for writes in [LEN, LEN - QUERIES, 0] {
            let (params, gaps) = (random_ssm(3, 4, init, 5), gaps());
            let (u, w) = (random((BATCH, LEN, 3), 6), random((BATCH, LEN, 3), 7));
            let run = |params: &S4dParams<f64>, u: &Array3<f64>| {
                dot(&scan::forward(params, gaps.view(), writes, u.view()).0, &w)
            };
            let (_, cache) = scan::forward(&params, gaps.view(), writes, u.view());
            let mut grad = S4dParams::zeros(3, 4);
            let mut du = scan::backward(&params, gaps.view(), writes, &cache, u.view(), w.view(), &mut grad);
            let label = format!("scan {init:?}, {writes} of {LEN} write");
            check(&label, &params, &mut grad, |p| p.tensors(""), |p| run(p, &u));
            check("scan input", &u, &mut du, |x| vec![tensor("", "u", Kind::Vector, x)], |u| run(&params, u));
        }
    }
}

#[test]
fn one_observation_at_a_time_is_the_scan() {
    let (params, gaps) = (random_ssm(3, 4, Init::Lin, 5), gaps());
    let u = random((BATCH, LEN, 3), 6);
    let (y, _) = scan::forward(&params, gaps.view(), LEN - QUERIES, u.view());
    let recurrence = IrregularRecurrence::new(&params);
    let mut state = Array3::zeros((BATCH, 3, 4));
    for k in 0..LEN {
        let step = recurrence.step(&mut state, gaps.column(k), u.slice(s![.., k, ..]), k < LEN - QUERIES);
        let error = (&step - &y.slice(s![.., k, ..])).mapv(f64::abs).fold(0.0_f64, |a, &b| a.max(b));
        assert!(error < 1e-12, "position {k} is off by {error:e}");
    }
}

#[test]
fn at_gaps_of_one_the_scan_is_the_convolution() {
    let params = random_ssm(3, 4, Init::LegS, 5);
    let u = random((BATCH, LEN, 3), 6);
    let kernel = s4d::kernel_forward(&params, Discretization::ZeroOrderHold, LEN);
    let whole = convolution::forward(&Plan::new(LEN), u.view(), kernel.view(), params.d.view());
    let (y, _) = scan::forward(&params, Array2::ones((BATCH, LEN)).view(), LEN, u.view());
    let error = (&whole - &y).mapv(f64::abs).fold(0.0_f64, |a, &b| a.max(b));
    assert!(error < 1e-12, "{error:e}");
}

/// The integral of a constant does not depend on how often it is looked at.
#[test]
fn a_held_value_counts_by_its_time_and_not_by_its_observations() {
    let params = random_ssm(3, 4, Init::Lin, 5);
    let y = |gaps: &[f64]| {
        let len = gaps.len();
        let gaps = Array2::from_shape_vec((1, len), gaps.to_vec()).unwrap();
        scan::forward(&params, gaps.view(), len, Array3::ones((1, len, 3)).view())
            .0
            .slice(s![0, len - 1, ..])
            .to_owned()
    };
    let (once, often) = (y(&[3.0]), y(&[0.0, 0.25, 1.5, 0.0, 1.25]));
    assert!((&once - &often).mapv(f64::abs).sum() < 1e-12);
}

/// All but B, whose gradient is zero by design.
fn trained(params: &mut NetworkParams<f64>) -> Vec<Tensor<'_, f64>> {
    params.tensors().into_iter().filter(|tensor| tensor.kind != Kind::Frozen).collect()
}

fn spec(dropout: f64) -> NetworkSpec {
    NetworkSpec {
        patch: 3,
        tokens: LEN,
        hidden: 4,
        modes: 2,
        layers: 2,
        outputs: 2,
        readout: Readout::Suffix(QUERIES),
        ssm: SsmKind::S4d,
        levels: None,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.05, 0.5),
        dropout,
    }
}

fn network(dropout: f64) -> IrregularNetwork<f64> {
    let mut rng = generator(3);
    let mut network = IrregularNetwork::init(spec(dropout), &mut rng);
    network.params.head.weight.mapv_inplace(|_| rng.random_range(-0.5..0.5));
    network
}

#[test]
fn network_gradients() {
    for dropout in [0.0, 0.2] {
        let (network, gaps) = (network(dropout), gaps());
        let (tokens, w) = (random((BATCH, LEN, 3), 1), random((BATCH * QUERIES, 2), 2));
        let run = |network: &IrregularNetwork<f64>| {
            network.forward(tokens.clone(), gaps.view(), Some(&mut generator(4)))
        };
        let (_, cache) = run(&network);
        let mut grad = NetworkParams::zeros(&network.spec);
        network.backward(gaps.view(), &cache, w.view(), &mut grad);
        let loss = |params: &NetworkParams<f64>| {
            dot(&run(&IrregularNetwork::new(network.spec.clone(), params.clone())).0, &w)
        };
        check("network at any times", &network.params, &mut grad, trained, loss);
        assert!(
            grad.tensors()
                .iter()
                .filter(|t| t.kind == Kind::Frozen)
                .all(|t| t.values.iter().all(|v| *v == 0.0))
        );
    }
}

/// What one query says depends on no other, and padding in front on nothing.
#[test]
fn queries_and_padding_leave_no_trace() {
    let (network, gaps) = (network(0.0), gaps());
    let tokens = random((1, LEN, 3), 1);
    let gaps = gaps.slice(s![..1, ..]).to_owned();
    let none = || None::<&mut ChaCha8Rng>;
    let (all, _) = network.forward(tokens.clone(), gaps.view(), none());
    let mut others = tokens.clone();
    others.slice_mut(s![.., LEN - QUERIES..LEN - 1, ..]).fill(9.0);
    let (moved, _) = network.forward(others, gaps.view(), none());
    assert!((&all.row(QUERIES - 1) - &moved.row(QUERIES - 1)).mapv(f64::abs).sum() < 1e-12);
    let mut padded = (Array3::from_elem((1, LEN + 5, 3), 2.0), Array2::zeros((1, LEN + 5)));
    padded.0.slice_mut(s![.., 5.., ..]).assign(&tokens);
    padded.1.slice_mut(s![.., 5..]).assign(&gaps);
    let (longer, _) = network.forward(padded.0, padded.1.view(), none());
    assert!((&all - &longer).mapv(f64::abs).sum() < 1e-12);
}

#[test]
fn single_precision_is_close_to_double() {
    let params = random_ssm(3, 4, Init::Lin, 5);
    let single = {
        let mut single = S4dParams::<f32>::zeros(3, 4);
        let mut wide = params.clone();
        for (to, from) in single.tensors("").into_iter().zip(wide.tensors("")) {
            to.values.iter_mut().zip(&*from.values).for_each(|(to, from)| *to = *from as f32);
        }
        single
    };
    let (u, gaps) = (random((BATCH, LEN, 3), 6), gaps());
    let (y, _) = scan::forward(&params, gaps.view(), LEN, u.view());
    let (narrow, _) =
        scan::forward(&single, gaps.mapv(|g| g as f32).view(), LEN, u.mapv(|u| u as f32).view());
    let size = y.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    let error = y.iter().zip(&narrow).fold(0.0_f64, |worst, (a, b)| worst.max((a - f64::from(*b)).abs()));
    assert!(error < 1e-5 * size, "{error:e} of {size:e}");
}
