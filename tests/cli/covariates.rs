//! Covariates from the command line to the published forecast.

use super::program::Place;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use s4cast::calendar::Country;
use serde_json::Value;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

/// Days of history.
const HISTORY: u32 = 400;

/// Days that are known in advance.
const AHEAD: u32 = 14;

/// Whether there is a promotion on a day: on three of ten, as good as by chance.
fn promotion(day: u32) -> u32 {
    let mixed = day.wrapping_mul(0x9e37_79b9);
    let mixed = (mixed ^ mixed >> 16).wrapping_mul(0x85eb_ca6b);
    u32::from((mixed ^ mixed >> 13) % 10 < 3)
}

/// Sales of a day: a week, and four times as much on days with a promotion.
fn sales(shop: u32, day: u32) -> f64 {
    let week = [1.0, 1.1, 1.0, 0.9, 1.2, 1.6, 1.4][day as usize % 7];
    let noise = f64::from((day * 31 + shop * 17) % 13) / 13.0 - 0.5;
    100.0 * f64::from(shop + 1) * (week + 3.0 * f64::from(promotion(day))) + 5.0 * noise
}

/// A date so many days after the start of 2024.
fn date(day: u32) -> jiff::civil::Date {
    jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(i64::from(day)))
}

/// Two shops with promotions that are known in advance, and an event that is `named` on the first day ahead.
pub fn shops(event: &str) -> String {
    let mut text = String::from("shop,ds,y,promo,event\n");
    for shop in 0..2 {
        for day in 0..HISTORY + AHEAD {
            let y = if day < HISTORY { format!("{:.3}", sales(shop, day)) } else { String::new() };
            let event = if day == HISTORY {
                event
            } else if day % 9 == 0 {
                "fair"
            } else {
                "none"
            };
            writeln!(text, "s{shop},{},{y},{},{event}", date(day), promotion(day)).unwrap();
        }
    }
    text
}

/// Point forecasts, by series and step.
fn points(path: &Path) -> Vec<f64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    batches.flat_map(|batch| batch["yhat"].as_primitive::<Float64Type>().values().to_vec()).collect()
}

/// Mean absolute error of the forecasts of both shops.
fn error(path: &Path, horizon: u32) -> f64 {
    let points = points(path);
    assert_eq!(points.len(), 2 * horizon as usize);
    let actual = (0..2).flat_map(|shop| (0..horizon).map(move |step| sales(shop, HISTORY + step)));
    let errors: Vec<f64> = points.iter().zip(actual).map(|(point, actual)| (point - actual).abs()).collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

const ROLES: &str = "--id shop --target y";

#[test]
fn what_is_known_in_advance_makes_better_forecasts() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    let common = format!("in.csv {ROLES} -H 7 --model ridge");
    let run = |flags: &str, name: &str| {
        place.run(&format!("forecast {common} {flags} -o {name} --json")).expect(0).json()
    };
    run("", "without.parquet");
    let document = run("--future-covariates promo", "with.parquet");
    let covariate = &document["source"]["covariates"][0];
    assert_eq!((&covariate["column"], &covariate["known"]), (&"promo".into(), &"future".into()));
    assert_eq!(covariate["steps_ahead"], serde_json::json!([14, 14]));
    let (with, without) = (error(&place.path("with.parquet"), 7), error(&place.path("without.parquet"), 7));
    assert!(with < 0.5 * without, "MAE with {with}, without {without}");

    // A backtest is better, too: its windows know the promotions of their horizons.
    let mase = |flags: &str| {
        let run = place.run(&format!("backtest {common} {flags} --models ridge -W 3 --json")).expect(0);
        run.json()["models"]["ridge"]["mase"].as_f64().unwrap()
    };
    let (with, without) = (mase("--future-covariates promo"), mase(""));
    assert!(with < 0.5 * without, "MASE with {with}, without {without}");
}

