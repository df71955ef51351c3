//! Whole runs on data that is made here: what is learnt, and that an interruption changes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sequence::run::{Outcome, SequenceError, run};
use crate::sequence::spec::{Places, RawSequence, SequenceSpec};
use crate::sequence::stored::read_model;
use crate::sequence::words::{Arrangement, Form, Task};

fn small(raw: RawSequence) -> SequenceSpec {
    let raw = RawSequence {
        hidden: Some(16),
        state: Some(8),
        layers: Some(1),
        warmup: Some(5),
        learning_rate: raw.learning_rate.or(Some(0.02)),
        ..raw
    };
    SequenceSpec::try_from(raw).expect("a sound spec")
}

/// A text in which every letter but the first of a word is certain.
fn text(folder: &Path) -> RawSequence {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let words = ["alpha ", "beta ", "gamma ", "delta "];
    let text: String = (0..4000).map(|_| words[rng.random_range(0..4)]).collect();
    std::fs::write(folder.join("text.txt"), text).expect("written");
    RawSequence {
        name: "text".into(),
        kind: Some(Task::Generate),
        data: Some(Form::Bytes),
        files: vec!["text.txt".into()],
        len: Some(48),
        batch: Some(8),
        epochs: Some(4),
        average: Some(0.9),
        ..RawSequence::default()
    }
}

fn trained(spec: &SequenceSpec, data: &Path, out: &Path, resume: bool) -> Result<Outcome, SequenceError> {
    let places = Places { data: Some(data.into()), out: out.into() };
    run(spec, &places, resume, &mut |_| {})
}

#[test]
fn the_next_byte_of_a_text_is_learnt() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = small(text(folder.path()));
    let outcome = trained(&spec, folder.path(), &folder.path().join("run"), false).expect("trained");
    // Two bits per word of 5.5 letters: 0.36 bits a letter.
    let bits = outcome.test.mean() / std::f64::consts::LN_2;
    assert!(bits < 0.6, "{bits} bits per byte");
    assert_eq!(outcome.epochs.len(), 4);
    assert_eq!(outcome.written.len(), 5, "{:?}", outcome.written);
    let lines = std::fs::read_to_string(folder.path().join("run/metrics.jsonl")).expect("metrics");
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn a_run_that_was_interrupted_ends_with_the_same_weights() {
    for dropout in [0.0, 0.2] {
        interrupted_and_resumed(dropout);
    }
}

fn interrupted_and_resumed(dropout: f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |folder: &Path| RawSequence { dropout: Some(dropout), ..text(folder) };
    let spec = small(text(folder.path()));
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    let expected = trained(&spec, folder.path(), &whole, false).expect("trained");
    let places = Places { data: Some(folder.path().into()), out: broken.clone() };
    let interrupted = catch_unwind(AssertUnwindSafe(|| {
        run(&spec, &places, false, &mut |progress| assert!(progress.epoch < 3, "the power goes"))
    }));
    assert!(interrupted.is_err());
    let resumed = trained(&spec, folder.path(), &broken, true).expect("resumed");
    assert_eq!(resumed.weights_sha256, expected.weights_sha256);
    assert_eq!(resumed.test, expected.test);
    let scores =
        |outcome: &Outcome| outcome.epochs.iter().map(|one| (one.train, one.valid)).collect::<Vec<_>>();
    assert_eq!(scores(&resumed), scores(&expected));
    let other = small(RawSequence { seed: Some(2), ..text(folder.path()) });
    let refused = trained(&other, folder.path(), &broken, true).expect_err("another run");
    assert!(refused.to_string().contains("checkpoint of another run"), "{refused}");
    let other = small(RawSequence { dropout: Some(0.1), ..text(folder.path()) });
    let refused = trained(&other, folder.path(), &broken, true).expect_err("another run");
    assert!(refused.to_string().contains("checkpoint of another run"), "{refused}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let hashes = [0.0, 0.2].map(|dropout| {
        let raw = RawSequence { epochs: Some(1), dropout: Some(dropout), ..text(folder.path()) };
        let spec = small(raw);
        let hashes = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let out = folder.path().join(format!("{dropout}-{threads}"));
            pool.install(|| trained(&spec, folder.path(), &out, false)).expect("trained").weights_sha256
        });
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "dropout {dropout}");
        hashes[0].clone()
    });
    assert_ne!(hashes[0], hashes[1], "dropout changes what is learnt");
}

#[test]
fn dropout_is_a_share_of_the_channels_of_blocks_in_a_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let problems = |dropout: f64, backbone: Option<Arrangement>| {
        let raw = RawSequence { dropout: Some(dropout), backbone, ..text(folder.path()) };
        SequenceSpec::try_from(raw).err().unwrap_or_default()
    };
    for dropout in [0.0, 0.5, 0.999_999] {
        assert_eq!(problems(dropout, None), []);
    }
    for dropout in [1.0, -0.1, f64::NAN] {
        let found = problems(dropout, None);
        assert!(found.len() == 1 && found[0].message.contains("is no share from 0 to below 1"), "{found:?}");
    }
    assert_eq!(problems(0.0, Some(Arrangement::Sashimi)), []);
    let found = problems(0.1, Some(Arrangement::Sashimi));
    assert!(found.len() == 1 && found[0].message.contains("model=s4d and model=s4"), "{found:?}");
}

