//! The engine against files of numbers that PyTorch autograd and independent derivations agree on (golden/generate.py).
//!
//! Every array of every file must be read or compared. Set `S4CAST_GOLDEN_DIR` to check another folder.

use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, Ix1, Ix2, Ix3, Ix4, s};
use s4cast::engine::block::{self, BlockParams, BlockPlan, Placement, Positions};
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::hippo;
use s4cast::engine::linear::LinearParams;
use s4cast::engine::norm::NormParams;
use s4cast::engine::real::Real;
use s4cast::engine::recurrence::Recurrence;
use s4cast::engine::s4d::{self, C64, Discretization, Init, S4dParams};
use s4cast::engine::ssm::SsmParams;

use crate::golden_dplr;
use crate::golden_sashimi;
use crate::golden_training;
use crate::support::arrays::{generator, swap_last};
use crate::support::golden_file::GoldenFile;

#[test]
fn every_golden_file_holds() {
    let folder = std::env::var_os("S4CAST_GOLDEN_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")), PathBuf::from);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| path.file_stem().is_none_or(|stem| stem != "MANIFEST"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no golden file in {}", folder.display());
    for path in paths {
        let file = GoldenFile::read(&path);
        let variant = match file.kind.as_str() {
            "s4_block" => format!("s4_block/{}", file.text("ssm")),
            "recurrent" => format!("recurrent/{}", file.text("model")),
            kind => kind.to_string(),
        };
        match variant.as_str() {
            "hippo_legs" => hippo_legs(&file),
            "s4d_kernel" => in_both_types(&file, s4d_kernel::<f64>, s4d_kernel::<f32>),
            "s4d_layer" => in_both_types(&file, s4d_layer::<f64>, s4d_layer::<f32>),
            "s4d_bidirectional" => in_both_types(&file, bidirectional::<f64>, bidirectional::<f32>),
            "s4_dplr_kernel" => in_both_types(&file, golden_dplr::kernel::<f64>, golden_dplr::kernel::<f32>),
            "s4_dplr_layer" => in_both_types(&file, golden_dplr::layer::<f64>, golden_dplr::layer::<f32>),
            "s4_block/s4d" | "s4_block/dplr" => in_both_types(&file, s4_block::<f64>, s4_block::<f32>),
            "recurrent/s4d" | "recurrent/s4_dplr" => {
                in_both_types(&file, recurrent::<f64>, recurrent::<f32>);
            }
            "optimizer" => {
                in_both_types(&file, golden_training::optimizer::<f64>, golden_training::optimizer::<f32>)
            }
            "sashimi" => in_both_types(&file, golden_sashimi::sashimi::<f64>, golden_sashimi::sashimi::<f32>),
            "mu_law" => in_both_types(&file, golden_sashimi::mu_law::<f64>, golden_sashimi::mu_law::<f32>),
            "train" => in_both_types(&file, golden_training::train::<f64>, golden_training::train::<f32>),
            unknown => panic!("{}: unknown kind {unknown}", file.name),
        }
        file.assert_all_used();
        println!("{}: error as a share of the tolerance: {}", file.name, file.margins());
    }
}

fn in_both_types(file: &GoldenFile, wide: fn(&GoldenFile), narrow: fn(&GoldenFile)) {
    wide(file);
    narrow(file);
}

pub fn discretization(file: &GoldenFile) -> Discretization {
    match file.text("disc") {
        "zoh" => Discretization::ZeroOrderHold,
        "bilinear" => Discretization::Bilinear,
        other => panic!("{}: unknown discretisation {other}", file.name),
    }
}

/// State-space parameters; B is one and D zero where the file has none.
pub fn ssm<F: Real>(file: &GoldenFile, prefix: &str) -> S4dParams<F> {
    let matrix = |name: &str| file.get::<F, Ix2>("params", &format!("{prefix}{name}"));
    let a_im = matrix("A_imag");
    let (hidden, modes) = a_im.dim();
    let present = |name: &str| file.get_if_present::<F, Ix2>("params", &format!("{prefix}{name}"));
    let d = file.get_if_present("params", &format!("{prefix}D"));
    S4dParams {
        log_dt: file.get("params", &format!("{prefix}log_dt")),
        log_neg_a: matrix("log_A_real"),
        a_im,
        b_re: present("B_re").unwrap_or_else(|| Array2::ones((hidden, modes))),
        b_im: present("B_im").unwrap_or_else(|| Array2::zeros((hidden, modes))),
        c_re: matrix("C_re"),
        c_im: matrix("C_im"),
        d: d.unwrap_or_else(|| Array1::zeros(hidden)),
    }
}

