//! What to read and how strict to be; what came out; what went wrong.

use super::almanac::AlmanacSpec;
use super::covariate_spec::CovariateSpec;
use super::dimensions::Dimensions;
use super::exec::ExecSpec;
use super::objects::Objects;
use super::sketch::Spans;
use super::stream::Spooled;
use super::sums::SumsSpec;
use crate::series::{Frequency, Note, Panel, Quality, Shard};
use crate::store::Address;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where the data is and how to read it. Everything but `inputs` has a default.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// Paths, globs or directories, or addresses of the like.
    pub inputs: Vec<String>,
    /// Where objects are copied to that inputs name by address.
    pub objects: Objects,
    /// A command whose output is the data, in place of inputs.
    pub exec: Option<ExecSpec>,
    /// A stream that was kept, in place of inputs.
    pub spooled: Option<Arc<Spooled>>,
    /// Id columns; empty infers them.
    pub id: Vec<String>,
    /// Time column; `None` infers it.
    pub time: Option<String>,
    /// Target column; `None` infers it.
    pub target: Option<String>,
    /// Columns that come with the target.
    pub covariates: CovariateSpec,
    /// What the models are told of the calendar.
    pub almanac: AlmanacSpec,
    /// Sums of the series that are forecast with them.
    pub sums: SumsSpec,
    /// Frequency of every series; `None` infers it per series.
    pub frequency: Option<Frequency>,
    /// Whether time stamps stand on a grid.
    pub sampling: Sampling,
    /// Zone of times that carry none, and of civil days; `None` reads UTC with a note.
    pub zone: Option<TimeZone>,
    /// What to do with repeated timestamps.
    pub duplicates: Duplicates,
    /// What to do with holes in the grid.
    pub gaps: Gaps,
    /// What to do with rows out of order.
    pub order: Order,
    /// How many bad series end the job.
    pub max_bad_series: BadSeriesLimit,
    /// Rows after this instant (microseconds UTC) are not read, but for the covariates that are known in advance.
    pub as_of: Option<i64>,
    /// How long after its end a period is complete; `None` takes every row for complete.
    ///
    /// A period that begins at `ds` and lasts one step of the frequency is used once `ds + step + latency_offset` has
    /// passed at `as_of`; younger ones are left out before their rows are judged in any way. Where the time names a
    /// last day of the month or a business day, the period is over with that day, see [`Frequency::period_end`].
    pub latency_offset: Option<jiff::SignedDuration>,
    /// When a series is stale, and what then; needs `as_of`.
    pub stale: Option<Stale>,
    /// When a series is flat, and what then.
    pub flat: Option<Flat>,
    /// Which values are spikes, and what then.
    pub spikes: Option<Spikes>,
    /// When the level of a series moved, and what then.
    pub level_shift: Option<LevelShift>,
    /// Declared season length in steps, for [`Gaps::Seasonal`], spikes and level shifts; `None` takes the usual one of the
    /// frequency: a day of hours, a week of days, a year of months.
    pub season_length: Option<usize>,
    /// Which series are kept; `None` keeps all. Columns, and what the times mean, are told by all rows in any case.
    pub shard: Option<Shard>,
    /// Whether the series of a shard are read as those of the whole source would be: what the others decide (the step of short
    /// series, which are stale, how many are bad, how far the calendar reaches) is then followed without keeping them.
    pub heeds_others: bool,
    /// Bytes that its files may have together; `None` sets no limit.
    pub max_bytes: Option<u64>,
    /// Rows that its files may have together; of a wide file every column counts. `None` sets no limit.
    pub max_rows: Option<u64>,
}

/// A series whose last observed value is older than `after` at `as_of` is stale. Age counts from the value's time, the
/// start of its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Age of the last value.
    pub after: jiff::SignedDuration,
    /// What then.
    pub action: SuspectAction,
}

/// A series whose last `steps` values are equal is flat: a frozen meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flat {
    /// Number of equal values, at least two.
    pub steps: usize,
    /// What then.
    pub action: SuspectAction,
}

/// A value is a spike if it lies further than `threshold` robust deviations from what season and level suggest, and half as
/// far outside of all that came in the eight seasons before it (a Hampel identifier of seasonal residuals that looks back only).
/// A season of less than six steps counts as six of them there; the first seasons of a series hold none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spikes {
    /// Robust deviations, positive; one is the larger of 1.4826 median absolute deviations and the 95th percentile over 1.96.
    pub threshold: f64,
    /// What then.
    pub action: SpikeAction,
}

