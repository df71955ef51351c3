//! Where a level lies: outcomes that came, and a few that fell where the model said.

/// What a model says of a row: levels (Q) at places (Q) in units of its width, ascending, exponential beyond
/// them.
pub(super) struct Claim<'a> {
    pub levels: &'a [f64],
    pub places: &'a [f64],
}

impl Claim<'_> {
    /// Share of outcomes below a place.
    pub fn share_below(&self, place: f64) -> f64 {
        let Claim { levels, places } = self;
        let last = levels.len() - 1;
        if last == 0 {
            return if place < places[0] { 0.0 } else { levels[0] };
        }
        let tail = |inner: usize, outer: usize, of: &dyn Fn(f64) -> f64| {
            let distance = (places[inner] - places[outer]).abs().max(1e-12);
            let rate = (of(levels[inner]) / of(levels[outer])).ln() / distance;
            of(levels[outer]) * (-rate * (place - places[outer]).abs()).exp()
        };
        if place < places[0] {
            return tail(1, 0, &|level| level);
        }
        if place >= places[last] {
            return 1.0 - tail(last - 1, last, &|level| 1.0 - level);
        }
        let upper = places.partition_point(|at| *at <= place);
        let (from, to) = (places[upper - 1], places[upper]);
        levels[upper - 1] + (levels[upper] - levels[upper - 1]) * (place - from) / (to - from)
    }
}

/// Scores (y − q_τ) / w with their weights, ascending.
pub(super) struct Scores {
    values: Vec<f64>,
    /// Share of the weight up to and with each value.
    shares: Vec<f64>,
}

impl Scores {
    /// From (score, weight) in any order.
    pub fn new(mut weighed: Vec<(f64, f64)>) -> Scores {
        weighed.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let total: f64 = weighed.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let shares = weighed.iter().map(|(_, weight)| {
            sum += weight;
            sum / total
        });
        Scores { shares: shares.collect(), values: weighed.iter().map(|(score, _)| *score).collect() }
    }

    /// Share of the weight of scores up to `place`, which counts.
    fn share_up_to(&self, place: f64) -> f64 {
        match self.values.partition_point(|value| *value <= place) {
            0 => 0.0,
            count => self.shares[count - 1],
        }
    }

    /// The least shift at which a share `target` lies below, of `prior` worth of the claim about a place `at`
    /// and the rest of these scores, `prior` in (0, 1]. With no scores and the level that the claim has at
    /// `at` it is 0.
    pub fn shift(&self, claim: &Claim, at: f64, prior: f64, target: f64) -> f64 {
        let is_below = |shift: f64| {
            let scores = if self.values.is_empty() { 0.0 } else { (1.0 - prior) * self.share_up_to(shift) };
            scores + prior * claim.share_below(at + shift) >= target - 1e-12
        };
        let reach = |end: Option<&f64>| end.map_or(0.0, |value| value.abs()) + 8.0;
        let (mut low, mut high) = (-reach(self.values.first()), reach(self.values.last()));
        if is_below(low) {
            return low;
        }
        // Down to rounding, so that a score is met exactly where it is the answer.
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if is_below(middle) { high = middle } else { low = middle }
        }
        high
    }
}
