//! A sheet as text: braille dots for the data, box characters for the axes, the legend below.

use crate::plot::chart::{Chart, Figure, Sheet, XAxis};
use crate::plot::legend::{self, Entry};
use crate::plot::ticks::{self, Tick};
use crate::plot::{Dash, Ink, dash, font, number};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line, Points};

/// Room and colours of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Columns of a line.
    pub width: u16,
    /// Lines of a chart, axes included.
    pub height: u16,
    /// Whether colours are allowed.
    pub color: bool,
}

/// The sheet as lines of text, chart after chart.
pub fn text(sheet: &Sheet, room: Columns) -> String {
    let room = Columns { width: room.width.clamp(40, 400), height: room.height.clamp(10, 200), ..room };
    let wide = f64::from(room.width);
    let count = |text: &str| font::columns(text) as f64;
    let mut lines = vec![font::shortened(&sheet.title, wide, count)];
    for chart in &sheet.charts {
        if sheet.charts.len() > 1 {
            lines.push(String::new());
            lines.push(font::shortened(&chart.title, wide, count));
        }
        lines.extend(drawn(chart, room));
    }
    lines.extend(key(&legend::entries(&sheet.charts), room));
    let marks = sheet.charts.iter().flat_map(|chart| &chart.marks).filter_map(|mark| mark.label.as_ref());
    if let Some(label) = marks.into_iter().next().filter(|_| sheet.charts.len() == 1) {
        lines.push(format!("┊  {label}"));
    }
    lines.retain(|line| !line.is_empty() || sheet.charts.len() > 1);
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A chart with its axes.
fn drawn(chart: &Chart, room: Columns) -> Vec<String> {
    let rows = usize::from(room.height) - 4;
    let (low, high) = chart.y_span();
    let y_ticks = number::ticks(low, high, (rows / 3).clamp(2, 7));
    let labels = number::labels(&y_ticks);
    let gutter = labels.iter().map(|label| font::columns(label)).max().unwrap_or(0);
    let columns = usize::from(room.width).saturating_sub(gutter + 2).max(8);
    let (first, last) = chart.x_span();
    let view = View { columns, rows, x: (first as f64, last as f64), y: (low, high) };
    let cells = view.cells(chart, room.color);
    let mut lines = Vec::new();
    if !chart.y_title.is_empty() {
        lines.push(font::shortened(&chart.y_title, f64::from(room.width), |text| font::columns(text) as f64));
    }
    for (row, cells) in cells.into_iter().enumerate() {
        let here = y_ticks.iter().position(|tick| view.row(*tick) == row);
        let label = here.map_or("", |place| labels[place].as_str());
        let pad = " ".repeat(gutter - font::columns(label));
        lines.push(format!("{pad}{label} {}{cells}", if here.is_some() { '┤' } else { '│' }));
    }
    lines.extend(view.x_axis(chart, gutter, (first, last)));
    let title = font::shortened(&chart.x_title, f64::from(room.width), |text| font::columns(text) as f64);
    let indent = usize::from(room.width).saturating_sub(font::columns(&title)) / 2;
    lines.push(format!("{}{title}", " ".repeat(indent)));
    lines
}

/// The plot area in cells of two by four dots.
struct View {
    columns: usize,
    rows: usize,
    x: (f64, f64),
    y: (f64, f64),
}

impl View {
    /// Dots across and upwards.
    fn dots(&self) -> (f64, f64) {
        ((2 * self.columns - 1) as f64, (4 * self.rows - 1) as f64)
    }

    fn dot(&self, x: i64, y: f64) -> (f64, f64) {
        let (across, upwards) = self.dots();
        let share = (y / 2.0 - self.y.0 / 2.0) / (self.y.1 / 2.0 - self.y.0 / 2.0);
        ((x as f64 - self.x.0) / (self.x.1 - self.x.0) * across, share.clamp(0.0, 1.0) * upwards)
    }

    /// Row of cells, counted from the top.
    fn row(&self, y: f64) -> usize {
        let (_, up) = self.dot(self.x.0 as i64, y);
        (self.rows - 1).saturating_sub((up / 4.0) as usize)
    }

    fn column(&self, x: i64) -> usize {
        let (right, _) = self.dot(x, self.y.0);
        ((right / 2.0) as usize).min(self.columns - 1)
    }

    /// The cells of every row, with colours where they are allowed.
    fn cells(&self, chart: &Chart, color: bool) -> Vec<String> {
        let (across, upwards) = self.dots();
        let area = Rect::new(
            0,
            0,
            u16::try_from(self.columns).unwrap_or(400),
            u16::try_from(self.rows).unwrap_or(200),
        );
        let mut buffer = Buffer::empty(area);
        let canvas =
            Canvas::default().marker(Marker::Braille).x_bounds([0.0, across]).y_bounds([0.0, upwards]);
        let canvas = canvas.paint(|context| {
            for mark in &chart.marks {
                let (x, _) = self.dot(mark.at, self.y.0);
                let dots: Vec<(f64, f64)> =
                    (0..self.rows * 2).map(|half| (x.round(), (2 * half) as f64)).collect();
                context.draw(&Points { coords: &dots, color: paint(Ink::Axis) });
            }
            for layer in &chart.layers {
                match &layer.figure {
                    Figure::Area { points } => {
                        let (dots, color) = (self.shade(points, layer.ink), paint(layer.ink));
                        context.draw(&Points { coords: &dots, color });
                    }
                    Figure::Line { points, dash, .. } => {
                        for [from, to] in self.segments(points, *dash) {
                            let color = paint(layer.ink);
                            context.draw(&Line { x1: from.0, y1: from.1, x2: to.0, y2: to.1, color });
                        }
                    }
                }
            }
        });
        canvas.render(area, &mut buffer);
        let cell = |row: u16, column: u16| {
            let cell = &buffer[(column, row)];
            let symbol = if cell.symbol() == "\u{2800}" { " " } else { cell.symbol() };
            (symbol.to_owned(), sgr(cell.fg))
        };
        (0..area.height).map(|row| joined((0..area.width).map(|column| cell(row, column)), color)).collect()
    }

    /// Dots that fill an area thinly, the widest interval most thinly.
    fn shade(&self, points: &[(i64, f64, f64)], ink: Ink) -> Vec<(f64, f64)> {
        let every = if ink == Ink::Band(0) { 4 } else { 2 };
        let mut dots = Vec::new();
        for pair in points.windows(2) {
            let ((x0, low0), (_, high0)) = (self.dot(pair[0].0, pair[0].1), self.dot(pair[0].0, pair[0].2));
            let ((x1, low1), (_, high1)) = (self.dot(pair[1].0, pair[1].1), self.dot(pair[1].0, pair[1].2));
            if ![low0, high0, low1, high1].iter().all(|y| y.is_finite()) {
                continue;
            }
            for x in x0.ceil().max(0.0) as usize..=x1.floor().max(0.0) as usize {
                let share = if x1 > x0 { (x as f64 - x0) / (x1 - x0) } else { 0.0 };
                let (low, high) = (low0 + share * (low1 - low0), high0 + share * (high1 - high0));
                let column = low.ceil().max(0.0) as usize..=high.floor().max(0.0) as usize;
                let inside = column.filter(|y| x % every == 0 && (y + x) % 4 == 0);
                dots.extend(inside.map(|y| (x as f64, y as f64)));
            }
        }
        dots
    }

    /// What is drawn of a line: between points, and around points alone.
    fn segments(&self, points: &[(i64, f64)], dash: Dash) -> Vec<[(f64, f64); 2]> {
        let dots: Vec<(f64, f64)> = points
            .iter()
            .map(|&(x, y)| if y.is_finite() { self.dot(x, y) } else { (0.0, f64::NAN) })
            .collect();
        let mut segments = Vec::new();
        for run in dash::runs(&dots) {
            if let [one] = run[..] {
                segments.push([one, one]);
            }
            for stroke in dash::strokes(&dash::thinned(run), dash, 1.0) {
                segments.extend(stroke.windows(2).map(|pair| [pair[0], pair[1]]));
            }
        }
        segments
    }

    /// The axis, the labels of its ticks, what these are a part of.
    fn x_axis(&self, chart: &Chart, gutter: usize, (first, last): (i64, i64)) -> Vec<String> {
        let most = (self.columns / 8).max(2);
        let wide = gutter + 2 + self.columns;
        let start = |at: i64, words: &str| {
            let width = font::columns(words);
            (gutter + 2 + self.column(at)).saturating_sub(width / 2).min(wide.saturating_sub(width))
        };
        let apart = |ticks: &[Tick]| {
            ticks.windows(2).all(|pair| {
                start(pair[0].at, &pair[0].label) + font::columns(&pair[0].label)
                    < start(pair[1].at, &pair[1].label)
            })
        };
        let found = match &chart.x {
            XAxis::Time(zone) => ticks::ticks(first, last, zone, most, &apart),
            XAxis::Count => number::whole_ticks(first, last, most)
                .into_iter()
                .map(|at| Tick { at, label: number::separated(at as f64, 0), context: None })
                .collect(),
        };
        let mut axis: Vec<char> = vec!['─'; self.columns];
        found.iter().for_each(|tick| axis[self.column(tick.at)] = '┬');
        let labels = found.iter().map(|tick| (start(tick.at, &tick.label), tick.label.as_str())).collect();
        let contexts = found.iter().filter_map(|tick| {
            let context = tick.context.as_deref()?;
            Some((start(tick.at, context), context))
        });
        let mut lines = vec![format!("{}└{}", " ".repeat(gutter + 1), axis.into_iter().collect::<String>())];
        lines
            .extend([placed(labels), placed(contexts.collect())].into_iter().filter(|line| !line.is_empty()));
        lines
    }
}

/// Words at columns; of two that overlap the later one stays.
fn placed(words: Vec<(usize, &str)>) -> String {
    let mut kept: Vec<(usize, &str)> = Vec::new();
    for (start, word) in words.into_iter().rev() {
        if kept.last().is_none_or(|(next, _)| start + font::columns(word) < *next) {
            kept.push((start, word));
        }
    }
    let mut line = String::new();
    for (start, word) in kept.into_iter().rev() {
        line.push_str(&" ".repeat(start.saturating_sub(font::columns(&line))));
        line.push_str(word);
    }
    line
}

/// The legend.
fn key(entries: &[Entry], room: Columns) -> Vec<String> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for entry in entries {
        let sample = match entry.line {
            None if entry.ink == Ink::Band(0) => "░░",
            None => "▒▒",
            Some((Dash::Solid, _)) => "──",
            Some((Dash::Dashed, _)) => "╌╌",
            Some((Dash::Dotted, _)) => "┄┄",
            Some((Dash::DashDot, _)) => "─·",
        };
        let sample = joined([(sample.to_owned(), sgr(paint(entry.ink)))].into_iter(), room.color);
        let limit = f64::from(room.width) - 3.0;
        let name = font::shortened(&entry.name, limit, |text| font::columns(text) as f64);
        let (width, word) = (3 + font::columns(&name), format!("{sample} {name}"));
        match lines.last_mut() {
            Some((used, line)) if *used + 3 + width <= usize::from(room.width) => {
                *used += 3 + width;
                line.push_str("   ");
                line.push_str(&word);
            }
            _ => lines.push((width, word)),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Cells in a row; where colours are allowed, a code wherever the colour changes.
fn joined(cells: impl Iterator<Item = (String, &'static str)>, color: bool) -> String {
    let (mut line, mut current) = (String::new(), "");
    for (symbol, code) in cells {
        // A blank has no colour.
        if color && symbol != " " && code != current {
            line.push_str("\u{1b}[0");
            line.push_str(code);
            line.push('m');
            current = code;
        }
        line.push_str(&symbol);
    }
    if !current.is_empty() {
        line.push_str("\u{1b}[0m");
    }
    line
}

/// The sixteen colours that every terminal has.
fn paint(ink: Ink) -> Color {
    match ink {
        Ink::Forecast => Color::LightBlue,
        Ink::Band(0) => Color::DarkGray,
        Ink::Band(_) => Color::Blue,
        Ink::After => Color::Yellow,
        Ink::Axis | Ink::Grid | Ink::Muted => Color::DarkGray,
        Ink::Other(number) => match number % 4 {
            0 => Color::Magenta,
            1 => Color::Green,
            2 => Color::Red,
            _ => Color::Cyan,
        },
        Ink::Paper | Ink::Text | Ink::Observed => Color::Reset,
    }
}

fn sgr(color: Color) -> &'static str {
    match color {
        Color::LightBlue => ";94",
        Color::DarkGray => ";90",
        Color::Blue => ";34",
        Color::Yellow => ";33",
        Color::Magenta => ";35",
        Color::Green => ";32",
        Color::Red => ";31",
        Color::Cyan => ";36",
        _ => "",
    }
}
