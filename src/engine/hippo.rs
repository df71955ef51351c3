//! HiPPO-LegS and its normal-plus-low-rank form, where the S4D-LegS initialisation comes from.
//!
//! A + P Pᵀ = −½ I + S with S real and skew, so the normal part has the eigenvalues −½ ± iω (Gu et al., arXiv
//! 2008.07669 and 2111.00396). The ω are the singular values of S, each appearing twice, which a one-sided Jacobi
//! iteration finds to rounding without a complex eigensolver.

use ndarray::{Array1, Array2};

use crate::engine::s4d::C64;

/// The HiPPO-LegS system of state size N.
#[derive(Clone, Debug)]
pub struct Legs {
    /// A (N, N): −√((2n+1)(2k+1)) below the diagonal, −(n+1) on it, 0 above.
    pub a: Array2<f64>,
    /// B (N): √(2n+1).
    pub b: Array1<f64>,
    /// P (N): √(n+½), the low-rank part.
    pub p: Array1<f64>,
}

/// The system of state size `n`.
pub fn legs(n: usize) -> Legs {
    let a = Array2::from_shape_fn((n, n), |(row, column)| match row.cmp(&column) {
        std::cmp::Ordering::Greater => -(((2 * row + 1) * (2 * column + 1)) as f64).sqrt(),
        std::cmp::Ordering::Equal => -(row as f64 + 1.0),
        std::cmp::Ordering::Less => 0.0,
    });
    Legs {
        a,
        b: Array1::from_shape_fn(n, |row| ((2 * row + 1) as f64).sqrt()),
        p: Array1::from_shape_fn(n, |row| (row as f64 + 0.5).sqrt()),
    }
}

/// The upper half of the spectrum of the normal part, ω ascending; the conjugates complete it.
///
/// The phase of an eigenvector is free. Here it is the one that makes P̃ = V* P real and positive, and with it
/// B̃ = V* B = √2 P̃.
#[derive(Clone, Debug, PartialEq)]
pub struct LegsSpectrum {
    /// Imaginary parts of the eigenvalues (N/2), ascending and positive; the real parts are −½.
    pub omega: Vec<f64>,
    /// P̃ (N/2).
    pub p: Vec<f64>,
    /// B̃ (N/2).
    pub b: Vec<f64>,
}

// |P̃_k|² without eigenvectors. A = M − P Pᵀ with M normal, so det(z − A) = det(z − M) (1 + Pᵀ (z − M)⁻¹ P), and
// Pᵀ (z − M)⁻¹ P = Σ_k |P̃_k|² / (z − λ_k). A is triangular with eigenvalues −1 … −N; the residue at z = λ_k gives
//   |P̃_k|² = Π_{m=1..N} (λ_k + m) / Π_{j≠k} (λ_k − λ_j).
// Both products overflow for large N, so their moduli are multiplied in logarithms.

/// Spectrum for state size `n`, which must be even.
pub fn legs_spectrum(n: usize) -> LegsSpectrum {
    let omega: Vec<f64> = skew_pairs(n).into_iter().map(|pair| pair.omega).collect();
    let log_residue = |k: usize| {
        let poles = (0..n).map(|m| 0.5 * ((m as f64 + 0.5).powi(2) + omega[k].powi(2)).ln());
        let others = omega.iter().enumerate().filter(|&(j, _)| j != k);
        let distances = others.map(|(_, other)| ((omega[k] - other).abs() * (omega[k] + other)).ln());
        poles.sum::<f64>() - distances.sum::<f64>() - (2.0 * omega[k]).ln()
    };
    let p: Vec<f64> = (0..omega.len()).map(|k| (0.5 * log_residue(k)).exp()).collect();
    let b = p.iter().map(|p| std::f64::consts::SQRT_2 * p).collect();
    LegsSpectrum { omega, p, b }
}

// If w lies in the plane of the singular value ω, so does S w, and S² w = −ω² w. Hence v = (w − i S w / ω) / √2
// satisfies S v = iω v and has length one; turning it by the phase of v* P makes P̃ positive.

