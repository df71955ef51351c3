//! A sequence task: its settings, its progress, what it found.

use crate::cli::error::CliError;
use crate::cli::meter::{Meter, span};
use crate::cli::summary::{Page, count};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch, usage};
use crate::config::SequenceTrain;
use crate::model::report::{Progress as Work, Unit};
use crate::sequence::{self, Outcome, Progress, Score, SequenceSpec, SumCoverage, figures};
use serde_json::{Map, Value, json};

/// Trains a network and prints how it did.
pub(super) fn run(train: &SequenceTrain, is_dry: bool, terminal: &Terminal) -> Result<Exit, CliError> {
    if is_dry {
        terminal.result(|| resolved(train), || super::summary::settings(&resolved(train)))?;
        return Ok(Exit::Ok);
    }
    launch::limit_threads(train.threads);
    let outcome = {
        let meter = terminal.meter();
        sequence::run(&train.spec, &train.places, train.resume, &mut |progress| show(&meter, progress))?
    };
    terminal.result(|| document(train, &outcome), || summary(&train.spec, &outcome))?;
    Ok(Exit::Ok)
}

/// Shows where a run is.
fn show(meter: &Meter, progress: &Progress) {
    let Progress { stage, epoch, epochs, steps: [done, total], loss, rate, left } = progress;
    if *stage != sequence::TRAINING {
        return meter.show(Work::begun(stage));
    }
    // What is left is known better there: a budget may end it.
    let note = format!(
        "epoch {epoch} of {epochs}, loss {loss:.4}, {:.0} k positions/s, {} left",
        rate / 1e3,
        span(*left)
    );
    meter.show_with(Work::of(stage, *done, *total, Unit::Steps), note);
}

fn sums(found: &SumCoverage) -> Value {
    json!({
        "temperature": found.temperature,
        "coverage_80": found.of_80,
        "coverage_95": found.of_95,
        "windows": found.windows,
        "paths": found.paths,
    })
}

/// Everything that decides the result, defaults included.
fn resolved(train: &SequenceTrain) -> Value {
    let spec = &train.spec;
    let [files, test_files] = spec.files();
    let recipe = spec.recipe();
    json!({
        "pipeline": {
            "name": spec.name(),
            "source": spec.source(),
            "kind": spec.task().as_str(),
            "data": spec.form().as_str(),
            "files": files,
            "test_files": test_files,
            "permute": spec.order().as_str(),
            "codes": spec.codes().as_str(),
            "len": spec.positions(),
            "horizon": spec.horizon(),
            "choose": spec.horizon().map(|_| spec.choose()),
        },
        "model": spec.architecture(),
        "train": {
            "epochs": recipe.epochs,
            "batch": recipe.batch,
            "learning_rate": recipe.learning_rate,
            "ssm_learning_rate": recipe.ssm_learning_rate,
            "weight_decay": recipe.weight_decay,
            "dropout": recipe.dropout,
            "warmup": recipe.warmup,
            "clip": recipe.clip,
            "average": recipe.average,
            "shift": recipe.shift,
            "valid": recipe.valid,
            "seed": recipe.seed,
            "budget_seconds": recipe.budget.map(|budget| budget.as_secs_f64()),
        },
        "data_dir": train.places.data,
        "out": train.places.out,
        "resume": train.resume,
        "threads": train.threads,
    })
}

fn named(spec: &SequenceSpec, score: &Score) -> Map<String, Value> {
    figures(spec.task(), score).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

fn document(train: &SequenceTrain, outcome: &Outcome) -> Value {
    let spec = &train.spec;
    let epochs = outcome.epochs.iter().map(|epoch| {
        json!({
            "epoch": epoch.epoch,
            "steps": epoch.steps,
            "train": named(spec, &epoch.train),
            "valid": named(spec, &epoch.valid),
            "seconds": epoch.seconds,
        })
    });
    let [training, validation, test] = outcome.sequences;
    json!({
        "config": resolved(train),
        "data": {
            "files": outcome.files,
            "len": outcome.len,
            "sequences": { "train": training, "valid": validation, "test": test },
        },
        "parameters": outcome.parameters,
        "epochs": epochs.collect::<Vec<_>>(),
        "best_epoch": outcome.best,
        "test": named(spec, &outcome.test),
        "sums": outcome.sums.map(|[valid, test]| json!({ "valid": sums(&valid), "test": sums(&test) })),
        "weights_sha256": outcome.weights_sha256,
        "written": outcome.written,
        "seconds": outcome.seconds,
        "cpu_seconds": usage::cpu_seconds(),
        "peak_memory_mib": usage::peak_mib(),
    })
}

fn summary(spec: &SequenceSpec, outcome: &Outcome) -> String {
    let mut page = Page::default();
    let [training, validation, test] = outcome.sequences;
    page.line("Pipeline", format!("{}: {}", spec.name(), spec.task().as_str()));
    let parts = format!("{training} to train on, {validation} to choose by, {test} to test");
    page.line("Read", format!("sequences of {} positions: {parts}", outcome.len));
    page.line(
        "Network",
        format!("{}, {}", spec.architecture().ssm.as_str(), count(outcome.parameters, "weight")),
    );
    page.row("");
    let heads = figures(spec.task(), &outcome.test);
    let cells = |score: &Score| -> String {
        figures(spec.task(), score).iter().map(|(_, value)| format!("{value:>12.4}")).collect()
    };
    let head: String = heads.iter().map(|(name, _)| format!("{name:>12}")).collect();
    page.row(format!("{:<16}{head}", "epoch"));
    for epoch in &outcome.epochs {
        page.row(format!("{:<16}{}", format!("{} trained", epoch.epoch), cells(&epoch.train)));
        page.row(format!("{:<16}{}", "  kept back", cells(&epoch.valid)));
    }
    page.row(format!("{:<16}{}", format!("test, epoch {}", outcome.best), cells(&outcome.test)));
    if let Some([_, SumCoverage { temperature, of_80, of_95, .. }]) = outcome.sums {
        let [inner, outer] = [of_80, of_95].map(|share| 100.0 * share);
        page.row(format!(
            "sums of paths: {inner:.1} % in 80 %, {outer:.1} % in 95 %, temperature {temperature}"
        ));
    }
    page.row("");
    let memory = usage::peak_mib().map_or(String::new(), |peak| format!(", {peak:.0} MiB"));
    page.line(
        "Took",
        format!("{:.0} s, {:.0} s of processor{memory}", outcome.seconds, usage::cpu_seconds()),
    );
    for path in &outcome.written {
        page.line("Wrote", path.display().to_string());
    }
    page.text
}
