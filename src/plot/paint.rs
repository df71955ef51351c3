//! A scene to SVG and to PNG, through the same calls of the same library.

use crate::plot::layout::layout;
use crate::plot::scene::{Anchor, Scene, Shape, Text};
use crate::plot::{Ink, PlotError, Sheet, Theme, font};
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, RGBColor, ShapeStyle};
use std::fmt::Write;

/// The library draws at whole numbers: so many of them are one pixel of an SVG.
const FINE: u32 = 10;

/// A PNG is drawn larger by up to so much and averaged, so that edges are smooth; no more pixels than that at once.
const OVERSAMPLING: u32 = 4;
const PIXELS_MAX: u64 = 96_000_000;

/// What is painted on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// Text stays text.
    Svg,
    /// Text becomes pixels of the font that is part of the program.
    Pixels,
}

/// The sheet as an SVG file: text is text, nothing is loaded.
///
/// # Errors
/// See [`PlotError`].
pub fn svg(sheet: &Sheet) -> Result<String, PlotError> {
    drawn(sheet, " xmlns=\"http://www.w3.org/2000/svg\"")
}

/// The sheet as a part of a page.
///
/// # Errors
/// See [`PlotError`].
pub(super) fn inline(sheet: &Sheet) -> Result<String, PlotError> {
    drawn(sheet, "")
}

fn drawn(sheet: &Sheet, namespace: &str) -> Result<String, PlotError> {
    let scene = layout(sheet)?;
    let (width, height) = scene.size;
    let (wide, high) = (width.saturating_mul(FINE), height.saturating_mul(FINE));
    let mut text = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, (wide, high));
        paint(&mut backend, &scene, f64::from(FINE), Medium::Svg, sheet.theme)?;
        backend.present().map_err(failed)?;
    }
    let body = text.split_once('>').map_or("", |(_, body)| body);
    let mut out = String::with_capacity(text.len() + 512);
    let (title, description) =
        (escaped(&font::clean(&sheet.title)), escaped(&font::clean(&sheet.description)));
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg{namespace} width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {wide} {high}\" role=\"img\" \
         aria-label=\"{title}\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{title}</title>\n<desc>{description}</desc>"
    );
    out.push_str(body);
    Ok(out)
}

/// The sheet as a PNG file.
///
/// # Errors
/// See [`PlotError`].
pub fn png(sheet: &Sheet) -> Result<Vec<u8>, PlotError> {
    let scene = layout(sheet)?;
    let (width, height) = scene.size;
    let area = u64::from(width) * u64::from(height);
    let fits = |times: &u32| area * u64::from(*times) * u64::from(*times) <= PIXELS_MAX;
    let times = (1..=OVERSAMPLING).rev().find(fits).unwrap_or(1);
    let (wide, high) = (width * times, height * times);
    let mut pixels = vec![0; wide as usize * high as usize * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut pixels, (wide, high));
        paint(&mut backend, &scene, f64::from(times), Medium::Pixels, sheet.theme)?;
        backend.present().map_err(failed)?;
    }
    let pixels = averaged(&pixels, width as usize, times as usize);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Best);
    encoder.set_filter(png::FilterType::Sub);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

/// Means of squares of pixels, red, green and blue apart.
fn averaged(pixels: &[u8], width: usize, times: usize) -> Vec<u8> {
    let row = width * times * 3;
    let count = (times * times) as u32;
    let mut out = Vec::with_capacity(pixels.len() / (times * times));
    let mut sums = vec![0_u32; width * 3];
    for rows in pixels.chunks_exact(row * times) {
        sums.fill(0);
        for row in rows.chunks_exact(row) {
            for (x, square) in row.chunks_exact(3 * times).enumerate() {
                for (place, value) in square.iter().enumerate() {
                    sums[3 * x + place % 3] += u32::from(*value);
                }
            }
        }
        out.extend(sums.iter().map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX)));
    }
    out
}

fn paint<B: DrawingBackend>(
    backend: &mut B,
    scene: &Scene,
    scale: f64,
    medium: Medium,
    theme: Theme,
) -> Result<(), PlotError> {
    let mut brush = Brush { backend, scale, medium, theme };
    scene.shapes.iter().try_for_each(|shape| brush.shape(shape))
}

struct Brush<'a, B: DrawingBackend> {
    backend: &'a mut B,
    scale: f64,
    medium: Medium,
    theme: Theme,
}

