//! The content of a checkpoint file: SHA-256 in hexadecimal, a line feed, then safetensors with a JSON description.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::optim::AdamW;
use crate::model::artifact::{self, LoadError, Tensors, Weights};
use crate::model::learn::{Best, Learnt, Run};
use crate::model::member::Member;
use crate::model::select::Choice;
use crate::model::stored::StoredMember;
use crate::model::train::{self, State};

/// What a fit has done so far.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// What the fit is one of: data, settings and code.
    pub key: String,
    /// Seconds that it has taken.
    pub seconds: f64,
    /// The base of every group that has one.
    pub choices: BTreeMap<String, Choice>,
    /// Training runs that are over, by name.
    pub finished: BTreeMap<String, Learnt>,
    /// The one under way, with its name.
    pub current: Option<(String, Run)>,
}

/// Version of the description.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    /// Not in the files of early programs, whose keys are others anyway.
    #[serde(default)]
    format: u64,
    key: String,
    seconds: f64,
    choices: BTreeMap<String, Choice>,
    finished: BTreeMap<String, StoredLearnt>,
    current: Option<StoredRun>,
}

/// The part of the description that tells whether the rest can be read.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    format: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLearnt {
    steps: usize,
    steps_tried: usize,
    schedule: usize,
    notes: Vec<String>,
    is_cut: bool,
    levels: usize,
    member: StoredMember,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRun {
    name: String,
    steps: usize,
    schedule: usize,
    notes: Vec<String>,
    is_cut: bool,
    step: usize,
    levels: usize,
    member: StoredMember,
    best: Option<StoredBest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBest {
    /// As text: the error of a model that nothing could be judged by is infinite.
    error: String,
    step: usize,
    member: StoredMember,
}

/// Length of the hexadecimal digest.
const DIGEST: usize = 64;

impl Snapshot {
    /// Whether nothing has been done that is worth a file.
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty() && self.finished.is_empty() && self.current.is_none()
    }

    /// The bytes of a file; `current` is the run under way, in place of the snapshot's own.
    pub fn to_bytes(&self, current: Option<(&str, &Run)>) -> Vec<u8> {
        let mut weights = Vec::new();
        for (name, learnt) in &self.finished {
            weights.extend(learnt.member.weights(&format!("{name}.")));
        }
        let current = current.or(self.current.as_ref().map(|(name, run)| (name.as_str(), run)));
        let description = Description {
            format: FORMAT,
            key: self.key.clone(),
            seconds: self.seconds,
            choices: self.choices.clone(),
            finished: self.finished.iter().map(|(name, one)| (name.clone(), StoredLearnt::of(one))).collect(),
            current: current.map(|(name, run)| StoredRun::of(name, run, &mut weights)),
        };
        let description = serde_json::to_string(&description).expect("a description has text keys only");
        let body = artifact::to_bytes(&weights, &description).expect("names are unique and shapes fit");
        [artifact::sha256(&body).as_bytes(), b"\n", &body].concat()
    }

    /// The snapshot that a file holds.
    pub fn read(bytes: &[u8]) -> Result<Snapshot, LoadError> {
        let torn = || LoadError::Container("the digest does not fit the content".into());
        let (digest, body) = bytes.split_at_checked(DIGEST + 1).ok_or_else(torn)?;
        if digest[..DIGEST] != *artifact::sha256(body).as_bytes() {
            return Err(torn());
        }
        let (mut tensors, text) = Tensors::open(body)?;
        let damaged = |error: serde_json::Error| LoadError::Description(error.to_string());
        let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(LoadError::Format { found: format, known: FORMAT });
        }
        let description: Description = serde_json::from_str(&text).map_err(damaged)?;
        let mut finished = BTreeMap::new();
        for (name, stored) in description.finished {
            let learnt = stored.read(&name, &mut tensors)?;
            finished.insert(name, learnt);
        }
        let current = match description.current {
            Some(stored) => Some(stored.read(&mut tensors)?),
            None => None,
        };
        tensors.finish()?;
        let (key, seconds, choices) = (description.key, description.seconds, description.choices);
        Ok(Snapshot { key, seconds, choices, finished, current })
    }
}

impl StoredLearnt {
    fn of(learnt: &Learnt) -> StoredLearnt {
        StoredLearnt {
            steps: learnt.steps,
            steps_tried: learnt.steps_tried,
            schedule: learnt.schedule,
            notes: learnt.notes.clone(),
            is_cut: learnt.is_cut,
            levels: learnt.member.offsets.ncols(),
            member: StoredMember::of(&learnt.member),
        }
    }

    fn read(self, name: &str, tensors: &mut Tensors) -> Result<Learnt, LoadError> {
        Ok(Learnt {
            member: self.member.read(&format!("{name}."), self.levels, tensors)?,
            steps: self.steps,
            steps_tried: self.steps_tried,
            schedule: self.schedule,
            notes: self.notes,
            is_cut: self.is_cut,
        })
    }
}

impl StoredRun {
    /// The description of a run; its tensors are appended.
    fn of(name: &str, run: &Run, weights: &mut Vec<Weights>) -> StoredRun {
        let State { member, averaged, optimizer, step } = &run.state;
        weights.extend(member.weights("current."));
        weights.extend(averaged.weights("averaged."));
        let (_, first, second) = optimizer.moments();
        for (name, values) in [("first", first), ("second", second)] {
            weights.push(Weights { name: name.into(), shape: vec![values.len()], values });
        }
        let best = run.best.as_ref().map(|best| {
            weights.extend(best.member.weights("best."));
            let member = StoredMember::of(&best.member);
            StoredBest { error: best.error.to_string(), step: best.step, member }
        });
        StoredRun {
            name: name.into(),
            steps: run.steps,
            schedule: run.schedule,
            notes: run.notes.clone(),
            is_cut: run.is_cut,
            step: *step,
            levels: member.offsets.ncols(),
            member: StoredMember::of(member),
            best,
        }
    }

    fn read(self, tensors: &mut Tensors) -> Result<(String, Run), LoadError> {
        let mut member = self.member.read("current.", self.levels, tensors)?;
        let averaged = self.member.read("averaged.", self.levels, tensors)?;
        let best = match self.best {
            Some(best) => Some(best.read(self.levels, tensors)?),
            None => None,
        };
        let run = Run {
            steps: self.steps,
            schedule: self.schedule,
            notes: self.notes,
            is_cut: self.is_cut,
            best,
            state: State {
                optimizer: optimizer(&mut member, self.step, tensors)?,
                member,
                averaged,
                step: self.step,
            },
        };
        Ok((self.name, run))
    }
}

/// The optimiser of a member with a network after that many steps.
fn optimizer(member: &mut Member, step: usize, tensors: &mut Tensors) -> Result<AdamW<f32>, LoadError> {
    if member.network.is_none() {
        return Err(LoadError::Missing("current network".into()));
    }
    let sizes = train::sizes(member);
    let shape = [sizes.iter().sum()];
    let (first, second) = (tensors.take("first", &shape)?, tensors.take("second", &shape)?);
    let steps = i32::try_from(step).map_err(|error| LoadError::Description(error.to_string()))?;
    Ok(AdamW::resume(&sizes, steps, &first, &second))
}

impl StoredBest {
    fn read(&self, levels: usize, tensors: &mut Tensors) -> Result<Best, LoadError> {
        let error =
            self.error.parse().map_err(|_| LoadError::Description(format!("error {}", self.error)))?;
        Ok(Best { error, step: self.step, member: self.member.read("best.", levels, tensors)? })
    }
}
