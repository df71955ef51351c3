//! What a task makes of the outputs at every position: loss, gradient, hits.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::engine::real::Real;
use crate::sequence::data::Batch;
use crate::sequence::spec::{Readout, Task};

/// Sums over what was scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Nats, or squared errors.
    pub loss: f64,
    /// Times that the likeliest class or code was the right one.
    pub hits: usize,
    /// Sequences, codes or values.
    pub count: usize,
}

impl Score {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Score) -> Score {
        Score { loss: self.loss + other.loss, hits: self.hits + other.hits, count: self.count + other.count }
    }

    /// Loss of one.
    pub fn mean(&self) -> f64 {
        self.loss / self.count as f64
    }

    /// Share of hits.
    pub fn accuracy(&self) -> f64 {
        self.hits as f64 / self.count as f64
    }
}

/// How outputs are scored.
#[derive(Clone, Copy, Debug)]
pub struct Scorer {
    /// What is learnt.
    pub task: Task,
    /// Which outputs answer for a sequence.
    pub readout: Readout,
    /// Positions of a sequence (L).
    pub len: usize,
    /// Outputs per position.
    pub outputs: usize,
}

impl Scorer {
    /// Things that one sequence is scored by.
    pub fn per_sequence(&self, batch: &Batch) -> f64 {
        match self.task {
            Task::Classify => 1.0,
            Task::Generate => self.len as f64,
            Task::Reconstruct => {
                let hidden = batch.values.iter().filter(|value| !value.is_nan()).count();
                hidden as f64 / (batch.values.len() / self.len) as f64
            }
        }
    }

    /// Score of the outputs (sequences, L, outputs) of some sequences of a batch, the first of which is `first`. The gradient
    /// of the loss times `weight` goes to `dout`, where it is wanted.
    pub fn score(
        &self,
        batch: &Batch,
        first: usize,
        out: &[f32],
        weight: f32,
        dout: Option<&mut [f32]>,
    ) -> Score {
        let size = self.len * self.outputs;
        let one = |(index, out): (usize, &[f32]), dout: Option<&mut [f32]>| match self.task {
            Task::Classify => self.class(batch.codes[first + index] as usize, out, weight, dout),
            Task::Generate => {
                let codes = &batch.codes[(first + index) * self.len..][..self.len];
                self.codes(codes, out, weight, dout)
            }
            Task::Reconstruct => {
                let values = &batch.values[(first + index) * self.len..][..self.len];
                squares(values, out, weight, dout)
            }
        };
        // Sequences are scored at once and added up in their order: the sum does not depend on threads.
        let scores: Vec<Score> = match dout {
            Some(dout) => out
                .par_chunks(size)
                .zip(dout.par_chunks_mut(size))
                .enumerate()
                .map(|(index, (out, dout))| one((index, out), Some(dout)))
                .collect(),
            None => out.par_chunks(size).enumerate().map(|part| one(part, None)).collect(),
        };
        scores.into_iter().fold(Score::default(), Score::and)
    }

    fn class(&self, label: usize, out: &[f32], weight: f32, dout: Option<&mut [f32]>) -> Score {
        let mut logits = match self.readout {
            Readout::Pool => {
                let mut sum = vec![0.0; self.outputs];
                for row in out.chunks_exact(self.outputs) {
                    sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
                }
                sum.iter_mut().for_each(|sum| *sum /= self.len as f32);
                sum
            }
            Readout::Last => out[(self.len - 1) * self.outputs..].to_vec(),
        };
        let score = cross_entropy(&mut logits, label);
        if let Some(dout) = dout {
            match self.readout {
                Readout::Pool => {
                    let weight = weight / self.len as f32;
                    logits.iter_mut().for_each(|d| *d *= weight);
                    dout.chunks_exact_mut(self.outputs).for_each(|row| row.copy_from_slice(&logits));
                }
                Readout::Last => {
                    let (before, last) = dout.split_at_mut((self.len - 1) * self.outputs);
                    before.fill(0.0);
                    last.iter_mut().zip(&logits).for_each(|(d, &value)| *d = value * weight);
                }
            }
        }
        score
    }

