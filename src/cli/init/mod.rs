//! `s4cast init`: a commented daemon config for some data.

mod rhythm;

use crate::cli::args::Init;
use crate::cli::error::{CliError, plain};
use crate::cli::summary::{count, day};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, launch};
use crate::config::{self, Key, Settings, Table, quoted, relative_to};
use crate::ingest::{self, BadSeriesLimit, IngestError, IngestErrorKind, Ingested, Layout};
use crate::pipeline::SourceReport;
use crate::series::Frequency;
use crate::store::Place;
use rhythm::Rhythm;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;

/// Notes and left-out series that are told before the rest is only counted.
const SHOWN: usize = 5;

/// Reads the data and prints a config that fits it.
pub(super) fn run(args: &Init, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut settings = Settings::default();
    settings.flag(Key::Inputs, args.from.clone());
    settings.flag(Key::Id, args.id.clone());
    settings.flag(Key::Time, args.time.clone());
    settings.flag(Key::Target, args.target.clone());
    settings.flag(Key::Tz, args.tz.clone());
    let launch = config::source(&settings)?;
    launch::limit_threads(launch.threads);
    let mut source = launch.source;
    source.max_bad_series = BadSeriesLimit::All;
    let ingested = {
        let meter = terminal.meter();
        ingest::read_watched(&source, &|progress| meter.show(progress))?
    };
    let Some(draft) = Draft::of(args, &ingested) else {
        let reasons = SourceReport::of(&ingested).quarantined.into_iter();
        let reasons = reasons.map(|(id, reasons)| format!("series {id}: {}", reasons.join("; "))).collect();
        return Err(IngestError::new(IngestErrorKind::Data, reasons).into());
    };
    let text = draft.text();
    let document = json!({
        "config": text,
        "series": ingested.panel.series.len(),
        "freq": draft.frequency.to_string(),
        "horizon": draft.horizon,
    });
    terminal.result(|| document, || text)?;
    Ok(Exit::Ok)
}

/// What the config says.
struct Draft<'a> {
    ingested: &'a Ingested,
    /// Paths that mean the same wherever the config is kept.
    inputs: Vec<String>,
    /// Name of the source and the job.
    name: String,
    /// That of most series.
    frequency: Frequency,
    horizon: usize,
    rhythm: Rhythm,
    /// Folder of the sink.
    sink: &'static str,
}