/// Compares the gradients of the state-space parameters, those of B only where B is a parameter of the file.
fn check_ssm_gradient<F: Real>(file: &GoldenFile, grad: &S4dParams<F>) {
    check_ssm_gradient_of(file, "", grad);
    if file.names("params").iter().any(|name| name == "B_re") {
        file.check("grads", "g_B_re", &grad.b_re);
        file.check("grads", "g_B_im", &grad.b_im);
    }
}

/// Compares the gradients of the state-space parameters whose names begin with `prefix`, all but those of B.
pub fn check_ssm_gradient_of<F: Real>(file: &GoldenFile, prefix: &str, grad: &S4dParams<F>) {
    let name = |of: &str| format!("g_{prefix}{of}");
    file.check("grads", &name("log_dt"), &grad.log_dt);
    file.check("grads", &name("log_A_real"), &grad.log_neg_a);
    file.check("grads", &name("A_imag"), &grad.a_im);
    file.check("grads", &name("C_re"), &grad.c_re);
    file.check("grads", &name("C_im"), &grad.c_im);
    file.check("grads", &name("D"), &grad.d);
}

/// (L, H) as (H, L).
pub fn transposed<F: Real>(kernel: &Array2<F>) -> Array2<F> {
    kernel.t().as_standard_layout().into_owned()
}

fn hippo_legs(file: &GoldenFile) {
    let size = file.size("N");
    let (system, spectrum) = (hippo::legs(size), hippo::legs_spectrum(size));
    let vectors = hippo::legs_eigenvectors(size);
    file.check("outputs", "A", &system.a);
    file.check("outputs", "B", &system.b);
    file.check("outputs", "P", &system.p);
    file.check("outputs", "lam_imag", &Array1::from_vec(spectrum.omega.clone()));
    file.check("outputs", "P_tilde", &Array1::from_vec(spectrum.p.clone()));
    file.check("outputs", "B_tilde", &Array1::from_vec(spectrum.b));
    file.check("outputs", "V_re", &vectors.mapv(|v| v.re));
    file.check("outputs", "V_im", &vectors.mapv(|v| v.im));
    // The normal plus low-rank form gives A back: A = 2 Re(V Λ V*) − P Pᵀ.
    let form = Array2::from_shape_fn((size, size), |(row, column)| {
        let term = |(k, &omega): (usize, &f64)| {
            (C64::new(-0.5, omega) * vectors[[row, k]] * vectors[[column, k]].conj()).re
        };
        2.0 * spectrum.omega.iter().enumerate().map(term).sum::<f64>() - system.p[row] * system.p[column]
    });
    file.check("outputs", "A", &form);
    // C_real is random and documents what the kernel was made of: K_l = C Āˡ B̄ with the bilinear Ā, B̄ of that form,
    // a triangular system (I − dt/2 A) x' = r solved from the top.
    let c: Array1<f64> = file.get("outputs", "C_real");
    let dt: f64 = between(file.text("kernel_check"), "dt=", ",").parse().unwrap();
    let solve = |right: Array1<f64>| {
        let mut x = Array1::<f64>::zeros(size);
        for row in 0..size {
            let known: f64 = (0..row).map(|k| -0.5 * dt * system.a[[row, k]] * x[k]).sum();
            x[row] = (right[row] - known) / (1.0 - 0.5 * dt * system.a[[row, row]]);
        }
        x
    };
    let count = file.get::<f64, Ix1>("outputs", "kernel_check_K").len();
    let mut x = solve(&system.b * dt);
    let mut kernel = Array1::zeros(count);
    for value in &mut kernel {
        *value = c.dot(&x);
        x = solve(&x + &(form.dot(&x) * (0.5 * dt)));
    }
    file.check("outputs", "kernel_check_K", &kernel);
}

fn s4d_kernel<F: Real>(file: &GoldenFile) {
    let kernel = s4d::kernel_forward(&ssm::<F>(file, ""), discretization(file), file.size("L"));
    file.check("outputs", "K", &transposed(&kernel));
}

