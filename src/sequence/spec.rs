//! What a sequence task is: as a person writes it, and checked.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::block::Placement;
use crate::engine::codes::Companding;
use crate::engine::s4d::Init;
use crate::engine::ssm::SsmKind;
use crate::sequence::backbone::sashimi_spec;
use crate::sequence::words::{Arrangement, Form, Order, Readout, Task};

/// The network. Also what a model file says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// How blocks are arranged.
    pub backbone: Arrangement,
    /// State-space model of the blocks.
    pub ssm: SsmKind,
    /// Whether every position sees those after it, too.
    pub bidirectional: bool,
    /// Width (H).
    pub hidden: usize,
    /// State size (N), conjugates included.
    pub state: usize,
    /// Blocks; with SaShiMi on every level.
    pub layers: usize,
    /// Positions that become one from level to level, finest first; SaShiMi only, as the next two.
    pub pools: Vec<usize>,
    /// Factor of the width from level to level.
    pub expand: usize,
    /// Width of the feed-forward layers as a multiple of the level's.
    pub feed_forward: usize,
    /// Whether the norm stands before a block (else after it).
    pub prenorm: bool,
    /// Where A starts.
    pub init: Init,
    /// Range of dt at the start.
    pub dt: (f64, f64),
    /// Which outputs answer for a sequence.
    pub readout: Readout,
}

impl Architecture {
    /// What is out of range: name, value, range.
    pub(super) fn check(&self) -> Result<(), (&'static str, String, String)> {
        let sizes = [
            ("hidden", self.hidden, HIDDEN),
            ("state", self.state, STATE),
            ("layers", self.layers, LAYERS),
            ("expand", self.expand, FACTOR),
            ("feed_forward", self.feed_forward, FACTOR),
        ];
        for (key, value, (low, high)) in sizes {
            if !(low..=high).contains(&value) {
                return Err((key, value.to_string(), format!("in {low}..={high}")));
            }
        }
        if !self.hidden.is_multiple_of(16) {
            return Err(("hidden", self.hidden.to_string(), "a multiple of 16".into()));
        }
        if !self.state.is_multiple_of(2) {
            return Err(("state", self.state.to_string(), "even, as conjugates count".into()));
        }
        if stride(&self.pools).is_none() {
            return Err(("pools", format!("{:?}", self.pools), "a list of up to 8 factors as [4, 4]".into()));
        }
        Ok(())
    }

    /// What the positions of a sequence have to be a multiple of.
    pub(super) fn stride(&self) -> usize {
        match self.backbone {
            Arrangement::Stack => 1,
            Arrangement::Sashimi => stride(&self.pools).unwrap_or(1),
        }
    }

    /// Number of weights, without allocating any.
    pub(super) fn parameters(&self, patch: usize, outputs: usize) -> u128 {
        match self.backbone {
            Arrangement::Stack => {
                let [h, patch, outputs] = [self.hidden, patch, outputs].map(|size| size as u128);
                let linear = |inputs: u128, outputs: u128| (inputs + 1) * outputs;
                let ssm = self.ssm.parameters(self.state as u128 / 2) * h;
                let reverse = if self.bidirectional { self.state as u128 * h } else { 0 };
                let block = 2 * h + ssm + reverse + linear(h, 2 * h);
                linear(patch, h) + self.layers as u128 * block + 2 * h + linear(h, outputs)
            }
            Arrangement::Sashimi => sashimi_spec(self, patch, 1).parameters(),
        }
    }

    /// Where the norm stands.
    pub fn placement(&self) -> Placement {
        if self.prenorm { Placement::Pre } else { Placement::Post }
    }
}

/// Ranges of sizes.
const HIDDEN: (usize, usize) = (16, 2048);
const STATE: (usize, usize) = (2, 1024);
const LAYERS: (usize, usize) = (1, 64);
const FACTOR: (usize, usize) = (1, 8);
pub(super) const LEN_MAX: usize = 1 << 20;

/// Product of the pools; `None` if they are none.
fn stride(pools: &[usize]) -> Option<usize> {
    let stride = pools.iter().try_fold(1_usize, |stride, &pool| stride.checked_mul(pool))?;
    (1..=LEN_MAX).contains(&stride).then_some(stride).filter(|_| pools.len() <= 8)
}

