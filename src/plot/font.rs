//! The font of the pictures: how wide a text is, and what becomes of one that is too long.

use plotters::style::{FontDesc, FontFamily, FontStyle, FontTransform, register_font};
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

/// DejaVu Sans, cut down; see the licence beside it.
const BYTES: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// What the font is registered as.
const NAME: &str = "s4cast";

/// Fonts of an SVG, the first that is there; none is wider than the one that is measured.
const STACK: &str = "DejaVu Sans, Verdana, Helvetica Neue, Arial, Noto Sans, sans-serif";

/// Height of a line of the font from its own tables, in em: what ab_glyph calls the size.
pub(super) const LINE: f64 = 1.164_062_5;

/// Characters that the font has: Latin, Greek, Cyrillic, punctuation, a few signs.
const RANGES: [RangeInclusive<u32>; 29] = [
    0x20..=0x7e,
    0xa0..=0x17f,
    0x18f..=0x18f,
    0x192..=0x192,
    0x259..=0x259,
    0x370..=0x377,
    0x37a..=0x37f,
    0x384..=0x38a,
    0x38c..=0x38c,
    0x38e..=0x3a1,
    0x3a3..=0x3ff,
    0x400..=0x45f,
    0x490..=0x491,
    0x2010..=0x2015,
    0x2018..=0x201e,
    0x2020..=0x2022,
    0x2026..=0x2026,
    0x2030..=0x2030,
    0x2032..=0x2033,
    0x2039..=0x203a,
    0x2070..=0x2071,
    0x2074..=0x208e,
    0x20ac..=0x20ac,
    0x2116..=0x2116,
    0x2190..=0x2193,
    0x2206..=0x2206,
    0x2211..=0x2212,
    0x221e..=0x221e,
    0x2264..=0x2265,
];

/// Width of a character that the font lacks: a square where it is of an East Asian script.
fn foreign(letter: char) -> f64 {
    match columns_of(letter) {
        0 => 0.0,
        1 => 0.66,
        _ => 1.05,
    }
}

/// The font at a size; `is_text` where words stay words, and whoever reads them has fonts of their own.
pub(super) fn description(size: f64, upright: bool, is_text: bool) -> FontDesc<'static> {
    let family = FontFamily::Name(if is_text { STACK } else { registered() });
    let transform = if upright { FontTransform::Rotate270 } else { FontTransform::None };
    FontDesc::new(family, size, FontStyle::Normal).transform(transform)
}

/// The name of the font, which is registered from here on.
fn registered() -> &'static str {
    static DONE: OnceLock<bool> = OnceLock::new();
    DONE.get_or_init(|| register_font(NAME, FontStyle::Normal, BYTES).is_ok());
    NAME
}

/// Makes the font the `sans-serif` of plotters, for pictures that it lays out by itself: it measures their words.
pub fn register_sans_serif() {
    static DONE: OnceLock<bool> = OnceLock::new();
    DONE.get_or_init(|| register_font("sans-serif", FontStyle::Normal, BYTES).is_ok());
}

/// Width of a text in em.
pub(super) fn width(text: &str) -> f64 {
    static WIDTHS: OnceLock<HashMap<char, f64>> = OnceLock::new();
    let widths = WIDTHS.get_or_init(|| {
        let font = FontDesc::new(FontFamily::Name(registered()), 1000.0 * LINE, FontStyle::Normal);
        let letters = RANGES.into_iter().flatten().filter_map(char::from_u32);
        let width = |letter: char| {
            let ((left, _), (right, _)) = font.layout_box(letter.encode_utf8(&mut [0; 4])).ok()?;
            Some((letter, f64::from(right - left) / 1000.0))
        };
        letters.filter_map(width).collect()
    });
    text.chars().map(|letter| widths.get(&letter).copied().unwrap_or_else(|| foreign(letter))).sum()
}

/// How many characters of a text a PNG shows as boxes, because its font lacks them.
pub fn lacks(text: &str) -> usize {
    let has = |letter: char| RANGES.iter().any(|range| range.contains(&u32::from(letter)));
    clean(text).chars().filter(|letter| !has(*letter)).count()
}

/// A text without what would break a line, an XML file or the direction of writing.
pub(super) fn clean(text: &str) -> String {
    let harmless = |letter: char| match letter {
        '\n' | '\r' | '\t' => Some(' '),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => None,
        '\u{fffe}' | '\u{ffff}' => Some('\u{fffd}'),
        letter if letter.is_control() => Some('\u{fffd}'),
        letter => Some(letter),
    };
    text.chars().filter_map(harmless).collect()
}

/// A text of at most that width by some measure: the middle of a longer one is left out.
pub(super) fn shortened(text: &str, room: f64, width: impl Fn(&str) -> f64) -> String {
    let text = clean(text);
    if width(&text) <= room {
        return text;
    }
    let letters: Vec<char> = text.chars().collect();
    let of = |kept: usize| {
        let head = kept.div_ceil(2) + kept / 6;
        let (head, tail) = (head.min(kept), kept - head.min(kept));
        let ends = letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]);
        ends.collect::<String>()
    };
    let fitting = (1..letters.len()).rev().map(of).find(|text| width(text) <= room);
    fitting.unwrap_or_else(|| if width("…") <= room { "…".into() } else { String::new() })
}

/// Columns of a character in a terminal.
pub(super) fn columns_of(letter: char) -> usize {
    match u32::from(letter) {
        0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x610..=0x61a | 0x64b..=0x65f => 0,
        0x200b..=0x200f | 0xfe00..=0xfe0f | 0x20d0..=0x20ff => 0,
        0x1100..=0x115f | 0x2e80..=0x303e | 0x3041..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff => 2,
        0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns of a text in a terminal.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font() {
        // Advance of a digit and of a space of DejaVu Sans: 1303 and 651 of 2048.
        assert!((width("0") - 0.636).abs() < 1e-9, "{}", width("0"));
        assert!((width("10 000") - (5.0 * 0.636 + 0.317)).abs() < 2e-3, "{}", width("10 000"));
        assert!(width("żźÄβЖ€…−→").is_finite() && lacks("żźÄβЖ€…−→") == 0);
        assert_eq!((lacks("電力 load"), columns("電力 load")), (2, 9));
        assert_eq!(width("電"), 1.05);
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        let id = "region-north/store-0000000000000000000000000000000000000001/item-42";
        let short = shortened(id, 20.0, width);
        assert!(
            width(&short) <= 20.0 && short.starts_with("region-north") && short.ends_with("42"),
            "{short}"
        );
        assert_eq!(shortened("short", 20.0, width), "short");
        assert_eq!(
            (shortened("long", 1.0, width).as_str(), shortened("long", 0.1, width).as_str()),
            ("…", "")
        );
    }

    #[test]
    fn nothing_in_an_id_steers_a_terminal_or_breaks_a_file() {
        assert_eq!(
            clean("a\u{1b}[31m\nb\u{202e}c\u{0}"),
            "a\u{fffd}[31m b\u{fffd}c".replace("b\u{fffd}c", "bc\u{fffd}")
        );
    }
}
