//! Counts and intermittent demand from a file to a file.

use super::forecast::{numbers, read};
use super::program::{Place, dataset};

#[test]
fn models_of_intermittent_demand_are_asked_for_by_name() {
    let place = Place::new();
    let input = dataset("intermittent_counts.csv");
    for kind in ["croston", "croston_sba", "tsb", "adida", "imapa", "counts"] {
        let run =
            place.run(&format!("forecast {input} -H 14 --model {kind} -o {kind}.parquet --json")).expect(0);
        assert_eq!(run.json()["fits"][0]["model_id"], kind, "{}", run.stdout);
        let rows = numbers(&read(&place.path(&format!("{kind}.parquet"))), "p90");
        assert_eq!(rows.len(), 8 * 14);
        assert!(rows.iter().all(|y| *y >= 0.0 && *y == y.round()), "{kind}");
    }
}

#[test]
fn a_saved_count_model_forecasts_again() {
    let place = Place::new();
    let input = dataset("intermittent_counts.csv");
    let train = format!("forecast {input} -H 14 --model counts --save-model m.safetensors -o a.parquet");
    place.run(&train).expect(0);
    let bytes = place.read("m.safetensors");
    let loaded = s4cast::model::forecaster::Forecaster::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.spec().kind().as_str(), "counts");
}
