//! `s4cast generate`.

use crate::cli::args::Generate;
use crate::cli::error::CliError;
use crate::cli::summary::Page;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::engine::sashimi::sample::Sampling;
use crate::sequence::{GenerateSpec, Generated, generate};
use serde_json::{Value, json};

/// Generates, writes, and says where.
pub(super) fn run(args: &Generate, terminal: &Terminal) -> Result<Exit, CliError> {
    let Generate { model, output, steps, paths, prefix, temperature, top_p, seed, threads } = args;
    let wrong = |message: String, help: &str| CliError::Request { message, help: Some(help.into()) };
    if !(temperature.is_finite() && *temperature >= 0.0) {
        let help = "0 takes the likeliest code, 1 draws from the model";
        return Err(wrong(format!("--temperature: {temperature} is no number of zero or more"), help));
    }
    if !(*top_p > 0.0 && *top_p <= 1.0) {
        return Err(wrong(format!("--top-p: {top_p} is not above 0 and up to 1"), "1 leaves nothing out"));
    }
    launch::limit_threads(threads.map(usize::from));
    let spec = GenerateSpec {
        model: model.clone(),
        out: output.clone(),
        steps: *steps as usize,
        paths: *paths as usize,
        sampling: Sampling { temperature: *temperature, top_p: *top_p },
        prefix: prefix.clone(),
        seed: *seed,
    };
    let generated = generate(&spec)?;
    terminal.result(|| document(&spec, &generated), || summary(&spec, &generated))?;
    Ok(Exit::Ok)
}

fn document(spec: &GenerateSpec, generated: &Generated) -> Value {
    let paths = generated.files.iter().zip(&generated.log_likelihood);
    let paths: Vec<Value> =
        paths.map(|(file, nats)| json!({ "path": file, "log_likelihood_per_code": nats })).collect();
    json!({
        "model": spec.model,
        "weights_sha256": generated.weights_sha256,
        "steps": spec.steps,
        "rate": generated.rate,
        "temperature": spec.sampling.temperature,
        "top_p": spec.sampling.top_p,
        "seed": spec.seed,
        "written": paths,
    })
}

fn summary(spec: &GenerateSpec, generated: &Generated) -> String {
    let mut page = Page::default();
    let length = generated.rate.map_or(format!("{} bytes", spec.steps), |rate| {
        format!("{:.2} s of sound", spec.steps as f64 / f64::from(rate))
    });
    for (file, nats) in generated.files.iter().zip(&generated.log_likelihood) {
        page.line(
            "Wrote",
            format!("{}: {length}, {:.3} bits a code", file.display(), -nats / std::f64::consts::LN_2),
        );
    }
    page.text
}
