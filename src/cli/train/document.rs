//! The JSON of `s4cast train`. Keys are stable: they are added to, never renamed.

use crate::cli::{json, usage};
use crate::evaluation::score::Scores;
use crate::lab::{Align, Experiment, Figures, FitOn, Kind, Metric, Outcome, Report, Split};
use crate::model::report::FitReport;
use crate::model::spec::Parts;
use serde_json::{Map, Value, json};

/// Everything that decides the result, defaults included.
pub(super) fn resolved(experiment: &Experiment, threads: Option<usize>) -> Value {
    let pipeline = &experiment.pipeline;
    let data = pipeline.data();
    let mut document = json!({
        "name": pipeline.name(),
        "official": experiment.is_official,
        "source": data.source,
        "files": data.files,
        "id": data.id,
        "time": data.time,
        "target": data.target,
        "freq": data.freq.map(|freq| freq.to_string()),
        "kind": pipeline.kind().as_str(),
        "horizons": pipeline.horizons(),
        "season": pipeline.season(),
        "scale_season": pipeline.scale_season(),
        "reference_season": pipeline.reference_season(),
        "metric": pipeline.metric().as_str(),
        "naive2_smape": pipeline.naive2().map(|naive2| naive2.smape),
        "naive2_mase": pipeline.naive2().map(|naive2| naive2.mase),
    });
    let own = match pipeline.kind() {
        Kind::Rolling { split, stride, fit_on } => json!({
            "split": match split {
                Split::Rows(ends) => json!(ends),
                Split::Shares(shares) => json!(shares),
            },
            "stride": stride,
            "fit_on": match fit_on {
                FitOn::Train => "train",
                FitOn::TrainAndValidation => "train_and_validation",
            },
        }),
        Kind::OneOrigin { test_file } => json!({ "test_file": test_file }),
        Kind::Holdout { test_rows, step, align } => json!({
            "test_rows": test_rows,
            "step": step,
            "align": match align {
                Align::End => "end",
                Align::Calendar => "calendar",
            },
        }),
    };
    if let (Some(document), Value::Object(own)) = (document.as_object_mut(), own) {
        document.extend(own);
    }
    let model = experiment.models.first().map(|spec| {
        json!({
            "kind": spec.kind().as_str(),
            "levels": spec.levels(),
            "season_length": spec.season_length(),
            "seed": spec.seed(),
            "budget_seconds": spec.budget().map(|budget| budget.as_secs_f64()),
            "preset": spec.preset().as_str(),
            "point": spec.point().as_str(),
            "parts": match spec.parts() {
                Parts::Both => "both",
                Parts::NetworkAlone => "network",
                Parts::Perceptron => "perceptron",
            },
        })
    });
    json!({ "pipeline": document, "model": model, "data_dir": experiment.data_dir, "threads": threads })
}

/// What a benchmark found. Figures under `test` are plain means over the horizons, each horizon stands below.
pub(super) fn report(experiment: &Experiment, config: Value, report: &Report) -> Value {
    let pipeline = &experiment.pipeline;

    let all: Vec<Value> = report
        .outcomes
        .iter()
        .map(|outcome| {
            let mut all = figures(&outcome.model);
            all["rmae"] = json!(outcome.rmae);
            all["seasonal_naive"] = points(&outcome.seasonal_naive);
            all["naive"] = points(&outcome.naive);
            all["skill"] = skill(outcome, pipeline.metric());
            all
        })
        .collect();
    let mut test = mean(&all);
    let horizon = |(outcome, mut figures): (&Outcome, Value)| {
        if let (Some(figures), Value::Object(more)) = (figures.as_object_mut(), circumstances(outcome)) {
            figures.extend(more);
        }
        (outcome.horizon.to_string(), figures)
    };
    test["horizons"] = report.outcomes.iter().zip(all).map(horizon).collect::<Map<_, _>>().into();
    let validations: Vec<Value> =
        report.outcomes.iter().filter_map(|outcome| validation(&outcome.fits)).collect();
    let sum = |of: fn(&Outcome) -> f64| report.outcomes.iter().map(of).sum::<f64>();
    json!({
        "config": config,
        "official": experiment.is_official,
        "data": {
            "files": report.files,
            "rows": report.rows,
            "series": report.series,
            "fingerprint": report.fingerprint,
        },
        "metric": pipeline.metric().as_str(),
        "units": match pipeline.kind() {
            Kind::Rolling { .. } => "scaled",
            Kind::OneOrigin { .. } | Kind::Holdout { .. } => "raw",
        },
        "validation": if validations.is_empty() { Value::Null } else { mean(&validations) },
        "test": test,
        "parameters": report.outcomes.iter().map(parameters).sum::<usize>(),
        "seconds": {
            "read": report.read_seconds,
            "fit": sum(|outcome| outcome.fit_seconds),
            "predict": sum(|outcome| outcome.evaluation.predict_seconds),
        },
        "cpu_seconds": usage::cpu_seconds(),
        "peak_memory_mib": usage::peak_mib(),
    })
}

