//! Transposes of squares held in registers.

use crate::engine::simd::Lanes;

impl Lanes for pulp::Scalar {
    #[inline(always)]
    fn transpose(self, from: &[f32], _: usize, to: &mut [f32], _: usize) {
        to[0] = from[0];
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256, __m512, __m512d};

    use pulp::x86::{V3, V4};
    use pulp::{cast, f32x8, f32x16};

    use crate::engine::simd::Lanes;

    impl Lanes for V3 {
        #[inline(always)]
        fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
            let avx = self.avx;
            let zero: __m256 = cast(f32x8(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0));
            let mut rows = [zero; 8];
            for (i, row) in rows.iter_mut().enumerate() {
                let values: [f32; 8] = from[i * from_stride..][..8].try_into().expect("eight");
                *row = cast(values);
            }
            let mut pairs = [zero; 8];
            for i in 0..4 {
                pairs[2 * i] = avx._mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = avx._mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            // Columns k and k + 4 of rows 4 i to 4 i + 3.
            let mut fours = [zero; 8];
            for i in 0..2 {
                let [a, b, c, d] = [pairs[4 * i], pairs[4 * i + 1], pairs[4 * i + 2], pairs[4 * i + 3]];
                fours[4 * i] = avx._mm256_shuffle_ps::<0x44>(a, c);
                fours[4 * i + 1] = avx._mm256_shuffle_ps::<0xee>(a, c);
                fours[4 * i + 2] = avx._mm256_shuffle_ps::<0x44>(b, d);
                fours[4 * i + 3] = avx._mm256_shuffle_ps::<0xee>(b, d);
            }
            for k in 0..4 {
                let low: [f32; 8] = cast(avx._mm256_permute2f128_ps::<0x20>(fours[k], fours[k + 4]));
                let high: [f32; 8] = cast(avx._mm256_permute2f128_ps::<0x31>(fours[k], fours[k + 4]));
                to[k * to_stride..][..8].copy_from_slice(&low);
                to[(k + 4) * to_stride..][..8].copy_from_slice(&high);
            }
        }
    }

    impl Lanes for V4 {
        #[inline(always)]
        fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
            let avx = self.avx512f;
            let zero: __m512 = cast([0.0_f32; 16]);
            let mut rows = [zero; 16];
            for (i, row) in rows.iter_mut().enumerate() {
                let values: [f32; 16] = from[i * from_stride..][..16].try_into().expect("sixteen");
                *row = cast(values);
            }
            let mut pairs = [zero; 16];
            for i in 0..8 {
                pairs[2 * i] = avx._mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = avx._mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            for i in 0..4 {
                let [a, b, c, d]: [__m512d; 4] =
                    [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3].map(|k| cast(pairs[k]));
                rows[4 * i] = cast(avx._mm512_unpacklo_pd(a, c));
                rows[4 * i + 1] = cast(avx._mm512_unpackhi_pd(a, c));
                rows[4 * i + 2] = cast(avx._mm512_unpacklo_pd(b, d));
                rows[4 * i + 3] = cast(avx._mm512_unpackhi_pd(b, d));
            }
            // Quarters of 128 bits: first the even and odd ones of two rows, then of two pairs.
            for i in 0..4 {
                pairs[i] = avx._mm512_shuffle_f32x4::<0x88>(rows[i], rows[i + 4]);
                pairs[i + 4] = avx._mm512_shuffle_f32x4::<0xdd>(rows[i], rows[i + 4]);
                pairs[i + 8] = avx._mm512_shuffle_f32x4::<0x88>(rows[i + 8], rows[i + 12]);
                pairs[i + 12] = avx._mm512_shuffle_f32x4::<0xdd>(rows[i + 8], rows[i + 12]);
            }
            for i in 0..8 {
                rows[i] = avx._mm512_shuffle_f32x4::<0x88>(pairs[i], pairs[i + 8]);
                rows[i + 8] = avx._mm512_shuffle_f32x4::<0xdd>(pairs[i], pairs[i + 8]);
            }
            for (i, row) in rows.into_iter().enumerate() {
                let values: f32x16 = cast(row);
                let values: [f32; 16] = cast(values);
                to[i * to_stride..][..16].copy_from_slice(&values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::simd::{Isa, Kernel, Lanes};

    struct Square<'a>(&'a [f32], &'a mut [f32], &'a mut usize);

    impl Kernel for Square<'_> {
        #[inline(always)]
        fn run<S: Lanes>(self, simd: S) {
            *self.2 = S::F32_LANES;
            simd.transpose(self.0, 20, self.1, 18);
        }
    }

    #[test]
    fn rows_become_columns() {
        let from: Vec<f32> = (0..400).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let (mut to, mut lanes) = (vec![0.0; 400], 0);
            isa.run(Square(&from, &mut to, &mut lanes));
            for row in 0..lanes {
                for column in 0..lanes {
                    assert_eq!(to[row * 18 + column], from[column * 20 + row], "{}", isa.name());
                }
            }
        }
    }
}
