//! Colours, and rows of cells that keep to their widths.

use super::words::{cut, width};
use crate::schedule::outcome::Outcome;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// What may be shown in colour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paint {
    pub has_color: bool,
}

impl Paint {
    fn of(self, color: Color) -> Style {
        if self.has_color { Style::new().fg(color) } else { Style::new() }
    }

    pub fn good(self) -> Style {
        self.of(Color::Green)
    }

    pub fn doubtful(self) -> Style {
        self.of(Color::Yellow)
    }

    pub fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub fn busy(self) -> Style {
        self.of(Color::Cyan)
    }

    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn outcome(self, outcome: Outcome) -> Style {
        match outcome {
            Outcome::Ok => self.good(),
            Outcome::Degraded => self.doubtful(),
            Outcome::Failed => self.bad(),
            Outcome::Missed => self.of(Color::Magenta),
            Outcome::Skipped => self.faint(),
        }
    }

    /// One letter for each outcome, the newest at the right end of the cell.
    pub fn strip(self, outcomes: &[Outcome], most: usize) -> Vec<Span<'static>> {
        let from = outcomes.len().saturating_sub(most);
        let letter = |outcome: &Outcome| Span::styled(letter(*outcome), self.outcome(*outcome));
        outcomes[from..].iter().map(letter).collect()
    }
}

/// The letter of an outcome: those that need somebody to look stand out without colour, too.
pub(super) fn letter(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "o",
        Outcome::Degraded => "d",
        Outcome::Failed => "F",
        Outcome::Skipped => "s",
        Outcome::Missed => "M",
    }
}

/// Adds a cell to a row: cut to its width, or filled up with blanks.
pub(super) fn cell(row: &mut Vec<Span<'static>>, spans: Vec<Span<'static>>, most: usize, to_right: bool) {
    let mut taken = 0;
    let mut kept = Vec::new();
    for span in spans {
        let text = cut(&span.content, most - taken);
        taken += width(&text);
        kept.push(Span::styled(text, span.style));
        if taken >= most {
            break;
        }
    }
    let blanks = Span::raw(" ".repeat(most - taken.min(most)));
    if to_right {
        row.push(blanks);
        row.extend(kept);
    } else {
        row.extend(kept);
        row.push(blanks);
    }
}

/// A bar of a share of its width.
pub(super) fn bar(fraction: f64, width: usize, style: Style) -> Vec<Span<'static>> {
    let full = (fraction.clamp(0.0, 1.0) * width as f64).floor() as usize;
    vec![
        Span::styled("█".repeat(full), style),
        Span::styled("░".repeat(width - full), style.add_modifier(Modifier::DIM)),
    ]
}

/// A rule across the screen with a title in it.
pub(super) fn rule(title: &str, paint: Paint, across: usize) -> Line<'static> {
    let title = cut(title, across.saturating_sub(6));
    let rest = across.saturating_sub(width(&title) + 4);
    Line::from(vec![
        Span::styled("── ", paint.faint()),
        Span::styled(title, paint.strong()),
        Span::styled(format!(" {}", "─".repeat(rest)), paint.faint()),
    ])
}
