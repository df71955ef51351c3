//! From what a group of series looks like to what is tried on it: lookbacks, patches, network size, recipe.
//!
//! The constants come from measurements on M4 Hourly, M4 Weekly, ETT and exchange rates; where a group is unlike all
//! of them the rule is an extrapolation and the gate decides.

use crate::engine::network::{Levels, NetworkSpec, Readout};
use crate::engine::s4d::{Discretization, Init};
use crate::model::member::with_covariates;
use crate::model::spec::{ModelKind, Parts, Preset};
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
    /// Encoded covariates (K) that networks read.
    pub columns: usize,
}

/// One network before its data are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Inputs (L), a multiple of the patch.
    pub lookback: usize,
    /// Values per token (P).
    pub patch: usize,
    /// Whether it stands on the ridge map of its lookback, or on the anchor alone.
    pub on_map: bool,
}

/// What is tried on a group.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Lookbacks of the ridge maps, ascending; none if the series are too short for any.
    pub lookbacks: Vec<usize>,
    /// Networks, each a member of the ensemble.
    pub networks: Vec<NetworkPlan>,
    /// How the networks are trained.
    pub recipe: Recipe,
    /// How the network on observations is trained, where series are sampled at any times.
    pub events: Recipe,
    /// Validation origins before the tail that is held back for the score.
    pub rolling: Rolling,
    /// Origins in the tail that is kept for the score, one horizon apart; none if there is nothing to validate on.
    pub tail_origins: usize,
    /// Whether many series teach one network, which the gate then trusts more readily.
    pub is_panel: bool,
}

/// Validation origins of a series; the latest one leaves exactly one horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rolling {
    /// Number of origins; 0 if the series are too short.
    pub origins: usize,
    /// Steps from one to the next.
    pub stride: usize,
}

impl Rolling {
    /// Steps from the earliest origin to the end.
    pub fn span(&self, horizon: usize) -> usize {
        if self.origins == 0 { 0 } else { horizon + (self.origins - 1) * self.stride }
    }
}

/// Series from which on a group counts as a panel.
const PANEL_SERIES: usize = 20;

impl Plan {
    /// The plan for a group.
    pub fn new(shape: &Shape, preset: Preset, parts: Parts) -> Plan {
        let is_panel = shape.series >= PANEL_SERIES;
        let rolling = rolling(shape);
        let tail_origins = if rolling.origins > 0 { tail_origins(shape) } else { 0 };
        let visible = shape.length.saturating_sub(rolling.span(shape.horizon) + tail_origins * shape.horizon);
        let pairs = patched(shape, visible);
        let season_patches = pairs.first().is_some_and(|pair| reads_last(pair, shape.season));
        let (mut recipe, mut events) = (recipe(is_panel, season_patches), EVENTS);
        match preset {
            Preset::Fast => {
                recipe.steps = (recipe.steps / 3).max(100);
                events.steps /= 3;
            }
            Preset::Balanced => {}
            Preset::Best if is_panel => recipe.steps = recipe.steps * 5 / 3,
            Preset::Best => {}
        }
        if parts == Parts::NetworkAlone {
            recipe.skip_learning_rate = 0.0;
        }
        let networks = networks(&pairs, is_panel, season_patches, preset, parts);
        let lookbacks = lookbacks(shape, &networks, visible, is_panel);
        Plan { lookbacks, networks, recipe, events, rolling, tail_origins, is_panel }
    }
}

/// How the network on observations is trained.
const EVENTS: Recipe = Recipe {
    steps: 1500,
    batch: 64,
    learning_rate: 6e-3,
    ssm_learning_rate: 3e-3,
    skip_learning_rate: 0.0,
    weight_decay: 1e-2,
    evaluate_every: 100,
    patience: 5,
};

fn recipe(is_panel: bool, season_patches: bool) -> Recipe {
    match (is_panel, season_patches) {
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
    }
}

/// Members of the ensemble of networks: lookbacks, seeds, and where patches are short some without a map, which err
/// differently.
fn networks(
    pairs: &[Patched],
    is_panel: bool,
    season_patches: bool,
    preset: Preset,
    parts: Parts,
) -> Vec<NetworkPlan> {
    let on_map = parts != Parts::NetworkAlone;
    let each = |on_map: bool| {
        pairs.iter().map(move |&Patched { lookback, patch }| NetworkPlan { lookback, patch, on_map })
    };
    let first = each(on_map).take(1).collect();
    // Seven seasons err differently from fourteen and twenty-one.
    let short = pairs.first().filter(|pair| pair.lookback >= 2 * 7 * pair.patch).map(|pair| NetworkPlan {
        lookback: 7 * pair.patch,
        patch: pair.patch,
        on_map,
    });
    match (preset, is_panel) {
        (Preset::Fast, _) | (_, false) => first,
        (Preset::Balanced, true) if season_patches => each(on_map).chain(short).collect(),
        (Preset::Balanced, true) => each(on_map).chain(each(false)).collect(),
        (Preset::Best, true) if season_patches => {
            each(on_map).chain(short).chain(each(on_map)).chain(short).collect()
        }
        (Preset::Best, true) => {
            let once: Vec<NetworkPlan> = each(on_map).chain(each(false)).collect();
            [once.clone(), once].concat()
        }
    }
}

