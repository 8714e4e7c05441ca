//! The state word of a task: one word, and a method for each way in which it may change.
//!
//! The word has one writer at a time (see the table in [`super`]), so a transition is a relaxed
//! load and a relaxed store: on every machine two plain moves. It is an atomic only because two
//! threads may look at it together: one with a handle that outlives its executor, and the slot's
//! next owner, at a stale wake.
//!
//! ```text
//!          1 spawn
//!   free ───────────▶ queued ◀──────────┐
//!    ▲                  │               │ 4 wake
//!    │ 6 release        │ 2 start_poll  │
//!    │                  ▼               │
//!   done ◀─────────── running ───────▶ parked
//!          5 finish          3 end_poll
//! ```
//!
//! 1. [`spawn`](State::spawn): a future stands in the slot, and the task in the queue.
//! 2. [`start_poll`](State::start_poll): the executor took the task from the queue, to poll it or,
//!    after [`request_abort`](State::request_abort), to drop its future.
//! 3. [`end_poll`](State::end_poll): the poll returned `Pending`.
//! 4. [`wake`](State::wake): the task stands in the queue again. In its own poll, too: it is
//!    running and queued then, behind the reactor's next turn.
//! 5. [`take_future`](State::take_future), [`put_output`](State::put_output) if there is one, and
//!    [`finish`](State::finish). Where a scope or the executor ends, a task comes here from queued
//!    or parked without a poll, by [`start_drop`](State::start_drop).
//! 6. [`release`](State::release): the last of queue, output ([`take_output`](State::take_output))
//!    and handle ([`drop_handle`](State::drop_handle)) has let go of the slot.

use crate::prim::{AtomicU32, Ordering::Relaxed, const_fn, planted};

/// The slot holds a task (from spawn until the last of future, output, handle and queue let go).
const LIVE: u32 = 1 << 0;
/// The task stands in the run queue, once.
const QUEUED: u32 = 1 << 1;
/// Its future is being polled or dropped right now.
const RUNNING: u32 = 1 << 2;
/// The stage holds the future.
const FUTURE: u32 = 1 << 3;
/// The stage holds the output.
const OUTPUT: u32 = 1 << 4;
/// A `JoinHandle` exists.
const HANDLE: u32 = 1 << 5;
/// Its `JoinHandle` asked for an abort.
const ABORT: u32 = 1 << 6;
/// The task borrows from a scope, which does not end before it.
const SCOPED: u32 = 1 << 7;
/// A panic ended the task.
const FAILED: u32 = 1 << 8;
/// An `AbortHandle` knows the task, so its slot's next task must be told from it.
const ABORT_HANDLE: u32 = 1 << 9;

/// The state word. See the module's table for who may call what.
#[derive(Debug)]
pub(crate) struct State(AtomicU32);

/// What a local wake has to do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wake {
    /// Queue the task.
    Queue,
    /// Queue it behind the reactor: it woke itself while it ran.
    QueueBehind,
    /// Nothing: already queued, already done, or a stale wake.
    Nothing,
}

/// What is to be done with a task taken from the run queue.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Start {
    /// Poll it.
    Poll,
    /// Drop its future: it was aborted.
    Abort,
    /// It has ended; the queue held it last, so release the slot.
    Release,
    /// It has ended and its handle still holds the slot.
    Skip,
}

/// Who holds the slot once something has let go of it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Hold {
    /// No one: release it.
    Release,
    /// Someone else.
    Kept,
}