/// One second of silence with a tone in it, high or low, in folders of that name.
fn tones(folder: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (name, period) in [("high", 5.0), ("low", 11.0)] {
        let class = folder.join("tones").join(name);
        std::fs::create_dir_all(&class).expect("a folder");
        for index in 0..60 {
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: 1000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer =
                hound::WavWriter::create(class.join(format!("{index}.wav")), spec).expect("a writer");
            let (phase, loud): (f32, f32) = (rng.random_range(0.0..6.0), rng.random_range(0.2..1.0));
            for t in 0..200 {
                let value = (t as f32 / period * std::f32::consts::TAU + phase).sin();
                writer.write_sample((value * loud * 20_000.0) as i16).expect("written");
            }
            writer.finalize().expect("whole");
        }
    }
}

#[test]
fn sounds_are_told_apart_and_hidden_samples_are_filled_in() {
    let folder = tempfile::tempdir().expect("a folder");
    tones(folder.path());
    let raw = RawSequence {
        name: "tones".into(),
        kind: Some(Task::Classify),
        data: Some(Form::Sounds),
        files: vec!["tones".into()],
        len: Some(256),
        batch: Some(8),
        epochs: Some(12),
        valid: Some(0.1),
        average: Some(0.9),
        ..RawSequence::default()
    };
    let outcome = trained(&small(raw.clone()), folder.path(), &folder.path().join("classes"), false);
    let outcome = outcome.expect("trained");
    assert!(outcome.test.accuracy() > 0.9, "{}", outcome.test.accuracy());
    let raw = RawSequence { kind: Some(Task::Reconstruct), len: Some(200), epochs: Some(100), ..raw };
    let error = |name: &str, bidirectional| {
        let raw = RawSequence { bidirectional: Some(bidirectional), ..raw.clone() };
        trained(&small(raw), folder.path(), &folder.path().join(name), false).expect("trained").test.mean()
    };
    // Values have variance one; a network that knows nothing has that error, one that sees both sides the least.
    let (past, both) = (error("past", false), error("both", true));
    assert!(past < 0.9 && both < 0.3 * past, "{past} {both}");
}

#[test]
fn what_is_missing_is_said_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = small(text(folder.path()));
    let empty = tempfile::tempdir().expect("a folder");
    let refused = trained(&spec, empty.path(), &empty.path().join("run"), false).expect_err("no file");
    assert!(refused.to_string().starts_with("pipeline text reads text.txt: no such file in "), "{refused}");
    let long = small(RawSequence { len: Some(1 << 15), ..text(folder.path()) });
    let refused = trained(&long, folder.path(), &folder.path().join("run"), false).expect_err("too short");
    assert!(refused.to_string().contains("lower batch, or len"), "{refused}");
    let raw = RawSequence { hidden: Some(20), state: Some(3), ..RawSequence::default() };
    let problems = SequenceSpec::try_from(raw).expect_err("wrong");
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["kind", "data", "files", "hidden"]);
}

#[test]
fn no_forged_model_file_does_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["stack", "sashimi"] {
        let raw = RawSequence { epochs: Some(1), ..text(folder.path()) };
        let backbone = Arrangement::ALL.into_iter().find(|one| one.as_str() == name);
        let spec = small(RawSequence { backbone, pools: Some(vec![4]), ..raw });
        let out = folder.path().join(name);
        trained(&spec, folder.path(), &out, false).expect("trained");
        let good = std::fs::read(out.join("best.safetensors")).expect("a model");
        read_model(&out.join("best.safetensors")).expect("as written");
        let header = 8 + usize::from(u16::from_le_bytes([good[0], good[1]]));
        let (mut rng, mut refused) = (ChaCha8Rng::seed_from_u64(6), 0);
        for case in 0..1500 {
            let mut bytes = good.clone();
            let at = rng.random_range(0..if case % 4 == 0 { bytes.len() } else { header });
            match case % 3 {
                0 => bytes[at] ^= 1 << rng.random_range(0..8),
                1 => bytes[at] = rng.random_range(b'0'..=b'9'),
                _ => bytes.truncate(at),
            }
            let path = folder.path().join("forged.safetensors");
            std::fs::write(&path, bytes).expect("written");
            refused += usize::from(read_model(&path).is_err());
        }
        assert!(refused > 700, "{name}: {refused}");
    }
}

#[test]
fn a_model_of_a_length_or_a_rate_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let raw = RawSequence {
        backbone: Some(Arrangement::Sashimi),
        pools: Some(vec![2]),
        epochs: Some(1),
        ..text(folder.path())
    };
    let out = folder.path().join("run");
    trained(&small(raw), folder.path(), &out, false).expect("trained");
    let path = out.join("best.safetensors");
    let sound = std::fs::read(&path).expect("a model");
    for (from, to, reason) in [
        (r#"\"len\":48"#, r#"\"len\":47"#, "a multiple of 2"),
        (r#"\"rate\":null"#, r#"\"rate\":0"#, "rate is 0; it has to be 1..=2147483647"),
        (r#"\"rate\":null,\"context\":null"#, r#"\"rate\":2147483648"#, "rate is 2147483648; it has"),
    ] {
        let at = sound.windows(from.len()).position(|part| part == from.as_bytes()).expect(from);
        let mut bytes = sound.clone();
        // As long as before, so that the header's length holds.
        let to = format!("{to:length$}", length = from.len());
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&path, bytes).expect("written");
        let Err(error) = read_model(&path) else { panic!("refused") };
        let error = error.to_string();
        assert!(error.contains(reason), "{error}");
    }
}
