//! The state word of a promise: which end may touch which field now, and which one leaves last.
//!
//! One byte decides everything that two cores could disagree about. Its bits are private; each
//! transition is a method, and its answer tells the caller what it has to do now.
//!
//! | bit         | means                    | set by           | cleared by                   |
//! |-------------|--------------------------|------------------|------------------------------|
//! | `WAKER`     | the slot holds a waker   | future           | future, or promise taking it |
//! | `REPLACED`  | the waker was changed    | future           | promise, ending              |
//! | `DONE`      | no more will come        | promise, ending  |                              |
//! | `OUTCOME`   | the outcome is filled in | promise, ending  |                              |
//! | `ABANDONED` | no one waits any more    | future, leaving  |                              |
//! | `FREE`      | the cell has no ends     | the last one out | `open`                       |
//!
//! `DONE` without `OUTCOME` is a broken promise. `WAKER` beside `DONE` says that the promise is
//! still in the cell, taking the waker.
//!
//! ```text
//!  (empty) ─1─▶ WAKER ─2─▶ REPLACED ─1─▶ REPLACED│WAKER
//!     │           │           │    ◀─2─       │
//!     3           3           3               3
//!     ▼           ▼           ▼               ▼
//!   DONE        DONE        DONE ◀────4──── DONE│WAKER
//! ```
//!
//! 1. `register`: the future has put a waker in the slot.
//! 2. `withdraw`: the future takes that waker back, since another task polls it now.
//! 3. `end`: the promise ends. It sets `OUTCOME` if the outcome is in the cell.
//! 4. `waker_taken`: the promise has read the waker, and is out of the cell.
//! 5. `abandon`: the future leaves before the end, from any word of the upper row, by adding
//!    `ABANDONED`. The promise is the last one out then, and closes the cell as it ends.
//! 6. `leave`: the future leaves after the end. From `DONE` it is the last one out, changes nothing
//!    and closes the cell. From `DONE│WAKER` it adds `ABANDONED`, and the promise closes the cell
//!    after step 4.
//! 7. `close`: the last one out makes the word `FREE`. `open` makes that (empty), for two new ends.
//!
//! # One step to end
//!
//! The promise has three things to do as it ends: publish the outcome, take the waker, and leave
//! the cell, so that the future may free it. Once the outcome is published the cell may vanish, so
//! the promise must have the waker before. But before that, the future may be replacing the waker.
//! Two atomic steps are one way out. A lock to spin on is another; it would hang forever where an
//! interrupt handler polls what it interrupted.
//!
//! Nearly every future is only ever polled by one task, and there one step is enough. The *first*
//! waker is written once and stays as it is for as long as the word reads `WAKER` without
//! `REPLACED`. So the promise copies the waker's bits, and then goes from exactly that word to
//! `DONE` by one compare-exchange. If that succeeds, the copy is the waker, and the promise is
//! out. If it fails, the copy means nothing and is forgotten. `REPLACED` is never cleared before
//! the end, so the word cannot come back to what it was with another waker behind it.
//!
//! After a replacement the promise takes the longer way: `end` leaves `WAKER` standing beside
//! `DONE`, which tells the future that the promise is still inside. Then the promise reads the
//! waker. Then `waker_taken` clears the bit. If the future left in between, the promise closes the
//! cell.
//!
//! # What each operation costs
//!
//! | operation                                      | read-modify-writes                         |
//! |------------------------------------------------|--------------------------------------------|
//! | complete, fail or drop a promise               | 1; 2 with a replaced waker; 0 if abandoned |
//! | first poll that has to wait                    | 1                                          |
//! | poll again with the same waker; poll when done | 0                                          |
//! | poll again with another waker                  | 2                                          |
//! | drop a future that waits                       | 1                                          |
//! | drop a future that is done                     | 0; 1 if the promise is still inside        |

#![forbid(unsafe_code)]

use crate::prim::{AtomicU8, Ordering, const_fn, ordering, planted};

const WAKER: u8 = 1;
const REPLACED: u8 = 1 << 1;
const DONE: u8 = 1 << 2;
const OUTCOME: u8 = 1 << 3;
const ABANDONED: u8 = 1 << 4;
const FREE: u8 = 1 << 5;

/// The state word.
pub(super) struct State(AtomicU8);

/// How a promise ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// With an outcome, which is already in the cell.
    Settled,
    /// With nothing.
    Broken,
}

/// What the promise owes after [`State::end`].
#[must_use]
pub(super) enum Ended<W> {
    /// No one is to be woken. The promise is out of the cell.
    Unheard,
    /// The copied waker is the promise's now: wake it. The promise is out of the cell.
    Wake(W),
    /// The waker in the slot is the promise's now: take it, then say [`State::waker_taken`].
    TakeWaker,
    /// The future is gone and nothing was published: close the cell.
    Abandoned,
}

/// What the promise owes after [`State::waker_taken`].
#[must_use]
pub(super) enum WakerTaken {
    /// The future is still there and will close the cell.
    Out,
    /// The future left in the meantime: close the cell.
    Last,
}

