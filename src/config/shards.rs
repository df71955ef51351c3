//! Which share of the series a one-shot job works on, and what its run is called: from flags and from the environment of
//! schedulers that start many of them.

use crate::config::words::{self, Wrong};
use crate::config::{Problem, Problems};
use crate::pipeline::{Job, Making, Sharded};
use crate::publish::is_run_id;
use crate::publish::parts::Asked;
use crate::series::Shard;
use crate::store::{Address, Place, Scheme};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// Variables that number the processes of a scheduler: of an Indexed Job of Kubernetes, of an array job of Slurm.
const INDICES: [&str; 2] = ["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"];

/// Name of a pod of a StatefulSet, which ends with its number.
const POD: &str = "S4CAST_POD_NAME";

/// How many shards there are; only with it do the numbers of a scheduler count.
const COUNT: &str = "S4CAST_SHARD_COUNT";

/// How many processes an array job of Slurm has.
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";

/// The word by which the scheduler is asked.
const AUTO: &str = "auto";

/// Flags of a run, as they are written.
#[derive(Clone, Debug, Default)]
pub struct RawRun {
    /// `i/N`, or `auto`.
    pub shard: Option<String>,
    /// How long to wait for the other shards.
    pub shard_timeout: Option<String>,
    /// Id of the run.
    pub run_id: Option<String>,
    /// Nominal instant of the forecast.
    pub issued_at: Option<String>,
}

/// What is fixed of a run before it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLaunch {
    /// Id of the run.
    pub run_id: Option<String>,
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: Option<i64>,
    /// How long to wait for the other shards; `None` does not wait.
    pub shard_timeout: Option<SignedDuration>,
}

/// Checks the flags of a run, and makes the job one of a shard where one is asked for. `env` is the environment.
///
/// # Errors
/// Every problem.
pub fn run(raw: &RawRun, job: &mut Job, env: &dyn Fn(&str) -> Option<String>) -> Result<RunLaunch, Problems> {
    let mut problems = Vec::new();
    let zone = job.source.zone.clone().unwrap_or(TimeZone::UTC);
    let issued_at =
        noted(&mut problems, "--issued-at", raw.issued_at.as_deref(), |text| words::instant(text, &zone));
    let run_id = noted(&mut problems, "--run-id", raw.run_id.as_deref(), run_id);
    let shard_timeout =
        noted(&mut problems, "--shard-timeout", raw.shard_timeout.as_deref(), words::positive_span);
    match shard(raw.shard.as_deref(), env) {
        Ok(None) if shard_timeout.is_some() => {
            let help = "give --shard i/N too, or leave it out";
            problems.push(Wrong::new("--shard-timeout without --shard waits for nobody".into(), help));
        }
        Ok(None) => {}
        Ok(Some(shard)) => {
            let asked = Asked { run_id: run_id.is_some(), issued_at: issued_at.is_some() };
            match folder(&job.output) {
                Ok(folder) => job.sharded = Some(Sharded { shard, folder, asked }),
                Err(wrong) => problems.push(wrong),
            }
            problems.extend(refusals(job));
            // Whoever trains sees all series; whoever loads a model reads only its own.
            if matches!(job.making, Making::Load(_)) {
                (job.source.shard, job.source.heeds_others) = (Some(shard), true);
            }
        }
        Err(wrong) => problems.push(wrong),
    }
    Problems::none_of(
        problems.into_iter().map(|wrong| Problem::of_flag(wrong.message, wrong.help)).collect(),
    )?;
    Ok(RunLaunch { run_id, issued_at, shard_timeout })
}