/// What becomes of spikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpikeAction {
    /// A series with spikes in its last season is suspect.
    Suspect(SuspectAction),
    /// Spikes, wherever they stand, count as missing; a warning says so.
    Mask,
}

impl Default for SpikeAction {
    fn default() -> SpikeAction {
        SpikeAction::Suspect(SuspectAction::default())
    }
}

/// The level moved if the last `steps` values lie further than `threshold` robust deviations from the windows before them,
/// phase by phase, and more than twice as far as any of those. At least four windows have to be there, each a whole number of
/// seasons apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelShift {
    /// Steps of a window, at least two.
    pub steps: usize,
    /// Robust deviations, positive.
    pub threshold: f64,
    /// What then.
    pub action: SuspectAction,
}

/// What becomes of a series that looks wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuspectAction {
    /// A note; it is forecast as usual, a stale one with status `stale`.
    #[default]
    Warn,
    /// It is left out with the reason, and counts as bad.
    Quarantine,
    /// Seasonal naive forecasts it, with status `fallback`.
    Fallback,
}

impl SourceSpec {
    /// All defaults.
    pub fn new(inputs: Vec<String>) -> SourceSpec {
        SourceSpec {
            inputs,
            objects: Objects::default(),
            exec: None,
            spooled: None,
            id: Vec::new(),
            time: None,
            target: None,
            covariates: CovariateSpec::default(),
            almanac: AlmanacSpec::default(),
            sums: SumsSpec::default(),
            frequency: None,
            sampling: Sampling::default(),
            zone: None,
            duplicates: Duplicates::default(),
            gaps: Gaps::default(),
            order: Order::default(),
            max_bad_series: BadSeriesLimit::default(),
            as_of: None,
            latency_offset: None,
            stale: None,
            flat: None,
            spikes: None,
            level_shift: None,
            season_length: None,
            shard: None,
            heeds_others: false,
            max_bytes: None,
            max_rows: None,
        }
    }

    /// With `as_of` set to `now` (microseconds UTC) where a rule needs to know the time and none is given.
    pub fn at(mut self, now: i64) -> SourceSpec {
        if self.needs_time() {
            self.as_of.get_or_insert(now);
        }
        self
    }

    /// With a calendar that reaches that many steps past the end of every series, and a declared season length.
    pub fn reaching(mut self, horizon: usize, season_length: Option<usize>) -> SourceSpec {
        self.almanac.ahead = horizon;
        self.season_length = season_length;
        self
    }

    /// Whether an input is an address.
    pub fn has_addresses(&self) -> bool {
        self.inputs.iter().any(|input| Address::parse(input).is_some())
    }

    /// Whether what is read depends on the time of reading.
    pub(super) fn needs_time(&self) -> bool {
        self.latency_offset.is_some() || self.stale.is_some()
    }
}

/// Whether the time stamps of series stand on a grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// They do; one that does not is a mistake.
    #[default]
    Regular,
    /// They stand anywhere. The frequency is then the step of the forecasts: declared, or the usual step next to the median
    /// gap. The value of a step is the mean of its observations, a step without any is missing, and the observations stay
    /// at hand ([`Series::observations`](crate::series::Series::observations)). Holes are masked, whatever [`Gaps`] says.
    Irregular,
}

/// What to do with repeated timestamps of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Quarantine the series.
    #[default]
    Error,
    /// Keep the row that stands first in the input.
    First,
    /// Keep the row that stands last: of several files of one glob or folder, in the last by path.
    Last,
    /// Keep the row of the file that was modified last, and there the last one; files as old as each other count as for
    /// `Last`. A corrected file wins, whatever its name.
    Latest,
    /// Average the targets.
    Mean,
    /// Add the targets.
    Sum,
}

/// What to do with holes in the time grid. But for `Error` and `Zero`, a row without a value is a hole, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// The steps stay missing (`null` is another word for it): the model masks them, and nothing is scored there.
    #[default]
    Mask,
    /// Quarantine the series.
    Error,
    /// Fill with zero steps without a row (counts that are written only when they happen). Those zeros are values like any
    /// other; the guesses below are none: they are what models look back on, and no actuals.
    Zero,
    /// Fill with the last value.
    Ffill,
    /// Fill with the line between the neighbours.
    Linear,
    /// Fill with the value one season earlier, that failing the last one.
    Seasonal,
}

/// What to do with rows that are not in time order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Sort them.
    #[default]
    Sort,
    /// Quarantine the series.
    Error,
    /// End the job: who promised sorted rows has others. For streams; no word of a policy.
    Demand,
}

