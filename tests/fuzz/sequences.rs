//! Files of sequence models, and what is generated from those that can be read.

use s4cast::model::report::Progress;
use s4cast::sequence::{
    self, Arrangement, Columns, Form, GenerateSpec, Places, RawSequence, SequenceSpec, Task,
};
use std::path::Path;

pub const WORDS: &[&str] = &[
    "generate",
    "classify",
    "reconstruct",
    "stack",
    "sashimi",
    "s4d",
    "s4",
    "linear",
    "mu_law",
    "last",
    "mean",
    "rows",
    "permuted",
    "architecture",
    "backbone",
    "pools",
    "hidden",
    "state",
    "layers",
    "classes",
    "context",
    "rate",
    "len",
    "codes",
    "scale",
    "temperature",
];

/// Models of a text, with blocks in a row and at several rates, and a classifier of nothing but their shape.
pub fn good(folder: &Path) -> Vec<Vec<u8>> {
    let text: String = (0..600).map(|at| ["alpha ", "beta ", "gamma "][at * at % 3]).collect();
    std::fs::write(folder.join("text.txt"), text).unwrap();
    let raw = |backbone: Arrangement| RawSequence {
        name: "text".into(),
        kind: Some(Task::Generate),
        data: Some(Form::Bytes),
        files: vec!["text.txt".into()],
        len: Some(16),
        batch: Some(8),
        epochs: Some(1),
        hidden: Some(16),
        state: Some(4),
        layers: Some(1),
        backbone: Some(backbone),
        pools: (backbone == Arrangement::Sashimi).then(|| vec![2]),
        ..RawSequence::default()
    };
    [Arrangement::Stack, Arrangement::Sashimi]
        .into_iter()
        .map(|backbone| trained(folder, raw(backbone)))
        .collect()
}

fn trained(folder: &Path, raw: RawSequence) -> Vec<u8> {
    let spec = SequenceSpec::try_from(raw).unwrap_or_else(|problems| panic!("{problems:?}"));
    let out = folder.join("run");
    let _ = std::fs::remove_dir_all(&out);
    let places = Places { data: Some(folder.into()), out: out.clone() };
    let outcome = sequence::run(&spec, &places, false, &mut |_| {}).unwrap();
    let model = outcome.written.iter().find(|path| path.extension().is_some_and(|end| end == "safetensors"));
    std::fs::read(model.unwrap()).unwrap()
}

/// Generates a little from a file; whether that could be done.
pub fn ask(model: &Path, folder: &Path) -> bool {
    let spec = GenerateSpec {
        model: model.into(),
        out: folder.join("generated"),
        steps: Some(3),
        input: None,
        columns: Columns::default(),
        paths: 2,
        temperature: None,
        top_p: 0.9,
        prefix: None,
        seed: 1,
    };
    sequence::generate(&spec, &|_: Progress| {}).is_ok()
}
