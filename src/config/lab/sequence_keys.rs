//! The keys of a sequence task: of the data, of the network, of the training.

use crate::config::lab::definition::{put, set};
use crate::config::lab::table::Entry;
use crate::config::lab::value::{choice, flag, number, numbers, text, texts, whole, wholes};
use crate::config::words::{self, Wrong};
use crate::engine::codes::Companding;
use crate::engine::s4d::Init;
use crate::engine::ssm::SsmKind;
use crate::sequence::{Arrangement, Form, Order, RawSequence, Readout, Task};
use toml::de::DeValue;

/// What the data is and what is asked of it.
pub(super) const PIPELINE: &[Entry<RawSequence>] = &[
    ("source", |raw, value| set(&mut raw.source, text(value))),
    ("kind", |raw, value| set(&mut raw.kind, choice(value, &Task::ALL.map(|one| (one.as_str(), one))))),
    ("data", |raw, value| set(&mut raw.data, choice(value, &Form::ALL.map(|one| (one.as_str(), one))))),
    ("files", |raw, value| put(&mut raw.files, texts(value))),
    ("test_files", |raw, value| put(&mut raw.test_files, texts(value))),
    ("permute", |raw, value| {
        set(&mut raw.permute, choice(value, &Order::ALL.map(|one| (one.as_str(), one))))
    }),
    ("codes", |raw, value| {
        set(&mut raw.codes, choice(value, &Companding::ALL.map(|one| (one.as_str(), one))))
    }),
    ("len", |raw, value| set(&mut raw.len, whole(value))),
    ("horizon", |raw, value| set(&mut raw.horizon, whole(value))),
    ("choose", |raw, value| set(&mut raw.choose, wholes(value))),
    ("id", |raw, value| put(&mut raw.id, texts(value))),
    ("time", |raw, value| set(&mut raw.time, text(value))),
    ("target", |raw, value| set(&mut raw.target, text(value))),
];

/// The network.
pub(super) const MODEL: &[Entry<RawSequence>] = &[
    ("backbone", |raw, value| {
        set(&mut raw.backbone, choice(value, &Arrangement::ALL.map(|one| (one.as_str(), one))))
    }),
    ("pools", |raw, value| set(&mut raw.pools, wholes(value))),
    ("expand", |raw, value| set(&mut raw.expand, whole(value))),
    ("feed_forward", |raw, value| set(&mut raw.feed_forward, whole(value))),
    ("ssm", |raw, value| set(&mut raw.ssm, choice(value, &SsmKind::ALL.map(|one| (one.as_str(), one))))),
    ("bidirectional", |raw, value| set(&mut raw.bidirectional, flag(value))),
    ("hidden", |raw, value| set(&mut raw.hidden, whole(value))),
    ("state", |raw, value| set(&mut raw.state, whole(value))),
    ("layers", |raw, value| set(&mut raw.layers, whole(value))),
    ("prenorm", |raw, value| set(&mut raw.prenorm, flag(value))),
    ("init", |raw, value| set(&mut raw.init, choice(value, &INIT))),
    ("dt", |raw, value| set(&mut raw.dt, range(value))),
    ("readout", |raw, value| {
        set(&mut raw.readout, choice(value, &Readout::ALL.map(|one| (one.as_str(), one))))
    }),
];

/// The training. A file may have these beside its own keys.
pub(super) const TRAIN: &[Entry<RawSequence>] = &[
    ("epochs", |raw, value| set(&mut raw.epochs, whole(value))),
    ("batch", |raw, value| set(&mut raw.batch, whole(value))),
    ("learning_rate", |raw, value| set(&mut raw.learning_rate, number(value))),
    ("ssm_learning_rate", |raw, value| set(&mut raw.ssm_learning_rate, number(value))),
    ("weight_decay", |raw, value| set(&mut raw.weight_decay, number(value))),
    ("dropout", |raw, value| set(&mut raw.dropout, number(value))),
    ("warmup", |raw, value| set(&mut raw.warmup, whole(value))),
    ("clip", |raw, value| set(&mut raw.clip, number(value))),
    ("average", |raw, value| set(&mut raw.average, number(value))),
    ("shift", |raw, value| set(&mut raw.shift, whole(value))),
    ("valid", |raw, value| set(&mut raw.valid, number(value))),
    ("seed", |raw, value| set(&mut raw.seed, whole(value).map(|seed| seed as u64))),
    ("budget", |raw, value| set(&mut raw.budget, text(value).and_then(|text| words::duration(&text)))),
];

const INIT: [(&str, Init); 4] =
    [("lin", Init::Lin), ("inv", Init::Inv), ("legs", Init::LegS), ("random", Init::Random)];

fn range(value: &DeValue<'_>) -> Result<(f64, f64), Wrong> {
    match numbers(value)?[..] {
        [low, high] => Ok((low, high)),
        ref other => {
            let message = format!("has {} entries", other.len());
            Err(Wrong { message, help: Some("write two numbers as [0.001, 0.1]".into()) })
        }
    }
}
