//! Operations that are too large for a slot, on the heap.
//!
//! `user future ─▶ executor ─▶ reactor ─▶ [op] ─▶ kernel`
//!
//! Where there is no heap, no table takes one.

#[cfg(feature = "alloc")]
mod heap {
    use alloc::alloc::{Layout, alloc};
    use alloc::boxed::Box;
    use core::ptr::NonNull;

    /// Moves `op` to a place of its own; gives it back if there is no memory.
    pub(in super::super) fn put<O>(op: O) -> Result<*mut O, O> {
        let layout = Layout::new::<O>();
        let place = match layout.size() {
            0 => NonNull::<O>::dangling().as_ptr(),
            // SAFETY: the size is not zero.
            _ => unsafe { alloc(layout) }.cast::<O>(),
        };
        if place.is_null() {
            return Err(op);
        }
        // SAFETY: of an `O`'s size and alignment, and just made.
        unsafe { place.write(op) };
        Ok(place)
    }

    /// Moves an operation back out.
    ///
    /// # Safety
    /// It is one that was [`put`], and is not used any more.
    pub(in super::super) unsafe fn take<O>(place: *mut O) -> O {
        // SAFETY: it was allocated as a box is.
        *unsafe { Box::from_raw(place) }
    }
}

#[cfg(not(feature = "alloc"))]
mod heap {
    pub(in super::super) fn put<O>(op: O) -> Result<*mut O, O> {
        Err(op)
    }

    /// # Safety
    /// Nothing was ever put.
    pub(in super::super) unsafe fn take<O>(_place: *mut O) -> O {
        unreachable!("nothing was put on a heap that is not there")
    }
}

pub(super) use heap::{put, take};
