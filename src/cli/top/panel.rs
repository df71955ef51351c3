//! One job in full: its stages, what is known of its data and forecasts, how its last slot ended.

use super::paint::{Paint, bar, cell, letter};
use super::view::{Job, Line as Stage, Phase, Run, View};
use super::words::{brief, long, moment, percent, seconds, width, wrapped};
use crate::cli::meter::measured;
use crate::schedule::spec;
use ratatui::text::{Line, Span};

/// Width of the names at the left.
const NAMES: usize = 10;

/// Outcomes of a stage that are shown.
const OUTCOMES: usize = 30;

/// Width of what is due at most.
const DUE: usize = 68;

/// Width of a bar at most.
const BAR: usize = 40;

/// The lines of a job, the more important ones first.
pub(super) fn lines(job: &Job, view: &View, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for stage in &job.lines {
        lines.extend(of_stage(stage, view, paint, across));
    }
    if let Some(run) = job.troubled() {
        let reason = run.reasons.first().map_or("", String::as_str);
        let text = format!("{} of {}: {reason}", run.stage.as_str(), moment(run.slot));
        lines.extend(named("tries", &[text], paint, across));
    }
    if let Some(run) = job.last() {
        lines.extend(of_last(run, view, paint, across));
    }
    lines.extend(named("data", &[data(job, view)], paint, across));
    lines.extend(named("accuracy", &accuracy(job), paint, across));
    lines
}

/// One stage: when it is due and how it went, and below it how far what runs is.
fn of_stage(stage: &Stage, view: &View, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let strip = if across >= 100 { OUTCOMES } else { (across / 4).min(OUTCOMES) };
    let mut row = Vec::new();
    cell(&mut row, vec![Span::styled(stage.stage.as_str(), paint.strong())], NAMES, false);
    let room = across.saturating_sub(NAMES + strip + 2).min(DUE);
    cell(&mut row, due(stage, view, paint, room), room, false);
    row.push(Span::raw("  "));
    row.extend(paint.strip(&stage.outcomes, strip));
    let mut lines = vec![Line::from(row)];
    if let Some(phase) = stage.running.as_ref().and_then(|running| running.phase.as_ref()) {
        lines.push(progress(phase, view, paint, across));
    }
    lines
}

/// When a stage is due, in as many words as fit.
fn due(stage: &Stage, view: &View, paint: Paint, most: usize) -> Vec<Span<'static>> {
    let waiting = match stage.waiting {
        0 => String::new(),
        1 => ", 1 slot waits".into(),
        slots => format!(", {slots} slots wait"),
    };
    if let Some(running) = &stage.running {
        let age =
            running.started_at.map_or(String::new(), |at| format!(" for {}", long(seconds(at, view.now))));
        return vec![Span::styled(format!("runs{age}{waiting}"), paint.busy())];
    }
    let next = match stage.next {
        Some(next) if next <= view.now => "due now".into(),
        Some(next) => format!("in {}", long(seconds(view.now, next))),
        None if view.health.is_alive() => "never".into(),
        None => "not while nobody works it".into(),
    };
    let (short, rule) = (format!("{next}{waiting}"), format!("  {}", stage.rule));
    match width(&short) + width(&rule) <= most {
        true => vec![Span::raw(short), Span::styled(rule, paint.faint())],
        false => vec![Span::raw(short)],
    }
}

/// The phase with a bar, its figures as far as they fit.
fn progress(phase: &Phase, view: &View, paint: Paint, across: usize) -> Line<'static> {
    let mut row = vec![Span::raw(" ".repeat(NAMES))];
    let room = across.saturating_sub(NAMES);
    let Some(fraction) = phase.fraction else {
        let age = long(seconds(phase.started_at, view.now));
        row.push(Span::styled(format!("{}, {age} so far", phase.name), paint.busy()));
        return Line::from(row);
    };
    let share = percent(fraction);
    let left = phase.seconds_left.map(|left| format!("{} left", long(left)));
    let done = phase.total.map(|total| {
        format!(
            "{} of {}",
            measured(phase.done as f64, &phase.unit, false),
            measured(total as f64, &phase.unit, true)
        )
    });
    let rate = phase.rate.map(|rate| format!("{}/s", measured(rate, &phase.unit, true)));
    let join = |parts: &[&Option<String>]| {
        let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
        parts.join(", ")
    };
    let share = Some(share);
    let choices = [join(&[&share, &done, &rate, &left]), join(&[&share, &left]), join(&[&share])];
    let name = format!("{}  ", phase.name);
    let rest = room.saturating_sub(width(&name));
    let fits = |figures: &&String| width(figures) + 12 <= rest;
    let figures = choices.iter().find(fits).unwrap_or(&choices[2]);
    let length = rest.saturating_sub(width(figures) + 2).min(BAR);
    row.push(Span::styled(name, paint.busy()));
    if length >= 6 {
        row.extend(bar(fraction, length, paint.busy()));
        row.push(Span::raw("  "));
    }
    row.push(Span::raw(figures.clone()));
    Line::from(row)
}

