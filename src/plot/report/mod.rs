//! The page of a backtest: one HTML file with its style and its pictures inside, no script, nothing loaded.

mod charts;
mod html;
mod sections;
mod words;

use crate::pipeline::BacktestReport;
use crate::plot::{PlotError, theme};
use html::Html;

const STYLE: &str = include_str!("style.css");

/// The page; `command` is what it was made by, as a shell reads it, its secrets masked.
///
/// It holds at most twelve series, and as many rows of tables as a person reads: its size does not grow with the data.
///
/// # Errors
/// See [`PlotError`].
pub fn page(report: &BacktestReport, command: &str) -> Result<String, PlotError> {
    let mut html = Html::default();
    let title = words::title(report);
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    html.element("title", &title);
    html.raw("<style>\n");
    html.raw(STYLE);
    html.raw(&format!(
        "@media (prefers-color-scheme: dark){{{}}}\n</style>\n</head>\n<body>\n<main>\n",
        theme::dark_rules()
    ));
    html.element("h1", &title);
    sections::verdict(&mut html, report);
    sections::leaderboard(&mut html, report);
    sections::coverage(&mut html, report);
    sections::losses(&mut html, report)?;
    sections::segments(&mut html, report);
    sections::series(&mut html, report)?;
    sections::notes(&mut html, report);
    sections::setting(&mut html, report);
    sections::command(&mut html, command);
    html.raw("</main>\n</body>\n</html>\n");
    Ok(html.text)
}
