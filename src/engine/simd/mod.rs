//! Vector code of the f32 engine: one source, the widest registers that the processor has.
//!
//! A [`Kernel`] is written once over [`Lanes`] and compiled for AVX-512, AVX2 with FMA and one lane; [`Isa::detect`]
//! chooses at run time. The crate `pulp` makes every instruction safe to call; only [`prefetch`] is not. The three
//! paths round differently (fused or separate multiply-add, width of partial sums), each always in the same way.

pub mod buffer;
pub mod math;
pub mod prefetch;
pub mod product;
mod transpose;

use pulp::{Simd, WithSimd};

/// Instruction set of the kernels.
#[derive(Clone, Copy, Debug)]
pub enum Isa {
    /// 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    /// 8 lanes, fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    /// One lane: correct everywhere.
    Portable,
}

impl Isa {
    /// The widest that this processor has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(lanes) = pulp::x86::V4::try_new() {
                return Isa::Avx512(lanes);
            }
            if let Some(lanes) = pulp::x86::V3::try_new() {
                return Isa::Avx2(lanes);
            }
        }
        Isa::Portable
    }

    /// All that this processor has, widest first.
    pub fn available() -> Vec<Isa> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(pulp::x86::V4::try_new().map(Isa::Avx512));
            sets.extend(pulp::x86::V3::try_new().map(Isa::Avx2));
        }
        sets.push(Isa::Portable);
        sets
    }

    /// Name on command lines and in results.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Floats of a register.
    pub fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => 16,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => 8,
            Isa::Portable => 1,
        }
    }

    /// Runs a kernel with this instruction set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(lanes) => Simd::vectorize(lanes, On { kernel, lanes }),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(lanes) => Simd::vectorize(lanes, On { kernel, lanes }),
            Isa::Portable => kernel.run(pulp::Scalar::new()),
        }
    }
}

/// Work that is compiled once for every instruction set. `run` and all that it calls must be `inline(always)`: only
/// then is it compiled with the instructions of its caller. A closure would not be.
///
/// A kernel may ignore `simd` and leave plain loops to the compiler: it fuses no product and keeps the order of sums, so
/// that such a kernel gives the same bits with every instruction set.
pub trait Kernel {
    /// The work.
    fn run<S: Lanes>(self, simd: S);
}

/// Registers of one width, with what `pulp` lacks: a transpose.
pub trait Lanes: Simd {
    /// Transposes a square of as many rows and columns as there are lanes, from rows `from_stride` apart to rows
    /// `to_stride` apart.
    fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize);
}

/// A kernel with its registers, in the form in which `pulp` runs code.
struct On<K, S> {
    kernel: K,
    lanes: S,
}

impl<K: Kernel, L: Lanes> WithSimd for On<K, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.kernel.run(self.lanes);
    }
}