/// The value of a flag; a wrong one is noted.
fn noted<T>(
    problems: &mut Vec<Wrong>,
    flag: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Option<T> {
    let wrong = match parse(text?) {
        Ok(value) => return Some(value),
        Err(wrong) => wrong,
    };
    problems.push(Wrong { message: format!("{flag}: {}", wrong.message), ..wrong });
    None
}

fn run_id(text: &str) -> Result<String, Wrong> {
    match is_run_id(text) {
        true => Ok(text.into()),
        false => Err(Wrong::new(
            format!("'{text}' is no run id"),
            "use 1 to 64 letters, digits, _ and -; a UUID is one",
        )),
    }
}

/// The folder that parts go to.
fn folder(output: &Place) -> Result<Address, Wrong> {
    let text = output.to_string();
    let wrong = |message: String| {
        Wrong::new(message, "write for example -o runs/2026-01-31, or -o s3://bucket/runs/2026-01-31")
    };
    if [".parquet", ".pq"].iter().any(|end| text.ends_with(end)) {
        return Err(wrong(format!(
            "with --shard, '{text}' is the folder of a run of several parts, not a file"
        )));
    }
    match output {
        Place::Local(path) => Address::of_local(path).map_err(|error| wrong(error.to_string())),
        Place::Remote(address) if address.scheme() == Scheme::Http => {
            Err(wrong(format!("'{text}' can only be read: nothing is put to a web server")))
        }
        Place::Remote(address) => Ok(address.clone()),
    }
}

/// What no shard can do alike for all.
fn refusals(job: &Job) -> Vec<Wrong> {
    let mut problems = Vec::new();
    let mut refuse = |message: &str, help: &str| problems.push(Wrong::new(message.into(), help));
    if job.source.sums.levels.is_some() {
        refuse(
            "--hierarchy with --shard: sums are of series of all shards, and no shard forecasts them all",
            "leave --shard out, or forecast without the hierarchy",
        );
    }
    if job.save_model.is_some() {
        refuse(
            "--save-model with --shard: every shard would write the same model",
            "train once without --shard, then give the shards --load-model",
        );
    }
    if job.quality.is_some() {
        refuse(
            "--quality with --shard: every shard would replace the report of the others",
            "write it once, with s4cast data check --quality",
        );
    }
    if let Making::Fit(model) = &job.making
        && model.budget().is_some()
    {
        refuse(
            "--budget with --shard: the clock would give every shard another model",
            "train once without --shard, then give the shards --load-model; or leave the budget out",
        );
    }
    problems
}

/// The shard that a flag (or S4CAST_SHARD) and the environment name; `None` where nobody asks for one.
///
/// The numbers of a scheduler count only where the user says how many shards there are, or `auto`: an array job may be
/// about something else.
fn shard(flag: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Shard>, Wrong> {
    let set = |name: &str| env(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let count = set(COUNT).map(|text| number(COUNT, &text)).transpose()?;
    let flag = flag.map(str::trim).filter(|flag| !flag.is_empty());
    let Some(flag) = flag.filter(|flag| *flag != AUTO) else {
        return match (flag, count) {
            (None, None) => Ok(None),
            (_, Some(count)) => of_scheduler(count, COUNT, &set).map(Some),
            (Some(_), None) => {
                let Some(text) = set(SLURM_COUNT) else {
                    let message = "--shard auto, and nothing says how many shards there are".into();
                    return Err(Wrong::new(message, "set S4CAST_SHARD_COUNT, or write --shard i/N"));
                };
                of_scheduler(number(SLURM_COUNT, &text)?, SLURM_COUNT, &set).map(Some)
            }
        };
    };
    let shard =
        Shard::parse(flag).map_err(|error| Wrong { message: format!("--shard: {error}"), help: None })?;
    // Whoever writes the flag means it; two variables have to agree.
    let is_variable = set("S4CAST_SHARD").as_deref() == Some(flag);
    match count.filter(|count| is_variable && *count != shard.count()) {
        Some(count) => Err(Wrong::new(
            format!("S4CAST_SHARD is {shard} and {COUNT} is {count}"),
            "set one of them, or both to the same number of shards",
        )),
        None => Ok(Some(shard)),
    }
}

/// The shard whose number a scheduler gives.
fn of_scheduler(count: u32, counted_by: &str, set: &dyn Fn(&str) -> Option<String>) -> Result<Shard, Wrong> {
    let mut found: Vec<(&str, String, u32)> = Vec::new();
    for name in INDICES {
        if let Some(text) = set(name) {
            found.push((name, text.clone(), number(name, &text)?));
        }
    }
    if let Some(pod) = set(POD) {
        let ordinal = pod.rsplit_once('-').map_or("", |(_, ordinal)| ordinal);
        found.push((
            POD,
            pod.clone(),
            number(POD, ordinal).map_err(|_| {
                let message = format!("{POD} '{pod}' does not end with the number of a pod");
                Wrong::new(message, "set it to metadata.name of a StatefulSet, such as s4cast-3")
            })?,
        ));
    }
    let Some((name, text, index)) = found.first() else {
        let message = format!("{counted_by} is {count}, and nothing says which of the shards this is");
        let help =
            "set S4CAST_SHARD=i/N, JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID or S4CAST_POD_NAME, or unset it";
        return Err(Wrong::new(message, help));
    };
    if let Some((other, value, _)) = found.iter().find(|(_, _, other)| other != index) {
        let message = format!("{name} is {text} and {other} is {value}: which shard is this?");
        return Err(Wrong::new(message, "write --shard i/N"));
    }
    Shard::new(*index, count).map_err(|error| {
        let message = format!("{name} is {text} and {counted_by} is {count}: {error}");
        Wrong::new(message, "number the processes from 0 on, for example sbatch --array=0-6 for seven")
    })
}

fn number(name: &str, text: &str) -> Result<u32, Wrong> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { text.parse().ok() } else { None };
    number.ok_or_else(|| Wrong::new(format!("{name} '{text}' is no whole number"), "write for example 7"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flag: Option<&str>, environment: &[(&str, &str)]) -> Result<Option<String>, String> {
        let env = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match shard(flag, &env) {
            Ok(shard) => Ok(shard.map(|shard| shard.to_string())),
            Err(wrong) => Err(format!("{} | {}", wrong.message, wrong.help.unwrap_or_default())),
        }
    }

    #[test]
    fn the_numbers_of_a_scheduler_count_only_where_somebody_says_how_many_shards_there_are() {
        let job =
            [("JOB_COMPLETION_INDEX", "3"), ("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "7")];
        assert_eq!(of(None, &[]), Ok(None));
        assert_eq!(of(None, &job), Ok(None), "an array job about something else");
        assert_eq!(of(None, &[("S4CAST_POD_NAME", "s4cast-3")]), Ok(None));
        assert_eq!(of(Some("auto"), &job), Ok(Some("3/7".into())));
        assert_eq!(of(Some(" 2/5 "), &job), Ok(Some("2/5".into())));
        let counted = |name, value| of(None, &[("S4CAST_SHARD_COUNT", "12"), (name, value)]);
        assert_eq!(counted("JOB_COMPLETION_INDEX", "0"), Ok(Some("0/12".into())));
        assert_eq!(counted("SLURM_ARRAY_TASK_ID", "11"), Ok(Some("11/12".into())));
        assert_eq!(counted("S4CAST_POD_NAME", "s4cast-west-10"), Ok(Some("10/12".into())));
        assert_eq!(of(Some(""), &[("S4CAST_SHARD_COUNT", " ")]), Ok(None), "empty is unset");
        // A single element of an array that is repeated is what it was.
        let again =
            [("S4CAST_SHARD_COUNT", "7"), ("SLURM_ARRAY_TASK_ID", "5"), ("SLURM_ARRAY_TASK_COUNT", "1")];
        assert_eq!(of(None, &again), Ok(Some("5/7".into())));
    }

    /// Flag, environment, and words of the refusal.
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], &'a str);

    #[test]
    fn what_is_said_in_part_or_twice_is_refused() {
        let cases: [Case<'_>; 9] = [
            (None, &[("S4CAST_SHARD_COUNT", "7")], "nothing says which of the shards"),
            (
                None,
                &[("S4CAST_SHARD_COUNT", "seven"), ("JOB_COMPLETION_INDEX", "1")],
                "'seven' is no whole number",
            ),
            (None, &[("S4CAST_SHARD_COUNT", "7"), ("JOB_COMPLETION_INDEX", "7")], "from 0 on"),
            (
                None,
                &[("S4CAST_SHARD_COUNT", "7"), ("S4CAST_POD_NAME", "s4cast")],
                "does not end with the number",
            ),
            (
                None,
                &[("S4CAST_SHARD_COUNT", "7"), ("JOB_COMPLETION_INDEX", "1"), ("S4CAST_POD_NAME", "a-2")],
                "which shard is this?",
            ),
            (Some("1/3"), &[("S4CAST_SHARD", "1/3"), ("S4CAST_SHARD_COUNT", "4")], "S4CAST_SHARD is 1/3"),
            (Some("auto"), &[("JOB_COMPLETION_INDEX", "1")], "how many shards"),
            (Some("3/3"), &[], "0/3 to 2/3"),
            (Some("3"), &[], "0/4"),
        ];
        for (flag, environment, words) in cases {
            let error = of(flag, environment).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(
            of(Some("1/3"), &[("S4CAST_SHARD_COUNT", "4")]),
            Ok(Some("1/3".into())),
            "a flag is meant"
        );
    }

    #[test]
    fn parts_go_to_a_folder_or_an_address_that_can_be_written() {
        let at = |text: &str| {
            let place = Place::parse(text).map_err(|error| error.to_string())?;
            folder(&place).map(|at| at.to_string()).map_err(|wrong| wrong.message)
        };
        assert_eq!(at("/data/run"), Ok("file:///data/run".into()));
        assert!(at("run").is_ok_and(|at| at.starts_with("file:///") && at.ends_with("/run")));
        assert_eq!(at("s3://bucket/run/"), Ok("s3://bucket/run".into()));
        assert!(at("out.parquet").is_err_and(|message| message.contains("not a file")));
        assert!(at("https://host/x").is_err_and(|message| message.contains("only be read")));
    }
}
