//! Which column plays which part: flags first, then names, then types; what remains open is an error that says so.

mod companion;

pub(super) use companion::Companion;

use super::candidate::{Candidate, ID_NAMES, Kind, TARGET_NAMES, TIME_NAMES, has_repeats};
use super::files::{data, usage};
use super::source::{ColumnType, Source};
use super::spec::{IngestError, Layout, Roles, SourceSpec};
use super::time;
use crate::series::Known;
use polars::prelude::DataFrame;
use std::collections::HashSet;

/// The roles, the layout and what the reader should know about how they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) roles: Roles,
    pub(super) layout: Layout,
    /// Columns that come with the target.
    pub(super) covariates: Vec<Companion>,
    pub(super) notes: Vec<String>,
}

/// Finds the roles of the columns of the first file that has rows, the columns of its path included; the other files
/// must have the same columns.
pub(super) fn assign(sources: &[Source], spec: &SourceSpec) -> Result<Assignment, IngestError> {
    let mut first = None;
    for source in sources {
        let sample = source.sample()?;
        let rows = sample.height();
        first.get_or_insert((source, sample.clone()));
        if rows > 0 {
            first = Some((source, sample));
            break;
        }
    }
    let (source, sample) = first.expect("there is a source, or reading would have ended before");
    let mut assignment = Search::new(source, &sample).assign(spec)?;
    if assignment.layout == Layout::Wide {
        assignment.notes.extend(unshared(source, sources));
    }
    Ok(assignment)
}

/// What to say of columns that other wide files have beyond those of the first: each would be a series.
fn unshared(first: &Source, sources: &[Source]) -> Option<String> {
    let known: HashSet<&str> = first.columns.iter().map(|(name, _)| name.as_str()).collect();
    let extra = |source: &Source| -> Vec<String> {
        let names = source.columns.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !name.is_empty() && !known.contains(name)).map(str::to_owned).collect()
    };
    let mut files =
        sources.iter().map(|source| (source, extra(source))).filter(|(_, extra)| !extra.is_empty());
    let (source, names) = files.next()?;
    let more = match files.count() {
        0 => String::new(),
        count => format!(" (and so for {count} more files)"),
    };
    Some(format!(
        "{}: columns that {} does not have are not used: {}{more}; give wide files the same columns",
        source.file.name,
        first.file.name,
        shortened(&names)
    ))
}

struct Search {
    file: String,
    columns: Vec<Candidate>,
    /// How many of them stand in the file; the others are parts of its path.
    in_file: usize,
    /// Whether any time stands twice in the sample, per column.
    repeats: Vec<bool>,
}

impl Search {
    fn new(source: &Source, sample: &DataFrame) -> Search {
        let mut sampled = sample.columns().iter();
        let mut columns = Vec::new();
        let mut repeats = Vec::new();
        for (name, kind) in &source.columns {
            let series = match kind {
                ColumnType::Known(..) => sampled.next().map(|column| column.as_materialized_series()),
                ColumnType::Unusable(_) => None,
            };
            columns.push(match (series, kind) {
                (Some(series), _) => Candidate::of(name, series),
                (None, ColumnType::Unusable(what)) => Candidate::unusable(name, what),
                (None, ColumnType::Known(..)) => Candidate::unusable(name, "column without a sample"),
            });
            repeats.push(series.is_some_and(has_repeats));
        }
        let in_file = columns.len();
        for (name, _) in &source.file.hive {
            if !columns.iter().any(|column| column.name == *name) {
                columns.push(Candidate::of_path(name));
                repeats.push(true);
            }
        }
        Search { file: source.file.name.clone(), columns, in_file, repeats }
    }

