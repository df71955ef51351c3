//! Whether a candidate may serve: it has to be no worse than the champion, and seasonal naive, on values that it has not
//! seen.

use crate::evaluation::compare::Verdict;
use crate::evaluation::trial::{Trial, TrialSpec};
use crate::live::damage;
use crate::model::forecaster::{Control, Forecaster, ModelError, Unseen};
use crate::model::season;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::registry::{Judgement, Manifest, TrialFigures};
use crate::series::{Frequency, Panel};

/// How far coverage may lie below its level, in percentage points, before a candidate needs to be better than the champion
/// there: windows of one stretch of time are alike, so that a sample of them strays.
const COVERAGE_SLACK: f64 = 15.0;

/// Judges a candidate as it was before it saw the end of the panel. Without a champion nothing is asked: whoever wants a
/// model gets it, until there is a better one. Where series are too short to tell, or the champion was made for another
/// horizon, nothing speaks against it, and a note says what was not asked.
///
/// # Errors
/// If the panel is empty.
pub fn judge(
    panel: &Panel,
    candidate: &Unseen,
    champion: Option<(&Forecaster, &Manifest)>,
    spec: &ModelSpec,
) -> Result<Judgement, ModelError> {
    let mut judgement = Judgement::default();
    let Some((forecaster, manifest)) = champion else { return Ok(judgement) };
    judgement.reasons.extend(damage::found(panel));
    let is_comparable =
        manifest.horizon == spec.horizon() && manifest.quantile_levels == spec.quantile_levels();
    if !is_comparable {
        judgement.notes.push(format!(
            "version {} has another horizon or other levels, so that it was not compared",
            manifest.version
        ));
    }
    let naive = Forecaster::fit(panel, &spec.of_kind(ModelKind::SeasonalNaive), &Control::watched(&|_| {}))?
        .forecaster;
    for (name, frequency, part) in by_frequency(panel) {
        let steps = candidate.steps(&name);
        let season = spec.season_length().unwrap_or_else(|| {
            season::detect(&part.series.iter().collect::<Vec<_>>(), &frequency.season_lengths())
        });
        let mut contestants = vec![&candidate.forecaster, &naive];
        if is_comparable {
            contestants.insert(1, forecaster);
        }
        let trial = Trial::new(&part, &contestants, TrialSpec { horizon: spec.horizon(), steps, season });
        let Some(trial) = trial else {
            judgement.notes.push(format!("series of step {name} are too short to judge the candidate on"));
            continue;
        };
        weigh(&mut judgement, &trial, is_comparable.then_some(manifest), name);
    }
    Ok(judgement)
}

/// What one trial says for and against the candidate.
fn weigh(judgement: &mut Judgement, trial: &Trial, champion: Option<&Manifest>, frequency: String) {
    let baseline = trial.scores.len() - 1;
    let mase = |place: usize| trial.scores[place].mase;
    let against_naive = trial.compare(0, baseline);
    if against_naive.difference > 0.0 {
        judgement.reasons.push(format!(
            "seasonal naive is better on the last values of step {frequency}: its MASE there is {}, that of the candidate {}",
            figure(mase(baseline)),
            figure(mase(0))
        ));
    }
    let mut p_value = None;
    if let Some(manifest) = champion {
        let comparison = trial.compare(0, 1);
        p_value = comparison.p_value;
        if comparison.difference > 0.0 {
            let is_shown = match comparison.verdict {
                Verdict::Second => "and the difference is more than chance",
                Verdict::First | Verdict::Neither => "which may be chance",
            };
            judgement.reasons.push(format!(
                "version {} is better on the last values of step {frequency}: its MASE there is {}, that of the candidate {}, {is_shown}",
                manifest.version,
                figure(mase(1)),
                figure(mase(0))
            ));
        }
        let [candidate, champion] = [0, 1].map(|place| trial.scores[place].coverage.as_slice());
        judgement.reasons.extend(uncovered(candidate, champion, &format!("values of step {frequency}")));
    }
    judgement.trials.push(TrialFigures {
        frequency,
        windows: trial.scores[0].windows,
        mase: mase(0),
        mase_champion: champion.and_then(|_| mase(1)),
        mase_seasonal_naive: mase(baseline),
        p_value,
    });
}

/// Intervals of the candidate that hold far less than they promise, and less than those of the champion.
pub(super) fn uncovered(candidate: &[(f64, f64)], champion: &[(f64, f64)], values: &str) -> Vec<String> {
    let both = candidate.iter().zip(champion);
    let far =
        both.filter(|((level, share), (_, before))| 100.0 * share < level - COVERAGE_SLACK && share < before);
    let reason = |((level, share), (_, before)): (&(f64, f64), &(f64, f64))| {
        format!(
            "the {level} % interval of the candidate holds {:.0} % of the last {values}, that of the champion {:.0} %",
            100.0 * share,
            100.0 * before
        )
    };
    far.map(reason).collect()
}

fn figure(value: Option<f64>) -> String {
    value.map_or("unknown".into(), |value| format!("{value:.3}"))
}

/// The panel split by frequency.
fn by_frequency(panel: &Panel) -> Vec<(String, Frequency, Panel)> {
    let mut parts: Vec<(String, Frequency, Panel)> = Vec::new();
    for series in &panel.series {
        let name = series.frequency.to_string();
        let place = parts.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            parts.push((name, series.frequency, empty(panel)));
            parts.len() - 1
        });
        parts[place].2.series.push(series.clone());
    }
    parts
}

/// A panel of the same kind without series.
fn empty(panel: &Panel) -> Panel {
    Panel {
        id_columns: panel.id_columns.clone(),
        covariates: panel.covariates.clone(),
        series: Vec::new(),
        zone: panel.zone.clone(),
        marks: panel.marks.clone(),
    }
}
