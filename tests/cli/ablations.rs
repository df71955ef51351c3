//! What explains a series makes its forecasts better, and noise does not make them worse: backtests of data whose causes are
//! known, with and without what tells them.

use super::program::Place;
use crate::support::arrays::generator;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use s4cast::calendar::Country;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::File;

/// Sales of a week without anything else.
const WEEK: [f64; 7] = [100.0, 110.0, 100.0, 90.0, 120.0, 160.0, 140.0];

const DAY: i64 = 86_400_000_000;

fn normal(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    Normal::new(0.0, deviation).unwrap().sample(rng)
}

/// One of some words.
fn any<'a>(rng: &mut ChaCha8Rng, words: &[&'a str]) -> &'a str {
    words[rng.random_range(0..words.len())]
}

fn date(day: usize) -> jiff::civil::Date {
    jiff::civil::date(2023, 1, 1).saturating_add(jiff::Span::new().days(day as i64))
}

/// `id,ds,y,x` of so many series and days; `row` gives target and covariate of a day.
fn text(series: usize, days: usize, mut row: impl FnMut(usize, usize) -> (f64, String)) -> String {
    let mut text = String::from("id,ds,y,x\n");
    for one in 0..series {
        for day in 0..days {
            let (y, x) = row(one, day);
            writeln!(text, "s{one:02},{},{y:.3},{x}", date(day)).unwrap();
        }
    }
    text
}

/// Every day has its own share of a promotion, which is planned.
fn planned_number(rng: &mut ChaCha8Rng) -> String {
    text(4, 300, |_, day| {
        let share: f64 = rng.random();
        (WEEK[day % 7] + 80.0 * share + normal(rng, 4.0), format!("{share:.3}"))
    })
}

/// Fairs and floods, on two days of ten each.
fn planned_name(rng: &mut ChaCha8Rng) -> String {
    text(4, 300, |_, day| {
        let event = any(rng, &["none", "none", "none", "fair", "flood"]);
        let effect = [("fair", 70.0), ("flood", -50.0)].iter().find(|(name, _)| *name == event);
        (WEEK[day % 7] + effect.map_or(0.0, |effect| effect.1) + normal(rng, 4.0), event.to_owned())
    })
}

/// Orders that wander, and are sold a week later.
fn seen_number(rng: &mut ChaCha8Rng) -> String {
    let mut orders = [0.0; 8];
    text(4, 300, |_, day| {
        orders.rotate_left(1);
        orders[7] = 0.97 * orders[6] + normal(rng, 1.0);
        (300.0 + WEEK[day % 7] + 10.0 * orders[0] + normal(rng, 4.0), format!("{:.3}", orders[7]))
    })
}

/// Seasons of the fashion that last for some weeks, and reach the shop a week later.
fn seen_name(rng: &mut ChaCha8Rng) -> String {
    let mut busy = [false; 8];
    text(4, 300, |_, day| {
        busy.rotate_left(1);
        busy[7] = busy[6] ^ (rng.random::<f64>() < 0.05);
        let effect = if busy[0] { 80.0 } else { 0.0 };
        (WEEK[day % 7] + effect + normal(rng, 4.0), if busy[7] { "busy" } else { "calm" }.to_owned())
    })
}

/// Shops that grow or shrink by what they are; too noisy and too young to see it from each alone.
fn of_each(rng: &mut ChaCha8Rng, growth: impl Fn(usize) -> (f64, String)) -> String {
    text(24, 110, |one, day| {
        let (growth, x) = growth(one);
        (300.0 + growth * day as f64 + normal(rng, 12.0), x)
    })
}

fn static_number(rng: &mut ChaCha8Rng) -> String {
    of_each(rng, |one| {
        let growth = 4.0 * one as f64 / 23.0 - 2.0;
        (growth, format!("{growth:.3}"))
    })
}

fn static_name(rng: &mut ChaCha8Rng) -> String {
    of_each(rng, |one| ([-2.0, 0.0, 2.0][one % 3], ["down", "flat", "up"][one % 3].to_owned()))
}

