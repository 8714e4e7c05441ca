//! The waker: the address of a task's header, and two ways from there to the run queue.
//!
//! `completion ─▶ [waker] ─▶ run queue ─▶ executor ─▶ task`
//!
//! Cloning and dropping a waker does nothing at all, since a header is never given back (*Headers
//! are for ever*, see [`crate::task`]). At home a wake is a look at the state word and a push on a
//! list; from anywhere else it is a push on the inbox, and a ring if the core sleeps. No destructor
//! ever runs in here, so a future is always dropped by its own core.
//!
//! # Invariant
//!
//! - **Our table, our header.** The data word of a waker with [`TABLE`] is a header's address.
//!   [`raw_waker`] makes them all, and to make one with other data breaks what [`RawWaker`] asks
//!   for. A `static` has an address of its own, so a waker with that address has this table.

use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::coop::TaskBudget;
use crate::doorbell::Doorbell;
use crate::executor::anchor::{Anchor, Base};
use crate::task::header::Header;

/// The functions of the wakers of all tasks. What depends on the kind of bell stands in the anchor.
static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The waker of the task at `header`. Making, cloning and dropping it costs nothing.
#[inline]
pub(crate) fn raw_waker(header: NonNull<Header>) -> RawWaker {
    RawWaker::new(header.as_ptr().cast_const().cast(), &TABLE)
}

/// The anchor of the executor whose task `waker` wakes; `None` if it is not that of a task.
#[inline]
pub(crate) fn anchor_of(waker: &Waker) -> Option<NonNull<Base>> {
    if !ptr::eq(waker.vtable(), &TABLE) {
        return None;
    }
    // SAFETY: *Our table, our header*, and *Headers are for ever*.
    Some(unsafe { &*waker.data().cast::<Header>() }.anchor)
}

/// The budget of the executor whose task `waker` wakes; `None` if it is not that of a task.
#[inline]
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    // SAFETY: anchors are `'static`.
    anchor_of(waker).map(|anchor| unsafe { anchor.as_ref() }.task_budget())
}

/// # Safety
/// `data` is the data word of one of our wakers: a header's address.
unsafe fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &TABLE)
}

/// # Safety
/// As for [`clone`].
unsafe fn wake(data: *const ()) {
    // SAFETY: an address is never null.
    let slot = unsafe { NonNull::new_unchecked(data.cast_mut().cast::<Header>()) };
    // SAFETY: *Headers are for ever*.
    let base = unsafe { slot.as_ref() }.anchor;
    // SAFETY: anchors are `'static`.
    let base = unsafe { base.as_ref() };
    // SAFETY: a task's header was made by an executor on its anchor. Whoever brought the waker to
    // this thread brought the writes before it, too.
    let wake = unsafe { base.wake() };
    // SAFETY: the anchor's own function, for a header that points at it.
    unsafe { wake(slot) };
}

/// # Safety
/// None: it looks at nothing.
unsafe fn drop_nothing(_: *const ()) {}

/// Wakes a task on an executor whose doorbell is a `B`.
///
/// # Safety
/// The task's header points at the base that an `Anchor<B>` begins with.
pub(crate) unsafe fn wake_on<B: Doorbell>(slot: NonNull<Header>) {
    // SAFETY: *Headers are for ever*.
    let base = unsafe { slot.as_ref() }.anchor;
    // SAFETY: the caller's promise, and anchors are `'static`.
    let anchor = unsafe { base.cast::<Anchor<B>>().as_ref() };
    if anchor.bell().is_home() {
        // SAFETY: *Home only*: the bell vouches for it.
        unsafe { anchor.home() }.wake(slot);
    } else {
        anchor.wake_from_afar(slot);
    }
}