/// What the future found in [`State::observe`].
#[must_use]
pub(super) enum Observed {
    /// Nothing has come, and no waker is registered.
    Idle(Seen),
    /// Nothing has come; the slot holds a waker.
    Registered(Seen),
    /// The promise has ended.
    Done(Done),
}

/// A state word as the future saw it before the end. Only an ending can have changed it since.
#[derive(Clone, Copy)]
pub(super) struct Seen(u8);

/// A state word after the end.
#[derive(Clone, Copy)]
pub(super) struct Done(u8);

/// What the future owes after [`State::register`].
#[must_use]
pub(super) enum Registration {
    /// The waker in the slot will be woken at the end.
    Registered,
    /// The end came first: the waker in the slot is still the future's.
    Done,
}

/// What the future owes after [`State::withdraw`].
#[must_use]
pub(super) enum Withdrawal {
    /// The waker in the slot is the future's again.
    Withdrawn(Seen),
    /// The end came first: the waker has been or is being woken.
    Done,
}

/// What the future owes after [`State::abandon`].
#[must_use]
pub(super) enum Abandonment {
    /// The promise will close the cell. The waker that was registered is the future's.
    Left,
    /// The end came first: the outcome, if any, is the future's, and so is leaving.
    Done(Done),
}

/// What the future owes after [`State::leave`].
#[must_use]
pub(super) enum Leaving {
    /// The promise is out: close the cell.
    Last,
    /// The promise is still taking the waker, and will close the cell.
    PromiseInside,
}

impl State {
    /// The word of a cell with both its ends.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) fn opened() -> Self {
        Self(AtomicU8::new(0))
    }

    const_fn! {
        /// The word of a cell without ends.
        pub(super) const fn free() -> Self {
            Self(AtomicU8::new(FREE))
        }
    }

    /// Claims a free cell for two new ends; false if it is in use.
    #[must_use]
    #[inline]
    pub(super) fn open(&self) -> bool {
        // Acquire pairs with the Release of `close`: all that the former ends did is over.
        let acquire = ordering!(Acquire, "promise: open");
        self.0.compare_exchange(FREE, 0, acquire, Ordering::Relaxed).is_ok()
    }

    /// Makes the cell free again. The last one out says this, and touches it no more.
    #[inline]
    pub(super) fn close(&self) {
        self.0.store(FREE, ordering!(Release, "promise: close"));
    }

    /// Whether the future is gone.
    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        // Relaxed: a hint; no field is read because of it.
        self.0.load(Ordering::Relaxed) & ABANDONED != 0
    }

    /// Whether the promise has ended.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        // Relaxed: a hint; to take the outcome the future observes again.
        self.0.load(Ordering::Relaxed) & DONE != 0
    }
}

/// The promise's transitions.
impl State {
    /// Ends the promise. `copy_waker` copies the bits of the slot, before it is known whether they
    /// will be the promise's.
    #[inline]
    pub(super) fn end<W>(&self, ending: Ending, copy_waker: impl Fn() -> W) -> Ended<W> {
        // Acquire pairs with the Release of `register` (the copied bits are the waker's) and of
        // `abandon` (the future's last access to the cell is over).
        let mut seen = self.0.load(ordering!(Acquire, "promise: look before the end"));
        loop {
            if seen & ABANDONED != 0 {
                return Ended::Abandoned;
            }
            let first_waker = (seen & (WAKER | REPLACED) == WAKER).then(&copy_waker);
            // Release publishes the outcome. Acquire: the word may be a later one with the same
            // bits, whose waker `TakeWaker` is about to read.
            match self.0.compare_exchange_weak(
                seen,
                ending.after(seen),
                ordering!(AcqRel, "promise: end"),
                ordering!(Acquire, "promise: look again before the end"),
            ) {
                Err(now) => seen = now,
                Ok(_) => return Ended::owed(seen, first_waker),
            }
        }
    }

    /// Says that the promise has read the waker it owed to take.
    #[inline]
    pub(super) fn waker_taken(&self) -> WakerTaken {
        // Release: the future may free the cell once it sees the bit gone. Acquire: if the future
        // is gone, its accesses are over before we free the cell.
        match self.0.fetch_and(!WAKER, ordering!(AcqRel, "promise: waker taken")) & ABANDONED {
            0 => WakerTaken::Out,
            _ => WakerTaken::Last,
        }
    }
}

/// The future's transitions.
impl State {
    /// Looks whether the promise has ended.
    #[inline]
    pub(super) fn observe(&self) -> Observed {
        // Acquire pairs with the Release of `end` (the outcome) and of `waker_taken` (the promise
        // is out).
        match self.0.load(ordering!(Acquire, "promise: observe")) {
            word if word & DONE != 0 => Observed::Done(Done(word)),
            word if word & WAKER != 0 => Observed::Registered(Seen(word)),
            word => Observed::Idle(Seen(word)),
        }
    }

