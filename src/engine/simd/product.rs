//! Matrix products of small, cache-resident matrices without packing.
//!
//! A tile of the result, MR rows by NV registers, is summed in registers: each element of A is broadcast against a row
//! of B. B and C are row-major with rows of whole registers; only A may have any stride. Sums run over k in order.

#![allow(clippy::needless_range_loop, reason = "a tile is indexed by row and column, as in the sums")]

use crate::engine::simd::Lanes;

/// Sums of one tile: register j of row i is `[j][i]`.
type Tile<S, const MR: usize, const NV: usize> = [[S; MR]; NV];

/// Rows of a left factor: row i starts at `i * stride` of `values` and has `k` elements.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Elements.
    pub values: &'a [f32],
    /// Distance between rows.
    pub stride: usize,
    /// Elements of a row.
    pub k: usize,
}

/// What a product does to the memory of its result.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// C = A B.
    Zero,
    /// C += A B.
    Add,
    /// Row i of C = `bias[i]` + row i of A B.
    Bias(&'a [f32]),
}

/// Which elements of a square right factor are zero and left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// Column j uses rows ≤ j.
    Upper,
    /// Column j uses rows ≥ j.
    Lower,
}

impl<'a> Rows<'a> {
    /// `MR` rows from `row` on.
    #[inline(always)]
    fn tile<const MR: usize>(self, row: usize) -> [&'a [f32]; MR] {
        // A loop, not `array::from_fn`: that would be a function of its own, compiled without vector instructions.
        let mut rows = [&self.values[..0]; MR];
        for (i, part) in rows.iter_mut().enumerate() {
            *part = &self.values[(row + i) * self.stride..][..self.k];
        }
        rows
    }
}

/// `tile[j][i] += Σ_p a[i][p] b[p][j]`, the rows of b being `ldb` registers apart.
#[inline(always)]
fn add_rows<S: Lanes, const MR: usize, const NV: usize>(
    simd: S,
    tile: &mut Tile<S::f32s, MR, NV>,
    a: [&[f32]; MR],
    b: &[S::f32s],
    ldb: usize,
) {
    let k = a[0].len();
    for a in a {
        assert_eq!(a.len(), k, "rows of one length");
    }
    for (p, row) in (0..k).zip(b.chunks(ldb)) {
        let row: &[S::f32s; NV] = row.first_chunk().expect("a tile inside the matrix");
        for i in 0..MR {
            let x = simd.splat_f32s(a[i][p]);
            for j in 0..NV {
                tile[j][i] = simd.mul_add_e_f32s(x, row[j], tile[j][i]);
            }
        }
    }
}

/// Runs `body` for every tile of a result of `m` rows and `n` registers, with the largest tiles that fit: MR by 2, then
/// fewer rows. `body` is a macro-like closure with the tile's size as constants, hence a trait.
trait TileBody<S: Lanes> {
    fn tile<const MR: usize, const NV: usize>(&mut self, row: usize, register: usize);
}

#[inline(always)]
fn each_tile<S: Lanes>(m: usize, n: usize, body: &mut impl TileBody<S>) {
    let mut register = 0;
    // A single row has no other rows to fill the pipeline with: it takes more columns.
    while m == 1 && register + 4 <= n {
        body.tile::<1, 4>(0, register);
        register += 4;
    }
    while register + 2 <= n {
        let mut row = 0;
        match S::F32_LANES {
            16 => {
                while row + 8 <= m {
                    body.tile::<8, 2>(row, register);
                    row += 8;
                }
            }
            _ => {
                while row + 6 <= m {
                    body.tile::<6, 2>(row, register);
                    row += 6;
                }
            }
        }
        while row + 4 <= m {
            body.tile::<4, 2>(row, register);
            row += 4;
        }
        while row < m {
            body.tile::<1, 2>(row, register);
            row += 1;
        }
        register += 2;
    }
    if register < n {
        let mut row = 0;
        while row + 8 <= m {
            body.tile::<8, 1>(row, register);
            row += 8;
        }
        while row < m {
            body.tile::<1, 1>(row, register);
            row += 1;
        }
    }
}

