//! Cross-entropy of a softmax: value in nats and gradient, per position (generation) or per sequence (classification).

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};

use crate::engine::real::Real;
use crate::engine::simd::{Isa, Kernel, Lanes};

/// ln softmax(logits)_class, in f64 to rounding; never overflows.
///
/// # Panics
/// If there is no such class.
pub fn log_probability<F: Real>(logits: ArrayView1<F>, class: usize) -> f64 {
    let top = logits.iter().fold(f64::NEG_INFINITY, |top, logit| top.max(logit.wide()));
    let total: f64 = logits.iter().map(|logit| libm::exp(logit.wide() - top)).sum();
    (logits[class].wide() - top) - libm::log(total)
}

/// Weighted sum of −ln softmax(logits)_label over the rows, in nats and in the order of the rows.
///
/// `logits` is (rows, classes), `labels` (rows). With `weight` = 1 / rows the value is the mean per row; a slice of a
/// batch takes 1 / rows of the whole batch. dLoss/dlogits is written into `gradient` (rows, classes). A logit that is no
/// number shows in the value.
///
/// # Panics
/// If the shapes differ, a label has no class, or an array is not in standard layout.
pub fn value_and_gradient<F: Real>(
    logits: ArrayView2<F>,
    labels: &[u16],
    weight: f64,
    mut gradient: ArrayViewMut2<F>,
) -> f64 {
    assert_eq!(logits.nrows(), labels.len(), "labels and rows of logits");
    assert_eq!(logits.dim(), gradient.dim(), "logits and gradient");
    let mut value = 0.0;
    Isa::detect().run(CrossEntropy {
        classes: logits.ncols(),
        logits: logits.as_slice().expect("logits are in standard layout"),
        labels,
        weight,
        gradient: gradient.as_slice_mut().expect("gradients are in standard layout"),
        value: &mut value,
    });
    value
}

struct CrossEntropy<'a, F> {
    classes: usize,
    logits: &'a [F],
    labels: &'a [u16],
    weight: f64,
    gradient: &'a mut [F],
    value: &'a mut f64,
}

// With m the largest logit, e_k = exp(x_k − m) and E = Σ e_k ≥ 1: −ln softmax_y = ln E − (x_y − m), and its derivative
// in x_k is e_k / E − [k = y]. No e_k exceeds one, and E is summed in f64.

impl<F: Real> Kernel for CrossEntropy<'_, F> {
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) {
        let rows = self.logits.chunks_exact(self.classes).zip(self.gradient.chunks_exact_mut(self.classes));
        for ((logits, gradient), &label) in rows.zip(self.labels) {
            let label = usize::from(label);
            let top = logits.iter().fold(F::neg_infinity(), |top, &x| if x > top { x } else { top });
            for (e, &x) in gradient.iter_mut().zip(logits) {
                *e = (x - top).exp_fast();
            }
            let total = sum(gradient);
            *self.value += self.weight * (libm::log(total) - (logits[label].wide() - top.wide()));
            let scale = F::of(self.weight / total);
            for e in gradient.iter_mut() {
                *e *= scale;
            }
            gradient[label] -= F::of(self.weight);
        }
    }
}

/// Partial sums that do not wait for each other.
const LANES: usize = 8;

/// Sum in f64, always in the same order.
#[inline(always)]
fn sum<F: Real>(values: &[F]) -> f64 {
    let mut partial = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|value| value.wide()).sum();
    for chunk in chunks {
        for (partial, value) in partial.iter_mut().zip(chunk) {
            *partial += value.wide();
        }
    }
    partial.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn value<F: Real>(logits: &Array2<F>, labels: &[u16]) -> (f64, Array2<F>) {
        let mut gradient = Array2::zeros(logits.dim());
        let value = value_and_gradient(logits.view(), labels, 1.0, gradient.view_mut());
        (value, gradient)
    }

    #[test]
    fn equal_logits_cost_the_logarithm_of_the_classes() {
        let (nats, gradient) = value(&Array2::<f64>::from_elem((1, 10), 3.0), &[7]);
        assert!((nats - 10.0_f64.ln()).abs() < 1e-15);
        assert!((gradient[[0, 0]] - 0.1).abs() < 1e-16 && (gradient[[0, 7]] + 0.9).abs() < 1e-15);
    }

    #[test]
    fn huge_logits_neither_overflow_nor_cancel() {
        for shift in [0.0, 1e30, -1e30] {
            let (nats, gradient) = value(&array![[shift, shift]], &[1]);
            assert!((nats - 2.0_f64.ln()).abs() < 1e-15, "{nats}");
            assert_eq!(gradient, array![[0.5, -0.5]]);
        }
        let (nats, gradient) = value(&array![[0.0_f32, 1e6]], &[0]);
        assert_eq!(nats, 1e6);
        assert!((gradient[[0, 0]] + 1.0).abs() < 1e-6 && (gradient[[0, 1]] - 1.0).abs() < 1e-6);
        assert_eq!(log_probability(array![0.0, -1e300].view(), 1), -1e300);
    }

    #[test]
    fn a_logit_that_is_no_number_shows_in_the_value() {
        assert!(value(&array![[f64::NAN, 1.0]], &[1]).0.is_nan());
        assert!(value(&array![[1.0, f32::NAN]], &[0]).0.is_nan());
        assert!(value(&array![[f64::NEG_INFINITY; 2]], &[0]).0.is_nan());
    }

    #[test]
    fn a_probability_is_what_the_value_is_the_logarithm_of() {
        let logits = array![[0.3, -1.2, 2.0, 0.7, 0.1, -3.0, 0.0, 1.1, 0.2]];
        for class in 0..9 {
            let (nats, _) = value(&logits, &[class]);
            assert!((nats + log_probability(logits.row(0), usize::from(class))).abs() < 1e-14);
            let (narrow, _) = value(&logits.mapv(|x| x as f32), &[class]);
            assert!((narrow - nats).abs() < 1e-6);
        }
    }
}
