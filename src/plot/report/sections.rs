//! The parts of the page, one function each.

use crate::evaluation::score::Scores;
use crate::model::spec::{ModelKind, ModelSpec};
use crate::pipeline::BacktestReport;
use crate::plot::report::charts;
use crate::plot::report::html::{Cell, Html};
use crate::plot::report::words::{self, MEASURES, best_first, counted, figure, percent};
use crate::plot::{PlotError, zone_name};

/// Rows of a table, items of a list, notes of a model, before the rest is only counted.
const ROWS: usize = 40;
const LISTED: usize = 20;
const NOTES: usize = 6;

/// What came out, in two sentences.
pub(super) fn verdict(html: &mut Html, report: &BacktestReport) {
    html.classed("p", "lead", &words::verdict(&best_first(report)));
    html.element("p", &words::done(report));
}

/// Every model with its scores, and what these are.
pub(super) fn leaderboard(html: &mut Html, report: &BacktestReport) {
    html.element("h2", "Leaderboard");
    let rows = best_first(report).into_iter().map(|(model, scores)| {
        let seconds = model.fit_seconds + model.predict_seconds;
        vec![
            Cell::Words(model.model.as_str().into()),
            Cell::Number(figure(scores.mase)),
            Cell::Number(figure(scores.rmsse)),
            Cell::Number(figure(scores.smape)),
            Cell::Number(percent(scores.wape)),
            Cell::Number(figure(scores.wql)),
            Cell::Number(figure(scores.bias)),
            Cell::Number(percent(scores.skill)),
            Cell::Words(words::skill(model.model, &scores)),
            Cell::Number(format!("{seconds:.1}")),
        ]
    });
    let header = ["model", "MASE", "RMSSE", "sMAPE", "WAPE", "WQL", "bias", "skill", "in words", "seconds"];
    let points = report.models.iter().map(|model| model.tally.scores().points).max().unwrap_or(0);
    let caption = format!("Scores over {}, the best model first", counted(points, "point"));
    html.table(&caption, &header, rows.collect(), Some(0));
    html.raw("<dl>\n");
    for (name, meaning) in MEASURES {
        html.element("dt", name);
        html.element("dd", meaning);
    }
    html.raw("</dl>\n");
}

