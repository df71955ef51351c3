//! The table of broken inputs: what is wrong, the exit code, and words that the message has to hold.
//!
//! Every row is run twice, for people and with `--json`; neither run may write or leave a file.

use super::program::{Place, daily, weekly};

/// What is wrong, the content of `in.csv`, further flags, exit code, words of the message.
type Row = (&'static str, Vec<u8>, &'static str, i32, &'static [&'static str]);

const RUN: &str = "forecast in.csv -H 3 -o out.parquet --model seasonal_naive";

/// Thirty days in which the sixth has another value, in line 7.
fn with(value: &'static str) -> Vec<u8> {
    daily(30, |step| if step == 5 { value.into() } else { (10 + step % 7).to_string() }).into()
}

/// Thirty days, changed.
fn changed(from: &str, to: &str) -> Vec<u8> {
    weekly(30).replacen(from, to, 1).into()
}

/// 28 days, each line written by `line` from the day of the month.
fn lines(header: &str, line: impl Fn(u32) -> String) -> Vec<u8> {
    let lines: String = (1..=28).map(line).collect();
    format!("{header}\n{lines}").into()
}

/// Series a to e, of which those named are bad in their second row.
fn many(bad: &'static str) -> Vec<u8> {
    let series = "abcde".chars().flat_map(|id| (1..=9).map(move |day| (id, day)));
    let value = |id, day| if bad.contains(id) && day == 2 { "oops".into() } else { format!("{day}") };
    let lines: String = series.map(|(id, day)| format!("{id},2024-01-0{day},{}\n", value(id, day))).collect();
    format!("id,ds,y\n{lines}").into()
}

fn latin_1() -> Vec<u8> {
    let mut bytes = b"ds,y,note\n2024-01-01,1,gr\xfcn\n".to_vec();
    bytes.extend_from_slice(b"2024-01-02,2,x\n");
    bytes
}

