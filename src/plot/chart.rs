//! What a picture shows, before anything is measured.

use crate::plot::{Ink, Theme};
use jiff::tz::TimeZone;

/// One picture: some charts under one title and one legend.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Above everything; shortened where it is too long. Empty for none.
    pub title: String,
    /// What the picture shows, in words, for who cannot see it.
    pub description: String,
    /// Row by row.
    pub charts: Vec<Chart>,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Colours.
    pub theme: Theme,
    /// Size of a letter in pixels; `None` takes one that goes with the size of the picture.
    pub letter: Option<f64>,
}

/// One plot area with its axes.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above the plot area, where a sheet has several charts.
    pub title: String,
    /// What x is.
    pub x: XAxis,
    /// Below the x axis.
    pub x_title: String,
    /// Beside the y axis.
    pub y_title: String,
    /// Drawn in this order.
    pub layers: Vec<Layer>,
    /// Vertical lines.
    pub marks: Vec<Mark>,
}

/// What x is.
#[derive(Clone, Debug)]
pub enum XAxis {
    /// Microseconds UTC, shown as the wall clock of a zone.
    Time(TimeZone),
    /// Whole numbers, as steps ahead.
    Count,
}

/// Something drawn, and its name.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Entry in the legend; layers of the same name share one.
    pub name: Option<String>,
    /// Colour.
    pub ink: Ink,
    /// What is drawn.
    pub figure: Figure,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub enum Figure {
    /// Points joined by a line; a `NaN` interrupts it.
    Line {
        /// (x, y), ascending by x.
        points: Vec<(i64, f64)>,
        /// How the line is broken.
        dash: Dash,
        /// Width, where 1 is a thin line.
        width: f64,
    },
    /// The area between two lines.
    Area {
        /// (x, lower, upper), ascending by x.
        points: Vec<(i64, f64, f64)>,
    },
}

/// How a line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// Long strokes.
    Dashed,
    /// Dots.
    Dotted,
    /// A stroke, a dot.
    DashDot,
}

/// A vertical line.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where.
    pub at: i64,
    /// Above the plot area, if anything.
    pub label: Option<String>,
}

impl Figure {
    /// Every (x, y) that has to be within the axes.
    pub(super) fn extremes(&self) -> Vec<(i64, f64)> {
        let all: Vec<(i64, f64)> = match self {
            Figure::Line { points, .. } => points.clone(),
            Figure::Area { points } => {
                points.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]).collect()
            }
        };
        all.into_iter().filter(|(_, y)| y.is_finite()).collect()
    }
}

impl Chart {
    /// First and last x; of nothing, and of a single instant, a span around it.
    pub(super) fn x_span(&self) -> (i64, i64) {
        let points = self.layers.iter().flat_map(|layer| layer.figure.extremes()).map(|(x, _)| x);
        let all = points.chain(self.marks.iter().map(|mark| mark.at));
        let span = all.fold(None, |span: Option<(i64, i64)>, x| {
            let (first, last) = span.unwrap_or((x, x));
            Some((first.min(x), last.max(x)))
        });
        let alone = match self.x {
            XAxis::Time(_) => crate::series::civil::DAY,
            XAxis::Count => 1,
        };
        match span.unwrap_or((0, 0)) {
            (first, last) if first == last => (first.saturating_sub(alone), last.saturating_add(alone)),
            span => span,
        }
    }

    /// Least and largest y with some room, a near zero included; of nothing, zero to one.
    pub(super) fn y_span(&self) -> (f64, f64) {
        let limit = f64::MAX / 8.0;
        let all =
            self.layers.iter().flat_map(|layer| layer.figure.extremes()).map(|(_, y)| y.clamp(-limit, limit));
        let span = all.fold(None, |span: Option<(f64, f64)>, y| {
            let (low, high) = span.unwrap_or((y, y));
            Some((low.min(y), high.max(y)))
        });
        let Some((low, high)) = span else { return (0.0, 1.0) };
        if high - low <= high.abs().max(low.abs()) * 1e-12 {
            let room = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            return (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room);
        }
        let room = 0.05 * (high - low);
        match (low, high) {
            // A line along zero must not lie on the axis.
            (low, high) if low >= 0.0 && low < 0.3 * high => (-0.03 * high, high + room),
            (low, high) if high <= 0.0 && high > 0.3 * low => (low - room, -0.03 * low),
            _ => (low - room, high + room),
        }
    }
}
