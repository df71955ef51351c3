//! What a person may choose about a model, and the checked form that the rest of the layer trusts.

use std::time::Duration;

use crate::engine::ssm::SsmKind;
use crate::series::SEASON_MAX;

/// Which forecaster to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Ridge maps and smoothing with gated S4D networks on them; falls back where a series is too short.
    Auto,
    /// As [`ModelKind::Auto`], but without the gate: the network serves if training improved on the ridge map at all.
    S4d,
    /// As [`ModelKind::S4d`], with diagonal plus low-rank blocks (S4).
    S4,
    /// As [`ModelKind::S4d`], with the blocks at several rates (SaShiMi): a U-net.
    Sashimi,
    /// The closed-form ridge base alone.
    Ridge,
    /// Value one season earlier.
    SeasonalNaive,
    /// Last value.
    Naive,
    /// Exponential smoothing, one model per series, chosen by corrected AIC.
    Ets,
    /// Seasonal decomposition by LOESS, exponential smoothing of the rest, one model per series.
    Mstl,
    /// Croston's method for intermittent demand, its weights by least squares, one model per series.
    Croston,
    /// The same with the correction of Syntetos and Boylan.
    CrostonSba,
    /// The method of Teunter, Syntetos and Babai: the probability of demand fades.
    Tsb,
    /// Demand summed over its mean interval, smoothed.
    Adida,
    /// Demand summed over several numbers of steps, smoothed, and averaged.
    Imapa,
    /// A zero-inflated negative binomial head over all series.
    Counts,
    /// What [`ModelKind::Auto`] serves and models of each series alone, averaged with weights of each series.
    Ensemble,
}

impl ModelKind {
    /// All kinds, for help texts and suggestions.
    pub const ALL: [ModelKind; 16] = [
        ModelKind::Auto,
        ModelKind::S4d,
        ModelKind::S4,
        ModelKind::Sashimi,
        ModelKind::Ridge,
        ModelKind::SeasonalNaive,
        ModelKind::Naive,
        ModelKind::Ets,
        ModelKind::Mstl,
        ModelKind::Croston,
        ModelKind::CrostonSba,
        ModelKind::Tsb,
        ModelKind::Adida,
        ModelKind::Imapa,
        ModelKind::Counts,
        ModelKind::Ensemble,
    ];

    /// Name on the command line, in config files and in the `model_id` column.
    pub fn as_str(self) -> &'static str {
        match self {
            ModelKind::Auto => "auto",
            ModelKind::S4d => "s4d",
            ModelKind::S4 => "s4",
            ModelKind::Sashimi => "sashimi",
            ModelKind::Ridge => "ridge",
            ModelKind::SeasonalNaive => "seasonal_naive",
            ModelKind::Naive => "naive",
            ModelKind::Ets => "ets",
            ModelKind::Mstl => "mstl",
            ModelKind::Croston => "croston",
            ModelKind::CrostonSba => "croston_sba",
            ModelKind::Tsb => "tsb",
            ModelKind::Adida => "adida",
            ModelKind::Imapa => "imapa",
            ModelKind::Counts => "counts",
            ModelKind::Ensemble => "ensemble",
        }
    }

    /// State-space model of the networks, where there are any.
    pub fn ssm(self) -> SsmKind {
        if self == ModelKind::S4 { SsmKind::S4 } else { SsmKind::S4d }
    }

    /// Published name of forecasts that networks have a part in.
    pub fn network_id(self) -> &'static str {
        if self.is_network() { self.as_str() } else { ModelKind::S4d.as_str() }
    }

    /// Whether a network was asked for by name, which no gate keeps out.
    pub fn is_network(self) -> bool {
        matches!(self, ModelKind::S4d | ModelKind::S4 | ModelKind::Sashimi)
    }

    /// Whether networks are trained for it.
    pub fn trains_networks(self) -> bool {
        self.is_network() || self.is_gated()
    }

    /// Whether it chooses by itself what serves: gates keep out what did not prove better.
    pub fn is_gated(self) -> bool {
        matches!(self, ModelKind::Auto | ModelKind::Ensemble)
    }

    /// Whether it is a model of each series alone.
    pub fn is_local(self) -> bool {
        matches!(self, ModelKind::Ets | ModelKind::Mstl) || self.is_intermittent()
    }

    /// Whether it is a model of each series alone for demand that is zero often.
    pub fn is_intermittent(self) -> bool {
        matches!(
            self,
            ModelKind::Croston | ModelKind::CrostonSba | ModelKind::Tsb | ModelKind::Adida | ModelKind::Imapa
        )
    }

    /// Whether its forecasts may depend on covariates.
    pub fn reads_covariates(self) -> bool {
        !self.is_local() && !matches!(self, ModelKind::SeasonalNaive | ModelKind::Naive)
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<ModelKind> {
        ModelKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How much work a fit is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// Seconds: one network, few steps.
    Fast,
    /// Minutes.
    #[default]
    Balanced,
    /// The most that still improves forecasts.
    Best,
}

impl Preset {
    /// All presets, for help texts and suggestions.
    pub const ALL: [Preset; 3] = [Preset::Fast, Preset::Balanced, Preset::Best];

    /// Name in flags and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Fast => "fast",
            Preset::Balanced => "balanced",
            Preset::Best => "best",
        }
    }
}

