//! The loop, on one screen: poll what is ready, ask the reactor, sleep if there is nothing.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::budget::{Budget, Spending};
use super::cell::{ExecutorCell, OwnerState};
use super::run::{Claim, run_task, shut_down};
use super::spawn::{LocalHandle, StaysOnItsCore};
use super::wake::Fifo;
use crate::defer::defer;
use crate::error::CellInUse;
use crate::reactor::{Clock, Idle, Reactor};
use crate::task::cell::Header;
use crate::task::slots::MAIN_CLASS;
use crate::time::Instant;
use crate::timer::queue::sealed::Queue;

/// Runs tasks on the thread or core that made it, over a [`Reactor`] of the user's.
///
/// Dropping it drops all its tasks, on this thread; wakers and handles that are left do no harm.
///
/// ```
/// # use miniss_core::doctest::executor;
/// let mut executor = executor();
/// assert_eq!(executor.block_on(async { 1 + 1 }), 2);
/// ```
pub struct Executor<R: Reactor> {
    local: LocalHandle<R::Unparker>,
    reactor: R,
    budget: Budget,
    /// The order in which ready tasks are polled, if it is not first come, first served.
    shuffle: Option<Shuffle>,
    /// The tasks belong to the thread that made the executor.
    _stays: StaysOnItsCore,
    /// Last, so that the executor cell is still ours while the reactor is dropped, which may hold
    /// wakers.
    _claim: Claim<R::Unparker>,
}

impl<R: Reactor> Executor<R> {
    /// An executor on `cell` over `reactor`.
    ///
    /// # Errors
    ///
    /// [`CellInUse`] while another executor uses the executor cell.
    ///
    /// ```
    /// # use miniss_core::{Executor, doctest};
    /// let executor = Executor::new(doctest::cell(), doctest::Yield).unwrap();
    /// # drop(executor);
    /// ```
    pub fn new(cell: &'static ExecutorCell<R::Unparker>, reactor: R) -> Result<Self, CellInUse> {
        let epoch = cell.claim()?;
        // SAFETY: the executor never leaves the thread we are on.
        let local = unsafe { LocalHandle::new(cell, epoch) };
        let _claim = Claim(cell);
        let (budget, shuffle) = (Budget::default(), None);
        let _stays = StaysOnItsCore::new();
        let mut executor = Self { local, reactor, budget, shuffle, _stays, _claim };
        executor.set_budget(budget);
        Ok(executor)
    }

