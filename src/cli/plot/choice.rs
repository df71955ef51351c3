//! Which forecasts of a file are drawn.

use crate::cli::args_plot::Plot;
use crate::cli::error::CliError;
use crate::config::nearest;
use crate::ingest::{IngestErrorKind, Objects};
use crate::plot::{Band, Fan};
use crate::publish::{self, Drawn, PublishError};
use crate::store::Address;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Ids that an error lists; charts of one picture; scenarios that are drawn without being asked for.
const LISTED: usize = 8;
const CHARTS_MAX: usize = 36;
const SCENARIOS: usize = 6;

/// Coverage levels that are drawn where the file has them.
const LEVELS: [f64; 2] = [95.0, 80.0];

/// Levels closer than that are the same.
const SAME: f64 = 1e-6;

/// A forecast and, in a file of a backtest, what came.
pub(super) type Came = (Fan, Vec<f64>);

/// The forecasts that are drawn, by series in the order asked for.
pub(super) struct Chosen {
    /// Id, and its forecasts.
    pub series: Vec<(String, Vec<Came>)>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// The file of a path or address, which may be the folder of a run; `objects` has the copy of an object.
pub(super) fn part_file(named: &Path, objects: &Objects) -> Result<PathBuf, CliError> {
    let path = match named.to_str().and_then(Address::parse).transpose() {
        Err(error) => return Err(CliError::Missing(error.to_string())),
        Ok(None) => named.to_owned(),
        Ok(Some(address)) => match address.local() {
            Some(path) => path,
            None => return part_object(&address, objects),
        },
    };
    if path.is_dir() {
        let parts = ["part-0.parquet", "part-0.csv"].map(|name| path.join(name));
        return parts.into_iter().find(|part| part.is_file()).ok_or_else(|| {
            CliError::Missing(format!(
                "{} has no part-0.parquet; name a file of forecasts, or the folder of a run such as OUT/latest/job=J",
                path.display()
            ))
        });
    }
    match path.exists() {
        true => Ok(path),
        false => {
            Err(CliError::Missing(format!("there is no {}; check the name of the forecasts", path.display())))
        }
    }
}

/// The copy of an object, or of the part of a run in a folder of objects.
fn part_object(address: &Address, objects: &Objects) -> Result<PathBuf, CliError> {
    let error = match objects.copy(address) {
        Err(error) if error.kind() == IngestErrorKind::InputMissing => error,
        copied => return Ok(copied?),
    };
    let parts = ["part-0.parquet", "part-0.csv"].map(|name| objects.copy(&address.join(name)));
    Ok(parts.into_iter().find_map(Result::ok).ok_or(error)?)
}

impl Chosen {
    /// Reads the forecasts that the flags ask for.
    pub fn read(path: &Path, args: &Plot) -> Result<Chosen, CliError> {
        let no_forecasts = |error: PublishError| CliError::NoForecasts {
            path: path.into(),
            reason: match error {
                PublishError::Read { reason, .. } => reason,
                other => other.to_string(),
            },
        };
        let known = publish::series_of(path).map_err(no_forecasts)?;
        let ids = ids(&args.id, &known)?;
        let mut drawn = publish::read_drawn(path, &ids).map_err(no_forecasts)?;
        let mut notes = Vec::new();
        keep_model(&mut drawn, args.model.as_deref(), &mut notes)?;
        keep_scenarios(&mut drawn, &args.scenario, &mut notes)?;
        let mut series = Vec::new();
        for id in ids {
            let own = drawn.iter().filter(|one| one.unique_id == id);
            let mut fans = own
                .map(|one| Ok((fan(one, &args.levels)?, one.y.clone())))
                .collect::<Result<Vec<_>, CliError>>()?;
            fans.sort_by_key(|(fan, _)| (fan.cutoff, fan.scenario.clone()));
            series.push((id, fans));
        }
        Ok(Chosen { series, notes })
    }
}

/// The series asked for, each once; the only one where nothing is asked for.
fn ids(asked: &[String], known: &[String]) -> Result<Vec<String>, CliError> {
    let listed = || {
        let some: Vec<String> = known.iter().take(LISTED).map(|id| format!("'{id}'")).collect();
        format!("{}{}", some.join(", "), if known.len() > LISTED { ", …" } else { "" })
    };
    match (asked, known) {
        ([], []) => {
            Err(CliError::Request { message: "the file holds no forecast at all".into(), help: None })
        }
        ([], [one]) => Ok(vec![one.clone()]),
        ([], several) => Err(CliError::Request {
            message: format!("the file has {} series; name one, or several, with --id", several.len()),
            help: Some(format!("they are {}", listed())),
        }),
        (asked, known) => {
            let mut seen = BTreeSet::new();
            let asked: Vec<String> = asked.iter().filter(|id| seen.insert(id.as_str())).cloned().collect();
            if let Some(unknown) = asked.iter().find(|id| known.binary_search(id).is_err()) {
                let meant = nearest(unknown, known.iter().map(String::as_str));
                return Err(CliError::Request {
                    message: format!("the forecasts have no series '{unknown}'"),
                    help: Some(meant.map_or_else(
                        || format!("they are of {}", listed()),
                        |meant| format!("did you mean '{meant}'?"),
                    )),
                });
            }
            match asked.len() {
                0..=CHARTS_MAX => Ok(asked),
                many => Err(CliError::Request {
                    message: format!("{many} series are more than one picture holds, {CHARTS_MAX}"),
                    help: Some("draw them in several pictures".into()),
                }),
            }
        }
    }
}

/// Leaves the forecasts of one model of a backtest.
fn keep_model(drawn: &mut Vec<Drawn>, asked: Option<&str>, notes: &mut Vec<String>) -> Result<(), CliError> {
    let mut models: Vec<String> = drawn.iter().filter_map(|one| one.model.clone()).collect();
    models.sort();
    models.dedup();
    let unknown = |name: &str, help: String| CliError::Request {
        message: format!("the forecasts are of no model '{name}'"),
        help: Some(help),
    };
    let name = match (asked, models.as_slice()) {
        (None, []) => return Ok(()),
        (Some(name), []) => {
            return Err(unknown(name, "only files of backtest tell models apart; leave --model out".into()));
        }
        (Some(name), models) if models.iter().any(|model| model == name) => name.to_owned(),
        (Some(name), models) => {
            let meant = nearest(name, models.iter().map(String::as_str));
            let meant = meant.map_or(String::new(), |meant| format!("did you mean '{meant}'? "));
            return Err(unknown(name, format!("{meant}the models are {}", models.join(", "))));
        }
        (None, [only]) => only.clone(),
        (None, models) => {
            let preferred =
                ["auto", "ensemble"].into_iter().find(|name| models.iter().any(|model| model == name));
            let other = models.iter().find(|model| !model.ends_with("naive"));
            let name = preferred.map(String::from).or(other.cloned()).unwrap_or_else(|| models[0].clone());
            let rest: Vec<&str> = models.iter().map(String::as_str).filter(|model| *model != name).collect();
            notes.push(format!("forecasts of {name}; --model draws {} instead", rest.join(", ")));
            name
        }
    };
    drawn.retain(|one| one.model.as_ref() == Some(&name));
    Ok(())
}

/// Leaves the plain forecasts and some scenarios.
fn keep_scenarios(drawn: &mut Vec<Drawn>, asked: &[String], notes: &mut Vec<String>) -> Result<(), CliError> {
    let known: BTreeSet<String> = drawn.iter().filter_map(|one| one.scenario.clone()).collect();
    if let Some(unknown) = asked.iter().find(|name| !known.contains(*name)) {
        let meant = nearest(unknown, known.iter().map(String::as_str));
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match (meant, names.as_slice()) {
            (Some(meant), _) => format!("did you mean '{meant}'?"),
            (None, []) => "there are none; forecast --scenario makes them".into(),
            (None, names) => format!("the scenarios are {}", names.join(", ")),
        };
        return Err(CliError::Request {
            message: format!("there is no scenario '{unknown}'"),
            help: Some(help),
        });
    }
    let shown: BTreeSet<String> = match asked {
        [] => known.iter().take(SCENARIOS).cloned().collect(),
        asked => asked.iter().cloned().collect(),
    };
    if asked.is_empty() && known.len() > SCENARIOS {
        notes.push(format!("{SCENARIOS} of {} scenarios; --scenario names others", known.len()));
    }
    drawn.retain(|one| one.scenario.as_ref().is_none_or(|name| shown.contains(name)));
    Ok(())
}

/// A forecast with the intervals asked for, the widest first.
fn fan(drawn: &Drawn, asked: &[f64]) -> Result<Fan, CliError> {
    let level = |quantile: f64| ((1.0 - 2.0 * quantile) * 1e8).round() / 1e6;
    let mut bands: Vec<Band> = Vec::new();
    for (quantile, lower) in drawn.quantiles.iter().filter(|(quantile, _)| *quantile < 0.5) {
        let upper = drawn.quantiles.iter().find(|(other, _)| (other - (1.0 - quantile)).abs() < SAME);
        bands.extend(upper.map(|(_, upper)| Band {
            level: level(*quantile),
            lower: lower.clone(),
            upper: upper.clone(),
        }));
    }
    bands.sort_by(|a, b| b.level.total_cmp(&a.level));
    let has = |wanted: f64| bands.iter().any(|band| (band.level - wanted).abs() < SAME * 100.0);
    if let Some(missing) = asked.iter().find(|level| !has(**level)) {
        let levels: Vec<String> = bands.iter().map(|band| band.level.to_string()).collect();
        let help = match levels.as_slice() {
            [] => "it has no intervals".to_owned(),
            levels => format!("it has {}", levels.join(", ")),
        };
        let message = format!("the file has no interval of {missing} %");
        return Err(CliError::Request { message, help: Some(help) });
    }
    let wanted: Vec<f64> = match asked {
        [] => LEVELS.into_iter().filter(|level| has(*level)).collect(),
        asked => asked.to_vec(),
    };
    match wanted.as_slice() {
        [] => bands.truncate(2),
        wanted => bands.retain(|band| wanted.iter().any(|level| (band.level - level).abs() < SAME * 100.0)),
    }
    let median = drawn.quantiles.iter().find(|(quantile, _)| (quantile - 0.5).abs() < SAME);
    Ok(Fan {
        scenario: drawn.scenario.clone(),
        cutoff: drawn.cutoff,
        times: drawn.ds.clone(),
        point: drawn.yhat.clone(),
        is_median: median.is_some_and(|(_, median)| *median == drawn.yhat),
        bands,
    })
}
