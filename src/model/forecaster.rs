//! A trained forecaster of a panel: fit, predict, save.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;

use crate::model::artifact;
use crate::model::checkpoint::{self, Journal};
use crate::model::components::{self, Components};
use crate::model::control::{Conditions, Predecessor, Stopped};
use crate::model::fit;
use crate::model::group::{Group, Served};
use crate::model::known::Known;
use crate::model::memory::{Memory, Remembered};
use crate::model::predict::{self, Made, Reading, Seen};
use crate::model::rate::{Match, Rate};
use crate::model::report::{Counter, FitReport, Progress, Unit};
use crate::model::sampling::Sampled;
use crate::model::spec::ModelSpec;
use crate::model::stored;
use crate::model::wall::{self, Wall};
use crate::series::{Covariate, Ends, Forecasts, Frequency, Panel, Series, SeriesForecast, Status};

pub use crate::model::artifact::LoadError;
pub use crate::model::control::{Control, Extent};

/// Why no forecaster could be trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing to learn from.
    #[error("the panel holds no series; every series was left out or the input is empty")]
    EmptyPanel,
    /// It was told to stop.
    #[error("training was stopped; it goes on from its checkpoint when it is started again")]
    Stopped,
}

impl From<Stopped> for ModelError {
    fn from(_: Stopped) -> ModelError {
        ModelError::Stopped
    }
}

/// A trained forecaster: one group per frequency of the panel it was trained on.
#[derive(Clone)]
pub struct Forecaster {
    spec: ModelSpec,
    groups: Vec<Group>,
    known: Known,
}

/// What training gave.
pub struct Fitted {
    /// Ready to predict.
    pub forecaster: Forecaster,
    /// The same before it saw the last steps, to be compared with other forecasters there.
    pub unseen: Unseen,
    /// How each group of series (one frequency each) was trained.
    pub reports: Vec<FitReport>,
}

/// A forecaster as it was judged, before it was trained again on everything.
///
/// On series cut off within those last steps, [`Forecaster::predict`] gives the forecasts that the score of the report
/// was taken from. No weight, choice or interval depends on a value in them, but for what the whole history is asked
/// for: the season length, whether all values are positive, and the scale of series too short to train on, all of whose
/// values the fit holds back.
pub struct Unseen {
    /// Its intervals are those that had not seen the tail either. What learns nothing before it forecasts (seasonal naive,
    /// `ets`, `mstl`) is as it serves.
    pub forecaster: Forecaster,
    /// What it has seen of the series, by frequency as people write it (`1h`).
    pub extents: BTreeMap<String, Extent>,
}

impl Unseen {
    /// Last steps of every series of a frequency that it has not seen; 0 where they are too short to hold a tail back.
    pub fn steps(&self, frequency: &str) -> usize {
        self.extents.get(frequency).map_or(0, |extent| extent.tail)
    }

    /// Its group of a frequency, and how far that had looked.
    fn group(&self, frequency: Frequency) -> Option<Predecessor<'_>> {
        let (group, extent) = (self.forecaster.group(frequency)?, *self.extents.get(&frequency.to_string())?);
        Some(Predecessor { group, extent })
    }
}

impl Forecaster {
    /// Trains on a panel.
    ///
    /// With a folder for checkpoints, a fit that was stopped or killed goes on where it was, provided that data,
    /// settings and code are the same; without a deadline it ends with the same weights as if nothing had happened.
    ///
    /// # Errors
    /// If the panel is empty, or the fit is told to stop.
    pub fn fit(panel: &Panel, spec: &ModelSpec, control: &Control) -> Result<Fitted, ModelError> {
        let panel = &*wall::read(panel, spec.horizon());
        let by_frequency = by_frequency(panel);
        if by_frequency.is_empty() {
            return Err(ModelError::EmptyPanel);
        }
        let key = || checkpoint::key(panel, spec, control.champion);
        let journal = control.checkpoints.map(|folder| Journal::open(folder, key()));
        let journal = RefCell::new(journal.unwrap_or_default());
        let used = journal.borrow().used();
        let deadline = control.deadline.map(|end| end.checked_sub(used).unwrap_or_else(Instant::now));
        let (mut groups, mut unseen, mut reports) = (Vec::new(), Vec::new(), Vec::new());
        let mut extents = BTreeMap::new();
        let count = by_frequency.len() as u32;
        for (index, (frequency, series)) in by_frequency.into_iter().enumerate() {
            // The groups yet to come share what is left of the budget.
            let deadline = deadline.map(|end| {
                let now = Instant::now();
                now + end.saturating_duration_since(now) / (count - index as u32)
            });
            let (watch, stop, journal) = (control.watch, control.stop, &journal);
            let champion = control.champion.and_then(|champion| champion.group(frequency));
            let covariates = &panel.covariates;
            let conditions = Conditions { deadline, watch, stop, journal, champion, covariates };
            conditions.go_on()?;
            let outcome = fit::fit(&series, frequency, spec, &conditions)?;
            groups.push(outcome.served);
            unseen.push(outcome.unseen);
            extents.insert(frequency.to_string(), outcome.extent);
            reports.push(outcome.report);
        }
        journal.into_inner().close();
        let known = Known::of(&panel.series);
        let of = |groups: Vec<Group>| Forecaster { spec: spec.clone(), groups, known: known.clone() };
        let unseen = Unseen { forecaster: of(unseen), extents };
        Ok(Fitted { forecaster: of(groups), unseen, reports })
    }

