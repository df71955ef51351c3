//! Forecasts of what `auto` serves and of models of each series alone, averaged with weights of each series.
//!
//! Quantiles are averaged level by level (Vincentization: Lichtendahl, Grushka-Cockayne and Winkler 2013, "Is it better to
//! average probabilities or quantiles?"), in units of the target, and then corrected by what their averages missed on unseen
//! values, as all others are ([`Conformal`]); an average of quantiles that do not cross does not cross.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;

use crate::model::classical;
use crate::model::conformal::Conformal;
use crate::model::exam;
use crate::model::group::Group;
use crate::model::known;
use crate::model::predict::{self, Made, Seen, Told};
use crate::model::spec::{ModelKind, ModelSpec, Point};
use crate::series::Status;

/// What is averaged, and how much each part counts.
#[derive(Clone)]
pub struct Blend {
    /// What `auto` would serve.
    pub base: Group,
    /// Models of each series alone, seasonal naive among them: the parts after the base.
    pub locals: Vec<ModelKind>,
    /// Weights (1 + locals) of series without their own, which add up to 1.
    pub shared: Vec<f64>,
    /// Weights of series by the hash of their ids.
    pub own: BTreeMap<u64, Vec<f64>>,
    /// Corrections of the averaged quantiles, in units of a series' own seasonal error ([`exam::scale`]).
    pub conformal: Option<Conformal>,
}

/// What one part forecasts for a series.
pub struct Part {
    /// Point forecast (T).
    pub point: Vec<f64>,
    /// Quantiles (T, Q), never decreasing along Q.
    pub quantiles: Array2<f64>,
}

/// One part or an average of parts, not corrected yet.
struct Average {
    part: Part,
    /// What it is made of, as [`Made::weights`].
    weights: Vec<(&'static str, f64)>,
    /// Published name.
    model_id: &'static str,
}

/// Models of each series alone that are tried beside the base.
pub const LOCALS: [ModelKind; 3] = [ModelKind::Ets, ModelKind::Mstl, ModelKind::SeasonalNaive];

impl Blend {
    /// Weights of a series: its own, or those of the group for one that had too few origins or came later.
    pub fn weights_of(&self, unique_id: &str) -> &[f64] {
        self.own.get(&known::hash(unique_id)).unwrap_or(&self.shared)
    }

