//! `s4cast generate`.

use crate::cli::args::Generate;
use crate::cli::error::CliError;
use crate::cli::summary::{Page, count};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::model::report::Progress;
use crate::sequence::{Columns, GenerateSpec, Generated, generate};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Generates, writes, and says where.
pub(super) fn run(args: &Generate, terminal: &Terminal) -> Result<Exit, CliError> {
    let Generate { model, output, steps, input, id, time, target, paths, prefix, .. } = args;
    let Generate { temperature, top_p, seed, threads, .. } = args;
    let given = [Some(model), Some(output), input.as_ref(), prefix.as_ref()];
    launch::within_fence(given.into_iter().flatten().map(PathBuf::as_path))?;
    let wrong = |message: String, help: &str| CliError::Request { message, help: Some(help.into()) };
    if let Some(temperature) = temperature.filter(|one| !(one.is_finite() && *one >= 0.0)) {
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
        steps: steps.map(|steps| steps as usize),
        input: input.clone(),
        columns: Columns { id: id.clone(), time: time.clone(), target: target.clone() },
        paths: *paths as usize,
        temperature: *temperature,
        top_p: *top_p,
        prefix: prefix.clone(),
        seed: *seed,
    };
    let generated = {
        let meter = terminal.meter();
        meter.show(Progress::begun("reading"));
        generate(&spec, &|progress| meter.show(progress))?
    };
    terminal.result(|| document(&spec, &generated), || summary(&spec, &generated))?;
    Ok(Exit::Ok)
}

fn document(spec: &GenerateSpec, generated: &Generated) -> Value {
    let nats = |index: usize| generated.log_likelihood.get(index);
    let files = generated.files.iter().enumerate();
    let files: Vec<Value> =
        files.map(|(at, file)| json!({ "path": file, "log_likelihood_per_code": nats(at) })).collect();
    let [continued, too_short] = generated.series.map_or([None; 2], |counts| counts.map(Some));
    json!({
        "model": spec.model,
        "weights_sha256": generated.weights_sha256,
        "steps": generated.steps,
        "paths": spec.paths,
        "series": continued,
        "too_short": too_short,
        "rate": generated.rate,
        "temperature": generated.temperature,
        "top_p": spec.top_p,
        "seed": spec.seed,
        "written": files,
    })
}

fn summary(spec: &GenerateSpec, generated: &Generated) -> String {
    let mut page = Page::default();
    if let Some([continued, too_short]) = generated.series {
        let (paths, steps) = (count(spec.paths, "path"), count(generated.steps, "step"));
        let what = format!("{paths} of {steps} for {continued} series");
        page.line("Wrote", format!("{}: {what}", spec.out.display()));
        if too_short > 0 {
            page.line("", format!("{too_short} series are too short to go on from"));
        }
        return page.text;
    }
    let length = generated.rate.map_or(count(generated.steps, "byte"), |rate| {
        format!("{:.2} s of sound", generated.steps as f64 / f64::from(rate))
    });
    for (file, nats) in generated.files.iter().zip(&generated.log_likelihood) {
        let bits = -nats / std::f64::consts::LN_2;
        page.line("Wrote", format!("{}: {length}, {bits:.3} bits a code", file.display()));
    }
    page.text
}