/// What intervals promised and held.
pub(super) fn coverage(html: &mut Html, report: &BacktestReport) {
    let models = best_first(report);
    let rows = models.iter().flat_map(|(model, scores)| {
        scores.coverage.iter().map(move |(level, share)| {
            let at = |pairs: &[(f64, f64)]| {
                pairs.iter().find(|(other, _)| other == level).map(|(_, value)| *value)
            };
            vec![
                Cell::Words(model.model.as_str().into()),
                Cell::Number(format!("{level} %")),
                Cell::Number(percent(Some(*share))),
                Cell::Number(figure(at(&scores.width))),
                Cell::Number(figure(at(&scores.msis))),
                Cell::Words(words::held(*level, *share).into()),
            ]
        })
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    html.element("h2", "What the intervals held");
    let caption = "Share of what came that lay inside, beside what the interval promised. MSIS, the scaled interval score, punishes \
                   width and misses alike; lower is better";
    html.table(caption, &["model", "promised", "held", "mean width", "MSIS", "verdict"], rows, None);
}

/// Losses by step ahead and by cutoff.
pub(super) fn losses(html: &mut Html, report: &BacktestReport) -> Result<(), PlotError> {
    let models = best_first(report);
    html.element("h2", "Where the errors are");
    html.raw("<div class=\"grid\">\n");
    let caption = "How errors grow with the number of steps ahead; lower is better.";
    html.figure(&charts::by_step(report, &models)?, caption);
    if report.cutoffs.len() > 1 {
        let caption = "Whether single times were hard, or a model decays with the age of its fit.";
        html.figure(&charts::by_cutoff(report, &models)?, caption);
    }
    html.raw("</div>\n");
    Ok(())
}

/// Scores by segment, where there are any.
pub(super) fn segments(html: &mut Html, report: &BacktestReport) {
    if report.segments.is_empty() {
        return;
    }
    let models = best_first(report);
    let parts: Vec<Vec<(String, Scores)>> = models
        .iter()
        .map(|(model, _)| model.tally.by_segment(|id| report.segments.get(id).map_or("", String::as_str)))
        .collect();
    let Some(first) = parts.first() else { return };
    html.element("h2", "By segment");
    let rows = first.iter().take(ROWS).map(|(name, scores)| {
        let mase = parts.iter().map(|all| {
            let own = all.iter().find(|(other, _)| other == name);
            Cell::Number(figure(own.and_then(|(_, scores)| scores.mase)))
        });
        [Cell::Id(name.clone()), Cell::Number(scores.series.to_string())].into_iter().chain(mase).collect()
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let names = models.iter().map(|(model, _)| model.model.as_str());
    let header: Vec<&str> = ["segment", "series"].into_iter().chain(names).collect();
    html.table("MASE of every segment under every model", &header, rows, None);
    rest(html, first.len(), ROWS, "segment");
}

/// Some series with their forecasts.
pub(super) fn series(html: &mut Html, report: &BacktestReport) -> Result<(), PlotError> {
    let Some(gallery) = report.gallery.as_ref().filter(|gallery| !gallery.exhibits.is_empty()) else {
        return Ok(());
    };
    html.element("h2", "Single series");
    let scored = report.source.series - report.left_out.len();
    let chosen = match gallery.among < scored {
        true => {
            format!("{} evenly chosen of {}", counted(gallery.among, "series"), counted(scored, "series"))
        }
        false => counted(gallery.among, "series"),
    };
    html.element(
        "p",
        &format!(
            "Forecasts of {} over what came, of the best, the median and the worst of {chosen} by its MASE, and of {} between them.",
            gallery.model.as_str(),
            gallery.exhibits.len().saturating_sub(3)
        ),
    );
    html.raw("<div class=\"grid\">\n");
    for exhibit in &gallery.exhibits {
        let place = match exhibit.place {
            _ if gallery.among == 1 => "the only series".to_owned(),
            1 => "the best".to_owned(),
            place if place == gallery.among => "the worst".to_owned(),
            place if place == gallery.among.div_ceil(2) => "the median".to_owned(),
            place => format!("number {place} of {}", gallery.among),
        };
        let caption = format!("{}: {place}, MASE {}", exhibit.unique_id, figure(Some(exhibit.mase)));
        html.figure(&charts::exhibit(report, exhibit)?, &caption);
    }
    html.raw("</div>\n");
    Ok(())
}

/// What a reader of the figures has to know.
pub(super) fn notes(html: &mut Html, report: &BacktestReport) {
    let mut notes: Vec<String> =
        report.source.notes.iter().chain(&report.notes).take(LISTED).cloned().collect();
    for (id, reasons) in report.source.quarantined.iter().take(LISTED) {
        notes.push(format!("{id} was left out: {}", reasons.join("; ")));
    }
    notes.extend(more(report.source.quarantined.len(), LISTED, "series that cannot be used"));
    for id in report.left_out.iter().take(LISTED) {
        notes.push(format!("{id} has no value in any window, so it is not scored"));
    }
    notes.extend(more(report.left_out.len(), LISTED, "series without a value in any window"));
    for model in &report.models {
        let name = model.model.as_str();
        let others = model.served.iter().filter(|(served, _)| served.as_str() != name);
        let others: Vec<String> =
            others.map(|(served, count)| format!("{} by {served}", counted(*count, "forecast"))).collect();
        if !others.is_empty() {
            notes.push(format!("In the name of {name} were made {}", others.join(", ")));
        }
        if model.model == ModelKind::Ensemble {
            let weights: Vec<String> = model
                .weights()
                .iter()
                .map(|(name, weight)| format!("{:.0} % {name}", 100.0 * weight))
                .collect();
            notes.push(format!("ensemble is {} on average", weights.join(", ")));
        }
        notes.extend(model.notes.iter().take(NOTES).map(|note| format!("{name}, {note}")));
        notes.extend(more(model.notes.len(), NOTES, &format!("notes on {name}")));
    }
    if !notes.is_empty() {
        html.element("h2", "Notes");
        html.list(&notes);
    }
}

/// What was done, with what, in figures.
pub(super) fn setting(html: &mut Html, report: &BacktestReport) {
    html.element("h2", "Setting");
    let (spec, source) = (&report.spec, &report.source);
    let seasons = report.seasons.iter().map(|(frequency, length)| format!("{length} steps of {frequency}"));
    let files = match (source.files.as_slice(), &source.command) {
        (_, Some(command)) => command.clone(),
        (files, None) => {
            let some = files.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
            if files.len() > LISTED { format!("{some} and {} more", files.len() - LISTED) } else { some }
        }
    };
    let instant = crate::series::civil::shown;
    let span =
        source.span.map_or("–".into(), |(first, last)| format!("{} to {}", instant(first), instant(last)));
    let rows = [
        ("data", files),
        ("rows, series", format!("{}, {}", counted(source.rows, "row"), counted(source.series, "series"))),
        ("time", format!("{span}; time zone {}", zone_name(&report.zone))),
        ("target", source.roles.targets.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ")),
        ("horizon, gap", format!("{}, {}", counted(spec.horizon, "step"), counted(spec.gap, "step"))),
        (
            "windows",
            format!("{}, {} apart, align {}", spec.windows, counted(spec.step, "step"), spec.align.as_str()),
        ),
        ("refit", spec.refit.to_string()),
        (
            "sliding",
            spec.sliding.map_or("all values before a cutoff".into(), |steps| counted(steps, "value")),
        ),
        ("season of the scale", seasons.collect::<Vec<_>>().join(", ")),
        ("seed", spec.models.first().map_or(0, ModelSpec::seed).to_string()),
        ("run", format!("{}, {}", report.moment.run_id, instant(report.moment.created_at))),
        ("version", format!("s4cast {}, code {}", env!("CARGO_PKG_VERSION"), crate::CODE_SHA256)),
        ("settings", report.config_sha256.clone()),
        ("data fingerprint", source.fingerprint.clone()),
    ];
    let row = |(name, value): (&str, String)| vec![Cell::Words(name.into()), Cell::Id(value)];
    html.table("What was run, and on what", &["setting", "value"], rows.into_iter().map(row).collect(), None);
}

/// How to do it again.
pub(super) fn command(html: &mut Html, command: &str) {
    html.element("h2", "Do it again");
    html.element("p", "The same data, settings and seed give the same figures, but for the seconds:");
    html.raw("<pre><code>");
    html.text.push_str(&crate::plot::paint::escaped(&crate::plot::font::clean(command)));
    html.raw("</code></pre>\n");
}

/// Says how many rows are not shown.
fn rest(html: &mut Html, all: usize, shown: usize, what: &str) {
    if let Some(words) = more(all, shown, &format!("{what}s")) {
        html.classed("p", "muted", &words);
    }
}

fn more(all: usize, shown: usize, what: &str) -> Option<String> {
    (all > shown).then(|| format!("and {} more {what}; --json lists all", all - shown))
}