    fn codes(&self, codes: &[u32], out: &[f32], weight: f32, dout: Option<&mut [f32]>) -> Score {
        let mut logits = vec![0.0; self.outputs];
        let mut dout = dout.map(|dout| dout.chunks_exact_mut(self.outputs));
        let mut sum = Score::default();
        for (row, &code) in out.chunks_exact(self.outputs).zip(codes) {
            logits.copy_from_slice(row);
            sum = sum.and(cross_entropy(&mut logits, code as usize));
            if let Some(to) = dout.as_mut().and_then(Iterator::next) {
                to.iter_mut().zip(&logits).for_each(|(d, &value)| *d = value * weight);
            }
        }
        sum
    }
}

// −ln softmax(z)_k = ln Σ e^{z_i − m} + m − z_k with m = max z;  d z_i = softmax(z)_i − [i = k].

/// Cross-entropy of one row of logits, which become its gradient.
fn cross_entropy(logits: &mut [f32], label: usize) -> Score {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let likeliest = logits.iter().position(|&logit| logit == largest);
    let own = logits[label];
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp_fast();
        sum += *logit;
    }
    logits.iter_mut().for_each(|logit| *logit /= sum);
    logits[label] -= 1.0;
    Score { loss: f64::from(sum.ln() + largest - own), hits: usize::from(likeliest == Some(label)), count: 1 }
}

/// Squared error of the values that were hidden.
fn squares(values: &[f32], out: &[f32], weight: f32, dout: Option<&mut [f32]>) -> Score {
    let mut score = Score::default();
    for (&out, &value) in out.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
        score.loss += f64::from((out - value).powi(2));
        score.count += 1;
    }
    for ((d, &out), &value) in dout.into_iter().flatten().zip(out).zip(values) {
        *d = if value.is_nan() { 0.0 } else { 2.0 * weight * (out - value) };
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences in every output, for every task and readout.
    #[test]
    fn gradients_are_those_of_the_losses() {
        let (len, sequences) = (5, 3);
        let noise = |at: usize| ((at * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let values: Vec<f32> =
            (0..sequences * len).map(|at| if at % 3 == 0 { f32::NAN } else { noise(at + 5) }).collect();
        for (task, readout, outputs) in [
            (Task::Classify, Readout::Pool, 4),
            (Task::Classify, Readout::Last, 4),
            (Task::Generate, Readout::Pool, 4),
            (Task::Reconstruct, Readout::Pool, 1),
        ] {
            let count = if task == Task::Classify { sequences } else { sequences * len };
            let codes = (0..count).map(|at| (at * 3 % 4) as u32).collect();
            let batch = Batch { tokens: Vec::new(), codes, values: values.clone() };
            let scorer = Scorer { task, readout, len, outputs };
            let out: Vec<f32> = (0..sequences * len * outputs).map(noise).collect();
            let mut dout = vec![0.0; out.len()];
            scorer.score(&batch, 0, &out, 0.5, Some(&mut dout));
            for at in 0..out.len() {
                let loss = |step: f32| {
                    let mut out = out.clone();
                    out[at] += step;
                    0.5 * scorer.score(&batch, 0, &out, 0.0, None).loss
                };
                let slope = (loss(0.01) - loss(-0.01)) / 0.02;
                assert!(
                    (slope - f64::from(dout[at])).abs() < 1e-4,
                    "{task:?} {readout:?} {at}: {slope} {}",
                    dout[at]
                );
            }
        }
    }

    #[test]
    fn a_certain_answer_costs_nothing_and_a_wrong_one_stays_finite() {
        let mut logits = [100.0, -100.0];
        assert_eq!(cross_entropy(&mut logits, 0), Score { loss: 0.0, hits: 1, count: 1 });
        let mut logits = [1000.0, -1000.0];
        assert_eq!(cross_entropy(&mut logits, 1), Score { loss: 2000.0, hits: 0, count: 1 });
    }
}
