//! Ticks of numbers, and how they are written.

/// Names of powers of a thousand, from a million on.
const UNITS: [(f64, &str); 3] = [(1e12, "T"), (1e9, "G"), (1e6, "M")];

/// Numbers beyond these are written with an exponent.
const LARGE: f64 = 1e15;
const SMALL: f64 = 1e-4;

/// Round numbers within a span, ascending, no more than so many and a few: 1, 2, 2.5 or 5 times a power of ten apart.
pub(super) fn ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || most == 0 {
        return Vec::new();
    }
    // Steps below what numbers of that size can tell apart would be the same number again and again.
    let raw = (span / most as f64).max(low.abs().max(high.abs()) * 1e-13);
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= raw * 0.999);
    let step = step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(span);
    let first = (low / step).ceil();
    let tick = |number: usize| (first + number as f64) * step;
    let inside = |tick: &f64| *tick <= high + 1e-9 * step;
    // Minus zero is zero.
    (0..=2 * most)
        .map(tick)
        .take_while(inside)
        .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
        .collect()
}

/// Whole numbers within a span.
pub(super) fn whole_ticks(first: i64, last: i64, most: usize) -> Vec<i64> {
    let all = ticks(first as f64, last as f64, most);
    all.into_iter().filter(|tick| tick.fract() == 0.0).map(|tick| tick as i64).collect()
}

/// The ticks of one axis in one form: thousands separated, millions and more by unit, what is tiny with an exponent.
pub(super) fn labels(ticks: &[f64]) -> Vec<String> {
    let largest = ticks.iter().fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    if largest == 0.0 {
        return ticks.iter().map(|_| "0".into()).collect();
    }
    if !(SMALL..LARGE).contains(&largest) {
        return ticks.iter().map(|tick| exponent(*tick)).collect();
    }
    let (unit, suffix) = UNITS.into_iter().find(|(unit, _)| largest >= *unit).unwrap_or((1.0, ""));
    let decimals = (0..12).find(|decimals| exact(ticks, unit, *decimals)).unwrap_or(3);
    let label = |tick: &f64| match *tick {
        0.0 => "0".to_owned(),
        tick => format!(
            "{}{}{suffix}",
            separated(tick / unit, decimals),
            if suffix.is_empty() { "" } else { " " }
        ),
    };
    ticks.iter().map(label).collect()
}

/// Whether so many decimals tell all ticks as they are.
fn exact(ticks: &[f64], unit: f64, decimals: i32) -> bool {
    let scale = 10f64.powi(decimals);
    ticks.iter().all(|tick| {
        let scaled = tick / unit * scale;
        (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1.0)
    })
}

fn exponent(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}").replace('-', "−")
}

/// A number with commas between thousands.
pub(super) fn separated(value: f64, decimals: i32) -> String {
    let decimals = usize::try_from(decimals).unwrap_or(0);
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        out.push('−');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A number as a sentence or a table says it: about four digits.
pub(super) fn spoken(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".into(),
        0.0 => "0".into(),
        size if !(SMALL..LARGE).contains(&size) => exponent(value),
        size if size >= 1000.0 => separated(value, 0),
        size if size >= 100.0 => separated(value, 1),
        size if size >= 10.0 => separated(value, 2),
        _ => separated(value, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_and_labels_short() {
        let labelled = |low: f64, high: f64, most| labels(&ticks(low, high, most)).join(" ");
        assert_eq!(labelled(0.0, 640.0, 5), "0 200 400 600");
        assert_eq!(labelled(0.0, 50_000.0, 5), "0 10,000 20,000 30,000 40,000 50,000");
        assert_eq!(labelled(-1.2e6, 2.6e6, 4), "−1 M 0 1 M 2 M");
        assert_eq!(labelled(0.0, 3.4e9, 4), "0 1 G 2 G 3 G");
        assert_eq!(labelled(0.91, 1.02, 4), "0.95 1.00");
        assert_eq!(labelled(0.0, 4e-7, 4), "0 1e−7 2e−7 3e−7 4e−7");
        assert_eq!(labelled(2.0e15, 4.0e15, 2), "2e15 3e15 4e15");
        assert_eq!(whole_ticks(1, 12, 6), [2, 4, 6, 8, 10, 12]);
        assert_eq!(whole_ticks(1, 2, 6), [1, 2]);
    }

    #[test]
    fn numbers_are_said_with_about_four_digits() {
        let cases = [
            (0.4932, "0.493"),
            (12.345, "12.35"),
            (-1234.5, "−1,234"),
            (0.0, "0"),
            (f64::NAN, "–"),
            (3e-9, "3e−9"),
        ];
        for (value, text) in cases {
            assert_eq!(spoken(value), text);
        }
    }

    proptest! {
        #[test]
        fn any_span_has_few_ticks_within(low in -1e300f64..1e300, size in -12i32..300, most in 1usize..20) {
            let high = low + 10f64.powi(size);
            let ticks = ticks(low, high, most);
            prop_assert!(ticks.len() <= 2 * most + 1);
            prop_assert_eq!(labels(&ticks).len(), ticks.len());
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
