//! The names of what is drawn, in rows above the plot areas.

use crate::plot::scene::{Anchor, Shape, Text};
use crate::plot::{Chart, Dash, Figure, Ink, dash, font};

/// An entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    pub ink: Ink,
    /// Break and width of a line; `None` for an area.
    pub line: Option<(Dash, f64)>,
}

/// Sizes in em: sample, from sample to name, from entry to entry, from row to row.
const SAMPLE: f64 = 2.0;
const GAP: f64 = 0.5;
const BETWEEN: f64 = 1.6;
pub(super) const ROW: f64 = 1.7;

/// What all charts draw under a name, each name once, in the order drawn.
pub(super) fn entries(charts: &[Chart]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for layer in charts.iter().flat_map(|chart| &chart.layers) {
        let Some(name) = &layer.name else { continue };
        let line = match &layer.figure {
            Figure::Line { dash, width, .. } => Some((*dash, *width)),
            Figure::Area { .. } => None,
        };
        if entries.iter().all(|entry| entry.name != *name) {
            entries.push(Entry { name: name.clone(), ink: layer.ink, line });
        }
    }
    // Lines first: intervals are drawn first, but read last.
    entries.sort_by_key(|entry| entry.line.is_none());
    entries
}

/// The entries of each row that fit beside each other into some pixels.
pub(super) fn rows(entries: &[Entry], room: f64, em: f64) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut used = f64::INFINITY;
    for entry in entries {
        let name = font::shortened(&entry.name, (room / em - SAMPLE - GAP).max(1.0), font::width);
        let width = (SAMPLE + GAP + font::width(&name)) * em;
        let entry = Entry { name, ..entry.clone() };
        match rows.last_mut() {
            Some(row) if used + BETWEEN * em + width <= room => {
                used += BETWEEN * em + width;
                row.push(entry);
            }
            _ => {
                used = width;
                rows.push(vec![entry]);
            }
        }
    }
    rows
}

/// Draws rows from a corner on.
pub(super) fn draw(rows: &[Vec<Entry>], left: f64, top: f64, em: f64, shapes: &mut Vec<Shape>) {
    let unit = em / 12.0;
    for (number, row) in rows.iter().enumerate() {
        let middle = top + (number as f64 + 0.5) * ROW * em;
        let mut x = left;
        for entry in row {
            match entry.line {
                None => {
                    shapes.push(Shape::Rect(x, middle - 0.45 * em, SAMPLE * em, 0.9 * em, entry.ink));
                }
                Some((dash, width)) => {
                    let sample = [(x, middle), (x + SAMPLE * em, middle)];
                    let strokes = dash::strokes(&sample, dash, unit * width.max(1.0));
                    shapes.extend(
                        strokes.into_iter().map(|stroke| Shape::Line(stroke, width * unit, entry.ink)),
                    );
                }
            }
            shapes.push(Shape::Text(Text {
                x: x + (SAMPLE + GAP) * em,
                y: middle + 0.36 * em,
                size: em,
                anchor: Anchor::Start,
                upright: false,
                ink: Ink::Text,
                words: entry.name.clone(),
            }));
            x += (SAMPLE + GAP + font::width(&entry.name) + BETWEEN) * em;
        }
    }
}
