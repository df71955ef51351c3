//! What a task makes of the outputs at every position: loss, gradient, hits.

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::engine::cross_entropy;
use crate::sequence::data::Batch;
use crate::sequence::words::{Readout, Task};

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
    /// Codes at the beginning of a sequence that are not scored; none while training.
    pub lead: usize,
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
            Task::Classify => self.class(batch.codes[first + index], out, weight, dout),
            Task::Generate => {
                let own = &batch.codes[(first + index) * self.len..][self.lead..self.len];
                codes(own, &out[self.lead * self.outputs..], weight, dout)
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

    fn class(&self, label: u16, out: &[f32], weight: f32, dout: Option<&mut [f32]>) -> Score {
        let logits = match self.readout {
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
        let mut gradient = vec![0.0; self.outputs];
        let score = cross_entropy(&logits, &[label], &mut gradient);
        if let Some(dout) = dout {
            match self.readout {
                Readout::Pool => {
                    let weight = weight / self.len as f32;
                    gradient.iter_mut().for_each(|d| *d *= weight);
                    dout.chunks_exact_mut(self.outputs).for_each(|row| row.copy_from_slice(&gradient));
                }
                Readout::Last => {
                    let (before, last) = dout.split_at_mut((self.len - 1) * self.outputs);
                    before.fill(0.0);
                    last.iter_mut().zip(&gradient).for_each(|(d, &value)| *d = value * weight);
                }
            }
        }
        score
    }
}

/// Cross-entropy of the codes of a sequence, and its gradient times `weight`.
fn codes(codes: &[u16], out: &[f32], weight: f32, dout: Option<&mut [f32]>) -> Score {
    match dout {
        Some(dout) => {
            let score = cross_entropy(out, codes, dout);
            dout.iter_mut().for_each(|d| *d *= weight);
            score
        }
        None => cross_entropy(out, codes, &mut vec![0.0; out.len()]),
    }
}

/// Cross-entropy of some rows of logits, whose gradient goes to `gradient`.
fn cross_entropy(logits: &[f32], labels: &[u16], gradient: &mut [f32]) -> Score {
    let classes = logits.len() / labels.len();
    let shape = (labels.len(), classes);
    let rows = ArrayView2::from_shape(shape, logits).expect("rows of one length");
    let to = ArrayViewMut2::from_shape(shape, gradient).expect("rows of one length");
    let loss = cross_entropy::value_and_gradient(rows, labels, 1.0, to);
    let is_hit = |(row, &label): (&[f32], &u16)| {
        let own = row[usize::from(label)];
        row.iter().enumerate().all(|(at, &other)| other < own || at >= usize::from(label) && other <= own)
    };
    let hits = logits.chunks_exact(classes).zip(labels).filter(|&pair| is_hit(pair)).count();
    Score { loss, hits, count: labels.len() }
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
            let codes = (0..count).map(|at| (at * 3 % 4) as u16).collect();
            let batch = Batch { tokens: Vec::new(), codes, values: values.clone() };
            let scorer = Scorer { task, readout, len, outputs, lead: 0 };
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
        let score = |logits: [f32; 2], label| cross_entropy(&logits, &[label], &mut [0.0; 2]);
        assert_eq!(score([100.0, -100.0], 0), Score { loss: 0.0, hits: 1, count: 1 });
        assert_eq!(score([1000.0, -1000.0], 1), Score { loss: 2000.0, hits: 0, count: 1 });
        // Of two equal ones the first is the answer.
        assert_eq!([score([1.0, 1.0], 0).hits, score([1.0, 1.0], 1).hits], [1, 0]);
    }
}