fn s4d_layer<F: Real>(file: &GoldenFile) {
    let (params, discretization) = (ssm::<F>(file, ""), discretization(file));
    let (u, dy) = (file.get::<F, Ix3>("inputs", "u"), file.get::<F, Ix3>("inputs", "w"));
    let (u, dy) = (swap_last(&u), swap_last(&dy));
    let len = u.dim().1;
    let kernel = s4d::kernel_forward(&params, discretization, len);
    file.check("outputs", "K", &transposed(&kernel));
    for plan in [Plan::Direct, Plan::fft(len)] {
        let y = convolution::forward(&plan, u.view(), kernel.view(), params.d.view());
        file.check("outputs", "y", &swap_last(&y));
        let gradient = convolution::backward(&plan, u.view(), kernel.view(), params.d.view(), dy.view());
        let mut grad = S4dParams::zeros(params.a_im.nrows(), params.a_im.ncols());
        s4d::kernel_backward(&params, discretization, gradient.dk.view(), &mut grad);
        grad.d = gradient.dd;
        file.check("grads", "g_u", &swap_last(&gradient.du));
        check_ssm_gradient(file, &grad);
    }
}

fn bidirectional<F: Real>(file: &GoldenFile) {
    let (params, discretization) = (ssm::<F>(file, ""), discretization(file));
    let mut backwards = params.clone();
    backwards.c_re = file.get("params", "C_backward_re");
    backwards.c_im = file.get("params", "C_backward_im");
    let (u, dy) = (file.get::<F, Ix3>("inputs", "u"), file.get::<F, Ix3>("inputs", "w"));
    let (u, dy) = (swap_last(&u), swap_last(&dy));
    let len = u.dim().1;
    let kernel = s4d::kernel_forward(&params, discretization, len);
    let kernel_backwards = s4d::kernel_forward(&backwards, discretization, len);
    file.check("outputs", "K0", &transposed(&kernel));
    file.check("outputs", "K1", &transposed(&kernel_backwards));
    for plan in [Plan::Direct, Plan::fft(len)] {
        let y = convolution::forward(&plan, u.view(), kernel.view(), params.d.view())
            + convolution::anticausal_forward(&plan, u.view(), kernel_backwards.view());
        file.check("outputs", "y", &swap_last(&y));
        let causal = convolution::backward(&plan, u.view(), kernel.view(), params.d.view(), dy.view());
        let anticausal =
            convolution::anticausal_backward(&plan, u.view(), kernel_backwards.view(), dy.view());
        let (hidden, modes) = params.a_im.dim();
        let (mut grad, mut grad_backwards) =
            (S4dParams::zeros(hidden, modes), S4dParams::zeros(hidden, modes));
        s4d::kernel_backward(&params, discretization, causal.dk.view(), &mut grad);
        s4d::kernel_backward(&backwards, discretization, anticausal.dk.view(), &mut grad_backwards);
        file.check("grads", "g_C_backward_re", &grad_backwards.c_re);
        file.check("grads", "g_C_backward_im", &grad_backwards.c_im);
        // dt and A are shared by the two directions.
        grad.log_dt += &grad_backwards.log_dt;
        grad.log_neg_a += &grad_backwards.log_neg_a;
        grad.a_im += &grad_backwards.a_im;
        grad.d = causal.dd;
        check_ssm_gradient(file, &grad);
        file.check("grads", "g_u", &swap_last(&(causal.du + anticausal.du)));
    }
}

pub fn norm<F: Real>(file: &GoldenFile, prefix: &str) -> NormParams<F> {
    NormParams {
        gamma: file.get("params", &format!("{prefix}ln_gamma")),
        beta: file.get("params", &format!("{prefix}ln_beta")),
    }
}

