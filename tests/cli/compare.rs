//! Whether one model is better than another, from the command line.

use super::program::{Place, daily};

/// A place with `bt.parquet`: a week that seasonal naive knows and naive does not, twelve windows.
fn place() -> Place {
    let place = Place::new();
    place.put("in.csv", daily(200, |step| format!("{}", 10 * (step % 7) + step * step % 5)));
    let models = "--models naive,ridge --season-length 7";
    place.run(&format!("backtest in.csv -H 7 --windows 12 {models} -o bt.parquet -q")).expect(0);
    place
}

#[test]
fn a_clear_winner_is_named() {
    let place = place();
    let document = place.run("compare bt.parquet:seasonal_naive :naive --json").expect(0).json();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "a",
            "b",
            "diebold_mariano",
            "difference",
            "interval",
            "loss",
            "overlap",
            "p_value",
            "points",
            "series",
            "verdict",
            "windows"
        ]
    );
    assert_eq!(
        (&document["verdict"], &document["points"], &document["windows"]),
        (&"a".into(), &84.into(), &12.into())
    );
    assert_eq!((&document["overlap"], &document["a"]["name"]), (&1.into(), &"seasonal_naive".into()));
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert!(number(&document["p_value"]) < 0.001 && number(&document["interval"][1]) < 0.0, "{document}");
    let difference = number(&document["a"]["loss"]) - number(&document["b"]["loss"]);
    assert!((number(&document["difference"]) - difference).abs() < 1e-9);
    // The mean of scaled absolute errors is MASE.
    let backtest = "backtest in.csv -H 7 --windows 12 --models naive --season-length 7 --json";
    let mase = place.run(backtest).expect(0).json()["models"]["naive"]["mase"].clone();
    assert!((number(&mase) - number(&document["b"]["loss"])).abs() < 1e-9, "{mase}");
    for loss in ["mae", "mse", "pinball"] {
        let page =
            place.run(&format!("compare bt.parquet:naive :seasonal_naive --loss {loss}")).expect(0).stdout;
        assert!(page.contains("seasonal_naive is better (p = 0.0"), "{loss}: {page}");
    }
}

#[test]
fn identical_forecasts_do_not_differ() {
    let place = place();
    std::fs::copy(place.path("bt.parquet"), place.path("copy.parquet")).unwrap();
    let document = place.run("compare bt.parquet:ridge copy.parquet:ridge --json").expect(0).json();
    assert_eq!((&document["p_value"], &document["verdict"]), (&1.0.into(), &"none".into()));
    assert_eq!(document["interval"], serde_json::json!([0.0, 0.0]));
    assert_eq!(document["b"]["name"], "copy.parquet:ridge");
    let page = place.run("compare bt.parquet:ridge copy.parquet:ridge").expect(0).stdout;
    assert!(page.contains("no difference shown (p = 1.0000)"), "{page}");
}

#[test]
fn overlapping_windows_are_seen() {
    let place = place();
    place.run("backtest in.csv -H 7 --windows 10 --step 3 --models naive -o dense.parquet -q").expect(0);
    let document = place.run("compare dense.parquet:naive :seasonal_naive --json").expect(0).json();
    assert_eq!(document["overlap"], 3);
    assert!(document["diebold_mariano"].is_null(), "ten windows are few where three overlap");
}

#[test]
fn what_is_not_paired_is_refused() {
    let place = place();
    place.run("backtest in.csv -H 7 --windows 11 --models naive -o fewer.parquet -q").expect(0);
    place.put(
        "other.csv",
        daily(200, |step| format!("{}", 10 * (step % 7) + step * step % 5 + u32::from(step == 199))),
    );
    place.run("backtest other.csv -H 7 --windows 12 --models naive -o other.parquet -q").expect(0);
    place.run("backtest in.csv -H 7 --windows 12 --models naive --levels 50 -o levels.parquet -q").expect(0);
    place.run("forecast in.csv -H 7 --model naive -o forecast.parquet -q").expect(0);
    let cases = [
        ("bt.parquet:naive fewer.parquet:naive", 65, "fewer.parquet:naive lacks 7 rows"),
        ("bt.parquet:naive other.parquet:naive", 65, "the actual value of series of 2024-07-18T00:00:00Z"),
        ("bt.parquet:naive :auto", 2, "has no model 'auto'; it has seasonal_naive, naive, ridge"),
        ("bt.parquet other.parquet", 2, "name one, as in bt.parquet:seasonal_naive"),
        ("bt.parquet:naive levels.parquet:naive --loss pinball", 2, "other quantiles"),
        ("bt.parquet:naive forecast.parquet", 65, "no output of s4cast backtest"),
        ("bt.parquet:naive in.csv", 65, "in.csv"),
        ("nowhere.parquet:naive :ridge", 66, "nowhere.parquet"),
    ];
    for (arguments, code, message) in cases {
        let run = place.run(&format!("compare {arguments}")).expect(code);
        assert!(run.stderr.contains(message), "{arguments}: '{message}' is not in: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
    }
    let error = place.run("compare bt.parquet:naive :auto --json").expect(2).json()["error"].clone();
    assert_eq!(error["exit_code"], 2);
}
