//! What published levels still owe: how much less or more often than promised outcomes fell below them.

use crate::live::adaptive::Vintage;
use crate::live::adaptive::correction::Correction;
use crate::live::adaptive::evidence::{is_usable, recency};

/// Level added for each issue, for each share that it was short of. With 0.008 a 90 % interval holds 82 % of
/// the hundred outcomes after noise doubled, with 0.012 84 %, with 0.018 86 %, at widths of weekly sales of
/// 1.64, 1.74 and 1.86 times the uncorrected ones.
const GAIN: f64 = 0.012;

/// Debts (B + 1, Q), the last row over all bands: Σ over issues, forgotten as they age, of gain · (τ − share
/// below). A level that the outcomes sit on owes nothing: any share between those below it and those up to it
/// would do.
pub(super) fn debts(newest: &[(usize, &Vintage)], levels: &[f64], next: &Correction) -> Vec<Vec<f64>> {
    let bands = next.bands();
    let mut debts = vec![vec![0.0; levels.len()]; bands + 1];
    for (age, vintage) in newest {
        let mut count = vec![0_usize; bands + 1];
        let mut below = vec![vec![0_usize; levels.len()]; bands + 1];
        let mut up_to = below.clone();
        for row in vintage.rows.iter().filter(|row| is_usable(row, levels)) {
            for band in [next.band(row.step), bands] {
                count[band] += 1;
                for (level, value) in row.published.iter().enumerate() {
                    below[band][level] += usize::from(row.actual < *value);
                    up_to[band][level] += usize::from(row.actual <= *value);
                }
            }
        }
        for band in (0..=bands).filter(|band| count[*band] > 0) {
            for (level, promised) in levels.iter().enumerate() {
                let share = |counted: usize| counted as f64 / count[band] as f64;
                let kept = promised.max(share(below[band][level])).min(share(up_to[band][level]));
                debts[band][level] += GAIN * recency(*age) * (promised - kept);
            }
        }
    }
    debts
}
