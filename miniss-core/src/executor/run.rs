//! One task's turn: poll it, and clear up if it ended. And the end of all tasks, when the executor
//! or a scope ends.
//!
//! The core has no `catch_unwind`. It does not swallow a panic, but a panic in a poll or a
//! destructor finds every structure in order: [`end_unwound`] ends the task on the way out.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{Poll, Waker};

use super::cell::{ExecutorCell, OwnerState, Shared};
use super::join::JoinHandle;
use super::wake::raw_waker;
use crate::defer::defer;
use crate::reactor::Unpark;
use crate::task::cell::Header;
use crate::task::state::{Hold, Start};
use crate::timer::queue::sealed::Queue;
use crate::unobserved::{self, Source};

/// Polls a task that was taken from the run queue, or drops what was aborted or has ended.
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
    let unwinding = defer(move || end_unwound(owner, slot));
    // SAFETY: *Stage follows state*: `start_poll` found the future, and `RUNNING` keeps others
    // out.
    let poll = unsafe { (vtable.poll)(slot, &waker) };
    match poll {
        Poll::Pending => {
            unwinding.disarm();
            header.state.end_poll();
        }
        Poll::Ready(()) => {
            drop_unwanted_output(slot, header);
            unwinding.disarm();
            finish(owner, slot, header);
        }
    }
}

/// Drops the future of a task that was aborted.
#[cold]
pub(crate) fn abort_task(owner: &OwnerState, slot: NonNull<Header>, header: &Header) {
    let unwinding = defer(move || end_unwound(owner, slot));
    // SAFETY: *Stage follows state*: the caller found the future, and no one is inside it.
    unsafe { (header.vtable().drop_future)(slot) };
    unwinding.disarm();
    finish(owner, slot, header);
}

/// No one will ask for the output of a task without a handle.
fn drop_unwanted_output(slot: NonNull<Header>, header: &Header) {
    if !header.state.has_handle() && header.state.take_output() {
        // SAFETY: *Stage follows state*: we have just taken the output.
        unsafe { (header.vtable().drop_output)(slot) };
    }
}

/// The future is gone: wakes the task that awaits the outcome, or releases the slot.
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
#[cold]
fn end_unwound(owner: &OwnerState, slot: NonNull<Header>) {
    owner.task_budget.lift();
    // SAFETY: *Headers are forever*.
    let header = unsafe { slot.as_ref() };
    if header.state.has_future() {
        // SAFETY: *Stage follows state*: the future is there, and its poll has been left.
        unsafe { (header.vtable().drop_future)(slot) };
    }
    header.state.mark_failed();
    if !header.state.has_handle() {
        unobserved::report(Source::Task, "panic");
    }
    finish(owner, slot, header);
}

/// Drops all tasks and timers. Destructors that run here may wake, drop handles and try to spawn,
/// which fails.
pub(super) fn shut_down(owner: &OwnerState, timers: &impl Queue) {
    owner.is_open.set(false);
    let drop_tasks = || owner.slots.for_each(|slot| drop_future(owner, slot));
    let _timers = defer(|| timers.clear());
    // If a destructor unwinds, the tasks that are left are dropped on the way out.
    let _rest = defer(drop_tasks);
    drop_tasks();
}

/// An executor's claim on its executor cell. Dropped last, it releases the cell for the next
/// executor, also if something unwound before.
pub(super) struct Claim<U: Unpark>(pub(super) &'static ExecutorCell<U>);

impl<U: Unpark> Drop for Claim<U> {
    fn drop(&mut self) {
        // SAFETY: *One claim*: the executor that we are the last part of, on its thread.
        let owner = unsafe { self.0.owner() };
        clear_queues(self.0.shared(), owner);
        owner.slots.forget_live();
        self.0.shared().release();
    }
}

/// Takes every header out of the queues. All tasks are done by now, so none is polled and no
/// foreign code runs.
fn clear_queues(shared: &Shared, owner: &OwnerState) {
    owner.drain_inbox(shared);
    owner.queue.append(&owner.behind);
    owner.forget_groups();
    while let Some(slot) = owner.queue.pop() {
        run_task(owner, slot);
    }
}

/// Drops the future in `slot`, if there is one.
fn drop_future(owner: &OwnerState, slot: NonNull<Header>) {
    // SAFETY: *Headers are forever*.
    let header = unsafe { slot.as_ref() };
    if header.state.start_drop() {
        abort_task(owner, slot, header);
    }
}

impl OwnerState {
    /// Drops the futures of all tasks that borrow from the scope that ends now.
    pub(super) fn drop_scoped_tasks(&self) {
        self.slots.for_each(|slot| {
            // SAFETY: *Headers are forever*.
            if unsafe { slot.as_ref() }.state.is_scoped() {
                drop_future(self, slot);
            }
        });
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task here and now, outside of any turn.
    pub(super) fn end_now(&self, owner: &OwnerState) {
        self.with_slot(|slot| drop_future(owner, slot));
    }
}
