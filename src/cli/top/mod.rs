//! `s4cast top`: a daemon in the terminal, as it works.
//!
//! ```text
//!  STATE/status.json ─┐
//!  ledger (history) ──┼─ gather ─▶ View ─┬─▶ draw ─▶ frame      keys ─▶ Ui
//!  registry ──────────┘                  └─▶ document            (both pure)
//! ```

mod draw;
mod gather;
mod history;
mod jobs;
mod keys;
mod paint;
mod panel;
mod screen;
#[cfg(test)]
mod tests;
mod view;
mod words;

use crate::cli::args_daemon::Top;
use crate::cli::error::CliError;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, clock, launch, runs};
use crate::config;
use gather::Gatherer;
use keys::{Then, Ui};
use paint::Paint;
use ratatui::crossterm::event::{self, Event};
use ratatui::text::Line;
use screen::Screen;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The shortest time between two looks.
const INTERVAL_LEAST: Duration = Duration::from_millis(100);

/// How long a signal may wait.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the loop has to end by itself after a signal.
const GRACE: Duration = Duration::from_secs(1);

/// Width of a page where no terminal says.
const PAGE: usize = 120;

/// Shows a daemon until the person has seen enough; once, where nobody sits at a terminal.
pub(super) fn run(args: &Top, terminal: &Terminal) -> Result<Exit, CliError> {
    let interval = interval(&args.interval)?;
    let mut gatherer = Gatherer::new(&runs::state(&args.state)?)?;
    let is_terminal = io::stdout().is_terminal();
    let paint = Paint { has_color: terminal.has_color(is_terminal) };
    if is_terminal && !args.once && !args.check && !terminal.is_json() {
        return live(&mut gatherer, interval, paint);
    }
    let view = gatherer.look(clock::now());
    let across = width(is_terminal);
    terminal.result(
        || view::document(&view),
        || draw::page(&view, Paint::default(), across).iter().map(text).collect(),
    )?;
    Ok(if args.check && !view.health.is_well() { Exit::Failed } else { Exit::Ok })
}

fn interval(text: &str) -> Result<Duration, CliError> {
    let interval = config::duration(text)
        .and_then(|interval| Duration::try_from(interval).map_err(|_| format!("'{text}' is no interval")));
    match interval {
        Ok(interval) => Ok(interval.max(INTERVAL_LEAST)),
        Err(message) => {
            let help = Some("write for example --interval 2s".into());
            Err(CliError::Request { message: format!("--interval: {message}"), help })
        }
    }
}

/// Columns of a page.
fn width(is_terminal: bool) -> usize {
    let own = || ratatui::crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let known = if is_terminal { own() } else { told() };
    known.filter(|columns| (60..=1000).contains(columns)).unwrap_or(PAGE)
}

/// A line without its colours.
fn text(line: &Line<'_>) -> String {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    format!("{}\n", text.trim_end())
}

/// The loop: look, draw, heed the keys.
fn live(gatherer: &mut Gatherer, interval: Duration, paint: Paint) -> Result<Exit, CliError> {
    static OVER: AtomicBool = AtomicBool::new(false);
    launch::on_signal(|number| {
        OVER.store(true, Ordering::Relaxed);
        // Where the terminal is gone, the loop does not come back from its keys: what reads them finds their end again and again.
        std::thread::sleep(GRACE);
        screen::restore();
        std::process::exit(128 + number);
    });
    let mut screen = Screen::enter().map_err(CliError::Stdout)?;
    let mut ui = Ui::default();
    let mut view = gatherer.look(clock::now());
    let mut looked = Instant::now();
    while !OVER.load(Ordering::Relaxed) {
        screen.draw(|frame| draw::frame(frame, &view, &ui, paint)).map_err(CliError::Stdout)?;
        loop {
            let rest = interval.saturating_sub(looked.elapsed());
            if event::poll(rest.min(PATIENCE)).map_err(CliError::Stdout)? {
                match event::read().map_err(CliError::Stdout)? {
                    Event::Key(key) if ui.press(key, &view) == Then::Quit => return Ok(Exit::Ok),
                    Event::Key(_) | Event::Resize(..) => break,
                    _ => {}
                }
            }
            if OVER.load(Ordering::Relaxed) || looked.elapsed() >= interval {
                break;
            }
        }
        if looked.elapsed() >= interval {
            if !ui.is_paused {
                view = gatherer.look(clock::now());
            }
            looked = Instant::now();
        }
    }
    Ok(Exit::Ok)
}
