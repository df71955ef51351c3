//! Sequence tasks as a person runs them: `s4cast train pipeline=mnist …`, then `s4cast generate`.

use super::program::Place;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, FixedSizeListArray, RecordBatch, UInt8Array};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::File;
use std::sync::Arc;

/// Images of 8 by 8 pixels in the form of MNIST: a bar that lies (0) or stands (1), somewhere.
fn bars(place: &Place, name: &str, count: usize, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut labels, mut pixels) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (label, at) = (rng.random_range(0..2_u8), rng.random_range(1..7));
        let is_bar = |pixel: usize| (if label == 0 { pixel / 8 } else { pixel % 8 }) == at;
        pixels.extend((0..64).map(|pixel| if is_bar(pixel) { 200 } else { rng.random_range(0..40_u8) }));
        labels.push(label);
    }
    let item = Arc::new(Field::new("item", DataType::UInt8, false));
    let pixels = FixedSizeListArray::new(item, 64, Arc::new(UInt8Array::from(pixels)), None);
    let columns: [(&str, ArrayRef); 2] =
        [("label", Arc::new(UInt8Array::from(labels))), ("pixels", Arc::new(pixels))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(place.path(name)).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

const SMALL: &str = "hidden=16 state=8 layers=1 batch=16 warmup=10 learning_rate=0.02 average=0.9";

#[test]
fn images_are_classified_by_both_state_space_models_in_both_orders() {
    let place = Place::new();
    bars(&place, "mnist_train.parquet", 600, 1);
    bars(&place, "mnist_test.parquet", 200, 2);
    for (model, order) in [("s4d", "plain"), ("s4", "bitrev")] {
        let run = format!(
            "train pipeline=mnist model={model} permute={order} data_dir=. out={model} epochs=8 {SMALL} --json"
        );
        let document = place.run(&run).expect(0).json();
        let accuracy = document["test"]["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.95, "{model} {order}: {accuracy}");
        assert_eq!(document["config"]["model"]["ssm"], model);
        assert_eq!(document["config"]["train"]["dropout"], 0.0);
        assert_eq!(document["config"]["pipeline"]["permute"], order);
        assert_eq!(document["data"]["sequences"]["test"], 200);
        assert_eq!(document["epochs"].as_array().unwrap().len(), 8);
        let written =
            ["best.safetensors", "last.safetensors", "loss.svg", "metrics.jsonl", "metrics.parquet"];
        for name in written {
            assert!(place.path(&format!("{model}/{name}")).exists(), "{name}");
        }
        assert!(String::from_utf8(place.read(&format!("{model}/loss.svg"))).unwrap().starts_with("<svg"));
    }
    // The model of one network, the settings of another.
    let other = format!("train pipeline=mnist model=s4d data_dir=. out=s4 resume=true epochs=8 {SMALL}");
    let refused = place.run(&other).expect(2);
    assert!(refused.stderr.contains("checkpoint of another run"), "{}", refused.stderr);
    let refused = place.run("generate s4/best.safetensors -o out.bin -n 5").expect(2);
    assert!(refused.stderr.contains("trained to classify"), "{}", refused.stderr);
}

#[test]
fn requests_of_a_sequence_task_that_make_no_sense() {
    let place = Place::new();
    let cases = [
        ("pipeline=mnist hiden=16", 2, "did you mean 'hidden'?"),
        ("pipeline=mnist hidden=20", 2, "hidden: 20 is not a multiple of 16"),
        ("pipeline=mnist model=s4dd", 2, "did you mean 's4d'?"),
        ("pipeline=mnist permute=bitrv", 2, "did you mean 'bitrev'?"),
        ("pipeline=mnist model=sashimi", 78, "sashimi generates"),
        ("pipeline=text len=100 model=sashimi", 2, "100 is no multiple of 16"),
        ("pipeline=m4_hourly_paths model=s4d", 2, "write model=sashimi"),
        ("pipeline=mnist data_dir=.", 66, "mnist_train.parquet"),
        ("pipeline=mnist", 66, "no folder to look in"),
        ("pipeline=text model=s4d dropout=1.0", 2, "1 is no share from 0 to below 1"),
        ("pipeline=text model=sashimi len=1024 dropout=0.1", 2, "dropout is for model=s4d and model=s4"),
        ("pipeline=mnist dt=[1,0.1]", 2, "[1, 0.1] is no range of steps"),
    ];
    for (arguments, code, message) in cases {
        let run = place.run(&format!("train {arguments}")).expect(code);
        assert!(run.stderr.contains(message), "{arguments}: '{message}' is not in: {}", run.stderr);
    }
    place.put("own.toml", "kind = \"classify\"\ndata = \"images\"\nfiles = [\"x\"]\nepoch = 3\n");
    let run = place.run("train pipeline=./own.toml").expect(78);
    assert!(
        run.stderr.contains("own.toml:4:1") && run.stderr.contains("did you mean 'epochs'?"),
        "{}",
        run.stderr
    );
    let settings = place.run("train pipeline=mnist model=s4 --dry-run").expect(0).stdout;
    assert!(settings.contains("ssm = \"s4\"") && settings.contains("epochs = 12"), "{settings}");
    let run = place.run("generate nowhere.safetensors -o x.wav -n 5").expect(66);
    assert!(run.stderr.contains("nowhere.safetensors"), "{}", run.stderr);
}

/// Half a second of three instruments, each with overtones and a pitch of its own.
fn instruments(place: &Place) {
    std::fs::create_dir(place.path("audio")).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (name, pitch, overtones) in INSTRUMENTS {
        for index in 0..16 {
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: RATE,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let path = place.path(&format!("audio/{name}-{index}.wav"));
            let mut writer = hound::WavWriter::create(path, spec).unwrap();
            let phase: f64 = rng.random_range(0.0..6.0);
            for t in 0..1024 {
                let at = std::f64::consts::TAU * pitch * f64::from(t) / f64::from(RATE) + phase;
                let tone = |(n, &loud): (usize, &f64)| loud * ((n + 1) as f64 * at).sin();
                let value: f64 = overtones.iter().enumerate().map(tone).sum();
                writer.write_sample((value * 9000.0 + rng.random_range(-60.0..60.0)) as i16).unwrap();
            }
            writer.finalize().unwrap();
        }
    }
}

const RATE: u32 = 2000;
const INSTRUMENTS: [(&str, f64, &[f64]); 3] =
    [("flute", 125.0, &[1.0, 0.1]), ("organ", 187.5, &[1.0, 0.6, 0.5]), ("reed", 250.0, &[0.7, 1.0, 0.2])];

/// Amplitude at a frequency (Goertzel).
fn amplitude(samples: &[f64], frequency: f64) -> f64 {
    let sum = |wave: fn(f64) -> f64| -> f64 {
        let at = |t: usize| wave(std::f64::consts::TAU * frequency * t as f64 / f64::from(RATE));
        samples.iter().enumerate().map(|(t, sample)| sample * at(t)).sum()
    };
    2.0 / samples.len() as f64 * sum(f64::sin).hypot(sum(f64::cos))
}

#[test]
fn generated_sounds_have_the_pitches_of_the_instruments() {
    let place = Place::new();
    instruments(&place);
    let train = "train pipeline=audio model=sashimi data_dir=. out=run len=512 hidden=16 state=32 layers=1 \
                 pools=[4] batch=4 epochs=40 warmup=30 learning_rate=0.01 average=0.95 --json";
    let document = place.run(train).expect(0).json();
    let bits = document["test"]["bits"].as_f64().unwrap();
    assert!(bits < 4.5, "{bits} bits a code");
    // With what an instrument played before, the sound that follows is that instrument's.
    for (name, pitch, overtones) in INSTRUMENTS {
        let run = format!(
            "generate run/best.safetensors -o {name}.wav -n 800 --prefix audio/{name}-0.wav --temperature 0.5 --json"
        );
        let document = place.run(&run).expect(0).json();
        assert_eq!((&document["rate"], &document["steps"]), (&RATE.into(), &800.into()));
        let reader = hound::WavReader::open(place.path(&format!("{name}.wav"))).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.len()), (RATE, 800));
        let samples: Vec<f64> =
            reader.into_samples::<i16>().map(|sample| f64::from(sample.unwrap())).collect();
        let own: f64 = (1..=overtones.len()).map(|n| amplitude(&samples, pitch * n as f64)).sum();
        let between: f64 =
            (1..=overtones.len()).map(|n| amplitude(&samples, pitch * (n as f64 + 0.37))).sum();
        assert!(own > 8.0 * between, "{name}: {own} at its pitches, {between} beside them");
    }
    // The same seed gives the same sound, alone or beside others.
    let alone = "generate run/best.safetensors -o one.wav -n 100 --seed 4";
    place.run(alone).expect(0);
    place.run(&format!("{} --paths 3", alone.replace("one", "many"))).expect(0);
    assert_eq!(place.read("one.wav"), place.read("many-1.wav"));
    assert_ne!(place.read("many-1.wav"), place.read("many-2.wav"));
}

