//! Scenarios in the closed loop: they stand beside the plan and change nothing of it.

use crate::closed_loop::{DAY, HOUR, Place, load};
use s4cast::live::anomaly::{AnomalySpec, Direction};
use s4cast::publish::{self, AnomalyRow, Filter, ScoreRow, Which};
use s4cast::series::Known;

/// Effect of a price on the load.
const EFFECT: f64 = -5.0;

/// Days of history, and days that prices are known for.
const DAYS: usize = 60;

/// Price of an hour: one a day, of no cycle that the load itself could tell.
fn price(hour: usize) -> f64 {
    let mixed = ((hour / DAY) as u32 + 1).wrapping_mul(2_654_435_761);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519);
    3.0 + f64::from((mixed >> 13) % 7) / 3.0
}

/// A load that falls with the price, and a kind of day; both are known in advance.
fn place(scenarios: &[&str]) -> Place {
    let place = Place::new(|job| {
        let columns = [("price", Known::Future), ("kind", Known::Future)];
        job.source.covariates.columns = columns.map(|(name, known)| (name.to_owned(), known)).into();
        job.scenarios = scenarios.iter().map(|text| text.parse().unwrap()).collect();
        job.anomaly = Some(AnomalySpec {
            level: 95.0,
            direction: Direction::Both,
            least_distance: 0.0,
            least_share: 0.0,
            range: None,
        });
    });
    let mut text = String::from("ds,unique_id,y,price,kind\n");
    for (hour, value) in load(DAYS, 3).iter().enumerate() {
        let stamp = jiff::Timestamp::from_microsecond(hour as i64 * HOUR).unwrap();
        let kind = if (hour / DAY).is_multiple_of(5) { "fair" } else { "none" };
        let y = value + EFFECT * price(hour);
        text += &format!("{stamp},a,{y},{},{kind}\n", price(hour));
    }
    std::fs::write(place.folder.path().join("in.csv"), text).unwrap();
    place
}

/// Everything that a reader sees of a job after some days: plain rows of every run, scores, anomalies.
type Seen = (Vec<Vec<f64>>, Vec<ScoreRow>, Vec<AnomalyRow>);

fn days(place: &Place) -> Seen {
    place.train(40 * DAY);
    (40..55).for_each(|day| drop(place.forecast(day * DAY)));
    place.score(57 * DAY);
    let last = place.forecast(57 * DAY);
    assert!(last.is_corrected, "past runs have something to say");
    let runs = publish::runs(&place.sink(), "load").unwrap();
    assert_eq!(runs.len(), 16);
    let levels = place.job.model.quantile_levels();
    let columns = runs.iter().map(|run| {
        let columns = publish::read_columns(run, levels).unwrap().unwrap();
        columns.yhat.into_iter().chain(columns.quantiles.into_iter().flat_map(|(_, all)| all)).collect()
    });
    let anomalies = publish::anomalies_path(&place.sink(), "load").unwrap();
    (columns.collect(), place.scores(), publish::read_anomalies(&anomalies).unwrap())
}

#[test]
fn scenarios_change_neither_the_plan_nor_what_is_learnt_from_it() {
    let (plain, with) = (place(&[]), place(&["dear: price=+3", "fair: kind=fair, price=*0.5"]));
    let (alone, beside) = (days(&plain), days(&with));
    assert_eq!(alone.0, beside.0, "plain rows, corrections included");
    assert_eq!(alone.1, beside.1, "scores");
    assert!(!alone.2.is_empty());
    assert_eq!(alone.2, beside.2, "anomalies");

    let newest = publish::latest(&with.sink(), "load").unwrap().unwrap();
    assert_eq!(newest.rows, 3 * DAY);
    let words = &newest.metadata["scenarios"];
    assert_eq!(words, "{\"dear\":\"price +3\",\"fair\":\"kind = fair, price × 0.5\"}");
    let points = |scenario: Which| -> Vec<f64> {
        use arrow_array::cast::AsArray;
        let batches = publish::read_run(&newest.path(), &Filter { scenario, ..Filter::default() }).unwrap();
        let numbers = |name: &str| -> Vec<f64> {
            batches
                .iter()
                .flat_map(|batch| {
                    batch[name].as_primitive::<arrow_array::types::Float64Type>().values().to_vec()
                })
                .collect()
        };
        // The interval of a scenario is corrected like that of the plan, and holds its point.
        let inside = numbers("p02_5").into_iter().zip(numbers("p97_5")).zip(numbers("yhat"));
        assert!(inside.into_iter().all(|((low, high), point)| low <= point && point <= high));
        numbers("yhat")
    };
    let (plan, dear) = (points(Which::Plain), points(Which::Scenario("dear".into())));
    let moved: Vec<f64> = plan.iter().zip(&dear).map(|(plan, dear)| dear - plan).collect();
    let mean = moved.iter().sum::<f64>() / moved.len() as f64;
    assert!((mean - 3.0 * EFFECT).abs() < 3.0, "moved by {mean} instead of {}", 3.0 * EFFECT);
}

#[test]
fn a_scenario_that_cannot_be_is_left_out_and_the_plan_is_published() {
    let place = place(&["flood: kind=flood", "dear: price=+1"]);
    place.train(40 * DAY);
    let done = place.forecast(41 * DAY);
    assert_eq!(done.run.rows, 2 * DAY);
    assert_eq!(done.scenarios.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["dear"]);
    let lacks = done.shortfalls.join("\n");
    assert!(
        lacks.contains("scenario 'flood': column 'kind' has never held 'flood'; choose one of fair, none"),
        "{lacks}"
    );
}

#[test]
fn the_stand_in_forecasts_scenarios_as_the_plan() {
    let place = place(&["dear: price=+1"]);
    let done = place.forecast(41 * DAY);
    assert_eq!((done.version, done.run.rows), (None, 2 * DAY));
    let notes = done.source.unwrap().report.notes.join("\n");
    assert!(notes.contains("scenario 'dear' changes no forecast"), "{notes}");
}
