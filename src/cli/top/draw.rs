//! A view as a frame: what goes where.

use super::keys::{Screen, Ui, legend};
use super::paint::{Paint, cell, rule};
use super::view::{Health, Job, View};
use super::words::{brief, cut, long, moment, seconds, wrapped};
use super::{jobs, panel};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

/// A screen smaller than this shows nothing but that.
const SMALLEST: (u16, u16) = (42, 8);

/// Lines of a job that are shown however many jobs there are.
const PANEL_LEAST: usize = 5;

/// What the letters and columns mean.
const HELP: [&str; 14] = [
    "↑ ↓ j k      select a job, or a slot",
    "Enter        the last slots of the job, with reasons; Esc goes back",
    "s            sort by name, next slot, trouble, skill",
    "p            pause, and go on",
    "q Esc Ctrl-C quit",
    "",
    "OUTCOMES     o ok, d degraded, F failed, s skipped, M missed; the newest at the right",
    "NOW          what runs, how far its phase is and how long that takes; or the next slot",
    "LAG          how old the newest observation is",
    "AGE          how old the newest published forecast is",
    "SKILL        error saved against seasonal naive, of published forecasts that came true",
    "COVER        share of values inside of the first interval / what it promises",
    "VER          the version of the model that serves",
    "",
];

/// Draws one frame.
pub(super) fn frame(frame: &mut Frame, view: &View, ui: &Ui, paint: Paint) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "{} x {} is too small; {} x {} would do",
            area.width, area.height, SMALLEST.0, SMALLEST.1
        );
        let lines: Vec<Line> = wrapped(&text, area.width.into()).into_iter().map(Line::from).collect();
        frame.render_widget(Text::from(lines), area);
        return;
    }
    let across = usize::from(area.width);
    let mut lines = head(view, ui, paint, across);
    let foot = footer(view, ui, paint, across);
    let room = usize::from(area.height).saturating_sub(lines.len() + 1);
    lines.extend(match ui.screen {
        Screen::Jobs => jobs_screen(view, ui, paint, (across, room)),
        Screen::Runs => runs_screen(view, ui, paint, (across, room)),
        Screen::Help => HELP.iter().flat_map(|text| wrapped_help(text, across)).map(Line::from).collect(),
    });
    let last = area.bottom() - 1;
    lines.truncate(usize::from(last));
    frame.render_widget(Text::from(lines), Rect { height: last - area.y, ..area });
    frame.render_widget(foot, Rect { y: last, height: 1, ..area });
}

/// A view with every job in full and no end at the bottom, for those who cannot scroll.
pub(super) fn page(view: &View, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let ui = Ui::default();
    let mut lines = head(view, &ui, paint, across);
    let all = ui.sort.of(&view.jobs);
    if !all.is_empty() {
        let (heading, rows) = jobs::table(view, &all, None, paint, across);
        lines.push(heading);
        lines.extend(rows);
    }
    for job in all {
        lines.push(Line::default());
        lines.push(rule(&job.name, paint, across));
        lines.extend(panel::lines(job, view, paint, across));
    }
    lines
}

/// How the daemon is, and what is wrong with looking at it.
fn head(view: &View, ui: &Ui, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let clock = if ui.is_paused { format!("PAUSED {}", moment(view.now)) } else { moment(view.now) };
    let right = clock.chars().count();
    let mut first = Vec::new();
    let left = vec![Span::styled("s4cast top  ", paint.strong()), Span::raw(view.state.clone())];
    cell(&mut first, left, across.saturating_sub(right + 2), false);
    first.push(Span::raw("  "));
    first.push(Span::styled(clock, if ui.is_paused { paint.doubtful() } else { paint.faint() }));
    let (word, style) = match view.health {
        Health::Running => ("running", paint.good()),
        Health::Starting => ("starting", paint.busy()),
        Health::Draining => ("draining", paint.doubtful()),
        Health::Hung(_) => ("hangs", paint.bad()),
        Health::Silent(_) => ("gives no sign of life", paint.bad()),
        Health::Stopped(_) | Health::Lost(_) | Health::Unknown => ("not running", paint.bad()),
    };
    let mut second = Vec::new();
    let word = format!("daemon {word}");
    let health = health(view, across.saturating_sub(word.len()));
    let health = vec![Span::styled(word, style), Span::raw(health)];
    cell(&mut second, health, across, false);
    let mut lines = vec![Line::from(first), Line::from(second)];
    let mut bad = |text: String| {
        let all = wrapped(&text, across);
        lines.extend(all.into_iter().take(2).map(|text| Line::styled(text, paint.bad())));
    };
    if let Some((at, Some(reason))) = &view.reload {
        bad(format!("config rejected {} ago: {reason}", brief(seconds(*at, view.now))));
    }
    view.problems.iter().for_each(|problem| bad(problem.clone()));
    lines
}