    /// Publishes the waker that the future has put in the slot.
    #[inline]
    pub(super) fn register(&self, Seen(word): Seen) -> Registration {
        debug_assert!(word & (WAKER | DONE) == 0);
        // Release publishes the slot. Relaxed on failure: to take the outcome the future observes
        // again.
        let release = ordering!(Release, "promise: register");
        let swap = self.0.compare_exchange(word, word | WAKER, release, Ordering::Relaxed);
        if swap.is_ok() { Registration::Registered } else { Registration::Done }
    }

    /// Takes the registered waker back.
    #[inline]
    pub(super) fn withdraw(&self, Seen(word): Seen) -> Withdrawal {
        debug_assert!(word & WAKER != 0 && word & DONE == 0);
        let changed = if planted("promise: a change leaves a trace") { 0 } else { REPLACED };
        let next = (word & !WAKER) | changed;
        // Relaxed on success: nothing is published, and what the slot holds is the future's own.
        // A promise that copied it meanwhile finds the word changed and forgets the copy.
        // Relaxed on failure as in `register`.
        match self.0.compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Withdrawal::Withdrawn(Seen(next)),
            Err(_) => Withdrawal::Done,
        }
    }

    /// Leaves a cell whose promise has not ended.
    #[inline]
    pub(super) fn abandon(&self, Seen(word): Seen) -> Abandonment {
        debug_assert!(word & DONE == 0);
        // Release: the promise may free the cell once it sees the bit. Acquire as in `observe`.
        let release = ordering!(Release, "promise: abandon");
        let acquire = ordering!(Acquire, "promise: abandon too late");
        match self.0.compare_exchange(word, word | ABANDONED, release, acquire) {
            Ok(_) => Abandonment::Left,
            Err(now) => Abandonment::Done(Done(now)),
        }
    }

    /// Leaves a cell whose promise has ended, after the outcome was taken.
    #[inline]
    pub(super) fn leave(&self, Done(word): Done) -> Leaving {
        debug_assert!(word & DONE != 0);
        if word & WAKER == 0 {
            return Leaving::Last;
        }
        // Release and Acquire as in `waker_taken`, its counterpart.
        match self.0.fetch_or(ABANDONED, ordering!(AcqRel, "promise: leave")) & WAKER {
            0 => Leaving::Last,
            _ => Leaving::PromiseInside,
        }
    }
}

impl Ending {
    /// The word after this ending, from `seen`. A waker that was replaced is still to be taken, so
    /// its bit stays; otherwise the promise is out with this very step.
    #[inline]
    fn after(self, seen: u8) -> u8 {
        let claimed = if seen & REPLACED != 0 { seen & WAKER } else { 0 };
        let outcome = match self {
            Self::Settled => OUTCOME,
            Self::Broken => 0,
        };
        DONE | outcome | claimed
    }
}

impl<W> Ended<W> {
    #[inline]
    fn owed(seen: u8, first_waker: Option<W>) -> Self {
        match first_waker {
            Some(waker) => Self::Wake(waker),
            None if seen & WAKER != 0 => Self::TakeWaker,
            None => Self::Unheard,
        }
    }
}

impl Done {
    /// Whether the promise ended with an outcome rather than broken.
    #[inline]
    pub(super) fn has_outcome(self) -> bool {
        self.0 & OUTCOME != 0
    }
}

/// To the models, freeing the word is one more access: an end that may still touch it is in a race.
#[cfg(all(test, loom))]
impl Drop for State {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.with_mut(|_| ());
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A word from which the future has withdrawn its waker.
    fn withdrawn() -> (State, Seen) {
        let state = State::free();
        assert!(state.open());
        let Observed::Idle(idle) = state.observe() else { panic!("nothing has come") };
        assert!(matches!(state.register(idle), Registration::Registered));
        let Observed::Registered(seen) = state.observe() else { panic!("it was registered") };
        let Withdrawal::Withdrawn(seen) = state.withdraw(seen) else { panic!("nothing has come") };
        (state, seen)
    }

    #[test]
    fn an_end_between_withdraw_and_register_wakes_no_one_and_leaves_the_cell_to_the_future() {
        for ending in [Ending::Settled, Ending::Broken] {
            let (state, seen) = withdrawn();
            assert!(matches!(state.end(ending, || ()), Ended::Unheard));
            assert!(matches!(state.register(seen), Registration::Done));
            let Observed::Done(done) = state.observe() else { panic!("it has ended") };
            assert_eq!(done.has_outcome(), matches!(ending, Ending::Settled));
            assert!(matches!(state.leave(done), Leaving::Last));
        }
    }

    #[test]
    fn a_future_that_leaves_between_withdraw_and_register_leaves_the_cell_to_the_promise() {
        let (state, seen) = withdrawn();
        assert!(matches!(state.abandon(seen), Abandonment::Left));
        assert!(matches!(state.end(Ending::Settled, || ()), Ended::Abandoned));
    }
}
