//! The end of an executor: every task is dropped at home, and the anchor is left clean.
//!
//! `[executor] ─▶ tasks, timers, anchor`

use core::ptr::NonNull;

use super::anchor::Anchor;
use super::home::Home;
use super::run::{abort_task, run_task};
use crate::doorbell::Doorbell;
use crate::task::JoinHandle;
use crate::task::header::Header;

/// Drops all tasks and timers, then lets the next executor move in. Destructors that run here may
/// wake, drop handles and try to spawn, which fails.
pub(super) fn shut_down<B: Doorbell>(anchor: &'static Anchor<B>, home: &Home) {
    home.closing.set(true);
    let leave = Leave { anchor, home };
    leave.drop_tasks();
    drop(leave);
}

/// Finishes the shutdown even if a destructor unwinds through it: the tasks that are left are
/// dropped on the way out.
struct Leave<'a, B: Doorbell> {
    anchor: &'static Anchor<B>,
    home: &'a Home,
}

impl<B: Doorbell> Leave<'_, B> {
    fn drop_tasks(&self) {
        self.home.slots.for_each(|slot| drop_future(self.home, slot));
    }

    /// Takes every header out of the queues. All tasks are done by now, so none is polled.
    fn clear_queues(&self) {
        let home = self.home;
        home.take_inbox(self.anchor.base());
        home.queue.append(&home.behind);
        while let Some(slot) = home.queue.pop() {
            run_task(home, slot);
        }
    }
}

impl<B: Doorbell> Drop for Leave<'_, B> {
    fn drop(&mut self) {
        let _at_the_end = MoveOut { anchor: self.anchor, home: self.home };
        self.drop_tasks();
        self.home.wheel.clear();
        self.clear_queues();
    }
}

/// Lets the next executor move in, whatever unwound before.
struct MoveOut<'a, B: Doorbell> {
    anchor: &'static Anchor<B>,
    home: &'a Home,
}

impl<B: Doorbell> Drop for MoveOut<'_, B> {
    fn drop(&mut self) {
        self.home.slots.forget_live();
        self.anchor.base().move_out();
    }
}

/// Drops the future in `slot`, if there is one.
fn drop_future(home: &Home, slot: NonNull<Header>) {
    // SAFETY: *Headers are for ever*.
    let header = unsafe { slot.as_ref() };
    if header.state.is_droppable() {
        abort_task(home, slot, header);
    }
}

impl<T> JoinHandle<T> {
    /// Ends the task here and now, outside of any turn.
    pub(super) fn end_now(&self, home: &Home) {
        self.with_slot(|slot| drop_future(home, slot));
    }
}
