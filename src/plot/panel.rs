//! One chart within its cell: the axes with their labels around the plot area, and nothing but data within it.

use crate::plot::chart::{Chart, Figure, Layer, XAxis};
use crate::plot::scene::{Anchor, Shape, Text};
use crate::plot::ticks::{self, Tick};
use crate::plot::{Dash, Ink, dash, font, number};

/// Where a chart has to stay, in pixels.
pub(super) struct Cell {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// Whether the title of the chart is shown.
    pub has_title: bool,
}

/// Sizes in em: labels of axes, least room between two of them, most labels per length.
const LABEL: f64 = 0.92;
const APART: f64 = 0.9;
const TICK_WIDTH: f64 = 5.2;
const TICK_HEIGHT: f64 = 3.2;

/// Height of a line of labels in em.
const CONTEXT: f64 = 1.25;

/// More vertical lines than these are drawn whole: strokes of many lines make a large file.
const DASHED_MAX: usize = 8;

/// The plot area and what it shows.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn x(&self, x: i64) -> f64 {
        let (first, last) = self.x;
        self.left + (x as f64 - first) / (last - first) * self.width
    }

    fn y(&self, y: f64) -> f64 {
        let (low, high) = self.y;
        // Halves first: the largest numbers do not overflow.
        let share = ((y / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)).clamp(-1.0, 2.0);
        self.top + self.height * (1.0 - share)
    }

    fn right(&self) -> f64 {
        self.left + self.width
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// Draws a chart.
pub(super) fn draw(chart: &Chart, cell: &Cell, em: f64, shapes: &mut Vec<Shape>) {
    let has_labels = chart.marks.iter().any(|mark| mark.label.is_some());
    let above = 0.5 + if cell.has_title { 1.7 } else { 0.0 } + if has_labels { 1.4 } else { 0.0 };
    let below = 0.6 + 2.0 * CONTEXT + if chart.x_title.is_empty() { 0.3 } else { 1.7 };
    let height = (cell.height - (above + below) * em).max(em);
    let (low, high) = chart.y_span();
    let most = ((height / em / TICK_HEIGHT) as usize).clamp(2, 9);
    let y_ticks = number::ticks(low, high, most);
    let y_labels = number::labels(&y_ticks);
    let widest = y_labels.iter().map(|label| font::width(label) * LABEL * em).fold(0.0, f64::max);
    let y_title = if chart.y_title.is_empty() { 0.0 } else { 1.7 * em };
    let left = cell.left + 0.4 * em + y_title + widest + 0.7 * em;
    let (first, last) = chart.x_span();
    let margin = (last as f64 - first as f64) * 0.012;
    let mut frame = Frame {
        left,
        top: cell.top + above * em,
        width: (cell.left + cell.width - 1.1 * em - left).max(em),
        height,
        x: (first as f64 - margin, last as f64 + margin),
        y: (low, high),
    };
    let x_ticks = x_ticks(chart, cell, &frame, em, (first, last));
    if x_ticks.iter().all(|tick| tick.context.is_none()) {
        frame.height += CONTEXT * em;
    }
    let areas = chart.layers.iter().filter(|layer| matches!(layer.figure, Figure::Area { .. }));
    areas.for_each(|layer| figure(layer, &frame, em, shapes));
    for (tick, label) in y_ticks.iter().zip(y_labels) {
        let y = frame.y(*tick);
        shapes.push(Shape::Line(vec![(frame.left, y), (frame.right(), y)], 0.07 * em, Ink::Grid));
        shapes.push(text(frame.left - 0.6 * em, y + 0.33 * em, LABEL * em, Anchor::End, Ink::Muted, label));
    }
    marks(chart, cell, &frame, em, shapes);
    let others = chart.layers.iter().filter(|layer| !matches!(layer.figure, Figure::Area { .. }));
    others.for_each(|layer| figure(layer, &frame, em, shapes));
    x_axis(&x_ticks, cell, &frame, em, shapes);
    titles(chart, cell, &frame, em, shapes);
}

fn titles(chart: &Chart, cell: &Cell, frame: &Frame, em: f64, shapes: &mut Vec<Shape>) {
    if cell.has_title {
        let room = cell.left + cell.width - 1.1 * em - frame.left;
        let title = font::shortened(&chart.title, room / em, font::width);
        shapes.push(text(frame.left, cell.top + 1.3 * em, em, Anchor::Start, Ink::Text, title));
    }
    let x_title = font::shortened(&chart.x_title, frame.width / LABEL / em, font::width);
    if !x_title.is_empty() {
        let y = cell.top + cell.height - 0.6 * em;
        let x = frame.left + frame.width / 2.0;
        shapes.push(text(x, y, LABEL * em, Anchor::Middle, Ink::Muted, x_title));
    }
    let y_title = font::shortened(&chart.y_title, frame.height / LABEL / em, font::width);
    if !y_title.is_empty() {
        let (x, y) = (cell.left + 1.35 * em, frame.top + frame.height / 2.0);
        shapes.push(Shape::Text(Text {
            x,
            y,
            size: LABEL * em,
            anchor: Anchor::Middle,
            upright: true,
            ink: Ink::Muted,
            words: y_title,
        }));
    }
}

/// Vertical lines; their labels above the plot area as far as they do not overlap.
fn marks(chart: &Chart, cell: &Cell, frame: &Frame, em: f64, shapes: &mut Vec<Shape>) {
    let mut taken = f64::NEG_INFINITY;
    let dash = if chart.marks.len() > DASHED_MAX { Dash::Solid } else { Dash::Dashed };
    for mark in &chart.marks {
        let x = frame.x(mark.at);
        let line = [(x, frame.bottom()), (x, frame.top)];
        let strokes = dash::strokes(&line, dash, em / 16.0);
        shapes.extend(strokes.into_iter().map(|stroke| Shape::Line(stroke, 0.09 * em, Ink::Axis)));
        let Some(label) = &mark.label else { continue };
        let label = font::shortened(label, (cell.width - em) / LABEL / em, font::width);
        let half = font::width(&label) * LABEL * em / 2.0;
        let middle = x.clamp(
            cell.left + half + 0.3 * em,
            (cell.left + cell.width - half - 0.3 * em).max(cell.left + half),
        );
        if middle - half < taken + APART * em {
            continue;
        }
        taken = middle + half;
        shapes.push(text(middle, frame.top - 0.65 * em, LABEL * em, Anchor::Middle, Ink::Muted, label));
    }
}

/// Where labels of the x axis may stand, from left to right.
fn room(cell: &Cell, em: f64) -> (f64, f64) {
    (cell.left + 0.2 * em, cell.left + cell.width - 0.1 * em)
}

/// The ticks of the x axis whose labels stand beside each other.
fn x_ticks(chart: &Chart, cell: &Cell, frame: &Frame, em: f64, (first, last): (i64, i64)) -> Vec<Tick> {
    let most = ((frame.width / em / TICK_WIDTH) as usize).max(2);
    let (left, right) = room(cell, em);
    let fits = |ticks: &[Tick]| {
        let half = |tick: &Tick| font::width(&tick.label) * LABEL * em / 2.0;
        let ends = |tick: &Tick| (frame.x(tick.at) - half(tick), frame.x(tick.at) + half(tick));
        let all: Vec<(f64, f64)> = ticks.iter().map(ends).collect();
        all.windows(2).all(|pair| pair[0].1 + APART * em <= pair[1].0)
            && all.iter().all(|(from, to)| *from >= left && *to <= right)
    };
    match &chart.x {
        XAxis::Time(zone) => ticks::ticks(first, last, zone, most, &fits),
        XAxis::Count => {
            let ticks = |most: usize| -> Vec<Tick> {
                let all = number::whole_ticks(first, last, most).into_iter();
                all.map(|at| Tick { at, label: number::separated(at as f64, 0), context: None }).collect()
            };
            (1..=most).rev().map(ticks).find(|found| fits(found)).unwrap_or_default()
        }
    }
}

fn x_axis(ticks: &[Tick], cell: &Cell, frame: &Frame, em: f64, shapes: &mut Vec<Shape>) {
    let size = LABEL * em;
    let ends = vec![(frame.left, frame.bottom()), (frame.right(), frame.bottom())];
    shapes.push(Shape::Line(ends, 0.09 * em, Ink::Axis));
    for tick in ticks {
        let x = frame.x(tick.at);
        let (top, bottom) = (frame.bottom(), frame.bottom() + 0.35 * em);
        shapes.push(Shape::Line(vec![(x, top), (x, bottom)], 0.09 * em, Ink::Axis));
        shapes.push(text(x, bottom + 0.95 * em, size, Anchor::Middle, Ink::Muted, tick.label.clone()));
    }
    // From the right: where the first is cut short by the next, the next tells enough.
    let (left, right) = room(cell, em);
    let mut taken = f64::INFINITY;
    for tick in ticks.iter().rev() {
        let Some(context) = &tick.context else { continue };
        let half = font::width(context) * size / 2.0;
        let middle = frame.x(tick.at).clamp(left + half, (right - half).max(left + half));
        if middle + half + APART * em > taken {
            continue;
        }
        taken = middle - half;
        let y = frame.bottom() + (0.35 + 0.95 + CONTEXT) * em;
        shapes.push(text(middle, y, size, Anchor::Middle, Ink::Muted, context.clone()));
    }
}

fn figure(layer: &Layer, frame: &Frame, em: f64, shapes: &mut Vec<Shape>) {
    let unit = em / 12.0;
    match &layer.figure {
        Figure::Area { points } => {
            let column = |&(x, low, high): &(i64, f64, f64)| (frame.x(x), frame.y(high), frame.y(low));
            for run in points.split(|(_, low, high)| !low.is_finite() || !high.is_finite()) {
                match run {
                    [] => {}
                    // One step alone is as wide as a stroke.
                    [one] => {
                        let (x, top, bottom) = column(one);
                        let half = 2.5 * unit;
                        shapes.push(Shape::Rect(
                            x - half,
                            top,
                            2.0 * half,
                            (bottom - top).max(unit),
                            layer.ink,
                        ));
                    }
                    run => shapes.push(Shape::Area(run.iter().map(column).collect(), layer.ink)),
                }
            }
        }
        Figure::Line { points, dash, width } => {
            let points: Vec<(f64, f64)> = points
                .iter()
                .map(|&(x, y)| (frame.x(x), if y.is_finite() { frame.y(y) } else { f64::NAN }))
                .collect();
            for run in dash::runs(&points) {
                if let [(x, y)] = run[..] {
                    shapes.push(Shape::Dot(x, y, (1.1 * width * unit).max(1.6 * unit), layer.ink));
                    continue;
                }
                let strokes = dash::strokes(&dash::thinned(run), *dash, unit * width.max(1.0));
                shapes.extend(strokes.into_iter().map(|stroke| Shape::Line(stroke, width * unit, layer.ink)));
            }
        }
    }
}

fn text(x: f64, y: f64, size: f64, anchor: Anchor, ink: Ink, words: String) -> Shape {
    Shape::Text(Text { x, y, size, anchor, upright: false, ink, words })
}