/// How many series may be quarantined before the job ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BadSeriesLimit {
    /// A share of all series, in (0, 1].
    Share(f64),
    /// A number of series.
    Count(usize),
    /// All of them: for a report on data that nobody forecasts yet.
    All,
}

impl Default for BadSeriesLimit {
    fn default() -> BadSeriesLimit {
        BadSeriesLimit::Share(0.25)
    }
}

/// A policy word that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy for {policy} '{word}'; choose one of {}", .choices.join(", "))]
pub struct PolicyError {
    /// Which policy.
    pub policy: &'static str,
    /// As written.
    pub word: String,
    /// What would do.
    pub choices: Vec<&'static str>,
}

/// A limit of bad series that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a share of the series nor a number of them; write for example 5% or 3")]
pub struct LimitError(pub String);

impl std::str::FromStr for Duplicates {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Duplicates, PolicyError> {
        let words = [
            ("error", Duplicates::Error),
            ("first", Duplicates::First),
            ("last", Duplicates::Last),
            ("latest", Duplicates::Latest),
            ("mean", Duplicates::Mean),
            ("sum", Duplicates::Sum),
        ];
        choose("duplicates", &words, word)
    }
}

impl std::str::FromStr for Gaps {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Gaps, PolicyError> {
        let words = [
            ("mask", Gaps::Mask),
            ("null", Gaps::Mask),
            ("error", Gaps::Error),
            ("zero", Gaps::Zero),
            ("ffill", Gaps::Ffill),
            ("linear", Gaps::Linear),
            ("seasonal", Gaps::Seasonal),
        ];
        choose("gaps", &words, word)
    }
}

impl std::str::FromStr for Sampling {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Sampling, PolicyError> {
        choose("sampling", &[("regular", Sampling::Regular), ("irregular", Sampling::Irregular)], word)
    }
}

impl std::str::FromStr for Order {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Order, PolicyError> {
        choose("order", &[("sort", Order::Sort), ("error", Order::Error)], word)
    }
}

fn choose<T: Copy>(policy: &'static str, words: &[(&'static str, T)], word: &str) -> Result<T, PolicyError> {
    words.iter().find(|(name, _)| *name == word.trim()).map(|(_, choice)| *choice).ok_or_else(|| {
        PolicyError { policy, word: word.into(), choices: words.iter().map(|(name, _)| *name).collect() }
    })
}

impl std::str::FromStr for SuspectAction {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<SuspectAction, PolicyError> {
        let words = [
            ("warn", SuspectAction::Warn),
            ("quarantine", SuspectAction::Quarantine),
            ("fallback", SuspectAction::Fallback),
        ];
        choose("suspect series", &words, word)
    }
}

impl std::str::FromStr for BadSeriesLimit {
    type Err = LimitError;

    /// Reads a share (`5%`) or a number of series (`3`).
    fn from_str(word: &str) -> Result<BadSeriesLimit, LimitError> {
        let share = |percent: &str| percent.trim().parse::<f64>().ok().filter(|p| *p > 0.0 && *p <= 100.0);
        let limit = match word.trim().strip_suffix('%') {
            Some(percent) => share(percent).map(|percent| BadSeriesLimit::Share(percent / 100.0)),
            None => word.trim().parse().ok().map(BadSeriesLimit::Count),
        };
        limit.ok_or_else(|| LimitError(word.into()))
    }
}

impl BadSeriesLimit {
    /// Whether so many bad series of so many are still allowed. Shares and counts want one good series at least.
    pub fn allows(self, bad: usize, all: usize) -> bool {
        match self {
            BadSeriesLimit::All => true,
            _ if bad == all => bad == 0,
            BadSeriesLimit::Share(share) => bad as f64 <= share * all as f64,
            BadSeriesLimit::Count(count) => bad <= count,
        }
    }
}

impl std::fmt::Display for BadSeriesLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadSeriesLimit::Share(share) => write!(f, "{}%", share * 100.0),
            BadSeriesLimit::Count(count) => write!(f, "{count}"),
            BadSeriesLimit::All => f.write_str("all"),
        }
    }
}

/// Long (one row per series and time) or wide (one column per series).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// One row per series and time.
    Long,
    /// One column per series.
    Wide,
}

/// Which column plays which part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Id columns.
    pub id: Vec<String>,
    /// Time column.
    pub time: String,
    /// Target columns: one where the layout is long.
    pub targets: Vec<String>,
}