/// How it is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Passes through the training sequences.
    pub epochs: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Rate after warm-up, at the start of half a cosine.
    pub learning_rate: f64,
    /// Rate of dt and A: fast changes of the dynamics undo what was learnt (S4 repository, optimiser group `ssm`).
    pub ssm_learning_rate: f64,
    /// Decoupled decay of matrices; biases, norms, D and the dynamics have none.
    pub weight_decay: f64,
    /// Share of the channels that each block leaves out of a sequence, the same at all its positions (S4 repository,
    /// `dropout_fn` with `tie_dropout`).
    pub dropout: f64,
    /// Steps of linear warm-up: AdamW's second moments are noise at first.
    pub warmup: usize,
    /// Largest norm of a gradient: one odd batch must not throw the weights.
    pub clip: f64,
    /// Decay of the averaged weights, which are judged and kept.
    pub average: f64,
    /// Images are shifted at random by up to that many pixels.
    pub shift: usize,
    /// Share of the training sequences that choose the best epoch and are not trained on.
    pub valid: f64,
    /// Seed of weights and batches.
    pub seed: u64,
    /// When to end at the latest; the cosine is as long as the time allows.
    pub budget: Option<Duration>,
}

/// A sequence task as a person writes it: what is not written is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSequence {
    /// Name of the definition.
    pub name: String,
    /// Where the data comes from.
    pub source: Option<String>,
    /// What is learnt.
    pub kind: Option<Task>,
    /// What the files hold.
    pub data: Option<Form>,
    /// Files or folders below the data folder; the first that is there is read.
    pub files: Vec<String>,
    /// The same for the test part; empty keeps a share of the training part.
    pub test_files: Vec<String>,
    /// Order of positions.
    pub permute: Option<Order>,
    /// Codes of sounds.
    pub codes: Option<Companding>,
    /// Positions of a sequence, where the files do not say.
    pub len: Option<usize>,
    /// Steps that paths of series have; the positions before them are the context.
    pub horizon: Option<usize>,
    /// Steps that the windows of a series that choose lie before its last one.
    pub choose: Option<Vec<usize>>,
    /// Columns of series: ids.
    pub id: Vec<String>,
    /// Time.
    pub time: Option<String>,
    /// Target.
    pub target: Option<String>,
    /// Of [`Architecture`].
    pub backbone: Option<Arrangement>,
    /// Pools.
    pub pools: Option<Vec<usize>>,
    /// Factor of the width.
    pub expand: Option<usize>,
    /// Factor of the feed-forward layers.
    pub feed_forward: Option<usize>,
    /// State-space model.
    pub ssm: Option<SsmKind>,
    /// Whether positions see those after them.
    pub bidirectional: Option<bool>,
    /// Width.
    pub hidden: Option<usize>,
    /// State size.
    pub state: Option<usize>,
    /// Blocks.
    pub layers: Option<usize>,
    /// Whether norms stand before blocks.
    pub prenorm: Option<bool>,
    /// Where A starts.
    pub init: Option<Init>,
    /// Range of dt.
    pub dt: Option<(f64, f64)>,
    /// Which outputs answer.
    pub readout: Option<Readout>,
    /// Of [`Recipe`].
    pub epochs: Option<usize>,
    /// Sequences of a step.
    pub batch: Option<usize>,
    /// Rate.
    pub learning_rate: Option<f64>,
    /// Rate of the dynamics.
    pub ssm_learning_rate: Option<f64>,
    /// Decay.
    pub weight_decay: Option<f64>,
    /// Share of channels.
    pub dropout: Option<f64>,
    /// Steps.
    pub warmup: Option<usize>,
    /// Norm.
    pub clip: Option<f64>,
    /// Decay of the averaged weights.
    pub average: Option<f64>,
    /// Pixels.
    pub shift: Option<usize>,
    /// Share.
    pub valid: Option<f64>,
    /// Seed.
    pub seed: Option<u64>,
    /// Limit.
    pub budget: Option<Duration>,
}

/// Columns of series; what is not named is found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Ids.
    pub id: Vec<String>,
    /// Time.
    pub time: Option<String>,
    /// Target.
    pub target: Option<String>,
}

/// A sequence task, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceSpec {
    pub(super) name: String,
    pub(super) source: Option<String>,
    pub(super) task: Task,
    pub(super) form: Form,
    pub(super) files: Vec<String>,
    pub(super) test_files: Vec<String>,
    pub(super) order: Order,
    pub(super) codes: Companding,
    pub(super) len: Option<usize>,
    pub(super) horizon: Option<usize>,
    pub(super) choose: Vec<usize>,
    pub(super) columns: Columns,
    pub(super) architecture: Architecture,
    pub(super) recipe: Recipe,
}

