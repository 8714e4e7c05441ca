//! The loop, on one screen: poll what is ready, ask the reactor, sleep if there is nothing.
//!
//! `user future ─▶ task ─▶ run queue ─▶ [executor] ─▶ reactor`

use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::anchor::Anchor;
use super::budget::{Budget, Stride};
use super::home::Home;
use super::local::{Local, StaysOnItsCore};
use super::park::Idle;
use super::run::run_task;
use super::shuffle::Shuffle;
use super::shutdown::{Tenancy, shut_down};
use crate::doorbell::Doorbell;
use crate::error::AnchorInUse;
use crate::reactor::Reactor;
use crate::run_queue::fifo::Fifo;
use crate::task::JoinHandle;
use crate::task::header::Header;
use crate::task::slots::MAIN_CLASS;

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
    local: Local<R::Bell>,
    reactor: R,
    budget: Budget,
    stride: Stride,
    /// The order in which ready tasks are polled, if it is not first come, first served.
    shuffle: Option<Shuffle>,
    /// The tasks belong to the thread that made the executor.
    _stays: StaysOnItsCore,
    /// Last, so that the anchor is still ours while the reactor is dropped: what that drops may
    /// hold wakers.
    _tenancy: Tenancy<R::Bell>,
}

impl<R: Reactor> Executor<R> {
    /// An executor on `anchor` over `reactor`.
    ///
    /// # Errors
    ///
    /// [`AnchorInUse`] while another executor uses the anchor.
    ///
    /// ```
    /// # use miniss_core::{Executor, doctest};
    /// let executor = Executor::new(doctest::anchor(), doctest::Yield).unwrap();
    /// # drop(executor);
    /// ```
    pub fn new(anchor: &'static Anchor<R::Bell>, reactor: R) -> Result<Self, AnchorInUse> {
        let epoch = anchor.move_in()?;
        // SAFETY: the executor never leaves the thread we are on.
        let local = unsafe { Local::new(anchor, epoch) };
        let _tenancy = Tenancy(anchor);
        let (budget, stride, shuffle) = (Budget::default(), Stride::new(), None);
        let _stays = StaysOnItsCore::new();
        let mut executor = Self { local, reactor, budget, stride, shuffle, _stays, _tenancy };
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
        self.stride.set_time_max(budget.time_max);
        self.home().polls_max.set(budget.polls_max);
        self.home().pace.set_time_max(budget.time_max);
    }

    /// Polls ready tasks in an order that follows from `seed`, instead of first come, first served;
    /// 0 goes back to that. For tests: what passes for many seeds does not lean on the order.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let mut executor = executor();
    /// executor.set_shuffle(42);
    /// assert_eq!(executor.block_on(async { 1 + 1 }), 2);
    /// ```
    pub fn set_shuffle(&mut self, seed: u64) {
        self.shuffle = Shuffle::new(seed);
    }

    /// The handle that tasks use to spawn and to tell the time.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// assert!(executor().local().stats().turns == 0);
    /// ```
    pub fn local(&self) -> Local<R::Bell> {
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
        let _leaving = Leaving(self.home());
        let mut output = None;
        let main = Main { future: pin!(future), output: &mut output };
        let slot = self.main_slot();
        // SAFETY: two words fit the main slot; `main` borrows from this very frame, and `EndMain`
        // below does not let the frame go before the task has ended.
        let handle = unsafe { self.local.start(self.home(), slot, main) };
        let main = EndMain { handle, local: self.local };
        loop {
            self.run_ready();
            if main.handle.is_finished() {
                break;
            }
            self.gather();
        }
        // What was prepared in the last turn does not wait for the next `block_on`.
        self.home().counters.events.add(self.reactor.poll() as u64);
        drop(main);
        output.expect("a finished main future has an output")
    }

