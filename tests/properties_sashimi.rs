//! What must hold of SaShiMi: steps are the parallel form, nothing looks ahead, samples do not depend on their batch.

use ndarray::{Array2, Array3, Axis, array, s};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::cross_entropy::log_probability;
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::sashimi::autoregressive::{Autoregressive, AutoregressiveSpec};
use s4cast::engine::sashimi::backbone::{SashimiParams, SashimiPlan};
use s4cast::engine::sashimi::sample::{Sampling, continue_prefix};
use s4cast::engine::sashimi::spec::SashimiSpec;
use s4cast::engine::sashimi::step::Stepper;
use s4cast::engine::ssm::SsmKind;

use crate::support::arrays::{distance, generator, random};

fn spec(len: usize, pools: &[usize], layers: usize) -> SashimiSpec {
    SashimiSpec {
        len,
        width: 4,
        pools: pools.to_vec(),
        expand: 2,
        layers,
        feed_forward: 2,
        modes: 4,
        ssm: SsmKind::S4d,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.001, 0.1),
        dropout: 0.0,
    }
}

fn parallel(spec: &SashimiSpec, params: &SashimiParams<f64>, x: &Array3<f64>) -> Array3<f64> {
    let plan = SashimiPlan::new(spec.clone());
    plan.forward(params, &plan.kernels(params), x.clone(), None::<&mut ChaCha8Rng>).0
}

#[test]
fn two_thousand_steps_are_the_parallel_form() {
    let bilinear =
        SashimiSpec { init: Init::LegS, discretization: Discretization::Bilinear, ..spec(2000, &[2, 5], 2) };
    let s4 = SashimiSpec { ssm: SsmKind::S4, ..spec(2000, &[5, 4], 1) };
    for spec in [spec(2000, &[4, 4], 1), bilinear, spec(2000, &[], 1), s4] {
        let params = SashimiParams::init(&spec, &mut generator(1));
        let x = random((2, spec.len, spec.width), 2);
        let expected = parallel(&spec, &params, &x);
        let stepper = Stepper::new(&spec, &params);
        let mut state = stepper.start(2);
        let mut y = Array3::zeros(x.dim());
        for t in 0..spec.len {
            y.slice_mut(s![.., t, ..]).assign(&stepper.step(&mut state, x.slice(s![.., t, ..])));
        }
        let error = distance(&y, &expected);
        println!("{:?} {:?}: steps differ from the parallel form by {error:.1e}", spec.ssm, spec.pools);
        assert!(error < 1e-10, "{error}");
    }
}

#[test]
fn a_forked_state_continues_as_if_alone() {
    let spec = spec(24, &[2, 3], 1);
    let params = SashimiParams::init(&spec, &mut generator(1));
    let stepper = Stepper::new(&spec, &params);
    let x: Array3<f64> = random((3, 24, 4), 2);
    // Every phase of the pools.
    for cut in 1..12 {
        let mut state = stepper.start(3);
        for t in 0..cut {
            stepper.step(&mut state, x.slice(s![.., t, ..]));
        }
        let kept = state.clone();
        let mut forked = state.select(&[2, 0, 2]);
        for t in cut..24 {
            let alone = stepper.step(&mut state, x.slice(s![.., t, ..]));
            let next = x.slice(s![.., t, ..]).select(Axis(0), &[2, 0, 2]);
            assert_eq!(stepper.step(&mut forked, next.view()), alone.select(Axis(0), &[2, 0, 2]));
        }
        let mut again = kept.select(&[1]);
        let one = stepper.step(&mut again, x.slice(s![1..2, cut, ..]));
        let mut all = kept;
        assert_eq!(one.row(0), stepper.step(&mut all, x.slice(s![.., cut, ..])).row(1));
    }
}

/// Direct convolution keeps the bits: what comes later has no part in a sum, not even as a rounding error.
#[test]
fn nothing_looks_ahead() {
    for (len, pools) in [(24, vec![2, 3]), (32, vec![4, 4]), (10, vec![])] {
        let spec = spec(len, &pools, 1);
        let params = SashimiParams::init(&spec, &mut generator(1));
        let x = random((1, len, 4), 2);
        let y = parallel(&spec, &params, &x);
        for t in 0..len {
            let mut changed = x.clone();
            changed.slice_mut(s![.., t.., ..]).mapv_inplace(|x| 5.0 - x);
            let after = parallel(&spec, &params, &changed);
            assert_eq!(after.slice(s![.., ..t, ..]), y.slice(s![.., ..t, ..]), "{pools:?} at {t}");
            assert_ne!(after.slice(s![.., t, ..]), y.slice(s![.., t, ..]), "{pools:?} at {t}");
        }
    }
}

fn model() -> Autoregressive<f64> {
    let spec = AutoregressiveSpec { codes: 8, backbone: spec(24, &[2, 3], 1) };
    let mut model = Autoregressive::init(spec, &mut generator(1));
    model.params.head.weight = random(model.params.head.weight.dim(), 2) * 1.5;
    model
}

fn generators(seeds: impl IntoIterator<Item = u64>) -> Vec<ChaCha8Rng> {
    seeds.into_iter().map(generator).collect()
}

