//! The waker: the address of a task's header, and two ways from there to the run queue.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`
//!
//! Cloning and dropping a waker does nothing at all, since a header is never given back (*Headers
//! are for ever*, see [`crate::task`]). At home a wake is a look at the state word and a push on a
//! list; from anywhere else it is a push on the inbox, and a ring if the core sleeps. No destructor
//! ever runs in here, so a future is always dropped by its own core.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable};

use crate::doorbell::Doorbell;
use crate::executor::anchor::Anchor;
use crate::task::header::{Header, raw_waker};

/// The waker functions for executors whose doorbell is a `B`.
pub(crate) struct WakerVtable<B>(PhantomData<B>);

impl<B: Doorbell> WakerVtable<B> {
    pub(crate) const TABLE: &'static RawWakerVTable =
        &RawWakerVTable::new(clone::<B>, wake::<B>, wake::<B>, drop_nothing);
}

/// # Safety
/// `data` is the data word of one of our wakers: a header's address.
unsafe fn clone<B: Doorbell>(data: *const ()) -> RawWaker {
    // SAFETY: an address is never null.
    let header = unsafe { NonNull::new_unchecked(data.cast_mut().cast::<Header>()) };
    raw_waker(header, WakerVtable::<B>::TABLE)
}

/// # Safety
/// As for [`clone`], of a task on a `B` executor.
unsafe fn wake<B: Doorbell>(data: *const ()) {
    // SAFETY: an address is never null.
    let slot = unsafe { NonNull::new_unchecked(data.cast_mut().cast::<Header>()) };
    // SAFETY: *Headers are for ever*.
    let base = unsafe { slot.as_ref() }.anchor;
    // SAFETY: the header of a task on a `B` executor points at the base that an `Anchor<B>`
    // begins with, and anchors are `'static`.
    let anchor = unsafe { base.cast::<Anchor<B>>().as_ref() };
    if anchor.bell().is_home() {
        // SAFETY: *Home only*: the bell vouches for it.
        unsafe { anchor.home() }.wake(slot);
    } else {
        anchor.wake_from_afar(slot);
    }
}

/// # Safety
/// None: it looks at nothing.
unsafe fn drop_nothing(_: *const ()) {}