    /// Whether a name is that of a part other than the base.
    pub fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|kind| kind.as_str() == name)
    }

    /// Last steps that the parts depend on.
    pub fn reach(&self) -> usize {
        self.locals.iter().map(|kind| classical::reach(*kind)).max().unwrap_or(1)
    }

    /// What a part other than the base makes of a series; `None` where it can make nothing of it.
    pub fn local(&self, spec: &ModelSpec, kind: ModelKind, seen: &Seen<'_>) -> Option<Part> {
        let (season, frequency) = (self.base.season, self.base.frequency);
        if kind == ModelKind::SeasonalNaive {
            let Made { point, quantiles, .. } = predict::naive(spec, seen, season, Status::Ok);
            return Some(Part { point, quantiles });
        }
        let seasons = classical::seasons(kind, season, frequency);
        let (point, quantiles, _) = predict::local(spec, kind, seen, &seasons)?;
        // Smoothing with a growing variance may promise anything.
        let reach = predict::reach(&seen.past.sums, spec.horizon());
        Some(Part { point, quantiles: predict::within_reach(quantiles, spec.median(), reach) })
    }

    /// Forecasts of series of one frequency, in order, before bounds are applied. Where the base cannot forecast a series, its
    /// stand-in serves alone.
    pub fn forecasts(&self, spec: &ModelSpec, seen: &[Seen<'_>], told: &Told) -> Vec<Option<Made>> {
        let bases = predict::of_seen(spec, Some(&self.base), seen, &|| {});
        let one = |(seen, base): (&Seen<'_>, Option<Made>)| {
            let base = base?;
            let made = if base.status == Status::Fallback { base } else { self.forecast(spec, seen, base) };
            told();
            Some(made)
        };
        seen.par_iter().zip(bases).map(one).collect()
    }

    fn forecast(&self, spec: &ModelSpec, seen: &Seen<'_>, base: Made) -> Made {
        let weights = self.weights_of(seen.unique_id);
        let locals = self.locals.iter().zip(&weights[1..]);
        let locals = locals.map(|(&kind, &weight)| {
            let wanted = (weight > 0.0).then(|| self.local(spec, kind, seen));
            (kind, weight, wanted.flatten())
        });
        let Some(Average { part, weights, model_id }) = average(&base, weights[0], locals) else {
            return base;
        };
        let Part { point, mut quantiles } = part;
        let scale = exam::scale(seen.values, self.base.season);
        self.correct(spec, &mut quantiles, scale);
        let reach = predict::reach(&seen.past.sums, spec.horizon());
        let quantiles = predict::within_reach(quantiles, spec.median(), reach);
        Made { point, quantiles, reach, status: base.status, model_id, weights }
    }

    /// Quantiles (T, Q) moved by the corrections.
    fn correct(&self, spec: &ModelSpec, quantiles: &mut Array2<f64>, scale: f64) {
        let Some(conformal) = &self.conformal else { return };
        for (step, mut row) in quantiles.outer_iter_mut().enumerate() {
            let row = row.as_slice_mut().expect("standard layout");
            let before = row.to_vec();
            row.iter_mut().for_each(|value| *value /= scale);
            conformal.apply(step, row, spec.quantile_levels(), spec.median(), spec.point() == Point::Median);
            row.iter_mut().for_each(|value| *value *= scale);
            if !row.iter().all(|value| value.is_finite()) {
                row.copy_from_slice(&before);
            }
            if spec.point() == Point::Median {
                // Scaled and back again, it may be off by a rounding.
                let (median, middle) = (spec.median(), before[spec.median()]);
                row[..median].iter_mut().for_each(|value| *value = value.min(middle));
                row[median..].iter_mut().for_each(|value| *value = value.max(middle));
                row[median] = middle;
            }
        }
    }

    /// Mean weight of everything that forecasts some series, the heaviest first.
    pub fn mean_weights<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Vec<(&'static str, f64)> {
        let base = self.base.weights();
        let mut all: Vec<(&'static str, f64)> = Vec::new();
        let mut count = 0;
        for id in ids {
            let weights = self.weights_of(id);
            count += 1;
            all.extend(base.iter().map(|(name, share)| (*name, weights[0] * share)));
            all.extend(self.locals.iter().zip(&weights[1..]).map(|(kind, weight)| (kind.as_str(), *weight)));
            all = heaviest_first(all);
        }
        all.iter_mut().for_each(|(_, weight)| *weight /= f64::from(count.max(1)));
        all
    }
}

/// The average of a base with that weight and of other parts; what could not be forecast leaves its weight to the others. `None`
/// where nothing is left.
fn average(
    base: &Made,
    weight: f64,
    locals: impl Iterator<Item = (ModelKind, f64, Option<Part>)>,
) -> Option<Average> {
    let mut parts: Vec<(f64, Average)> = Vec::new();
    if weight > 0.0 {
        let part = Part { point: base.point.clone(), quantiles: base.quantiles.clone() };
        parts.push((weight, Average { part, weights: base.weights.clone(), model_id: base.model_id }));
    }
    parts.extend(locals.filter_map(|(kind, weight, part)| {
        let name = kind.as_str();
        Some((weight, Average { part: part?, weights: vec![(name, 1.0)], model_id: name }))
    }));
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    if parts.len() < 2 {
        return parts.pop().map(|(_, only)| only);
    }
    let weights = parts.iter().flat_map(|(weight, one)| {
        one.weights.iter().map(move |(name, share)| (*name, weight / total * share))
    });
    let weights = heaviest_first(weights.collect());
    let (steps, levels) = base.quantiles.dim();
    let mut part = Part { point: vec![0.0; steps], quantiles: Array2::zeros((steps, levels)) };
    for (weight, one) in &parts {
        let weight = weight / total;
        part.point.iter_mut().zip(&one.part.point).for_each(|(to, from)| *to += weight * from);
        part.quantiles.scaled_add(weight, &one.part.quantiles);
    }
    // Weights add up to 1 but for a rounding, which could be too much for the largest numbers.
    let bounded = |value: f64| value.clamp(-f64::MAX, f64::MAX);
    part.point.iter_mut().for_each(|value| *value = bounded(*value));
    part.quantiles.mapv_inplace(bounded);
    Some(Average { part, weights, model_id: "ensemble" })
}

/// Names once each with the sum of their weights, those without any left out; of equals, in the order of the alphabet.
pub fn heaviest_first(weights: Vec<(&'static str, f64)>) -> Vec<(&'static str, f64)> {
    let mut sums: BTreeMap<&'static str, f64> = BTreeMap::new();
    for (name, weight) in weights {
        *sums.entry(name).or_default() += weight;
    }
    let mut all: Vec<(&'static str, f64)> = sums.into_iter().filter(|(_, weight)| *weight > 0.0).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}
