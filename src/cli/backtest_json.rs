//! The JSON document of `s4cast backtest`. Keys are stable: they are added to, never renamed.

use crate::cli::args_backtest::By;
use crate::cli::clock::shown;
use crate::cli::json;
use crate::evaluation::backtest::ModelResult;
use crate::evaluation::score::Scores;
use crate::model::spec::ModelSpec;
use crate::pipeline::BacktestReport;
use crate::store::Place;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a backtest found.
pub(super) fn document(report: &BacktestReport, by: &[By], page: Option<&Place>) -> Value {
    let spec = &report.spec;
    let models = report.models.iter().map(|model| (model.model.as_str().into(), self::model(model)));
    let by: Map<String, Value> = by.iter().map(|by| (name(*by).into(), breakdown(report, *by))).collect();
    json!({
        "run_id": report.moment.run_id,
        "models": models.collect::<Map<String, Value>>(),
        "by": by,
        "windows": spec.windows,
        "series": report.source.series - report.left_out.len(),
        "left_out": report.left_out,
        "horizon": spec.horizon,
        "step": spec.step,
        "gap": spec.gap,
        "refit": spec.refit.to_string(),
        "align": spec.align.as_str(),
        "sliding": spec.sliding,
        "seed": spec.models.first().map(ModelSpec::seed),
        "season_lengths": report.seasons,
        "cutoffs": report.cutoffs.iter().copied().map(shown).collect::<Vec<_>>(),
        "notes": report.notes,
        "source": json::source(&report.source),
        "memory": json::memory(&report.memory),
        "report": page.map(Place::to_string),
        "output": report.published.as_ref().map(|published| {
            json!({ "path": published.path.to_string(), "rows": published.rows, "bytes": published.bytes })
        }),
    })
}

fn model(model: &ModelResult) -> Value {
    let mut document = scores(&model.tally.scores());
    document["fits"] = json!(model.fits);
    document["fit_seconds"] = json!(model.fit_seconds);
    document["predict_seconds"] = json!(model.predict_seconds);
    document["served"] = json!(model.served);
    document["weights"] = json!(model.weights().into_iter().collect::<BTreeMap<String, f64>>());
    document["notes"] = json!(model.notes);
    document
}

fn name(by: By) -> &'static str {
    match by {
        By::Series => "series",
        By::Step => "step",
        By::Segment => "segment",
    }
}

/// Scores of every part, model by model.
fn breakdown(report: &BacktestReport, by: By) -> Value {
    let of = |model: &ModelResult| -> Vec<Value> {
        let parts = parts(report, model, by).into_iter();
        parts
            .map(|(part, scores)| {
                with(
                    match by {
                        By::Series => ("unique_id", json!(part)),
                        By::Step => ("h", json!(part.parse::<usize>().unwrap_or(0))),
                        By::Segment => ("segment", json!(part)),
                    },
                    &scores,
                )
            })
            .collect()
    };
    let models = report.models.iter().map(|model| (model.model.as_str().to_owned(), json!(of(model))));
    Value::Object(models.collect())
}

/// Name and scores of every part.
pub(super) fn parts(report: &BacktestReport, model: &ModelResult, by: By) -> Vec<(String, Scores)> {
    match by {
        By::Series => model.tally.by_series(),
        By::Step => {
            let steps = (report.spec.gap + 1..).map(|step: usize| step.to_string());
            steps.zip(model.tally.by_step()).collect()
        }
        By::Segment => model.tally.by_segment(|id| report.segments.get(id).map_or("", String::as_str)),
    }
}

fn with((key, value): (&str, Value), scores: &Scores) -> Value {
    let mut document = self::scores(scores);
    document[key] = value;
    document
}

fn scores(scores: &Scores) -> Value {
    let levels = |pairs: &[(f64, f64)]| -> Map<String, Value> {
        pairs.iter().map(|(level, value)| (level.to_string(), json!(value))).collect()
    };
    json!({
        "windows": scores.windows,
        "series": scores.series,
        "points": scores.points,
        "mase": scores.mase,
        "rmsse": scores.rmsse,
        "smape": scores.smape,
        "wape": scores.wape,
        "mse": scores.mse,
        "mae": scores.mae,
        "bias": scores.bias,
        "wql": scores.wql,
        "crps": scores.crps,
        "scaled_crps": scores.scaled_crps,
        "coverage": levels(&scores.coverage),
        "width": levels(&scores.width),
        "msis": levels(&scores.msis),
        "skill": scores.skill,
    })
}
