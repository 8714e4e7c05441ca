//! All armed timers of one executor in one list, in the order in which they will fire: for small
//! machines.
//!
//! # Invariants
//!
//! - **In order.** The nodes of `lists[WAITING]` are in the order of their deadlines, those of
//!   equal deadline in the order of arming. Those in `lists[DUE]` are due.
//!
//! and *The place tells the list* (see the wheel) and *Whole before foreign code* (see the module
//! `queue`).

use core::cell::Cell;
use core::pin::Pin;

use super::list::{List, TimerNode};
use super::queue::sealed::{Arm, Queue};
use super::queue::{HasTimers, TimerQueue};
use crate::defer::defer;
use crate::time::Instant;

const WAITING: usize = 0;
const DUE: usize = 1;

/// The armed timers of one executor, a few dozen at most: to arm one takes as many steps as there
/// are timers with later deadlines, to cancel one takes a few instructions. It has no methods to
/// call.
pub struct TimerList {
    /// The time of the last advance, in nanoseconds.
    now: Cell<u64>,
    lists: [List<Self>; 2],
}

impl TimerQueue for TimerList {}
impl HasTimers for TimerList {}

impl Queue for TimerList {
    const NEW: Self = Self { now: Cell::new(0), lists: [const { List::new() }; 2] };

    fn len(&self) -> usize {
        self.lists.iter().map(List::len).sum()
    }

    fn is_empty(&self) -> bool {
        self.lists.iter().all(List::is_empty)
    }

    fn next_deadline(&self) -> Option<Instant> {
        if !self.lists[DUE].is_empty() {
            return Some(Instant::from_nanos(self.now.get()));
        }
        // SAFETY: no foreign code runs here.
        let first = unsafe { self.lists[WAITING].front() }?;
        Some(Instant::from_nanos(first.when.get()))
    }

    fn advance(&self, now: Instant) -> usize {
        self.now.set(now.as_nanos().max(self.now.get()));
        // SAFETY: no foreign code runs before the next look.
        while let Some(node) = unsafe { self.lists[WAITING].front() }
            && node.when.get() <= self.now.get()
        {
            // SAFETY: *The place tells the list*.
            unsafe { self.lists[WAITING].unlink(node) };
            node.set_place(DUE);
            // SAFETY: *Linked means pinned*: its `Drop` will remove it.
            unsafe { self.lists[DUE].push_back(node) };
        }
        self.lists[DUE].fire(self)
    }

    fn clear(&self) {
        // It is empty then, also if a waker panics.
        let _again = defer(|| self.now.set(0));
        self.take_out();
    }
}

impl Arm for TimerList {
    const DUE: usize = DUE;

    fn arm(&'static self, node: Pin<&TimerNode<Self>>, deadline: Instant) {
        let node = node.get_ref();
        node.cancel();
        if deadline == Instant::MAX {
            return;
        }
        node.when.set(deadline.as_nanos().max(self.now.get()));
        node.set_queue(self);
        node.set_place(WAITING);
        // SAFETY: *Linked means pinned*: pinned by its type, `cancel` has unlinked it, its `Drop`
        // will.
        unsafe { self.lists[WAITING].insert(node) };
    }

    fn remove(&self, node: &TimerNode<Self>, place: usize) {
        // SAFETY: *The place tells the list*.
        unsafe { self.lists[place].unlink(node) };
    }

    fn due(&self) -> &List<Self> {
        &self.lists[DUE]
    }

    fn first(&self) -> Option<&List<Self>> {
        Some(&self.lists[WAITING])
    }
}