impl SequenceSpec {
    /// Name of the definition.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the data comes from.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// What is learnt.
    pub fn task(&self) -> Task {
        self.task
    }

    /// What the files hold.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Names below the data folder, of the training and of the test part.
    pub fn files(&self) -> [&[String]; 2] {
        [&self.files, &self.test_files]
    }

    /// Order of positions.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Codes of sounds.
    pub fn codes(&self) -> Companding {
        self.codes
    }

    /// Positions of a sequence, where the files do not say.
    pub fn positions(&self) -> Option<usize> {
        self.len
    }

    /// Steps of the paths of series.
    pub fn horizon(&self) -> Option<usize> {
        self.horizon
    }

    /// Steps that the windows of a series that choose lie before its last one.
    pub fn choose(&self) -> &[usize] {
        &self.choose
    }

    /// The network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How it is trained.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecProblem {
    /// The key that it is about.
    pub key: &'static str,
    /// What is wrong, and what would do.
    pub message: String,
}

/// Notes a problem unless a value lies in its range.
struct Checks(Vec<SpecProblem>);

impl Checks {
    fn note(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push(SpecProblem { key, message: message.into() });
    }

    fn whole(&mut self, key: &'static str, value: usize, range: std::ops::RangeInclusive<usize>) -> usize {
        if !range.contains(&value) {
            self.note(key, format!("{value} is not in {}..={}", range.start(), range.end()));
        }
        value
    }

    fn number(&mut self, key: &'static str, value: f64, [low, high]: [f64; 2]) -> f64 {
        if !(low..=high).contains(&value) {
            self.note(key, format!("{value} is not between {low} and {high}"));
        }
        value
    }
}

impl TryFrom<RawSequence> for SequenceSpec {
    type Error = Vec<SpecProblem>;