#[test]
fn a_new_model_holds_every_code_for_equally_likely() {
    let spec = AutoregressiveSpec { codes: 256, backbone: spec(16, &[4], 1) };
    assert_eq!(spec.first_input(), 128);
    let model = Autoregressive::<f64>::init(spec, &mut generator(1));
    let paths = continue_prefix(
        &model.stepper(),
        Array2::zeros((1, 0)).view(),
        10,
        Sampling::default(),
        &mut generators([1]),
    );
    assert!((paths.log_likelihood[0] + 10.0 * 256.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn paths_depend_on_their_prefix_and_generator_alone() {
    let model = model();
    let stepper = model.stepper();
    let sampling = Sampling { temperature: 0.9, top_p: 0.95 };
    let prefix = array![[3, 1, 4, 1, 5], [2, 7, 1, 0, 2], [3, 1, 4, 1, 5], [6, 6, 6, 0, 6]];
    let whole = continue_prefix(&stepper, prefix.view(), 40, sampling, &mut generators(10..14));
    for path in 0..4 {
        let rows = s![path..path + 1, ..];
        let mut rng = generators([10 + path as u64]);
        let alone = continue_prefix(&stepper, prefix.slice(rows), 40, sampling, &mut rng);
        assert_eq!(alone.codes, whole.codes.slice(rows));
        assert_eq!(alone.log_likelihood[0].to_bits(), whole.log_likelihood[path].to_bits());
    }
    assert_ne!(whole.codes.row(0), whole.codes.row(2), "two generators, two paths");
    // A common prefix is run once and forked.
    let forked =
        continue_prefix(&stepper, prefix.slice(s![..1, ..]), 40, sampling, &mut generators([10, 99, 12]));
    assert_eq!(forked.codes.row(0), whole.codes.row(0));
    assert_eq!(forked.codes.row(2), whole.codes.row(2));
    assert_eq!(forked.log_likelihood[2].to_bits(), whole.log_likelihood[2].to_bits());
}

/// The parallel form gives the codes that were drawn the same likelihood, and argmax follows its largest logits.
#[test]
fn the_likelihood_of_a_path_is_that_of_the_parallel_form() {
    let model = model();
    let prefix = array![[3, 1, 4, 1], [2, 7, 1, 0]];
    for temperature in [1.0, 0.0] {
        let sampling = Sampling { temperature, top_p: 1.0 };
        let paths = continue_prefix(&model.stepper(), prefix.view(), 20, sampling, &mut generators([5, 6]));
        let codes = ndarray::concatenate![Axis(1), prefix, paths.codes];
        let inputs = model.spec.inputs(codes.view());
        let (logits, _) = model.forward(&model.kernels(), inputs, None::<&mut ChaCha8Rng>);
        for path in 0..2 {
            let mut nats = 0.0;
            for t in 4..24 {
                let (logits, code) = (logits.row(24 * path + t), usize::from(codes[[path, t]]));
                nats += log_probability(logits, code);
                if temperature == 0.0 {
                    assert!(logits.iter().all(|&other| other <= logits[code]));
                }
            }
            assert!((nats - paths.log_likelihood[path]).abs() < 1e-10);
        }
    }
}

/// First codes of many forked paths have the frequencies of the softmax.
#[test]
fn first_codes_have_the_frequencies_of_the_softmax() {
    let model = model();
    let stepper = model.stepper();
    let mut state = stepper.start(1);
    let mut logits = stepper.step(&mut state, &[model.spec.first_input()]);
    for code in [3, 1] {
        logits = stepper.step(&mut state, &[code]);
    }
    let paths = 20_000;
    let mut rngs = generators(0..paths);
    let drawn = continue_prefix(&stepper, array![[3, 1]].view(), 1, Sampling::default(), &mut rngs);
    for code in 0..8 {
        let p = log_probability(logits.row(0), usize::from(code)).exp();
        let count = drawn.codes.iter().filter(|&&drawn| drawn == code).count() as f64;
        // Four and a half standard deviations of a binomial count; the seeds are fixed.
        let (expected, spread) = (paths as f64 * p, (paths as f64 * p * (1.0 - p)).sqrt());
        assert!((count - expected).abs() < 4.5 * spread, "code {code}: {count}, expected {expected}");
    }
}

#[test]
fn codes_of_single_precision_follow_those_of_double() {
    let wide = model();
    let mut narrow = Autoregressive::<f32>::init(wide.spec.clone(), &mut generator(1));
    let mut from = wide.params.clone();
    for (to, from) in narrow.params.tensors().into_iter().zip(from.tensors()) {
        for (to, &mut from) in to.values.iter_mut().zip(from.values) {
            *to = from as f32;
        }
    }
    let prefix = array![[3_u16, 1, 4, 1, 5]];
    let steps = 30;
    let a = continue_prefix(&wide.stepper(), prefix.view(), steps, Sampling::default(), &mut generators([8]));
    let b =
        continue_prefix(&narrow.stepper(), prefix.view(), steps, Sampling::default(), &mut generators([8]));
    assert_eq!(a.codes, b.codes);
    assert!((a.log_likelihood[0] - b.log_likelihood[0]).abs() < 1e-3);
}