/// What there is to say of the daemon behind its state, as much of it as fits.
fn health(view: &View, room: usize) -> String {
    let ago = |at: i64| long(seconds(at, view.now));
    let mut parts: Vec<String> = Vec::new();
    match view.health {
        Health::Stopped(at) => parts.push(format!("it stopped {} ago", ago(at))),
        Health::Hung(at) => parts.push(format!("its loop has not turned for {}", ago(at))),
        Health::Silent(at) => {
            parts.push(format!(
                "last seen {} ago; its process is there: a full disk, or it was stopped",
                ago(at)
            ));
        }
        Health::Lost(at) => parts.push(format!("last seen {} ago, it did not end as it should", ago(at))),
        Health::Unknown => parts.push("nothing tells of one in this state directory".into()),
        Health::Running | Health::Starting | Health::Draining => {
            parts.extend(view.started_at.map(|at| format!("up {}", ago(at))));
        }
    }
    let jobs = view.jobs.len();
    parts.push(if jobs == 1 { "1 job".into() } else { format!("{jobs} jobs") });
    let lines = || view.jobs.iter().flat_map(|job| &job.lines);
    let running = lines().filter(|line| line.running.is_some()).count();
    let waiting: usize = lines().map(|line| line.waiting).sum();
    if view.health.is_alive() {
        parts.push(format!("{running} running"));
        if waiting > 0 {
            parts.push(format!("{waiting} waiting"));
        }
        parts.extend(view.pid.map(|pid| format!("process {pid}")));
        parts.extend(view.version.as_ref().map(|version| format!("version {version}")));
    }
    let mut text = String::new();
    for part in parts {
        if text.is_empty() || text.chars().count() + part.chars().count() + 2 <= room {
            text += &format!(", {part}");
        }
    }
    text
}

/// The table, the selected job, and its slots where there is room for them.
fn jobs_screen(view: &View, ui: &Ui, paint: Paint, (across, room): (usize, usize)) -> Vec<Line<'static>> {
    let all = ui.sort.of(&view.jobs);
    let place = ui.place(view);
    let Some(job) = all.get(place) else { return vec![Line::styled("no job", paint.faint())] };
    let (heading, rows) = jobs::table(view, &all, Some(place), paint, across);
    let panel = panel::lines(job, view, paint, across);
    let below = room.saturating_sub(1);
    let most = below.saturating_sub(panel.len() + 1).max(below.saturating_sub(PANEL_LEAST + 1) / 2).max(1);
    let shown = rows.len().min(most);
    let mut lines = vec![heading];
    lines.extend(window(rows, place, shown));
    let rest = room.saturating_sub(lines.len());
    if rest > 1 {
        lines.push(rule(&job.name, paint, across));
        lines.extend(panel.into_iter().take(rest - 1));
    }
    let rest = room.saturating_sub(lines.len());
    if rest > 4 && !job.runs.is_empty() {
        lines.push(Line::default());
        lines.push(rule("last slots", paint, across));
        lines.extend(panel::runs(job, None, view, paint, across).into_iter().take(rest - 2));
    }
    lines
}

/// The slots of the selected job, and everything about one of them.
fn runs_screen(view: &View, ui: &Ui, paint: Paint, (across, room): (usize, usize)) -> Vec<Line<'static>> {
    let all = ui.sort.of(&view.jobs);
    let Some(job) = all.get(ui.place(view)) else { return Vec::new() };
    let mut lines = vec![rule(&format!("{}: last slots", job.name), paint, across)];
    let place = ui.run.min(job.runs.len().saturating_sub(1));
    let Some(run) = job.runs.get(place) else {
        lines.push(Line::styled("no slot yet", paint.faint()));
        return lines;
    };
    let detail = panel::run(run, paint, across);
    let shown = room.saturating_sub(2 + detail.len()).max(room / 2);
    let rows = panel::runs(job, Some(place), view, paint, across);
    lines.extend(window(rows, place, shown));
    lines.push(rule(&format!("slot {}", run.id), paint, across));
    lines.extend(detail);
    lines
}

/// So many lines, the chosen one among them.
fn window(lines: Vec<Line<'static>>, chosen: usize, most: usize) -> Vec<Line<'static>> {
    let from = chosen.saturating_sub(most.saturating_sub(1)).min(lines.len().saturating_sub(most));
    lines.into_iter().skip(from).take(most).collect()
}

/// The keys, as many as fit, and where the selection is.
fn footer(view: &View, ui: &Ui, paint: Paint, across: usize) -> Line<'static> {
    let all = ui.sort.of(&view.jobs);
    let runs = |job: &&Job| format!("slot {} of {}", (ui.run + 1).min(job.runs.len()), job.runs.len());
    let place = match ui.screen {
        Screen::Jobs if !all.is_empty() => format!("job {} of {}", ui.place(view) + 1, all.len()),
        Screen::Runs => all.get(ui.place(view)).map(runs).unwrap_or_default(),
        _ => String::new(),
    };
    let room = across.saturating_sub(place.len() + 2);
    let (mut spans, mut taken) = (Vec::new(), 0);
    for (key, word) in legend(ui) {
        let length = key.chars().count() + word.chars().count() + 3;
        if taken + length > room {
            break;
        }
        taken += length;
        spans.push(Span::styled(format!("{key} "), paint.strong()));
        spans.push(Span::styled(format!("{word}  "), paint.faint()));
    }
    let mut line = Vec::new();
    cell(&mut line, spans, room, false);
    line.push(Span::styled(format!("  {place}"), paint.faint()));
    Line::from(line)
}

/// A line of the help, its second column below itself where it is broken.
fn wrapped_help(text: &str, across: usize) -> Vec<String> {
    let Some((name, words)) = text.char_indices().nth(13).map(|(at, _)| text.split_at(at)) else {
        return vec![cut(text, across)];
    };
    let lines = wrapped(words, across.saturating_sub(13));
    let line = |(place, line): (usize, String)| {
        let name = if place == 0 { name } else { "" };
        format!("{name:<13}{line}")
    };
    lines.into_iter().enumerate().map(line).collect()
}