    /// The forecaster that [`Forecaster::to_bytes`] wrote: it forecasts the same to the last bit. Bytes of any origin
    /// are safe; see [`LoadError`] for what is refused. Declared season and budget of the settings are not kept.
    ///
    /// # Errors
    /// If the bytes are damaged, of another format or no forecaster.
    pub fn from_bytes(bytes: &[u8]) -> Result<Forecaster, LoadError> {
        let (spec, groups, known) = stored::read(bytes)?;
        Ok(Forecaster { spec, groups, known })
    }

    /// Whether a network is part of it.
    pub fn has_network(&self) -> bool {
        self.groups.iter().filter_map(Group::ensemble).any(|ensemble| ensemble.has_network())
    }

    /// Whether forecasts depend on raw observations, which no memory keeps.
    fn reads_observations(&self) -> bool {
        let reads = |group: &Group| matches!(&group.served, Served::Ensemble(one) if one.events.is_some());
        self.groups.iter().any(reads)
    }

    /// The settings it was trained with.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Forecasts every series of the panel from its own end.
    ///
    /// Bounds of the settings hold for every value. A series that the model cannot forecast (too short, or of a
    /// frequency it was not trained on) gets seasonal naive, and its status says so. So does one that the panel marks
    /// as looking wrong. Where a clock changes within the inputs or the horizon, steps below a day are read by the wall clock of
    /// the panel's zone. One that it was not trained on is forecast by what it learnt of the others, with status
    /// `cold_start`.
    pub fn predict(&self, panel: &Panel) -> Forecasts {
        self.predict_at(panel, &[])
    }

    /// Forecasts every series of the panel as [`Forecaster::predict`] does, at the rates that [`Forecaster::matches`] found:
    /// as many rows as the horizon lasts in the time of the model. A frequency without a match is forecast at its own.
    pub fn predict_at(&self, panel: &Panel, matches: &[Match]) -> Forecasts {
        self.predict_watched(panel, matches, &|_| {})
    }