    /// Sets how much tasks may do in a turn.
    ///
    /// ```
    /// # use miniss_core::{Budget, doctest::executor};
    /// let mut executor = executor();
    /// executor.set_budget(Budget { polls_max: 16, ..Budget::default() });
    /// ```
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        let owner = self.owner();
        owner.stride.set_time_max(budget.time_max);
        // Without a limit no one has looked at the clock.
        owner.stride.restart(owner.counters.polls.value(), self.local.now());
        owner.pace.polls_max.set(budget.polls_max);
    }

    /// Polls ready tasks in an order that follows from `seed`, instead of first come, first served;
    /// 0 goes back to that. For tests: what passes for many seeds does not depend on the order.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// executor.set_shuffle(42);
    /// assert_eq!(executor.block_on(async { 1 + 1 }), 2);
    /// ```
    pub fn set_shuffle(&mut self, seed: u64) {
        self.shuffle = Shuffle::new(seed);
        if !self.owner().has_groups.get() {
            let is_shuffled = self.shuffle.is_some();
            self.owner().poll_otherwise.set(is_shuffled.then_some(poll_shuffled));
        }
    }

    /// The handle that tasks use to spawn and to tell the time.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// assert!(executor().local().stats().turns == 0);
    /// ```
    pub fn local(&self) -> LocalHandle<R::Unparker> {
        self.local
    }

    /// The reactor.
    ///
    /// ```
    /// # use miniss_core::doctest::{Yield, executor};
    /// let _: &Yield = executor().reactor();
    /// ```
    pub fn reactor(&self) -> &R {
        &self.reactor
    }

    /// Runs `future` and every other task until it is done.
    ///
    /// The future is an ordinary task: it is polled when it is woken, in its turn. Tasks that are
    /// not done by then stay, and go on with the next `block_on` or [`turn`](Self::turn). Calls to
    /// other cores that were made meanwhile are on their way when this returns or unwinds, as far
    /// as there is room in the lanes.
    ///
    /// # Panics
    ///
    /// A panic in a task's poll unwinds out of here; the task is gone then, the others stay.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let name = String::from("borrowed");
    /// assert_eq!(executor().block_on(async { name.len() }), 8);
    /// ```
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let owner = self.owner();
        let _sent = defer(|| owner.watches.send());
        // What the thread did meanwhile is none of the tasks' doing.
        owner.stride.restart(owner.counters.polls.value(), self.local.now());
        let mut output = None;
        let main = Main { future: pin!(future), output: &mut output };
        let slot = self.main_slot();
        // SAFETY: two words fit the main slot; `main` borrows from this very frame, and the next
        // line does not let the frame go before the task has ended.
        let handle = unsafe { self.local.start(owner, slot, main) };
        let ended = defer(|| handle.end_now(owner));
        loop {
            self.run_ready();
            if handle.is_finished() {
                break;
            }
            self.gather();
        }
        owner.stride.look(owner.counters.polls.value(), self.local.now());
        // What was prepared in the last turn does not wait for the next `block_on`.
        owner.counters.events.add(self.reactor.poll() as u64);
        drop(ended);
        output.expect("a finished main future has an output")
    }

    /// The one slot for main futures. The last main task may still hold it: if it was woken and
    /// then ended without another poll, it leaves the run queue when its turn comes.
    fn main_slot(&mut self) -> NonNull<Header> {
        loop {
            if let Some(slot) = self.owner().slots.take(MAIN_CLASS) {
                return slot;
            }
            debug_assert!(!self.owner().is_idle(), "a main task that ended stands in the queue");
            self.gather();
            self.run_ready();
        }
    }

    /// Once round the loop: polls what is ready, within the budget, then asks the reactor, which
    /// sleeps if nothing is ready. Returns whether a task is ready now. Calls to other cores that
    /// were made before are on their way then, as far as there is room in the lanes.
    ///
    /// # Panics
    ///
    /// As for [`block_on`](Self::block_on).
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(async {}).unwrap();
    /// while !handle.is_finished() {
    ///     executor.turn();
    /// }
    /// ```
    #[inline]
    pub fn turn(&mut self) -> bool {
        let owner = self.owner();
        let _sent = defer(|| owner.watches.send());
        self.run_ready();
        self.gather();
        !owner.is_idle()
    }

    /// Runs tasks until none is ready, whatever their number, and leaves the core announced as
    /// asleep: the next wake from elsewhere unparks it. Returns the time of the next timer.
    ///
    /// For an executor that is called, and does not sleep itself: one in an interrupt handler (see
    /// [`Handler`](crate::interrupt::Handler)), or in another loop. Call it again when it is
    /// unparked, when that time has come, and when something was spawned or woken on its own core.
    /// The time between two calls is not counted as idle.
    ///
    /// # Panics
    ///
    /// As for [`block_on`](Self::block_on).
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// let handle = executor.local().spawn(async {}).unwrap();
    /// assert_eq!(executor.run_until_idle(), None);
    /// assert!(handle.is_finished());
    /// ```
    pub fn run_until_idle(&mut self) -> Option<Instant> {
        let owner = self.owner();
        let shared = self.cell().shared();
        shared.awake();
        let start = self.local.now();
        owner.stride.restart(owner.counters.polls.value(), start);
        owner.counters.idle_until(start, start);
        let _sent = defer(|| owner.watches.send());
        loop {
            self.run_ready();
            owner.watches.send();
            owner.watches.wake_tasks(owner);
            owner.counters.events.add(self.reactor.poll() as u64);
            self.queue_due(owner);
            if Idle::new(shared, owner).confirmed() {
                owner.counters.busy_until(self.local.now());
                return self.timers().next_deadline();
            }
        }
    }

    /// Polls tasks in the order they were woken, until none is ready or the budget is spent.
    #[inline]
    fn run_ready(&self) {
        let owner = self.owner();
        match owner.poll_otherwise.get() {
            None => self.poll_ready(),
            Some(poll) => self.poll_otherwise(poll),
        }
        owner.task_budget.lift();
        owner.stride.end_turn(owner.counters.polls.value(), || self.local.now());
    }

    #[inline]
    fn poll_ready(&self) {
        let owner = self.owner();
        let mut spending = self.start_turn();
        while !owner.queue.is_empty() {
            let made = owner.counters.polls.value();
            let polls = spending.pay(&owner.stride, made, || self.local.now());
            if polls == 0 {
                return;
            }
            for _ in 0..polls {
                let Some(slot) = owner.queue.pop() else { return };
                owner.counters.polls.add(1);
                run_task(owner, slot);
            }
        }
    }

    #[inline]
    fn start_turn(&self) -> Spending {
        let owner = self.owner();
        owner.counters.turns.add(1);
        owner.task_budget.set_units(owner.stride.units());
        self.budget.start()
    }

    /// Polls tasks in the order of their groups, or of the shuffle, or both.
    #[cold]
    fn poll_otherwise(&self, poll: PollOtherwise) {
        let (shuffle, now) = (self.shuffle.as_ref(), &|| self.local.now());
        poll(self.owner(), Turn { spending: self.start_turn(), paid: 0, shuffle, now });
    }

    /// Asks the reactor for events, sleeping if there is nothing to run, and queues what is due.
    #[inline]
    fn gather(&mut self) {
        let owner = self.owner();
        owner.watches.wake_tasks(owner);
        if owner.is_idle() && self.cell().shared().inbox().is_empty() {
            self.park(owner);
            owner.watches.wake_tasks(owner);
        } else {
            owner.counters.events.add(self.reactor.poll() as u64);
        }
        self.queue_due(owner);
    }

    /// Queues what is due: the tasks of timers, tasks that yielded, remote wakes.
    #[inline]
    fn queue_due(&self, owner: &OwnerState) {
        if !self.timers().is_empty() {
            let now = self.local.now();
            owner.stride.look(owner.counters.polls.value(), now);
            owner.counters.timers_fired.add(self.timers().advance(now) as u64);
        }
        owner.queue.append(&owner.behind);
        // After the timers: over a port whose `is_local` is always false, their wakes come this
        // way.
        owner.drain_inbox(self.cell().shared());
    }

    /// Sleeps until there is something to do, and counts the time.
    fn park(&mut self, owner: &OwnerState) {
        let start = self.local.now();
        let polls = owner.counters.polls.value();
        owner.stride.look(polls, start);
        owner.counters.busy_until(start);
        owner.counters.parks.add(1);
        let shared = self.cell().shared();
        self.reactor.park(self.timers().next_deadline(), Idle::new(shared, owner));
        shared.awake();
        let end = self.local.now();
        owner.stride.restart(polls, end);
        owner.counters.idle_until(start, end);
    }

    fn cell(&self) -> &'static ExecutorCell<R::Unparker> {
        self.local.cell()
    }

    fn timers(&self) -> &'static <R::Unparker as Clock>::Timers {
        // SAFETY: as for `owner`.
        unsafe { self.cell().timers() }
    }

    fn owner(&self) -> &'static OwnerState {
        // SAFETY: *One claim*: it is us, and we never left our thread.
        unsafe { self.cell().owner() }
    }
}

