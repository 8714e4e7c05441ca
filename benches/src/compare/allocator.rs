//! The allocator of `compare`: that of the system, and a count of what it is asked for.
//!
//! `subject ─▶ its runtime ─▶ [allocator] ─▶ system`
//!
//! Counting is off, and then costs one branch, unless a run is about allocations: the figures of
//! time must not hear of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The allocator; it must be a program's global one for anything to be counted.
#[derive(Debug)]
pub struct Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts from now on, in all threads.
///
/// # Panics
///
/// If [`Counting`] is not this program's allocator: a count of nothing would look like success.
pub fn start() {
    IS_COUNTING.store(true, Ordering::Relaxed);
    let before = count();
    drop(black_box(Box::new(1_u8)));
    assert!(count() > before, "allocations are not counted in this program");
}

/// What was counted so far.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

#[inline]
fn one_more() {
    // Relaxed: the count is all that is told.
    if IS_COUNTING.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        one_more();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, bytes) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[cfg(test)]
#[global_allocator]
static COUNTING: Counting = Counting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_allocate_counts() {
        start();
        let before = count();
        let mut bytes = black_box(vec![0_u8; 10]);
        bytes.extend_from_slice(&[1; 100]);
        drop(black_box(Box::new(bytes)));
        assert!(count() >= before + 3);
    }
}