    /// As [`Forecaster::predict_at`]; `watch` hears how far it is, where models are fitted to each series.
    pub fn predict_watched(
        &self,
        panel: &Panel,
        matches: &[Match],
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Forecasts {
        self.predict_among(panel, matches, &Ends::default(), watch)
    }

    /// As [`Forecaster::predict_watched`], of some of the series: the others end where `ends` says.
    pub fn predict_among(
        &self,
        panel: &Panel,
        matches: &[Match],
        ends: &Ends,
        watch: &(dyn Fn(Progress) + Sync),
    ) -> Forecasts {
        let is_slow = self.groups.iter().any(Group::fits_each);
        let counter = is_slow.then(|| Counter::new(watch, "forecasting", panel.series.len(), Unit::Series));
        let told = || counter.iter().for_each(Counter::one);
        let (spec, marks, covariates) = (&self.spec, &panel.marks, &panel.covariates[..]);
        let mut all = Vec::with_capacity(panel.series.len());
        for (data, series) in by_frequency(panel) {
            let found = matches.iter().find(|found| found.data == data);
            let group = self.group(found.map_or(data, |found| found.model));
            let rate = found.map_or(Rate::Same, |found| found.rate);
            let reach = rate.rows(self.reading(group.map_or(data, |group| group.frequency)).reach);
            let wall = |one: &&Series| Wall::of(one, reach, rate.rows(spec.horizon()), &panel.zone);
            let walls: Vec<Option<Wall>> = series.iter().map(wall).collect();
            let read = |(one, wall): (&&Series, &Option<Wall>)| wall.as_ref().map(|wall| wall.read(one));
            let read: Vec<Option<Series>> = series.iter().zip(&walls).map(read).collect();
            let seen: Vec<&Series> =
                series.iter().zip(&read).map(|(one, read)| read.as_ref().unwrap_or(one)).collect();
            let made = match group {
                Some(group) => Sampled { spec, group, data, rate, marks, covariates }.forecasts(&seen, &told),
                None => predict::forecasts(spec, group, &seen, marks, covariates, &told),
            };
            let back = |(made, wall): (Made, &Option<Wall>)| match wall {
                Some(wall) => wall.back(made),
                None => made,
            };
            let made = made.into_iter().zip(&walls).map(back);
            let outlooks = series.into_iter().zip(made).filter_map(|(one, made)| {
                let is_marked = marks.get(&one.unique_id) == Some(&Status::Stale);
                let (unique_id, keys, cutoff) = (&one.unique_id, &one.keys, one.cutoff()?);
                Some(Outlook { unique_id, keys, cutoff, is_marked, made })
            });
            all.extend(self.published(data, group, outlooks.collect(), (&panel.zone, ends)));
        }
        self.in_order(all)
    }

    /// Whether what it keeps of a panel is of use: not where it averages models that look at whole series, nor where it reads
    /// covariates, of which nothing is kept.
    pub fn remembers(&self) -> bool {
        let looks_elsewhere =
            |group: &Group| matches!(group.served, Served::Blend(_)) || group.encoding.width() > 0;
        !self.groups.iter().any(looks_elsewhere)
    }

    /// What this forecaster needs of a panel to forecast it, and to go on as new rows come; the last `steps` of every series
    /// are kept in any case.
    pub fn remember(&self, panel: &Panel, steps: usize) -> Memory {
        let frequencies = by_frequency(panel).into_iter().map(|(frequency, _)| frequency);
        let readings = frequencies.map(|frequency| (frequency.to_string(), self.reading(frequency)));
        Memory::of(panel, readings.collect(), steps)
    }

    /// The forecasts of the panel that a memory stands for, to the last bit those of [`Forecaster::predict`], in a time that
    /// does not depend on how long its series are. `None` if this forecaster looks at them in another way than the one that
    /// remembered, if it reads raw observations or covariates, if seasonal naive has to stand in for a long series, which looks
    /// further back, or if a clock changes within what it looks at.
    pub fn predict_remembered(&self, memory: &Memory, zone: &TimeZone) -> Option<Forecasts> {
        // A blend fits models to the whole of a series, and covariates are not remembered.
        let is_able = self.remembers() && !self.reads_observations();
        if !is_able || !memory.is_read_as(|frequency| self.reading(frequency)) {
            return None;
        }
        let changes = |one: &Remembered| {
            let reach = self.reading(one.frequency).reach;
            wall::changes(zone, one.frequency, (one.start, one.cutoff), reach, self.spec.horizon())
        };
        if memory.series.iter().any(changes) {
            return None;
        }
        let mut groups: BTreeMap<String, (Frequency, Vec<&Remembered>)> = BTreeMap::new();
        for one in &memory.series {
            let group = groups.entry(one.frequency.to_string());
            group.or_insert_with(|| (one.frequency, Vec::new())).1.push(one);
        }
        let mut all = Vec::with_capacity(memory.series.len());
        for (frequency, series) in groups.into_values() {
            let Reading { season, reach, .. } = self.reading(frequency);
            let seen = series.iter().map(|one| Seen {
                unique_id: &one.unique_id,
                past: one.kept.past(season, reach),
                before: &one.kept.before,
                values: &one.kept.tail,
                observed: None,
                features: Arc::default(),
                is_suspect: false,
            });
            let made = predict::of_seen(&self.spec, self.group(frequency), &seen.collect::<Vec<_>>(), &|| {});
            let outlooks = series.iter().zip(made).map(|(one, made)| {
                let (unique_id, keys, cutoff) = (&one.unique_id, &one.keys, one.cutoff);
                Some(Outlook { unique_id, keys, cutoff, is_marked: false, made: made? })
            });
            let outlooks: Option<Vec<Outlook<'_>>> = outlooks.collect();
            all.extend(self.published(frequency, self.group(frequency), outlooks?, (zone, &Ends::default())));
        }
        Some(self.in_order(all))
    }

    /// Names of a panel's categories that no series it was trained on had, by covariate: to it they are none of the others.
    pub fn unknown_names(&self, covariates: &[Covariate]) -> BTreeMap<String, Vec<String>> {
        let mut groups = self.groups.iter().map(|group| group.encoding.unknown_names(covariates));
        let mut unknown = groups.next().unwrap_or_default();
        for known_less in groups {
            unknown.retain(|covariate, names| {
                let also = known_less.get(covariate);
                names.retain(|name| also.is_some_and(|also| also.contains(name)));
                !names.is_empty()
            });
        }
        unknown
    }

    fn reading(&self, frequency: Frequency) -> Reading {
        Reading::of(&self.spec, self.group(frequency))
    }

    fn in_order(&self, mut series: Vec<SeriesForecast>) -> Forecasts {
        series.sort_by(|a, b| a.unique_id.cmp(&b.unique_id));
        Forecasts { quantile_levels: self.spec.quantile_levels().to_vec(), series }
    }

    /// What the point forecast of one series of the panel, from its own end, is made of; `None` if there is no such series.
    pub fn components(&self, panel: &Panel, unique_id: &str) -> Option<Components> {
        let series = panel.series.iter().find(|series| series.unique_id == unique_id)?;
        components::of(&self.spec, self.group(series.frequency), series, panel)
    }

    /// What it consists of, in the order of the names of their frequencies.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn group(&self, frequency: Frequency) -> Option<&Group> {
        self.groups.iter().find(|group| group.frequency == frequency)
    }

