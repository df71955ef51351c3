//! Pictures of fixed values: what is on them, that labels do not overlap, that the bytes are those of before.

use crate::plot::layout::layout;
use crate::plot::scene::{Anchor, Scene, Shape, Text};
use crate::plot::{Band, Columns, Fan, PlotError, SeriesPicture, Sheet, Theme, font, lacks, png, svg, text};
use crate::series::civil::{DAY, HOUR};
use crate::series::{Frequency, frequency::MonthAnchor};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// A forecast whose intervals widen.
fn fan(scenario: Option<&str>, cutoff: i64, times: Vec<i64>, level: f64) -> Fan {
    let point: Vec<f64> = (0..times.len()).map(|step| level + 10.0 * (step as f64).sin()).collect();
    let band = |width: f64, percent: f64| Band {
        level: percent,
        lower: point.iter().enumerate().map(|(step, y)| y - width * (1.0 + step as f64).sqrt()).collect(),
        upper: point.iter().enumerate().map(|(step, y)| y + width * (1.0 + step as f64).sqrt()).collect(),
    };
    let bands = vec![band(8.0, 95.0), band(5.0, 80.0)];
    Fan { scenario: scenario.map(String::from), cutoff, times, point, is_median: true, bands }
}

/// Four days of hours over a change of the clocks, with a gap, and a day ahead.
fn load() -> SeriesPicture {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let start = at("2024-03-27T23:00:00Z");
    let wave = |step: i64| 100.0 + 40.0 * (step as f64 * std::f64::consts::TAU / 24.0).sin();
    let observed = (0..100)
        .map(|step| (start + step * HOUR, if (30..36).contains(&step) { f64::NAN } else { wave(step) }));
    let cutoff = start + 95 * HOUR;
    SeriesPicture {
        unique_id: "load".into(),
        y_title: "load in MW".into(),
        frequency: Some(Frequency::Fixed { micros: HOUR }),
        zone,
        observed: observed.collect(),
        fans: vec![fan(None, cutoff, (1..=24).map(|step| cutoff + step * HOUR).collect(), 100.0)],
    }
}

fn sheet(pictures: &[SeriesPicture], size: (u32, u32)) -> Sheet {
    Sheet {
        title: pictures.first().map_or(String::new(), |picture| picture.unique_id.clone()),
        description: pictures.first().map_or(String::new(), SeriesPicture::described),
        charts: pictures.iter().map(SeriesPicture::chart).collect(),
        size,
        theme: Theme::Light,
        letter: None,
    }
}

fn texts(scene: &Scene) -> Vec<&Text> {
    let texts = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Text(text) => Some(text),
        _ => None,
    });
    texts.collect()
}

/// Left, top, right and bottom of a label: capitals reach 0.76 em above the baseline, tails 0.24 em below.
fn bounds(text: &Text) -> [f64; 4] {
    let width = font::width(&text.words) * text.size;
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let (up, down) = (0.76 * text.size, 0.24 * text.size);
    match text.upright {
        false => [text.x - before, text.y - up, text.x - before + width, text.y + down],
        true => [text.x - up, text.y + before - width, text.x + down, text.y + before],
    }
}

/// Whether two boxes share more than an edge.
fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
    a[0] < b[2] - 1e-6 && b[0] < a[2] - 1e-6 && a[1] < b[3] - 1e-6 && b[1] < a[3] - 1e-6
}

