//! SaShiMi and its codes against golden files.

use ndarray::{Array1, Ix1, Ix3};
use rand_chacha::ChaCha8Rng;
use s4cast::engine::block::BlockParams;
use s4cast::engine::codes::{Codes, Range};
use s4cast::engine::linear::LinearParams;
use s4cast::engine::real::Real;
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::sashimi::backbone::{SashimiParams, SashimiPlan, UpParams};
use s4cast::engine::sashimi::feed_forward::FeedForwardParams;
use s4cast::engine::sashimi::pair::PairParams;
use s4cast::engine::sashimi::spec::SashimiSpec;
use s4cast::engine::ssm::SsmKind;

use crate::golden::{check_ssm_gradient_of, norm, ssm};
use crate::support::golden_file::GoldenFile;

pub fn mu_law<F: Real>(file: &GoldenFile) {
    let x: Array1<F> = file.get("inputs", "x");
    let range = Range::of(&x);
    let mu = Codes::MU_LAW_8_BIT.encode(range, x.view());
    let linear = Codes::LINEAR_8_BIT.encode(range, x.view());
    let number = |code: u16| F::of(f64::from(code));
    file.check::<F, Ix1>("outputs", "mu_codes", &mu.mapv(number));
    file.check::<F, Ix1>("outputs", "linear_codes", &linear.mapv(number));
    let decoded = mu.mapv(|code| F::of(Codes::MU_LAW_8_BIT.level(code)));
    file.check::<F, Ix1>("outputs", "mu_decoded", &decoded);
}

fn spec(file: &GoldenFile) -> SashimiSpec {
    let pools = file.config["pool"].as_array().unwrap();
    SashimiSpec {
        len: file.size("L"),
        width: file.size("d_model"),
        pools: pools.iter().map(|pool| pool.as_u64().unwrap() as usize).collect(),
        expand: file.size("expand"),
        layers: file.size("n_layers"),
        feed_forward: file.size("ff"),
        modes: file.size("Nh"),
        ssm: SsmKind::S4d,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.01, 0.2),
        dropout: 0.0,
    }
}

fn linear<F: Real>(file: &GoldenFile, name: &str) -> LinearParams<F> {
    LinearParams {
        weight: file.get("params", &format!("{name}.W")),
        bias: file.get("params", &format!("{name}.b")),
    }
}

fn pair<F: Real>(file: &GoldenFile, name: &str) -> PairParams<F> {
    PairParams {
        s4: BlockParams {
            reverse: None,
            norm: norm(file, &format!("{name}.s4.")),
            ssm: ssm(file, &format!("{name}.s4.")).into(),
            mix: linear(file, &format!("{name}.s4.out")),
        },
        feed_forward: FeedForwardParams {
            norm: norm(file, &format!("{name}.ff.")),
            expand: linear(file, &format!("{name}.ff.in")),
            contract: linear(file, &format!("{name}.ff.out")),
        },
    }
}

fn check_linear<F: Real>(file: &GoldenFile, name: &str, grad: &LinearParams<F>) {
    file.check("grads", &format!("g_{name}.W"), &grad.weight);
    file.check("grads", &format!("g_{name}.b"), &grad.bias);
}

fn check_pair<F: Real>(file: &GoldenFile, name: &str, grad: &PairParams<F>) {
    for (part, norm) in [("s4", &grad.s4.norm), ("ff", &grad.feed_forward.norm)] {
        file.check("grads", &format!("g_{name}.{part}.ln_gamma"), &norm.gamma);
        file.check("grads", &format!("g_{name}.{part}.ln_beta"), &norm.beta);
    }
    check_ssm_gradient_of(file, &format!("{name}.s4."), grad.s4.ssm.diagonal());
    check_linear(file, &format!("{name}.s4.out"), &grad.s4.mix);
    check_linear(file, &format!("{name}.ff.in"), &grad.feed_forward.expand);
    check_linear(file, &format!("{name}.ff.out"), &grad.feed_forward.contract);
}

/// The files have one pair per level.
pub fn sashimi<F: Real>(file: &GoldenFile) {
    let spec = spec(file);
    assert_eq!(spec.layers, 1, "{}: the names of more pairs are not known", file.name);
    let levels = 0..spec.pools.len();
    let up = |level| UpParams {
        pool: linear(file, &format!("up{level}")),
        pairs: vec![pair(file, &format!("upblock{level}"))],
    };
    let params = SashimiParams::<F> {
        down: levels.clone().map(|level| linear(file, &format!("down{level}"))).collect(),
        center: vec![pair(file, "center")],
        up: levels.clone().map(up).collect(),
        norm: norm(file, "norm."),
    };
    let plan = SashimiPlan::new(spec.clone());
    let kernels = plan.kernels(&params);
    let x = file.get::<F, Ix3>("inputs", "x");
    let (y, cache) = plan.forward(&params, &kernels, x, None::<&mut ChaCha8Rng>);
    file.check("outputs", "y", &y);
    let (mut grad, mut dk) = (SashimiParams::zeros(&spec), plan.zero_kernels());
    let dx = plan.backward(&params, &kernels, &cache, file.get("inputs", "w"), &mut grad, &mut dk);
    plan.finish(&params, &dk, &mut grad);
    file.check("grads", "g_x", &dx);
    file.check("grads", "g_norm.ln_gamma", &grad.norm.gamma);
    file.check("grads", "g_norm.ln_beta", &grad.norm.beta);
    check_pair(file, "center", &grad.center[0]);
    for level in levels {
        check_linear(file, &format!("down{level}"), &grad.down[level]);
        check_linear(file, &format!("up{level}"), &grad.up[level].pool);
        check_pair(file, &format!("upblock{level}"), &grad.up[level].pairs[0]);
    }
}