impl<R: Reactor> Drop for Executor<R> {
    fn drop(&mut self) {
        shut_down(self.owner(), self.timers());
    }
}

impl<R: Reactor> fmt::Debug for Executor<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("stats", &self.local.stats()).finish_non_exhaustive()
    }
}

/// The main future as a task: it borrows from the frame of `block_on`, so it has no output of its
/// own and fits the main slot.
struct Main<'a, F: Future> {
    future: Pin<&'a mut F>,
    output: &'a mut Option<F::Output>,
}

impl<F: Future> Future for Main<'_, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Poll::Ready(output) = this.future.as_mut().poll(cx) else { return Poll::Pending };
        *this.output = Some(output);
        Poll::Ready(())
    }
}

/// How a turn goes that does not poll tasks in the order they were woken.
pub(crate) type PollOtherwise = fn(&OwnerState, Turn<'_>);

/// Such a turn.
pub(crate) struct Turn<'a> {
    spending: Spending,
    /// Polls that may be made before the budget is asked again.
    paid: u32,
    pub(super) shuffle: Option<&'a Shuffle>,
    pub(super) now: &'a dyn Fn() -> Instant,
}

impl Turn<'_> {
    /// Takes a task from `queue`, if the budget of the turn allows it.
    pub(super) fn take(&mut self, owner: &OwnerState, queue: &Fifo) -> Take {
        if self.paid == 0 && !queue.is_empty() {
            self.paid = self.spending.pay(&owner.stride, owner.counters.polls.value(), self.now);
            if self.paid == 0 {
                return Take::Spent;
            }
        }
        let taken = match self.shuffle {
            None => queue.pop(),
            Some(shuffle) => shuffle.pop(queue),
        };
        let Some(slot) = taken else { return Take::Empty };
        self.paid -= 1;
        Take::Task(slot)
    }
}

/// What a [`Turn`] finds in a queue.
pub(super) enum Take {
    /// A task to poll.
    Task(NonNull<Header>),
    /// None is left.
    Empty,
    /// The turn's budget is spent.
    Spent,
}

/// Polls tasks in the order of the shuffle.
fn poll_shuffled(owner: &OwnerState, mut turn: Turn<'_>) {
    while let Take::Task(slot) = turn.take(owner, &owner.queue) {
        owner.counters.polls.add(1);
        run_task(owner, slot);
    }
}

/// How many of the tasks at the front may be passed over for another.
const PASSED_MAX: u64 = 8;

/// A sequence of numbers that look random, by xorshift (G. Marsaglia, "Xorshift RNGs", 2003).
#[derive(Debug)]
pub(super) struct Shuffle(Cell<u64>);

impl Shuffle {
    /// `None` for the seed 0, from which nothing but 0 follows.
    pub(super) fn new(seed: u64) -> Option<Self> {
        (seed != 0).then_some(Self(Cell::new(seed)))
    }

    /// Takes one of the first tasks of the queue; those before it go to its end.
    pub(super) fn pop(&self, queue: &Fifo) -> Option<NonNull<Header>> {
        for _ in 0..self.next() % PASSED_MAX {
            queue.push(queue.pop()?);
        }
        queue.pop()
    }

    fn next(&self) -> u64 {
        let mut bits = self.0.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.0.set(bits);
        bits
    }
}
