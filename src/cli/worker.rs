//! `s4cast worker`.

use crate::cli::args_worker::Worker;
use crate::cli::error::CliError;
use crate::cli::summary::count;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch};
use crate::config;
use crate::pipeline::{self, JobError, WorkerReport};
use serde_json::{Map, Value, json};
use std::io::{self, BufReader, ErrorKind, Read, Write};

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 18;

/// Forecasts the stream on stdin to stdout, and says on stderr what it did.
pub(super) fn run(args: &Worker, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut settings = launch::settings(args.config.as_deref())?;
    args.apply(&mut settings, std::env::var("S4CAST_MODEL").ok());
    let mut launch = config::worker(settings, &args.raw())?;
    launch::limit_threads(launch.threads);
    launch::end_tidily();
    let mut moment = clock::moment(launch.job.source.as_of);
    moment.issued_at = launch.issued_at.unwrap_or(moment.issued_at);
    moment.run_id = launch.run_id.unwrap_or(moment.run_id);
    launch.job.source = launch.job.source.at(moment.issued_at);
    tracing::info!(run_id = moment.run_id, "stream begins");
    let worked = {
        let meter = terminal.meter();
        pipeline::work(&launch.job, moment, input()?, output()?, &|progress| meter.show(progress))
    };
    match worked {
        // Who reads the forecasts has seen enough.
        Err(JobError::Stream(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(error) => Err(error.into()),
        Ok(report) => {
            terminal.result_of_stream(|| document(&report), || summary(&report));
            match args.run.strict && !report.degradations().is_empty() {
                true => Ok(Exit::Degraded),
                false => Ok(Exit::Ok),
            }
        }
    }
}

/// Stdin, without the buffer and the lock of lines.
#[cfg(unix)]
fn input() -> Result<impl Read + Send + 'static, CliError> {
    use std::os::fd::AsFd;
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(JobError::Stream)?;
    Ok(BufReader::with_capacity(READ_BYTES, std::fs::File::from(stdin)))
}

/// Stdout, without the buffer that looks for lines.
#[cfg(unix)]
fn output() -> Result<impl Write + Send + 'static, CliError> {
    use std::os::fd::AsFd;
    let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(JobError::Stream)?;
    Ok(std::fs::File::from(stdout))
}

#[cfg(not(unix))]
fn input() -> Result<impl Read + Send + 'static, CliError> {
    Ok(BufReader::with_capacity(READ_BYTES, io::stdin()))
}

#[cfg(not(unix))]
fn output() -> Result<impl Write + Send + 'static, CliError> {
    Ok(io::stdout())
}

/// What a worker did, in a line or two.
fn summary(report: &WorkerReport) -> String {
    let seconds: f64 = report.seconds.iter().map(|(_, seconds)| seconds).sum();
    let statuses: Vec<String> =
        report.statuses.iter().map(|(status, count)| format!("{count} {}", status.as_str())).collect();
    let statuses = if statuses.is_empty() { String::new() } else { format!(" ({})", statuses.join(", ")) };
    let left_out =
        if report.left_out > 0 { format!("; {} left out", report.left_out) } else { String::new() };
    format!(
        "Forecast  {} of {}{statuses}, {} from {}, in {seconds:.1} s{left_out}\n",
        report.series - report.left_out,
        count(report.series, "series"),
        count(report.forecast_rows, "row"),
        count(report.rows, "row"),
    )
}

fn document(report: &WorkerReport) -> Value {
    let seconds: Map<String, Value> =
        report.seconds.iter().map(|(stage, seconds)| ((*stage).into(), json!(seconds))).collect();
    let statuses: Map<String, Value> =
        report.statuses.iter().map(|(status, count)| (status.as_str().into(), json!(count))).collect();
    let left_out = report.quarantined.iter().map(|(id, reasons)| json!({ "series": id, "reasons": reasons }));
    json!({
        "run_id": report.moment.run_id,
        "issued_at": clock::shown(report.moment.issued_at),
        "created_at": clock::shown(report.moment.created_at),
        "rows": report.rows,
        "series": report.series,
        "left_out": report.left_out,
        "quarantined": left_out.collect::<Vec<_>>(),
        "forecast_rows": report.forecast_rows,
        "statuses": statuses,
        "notes": report.notes,
        "model": report.model.kind().as_str(),
        "horizon": report.model.horizon(),
        "loaded_model": report.loaded.as_ref().map(ToString::to_string),
        "weights_sha256": report.weights_sha256,
        "seconds": seconds,
        "degraded": report.degradations(),
    })
}
