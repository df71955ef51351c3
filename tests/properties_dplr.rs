//! What must hold for the DPLR model: steps, lengths, the two forms of C, precision.

use ndarray::{Array1, Array2, Array3, s};
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::dplr::{self, DplrParams};
use s4cast::engine::hippo;
use s4cast::engine::network::{Network, NetworkParams, NetworkSpec, Readout};
use s4cast::engine::recurrence::Recurrence;
use s4cast::engine::s4d::{C64, Discretization, Init};
use s4cast::engine::ssm::{SsmKind, SsmParams};

use crate::support::arrays::{distance, generator, random, random_dplr, random_ssm};

/// Largest difference as a share of the largest value.
fn relative<'a>(a: impl IntoIterator<Item = &'a f64>, b: &Array2<f64>) -> f64 {
    let size = b.iter().fold(0.0_f64, |size, b| size.max(b.abs()));
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / size
}

#[test]
fn two_thousand_steps_are_the_convolution() {
    let len = 2000;
    let systems = [
        ("s4d", SsmParams::from(random_ssm(3, 16, Init::LegS, 1))),
        ("s4", random_dplr(3, 16, len, 2).into()),
        // As initialised: slow channels, whose state still remembers the first input.
        ("s4 start", DplrParams::init(3, 32, len, (1e-3, 1e-2), &mut generator(3)).into()),
    ];
    for (name, params) in systems {
        let u = random((2, len, 3), 4);
        let kernel = params.kernel_forward(len, Discretization::Bilinear);
        let y = convolution::forward(&Plan::new(len), u.view(), kernel.view(), params.d().view());
        let modes = if name == "s4 start" { 32 } else { 16 };
        let mut state = Array3::from_elem((2, 3, modes), C64::ZERO);
        let stepped = Recurrence::of(&params, Discretization::Bilinear).run(&mut state, u.view());
        let error = distance(&stepped, &y);
        println!("{name}: steps and convolution differ by {error:.1e}");
        assert!(error < 1e-10, "{name}: {error:e}");
    }
}

/// The kernel of HiPPO-LegS itself, whose A is a dense triangle: C Āˡ B̄ by solving with (I − dt/2 A) from the top.
#[test]
fn the_initial_system_is_hippo_legs() {
    let (size, len, dt) = (8, 40, 0.05_f64);
    let system = hippo::legs(size);
    let solve = |right: Array1<f64>| {
        let mut x = Array1::<f64>::zeros(size);
        for row in 0..size {
            let known: f64 = (0..row).map(|k| -0.5 * dt * system.a[[row, k]] * x[k]).sum();
            x[row] = (right[row] - known) / (1.0 - 0.5 * dt * system.a[[row, row]]);
        }
        x
    };
    let c = random(size, 1);
    let mut x = solve(&system.b * dt);
    let mut dense = Array2::zeros((len, 1));
    for value in &mut dense {
        *value = c.dot(&x);
        x = solve(&x + &(system.a.dot(&x) * (0.5 * dt)));
    }
    let mut params = DplrParams::init(1, size / 2, len, (dt, 1.01 * dt), &mut generator(2));
    params.log_dt.fill(dt.ln());
    // In the basis of the eigenvectors V the row C is C V.
    let vectors = hippo::legs_eigenvectors(size);
    let c = Array2::from_shape_fn((1, size / 2), |(_, k)| {
        vectors.column(k).iter().zip(&c).map(|(v, &c)| v * c).sum::<C64>()
    });
    params.set_output(c.view(), len);
    assert!(distance(&dplr::kernel_forward(&params, len), &dense) < 1e-12);
}

#[test]
fn a_shorter_kernel_is_the_start_of_the_longest() {
    for longest in [64, 65] {
        let params = random_dplr(2, 4, longest, 1);
        let full = dplr::kernel_forward(&params, longest);
        for len in [1, 10, 63] {
            assert_eq!(dplr::kernel_forward(&params, len), full.slice(s![..len, ..]));
        }
    }
}

#[test]
fn doubling_gives_the_kernel_of_twice_the_length() {
    for len in [33, 64] {
        let mut params = random_dplr(2, 8, len, 1);
        let mut direct = params.clone();
        direct.set_output(params.output().view(), 4 * len);
        let short = dplr::kernel_forward(&params, len);
        params.double();
        params.double();
        assert_eq!(params.len, 4 * len);
        let long = dplr::kernel_forward(&params, 4 * len);
        assert!(relative(long.slice(s![..len, ..]), &short) < 1e-12);
        assert!(relative(&long, &dplr::kernel_forward(&direct, 4 * len)) < 1e-12);
    }
}