impl<'a> Draft<'a> {
    /// `None` if no series is usable.
    fn of(args: &Init, ingested: &'a Ingested) -> Option<Draft<'a>> {
        let series = &ingested.panel.series;
        let mut counts: HashMap<Frequency, usize> = HashMap::new();
        for one in series {
            *counts.entry(one.frequency).or_default() += 1;
        }
        let most = counts.values().copied().max()?;
        let frequency = series.iter().map(|one| one.frequency).find(|one| counts[one] == most)?;
        let mut lengths: Vec<usize> = series.iter().map(|one| one.times.len()).collect();
        lengths.sort_unstable();
        let rhythm = Rhythm::of(frequency);
        // A quarter of the usual series at most, so that there is something to learn from.
        let usual = rhythm.horizon.min(lengths[lengths.len() / 2] / 4).max(1);
        let is_apart = |input: &String| {
            Path::new(input).is_file() || matches!(Place::parse(input), Ok(Place::Remote(_)))
        };
        let are_apart = args.from.iter().all(is_apart);
        Some(Draft {
            ingested,
            inputs: args.from.iter().map(|input| absolute(input)).collect(),
            name: name(args.from.first().map_or("", String::as_str)),
            frequency,
            horizon: args.horizon.map_or(usual, |steps| steps as usize),
            rhythm,
            // A folder that begins with _ is left aside where a folder or a pattern is read.
            sink: if are_apart { "out" } else { "_out" },
        })
    }

    fn text(&self) -> String {
        let name = Some(self.name.as_str());
        let schedule = Some(self.rhythm.schedule);
        let tables = [
            config::table(Table::Daemon, None, &[(Key::State, quoted("state"))]),
            config::table(Table::Http, None, &[(Key::Listen, quoted("127.0.0.1:8091"))]),
            config::table(Table::Source, name, &self.source()),
            config::table(Table::Model, Some("main"), &[(Key::Horizon, self.horizon.to_string())]),
            config::table(Table::Schedule, schedule, &self.schedule()),
            config::table(Table::Sink, Some("main"), &[(Key::SinkPath, quoted(self.sink))]),
            config::table(Table::Job, name, &self.job()),
        ];
        format!("{}schema_version = 1\n\n{}", self.head(), tables.join("\n"))
    }

    fn source(&self) -> Vec<(Key, String)> {
        let roles = &self.ingested.roles;
        let list = |texts: &[String]| {
            format!("[{}]", texts.iter().map(|text| written(text)).collect::<Vec<_>>().join(", "))
        };
        let mut values = vec![(Key::Inputs, list(&self.inputs)), (Key::Time, written(&roles.time))];
        if self.ingested.layout == Layout::Long {
            values.extend(roles.targets.first().map(|target| (Key::Target, written(target))));
            if !roles.id.is_empty() {
                values.push((Key::Id, list(&roles.id)));
            }
        }
        let quality = &self.ingested.quality;
        if quality.iter().all(|one| one.frequency == Some(self.frequency)) {
            values.push((Key::Freq, quoted(&self.frequency.to_string())));
        }
        values.extend(self.ingested.panel.zone.iana_name().map(|zone| (Key::Tz, quoted(zone))));
        let bad = quality.len() - self.ingested.panel.series.len();
        if !BadSeriesLimit::default().allows(bad, quality.len()) {
            values.push((Key::MaxBadSeries, quoted(&format!("{}%", (100 * bad).div_ceil(quality.len())))));
        }
        values
    }

    fn zone(&self) -> &str {
        self.ingested.panel.zone.iana_name().unwrap_or("UTC")
    }

    fn schedule(&self) -> Vec<(Key, String)> {
        vec![(Key::Cron, quoted(self.rhythm.cron)), (Key::ScheduleTz, quoted(self.zone()))]
    }

    fn job(&self) -> Vec<(Key, String)> {
        let by_name = format!("{{ schedule = {} }}", quoted(self.rhythm.schedule));
        let (train, forecast) = match self.rhythm.forecast(self.zone()) {
            Some(forecast) => (Some(by_name), forecast),
            None => (None, by_name),
        };
        let mut values = vec![
            (Key::JobSource, quoted(&self.name)),
            (Key::JobModel, quoted("main")),
            (Key::JobSink, quoted("main")),
            (Key::Forecast, forecast),
            (Key::Score, "{ every = \"1d\" }".into()),
        ];
        values.extend(train.map(|train| (Key::Train, train)));
        values
    }

    /// What was found, as comments.
    fn head(&self) -> String {
        let report = SourceReport::of(self.ingested);
        let span =
            report.span.map_or(String::new(), |(first, last)| format!(", {} to {}", day(first), day(last)));
        let series = self.ingested.panel.series.iter();
        let same = series.filter(|one| one.frequency == self.frequency).count();
        let mut lines = vec![
            "A config of the s4cast daemon, written by `s4cast init`.".to_string(),
            "  s4cast validate -c FILE    checks it".to_string(),
            "  s4cast serve -c FILE       runs it".to_string(),
            "Relative paths start at this file. What is commented out is the default, or an example."
                .to_string(),
            String::new(),
            format!("Found: {}, {} usable series{span}", count(report.rows, "row"), report.series),
            format!("       {} with a step of {}", count(same, "series"), self.frequency),
        ];
        let left_out = report
            .quarantined
            .iter()
            .map(|(id, reasons)| format!("Left out: series {id}: {}", reasons.join("; ")));
        lines.extend(first_of(left_out.collect(), "Left out"));
        lines.extend(first_of(report.notes.iter().map(|note| format!("Note: {note}")).collect(), "Note"));
        lines.extend(first_of(
            report.skipped_files.iter().map(|file| format!("Skipped: {file}")).collect(),
            "Skipped",
        ));
        let comment = |line: &String| format!("# {}", plain(line)).trim_end().to_string() + "\n";
        lines.iter().map(comment).collect()
    }
}

fn first_of(mut lines: Vec<String>, heading: &str) -> Vec<String> {
    let rest = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if rest > 0 {
        lines.push(format!("{heading}: and {rest} more; `s4cast data check` shows all"));
    }
    lines
}

/// A text that is no environment variable, as TOML.
fn written(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

fn absolute(input: &str) -> String {
    std::env::current_dir().map_or_else(|_| input.into(), |here| relative_to(&here, input))
}

/// A name of a table from that of a file.
fn name(input: &str) -> String {
    let stem = Path::new(input).file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = stem.chars().map(|c| if fits(c) { c } else { '_' }).take(64).collect();
    if name.chars().any(|c| c.is_ascii_alphanumeric()) { name } else { "data".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_files() {
        for (input, want) in
            [("a/Load 2024.csv", "load_2024"), ("", "data"), ("*.csv", "data"), ("../é.csv", "data")]
        {
            assert_eq!(name(input), want);
        }
    }

    #[test]
    fn variables_are_kept_as_they_are() {
        assert_eq!(written("a${b}"), "\"a$${b}\"");
    }
}
