//! Pictures from the command line: what is on them, what is refused, and that nothing is left behind.

use super::program::{Place, Run, dataset, weekly};

/// Two series of days, and forecasts of them from before the end of the data.
fn forecast() -> Place {
    let place = Place::new();
    let rows: String = ["north", "south"]
        .iter()
        .flat_map(|id| weekly(70).lines().skip(1).map(|line| format!("{id},{line}\n")).collect::<Vec<_>>())
        .collect();
    place.put("sales.csv", format!("shop,ds,units\n{rows}"));
    place.run("forecast sales.csv -H 7 --model seasonal_naive --as-of 2024-02-29 -o f.parquet -q").expect(0);
    place
}

#[test]
fn an_svg_shows_history_forecast_and_what_came() {
    let place = forecast();
    let run = place.run("plot f.parquet --history sales.csv --id north --unit pieces -o north.svg").expect(0);
    assert!(run.stdout.contains("north.svg: 1 series, 960 × 540"), "{}", run.stdout);
    let svg = String::from_utf8(place.read("north.svg")).unwrap();
    for words in [
        "observed",
        "observed after the cutoff",
        "95 % interval",
        "cutoff 2024-02-29",
        "one value per day",
        "(UTC)",
        "pieces",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    place.run("plot f.parquet --history sales.csv --id north --unit pieces -o again.svg -q").expect(0);
    assert_eq!(place.read("again.svg"), place.read("north.svg"));
    // The column of the target is the title where nothing else is said, and its zone that of the axis.
    place
        .run("plot f.parquet --history sales.csv --id-columns shop --id north --tz Asia/Tokyo -o tz.svg -q")
        .expect(0);
    let svg = String::from_utf8(place.read("tz.svg")).unwrap();
    assert!(svg.contains("(Asia/Tokyo)") && svg.contains("units"), "{svg}");
}

#[test]
fn a_png_has_the_size_asked_for() {
    let place = forecast();
    place
        .run("plot f.parquet --id north --id south -o both.png --width 800 --height 600 --theme dark -q")
        .expect(0);
    let file = place.read("both.png");
    let reader = png::Decoder::new(file.as_slice()).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (800, 600));
}

#[test]
fn a_terminal_has_the_picture_and_json_what_is_on_it() {
    let place = forecast();
    let run = place.run("plot f.parquet --history sales.csv --id south --last 21").expect(0);
    assert!(
        run.stdout.starts_with("south\n") && run.stdout.contains("┊  cutoff 2024-02-29"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80) && !run.stdout.contains('\u{1b}'));
    let run = place.run("plot f.parquet --history sales.csv --id south --last 21 --json").expect(0);
    let series = &run.json()["series"][0];
    assert_eq!(series["unique_id"], "south");
    assert_eq!((series["observed"].as_u64(), series["steps"].as_u64()), (Some(28), Some(7)));
    assert_eq!(series["cutoffs"][0], "2024-02-29T00:00:00Z");
    assert_eq!(series["levels"].as_array().unwrap().len(), 2);
    let colored = place.run("plot f.parquet --id south --color always").expect(0);
    assert!(colored.stdout.contains("\u{1b}[0;94m"));
}

#[test]
fn one_series_needs_no_id_and_a_folder_of_a_run_no_file_name() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    std::fs::create_dir_all(place.path("out/latest/job=j")).unwrap();
    place.run("forecast in.csv -H 7 --model seasonal_naive -o out/latest/job=j/part-0.parquet -q").expect(0);
    place.run("plot out/latest/job=j -o x.svg -q").expect(0);
    assert!(String::from_utf8(place.read("x.svg")).unwrap().contains("forecast"));
}

#[test]
fn scenarios_and_backtests_are_drawn() {
    let place = Place::new();
    let rows: String =
        weekly(60).lines().skip(1).enumerate().map(|(day, line)| format!("{line},{}\n", day % 3)).collect();
    let ahead = |day: u32| format!("2024-03-{day:02},,1\n");
    place.put("in.csv", format!("ds,y,price\n{rows}{}", (1..8).map(ahead).collect::<String>()));
    place
        .run("forecast in.csv -H 7 --model ridge --future-covariates price --scenario dear:price=+10% -o f.parquet -q")
        .expect(0);
    place.run("plot f.parquet -o f.svg -q").expect(0);
    assert!(String::from_utf8(place.read("f.svg")).unwrap().contains("scenario dear"));
    let run = place.run("plot f.parquet --scenario deer -o f.svg").expect(2);
    assert!(run.stderr.contains("did you mean 'dear'?"), "{}", run.stderr);

    let input = dataset("air_passengers.csv");
    place.run(&format!("backtest {input} -H 12 --windows 3 --models ridge,naive -o bt.parquet -q")).expect(0);
    let run = place.run("plot bt.parquet -o bt.svg --json").expect(0).json();
    assert_eq!(run["series"][0]["cutoffs"].as_array().unwrap().len(), 3);
    assert_eq!(run["series"][0]["observed"], 36);
    assert!(run["notes"][0].as_str().unwrap().contains("forecasts of ridge"), "{run}");
    let svg = String::from_utf8(place.read("bt.svg")).unwrap();
    assert!(svg.contains("3 cutoffs, 1957-12-01 to 1959-12-01"), "{svg}");
    assert!(place.run("plot bt.parquet --model ridg -o bt.svg").expect(2).stderr.contains("'ridge'"));
}

#[test]
fn what_cannot_be_drawn_is_said_with_what_would_do() {
    let place = forecast();
    let said = |run: Run, words: &str| assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    said(place.run("plot f.parquet").expect(2), "they are 'north', 'south'");
    said(place.run("plot f.parquet --id nort").expect(2), "did you mean 'north'?");
    said(place.run("plot f.parquet --id north -o x.pdf").expect(2), "neither .svg nor .png");
    said(place.run("plot f.parquet --id north --levels 90").expect(2), "no interval of 90 %");
    said(
        place.run("plot f.parquet --id north --tz Europe/Berlln").expect(2),
        "did you mean 'Europe/Berlin'?",
    );
    said(place.run("plot f.parquet --id north --id south -o x.svg --width 120").expect(2), "do not fit");
    said(place.run("plot nowhere.parquet").expect(66), "there is no nowhere.parquet");
    said(place.run("plot f.parquet --id north --history nowhere.csv").expect(66), "nowhere.csv");
    said(place.run("plot sales.csv").expect(65), "holds no forecasts");
    place.put("broken.parquet", "no parquet");
    said(place.run("plot broken.parquet").expect(65), "holds no forecasts");
    said(place.run("plot f.parquet --id north -o no/where.svg").expect(73), "no/where.svg");
    place.put("other.csv", weekly(60));
    said(
        place.run("plot f.parquet --id north --history other.csv").expect(2),
        "the history has no series 'north'",
    );
    let before = place.names();
    assert!(!before.iter().any(|name| name.ends_with(".svg")), "{before:?}");
}