/// What a point forecast is, and with it which error a fit keeps small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Point {
    /// The median: least absolute error (MASE, sMAPE).
    #[default]
    Median,
    /// The mean: least squared error (MSE, RMSSE).
    Mean,
}

impl Point {
    /// All kinds, for help texts and suggestions.
    pub const ALL: [Point; 2] = [Point::Median, Point::Mean];

    /// Name in flags and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Point::Median => "median",
            Point::Mean => "mean",
        }
    }
}

/// Values that a forecast may take, its quantiles included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Least value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Whether values are rounded to whole numbers.
    pub is_integer: bool,
}

impl Bounds {
    /// The nearest value allowed, halves away from zero; values in ascending order stay so.
    pub fn apply(&self, value: f64) -> f64 {
        let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
        let bounded = if self.is_integer {
            value.round().clamp(min.ceil(), max.floor())
        } else {
            value.clamp(min, max)
        };
        // A zero has no sign then.
        if bounded == 0.0 { 0.0 } else { bounded }
    }
}

/// What stands on what: the parts that an ablation leaves out or replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parts {
    /// The S4D network on the ridge map.
    #[default]
    Both,
    /// The S4D network on the anchor alone, without a map.
    NetworkAlone,
    /// A residual perceptron of about equal cost in place of the S4D blocks, on the ridge map.
    Perceptron,
}

/// Model settings as written by a person: nothing is checked yet.
#[derive(Clone, Debug)]
pub struct RawModelSpec {
    /// Name of the model.
    pub kind: String,
    /// Steps to forecast.
    pub horizon: usize,
    /// Central coverage levels in percent, for example 80 and 95; the first is the primary one.
    pub levels: Vec<f64>,
    /// Season length in steps; `None` detects it.
    pub season_length: Option<usize>,
    /// Seed of every random number.
    pub seed: u64,
    /// Wall-clock limit of training.
    pub budget: Option<Duration>,
    /// How much work a fit is worth.
    pub preset: Preset,
    /// What the point forecast is.
    pub point: Point,
    /// Values that forecasts may take.
    pub bounds: Bounds,
    /// What an ablation leaves out.
    pub parts: Parts,
}

impl RawModelSpec {
    /// A model of that name for that horizon, all else as where nothing is asked for: levels 80 and 95, seed 1.
    pub fn new(kind: &str, horizon: usize) -> RawModelSpec {
        RawModelSpec {
            kind: kind.into(),
            horizon,
            levels: vec![80.0, 95.0],
            season_length: None,
            seed: 1,
            budget: None,
            preset: Preset::default(),
            point: Point::default(),
            bounds: Bounds::default(),
            parts: Parts::default(),
        }
    }
}

/// Checked model settings.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    kind: ModelKind,
    horizon: usize,
    levels: Vec<f64>,
    quantile_levels: Vec<f64>,
    season_length: Option<usize>,
    seed: u64,
    budget: Option<Duration>,
    preset: Preset,
    point: Point,
    bounds: Bounds,
    parts: Parts,
}

