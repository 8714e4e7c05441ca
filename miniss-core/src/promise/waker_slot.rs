//! The place of a waiter's waker, which may be copied while it is being replaced.
//!
//! A waker is two words. They are kept as two atomics, so that a promise may copy them before it
//! knows whether they will be its own (see `state`): a copy made at the wrong moment is then a
//! pair of meaningless words, not a data race. Only [`WakerCopy::into_waker`] turns words back
//! into a waker, and it is `unsafe`. All accesses are relaxed; the state word orders them.
//!
//! **Waker Turn Invariant**: the waker in the slot has one owner, and only the owner may turn a
//! copy into a [`Waker`]. It is the future, from `put` on; it becomes the promise at the
//! transition that returns `Ended::Wake` (with the copy made before it) or `Ended::TakeWaker`.

use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{RawWakerVTable, Waker};

use crate::prim::{AtomicPtr, Ordering, const_fn};

/// Room for one waker. Dropping it drops nothing: ownership is the state word's affair.
pub(super) struct WakerSlot {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// The words that were in a slot at some moment; perhaps a waker's, perhaps anybody's.
#[derive(Clone, Copy)]
pub(super) struct WakerCopy {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl WakerSlot {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { data: AtomicPtr::new(ptr::null_mut()), vtable: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Puts a waker in. What was there is forgotten, not dropped.
    #[inline]
    pub(super) fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    /// Copies the words.
    #[inline]
    pub(super) fn copy(&self) -> WakerCopy {
        WakerCopy {
            data: self.data.load(Ordering::Relaxed),
            vtable: self.vtable.load(Ordering::Relaxed),
        }
    }

    /// Whether the words are those of `waker`: [`Waker::will_wake`], for a waker that may have
    /// been woken and dropped since.
    #[inline]
    pub(super) fn holds(&self, waker: &Waker) -> bool {
        let copy = self.copy();
        copy.data == waker.data() && ptr::eq(copy.vtable, waker.vtable())
    }
}

impl WakerCopy {
    /// The waker whose words these are.
    ///
    /// # Safety
    /// The words are those of a waker that was put in the slot, the caller owns it by the Waker
    /// Turn Invariant, and it is turned into a waker only this once.
    #[inline]
    pub(super) unsafe fn into_waker(self) -> Waker {
        #[cfg(loom)]
        assert!(!self.vtable.is_null(), "a waker was taken that is not there");
        // SAFETY: by the contract, both words come from one waker, which `put` kept from being
        // dropped and which no one else will turn back.
        unsafe { Waker::new(self.data, &*self.vtable) }
    }
}

/// To the models, freeing the slot is one more access: whoever may still touch it is in a race.
#[cfg(all(test, loom))]
impl Drop for WakerSlot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.data.with_mut(|_| ());
            self.vtable.with_mut(|_| ());
        }
    }
}
