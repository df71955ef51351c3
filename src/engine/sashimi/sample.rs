//! Sampling: temperature, nucleus, and many paths that continue a prefix.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::engine::cross_entropy::log_probability;
use crate::engine::real::Real;
use crate::engine::sashimi::autoregressive::AutoregressiveStepper;

/// What a step draws from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Divides the logits: 1 is the model itself, 0 always the most likely code.
    pub temperature: f64,
    /// Nucleus (Holtzman et al., arXiv 1904.09751): only the most likely codes, up to the one with which the model's
    /// probability exceeds this share; the first always, all from 1 on.
    pub top_p: f64,
}

impl Default for Sampling {
    /// The model itself, as in the SaShiMi paper.
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_p: 1.0 }
    }
}

impl Sampling {
    /// Unnormalised weights (codes) from which one step draws, the largest one. The nucleus is that of the model at
    /// temperature one.
    pub fn weights<F: Real>(&self, logits: ArrayView1<F>) -> Vec<f64> {
        let top = logits.iter().fold(f64::NEG_INFINITY, |top, logit| top.max(logit.wide()));
        let weight = |temperature: f64| move |logit: &F| libm::exp((logit.wide() - top) / temperature);
        let mut weights: Vec<f64> = if self.temperature > 0.0 {
            logits.iter().map(weight(self.temperature)).collect()
        } else {
            let best = logits.iter().position(|logit| logit.wide() == top);
            (0..logits.len()).map(|code| f64::from(best == Some(code))).collect()
        };
        if self.top_p < 1.0 {
            let model: Vec<f64> = logits.iter().map(weight(1.0)).collect();
            for code in outside_nucleus(&model, self.top_p) {
                weights[code] = 0.0;
            }
        }
        weights
    }
}

/// The codes before which, from the most likely down, the share of all weights already exceeds `top_p`; never the first.
/// Of equal weights the lower code comes first.
fn outside_nucleus(weights: &[f64], top_p: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let limit = top_p * weights.iter().sum::<f64>();
    let mut before = 0.0;
    let inside = order.iter().take_while(|&&code| {
        let inside = before <= limit;
        before += weights[code];
        inside
    });
    let inside = inside.count().max(1);
    order.split_off(inside.min(order.len()))
}

/// The code at which the running sum of `weights` (codes) passes the share `uniform` of their total; `uniform` lies in
/// [0, 1).
pub fn draw(weights: &[f64], uniform: f64) -> usize {
    let mut left = uniform * weights.iter().sum::<f64>();
    let mut last = 0;
    for (code, &weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return code;
        }
        // Rounding may leave a rest beyond the end; it belongs to the last code that can be drawn.
        if weight > 0.0 {
            last = code;
        }
    }
    last
}

/// Paths of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    /// Drawn codes (paths, steps), without the prefix.
    pub codes: Array2<u16>,
    /// Logarithm of the probability that the model, at temperature one and without nucleus, gives to the drawn codes
    /// after the prefix (paths), in nats.
    pub log_likelihood: Array1<f64>,
}

/// Draws `steps` codes after a prefix, one path per generator.
///
/// `prefix` is (paths, length), or (1, length) for a common one, which is then run once; it may have no columns. Every path
/// takes one number per step from its own generator, so a path depends on its prefix and generator alone, not on those
/// computed with it.
///
/// # Panics
/// If the prefix has neither one row nor one per generator, or a code that the model lacks.
pub fn continue_prefix<F: Real>(
    model: &AutoregressiveStepper<'_, F>,
    prefix: ArrayView2<u16>,
    steps: usize,
    sampling: Sampling,
    rngs: &mut [impl Rng],
) -> Paths {
    continue_told(model, prefix, (steps, sampling), rngs, &mut |_| {})
}

