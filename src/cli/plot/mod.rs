//! `s4cast plot`: forecasts over what was observed, as SVG, as PNG or as characters.

mod choice;
mod observed;

use crate::cli::Exit;
use crate::cli::args_plot::{Plot, ThemeName};
use crate::cli::clock::shown;
use crate::cli::error::CliError;
use crate::cli::launch;
use crate::cli::summary::{Page, count};
use crate::cli::terminal::Terminal;
use crate::config;
use crate::ingest::Objects;
use crate::pipeline;
use crate::plot::{self, PlotError, SeriesPicture, Sheet, Theme};
use crate::publish;
use crate::series::infer;
use crate::store::Place;
use choice::Chosen;
use jiff::tz::TimeZone;
use observed::History;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Width and height of pictures where nothing is asked for.
const SVG: (u32, u32) = (960, 540);
const PNG: (u32, u32) = (1920, 1080);

/// What a picture is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

/// A file that was written.
struct Written {
    path: PathBuf,
    bytes: u64,
    size: (u32, u32),
    format: Format,
}

/// Draws some series of a file of forecasts.
pub(super) fn run(args: &Plot, terminal: &Terminal) -> Result<Exit, CliError> {
    launch::within_fence([args.forecasts.as_path()])?;
    let output = args.output.as_deref().map(|path| Ok::<_, CliError>((path, format(path)?))).transpose()?;
    if let Some((path, _)) = output {
        publish::probe(path)?;
    }
    let shown_zone = args.look.tz.as_deref().filter(|text| !text.trim().is_empty()).map(zone).transpose()?;
    let objects = Objects::default();
    let forecasts = choice::part_file(&args.forecasts, &objects)?;
    let chosen = Chosen::read(&forecasts, args)?;
    let history = observed::read(&args.history)?;
    if let Some((path, _)) = output {
        let files = history.iter().flat_map(|history| history.files.iter().map(PathBuf::from));
        let drawn = [Place::Local(path.into())];
        pipeline::check_overwrites(drawn.iter(), files.chain([args.forecasts.clone()]))?;
    }
    let (pictures, mut notes) = pictures(args, chosen, history.as_ref(), shown_zone)?;
    let size =
        |default: (u32, u32)| (args.look.width.unwrap_or(default.0), args.look.height.unwrap_or(default.1));
    let mut sheet = sheet(args, &pictures, SVG);
    let written = match output {
        None => None,
        Some((path, format)) => {
            let default = if format == Format::Svg { SVG } else { PNG };
            sheet.size = size(multiple(default, pictures.len()));
            let bytes = match format {
                Format::Svg => plot::svg(&sheet).map_err(failed)?.into_bytes(),
                Format::Png => plot::png(&sheet).map_err(failed)?,
            };
            if format == Format::Png {
                notes.extend(boxes(&sheet));
            }
            let bytes = publish::write_bytes(path, &bytes)?;
            Some(Written { path: path.into(), bytes, size: sheet.size, format })
        }
    };
    terminal.result(
        || document(&forecasts, &pictures, written.as_ref(), &notes),
        || match &written {
            Some(written) => page(written, &pictures, &notes),
            None => {
                let columns = terminal.columns(args.look.width, args.look.height);
                let notes: String = notes.iter().map(|note| format!("Note: {note}\n")).collect();
                plot::text(&sheet, columns) + &notes
            }
        },
    )?;
    Ok(Exit::Ok)
}

fn zone(text: &str) -> Result<TimeZone, CliError> {
    config::zone(text).map_err(|message| CliError::Request { message, help: None })
}

/// What a file name asks for.
fn format(path: &Path) -> Result<Format, CliError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("svg") => Ok(Format::Svg),
        Some("png") => Ok(Format::Png),
        _ => Err(CliError::Request {
            message: format!("--output {} is neither .svg nor .png", path.display()),
            help: Some("name the file for example forecast.svg; without -o the picture is printed".into()),
        }),
    }
}

/// A picture of several charts is higher.
fn multiple(size: (u32, u32), charts: usize) -> (u32, u32) {
    let rows = u32::try_from(charts.div_ceil(2)).unwrap_or(1);
    (size.0, if charts > 2 { (size.1 * rows * 2 / 3).min(8000) } else { size.1 })
}

fn failed(error: PlotError) -> CliError {
    match error {
        PlotError::Small { .. } => CliError::Request { message: error.to_string(), help: None },
        PlotError::Draw(_) => CliError::Bug(error.to_string()),
    }
}

