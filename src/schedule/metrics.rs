//! What the daemon tells Prometheus: text format 0.0.4, an own registry, no globals.
//!
//! Labels are names of the config and words of closed sets, never ids of series: the number of time series grows with the
//! jobs, not with the data. Units are seconds, bytes and ratios. The label `job` is the job of the config, so a scrape
//! needs `honor_labels: true`.

use crate::schedule::outcome::Outcome;
use crate::schedule::spec::Stage;
use crate::series::Status;
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// Upper bounds of how late slots start, in seconds.
const LATENESS_S: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

/// Upper bounds of how long steps take, in seconds.
const DURATION_S: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

/// The metrics of one daemon. Methods may be called from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reload_successful: Gauge,
    reload_timestamp: Gauge,
    slots: IntCounterVec,
    lateness: HistogramVec,
    last_success: GaugeVec,
    interval: GaugeVec,
    forecast_age: GaugeVec,
    data_lag: GaugeVec,
    series: GaugeVec,
    memory_plan: GaugeVec,
    ingest_rows: IntCounter,
    ingest_bytes: IntCounter,
    ingest_skipped: IntCounterVec,
    duration: HistogramVec,
    train_steps: IntCounterVec,
    promotions: IntCounterVec,
    coverage: GaugeVec,
    mase: GaugeVec,
    skill: GaugeVec,
    bias: GaugeVec,
    /// Of each job. Ages are those of the moment they are asked for.
    instants: Mutex<BTreeMap<String, Instants>>,
    publish_rows: IntCounter,
    publish_failures: IntCounter,
    restarts: IntCounter,
    steps_back: IntCounter,
    takeovers: IntCounterVec,
    leases_lost: IntCounterVec,
    lease_errors: IntCounter,
}

/// Nominal instant of the newest run and time of the newest observation, Unix seconds.
type Instants = (Option<f64>, Option<f64>);

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobFigures<'a> {
    /// Nominal instant of the newest published run, Unix seconds; `None` before the first.
    pub issued_at_s: Option<f64>,
    /// Time of the newest observation, Unix seconds; `None` before the first reading.
    pub observed_at_s: Option<f64>,
    /// Series of the newest run by status; a status that is left out counts zero.
    pub series: &'a [(Status, usize)],
    /// Series that the newest run left out.
    pub quarantined: usize,
}

/// All statuses of a series.
const STATUSES: [Status; 5] =
    [Status::Ok, Status::Fallback, Status::Degraded, Status::ColdStart, Status::Stale];

