//! What a job does about what came: when it trains again, and what it calls an anomaly.

use crate::config::Key;
use crate::config::check::Check;
use crate::config::words::{self, Wrong};
use crate::live::anomaly::{AnomalySpec, Direction};
use crate::live::drift::RetrainSpec;
use jiff::SignedDuration;

/// Least time between trainings where nothing is written.
const COOL_DOWN: SignedDuration = SignedDuration::from_hours(24);

impl Check<'_> {
    /// The retrain policy of a job, if it has one.
    pub(super) fn retrain(&mut self) -> Option<RetrainSpec> {
        self.inline(Key::Retrain, |inline| {
            let above = |least: f64| move |text: &str| larger(text, least);
            let spec = RetrainSpec {
                age: inline.one(Key::RetrainAge, words::positive_span),
                new_rows: inline.between(Key::RetrainNewRows, 1, usize::MAX),
                error_drift: inline.one(Key::RetrainErrorDrift, above(1.0)),
                coverage_drift: inline.one(Key::RetrainCoverageDrift, above(0.0)),
                cool_down: inline.one(Key::RetrainCoolDown, words::span).unwrap_or(COOL_DOWN),
            };
            let asked = RetrainSpec { cool_down: SignedDuration::ZERO, ..spec };
            if asked == RetrainSpec::default() && inline.problems.is_empty() {
                let help =
                    "write for example retrain = { age = \"30d\", error_drift = 1.5 }, or leave it out";
                let place = inline.settings.header.as_ref().map(|(_, span)| span.clone());
                inline.problem_at(place, Wrong::new("nothing makes a training due".into(), help));
            }
            spec
        })
    }

    /// What a job calls an anomaly, if it looks for any. `levels` are those of its model.
    pub(super) fn anomaly(&mut self, levels: &[f64]) -> Option<AnomalySpec> {
        let widest = levels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.inline(Key::Anomaly, |inline| {
            let level = |text: &str| match words::number(text)? {
                level if levels.contains(&level) => Ok(level),
                level => {
                    let known: Vec<String> = levels.iter().map(f64::to_string).collect();
                    let message = format!("the model has no interval of {level} %");
                    Err(Wrong::new(message, &format!("choose one of its levels: {}", known.join(", "))))
                }
            };
            let not_negative = |text: &str| match words::number(text)? {
                number if number >= 0.0 => Ok(number),
                number => Err(Wrong::new(format!("{number} is below 0"), "write 0 or more")),
            };
            let range = inline.many(Key::AnomalyRange, words::number);
            let range = match range.as_slice() {
                [] => None,
                [least, largest] if least < largest => Some([*least, *largest]),
                _ => {
                    let help = "write the least and the largest possible value, for example range = [0, 100]";
                    let place = inline.settings.place(Key::AnomalyRange);
                    inline.problem_at(
                        place,
                        Wrong::new("a range has two ends, the lower one first".into(), help),
                    );
                    None
                }
            };
            AnomalySpec {
                level: inline.one(Key::AnomalyLevel, level).unwrap_or(widest),
                direction: inline
                    .choice(Key::AnomalyDirection, &[Direction::Both, Direction::Above, Direction::Below]),
                least_distance: inline.one(Key::AnomalyDistance, not_negative).unwrap_or(0.0),
                least_share: inline.one(Key::AnomalyShare, not_negative).unwrap_or(0.0),
                range,
            }
        })
    }
}

/// A number above another one.
fn larger(text: &str, least: f64) -> Result<f64, Wrong> {
    match words::number(text)? {
        number if number > least => Ok(number),
        number => {
            Err(Wrong::new(format!("{number} is not above {least}"), &format!("write more than {least}")))
        }
    }
}
