//! A hint that memory will be read soon. The only `unsafe` of this crate.

use crate::engine::simd::buffer::LINE_FLOATS;

/// Asks for the cache lines of `values` in the second cache. Rows of a chunk lie in other pages than those of the next
/// one, where the processor's own prefetching stops.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(LINE_FLOATS) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing into the program and faults on no address; this one is of a live slice.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}
