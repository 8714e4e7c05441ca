//! The end of an executor: every task is dropped at home, and the executor cell is left clean.

use core::ptr::NonNull;

use super::cell::{ExecutorCell, Shared};
use super::owner::OwnerState;
use super::run::{abort_task, run_task};
use crate::task::JoinHandle;
use crate::task::header::Header;
use crate::unpark::Unpark;

/// Drops all tasks and timers. Destructors that run here may wake, drop handles and try to spawn,
/// which fails.
pub(super) fn shut_down(owner: &OwnerState) {
    owner.is_open.set(false);
    let leave = Leave(owner);
    leave.drop_tasks();
    drop(leave);
}

/// Finishes the shutdown even if a destructor unwinds through it: the tasks that are left are
/// dropped on the way out.
struct Leave<'a>(&'a OwnerState);

impl Leave<'_> {
    fn drop_tasks(&self) {
        self.0.slots.for_each(|slot| drop_future(self.0, slot));
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.drop_tasks();
        self.0.wheel.clear();
    }
}

/// An executor's right to its executor cell. Dropped last, it lets the next executor move in,
/// whatever unwound before.
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
