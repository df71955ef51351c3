//! One origin per series whose actuals are known: how well a forecaster does there, against seasonal naive.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};

use crate::model::baseline;
use crate::model::past::Sums;
use crate::model::spec::Point;
use crate::model::work::{Space, WorkSeries};
use crate::series::metric::Mean;
use crate::series::{Series, metric};

/// Accuracy, mean over series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Mean absolute scaled error; the scale is the in-sample error of seasonal naive, or the next best where that is 0.
    pub mase: f64,
    /// Symmetric mean absolute percentage error, percent.
    pub smape: f64,
    /// Mean squared error in units of the variance of each series' history.
    pub mse: f64,
}

/// Forecasts from one origin per series can be held against its actuals.
pub struct Exam {
    /// Index of each series examined.
    pub series: Vec<usize>,
    /// First target step of each series.
    pub origins: Vec<usize>,
    /// Actuals (series, T); `NaN` where nothing was observed.
    pub actual: Array2<f64>,
    /// Accuracy of seasonal naive.
    pub naive: Accuracy,
    /// Whether every value is positive: percentage errors mean something only then.
    pub is_positive: bool,
    /// What the errors of each series are divided by.
    scales: Vec<f64>,
    /// Standard deviation of each series' history.
    deviations: Vec<f64>,
    /// Which error counts.
    point: Point,
}

/// What is common to the exams of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Steps to forecast (T).
    pub horizon: usize,
    /// Season length, 1 for none.
    pub season: usize,
    /// What the point forecast is, and with it which error counts.
    pub point: Point,
}

impl Exam {
    /// The exam whose targets start `back` steps before each chosen series' end.
    pub fn new(all: &[&Series], chosen: &[usize], back: usize, terms: Terms) -> Exam {
        let Terms { horizon, season, point } = terms;
        let origins: Vec<usize> = chosen.iter().map(|&index| all[index].values.len() - back).collect();
        let mut actual = Array2::zeros((chosen.len(), horizon));
        let mut naive = Array2::zeros((chosen.len(), horizon));
        let (mut scales, mut deviations) = (Vec::new(), Vec::new());
        for (row, (&index, &origin)) in chosen.iter().zip(&origins).enumerate() {
            let (history, future) = all[index].values.split_at(origin);
            let steps = origin..origin + future.len();
            actual.row_mut(row).iter_mut().zip(steps).for_each(|(to, step)| *to = all[index].actual(step));
            let before = baseline::seasonal_naive_point(history, season, horizon);
            naive.row_mut(row).assign(&ndarray::ArrayView1::from(&before));
            scales.push(scale(history, season));
            deviations.push(Sums::of(history, Space::Standard, season).deviation());
        }
        let is_positive =
            chosen.iter().all(|&index| all[index].values.iter().all(|y| y.is_nan() || *y > 0.0));
        let unknown = Accuracy { mase: 0.0, smape: 0.0, mse: 0.0 };
        let series = chosen.to_vec();
        let mut exam =
            Exam { series, origins, actual, naive: unknown, scales, deviations, point, is_positive };
        exam.naive = exam.accuracy(naive.view());
        exam
    }

    /// Accuracy of point forecasts (series, T), in units of the target.
    pub fn accuracy(&self, predicted: ArrayView2<f64>) -> Accuracy {
        let (mut mase, mut smape, mut mse) = (Mean::default(), Mean::default(), Mean::default());
        for (row, (actual, predicted)) in self.actual.outer_iter().zip(predicted.outer_iter()).enumerate() {
            let (actual, predicted) = (actual.to_vec(), predicted.to_vec());
            let (scale, deviation) = (self.scales[row], self.deviations[row]);
            metric::mae(&actual, &predicted).into_iter().for_each(|error| mase.add(error / scale));
            metric::smape(&actual, &predicted).into_iter().for_each(|error| smape.add(error));
            metric::mse(&actual, &predicted, deviation).into_iter().for_each(|error| mse.add(error));
        }
        let of = |mean: Mean| mean.value().unwrap_or(0.0);
        Accuracy { mase: of(mase), smape: of(smape), mse: of(mse) }
    }

    /// Whether there is anything to hold forecasts against.
    pub fn has_actuals(&self) -> bool {
        self.actual.iter().any(|actual| !actual.is_nan())
    }

