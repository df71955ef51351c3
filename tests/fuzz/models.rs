//! Models of every kind that a file may hold, and what is asked of a model that was loaded.

use super::graft;
use super::mutate::Dice;
use super::tensors::Container;
use jiff::tz::TimeZone;
use s4cast::model::control::Control;
use s4cast::model::forecaster::Forecaster;
use s4cast::model::rate::Scale;
use s4cast::model::report::Progress;
use s4cast::model::spec::{Bounds, ModelSpec, Point, Preset, RawModelSpec};
use s4cast::registry;
use s4cast::series::covariate::{Row, Values};
use s4cast::series::{Covariate, Forecasts, Frequency, Known, Observations, Panel, Series, Status};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;
const BEGIN: i64 = 1_709_596_800_000_000;

/// Numbers of a forecast of one series beyond which a changed file is loaded and not asked.
const NUMBERS_MAX: usize = 20_000;

/// What descriptions are made of.
pub const WORDS: &[&str] = &[
    "1d",
    "1h",
    "1min",
    "MS",
    "ME",
    "B",
    "1w",
    "99999999w",
    "1us",
    "3MS",
    "13MS",
    "0d",
    "D",
    "auto",
    "s4d",
    "s4",
    "sashimi",
    "ridge",
    "seasonal_naive",
    "naive",
    "ets",
    "mstl",
    "croston",
    "croston_sba",
    "tsb",
    "adida",
    "imapa",
    "counts",
    "ensemble",
    "fallback",
    "blend",
    "local",
    "events",
    "network",
    "levels",
    "linear",
    "log",
    "season",
    "mean",
    "last",
    "flatten",
    "price",
    "kind",
    "a",
    "format",
    "bounds",
    "min",
    "max",
    "is_integer",
    "is_mean",
    "known",
    "covariates",
    "columns",
    "names",
    "conformal",
    "member0.ridge",
    "offsets",
    "zero_order_hold",
    "bilinear",
    "lin",
    "legs",
    "inv",
    "future",
    "past",
    "static",
];

/// Series that every loaded model is asked for.
pub struct Questions {
    /// Without covariates: of several steps, one too short for any model, one that was sampled at any time.
    plain: Panel,
    /// With covariates of every kind.
    rich: Panel,
}

fn series(id: &str, frequency: Frequency, times: Vec<i64>, value: impl Fn(usize) -> f64) -> Series {
    Series {
        unique_id: id.into(),
        keys: vec![],
        frequency,
        values: (0..times.len()).map(value).collect(),
        times,
        covariates: Vec::new(),
        observations: None,
        filled: Vec::new(),
    }
}

fn grid(step: i64, count: i64) -> Vec<i64> {
    (0..count).map(|at| BEGIN + at * step).collect()
}

/// About as much between 0 and 1 as chance would give.
fn noise(at: usize) -> f64 {
    let x = (at as f64 * 12.9898).sin() * 43_758.547;
    x - x.floor()
}

fn wave(at: usize) -> f64 {
    10.0 + 3.0 * (at as f64 * std::f64::consts::TAU / 7.0).sin() + noise(at)
}

fn daily(id: &str, count: i64, value: impl Fn(usize) -> f64) -> Series {
    series(id, Frequency::Days { days: 1 }, grid(DAY, count), value)
}

fn panel(series: Vec<Series>, covariates: Vec<Covariate>) -> Panel {
    let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
    Panel { id_columns: vec![], covariates, series, zone, marks: Default::default() }
}

/// A series whose observations come at any time.
fn sampled(count: usize) -> Series {
    let times: Vec<i64> = (0..count)
        .map(|at| BEGIN + (at as f64 * MINUTE as f64 * 0.9 + noise(at) * MINUTE as f64) as i64)
        .collect();
    let mut all = series("m", Frequency::Fixed { micros: MINUTE }, grid(MINUTE, count as i64 * 9 / 10), wave);
    all.observations = Some(Observations::new(times.clone(), (0..times.len()).map(wave).collect()));
    all
}

