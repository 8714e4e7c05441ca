//! The budget of a turn: how many polls, and for how long, before the reactor is asked again.
//!
//! A single poll that takes long is not interrupted, but a task may ask whether to give way
//! ([`Pace`]). The loop knows nothing of that: the first question in a poll notes the time, and of
//! those that follow one in 32 looks at the clock, or more if they come seldom. So a poll that does
//! not ask costs nothing, a question costs a few loads, and a poll that asks may go on for the time
//! of a whole turn. The turn ends with it, so that a number of such tasks get their time one by
//! one, with a look at the reactor between two.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::mem;
use core::time::Duration;

use super::stats::{Counter, STALL_NS, counted};
use crate::coop::UNITS;
use crate::time::Instant;

/// How much tasks may do before the reactor is asked again. Whichever limit is reached first ends
/// the turn; the tasks that remain keep their place. A task of its own serves what other
/// [cores](crate::call) send, and each of its polls has as much again.
///
/// ```
/// use core::time::Duration;
/// use miniss_core::Budget;
/// let budget = Budget { polls_max: 64, time_max: Duration::from_micros(200) };
/// assert!(budget.polls_max < Budget::default().polls_max);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Polls in a turn; at least one is always made.
    pub polls_max: u32,
    /// Time in a turn. The clock is looked at between polls: once in 32 while they are quick, and
    /// more often once they take long, down to each poll. So a turn ends within a quarter of this
    /// time, or one poll, after it is over; only the first 32 polls that take longer than those
    /// before them go unnoticed. A single long poll is not interrupted, but it may ask whether to
    /// give way ([`maybe_yield`](crate::combine::maybe_yield)). Zero: no limit.
    pub time_max: Duration,
}

impl Default for Budget {
    /// 256 polls, half a millisecond: Seastar's task quota.
    fn default() -> Self {
        Self { polls_max: 256, time_max: Duration::from_micros(500) }
    }
}

/// Polls between two looks at the clock while all are quick.
const STRIDE_MAX: u32 = 32;

/// How often the clock is looked at: a stride is a number of polls that takes a quarter of the time
/// of a turn at most. It goes on from one turn to the next, so that short turns need no look of
/// their own; but where polls are slow, a turn begins and ends with a look, so that the reactor's
/// time is not counted as theirs.
///
/// Where single polls take longer than a quarter, the budget of each shrinks as well: a task that
/// works for long between two leaves gives way before it has used up [`UNITS`].
#[derive(Debug)]
pub(crate) struct Stride {
    polls_max: Cell<u32>,
    /// What the leaves of a task may spend in one poll.
    units: Cell<u32>,
    /// What it may take: a quarter of the time of a turn. The maximum: no limit.
    quarter_ns: Cell<u64>,
    /// The last look, and how many polls the executor had made by then.
    looked_at: Cell<Instant>,
    looked_after: Cell<usize>,
    /// Strides that took as long as a stall.
    stalls: Counter,
}

impl Stride {
    /// Zeroes, for the sake of statics: [`begin`](Self::begin) comes first.
    pub(crate) const fn new() -> Self {
        Self {
            polls_max: Cell::new(0),
            units: Cell::new(0),
            quarter_ns: Cell::new(0),
            looked_at: Cell::new(Instant::ZERO),
            looked_after: Cell::new(0),
            stalls: Counter::new(),
        }
    }

    /// One that has begun.
    pub(crate) fn begun() -> Self {
        let stride = Self::new();
        stride.begin(Instant::ZERO);
        stride
    }

    /// An executor begins: it knows nothing of its tasks, so it looks often.
    pub(crate) fn begin(&self, now: Instant) {
        self.polls_max.set(1);
        self.units.set(UNITS);
        self.stalls.reset();
        self.restart(0, now);
    }

    /// Sets the time of a turn; zero: no limit.
    pub(crate) fn set_time_max(&self, time_max: Duration) {
        self.quarter_ns.set((nanos(time_max) / 4).max(1));
        if time_max.is_zero() {
            self.quarter_ns.set(u64::MAX);
            self.polls_max.set(STRIDE_MAX);
            self.units.set(UNITS);
        }
    }

    /// The time of a turn, to four nanoseconds; zero: no limit.
    pub(crate) fn time_max_ns(&self) -> u64 {
        self.quarter_ns.get().checked_mul(4).unwrap_or(0)
    }

    /// A new stride begins; the time before `now` was not the tasks'. `polls` is how many the
    /// executor has made.
    pub(crate) fn restart(&self, polls: u64, now: Instant) {
        self.looked_at.set(now);
        self.looked_after.set(polls as usize);
    }

