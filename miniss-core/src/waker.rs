//! The waker: the address of a task's header, and two ways from there to the run queue.
//!
//! Cloning and dropping a waker does nothing at all, since a header is never given back (*Headers
//! are forever*, see [`crate::task`]). At home a wake is a look at the state word and a push on a
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
use crate::executor::cell::{ExecutorCell, Shared};
use crate::task::header::Header;
use crate::unpark::Unpark;

/// The functions of the wakers of all tasks. What depends on the kind of unparker stands in the
/// executor cell.
static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The waker of the task at `header`. Making, cloning and dropping it costs nothing.
#[inline]
pub(crate) fn raw_waker(header: NonNull<Header>) -> RawWaker {
    RawWaker::new(header.as_ptr().cast_const().cast(), &TABLE)
}

/// The executor cell of the executor whose task `waker` wakes; `None` if it is not that of a task.
#[inline]
pub(crate) fn executor_of(waker: &Waker) -> Option<NonNull<Shared>> {
    if !ptr::eq(waker.vtable(), &TABLE) {
        return None;
    }
    // SAFETY: *Our table, our header*, and *Headers are forever*.
    Some(unsafe { &*waker.data().cast::<Header>() }.executor)
}

/// The budget of the executor whose task `waker` wakes; `None` if it is not that of a task.
#[inline]
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    // SAFETY: executor cells are `'static`.
    executor_of(waker).map(|cell| unsafe { cell.as_ref() }.task_budget())
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
    // SAFETY: *Headers are forever*.
    let shared = unsafe { slot.as_ref() }.executor;
    // SAFETY: executor cells are `'static`.
    let shared = unsafe { shared.as_ref() };
    // SAFETY: a task's header was made by an executor on its executor cell. Whoever brought the
    // waker to this thread brought the writes before it, too.
    let wake = unsafe { shared.wake() };
    // SAFETY: the executor cell's own function, for a header that points at it.
    unsafe { wake(slot) };
}

/// # Safety
/// None: it looks at nothing.
unsafe fn drop_nothing(_: *const ()) {}

/// Wakes a task on an executor whose unparker is a `U`.
///
/// # Safety
/// The task's header points at the shared that an `ExecutorCell<U>` begins with.
pub(crate) unsafe fn wake_on<U: Unpark>(slot: NonNull<Header>) {
    // SAFETY: *Headers are forever*.
    let shared = unsafe { slot.as_ref() }.executor;
    // SAFETY: the caller's promise, and executor cells are `'static`.
    let cell = unsafe { shared.cast::<ExecutorCell<U>>().as_ref() };
    if cell.unparker().is_local() {
        // SAFETY: *Owner only*: the unparker vouches for it.
        unsafe { cell.owner() }.wake(slot);
    } else {
        cell.wake_remote(slot);
    }
}
