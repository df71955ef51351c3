//! The keys of a benchmark's definition.

use crate::config::lab::table::Entry;
use crate::config::lab::value::{choice, number, numbers, text, texts, whole, wholes};
use crate::config::words::Wrong;
use crate::lab::{Align, FitOn, Metric, RawPipeline, Split};
use crate::model::spec::Point;
use toml::de::DeValue;

/// All keys, as they stand in a file.
pub(super) const KEYS: &[Entry<RawPipeline>] = &[
    ("source", |raw, value| set(&mut raw.source, text(value))),
    ("files", |raw, value| put(&mut raw.files, texts(value))),
    ("test_file", |raw, value| set(&mut raw.test_file, text(value))),
    ("id", |raw, value| put(&mut raw.id, texts(value))),
    ("time", |raw, value| set(&mut raw.time, text(value))),
    ("target", |raw, value| set(&mut raw.target, text(value))),
    ("freq", |raw, value| set(&mut raw.freq, text(value).and_then(|text| Ok(text.parse()?)))),
    ("kind", |raw, value| set(&mut raw.kind, text(value))),
    ("split", |raw, value| set(&mut raw.split, split(value))),
    ("stride", |raw, value| set(&mut raw.stride, whole(value))),
    ("fit_on", |raw, value| set(&mut raw.fit_on, choice(value, &FIT_ON))),
    ("test_rows", |raw, value| set(&mut raw.test_rows, whole(value))),
    ("step", |raw, value| set(&mut raw.step, whole(value))),
    ("align", |raw, value| set(&mut raw.align, choice(value, &ALIGN))),
    ("horizons", |raw, value| put(&mut raw.horizons, wholes(value))),
    ("season", |raw, value| set(&mut raw.season, whole(value))),
    ("scale_season", |raw, value| set(&mut raw.scale_season, whole(value))),
    ("reference_season", |raw, value| set(&mut raw.reference_season, whole(value))),
    ("metric", |raw, value| {
        set(&mut raw.metric, choice(value, &Metric::ALL.map(|metric| (metric.as_str(), metric))))
    }),
    ("naive2_smape", |raw, value| set(&mut raw.naive2_smape, number(value))),
    ("naive2_mase", |raw, value| set(&mut raw.naive2_mase, number(value))),
    ("point", |raw, value| set(&mut raw.point, point(value))),
];

const FIT_ON: [(&str, FitOn); 2] =
    [("train", FitOn::Train), ("train_and_validation", FitOn::TrainAndValidation)];

const ALIGN: [(&str, Align); 2] = [("end", Align::End), ("calendar", Align::Calendar)];

pub(super) fn point(value: &DeValue<'_>) -> Result<Point, Wrong> {
    choice(value, &Point::ALL.map(|point| (point.as_str(), point)))
}

pub(super) fn set<T>(to: &mut Option<T>, value: Result<T, Wrong>) -> Result<(), Wrong> {
    *to = Some(value?);
    Ok(())
}

pub(super) fn put<T>(to: &mut Vec<T>, value: Result<Vec<T>, Wrong>) -> Result<(), Wrong> {
    *to = value?;
    Ok(())
}

/// A word, three row numbers, or three shares.
fn split(value: &DeValue<'_>) -> Result<Split, Wrong> {
    let DeValue::Array(parts) = value else {
        return choice(value, &Split::NAMES.map(|name| (name, Split::from_name(name))))?
            .ok_or_else(|| Wrong { message: "is unknown".into(), help: None });
    };
    let wrong = || Wrong {
        message: format!("has {} entries", parts.len()),
        help: Some(
            "write three row numbers as [8640, 11520, 14400], or three shares as [0.7, 0.1, 0.2]".into(),
        ),
    };
    let is_rows = parts.iter().all(|part| part.get_ref().is_integer());
    match is_rows {
        true => Ok(Split::Rows(wholes(value)?.try_into().map_err(|_| wrong())?)),
        false => Ok(Split::Shares(numbers(value)?.try_into().map_err(|_| wrong())?)),
    }
}