/// Twelve series of a daily wave with a level of their own and errors that go on for hours.
fn waves() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
    let mut text = String::from("unique_id,ds,y\n");
    for series in 0..12 {
        let mut error = 0.0;
        for step in 0..400_i64 {
            error = 0.8 * error + rng.random_range(-2.0..2.0);
            let wave = 10.0 * (std::f64::consts::TAU * step as f64 / 24.0).sin();
            let ds = start.saturating_add(jiff::Span::new().hours(step));
            text += &format!("s{series},{ds},{}\n", 100.0 * f64::from(series + 1) + wave + error);
        }
    }
    text
}

#[test]
fn paths_of_series_go_on_from_each_series_and_their_sums_cover() {
    let place = Place::new();
    place.put("waves.csv", waves());
    place.put(
        "waves.toml",
        "kind = \"generate\"\ndata = \"series\"\nfiles = [\"waves.csv\"]\nlen = 64\nhorizon = 16\nbatch = 8\nepochs = 12\n",
    );
    let train = "train pipeline=./waves.toml model=sashimi out=run hidden=16 state=32 layers=1 pools=[4] warmup=20 \
                 learning_rate=0.01 average=0.95 --json";
    let document = place.run(train).expect(0).json();
    let sums = &document["sums"]["test"];
    assert_eq!((&sums["windows"], &sums["paths"]), (&12.into(), &100.into()));
    assert_eq!(document["sums"]["valid"]["windows"], 36);
    // Twelve windows: only a gross error shows.
    assert!(sums["coverage_95"].as_f64().unwrap() > 0.6, "{sums}");
    let generate = "generate run/best.safetensors --input waves.csv --paths 7 -o paths.parquet --json";
    let document = place.run(generate).expect(0).json();
    assert_eq!((&document["series"], &document["too_short"]), (&12.into(), &0.into()));
    assert_eq!(document["temperature"], sums["temperature"], "the temperature of the model is used");
    let file = File::open(place.path("paths.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = 0;
    for batch in reader {
        let batch = batch.unwrap();
        let ids = batch["unique_id"].as_string::<i32>();
        let ds = batch["ds"].as_primitive::<TimestampMicrosecondType>();
        let (path, value) =
            (batch["path"].as_primitive::<Int32Type>(), batch["value"].as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let series: f64 = ids.value(row)[1..].parse().unwrap();
            assert!((value.value(row) - 100.0 * (series + 1.0)).abs() < 45.0, "near the level of its series");
            assert!((1..=7).contains(&path.value(row)));
            let end = "2024-01-17T15:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
            let step = (ds.value(row) - end) / 3_600_000_000;
            assert!((1..=16).contains(&step), "{step}");
        }
        rows += batch.num_rows();
    }
    assert_eq!(rows, 12 * 7 * 16);
    let refused = place.run("generate run/best.safetensors -o x.parquet -n 5").expect(2);
    assert!(refused.stderr.contains("name some with --input"), "{}", refused.stderr);
}
