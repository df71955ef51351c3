//! What a stream may not be, and what is told instead.

use super::table::{START, all, columns, of_file, of_stream, plain, put, rows, table};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use s4cast::config::RawWorker;
use s4cast::pipeline::{JobError, WorkerReport};
use tempfile::TempDir;

const DAY: i64 = 86_400_000_000;
const IDS: &str = "--id store,item --target y";

struct Bench {
    folder: TempDir,
    table: RecordBatch,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let table = columns(&table(&rows()), &["store", "item", "ds", "y"]);
        put(&folder.path().join("in.parquet"), &table);
        let flags = format!("{IDS} -H 7 --model ridge --save-model {}/m", folder.path().display());
        of_file(folder.path(), "in.parquet", &flags).unwrap();
        Bench { folder, table }
    }

    fn flags(&self, more: &str) -> String {
        format!("{IDS} {more} --load-model {}/m", self.folder.path().display())
    }

    fn work(
        &self,
        bytes: Vec<u8>,
        more: &str,
        data_end: &str,
    ) -> Result<(RecordBatch, WorkerReport), JobError> {
        let data_end = data_end.split_whitespace().map(String::from).collect();
        of_stream(bytes, &self.flags(more), &RawWorker { data_end, ..RawWorker::default() }, 1)
    }

    fn refusal(&self, bytes: Vec<u8>, more: &str) -> String {
        self.work(bytes, more, "").unwrap_err().to_string()
    }
}

#[test]
fn a_series_that_comes_back_and_rows_out_of_order_end_the_stream() {
    let bench = Bench::new();
    let mut back = rows();
    let again: Vec<_> = back[..3].to_vec();
    back.extend(again);
    let text = bench.refusal(plain(&table(&back), &[100]), "");
    assert!(text.contains("series 's0/i0' after 's3/i2'") && text.contains("sort the stream"), "{text}");
    assert!(text.starts_with("stdin: row "), "{text}");

    let mut unsorted = rows();
    unsorted.swap(3, 9);
    let text = bench.refusal(plain(&table(&unsorted), &[100]), "");
    assert!(text.contains("of series 's0/i0' comes after") && text.contains("--order sort"), "{text}");
    // Whoever asks for it has them sorted, and gets what the file gives.
    let (found, _) = bench.work(plain(&table(&unsorted), &[100]), "--order sort", "").unwrap();
    let (sorted, _) = bench.work(plain(&bench.table, &[100]), "", "").unwrap();
    super::table::same(&found, &sorted, "sorted");
    let (_, report) = bench.work(plain(&table(&unsorted), &[100]), "--order error", "").unwrap();
    assert_eq!(report.left_out, 2);
}

#[test]
fn bad_series_are_told_and_judged_at_the_end() {
    let bench = Bench::new();
    let (found, report) = bench.work(plain(&bench.table, &[64]), "", "").unwrap();
    assert_eq!((report.series, report.left_out, report.forecast_rows), (12, 1, 11 * 7));
    assert_eq!(report.quarantined[0].0, "s1/i2");
    assert!(report.quarantined[0].1[0].contains("stdin: row"), "{:?}", report.quarantined);
    assert_eq!(found.num_rows(), 77);
    let text = bench.refusal(plain(&bench.table, &[64]), "--max-bad-series 0");
    assert!(text.contains("1 of 12 series cannot be used, max_bad_series allows 0"), "{text}");
}

#[test]
fn an_empty_stream_gives_an_empty_one() {
    let bench = Bench::new();
    let none = bench.table.slice(0, 0);
    let whole = bench.work(plain(&bench.table, &[64]), "", "").unwrap().0;
    for sizes in [&[1][..], &[5]] {
        let (found, report) = bench.work(plain(&none, sizes), "", "").unwrap();
        assert_eq!((found.num_rows(), report.series), (0, 0));
        assert_eq!(found.schema(), whole.schema());
    }
    // Columns that are told by their rows are told by their types where there are none.
    let training = RawWorker { is_training: true, ..RawWorker::default() };
    for flags in ["-H 7 --model ridge", "-H 7 --model ridge --id store,item --target y"] {
        let (found, _) = of_stream(plain(&none, &[1]), flags, &training, 1).unwrap();
        assert_eq!(found.num_rows(), 0);
    }
    let wrong = of_stream(plain(&none, &[1]), "-H 7 --id shop", &training, 1).unwrap_err().to_string();
    assert!(wrong.contains("no column 'shop'"), "{wrong}");
}