fn with_covariates(count: i64) -> Panel {
    let ahead = count as usize + 12;
    let rows = || {
        vec![
            Row::new(Known::Future, (0..ahead).map(|at| (at % 5) as f64).collect()),
            Row::new(Known::Past, (0..count as usize).map(|at| (at % 3) as f64).collect()),
            Row::new(Known::Static, vec![1.0]),
        ]
    };
    let covariate = |name: &str, known, values| Covariate { name: name.into(), known, values };
    let names = || Values::Category(vec!["a".into(), "b".into(), "c".into()]);
    let covariates = vec![
        covariate("price", Known::Future, Values::Real),
        covariate("kind", Known::Past, names()),
        covariate("region", Known::Static, Values::Category(vec!["x".into(), "y".into()])),
    ];
    let of = |id: &str| Series { covariates: rows(), ..daily(id, count, |at| wave(at) + (at % 5) as f64) };
    panel(vec![of("a"), of("b")], covariates)
}

impl Questions {
    pub fn new() -> Questions {
        let hourly = series("h", Frequency::Fixed { micros: 60 * MINUTE }, grid(60 * MINUTE, 60), wave);
        let monthly = Frequency::Months { months: 1, anchor: s4cast::series::frequency::MonthAnchor::Day(1) };
        let months = (0..20).map(|at| 1_672_531_200_000_000 + at * 31 * DAY).collect();
        let mut plain = panel(
            vec![
                daily("a", 40, wave),
                daily("b", 3, wave),
                daily("c", 40, |at| if at % 3 == 0 { (at % 5) as f64 } else { 0.0 }),
                hourly,
                sampled(60),
                series("q", monthly, months, wave),
            ],
            Vec::new(),
        );
        plain.series[0].values[7] = f64::NAN;
        plain.marks.insert("c".into(), Status::Stale);
        plain.series.sort_by(|one, other| one.unique_id.cmp(&other.unique_id));
        Questions { plain, rich: with_covariates(40) }
    }

    /// Loads a model as `--load-model` does and asks it for everything that a command or a slot may ask.
    ///
    /// # Panics
    /// If a forecast is no forecast: not finite, or its quantiles cross.
    pub fn ask(&self, dice: &mut Dice, path: &Path) -> bool {
        let Ok(opened) = registry::open(path, &[]) else { return false };
        let forecaster = opened.forecaster;
        if forecaster.spec().horizon() * forecaster.spec().quantile_levels().len() > NUMBERS_MAX {
            return true;
        }
        let panel = if dice.one_in(2) { &self.plain } else { &self.rich };
        let _ =
            (forecaster.unknown_names(&panel.covariates), forecaster.unread_covariates(&panel.covariates));
        check(&forecaster.predict(panel));
        match dice.below(6) {
            0 => drop(forecaster.components(panel, "a")),
            1 => {
                let memory = forecaster.remember(panel, 0);
                forecaster.predict_remembered(&memory, &panel.zone).iter().for_each(check);
            }
            2 => {
                let Ok(matches) = forecaster.matches(panel, Some(Scale::Auto)) else { return true };
                let _ =
                    (forecaster.odd_seasons(panel, &matches), forecaster.unmet_covariates(&panel.covariates));
                let rows = matches.iter().map(|found| found.rate.rows(forecaster.spec().horizon())).max();
                if rows.is_none_or(|rows| rows <= NUMBERS_MAX) {
                    check(&forecaster.predict_at(panel, &matches));
                }
            }
            _ => {}
        }
        let again = Forecaster::from_bytes(&forecaster.to_bytes()).map(|again| again.weights_sha256());
        assert_eq!(
            again.ok(),
            Some(forecaster.weights_sha256()),
            "a model that was saved again is another one"
        );
        true
    }
}

fn check(forecasts: &Forecasts) {
    for series in &forecasts.series {
        assert!(
            series.point.iter().all(|value| value.is_finite()),
            "{}: a point is not finite",
            series.model_id
        );
        for step in series.quantiles.rows() {
            assert!(
                step.iter().all(|value| value.is_finite()),
                "{}: a quantile is not finite",
                series.model_id
            );
            assert!(step.iter().is_sorted(), "{}: quantiles cross", series.model_id);
        }
    }
}