    /// The examined ones of all series in work space.
    pub fn pick<'a>(&self, work: &'a [WorkSeries]) -> Vec<&'a WorkSeries> {
        self.series.iter().map(|&index| &work[index]).collect()
    }

    /// Pinball loss of the quantile forecasts (T, Q) of one series, in units of its scale, summed over the observed steps
    /// and the levels.
    pub fn loss(&self, row: usize, quantiles: ArrayView2<f64>, levels: &[f64]) -> f64 {
        let observed = self.actual.row(row).into_iter().zip(quantiles.outer_iter());
        let observed = observed.filter(|(actual, _)| !actual.is_nan());
        let step = |(actual, row): (&f64, ArrayView1<f64>)| -> f64 {
            row.iter().zip(levels).map(|(quantile, level)| metric::pinball(*actual, *quantile, *level)).sum()
        };
        observed.map(step).sum::<f64>() / self.scales[row]
    }

    /// Share of observed actuals that lie between two of the quantile forecasts (series, T, Q).
    pub fn coverage(&self, quantiles: ArrayView3<f64>, lower: usize, upper: usize) -> f64 {
        let mut mean = Mean::default();
        for ((series, step), actual) in self.actual.indexed_iter().filter(|(_, actual)| !actual.is_nan()) {
            let slack = COVERAGE_SLACK * self.scales[series];
            let interval =
                quantiles[[series, step, lower]] - slack..=quantiles[[series, step, upper]] + slack;
            mean.add(f64::from(u8::from(interval.contains(actual))));
        }
        mean.value().unwrap_or(0.0)
    }

    /// Mean ratio of the accuracies to a reference, usually that of seasonal naive.
    pub fn relative(&self, predicted: ArrayView2<f64>, reference: Accuracy) -> f64 {
        let own = self.accuracy(predicted);
        let ratio = |own: f64, naive: f64| (own + 1e-9) / (naive + 1e-9);
        let mase = ratio(own.mase, reference.mase);
        match self.point {
            Point::Mean => ratio(own.mse, reference.mse),
            Point::Median if self.is_positive => 0.5 * (mase + ratio(own.smape, reference.smape)),
            Point::Median => mase,
        }
    }
}

/// Share of a series' scale by which an interval may miss an actual: models compute in single precision, and where a
/// series repeats itself exactly, intervals have no width to absorb that.
pub const COVERAGE_SLACK: f64 = 1e-6;

/// In-sample error of seasonal naive; of naive where that is 0; the size of the values where they are constant; 1 for
/// zeros and nothing.
pub fn scale(history: &[f64], season: usize) -> f64 {
    let sizes: Vec<f64> = history.iter().map(|y| y.abs()).filter(|size| !size.is_nan()).collect();
    let size = sizes.iter().map(|size| size / sizes.len() as f64).sum::<f64>();
    // Below that, differences are the rounding of a constant.
    let is_usable = |scale: &f64| *scale > 1e-9 * size;
    let in_sample = metric::scale(history, season).filter(is_usable);
    in_sample.or_else(|| metric::scale(history, 1).filter(is_usable)).unwrap_or(if size > 0.0 {
        size
    } else {
        1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_history_has_a_scale() {
        assert_eq!(scale(&[1.0, 2.0, 4.0, 8.0], 2), 4.5);
        assert_eq!(scale(&[1.0, 2.0, 1.0, 2.0], 2), 1.0);
        assert_eq!(scale(&[-3.0, -3.0], 1), 3.0);
        assert_eq!((scale(&[0.0, 0.0], 1), scale(&[], 1)), (1.0, 1.0));
    }
    use crate::series::Frequency;
    use ndarray::array;

    #[test]
    fn seasonal_naive_is_one_and_the_truth_is_nearly_zero() {
        let series = Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: (0..6).collect(),
            values: vec![1.0, 2.0, 4.0, 5.0, 6.0, 9.0],
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        };
        let terms = Terms { horizon: 2, season: 1, point: Point::Median };
        let guessed = Series { filled: vec![5], ..series.clone() };
        assert!(Exam::new(&[&guessed], &[0], 2, terms).actual[[0, 1]].is_nan());
        let exam = Exam::new(&[&series], &[0], 2, terms);
        assert_eq!((exam.origins[0], exam.actual.row(0).to_vec()), (4, vec![6.0, 9.0]));
        assert!((exam.relative(array![[5.0, 5.0]].view(), exam.naive) - 1.0).abs() < 1e-9);
        assert!(exam.relative(array![[6.0, 9.0]].view(), exam.naive) < 1e-6);
    }
}
