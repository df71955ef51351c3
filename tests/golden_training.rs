//! The golden files about optimisation: AdamW alone, and a whole network trained for some steps.

use ndarray::{Array1, Array2, Array3, ArrayD, Ix3};
use s4cast::engine::block::BlockParams;
use s4cast::engine::body::{BodyParams, StackParams};
use s4cast::engine::linear::LinearParams;
use s4cast::engine::loss::Loss;
use s4cast::engine::network::{Network, NetworkGradient, NetworkParams, NetworkSpec, Readout};
use s4cast::engine::optim::{self, AdamW, Group, Schedule};
use s4cast::engine::param::Tensor;
use s4cast::engine::real::Real;
use s4cast::engine::s4d::{Discretization, Init};
use s4cast::engine::ssm::SsmKind;

use crate::golden::{between, norm, ssm};
use crate::support::golden_file::{GoldenFile, Tolerance};

/// AdamW over two groups with clipping.
pub fn optimizer<F: Real>(file: &GoldenFile) {
    let rates = file.names("outputs").into_iter().find(|name| name.starts_with("lr_")).unwrap();
    let order: Vec<&str> = rates["lr_".len()..].split('_').collect();
    let group = |name: &&str| {
        let number = |key: &str| file.config["groups"][name][key].as_f64().unwrap();
        Group { learning_rate: number("lr"), weight_decay: number("weight_decay") }
    };
    let groups: Vec<Group> = order.iter().map(group).collect();
    let limit = file.config["clip_global_norm"].as_f64().unwrap();
    let schedule = Schedule { warmup: file.size("warmup_steps"), total: file.size("total_steps") };
    let mut params: Vec<ArrayD<F>> =
        order.iter().map(|name| file.get("inputs", &format!("{name}_0"))).collect();
    let grads: Vec<ArrayD<F>> =
        order.iter().map(|name| file.get("inputs", &format!("{name}_grads"))).collect();
    let steps = grads[0].shape()[0];
    let mut history: Vec<ArrayD<F>> = grads.iter().map(|grads| ArrayD::zeros(grads.raw_dim())).collect();
    let (mut norms, mut used_rates) = (Array1::zeros(steps), Array2::zeros((steps, order.len())));
    let mut optimizer = AdamW::new(&params.iter().map(ArrayD::len).collect::<Vec<_>>());
    for step in 0..steps {
        // This file was made with step / warmup, which wastes the first step; the product counts from one.
        let multiplier = if step < schedule.warmup {
            step as f64 / schedule.warmup as f64
        } else {
            schedule.multiplier(step)
        };
        let mut current: Vec<ArrayD<F>> = grads
            .iter()
            .map(|grads| grads.index_axis(ndarray::Axis(0), step).as_standard_layout().into_owned())
            .collect();
        let mut slices: Vec<&mut [F]> = current.iter_mut().map(|grad| grad.as_slice_mut().unwrap()).collect();
        norms[step] = F::of(optim::clip_global_norm(&mut slices, limit));
        let slices: Vec<&[F]> = slices.iter().map(|slice| &**slice).collect();
        let mut values: Vec<&mut [F]> =
            params.iter_mut().map(|param| param.as_slice_mut().unwrap()).collect();
        optimizer.step(&mut values, &slices, &groups, multiplier);
        for (index, (history, param)) in history.iter_mut().zip(&params).enumerate() {
            history.index_axis_mut(ndarray::Axis(0), step).assign(param);
            used_rates[[step, index]] = F::of(groups[index].learning_rate * multiplier);
        }
    }
    file.check("outputs", "grad_norms", &norms);
    file.check("outputs", &rates, &used_rates);
    for (name, history) in order.iter().zip(&history) {
        file.check("outputs", name, history);
    }
}

/// Name in the file of a tensor of the network.
fn file_name(tensor: &str) -> Option<String> {
    let (path, leaf) = tensor.rsplit_once('.').unwrap();
    let leaf = match leaf {
        "log_neg_a" => "log_A_real",
        "a_im" => "A_imag",
        "c_re" => "C_re",
        "c_im" => "C_im",
        "d" => "D",
        "gamma" => "ln_gamma",
        "beta" => "ln_beta",
        // B is one in the files and no parameter.
        "b_re" | "b_im" => return None,
        other => other,
    };
    Some(match path {
        "encoder" => format!("in.{}", if leaf == "weight" { "W" } else { "b" }),
        "head" => format!("out.{}", if leaf == "weight" { "W" } else { "b" }),
        "norm" => format!("norm.{leaf}"),
        block => {
            let (layer, part) = block.strip_prefix("block").unwrap().split_once('.').unwrap();
            match (part, leaf) {
                ("mix", "weight") => format!("l{layer}.W_out"),
                ("mix", "bias") => format!("l{layer}.b_out"),
                _ => format!("l{layer}.{leaf}"),
            }
        }
    })
}