    /// Forecasts of series of one frequency as they are published: inside the bounds, with their times.
    fn published(
        &self,
        frequency: Frequency,
        group: Option<&Group>,
        series: Vec<Outlook<'_>>,
        (zone, ends): (&TimeZone, &Ends),
    ) -> Vec<SeriesForecast> {
        let end = ends.of(frequency, series.iter().map(|one| one.cutoff).max());
        // What is fitted where it forecasts knows no series beforehand.
        let served = group.map(|group| &group.served);
        let is_learnt = matches!(served, Some(Served::Ensemble(_) | Served::Counts(_) | Served::Blend(_)));
        let forecast = |one: Outlook<'_>| {
            let made = one.made.bounded(self.spec.bounds());
            let Made { point, quantiles, reach, status, model_id, weights } = made;
            let times = frequency.after(one.cutoff, point.len(), zone);
            let is_stale = one.is_marked || times.last().copied() <= end;
            let is_new = is_learnt && self.known.is_new(one.unique_id);
            SeriesForecast {
                unique_id: one.unique_id.to_owned(),
                keys: one.keys.to_vec(),
                cutoff: one.cutoff,
                times,
                point,
                quantiles,
                reach,
                status: match status {
                    Status::Ok if is_stale => Status::Stale,
                    Status::Ok if is_new => Status::ColdStart,
                    status => status,
                },
                model_id: model_id.to_owned(),
                weights: weights.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect(),
            }
        };
        series.into_iter().map(forecast).collect()
    }

    /// SHA-256 of the saved form, lower-case hex.
    pub fn weights_sha256(&self) -> String {
        artifact::sha256(&self.to_bytes())
    }

    /// All weights as safetensors.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut weights = Vec::new();
        for group in &self.groups {
            let prefix = format!("{}.", group.frequency);
            group.ensemble().into_iter().for_each(|ensemble| ensemble.weights(&prefix, &mut weights));
            match &group.served {
                Served::Counts(head) => weights.push(stored::count_weights(head, &prefix)),
                Served::Blend(blend) => {
                    weights.extend(blend.conformal.iter().map(|one| one.weights(&format!("{prefix}blend."))));
                }
                Served::Ensemble(_) | Served::Local { .. } | Served::SeasonalNaive { .. } => {}
            }
        }
        artifact::to_bytes(&weights, &stored::describe(&self.spec, &self.groups, &self.known))
            .expect("names are unique and shapes fit their values")
    }
}

/// What was made of one series, and whose it is.
struct Outlook<'a> {
    unique_id: &'a str,
    keys: &'a [String],
    cutoff: i64,
    /// Whether the data says that it is stale.
    is_marked: bool,
    made: Made,
}

/// Series of one frequency each, in a fixed order.
pub(super) fn by_frequency(panel: &Panel) -> Vec<(Frequency, Vec<&Series>)> {
    let mut groups: BTreeMap<String, (Frequency, Vec<&Series>)> = BTreeMap::new();
    for series in &panel.series {
        let entry =
            groups.entry(series.frequency.to_string()).or_insert_with(|| (series.frequency, Vec::new()));
        entry.1.push(series);
    }
    groups.into_values().collect()
}
