//! A sheet to a scene: title, legend, then the charts in a grid. Every text is measured before it is placed.

use crate::plot::scene::{Anchor, Scene, Shape, Text};
use crate::plot::{Ink, PlotError, Sheet, font, legend, panel};

/// Least width and height of a chart in em.
const WIDTH_MIN: f64 = 16.0;
const HEIGHT_MIN: f64 = 10.0;

/// Size of a letter in pixels for a picture: larger ones are read from further away.
pub(super) fn em((width, height): (u32, u32), charts: usize) -> f64 {
    let (width, height) = (f64::from(width), f64::from(height));
    let crowd = (charts.max(1) as f64).sqrt().min(2.0);
    (width.min(height * 1.8) / 74.0 / crowd.powf(0.4)).clamp(9.0, 64.0)
}

/// Columns and rows of a grid of charts whose shape is pleasant: about twice as wide as high.
pub(super) fn grid(charts: usize, width: f64, height: f64) -> (usize, usize) {
    let charts = charts.max(1);
    let shape = |columns: usize| {
        let rows = charts.div_ceil(columns);
        let ratio = (width / columns as f64) / (height / rows as f64).max(1.0);
        let empty = (columns * rows - charts) as f64;
        (ratio / 2.0).ln().abs() + 0.1 * empty
    };
    let columns = (1..=charts).min_by(|a, b| shape(*a).total_cmp(&shape(*b))).unwrap_or(1);
    (columns, charts.div_ceil(columns))
}

/// Where everything stands.
///
/// # Errors
/// [`PlotError::Small`] if there is no room.
pub(super) fn layout(sheet: &Sheet) -> Result<Scene, PlotError> {
    let (width, height) = (f64::from(sheet.size.0), f64::from(sheet.size.1));
    let em = sheet.letter.unwrap_or_else(|| em(sheet.size, sheet.charts.len()));
    let pad = 0.9 * em;
    let mut shapes = vec![Shape::Rect(0.0, 0.0, width, height, Ink::Paper)];
    let mut top = pad;
    let title = font::shortened(&sheet.title, (width - 2.0 * pad) / (1.25 * em), font::width);
    if !title.is_empty() {
        shapes.push(Shape::Text(Text {
            x: pad,
            y: top + 1.1 * em,
            size: 1.25 * em,
            anchor: Anchor::Start,
            upright: false,
            ink: Ink::Text,
            words: title,
        }));
        top += 1.85 * em;
    }
    let rows = legend::rows(&legend::entries(&sheet.charts), width - 2.0 * pad, em);
    legend::draw(&rows, pad, top, em, &mut shapes);
    top += rows.len() as f64 * legend::ROW * em + if rows.is_empty() { 0.0 } else { 0.3 * em };

    let (columns, lines) = grid(sheet.charts.len(), width, height - top);
    let (wide, high) = ((width - pad) / columns as f64, (height - 0.5 * pad - top) / lines as f64);
    if wide < WIDTH_MIN * em || high < HEIGHT_MIN * em {
        return Err(PlotError::Small {
            charts: sheet.charts.len(),
            width: sheet.size.0,
            height: sheet.size.1,
            room: format!("{:.0} × {:.0}", wide.max(0.0), high.max(0.0)),
        });
    }
    for (number, chart) in sheet.charts.iter().enumerate() {
        let (row, column) = (number / columns, number % columns);
        let cell = panel::Cell {
            left: 0.5 * pad + column as f64 * wide,
            top: top + row as f64 * high,
            width: wide,
            height: high,
            has_title: sheet.charts.len() > 1,
        };
        panel::draw(chart, &cell, em, &mut shapes);
    }
    Ok(Scene { size: sheet.size, shapes })
}
