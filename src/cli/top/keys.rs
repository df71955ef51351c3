//! What a person at the keyboard has chosen to see, and what keys change of it.

use super::view::{Sort, View};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Screen {
    /// All jobs.
    #[default]
    Jobs,
    /// The slots of the selected job.
    Runs,
    /// The keys.
    Help,
}

/// The choices of the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ui {
    pub screen: Screen,
    /// The selected job, by name, so that it stays selected wherever it is sorted to.
    pub job: Option<String>,
    /// The selected slot, from the newest on.
    pub run: usize,
    pub sort: Sort,
    /// Whether the view stands still.
    pub is_paused: bool,
}

/// Whether to go on after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Quit,
}

impl Ui {
    /// Place of the selected job in the order that is shown.
    pub fn place(&self, view: &View) -> usize {
        let jobs = self.sort.of(&view.jobs);
        let place = self.job.as_ref().and_then(|name| jobs.iter().position(|job| job.name == *name));
        place.unwrap_or(0)
    }

    /// Does what a key says.
    pub fn press(&mut self, key: KeyEvent, view: &View) -> Then {
        if key.kind == KeyEventKind::Release {
            return Then::Stay;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, self.screen) {
            (KeyCode::Char('c' | 'd'), _) if is_control => return Then::Quit,
            (KeyCode::Char('q'), _) => return Then::Quit,
            (KeyCode::Esc, Screen::Jobs) => return Then::Quit,
            (KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Left, Screen::Runs)
            | (KeyCode::Esc | KeyCode::Enter | KeyCode::Char('?'), Screen::Help) => {
                self.screen = Screen::Jobs;
            }
            (KeyCode::Char('?'), _) => self.screen = Screen::Help,
            (KeyCode::Enter | KeyCode::Right, Screen::Jobs) if !view.jobs.is_empty() => {
                self.go(view, 0);
                (self.screen, self.run) = (Screen::Runs, 0);
            }
            (KeyCode::Char('s'), Screen::Jobs) => {
                self.go(view, 0);
                self.sort = self.sort.next();
            }
            (KeyCode::Char('p' | ' '), _) => self.is_paused = !self.is_paused,
            (code, _) => {
                if let Some(by) = step(code) {
                    self.go(view, by);
                }
            }
        }
        Then::Stay
    }

    /// Moves the selection.
    fn go(&mut self, view: &View, by: isize) {
        let jobs = self.sort.of(&view.jobs);
        let moved = |place: usize, all: usize| place.saturating_add_signed(by).min(all.saturating_sub(1));
        let place = self.place(view);
        match self.screen {
            Screen::Jobs => self.job = jobs.get(moved(place, jobs.len())).map(|job| job.name.clone()),
            Screen::Runs => self.run = moved(self.run, jobs.get(place).map_or(0, |job| job.runs.len())),
            Screen::Help => {}
        }
    }
}

/// How far a key moves the selection.
fn step(code: KeyCode) -> Option<isize> {
    match code {
        KeyCode::Up | KeyCode::Char('k') => Some(-1),
        KeyCode::Down | KeyCode::Char('j') => Some(1),
        KeyCode::PageUp => Some(-10),
        KeyCode::PageDown => Some(10),
        KeyCode::Home | KeyCode::Char('g') => Some(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => Some(isize::MAX),
        _ => None,
    }
}

/// The keys of a screen, the more important ones first.
pub(super) fn legend(ui: &Ui) -> Vec<(&'static str, String)> {
    let pause = if ui.is_paused { "go on" } else { "pause" };
    match ui.screen {
        Screen::Jobs => vec![
            ("q", "quit".into()),
            ("↑↓", "select".into()),
            ("Enter", "slots".into()),
            ("?", "help".into()),
            ("s", format!("sort: {}", ui.sort.as_str())),
            ("p", pause.into()),
        ],
        Screen::Runs => vec![
            ("Esc", "back".into()),
            ("↑↓", "select".into()),
            ("q", "quit".into()),
            ("?", "help".into()),
            ("p", pause.into()),
        ],
        Screen::Help => vec![("Esc", "back".into()), ("q", "quit".into())],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    fn press(ui: &mut Ui, view: &View, code: KeyCode) -> Then {
        ui.press(KeyEvent::new(code, KeyModifiers::NONE), view)
    }

    #[test]
    fn the_selection_follows_the_job_and_stays_inside() {
        let (view, mut ui) = (view(), Ui::default());
        assert_eq!(ui.place(&view), 0);
        press(&mut ui, &view, KeyCode::Char('j'));
        let second = view.jobs[1].name.clone();
        assert_eq!((ui.place(&view), ui.job.clone()), (1, Some(second.clone())));
        press(&mut ui, &view, KeyCode::Char('s'));
        assert_eq!((ui.sort, ui.job.clone()), (Sort::Next, Some(second)));
        press(&mut ui, &view, KeyCode::End);
        press(&mut ui, &view, KeyCode::Down);
        assert_eq!(ui.place(&view), view.jobs.len() - 1);
        press(&mut ui, &view, KeyCode::Home);
        press(&mut ui, &view, KeyCode::Up);
        assert_eq!(ui.place(&view), 0);
    }

    #[test]
    fn keys_lead_into_the_slots_and_back_and_out() {
        let (view, mut ui) = (view(), Ui::default());
        press(&mut ui, &view, KeyCode::Enter);
        assert_eq!(ui.screen, Screen::Runs);
        press(&mut ui, &view, KeyCode::Down);
        assert_eq!(ui.run, 1);
        press(&mut ui, &view, KeyCode::Esc);
        press(&mut ui, &view, KeyCode::Char('?'));
        assert_eq!(ui.screen, Screen::Help);
        assert_eq!(press(&mut ui, &view, KeyCode::Esc), Then::Stay);
        press(&mut ui, &view, KeyCode::Char('p'));
        assert!(ui.is_paused && ui.screen == Screen::Jobs);
        assert_eq!(press(&mut ui, &view, KeyCode::Esc), Then::Quit);
        assert_eq!(press(&mut ui, &view, KeyCode::Char('q')), Then::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(ui.press(interrupt, &view), Then::Quit);
    }
}