/// The pictures in the order asked for, and what a reader has to know about them.
fn pictures(
    args: &Plot,
    chosen: Chosen,
    history: Option<&History>,
    shown_zone: Option<TimeZone>,
) -> Result<(Vec<SeriesPicture>, Vec<String>), CliError> {
    let mut notes = chosen.notes;
    let zone = shown_zone.or_else(|| history.map(|history| history.zone.clone())).unwrap_or(TimeZone::UTC);
    let target = history.map(|history| history.target.as_str()).filter(|target| !target.is_empty());
    let y_title = args.look.unit.as_deref().or(target).unwrap_or("value").to_owned();
    let mut pictures = Vec::new();
    for (unique_id, fans) in chosen.series {
        let known = history.and_then(|history| history.series(&unique_id));
        if let (Some(history), None) = (history, known) {
            notes.push(history.lacks(&unique_id));
        }
        if let Some(series) = known
            && !fans.iter().any(|(fan, _)| series.times.binary_search(&fan.cutoff).is_ok())
        {
            notes.push(format!(
                "the history of '{unique_id}' has no step at a cutoff; --history-tz says in which zone its times are written"
            ));
        }
        let times: Vec<i64> = fans.first().map_or(Vec::new(), |(fan, _)| fan.times.clone());
        let frequency = known.map(|series| series.frequency).or_else(|| infer::infer(&times, &zone));
        let last = args.history.last.map(|last| last as usize);
        let observed = observed::around(known, &fans, frequency, last);
        let fans = fans.into_iter().map(|(fan, _)| fan).collect();
        let zone = zone.clone();
        pictures.push(SeriesPicture { unique_id, y_title: y_title.clone(), frequency, zone, observed, fans });
    }
    if let Some(history) = history
        && pictures.iter().all(|picture| history.series(&picture.unique_id).is_none())
    {
        let unique_id = pictures.first().map_or("", |picture| picture.unique_id.as_str());
        let help = match history.rejects(unique_id) {
            true => {
                "s4cast data check shows what is wrong; --duplicates, --freq and --history-tz change how it is read"
            }
            false => {
                "are these the data that were forecast? --id-columns names the columns that ids are made of"
            }
        };
        return Err(CliError::Request { message: history.lacks(unique_id), help: Some(help.into()) });
    }
    Ok((pictures, notes))
}

fn sheet(args: &Plot, pictures: &[SeriesPicture], size: (u32, u32)) -> Sheet {
    let title = match (&args.look.title, pictures) {
        (Some(title), _) => title.clone(),
        (None, [one]) => one.unique_id.clone(),
        (None, several) => count(several.len(), "series"),
    };
    let described: Vec<String> = pictures.iter().map(SeriesPicture::described).collect();
    Sheet {
        title,
        description: described.join(" "),
        charts: pictures.iter().map(SeriesPicture::chart).collect(),
        size,
        theme: match args.look.theme {
            ThemeName::Light => Theme::Light,
            ThemeName::Dark => Theme::Dark,
        },
        letter: None,
    }
}

/// What a PNG cannot show.
fn boxes(sheet: &Sheet) -> Option<String> {
    let charts = sheet.charts.iter().flat_map(|chart| [&chart.title, &chart.y_title]);
    let lacking: usize = charts.chain([&sheet.title]).map(|text| plot::lacks(text)).max().unwrap_or(0);
    (lacking > 0).then(|| {
        format!(
            "{} shown as boxes: the font of PNG files has Latin, Greek and Cyrillic; an SVG shows all",
            count(lacking, "character")
        )
    })
}

fn document(
    forecasts: &Path,
    pictures: &[SeriesPicture],
    written: Option<&Written>,
    notes: &[String],
) -> Value {
    let series = pictures.iter().map(|picture| {
        let plain: Vec<_> = picture.fans.iter().filter(|fan| fan.scenario.is_none()).collect();
        let mut scenarios: Vec<&str> =
            picture.fans.iter().filter_map(|fan| fan.scenario.as_deref()).collect();
        scenarios.dedup();
        json!({
            "unique_id": picture.unique_id,
            "freq": picture.frequency.map(|step| step.to_string()),
            "observed": picture.observed.iter().filter(|(_, y)| !y.is_nan()).count(),
            "first_observed": picture.observed.first().map(|(at, _)| shown(*at)),
            "last_observed": picture.observed.last().map(|(at, _)| shown(*at)),
            "cutoffs": plain.iter().map(|fan| shown(fan.cutoff)).collect::<Vec<_>>(),
            "steps": plain.iter().map(|fan| fan.times.len()).max(),
            "levels": plain.first().map(|fan| fan.bands.iter().map(|band| band.level).collect::<Vec<_>>()),
            "scenarios": scenarios,
        })
    });
    json!({
        "forecasts": forecasts,
        "tz": pictures.first().map(|picture| plot::zone_name(&picture.zone)),
        "series": series.collect::<Vec<_>>(),
        "output": written.map(|written| {
            json!({
                "path": written.path,
                "format": if written.format == Format::Svg { "svg" } else { "png" },
                "bytes": written.bytes,
                "width": written.size.0,
                "height": written.size.1,
            })
        }),
        "notes": notes,
    })
}

fn page(written: &Written, pictures: &[SeriesPicture], notes: &[String]) -> String {
    let mut page = Page::default();
    let ((width, height), size) = (written.size, written.bytes.div_ceil(1024));
    let series = count(pictures.len(), "series");
    page.line("Wrote", format!("{}: {series}, {width} × {height}, {size} KiB", written.path.display()));
    for note in notes {
        page.line("Note", note);
    }
    page.text
}
