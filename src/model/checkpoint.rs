//! Fits that survive a stop or a kill: what is done is written every so often, and read by the next fit of the same.
//!
//! Only what is expensive is kept, the choice of the base and the training runs; all else is computed again from the
//! data, to the same bits. A checkpoint that cannot be written or used costs time and nothing more.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::model::forecaster::Unseen;
use crate::model::learn::{Learnt, Run};
use crate::model::select::Choice;
use crate::model::snapshot::Snapshot;
use crate::model::spec::ModelSpec;
use crate::series::Panel;

/// Least time between two checkpoints of a run.
const EVERY: Duration = Duration::from_secs(20);

/// Names in the folder: the checkpoint, and what becomes the next one.
const FILE: &str = "checkpoint";
const PARTIAL: &str = ".checkpoint.partial";

/// What a fit has done so far, and where it is kept.
#[derive(Default)]
pub(super) struct Journal {
    /// `None` keeps nothing.
    place: Option<Place>,
    memory: Snapshot,
}

struct Place {
    folder: PathBuf,
    begun: Instant,
    saved: Instant,
    /// Seconds that the fits before this one took.
    seconds_before: f64,
}

impl Journal {
    /// The journal of a fit that keeps checkpoints in a folder, with what an interrupted fit of the same [`key`] left
    /// there. What another fit left is removed.
    pub fn open(folder: &Path, key: String) -> Journal {
        let file = folder.join(FILE);
        let memory = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "training starts anew: its checkpoint cannot be read");
                None
            }
            Ok(bytes) => match Snapshot::read(&bytes) {
                Ok(found) if found.key == key => Some(found),
                Ok(_) => {
                    tracing::info!(file = %file.display(), "removed the checkpoint of another training");
                    remove(folder);
                    None
                }
                Err(error) => {
                    tracing::warn!(file = %file.display(), %error, "training starts anew: its checkpoint is damaged");
                    remove(folder);
                    None
                }
            },
        };
        let memory = memory.unwrap_or_else(|| Snapshot { key, ..Snapshot::default() });
        let now = Instant::now();
        let seconds_before = memory.seconds;
        let place = Place { folder: folder.into(), begun: now, saved: now, seconds_before };
        Journal { place: Some(place), memory }
    }

    /// Time that interrupted fits took.
    pub fn used(&self) -> Duration {
        let seconds = self.place.as_ref().map_or(0.0, |place| place.seconds_before);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// The base of a group.
    pub fn choice(&self, group: &str) -> Option<Choice> {
        self.memory.choices.get(group).cloned()
    }

    /// Keeps the base of a group.
    pub fn chosen(&mut self, group: &str, choice: &Choice) {
        if self.place.is_some() {
            self.memory.choices.insert(group.into(), choice.clone());
        }
    }

    /// The result of a run that is over.
    pub fn finished(&self, run: &str) -> Option<Learnt> {
        self.memory.finished.get(run).cloned()
    }

    /// Keeps the result of a run.
    pub fn finish(&mut self, run: String, learnt: &Learnt) {
        if self.place.is_some() {
            self.memory.finished.insert(run, learnt.clone());
        }
    }

    /// The run under way, if it is that one; it is asked for once.
    pub fn resume(&mut self, run: &str) -> Option<Run> {
        self.memory.current.take_if(|(name, _)| name == run).map(|(_, run)| run)
    }

    /// Writes a checkpoint if the last one is old enough.
    pub fn save_if_due(&mut self, name: &str, run: &Run) {
        if self.place.as_ref().is_some_and(|place| place.saved.elapsed() >= EVERY) {
            self.save(Some((name, run)));
        }
    }

    /// Writes a checkpoint. Training goes on where that fails.
    pub fn save(&mut self, current: Option<(&str, &Run)>) {
        let Some(place) = &mut self.place else { return };
        if current.is_none() && self.memory.is_empty() {
            return;
        }
        self.memory.seconds = place.seconds_before + place.begun.elapsed().as_secs_f64();
        let bytes = self.memory.to_bytes(current);
        if let Err(error) = write(&place.folder, &bytes) {
            tracing::warn!(folder = %place.folder.display(), %error, "a checkpoint could not be written");
        }
        place.saved = Instant::now();
    }

    /// Removes the checkpoint of a fit that is done.
    pub fn close(self) {
        if let Some(place) = self.place {
            remove(&place.folder);
        }
    }
}