    /// The one slot for main futures. The last main task may still hold it: if it was woken and
    /// then ended without another poll, it leaves the run queue when its turn comes.
    fn main_slot(&mut self) -> NonNull<Header> {
        loop {
            if let Some(slot) = self.home().slots.take(MAIN_CLASS) {
                return slot;
            }
            debug_assert!(!self.home().is_idle(), "a main task that ended stands in the queue");
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
        let _leaving = Leaving(self.home());
        self.run_ready();
        self.gather();
        !self.home().is_idle()
    }

    /// Polls tasks in the order they were woken, until none is ready or the budget is spent.
    #[inline]
    fn run_ready(&self) {
        match &self.shuffle {
            None => self.poll_ready(Fifo::pop),
            Some(shuffle) => self.poll_ready(|queue| shuffle.pop(queue)),
        }
        let home = self.home();
        home.task_budget.lift();
        self.stride.end_turn(home.counters.polls.value(), || self.local.now());
    }

    #[inline]
    fn poll_ready(&self, pop: impl Fn(&Fifo) -> Option<NonNull<Header>>) {
        let home = self.home();
        home.counters.turns.add(1);
        home.task_budget.set_units(self.stride.units());
        let mut spending = self.budget.start();
        while !home.queue.is_empty() {
            let made = home.counters.polls.value();
            let polls = spending.pay(&self.stride, made, || self.local.now());
            if polls == 0 {
                return;
            }
            for _ in 0..polls {
                let Some(slot) = pop(&home.queue) else { return };
                home.counters.polls.add(1);
                run_task(home, slot);
            }
        }
    }

    /// Asks the reactor for events, sleeping if there is nothing to run, and queues what has come.
    #[inline]
    fn gather(&mut self) {
        let home = self.home();
        home.watches.wake_tasks(home);
        if home.is_idle() && self.anchor().base().inbox().is_empty() {
            self.park(home);
            home.watches.wake_tasks(home);
        } else {
            home.counters.events.add(self.reactor.poll() as u64);
        }
        self.take_in(home);
    }

    /// Queues what has come in: timers that are due, tasks that yielded, wakes from afar.
    #[inline]
    fn take_in(&self, home: &Home) {
        if !home.wheel.is_empty() {
            let now = self.local.now();
            self.stride.look(home.counters.polls.value(), now);
            home.counters.timers_fired.add(home.wheel.advance(now) as u64);
        }
        home.queue.append(&home.behind);
        // After the timers: over a port that does not know home, their wakes come this way.
        home.take_inbox(self.anchor().base());
    }

    /// Sleeps until there is something to do.
    fn park(&mut self, home: &Home) {
        let start = self.local.now();
        let polls = home.counters.polls.value();
        self.stride.look(polls, start);
        home.counters.busy_until(start);
        home.counters.parks.add(1);
        let base = self.anchor().base();
        self.reactor.park(home.wheel.next_deadline(), Idle::new(base, home));
        base.awake();
        let end = self.local.now();
        self.stride.restart(polls, end);
        home.counters.idle_until(start, end);
    }

    fn anchor(&self) -> &'static Anchor<R::Bell> {
        self.local.anchor()
    }

    fn home(&self) -> &'static Home {
        // SAFETY: *One tenant*: it is us, and we never left our thread.
        unsafe { self.anchor().home() }
    }
}

impl<R: Reactor> Drop for Executor<R> {
    fn drop(&mut self) {
        shut_down(self.home());
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

/// Lets the frame of `block_on` go only once the main task has ended, also when a panic unwinds
/// through it: then the task is aborted, and its turn is taken here.
struct EndMain<B: Doorbell> {
    handle: JoinHandle<()>,
    local: Local<B>,
}

impl<B: Doorbell> Drop for EndMain<B> {
    fn drop(&mut self) {
        if !self.handle.is_finished() {
            let home = self.local.home().expect("the executor is borrowed, so it lives");
            self.handle.end_now(home);
        }
    }
}

/// Whoever leaves the loop, by a panic too, sends first what was made for other cores.
struct Leaving(&'static Home);

impl Drop for Leaving {
    #[inline]
    fn drop(&mut self) {
        self.0.watches.send();
    }
}