impl State {
    const_fn! {
        /// A free slot.
        pub(crate) const fn free() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    fn load(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn store(&self, bits: u32) {
        self.0.store(bits, Relaxed);
    }

    fn has(&self, bits: u32) -> bool {
        self.load() & bits != 0
    }

    fn set(&self, bits: u32) {
        self.store(self.load() | bits);
    }

    fn clear(&self, bits: u32) {
        self.store(self.load() & !bits);
    }

    /// A future has been written to the stage of a free slot; it stands in the queue at once.
    pub(crate) fn spawn(&self) {
        debug_assert_eq!(self.load(), 0, "a slot in use was handed out");
        self.store(LIVE | FUTURE | QUEUED | HANDLE);
    }

    /// The task borrows from a scope.
    pub(crate) fn mark_scoped(&self) {
        self.set(SCOPED);
    }

    /// Whether the task borrows from a scope.
    pub(crate) fn is_scoped(&self) -> bool {
        self.has(SCOPED)
    }

    /// A panic ends the task.
    pub(crate) fn mark_failed(&self) {
        self.set(FAILED);
    }

    /// Whether a panic ended the task.
    pub(crate) fn has_failed(&self) -> bool {
        self.has(FAILED)
    }

    /// A handle is made for a task that could not begin: it never had a future.
    pub(crate) fn end_before_it_began(&self) {
        debug_assert_eq!(self.load(), 0, "a slot in use was handed out");
        self.store(LIVE | HANDLE);
    }

    /// Whether the slot holds nothing and no one holds it.
    pub(crate) fn is_free(&self) -> bool {
        self.load() == 0
    }

    /// The task is to be polled.
    #[inline]
    pub(crate) fn wake(&self) -> Wake {
        let bits = self.load();
        let may_run = bits & (LIVE | FUTURE | QUEUED) == LIVE | FUTURE;
        if !may_run && !planted("wake: what is free stays free") {
            return Wake::Nothing;
        }
        self.store(bits | QUEUED);
        if bits & RUNNING == 0 { Wake::Queue } else { Wake::QueueBehind }
    }

    /// The executor took the task from the queue. `abort_wanted`: another core asked for an abort.
    #[inline]
    pub(crate) fn start_poll(&self, abort_wanted: bool) -> Start {
        let bits = self.load() & !QUEUED;
        if bits & FUTURE == 0 {
            self.store(bits);
            return match self.holder() {
                Hold::Release => Start::Release,
                Hold::Kept => Start::Skip,
            };
        }
        self.store(bits | RUNNING);
        if abort_wanted || bits & ABORT != 0 { Start::Abort } else { Start::Poll }
    }

    /// The poll returned `Pending`.
    #[inline]
    pub(crate) fn end_poll(&self) {
        self.clear(RUNNING);
    }

    /// The future is about to be dropped in place: from here on the stage does not hold it.
    pub(crate) fn take_future(&self) {
        self.clear(FUTURE);
    }

    /// The output has been written to the stage.
    pub(crate) fn put_output(&self) {
        self.set(OUTPUT);
    }

    /// The output is about to be moved out of the stage, if it is there.
    #[must_use]
    pub(crate) fn take_output(&self) -> bool {
        let there = self.has(OUTPUT);
        self.clear(OUTPUT);
        there
    }

    /// The future is gone, by completion or abort.
    pub(crate) fn finish(&self) -> Hold {
        self.clear(RUNNING | ABORT);
        self.holder()
    }

    /// The `JoinHandle` lets go. The output must have been taken before.
    pub(crate) fn drop_handle(&self) -> Hold {
        self.clear(HANDLE);
        self.holder()
    }

    /// Its `JoinHandle` asks for an abort; `false` if the future is gone already.
    #[must_use]
    pub(crate) fn request_abort(&self) -> bool {
        if !self.has(FUTURE) {
            return false;
        }
        self.set(ABORT);
        true
    }

    /// The slot goes back to its free list. Returns whether an `AbortHandle` knows its task.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        debug_assert!(self.holder() == Hold::Release, "a slot was released while in use");
        let had_abort_handle = self.has(ABORT_HANDLE);
        self.store(0);
        had_abort_handle
    }

    /// An `AbortHandle` is made.
    pub(crate) fn mark_abort_handle(&self) {
        self.set(ABORT_HANDLE);
    }

    /// Whether the task is over, so that a handle need not wait: the future is gone, and the output
    /// is where it will be.
    pub(crate) fn is_done(&self) -> bool {
        !self.has(FUTURE | RUNNING)
    }

    /// Whether the stage holds the future.
    pub(crate) fn has_future(&self) -> bool {
        self.has(FUTURE)
    }

    /// The future is about to be dropped outside of its turn; `false` if it is gone or someone
    /// is inside it. As in a poll, the slot is held until [`finish`](Self::finish), so a
    /// destructor that lets go of the task's own handle does not release it.
    #[must_use]
    pub(crate) fn start_drop(&self) -> bool {
        let bits = self.load();
        if bits & (FUTURE | RUNNING) != FUTURE {
            return false;
        }
        self.store(bits | RUNNING);
        true
    }

    /// Whether a handle will look at the outcome.
    pub(crate) fn has_handle(&self) -> bool {
        self.has(HANDLE)
    }

    /// Who holds a slot whose future is gone.
    pub(crate) fn holder(&self) -> Hold {
        if self.has(FUTURE | OUTPUT | HANDLE | QUEUED | RUNNING) {
            Hold::Kept
        } else {
            Hold::Release
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_queued_once_however_often_it_is_woken() {
        let state = State::free();
        state.spawn();
        assert_eq!(state.wake(), Wake::Nothing);
        assert_eq!(state.start_poll(false), Start::Poll);
        assert_eq!(state.wake(), Wake::QueueBehind);
        assert_eq!(state.wake(), Wake::Nothing);
        state.end_poll();
        assert_eq!(state.start_poll(false), Start::Poll);
        state.end_poll();
        assert_eq!(state.wake(), Wake::Queue);
    }

    #[test]
    fn a_wake_of_a_free_or_finished_slot_does_nothing() {
        let state = State::free();
        assert_eq!(state.wake(), Wake::Nothing);
        state.spawn();
        assert_eq!(state.start_poll(false), Start::Poll);
        state.take_future();
        state.put_output();
        assert_eq!(state.finish(), Hold::Kept);
        assert_eq!(state.wake(), Wake::Nothing);
        assert!(state.take_output());
        assert_eq!(state.drop_handle(), Hold::Release);
    }

    #[test]
    fn the_queue_is_the_last_to_let_go_of_a_task_that_woke_itself_and_ended() {
        let state = State::free();
        state.spawn();
        assert_eq!(state.start_poll(false), Start::Poll);
        assert_eq!(state.wake(), Wake::QueueBehind);
        state.take_future();
        assert_eq!(state.finish(), Hold::Kept);
        assert_eq!(state.drop_handle(), Hold::Kept);
        assert_eq!(state.start_poll(false), Start::Release);
        assert!(!state.release());
        assert_eq!(state.wake(), Wake::Nothing);
    }

    #[test]
    fn an_abort_that_comes_too_late_leaves_the_output() {
        let state = State::free();
        state.spawn();
        assert_eq!(state.start_poll(false), Start::Poll);
        state.take_future();
        state.put_output();
        assert_eq!(state.finish(), Hold::Kept);
        assert!(!state.request_abort());
        assert!(state.take_output());
    }
}
