//! The settings of a worker: source and model as of a one-shot job, the rest by flags alone.

use crate::config::check::{Check, place};
use crate::config::settings::Item;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Problem, Problems, Settings};
use crate::ingest::{self, BadSeriesLimit, Order};
use crate::pipeline::{Ending, Making, WorkerJob};
use crate::series::{Ends, Frequency};
use jiff::tz::TimeZone;

/// Longest run id, bytes: every row holds it.
const RUN_ID_BYTES_MAX: usize = 200;

/// Flags of a worker as written.
#[derive(Clone, Debug, Default)]
pub struct RawWorker {
    /// Whether a model is trained on the stream.
    pub is_training: bool,
    /// Id of the run.
    pub run_id: Option<String>,
    /// Nominal instant.
    pub issued_at: Option<String>,
    /// Where the data ends.
    pub data_end: Vec<String>,
}

/// A worker, and what is not part of it.
#[derive(Clone, Debug)]
pub struct WorkerLaunch {
    /// What to do.
    pub job: WorkerJob,
    /// Id of the run, if it is given.
    pub run_id: Option<String>,
    /// Nominal instant, microseconds UTC, if it is given.
    pub issued_at: Option<i64>,
    /// Worker threads; `None` takes one per core.
    pub threads: Option<usize>,
}

/// The worker that the settings and flags describe. Inputs of the settings are not looked at, nor what a file says of outputs.
///
/// # Errors
/// Every problem of the file and of the flags.
pub fn worker(mut settings: Settings, raw: &RawWorker) -> Result<WorkerLaunch, Problems> {
    settings.drop_exec();
    settings.unflag(Key::Quality);
    let is_of_file = |item: &Item| item.span.is_some();
    if !raw.is_training && settings.get(Key::SaveModel).iter().all(is_of_file) {
        settings.unflag(Key::SaveModel);
    }
    settings.flag(Key::Inputs, [ingest::STREAM_NAME]);
    if !raw.is_training && !settings.has(Key::LoadModel) && settings.problems.is_empty() {
        let help = "give --model PATH, or --train and a horizon to train one on the stream";
        let problem = Problem::of_flag("no model to forecast with".into(), Some(help.into()));
        return Err(Problems::none_of(vec![problem]).expect_err("there is one"));
    }
    let mut check = Check::new(&settings);
    let mut source = check.source();
    if !raw.is_training && settings.get(Key::Order).is_empty() {
        source.order = Order::Demand;
    }
    let making = check.making();
    if check.settings.has(Key::Scenarios) {
        let help = "leave them out, or forecast a file";
        let wrong = Wrong::new("scenarios cannot be had of a stream".into(), help);
        check.problem_at(check.settings.place(Key::Scenarios), wrong);
    }
    if raw.is_training && matches!(making, Some(Making::Load(_))) {
        let message = "train says to train a model, and load_model that one is loaded".to_owned();
        let wrong = Wrong::new(message, "leave one of them out");
        check.problem_at(check.settings.place(Key::LoadModel), wrong);
    }
    let save_model = check.one(Key::SaveModel, place);
    let threads = check.threads(Key::Threads);
    let zone = source.zone.clone().unwrap_or(TimeZone::UTC);
    let issued_at = check.flag("--issued-at", &raw.issued_at, |text| words::instant(text, &zone));
    let run_id = check.flag("--run-id", &raw.run_id, run_id);
    let ends = raw
        .data_end
        .iter()
        .filter_map(|text| check.flag("--data-end", &Some(text.clone()), |text| end(text, &zone)));
    let ends: Vec<End> = ends.collect();
    let ending = ending(&ends).unwrap_or_else(|wrong| {
        check.problem_at(None, wrong);
        Ending::Unknown
    });
    let is_limited = !settings.get(Key::MaxBadSeries).is_empty();
    check.within_fence();
    Problems::none_of(check.problems)?;
    let Some(making) = making else { unreachable!("a missing value is a problem") };
    let limit = if is_limited { source.max_bad_series } else { BadSeriesLimit::All };
    let config_sha256 = settings.sha256();
    let job = WorkerJob { source, making, ending, limit, save_model, bounds: None, config_sha256 };
    Ok(WorkerLaunch { job, run_id, issued_at, threads })
}

/// One of the words of `--data-end`.
#[derive(Clone, Copy, Debug)]
enum End {
    None,
    At(Option<Frequency>, i64),
}