fn of_last(run: &Run, view: &View, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let Some(outcome) = run.outcome else { return Vec::new() };
    let age = run.ended_at.map_or(String::new(), |at| format!(" {} ago", brief(seconds(at, view.now))));
    let reasons = match run.reasons.len() {
        0 => String::new(),
        1 => format!(": {}", run.reasons[0]),
        more => format!(": {} (and {} more)", run.reasons[0], more - 1),
    };
    let head = format!("{} {}", run.stage.as_str(), outcome.as_str());
    let text = format!("{head}{age}{reasons}");
    let mut lines = named("last", &[text], paint, across);
    if let Some(first) = lines.first_mut().and_then(|line| line.spans.get_mut(1)) {
        // The outcome has its colour; the text was broken behind it, for it is short.
        let rest = first.content.strip_prefix(&head).unwrap_or_default().to_owned();
        if first.content.starts_with(&head) {
            let name = lines[0].spans[0].clone();
            lines[0] = Line::from(vec![name, Span::styled(head, paint.outcome(outcome)), Span::raw(rest)]);
        }
    }
    lines
}

fn data(job: &Job, view: &View) -> String {
    let ago = |at: i64| format!("{} ago", long(seconds(at, view.now)));
    let mut parts = Vec::new();
    parts.push(match job.last_ds {
        Some(at) => format!("until {}, {}", moment(at), ago(at)),
        None => "none read yet".into(),
    });
    parts.push(match job.issued_at {
        Some(at) => format!("forecast of {}, {}", moment(at), ago(at)),
        None => "no forecast published".into(),
    });
    parts.push(match job.champion {
        Some(version) => format!("version {version} serves"),
        None => "no model serves".into(),
    });
    parts.join("; ")
}

fn accuracy(job: &Job) -> Vec<String> {
    let Some(((own, naive), skill)) = job.mase.zip(job.skill()) else {
        let has_scores = job.lines.iter().any(|line| line.stage == spec::Stage::Score);
        let why =
            if has_scores { "no published forecast has come true yet" } else { "no schedule for scores" };
        return vec![why.into()];
    };
    let word = if skill < 0.0 { "worse" } else { "better" };
    let inside =
        job.coverage.iter().map(|(level, share)| format!("{:.1} % inside of {level} %", 100.0 * share));
    let mut text =
        format!("{:.1} % {word} than seasonal naive (MASE {own:.3} against {naive:.3})", 100.0 * skill.abs());
    for inside in inside {
        text += &format!("; {inside}");
    }
    vec![text]
}

/// Lines behind a name, broken to the width.
fn named(name: &'static str, texts: &[String], paint: Paint, across: usize) -> Vec<Line<'static>> {
    let room = across.saturating_sub(NAMES);
    let all = texts.iter().flat_map(|text| wrapped(text, room));
    let line = |(place, text): (usize, String)| {
        let name = if place == 0 { name } else { "" };
        Line::from(vec![Span::styled(format!("{name:<NAMES$}"), paint.strong()), Span::raw(text)])
    };
    all.enumerate().map(line).collect()
}

/// The newest slots of a job, a line each, the newest first.
pub(super) fn runs(
    job: &Job,
    selected: Option<usize>,
    view: &View,
    paint: Paint,
    across: usize,
) -> Vec<Line<'static>> {
    let row = |(place, run): (usize, &Run)| {
        let mut row = Vec::new();
        let (word, style) = match run.outcome {
            Some(outcome) => (outcome.as_str(), paint.outcome(outcome)),
            None if job.works(run) => ("running", paint.busy()),
            None if !view.health.is_alive() => ("open", paint.doubtful()),
            None => ("waiting", paint.faint()),
        };
        let mark = run.outcome.map_or(" ", letter);
        cell(&mut row, vec![Span::styled(mark, style)], 2, false);
        cell(&mut row, vec![Span::raw(moment(run.slot))], 22, false);
        cell(&mut row, vec![Span::raw(run.stage.as_str())], 10, false);
        cell(&mut row, vec![Span::styled(word, style)], 10, false);
        let took = run.started_at.zip(run.ended_at).map(|(from, to)| brief(seconds(from, to)));
        cell(&mut row, vec![Span::raw(took.unwrap_or_default())], 4, true);
        if across >= 96 {
            row.push(Span::raw("  "));
            cell(&mut row, vec![Span::raw(run.trigger.as_str())], 14, false);
        }
        row.push(Span::raw("  "));
        let taken: usize = row.iter().map(Span::width).sum();
        let reason = run.reasons.first().cloned().unwrap_or_default();
        cell(&mut row, vec![Span::raw(reason)], across.saturating_sub(taken), false);
        let line = Line::from(row);
        let is_selected = selected == Some(place);
        if is_selected { line.patch_style(ratatui::style::Modifier::REVERSED) } else { line }
    };
    job.runs.iter().enumerate().map(row).collect()
}

/// Everything about one slot.
pub(super) fn run(run: &Run, paint: Paint, across: usize) -> Vec<Line<'static>> {
    let trigger = run.trigger.as_str();
    let started = run.started_at.map_or("not begun".into(), |at| format!("begun {}", moment(at)));
    let ended = run.ended_at.map_or("not ended".into(), |at| format!("ended {}", moment(at)));
    let head = format!("{} of {}, {trigger}; {started}; {ended}", run.stage.as_str(), moment(run.slot));
    let mut lines = named("slot", &[format!("{} ({head})", run.id)], paint, across);
    lines.extend(named(if run.reasons.is_empty() { "" } else { "reasons" }, &run.reasons, paint, across));
    lines
}
