//! From what a group of series looks like to what is tried on it: lookbacks, patches, network size, recipe.
//!
//! The constants come from measurements on M4 Hourly, M4 Weekly, ETT and exchange rates; where a group is unlike all
//! of them the rule is an extrapolation and the gate decides.

use crate::engine::network::{NetworkSpec, Readout};
use crate::engine::s4d::{Discretization, Init};
use crate::model::train::Recipe;
use crate::model::windows::Anchor;

/// Group statistics that decide the plan.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Series in the group.
    pub series: usize,
    /// Median number of steps.
    pub length: usize,
    /// Season length, 1 for none.
    pub season: usize,
    /// Steps to forecast (T).
    pub horizon: usize,
    /// Whether the steps are weeks: a year is then worth looking back on even without a detected season.
    pub weekly: bool,
}

/// One ensemble member before its data are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemberPlan {
    /// Inputs (L), a multiple of the patch.
    pub lookback: usize,
    /// Values per token (P).
    pub patch: usize,
}

/// What is tried on a group.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Members, longest lookback first; none if the series are too short for any.
    pub members: Vec<MemberPlan>,
    /// How the networks are trained.
    pub recipe: Recipe,
    /// Validation origins per series, one horizon apart, before the tail that is held back for the score.
    pub validation_origins: usize,
    /// Origins in the tail that is kept for the score, one horizon apart; none if there is nothing to validate on.
    pub tail_origins: usize,
    /// Whether many series teach one network, which the gate then trusts more readily.
    pub is_panel: bool,
}

/// Series from which on a group counts as a panel.
const PANEL_SERIES: usize = 20;

impl Plan {
    /// The plan for a group.
    pub fn new(shape: &Shape) -> Plan {
        let is_panel = shape.series >= PANEL_SERIES;
        let members = members(shape);
        let season_patches = members.first().is_some_and(|member| reads_last(member, shape.season));
        let recipe = match (is_panel, season_patches) {
            (true, true) => Recipe {
                steps: 3000,
                batch: 192,
                learning_rate: 6e-3,
                ssm_learning_rate: 2e-3,
                skip_learning_rate: 1e-3,
                weight_decay: 1e-2,
                evaluate_every: 250,
                patience: 6,
            },
            (true, false) => Recipe {
                steps: 600,
                batch: 256,
                learning_rate: 4e-3,
                ssm_learning_rate: 2e-3,
                skip_learning_rate: 0.0,
                weight_decay: 1e-2,
                evaluate_every: 100,
                patience: 4,
            },
            (false, _) => Recipe {
                steps: 300,
                batch: 128,
                learning_rate: 5e-4,
                ssm_learning_rate: 5e-4,
                skip_learning_rate: 0.0,
                weight_decay: 1e-2,
                evaluate_every: 50,
                patience: 3,
            },
        };
        let validation_origins = validation_origins(shape);
        let tail_origins = if validation_origins > 0 { tail_origins(shape) } else { 0 };
        Plan { members, recipe, validation_origins, tail_origins, is_panel }
    }
}

/// Up to three origins, or a dozen where few series give few forecasts each, that leave at least half of a typical
/// series and two seasons for training; one origin if only the seasons are missing; none if the series is too short.
fn validation_origins(shape: &Shape) -> usize {
    let held = |origins: usize| (origins + tail_origins(shape)) * shape.horizon;
    let leaves_half = |origins: &usize| 2 * held(*origins) <= shape.length;
    let leaves_seasons = |origins: &usize| shape.length >= held(*origins) + 2 * shape.season + shape.horizon;
    let leaves_most = |origins: &usize| 4 * held(*origins) <= shape.length;
    let many = (4..=12).rev().filter(|_| shape.series < PANEL_SERIES).find(leaves_most);
    many.or_else(|| (1..=3).rev().filter(leaves_half).find(leaves_seasons))
        .or_else(|| Some(1).filter(leaves_half))
        .unwrap_or(0)
}

/// One forecast of each of many series is a fair sample; few series are scored on up to seven forecasts, as far as
/// that takes no more than a twentieth of their length.
fn tail_origins(shape: &Shape) -> usize {
    if shape.series >= PANEL_SERIES { 1 } else { (shape.length / (20 * shape.horizon)).clamp(1, 7) }
}

/// The normal equations of the base cost the square of the lookback in memory and its cube in time; a day of minutes
/// still fits.
const LOOKBACK_MAX: usize = 1_536;

