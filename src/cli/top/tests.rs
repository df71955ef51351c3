//! Frames of a fixed view at a fixed time, as a terminal of a given size would show them.

use super::draw;
use super::keys::{Screen, Ui};
use super::paint::Paint;
use super::view::{Health, Job, Line, Phase, Run, Running, Sort, View, document};
use crate::schedule::outcome::{Outcome, Trigger};
use crate::schedule::spec::Stage;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// 2026-03-01 12:00:00 UTC.
const NOW: i64 = 1_772_366_400 * SECOND;

fn run(id: i64, stage: Stage, ago: i64, outcome: Option<Outcome>, reasons: &[&str]) -> Run {
    let slot = NOW - ago;
    Run {
        id,
        stage,
        slot,
        trigger: if id % 7 == 0 { Trigger::ErrorDrift } else { Trigger::Schedule },
        outcome,
        started_at: Some(slot + SECOND / 2),
        ended_at: outcome.map(|_| slot + 4 * SECOND),
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
    }
}

fn line(stage: Stage, rule: &str, next: i64, outcomes: &str) -> Line {
    let outcome = |letter| match letter {
        'o' => Outcome::Ok,
        'd' => Outcome::Degraded,
        's' => Outcome::Skipped,
        'M' => Outcome::Missed,
        _ => Outcome::Failed,
    };
    Line {
        stage,
        rule: rule.into(),
        next: Some(NOW + next),
        waiting: 0,
        held_by: None,
        running: None,
        outcomes: outcomes.chars().map(outcome).collect(),
    }
}

/// Four jobs: one that trains, one that reads, one that fails, one that is new.
pub(super) fn view() -> View {
    let training = Phase {
        name: "training".into(),
        done: 310,
        total: Some(720),
        unit: "steps".into(),
        fraction: Some(310.0 / 720.0),
        rate: Some(12.25),
        seconds_left: Some(33.5),
        started_at: NOW - 26 * SECOND,
    };
    let reading =
        Phase { name: "putting series together".into(), started_at: NOW - 3 * SECOND, ..Phase::default() };
    let mut load = Job {
        name: "load".into(),
        lines: vec![
            line(Stage::Train, "cron 30 2 * * *, Europe/Berlin", 13 * HOUR + 30 * 60 * SECOND, "oooodo"),
            line(Stage::Forecast, "every 15m", 12 * SECOND, "oooooooooooosooooooooooooooodooooooMooo"),
            line(Stage::Score, "cron 0 * * * *, UTC", 0, "oooooo"),
        ],
        last_ds: Some(NOW - HOUR),
        issued_at: Some(NOW - 14 * 60 * SECOND),
        mase: Some((0.831, 0.944)),
        coverage: vec![(80.0, 0.789), (95.0, 0.941)],
        champion: Some(12),
        runs: (0..40)
            .map(|back| {
                let outcome = if back == 4 { Outcome::Degraded } else { Outcome::Ok };
                let reasons: &[&str] = if back == 4 { &["3 series are stale"] } else { &[] };
                run(900 - back, Stage::Forecast, (14 + 15 * back) * 60 * SECOND, Some(outcome), reasons)
            })
            .collect(),
    };
    load.lines[0].running =
        Some(Running { started_at: Some(NOW - 65 * SECOND + SECOND / 2), phase: Some(training) });
    load.runs.insert(0, run(901, Stage::Train, 65 * SECOND, None, &[]));
    let mut price = Job {
        name: "day_ahead_price_of_every_zone".into(),
        lines: vec![line(Stage::Forecast, "every 1h", 59 * 60 * SECOND, "ooo")],
        last_ds: Some(NOW - 26 * HOUR),
        issued_at: Some(NOW - HOUR),
        mase: Some((1.31, 1.02)),
        coverage: vec![(80.0, 0.62)],
        champion: Some(3),
        runs: (0..3)
            .map(|back| run(800 - back, Stage::Forecast, (1 + back) * HOUR, Some(Outcome::Ok), &[]))
            .collect(),
    };
    price.lines[0].running = Some(Running { started_at: Some(NOW - 4 * SECOND), phase: Some(reading) });
    price.lines[0].waiting = 2;
    let reason = "/data/shop/2026-03.csv: no such file or directory; did you mean /data/shop/2026-02.csv?";
    let mut outcomes: Vec<Run> = (1..9)
        .map(|back| run(700 - back, Stage::Forecast, (1 + back) * HOUR, Some(Outcome::Ok), &[]))
        .collect();
    outcomes
        .insert(0, run(700, Stage::Forecast, 20 * SECOND, Some(Outcome::Failed), &[reason, "tried 3 times"]));
    let shop = Job {
        name: "shop".into(),
        lines: vec![line(Stage::Forecast, "every 1h", 3580 * SECOND, "ooooooooF")],
        last_ds: Some(NOW - 40 * 24 * HOUR),
        issued_at: Some(NOW - 2 * HOUR),
        champion: Some(104),
        runs: outcomes,
        ..Job::default()
    };
    let wind = Job {
        name: "wind".into(),
        lines: vec![line(Stage::Forecast, "every 1h", 95 * SECOND, "")],
        ..Job::default()
    };
    View {
        now: NOW,
        state: "/var/lib/s4cast/state".into(),
        health: Health::Running,
        version: Some("0.1.0".into()),
        pid: Some(4711),
        started_at: Some(NOW - 3 * HOUR - 12 * 60 * SECOND),
        reload: None,
        jobs: vec![price, load, shop, wind],
        problems: Vec::new(),
    }
}