fn utf_16() -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(weekly(9).encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

// One row a line: it is a table.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    let offset = |day: u32| if day.is_multiple_of(2) { "+01:00" } else { "" };
    vec![
        // Cells.
        ("text in a number", with("abc"), "", 65, &["in.csv: line 7", "column y", "'abc'", "write a number"]),
        ("a unit", with("7 kWh"), "", 65, &["in.csv: line 7", "'7 kWh'", "without its unit"]),
        ("an infinite value", with("inf"), "", 65, &["in.csv: line 7", "infinite", "leave it empty"]),
        ("a value past all numbers", with("1e400"), "", 65, &["in.csv: line 7", "infinite", "correct it"]),
        ("a control character", with("1\u{1b}[31m"), "", 65, &["in.csv: line 7", "'1\\u{1b}[31m'"]),
        ("no value at all", daily(30, |_| String::new()).into(), "", 65, &["in.csv: line 2", "none of the 30 rows"]),
        ("decimal commas", lines("ds;y", |day| format!("2024-01-{day:02};{day},5\n")), "", 65, &["in.csv: line 2", "'1,5'", "decimal point", "27 more like it", "line 29"]),
        // Times.
        ("no such day", changed("2024-01-07", "2024-13-07"), "", 65, &["in.csv: line 8", "'2024-13-07'", "write it as"]),
        ("an empty time", changed("2024-01-07", ""), "", 65, &["in.csv: line 8", "the time is empty", "fill it in"]),
        ("a mistyped year", changed("2024-01-30", "2924-01-30"), "", 65, &["in.csv: line 31", "2924", "correct the time"]),
        ("one time with an offset", changed("2024-01-07", "2024-01-07T00:00:00+01:00"), "", 65, &["in.csv: line 8", "with offset", "line 2", "write all times in one form"]),
        ("every other time with an offset", lines("ds,y", |day| format!("2024-01-{day:02}T00:00:00{},{day}\n", offset(day))), "", 65, &["in.csv: line 3", "with offset", "13 more like it", "line 29"]),
        ("day or month", lines("ds,y", |day| format!("0{}/0{}/2024,{day}\n", day % 9 + 1, day / 9 + 1)), "", 65, &["in.csv", "'02/01/2024'", "day/month or month/day", "2024-01-31"]),
        ("counted times", lines("ds,y", |day| format!("{day},{day}\n")), "", 65, &["in.csv", "1 to 28", "neither years"]),
        ("a time that occurs twice", weekly(30).into_bytes().into_iter().chain(*b"2024-01-05,3\n").collect(), "", 65, &["in.csv: line 6 and line 32", "2024-01-05", "duplicates = ", "--id"]),
        ("rows out of order", weekly(30).into_bytes().into_iter().chain(*b"2023-12-31,3\n").collect(), "--order error", 65, &["in.csv: line 32", "2023-12-31", "sort the rows"]),
        ("a hole", changed("2024-01-07,16\n", ""), "--gaps error", 65, &["in.csv: line 7", "2024-01-07", "gaps = mask"]),
        ("another step", weekly(30).into(), "--freq 1w", 65, &["in.csv: line 3", "2024-01-02", "grid of 1w", "--freq"]),
        ("a single row", weekly(1).into(), "", 65, &["in.csv: line 2", "single row", "--freq"]),
        ("nothing known yet", weekly(9).into(), "--as-of 2020-01-01", 65, &["in.csv", "2020-01-01", "2024-01-01", "later --as-of"]),
        // Records.
        ("an empty file", Vec::new(), "", 65, &["in.csv", "empty", "header line"]),
        ("a header and nothing else", "ds,y\n".into(), "", 65, &["in.csv", "no rows", "at least one row"]),
        ("too few fields", changed(",16", ""), "", 65, &["in.csv: line 8", "1 of 2 fields", "'2024-01-07'", "one field per column"]),
        ("too many fields", changed(",16", ",16,3"), "", 65, &["in.csv: line 8", "3 of 2 fields", "quote fields"]),
        ("decimal commas between commas", lines("ds,y", |day| format!("2024-01-{day:02},{day},5\n")), "", 65, &["in.csv: line 2", "3 of 2 fields", "25 more"]),
        ("a quote left open", changed("2024-01-01", "\"2024-01-01"), "", 65, &["in.csv: line 2", "never closed", "'\"2024-01-01,10'", "double those"]),
        ("a quote left open in the header", changed("ds", "\"ds"), "", 65, &["in.csv: line 1", "never closed", "double those"]),
        // Files that are no CSV.
        ("Latin-1", latin_1(), "", 65, &["in.csv: line 2", "UTF-8"]),
        ("UTF-16", utf_16(), "", 65, &["in.csv: line 1", "UTF-8"]),
        ("bytes", (0..=255).collect::<Vec<u8>>().repeat(40), "", 65, &["in.csv: line 1", "no text"]),
        ("carriage returns", weekly(9).replace('\n', "\r").into(), "", 65, &["in.csv", "carriage returns", "line feeds"]),
        ("words", "words and words\nbut no table\n".into(), "", 65, &["in.csv", "no time column", "header line"]),
        ("no header", changed("ds,y\n", ""), "", 65, &["in.csv", "no header", "'2024-01-01'", "column names"]),
        ("a name twice", changed("ds,y", "y,y"), "", 65, &["in.csv", "line 1", "'y' twice", "rename"]),
        // Columns.
        ("a wrong target", weekly(30).into(), "--target nope", 2, &["in.csv", "'nope'", "--target; the columns are", "ds (time)"]),
        ("a wrong time", weekly(30).into(), "--time dss", 2, &["in.csv", "'dss'", "did you mean 'ds'?", "y (number)"]),
        ("a wrong id", weekly(30).into(), "--id store", 2, &["in.csv", "'store'", "--id; the columns are"]),
        ("one column for two parts", weekly(30).into(), "--target ds", 65, &["in.csv", "no time column among y (number)"]),
        ("two possible ids", lines("a,b,ds,y", |day| format!("x,p,2024-01-{day:02},1\nx,q,2024-01-{day:02},1\n")), "", 65, &["in.csv", "several columns could be the id: a, b", "--id"]),
        // Series.
        ("an empty id", lines("id,ds,y", |day| format!("{},2024-01-{day:02},1\n", if day == 1 { "" } else { "a" })), "", 65, &["in.csv: line 2", "the id is empty", "fill it in"]),
        ("no id at all", lines("id,ds,y", |day| format!(",2024-01-{day:02},1\n")), "", 65, &["in.csv: line 2", "the id is empty", "25 more"]),
        ("ids that become one", "a,b,ds,y\nx/y,z,2024-01-01,1\nx,y/z,2024-01-01,2\n".into(), "--id a,b", 65, &["in.csv", "('x/y', 'z') and ('x', 'y/z')", "'x/y/z'", "remove the '/'"]),
        ("too many bad series", many("bd"), "", 65, &["series 'b': in.csv: line 12", "'oops'", "2 of 5 series", "allows 25%", "--max-bad-series"]),
        ("one bad series too many", many("c"), "--max-bad-series 0", 65, &["series 'c': in.csv: line 21", "1 of 5 series", "allows 0"]),
    ]
}

#[test]
fn each_is_refused_with_its_code_and_says_where_what_and_how_to_repair_it() {
    for (what, content, flags, code, words) in table() {
        let place = Place::new();
        place.put("in.csv", content);
        let run = place.run(&format!("{RUN} {flags}")).expect(code);
        for word in words {
            assert!(run.stderr.contains(word), "{what}: no '{word}' in: {}", run.stderr);
        }
        assert_eq!(run.stdout, "", "{what}");
        assert!(run.stderr.lines().count() <= 4, "{what}: {}", run.stderr);
        let error = place.run(&format!("{RUN} {flags} --json")).expect(code).json();
        assert_eq!(error["error"]["exit_code"], code, "{what}");
        assert!(error["error"]["problems"][0].is_string(), "{what}");
        assert_eq!(place.names(), ["in.csv"], "{what}");
    }
    assert!(table().len() > 40);
}