struct RowsProduct<'a, S: Lanes> {
    simd: S,
    start: Start<'a>,
    triangle: Option<(Rows<'a>, &'a [S::f32s], Triangle)>,
    terms: &'a [(Rows<'a>, &'a [S::f32s])],
    n: usize,
    c: &'a mut [S::f32s],
}

impl<S: Lanes> TileBody<S> for RowsProduct<'_, S> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, row: usize, register: usize) {
        let simd = self.simd;
        let mut tile: Tile<S::f32s, MR, NV> = [[simd.splat_f32s(0.0); MR]; NV];
        match self.start {
            Start::Zero => {}
            Start::Add => {
                for i in 0..MR {
                    let c: &[S::f32s; NV] =
                        self.c[(row + i) * self.n + register..].first_chunk().expect("a tile");
                    for j in 0..NV {
                        tile[j][i] = c[j];
                    }
                }
            }
            Start::Bias(bias) => {
                let bias: &[f32; MR] = bias[row..].first_chunk().expect("a bias for every row");
                for i in 0..MR {
                    for column in &mut tile {
                        column[i] = simd.splat_f32s(bias[i]);
                    }
                }
            }
        }
        if let Some((a, b, triangle)) = self.triangle {
            add_triangle::<S, MR, NV>(simd, &mut tile, a.tile::<MR>(row), b, self.n, register, triangle);
        }
        for &(a, b) in self.terms {
            add_rows::<S, MR, NV>(simd, &mut tile, a.tile::<MR>(row), &b[register..], self.n);
        }
        for i in 0..MR {
            let c: &mut [S::f32s; NV] =
                self.c[(row + i) * self.n + register..].first_chunk_mut().expect("a tile");
            for j in 0..NV {
                c[j] = tile[j][i];
            }
        }
    }
}

/// [`add_rows`] for a triangular b of `n` registers a row, in squares of one register: those on one side of the
/// diagonal are left out.
#[inline(always)]
fn add_triangle<S: Lanes, const MR: usize, const NV: usize>(
    simd: S,
    tile: &mut Tile<S::f32s, MR, NV>,
    a: [&[f32]; MR],
    b: &[S::f32s],
    n: usize,
    register: usize,
    triangle: Triangle,
) {
    let lanes = S::F32_LANES;
    for square in 0..n {
        let (first, last) = (register, register + NV - 1);
        let mut part = a;
        for row in &mut part {
            *row = &row[square * lanes..(square + 1) * lanes];
        }
        let b = &b[square * lanes * n + register..];
        let all = match triangle {
            Triangle::Upper => first >= square,
            Triangle::Lower => last <= square,
        };
        if all {
            add_rows::<S, MR, NV>(simd, tile, part, b, n);
            continue;
        }
        for j in 0..NV {
            let used = match triangle {
                Triangle::Upper => register + j >= square,
                Triangle::Lower => register + j <= square,
            };
            if used {
                add_rows::<S, MR, 1>(simd, std::array::from_mut(&mut tile[j]), part, &b[j..], n);
            }
        }
    }
}

/// C (m, n) = start + A₁ B₁ + A₂ B₂ + …; `columns` is n in floats, a multiple of the lanes.
#[inline(always)]
pub fn rows<'a, S: Lanes>(
    simd: S,
    start: Start<'a>,
    terms: &'a [(Rows<'a>, &'a [S::f32s])],
    m: usize,
    columns: usize,
    c: &'a mut [f32],
) {
    let (c, _) = S::as_mut_simd_f32s(c);
    let n = columns / S::F32_LANES;
    each_tile::<S>(m, n, &mut RowsProduct { simd, start, triangle: None, terms, n, c });
}