    fn assign(&self, spec: &SourceSpec) -> Result<Assignment, IngestError> {
        let mut taken: Vec<usize> = Vec::new();
        let mut flagged = |flag: &str, name: &str| {
            let at = self.flagged(flag, name)?;
            if taken.contains(&at) {
                let name = &self.columns[at].name;
                return Err(usage(format!(
                    "{}: column '{name}' is given two parts; {flag} needs another",
                    self.file
                )));
            }
            taken.push(at);
            Ok(at)
        };
        let mut id = spec.id.iter().map(|name| flagged("--id", name)).collect::<Result<Vec<usize>, _>>()?;
        let time = spec.time.as_deref().map(|name| flagged("--time", name)).transpose()?;
        let target = spec.target.as_deref().map(|name| flagged("--target", name)).transpose()?;
        let companions = &spec.covariates.columns;
        let companions =
            companions.iter().map(|(name, known)| Ok((flagged(companion::flag_of(*known), name)?, *known)));
        let companions = companions.collect::<Result<Vec<(usize, Known)>, IngestError>>()?;

        let time = match time {
            Some(time) => time,
            None => self.time(&taken)?,
        };
        let header = &self.columns[time].name;
        if matches!(time::parse(header), Some(time::Cell::Local(_) | time::Cell::Instant(_))) {
            let file = &self.file;
            return Err(data(format!(
                "{file}: the first line is no header, for it names a column '{header}'; add a line with column names"
            )));
        }
        taken.push(time);
        let mut notes = Vec::new();
        if id.is_empty() {
            id = self.id(&taken, time, target.is_some(), &mut notes)?;
        }
        taken.extend(&id);
        let (targets, layout) = match target {
            Some(target) => (vec![target], Layout::Long),
            None => self.targets(&taken, id.is_empty(), &mut notes)?,
        };
        taken.extend(&targets);
        let covariates = self.companions(&companions, layout, spec)?;
        let name = |&at: &usize| self.columns[at].name.clone();
        let ignored: Vec<String> =
            (0..self.columns.len()).filter(|at| !taken.contains(at)).map(|at| name(&at)).collect();
        // Frames write their row numbers to a column without a name.
        let ignored: Vec<String> = ignored.into_iter().filter(|name| !name.is_empty()).collect();
        if !ignored.is_empty() {
            notes.push(format!("columns that are not used: {}", shortened(&ignored)));
        }
        let roles = Roles {
            id: id.iter().map(name).collect(),
            time: name(&time),
            targets: targets.iter().map(name).collect(),
        };
        Ok(Assignment { roles, layout, covariates, notes })
    }

    /// The column that a flag names; letter case may differ where that is unambiguous.
    fn flagged(&self, flag: &str, name: &str) -> Result<usize, IngestError> {
        if let Some(at) = self.columns.iter().position(|column| column.name == name) {
            return Ok(at);
        }
        if let [at] = self.matching(|column| column.name.eq_ignore_ascii_case(name))[..] {
            return Ok(at);
        }
        let score =
            |column: &&Candidate| strsim::jaro_winkler(&column.name.to_lowercase(), &name.to_lowercase());
        let nearest = self.columns.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        let hint = match nearest.filter(|column| score(column) > 0.7) {
            Some(column) => format!(" (did you mean '{}'?)", column.name),
            None => String::new(),
        };
        Err(usage(format!(
            "{}: no column '{name}' for {flag}{hint}; the columns are {}",
            self.file,
            self.listing(&[])
        )))
    }

    fn time(&self, taken: &[usize]) -> Result<usize, IngestError> {
        let free = |at: &usize| !taken.contains(at);
        let fits = |at: &usize| {
            let column = &self.columns[*at];
            // A number called `month` is a calendar feature; a number called `ds` is an epoch time.
            let calendar = ["day", "week", "month", "quarter", "hour", "period", "index"];
            let numeric = column.kind == Kind::Number && column.whole;
            column.kind == Kind::Time || (numeric && !calendar.contains(&column.name.to_lowercase().as_str()))
        };
        if let Some(at) = self.named(&TIME_NAMES, |at| free(at) && fits(at)) {
            return Ok(at);
        }
        let times = self.matching(|column| column.kind == Kind::Time);
        let times: Vec<usize> = times.into_iter().filter(free).collect();
        match times[..] {
            [at] => Ok(at),
            [] => {
                // A column with the right name and cells that are no times: the cells will say so.
                if let Some(at) = self.named(&TIME_NAMES[..7], free) {
                    return Ok(at);
                }
                Err(data(format!(
                    "{}: no time column among {}; name one with --time, or write a header line",
                    self.file,
                    self.listing(taken)
                )))
            }
            _ => Err(self.ambiguous("time", &times, "--time")),
        }
    }