#[test]
fn data_that_is_odd_but_fine() {
    for (name, input) in [
        ("constant", daily(30, |_| "5".into())),
        ("gigantic", daily(60, |step| format!("{}e300", 1 + step % 7))),
        ("alternating", daily(30, |step| if step % 2 == 0 { "1e308".into() } else { "-1e308".into() })),
        ("zero", daily(30, |_| "0".into())),
        ("two rows", weekly(2)),
        ("byte order mark", format!("\u{feff}{}", weekly(30))),
        ("line ends of Windows", weekly(30).replace('\n', "\r\n")),
        ("tabs", weekly(30).replace(',', "\t")),
        ("blank lines", weekly(30).replace('\n', "\n\n")),
    ] {
        let place = Place::new();
        place.put("in.csv", input);
        for model in ["auto", "seasonal_naive"] {
            let run = place.run(&format!("forecast in.csv -H 3 -o out.parquet --model {model}"));
            assert_eq!(run.code, Some(0), "{name}, {model}: {}", run.stderr);
            assert!(!run.stdout.contains("sMAPE") || !["zero", "alternating"].contains(&name), "{name}");
            assert!(!run.stdout.contains("--tz"), "dates need no zone: {}", run.stdout);
        }
    }
    let place = Place::new();
    place.put("in.csv", weekly(1));
    place.run(&format!("{RUN} --freq 1d")).expect(0);
}

#[test]
fn inputs_that_are_not_there_or_no_files() {
    let place = Place::new();
    place.put("sales.csv", weekly(9));
    place.put("sales.csv.gz", "packed");
    std::fs::create_dir(place.path("folder")).unwrap();
    for (input, code, words) in [
        ("saels.csv", 66, "did you mean ./sales.csv"),
        ("no*.csv", 66, "no*.csv: the pattern matches no file"),
        ("folder", 66, "folder: no CSV or Parquet file"),
        ("sales[.csv", 2, "write [[] for a bracket"),
        ("ftp://host/sales.csv", 2, "no such scheme"),
        ("https://host/sales.csv?key=1", 2, "source.exec"),
        ("https://host/*.csv", 2, "no list of its files"),
        ("memory://nobody/sales.csv", 66, "no such object"),
        ("-", 2, "write it to a file"),
        ("sales.csv.gz", 65, "unpack it first"),
        #[cfg(unix)]
        ("/dev/null", 2, "name a file"),
    ] {
        for command in ["forecast -H 3 -o out.parquet", "data check", "data show"] {
            let run = place.run(&format!("{command} {input}")).expect(code);
            assert!(run.stderr.contains(words), "{command} {input}: {}", run.stderr);
        }
    }
    let run = place.run("forecast -c nosuch.toml").expect(78);
    assert!(run.stderr.contains("nosuch.toml") && run.stderr.contains("--config"), "{}", run.stderr);
    assert_eq!(place.names(), ["folder", "sales.csv", "sales.csv.gz"]);
}

#[test]
fn damaged_parquet() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.run("forecast in.csv -H 300 -o whole.parquet --model naive").expect(0);
    let whole = place.read("whole.parquet");
    place.put("torn.parquet", &whole[..whole.len() / 2]);
    place.put("text.parquet", "ds,y\n");
    let damage = |from: usize| {
        let mut bytes = whole.clone();
        bytes.iter_mut().skip(from).take(40).enumerate().for_each(|(at, byte)| *byte ^= 0x5a ^ at as u8);
        bytes
    };
    place.put("page.parquet", damage(10));
    place.put("footer.parquet", damage(whole.len() - 400));
    for name in ["torn.parquet", "text.parquet", "page.parquet", "footer.parquet"] {
        let run =
            place.run(&format!("forecast {name} --id unique_id --time ds --target yhat -H 3 -o out.parquet"));
        let run = run.expect(65);
        assert!(run.stderr.contains(name) && run.stderr.contains("write the file again"), "{}", run.stderr);
        // The reader may panic inside; that is nobody's business.
        assert!(!run.stderr.contains("panicked") && run.stderr.lines().count() == 1, "{}", run.stderr);
    }
}

#[test]
fn data_of_which_nothing_is_usable_is_reported_all_the_same() {
    let place = Place::new();
    place.put("in.csv", many("abcde"));
    let check = place.run("data check in.csv --json --report q.parquet").expect(65).json();
    assert_eq!((check["verdict"].as_str(), check["series"].as_u64()), (Some("rejected"), Some(0)));
    assert_eq!(check["quality"].as_array().map(Vec::len), Some(5));
    assert_eq!(place.names(), ["in.csv", "q.parquet"]);
    place.run("data check in.csv --max-bad-series 100%").expect(65);
}
