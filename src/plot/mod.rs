//! Pictures: charts as SVG, as PNG and as text for a terminal, and the page of a backtest.
//!
//! Values in, bytes out: no IO, no clock. One arrangement of lines, areas and labels is painted as SVG and as PNG, so
//! both show the same. Labels are measured with the font of the PNG, which is part of the program, and never overlap; what
//! names the lines stands outside of the plot area. The same sheet gives the same bytes on every machine.
//!
//! ```text
//! SeriesPicture ─▶ Chart ─┐
//! losses ─────────▶ Chart ─┴▶ Sheet ─▶ layout ─▶ scene ─▶ paint: SVG, PNG
//!                             └──────▶ terminal: braille
//! ```

mod chart;
mod dash;
mod fan;
mod font;
mod layout;
mod legend;
mod number;
mod paint;
mod panel;
pub mod report;
mod scene;
mod terminal;
mod theme;
mod ticks;

#[cfg(test)]
mod tests;

pub use chart::{Chart, Dash, Figure, Layer, Mark, Sheet, XAxis};
pub use fan::{Band, Fan, SeriesPicture, zone_name};
pub use font::{lacks, register_sans_serif};
pub use paint::{png, svg};
pub use terminal::{Columns, text};
pub use theme::{Ink, Theme};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The charts do not fit.
    #[error(
        "{charts} charts do not fit into {width} × {height}: each would have {room}; choose fewer --id, or a larger --width and --height"
    )]
    Small {
        /// How many there are.
        charts: usize,
        /// Size of the picture in pixels.
        width: u32,
        /// The same.
        height: u32,
        /// What each would have, in words.
        room: String,
    },
    /// The library that draws gave up.
    #[error("cannot draw: {0}")]
    Draw(String),
}
