//! The end of an executor: every task is dropped at home, and the anchor is left clean.
//!
//! `[executor] ─▶ tasks, timers, anchor`

use core::ptr::NonNull;

use super::anchor::{Anchor, Base};
use super::home::Home;
use super::run::{abort_task, run_task};
use crate::doorbell::Doorbell;
use crate::task::JoinHandle;
use crate::task::header::Header;

/// Drops all tasks and timers. Destructors that run here may wake, drop handles and try to spawn,
/// which fails.
pub(super) fn shut_down(home: &Home) {
    home.is_open.set(false);
    let leave = Leave(home);
    leave.drop_tasks();
    drop(leave);
}

/// Finishes the shutdown even if a destructor unwinds through it: the tasks that are left are
/// dropped on the way out.
struct Leave<'a>(&'a Home);

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

/// An executor's right to its anchor. Dropped last, it lets the next executor move in, whatever
/// unwound before.
pub(super) struct Tenancy<B: Doorbell>(pub(super) &'static Anchor<B>);

impl<B: Doorbell> Drop for Tenancy<B> {
    fn drop(&mut self) {
        // SAFETY: *One tenant*: the executor that we are the last part of, on its thread.
        let home = unsafe { self.0.home() };
        clear_queues(self.0.base(), home);
        home.slots.forget_live();
        self.0.base().move_out();
    }
}

/// Takes every header out of the queues. All tasks are done by now, so none is polled and no
/// foreign code runs.
fn clear_queues(base: &Base, home: &Home) {
    home.take_inbox(base);
    home.queue.append(&home.behind);
    while let Some(slot) = home.queue.pop() {
        run_task(home, slot);
    }
}

/// Drops the future in `slot`, if there is one.
fn drop_future(home: &Home, slot: NonNull<Header>) {
    // SAFETY: *Headers are for ever*.
    let header = unsafe { slot.as_ref() };
    if header.state.start_drop() {
        abort_task(home, slot, header);
    }
}

impl Home {
    /// Drops the futures of all tasks that borrow from the scope that ends now.
    pub(super) fn drop_scoped_tasks(&self) {
        self.slots.for_each(|slot| {
            // SAFETY: *Headers are for ever*.
            if unsafe { slot.as_ref() }.state.is_scoped() {
                drop_future(self, slot);
            }
        });
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task here and now, outside of any turn.
    pub(super) fn end_now(&self, home: &Home) {
        self.with_slot(|slot| drop_future(home, slot));
    }
}