/// What reading gave.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// What was known of its size before it was read.
    pub dimensions: Dimensions,
    /// The usable series.
    pub panel: Panel,
    /// Quality of every series, the quarantined ones included, ascending by id.
    pub quality: Vec<Quality>,
    /// Assumptions and oddities worth a line.
    pub notes: Vec<Note>,
    /// Files that were left out, with the reason.
    pub skipped_files: Vec<String>,
    /// Files read.
    pub files: Vec<String>,
    /// The command whose output was read, secrets masked.
    pub command: Option<String>,
    /// Rows read.
    pub rows: usize,
    /// Size of the files read, bytes.
    pub bytes: u64,
    /// Rows left out because they stand after `as_of`.
    pub rows_after_as_of: usize,
    /// Rows left out because their period was not over by `latency_offset` before `as_of`.
    pub rows_incomplete: usize,
    /// Reading the same files with a later `as_of` gives the same up to this instant, microseconds UTC; later, further
    /// rows would count or a series would be stale. `i64::MAX` where nothing depends on `as_of`.
    pub same_until: i64,
    /// How the times are written, in words: rows that were read another way belong to other files.
    pub times_are: String,
    /// Long or wide.
    pub layout: Layout,
    /// Which column plays which part.
    pub roles: Roles,
    /// SHA-256 over the usable series (ids, timestamps, values, covariates), lower-case hex.
    pub fingerprint: String,
    /// How far the series of all shards go, where the panel holds those of one and heeds the others.
    pub spans: Option<Spans>,
}

/// Which exit code a refusal deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestErrorKind {
    /// No such file (66).
    InputMissing,
    /// The data cannot be used (65).
    Data,
    /// Reading failed (74).
    Io,
    /// A store does not answer (69).
    Unavailable,
    /// Reading is not allowed (77).
    Permission,
    /// A flag asks for something that the input does not have (2).
    Usage,
    /// Reading was stopped because the program ends (75).
    Stopped,
    /// Reading or what follows would take more memory than there is for it (69).
    Memory,
}

/// Why nothing can be forecast from this input: every problem, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestError {
    kind: IngestErrorKind,
    problems: Vec<String>,
    is_unfinished: bool,
}

impl IngestError {
    /// An error of that kind, from at least one problem.
    pub fn new(kind: IngestErrorKind, problems: Vec<String>) -> IngestError {
        IngestError { kind, problems, is_unfinished: false }
    }

    /// The same of a file that ends where no whole file would.
    pub(super) fn unfinished(self) -> IngestError {
        IngestError { is_unfinished: true, ..self }
    }

    /// Whether all that is wrong is that a file has no proper end: whoever writes it may not be done.
    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Which exit code it deserves.
    pub fn kind(&self) -> IngestErrorKind {
        self.kind
    }

    /// One line per problem: file, series or column, row, value, remedy.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl std::fmt::Display for IngestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for IngestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_from_their_words() {
        assert_eq!("mean".parse(), Ok(Duplicates::Mean));
        assert_eq!("latest".parse(), Ok(Duplicates::Latest));
        assert_eq!("zero".parse(), Ok(Gaps::Zero));
        assert_eq!(" error ".parse(), Ok(Order::Error));
        assert_eq!(("null".parse(), "mask".parse()), (Ok(Gaps::Mask), Ok(Gaps::Mask)));
        let error = "bfill".parse::<Gaps>().unwrap_err().to_string();
        let choices = "mask, null, error, zero, ffill, linear, seasonal";
        assert_eq!(error, format!("unknown policy for gaps 'bfill'; choose one of {choices}"));
    }

    #[test]
    fn limits_are_shares_or_counts() {
        assert_eq!("5%".parse(), Ok(BadSeriesLimit::Share(0.05)));
        assert_eq!("0".parse(), Ok(BadSeriesLimit::Count(0)));
        for word in ["", "5 percent", "0%", "101%", "-1", "NaN%"] {
            assert!(word.parse::<BadSeriesLimit>().is_err(), "{word}");
        }
        assert!(BadSeriesLimit::Count(0).allows(0, 5) && !BadSeriesLimit::Count(0).allows(1, 5));
        assert!(BadSeriesLimit::Share(0.2).allows(1, 5) && !BadSeriesLimit::Share(0.2).allows(2, 5));
        assert!(!BadSeriesLimit::Share(1.0).allows(5, 5) && !BadSeriesLimit::Count(9).allows(5, 5));
    }
}