/// SHA-256 of all that decides the result: code, settings, every series with its frequency, values and covariates,
/// and the forecaster whose networks training starts from, with what it had seen.
pub(super) fn key(panel: &Panel, spec: &ModelSpec, champion: Option<&Unseen>) -> String {
    let mut hash = Sha256::new();
    hash.update(crate::CODE_SHA256);
    hash.update(format!("{spec:?}"));
    panel.covariates.iter().for_each(|covariate| hash.update(format!("{covariate:?}")));
    for series in &panel.series {
        hash.update(format!("{:?} {} {}", series.unique_id, series.frequency, series.values.len()));
        let bits: Vec<u8> = series.values.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect();
        hash.update(bits);
        if let Some(observations) = &series.observations {
            hash.update(format!(" {} observations", observations.times().len()));
            observations.times().iter().for_each(|time| hash.update(time.to_le_bytes()));
            observations.values().iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
        }
        for row in &series.covariates {
            hash.update(format!(" {}", row.values().len()));
            row.values().iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
        }
    }
    if let Some(champion) = champion {
        hash.update(champion.forecaster.weights_sha256());
        hash.update(format!("{:?}", champion.extents));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces the checkpoint: the old one or the new one is there, whenever the power goes.
fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let partial = folder.join(PARTIAL);
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, folder.join(FILE))?;
    // Some file systems cannot sync folders; the rename is in order all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn remove(folder: &Path) {
    for name in [FILE, PARTIAL] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %folder.join(name).display(), %error, "a checkpoint could not be removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::network::{Network, NetworkSpec, Readout};
    use crate::engine::s4d::{Discretization, Init};
    use crate::engine::ssm::SsmKind;
    use crate::model::artifact::sha256;
    use crate::model::learn::Best;
    use crate::model::member::Member;
    use crate::model::train::State;
    use crate::model::windows::{Anchor, Geometry};
    use ndarray::Array2;
    use rand::{RngExt, SeedableRng};

    fn run() -> Run {
        let spec = NetworkSpec {
            patch: 4,
            tokens: 3,
            hidden: 6,
            modes: 2,
            layers: 1,
            outputs: 3,
            readout: Readout::Last,
            ssm: SsmKind::S4d,
            levels: None,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        };
        let network = Network::init(spec, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        let geometry = Geometry { lookback: 12, horizon: 3, anchor: Anchor::Mean(4) };
        let (skip, offsets) = (Array2::zeros((12, 3)), Array2::zeros((3, 1)));
        let state = State::new(Member {
            geometry,
            skip,
            effects: Array2::zeros((geometry.horizon, 0)),
            columns: 0,
            offsets,
            network: Some(network),
        });
        Run { steps: 40, schedule: 40, notes: vec!["a note".into()], is_cut: false, best: None, state }
    }

    #[test]
    fn a_covariate_that_changes_is_another_fit() {
        use crate::model::spec::RawModelSpec;
        use crate::series::covariate::{Covariate, Known, Row, Values};
        use crate::series::{Frequency, Series};
        let panel = |price: f64| Panel {
            id_columns: Vec::new(),
            covariates: vec![Covariate { name: "price".into(), known: Known::Static, values: Values::Real }],
            series: vec![Series {
                unique_id: "a".into(),
                keys: Vec::new(),
                frequency: Frequency::BusinessDays,
                times: vec![0],
                values: vec![1.0],
                covariates: vec![Row::new(Known::Static, vec![price])],
                observations: None,
                filled: Vec::new(),
            }],
            zone: jiff::tz::TimeZone::UTC,
            marks: Default::default(),
        };
        let spec = ModelSpec::try_from(RawModelSpec::new("ridge", 2)).expect("valid");
        assert_eq!(key(&panel(1.0), &spec, None), key(&panel(1.0), &spec, None));
        assert_ne!(key(&panel(1.0), &spec, None), key(&panel(2.0), &spec, None));
    }

    /// A kill leaves what was last written, so what is written in between has to be all that there is.
    #[test]
    fn a_run_is_written_every_so_often_and_found_by_the_next_fit() {
        let folder = tempfile::tempdir().expect("folder");
        let mut killed = Journal::open(folder.path(), "key".into());
        killed.save_if_due("1h training 0", &run());
        assert!(!folder.path().join(FILE).exists(), "not before it is due");
        let place = killed.place.as_mut().expect("it keeps checkpoints");
        place.saved = place.saved.checked_sub(EVERY).expect("the machine has run for longer");
        killed.save_if_due("1h training 0", &run());
        drop(killed);
        let mut next = Journal::open(folder.path(), "key".into());
        assert!(next.used() > Duration::ZERO && next.resume("1h training 1").is_none());
        let found = next.resume("1h training 0").expect("it was written");
        assert_eq!((found.steps, found.notes), (40, vec!["a note".to_owned()]));
        assert!(
            Journal::open(folder.path(), "other".into()).resume("1h training 0").is_none(),
            "another fit"
        );
        assert!(!folder.path().join(FILE).exists());
    }

    /// With the right digest, so that the content is looked at.
    #[test]
    fn no_forged_content_does_harm() {
        let mut run = run();
        let (member, error) = (run.state.member.clone(), f64::INFINITY);
        run.best = Some(Best { error, step: 0, member: Member { network: None, ..member } });
        let good = Snapshot::default().to_bytes(Some(("1h training 0", &run)));
        let found = Snapshot::read(&good).expect("as written").current.and_then(|(_, run)| run.best);
        assert_eq!(found.map(|best| best.error), Some(error));
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let body = &good[65..];
        let header = 8 + usize::from(u16::from_le_bytes([body[0], body[1]]));
        let mut refused = 0;
        for case in 0..4_000 {
            let mut body = body.to_vec();
            let at = rng.random_range(0..if case % 4 == 0 { body.len() } else { header });
            match case % 3 {
                0 => body[at] ^= 1 << rng.random_range(0..8),
                1 => body[at] = rng.random_range(b'0'..=b'9'),
                _ => body.truncate(at),
            }
            let bytes = [sha256(&body).as_bytes(), b"\n", &body].concat();
            refused += usize::from(Snapshot::read(&bytes).is_err());
        }
        assert!(refused > 2_000, "{refused}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_not_end_training() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        fs::write(&file, "no folder").expect("written");
        let mut journal = Journal::open(&file.join("below"), "key".into());
        journal.save(Some(("1h training 0", &run())));
        journal.close();
        assert_eq!(fs::read_to_string(&file).expect("read"), "no folder");
    }
}
