//! A definition as written to one that can be run, or all of its problems.

use crate::lab::spec::{Data, Kind, Metric, Naive2, Pipeline, PipelineProblem, RawPipeline};
use crate::lab::split::Split;
use crate::model::spec::Point;
use crate::series::SEASON_MAX;

impl TryFrom<RawPipeline> for Pipeline {
    type Error = Vec<PipelineProblem>;

    /// All problems at once.
    fn try_from(raw: RawPipeline) -> Result<Pipeline, Vec<PipelineProblem>> {
        let mut problems = Vec::new();
        let mut problem =
            |key: &'static str, message: String| problems.push(PipelineProblem { key, message });
        if raw.files.is_empty() {
            problem("files", "no files; write for example files = [\"sales.parquet\"]".into());
        }
        if raw.horizons.is_empty() {
            problem("horizons", "no horizons; write for example horizons = [24]".into());
        }
        for (at, horizon) in raw.horizons.iter().enumerate() {
            if !(1..=10_000).contains(horizon) {
                problem("horizons", format!("horizon {horizon} is not in 1..=10000"));
            }
            if raw.horizons[..at].contains(horizon) {
                problem("horizons", format!("horizon {horizon} stands there twice; remove one of them"));
            }
        }
        let lengths = [
            ("season", raw.season),
            ("scale_season", raw.scale_season),
            ("reference_season", raw.reference_season),
        ];
        for (key, length) in lengths {
            if let Some(length) = length.filter(|length| !(1..=SEASON_MAX).contains(length)) {
                problem(key, format!("{key} {length} is not in 1..={SEASON_MAX}"));
            }
        }
        for (key, count) in [("stride", raw.stride), ("step", raw.step), ("test_rows", raw.test_rows)] {
            if count == Some(0) {
                problem(key, format!("{key} is 0; write 1 or more"));
            }
        }
        if let Some(Err(message)) = raw.split.map(Split::check) {
            problem("split", message);
        }
        for (key, value) in [("naive2_smape", raw.naive2_smape), ("naive2_mase", raw.naive2_mase)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                problem(key, format!("{key} {value} is no error; write a number above 0"));
            }
        }
        let kind = kind(&raw, &mut problem);
        let naive2 = raw.naive2_smape.zip(raw.naive2_mase).map(|(smape, mase)| Naive2 { smape, mase });
        let metric = raw.metric.unwrap_or(if raw.kind.as_deref() == Some("rolling") {
            Metric::Mse
        } else {
            Metric::Mase
        });
        if metric == Metric::Owa && naive2.is_none() {
            problem("metric", "owa is relative to Naive2; write naive2_smape and naive2_mase".into());
        }
        let Some(kind) = kind.filter(|_| problems.is_empty()) else { return Err(problems) };
        let point = raw.point.unwrap_or(match metric {
            Metric::Mse => Point::Mean,
            Metric::Mase | Metric::Owa => Point::Median,
        });
        Ok(Pipeline {
            name: raw.name,
            data: Data {
                source: raw.source,
                files: raw.files,
                id: raw.id,
                time: raw.time,
                target: raw.target,
                freq: raw.freq,
            },
            kind,
            horizons: raw.horizons,
            season: raw.season.unwrap_or(1),
            scale_season: raw.scale_season.or(raw.season).unwrap_or(1),
            reference_season: raw.reference_season,
            metric,
            naive2,
            point,
        })
    }
}

/// The layout of the origins, where it is clear; keys of other kinds are problems.
fn kind(raw: &RawPipeline, problem: &mut impl FnMut(&'static str, String)) -> Option<Kind> {
    let Some(name) = raw.kind.as_deref() else {
        problem("kind", format!("no kind; write one of {}", Kind::NAMES.join(", ")));
        return None;
    };
    if !Kind::NAMES.contains(&name) {
        problem("kind", format!("unknown kind '{name}'; choose one of {}", Kind::NAMES.join(", ")));
        return None;
    }
    let owned = [
        ("split", raw.split.is_some(), "rolling"),
        ("stride", raw.stride.is_some(), "rolling"),
        ("fit_on", raw.fit_on.is_some(), "rolling"),
        ("test_file", raw.test_file.is_some(), "one_origin"),
        ("test_rows", raw.test_rows.is_some(), "holdout"),
        ("step", raw.step.is_some(), "holdout"),
        ("align", raw.align.is_some(), "holdout"),
    ];
    for (key, _, owner) in owned.into_iter().filter(|(_, is_set, owner)| *is_set && *owner != name) {
        problem(key, format!("{key} belongs to kind = \"{owner}\", and this one is {name}; remove it"));
    }
    match name {
        "rolling" if raw.split.is_none() => {
            problem("split", format!("no split; write one of {}, or three numbers", Split::NAMES.join(", ")));
            None
        }
        "rolling" => Some(Kind::Rolling {
            split: raw.split?,
            stride: raw.stride.unwrap_or(1),
            fit_on: raw.fit_on.unwrap_or_default(),
        }),
        "one_origin" => Some(Kind::OneOrigin { test_file: raw.test_file.clone() }),
        _ => {
            let Some(test_rows) = raw.test_rows else {
                problem("test_rows", "no test_rows; write how many of the last rows are scored".into());
                return None;
            };
            for horizon in raw.horizons.iter().filter(|horizon| **horizon > test_rows) {
                problem("test_rows", format!("test_rows {test_rows} hold no forecast of {horizon} steps"));
            }
            Some(Kind::Holdout { test_rows, step: raw.step, align: raw.align.unwrap_or_default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_definition_is_told() {
        let raw = RawPipeline {
            kind: Some("one_origin".into()),
            horizons: vec![0, 4, 4],
            stride: Some(0),
            metric: Some(Metric::Owa),
            naive2_smape: Some(-1.0),
            ..RawPipeline::default()
        };
        let problems = Pipeline::try_from(raw).expect_err("wrong");
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["files", "horizons", "horizons", "stride", "naive2_smape", "stride", "metric"]);
    }
}