impl Metrics {
    /// Metrics of a daemon that starts.
    #[expect(clippy::new_without_default, reason = "a second set of metrics is rarely what is meant")]
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let r = &registry;
        let build = gauges(r, "build_info", "Version and source code of the program.", &["version", "code"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), &crate::CODE_SHA256[..12]]).set(1.0);
        register_process(r);
        Metrics {
            reload_successful: gauge(
                r,
                "config_last_reload_successful",
                "Whether the last attempt to load the config was accepted.",
            ),
            reload_timestamp: gauge(
                r,
                "config_last_reload_success_timestamp_seconds",
                "When a config was last accepted.",
            ),
            slots: counters(r, "slots_total", "Slots that ended, by outcome.", &["job", "stage", "outcome"]),
            lateness: histograms(
                r,
                "slot_lateness_seconds",
                "Time from a slot's instant to its start.",
                &["job", "stage"],
                &LATENESS_S,
            ),
            last_success: gauges(
                r,
                "job_last_success_timestamp_seconds",
                "When a slot last ended ok or degraded.",
                &["job", "stage"],
            ),
            // It carries the stage so that it matches job_last_success_timestamp_seconds without on().
            interval: gauges(r, "job_interval_seconds", "Time between two slots.", &["job", "stage"]),
            forecast_age: gauges(
                r,
                "forecast_age_seconds",
                "Time since the nominal instant of the newest published run.",
                &["job"],
            ),
            data_lag: gauges(r, "data_lag_seconds", "Time since the newest observation.", &["job"]),
            series: gauges(r, "series", "Series of the newest run, by status.", &["job", "status"]),
            memory_plan: gauges(
                r,
                "memory_plan_bytes",
                "Memory that the last slot of a job was estimated to take.",
                &["job"],
            ),
            ingest_rows: counter(r, "ingest_rows_total", "Rows read."),
            ingest_bytes: counter(r, "ingest_bytes_total", "Bytes read from source files."),
            ingest_skipped: counters(
                r,
                "ingest_files_skipped_total",
                "Source files that were left out, by reason.",
                &["reason"],
            ),
            duration: histograms(
                r,
                "stage_duration_seconds",
                "Duration of the steps of a stage.",
                &["job", "stage", "step"],
                &DURATION_S,
            ),
            train_steps: counters(r, "train_steps_total", "Training steps taken.", &["job"]),
            promotions: counters(
                r,
                "model_promotions_total",
                "Decisions about which version serves, by result.",
                &["result"],
            ),
            coverage: gauges(
                r,
                "coverage_ratio",
                "Share of actual values inside the interval of a level (percent).",
                &["job", "level"],
            ),
            mase: gauges(r, "mase", "Mean absolute scaled error of published forecasts.", &["job"]),
            skill: gauges(
                r,
                "skill_ratio",
                "Share of seasonal naive's mean absolute scaled error that published forecasts do not make.",
                &["job"],
            ),
            bias: gauges(r, "bias", "Mean scaled error of published forecasts.", &["job"]),
            instants: Mutex::default(),
            publish_rows: counter(r, "publish_rows_total", "Rows published."),
            publish_failures: counter(r, "publish_failures_total", "Runs that could not be published."),
            steps_back: counter(r, "clock_steps_back_total", "Times that the machine's clock was set back."),
            restarts: counter(r, "worker_restarts_total", "Workers that were restarted after a panic."),
            takeovers: counters(
                r,
                "lease_takeovers_total",
                "Slots whose lease was taken after another holder had let go or fallen silent.",
                &["job", "stage"],
            ),
            leases_lost: counters(
                r,
                "leases_lost_total",
                "Leases that were lost while their slot was worked.",
                &["job", "stage"],
            ),
            lease_errors: counter(
                r,
                "lease_errors_total",
                "Questions to the store of the leases that it did not answer.",
            ),
            registry,
        }
    }

    /// A scheduled stage of a job: its slots are so many seconds apart, its counters start at zero, its last success (Unix
    /// seconds) is what the ledger knows.
    ///
    /// Without it an alert on a job that has not succeeded for days would end with a restart of the daemon.
    pub fn expect(&self, job: &str, stage: Stage, interval_s: f64, last_success_s: Option<f64>) {
        self.interval.with_label_values(&[job, stage.as_str()]).set(interval_s);
        for outcome in Outcome::ALL {
            self.slots.with_label_values(&[job, stage.as_str(), outcome.as_str()]);
        }
        if let Some(at_s) = last_success_s {
            self.last_success.with_label_values(&[job, stage.as_str()]).set(at_s);
        }
    }

    /// A slot ended at `at_s` (Unix seconds); `lateness_s` is how long after its instant it started, if it did.
    pub fn slot_ended(&self, job: &str, stage: Stage, outcome: Outcome, lateness_s: Option<f64>, at_s: f64) {
        self.slots.with_label_values(&[job, stage.as_str(), outcome.as_str()]).inc();
        if let Some(lateness_s) = lateness_s {
            self.lateness.with_label_values(&[job, stage.as_str()]).observe(lateness_s.max(0.0));
        }
        if matches!(outcome, Outcome::Ok | Outcome::Degraded) {
            self.last_success.with_label_values(&[job, stage.as_str()]).set(at_s);
        }
    }

    /// A step of a stage (`ingest`, `fit`, `predict`, `publish`, …) took so long.
    pub fn step_seconds(&self, job: &str, stage: Stage, step: &'static str, seconds: f64) {
        self.duration.with_label_values(&[job, stage.as_str(), step]).observe(seconds);
    }

    /// A config was accepted or rejected at `at_s` (Unix seconds); the first load counts as well.
    pub fn reload(&self, ok: bool, at_s: f64) {
        self.reload_successful.set(f64::from(u8::from(ok)));
        if ok {
            self.reload_timestamp.set(at_s);
        }
    }

    /// How a job stands.
    pub fn job(&self, job: &str, figures: &JobFigures<'_>) {
        let instants = (figures.issued_at_s, figures.observed_at_s);
        self.instants.lock().unwrap_or_else(PoisonError::into_inner).insert(job.into(), instants);
        for status in STATUSES {
            let of_status = figures.series.iter().filter(|(found, _)| *found == status);
            let count: usize = of_status.map(|(_, count)| count).sum();
            self.series.with_label_values(&[job, status.as_str()]).set(count as f64);
        }
        self.series.with_label_values(&[job, "quarantined"]).set(figures.quarantined as f64);
    }

    /// Source files were read; `skipped` are those left out, by reason: a word of a closed set.
    pub fn ingest(&self, rows: usize, bytes: u64, skipped: &[(&'static str, usize)]) {
        self.ingest_rows.inc_by(rows as u64);
        self.ingest_bytes.inc_by(bytes);
        for (reason, count) in skipped {
            self.ingest_skipped.with_label_values(&[reason]).inc_by(*count as u64);
        }
    }

    /// A run was published.
    pub fn published(&self, rows: usize) {
        self.publish_rows.inc_by(rows as u64);
    }

    /// What memory the last slot of a job was estimated to take.
    pub fn memory_plan(&self, job: &str, bytes: u64) {
        self.memory_plan.with_label_values(&[job]).set(bytes as f64);
    }

    /// A run could not be published.
    pub fn publish_failed(&self) {
        self.publish_failures.inc();
    }

    /// It was decided whether a new version serves; `result` is a word of a closed set (`promoted`, `rejected`, …).
    pub fn promotion(&self, result: &'static str) {
        self.promotions.with_label_values(&[result]).inc();
    }

    /// How published forecasts of a job compare with what came true; `None` where nothing could be compared.
    /// `naive` is the MASE of seasonal naive on the same points; coverage is (level in percent, share of actual values inside).
    pub fn score(
        &self,
        job: &str,
        mase: Option<f64>,
        naive: Option<f64>,
        bias: Option<f64>,
        coverage: &[(f64, f64)],
    ) {
        let naive = naive.filter(|naive| *naive > 0.0);
        set(&self.mase, &[job], mase);
        set(&self.skill, &[job], mase.zip(naive).map(|(mase, naive)| 1.0 - mase / naive));
        set(&self.bias, &[job], bias);
        let levels: Vec<String> = coverage.iter().map(|(level, _)| level.to_string()).collect();
        for (level, (_, share)) in levels.iter().zip(coverage) {
            self.coverage.with_label_values(&[job, level]).set(*share);
        }
        remove_where(&self.coverage, |labels| {
            labels["job"] == job && !levels.iter().any(|level| level == labels["level"])
        });
    }

    /// The machine's clock was set back.
    pub fn clock_set_back(&self) {
        self.steps_back.inc();
    }

    /// A worker was restarted after a panic.
    pub fn worker_restarted(&self) {
        self.restarts.inc();
    }

    /// A training ended after so many steps.
    pub fn training(&self, job: &str, steps: u64) {
        self.train_steps.with_label_values(&[job]).inc_by(steps);
    }

    /// A lease was taken that another holder had before.
    pub fn lease_taken_over(&self, job: &str, stage: Stage) {
        self.takeovers.with_label_values(&[job, stage.as_str()]).inc();
    }

    /// A lease was lost while its slot was worked.
    pub fn lease_lost(&self, job: &str, stage: Stage) {
        self.leases_lost.with_label_values(&[job, stage.as_str()]).inc();
    }

    /// The store of the leases did not answer.
    pub fn lease_error(&self) {
        self.lease_errors.inc();
    }

    /// A slot (nominal instant and end as Unix seconds) ended well with another daemon that shares the job.
    pub fn succeeded_elsewhere(&self, job: &str, stage: Stage, slot_s: f64, ended_s: f64) {
        self.last_success.with_label_values(&[job, stage.as_str()]).set(ended_s);
        if stage == Stage::Forecast {
            let mut instants = self.instants.lock().unwrap_or_else(PoisonError::into_inner);
            let (issued_at, _) = instants.entry(job.into()).or_default();
            *issued_at = Some(issued_at.map_or(slot_s, |known| known.max(slot_s)));
        }
    }

    /// Removes everything about a job that the config no longer has.
    pub fn forget(&self, job: &str) {
        self.instants.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
        let of_job = |labels: &HashMap<&str, &str>| labels.get("job") == Some(&job);
        for counters in [&self.slots, &self.train_steps, &self.takeovers, &self.leases_lost] {
            remove_where(counters, of_job);
        }
        for histograms in [&self.lateness, &self.duration] {
            remove_where(histograms, of_job);
        }
        let gauges = [
            &self.last_success,
            &self.interval,
            &self.forecast_age,
            &self.data_lag,
            &self.series,
            &self.memory_plan,
            &self.coverage,
            &self.mase,
            &self.skill,
            &self.bias,
        ];
        for gauges in gauges {
            remove_where(gauges, of_job);
        }
    }

    /// All metrics in text format 0.0.4, those of the process included.
    pub fn render(&self, now_s: f64) -> String {
        for (job, (issued_at, observed_at)) in
            self.instants.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            set(&self.forecast_age, &[job], issued_at.map(|at| now_s - at));
            set(&self.data_lag, &[job], observed_at.map(|at| now_s - at));
        }
        let mut families = self.registry.gather();
        // The resident memory stands under the prefix as well, beside the name that every Prometheus client gives it.
        let resident = families.iter().find(|family| family.name() == "process_resident_memory_bytes");
        if let Some(mut resident) = resident.cloned() {
            resident.set_name("s4cast_process_resident_memory_bytes".into());
            families.push(resident);
        }
        TextEncoder::new().encode_to_string(&families).expect("gathered families are complete")
    }
}

