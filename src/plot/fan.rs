//! Forecasts of one series over what was observed, as a chart.

use crate::plot::ticks::written;
use crate::plot::{Chart, Dash, Figure, Ink, Layer, Mark, XAxis, number};
use crate::series::Frequency;
use crate::series::civil::{DAY, HOUR, MINUTE, SECOND};
use jiff::tz::TimeZone;

/// A series, what was observed of it and what was forecast.
#[derive(Clone, Debug)]
pub struct SeriesPicture {
    /// Composed id.
    pub unique_id: String,
    /// What the values are.
    pub y_title: String,
    /// Step, where it is known.
    pub frequency: Option<Frequency>,
    /// Whose wall clock is shown.
    pub zone: TimeZone,
    /// (time, value), ascending; `NaN` where nothing was observed.
    pub observed: Vec<(i64, f64)>,
    /// Forecasts, ascending by cutoff.
    pub fans: Vec<Fan>,
}

/// One forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Fan {
    /// Name of the scenario; `None` for the plain forecast.
    pub scenario: Option<String>,
    /// Last observation used, microseconds UTC.
    pub cutoff: i64,
    /// Target times, ascending, microseconds UTC.
    pub times: Vec<i64>,
    /// Point forecasts.
    pub point: Vec<f64>,
    /// Whether the point forecasts are medians.
    pub is_median: bool,
    /// Intervals, the widest first.
    pub bands: Vec<Band>,
}

/// A central interval of every step.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Coverage in percent.
    pub level: f64,
    /// Lower ends.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
}

/// Widths of lines, where 1 is thin.
const OBSERVED: f64 = 1.15;
const FORECAST: f64 = 1.7;

impl SeriesPicture {
    /// The chart: intervals below, what was observed, forecasts on top.
    pub fn chart(&self) -> Chart {
        let cutoffs = self.cutoffs();
        let is_daily = self.is_daily();
        let layers =
            self.bands(&cutoffs).into_iter().chain(self.lines(&cutoffs)).chain(self.points(&cutoffs));
        let label = |at: i64| format!("cutoff {}", written(at, &self.zone, is_daily));
        let mark = |&at: &i64| Mark { at, label: (cutoffs.len() == 1).then(|| label(at)) };
        Chart {
            title: self.unique_id.clone(),
            x: XAxis::Time(self.zone.clone()),
            x_title: self.x_title(&cutoffs),
            y_title: self.y_title.clone(),
            marks: cutoffs.iter().map(mark).collect(),
            layers: layers.collect(),
        }
    }

    /// What the chart shows, in one sentence.
    pub fn described(&self) -> String {
        let is_daily = self.is_daily();
        let when = |at: i64| written(at, &self.zone, is_daily);
        let mut text = format!("Series {}", self.unique_id);
        let seen = self.observed.iter().filter(|(_, y)| y.is_finite()).count();
        if let (Some(first), Some(last)) = (self.observed.first(), self.observed.last()) {
            text += &format!(", {seen} observed values from {} to {}", when(first.0), when(last.0));
        }
        let steps: usize = self.fans.iter().map(|fan| fan.times.len()).max().unwrap_or(0);
        text += match self.cutoffs().as_slice() {
            [] => String::new(),
            [one] => format!(", forecast of {steps} steps from {}", when(*one)),
            [first, .., last] => {
                let cutoffs = self.cutoffs().len();
                format!(
                    ", forecasts of {steps} steps from {cutoffs} cutoffs, {} to {}",
                    when(*first),
                    when(*last)
                )
            }
        }
        .as_str();
        let last = self.fans.iter().rev().find(|fan| fan.scenario.is_none());
        if let Some((time, value)) = last.and_then(|fan| fan.times.last().zip(fan.point.last())) {
            text +=
                &format!(". The last step, {}, is forecast to be {}", when(*time), number::spoken(*value));
        }
        text + "."
    }

    /// The distinct cutoffs, ascending.
    fn cutoffs(&self) -> Vec<i64> {
        let mut cutoffs: Vec<i64> = self.fans.iter().map(|fan| fan.cutoff).collect();
        cutoffs.sort_unstable();
        cutoffs.dedup();
        cutoffs
    }

    fn is_daily(&self) -> bool {
        !matches!(self.frequency, None | Some(Frequency::Fixed { micros: ..DAY }))
    }

    fn x_title(&self, cutoffs: &[i64]) -> String {
        let step = self.frequency.map_or(String::new(), |step| format!(", one value per {}", unit(step)));
        let when = |at: &i64| written(*at, &self.zone, self.is_daily());
        let cutoffs = match cutoffs {
            [first, .., last] => format!("; {} cutoffs, {} to {}", cutoffs.len(), when(first), when(last)),
            _ => String::new(),
        };
        format!("time ({}){step}{cutoffs}", zone_name(&self.zone))
    }

