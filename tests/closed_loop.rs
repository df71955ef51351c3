//! The closed loop, stage by stage at instants of our choice: scores, anomalies, promotion, rollback, retrain policy.

use jiff::SignedDuration;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::ingest::SourceSpec;
use s4cast::live::anomaly::{AnomalySpec, Direction};
use s4cast::live::drift::{Reason, RetrainSpec};
use s4cast::model::report::Progress;
use s4cast::model::spec::{ModelSpec, RawModelSpec};
use s4cast::pipeline::{
    Context, Fallback, Fate, Forecasted, JobSpec, Moment, Promotion, Scored, Sources, Trained, forecast,
    score, train,
};
use s4cast::publish::{self, AnomalyRow, Format, Naming, ScoreRow, SinkSpec};
use s4cast::registry::Registry;
use s4cast::schedule::run_id;
use s4cast::schedule::spec::Stage;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

pub const HOUR: i64 = 3_600_000_000;
pub const DAY: usize = 24;

/// A job with its own folders.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub job: JobSpec,
    pub registry: Registry,
    pub sources: Sources,
}

impl Place {
    pub fn new(change: impl FnOnce(&mut JobSpec)) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let model = RawModelSpec { season_length: Some(24), ..RawModelSpec::new("ridge", DAY) };
        let mut job = JobSpec {
            name: "load".into(),
            source_name: "meter".into(),
            source: SourceSpec::new(vec![at("in.csv").display().to_string()]),
            model_name: "day".into(),
            model: ModelSpec::try_from(model).unwrap(),
            scenarios: Vec::new(),
            sink: SinkSpec {
                name: "lake".into(),
                path: at("out"),
                format: Format::Parquet,
                naming: Naming::V1,
                retention: None,
                grace: SignedDuration::from_hours(1),
                remote: None,
            },
            fallback: Fallback::SeasonalNaive,
            keep_versions: 9,
            promotion: Promotion::Gate,
            shadow_runs: 7,
            is_adaptive: true,
            is_warm: true,
            retrain: None,
            anomaly: None,
            segment: None,
            config_sha256: String::new(),
        };
        change(&mut job);
        let registry = Registry::at(at("models"));
        Place { folder, job, registry, sources: Sources::default() }
    }

    /// Hourly values from the start of 1970, all of them in the file whatever the time.
    pub fn write(&self, values: &[f64]) {
        let row = |(hour, value): (usize, &f64)| {
            let stamp = jiff::Timestamp::from_microsecond(hour as i64 * HOUR).unwrap();
            format!("{stamp},a,{value}\n")
        };
        let rows: String = values.iter().enumerate().map(row).collect();
        std::fs::write(self.folder.path().join("in.csv"), format!("ds,unique_id,y\n{rows}")).unwrap();
    }

    /// Days of hourly values, each in a file of its own, of two series that differ by ten.
    fn write_days(&self, values: &[f64], days: Range<usize>) {
        let folder = self.folder.path().join("days");
        std::fs::create_dir_all(&folder).unwrap();
        for day in days {
            self.write_day(day, &values[day * DAY..(day + 1) * DAY]);
        }
    }

    fn write_day(&self, day: usize, values: &[f64]) {
        let mut rows = String::from("ds,unique_id,y\n");
        for (hour, value) in values.iter().enumerate() {
            let stamp = jiff::Timestamp::from_microsecond((day * DAY + hour) as i64 * HOUR).unwrap();
            rows += &format!("{stamp},a,{value}\n{stamp},b,{}\n", value + 10.0);
        }
        std::fs::write(self.folder.path().join(format!("days/{day:04}.csv")), rows).unwrap();
    }

    /// Forgets what was read and remembered.
    fn forget(&mut self) {
        self.sources = Sources::default();
        drop(std::fs::remove_dir_all(self.folder.path().join("memory")));
    }

    fn at<T>(&self, stage: Stage, hour: usize, work: impl FnOnce(&Context) -> T) -> T {
        let slot = hour as i64 * HOUR;
        let moment =
            Moment { issued_at: slot, created_at: slot, run_id: run_id(&self.job.name, stage, slot) };
        self.with(&moment, work)
    }

    pub fn with<T>(&self, moment: &Moment, work: impl FnOnce(&Context) -> T) -> T {
        work(&Context {
            budget: &Default::default(),
            registry: &self.registry,
            sources: &self.sources,
            state: self.folder.path(),
            known: &[],
            moment,
            asked_at: i64::MIN,
            stop: &AtomicBool::new(false),
            watch: &|_: Progress| {},
            holds: &|| true,
        })
    }

    pub fn train(&self, hour: usize) -> Trained {
        self.at(Stage::Train, hour, |context| train(&self.job, context)).unwrap()
    }

    pub fn forecast(&self, hour: usize) -> Forecasted {
        self.at(Stage::Forecast, hour, |context| forecast(&self.job, context, false, false)).unwrap()
    }

    pub fn score(&self, hour: usize) -> Scored {
        self.at(Stage::Score, hour, |context| score(&self.job, context)).unwrap()
    }

    pub fn champion(&self) -> u32 {
        self.registry.champion("load").unwrap().unwrap().version
    }

    pub fn sink(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub fn scores(&self) -> Vec<ScoreRow> {
        publish::read_scores(&publish::scores_path(&self.sink(), "load").unwrap()).unwrap()
    }

    fn anomalies(&self) -> Vec<AnomalyRow> {
        publish::read_anomalies(&publish::anomalies_path(&self.sink(), "load").unwrap()).unwrap()
    }
}