    /// Ends a stride: the next one is shorter if this one took long, and longer if it was short.
    #[inline]
    pub(crate) fn look(&self, polls: u64, now: Instant) {
        let made = self.made(polls);
        let took_ns = now.nanos_since(self.looked_at.get());
        self.restart(polls, now);
        if made > 0 && (self.is_short() || took_ns > self.quarter_ns.get()) {
            self.adapt(made, took_ns);
        }
    }

    #[cold]
    fn adapt(&self, made: u64, took_ns: u64) {
        if took_ns >= STALL_NS {
            self.stalls.add(1);
        }
        let quarter_ns = self.quarter_ns.get();
        if took_ns > quarter_ns {
            let halvings = halvings(took_ns, quarter_ns);
            let fit = |count: u64| count.checked_shr(halvings).unwrap_or(0).max(1) as u32;
            if self.polls_max.get() == 1 {
                self.units.set(fit(self.units.get().into()));
            }
            self.polls_max.set(fit(made).min(STRIDE_MAX));
        } else if took_ns < quarter_ns / 2 {
            self.polls_max.set(STRIDE_MAX.min(2 * self.polls_max.get()));
            self.units.set(UNITS.min(2 * self.units.get()));
        }
    }

    /// Ends a turn, before the reactor has its own.
    #[inline]
    pub(crate) fn end_turn(&self, polls: u64, now: impl FnOnce() -> Instant) {
        if self.is_short() && self.made(polls) > 0 {
            self.look(polls, now());
        }
    }

    /// How many strides took as long as a stall.
    pub(crate) fn stalls(&self) -> u64 {
        self.stalls.value()
    }

    /// What the leaves of a task may spend in one poll.
    pub(crate) fn units(&self) -> u32 {
        self.units.get()
    }

    /// How many polls have been made since the last look.
    fn made(&self, polls: u64) -> u64 {
        counted(self.looked_after.get() as u64, polls)
    }

    /// How many polls are left of it.
    fn polls_left(&self, polls: u64) -> u32 {
        u64::from(self.polls_max.get()).saturating_sub(self.made(polls)) as u32
    }

    /// Whether polls are so slow that the time of a turn counts from its beginning.
    fn is_short(&self) -> bool {
        self.polls_max.get() < STRIDE_MAX
    }
}

/// What is left of a turn's budget.
#[derive(Debug)]
pub(crate) struct Spending {
    polls_left: u32,
    time_max: Duration,
    is_first: bool,
    end: Option<Instant>,
}

impl Budget {
    /// What ends nothing.
    pub(crate) const UNLIMITED: Self = Self { polls_max: u32::MAX, time_max: Duration::ZERO };

    pub(crate) fn start(&self) -> Spending {
        let polls_left = self.polls_max.max(1);
        Spending { polls_left, time_max: self.time_max, is_first: true, end: None }
    }
}

impl Spending {
    /// How many polls may be made before this is asked again; none if the turn is over. `polls` is
    /// how many the executor has made.
    #[inline]
    pub(crate) fn pay(
        &mut self,
        stride: &Stride,
        polls: u64,
        now: impl FnOnce() -> Instant,
    ) -> u32 {
        let is_first = mem::take(&mut self.is_first);
        let is_due = stride.polls_left(polls) == 0 || is_first && stride.is_short();
        if is_due && self.polls_left > 0 && !self.has_time(stride, polls, now) && !is_first {
            return 0;
        }
        let paid = stride.polls_left(polls).min(self.polls_left);
        self.polls_left -= paid;
        paid
    }

    /// Looks at the clock, if there is a limit.
    #[cold]
    fn has_time(&mut self, stride: &Stride, polls: u64, now: impl FnOnce() -> Instant) -> bool {
        if self.time_max.is_zero() {
            stride.restart(polls, Instant::ZERO);
            return true;
        }
        let now = now();
        stride.look(polls, now);
        now < *self.end.get_or_insert(now + self.time_max)
    }
}

/// How much a poll may do that serves others: as much as a turn has polls, and for as long. The
/// clock is looked at as often as for polls.
pub(crate) struct Allowance<'a, N: FnMut() -> Instant> {
    budget: Budget,
    stride: &'a Stride,
    done: u32,
    /// Of the stride that was paid for last.
    left: u32,
    end: Option<Instant>,
    now: N,
}

