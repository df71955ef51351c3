//! Counter-based noise: a number is a function of (stream, step), so that no generator is carried along and the same
//! bytes come out on every machine. Only integer arithmetic and exact additions are used.

/// Uniform in [0, 1): the top 53 bits of a hash (splitmix64; Steele, Lea and Flood, 2014).
pub(super) fn uniform(stream: u64, step: u64) -> f64 {
    let mut hash = stream.wrapping_mul(0xd134_2543_de82_ef95) ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for multiplier in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 30)).wrapping_mul(multiplier);
    }
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Nearly standard normal: twelve uniforms less six.
pub(super) fn normal(stream: u64, step: u64) -> f64 {
    (0..12).map(|part| uniform(stream, step * 12 + part)).sum::<f64>() - 6.0
}

/// A count of mean `rate`, by inversion of the Poisson distribution.
pub(super) fn poisson(stream: u64, step: u64, rate: f64) -> u32 {
    let mut left = uniform(stream, step);
    let mut probability = libm::exp(-rate);
    let mut count = 0;
    while left >= probability && count < 1000 {
        left -= probability;
        count += 1;
        probability *= rate / f64::from(count);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let steps = 20_000;
        let mean = |value: &dyn Fn(u64) -> f64| (0..steps).map(value).sum::<f64>() / steps as f64;
        // Four standard errors of 20 000 draws are 0.03 for the normal and for counts of mean 0.7 alike.
        assert!((mean(&|step| uniform(1, step)) - 0.5).abs() < 0.01);
        assert!(mean(&|step| normal(2, step)).abs() < 0.03);
        assert!((mean(&|step| normal(2, step).powi(2)) - 1.0).abs() < 0.05);
        assert!((mean(&|step| f64::from(poisson(3, step, 0.7))) - 0.7).abs() < 0.03);
    }

    #[test]
    fn streams_differ() {
        assert!((0..100).all(|step| uniform(1, step) != uniform(2, step)));
    }
}