#[test]
fn every_cell_that_is_missing_ahead_is_named_and_nothing_is_published() {
    let place = Place::new();
    let text = shops("none");
    let hole = |text: String, shop: u32, day: u32| {
        let row = format!("s{shop},{},,{},", date(day), promotion(day));
        assert!(text.contains(&row), "{row}");
        text.replace(&row, &format!("s{shop},{},,,", date(day)))
    };
    let text = hole(hole(hole(text, 0, HISTORY + 1), 1, HISTORY + 1), 1, HISTORY + 6);
    place.put("in.csv", &text);
    let common =
        format!("forecast in.csv {ROLES} -H 7 --model ridge --future-covariates promo -o out.parquet");
    let run = place.run(&common).expect(65);
    let cells = [("s0", HISTORY + 1), ("s1", HISTORY + 1), ("s1", HISTORY + 6)];
    for (id, day) in cells {
        let line = format!("series '{id}', {}T00:00:00Z: promo is missing", date(day));
        assert!(run.stderr.contains(&line), "{line} not in {}", run.stderr);
    }
    assert!(run.stderr.contains("3 values of covariates"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("promo is missing").count(), 3);
    assert_eq!(place.names(), ["in.csv"]);
    // Six steps ahead, only two of them are missing.
    let shorter = place.run(&common.replace("-H 7", "-H 6")).expect(65);
    assert_eq!(shorter.stderr.matches("promo is missing").count(), 2);
    let policies = [("last", "count as"), ("promo=seasonal", "count as"), ("forecast", "are forecast from")];
    for (policy, words) in policies {
        let run = place.run(&format!("{common} --missing-covariates {policy} --json")).expect(0);
        let notes = run.json()["source"]["notes"].to_string();
        assert!(notes.contains(&format!("3 missing values of the horizon {words}")), "{notes}");
    }
    // The same by column in a file.
    let file = "[source]\ninputs = \"in.csv\"\nid = \"shop\"\ntarget = \"y\"\nfuture_covariates = \"promo\"\n\
                missing_covariates = { promo = \"forecast\" }\n[model]\nkind = \"ridge\"\nhorizon = 7\n\
                [output]\npath = \"by_file.parquet\"\n";
    place.put("job.toml", file);
    place.run("forecast -c job.toml").expect(0);
    assert_eq!(points(&place.path("by_file.parquet")), points(&place.path("out.parquet")));
}

#[test]
fn a_name_that_was_never_there_is_a_warning() {
    let place = Place::new();
    place.put("in.csv", shops("flood"));
    let flags = "--future-covariates promo,event";
    let run = place
        .run(&format!("forecast in.csv {ROLES} -H 7 --model ridge {flags} -o out.parquet --json"))
        .expect(0);
    let notes = run.json()["source"]["notes"].to_string();
    assert!(notes.contains("covariate 'event' has names that the model has never seen"), "{notes}");
    assert!(notes.contains("'flood'") && !notes.contains("'fair'"), "{notes}");
    assert!(run.stderr.contains("'flood'"), "{}", run.stderr);
    assert_eq!(points(&place.path("out.parquet")).len(), 14);
}

#[test]
fn a_look_at_the_data_tells_what_comes_with_it() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    let flags = "--future-covariates promo,event --static-covariates shop_size";
    let run = place.run(&format!("data check in.csv {ROLES} {flags}")).expect(2);
    assert!(run.stderr.contains("no column 'shop_size' for --static-covariates"), "{}", run.stderr);
    let check = format!("data check in.csv {ROLES} --future-covariates promo,event");
    let page = place.run(&check).expect(0).stdout;
    for words in ["covariate promo: numbers, known 14 steps ahead", "covariate event: 2 names, known 14"] {
        assert!(page.contains(words), "{words} not in {page}");
    }
    let document = place.run(&format!("{check} --json")).expect(0).json();
    let kinds: Vec<&Value> =
        document["covariates"].as_array().unwrap().iter().map(|one| &one["values"]).collect();
    assert_eq!(kinds, ["number", "category"]);
}

const DAEMON: &str = r#"schema_version = 1
[daemon]
state = "state"
[source.s]
inputs = "in.csv"
id = "shop"
target = "y"
future_covariates = ["promo", "event"]
[model.m]
kind = "ridge"
horizon = 7
[sink.o]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "o"
train = { cron = "0 2 * * *" }
forecast = { cron = "0 6 * * *" }
"#;