/// Sets a gauge, or removes it where there is nothing to show.
fn set(gauges: &GaugeVec, labels: &[&str], value: Option<f64>) {
    match value {
        Some(value) => gauges.with_label_values(labels).set(value),
        // It is an error to remove what is not there, and that is just as well.
        None => drop(gauges.remove_label_values(labels)),
    }
}

fn remove_where<T: MetricVecBuilder>(metrics: &MetricVec<T>, matches: impl Fn(&HashMap<&str, &str>) -> bool) {
    for family in metrics.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if matches(&labels) {
                // Another thread may have removed it just now.
                let _ = metrics.remove(&labels);
            }
        }
    }
}

/// Memory, CPU time, threads and file descriptors of the process, where the system tells.
fn register_process(registry: &Registry) {
    #[cfg(target_os = "linux")]
    register(registry, prometheus::process_collector::ProcessCollector::for_self());
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
}

fn register<C: Collector + 'static>(registry: &Registry, collector: C) {
    registry.register(Box::new(collector)).expect("metric names are distinct");
}

/// What the constructors of the library return: they fail on names that no metric may have.
fn made<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("names of metrics and labels are constants of this file");
    register(registry, metric.clone());
    metric
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("s4cast")
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Gauge {
    made(registry, Gauge::with_opts(opts(name, help)))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
    made(registry, GaugeVec::new(opts(name, help), labels))
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    made(registry, IntCounter::with_opts(opts(name, help)))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    made(registry, IntCounterVec::new(opts(name, help), labels))
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let opts = HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec());
    made(registry, HistogramVec::new(opts, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a sample, by its name and labels as rendered.
    fn sample(metrics: &Metrics, name: &str) -> Option<f64> {
        let text = metrics.render(100.0);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    #[test]
    fn a_slot_counts_once_and_only_a_success_moves_the_last_success() {
        let metrics = Metrics::new();
        metrics.expect("load", Stage::Forecast, 900.0, Some(100.0));
        let last = "s4cast_job_last_success_timestamp_seconds{job=\"load\",stage=\"forecast\"}";
        let failed = "s4cast_slots_total{job=\"load\",outcome=\"failed\",stage=\"forecast\"}";
        assert_eq!(sample(&metrics, failed), Some(0.0));
        metrics.slot_ended("load", Stage::Forecast, Outcome::Failed, Some(2.0), 200.0);
        metrics.slot_ended("load", Stage::Forecast, Outcome::Missed, None, 250.0);
        assert_eq!((sample(&metrics, failed), sample(&metrics, last)), (Some(1.0), Some(100.0)));
        metrics.slot_ended("load", Stage::Forecast, Outcome::Degraded, Some(-1.0), 300.0);
        assert_eq!(sample(&metrics, last), Some(300.0));
        let late = "s4cast_slot_lateness_seconds";
        let labels = "{job=\"load\",stage=\"forecast\"}";
        assert_eq!(
            sample(&metrics, &format!("{late}_count{labels}")),
            Some(2.0),
            "a missed slot never started"
        );
        assert_eq!(
            sample(&metrics, &format!("{late}_sum{labels}")),
            Some(2.0),
            "an early start is no lateness"
        );
    }

    #[test]
    fn a_rejected_config_keeps_the_time_of_the_accepted_one() {
        let metrics = Metrics::new();
        metrics.reload(true, 10.0);
        metrics.reload(false, 20.0);
        assert_eq!(sample(&metrics, "s4cast_config_last_reload_successful"), Some(0.0));
        assert_eq!(sample(&metrics, "s4cast_config_last_reload_success_timestamp_seconds"), Some(10.0));
    }

    #[test]
    fn a_figure_that_is_gone_is_not_shown_and_levels_follow_the_config() {
        let metrics = Metrics::new();
        let figures =
            JobFigures { observed_at_s: Some(40.0), series: &[(Status::Ok, 3)], ..JobFigures::default() };
        metrics.job("load", &figures);
        assert_eq!(sample(&metrics, "s4cast_data_lag_seconds{job=\"load\"}"), Some(60.0));
        assert_eq!(sample(&metrics, "s4cast_series{job=\"load\",status=\"ok\"}"), Some(3.0));
        assert_eq!(sample(&metrics, "s4cast_series{job=\"load\",status=\"stale\"}"), Some(0.0));
        metrics.job("load", &JobFigures::default());
        assert_eq!(sample(&metrics, "s4cast_data_lag_seconds{job=\"load\"}"), None);

        let skill = || sample(&metrics, "s4cast_skill_ratio{job=\"load\"}");
        metrics.score("load", Some(0.75), Some(1.5), None, &[(80.0, 0.79), (95.0, 0.94)]);
        assert_eq!(skill(), Some(0.5));
        metrics.score("load", Some(0.9), Some(0.0), None, &[(80.0, 0.81), (97.5, 0.97)]);
        assert_eq!(skill(), None, "seasonal naive made no error, so there is no share of it");
        let coverage = |level: &str| {
            sample(&metrics, &format!("s4cast_coverage_ratio{{job=\"load\",level=\"{level}\"}}"))
        };
        assert_eq!((coverage("80"), coverage("95"), coverage("97.5")), (Some(0.81), None, Some(0.97)));
        assert_eq!(sample(&metrics, "s4cast_bias{job=\"load\"}"), None);
    }

    #[test]
    fn a_job_that_is_gone_leaves_nothing_behind_and_others_stay() {
        let metrics = Metrics::new();
        for job in ["load", "price"] {
            metrics.expect(job, Stage::Train, 1.0, Some(1.0));
            metrics.slot_ended(job, Stage::Train, Outcome::Ok, Some(1.0), 2.0);
            metrics.step_seconds(job, Stage::Train, "fit", 3.0);
            metrics.job(job, &JobFigures::default());
            metrics.score(job, Some(1.0), Some(1.0), Some(0.0), &[(80.0, 0.8)]);
            metrics.training(job, 10);
        }
        let before = metrics.render(100.0).matches("job=\"price\"").count();
        metrics.forget("load");
        let text = metrics.render(100.0);
        assert!(!text.contains("job=\"load\""), "{text}");
        assert_eq!(text.matches("job=\"price\"").count(), before);
    }

    #[test]
    fn the_process_is_described_under_both_names() {
        let text = Metrics::new().render(100.0);
        assert!(text.contains("\ns4cast_build_info{"), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
            assert!(text.contains("\ns4cast_process_resident_memory_bytes "), "{text}");
        }
    }
}
