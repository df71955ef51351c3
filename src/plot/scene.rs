//! What is painted: shapes with places in pixels, the last one on top.

use crate::plot::Ink;

/// Everything of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// Pixels.
    pub size: (u32, u32),
    /// Bottom first.
    pub shapes: Vec<Shape>,
}

/// One shape; all numbers are pixels from the upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// (x, y, width, height), filled.
    Rect(f64, f64, f64, f64, Ink),
    /// Columns (x, top, bottom), filled in between.
    Area(Vec<(f64, f64, f64)>, Ink),
    /// Points joined by a line of some width.
    Line(Vec<(f64, f64)>, f64, Ink),
    /// A disc: x, y, radius.
    Dot(f64, f64, f64, Ink),
    /// Words.
    Text(Text),
}

/// Words at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// Where the anchor stands.
    pub x: f64,
    /// The baseline; where the text is upright, the baseline is a vertical line at `x` and the anchor is at `y`.
    pub y: f64,
    /// Size of the font: 1 em in pixels.
    pub size: f64,
    /// Which part stands at the anchor.
    pub anchor: Anchor,
    /// Whether the text runs from bottom to top.
    pub upright: bool,
    /// Colour.
    pub ink: Ink,
    /// The words.
    pub words: String,
}

/// Which part of a text stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}