#[test]
fn a_job_forecasts_every_day_from_what_was_known_then() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    place.put("d.toml", DAEMON);
    place.run("validate -c d.toml").expect(0);
    let slot = |day: u32, hour: u32| format!("{}T{hour:02}:00:00Z", date(day));
    let run = |stage: &str, slot: &str, code: i32| {
        place.run(&format!("run a -c d.toml --stage {stage} --slot {slot} --json")).expect(code)
    };
    run("train", &slot(HISTORY - 10, 2), 0);
    let published = || points(&place.path("out/latest/job=a/part-0.parquet"));
    for day in HISTORY - 10..HISTORY - 5 {
        let document = run("forecast", &slot(day, 6), 0).json();
        assert!(document.to_string().contains("\"remembered\":false"), "{document}");
        // At six, the value of the day itself is there.
        let actual = (0..2).flat_map(|shop| (1..=7).map(move |step| sales(shop, day + step)));
        let points = published();
        let worst = points.iter().zip(actual).map(|(point, actual)| (point / actual - 1.0).abs());
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 0.5, "day {day}: off by {worst}");
    }
    // The last days are known seven days ahead; five days later they are not.
    place.put(
        "in.csv",
        shops("none")
            .lines()
            .filter(|line| !line.contains(&date(HISTORY + 5).to_string()))
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    let before = published();
    let run = run("forecast", &slot(HISTORY - 1, 6), 1);
    assert!(
        format!("{}{}", run.stdout, run.stderr).contains("promo is missing"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert_eq!(published(), before, "what is published stays");
    // Where every forecast trains first, nothing is trained for nothing.
    let train = "train = { cron = \"0 2 * * *\" }\n";
    place.put("e.toml", DAEMON.replace(train, "").replace("\"state\"", "\"other\""));
    let slot = slot(HISTORY - 1, 6);
    let run = place.run(&format!("run a -c e.toml --stage forecast --slot {slot}")).expect(1);
    assert!(run.stdout.contains("promo is missing"), "{}", run.stdout);
    assert!(place.path("other").exists() && !place.path("other/models").exists());
}

/// Days of history of a shop that is nearly empty on American holidays, and has sales.
const SHOP_DAYS: u32 = 1_084;

/// Its first day, 2021-01-01, in days since 1970-01-01.
const FIRST_DAY: i64 = 18_628;

#[test]
fn holidays_and_events_are_known_in_advance() {
    let place = Place::new();
    let start = jiff::civil::date(2021, 1, 1);
    let day = |day: u32| start.saturating_add(jiff::Span::new().days(i64::from(day)));
    let country: Country = "US".parse().unwrap();
    let holidays: Vec<i64> =
        country.holidays(2021, 2024).unwrap().iter().map(|holiday| holiday.day).collect();
    // A sale every forty days, too.
    let (mut text, mut sales) = (String::from("ds,y\n"), String::from("ds,event\n"));
    for index in 0..SHOP_DAYS + 14 {
        let (at, is_sale) = (day(index), index % 40 == 5);
        let week = [1.0, 1.1, 1.0, 0.9, 1.2, 1.6, 1.4][index as usize % 7];
        let noise = f64::from((index * 31) % 13) / 13.0 - 0.5;
        let is_holiday = holidays.contains(&(FIRST_DAY + i64::from(index)));
        let level = if is_holiday { 20.0 } else { 100.0 * week } + if is_sale { 80.0 } else { 0.0 };
        if index < SHOP_DAYS {
            writeln!(text, "{at},{:.3}", level + noise).unwrap();
        }
        if is_sale {
            writeln!(sales, "{at},sale").unwrap();
        }
    }
    place.put("in.csv", &text);
    place.put("sales.csv", &sales);
    let at = |name: &str, wanted: jiff::civil::Date| {
        let step = (0..14).position(|step| day(SHOP_DAYS + step) == wanted).unwrap();
        points(&place.path(name))[step]
    };
    let run = |flags: &str, name: &str| {
        place.run(&format!("forecast in.csv -H 14 --model ridge {flags} -o {name} --json")).expect(0).json()
    };
    run("", "without.parquet");
    let document = run("--holidays US --events sales.csv --calendar weekday", "with.parquet");
    let columns: Vec<&str> = document["source"]["covariates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|covariate| covariate["column"].as_str().unwrap())
        .collect();
    assert!(columns.contains(&"holiday_us") && columns.contains(&"event_sale"), "{columns:?}");
    let christmas = jiff::civil::date(2023, 12, 25);
    let (with, without) = (at("with.parquet", christmas), at("without.parquet", christmas));
    assert!(with < 50.0 && without > 80.0, "Christmas: with {with}, without {without}");
    let sale = (SHOP_DAYS..).map(day).zip(SHOP_DAYS..).find(|(_, index)| index % 40 == 5).unwrap().0;
    let (with, without) = (at("with.parquet", sale), at("without.parquet", sale));
    assert!((with - 180.0).abs() < 10.0 && without < 160.0, "a sale: with {with}, without {without}");

    let wrong = place.run("forecast in.csv -H 14 --calendar hour -o hour.parquet").expect(2);
    assert!(wrong.stderr.contains("hour is finer than the step"), "{}", wrong.stderr);
    let wrong = place.run("forecast in.csv -H 14 --holidays XX --days-after 90 -o wrong.parquet").expect(2);
    assert!(wrong.stderr.contains("no holidays are built in for \"XX\""), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("days_after 90 is not in 0..=60"), "{}", wrong.stderr);
}
