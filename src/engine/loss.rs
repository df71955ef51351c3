//! Pinball, squared and Huber error of a batch of forecasts: value and gradient.

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayViewMut3};

use crate::engine::real::Real;

/// What training minimises.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// Quantile loss (Koenker and Bassett, 1978): level · e for e = target − forecast ≥ 0, else (level − 1) · e.
    Pinball {
        /// Levels (Q) in (0, 1), one per forecast column.
        levels: Vec<f64>,
    },
    /// As [`Loss::Pinball`], but the column of level 0.5 has half the squared error and so becomes the mean.
    PinballAroundMean {
        /// Levels (Q) in (0, 1), one per forecast column.
        levels: Vec<f64>,
    },
    /// (forecast − target)², every forecast column against the same target.
    SquaredError,
    /// e²/2 up to |e| = delta, delta (|e| − delta/2) beyond (Huber, 1964).
    Huber {
        /// Where the loss turns from quadratic to linear, in the units of the target.
        delta: f64,
    },
}

impl Loss {
    /// Weighted sum of the loss over samples, steps and levels, summed in f64 in row-major order.
    ///
    /// `forecast` is (batch, T, Q), `target` (batch, T), `weights` (batch); dLoss/dforecast is written into `gradient`
    /// (batch, T, Q). A target that is NaN is missing: its step adds no loss and has gradient zero.
    ///
    /// # Panics
    /// If the shapes differ, or the number of levels is not Q.
    pub fn value_and_gradient<F: Real>(
        &self,
        forecast: ArrayView3<F>,
        target: ArrayView2<F>,
        weights: ArrayView1<F>,
        mut gradient: ArrayViewMut3<F>,
    ) -> f64 {
        let (batch, horizon, width) = forecast.dim();
        assert_eq!(gradient.dim(), forecast.dim(), "gradient and forecast");
        assert_eq!(target.dim(), (batch, horizon), "target and forecast");
        assert_eq!(weights.len(), batch, "weights and forecast");
        if let Loss::Pinball { levels } | Loss::PinballAroundMean { levels } = self {
            assert_eq!(levels.len(), width, "levels and forecast columns");
        }
        let mut sum = 0.0;
        let samples = forecast.outer_iter().zip(gradient.outer_iter_mut());
        for ((forecast, mut gradient), (target, weight)) in samples.zip(target.outer_iter().zip(weights)) {
            let weight = weight.wide();
            for ((forecast, mut gradient), actual) in
                forecast.outer_iter().zip(gradient.outer_iter_mut()).zip(target)
            {
                if actual.is_nan() {
                    gradient.fill(F::zero());
                    continue;
                }
                for (column, (forecast, gradient)) in forecast.iter().zip(&mut gradient).enumerate() {
                    let (value, slope) = self.term(column, forecast.wide() - actual.wide());
                    sum += weight * value;
                    *gradient = F::of(weight * slope);
                }
            }
        }
        sum
    }

    // With r = forecast − target the slope is d value / d r. The kink of the pinball loss at r = 0 takes the
    // subgradient 0, so that an exact forecast is not moved.

    /// Loss and slope of one residual r = forecast − target.
    #[inline]
    fn term(&self, column: usize, r: f64) -> (f64, f64) {
        match self {
            Loss::PinballAroundMean { levels } if levels[column] == 0.5 => (0.5 * r * r, r),
            Loss::Pinball { levels } | Loss::PinballAroundMean { levels } => {
                let level = levels[column];
                if r < 0.0 {
                    (-level * r, -level)
                } else if r > 0.0 {
                    ((1.0 - level) * r, 1.0 - level)
                } else {
                    // Zero, or NaN, which must reach the sum so that a diverged forecast is noticed.
                    (r, r)
                }
            }
            Loss::SquaredError => (r * r, 2.0 * r),
            Loss::Huber { delta } => {
                if r.abs() <= *delta {
                    (0.5 * r * r, r)
                } else {
                    (delta * (r.abs() - 0.5 * delta), delta * r.signum())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Loss;
    use ndarray::{Array3, array};

    const NAN: f64 = f64::NAN;

    #[test]
    fn pinball_weighs_both_sides() {
        let loss = Loss::Pinball { levels: vec![0.1, 0.9] };
        let forecast = array![[[1.0, 3.0], [2.0, 2.0]]];
        let mut gradient = Array3::from_elem((1, 2, 2), 7.0);
        let target = array![[2.0, 2.0]];
        let value =
            loss.value_and_gradient(forecast.view(), target.view(), array![2.0].view(), gradient.view_mut());
        assert!((value - 2.0 * (0.1 + 0.1)).abs() < 1e-15);
        assert_eq!(gradient, array![[[-0.2, 2.0 * (1.0 - 0.9)], [0.0, 0.0]]]);
    }

    #[test]
    fn missing_targets_have_no_loss_and_exactly_no_gradient() {
        let forecast = array![[[1.0], [5.0]], [[NAN], [4.0]]];
        for loss in [Loss::Pinball { levels: vec![0.3] }, Loss::SquaredError, Loss::Huber { delta: 1.0 }] {
            let mut gradient = Array3::from_elem((2, 2, 1), 7.0);
            let (target, weights) = (array![[NAN, 1.0], [NAN, NAN]], array![1.0, 1.0]);
            let value =
                loss.value_and_gradient(forecast.view(), target.view(), weights.view(), gradient.view_mut());
            let alone = loss.value_and_gradient(
                array![[[5.0]]].view(),
                array![[1.0]].view(),
                array![1.0].view(),
                Array3::zeros((1, 1, 1)).view_mut(),
            );
            assert_eq!(value, alone);
            assert_eq!([gradient[[0, 0, 0]], gradient[[1, 0, 0]], gradient[[1, 1, 0]]], [0.0; 3]);
            assert!(gradient[[0, 1, 0]] > 0.0);
        }
    }

    #[test]
    fn a_forecast_that_is_no_number_shows_in_the_value() {
        for loss in [Loss::Pinball { levels: vec![0.5] }, Loss::SquaredError, Loss::Huber { delta: 1.0 }] {
            let mut gradient = Array3::zeros((1, 1, 1));
            let value = loss.value_and_gradient(
                array![[[NAN]]].view(),
                array![[1.0]].view(),
                array![1.0].view(),
                gradient.view_mut(),
            );
            assert!(value.is_nan());
        }
    }

    #[test]
    fn huber_is_continuous_where_it_turns() {
        let loss = Loss::Huber { delta: 1.5 };
        let (inside, outside) = (loss.term(0, 1.5), loss.term(0, 1.5 + 1e-12));
        assert!((inside.0 - outside.0).abs() < 1e-11 && (inside.1 - outside.1).abs() < 1e-11);
    }
}
