//! Lines as they are painted: broken into strokes, thinned to what pixels can show, interrupted where nothing was observed.

use crate::plot::Dash;

impl Dash {
    /// Lengths of strokes and gaps in turn, in widths of a thin line; empty for none.
    fn pattern(self) -> &'static [f64] {
        match self {
            Dash::Solid => &[],
            Dash::Dashed => &[6.0, 3.5],
            Dash::Dotted => &[1.2, 2.6],
            Dash::DashDot => &[6.0, 2.6, 1.2, 2.6],
        }
    }
}

/// The strokes of a line, where 1 in the pattern is `unit` pixels.
pub(super) fn strokes(points: &[(f64, f64)], dash: Dash, unit: f64) -> Vec<Vec<(f64, f64)>> {
    let pattern = dash.pattern();
    if pattern.is_empty() || points.len() < 2 {
        return vec![points.to_vec()];
    }
    let (mut place, mut left) = (0, pattern[0] * unit);
    let mut all = Vec::new();
    let mut stroke = vec![points[0]];
    for pair in points.windows(2) {
        let [(mut x, mut y), end] = [pair[0], pair[1]];
        let mut length = (end.0 - x).hypot(end.1 - y);
        while length > left {
            let share = left / length;
            (x, y) = (x + (end.0 - x) * share, y + (end.1 - y) * share);
            length -= left;
            stroke.push((x, y));
            if place % 2 == 0 {
                all.push(std::mem::take(&mut stroke));
            }
            stroke = vec![(x, y)];
            place = (place + 1) % pattern.len();
            left = pattern[place] * unit;
        }
        left -= length;
        stroke.push(end);
    }
    if place % 2 == 0 && stroke.len() > 1 {
        all.push(stroke);
    }
    all
}

/// Parts of a line without missing values.
pub(super) fn runs(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let parts = points.split(|(_, y)| !y.is_finite());
    parts.filter(|part| !part.is_empty()).map(<[(f64, f64)]>::to_vec).collect()
}

/// A line of no more than four points per pixel of width: where it has more, first, least, largest and last stand for all of a
/// column, which looks the same.
pub(super) fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let Some((first, last)) = points.first().copied().zip(points.last().copied()) else { return points };
    if points.len() as f64 <= 4.0 * (last.0 - first.0).max(1.0) {
        return points;
    }
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_y = |a: &(usize, &(f64, f64)), b: &(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let least = column.iter().enumerate().min_by(by_y).map_or(0, |(place, _)| place);
        let largest = column.iter().enumerate().max_by(by_y).map_or(0, |(place, _)| place);
        let mut places = [0, least, largest, column.len() - 1];
        places.sort_unstable();
        let mut before = None;
        for place in places.into_iter().filter(|place| before.replace(*place) != Some(*place)) {
            kept.push(column[place]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_follow_the_line_over_its_corners() {
        let points = [(0.0, 0.0), (8.0, 0.0), (8.0, 8.0)];
        let all = strokes(&points, Dash::Dashed, 1.0);
        assert_eq!(all, [vec![(0.0, 0.0), (6.0, 0.0)], vec![(8.0, 1.5), (8.0, 7.5)]]);
        assert_eq!(strokes(&points, Dash::Solid, 1.0), [points.to_vec()]);
        let length: f64 =
            strokes(&[(0.0, 0.0), (950.0, 0.0)], Dash::Dashed, 1.0).iter().map(|s| s[1].0 - s[0].0).sum();
        assert!((length - 600.0).abs() < 1e-6, "{length}");
    }

    #[test]
    fn a_gap_stays_a_gap_and_extremes_stay() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)];
        assert_eq!(runs(&points), [vec![(0.0, 1.0)], vec![(2.0, 3.0), (3.0, 4.0)]]);
        let many: Vec<(f64, f64)> =
            (0..10_000).map(|step| (f64::from(step) / 100.0, f64::from(step % 977))).collect();
        let few = thinned(many.clone());
        assert!(few.len() <= 400, "{}", few.len());
        let largest = |all: &[(f64, f64)]| all.iter().map(|point| point.1).fold(0.0, f64::max);
        assert_eq!((few[0], few.last(), largest(&few)), (many[0], many.last(), largest(&many)));
    }
}