fn end(text: &str, zone: &TimeZone) -> Result<End, Wrong> {
    match text.split_once('=') {
        None if text.trim() == "none" => Ok(End::None),
        None => Ok(End::At(None, words::instant(text, zone)?)),
        Some((step, time)) => Ok(End::At(Some(step.trim().parse()?), words::instant(time, zone)?)),
    }
}

fn ending(ends: &[End]) -> Result<Ending, Wrong> {
    let mut at = Ends::default();
    for end in ends {
        match end {
            End::None if ends.len() > 1 => {
                let help = "write none, or times";
                return Err(Wrong::new("--data-end says none, and when".into(), help));
            }
            End::None => return Ok(Ending::Apart),
            End::At(frequency, end) => at.set(*frequency, *end),
        }
    }
    Ok(if at.is_empty() { Ending::Unknown } else { Ending::At(at) })
}

/// A run id that fits into a row and a line.
fn run_id(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    match text.len() <= RUN_ID_BYTES_MAX && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(Wrong::new(
            format!("a run id has at most {RUN_ID_BYTES_MAX} bytes and no control characters"),
            "write for example a UUID",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched(raw: &RawWorker, flags: &[(Key, &str)]) -> Result<WorkerLaunch, Vec<String>> {
        let mut settings = Settings::default();
        flags.iter().for_each(|(key, text)| settings.flag(*key, [*text]));
        let all = |problems: Problems| problems.all().iter().map(|one| one.message().to_owned()).collect();
        worker(settings, raw).map_err(all)
    }

    #[test]
    fn a_model_is_loaded_or_trained() {
        let load = (Key::LoadModel, "m.safetensors");
        assert!(matches!(launched(&RawWorker::default(), &[load]).unwrap().job.making, Making::Load(_)));
        let train = RawWorker { is_training: true, ..RawWorker::default() };
        assert!(matches!(launched(&train, &[(Key::Horizon, "3")]).unwrap().job.making, Making::Fit(_)));
        let error = |raw: &RawWorker, flags: &[(Key, &str)]| launched(raw, flags).unwrap_err().join("; ");
        assert!(error(&RawWorker::default(), &[]).contains("no model"));
        assert!(error(&train, &[load]).contains("train says"));
        assert!(error(&train, &[]).contains("no horizon"));
        assert!(error(&RawWorker::default(), &[load, (Key::Scenarios, "price=+1")]).contains("scenarios"));
    }

    #[test]
    fn ends_are_times_or_none() {
        let of = |words: &[&str]| {
            let data_end = words.iter().map(ToString::to_string).collect();
            let raw = RawWorker { data_end, ..RawWorker::default() };
            launched(&raw, &[(Key::LoadModel, "m")]).map(|launch| launch.job.ending)
        };
        let (hour, day): (Frequency, Frequency) = ("1h".parse().unwrap(), "1d".parse().unwrap());
        assert_eq!(of(&[]).unwrap(), Ending::Unknown);
        assert_eq!(of(&["none"]).unwrap(), Ending::Apart);
        let Ending::At(ends) = of(&["1970-01-02", "1h=1970-01-01T01:00"]).unwrap() else { panic!("times") };
        assert_eq!((ends.known(hour), ends.known(day)), (Some(3_600_000_000), Some(86_400_000_000)));
        assert!(of(&["none", "1970-01-02"]).unwrap_err()[0].contains("says none"));
        assert!(of(&["soon"]).unwrap_err()[0].contains("not a time"));
        assert!(of(&["1x=1970-01-02"]).is_err());
    }

    #[test]
    fn sorted_rows_are_demanded_unless_a_policy_is_written() {
        let load = (Key::LoadModel, "m");
        let order = |raw: &RawWorker, flags: &[_]| launched(raw, flags).unwrap().job.source.order;
        assert_eq!(order(&RawWorker::default(), &[load]), Order::Demand);
        assert_eq!(order(&RawWorker::default(), &[load, (Key::Order, "sort")]), Order::Sort);
        let train = RawWorker { is_training: true, ..RawWorker::default() };
        assert_eq!(order(&train, &[(Key::Horizon, "3")]), Order::Sort);
    }

    #[test]
    fn the_limit_of_bad_series_is_what_is_written_or_none() {
        let limit = |flags: &[(Key, &str)]| launched(&RawWorker::default(), flags).unwrap().job.limit;
        assert_eq!(limit(&[(Key::LoadModel, "m")]), BadSeriesLimit::All);
        assert_eq!(limit(&[(Key::LoadModel, "m"), (Key::MaxBadSeries, "2")]), BadSeriesLimit::Count(2));
    }
}