/// MASE of ridge maps over ten weeks.
fn mase(place: &Place, flags: &str) -> f64 {
    let command = format!("backtest in.csv --id id --target y -H 7 -W 10 --models ridge --json -q {flags}");
    place.run(&command).expect(0).json()["models"]["ridge"]["mase"].as_f64().unwrap()
}

/// Error with a column over the error without it, over some seeds.
fn ratio(data: fn(&mut ChaCha8Rng) -> String, flag: &str, seeds: u64) -> f64 {
    let place = Place::new();
    let (mut with, mut without) = (0.0, 0.0);
    for seed in 0..seeds {
        place.put("in.csv", data(&mut generator(seed)));
        without += mase(&place, "");
        with += mase(&place, &format!("--{flag}-covariates x"));
    }
    with / without
}

#[test]
fn every_kind_of_covariate_helps_where_it_tells_something() {
    // Of each about as much as is in the data: the rest is noise, or known from the past of the series itself.
    let cases: [(&str, fn(&mut ChaCha8Rng) -> String, f64); 6] = [
        ("future", planned_number, 0.3),
        ("future", planned_name, 0.3),
        ("past", seen_number, 0.9),
        ("past", seen_name, 0.9),
        ("static", static_number, 0.96),
        ("static", static_name, 0.96),
    ];
    for (at, (flag, data, most)) in cases.into_iter().enumerate() {
        let ratio = ratio(data, flag, 2);
        println!("{flag} covariate of case {at}: error times {ratio:.3}");
        assert!(ratio < most, "{flag} covariate of case {at}: the error is {ratio:.3} of that without it");
    }
}

/// Sales that nothing explains, and a column that explains nothing.
fn noise(rng: &mut ChaCha8Rng, mut x: impl FnMut(&mut ChaCha8Rng, usize) -> String) -> String {
    let mut error = 0.0;
    text(6, 300, |one, day| {
        error = 0.6 * error + normal(rng, 8.0);
        (WEEK[day % 7] + error, x(rng, one))
    })
}

#[test]
fn a_column_of_noise_costs_less_than_a_hundredth() {
    let number = |rng: &mut ChaCha8Rng| noise(rng, |rng, _| format!("{:.3}", normal(rng, 1.0)));
    let name = |rng: &mut ChaCha8Rng| noise(rng, |rng, _| any(rng, &["a", "b", "c", "d"]).to_owned());
    let of_each = |rng: &mut ChaCha8Rng| noise(rng, |_, one| format!("{}", one * one * 7 % 11));
    for (flag, seeds, data) in [
        ("future", 3, number as fn(&mut ChaCha8Rng) -> String),
        ("past", 3, number),
        ("future", 5, name),
        ("past", 5, name),
        ("static", 3, of_each),
    ] {
        let ratio = ratio(data, flag, seeds);
        println!("{flag} column of noise: error times {ratio:.4}");
        assert!(ratio < 1.01, "{flag} column of noise: the error is {ratio:.4} of that without it");
    }
}

/// Days of five years of a shop, 2019 to 2023.
const SHOP_DAYS: i64 = 1826;

/// 2019-01-01, days since 1970-01-01.
const SHOP_START: i64 = 17_897;

/// Sales on every day from a start on, which special days change: (day, factor).
fn shop(changes: &[(i64, f64)]) -> String {
    let mut text = String::from("ds,y\n");
    let mut rng = generator(5);
    for day in SHOP_START..SHOP_START + SHOP_DAYS {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
        let factor: f64 = changes.iter().filter(|change| change.0 == day).map(|change| change.1).product();
        let y = WEEK[day.rem_euclid(7) as usize] * factor + normal(&mut rng, 3.0);
        writeln!(text, "{date},{y:.3}").unwrap();
    }
    text
}

