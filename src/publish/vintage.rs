//! What one run said about one series: a few pages of its file.

use crate::model::spec::tails;
use crate::publish::{Commit, Filter, Naming, PublishError, Which, names, read_run};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};

/// The plain forecast of one series from one run; times are microseconds UTC, all lists have one entry per step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vintage {
    /// UUIDv7 of the run.
    pub run_id: String,
    /// Nominal instant of the run.
    pub issued_at: i64,
    /// Last observation used; `None` where the columns of the run do not say.
    pub cutoff: Option<i64>,
    /// What forecast the series.
    pub model_id: Option<String>,
    /// Version of the model.
    pub model_version: Option<i32>,
    /// How the forecast came about.
    pub status: Option<String>,
    /// Target timestamps, ascending.
    pub ds: Vec<i64>,
    /// Point forecasts.
    pub yhat: Vec<f64>,
    /// Central intervals, in the order asked for.
    pub intervals: Vec<Interval>,
}

/// A central interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Coverage in percent.
    pub level: f64,
    /// Lower ends.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
}

/// Where a naming has what is asked for.
struct Columns {
    point: &'static str,
    /// Level in percent, and the columns of both ends.
    ends: Vec<(f64, String, String)>,
}

impl Columns {
    fn of(naming: Naming, levels: &[f64]) -> Columns {
        let ends = levels.iter().map(|&level| match naming {
            Naming::V1 => {
                let [lower, upper] = tails(level).map(names::quantile_name);
                (level, lower, upper)
            }
            Naming::Nixtla => (level, format!("s4cast-lo-{level}"), format!("s4cast-hi-{level}")),
        });
        let point = match naming {
            Naming::V1 => "yhat",
            Naming::Nixtla => "s4cast",
        };
        Columns { point, ends: ends.collect() }
    }

    fn names(&self) -> Vec<String> {
        let fixed =
            ["unique_id", "ds", "cutoff", "model_id", "model_version", "status", "scenario", self.point];
        let ends = self.ends.iter().flat_map(|(_, lower, upper)| [lower.clone(), upper.clone()]);
        fixed.map(String::from).into_iter().chain(ends).collect()
    }
}

/// What a run said about a series, with the intervals of some coverage levels in percent that it has; `None` if the
/// series is not in it.
///
/// # Errors
/// [`PublishError::Read`] if the part file is gone or damaged.
pub fn read_vintage(
    commit: &Commit,
    unique_id: &str,
    levels: &[f64],
) -> Result<Option<Vintage>, PublishError> {
    let path = commit.path();
    let columns = Columns::of(commit.naming, levels);
    let filter = Filter {
        unique_ids: vec![unique_id.into()],
        scenario: Which::Plain,
        columns: columns.names(),
        ..Filter::default()
    };
    let version = commit.metadata.get("model_version").and_then(|version| version.parse().ok());
    let mut vintage = Vintage {
        run_id: commit.run_id.clone(),
        issued_at: commit.issued_at,
        model_version: version,
        ..Vintage::default()
    };
    for batch in read_run(&path, &filter)? {
        add(&mut vintage, &batch, &columns).ok_or_else(|| PublishError::Read {
            path: path.clone(),
            reason: format!("column ds or {} is missing or has another type", columns.point),
        })?;
    }
    Ok((!vintage.ds.is_empty()).then_some(vintage))
}

/// Adds the rows of a batch; `None` if times or points are not as they should be.
fn add(vintage: &mut Vintage, batch: &RecordBatch, columns: &Columns) -> Option<()> {
    let times = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
    let numbers = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Float64Type>();
    let text = |name: &str| Some(batch.column_by_name(name)?.as_string_opt::<i32>()?.value(0).to_owned());
    if batch.num_rows() == 0 {
        return Some(());
    }
    vintage.ds.extend(times("ds")?.values());
    vintage.yhat.extend(numbers(columns.point)?.values());
    vintage.cutoff = vintage.cutoff.or_else(|| Some(times("cutoff")?.value(0)));
    vintage.model_id = vintage.model_id.take().or_else(|| text("model_id"));
    vintage.status = vintage.status.take().or_else(|| text("status"));
    if let Some(column) = batch.column_by_name("model_version") {
        vintage.model_version = Some(column.as_primitive_opt::<Int32Type>()?.value(0));
    }
    for (level, lower, upper) in &columns.ends {
        let Some((low, high)) = numbers(lower).zip(numbers(upper)) else { continue };
        let place = vintage.intervals.iter().position(|one| one.level == *level).unwrap_or_else(|| {
            vintage.intervals.push(Interval { level: *level, lower: Vec::new(), upper: Vec::new() });
            vintage.intervals.len() - 1
        });
        vintage.intervals[place].lower.extend(low.values());
        vintage.intervals[place].upper.extend(high.values());
    }
    Some(())
}