/// No label lies on another or leaves the picture, and no data lies on a label.
fn check(scene: &Scene) -> Result<(), TestCaseError> {
    let texts = texts(scene);
    let (width, height) = (f64::from(scene.size.0), f64::from(scene.size.1));
    for (place, one) in texts.iter().enumerate() {
        let [left, top, right, bottom] = bounds(one);
        prop_assert!(
            left >= -0.5 && top >= -0.5 && right <= width + 0.5 && bottom <= height + 0.5,
            "{one:?} leaves the picture"
        );
        for other in &texts[..place] {
            prop_assert!(!overlap(bounds(one), bounds(other)), "{one:?} lies on {other:?}");
        }
        for shape in &scene.shapes {
            if let Shape::Area(columns, _) = shape {
                let hit =
                    columns.iter().any(|&(x, top, low)| overlap(bounds(one), [x - 0.1, top, x + 0.1, low]));
                prop_assert!(!hit, "an interval lies on {one:?}");
            }
            if let Shape::Line(points, _, _) = shape {
                let inside =
                    |&(x, y): &(f64, f64)| overlap(bounds(one), [x - 0.01, y - 0.01, x + 0.01, y + 0.01]);
                prop_assert!(!points.iter().any(inside), "a line lies on {one:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_picture_says_what_it_shows() {
    let svg = svg(&sheet(&[load()], (960, 540))).unwrap();
    for words in [
        "observed",
        "observed after the cutoff",
        "forecast (median)",
        "80 % interval",
        "95 % interval",
        "cutoff 2024-04-01 00:00",
        "time (Europe/Berlin), one value per hour",
        "load in MW",
        "31 Mar",
        "2024",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(svg.starts_with("<svg xmlns") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("<title>load</title>"));
    // Values until the cutoff, in two parts; after it; the forecast.
    assert!(svg.matches("<polyline").count() >= 4);
}

#[test]
fn the_picture_of_fixed_values_is_that_of_before() {
    // Whoever changes pictures looks at them, and writes the new bytes down.
    let svg = svg(&sheet(&[load()], (640, 360))).unwrap();
    let rounded: Vec<&str> =
        svg.lines().filter(|line| line.starts_with("<text") || !line.starts_with('<')).collect();
    let expected = include_str!("snapshots/load.txt");
    assert_eq!(rounded.join("\n"), expected.trim_end(), "{}", rounded.join("\n"));
}

#[test]
fn a_terminal_shows_the_same_in_braille() {
    let room = Columns { width: 80, height: 18, color: false };
    let shown = text(&sheet(&[load()], (640, 360)), room);
    assert_eq!(shown, include_str!("snapshots/load_terminal.txt"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80));
    let colored = text(&sheet(&[load()], (640, 360)), Columns { color: true, ..room });
    assert!(colored.contains("\u{1b}[0;94m") && !shown.contains('\u{1b}'));
}

/// Width, height and the pixels of a PNG.
fn decoded(file: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, pixels)
}

#[test]
fn a_png_has_the_size_asked_for_and_the_colours_of_the_theme() {
    let light = png(&sheet(&[load()], (700, 400))).unwrap();
    let (width, height, pixels) = decoded(&light);
    assert_eq!((width, height, pixels.len()), (700, 400, 700 * 400 * 3));
    assert_eq!(pixels[..3], [0xff, 0xff, 0xff]);
    let count = |pixels: &[u8], rgb: [u8; 3]| pixels.chunks_exact(3).filter(|pixel| **pixel == rgb).count();
    // Both intervals, the forecast, what was observed before and after the cutoff.
    for rgb in [[0xdc, 0xe9, 0xf7], [0xb3, 0xd0, 0xee], [0x0b, 0x5c, 0xad], [0x2a, 0x2f, 0x36]] {
        assert!(count(&pixels, rgb) > 20, "{rgb:?}: {}", count(&pixels, rgb));
    }
    let dark = Sheet { theme: Theme::Dark, ..sheet(&[load()], (700, 400)) };
    assert_eq!(decoded(&png(&dark).unwrap()).2[..3], [0x0f, 0x14, 0x1a]);
    assert_eq!(png(&sheet(&[load()], (700, 400))).unwrap(), light);
}

#[test]
fn a_gap_of_the_history_is_a_gap_of_the_line() {
    let runs = |picture: &SeriesPicture| {
        let scene = layout(&sheet(std::slice::from_ref(picture), (960, 540))).unwrap();
        let is_history = |shape: &&Shape| matches!(shape, Shape::Line(points, _, crate::plot::Ink::Observed) if points.len() > 2);
        scene.shapes.iter().filter(is_history).count()
    };
    let whole = SeriesPicture {
        observed: load()
            .observed
            .into_iter()
            .map(|(time, y)| (time, if y.is_nan() { 100.0 } else { y }))
            .collect(),
        ..load()
    };
    assert_eq!((runs(&load()), runs(&whole)), (2, 1));
}

#[test]
fn scenarios_have_strokes_of_their_own_and_several_cutoffs_one_mark_each() {
    let mut picture = load();
    let cutoff = picture.fans[0].cutoff;
    picture.fans.push(fan(Some("price=+10%"), cutoff, picture.fans[0].times.clone(), 80.0));
    let drawn = svg(&sheet(&[picture.clone()], (960, 540))).unwrap();
    assert!(drawn.contains("scenario price=+10%") && drawn.contains("#7C3AED"));
    let earlier = cutoff - 24 * HOUR;
    picture.fans = vec![
        fan(None, earlier, (1..=24).map(|step| earlier + step * HOUR).collect(), 90.0),
        fan(None, cutoff, (1..=24).map(|step| cutoff + step * HOUR).collect(), 100.0),
    ];
    let chart = picture.chart();
    assert_eq!(chart.marks.len(), 2);
    assert!(chart.x_title.contains("2 cutoffs, 2024-03-30 23:00 to 2024-04-01 00:00"), "{}", chart.x_title);
}

#[test]
fn odd_ids_break_neither_the_file_nor_the_layout() {
    let ids = [
        "<img src=x onerror=alert(1)>",
        "a\u{1b}[31m\u{0}\u{202e}b",
        "電力/東京/ŁÓDŹ/Ж",
        "region-north/store-00000000000000000000000000000000000000000001/item-42",
        "",
    ];
    for id in ids {
        let picture = SeriesPicture { unique_id: id.into(), ..load() };
        let sheet = sheet(&[picture.clone(), picture], (640, 700));
        check(&layout(&sheet).unwrap()).unwrap();
        let svg = svg(&sheet).unwrap();
        assert!(!svg.contains("<img") && !svg.contains('\u{1b}') && !svg.contains('\u{0}'), "{id}");
        assert!(!text(&sheet, Columns { width: 60, height: 12, color: false }).contains('\u{1b}'));
    }
    assert_eq!(lacks(ids[2]), 4);
}

#[test]
fn nothing_and_too_much_are_refused_or_drawn_without_panic() {
    let crowd: Vec<SeriesPicture> = (0..36).map(|_| load()).collect();
    assert!(matches!(layout(&sheet(&crowd, (300, 200))), Err(PlotError::Small { charts: 36, .. })));
    let empty = SeriesPicture { observed: Vec::new(), fans: Vec::new(), ..load() };
    check(&layout(&sheet(&[empty], (640, 360))).unwrap()).unwrap();
    let huge = SeriesPicture {
        observed: vec![
            (0, f64::MAX),
            (HOUR, -f64::MAX),
            (2 * HOUR, f64::INFINITY),
            (i64::MAX, 0.0),
            (i64::MIN, 1.0),
        ],
        ..load()
    };
    check(&layout(&sheet(&[huge], (640, 360))).unwrap()).unwrap();
}

/// A series of some length whose step is one of many, forecast some steps ahead.
fn any_picture() -> impl Strategy<Value = SeriesPicture> {
    let steps = prop_oneof![
        Just(Frequency::Fixed { micros: 1_000_000 }),
        Just(Frequency::Fixed { micros: 15 * 60 * 1_000_000 }),
        Just(Frequency::Fixed { micros: HOUR }),
        Just(Frequency::Days { days: 1 }),
        Just(Frequency::Days { days: 7 }),
        Just(Frequency::Months { months: 1, anchor: MonthAnchor::Day(1) }),
        Just(Frequency::Months { months: 12, anchor: MonthAnchor::End }),
    ];
    let zones = prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/St_Johns"),
        Just("Australia/Lord_Howe")
    ];
    (steps, zones, 0i64..20_000, 2usize..400, 1usize..60, -12i32..13, any::<bool>()).prop_map(
        |(frequency, zone, day, length, horizon, size, is_negative)| {
            let zone = TimeZone::get(zone).unwrap();
            let times = frequency.after(day * DAY, length + horizon, &zone);
            let scale = 10f64.powi(size) * if is_negative { -1.0 } else { 1.0 };
            let value =
                |step: usize| scale * (3.0 + (step as f64 / 5.0).sin() + (step * 7 % 11) as f64 / 20.0);
            let observed =
                times[..length].iter().enumerate().map(|(step, time)| (*time, value(step))).collect();
            let mut plain = fan(None, times[length - 1], times[length..].to_vec(), 3.0);
            plain.point.iter_mut().for_each(|y| *y *= scale);
            for band in &mut plain.bands {
                let (lower, upper) = (band.lower.clone(), band.upper.clone());
                band.lower = lower.iter().zip(&upper).map(|(a, b)| (a * scale).min(b * scale)).collect();
                band.upper = lower.iter().zip(&upper).map(|(a, b)| (a * scale).max(b * scale)).collect();
            }
            SeriesPicture {
                unique_id: "series/with/a/name".into(),
                y_title: "units".into(),
                frequency: Some(frequency),
                zone,
                observed,
                fans: vec![plain],
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn labels_never_overlap(picture in any_picture(), width in 260u32..2200, height in 200u32..1300, charts in 1usize..5) {
        let pictures = vec![picture; charts];
        if let Ok(scene) = layout(&sheet(&pictures, (width, height))) {
            check(&scene)?;
        }
    }

    #[test]
    fn no_line_of_a_terminal_is_too_long(picture in any_picture(), width in 40u16..200, height in 10u16..50) {
        let shown = text(&sheet(&[picture], (640, 360)), Columns { width, height, color: false });
        for line in shown.lines() {
            prop_assert!(line.chars().count() <= usize::from(width), "{line}");
        }
    }
}
