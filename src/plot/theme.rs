//! Colours by what they are for. Each is used for one purpose in the light theme, so that a style sheet can tell them apart.

use std::fmt::Write;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark lines on white, as on paper.
    #[default]
    Light,
    /// Light lines on nearly black.
    Dark,
}

/// What something is, as far as its colour goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The background.
    Paper,
    /// Titles.
    Text,
    /// Labels of axes.
    Muted,
    /// Lines of the grid.
    Grid,
    /// Axes, ticks, cutoffs.
    Axis,
    /// What was observed.
    Observed,
    /// What was observed after a cutoff.
    After,
    /// A forecast.
    Forecast,
    /// An interval, the widest is 0.
    Band(u8),
    /// One of several, by number.
    Other(u8),
}

/// Different colours of intervals, and of several lines.
const BANDS: u8 = 3;
const OTHERS: u8 = 7;

impl Ink {
    /// The colour, red, green and blue.
    pub(super) fn rgb(self, theme: Theme) -> [u8; 3] {
        let (light, dark) = match self {
            Ink::Paper => (0xffffff, 0x0f141a),
            Ink::Text => (0x1b1f24, 0xe6edf3),
            Ink::Muted => (0x57606a, 0x9da7b3),
            Ink::Grid => (0xe4e7eb, 0x27303b),
            Ink::Axis => (0x8c959f, 0x6b7684),
            Ink::Observed => (0x2a2f36, 0xd7dee7),
            Ink::After => (0xc2410c, 0xff9d5c),
            Ink::Forecast => (0x0b5cad, 0x6cb2ff),
            Ink::Band(number) => match number % BANDS {
                0 => (0xdce9f7, 0x16293e),
                1 => (0xb3d0ee, 0x1f4066),
                _ => (0x8db7e3, 0x2a5788),
            },
            Ink::Other(number) => match number % OTHERS {
                0 => (0x7c3aed, 0xb794ff),
                1 => (0x0f766e, 0x4fd1c5),
                2 => (0xbe185d, 0xff8fc0),
                3 => (0xb45309, 0xf6b352),
                4 => (0x4d7c0f, 0xa3d977),
                5 => (0x475569, 0xa8b6c8),
                _ => (0x0e7490, 0x67d4ee),
            },
        };
        let [_, red, green, blue] = u32::to_be_bytes(match theme {
            Theme::Light => light,
            Theme::Dark => dark,
        });
        [red, green, blue]
    }

    fn all() -> impl Iterator<Item = Ink> {
        let plain = [
            Ink::Paper,
            Ink::Text,
            Ink::Muted,
            Ink::Grid,
            Ink::Axis,
            Ink::Observed,
            Ink::After,
            Ink::Forecast,
        ];
        plain.into_iter().chain((0..BANDS).map(Ink::Band)).chain((0..OTHERS).map(Ink::Other))
    }
}

/// As plotters and style sheets write a colour.
pub(super) fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Rules of a style sheet that give the light pictures of a page the dark colours.
pub(super) fn dark_rules() -> String {
    let mut rules = String::new();
    for ink in Ink::all() {
        let (light, dark) = (hex(ink.rgb(Theme::Light)), hex(ink.rgb(Theme::Dark)));
        // Writing to a string cannot fail.
        let _ =
            write!(rules, "svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}");
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_light_colour_tells_what_it_is_for() {
        let colours: BTreeSet<String> = Ink::all().map(|ink| hex(ink.rgb(Theme::Light))).collect();
        assert_eq!(colours.len(), Ink::all().count());
        assert!(dark_rules().contains("svg [fill=\"#FFFFFF\"]{fill:#0F141A}"));
    }
}