/// Parameters of all groups of one horizon.
pub(super) fn parameters(outcome: &Outcome) -> usize {
    outcome.fits.iter().map(|fit| fit.parameters).sum()
}

/// Scores of the tail that the fit kept back, mean over the series; `None` where it kept none.
fn validation(fits: &[FitReport]) -> Option<Value> {
    let scores: Vec<_> = fits.iter().filter_map(|fit| fit.holdout.as_ref()).collect();
    let series: usize = scores.iter().map(|score| score.series).sum();
    let weighted = |of: &dyn Fn(usize) -> f64| {
        (0..scores.len()).map(|at| of(at) * scores[at].series as f64).sum::<f64>() / series as f64
    };
    (series > 0).then(|| {
        json!({
            "mase": weighted(&|at| scores[at].mase),
            "mase_seasonal_naive": weighted(&|at| scores[at].mase_seasonal_naive),
        })
    })
}

/// Everything about one horizon that is no figure.
fn circumstances(outcome: &Outcome) -> Value {
    let evaluation = &outcome.evaluation;
    let by_series = outcome.by_series.iter().map(|(id, scores, rmae)| {
        json!({
            "unique_id": id,
            "mse": scores.mse,
            "mae": scores.mae,
            "mase": scores.mase,
            "smape": scores.smape,
            "rmae": rmae,
        })
    });
    json!({
        "origins": outcome.origins,
        "windows": evaluation.scores.windows,
        "series": evaluation.scores.series,
        "points": evaluation.scores.points,
        "models": evaluation.models,
        "fallbacks": evaluation.fallbacks,
        "unreached": evaluation.unreached,
        "parameters": parameters(outcome),
        "validation": validation(&outcome.fits),
        "fits": outcome.fits.iter().map(json::fit).collect::<Vec<_>>(),
        "seconds": { "fit": outcome.fit_seconds, "predict": evaluation.predict_seconds },
        "weights_sha256": outcome.weights_sha256,
        "saved_forecasts": outcome.saved.as_ref().map(|(published, with_quantiles)| {
            json!({
                "path": published.path.to_string(),
                "rows": published.rows,
                "bytes": published.bytes,
                "quantiles": with_quantiles,
            })
        }),
        "by_series": if outcome.by_series.len() <= SERIES_SHOWN { by_series.collect() } else { Vec::new() },
    })
}

/// Series up to which each has its own figures.
const SERIES_SHOWN: usize = 50;

fn figures(figures: &Figures) -> Value {
    let scores = &figures.scores;
    let mut all = points(figures);
    all["wql"] = json!(scores.wql);
    all["crps"] = json!(scores.crps);
    all["scaled_crps"] = json!(scores.scaled_crps);
    all["coverage"] = by_level(&scores.coverage);
    all["width"] = by_level(&scores.width);
    all["msis"] = by_level(&scores.msis);
    all
}

/// The figures of a point forecast.
fn points(Figures { scores, owa }: &Figures) -> Value {
    let Scores { mse, mae, mase, rmsse, smape, wape, bias, .. } = scores;
    let mut all = json!({
        "mse": mse, "mae": mae, "mase": mase, "rmsse": rmsse, "smape": smape, "wape": wape, "bias": bias,
    });
    if let Some(owa) = owa {
        all["owa"] = json!(owa);
    }
    all
}

fn by_level(figures: &[(f64, f64)]) -> Value {
    figures.iter().map(|(level, figure)| (level.to_string(), json!(figure))).collect::<Map<_, _>>().into()
}

/// What the forecasts gain over naive ones, by the figure that the benchmark is about.
fn skill(outcome: &Outcome, metric: Metric) -> Value {
    let against = |naive: &Figures| {
        let gain = 1.0 - outcome.model.main(metric)? / naive.main(metric)?;
        gain.is_finite().then_some(gain)
    };
    json!({ "seasonal_naive": against(&outcome.seasonal_naive), "naive": against(&outcome.naive) })
}

/// Mean of every number over documents of one shape; null where one lacks it.
fn mean(all: &[Value]) -> Value {
    match all.first() {
        Some(Value::Object(first)) => {
            let of = |key: &String| {
                let values: Vec<Value> = all.iter().map(|one| one[key].clone()).collect();
                (key.clone(), mean(&values))
            };
            first.keys().map(of).collect::<Map<_, _>>().into()
        }
        _ => {
            let numbers: Option<Vec<f64>> = all.iter().map(Value::as_f64).collect();
            let numbers = numbers.filter(|numbers| !numbers.is_empty());
            json!(numbers.map(|numbers| numbers.iter().sum::<f64>() / numbers.len() as f64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_averaged_number_by_number() {
        let all = [
            json!({"mse": 1.0, "coverage": {"80": 0.5}, "wql": null}),
            json!({"mse": 2.0, "coverage": {"80": 1.0}, "wql": 3.0}),
        ];
        assert_eq!(mean(&all), json!({"mse": 1.5, "coverage": {"80": 0.75}, "wql": null}));
    }
}