/// Days of a load curve with noise.
pub fn load(days: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut noise = 0.0;
    (0..days * DAY)
        .map(|hour| {
            noise = 0.6 * noise + rng.random_range(-2.0..2.0);
            50.0 + 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin() + noise
        })
        .collect()
}

fn whole(rows: &[ScoreRow]) -> Vec<&ScoreRow> {
    s4cast::live::review::whole_runs(rows).collect()
}

#[test]
fn every_vintage_is_scored_once_its_time_has_come() {
    let place = Place::new(|job| job.segment = Some("unique_id".into()));
    place.write(&load(60, 1));
    place.train(40 * DAY);
    assert!(place.score(40 * DAY).score.is_none(), "nothing is published yet");
    (40..50).for_each(|day| drop(place.forecast(day * DAY)));
    // The newest of ten runs has seen half of its hours come.
    let scored = place.score(49 * DAY + 12);
    assert_eq!((scored.compared, scored.runs), (10, 10));
    let rows = place.scores();
    let runs = whole(&rows);
    assert_eq!(runs.iter().map(|row| row.points).collect::<Vec<_>>(), [vec![24; 9], vec![12]].concat());
    assert_eq!(runs.iter().filter(|row| row.is_final).count(), 8);
    let score = scored.score.unwrap();
    assert!(score.mase < score.mase_seasonal_naive && score.mase > 0.1, "{score:?}");
    let (level, share) = score.coverage[0];
    assert!(level == 80.0 && (0.65..0.95).contains(&share), "{share}");
    // A run has a row over all steps, five bands and one segment.
    assert_eq!(rows.iter().filter(|row| row.run_id == runs[0].run_id).count(), 1 + 5 + 1);
    // What is final is not compared again, and stays.
    let again = place.score(55 * DAY);
    assert_eq!((again.compared, again.runs), (2, 10));
    assert!(whole(&place.scores()).iter().all(|row| row.is_final && row.points == 24));
    assert_eq!(place.score(56 * DAY).compared, 0);
}

#[test]
fn a_segment_that_no_series_has_is_said_and_stops_nothing() {
    let place = Place::new(|job| job.segment = Some("region".into()));
    place.write(&load(45, 10));
    place.train(40 * DAY);
    place.forecast(41 * DAY);
    let scored = place.score(43 * DAY);
    assert!(scored.shortfalls[0].contains("no id column 'region'; the id columns are unique_id"));
    assert_eq!(scored.runs, 1);
}

/// A job that reads a folder of days.
fn of_days(change: impl FnOnce(&mut JobSpec)) -> Place {
    let mut place = Place::new(change);
    place.job.source.inputs = vec![place.folder.path().join("days").display().to_string()];
    place
}

#[test]
fn a_slot_that_remembers_publishes_what_one_that_reads_everything_would() {
    let mut place = of_days(|_| {});
    let values = load(80, 11);
    place.write_days(&values, 0..40);
    place.train(40 * DAY - 1);
    let mut remembered = 0;
    for day in 40..62 {
        // The day before is complete, this one has begun.
        place.write_day(day - 1, &values[(day - 1) * DAY..day * DAY]);
        place.write_day(day, &values[day * DAY..day * DAY + 5]);
        // A process of its own, as one that is started for every slot.
        place.sources = Sources::default();
        let hour = day * DAY + 4;
        let run = place.forecast(hour);
        remembered += usize::from(run.is_remembered);
        let memory = place.folder.path().join("memory");
        std::fs::rename(&memory, place.folder.path().join("kept")).unwrap();
        place.sources = Sources::default();
        let whole = place.forecast(hour);
        assert!(!whole.is_remembered);
        assert_eq!(run.run.sha256, whole.run.sha256, "day {day}");
        let (source, read) = (run.source.unwrap(), whole.source.unwrap());
        assert_eq!(source.report.fingerprint, read.report.fingerprint);
        assert_eq!((source.report.rows, source.report.span), (read.report.rows, read.report.span));
        if run.is_remembered {
            assert!(source.bytes_read < read.bytes_read / 3, "{} {}", source.bytes_read, read.bytes_read);
        }
        std::fs::remove_dir_all(&memory).unwrap();
        std::fs::rename(place.folder.path().join("kept"), &memory).unwrap();
    }
    assert!(remembered >= 19, "{remembered} of 22");
}

