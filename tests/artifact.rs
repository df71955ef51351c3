//! Saved forecasters: they come back to the last bit, old files load for ever, and no file of any origin does harm.

use crate::forecaster::{bits, fit, orbits, panel, spec, waves};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s4cast::model::forecaster::{Forecaster, LoadError};
use s4cast::model::spec::{Bounds, ModelSpec, RawModelSpec};
use s4cast::series::{Frequency, Panel, Status};

/// A daily and an hourly group, of this kind of model.
fn two_frequencies() -> Panel {
    let mut panel = panel(waves(4, 120));
    for series in &mut panel.series[2..] {
        series.frequency = Frequency::Fixed { micros: 3_600_000_000 };
    }
    panel
}

#[test]
fn a_saved_forecaster_comes_back_to_the_last_bit() {
    let panel = two_frequencies();
    for kind in [
        "s4d",
        "s4",
        "sashimi",
        "ridge",
        "seasonal_naive",
        "naive",
        "auto",
        "ets",
        "mstl",
        "croston",
        "tsb",
        "ensemble",
    ] {
        let forecaster = fit(&panel, &spec(kind, 7, 3)).forecaster;
        let bytes = forecaster.to_bytes();
        let loaded = Forecaster::from_bytes(&bytes).unwrap();
        assert_eq!(loaded.to_bytes(), bytes, "{kind}");
        let (before, after) = (forecaster.predict(&panel), loaded.predict(&panel));
        assert_eq!(bits(&before), bits(&after), "{kind}");
        let facts = |forecasts: &s4cast::series::Forecasts| -> Vec<(Status, String)> {
            forecasts.series.iter().map(|one| (one.status, one.model_id.clone())).collect()
        };
        assert_eq!(facts(&before), facts(&after), "{kind}");
        assert_eq!(loaded.spec().quantile_levels(), forecaster.spec().quantile_levels());
    }
}

