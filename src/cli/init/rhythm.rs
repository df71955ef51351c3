//! How far ahead and how often, from the step of the data.

use crate::series::Frequency;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

/// Steps beyond which a day of data is no sensible horizon.
const DAY_STEPS_MAX: i64 = 288;

/// How far ahead and how often.
pub(super) struct Rhythm {
    /// Steps: one season where that is a usual horizon.
    pub horizon: usize,
    /// Name of the schedule: of training, or of forecasting where that trains too.
    pub schedule: &'static str,
    pub cron: &'static str,
    forecast: Forecast,
}

/// When to forecast.
enum Forecast {
    /// By the schedule itself: data is so rare that every forecast may fit a model.
    Schedule,
    Every(String),
    Cron(&'static str),
}

impl Rhythm {
    /// What suits data of that step.
    pub(super) fn of(frequency: Frequency) -> Rhythm {
        match frequency {
            Frequency::Fixed { micros } => {
                let steps = DAY / micros.max(1);
                let horizon = if (1..=DAY_STEPS_MAX).contains(&steps) {
                    steps.max(14)
                } else if steps > 1 {
                    60
                } else {
                    14
                };
                let is_whole = micros >= MINUTE && micros % SECOND == 0;
                let every = if is_whole { frequency.to_string() } else { "1m".into() };
                rhythm(horizon as usize, ("nightly", "30 2 * * *"), Forecast::Every(every))
            }
            Frequency::Days { days: 1 } => rhythm(14, ("weekly", "30 2 * * 0"), Forecast::Cron("0 6 * * *")),
            Frequency::BusinessDays => rhythm(10, ("weekly", "30 2 * * 0"), Forecast::Cron("0 6 * * 1-5")),
            Frequency::Days { days: 7 } => rhythm(13, ("weekly", "0 6 * * 1"), Forecast::Schedule),
            Frequency::Days { .. } => rhythm(12, ("daily", "0 6 * * *"), Forecast::Schedule),
            Frequency::Months { months: 3, .. } => {
                rhythm(4, ("quarterly", "0 6 1 1,4,7,10 *"), Forecast::Schedule)
            }
            Frequency::Months { months: 12, .. } => rhythm(6, ("yearly", "0 6 1 1 *"), Forecast::Schedule),
            Frequency::Months { months, .. } => {
                let horizon = (12 / months.max(1)).max(4);
                rhythm(horizon as usize, ("monthly", "0 6 1 * *"), Forecast::Schedule)
            }
        }
    }

    /// When to forecast, as TOML; `None` by the schedule.
    pub(super) fn forecast(&self, zone: &str) -> Option<String> {
        match &self.forecast {
            Forecast::Schedule => None,
            Forecast::Every(every) => Some(format!("{{ every = \"{every}\" }}")),
            Forecast::Cron(cron) => Some(format!("{{ cron = \"{cron}\", tz = \"{zone}\" }}")),
        }
    }
}

fn rhythm(horizon: usize, (schedule, cron): (&'static str, &'static str), forecast: Forecast) -> Rhythm {
    Rhythm { horizon, schedule, cron, forecast }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizons_are_a_season_or_a_usual_number() {
        let cases = [
            ("1h", 24),
            ("15m", 96),
            ("5m", 288),
            ("10m", 144),
            ("1m", 60),
            ("1s", 60),
            ("24h", 14),
            ("1d", 14),
            ("B", 10),
            ("1w", 13),
            ("MS", 12),
            ("QE", 4),
            ("YE", 6),
            ("2d", 12),
            ("2MS", 6),
        ];
        for (text, horizon) in cases {
            let frequency: Frequency = text.parse().expect("a frequency");
            assert_eq!(Rhythm::of(frequency).horizon, horizon, "{text}");
        }
        assert_eq!(
            Rhythm::of(Frequency::Fixed { micros: 1 }).forecast("UTC").as_deref(),
            Some("{ every = \"1m\" }")
        );
    }
}