#[test]
fn a_slot_that_remembers_tells_of_files_that_are_left_out_now() {
    let mut place = of_days(|job| job.is_adaptive = false);
    let values = load(80, 13);
    place.write_days(&values, 0..46);
    place.train(45 * DAY);
    place.forecast(46 * DAY);
    let empty = place.folder.path().join("days/empty.csv");
    let mut next = |hour: usize| {
        place.sources = Sources::default();
        let run = place.forecast(hour);
        assert!(run.is_remembered);
        run.shortfalls
    };
    assert!(next(46 * DAY + 1).is_empty());
    std::fs::write(&empty, "").unwrap();
    assert_eq!(next(46 * DAY + 2), ["1 file skipped"]);
    std::fs::remove_file(&empty).unwrap();
    assert!(next(46 * DAY + 3).is_empty());
}

#[test]
fn whatever_does_not_follow_has_everything_read_again() {
    let mut place = of_days(|job| job.is_adaptive = false);
    let values = load(80, 12);
    place.write_days(&values, 0..46);
    place.train(45 * DAY);
    place.forecast(46 * DAY);
    let mut day = 46;
    let mut next = |place: &mut Place| {
        place.write_days(&values, day..day + 1);
        day += 1;
        place.sources = Sources::default();
        let run = place.forecast(day * DAY);
        place.forget();
        let whole = place.forecast(day * DAY);
        assert!(!whole.is_remembered);
        assert_eq!(run.run.sha256, whole.run.sha256, "day {day}");
        run.is_remembered
    };
    let page = |place: &Place| place.folder.path().join("memory/load.bin");
    assert!(next(&mut place), "nothing is odd");

    place.write_day(20, &values[30 * DAY..31 * DAY]);
    assert!(!next(&mut place), "a settled file was revised");
    let mut bytes = std::fs::read(page(&place)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(page(&place), bytes).unwrap();
    assert!(!next(&mut place), "the page is damaged");
    std::fs::write(page(&place), b"").unwrap();
    assert!(!next(&mut place), "the page is empty");

    let late = place.folder.path().join("days/late.csv");
    std::fs::write(&late, "ds,unique_id,y\n1970-02-10T00:00:00Z,c,1\n").unwrap();
    assert!(!next(&mut place), "a series is new");
    std::fs::remove_file(&late).unwrap();
    assert!(!next(&mut place), "a file is gone");
    place.job.promotion = Promotion::Always;
    place.train(51 * DAY);
    assert!(!next(&mut place), "another model serves");
}

#[test]
fn intervals_follow_a_world_that_grows_restless() {
    // From day 60 on the noise is twice as large.
    let mut values = load(120, 9);
    let calm = |hour: usize| 50.0 + 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
    for (hour, value) in values.iter_mut().enumerate().skip(60 * DAY) {
        *value += *value - calm(hour);
    }
    let coverage = |is_adaptive| {
        let place = Place::new(|job| job.is_adaptive = is_adaptive);
        place.write(&values);
        place.train(40 * DAY);
        (40..110).for_each(|day| drop(place.forecast(day * DAY)));
        place.score(115 * DAY);
        let rows = place.scores();
        let late: Vec<f64> = whole(&rows).iter().skip(40).map(|row| row.intervals[0].1).collect();
        late.iter().sum::<f64>() / late.len() as f64
    };
    let (fixed, adaptive) = (coverage(false), coverage(true));
    assert!(fixed < 0.65, "{fixed}");
    assert!((0.74..0.86).contains(&adaptive), "{adaptive}");
}

#[test]
fn a_spike_is_an_anomaly_at_its_hour_and_the_hours_around_it_are_not() {
    let spec = AnomalySpec {
        level: 95.0,
        direction: Direction::Both,
        least_distance: 0.0,
        least_share: 0.0,
        range: None,
    };
    let place = Place::new(|job| job.anomaly = Some(spec));
    let mut values = load(62, 2);
    let spike = 50 * DAY + 7;
    values[spike] += 60.0;
    place.write(&values);
    place.train(40 * DAY);
    (40..60).for_each(|day| drop(place.forecast(day * DAY)));
    let scored = place.score(61 * DAY);
    let rows = place.anomalies();
    assert_eq!(rows.len(), 20 * DAY, "one row for every hour, by the newest run before it");
    let found: Vec<&AnomalyRow> = rows.iter().filter(|row| row.is_anomaly).collect();
    assert_eq!(scored.anomalies, found.len());
    let at_spike = found.iter().find(|row| row.ds == spike as i64 * HOUR).unwrap();
    assert!(at_spike.score > 5.0 && at_spike.direction.as_deref() == Some("above"), "{at_spike:?}");
    // The interval leaves out 5 % of ordinary hours.
    let others = found.len() - 1;
    assert!(others <= 20 * DAY / 10, "{others} false alarms in {} hours", 20 * DAY);
    // Only those beyond a dead-band are left with one.
    let strict = Place::new(|job| job.anomaly = Some(AnomalySpec { least_distance: 30.0, ..spec }));
    strict.write(&values);
    strict.train(40 * DAY);
    (48..52).for_each(|day| drop(strict.forecast(day * DAY)));
    strict.score(53 * DAY);
    let found: Vec<i64> =
        strict.anomalies().iter().filter(|row| row.is_anomaly).map(|row| row.ds / HOUR).collect();
    assert_eq!(found, [spike as i64]);
}

#[test]
fn a_model_of_damaged_data_does_not_serve() {
    type Damage = fn(&mut [f64]);
    let damages: [(Damage, &str); 2] = [
        (|week| week.fill(week[0]), "values in a row at its end are all"),
        (|week| week.iter_mut().for_each(|value| *value *= 1000.0), "another unit?"),
    ];
    for (damage, words) in damages {
        let place = Place::new(|_| {});
        let mut values = load(60, 3);
        place.write(&values);
        assert_eq!(place.train(40 * DAY).fate, Fate::Promoted);
        damage(&mut values[43 * DAY..50 * DAY]);
        place.write(&values);
        let trained = place.train(50 * DAY);
        let Fate::Rejected(reasons) = &trained.fate else { panic!("{:?}", trained.fate) };
        assert!(reasons[0].contains(words), "{reasons:?}");
        assert_eq!((place.champion(), trained.manifest.version), (1, 2));
        assert_eq!(trained.manifest.judgement.reasons, *reasons);
        assert_eq!(place.forecast(51 * DAY).version, Some(1));
    }
}

#[test]
fn a_model_of_a_changed_world_serves_soon() {
    let place = Place::new(|_| {});
    let mut values = load(90, 4);
    // From day 50 on the curve stands on its head.
    for (hour, value) in values.iter_mut().enumerate().skip(50 * DAY) {
        *value -= 20.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
    }
    place.write(&values);
    place.train(50 * DAY);
    let promoted = (52..90).step_by(2).find(|day| place.train(day * DAY).fate == Fate::Promoted).unwrap();
    assert!(promoted <= 64, "day {promoted}");
    let judgement = &place.registry.champion("load").unwrap().unwrap().judgement;
    let trial = &judgement.trials[0];
    assert!(trial.mase <= trial.mase_champion && trial.mase <= trial.mase_seasonal_naive, "{trial:?}");
}

#[test]
fn a_candidate_that_a_person_has_to_promote_waits() {
    let place = Place::new(|job| job.promotion = Promotion::Manual);
    place.write(&load(60, 5));
    assert_eq!(place.train(40 * DAY).fate, Fate::Promoted, "somebody has to serve");
    assert!(matches!(place.train(50 * DAY).fate, Fate::HeldBack(_) | Fate::Rejected(_)));
    assert_eq!(place.champion(), 1);
}

#[test]
fn rollback_and_forecast_give_the_earlier_file_again() {
    let place = Place::new(|job| job.promotion = Promotion::Always);
    place.write(&load(60, 6));
    place.train(40 * DAY);
    let slot = 52 * DAY;
    let moment = |created_at| Moment {
        issued_at: slot as i64 * HOUR,
        created_at,
        run_id: run_id("load", Stage::Forecast, slot as i64 * HOUR),
    };
    let work = |created_at| {
        place
            .with(&moment(created_at), |context| forecast(&place.job, context, false, false))
            .unwrap()
            .run
            .sha256
    };
    let first = work(1);
    assert_eq!(place.train(51 * DAY).fate, Fate::Promoted);
    let second = work(2);
    assert_ne!(first, second);
    // What was there before a slot was asked for came of no attempt of that.
    let was_there = |asked_at| {
        let again = |context: &Context| forecast(&place.job, &Context { asked_at, ..*context }, false, true);
        place.with(&moment(3), again).unwrap().was_there
    };
    assert!(was_there(2) && !was_there(3));
    place.registry.rollback("load", 3).unwrap();
    assert_eq!(work(4), first);
}

#[test]
fn a_training_that_is_asked_for_again_trains_again() {
    let mut place = Place::new(|job| job.promotion = Promotion::Always);
    place.write(&load(60, 6));
    let slot = 40 * DAY as i64 * HOUR;
    let version = |place: &Place, asked_at, created_at| {
        let run_id = run_id("load", Stage::Train, slot);
        place
            .with(&Moment { issued_at: slot, created_at, run_id }, |context| {
                train(&place.job, &Context { asked_at, ..*context })
            })
            .unwrap()
            .manifest
    };
    assert_eq!(version(&place, i64::MIN, 1).version, 1);
    // An attempt that a crash cut off is not worked twice.
    assert_eq!(version(&place, i64::MIN, 2).version, 1);
    place.job.model = place.job.model.clone().with_horizon(DAY / 2).unwrap();
    let again = version(&place, 3, 4);
    assert_eq!((again.version, again.horizon), (2, DAY / 2));
    assert_eq!(version(&place, 3, 5).version, 2);
}

#[test]
fn nothing_after_a_slot_changes_what_it_does() {
    let clean = load(60, 7);
    let figures = |values: &[f64]| {
        let spec = AnomalySpec {
            level: 95.0,
            direction: Direction::Both,
            least_distance: 0.0,
            least_share: 0.0,
            range: None,
        };
        let place = Place::new(|job| job.anomaly = Some(spec));
        place.write(values);
        place.train(40 * DAY);
        let mut hashes: Vec<String> = (40..50).map(|day| place.forecast(day * DAY).run.sha256).collect();
        hashes.push(place.train(49 * DAY).manifest.weights_sha256);
        place.score(50 * DAY);
        (hashes, place.scores(), place.anomalies())
    };
    let mut poisoned = clean.clone();
    // A value counts as known at its own time.
    poisoned[50 * DAY + 1..].fill(1e9);
    assert!(figures(&clean) == figures(&poisoned));
}

#[test]
fn every_trigger_of_the_retrain_policy_has_its_reason() {
    let days = SignedDuration::from_hours(24);
    let quiet = RetrainSpec { cool_down: SignedDuration::from_hours(48), ..RetrainSpec::default() };
    let cases = [
        (RetrainSpec { age: Some(days * 20), ..quiet }, vec![Reason::Age]),
        (RetrainSpec { new_rows: Some(11 * DAY), ..quiet }, vec![Reason::NewRows]),
        (RetrainSpec { error_drift: Some(1.5), ..quiet }, vec![Reason::ErrorDrift]),
        (RetrainSpec { coverage_drift: Some(25.0), ..quiet }, vec![Reason::CoverageDrift]),
        (
            RetrainSpec { error_drift: Some(1.5), new_rows: Some(1), ..quiet },
            vec![Reason::ErrorDrift, Reason::NewRows],
        ),
    ];
    // Intervals that follow their coverage would leave no drift of it to see.
    let place = Place::new(|job| job.is_adaptive = false);
    let mut values = load(80, 8);
    // From day 46 on the noise is four times as large, which no model can forecast.
    for (hour, value) in values.iter_mut().enumerate().skip(46 * DAY) {
        let calm = 50.0 + 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
        *value += 3.0 * (*value - calm);
    }
    place.write(&values);
    place.train(40 * DAY);
    (40..70).for_each(|day| drop(place.forecast(day * DAY)));
    let mut place = place;
    for (spec, expected) in cases {
        place.job.retrain = Some(spec);
        let reasons = |hour: usize| -> Vec<Reason> {
            place.score(hour).retrain.into_iter().map(|(reason, _)| reason).collect()
        };
        assert_eq!(reasons(41 * DAY), [], "{spec:?}: within the cool-down");
        assert_eq!(reasons(45 * DAY), if spec.new_rows == Some(1) { vec![Reason::NewRows] } else { vec![] });
        assert_eq!(reasons(70 * DAY), expected, "{spec:?}");
    }
}
