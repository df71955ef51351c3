//! Sinks and jobs, checked: names become what they refer to.

use crate::config::check::{Check, flag};
use crate::config::daemon::{Checked, Parts};
use crate::config::key::Shape;
use crate::config::reader::did_you_mean;
use crate::config::values::sha256;
use crate::config::words::{self, Wrong};
use crate::config::{Key, Settings};
use crate::pipeline::{Fallback, JobSpec, Promotion};
use crate::publish::{Format, Naming, SinkSpec};
use crate::schedule::spec::{DaemonSpec, JobPlan, ScheduleSpec};
use jiff::SignedDuration;
use std::sync::Arc;

/// Grace of a sink where nothing is written.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Versions to keep where nothing is written.
const KEEP_VERSIONS: usize = 10;

/// Runs in shadow where nothing is written, and at most: no more are compared.
const SHADOW_RUNS: usize = 7;
const SHADOW_RUNS_MAX: usize = 250;

impl Check<'_> {
    pub(super) fn sink(&mut self, name: &str, daemon: &DaemonSpec) -> Option<SinkSpec> {
        self.demand(Key::SinkPath, "");
        let place = self.sink_place(name, daemon);
        let format = self.choice(Key::Format, &[Format::Parquet, Format::Csv]);
        let naming = self.choice(Key::Columns, &[Naming::V1, Naming::Nixtla]);
        let retention = self.one(Key::Retention, words::positive_span);
        let grace = self.one(Key::Grace, words::span).unwrap_or(GRACE);
        let (path, remote) = place?;
        Some(SinkSpec { name: name.into(), path, format, naming, retention, grace, remote })
    }

    pub(super) fn plan(&mut self, name: &str, parts: &Parts<'_>) -> Option<JobPlan> {
        let source = self.refer(Key::JobSource, &parts.sources);
        let model = self.refer(Key::JobModel, &parts.models);
        let sink = self.refer(Key::JobSink, &parts.sinks);
        let limit = self.one(Key::JobMaxBadSeries, |text| Ok(text.parse()?));
        let fallback = self.choice(Key::Fallback, &[Fallback::SeasonalNaive, Fallback::None]);
        let keep_versions = self.between(Key::KeepVersions, 1, 1_000_000).unwrap_or(KEEP_VERSIONS);
        let promotion = self.choice(
            Key::Promotion,
            &[Promotion::Gate, Promotion::Always, Promotion::Manual, Promotion::Shadow],
        );
        let is_adaptive = self.one(Key::Adaptive, flag).unwrap_or(true);
        let is_warm = self.one(Key::WarmStart, flag).unwrap_or(true);
        let shadow_runs = self.between(Key::ShadowRuns, 1, SHADOW_RUNS_MAX).unwrap_or(SHADOW_RUNS);
        let retrain = self.retrain();
        let anomaly = self.anomaly(model.as_ref().map_or(&[], |model| model.levels()));
        let segment = self.text(Key::Segment);
        let scenarios =
            self.scenarios(Key::JobScenarios, source.as_ref(), model.as_ref().map(|model| model.kind()));
        let on_new_data = self.one(Key::OnNewData, flag).unwrap_or(false);
        self.demand(Key::Forecast, "");
        let train = self.timing(Key::Train, &parts.schedules);
        let forecast = self.timing(Key::Forecast, &parts.schedules);
        let score = self.timing(Key::Score, &parts.schedules);
        for (key, needs) in
            [(Key::Retrain, Key::Train), (Key::Retrain, Key::Score), (Key::Anomaly, Key::Score)]
        {
            if self.settings.has(key) && !self.settings.has(needs) {
                let message = format!("{} without {} does nothing", key.name(), needs.name());
                let help = format!("write for example {} = {}", needs.name(), needs.row().example);
                self.problem_at(self.settings.place(key), Wrong::new(message, &help));
            }
        }
        if !scenarios.is_empty() && sink.as_ref().is_some_and(|sink| sink.naming == Naming::Nixtla) {
            let message = "the sink has columns = \"nixtla\", which have none for scenarios".into();
            let wrong = Wrong::new(message, "leave the scenarios out, or let the sink have columns = \"v1\"");
            self.problem_at(self.settings.place(Key::JobScenarios), wrong);
        }
        if on_new_data && source.as_ref().is_some_and(|source| source.exec.is_some()) {
            let message = "on_new_data looks at files, and the source is a command".into();
            let wrong = Wrong::new(
                message,
                "leave it out, and let forecast run as often as there may be something new",
            );
            self.problem_at(self.settings.place(Key::OnNewData), wrong);
        }
        if promotion == Promotion::Shadow && !self.settings.has(Key::Score) {
            let message =
                "promotion = \"shadow\" without score would never let a second version serve".into();
            let help = format!("write for example score = {}", Key::Score.row().example);
            self.problem_at(self.settings.place(Key::Promotion), Wrong::new(message, &help));
        }
        let (mut source, model, sink, forecast) = (source?, model?, sink?, forecast?);
        source.max_bad_series = limit.unwrap_or(source.max_bad_series);
        let source = source.reaching(model.horizon(), model.season_length());
        let job = JobSpec {
            name: name.into(),
            source_name: self.written(Key::JobSource),
            source,
            model_name: self.written(Key::JobModel),
            model,
            scenarios,
            sink,
            fallback,
            keep_versions,
            promotion,
            shadow_runs,
            is_adaptive,
            is_warm,
            retrain,
            anomaly,
            segment,
            config_sha256: self.deciding(parts).sha256(),
        };
        let fingerprint = fingerprint(&job, [&train, &Some(forecast.clone()), &score], on_new_data);
        Some(JobPlan { job: Arc::new(job), train, forecast, score, on_new_data, fingerprint })
    }

    fn written(&self, key: Key) -> String {
        self.settings.get(key).first().map(|item| item.text.clone()).unwrap_or_default()
    }

    /// What is written about source, model and job, as a one-shot job would have it.
    fn deciding(&self, parts: &Parts<'_>) -> Settings {
        let mut deciding = Settings::default();
        for key in [Key::JobSource, Key::JobModel] {
            let Shape::Name(table) = key.shape() else { continue };
            let settings = parts.document.named.get(&table).and_then(|all| all.get(&self.written(key)));
            deciding.values.extend(settings.into_iter().flat_map(|settings| settings.values.clone()));
        }
        // The slots of a daemon know their own time.
        deciding.values.remove(&Key::AsOf);
        deciding.values.extend(self.settings.values.clone());
        if let Some(limit) = deciding.values.remove(&Key::JobMaxBadSeries) {
            deciding.values.insert(Key::MaxBadSeries, limit);
        }
        if let Some(scenarios) = deciding.values.remove(&Key::JobScenarios) {
            deciding.values.insert(Key::Scenarios, scenarios);
        }
        deciding
    }

    /// What the name in a setting refers to; a name without a table is noted, one whose table is wrong is a problem already.
    pub(super) fn refer<T: Clone>(&mut self, key: Key, known: &Checked<T>) -> Option<T> {
        let Shape::Name(table) = key.shape() else { return None };
        self.demand(key, "");
        let item = self.settings.get(key).first()?;
        match known.all.get(&item.text) {
            Some(found) => return found.clone(),
            None if known.all.is_empty() && known.is_partial => return None,
            None => {}
        }
        let names: Vec<&str> = known.all.keys().map(String::as_str).collect();
        let help = match names.as_slice() {
            [] => format!("write a table [{}.{}]", table.name(), item.text),
            names => did_you_mean(&item.text, names.iter().copied())
                .unwrap_or_else(|| format!("choose one of {}", names.join(", "))),
        };
        self.problem(key, item, Wrong::new(format!("there is no [{}.{}]", table.name(), item.text), &help));
        None
    }
}

/// SHA-256 over everything that is known of a job. `Debug` shows every field of a spec, so that none can be forgotten.
fn fingerprint(job: &JobSpec, schedules: [&Option<ScheduleSpec>; 3], on_new_data: bool) -> String {
    sha256(format!("{job:?} {schedules:?} {on_new_data}"))
}