    fn try_from(raw: RawSequence) -> Result<SequenceSpec, Vec<SpecProblem>> {
        let mut checks = Checks(Vec::new());
        let task = raw.kind.unwrap_or_else(|| {
            checks.note("kind", "kind is missing; write classify, generate or reconstruct");
            Task::Classify
        });
        let form = raw.data.unwrap_or_else(|| {
            checks.note("data", "data is missing; write images, sounds or bytes");
            Form::Images
        });
        if raw.files.is_empty() {
            checks.note("files", "files is missing; name the files or folders of the training part");
        }
        match (task, form) {
            (Task::Classify, Form::Bytes) => {
                checks.note("data", "bytes have no classes; write kind = \"generate\"")
            }
            (Task::Generate, Form::Images) => {
                checks.note("data", "images are not generated; write bytes or sounds")
            }
            (Task::Classify | Task::Reconstruct, Form::Series) => {
                checks.note("data", "series are generated; write kind = \"generate\"");
            }
            (Task::Reconstruct, Form::Bytes) => {
                checks.note("data", "bytes are not values; write images or sounds")
            }
            _ => {}
        }
        if raw.len.is_none() && form != Form::Images {
            checks.note("len", "len is missing: positions of a sequence, for example 1024");
        }
        if form != Form::Images {
            if raw.permute.is_some_and(|order| order != Order::Plain) {
                checks.note("permute", "only images are permuted");
            }
            if raw.shift.unwrap_or(0) > 0 {
                checks.note("shift", "only images are shifted");
            }
        }
        let dropout = raw.dropout.unwrap_or(0.0);
        if !(0.0..1.0).contains(&dropout) {
            checks.note("dropout", format!("{dropout} is no share from 0 to below 1; write for example 0.1"));
        }
        let (low, high) = raw.dt.unwrap_or((1e-3, 1e-1));
        if !(low > 0.0 && low < high && high.is_finite()) {
            checks
                .note("dt", format!("[{low}, {high}] is no range of steps; write for example [0.001, 0.1]"));
        }
        let backbone = raw.backbone.unwrap_or_default();
        let bidirectional = raw.bidirectional.unwrap_or(false);
        if bidirectional && task == Task::Generate {
            checks.note("bidirectional", "what is generated does not see what comes after it");
        }
        if form == Form::Series {
            if backbone != Arrangement::Sashimi {
                checks.note("backbone", "paths of series are drawn by sashimi; write model=sashimi");
            }
            match (raw.horizon, raw.len) {
                (None, _) => checks.note("horizon", "horizon is missing: steps of a path, for example 48"),
                (Some(horizon), Some(len)) if horizon == 0 || horizon >= len => {
                    checks.note("horizon", format!("{horizon} steps leave no context in len = {len}"));
                }
                _ => {}
            }
        } else if raw.horizon.is_some() {
            checks.note("horizon", "only paths of series have a horizon");
        }
        let pools = raw.pools.unwrap_or_else(|| vec![4, 4]);
        if backbone == Arrangement::Sashimi {
            if raw.kind.is_some_and(|kind| kind != Task::Generate) {
                checks.note("backbone", "sashimi generates; for other tasks write backbone = \"stack\"");
            }
            match stride(&pools) {
                Some(stride) if raw.len.is_some_and(|len| !len.is_multiple_of(stride)) => {
                    let len = raw.len.unwrap_or(0);
                    checks.note("len", format!("{len} is no multiple of {stride}, the product of the pools"));
                }
                _ => {}
            }
            if raw.prenorm == Some(false) {
                checks.note("prenorm", "the norms of sashimi stand before its blocks");
            }
            if dropout > 0.0 {
                checks.note("dropout", "dropout is for model=s4d and model=s4; write dropout=0");
            }
        }
        // Several, for one week may be calmer than the next.
        let choose =
            raw.choose.unwrap_or_else(|| (1..=3).map(|one| one * raw.horizon.unwrap_or(0)).collect());
        if form == Form::Series
            && (choose.is_empty() || choose.iter().any(|&before| Some(before) < raw.horizon))
        {
            checks.note(
                "choose",
                format!("{choose:?} has to name steps of at least one horizon, as [168, 336]"),
            );
        }
        let learning_rate = checks.number("learning_rate", raw.learning_rate.unwrap_or(4e-3), [1e-8, 1.0]);
        let ssm_rate = raw.ssm_learning_rate.unwrap_or(learning_rate.min(1e-3));
        let spec = SequenceSpec {
            name: raw.name,
            source: raw.source,
            task,
            form,
            files: raw.files,
            test_files: raw.test_files,
            order: raw.permute.unwrap_or_default(),
            codes: raw.codes.unwrap_or(Companding::MuLaw),
            choose,
            horizon: raw.horizon,
            columns: Columns { id: raw.id, time: raw.time, target: raw.target },
            len: raw.len.map(|len| checks.whole("len", len, 2..=LEN_MAX)),
            architecture: Architecture {
                backbone,
                bidirectional,
                pools,
                expand: raw.expand.unwrap_or(2),
                feed_forward: raw.feed_forward.unwrap_or(2),
                ssm: raw.ssm.unwrap_or_default(),
                hidden: raw.hidden.unwrap_or(64),
                state: raw.state.unwrap_or(64),
                layers: raw.layers.unwrap_or(4),
                prenorm: raw.prenorm.unwrap_or(true),
                init: raw.init.unwrap_or(Init::Lin),
                dt: (low, high),
                readout: raw.readout.unwrap_or_default(),
            },
            recipe: Recipe {
                epochs: checks.whole("epochs", raw.epochs.unwrap_or(10), 1..=100_000),
                batch: checks.whole("batch", raw.batch.unwrap_or(64), 1..=4096),
                learning_rate,
                ssm_learning_rate: checks.number("ssm_learning_rate", ssm_rate, [0.0, 1.0]),
                weight_decay: checks.number("weight_decay", raw.weight_decay.unwrap_or(0.02), [0.0, 1.0]),
                dropout,
                warmup: checks.whole("warmup", raw.warmup.unwrap_or(300), 0..=1_000_000),
                clip: checks.number("clip", raw.clip.unwrap_or(1.0), [1e-6, 1e6]),
                average: checks.number("average", raw.average.unwrap_or(0.999), [0.0, 0.999_999]),
                shift: checks.whole("shift", raw.shift.unwrap_or(0), 0..=8),
                valid: checks.number("valid", raw.valid.unwrap_or(0.05), [0.0, 0.5]),
                seed: raw.seed.unwrap_or(1),
                budget: raw.budget,
            },
        };
        if let Err((key, found, wanted)) = spec.architecture.check() {
            checks.note(key, format!("{found} is not {wanted}"));
        }
        if checks.0.is_empty() { Ok(spec) } else { Err(checks.0) }
    }
}

/// Where a run keeps what it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Folder of the data; `None` if nobody said.
    pub data: Option<PathBuf>,
    /// Folder of the results.
    pub out: PathBuf,
}