#[test]
fn what_is_no_stream_is_refused_in_words() {
    let bench = Bench::new();
    let good = plain(&bench.table, &[100]);
    let cases: [(&[u8], &str); 6] = [
        (b"", "not a single byte"),
        (b"ds,y\n2024-01-01,1\n", "text, perhaps CSV"),
        (b"PAR1....", "a Parquet file"),
        (b"ARROW1\0\0", "an Arrow IPC file"),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "claims a head"),
        (&good[..good.len() / 2], "ends within a message"),
    ];
    for (bytes, words) in cases {
        let text = bench.refusal(bytes.to_vec(), "");
        assert!(text.contains(words), "{text}");
    }
    let mut damaged = good.clone();
    for at in (40..good.len()).step_by(97) {
        damaged[at] ^= 0xa5;
    }
    bench.refusal(damaged, "");
    // The mark of the end may be missing.
    assert!(bench.work(good[..good.len() - 8].to_vec(), "", "").is_ok());
}

#[test]
fn which_series_are_stale_is_said_or_asked_for() {
    let bench = Bench::new();
    // The first store closed in February.
    let closed = |row: &super::table::Row| row.0 == "s0" && row.2.is_some_and(|time| time > START + 45 * DAY);
    let rows: Vec<_> = rows().into_iter().filter(|row| !closed(row) && row.3.is_some()).collect();
    let table = columns(&table(&rows), &["store", "item", "ds", "y"]);
    put(&bench.folder.path().join("closed.parquet"), &table);
    let expected = of_file(bench.folder.path(), "closed.parquet", &bench.flags("")).unwrap();
    let text = bench.refusal(plain(&table, &[64]), "");
    assert!(text.contains("--data-end") && text.contains("'s0/i0'"), "{text}");
    let last = "2024-03-30";
    let (found, _) = bench.work(plain(&table, &[64]), "", last).unwrap();
    super::table::same(&found, &expected, "stale");
    assert!(expected["status"].as_string::<i32>().iter().flatten().any(|status| status == "stale"));
    let (found, _) = bench.work(plain(&table, &[64]), "", &format!("1d={last}")).unwrap();
    super::table::same(&found, &expected, "stale by step");
    let (found, _) = bench.work(plain(&table, &[64]), "", "none").unwrap();
    assert!(found["status"].as_string::<i32>().iter().flatten().all(|status| status != "stale"));
    let text = bench.work(plain(&table, &[64]), "", "2024-03-01").unwrap_err().to_string();
    assert!(text.contains("goes on until") && text.contains("after --data-end"), "{text}");
}

#[test]
fn what_a_stream_cannot_have_is_refused() {
    let bench = Bench::new();
    let bytes = || plain(&bench.table, &[64]);
    assert!(bench.refusal(bytes(), "--hierarchy store").contains("--hierarchy"));
    let (ds, y) = (bench.table["ds"].clone(), bench.table["y"].clone());
    let wide = [("ds", ds, true), ("north", y.clone(), true), ("south", y, true)];
    let wide = RecordBatch::try_from_iter_with_nullable(wide).unwrap();
    let flags = format!("--load-model {}/m", bench.folder.path().display());
    let text = of_stream(plain(&wide, &[64]), &flags, &RawWorker::default(), 9).unwrap_err().to_string();
    assert!(text.contains("--target"), "{text}");
    let nameless: Vec<_> =
        rows().into_iter().map(|row| (String::new(), row.1, row.2, row.3, row.4, row.5)).collect();
    let text = bench.refusal(plain(&table(&nameless), &[64]), "");
    assert!(text.contains("stdin: row 1: the id is empty"), "{text}");
    let text = bench.refusal(bytes(), "--model ets --levels 99");
    assert!(text.contains("model ets is asked for") && text.contains("level 99"), "{text}");
}

#[test]
fn a_sink_that_takes_nothing_ends_the_work() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    let bench = Bench::new();
    let job =
        s4cast::config::worker(super::table::settings(&bench.flags("")), &RawWorker::default()).unwrap().job;
    let input = std::io::Cursor::new(plain(&bench.table, &[64]));
    let error = s4cast::pipeline::work(&job, super::table::moment(), input, Closed, &|_| {}).unwrap_err();
    assert!(matches!(error, JobError::Stream(error) if error.kind() == std::io::ErrorKind::BrokenPipe));
    assert_eq!(all(&plain(&bench.table, &[64])).num_rows(), bench.table.num_rows());
}
