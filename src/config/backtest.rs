//! The settings of a backtest: source and model as of a one-shot job, the rest by flags alone.

use crate::config::check::{Check, parquet, place, whole};
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem, Problems, Settings};
use crate::evaluation::spec::{Align, BacktestSpec, Refit};
use crate::model::spec::{ModelKind, ModelSpec};
use crate::pipeline::BacktestJob;
use crate::store::Place;
use std::path::Path;

/// Flags of a backtest as written.
#[derive(Clone, Debug, Default)]
pub struct RawBacktest {
    /// Number of windows.
    pub windows: Option<String>,
    /// Steps between cutoffs.
    pub step: Option<String>,
    /// When the models are fitted.
    pub refit: Option<String>,
    /// Steps between a cutoff and the first one scored.
    pub gap: Option<String>,
    /// What cutoffs are counted back from.
    pub align: Option<String>,
    /// The most values that are seen.
    pub sliding: Option<String>,
    /// Names of the models.
    pub models: Vec<String>,
    /// Where the outcomes go.
    pub output: Option<String>,
    /// Where a page about it goes.
    pub report: Option<String>,
    /// Id column whose values are segments.
    pub segment: Option<String>,
}

/// A backtest, and what is not part of it.
#[derive(Clone, Debug)]
pub struct BacktestLaunch {
    /// What to do.
    pub job: BacktestJob,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// Windows where none are asked for; up to as many, the models are fitted at every cutoff, beyond at the first one.
const WINDOWS: usize = 3;

/// What is compared where nothing is asked for.
const MODELS: [ModelKind; 6] = [
    ModelKind::Auto,
    ModelKind::Ridge,
    ModelKind::Ets,
    ModelKind::Mstl,
    ModelKind::SeasonalNaive,
    ModelKind::Naive,
];

/// The backtest that the settings and flags describe. An output in the settings is that of forecasts, and not looked at.
///
/// # Errors
/// Every problem of the file and of the flags.
pub fn backtest(settings: &Settings, raw: &RawBacktest) -> Result<BacktestLaunch, Problems> {
    let mut check = Check::new(settings);
    let source = check.source();
    let model = check.model();
    let threads = check.threads(Key::Threads);
    let max_memory = check.one(Key::MaxMemory, words::size);
    let windows = check.flag("--windows", &raw.windows, |text| positive("windows", text)).unwrap_or(WINDOWS);
    let step = check.flag("--step", &raw.step, |text| positive("step", text));
    let default = if windows <= WINDOWS { Refit::Always } else { Refit::Never };
    let refit = check.flag("--refit", &raw.refit, refit).unwrap_or(default);
    let gap = check.flag("--gap", &raw.gap, whole).unwrap_or(0);
    let align = check.flag("--align", &raw.align, align).unwrap_or_default();
    let sliding = check.flag("--sliding", &raw.sliding, |text| positive("sliding", text));
    let output = check.flag("--output", &raw.output, parquet);
    let report = check.flag("--report", &raw.report, page);
    let mut kinds: Vec<ModelKind> =
        raw.models.iter().filter_map(|name| check.flag("--models", &Some(name.clone()), kind)).collect();
    let horizon = model.as_ref().map_or(0, ModelSpec::horizon);
    let model = model.and_then(|model| {
        let longer = model.with_horizon(horizon.saturating_add(gap));
        let problem = |error| Problem::of_flag(format!("--gap: with the gap, {error}"), None);
        longer.map_err(|error| check.problems.push(problem(error))).ok()
    });
    check.within_fence();
    Problems::none_of(check.problems)?;
    let Some(model) = model else { unreachable!("a missing value is a problem") };
    let source = source.reaching(model.horizon(), model.season_length());
    if kinds.is_empty() {
        let is_named = !settings.get(Key::Kind).is_empty();
        kinds.extend(if is_named { vec![model.kind()] } else { MODELS.into() });
    }
    kinds.push(ModelKind::SeasonalNaive);
    let models = distinct(kinds).into_iter().map(|kind| model.of_kind(kind)).collect::<Vec<ModelSpec>>();
    let step = step.unwrap_or(horizon);
    let spec = BacktestSpec { models, horizon, gap, windows, step, refit, align, sliding };
    let (config_file, config_sha256) = (settings.path.clone(), settings.sha256());
    let segment = raw.segment.clone();
    Ok(BacktestLaunch {
        job: BacktestJob { source, spec, output, report, segment, config_file, max_memory, config_sha256 },
        threads,
    })
}

impl Check<'_> {
    /// The checked value of a flag that no file has; a wrong one is noted.
    pub(super) fn flag<T>(
        &mut self,
        flag: &str,
        text: &Option<String>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        match text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(parse)? {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.problems.push(Problem::of_flag(format!("{flag}: {}", wrong.message), wrong.help));
                None
            }
        }
    }
}

/// The first of each kind.
fn distinct(kinds: Vec<ModelKind>) -> Vec<ModelKind> {
    let mut distinct: Vec<ModelKind> = Vec::new();
    for kind in kinds {
        if !distinct.contains(&kind) {
            distinct.push(kind);
        }
    }
    distinct
}

fn page(text: &str) -> Result<Place, Wrong> {
    let path = Path::new(text.trim());
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("html" | "htm") => place(text.trim()),
        _ => Err(Wrong::new(format!("'{text}' is no HTML file"), "write for example report.html")),
    }
}

fn positive(what: &str, text: &str) -> Result<usize, Wrong> {
    match whole(text)? {
        0 => Err(Wrong::new(format!("{what} 0 is none at all"), "write 1 or more")),
        number => Ok(number),
    }
}

fn refit(text: &str) -> Result<Refit, Wrong> {
    match text {
        "always" => Ok(Refit::Always),
        "never" => Ok(Refit::Never),
        text => match positive("refit", text) {
            Ok(windows) => Ok(Refit::Every(windows)),
            Err(_) => {
                let message = format!("'{text}' is neither always, never nor a number of windows");
                Err(Wrong::new(message, "write for example always, or 4 to fit at every fourth cutoff"))
            }
        },
    }
}

fn align(text: &str) -> Result<Align, Wrong> {
    let words = Align::ALL.map(Align::as_str);
    let found = Align::ALL.into_iter().find(|align| align.as_str() == text);
    found.ok_or_else(|| {
        let message = format!("unknown alignment '{text}'; choose one of {}", words.join(", "));
        Wrong::meant(message, text, words)
    })
}

fn kind(text: &str) -> Result<ModelKind, Wrong> {
    ModelKind::from_name(text).ok_or_else(|| {
        let words = ModelKind::ALL.map(ModelKind::as_str);
        Wrong::meant(format!("unknown model '{text}'; choose one of {}", words.join(", ")), text, words)
    })
}