/// Some steps of a small masked-suffix forecaster: losses, norms, first gradients, last parameters.
pub fn train<F: Real>(file: &GoldenFile) {
    let linear = |name: &str| LinearParams::<F> {
        weight: file.get("params", &format!("{name}.W")),
        bias: file.get("params", &format!("{name}.b")),
    };
    let (horizon, layers) = (file.size("pred"), file.size("layers"));
    let x: Array3<F> = file.get("inputs", "x");
    let y: Array2<F> = file.get::<F, Ix3>("inputs", "y").remove_axis(ndarray::Axis(2));
    let block = |layer: usize| BlockParams {
        reverse: None,
        norm: norm(file, &format!("l{layer}.")),
        ssm: ssm(file, &format!("l{layer}.")).into(),
        mix: LinearParams {
            weight: file.get("params", &format!("l{layer}.W_out")),
            bias: file.get("params", &format!("l{layer}.b_out")),
        },
    };
    let params = NetworkParams {
        encoder: linear("in"),
        body: BodyParams::Stack(StackParams {
            blocks: (0..layers).map(block).collect(),
            norm: norm(file, "norm."),
        }),
        head: linear("out"),
    };
    let spec = NetworkSpec {
        patch: x.dim().2,
        tokens: x.dim().1,
        hidden: file.size("H"),
        modes: file.size("Nh"),
        layers,
        outputs: params.head.bias.len(),
        readout: Readout::Suffix(horizon),
        ssm: SsmKind::S4d,
        levels: None,
        init: Init::Lin,
        discretization: Discretization::ZeroOrderHold,
        dt: (0.01, 0.2),
        dropout: 0.0,
    };
    let mut network = Network::new(spec, params);
    let text = file.text("lr_multiplier");
    let number = |from: &str, to: &str| between(text, from, to).trim().parse::<usize>().unwrap();
    let schedule = Schedule { warmup: number("(t+1)/", "if"), total: number(")/(", "-") };
    let groups: Vec<Group> =
        network.params.tensors().iter().map(|tensor| group(file, &tensor.name)).collect();
    let limit = file.config["clip_global_norm"].as_f64().unwrap();
    let sizes: Vec<usize> = network.params.tensors().iter().map(|tensor| tensor.values.len()).collect();
    let mut optimizer = AdamW::new(&sizes);
    let steps = file.size("steps");
    let (mut losses, mut norms, mut multipliers) =
        (Array1::zeros(steps), Array1::zeros(steps), Array1::zeros(steps));
    for step in 0..steps {
        let (loss, mut grad, _) = squared_error(&network, &x, &y);
        if step == 0 {
            // The file allows for what Adam makes of rounding later; the first gradient has no such excuse.
            let tight = Tolerance { relative: 1e-8, absolute: 1e-11 };
            let wide = size_of::<F>() == size_of::<f64>();
            let tolerance = if wide { tight } else { file.tolerance::<F>() };
            for tensor in grad.params.tensors() {
                let Some(name) = file_name(&tensor.name) else { continue };
                let got = as_array(&tensor);
                file.check_within("grads", &format!("g_{name}"), &got, tolerance);
            }
        }
        losses[step] = F::of(loss);
        multipliers[step] = F::of(schedule.multiplier(step));
        let mut slices: Vec<&mut [F]> =
            grad.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        norms[step] = F::of(optim::clip_global_norm(&mut slices, limit));
        let slices: Vec<&[F]> = slices.iter().map(|slice| &**slice).collect();
        let mut values: Vec<&mut [F]> =
            network.params.tensors().into_iter().map(|tensor| tensor.values).collect();
        optimizer.step(&mut values, &slices, &groups, schedule.multiplier(step));
    }
    file.check("outputs", "losses", &losses);
    file.check("outputs", "grad_norms", &norms);
    file.check("outputs", "lr_multipliers", &multipliers);
    file.check("outputs", "final_forecast", &squared_error(&network, &x, &y).2);
    for tensor in network.params.tensors() {
        let Some(name) = file_name(&tensor.name) else { continue };
        file.check("final_params", &name, &as_array(&tensor));
    }
}

/// Mean squared error of one pass over the whole batch, its gradient, and the forecast (batch, T, 1).
fn squared_error<F: Real>(
    network: &Network<F>,
    x: &Array3<F>,
    y: &Array2<F>,
) -> (f64, NetworkGradient<F>, Array3<F>) {
    let kernels = network.kernels();
    let (out, cache) = network.forward(&kernels, x.clone(), None::<&mut rand_chacha::ChaCha8Rng>);
    let (batch, horizon) = y.dim();
    let forecast = out.into_shape_with_order((batch, horizon, 1)).unwrap();
    let mut d_forecast = Array3::zeros(forecast.dim());
    let weights = Array1::from_elem(batch, F::of(1.0 / y.len() as f64));
    let loss = Loss::SquaredError.value_and_gradient(
        forecast.view(),
        y.view(),
        weights.view(),
        d_forecast.view_mut(),
    );
    let mut grad = NetworkGradient::zeros(&network.spec);
    let d_out = d_forecast.into_shape_with_order((batch * horizon, 1)).unwrap();
    network.backward(&kernels, &cache, d_out.view(), &mut grad);
    network.finish(&mut grad);
    (loss, grad, forecast)
}

/// Learning rate and decay of a tensor; one that is no parameter of the file stays where it is.
fn group(file: &GoldenFile, tensor: &str) -> Group {
    let Some(name) = file_name(tensor) else { return Group { learning_rate: 0.0, weight_decay: 0.0 } };
    let groups = file.config["groups"].as_object().unwrap();
    let holds = |group: &&serde_json::Value| {
        group["params"].as_array().unwrap().iter().any(|param| param == name.as_str())
    };
    let group = groups.values().find(holds).unwrap_or_else(|| panic!("{name} is in no group"));
    let number = |key: &str| group[key].as_f64().unwrap();
    Group { learning_rate: number("lr"), weight_decay: number("weight_decay") }
}

fn as_array<F: Real>(tensor: &Tensor<F>) -> ArrayD<F> {
    ArrayD::from_shape_vec(tensor.shape.clone(), tensor.values.to_vec()).unwrap()
}
