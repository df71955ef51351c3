//! Forms, their states, and the run of one through a series.

/// Trend of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trend {
    None,
    Additive,
    Damped,
}

/// Season of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seasonal {
    None,
    Additive,
    Multiplicative,
}

/// A form of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether errors are relative to the forecast (multiplicative) or additive.
    pub is_relative: bool,
    pub trend: Trend,
    pub seasonal: Seasonal,
}

pub(super) const TRENDS: [Trend; 3] = [Trend::None, Trend::Additive, Trend::Damped];
pub(super) const SEASONALS: [Seasonal; 3] = [Seasonal::None, Seasonal::Additive, Seasonal::Multiplicative];

/// Mean squared error below which a series of size one is known exactly.
const EXACT: f64 = 1e-20;

/// Forecasts below this cannot have relative errors.
const MEAN_MIN: f64 = 1e-12;

/// Smoothing parameters, each in (0, 1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoothing {
    pub alpha: f64,
    pub beta: f64,
    pub gamma: f64,
    pub phi: f64,
}

/// What the next forecast stands on.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub level: f64,
    pub slope: f64,
    /// Seasonal terms (m), that of the next step at `at`; one neutral term without season.
    pub season: Vec<f64>,
    pub at: usize,
}

/// Sums over a run.
pub(super) struct Sums {
    /// Of the squared errors.
    pub squares: f64,
    /// Of the logarithms of the forecasts, for relative errors.
    pub logarithms: f64,
}

impl Sums {
    /// −2 log likelihood, up to a constant; infinite where the form does not hold.
    pub(super) fn deviance(&self, form: Form, count: usize) -> f64 {
        let count = count as f64;
        let relative = if form.is_relative { 2.0 * self.logarithms } else { 0.0 };
        count * (self.squares / count).max(EXACT).ln() + relative
    }
}

/// Runs through the values; the state is that after the last one then.
pub(super) fn run(form: Form, smoothing: Smoothing, state: &mut State, values: &[f64]) -> Sums {
    let Smoothing { alpha, beta, gamma, phi } = smoothing;
    let is_ratio = form.seasonal == Seasonal::Multiplicative;
    let (mut level, mut slope, mut at) = (state.level, state.slope, state.at);
    let mut sums = Sums { squares: 0.0, logarithms: 0.0 };
    // The product of some forecasts, so that a logarithm is not needed for each.
    let mut product = 1.0_f64;
    for &y in values {
        let trend = level + phi * slope;
        let term = state.season[at];
        let mean = if is_ratio { trend * term } else { trend + term };
        let rest = y - mean;
        let (step, turn) = if is_ratio { (rest / term, rest / trend) } else { (rest, rest) };
        let error = if form.is_relative { rest / mean } else { rest };
        if form.is_relative {
            if mean < MEAN_MIN || is_ratio && term <= 0.0 {
                return Sums { squares: f64::INFINITY, logarithms: 0.0 };
            }
            product *= mean;
            if !(1e-100..1e100).contains(&product) {
                sums.logarithms += product.ln();
                product = 1.0;
            }
        }
        sums.squares += error * error;
        level = trend + alpha * step;
        slope = phi * slope + beta * step;
        state.season[at] = term + gamma * turn;
        at = if at + 1 == state.season.len() { 0 } else { at + 1 };
    }
    sums.logarithms += product.ln();
    (state.level, state.slope, state.at) = (level, slope, at);
    sums
}
