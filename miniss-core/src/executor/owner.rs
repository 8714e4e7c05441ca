//! The home half of an executor cell: everything that one core alone touches.
//!
//! All of it is plain cells: *Owner only* (see [`crate::task`]) is upheld by whoever hands out a
//! reference to it. No method keeps a cell borrowed while foreign code runs, so everything here may
//! be re-entered from a poll, a destructor or a wake.

use core::cell::Cell;
use core::ptr::NonNull;

use super::budget::Budget;
use super::cell::Shared;
use super::pace::Pace;
use super::stats::Counters;
use super::watch::Watches;
use crate::coop::{TaskBudget, UNITS};
use crate::prefetch::prefetch;
use crate::run_queue::fifo::Fifo;
use crate::task::header::Header;
use crate::task::slots::Slots;
use crate::task::state::Wake;
use crate::time::Instant;
use crate::timer::Wheel;

/// Run queue, slots, timers and counters of one core.
pub(crate) struct OwnerState {
    /// Tasks to be polled.
    pub(crate) queue: Fifo,
    /// Tasks that woke themselves while they ran: they go behind the reactor's next turn.
    pub(crate) behind: Fifo,
    pub(crate) slots: Slots,
    pub(crate) wheel: Wheel,
    /// Where other cores leave something without a wake.
    pub(crate) watches: Watches,
    pub(crate) counters: Counters,
    /// For tasks that ask whether to give way.
    pub(crate) pace: Pace,
    /// For the leaves of the task that is polled.
    pub(crate) task_budget: TaskBudget,
    /// With the time in `pace`, the budget of a turn.
    pub(crate) polls_max: Cell<u32>,
    /// Tasks may be spawned: an executor is there, and not ending.
    pub(crate) is_open: Cell<bool>,
}

impl OwnerState {
    crate::prim::const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                queue: Fifo::new(),
                behind: Fifo::new(),
                slots: Slots::new(),
                wheel: Wheel::new(),
                watches: Watches::new(),
                counters: Counters::new(),
                pace: Pace::new(),
                task_budget: TaskBudget::new(),
                polls_max: Cell::new(0),
                is_open: Cell::new(false),
            }
        }
    }

    /// A new executor moves in.
    pub(crate) fn open(&self, shared: &Shared, address: NonNull<Shared>, now: Instant) {
        self.slots.set_up_main(address);
        self.slots.take_in(shared.returned());
        self.counters.reset(now);
        self.pace.start_again();
        self.task_budget.set_units(UNITS);
        self.task_budget.lift();
        self.is_open.set(true);
    }

    /// How much may be done in a turn.
    pub(crate) fn budget(&self) -> Budget {
        Budget { polls_max: self.polls_max.get(), time_max: self.pace.time_max() }
    }

    /// Queues the task in `slot` unless it is queued or done. Reads and writes one cache line of
    /// the task and one of ours; no atomic read-modify-write.
    #[inline]
    pub(crate) fn wake(&self, slot: NonNull<Header>) {
        // SAFETY: *Headers are forever*.
        match unsafe { slot.as_ref() }.state.wake() {
            Wake::Queue => self.queue.push(slot),
            Wake::QueueBehind => self.behind.push(slot),
            Wake::Nothing => return,
        }
        fetch_future(slot);
        self.counters.wakes_local.add(1);
    }

    /// Queues whatever was woken from afar.
    #[inline]
    pub(crate) fn drain_inbox(&self, shared: &Shared) {
        shared.inbox().drain(|slot| {
            // SAFETY: *Headers are forever*.
            if unsafe { slot.as_ref() }.state.wake() != Wake::Nothing {
                self.queue.push(slot);
                fetch_future(slot);
            }
            self.counters.wakes_foreign.add(1);
        });
    }

    /// Ends the turn with the poll under way, which has used up its time: those that wait keep
    /// their place, behind the reactor.
    pub(crate) fn end_turn(&self) {
        self.queue.append(&self.behind);
        self.behind.append(&self.queue);
    }

    /// Whether no task is ready.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.behind.is_empty()
    }
}

/// The poll will want the future, which lies behind the header. Among more tasks than the cache
/// holds, this takes a third off a wake and its poll; else it is one instruction.
#[inline]
fn fetch_future(slot: NonNull<Header>) {
    prefetch(slot.as_ptr().wrapping_add(1));
}