#[test]
fn bounds_are_saved_and_what_cannot_be_one_is_refused() {
    let panel = panel(waves(2, 80));
    let bounds = Bounds { min: Some(8.5), max: Some(24.0), is_integer: true };
    let raw = RawModelSpec { bounds, ..RawModelSpec::new("ets", 7) };
    let forecaster = fit(&panel, &ModelSpec::try_from(raw).unwrap()).forecaster;
    let bytes = forecaster.to_bytes();
    let loaded = Forecaster::from_bytes(&bytes).unwrap();
    assert_eq!(loaded.spec().bounds(), bounds);
    assert_eq!(bits(&loaded.predict(&panel)), bits(&forecaster.predict(&panel)));
    let cases = [
        (r#"\"min\":8.5"#, r#"\"min\":24.5"#, "no value lies between"),
        (r#"\"min\":8.5,\"max\":24.0"#, r#"\"min\":8.25,\"max\":8.75"#, "no whole number lies between"),
        (r#"\"max\":24.0"#, r#"\"most\":24.0"#, "most"),
        (r#"{\"kind\":\"ets\"}"#, r#"{\"kind\":\"ridge\"}"#, "local model is 'ridge'"),
    ];
    for (from, to, message) in cases {
        let changed = with_header(&bytes, |header| {
            assert!(header.contains(from), "{from} is not in {header}");
            header.replacen(from, to, 1)
        });
        let error = Forecaster::from_bytes(&changed).err().unwrap_or_else(|| panic!("{to} was loaded"));
        assert!(error.to_string().contains(message), "{to}: {error}");
    }
}

/// The panel of the fixture, which is also what it is asked to forecast.
fn fixture_panel() -> Panel {
    panel(orbits(2, 70))
}

fn fixture() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model_v1.safetensors")).unwrap()
}

/// The file was written by `Forecaster::fit` of [`fixture_panel`] with model `s4d`, horizon 2, levels 80 and 95, seed
/// 1, followed by `to_bytes`, with the first program that wrote format 1; the numbers are its medians.
#[test]
fn a_file_of_format_1_loads_and_forecasts_what_it_did() {
    let forecaster = Forecaster::from_bytes(&fixture()).unwrap();
    let forecasts = forecaster.predict(&fixture_panel());
    let points: Vec<f64> = forecasts.series.iter().flat_map(|one| one.point.clone()).collect();
    let expected = [22.281402532207252, 26.97458737922298, 27.63628833317742, 27.107074170813576];
    assert_eq!(points.len(), expected.len());
    for (point, expected) in points.iter().zip(expected) {
        // Another libm may round differently in the last bits.
        assert!((point / expected - 1.0).abs() < 1e-5, "{points:?}");
    }
    assert!(forecasts.series.iter().all(|one| one.status == Status::Ok && one.model_id == "s4d"));
    // Written again, in the format of today, it is still the same.
    let again = Forecaster::from_bytes(&forecaster.to_bytes()).unwrap();
    let points_again: Vec<f64> =
        again.predict(&fixture_panel()).series.iter().flat_map(|one| one.point.clone()).collect();
    assert_eq!(points_again, points);
}

/// The file with a part of its header replaced, lengths put right.
fn with_header(bytes: &[u8], edit: impl FnOnce(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = edit(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}

fn edited(from: &str, to: &str) -> LoadError {
    let bytes = with_header(&fixture(), |header| {
        assert!(header.contains(from), "{from} is not in {header}");
        header.replacen(from, to, 1)
    });
    Forecaster::from_bytes(&bytes).err().unwrap_or_else(|| panic!("{to} was loaded"))
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let cases = [
        (r#"\"format\":1"#, r#"\"format\":4"#, "format 4"),
        (r#"\"kind\":\"s4d\""#, r#"\"kind\":\"s5d\""#, "s5d"),
        (r#"\"horizon\":2,\"levels\""#, r#"\"horizon\":20000,\"levels\""#, "20000"),
        (r#"\"seed\":1"#, r#"\"seed\":1,\"extra\":2"#, "extra"),
        (r#"\"quantile_levels\":[0.025,0.1"#, r#"\"quantile_levels\":[0.1,0.025"#, "quantile levels"),
        (r#",0.5,"#, r#",0.51,"#, "0.5 among them"),
        (r#"\"frequency\":\"1d\""#, r#"\"frequency\":\"24h\""#, "24h"),
        (r#"\"season_length\":1"#, r#"\"season_length\":0"#, "season length is 0"),
        (r#"\"model_id\":\"s4d\""#, r#"\"model_id\":\"oracle\""#, "oracle"),
        (r#"\"width\":1"#, r#"\"width\":-1"#, "width is -1.6"),
        (r#"\"weight\":0.5"#, r#"\"weight\":0.4"#, "sum of member weights is 0.9"),
        (r#"\"patch\":4"#, r#"\"patch\":6"#, "tokens times patch"),
        (r#"\"hidden\":32"#, r#"\"hidden\":999999999"#, "hidden channels is 999999999"),
        (r#"\"hidden\":32"#, r#"\"hidden\":1024"#, "what the file holds"),
        (r#"\"readout\":\"flatten\""#, r#"\"readout\":{\"suffix\":1}"#, "readout"),
        (r#"\"modes\":16"#, r#"\"modes\":15"#, "log_neg_a is F32 [32, 16]"),
        (r#"member0.ridge"#, r#"member0.rigde"#, "member0.ridge is missing"),
        (r#"\"network\":{"#, r#"\"network\":null,\"x\":{"#, "damaged"),
    ];
    for (from, to, message) in cases {
        let error = edited(from, to).to_string();
        assert!(error.contains(message), "{to}: {error}");
    }
    let naive = fit(&fixture_panel(), &spec("naive", 2, 1)).forecaster.to_bytes();
    let extra = with_header(&naive, |header| {
        header.replacen('{', r#"{"stray":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"#, 1)
    });
    assert_eq!(Forecaster::from_bytes(&extra).err(), Some(LoadError::Extra("stray".into())));
}

/// A file whose network has two levels: series long enough for 12 tokens.
fn with_levels() -> Vec<u8> {
    fit(&panel(orbits(2, 200)), &spec("sashimi", 2, 1)).forecaster.to_bytes()
}

#[test]
fn levels_that_cannot_be_are_refused_by_name() {
    let bytes = with_levels();
    let written = r#"\"levels\":{\"pools\":[2],\"expand\":2,\"feed_forward\":2}"#;
    let levels = |pools: &str, expand: &str, feed_forward: &str| {
        let levels = r#"\"levels\":{\"pools\":[P],\"expand\":E,\"feed_forward\":F}"#;
        levels.replace('P', pools).replace('E', expand).replace('F', feed_forward)
    };
    let (most, many) = ("18446744073709551615", vec!["2"; 70].join(","));
    let cases = [
        (levels("0", "2", "2"), "list of pools is [0]"),
        (levels("1", "2", "2"), "list of pools is [1]"),
        (levels(most, "2", "2"), "list of pools"),
        (levels("8,8", "2", "2"), "product of pools"),
        (levels(&many, "1", "2"), "product of pools"),
        (levels("2", "0", "2"), "factor of widths is 0"),
        (levels("2", most, "2"), "factor of widths"),
        (levels("2", "1024", "2"), "width of the coarsest level"),
        (levels("2", "2", "0"), "factor of feed-forward layers is 0"),
        (levels("2", "2", most), "factor of feed-forward layers"),
        (levels("2", "2", "1024"), "width of feed-forward layers"),
        (levels("2", "2", "64"), "what the file holds"),
        (levels("2", "2", "1"), "feed_forward"),
        (levels("2,2", "2", "2"), "what the file holds"),
        (levels("", "2", "2"), "center"),
        (levels("-1", "2", "2"), "damaged"),
        (r#"\"levels\":null"#.into(), "missing"),
        (levels("2", "2", "2").replace("expand", "widen"), "damaged"),
    ];
    for (to, message) in cases {
        let changed = with_header(&bytes, |header| {
            assert!(header.contains(written), "{written} is not in {header}");
            header.replace(written, &to)
        });
        let error = Forecaster::from_bytes(&changed).err().unwrap_or_else(|| panic!("{to} was loaded"));
        assert!(error.to_string().contains(message), "{to}: {error}");
    }
}

#[test]
fn a_weight_that_is_no_number_is_refused() {
    let mut bytes = fixture();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(Forecaster::from_bytes(&bytes), Err(LoadError::NotFinite { .. })));
}

/// Files that are nearly right, in every way that a disk, a person or an attacker may find.
fn mutate(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut bytes = bytes.to_vec();
    match rng.random_range(0..7) {
        0 => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        1 => {
            let at = rng.random_range(0..header);
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        2 => bytes.truncate(rng.random_range(0..bytes.len())),
        3 => {
            let length: u64 = rng.random::<u64>() >> rng.random_range(0..64);
            bytes[..8].copy_from_slice(&length.to_le_bytes());
        }
        4 => {
            let (from, to) = (rng.random_range(0..header), rng.random_range(0..header));
            bytes.drain(from.min(to)..from.max(to));
        }
        // Numbers of the header, which reach the checks behind the parser.
        5 => bytes = with_header(&bytes, |header| with_number(header, rng)),
        _ => {
            for _ in 0..rng.random_range(1..4) {
                bytes = with_header(&bytes, |header| with_number(header, rng));
            }
        }
    }
    bytes
}

/// The text with one of its numbers replaced by another.
fn with_number(text: &str, rng: &mut ChaCha8Rng) -> String {
    const OTHERS: [&str; 14] = [
        "0",
        "1",
        "-1",
        "2",
        "8",
        "255",
        "65536",
        "1048576",
        "4294967295",
        "18446744073709551615",
        "1e308",
        "1e-320",
        "0.5",
        "null",
    ];
    let is_part = |c: char| c.is_ascii_digit();
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|&(at, c)| is_part(c) && !text[..at].ends_with(is_part))
        .map(|(at, _)| at)
        .collect();
    let at = starts[rng.random_range(0..starts.len())];
    let end = text[at..].find(|c| !is_part(c)).map_or(text.len(), |length| at + length);
    format!("{}{}{}", &text[..at], OTHERS[rng.random_range(0..OTHERS.len())], &text[end..])
}

/// `S4CAST_FUZZ_CASES` asks for more cases than the usual ones.
#[test]
fn no_damaged_file_does_harm_and_what_loads_also_forecasts() {
    let cases = std::env::var("S4CAST_FUZZ_CASES").map_or(4_000, |cases| cases.parse().unwrap());
    let (mut small, mut mixed) = (panel(waves(2, 40)), two_frequencies());
    small.series[1].values.truncate(3);
    small.series[1].times.truncate(3);
    mixed.series.iter_mut().for_each(|series| series.values.truncate(60));
    mixed.series.iter_mut().for_each(|series| series.times.truncate(60));
    let files = [
        fixture(),
        fit(&mixed, &spec("ridge", 2, 1)).forecaster.to_bytes(),
        fit(&mixed, &spec("seasonal_naive", 2, 1)).forecaster.to_bytes(),
        fit(&mixed, &spec("mstl", 2, 1)).forecaster.to_bytes(),
        with_levels(),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut loaded = 0;
    for case in 0..cases {
        let bytes = mutate(&files[case % files.len()], &mut rng);
        let Ok(forecaster) = Forecaster::from_bytes(&bytes) else { continue };
        loaded += 1;
        for panel in [&small, &mixed] {
            let forecasts = forecaster.predict(panel);
            let quantiles = forecasts.series.iter().flat_map(|series| &series.quantiles);
            assert!(quantiles.into_iter().all(|value| value.is_finite()));
        }
    }
    assert!(loaded > cases / 100 && loaded < cases, "{loaded} of {cases} loaded");
}
