//! What to read, checked.

use crate::config::Key;
use crate::config::check::{Check, policy, whole};
use crate::config::covariates::named;
use crate::config::words::{self, Wrong};
use crate::hierarchy::{Method, Pooling};
use crate::ingest::{
    CovariateSpec, Flat, LevelShift, Sampling, SourceSpec, SpikeAction, Spikes, Stale, SumsSpec,
    SuspectAction,
};
use jiff::tz::TimeZone;

/// In the order of the words for them.
const ACTIONS: [SuspectAction; 3] = [SuspectAction::Warn, SuspectAction::Quarantine, SuspectAction::Fallback];

/// Robust deviations from which on a level moved, where nothing is written.
const SHIFT_THRESHOLD: f64 = 3.5;

/// A year of minutes is no window.
const SHIFT_STEPS_MAX: usize = 100_000;

impl Check<'_> {
    pub(super) fn source(&mut self) -> SourceSpec {
        if !self.settings.has(Key::Exec) {
            self.demand(
                Key::Inputs,
                "no input: name a CSV or Parquet file, a glob or a folder, or inputs under [source]; or a command with \
                 --exec",
            );
        }
        let texts = |text: &str| Ok(text.to_string());
        let zone = self.one(Key::Tz, words::zone);
        let civil = zone.clone().unwrap_or(TimeZone::UTC);
        let covariates = self.covariates();
        SourceSpec {
            exec: self.exec(),
            id: self.many(Key::Id, texts),
            time: self.text(Key::Time),
            target: self.text(Key::Target),
            sums: self.sums(&covariates),
            covariates,
            almanac: self.almanac(),
            frequency: self.one(Key::Freq, |text| Ok(text.parse()?)),
            sampling: self.sampling(),
            duplicates: self.one(Key::Duplicates, policy).unwrap_or_default(),
            gaps: self.one(Key::Gaps, policy).unwrap_or_default(),
            order: self.one(Key::Order, policy).unwrap_or_default(),
            max_bad_series: self.one(Key::MaxBadSeries, |text| Ok(text.parse()?)).unwrap_or_default(),
            as_of: self.one(Key::AsOf, |text| words::instant(text, &civil)),
            zone,
            latency_offset: self.one(Key::LatencyOffset, words::span),
            stale: self.stale(),
            flat: self.flat(),
            spikes: self.spikes(),
            level_shift: self.level_shift(),
            max_bytes: self.one(Key::MaxBytes, words::size),
            max_rows: self.one(Key::MaxRows, words::whole),
            ..SourceSpec::new(self.many(Key::Inputs, texts))
        }
    }

    /// Irregular times go with nothing that speaks of the rows of a grid.
    fn sampling(&mut self) -> Sampling {
        let sampling = self.one(Key::Sampling, policy).unwrap_or_default();
        if sampling == Sampling::Irregular {
            let others = [
                Key::Gaps,
                Key::LatencyOffset,
                Key::PastCovariates,
                Key::FutureCovariates,
                Key::StaticCovariates,
                Key::Hierarchy,
            ];
            for key in others {
                let item = self.settings.get(key).first();
                if let Some(item) = item {
                    let name = key.name();
                    let message =
                        format!("{name} with sampling = \"irregular\", whose rows stand on no grid");
                    let help = format!("leave {name} out, or resample the series and read them as regular");
                    self.problem(key, item, Wrong::new(message, &help));
                }
            }
        }
        sampling
    }

    /// Which sums are forecast; the total is always among them.
    fn sums(&mut self, covariates: &CovariateSpec) -> SumsSpec {
        let level = |text: &str| match text.trim() {
            "total" => Ok(Vec::new()),
            text => Ok(text.split('/').map(|column| column.trim().to_owned()).collect()),
        };
        let levels: Vec<Vec<String>> = self.many(Key::Hierarchy, level);
        let method = self.one(Key::Reconcile, |text| Ok(text.parse::<Method>()?));
        if let Some(item) = self.settings.get(Key::Reconcile).first()
            && levels.is_empty()
        {
            let help = "write for example hierarchy = [\"total\"]";
            self.problem(Key::Reconcile, item, Wrong::new("reconcile without hierarchy".into(), help));
        }
        let poolings = self.many(Key::HierarchyCovariates, |text| match text.rsplit_once('=') {
            None => Ok((None, policy::<Pooling>(text)?)),
            Some((column, word)) => {
                let help = "name it in one of the three lists of covariates too";
                let column = named(column.trim(), covariates.columns.iter(), "no covariate", help)?;
                Ok((Some(column), policy(word)?))
            }
        });
        if let Some(item) = self.settings.get(Key::HierarchyCovariates).first()
            && levels.is_empty()
        {
            let help = "write for example hierarchy = [\"total\"]";
            let wrong = Wrong::new("hierarchy_covariates without hierarchy".into(), help);
            self.problem(Key::HierarchyCovariates, item, wrong);
        }
        let pooling = poolings.iter().find(|(column, _)| column.is_none()).map(|(_, pooling)| *pooling);
        let pooling_of = poolings.into_iter().filter_map(|(column, pooling)| Some((column?, pooling)));
        SumsSpec {
            levels: (!levels.is_empty()).then_some(levels),
            method: method.unwrap_or(SumsSpec::default().method),
            pooling: pooling.unwrap_or_default(),
            pooling_of: pooling_of.collect(),
        }
    }

    fn stale(&mut self) -> Option<Stale> {
        let after = self.one(Key::StaleAfter, words::positive_span);
        let action = self.action(Key::OnStale, Key::StaleAfter);
        Some(Stale { after: after?, action })
    }

    fn spikes(&mut self) -> Option<Spikes> {
        let threshold = self.one(Key::SpikeThreshold, |text| deviations("spike_threshold", text));
        self.condition(Key::OnSpike, Key::SpikeThreshold);
        let suspect = ACTIONS.map(SpikeAction::Suspect);
        let action = self.choice(Key::OnSpike, &[suspect[0], suspect[1], suspect[2], SpikeAction::Mask]);
        Some(Spikes { threshold: threshold?, action })
    }

    fn level_shift(&mut self) -> Option<LevelShift> {
        let steps = self.between(Key::ShiftSteps, 2, SHIFT_STEPS_MAX);
        self.condition(Key::ShiftThreshold, Key::ShiftSteps);
        let threshold = self.one(Key::ShiftThreshold, |text| deviations("shift_threshold", text));
        let action = self.action(Key::OnShift, Key::ShiftSteps);
        Some(LevelShift { steps: steps?, threshold: threshold.unwrap_or(SHIFT_THRESHOLD), action })
    }

    fn flat(&mut self) -> Option<Flat> {
        let steps = self.one(Key::FlatSteps, |text| match whole(text)? {
            steps @ 2.. => Ok(steps),
            steps => {
                let message = format!("flat_steps {steps} would call every series flat");
                Err(Wrong::new(message, "write 2 or more"))
            }
        });
        let action = self.action(Key::OnFlat, Key::FlatSteps);
        Some(Flat { steps: steps?, action })
    }

    /// What becomes of suspect series; it means nothing without the key that says which ones are suspect.
    fn action(&mut self, key: Key, condition: Key) -> SuspectAction {
        self.condition(key, condition);
        self.choice(key, &ACTIONS)
    }

    /// Notes a key without the one that it belongs to.
    fn condition(&mut self, key: Key, condition: Key) {
        if let Some(item) = self.settings.get(key).first()
            && !self.settings.has(condition)
        {
            let message = format!("{} without {}", key.name(), condition.name());
            let help = format!("write for example {} = {}", condition.name(), condition.row().example);
            self.problem(key, item, Wrong::new(message, &help));
        }
    }
}

/// A number of robust deviations, above zero.
fn deviations(name: &str, text: &str) -> Result<f64, Wrong> {
    match words::number(text)? {
        number if number.is_finite() && number > 0.0 => Ok(number),
        number => Err(Wrong::new(format!("{name} {number} is not above zero"), "write for example 8")),
    }
}