/// Unit eigenvectors V (N, N/2) of the normal part, in the order and the phase of [`LegsSpectrum`].
pub fn legs_eigenvectors(n: usize) -> Array2<C64> {
    let p = legs(n).p;
    let mut vectors = Array2::zeros((n, n / 2));
    for (mut column, pair) in vectors.columns_mut().into_iter().zip(skew_pairs(n)) {
        let image = skew(n).dot(&pair.w);
        let scale = std::f64::consts::FRAC_1_SQRT_2;
        for ((v, &w), &image) in column.iter_mut().zip(&pair.w).zip(&image) {
            *v = C64::new(scale * w, -scale * image / pair.omega);
        }
        let projection: C64 = column.iter().zip(&p).map(|(v, &p)| v.conj() * p).sum();
        column.mapv_inplace(|v| v * projection / projection.norm());
    }
    vectors
}

/// S = A + P Pᵀ + ½ I: ∓½ √((2n+1)(2k+1)), negative below the diagonal.
fn skew(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(row, column)| {
        let value = 0.5 * (((2 * row + 1) * (2 * column + 1)) as f64).sqrt();
        match row.cmp(&column) {
            std::cmp::Ordering::Greater => -value,
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Less => value,
        }
    })
}

/// A pair of equal singular values of S.
struct SkewPair {
    omega: f64,
    /// One right singular vector (N) of the pair.
    w: Array1<f64>,
}

/// All pairs of S, ω ascending.
///
/// # Panics
/// If `n` is odd: then zero is a singular value and the spectrum is no set of pairs.
fn skew_pairs(n: usize) -> Vec<SkewPair> {
    assert!(n.is_multiple_of(2), "the state size counts conjugates and is even");
    let (values, vectors) = singular_values(skew(n));
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let pair = |pair: &[usize]| SkewPair {
        omega: 0.5 * (values[pair[0]] + values[pair[1]]),
        w: vectors.row(pair[0]).to_owned(),
    };
    order.chunks_exact(2).map(pair).collect()
}

/// Singular values of a square matrix, and its right singular vectors as rows, by one-sided Jacobi rotations.
///
/// Each rotation makes two columns orthogonal; when all are, their lengths are the singular values. The columns are
/// kept as rows, contiguous.
fn singular_values(matrix: Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    let n = matrix.nrows();
    let mut columns = matrix.reversed_axes().as_standard_layout().into_owned();
    let mut vectors = Array2::eye(n);
    // Convergence is quadratic; thirteen sweeps were the most that N = 64 took.
    for _ in 0..60 {
        let mut rotated = false;
        for i in 0..n {
            for j in i + 1..n {
                let (a, b) = (columns.row(i), columns.row(j));
                let (aa, bb, ab) = (a.dot(&a), b.dot(&b), a.dot(&b));
                if ab.abs() <= f64::EPSILON * (aa * bb).sqrt() {
                    continue;
                }
                rotated = true;
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                rotate(&mut columns, i, j, cosine, cosine * tangent);
                rotate(&mut vectors, i, j, cosine, cosine * tangent);
            }
        }
        if !rotated {
            break;
        }
    }
    let values = columns.outer_iter().map(|column| column.dot(&column).sqrt()).collect();
    (values, vectors)
}

/// Rotates rows i and j.
fn rotate(matrix: &mut Array2<f64>, i: usize, j: usize, cosine: f64, sine: f64) {
    for k in 0..matrix.ncols() {
        let (a, b) = (matrix[[i, k]], matrix[[j, k]]);
        matrix[[i, k]] = cosine * a - sine * b;
        matrix[[j, k]] = sine * a + cosine * b;
    }
}

#[cfg(test)]
mod tests {
    use super::{C64, legs, legs_eigenvectors, legs_spectrum, skew};

    #[test]
    fn the_skew_part_is_what_the_low_rank_correction_leaves() {
        let n = 6;
        let system = legs(n);
        let expected = skew(n);
        for ((row, column), &a) in system.a.indexed_iter() {
            let half = if row == column { 0.5 } else { 0.0 };
            let got = a + system.p[row] * system.p[column] + half;
            assert!((got - expected[[row, column]]).abs() < 1e-13);
        }
    }

    #[test]
    fn eigenvectors_give_the_same_p_as_the_residues() {
        for n in [2, 6, 20] {
            let (spectrum, vectors, system) = (legs_spectrum(n), legs_eigenvectors(n), legs(n));
            for (k, column) in vectors.columns().into_iter().enumerate() {
                let project =
                    |x: &ndarray::Array1<f64>| column.iter().zip(x).map(|(v, &x)| v.conj() * x).sum::<C64>();
                assert!((project(&system.p) - spectrum.p[k]).norm() < 1e-11);
                assert!((project(&system.b) - spectrum.b[k]).norm() < 1e-11);
            }
        }
    }
}