/// Lookbacks and patches by season length.
fn members(shape: &Shape) -> Vec<MemberPlan> {
    let season = shape.season;
    let wanted: [(usize, usize); 2] = match season {
        1 if shape.weekly => [(208, 8), (104, 4)],
        1 => [(96, 8), (48, 4)],
        12 => [(48, 4), (36, 4)],
        49..=53 => [(208, 8), (104, 4)],
        16..=48 => [(21 * season, season), (14 * season, season)],
        54.. => {
            let patch = (12..=32).rev().find(|patch| season.is_multiple_of(*patch)).unwrap_or(24);
            let seasons = (700 / season).max(1);
            let up = |steps: usize| steps.next_multiple_of(patch);
            [(up((seasons + 1) * season), patch), (up(seasons * season), patch)]
        }
        _ => {
            let patch = season * 4usize.div_ceil(season);
            [(16 * patch, patch), (8 * patch, patch)]
        }
    };
    // Windows are padded on the left, so a lookback may be most of what selection sees of a typical series.
    let held = (validation_origins(shape) + tail_origins(shape)) * shape.horizon;
    let visible = shape.length.saturating_sub(held);
    let holds_a_season = visible >= season + shape.horizon;
    let limit = |patch: usize| {
        let most = visible * 3 / 4 / patch * patch;
        let wanted = if holds_a_season { most.max(season.next_multiple_of(patch)) } else { most };
        wanted.min(LOOKBACK_MAX / patch * patch)
    };
    let mut members: Vec<MemberPlan> = wanted
        .into_iter()
        .map(|(lookback, patch)| MemberPlan { lookback: lookback.min(limit(patch)), patch })
        .filter(|member| member.lookback >= member.patch.max(2))
        .collect();
    members.dedup();
    members
}

/// Whether the head reads the last token: tokens are seasons and there are few of them.
fn reads_last(member: &MemberPlan, season: usize) -> bool {
    member.patch == season && member.lookback / member.patch <= 21
}

impl MemberPlan {
    /// Anchors worth trying, the rule of thumb first.
    pub fn anchors(&self, season: usize) -> Vec<Anchor> {
        let mut anchors = match season {
            1 => vec![Anchor::Mean(4), Anchor::Mean(1)],
            _ => {
                vec![Anchor::Mean(season), Anchor::Season(season), Anchor::Mean(1), Anchor::Mean(7 * season)]
            }
        };
        anchors.push(Anchor::Mean(self.lookback));
        anchors.retain(|anchor| anchor.inputs() <= self.lookback);
        anchors.dedup();
        anchors
    }

    /// The network of this member.
    pub fn network(&self, shape: &Shape, quantile_levels: usize) -> NetworkSpec {
        let wide = shape.series >= PANEL_SERIES && reads_last(self, shape.season);
        NetworkSpec {
            patch: self.patch,
            tokens: self.lookback / self.patch,
            hidden: if wide { 64 } else { 32 },
            modes: 16,
            layers: 2,
            outputs: shape.horizon * quantile_levels,
            readout: if reads_last(self, shape.season) { Readout::Last } else { Readout::Flatten },
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(series: usize, length: usize, season: usize, horizon: usize) -> Shape {
        Shape { series, length, season, horizon, weekly: false }
    }

    #[test]
    fn hourly_panels_look_back_two_and_three_weeks_in_day_patches() {
        let plan = Plan::new(&shape(414, 960, 24, 48));
        let got: Vec<(usize, usize)> = plan.members.iter().map(|m| (m.lookback, m.patch)).collect();
        assert_eq!(got, [(504, 24), (336, 24)]);
        assert_eq!(plan.validation_origins, 3);
    }

    #[test]
    fn short_series_have_fewer_origins_and_no_member() {
        assert_eq!(Plan::new(&shape(1, 20, 12, 12)).validation_origins, 0);
        assert!(Plan::new(&shape(1, 6, 12, 4)).members.is_empty());
        assert_eq!(Plan::new(&shape(1, 144, 12, 12)).members.len(), 2);
    }

    #[test]
    fn few_long_series_are_scored_on_several_forecasts() {
        let origins = |series, length| Plan::new(&shape(series, length, 24, 24)).tail_origins;
        assert_eq!((origins(2, 50_000), origins(2, 1_500), origins(414, 50_000)), (7, 3, 1));
        assert_eq!(origins(2, 40), 0);
    }

    #[test]
    fn every_lookback_is_a_multiple_of_its_patch() {
        for season in 1..400 {
            for length in [10, 50, 200, 5000] {
                for member in Plan::new(&shape(5, length, season, 10)).members {
                    assert_eq!(member.lookback % member.patch, 0);
                    assert!(member.lookback <= length);
                }
            }
        }
    }
}