    /// The intervals of plain forecasts; of forecasts that overlap in time only those of the last.
    fn bands(&self, cutoffs: &[i64]) -> Vec<Layer> {
        let plain: Vec<&Fan> = self.fans.iter().filter(|fan| fan.scenario.is_none()).collect();
        let overlap = plain.windows(2).any(|pair| pair[0].times.last() >= pair[1].times.first());
        let shown = if overlap { &plain[plain.len().saturating_sub(1)..] } else { &plain[..] };
        let mut layers = Vec::new();
        for fan in shown {
            for (place, band) in fan.bands.iter().enumerate() {
                let mut points: Vec<(i64, f64, f64)> = (0..fan.times.len())
                    .map(|step| (fan.times[step], band.lower[step], band.upper[step]))
                    .collect();
                if let Some((at, y)) = self.joint(fan, cutoffs) {
                    points.insert(0, (at, y, y));
                }
                layers.push(Layer {
                    name: Some(format!("{} % interval", band.level)),
                    ink: Ink::Band(u8::try_from(place).unwrap_or(u8::MAX)),
                    figure: Figure::Area { points },
                });
            }
        }
        // Of several forecasts, no wide interval may cover the narrow one of another.
        layers.sort_by_key(|layer| match layer.ink {
            Ink::Band(place) => place,
            _ => u8::MAX,
        });
        layers
    }

    /// What was observed, and apart from it what was observed after the only cutoff.
    fn lines(&self, cutoffs: &[i64]) -> Vec<Layer> {
        let line = |name: &str, ink: Ink, points: Vec<(i64, f64)>| Layer {
            name: Some(name.to_owned()),
            ink,
            figure: Figure::Line { points, dash: Dash::Solid, width: OBSERVED },
        };
        let has = |points: &[(i64, f64)]| points.iter().any(|(_, y)| y.is_finite());
        let split = match cutoffs {
            [cutoff] => self.observed.partition_point(|(time, _)| time <= cutoff),
            _ => self.observed.len(),
        };
        let (before, after) = self.observed.split_at(split);
        let mut layers = Vec::new();
        if has(before) {
            layers.push(line("observed", Ink::Observed, before.to_vec()));
        }
        if has(after) {
            layers.push(line(
                "observed after the cutoff",
                Ink::After,
                [&before[before.len().saturating_sub(1)..], after].concat(),
            ));
        }
        layers
    }

    /// The point forecasts; scenarios in other colours and strokes.
    fn points(&self, cutoffs: &[i64]) -> Vec<Layer> {
        let mut scenarios: Vec<&str> = self.fans.iter().filter_map(|fan| fan.scenario.as_deref()).collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        let layer = |fan: &Fan| {
            let joint = self.joint(fan, cutoffs).into_iter();
            let points = joint.chain(fan.times.iter().copied().zip(fan.point.iter().copied())).collect();
            let place =
                fan.scenario.as_deref().and_then(|name| scenarios.iter().position(|one| *one == name));
            let (ink, dash) = match place {
                None => (Ink::Forecast, Dash::Solid),
                Some(place) => {
                    let dashes = [Dash::Dashed, Dash::DashDot, Dash::Dotted];
                    (Ink::Other(u8::try_from(place % 200).unwrap_or(0)), dashes[place % dashes.len()])
                }
            };
            let name = match (&fan.scenario, fan.is_median) {
                (Some(name), _) => format!("scenario {name}"),
                (None, true) => "forecast (median)".to_owned(),
                (None, false) => "forecast".to_owned(),
            };
            Layer { name: Some(name), ink, figure: Figure::Line { points, dash, width: FORECAST } }
        };
        let (plain, others): (Vec<&Fan>, Vec<&Fan>) =
            self.fans.iter().partition(|fan| fan.scenario.is_none());
        plain.into_iter().chain(others).map(layer).collect()
    }

    /// The observation that a forecast goes on from, where there is one forecast alone.
    fn joint(&self, fan: &Fan, cutoffs: &[i64]) -> Option<(i64, f64)> {
        let before = self.observed.iter().rev().find(|(time, y)| *time <= fan.cutoff && y.is_finite());
        before.copied().filter(|(time, _)| cutoffs.len() == 1 && *time == fan.cutoff)
    }
}

/// Name of a zone.
pub fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.into(),
        (None, Ok(offset)) if offset.seconds() == 0 => "UTC".into(),
        (None, Ok(offset)) => format!("UTC{offset}"),
        (None, Err(_)) => "local time".into(),
    }
}

/// A step in words.
pub(super) fn unit(step: Frequency) -> String {
    let of = |number: i64, one: &str| match number {
        1 => one.to_owned(),
        number => format!("{number} {one}s"),
    };
    match step {
        Frequency::Fixed { micros } if micros % DAY == 0 => of(micros / DAY, "day"),
        Frequency::Fixed { micros } if micros % HOUR == 0 => of(micros / HOUR, "hour"),
        Frequency::Fixed { micros } if micros % MINUTE == 0 => of(micros / MINUTE, "minute"),
        Frequency::Fixed { micros } if micros % SECOND == 0 => of(micros / SECOND, "second"),
        Frequency::Fixed { micros } => of(micros, "microsecond"),
        Frequency::Days { days } if days % 7 == 0 => of(days / 7, "week"),
        Frequency::Days { days } => of(days, "day"),
        Frequency::BusinessDays => "business day".into(),
        Frequency::Months { months, .. } if months % 12 == 0 => of(months / 12, "year"),
        Frequency::Months { months, .. } if months % 3 == 0 => of(months / 3, "quarter"),
        Frequency::Months { months, .. } => of(months, "month"),
    }
}
