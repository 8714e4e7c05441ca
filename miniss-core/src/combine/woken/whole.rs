//! The waker of the whole: its owner leaves it in a place, and any thread takes it, to wake it.
//!
//! The place is one pointer to a counted waker. Both sides swap it, so there is nothing to wait for
//! and nothing to try again, also where an interrupt handler polls what it interrupted. The owner
//! keeps a share of its own: as long as it is polled by the same task, it leaves that one again,
//! and allocates nothing.
//!
//! # Why no wake is lost
//!
//! A wake writes, then takes; the owner leaves its waker, then reads. All swaps of the place
//! (acquire and release) stand in one order. If the wake's is the first, the owner's sees what was
//! written before it. If the owner's is the first, the wake finds a waker; or someone has taken
//! that in between and wakes it, and then the poll that follows swaps again, before the wake or
//! after.
//!
//! # Invariant
//!
//! - **The place is a share.** The pointer in it is null, or has a share in the waker that it leads
//!   to, which whoever swaps it out owns.

use core::ptr;
use core::task::Waker;

use crate::prim::{Arc, AtomicPtr, ordering};

/// Where the waker of a whole lies until it is taken.
pub(super) struct Place(AtomicPtr<Waker>);

impl Place {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Leaves `waker` in the place of the former one.
    pub(super) fn put(&self, waker: &Arc<Waker>) {
        let share = Arc::into_raw(Arc::clone(waker)).cast_mut();
        // AcqRel: see the essay above.
        let former = self.0.swap(share, ordering!(AcqRel, "whole: put"));
        // SAFETY: "The place is a share": it was swapped out.
        drop(unsafe { share_of(former) });
    }

    /// Takes the waker. `None` if it was taken since it was put, or its owner has gone.
    pub(super) fn take(&self) -> Option<Arc<Waker>> {
        // AcqRel: see the essay above.
        let taken = self.0.swap(ptr::null_mut(), ordering!(AcqRel, "whole: take"));
        // SAFETY: "The place is a share": it was swapped out.
        unsafe { share_of(taken) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// # Safety
/// "The place is a share": the pointer was swapped out of it just now.
unsafe fn share_of(waker: *mut Waker) -> Option<Arc<Waker>> {
    // SAFETY: the caller's promise.
    (!waker.is_null()).then(|| unsafe { Arc::from_raw(waker) })
}