impl<B: DrawingBackend> Brush<'_, B> {
    fn shape(&mut self, shape: &Shape) -> Result<(), PlotError> {
        match shape {
            Shape::Rect(x, y, width, height, ink) => {
                let (from, to) = (self.at((*x, *y)), self.at((x + width, y + height)));
                let style = self.style(*ink, 1.0);
                self.backend.draw_rect(from, to, &style, true).map_err(failed)
            }
            Shape::Area(columns, ink) => self.area(columns, *ink),
            Shape::Line(points, width, ink) => self.line(points, *width, *ink),
            Shape::Dot(x, y, radius, ink) => {
                let style = self.style(*ink, 1.0);
                let radius = self.length(*radius);
                self.backend.draw_circle(self.at((*x, *y)), radius, &style, true).map_err(failed)
            }
            Shape::Text(text) => self.text(text),
        }
    }

    /// A polygon, or the columns one by one where they become pixels: the library fills convex shapes without flaws.
    fn area(&mut self, columns: &[(f64, f64, f64)], ink: Ink) -> Result<(), PlotError> {
        let style = self.style(ink, 1.0);
        let upper =
            |part: &[(f64, f64, f64)]| part.iter().map(|&(x, top, _)| self.at((x, top))).collect::<Vec<_>>();
        let lower = |part: &[(f64, f64, f64)]| {
            part.iter().rev().map(|&(x, _, low)| self.at((x, low))).collect::<Vec<_>>()
        };
        let parts: Vec<&[(f64, f64, f64)]> = match self.medium {
            Medium::Svg => vec![columns],
            Medium::Pixels => columns.windows(2).collect(),
        };
        let polygons: Vec<Vec<(i32, i32)>> =
            parts.into_iter().map(|part| [upper(part), lower(part)].concat()).collect();
        polygons
            .into_iter()
            .try_for_each(|polygon| self.backend.fill_polygon(polygon, &style).map_err(failed))
    }

    /// A polyline, or strokes with round ends where they become pixels.
    fn line(&mut self, points: &[(f64, f64)], width: f64, ink: Ink) -> Result<(), PlotError> {
        let style = self.style(ink, width);
        if self.medium == Medium::Svg {
            let points: Vec<(i32, i32)> = points.iter().map(|point| self.at(*point)).collect();
            return self.backend.draw_path(points, &style).map_err(failed);
        }
        let fill = self.style(ink, 1.0);
        for pair in points.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length > 0.0 {
                let (x, y) = ((b.1 - a.1) / length * width / 2.0, (a.0 - b.0) / length * width / 2.0);
                let corners =
                    [(a.0 + x, a.1 + y), (b.0 + x, b.1 + y), (b.0 - x, b.1 - y), (a.0 - x, a.1 - y)];
                let corners: Vec<(i32, i32)> = corners.iter().map(|corner| self.at(*corner)).collect();
                self.backend.fill_polygon(corners, &fill).map_err(failed)?;
            }
        }
        let radius = self.length(width / 2.0);
        // Where a line goes on straight, or nearly so, nothing shows at a joint.
        let joints = points.windows(3).filter(|three| bends(three)).map(|three| three[1]);
        joints.into_iter().try_for_each(|joint| {
            self.backend.draw_circle(self.at(joint), radius, &fill, true).map_err(failed)
        })
    }

    /// Baselines stand where the scene says: the library puts them at 0.76 em below the top in an SVG, and at half of a line
    /// among pixels.
    fn text(&mut self, text: &Text) -> Result<(), PlotError> {
        let em = text.size * self.scale;
        let (size, down) = match self.medium {
            Medium::Svg => (em * 1.24, 0.76 * em),
            Medium::Pixels => (em * font::LINE, em * font::LINE / 2.0),
        };
        let place = match text.upright {
            false => (text.x, text.y - down / self.scale),
            true => (text.x - down / self.scale, text.y),
        };
        let anchor = match text.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let [red, green, blue] = text.ink.rgb(self.theme);
        let description = font::description(size, text.upright, self.medium == Medium::Svg);
        let style = description.into_text_style(&(1, 1)).with_color(RGBColor(red, green, blue));
        let style = style.with_anchor::<RGBColor>(Pos::new(anchor, VPos::Top)).into_text_style(&(1, 1));
        self.backend.draw_text(&text.words, &style, self.at(place)).map_err(failed)
    }

    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn length(&self, length: f64) -> u32 {
        (length * self.scale).round().max(1.0) as u32
    }

    fn style(&self, ink: Ink, width: f64) -> ShapeStyle {
        let [red, green, blue] = ink.rgb(self.theme);
        RGBColor(red, green, blue).filled().stroke_width(self.length(width))
    }
}

/// Whether a line turns at the second of three points by more than a few degrees.
fn bends(three: &[(f64, f64)]) -> bool {
    let [a, b, c] = [three[0], three[1], three[2]];
    let (x, y, u, v) = (b.0 - a.0, b.1 - a.1, c.0 - b.0, c.1 - b.1);
    x * u + y * v < 0.995 * x.hypot(y) * u.hypot(v)
}

/// The error of a backend: its own type has no name outside of the library.
fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

/// A text as a part of a file of marks.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}
