//! What must hold for any numbers: two derivations of one result, adjoints, causality, invariances.

use ndarray::{Array1, Array3, Axis, array, s};
use proptest::prelude::*;
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::loss::Loss;
use s4cast::engine::network::{Network, NetworkParams, NetworkSpec, Readout};
use s4cast::engine::norm::{self, NormParams};
use s4cast::engine::recurrence::Recurrence;
use s4cast::engine::s4d::{self, C64, Discretization, Init};
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{distance, dot, generator, random, random_ssm};

/// Two orders of the same f64 sums over at most a hundred terms of size one.
const SAME: f64 = 1e-11;

fn any_init() -> impl Strategy<Value = Init> {
    prop_oneof![Just(Init::Lin), Just(Init::Inv), Just(Init::LegS), Just(Init::Real), Just(Init::Random)]
}

fn any_discretization() -> impl Strategy<Value = Discretization> {
    prop_oneof![Just(Discretization::ZeroOrderHold), Just(Discretization::Bilinear)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolution_is_recurrence(
        seed in 0..1000_u64, len in 1..90_usize, hidden in 1..5_usize, modes in 1..6_usize,
        init in any_init(), discretization in any_discretization(),
    ) {
        let params = random_ssm(hidden, modes, init, seed);
        let u = random((2, len, hidden), seed + 10);
        let kernel = s4d::kernel_forward(&params, discretization, len);
        let y = convolution::forward(&Plan::new(len), u.view(), kernel.view(), params.d.view());
        let mut state = Array3::from_elem((2, hidden, modes), C64::ZERO);
        let stepped = Recurrence::new(&params, discretization).run(&mut state, u.view());
        prop_assert!(distance(&y, &stepped) < SAME);
    }

    #[test]
    fn a_forwarded_state_continues_the_sequence(
        seed in 0..1000_u64, len in 2..60_usize, share in 0.0..1.0_f64, discretization in any_discretization(),
    ) {
        let params = random_ssm(3, 4, Init::Inv, seed);
        let u = random((2, len, 3), seed + 10);
        let kernel = s4d::kernel_forward(&params, discretization, len);
        let full = convolution::forward(&Plan::Direct, u.view(), kernel.view(), params.d.view());
        let system = Recurrence::new(&params, discretization);
        let mut state = Array3::from_elem((2, 3, 4), C64::ZERO);
        let cut = ((len as f64 * share) as usize).clamp(1, len - 1);
        let head = system.run(&mut state, u.slice(s![.., ..cut, ..]));
        let tail = system.run(&mut state, u.slice(s![.., cut.., ..]));
        let joined = ndarray::concatenate![Axis(1), head, tail];
        prop_assert!(distance(&full, &joined) < SAME);
    }

    #[test]
    fn fft_is_direct(seed in 0..1000_u64, len in 1..200_usize, hidden in 1..40_usize) {
        let (u, k, d) = (random((2, len, hidden), seed), random((len, hidden), seed + 1), random(hidden, seed + 2));
        let fft = convolution::forward(&Plan::fft(len), u.view(), k.view(), d.view());
        prop_assert!(distance(&fft, &convolution::forward(&Plan::Direct, u.view(), k.view(), d.view())) < SAME);
        let dy = random((2, len, hidden), seed + 3);
        let fft = convolution::backward(&Plan::fft(len), u.view(), k.view(), d.view(), dy.view());
        let direct = convolution::backward(&Plan::Direct, u.view(), k.view(), d.view(), dy.view());
        prop_assert!(distance(&fft.du, &direct.du) < SAME);
        prop_assert!(distance(&fft.dk, &direct.dk) < SAME);
        prop_assert!(distance(&fft.dd, &direct.dd) < SAME);
    }

    #[test]
    fn backward_is_the_adjoint(seed in 0..1000_u64, len in 1..120_usize) {
        let (u, v) = (random((2, len, 3), seed), random((2, len, 3), seed + 1));
        let (k, d) = (random((len, 3), seed + 2), random(3, seed + 3));
        for plan in [Plan::Direct, Plan::fft(len)] {
            let y = convolution::forward(&plan, u.view(), k.view(), d.view());
            let adjoint = convolution::backward(&plan, u.view(), k.view(), d.view(), v.view());
            prop_assert!((dot(&y, &v) - dot(&u, &adjoint.du)).abs() < 1e-9);
            let y = convolution::anticausal_forward(&plan, u.view(), k.view());
            let adjoint = convolution::anticausal_backward(&plan, u.view(), k.view(), v.view());
            prop_assert!((dot(&y, &v) - dot(&u, &adjoint.du)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_past_does_not_see_the_future(seed in 0..1000_u64, len in 2..130_usize, share in 0.0..1.0_f64) {
        let (u, k, d) = (random((1, len, 3), seed), random((len, 3), seed + 1), random(3, seed + 2));
        let t = ((len as f64 * share) as usize).min(len - 1);
        let mut changed = u.clone();
        changed[[0, t, 1]] += 1.0;
        for plan in [Plan::Direct, Plan::fft(len)] {
            let before = convolution::forward(&plan, u.view(), k.view(), d.view());
            let after = convolution::forward(&plan, changed.view(), k.view(), d.view());
            let past = s![.., ..t, ..];
            prop_assert!(distance(before.slice(past), after.slice(past)) < 1e-13 * len as f64);
            let before = convolution::anticausal_forward(&plan, u.view(), k.view());
            let after = convolution::anticausal_forward(&plan, changed.view(), k.view());
            let future = s![.., t.., ..];
            prop_assert!(distance(before.slice(future), after.slice(future)) < 1e-13 * len as f64);
        }
    }

    #[test]
    fn layer_norm_ignores_shift_and_scale(seed in 0..1000_u64, shift in -5.0..5.0_f64, scale in 1.0..50.0_f64) {
        // Large rows, so that the epsilon in the variance does not show.
        let x = random((3, 8), seed) * 1e4;
        let params = NormParams { gamma: random(8, seed + 1), beta: random(8, seed + 2) };
        let (plain, _) = norm::forward(&params, x.view());
        let (moved, _) = norm::forward(&params, (&x * scale + shift).view());
        prop_assert!(distance(&plain, &moved) < 1e-7);
    }

    #[test]
    fn pinball_of_the_median_is_half_the_absolute_error(seed in 0..1000_u64, weight in 0.1..3.0_f64) {
        let (forecast, target) = (random((2, 5, 1), seed), random((2, 5), seed + 1));
        let mut gradient = Array3::zeros(forecast.dim());
        let value = Loss::Pinball { levels: vec![0.5] }.value_and_gradient(
            forecast.view(), target.view(), array![weight, weight].view(), gradient.view_mut(),
        );
        let absolute: f64 = forecast.iter().zip(&target).map(|(a, b)| (a - b).abs()).sum();
        prop_assert!((value - 0.5 * weight * absolute).abs() < 1e-12);
    }

    #[test]
    fn a_network_in_f32_is_close_to_f64(seed in 0..1000_u64, len in 3..30_usize) {
        let spec = NetworkSpec {
            patch: 4, tokens: len, hidden: 8, modes: 4, layers: 2, outputs: 5, readout: Readout::Last,
            ssm: SsmKind::S4d, levels: None, init: Init::Lin, discretization: Discretization::ZeroOrderHold, dt: (0.01, 0.5),
            dropout: 0.1,
        };
        let mut narrow = Network::<f32>::init(spec.clone(), &mut generator(seed));
        narrow.params.head.weight = random(narrow.params.head.weight.dim(), seed + 1).mapv(|x| x as f32);
        let mut params = NetworkParams::<f64>::zeros(&spec);
        for (wide, narrow) in params.tensors().into_iter().zip(narrow.params.tensors()) {
            wide.values.iter_mut().zip(narrow.values).for_each(|(wide, narrow)| *wide = f64::from(*narrow));
        }
        let wide = Network::new(spec, params);
        let tokens = random((3, len, 4), seed + 2).mapv(|x| x as f32);
        let (a, _) = narrow.forward(&narrow.kernels(), tokens.clone(), Some(&mut generator(seed)));
        let (b, _) = wide.forward(&wide.kernels(), tokens.mapv(f64::from), Some(&mut generator(seed)));
        prop_assert!(distance(&a.mapv(f64::from), &b) < 5e-6);
    }
}

/// Kernels far beyond the usual length against the closed form, where a product of powers could drift.
#[test]
fn long_kernels_do_not_drift() {
    let params = random_ssm(2, 8, Init::LegS, 3);
    let len = 4096;
    let kernel = s4d::kernel_forward(&params, Discretization::ZeroOrderHold, len);
    for h in 0..2 {
        let dt = params.log_dt[h].exp();
        let closed = Array1::from_shape_fn(len, |l| {
            let mode = |n: usize| {
                let a = C64::new(-params.log_neg_a[[h, n]].exp(), params.a_im[[h, n]]);
                let b = C64::new(params.b_re[[h, n]], params.b_im[[h, n]]);
                let c = C64::new(params.c_re[[h, n]], params.c_im[[h, n]]);
                2.0 * (c * b * ((a * dt).exp() - 1.0) / a * (a * dt * l as f64).exp()).re
            };
            (0..8).map(mode).sum::<f64>()
        });
        assert!(distance(kernel.column(h), &closed) < 1e-11);
    }
}
