//! Least value of a function that has no gradient to follow.

use std::cell::Cell;

/// Where the coordinates of a search may lie, and how far its first steps go.
pub struct Search<'a> {
    /// First point.
    pub start: &'a [f64],
    /// First step along each coordinate, not zero.
    pub steps: &'a [f64],
    /// Least and largest value of each coordinate; points beyond are moved to the edge.
    pub ranges: &'a [(f64, f64)],
    /// Evaluations after which the search ends.
    pub evaluations_max: usize,
    /// The search ends once all corners of the simplex are this close in value.
    pub tolerance: f64,
}

/// The best point found and its value; infinite values stand for points that will not do.
///
/// Source: Nelder and Mead (1965), with coefficients that depend on the dimension as in Gao and Han (2012).
pub fn minimise(search: &Search, mut cost: impl FnMut(&[f64]) -> f64) -> (Vec<f64>, f64) {
    let count = search.start.len() as f64;
    let (expand, contract, shrink) = (1.0 + 2.0 / count, 0.75 - 0.5 / count, 1.0 - 1.0 / count);
    let clamp = |point: &mut Vec<f64>| {
        point.iter_mut().zip(search.ranges).for_each(|(x, (low, high))| *x = x.clamp(*low, *high));
    };
    let evaluations = Cell::new(0);
    let mut judged = |mut point: Vec<f64>| {
        clamp(&mut point);
        evaluations.set(evaluations.get() + 1);
        let value = cost(&point);
        (point, if value.is_nan() { f64::INFINITY } else { value })
    };
    let corner = |moved: Option<usize>| {
        let mut point = search.start.to_vec();
        if let Some(axis) = moved {
            let (x, step, (low, high)) = (point[axis], search.steps[axis], search.ranges[axis]);
            // A step out of the box goes the other way.
            point[axis] = if (low..=high).contains(&(x + step)) { x + step } else { x - step };
        }
        point
    };
    let mut corners: Vec<(Vec<f64>, f64)> = Vec::with_capacity(search.start.len() + 1);
    for moved in std::iter::once(None).chain((0..search.start.len()).map(Some)) {
        corners.push(judged(corner(moved)));
    }
    loop {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let last = corners.len() - 1;
        let (best, second_worst, worst) = (corners[0].1, corners[last - 1].1, corners[last].1);
        if worst - best < search.tolerance || evaluations.get() > search.evaluations_max {
            break;
        }
        let mut centre = vec![0.0; search.start.len()];
        for (point, _) in &corners[..last] {
            centre.iter_mut().zip(point).for_each(|(sum, x)| *sum += x / count);
        }
        let toward = |factor: f64| -> Vec<f64> {
            centre.iter().zip(&corners[last].0).map(|(centre, x)| centre + factor * (centre - x)).collect()
        };
        let (reflected, value) = judged(toward(1.0));
        corners[last] = if value < best {
            let (expanded, further) = judged(toward(expand));
            if further < value { (expanded, further) } else { (reflected, value) }
        } else if value < second_worst {
            (reflected, value)
        } else {
            let is_outside = value < worst;
            let (contracted, nearer) = judged(toward(if is_outside { contract } else { -contract }));
            if nearer < value.min(worst) {
                (contracted, nearer)
            } else {
                let (kept, _) = corners[0].clone();
                for corner in &mut corners[1..] {
                    let moved = kept.iter().zip(&corner.0).map(|(b, x)| b + shrink * (x - b)).collect();
                    *corner = judged(moved);
                }
                continue;
            }
        };
    }
    corners.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let search = Search {
            start: &[-1.2, 1.0],
            steps: &[0.5, 0.5],
            ranges: &[(-5.0, 5.0); 2],
            evaluations_max: 1000,
            tolerance: 1e-12,
        };
        let cost = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let (point, value) = minimise(&search, cost);
        assert!(value < 1e-8 && (point[0] - 1.0).abs() < 1e-3, "{point:?}");
    }

    #[test]
    fn the_box_holds_and_what_is_not_a_number_is_avoided() {
        let search = Search {
            start: &[0.5],
            steps: &[0.4],
            ranges: &[(0.0, 0.8)],
            evaluations_max: 200,
            tolerance: 1e-9,
        };
        let (point, _) = minimise(&search, |x| if x[0] < 0.1 { f64::NAN } else { -x[0] });
        assert!((point[0] - 0.8).abs() < 1e-6, "{point:?}");
    }
}
