//! Missing steps of a grid filled by policy.

use super::spec::Gaps;
use crate::series::{Frequency, Quality};

/// Fills missing steps by a guess; the steps that were filled, ascending. None is before the first value, and with
/// [`Gaps::Mask`], [`Gaps::Error`] and [`Gaps::Zero`] none at all.
///
/// Every guess but the linear one looks back only; a season earlier may itself be filled.
pub(super) fn fill(values: &mut [f64], gaps: Gaps, season: usize) -> Vec<usize> {
    let mut filled = Vec::new();
    if matches!(gaps, Gaps::Mask | Gaps::Error | Gaps::Zero) {
        return filled;
    }
    let mut at = values.iter().position(|value| !value.is_nan()).unwrap_or(values.len());
    while let Some(ahead) = values[at..].iter().position(|value| value.is_nan()) {
        let begin = at + ahead;
        let end =
            values[begin..].iter().position(|value| !value.is_nan()).map_or(values.len(), |run| begin + run);
        let (before, next) = (values[begin - 1], values.get(end).copied().unwrap_or(f64::NAN));
        for step in begin..end {
            let guess = match gaps {
                Gaps::Linear => between(before, next, (step + 1 - begin) as f64 / (end + 1 - begin) as f64),
                Gaps::Seasonal => step.checked_sub(season).map_or(f64::NAN, |earlier| values[earlier]),
                _ => before,
            };
            values[step] = match gaps {
                Gaps::Seasonal if guess.is_nan() => values[step - 1],
                _ => guess,
            };
        }
        filled.extend((begin..end).filter(|step| !values[*step].is_nan()));
        at = end;
    }
    filled
}

/// A share of the way from one value to the next; `NaN` where one of them is.
fn between(before: f64, next: f64, share: f64) -> f64 {
    // Shares first, sum later: gigantic values do not overflow.
    before * (1.0 - share) + next * share
}

/// The season length that a source goes by: the declared one, else the usual one of the frequency, else 1.
pub(super) fn season(declared: Option<usize>, frequency: Frequency) -> usize {
    declared.or_else(|| frequency.season_lengths().first().copied()).unwrap_or(1)
}

/// What to say of the steps that were filled; nothing where none was.
pub(super) fn note<'a>(
    quality: impl Iterator<Item = &'a Quality>,
    gaps: Gaps,
    declared: Option<usize>,
) -> Option<String> {
    let filled: Vec<&Quality> = quality.filter(|one| one.filled > 0).collect();
    let most = filled.iter().max_by_key(|one| (one.filled, std::cmp::Reverse(&one.unique_id)))?;
    let with = match (gaps, most.frequency) {
        (Gaps::Zero, _) => "zero".to_owned(),
        (Gaps::Linear, _) => "a line between their neighbours".to_owned(),
        (Gaps::Seasonal, Some(frequency)) => format!(
            "the value one season earlier ({} steps of {frequency}, {})",
            season(declared, frequency),
            if declared.is_some() { "as declared" } else { "as is usual" },
        ),
        _ => "the value before them".to_owned(),
    };
    let all: usize = filled.iter().map(|one| one.filled).sum();
    let (steps, id) = (if all == 1 { "step is" } else { "steps are" }, &most.unique_id);
    Some(match filled.len() {
        1 => format!("{all} missing {steps} filled with {with} in series '{id}'"),
        count => format!(
            "{all} missing {steps} filled with {with} in {count} series, most of them in '{id}': {}",
            most.filled
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLES: [f64; 8] = [1.0, 2.0, f64::NAN, f64::NAN, 5.0, f64::NAN, 9.0, f64::NAN];

    fn filled(gaps: Gaps, season: usize) -> (Vec<f64>, Vec<usize>) {
        let mut values = HOLES.to_vec();
        let filled = fill(&mut values, gaps, season);
        (values, filled)
    }

    #[test]
    fn each_policy_has_its_values() {
        assert_eq!(filled(Gaps::Ffill, 1), (vec![1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 9.0, 9.0], vec![2, 3, 5, 7]));
        let (linear, steps) = filled(Gaps::Linear, 1);
        assert_eq!((&linear[..7], steps), (&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0][..], vec![2, 3, 5]));
        assert!(linear[7].is_nan());
        assert_eq!(filled(Gaps::Seasonal, 2).0, [1.0, 2.0, 1.0, 2.0, 5.0, 2.0, 9.0, 2.0]);
        assert_eq!(filled(Gaps::Seasonal, 4).0, [1.0, 2.0, 2.0, 2.0, 5.0, 2.0, 9.0, 2.0]);
        for gaps in [Gaps::Mask, Gaps::Error, Gaps::Zero] {
            assert!(filled(gaps, 1).1.is_empty());
        }
    }

    #[test]
    fn a_line_between_gigantic_values_stays_finite() {
        let mut values = [1.7e308, f64::NAN, -1.7e308, f64::NAN, 1.7e308];
        fill(&mut values, Gaps::Linear, 1);
        assert_eq!(values, [1.7e308, 0.0, -1.7e308, 0.0, 1.7e308]);
    }
}