impl<'a, N: FnMut() -> Instant> Allowance<'a, N> {
    /// With a stride that goes on from one poll to the next.
    pub(crate) fn new(budget: Budget, stride: &'a Stride, now: N) -> Self {
        stride.restart(0, Instant::ZERO);
        Self { budget, stride, done: 0, left: 0, end: None, now }
    }

    /// Whether one thing more may be done.
    #[inline]
    pub(crate) fn is_left(&mut self) -> bool {
        self.left > 0 || self.pay()
    }

    /// It is done.
    #[inline]
    pub(crate) fn spend(&mut self) {
        self.left -= 1;
        self.done += 1;
    }

    fn pay(&mut self) -> bool {
        let polls_left = self.budget.polls_max.max(1).saturating_sub(self.done);
        let time_max = self.budget.time_max;
        self.left = if time_max.is_zero() {
            polls_left
        } else if self.has_time(time_max) {
            self.stride.polls_left(self.done.into()).min(polls_left)
        } else {
            0
        };
        self.left > 0
    }

    fn has_time(&mut self, time_max: Duration) -> bool {
        if self.done == 0 && !self.stride.is_short() {
            return true;
        }
        let now = (self.now)();
        self.stride.set_time_max(time_max);
        match self.end {
            None => self.stride.restart(self.done.into(), now),
            Some(_) => self.stride.look(self.done.into(), now),
        }
        now < *self.end.get_or_insert(now + time_max)
    }
}

/// Whether the poll under way has used up its time, for tasks that ask.
#[derive(Debug)]
pub(crate) struct Pace {
    /// With the time that the stride knows, the budget of a turn.
    pub(super) polls_max: Cell<u32>,
    /// The poll that asked last, and when it began to.
    asked_in: Cell<usize>,
    /// Never, once its time is used up.
    asked_first: Cell<Instant>,
    /// How often it has asked by the next look at the clock, and how many of these are left.
    asked: Cell<u32>,
    left: Cell<u32>,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            polls_max: Cell::new(0),
            asked_in: Cell::new(0),
            asked_first: Cell::new(Instant::ZERO),
            asked: Cell::new(0),
            left: Cell::new(0),
        }
    }

    /// Another executor begins, whose polls are counted again, from one.
    pub(crate) fn start_again(&self) {
        self.asked_in.set(0);
    }

    /// Whether the poll under way, the executor's `poll`th, has used up its time, which is that of
    /// a turn. It stays so for the rest of the poll: the code that asks first need not be the code
    /// that can give way.
    #[inline]
    pub(crate) fn is_spent(
        &self,
        poll: u64,
        turns: &Stride,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        let left = self.left.get();
        if left > 0 && self.asked_in.get() == poll as usize {
            self.left.set(left - 1);
            return false;
        }
        self.look(poll, turns, now)
    }

    #[cold]
    fn look(&self, poll: u64, turns: &Stride, now: impl FnOnce() -> Instant) -> bool {
        let time_max_ns = turns.time_max_ns();
        if time_max_ns == 0 {
            return false;
        }
        let is_first = self.asked_in.replace(poll as usize) != poll as usize;
        if self.asked_first.get() == Instant::MAX && !is_first {
            return true;
        }
        let now = now();
        if is_first {
            self.asked_first.set(now);
            self.asked.set(0);
        }
        let took_ns = now.nanos_since(self.asked_first.get());
        let questions = questions(self.asked.get(), took_ns, time_max_ns);
        self.asked.set(self.asked.get().saturating_add(questions));
        self.left.set(questions.saturating_sub(1));
        if questions == 0 {
            self.asked_first.set(Instant::MAX);
        }
        questions == 0
    }
}

/// How often a poll that has asked so often may ask until the next look at the clock: as often as
/// fits half of the time that is left, as far as one can tell. Zero: the time is over.
fn questions(asked: u32, took_ns: u64, time_max_ns: u64) -> u32 {
    let left_ns = time_max_ns.saturating_sub(took_ns);
    if left_ns == 0 {
        return 0;
    }
    let fit = u64::from(asked).saturating_mul(left_ns / 2) / took_ns.max(1);
    fit.clamp(1, STRIDE_MAX.into()) as u32
}

/// How often `took_ns` must be halved to be no more than `max_ns`. A quotient would be more exact,
/// and is a function of 500 bytes on machines that have no instruction for it.
fn halvings(mut took_ns: u64, max_ns: u64) -> u32 {
    let mut halvings = 0;
    while took_ns > max_ns {
        took_ns /= 2;
        halvings += 1;
    }
    halvings
}

/// Nanoseconds, as many as there can be.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
