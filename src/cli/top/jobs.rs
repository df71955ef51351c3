//! The table of all jobs: one row for each, with as many columns as there is room for.

use super::paint::{Paint, cell};
use super::view::{Job, Line as Stage, Phase, Running, View};
use super::words::{brief, percent, seconds, width};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// Blanks between two columns.
const GAP: usize = 2;

/// A column, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Job,
    Now,
    Last,
    Outcomes,
    Lag,
    Age,
    Skill,
    Cover,
    Version,
}

/// (column, heading, least width, greatest width, whether it ends at its right edge)
const COLUMNS: [(Column, &str, usize, usize, bool); 9] = [
    (Column::Job, "JOB", 8, 28, false),
    (Column::Now, "NOW", 17, 44, false),
    (Column::Last, "LAST", 13, 13, false),
    (Column::Outcomes, "OUTCOMES", 8, 30, false),
    (Column::Lag, "LAG", 4, 4, true),
    (Column::Age, "AGE", 4, 4, true),
    (Column::Skill, "SKILL", 6, 6, true),
    (Column::Cover, "COVER", 8, 8, true),
    (Column::Version, "VER", 4, 4, true),
];

/// Columns that give way where there is no room, the first one last.
const OPTIONAL: [Column; 6] =
    [Column::Outcomes, Column::Age, Column::Skill, Column::Cover, Column::Lag, Column::Version];

/// Columns that take what room is left, in this order.
const GROWING: [Column; 3] = [Column::Job, Column::Outcomes, Column::Now];

/// Points of coverage below the promise that are worth a colour.
const SHORT_OF: f64 = 0.05;

/// The columns that fit, with their widths.
fn fitting(jobs: &[&Job], across: usize) -> Vec<(Column, usize)> {
    let least = |column: Column| COLUMNS.iter().find(|one| one.0 == column).map_or(0, |one| one.2);
    let mut chosen: Vec<(Column, usize)> =
        [Column::Job, Column::Now, Column::Last].map(|column| (column, least(column))).into();
    let taken = |chosen: &[(Column, usize)]| {
        chosen.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
    };
    for column in OPTIONAL {
        if taken(&chosen) + GAP + least(column) <= across {
            chosen.push((column, least(column)));
        }
    }
    chosen.sort_by_key(|(column, _)| COLUMNS.iter().position(|one| one.0 == *column));
    let longest = jobs.iter().map(|job| width(&job.name)).max().unwrap_or(0);
    for column in GROWING {
        let room = across.saturating_sub(taken(&chosen));
        let most = COLUMNS.iter().find(|one| one.0 == column).map_or(0, |one| one.3);
        let wanted = if column == Column::Job { longest.min(most) } else { most };
        if let Some((_, width)) = chosen.iter_mut().find(|(one, _)| *one == column) {
            *width = (*width).max(wanted.min(*width + room));
        }
    }
    chosen
}

/// The heading and one line for each job.
pub(super) fn table(
    view: &View,
    jobs: &[&Job],
    selected: Option<usize>,
    paint: Paint,
    across: usize,
) -> (Line<'static>, Vec<Line<'static>>) {
    let columns = fitting(jobs, across);
    let mut heading = Vec::new();
    for (column, width) in &columns {
        let Some((_, name, .., to_right)) = COLUMNS.iter().find(|one| one.0 == *column) else { continue };
        gap(&mut heading);
        cell(&mut heading, vec![Span::styled(*name, paint.strong())], *width, *to_right);
    }
    let row = |(place, job): (usize, &&Job)| {
        let mut row = Vec::new();
        for (column, width) in &columns {
            let to_right = COLUMNS.iter().any(|one| one.0 == *column && one.4);
            gap(&mut row);
            cell(&mut row, content(*column, job, view, paint, *width), *width, to_right);
        }
        let line = Line::from(row);
        if selected == Some(place) { line.patch_style(Modifier::REVERSED) } else { line }
    };
    (Line::from(heading), jobs.iter().enumerate().map(row).collect())
}

fn gap(row: &mut Vec<Span<'static>>) {
    if !row.is_empty() {
        row.push(Span::raw(" ".repeat(GAP)));
    }
}

fn content(column: Column, job: &Job, view: &View, paint: Paint, width: usize) -> Vec<Span<'static>> {
    let plain = |text: Option<String>| vec![Span::raw(text.unwrap_or_else(|| "–".into()))];
    let age = |at: Option<i64>| plain(at.map(|at| brief(seconds(at, view.now))));
    match column {
        Column::Job => vec![Span::styled(job.name.clone(), paint.strong())],
        Column::Now => now(job, view, paint, width),
        Column::Last => last(job, view, paint),
        Column::Outcomes => paint.strip(&job.outcomes(width), width),
        Column::Lag => age(job.last_ds),
        Column::Age => age(job.issued_at),
        Column::Skill => match job.skill() {
            Some(skill) => {
                let style = if skill < 0.0 { paint.doubtful() } else { paint.good() };
                vec![Span::styled(skill_in_short(skill), style)]
            }
            None => plain(None),
        },
        Column::Cover => match job.coverage.first() {
            Some((level, share)) => {
                let style =
                    if *share < level / 100.0 - SHORT_OF { paint.doubtful() } else { Default::default() };
                vec![Span::styled(format!("{:.0}/{level} %", 100.0 * share), style)]
            }
            None => plain(None),
        },
        Column::Version => plain(job.champion.map(|version| format!("v{version}"))),
    }
}