/// The characters of a frame, without blanks at the ends of lines.
fn text(buffer: &Buffer) -> String {
    let lines = buffer.content.chunks(usize::from(buffer.area.width)).map(|cells| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

fn drawn(view: &View, ui: &Ui, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    let paint = Paint { has_color: true };
    terminal.draw(|frame| draw::frame(frame, view, ui, paint)).expect("drawn");
    text(terminal.backend().buffer())
}

fn on(job: &str) -> Ui {
    Ui { job: Some(job.into()), ..Ui::default() }
}

/// Compares a frame with the one that was looked at, in `frames`.
fn same(name: &str, found: &str, wanted: &str) {
    if let Some(folder) = std::env::var_os("S4CAST_WRITE_FRAMES") {
        std::fs::write(std::path::Path::new(&folder).join(name), found).expect("written");
        return;
    }
    assert_eq!(found, wanted, "{name}; found:\n{found}");
}

#[test]
fn a_small_terminal_shows_what_matters() {
    same("60x16.txt", &drawn(&view(), &on("load"), (60, 16)), include_str!("frames/60x16.txt"));
}

#[test]
fn a_usual_terminal_shows_a_job_in_full() {
    same("80x24.txt", &drawn(&view(), &on("load"), (80, 24)), include_str!("frames/80x24.txt"));
}

#[test]
fn a_large_terminal_shows_the_last_slots_as_well() {
    same("160x45.txt", &drawn(&view(), &on("shop"), (160, 45)), include_str!("frames/160x45.txt"));
}

#[test]
fn the_slots_of_a_job_are_shown_with_all_reasons() {
    let ui = Ui { screen: Screen::Runs, ..on("shop") };
    same("runs.txt", &drawn(&view(), &ui, (100, 20)), include_str!("frames/runs.txt"));
}

#[test]
fn no_size_panics_or_cuts_figures_and_help_fits() {
    for width in [1, 20, 42, 60, 61, 79, 80, 100, 131, 200] {
        for height in [1, 5, 8, 9, 16, 24, 60] {
            for screen in [Screen::Jobs, Screen::Runs, Screen::Help] {
                for job in ["load", "shop", "wind"] {
                    let ui = Ui { screen, is_paused: true, sort: Sort::Trouble, ..on(job) };
                    let frame = drawn(&view(), &ui, (width, height));
                    assert_eq!(frame.lines().count(), usize::from(height));
                    if screen == Screen::Jobs && job == "load" && width >= 60 && height >= 16 {
                        assert!(frame.contains("43 %"), "{width}x{height}:\n{frame}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_daemon_that_is_gone_is_told_with_when_it_was_seen() {
    let mut view = view();
    view.health = Health::Lost(NOW - 180 * SECOND);
    let frame = drawn(&view, &on("load"), (80, 24));
    assert!(frame.contains("daemon not running, last seen 3 min ago"), "{frame}");
    view.health = Health::Stopped(NOW - 90 * SECOND);
    let frame = drawn(&view, &on("load"), (80, 24));
    assert!(frame.contains("daemon not running, it stopped 1 min 30 s ago"), "{frame}");
    view.reload = Some((NOW - 30 * SECOND, Some("unknown key 'forecats' under [job.load]".into())));
    view.problems = vec!["the ledger is locked".into()];
    let frame = drawn(&view, &on("load"), (80, 24));
    assert!(frame.contains("config rejected 30s ago: unknown key 'forecats'"), "{frame}");
    assert!(frame.contains("the ledger is locked"), "{frame}");
}

#[test]
fn more_jobs_than_lines_scroll_with_the_selection() {
    let mut view = view();
    view.jobs =
        (0..200).map(|place| Job { name: format!("job{place:03}"), ..view.jobs[3].clone() }).collect();
    for place in [0, 7, 100, 199] {
        let frame = drawn(&view, &on(&format!("job{place:03}")), (80, 24));
        assert!(frame.matches(&format!("job{place:03}")).count() >= 2, "{frame}");
        assert!(frame.contains(&format!("job {} of 200", place + 1)), "{frame}");
    }
}

#[test]
fn a_page_has_every_job_in_full_and_its_document_the_same_figures() {
    let page: String = draw::page(&view(), Paint::default(), 120).iter().map(super::text).collect();
    same("page.txt", &page, include_str!("frames/page.txt"));
    let document = document(&view());
    assert_eq!((&document["daemon"], &document["jobs"][1]["champion"]), (&"running".into(), &12.into()));
    assert_eq!(document["jobs"][1]["stages"][0]["running"]["phase"], "training");
    assert_eq!(document["jobs"][2]["last"]["reasons"][1], "tried 3 times");
    assert_eq!(document["jobs"][1]["data_lag_s"], 3600.0);
}

#[test]
fn jobs_are_sorted_by_what_is_asked_for() {
    let view = view();
    let names =
        |sort: Sort| sort.of(&view.jobs).iter().map(|job| job.name[..4].to_owned()).collect::<Vec<_>>();
    assert_eq!(names(Sort::Name), ["day_", "load", "shop", "wind"]);
    assert_eq!(names(Sort::Trouble), ["shop", "day_", "load", "wind"]);
    assert_eq!(names(Sort::Skill)[..2], ["day_", "load"]);
    assert_eq!(names(Sort::Next)[2..], ["wind", "shop"]);
}
