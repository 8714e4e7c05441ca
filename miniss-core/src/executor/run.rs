//! One task's turn: poll it, and clear up if it ended.
//!
//! The core has no `catch_unwind`. It does not swallow a panic, but a panic in a poll or a
//! destructor finds every structure in order: [`Unwinding`] ends the task on the way out.

use core::mem::{self, ManuallyDrop};
use core::ptr::NonNull;
use core::task::{Poll, Waker};

use super::owner::OwnerState;
use crate::task::header::Header;
use crate::task::state::{Hold, Start};
use crate::unobserved::{self, Source};
use crate::waker::raw_waker;

/// Does what is to be done with a task that was taken from the run queue.
#[inline]
pub(crate) fn run_task(owner: &OwnerState, slot: NonNull<Header>) {
    // SAFETY: *Headers are forever*.
    let header = unsafe { slot.as_ref() };
    match header.state.start_poll(header.abort_is_wanted()) {
        Start::Poll => poll_task(owner, slot, header),
        Start::Abort => abort_task(owner, slot, header),
        Start::Release => owner.slots.put(slot),
        Start::Skip => {}
    }
}

#[inline]
fn poll_task(owner: &OwnerState, slot: NonNull<Header>, header: &Header) {
    let vtable = header.vtable();
    // SAFETY: *Our table, our header*. A waker owns nothing, so a borrowed one need not be dropped.
    let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker(slot)) });
    owner.task_budget.start();
    let unwinding = Unwinding { owner, slot };
    // SAFETY: *Stage follows state*: `start_poll` found the future, and `RUNNING` keeps others
    // out.
    let poll = unsafe { (vtable.poll)(slot, &waker) };
    match poll {
        Poll::Pending => {
            mem::forget(unwinding);
            header.state.end_poll();
        }
        Poll::Ready(()) => {
            drop_unwanted_output(slot, header);
            mem::forget(unwinding);
            finish(owner, slot, header);
        }
    }
}

/// Drops the future of a task that was aborted.
#[cold]
pub(crate) fn abort_task(owner: &OwnerState, slot: NonNull<Header>, header: &Header) {
    let unwinding = Unwinding { owner, slot };
    // SAFETY: *Stage follows state*: the caller found the future, and no one is inside it.
    unsafe { (header.vtable().drop_future)(slot) };
    mem::forget(unwinding);
    finish(owner, slot, header);
}

/// No one will ask for the output of a task without a handle.
fn drop_unwanted_output(slot: NonNull<Header>, header: &Header) {
    if !header.state.has_handle() && header.state.take_output() {
        // SAFETY: *Stage follows state*: we have just taken the output.
        unsafe { (header.vtable().drop_output)(slot) };
    }
}

/// The future is gone: wake whoever awaits the outcome, or let the slot go.
fn finish(owner: &OwnerState, slot: NonNull<Header>, header: &Header) {
    match header.state.finish() {
        Hold::Release => owner.slots.put(slot),
        Hold::Kept => {
            // SAFETY: *Owner only*.
            if let Some(joiner) = unsafe { header.take_joiner() } {
                joiner.wake();
            }
        }
    }
}

/// Ends the task if its poll or destructor unwinds: it has neither future nor output then, and its
/// handle reads `Cancelled`.
struct Unwinding<'a> {
    owner: &'a OwnerState,
    slot: NonNull<Header>,
}

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.owner.task_budget.lift();
        // SAFETY: *Headers are forever*.
        let header = unsafe { self.slot.as_ref() };
        if header.state.has_future() {
            // SAFETY: *Stage follows state*: the future is there, and its poll has been left.
            unsafe { (header.vtable().drop_future)(self.slot) };
        }
        header.state.mark_failed();
        if !header.state.has_handle() {
            unobserved::report(Source::Task, "panic");
        }
        finish(self.owner, self.slot, header);
    }
}