/// As [`continue_prefix`]; `told` hears how many codes each path has, as often as there is one more.
///
/// # Panics
/// See [`continue_prefix`].
pub fn continue_told<F: Real>(
    model: &AutoregressiveStepper<'_, F>,
    prefix: ArrayView2<u16>,
    (steps, sampling): (usize, Sampling),
    rngs: &mut [impl Rng],
    told: &mut dyn FnMut(usize),
) -> Paths {
    let paths = rngs.len();
    assert!(prefix.nrows() == paths || prefix.nrows() == 1, "{} prefixes of {paths} paths", prefix.nrows());
    let mut drawn = Paths { codes: Array2::zeros((paths, steps)), log_likelihood: Array1::zeros(paths) };
    if steps == 0 || paths == 0 {
        return drawn;
    }
    let mut state = model.start(prefix.nrows());
    let mut logits = model.step(&mut state, &vec![model.spec.first_input(); prefix.nrows()]);
    for codes in prefix.columns() {
        logits = model.step(&mut state, &codes.to_vec());
    }
    if prefix.nrows() != paths {
        let first = vec![0; paths];
        state = state.select(&first);
        logits = logits.select(ndarray::Axis(0), &first);
    }
    for t in 0..steps {
        if t > 0 {
            logits = model.step(&mut state, &drawn.codes.slice(s![.., t - 1]).to_vec());
        }
        for (path, (rng, logits)) in rngs.iter_mut().zip(logits.rows()).enumerate() {
            let code = draw(&sampling.weights(logits), rng.random());
            drawn.codes[[path, t]] = u16::try_from(code).expect("codes are 16 bits wide");
            drawn.log_likelihood[path] += log_probability(logits, code);
        }
        told(t + 1);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn sampling(temperature: f64, top_p: f64) -> Sampling {
        Sampling { temperature, top_p }
    }

    #[test]
    fn without_temperature_the_most_likely_code_is_drawn() {
        let logits = array![0.1, 2.0, -1.0, 2.0, 1.9];
        for uniform in [0.0, 0.3, 0.999_999] {
            // At 1e-3 the others keep e^−100 of the weight; the two equal ones share it.
            assert_eq!(draw(&sampling(0.0, 1.0).weights(logits.view()), uniform), 1);
            let cold = draw(&sampling(1e-3, 1.0).weights(logits.view()), uniform);
            assert_eq!(cold, if uniform < 0.5 { 1 } else { 3 });
        }
    }

    #[test]
    fn the_nucleus_keeps_the_first_and_the_one_that_crosses() {
        let logits = array![0.2_f64, 0.5, 0.05, 0.25].mapv(f64::ln);
        let kept = |top_p: f64| -> Vec<usize> {
            let weights = sampling(1.0, top_p).weights(logits.view());
            (0..4).filter(|&code| weights[code] > 0.0).collect()
        };
        assert_eq!(kept(0.0), [1]);
        assert_eq!(kept(0.4), [1]);
        assert_eq!(kept(0.6), [1, 3]);
        assert_eq!(kept(0.8), [0, 1, 3]);
        assert_eq!(kept(0.97), [0, 1, 2, 3]);
        assert_eq!(kept(1.0), [0, 1, 2, 3]);
        // The nucleus does not depend on the temperature, and argmax is always in it.
        let hot = sampling(100.0, 0.6).weights(logits.view());
        assert!(hot[0] == 0.0 && hot[2] == 0.0 && hot[1] > 0.9 && hot[3] > 0.9);
        assert_eq!(sampling(0.0, 0.0).weights(logits.view()), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn frequencies_are_those_of_the_softmax() {
        let logits = array![0.3, -1.0, 1.5, 0.0, -2.5, 0.7];
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for sampling in [sampling(1.0, 1.0), sampling(2.0, 1.0), sampling(0.7, 0.8)] {
            let weights = sampling.weights(logits.view());
            let total: f64 = weights.iter().sum();
            let draws = 100_000;
            let mut counts = [0_usize; 6];
            for _ in 0..draws {
                counts[draw(&weights, rng.random())] += 1;
            }
            for (&count, weight) in counts.iter().zip(&weights) {
                let p = weight / total;
                // Four and a half standard deviations of a binomial count; the seed is fixed.
                let bound = 4.5 * (f64::from(draws) * p * (1.0 - p)).sqrt();
                assert!((count as f64 - f64::from(draws) * p).abs() <= bound, "{count} of {p}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_drawn_without_a_panic() {
        let logits = array![f64::NAN, 1.0, f64::NAN];
        for temperature in [0.0, 1.0] {
            for top_p in [0.5, 1.0] {
                assert!(draw(&sampling(temperature, top_p).weights(logits.view()), 0.5) < 3);
            }
        }
    }
}