/// C (m, n) = A₀ B₀ + A₁ B₁, where B₀ is square and triangular.
#[inline(always)]
pub fn triangle_and_rows<'a, S: Lanes>(
    simd: S,
    triangle: (Rows<'a>, &'a [S::f32s], Triangle),
    term: &'a (Rows<'a>, &'a [S::f32s]),
    m: usize,
    columns: usize,
    c: &'a mut [f32],
) {
    let (c, _) = S::as_mut_simd_f32s(c);
    let n = columns / S::F32_LANES;
    let (start, terms) = (Start::Zero, std::slice::from_ref(term));
    each_tile::<S>(m, n, &mut RowsProduct { simd, start, triangle: Some(triangle), terms, n, c });
}

/// A sum of outer products, C (m, n) += Σ_p a_pᵀ b_p.
struct Outer<'a, S: Lanes> {
    simd: S,
    /// Row p holds a_p (m).
    a: Rows<'a>,
    /// Row p, `ldb` registers after the one before, holds b_p (n).
    b: &'a [S::f32s],
    ldb: usize,
    count: usize,
    n: usize,
    c: &'a mut [S::f32s],
    /// Result columns left of a tile's rows are not wanted.
    triangle: bool,
}

impl<S: Lanes> TileBody<S> for Outer<'_, S> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, row: usize, register: usize) {
        if self.triangle && (register + NV) * S::F32_LANES <= row {
            return;
        }
        let simd = self.simd;
        let mut tile: Tile<S::f32s, MR, NV> = [[simd.splat_f32s(0.0); MR]; NV];
        for p in 0..self.count {
            let a: &[f32; MR] = self.a.values[p * self.a.stride + row..].first_chunk().expect("rows");
            let b: &[S::f32s; NV] = self.b[p * self.ldb + register..].first_chunk().expect("columns");
            for i in 0..MR {
                let x = simd.splat_f32s(a[i]);
                for j in 0..NV {
                    tile[j][i] = simd.mul_add_e_f32s(x, b[j], tile[j][i]);
                }
            }
        }
        for i in 0..MR {
            let c: &mut [S::f32s; NV] =
                self.c[(row + i) * self.n + register..].first_chunk_mut().expect("a tile");
            for j in 0..NV {
                c[j] = simd.add_f32s(c[j], tile[j][i]);
            }
        }
    }
}