/// A skill in at most six characters.
fn skill_in_short(skill: f64) -> String {
    match 100.0 * skill {
        percent if percent < -999.0 => "< -999".into(),
        percent => format!("{percent:+.0} %"),
    }
}

/// What a job does or will do next.
fn now(job: &Job, view: &View, paint: Paint, most: usize) -> Vec<Span<'static>> {
    if let Some((line, running)) = job.running() {
        return vec![Span::styled(fitted(&running_words(line, running, view.now), most), paint.busy())];
    }
    if job.waiting() > 0 {
        let words = match job.waiting() {
            _ if job.troubled().is_some() => "tries again soon".to_owned(),
            1 => "1 slot waits".to_owned(),
            slots => format!("{slots} slots wait"),
        };
        if let Some(node) = job.held_by() {
            return vec![Span::styled(
                fitted(&[format!("{node} works it"), node.to_owned()], most),
                paint.busy(),
            )];
        }
        return vec![Span::styled(words, paint.doubtful())];
    }
    match job.next() {
        Some((line, next)) => {
            let left = seconds(view.now, next);
            let when = if left < 1.0 { "now".into() } else { format!("in {}", brief(left)) };
            vec![Span::raw(format!("{} {when}", line.stage.as_str()))]
        }
        None if view.health.is_alive() => vec![Span::styled("no slot to come", paint.faint())],
        None => vec![Span::styled("–", paint.faint())],
    }
}

/// The longest of some words that fits; the last is the shortest, and is cut.
fn fitted(words: &[String], most: usize) -> String {
    words.iter().find(|words| width(words) <= most).or(words.last()).cloned().unwrap_or_default()
}

/// What a slot does, from many words to few; figures are left out rather than cut.
fn running_words(line: &Stage, running: &Running, now: i64) -> Vec<String> {
    let stage = line.stage.as_str();
    let age = running.started_at.map(|at| brief(seconds(at, now)));
    let Some(Phase { name, fraction, seconds_left, .. }) = &running.phase else {
        let age = age.map_or(String::new(), |age| format!(" {age}"));
        return vec![format!("{stage}{age}")];
    };
    let share = fraction.map(percent);
    let left = seconds_left.map(brief);
    let mut words = Vec::new();
    if let (Some(share), Some(left)) = (&share, &left) {
        words.push(format!("{stage}: {name} {share}, {left} left"));
        words.push(format!("{stage} {share}, {left} left"));
        words.push(format!("{stage} {share}, {left}"));
    }
    if let Some(share) = share {
        words.push(format!("{stage}: {name} {share}"));
        words.push(format!("{stage} {share}"));
    } else {
        let age = age.map_or(String::new(), |age| format!(" {age}"));
        words.push(format!("{stage}: {name}{age}"));
        words.push(format!("{stage}{age}"));
    }
    words
}

fn last(job: &Job, view: &View, paint: Paint) -> Vec<Span<'static>> {
    let Some((run, outcome)) = job.last().and_then(|run| Some((run, run.outcome?))) else {
        return vec![Span::styled("–", paint.faint())];
    };
    let age = run.ended_at.map_or(String::new(), |at| format!(" {}", brief(seconds(at, view.now))));
    vec![Span::styled(outcome.as_str(), paint.outcome(outcome)), Span::raw(age)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_from_the_least_important_one_on_and_never_shrink_below_their_figures() {
        let names = |across| fitting(&[], across).into_iter().map(|(column, _)| column).collect::<Vec<_>>();
        assert_eq!(names(42), [Column::Job, Column::Now, Column::Last]);
        assert_eq!(names(60), [Column::Job, Column::Now, Column::Last, Column::Outcomes, Column::Age]);
        assert_eq!(names(120).len(), COLUMNS.len());
        for across in 42..220 {
            let columns = fitting(&[], across);
            let taken = columns.iter().map(|(_, width)| width + GAP).sum::<usize>() - GAP;
            assert!(taken <= across, "{across}");
            for (column, width) in columns {
                assert!(COLUMNS.iter().any(|one| one.0 == column && (one.2..=one.3).contains(&width)));
            }
        }
    }

    #[test]
    fn what_runs_is_said_in_as_many_words_as_fit() {
        let phase = Phase {
            name: "training network".into(),
            fraction: Some(0.431),
            seconds_left: Some(75.0),
            ..Phase::default()
        };
        let running = Running { started_at: Some(0), phase: Some(phase) };
        let line = Stage {
            stage: crate::schedule::spec::Stage::Train,
            rule: String::new(),
            next: None,
            waiting: 0,
            held_by: None,
            running: None,
            outcomes: Vec::new(),
        };
        let words = |most| fitted(&running_words(&line, &running, 5_000_000), most);
        assert_eq!(words(50), "train: training network 43 %, 75s left");
        assert_eq!(words(30), "train 43 %, 75s left");
        assert_eq!(words(17), "train 43 %, 75s");
        assert_eq!(words(12), "train 43 %");
    }
}