/// Validation forecasts (series × origins) that choices and intervals are based on, as far as the data allow.
const WINDOWS: usize = 1_000;

/// Values (series × origins × T) that they may have.
const VALUES_MAX: usize = 400_000;

/// Few long series are validated on their last quarter, at origins that meet every phase of the season. Otherwise up
/// to three horizons that leave at least half of a typical series and two seasons for training; one if only the
/// seasons are missing; none if the series is too short.
fn rolling(shape: &Shape) -> Rolling {
    let &Shape { length, season, horizon, .. } = shape;
    let tail = tail_origins(shape) * horizon;
    let quarter = (length / 4).saturating_sub(tail);
    let is_long = quarter >= 2 * horizon && length >= quarter + tail + 2 * season + horizon;
    if shape.series < PANEL_SERIES && is_long {
        let most = (VALUES_MAX / (shape.series * horizon)).clamp(12, WINDOWS / shape.series.min(10));
        return spread(quarter, horizon, most, season);
    }
    let leaves_half = |horizons: &usize| 2 * (horizons * horizon + tail) <= length;
    let leaves_seasons = |horizons: &usize| length >= horizons * horizon + tail + 2 * season + horizon;
    let horizons = (1..=3).rev().filter(leaves_half).find(leaves_seasons);
    match horizons.or_else(|| Some(1).filter(leaves_half)) {
        None => Rolling::default(),
        Some(horizons) if horizons * shape.series >= WINDOWS => {
            Rolling { origins: horizons, stride: horizon }
        }
        Some(horizons) => {
            spread(horizons * horizon, horizon, WINDOWS.div_ceil(shape.series).max(horizons), season)
        }
    }
}

/// At most so many origins over the last steps, a stride apart that shares no factor with the season.
pub fn spread(steps: usize, horizon: usize, most: usize, season: usize) -> Rolling {
    let room = steps.saturating_sub(horizon);
    let least = room.div_ceil(most.max(2) - 1).max(1);
    let stride = (least..).find(|stride| gcd(*stride, season) == 1).unwrap_or(least);
    Rolling { origins: room / stride + 1, stride }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One forecast of each of many series is a fair sample; few series are scored on up to seven forecasts, as far as
/// that takes no more than a twentieth of their length.
fn tail_origins(shape: &Shape) -> usize {
    if shape.series >= PANEL_SERIES { 1 } else { (shape.length / (20 * shape.horizon)).clamp(1, 7) }
}

/// The normal equations of the base cost the square of the lookback in memory and its cube in time; a day of minutes
/// still fits.
pub(super) const LOOKBACK_MAX: usize = 1_536;

/// A lookback that is cut into patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patched {
    lookback: usize,
    patch: usize,
}

/// Lookbacks and patches of networks by season length, the longer one first.
fn patched(shape: &Shape, visible: usize) -> Vec<Patched> {
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
    let mut pairs: Vec<Patched> = wanted
        .into_iter()
        .map(|(lookback, patch)| {
            let most = longest(shape, visible) / patch * patch;
            Patched { lookback: lookback.min(most.max(season_patches(shape, visible, patch))), patch }
        })
        .filter(|pair| pair.lookback >= pair.patch.max(2))
        .collect();
    pairs.dedup();
    pairs
}

/// Windows are padded on the left, so a lookback may be most of what selection sees of a typical series.
fn longest(shape: &Shape, visible: usize) -> usize {
    let most = visible * 3 / 4;
    let wanted = if visible >= shape.season + shape.horizon { most.max(shape.season) } else { most };
    wanted.min(LOOKBACK_MAX)
}

/// Whole patches that hold a season, where the series do.
fn season_patches(shape: &Shape, visible: usize, patch: usize) -> usize {
    let holds_a_season = visible >= shape.season + shape.horizon;
    if holds_a_season { shape.season.next_multiple_of(patch).min(LOOKBACK_MAX / patch * patch) } else { 0 }
}

