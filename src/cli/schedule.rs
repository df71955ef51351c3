//! `s4cast schedule`: when what is due.

use crate::cli::args_daemon::{ScheduleCommand, ScheduleList, ScheduleNext};
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch};
use crate::config;
use crate::schedule::cron::Rule;
use crate::schedule::spec::{DaemonSpec, JobPlan, ScheduleSpec, Stage};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use std::path::Path;

/// Runs a command of the schedules.
pub(super) fn dispatch(command: &ScheduleCommand, terminal: &Terminal) -> Result<Exit, CliError> {
    match command {
        ScheduleCommand::Next(args) => next(args, terminal),
        ScheduleCommand::List(args) => list(args, terminal),
    }
}

/// One stage of a job, or an expression without one.
struct Line {
    job: Option<String>,
    stage: Option<Stage>,
    rule: Rule,
}

fn next(args: &ScheduleNext, terminal: &Terminal) -> Result<Exit, CliError> {
    let request = |message: String| CliError::Request { message, help: None };
    let zone = args.tz.as_deref().map(config::zone).transpose().map_err(request)?;
    let read_in = zone.clone().unwrap_or(TimeZone::UTC);
    let from =
        args.from.as_deref().map(|text| config::instant(text, &read_in)).transpose().map_err(request)?;
    let from = from.unwrap_or_else(clock::now);
    let lines = match (&args.cron, &args.every, &args.config) {
        (Some(cron), ..) => {
            vec![alone(Rule::cron(cron, read_in).map_err(|error| request(error.to_string()))?)]
        }
        (_, Some(every), _) => {
            let every = config::duration(every).map_err(request)?;
            vec![alone(Rule::every(every).map_err(|error| request(error.to_string()))?)]
        }
        (_, _, Some(path)) => of_config(path, args.job.as_deref())?,
        // clap asks for one of the three.
        _ => Vec::new(),
    };
    let slots = upcoming(&lines, from, args.number);
    let shown = |line: &Line, instant: i64| {
        let zone = zone.clone().unwrap_or_else(|| line.rule.zone());
        local(instant, &zone)
    };
    let document = || {
        let slots = slots.iter().map(|(instant, line)| {
            json!({
                "slot": clock::shown(*instant),
                "local": shown(line, *instant),
                "job": line.job,
                "stage": line.stage.map(Stage::as_str),
            })
        });
        json!({ "slots": slots.collect::<Vec<_>>() })
    };
    let summary = || {
        let row = |(instant, line): &(i64, &Line)| {
            let name =
                line.job.as_ref().zip(line.stage).map(|(job, stage)| format!("  {job} {}", stage.as_str()));
            format!("{}  {}{}\n", clock::shown(*instant), shown(line, *instant), name.unwrap_or_default())
        };
        slots.iter().map(row).collect()
    };
    terminal.result(document, summary)?;
    Ok(Exit::Ok)
}

fn alone(rule: Rule) -> Line {
    Line { job: None, stage: None, rule }
}

/// The stages of the jobs of a config, or of one job.
fn of_config(path: &Path, job: Option<&str>) -> Result<Vec<Line>, CliError> {
    let spec = launch::daemon(path)?.spec;
    let lines: Vec<Line> = schedules(&spec)
        .filter(|(plan, ..)| job.is_none_or(|job| plan.job.name == job))
        .map(|(plan, stage, schedule)| Line {
            job: Some(plan.job.name.clone()),
            stage: Some(stage),
            rule: schedule.rule.clone(),
        })
        .collect();
    match (lines.is_empty(), job) {
        (true, Some(job)) => Err(CliError::Request {
            message: format!("there is no job '{job}'"),
            help: config::nearest(job, spec.jobs.iter().map(|plan| plan.job.name.as_str()))
                .map(|meant| format!("did you mean '{meant}'?")),
        }),
        _ => Ok(lines),
    }
}

/// Every stage of every job that has a schedule.
fn schedules(spec: &DaemonSpec) -> impl Iterator<Item = (&JobPlan, Stage, &ScheduleSpec)> {
    spec.jobs.iter().flat_map(|plan| plan.stages().map(move |(stage, schedule)| (plan, stage, schedule)))
}

/// The next slots of every line, in the order of time.
fn upcoming(lines: &[Line], from: i64, number: usize) -> Vec<(i64, &Line)> {
    let mut slots: Vec<(i64, &Line)> = Vec::new();
    for line in lines {
        let after = |instant: &i64| line.rule.after(*instant);
        let instants = std::iter::successors(line.rule.after(from), after).take(number);
        slots.extend(instants.map(|instant| (instant, line)));
    }
    slots.sort_by_key(|(instant, _)| *instant);
    slots
}

/// An instant on the clock of a zone.
fn local(instant: i64, zone: &TimeZone) -> String {
    let stamp = Timestamp::from_microsecond(instant).unwrap_or(Timestamp::MAX);
    stamp.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

fn list(args: &ScheduleList, terminal: &Terminal) -> Result<Exit, CliError> {
    let spec = launch::daemon(&args.config)?.spec;
    let now = clock::now();
    let document = || {
        let lines = schedules(&spec).map(|(plan, stage, schedule)| {
            json!({
                "job": plan.job.name,
                "stage": stage.as_str(),
                "rule": schedule.rule.to_string(),
                "next": schedule.rule.after(now).map(clock::shown),
            })
        });
        json!({ "schedules": lines.collect::<Vec<_>>() })
    };
    let summary = || {
        let row = |(plan, stage, schedule): (&JobPlan, Stage, &ScheduleSpec)| {
            let next = schedule.rule.after(now).map_or("never".into(), clock::shown);
            format!("{:<20}  {:<8}  {next:<20}  {}\n", plan.job.name, stage.as_str(), schedule.rule)
        };
        schedules(&spec).map(row).collect()
    };
    terminal.result(document, summary)?;
    Ok(Exit::Ok)
}
