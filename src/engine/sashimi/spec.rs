//! Shape of a SaShiMi backbone.

use serde::{Deserialize, Serialize};

use crate::engine::s4d::{Discretization, Init};
use crate::engine::ssm::SsmKind;

/// Shape of a backbone, as it also stands in model files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SashimiSpec {
    /// Positions of a training sequence (L), a multiple of [`SashimiSpec::stride`]. Steps are not limited by it.
    pub len: usize,
    /// Width of the finest level (H).
    pub width: usize,
    /// Frames that become one, finest level first; empty for a single level.
    pub pools: Vec<usize>,
    /// Factor of the width from a level to the next coarser one.
    pub expand: usize,
    /// Pairs of S4 block and feed-forward layer on every level.
    pub layers: usize,
    /// Width of the feed-forward layers as a multiple of the level's.
    pub feed_forward: usize,
    /// Stored modes per channel (N/2).
    pub modes: usize,
    /// State-space model of the S4 blocks.
    pub ssm: SsmKind,
    /// Initialisation of A.
    pub init: Init,
    /// Discretisation.
    pub discretization: Discretization,
    /// Range of dt at initialisation.
    pub dt: (f64, f64),
    /// Dropout after every GELU.
    pub dropout: f64,
}

/// Size of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Positions of a training sequence.
    pub len: usize,
    /// Width.
    pub width: usize,
}

impl SashimiSpec {
    /// Fine frames of one frame of the coarsest level: the product of the pools.
    pub fn stride(&self) -> usize {
        self.pools.iter().product()
    }

    /// All levels, finest first: one more than there are pools.
    pub fn levels(&self) -> Vec<Level> {
        let mut level = Level { len: self.len, width: self.width };
        let mut levels = vec![level];
        for &pool in &self.pools {
            level = Level { len: level.len / pool, width: level.width * self.expand };
            levels.push(level);
        }
        levels
    }

    /// Level of every pair in the order of computation: the coarsest level first, the finest last.
    pub fn pair_levels(&self) -> Vec<Level> {
        let coarsest_first = self.levels().into_iter().rev();
        coarsest_first.flat_map(|level| std::iter::repeat_n(level, self.layers)).collect()
    }

    /// Number of parameters without allocating any: what a file has to hold before its network may be made. Absurd
    /// sizes give `u128::MAX`.
    pub fn parameters(&self) -> u128 {
        let add = |a: u128, b: u128| a.saturating_add(b);
        let times = |a: u128, b: u128| a.saturating_mul(b);
        let linear = |inputs: u128, outputs: u128| times(add(inputs, 1), outputs);
        let [expand, layers, factor] = [self.expand, self.layers, self.feed_forward].map(|size| size as u128);
        let pairs = |width: u128| {
            let ssm = times(self.ssm.parameters(self.modes as u128), width);
            let wide = times(factor, width);
            let s4 = add(ssm, linear(width, times(2, width)));
            let feed_forward = add(linear(width, wide), linear(wide, width));
            times(layers, add(times(4, width), add(s4, feed_forward)))
        };
        let mut width = self.width as u128;
        let mut sum = times(2, width);
        for &pool in &self.pools {
            let (fine, coarse) = (times(width, pool as u128), times(width, expand));
            sum = add(sum, add(pairs(width), add(linear(fine, coarse), linear(coarse, fine))));
            width = coarse;
        }
        add(sum, pairs(width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sashimi::backbone::SashimiParams;

    fn spec() -> SashimiSpec {
        SashimiSpec {
            len: 24,
            width: 3,
            pools: vec![2, 3],
            expand: 2,
            layers: 2,
            feed_forward: 3,
            modes: 2,
            ssm: SsmKind::S4d,
            init: Init::Lin,
            discretization: Discretization::ZeroOrderHold,
            dt: (0.01, 0.5),
            dropout: 0.1,
        }
    }

    #[test]
    fn every_level_is_shorter_and_wider() {
        let level = |len, width| Level { len, width };
        assert_eq!(spec().levels(), [level(24, 3), level(12, 6), level(4, 12)]);
        assert_eq!(spec().stride(), 6);
    }

    #[test]
    fn the_number_of_parameters_is_that_of_the_tensors() {
        for (pools, ssm) in [(vec![], SsmKind::S4d), (vec![4], SsmKind::S4), (vec![2, 3], SsmKind::S4d)] {
            let spec = SashimiSpec { pools, ssm, ..spec() };
            let mut params = SashimiParams::<f32>::zeros(&spec);
            let held: usize = params.tensors("").iter().map(|tensor| tensor.values.len()).sum();
            assert_eq!(spec.parameters(), held as u128);
        }
        let absurd = SashimiSpec { pools: vec![usize::MAX; 9], expand: usize::MAX, ..spec() };
        assert_eq!(absurd.parameters(), u128::MAX);
    }

    #[test]
    fn a_spec_is_read_back_as_written_and_knows_its_fields() {
        let text = serde_json::to_string(&spec()).unwrap();
        assert_eq!(serde_json::from_str::<SashimiSpec>(&text).unwrap(), spec());
        let more = text.replace("\"width\"", "\"depth\":1,\"width\"");
        assert!(serde_json::from_str::<SashimiSpec>(&more).is_err());
    }
}