/// Lookbacks of the ridge maps: those of the networks and others around them. A panel has none longer than its
/// networks, for its shortest series are to be forecast by the same model.
fn lookbacks(shape: &Shape, networks: &[NetworkPlan], visible: usize, is_panel: bool) -> Vec<usize> {
    let season = shape.season;
    let wanted: Vec<usize> = match season {
        1 if shape.weekly => vec![13, 26, 52],
        1 => vec![4, 12, 24, 192],
        49..=53 => vec![26, 52],
        2..=15 => [1, 2, 4, 12, 24].map(|seasons| seasons * season).into(),
        16..=48 => [4, 7, 30, 42].map(|seasons| seasons * season).into(),
        _ => [1, 2, 4, 7, 14].map(|seasons| seasons * season).into(),
    };
    let network_max = networks.iter().map(|network| network.lookback).max().unwrap_or(0);
    let most = if is_panel { network_max } else { longest(shape, visible).max(network_max) };
    let mut all: Vec<usize> = wanted.into_iter().filter(|lookback| (2..=most).contains(lookback)).collect();
    all.extend(networks.iter().map(|network| network.lookback));
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether the head reads the last token: tokens are seasons and there are few of them.
fn reads_last(pair: &Patched, season: usize) -> bool {
    pair.patch == season && pair.lookback / pair.patch <= 21
}

/// Anchors worth trying at a lookback, the rule of thumb first.
pub fn anchors(lookback: usize, season: usize) -> Vec<Anchor> {
    let mut anchors = match season {
        1 => vec![Anchor::Mean(4), Anchor::Mean(1)],
        _ => vec![Anchor::Mean(season), Anchor::Season(season), Anchor::Mean(1), Anchor::Mean(7 * season)],
    };
    anchors.push(Anchor::Mean(lookback));
    anchors.retain(|anchor| anchor.inputs() <= lookback);
    let mut seen = Vec::new();
    anchors.retain(|anchor| {
        !seen.contains(anchor) && {
            seen.push(*anchor);
            true
        }
    });
    anchors
}

impl NetworkPlan {
    /// The network of this member: state-space blocks on patches, or a residual perceptron on the whole lookback at once that
    /// costs about as many multiplications.
    pub fn network(
        &self,
        shape: &Shape,
        quantile_levels: usize,
        parts: Parts,
        kind: ModelKind,
    ) -> NetworkSpec {
        let last = reads_last(&Patched { lookback: self.lookback, patch: self.patch }, shape.season);
        let wide = shape.series >= PANEL_SERIES && last;
        let is_read = shape.columns > 0 && parts != Parts::Perceptron;
        let (patch, tokens) = if is_read {
            with_covariates(self.patch, self.lookback, shape.horizon, shape.columns)
        } else {
            (self.patch, self.lookback / self.patch)
        };
        let spec = NetworkSpec {
            patch,
            tokens,
            hidden: if wide { 64 } else { 32 },
            modes: 16,
            layers: 2,
            outputs: shape.horizon * quantile_levels,
            readout: if last { Readout::Last } else { Readout::Flatten },
            ssm: kind.ssm(),
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        };
        match (parts, kind) {
            (Parts::Perceptron, _) => perceptron(spec),
            (_, ModelKind::Sashimi) => u_net(spec),
            _ => spec,
        }
    }
}

/// Width of the finest level of a U-net. A step takes, of that of the stack: on 21 day tokens of a panel 1.5 (and as many
/// parameters), on those of few series 3.3, where the head reads all of 12 or 30 tokens 0.7 to 0.8.
const U_NET_WIDTH: usize = 16;

/// A U-net in place of the stack `like`, with one pair of block and feed-forward layer on every level. The coarsest level
/// keeps at least four frames: below 8 tokens there is one level, from 8 on two frames become one, from 16 on twice, and
/// from 64 on four become one, twice.
fn u_net(like: NetworkSpec) -> NetworkSpec {
    let pools = match like.tokens {
        ..8 => vec![],
        8..16 => vec![2],
        16..64 => vec![2, 2],
        64.. => vec![4, 4],
    };
    let levels = Levels { pools, expand: 2, feed_forward: 2 };
    NetworkSpec { hidden: U_NET_WIDTH, layers: 1, levels: Some(levels), ..like }
}

/// A network of one token, which leaves of an S4D block the norm, a gain per channel, GELU, the gated linear layer and
/// the residual: as wide as the cost of `like` allows.
fn perceptron(like: NetworkSpec) -> NetworkSpec {
    let cost = |tokens: usize, patch: usize, hidden: usize, read: usize| {
        tokens * hidden * (patch + like.layers * (2 * hidden + tokens / 2)) + read * hidden * like.outputs
    };
    let read = if like.readout == Readout::Flatten { like.tokens } else { 1 };
    let budget = cost(like.tokens, like.patch, like.hidden, read);
    let lookback = like.tokens * like.patch;
    let widths = (1..=64).map(|eighth| 8 * eighth);
    let hidden = widths.take_while(|&hidden| cost(1, lookback, hidden, 1) <= budget).last().unwrap_or(8);
    NetworkSpec { patch: lookback, tokens: 1, hidden, readout: Readout::Last, ..like }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(series: usize, length: usize, season: usize, horizon: usize) -> Shape {
        Shape { series, length, season, horizon, weekly: false, columns: 0 }
    }

    fn plan(shape: &Shape) -> Plan {
        Plan::new(shape, Preset::Balanced, Parts::Both)
    }

    #[test]
    fn hourly_panels_look_back_two_and_three_weeks_in_day_patches() {
        let plan = plan(&shape(414, 960, 24, 48));
        let got: Vec<(usize, usize)> = plan.networks.iter().map(|m| (m.lookback, m.patch)).collect();
        assert_eq!(got, [(504, 24), (336, 24), (168, 24)]);
        assert_eq!(plan.lookbacks, [96, 168, 336, 504]);
        assert_eq!(plan.rolling, Rolling { origins: 3, stride: 48 });
    }

    #[test]
    fn short_series_have_fewer_origins_and_no_lookback() {
        assert_eq!(plan(&shape(1, 20, 12, 12)).rolling.origins, 0);
        assert!(plan(&shape(1, 4, 12, 4)).lookbacks.is_empty());
        assert!(plan(&shape(1, 144, 12, 12)).lookbacks.len() > 2);
    }

    #[test]
    fn few_long_series_are_validated_at_every_phase_of_their_season() {
        let Rolling { origins, stride } = plan(&shape(7, 8640, 24, 96)).rolling;
        assert_eq!(gcd(stride, 24), 1);
        assert!(origins >= 50 && 96 + (origins - 1) * stride <= 8640 / 4, "{origins} {stride}");
    }

    #[test]
    fn few_long_series_are_scored_on_several_forecasts() {
        let origins = |series, length| plan(&shape(series, length, 24, 24)).tail_origins;
        assert_eq!((origins(2, 50_000), origins(2, 1_500), origins(414, 50_000)), (7, 3, 1));
        assert_eq!(origins(2, 40), 0);
    }

    #[test]
    fn every_lookback_of_a_network_is_a_multiple_of_its_patch_and_all_fit_the_series() {
        for season in 1..400 {
            for length in [10, 50, 200, 5000] {
                let plan = plan(&shape(5, length, season, 10));
                for network in &plan.networks {
                    assert_eq!(network.lookback % network.patch, 0);
                    assert!(plan.lookbacks.contains(&network.lookback));
                }
                assert!(plan.lookbacks.iter().all(|lookback| (2..=length).contains(lookback)));
            }
        }
    }

    #[test]
    fn a_u_net_has_levels_as_its_tokens_allow() {
        let shape = shape(7, 5_000, 1, 10);
        for tokens in 1..200 {
            let network = NetworkPlan { lookback: 3 * tokens, patch: 3, on_map: true };
            let [stack, net] = [ModelKind::S4d, ModelKind::Sashimi]
                .map(|kind| network.network(&shape, 11, Parts::Both, kind));
            assert_eq!((stack.levels, net.tokens), (None, tokens));
            let backbone = net.backbone().expect("it has levels");
            assert!(backbone.len < tokens + backbone.stride());
            assert!(backbone.pools.is_empty() || backbone.levels().iter().all(|level| level.len >= 4));
        }
        let network = NetworkPlan { lookback: 48, patch: 3, on_map: true };
        let perceptron = network.network(&shape, 11, Parts::Perceptron, ModelKind::Sashimi);
        assert_eq!((perceptron.tokens, perceptron.levels), (1, None));
    }

    #[test]
    fn a_perceptron_costs_no_more_than_the_blocks_it_replaces() {
        let shape = shape(414, 960, 24, 48);
        let network = plan(&shape).networks[1];
        let (blocks, perceptron) = [Parts::Both, Parts::Perceptron]
            .map(|parts| network.network(&shape, 11, parts, ModelKind::S4d))
            .into();
        assert_eq!((perceptron.tokens, perceptron.patch), (1, blocks.tokens * blocks.patch));
        assert!(perceptron.hidden > blocks.hidden);
    }
}