/// Mean absolute error on some days of the last year, from a backtest with 26 cutoffs, and on all others.
fn errors(place: &Place, flags: &str, days: &BTreeSet<i64>) -> (f64, f64) {
    let command = format!("backtest in.csv -H 14 -W 26 --models ridge -o bt.parquet -q {flags}");
    place.run(&command).expect(0);
    let file = File::open(place.path("bt.parquet")).unwrap();
    let (mut special, mut usual) = (Vec::new(), Vec::new());
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let number = |name: &str, row: usize| batch[name].as_primitive::<Float64Type>().value(row);
        for row in 0..batch.num_rows() {
            if batch["model"].as_string::<i32>().value(row) == "ridge" {
                let day = batch["ds"].as_primitive::<TimestampMicrosecondType>().value(row) / DAY;
                let error = (number("y", row) - number("yhat", row)).abs();
                if days.contains(&day) { special.push(error) } else { usual.push(error) }
            }
        }
    }
    assert!(special.len() >= 8, "{} special days in the windows", special.len());
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
    (mean(&special), mean(&usual))
}

/// Asserts that the errors of special days fall below a share of what they were, and that those of others do not grow.
fn improves(place: &Place, what: &str, flags: &str, days: &BTreeSet<i64>) {
    let (special, usual) = errors(place, "", days);
    let (special_with, usual_with) = errors(place, flags, days);
    println!(
        "{what}: MAE of special days {special:.1} -> {special_with:.1}, of others {usual:.2} -> {usual_with:.2}"
    );
    assert!(special_with < 0.35 * special, "{what}: {special:.1} without, {special_with:.1} with");
    assert!(usual_with < 1.02 * usual, "{what}: {usual:.2} without, {usual_with:.2} with");
}

#[test]
fn holidays_and_the_days_around_them_are_known() {
    let country: Country = "US".parse().unwrap();
    let holidays: BTreeSet<i64> =
        country.holidays(2019, 2023).unwrap().iter().map(|holiday| holiday.day).collect();
    let around = holidays.iter().flat_map(|&day| [(day, 0.2), (day - 1, 1.5), (day + 1, 0.6)]);
    let changes: Vec<(i64, f64)> = around.collect();
    let days: BTreeSet<i64> = changes.iter().map(|change| change.0).collect();
    let place = Place::new();
    place.put("in.csv", shop(&changes));
    improves(&place, "holidays", "--holidays US --days-before 1 --days-after 1", &days);
}

#[test]
fn events_of_ical_and_csv_are_known() {
    let place = Place::new();
    // The third Friday of every month, by rule, and a fair on days of its own with a day before and after.
    let weekday = |day: i64| (day + 3).rem_euclid(7);
    let of_month = |day: i64| jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day)).day();
    let is_sale = |day: &i64| weekday(*day) == 4 && (15..=21).contains(&of_month(*day));
    let sales: BTreeSet<i64> = (SHOP_START..SHOP_START + SHOP_DAYS).filter(is_sale).collect();
    let changes: Vec<(i64, f64)> = sales.iter().map(|&day| (day, 1.8)).collect();
    place.put("in.csv", shop(&changes));
    place.put(
        "sales.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Sale\nDTSTART;VALUE=DATE:20190118\nRRULE:FREQ=MONTHLY;BYDAY=3FR\n\
         END:VEVENT\nEND:VCALENDAR\n",
    );
    improves(&place, "iCal events", "--events sales.ics", &sales);

    let mut rng = generator(9);
    let mut text = String::from("ds,event,lower_window,upper_window\n");
    let (mut changes, mut day) = (Vec::new(), SHOP_START + 5);
    while day < SHOP_START + SHOP_DAYS {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
        writeln!(text, "{date},fair,-1,1").unwrap();
        changes.extend([(day - 1, 1.3), (day, 2.0), (day + 1, 0.5)]);
        day += rng.random_range(12..40);
    }
    let days: BTreeSet<i64> = changes.iter().map(|change| change.0).collect();
    place.put("in.csv", shop(&changes));
    place.put("fairs.csv", text);
    improves(&place, "CSV events", "--events fairs.csv", &days);
}
