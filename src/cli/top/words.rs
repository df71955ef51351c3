//! Figures in few characters, and text that keeps to its width.

use jiff::Timestamp;
use ratatui::text::Span;

pub(super) use crate::series::civil::shown;

/// A span of time in at most four characters: `42s`, `12m`, `3h`, `15d`.
pub(super) fn brief(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0).floor() } else { 0.0 };
    let (minutes, hours, days) = (seconds / 60.0, seconds / 3600.0, seconds / 86_400.0);
    if seconds < 100.0 {
        format!("{seconds}s")
    } else if minutes < 100.0 {
        format!("{}m", minutes.floor())
    } else if hours < 72.0 {
        format!("{}h", hours.floor())
    } else {
        format!("{}d", days.floor().min(999.0))
    }
}

/// A span of time with its two largest units: `42 s`, `12 min 5 s`, `3 h 12 min`, `15 d 4 h`.
pub(super) fn long(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, 1e12) as u64 } else { 0 };
    let pair = |one: u64, name: &str, rest: u64, unit: &str| match rest {
        0 => format!("{one} {name}"),
        rest => format!("{one} {name} {rest} {unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// Seconds between two instants.
pub(super) fn seconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1e6
}

/// An instant to the second: `2026-03-01 12:00:00Z`.
pub(super) fn moment(instant: i64) -> String {
    match Timestamp::from_microsecond(instant) {
        Ok(stamp) => stamp.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => shown(instant),
    }
}

/// A share as whole percent; 99.6 % is not yet 100.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (100.0 * share).floor())
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text that is no wider than that: what is cut off leaves a mark. Control characters are shown as what they are.
pub(super) fn cut(text: &str, most: usize) -> String {
    let plain = crate::cli::error::plain(text);
    if width(&plain) <= most {
        return plain.into_owned();
    }
    let mut kept = String::new();
    for character in plain.chars() {
        kept.push(character);
        if width(&kept) + 1 > most {
            kept.pop();
            break;
        }
    }
    if most > 0 {
        kept.push('…');
    }
    kept
}

/// A text in lines no wider than that, broken between words where that is possible.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let most = most.max(8);
    let mut lines = vec![String::new()];
    for word in crate::cli::error::plain(text).split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().expect("never empty");
            let gap = usize::from(!line.is_empty());
            if width(line) + gap + width(&word) <= most {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&word);
                break;
            }
            if line.is_empty() {
                let mut rest = word.clone();
                while width(line) < most && !rest.is_empty() {
                    line.push(rest.remove(0));
                }
                word = rest;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_keep_to_their_width() {
        let cases = [
            (0.4, "0s", "0 s"),
            (99.0, "99s", "1 min 39 s"),
            (100.0, "1m", "1 min 40 s"),
            (3600.0, "60m", "1 h"),
            (7199.0, "1h", "1 h 59 min"),
            (90_000.0, "25h", "1 d 1 h"),
            (1e9, "999d", "11574 d 1 h"),
            (f64::NAN, "0s", "0 s"),
        ];
        for (seconds, short, full) in cases {
            let (short, full) = (short.to_owned(), full.to_owned());
            assert!(brief(seconds).len() <= 4, "{seconds}");
            assert_eq!(brief(seconds), short, "{seconds}");
            assert_eq!(long(seconds), full, "{seconds}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters_and_cannot_steer_the_terminal() {
        assert_eq!(cut("größer", 6), "größer");
        assert_eq!(cut("größer als", 6), "größe…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("a\u{1b}[2J", 20), "a\\u{1b}[2J");
        assert_eq!((cut("abc", 0), cut("abc", 1)), (String::new(), "…".into()));
    }

    #[test]
    fn lines_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("x abcdefghijkl", 8), ["x", "abcdefgh", "ijkl"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(percent(0.996), "99 %");
    }
}