/// C (m, columns) += Σ_p a_pᵀ b_p over the rows of A and of B, whose rows are `b_stride` floats apart. With `triangle`
/// only the elements on and right of the diagonal of a square C are wanted; others may be left as they are.
#[inline(always)]
pub fn outer<S: Lanes>(
    simd: S,
    a: Rows,
    (b, b_stride): (&[f32], usize),
    (count, columns): (usize, usize),
    triangle: bool,
    c: &mut [f32],
) {
    let (m, n, ldb) = (a.k, columns / S::F32_LANES, b_stride / S::F32_LANES);
    let ((b, _), (c, _)) = (S::as_simd_f32s(b), S::as_mut_simd_f32s(c));
    each_tile::<S>(m, n, &mut Outer { simd, a, b, ldb, count, n, c, triangle });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Rows, Start, Triangle, outer, rows, triangle_and_rows};
    use crate::engine::simd::{Isa, Kernel, Lanes};

    /// The products of one random case, next to the sums written out in f64.
    struct Case {
        m: usize,
        columns: usize,
        k: usize,
        a: Vec<f32>,
        b: Vec<f32>,
        square: Vec<f32>,
        left: Vec<f32>,
        c: [Vec<f32>; 5],
    }

    struct Products<'a>(&'a mut Case);

    impl Kernel for Products<'_> {
        #[inline(always)]
        fn run<S: Lanes>(self, simd: S) {
            let Case { m, columns, k, a, b, square, left, c } = self.0;
            let (m, columns, k) = (*m, *columns, *k);
            let (b_registers, _) = S::as_simd_f32s(b);
            let (square, _) = S::as_simd_f32s(square);
            let a_rows = Rows { values: a, stride: k + 3, k };
            let left = Rows { values: left, stride: columns, k: columns };
            let term = (a_rows, b_registers);
            let bias: Vec<f32> = (0..m).map(|i| i as f32).collect();
            rows(simd, Start::Bias(&bias), &[term], m, columns, &mut c[0]);
            rows(simd, Start::Add, &[term, term], m, columns, &mut c[1]);
            triangle_and_rows(simd, (left, square, Triangle::Upper), &term, m, columns, &mut c[2]);
            triangle_and_rows(simd, (left, square, Triangle::Lower), &term, m, columns, &mut c[3]);
            // Σ over the m rows of A and of the left factor: (k, columns).
            outer(simd, a_rows, (left.values, columns), (m, columns), false, &mut c[4]);
        }
    }

    struct Square<'a>(&'a [f32], &'a mut [f32]);

    impl Kernel for Square<'_> {
        #[inline(always)]
        fn run<S: Lanes>(self, simd: S) {
            let a = Rows { values: self.0, stride: 32, k: 32 };
            outer(simd, a, (self.0, 32), (3, 32), true, self.1);
        }
    }

    fn fill(len: usize, seed: u32) -> Vec<f32> {
        (0..len as u32).map(|i| ((i * 37 + seed * 11) % 17) as f32 / 8.0 - 1.0).collect()
    }

    proptest! {
        #[test]
        fn products_are_the_sums_written_out(m in 1_usize..21, registers in 1_usize..4, k in 1_usize..20) {
            for isa in Isa::available() {
                let columns = 16 * registers;
                let mut case = Case {
                    m, columns, k,
                    a: fill(m * (k + 3), 1),
                    b: fill(k * columns, 2),
                    square: fill(columns * columns, 3),
                    left: fill(m * columns, 4),
                    c: [0, 0, 0, 0, 1].map(|at| vec![2.0; if at == 0 { m } else { k } * columns]),
                };
                isa.run(Products(&mut case));
                let a = |i: usize, p: usize| f64::from(case.a[i * (k + 3) + p]);
                let left = |i: usize, p: usize| f64::from(case.left[i * columns + p]);
                let square = |p: usize, j: usize| f64::from(case.square[p * columns + j]);
                for i in 0..m {
                    for j in 0..columns {
                        let ab: f64 = (0..k).map(|p| a(i, p) * f64::from(case.b[p * columns + j])).sum();
                        // Whole squares of a register are used or left out: what is beyond the diagonal is zero in use.
                        let check = |value: f32, exact: f64| (f64::from(value) - exact).abs() < 1e-4;
                        prop_assert!(check(case.c[0][i * columns + j], i as f64 + ab));
                        prop_assert!(check(case.c[1][i * columns + j], 2.0 + 2.0 * ab));
                        let lanes = match isa.name() { "avx512" => 16, "avx2" => 8, _ => 1 };
                        let upper: f64 =
                            (0..columns).filter(|p| p / lanes <= j / lanes).map(|p| left(i, p) * square(p, j)).sum();
                        let lower: f64 =
                            (0..columns).filter(|p| p / lanes >= j / lanes).map(|p| left(i, p) * square(p, j)).sum();
                        prop_assert!(check(case.c[2][i * columns + j], ab + upper));
                        prop_assert!(check(case.c[3][i * columns + j], ab + lower));
                    }
                }
                for p in 0..k {
                    for j in 0..columns {
                        let exact: f64 = (0..m).map(|i| a(i, p) * left(i, j)).sum();
                        prop_assert!((f64::from(case.c[4][p * columns + j]) - 2.0 - exact).abs() < 1e-4);
                    }
                }
            }
        }
    }

    #[test]
    fn the_right_half_of_a_square_is_complete() {
        let values = fill(3 * 32, 5);
        for isa in Isa::available() {
            let mut c = vec![0.0; 32 * 32];
            isa.run(Square(&values, &mut c));
            for i in 0..32 {
                for j in i..32 {
                    let exact: f32 = (0..3).map(|p| values[p * 32 + i] * values[p * 32 + j]).sum();
                    assert!((c[i * 32 + j] - exact).abs() < 1e-5, "{} {i} {j}", isa.name());
                }
            }
        }
    }
}