/// A model setting that cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// No such model.
    #[error(
        "unknown model '{0}'; choose one of auto, s4d, s4, sashimi, ridge, seasonal_naive, naive, ets, mstl, \
         croston, croston_sba, tsb, adida, imapa, counts, ensemble"
    )]
    Kind(String),
    /// The horizon is zero or beyond reason.
    #[error("horizon {0} is not in 1..=10000")]
    Horizon(usize),
    /// A coverage level is not inside (0, 100).
    #[error("level {0} is not a percentage above 0 and below 100; write for example 80,95")]
    Level(f64),
    /// No level at all.
    #[error("no coverage level given; write for example 80,95")]
    NoLevel,
    /// A season that is no number of steps.
    #[error("season length {0} is not in 1..={max}", max = SEASON_MAX)]
    SeasonLength(usize),
    /// No value lies between the bounds.
    #[error("no value lies between min {0} and max {1}; both are to be finite, and min below max")]
    Bounds(f64, f64),
    /// No whole number lies between the bounds.
    #[error("no whole number lies between min {0} and max {1}; widen them, or leave integer out")]
    IntegerBounds(f64, f64),
}

/// Most steps that a model forecasts.
const HORIZON_MAX: usize = 10_000;

/// Deciles, always trained and published.
const DECILES: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

impl TryFrom<RawModelSpec> for ModelSpec {
    type Error = SpecError;

    fn try_from(raw: RawModelSpec) -> Result<ModelSpec, SpecError> {
        let kind = ModelKind::from_name(&raw.kind).ok_or(SpecError::Kind(raw.kind))?;
        if !(1..=HORIZON_MAX).contains(&raw.horizon) {
            return Err(SpecError::Horizon(raw.horizon));
        }
        if raw.levels.is_empty() {
            return Err(SpecError::NoLevel);
        }
        if let Some(&level) = raw.levels.iter().find(|level| !(**level > 0.0 && tails(**level)[0] > 0.0)) {
            return Err(SpecError::Level(level));
        }
        if let Some(season) = raw.season_length.filter(|season| !(1..=SEASON_MAX).contains(season)) {
            return Err(SpecError::SeasonLength(season));
        }
        let (min, max) = (raw.bounds.min, raw.bounds.max);
        let is_finite = [min, max].into_iter().flatten().all(f64::is_finite);
        if !is_finite || min.zip(max).is_some_and(|(min, max)| min >= max) {
            return Err(SpecError::Bounds(min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY)));
        }
        if let (Some(min), Some(max), true) = (min, max, raw.bounds.is_integer)
            && min.ceil() > max.floor()
        {
            return Err(SpecError::IntegerBounds(min, max));
        }
        Ok(ModelSpec {
            kind,
            horizon: raw.horizon,
            quantile_levels: quantile_levels(&raw.levels),
            levels: raw.levels,
            season_length: raw.season_length,
            seed: raw.seed,
            budget: raw.budget,
            preset: raw.preset,
            point: raw.point,
            bounds: raw.bounds,
            parts: raw.parts,
        })
    }
}

