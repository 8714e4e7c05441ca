//! A hint to the processor: what will be wanted soon.
//!
//! # Invariant
//!
//! - **A hint.** Nothing is read by it, so no address is wrong.

/// Fetches the cache line at `address`, if the processor takes the hint.
#[inline]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse", not(any(miri, loom))))]
    // SAFETY: *A hint*.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    let _ = address;
}