/// Files of every kind. Networks are put on a ridge map untrained: a fit that learns one takes seconds, and a file is as good
/// with any weights.
pub fn good() -> Vec<Vec<u8>> {
    let mut two = vec![daily("a", 60, wave), daily("b", 60, |at| 5.0 + wave(at + 3))];
    two.push(series("h", Frequency::Fixed { micros: 60 * MINUTE }, grid(60 * MINUTE, 72), wave));
    let two = panel(two, Vec::new());
    let count = |id: usize| move |at: usize| if noise(at * 4 + id) < 0.6 { 0.0 } else { (at % 4) as f64 };
    let counts = panel((0..4).map(|id| daily(&format!("c{id}"), 90, count(id))).collect(), Vec::new());
    let observed = panel(vec![sampled(120)], Vec::new());
    let bounds = Bounds { min: Some(0.0), max: Some(25.0), is_integer: true };
    let raw = |kind: &str| RawModelSpec { preset: Preset::Fast, ..RawModelSpec::new(kind, 2) };
    let plain = fit(&two, raw("ridge"));
    let rich = fit(&with_covariates(60), raw("ridge"));
    let irregular = fit(&observed, raw("ridge"));
    let mut files = vec![fit(&two, RawModelSpec { bounds, point: Point::Mean, ..raw("ridge") })];
    files.extend(["seasonal_naive", "naive", "ets", "mstl"].map(|kind| fit(&two, raw(kind))));
    let intermittent = ["croston", "croston_sba", "tsb", "adida", "imapa", "counts"];
    files.extend(intermittent.map(|kind| fit(&counts, raw(kind))));
    files.extend(graft::networks(&plain, 0));
    files.extend(graft::networks(&rich, 4));
    files.extend([graft::blend(&plain), graft::events(&irregular), plain, rich]);
    files
}

fn fit(panel: &Panel, raw: RawModelSpec) -> Vec<u8> {
    let spec = ModelSpec::try_from(raw).unwrap();
    Forecaster::fit(panel, &spec, &Control::watched(&|_| {})).unwrap().forecaster.to_bytes()
}

/// A panel of two short series.
pub fn small() -> Panel {
    panel(vec![daily("a", 40, wave), daily("b", 40, |at| 5.0 + wave(at))], Vec::new())
}

/// What comes after [`small`].
pub fn later() -> Panel {
    let mut panel = small();
    panel.series.iter_mut().flat_map(|series| &mut series.times).for_each(|time| *time += 40 * DAY);
    panel
}

/// What a training that was stopped leaves: the file of a checkpoint.
pub fn checkpoint() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let orbit = |at: f64| std::iter::successors(Some(at), |x| Some(3.9 * x * (1.0 - x)));
    let of = |at: f64| move |step: usize| 20.0 + 10.0 * orbit(at).nth(step).unwrap_or(0.0);
    let panel = panel(vec![daily("a", 120, of(0.1)), daily("b", 120, of(0.2))], Vec::new());
    let stop = AtomicBool::new(false);
    let watch = |progress: Progress| {
        if progress.stage.contains("training") {
            stop.store(true, Relaxed);
        }
    };
    let raw = RawModelSpec { preset: Preset::Fast, ..RawModelSpec::new("s4d", 2) };
    let control = Control { checkpoints: Some(folder.path()), stop: &stop, ..Control::watched(&watch) };
    let _ = Forecaster::fit(&panel, &ModelSpec::try_from(raw).unwrap(), &control);
    std::fs::read(folder.path().join("checkpoint")).unwrap_or_default()
}

/// A good file changed.
pub fn mutated(dice: &mut Dice, words: &[&str], good: &[Vec<u8>], parts: &[Option<Container>]) -> Vec<u8> {
    let at = dice.below(good.len());
    match &parts[at] {
        Some(container) if !dice.one_in(10) => container.clone().mutated(dice, words, good),
        _ => super::mutate::text(dice, &good[at], words, good),
    }
}
