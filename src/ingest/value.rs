//! Target cells as written in text files.

/// Words that mean "not observed", in lower case; the empty cell is one too.
const MISSING: [&str; 8] = ["na", "n/a", "nan", "null", "none", "nil", "-", "#n/a"];

/// Whether a cell says that nothing was observed.
pub(super) fn is_missing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || (text.len() <= 4 && MISSING.iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// The number in a cell, `NaN` where nothing was observed, `None` where it is neither.
///
/// Infinite and gigantic values are returned as they are; their meaning is judged with the whole series.
pub(super) fn parse(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse::<f64>() {
        return Some(value);
    }
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) => Some(value),
        Err(_) if is_missing(text) => Some(f64::NAN),
        Err(_) if text.eq_ignore_ascii_case("true") => Some(1.0),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(0.0),
        Err(_) => None,
    }
}

/// Whether a cell is a number, or would be with another decimal or thousands separator.
pub(super) fn is_nearly_number(text: &str) -> bool {
    parse(text).is_some() || has_decimal_comma(text) || has_thousands(text)
}

/// How to repair a cell that is no number.
pub(super) fn remedy(text: &str) -> &'static str {
    if has_decimal_comma(text) {
        "write a decimal point and no thousands separator"
    } else if has_thousands(text) {
        "write no thousands separator"
    } else if is_number(text.trim().trim_end_matches(|c: char| !c.is_ascii_digit())) {
        "write the number without its unit"
    } else {
        "write a number, or leave the cell empty where nothing was observed"
    }
}

fn has_decimal_comma(text: &str) -> bool {
    text.contains(',') && is_number(&text.trim().replace('.', "").replace(',', "."))
}

fn has_thousands(text: &str) -> bool {
    is_number(&text.trim().replace([' ', '\u{a0}', '\u{202f}', '_', '\''], ""))
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_missing_words() {
        let read = [("1.5", 1.5), (" -2e3 ", -2000.0), ("+.5", 0.5), ("TRUE", 1.0), ("1e300", 1e300)];
        for (text, value) in read {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        for text in ["", "  ", "NA", "n/a", "NaN", "null", "None", "-", "#N/A"] {
            assert!(parse(text).is_some_and(f64::is_nan) && is_missing(text), "{text}");
        }
        assert_eq!(parse("-inf"), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn everything_else_is_refused_with_its_own_remedy() {
        let refused = [
            ("12,5", "point"),
            ("1.000,5", "point"),
            ("1 000", "thousands"),
            ("12 kWh", "unit"),
            ("7%", "unit"),
            ("abc", "number"),
            ("0x1f", "number"),
            ("--", "number"),
        ];
        for (text, word) in refused {
            assert_eq!(parse(text), None, "{text}");
            assert!(remedy(text).contains(word), "{text}: {}", remedy(text));
        }
    }

    proptest! {
        #[test]
        fn what_was_printed_is_read(value in any::<f64>()) {
            let read = parse(&value.to_string()).unwrap();
            prop_assert!(read == value || (read.is_nan() && value.is_nan()));
        }

        #[test]
        fn any_cell_has_an_answer(text in "\\PC*") {
            if parse(&text).is_none() {
                remedy(&text);
            }
        }
    }
}
