//! The course of a run for whoever looks at it: JSON lines, Parquet, a picture.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor, SVGBackend,
    WHITE,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::plot::register_sans_serif;
use crate::publish::{PublishError, TrainingRow, write_bytes, write_training};
use crate::sequence::run::Epoch;
use crate::sequence::score::Score;
use crate::sequence::spec::SequenceSpec;
use crate::sequence::words::Task;

/// Mean loss of some steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: usize,
    /// Per sequence, code or value.
    pub loss: f64,
}

/// Names of the files.
pub const JSON_LINES: &str = "metrics.jsonl";
pub const PARQUET: &str = "metrics.parquet";
pub const PICTURE: &str = "loss.svg";

/// The figures of a score that a task is about, by name.
pub fn figures(task: Task, score: &Score) -> Vec<(&'static str, f64)> {
    let loss = score.mean();
    match task {
        Task::Classify => vec![("loss", loss), ("accuracy", score.accuracy())],
        Task::Generate => vec![
            ("loss", loss),
            ("bits", loss / std::f64::consts::LN_2),
            ("perplexity", loss.exp()),
            ("accuracy", score.accuracy()),
        ],
        Task::Reconstruct => vec![("loss", loss)],
    }
}

/// Writes all three.
pub fn write(
    folder: &Path,
    spec: &SequenceSpec,
    epochs: &[Epoch],
    points: &[Point],
) -> Result<(), PublishError> {
    let mut lines = String::new();
    let mut rows = Vec::new();
    let row = |step: usize, epoch: usize, part, metric, value| TrainingRow {
        step: step as u64,
        epoch: epoch as u64,
        part,
        metric,
        value,
    };
    let per_epoch = epochs.first().map_or(1, |first| first.steps.max(1));
    for point in points {
        lines += &format!("{}\n", json!({ "step": point.step, "loss": point.loss }));
        rows.push(row(point.step, (point.step - 1) / per_epoch + 1, "train", "loss", point.loss));
    }
    for epoch in epochs {
        let named = |score: &Score| -> serde_json::Map<String, serde_json::Value> {
            figures(spec.task, score)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect()
        };
        let line = json!({
            "epoch": epoch.epoch,
            "step": epoch.steps,
            "train": named(&epoch.train),
            "valid": named(&epoch.valid),
            "seconds": epoch.seconds,
        });
        lines += &format!("{line}\n");
        for (part, score) in [("train", &epoch.train), ("valid", &epoch.valid)] {
            for (metric, value) in figures(spec.task, score) {
                // The loss of the training part is there in more detail.
                if (part, metric) != ("train", "loss") {
                    rows.push(row(epoch.steps, epoch.epoch, part, metric, value));
                }
            }
        }
    }
    write_bytes(&folder.join(JSON_LINES), lines.as_bytes())?;
    write_training(&folder.join(PARQUET), &rows)?;
    if points.len() > 1 {
        write_bytes(&folder.join(PICTURE), picture(spec, epochs, points).as_bytes())?;
    }
    Ok(())
}

/// Losses over steps, on a logarithmic scale.
fn picture(spec: &SequenceSpec, epochs: &[Epoch], points: &[Point]) -> String {
    let mut text = String::new();
    let train: Vec<(f64, f64)> = points.iter().map(|point| (point.step as f64, point.loss)).collect();
    let valid: Vec<(f64, f64)> =
        epochs.iter().map(|epoch| (epoch.steps as f64, epoch.valid.mean())).collect();
    let all = || train.iter().chain(&valid).map(|&(_, loss)| loss).filter(|loss| *loss > 0.0);
    let (low, high) =
        all().fold((f64::INFINITY, 0.0_f64), |(low, high), loss| (low.min(loss), high.max(loss)));
    let end = train.last().map_or(1.0, |&(step, _)| step);
    let (blue, orange) = (RGBColor(0x1f, 0x77, 0xb4), RGBColor(0xff, 0x7f, 0x0e));
    register_sans_serif();
    let draw = |text: &mut String| -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(text, (860, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let title = format!("{}, {}", spec.name, spec.architecture.ssm.as_str());
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 20))
            .margin(14)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..end, (low * 0.9..high * 1.1).log_scale())?;
        chart
            .configure_mesh()
            .x_label_formatter(&|step| format!("{step:.0}"))
            .x_desc("step")
            .y_desc("loss")
            .light_line_style(WHITE)
            .draw()?;
        let legend = |color: RGBColor| {
            move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(2))
        };
        chart.draw_series(LineSeries::new(train, blue))?.label("training").legend(legend(blue));
        chart
            .draw_series(LineSeries::new(valid, orange.stroke_width(2)))?
            .label("kept back, averaged weights")
            .legend(legend(orange));
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        area.present()?;
        Ok(())
    };
    draw(&mut text).expect("a text takes all that is drawn");
    text
}