#[test]
fn the_true_c_survives_its_length() {
    let mut params = random_dplr(3, 8, 50, 1);
    let (re, im) = (random((3, 8), 2), random((3, 8), 3));
    let c = Array2::from_shape_fn((3, 8), |at| C64::new(re[at], im[at]));
    for len in [1, 2, 50, 777] {
        params.set_output(c.view(), len);
        let error = (&params.output() - &c).iter().map(|difference| difference.norm()).fold(0.0, f64::max);
        assert!(error < 1e-12, "length {len}: {error:e}");
    }
}

#[test]
#[should_panic(expected = "no kernel of length 17")]
fn a_kernel_beyond_the_length_of_c_is_a_bug() {
    dplr::kernel_forward(&random_dplr(1, 2, 16, 1), 17);
}

/// Against f64 once with the same draws, whose rounding to f32 the poles amplify, and once with the same rounded numbers.
#[test]
fn a_long_kernel_in_f32_is_that_of_f64() {
    let (modes, len) = (32, 16_384);
    let mut narrow = DplrParams::<f32>::init(2, modes, len, (1e-3, 0.1), &mut generator(1));
    let mut wide = DplrParams::<f64>::zeros(2, modes, len);
    for (wide, narrow) in wide.tensors("").into_iter().zip(narrow.tensors("")) {
        wide.values.iter_mut().zip(narrow.values).for_each(|(wide, narrow)| *wide = f64::from(*narrow));
    }
    let kernel = dplr::kernel_forward(&narrow, len).mapv(f64::from);
    let exact = DplrParams::<f64>::init(2, modes, len, (1e-3, 0.1), &mut generator(1));
    let error = relative(&kernel, &dplr::kernel_forward(&exact, len));
    println!("relative error of the f32 kernel, parameters included: {error:.1e}");
    assert!(error < 1e-5, "{error:e}");
    let error = relative(&kernel, &dplr::kernel_forward(&wide, len));
    println!("relative error of the f32 kernel alone: {error:.1e}");
    assert!(error < 1e-7, "{error:e}");
    // And f64 against steps, which know neither nodes nor transforms.
    let mut impulse = Array3::zeros((1, 2000, 2));
    impulse.slice_mut(s![0, 0, ..]).fill(1.0);
    wide.d.fill(0.0);
    let mut state = Array3::from_elem((1, 2, modes), C64::ZERO);
    let response = Recurrence::dplr(&wide).run(&mut state, impulse.view());
    let error = relative(&response, &dplr::kernel_forward(&wide, 2000));
    println!("relative error of 2000 steps at length {len}: {error:.1e}");
    assert!(error < 1e-10, "{error:e}");
}

#[test]
fn a_network_of_s4_in_f32_is_close_to_f64() {
    let spec = NetworkSpec {
        patch: 4,
        tokens: 200,
        hidden: 8,
        modes: 16,
        layers: 2,
        outputs: 5,
        readout: Readout::Last,
        ssm: SsmKind::S4,
        levels: None,
        init: Init::LegS,
        discretization: Discretization::Bilinear,
        dt: (0.001, 0.1),
        dropout: 0.1,
    };
    let mut narrow = Network::<f32>::init(spec.clone(), &mut generator(1));
    narrow.params.head.weight = random(narrow.params.head.weight.dim(), 2).mapv(|x| x as f32);
    let mut params = NetworkParams::<f64>::zeros(&spec);
    for (wide, narrow) in params.tensors().into_iter().zip(narrow.params.tensors()) {
        wide.values.iter_mut().zip(narrow.values).for_each(|(wide, narrow)| *wide = f64::from(*narrow));
    }
    let wide = Network::new(spec, params);
    let tokens = random((3, 200, 4), 3).mapv(|x| x as f32);
    let (a, _) = narrow.forward(&narrow.kernels(), tokens.clone(), Some(&mut generator(4)));
    let (b, _) = wide.forward(&wide.kernels(), tokens.mapv(f64::from), Some(&mut generator(4)));
    assert!(distance(&a.mapv(f64::from), &b) < 5e-6);
}