fn s4_block<F: Real>(file: &GoldenFile) {
    let placement = match file.text("norm") {
        "plain" => Placement::None,
        "prenorm" => Placement::Pre,
        "postnorm" => Placement::Post,
        other => panic!("{}: unknown placement {other}", file.name),
    };
    let x: Array3<F> = file.get("inputs", "x");
    let dy: Array3<F> = file.get("inputs", "w");
    let (batch, len, hidden) = x.dim();
    let discretization = discretization(file);
    let params = BlockParams {
        reverse: None,
        norm: if placement == Placement::None { NormParams::init(hidden) } else { norm(file, "") },
        ssm: if file.text("ssm") == "dplr" {
            golden_dplr::ssm(file, len).into()
        } else {
            ssm(file, "").into()
        },
        mix: LinearParams { weight: file.get("params", "W_out"), bias: file.get("params", "b_out") },
    };
    let kernel = params.ssm.kernel_forward(len, discretization);
    let shaped = |rows: Array2<F>| rows.into_shape_with_order((batch, len, hidden)).expect("standard layout");
    for convolution in [Plan::Direct, Plan::fft(len)] {
        let plan = BlockPlan { placement, positions: Positions::All, convolution };
        let dropout = None::<(f64, &mut rand_chacha::ChaCha8Rng)>;
        let (y, cache) = block::forward(&params, &plan, kernel.view(), x.clone(), dropout);
        file.check("outputs", "ssm_out", &shaped(cache.ssm_out.clone()));
        file.check("outputs", "gelu_out", &shaped(cache.activated.clone()));
        file.check(
            "outputs",
            "glu_out",
            &shaped(&cache.gated.slice(s![.., ..hidden]) * &cache.gated.slice(s![.., hidden..])),
        );
        file.check("outputs", "y", &y);
        let mut grad = params.clone();
        grad.tensors("").into_iter().for_each(|tensor| tensor.values.fill(F::zero()));
        let mut dk = Array2::zeros(kernel.dim());
        let dx = block::backward(&params, &plan, kernel.view(), &cache, dy.clone(), &mut grad, &mut dk);
        params.ssm.kernel_backward(discretization, dk.view(), &mut grad.ssm);
        match &grad.ssm {
            SsmParams::Diagonal(grad) => check_ssm_gradient(file, grad),
            SsmParams::Dplr(grad) => golden_dplr::check_gradient(file, grad),
        }
        file.check("grads", "g_W_out", &grad.mix.weight);
        file.check("grads", "g_b_out", &grad.mix.bias);
        file.check("grads", "g_x", &dx);
        if placement != Placement::None {
            file.check("grads", "g_ln_gamma", &grad.norm.gamma);
            file.check("grads", "g_ln_beta", &grad.norm.beta);
        }
    }
}

fn recurrent<F: Real>(file: &GoldenFile) {
    let discretization = discretization(file);
    let u = swap_last(&file.get::<F, Ix3>("inputs", "u"));
    let (batch, len, hidden) = u.dim();
    let params: SsmParams<F> = match file.text("model") {
        "s4_dplr" => golden_dplr::ssm(file, len).into(),
        _ => ssm(file, "").into(),
    };
    let kernel = params.kernel_forward(len, discretization);
    file.check("outputs", "K", &transposed(&kernel));
    let system = Recurrence::of(&params, discretization);
    let modes = file.size("Nh");
    let mut state = Array3::<C64>::zeros((batch, hidden, modes));
    let (mut y, mut states) = (Array3::zeros(u.dim()), ndarray::Array4::zeros((batch, len, hidden, modes)));
    for t in 0..len {
        y.slice_mut(s![.., t, ..]).assign(&system.step(&mut state, u.slice(s![.., t, ..])));
        states.slice_mut(s![.., t, .., ..]).assign(&state);
    }
    let part = |of: fn(&C64) -> f64| states.map(|x| F::of(of(x)));
    file.check::<F, Ix3>("outputs", "y", &swap_last(&y));
    file.check::<F, Ix4>("outputs", "states_re", &part(|x| x.re));
    file.check::<F, Ix4>("outputs", "states_im", &part(|x| x.im));
    let re: Array3<f64> = file.get("inputs", "x0_re");
    let im: Array3<f64> = file.get("inputs", "x0_im");
    let mut state = Array3::from_shape_fn(re.dim(), |at| C64::new(re[at], im[at]));
    file.check("outputs", "y_from_x0", &swap_last(&system.run(&mut state, u.view())));
    file.check("outputs", "final_state_from_x0_re", &state.mapv(|x| F::of(x.re)));
    file.check("outputs", "final_state_from_x0_im", &state.mapv(|x| F::of(x.im)));
}

/// The part of a text between two marks.
pub fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from} in {text}")) + from.len();
    let end = text[start..].find(to).map_or(text.len(), |end| start + end);
    &text[start..end]
}

#[test]
fn initial_poles_are_those_of_the_golden_kernels() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("s4d_kernel__") {
            continue;
        }
        let file = GoldenFile::read(&path);
        let init = match file.text("init") {
            "lin" => Init::Lin,
            "inv" => Init::Inv,
            "legs" => Init::LegS,
            "real" => Init::Real,
            _ => continue,
        };
        let start =
            S4dParams::<f64>::init(file.size("H"), file.size("Nh"), init, (1e-3, 0.1), &mut generator(1));
        file.check("params", "log_A_real", &start.log_neg_a);
        file.check("params", "A_imag", &start.a_im);
        compared += 1;
    }
    assert!(compared > 0);
}