/// The deciles and the two tails of every coverage level, ascending without repeats.
fn quantile_levels(levels: &[f64]) -> Vec<f64> {
    let tails = levels.iter().flat_map(|&level| tails(level));
    let mut all: Vec<f64> = DECILES.into_iter().chain(tails).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Lower and upper quantile level of a central interval of `level` percent, rounded to 1e-6: levels that differ by less
/// share their tails.
pub fn tails(level: f64) -> [f64; 2] {
    let tail = ((100.0 - level) / 200.0 * 1e6).round() / 1e6;
    [tail, ((1.0 - tail) * 1e6).round() / 1e6]
}

impl ModelSpec {
    /// The same with other quantile levels: a saved model keeps those that it was trained for.
    pub(super) fn with_quantile_levels(self, quantile_levels: Vec<f64>) -> ModelSpec {
        ModelSpec { quantile_levels, ..self }
    }

    /// The same with a declared season, which no file of a model holds.
    pub fn with_season_length(self, season_length: Option<usize>) -> ModelSpec {
        ModelSpec { season_length, ..self }
    }

    /// The same with other coverage levels, the first of them the primary one.
    ///
    /// # Panics
    /// If the tails of one are not among the quantile levels.
    pub fn with_levels(self, levels: Vec<f64>) -> ModelSpec {
        let is_known = levels.iter().all(|level| self.has_level(*level));
        assert!(!levels.is_empty() && is_known, "{levels:?} are levels of {:?}", self.quantile_levels);
        ModelSpec { levels, ..self }
    }

    /// Whether its quantile levels hold both tails of a coverage level in percent.
    pub fn has_level(&self, level: f64) -> bool {
        tails(level).iter().all(|tail| self.quantile_levels.contains(tail))
    }

    /// The same settings for another forecaster.
    pub fn of_kind(&self, kind: ModelKind) -> ModelSpec {
        ModelSpec { kind, ..self.clone() }
    }

    /// The same settings for another number of steps.
    ///
    /// # Errors
    /// If the horizon is zero or beyond reason.
    pub fn with_horizon(self, horizon: usize) -> Result<ModelSpec, SpecError> {
        match (1..=HORIZON_MAX).contains(&horizon) {
            true => Ok(ModelSpec { horizon, ..self }),
            false => Err(SpecError::Horizon(horizon)),
        }
    }

    /// Which forecaster to use.
    pub fn kind(&self) -> ModelKind {
        self.kind
    }

    /// Steps to forecast, at least one.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Central coverage levels in percent, each inside (0, 100); the first is the primary one.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Quantile levels (Q), ascending, the median among them.
    pub fn quantile_levels(&self) -> &[f64] {
        &self.quantile_levels
    }

    /// Position of the median among the quantile levels.
    pub fn median(&self) -> usize {
        let position = self.quantile_levels.iter().position(|&level| level == 0.5);
        position.expect("the median is always among the levels")
    }

    /// Declared season length in steps.
    pub fn season_length(&self) -> Option<usize> {
        self.season_length
    }

    /// Seed of every random number.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Wall-clock limit of training.
    pub fn budget(&self) -> Option<Duration> {
        self.budget
    }

    /// How much work a fit is worth.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// What the point forecast is.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Values that forecasts may take; the least is below the largest.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What an ablation leaves out.
    pub fn parts(&self) -> Parts {
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawModelSpec {
        RawModelSpec::new("auto", 24)
    }

    #[test]
    fn levels_become_deciles_and_tails() {
        let spec = ModelSpec::try_from(raw()).expect("valid");
        let want = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];
        assert_eq!(spec.quantile_levels(), want);
    }

    #[test]
    fn levels_too_close_to_tell_apart_share_their_tails() {
        let spec =
            ModelSpec::try_from(RawModelSpec { levels: vec![80.0, 79.999_999_8], ..raw() }).expect("valid");
        for level in spec.levels() {
            assert!(tails(*level).iter().all(|tail| spec.quantile_levels().contains(tail)));
        }
    }

    #[test]
    fn bounds_hold_and_keep_the_order() {
        let counts = Bounds { min: Some(0.0), max: Some(7.5), is_integer: true };
        let values = [-1e300, -0.5, 0.49, 0.5, 1.5, 7.4, 9.0];
        assert_eq!(values.map(|value| counts.apply(value)), [0.0, 0.0, 0.0, 1.0, 2.0, 7.0, 7.0]);
        let signed = Bounds { is_integer: true, ..Bounds::default() };
        assert_eq!([-2.5, -0.5, 2.5].map(|value| signed.apply(value)), [-3.0, -1.0, 3.0]);
        assert_eq!(Bounds::default().apply(-0.25), -0.25);
        let share = Bounds { min: Some(0.25), max: Some(0.75), is_integer: true };
        let raw = RawModelSpec { bounds: share, ..raw() };
        assert_eq!(ModelSpec::try_from(raw).err(), Some(SpecError::IntegerBounds(0.25, 0.75)));
    }

    #[test]
    fn wrong_settings_are_named() {
        let kind = RawModelSpec { kind: "arima".into(), ..raw() };
        assert_eq!(ModelSpec::try_from(kind).err(), Some(SpecError::Kind("arima".into())));
        let level = RawModelSpec { levels: vec![80.0, 100.0], ..raw() };
        assert_eq!(ModelSpec::try_from(level).err(), Some(SpecError::Level(100.0)));
        let nearly_all = RawModelSpec { levels: vec![99.99999999], ..raw() };
        assert!(ModelSpec::try_from(nearly_all).is_err());
        let horizon = RawModelSpec { horizon: 0, ..raw() };
        assert_eq!(ModelSpec::try_from(horizon).err(), Some(SpecError::Horizon(0)));
    }
}