    fn id(
        &self,
        taken: &[usize],
        time: usize,
        long: bool,
        notes: &mut Vec<String>,
    ) -> Result<Vec<usize>, IngestError> {
        let free = |at: &usize| !taken.contains(at) && self.columns[*at].is_usable();
        if let Some(at) = self.named(&ID_NAMES, free) {
            return Ok(vec![at]);
        }
        let texts: Vec<usize> =
            self.matching(|column| column.kind == Kind::Text).into_iter().filter(|at| free(at)).collect();
        let labels: Vec<usize> =
            texts.into_iter().filter(|&at| self.repeats[time] || self.columns[at].constant).collect();
        match labels[..] {
            [] => Ok(Vec::new()),
            [at] => {
                notes.push(format!("series are told apart by column '{}'", self.columns[at].name));
                Ok(vec![at])
            }
            _ if self.repeats[time] || long => Err(self.ambiguous("id", &labels, "--id")),
            _ => Ok(Vec::new()),
        }
    }

    fn targets(
        &self,
        taken: &[usize],
        no_id: bool,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<usize>, Layout), IngestError> {
        let free = |at: &usize| !taken.contains(at) && self.columns[*at].is_usable();
        if let Some(at) = self.named(&TARGET_NAMES, free) {
            return Ok((vec![at], Layout::Long));
        }
        let numbers: Vec<usize> = (0..self.columns.len())
            .filter(|at| {
                let column = &self.columns[*at];
                free(at) && !column.name.is_empty() && column.kind == Kind::Number
            })
            .collect();
        match numbers[..] {
            [at] => Ok((vec![at], Layout::Long)),
            [] => {
                // A column without any number in the sample may still have some below it.
                let empty = self.matching(|column| column.kind == Kind::Empty && !column.name.is_empty());
                match empty.into_iter().filter(|at| free(at)).collect::<Vec<_>>()[..] {
                    [at] => Ok((vec![at], Layout::Long)),
                    _ => Err(data(format!(
                        "{}: no numeric column to forecast among {}; name one with --target",
                        self.file,
                        self.listing(taken)
                    ))),
                }
            }
            _ if no_id => {
                let empty = self.matching(|column| column.kind == Kind::Empty && !column.name.is_empty());
                let mut targets: Vec<usize> =
                    numbers.iter().copied().chain(empty.into_iter().filter(|at| free(at))).collect();
                targets.sort_unstable();
                notes.push(format!(
                    "wide layout: {} numeric columns, each a series of its own",
                    targets.len()
                ));
                Ok((targets, Layout::Wide))
            }
            _ => Err(self.ambiguous("target", &numbers, "--target")),
        }
    }

    /// The first column, in the order of `names`, that has one of them and fits.
    fn named(&self, names: &[&str], fits: impl Fn(&usize) -> bool) -> Option<usize> {
        names.iter().find_map(|name| {
            let found = self.matching(|column| column.name.eq_ignore_ascii_case(name));
            found.into_iter().find(|at| fits(at))
        })
    }

    fn matching(&self, fits: impl Fn(&Candidate) -> bool) -> Vec<usize> {
        (0..self.columns.len()).filter(|&at| fits(&self.columns[at])).collect()
    }

    fn ambiguous(&self, what: &str, candidates: &[usize], flag: &str) -> IngestError {
        let names: Vec<String> = candidates.iter().map(|&at| self.columns[at].name.clone()).collect();
        data(format!(
            "{}: several columns could be the {what}: {}; choose with {flag}",
            self.file,
            shortened(&names)
        ))
    }

    /// The columns that still have no part, with their kinds.
    fn listing(&self, taken: &[usize]) -> String {
        let free = (0..self.columns.len()).filter(|at| !taken.contains(at)).map(|at| &self.columns[at]);
        let words: Vec<String> =
            free.map(|column| format!("{} ({})", column.name, column.kind.words())).collect();
        if words.is_empty() { "no columns".to_owned() } else { shortened(&words) }
    }
}

/// At most twenty names, and how many more there are.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let listed = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{listed} and {} more", names.len() - SHOWN) } else { listed }
}
