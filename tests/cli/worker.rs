//! `s4cast worker`: streams through pipes, exit codes, what stands on stderr.

use super::program::{Place, Run};
use crate::worker::table::{all, columns, plain, put, rows, same, table};
use arrow_array::RecordBatch;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

const IDS: &str = "--id store,item --target y";

/// A file, a model that was trained on it, and the same rows as a stream.
fn bench() -> (Place, RecordBatch) {
    let place = Place::new();
    let table = columns(&table(&rows()), &["store", "item", "ds", "y"]);
    put(&place.path("in.parquet"), &table);
    let train =
        format!("forecast in.parquet {IDS} -H 7 --model ridge -o a.parquet --save-model m.safetensors -q");
    place.run(&train).expect(0);
    (place, table)
}

fn started(place: &Place, arguments: &str) -> Child {
    let mut command = place.command();
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs a worker on a stream; its stdout as bytes, and the rest.
fn work(place: &Place, arguments: &str, stream: Vec<u8>) -> (Vec<u8>, Run) {
    let mut child = started(place, arguments);
    let mut stdin = child.stdin.take().unwrap();
    // A worker that has failed reads no more.
    let feed = std::thread::spawn(move || drop(stdin.write_all(&stream)));
    let mut output = child.wait_with_output().unwrap();
    feed.join().unwrap();
    let stdout = std::mem::take(&mut output.stdout);
    (stdout, Run::of(output))
}

fn read(place: &Place, file: &str) -> RecordBatch {
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
        std::fs::File::open(place.path(file)).unwrap(),
    )
    .unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema, &batches).unwrap()
}

/// Without what tells one run from the next.
fn kept(table: &RecordBatch) -> RecordBatch {
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let of_run = ["issued_at", "created_at", "run_id"];
    let kept: Vec<&str> = names.into_iter().filter(|name| !of_run.contains(name)).collect();
    let table = columns(table, &kept);
    let bare = arrow_schema::Schema::new(table.schema().fields().clone());
    RecordBatch::try_new(std::sync::Arc::new(bare), table.columns().to_vec()).unwrap()
}

#[test]
fn a_pipe_gives_what_a_file_gives() {
    let (place, table) = bench();
    place.run(&format!("forecast in.parquet {IDS} --load-model m.safetensors -o b.parquet -q")).expect(0);
    let file = kept(&read(&place, "b.parquet"));
    let run = "--run-id nightly --issued-at 2024-04-01 --data-end 2024-03-30";
    for model in ["--model m.safetensors", "--load-model m.safetensors --model ridge -j 1"] {
        let (bytes, said) = work(&place, &format!("worker {model} {IDS} {run}"), plain(&table, &[33]));
        let said = said.expect(0);
        let rows = all(&bytes);
        same(&kept(&rows), &file, model);
        assert!(said.stderr.contains("Forecast  11 of 12 series"), "{}", said.stderr);
        assert!(said.stderr.contains("series 's1/i2' is left out: stdin: row"), "{}", said.stderr);
        let ids = rows["run_id"].as_any().downcast_ref::<arrow_array::StringArray>().unwrap().clone();
        assert!(ids.iter().flatten().all(|id| id == "nightly"));
    }
    let train = format!("worker --train -H 7 --model ridge {IDS} --json");
    let (bytes, said) = work(&place, &train, plain(&table, &[500]));
    same(&kept(&all(&bytes)), &kept(&read(&place, "a.parquet")), "trained");
    let line = said.expect(0).stderr;
    let report: serde_json::Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert_eq!((&report["left_out"], &report["forecast_rows"]), (&1.into(), &77.into()));
}

#[test]
fn nothing_but_the_stream_stands_on_stdout() {
    let (place, table) = bench();
    let flags = format!("worker --model m.safetensors {IDS}");
    let good = plain(&table, &[33]);
    let cases = [
        (format!("{flags} --json"), good[..500].to_vec(), 65, "ends within a message"),
        (flags.clone(), b"ds,y\n".to_vec(), 65, "text, perhaps CSV"),
        (format!("{flags} --strict"), good.clone(), 3, "1 left out"),
        (format!("{flags} --max-bad-series 0"), good.clone(), 65, "max_bad_series allows 0"),
        (format!("worker --model none.safetensors {IDS}"), good.clone(), 66, "none.safetensors"),
        ("worker --json".into(), Vec::new(), 2, "no model to forecast with"),
        ("worker --train --load-model m.safetensors -H 7".into(), Vec::new(), 2, "train says to train"),
        ("worker --bogus --json".into(), Vec::new(), 2, "--bogus"),
        (format!("{flags} --data-end soon"), Vec::new(), 2, "--data-end: 'soon' is not a time"),
    ];
    for (arguments, stream, code, words) in cases {
        let (stdout, said) = work(&place, &arguments, stream);
        let said = said.expect(code);
        assert!(said.stderr.contains(words), "{arguments}: {}", said.stderr);
        assert!(stdout.is_empty() || stdout.starts_with(&[0xff; 4]), "{arguments}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let (place, table) = bench();
    let mut child = started(&place, &format!("worker --model m.safetensors {IDS} -q"));
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // The stream is never ended: whoever writes it may go on for hours.
    stdin.write_all(&plain(&table, &[33])).unwrap();
    stdin.flush().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(said.lines().all(|line| line.contains("is left out")), "{said}");
    drop(stdin);
}
