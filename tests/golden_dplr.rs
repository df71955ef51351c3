//! The golden files of the DPLR model; [`crate::golden`] finds them and calls these checks.

use ndarray::{Array1, Array2, Ix2, Ix3, Zip};
use s4cast::engine::convolution::{self, Plan};
use s4cast::engine::dplr::{self, DplrParams};
use s4cast::engine::real::Real;
use s4cast::engine::s4d::{C64, Discretization};

use crate::golden::{discretization, transposed};
use crate::support::arrays::swap_last;
use crate::support::golden_file::GoldenFile;

/// Parameters with kernels of `len` positions, from C̃ where the file has it and from the true C where it has that; the
/// other of the two, if the file gives it, is compared. D is zero where the file has none.
pub fn ssm<F: Real>(file: &GoldenFile, len: usize) -> DplrParams<F> {
    assert_eq!(discretization(file), Discretization::Bilinear, "{}", file.name);
    let matrix = |name: &str| file.get::<F, Ix2>("params", name);
    let log_dt: Array1<F> = file.get("params", "log_dt");
    let has = |section: &str, name: &str| file.names(section).iter().any(|other| other == name);
    let c = if has("params", "C_re") { "C" } else { "C_tilde" };
    let mut params = DplrParams {
        len,
        log_neg_a: matrix("log_A_real"),
        a_im: matrix("A_imag"),
        p_re: matrix("P_re"),
        p_im: matrix("P_im"),
        b_re: matrix("B_re"),
        b_im: matrix("B_im"),
        c_re: matrix(&format!("{c}_re")),
        c_im: matrix(&format!("{c}_im")),
        d: file.get_if_present("params", "D").unwrap_or_else(|| Array1::zeros(log_dt.len())),
        log_dt,
    };
    if c == "C" {
        let join = |&re: &F, &im: &F| C64::new(re.wide(), im.wide());
        let c = Zip::from(&params.c_re).and(&params.c_im).map_collect(join);
        params.set_output(c.view(), len);
    }
    if has("derived", "C_tilde_re") {
        file.check("derived", "C_tilde_re", &params.c_re);
        file.check("derived", "C_tilde_im", &params.c_im);
    }
    if has("derived", "C_true_re") {
        let output = params.output();
        file.check("derived", "C_true_re", &output.mapv(|c| F::of(c.re)));
        file.check("derived", "C_true_im", &output.mapv(|c| F::of(c.im)));
    }
    params
}

/// Compares the gradients of all parameters.
pub fn check_gradient<F: Real>(file: &GoldenFile, grad: &DplrParams<F>) {
    let check = |name: &str, got: &Array2<F>| file.check("grads", name, got);
    file.check("grads", "g_log_dt", &grad.log_dt);
    file.check("grads", "g_D", &grad.d);
    check("g_log_A_real", &grad.log_neg_a);
    check("g_A_imag", &grad.a_im);
    check("g_P_re", &grad.p_re);
    check("g_P_im", &grad.p_im);
    check("g_B_re", &grad.b_re);
    check("g_B_im", &grad.b_im);
    check("g_C_tilde_re", &grad.c_re);
    check("g_C_tilde_im", &grad.c_im);
}

pub fn kernel<F: Real>(file: &GoldenFile) {
    let len = file.size("L");
    let kernel = dplr::kernel_forward(&ssm::<F>(file, len), len);
    file.check("outputs", "K", &transposed(&kernel));
}

pub fn layer<F: Real>(file: &GoldenFile) {
    let (u, dy) = (file.get::<F, Ix3>("inputs", "u"), file.get::<F, Ix3>("inputs", "w"));
    let (u, dy) = (swap_last(&u), swap_last(&dy));
    let len = u.dim().1;
    let params = ssm::<F>(file, len);
    let kernel = dplr::kernel_forward(&params, len);
    file.check("outputs", "K", &transposed(&kernel));
    for plan in [Plan::Direct, Plan::fft(len)] {
        let y = convolution::forward(&plan, u.view(), kernel.view(), params.d.view());
        file.check("outputs", "y", &swap_last(&y));
        let gradient = convolution::backward(&plan, u.view(), kernel.view(), params.d.view(), dy.view());
        let mut grad = DplrParams::zeros(params.a_im.nrows(), params.a_im.ncols(), len);
        dplr::kernel_backward(&params, gradient.dk.view(), &mut grad);
        grad.d = gradient.dd;
        file.check("grads", "g_u", &swap_last(&gradient.du));
        check_gradient(file, &grad);
    }
}
