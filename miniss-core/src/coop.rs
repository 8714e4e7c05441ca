//! Giving way inside of one poll: what a task may do before others have their turn.
//!
//! A future that is ready lets the code around it go on. So a loop around futures that are always
//! ready never comes back to the executor: one that receives from a closed channel, say. Nothing
//! else on the core would run, not even the timer that is to end the loop. Hence each poll of a
//! task has a budget of [`UNITS`]. Each *leaf*, a future that waits for something itself, spends a
//! unit as it gives its result. If there is none left, it wakes its task and is pending: the task
//! goes on after the reactor had its turn, with a new budget.
//!
//! # How a leaf finds the budget
//!
//! By its waker. The waker of a task has a table of ours, and leads to the executor, which has the
//! budget of the poll under way. So does the waker of a part of
//! [`when_all`](crate::combine::when_all) and the like, which passes on what the whole found. Other
//! wakers tell nothing: those that a `FuturesUnordered` makes for its parts, say. For these the
//! port may know which executor this core runs ([`set_current`]). If it does not, or there is none,
//! nothing is limited.
//!
//! # Why no leaf starves
//!
//! In `select(busy, stop)` the busy part may use up each budget before `stop` has its turn. So a
//! leaf remembers that it was refused: in each later poll it is let through once without a unit. A
//! poll thus gives no more results than it has units and leaves.

use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker, ready};

#[cfg(feature = "alloc")]
use crate::combine;
use crate::defer::defer;
use crate::executor::wake;
use crate::prim::statics::{AtomicI32, AtomicPtr, AtomicU32, Ordering::*};

/// How many results leaves may give in one poll of a task; fewer while single polls take so long
/// that others wait.
pub const UNITS: u32 = 128;

/// More units than a program uses: no task is polled, or one that is [`unconstrained`].
const UNCONSTRAINED: i32 = i32::MAX;
/// No unit is left, and the poll is counted in `polls_spent`.
const COUNTED: i32 = -1;
/// Where a leaf remembers how often it was refused in a poll, beside the number of that poll.
const REFUSALS: u32 = 3;

/// The budget of the task that an executor polls at the moment.
///
/// Its own core writes to it with plain stores. Another core gets here only if a future is polled
/// there with the waker of a task of this core; then a count may be wrong by a few, but nothing
/// depends on it. A port tells leaves of it by [`set_current`].
pub struct TaskBudget {
    /// Units of each poll.
    units: AtomicI32,
    /// Units; not above zero if all are spent.
    left: AtomicI32,
    /// Grows by four with each poll that asks for more than there is. It wraps, past zero.
    polls_spent: AtomicU32,
}

impl TaskBudget {
    pub(crate) const fn new() -> Self {
        // Zeroes, for the sake of statics; an executor lifts it before its first task.
        let (units, left, polls_spent) = (AtomicI32::new(0), AtomicI32::new(0), AtomicU32::new(0));
        Self { units, left, polls_spent }
    }

    /// Sets what each poll has, from one to [`UNITS`].
    #[inline]
    pub(crate) fn set_units(&self, units: u32) {
        debug_assert!((1..=UNITS).contains(&units));
        self.units.store(units as i32, Relaxed);
    }

    /// The poll of a task begins.
    #[inline]
    pub(crate) fn start(&self) {
        self.left.store(self.units.load(Relaxed), Relaxed);
    }

    /// No task is polled any more.
    #[inline]
    pub(crate) fn lift(&self) {
        self.left.store(UNCONSTRAINED, Relaxed);
    }

    /// Whether no unit is left.
    #[inline]
    fn is_spent(&self) -> bool {
        self.left.load(Relaxed) <= 0
    }

    /// Takes a unit, if there is one.
    #[inline]
    fn spend(&self) -> bool {
        let left = self.left.load(Relaxed);
        if left > 0 {
            self.left.store(left - 1, Relaxed);
        }
        left > 0
    }

    /// The number of the poll under way, whose budget is spent: never zero, and room for
    /// [`REFUSALS`].
    fn spent_poll(&self) -> u32 {
        let number = self.polls_spent.load(Relaxed);
        if self.left.load(Relaxed) == COUNTED {
            return number;
        }
        let number = number.checked_add(REFUSALS + 1).unwrap_or(REFUSALS + 1);
        self.left.store(COUNTED, Relaxed);
        self.polls_spent.store(number, Relaxed);
        number
    }
}

impl fmt::Debug for TaskBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskBudget").field("left", &self.left.load(Relaxed)).finish_non_exhaustive()
    }
}

/// Where the wakers of the parts of a whole find the budget of the task that polls it.
#[cfg(feature = "alloc")]
pub(crate) struct BudgetPlace(AtomicPtr<TaskBudget>);

#[cfg(feature = "alloc")]
impl BudgetPlace {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn set(&self, budget: Option<&'static TaskBudget>) {
        let budget = budget.map_or(ptr::null_mut(), |budget| ptr::from_ref(budget).cast_mut());
        // Release: pairs with `get`, by a waker that may be on another core.
        self.0.store(budget, Release);
    }

    pub(crate) fn get(&self) -> Option<&'static TaskBudget> {
        // SAFETY: null, or stored by `set` from a `'static` reference.
        unsafe { self.0.load(Acquire).as_ref() }
    }
}

/// Returns the budget of the executor that runs on the calling core or thread, if one does.
pub type Current = fn() -> Option<&'static TaskBudget>;

/// A [`Current`], or null.
static CURRENT: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Sets how leaves find their budget if their waker is not that of a task. It holds for the whole
/// program; there is none to begin with.
///
/// For a port: miniss-linux has set it.
///
/// ```
/// use miniss_core::coop::{self, TaskBudget};
/// use std::cell::Cell;
///
/// thread_local! {
///     static BUDGET: Cell<Option<&'static TaskBudget>> = const { Cell::new(None) };
/// }
/// coop::set_current(|| BUDGET.get());
///
/// # let executor = miniss_core::doctest::executor();
/// // on each thread that runs an executor:
/// BUDGET.set(Some(executor.local().task_budget()));
/// ```
pub fn set_current(current: Current) {
    // Release: pairs with `current`, which may run on another core.
    CURRENT.store(current as *mut (), Release);
}

/// The budget of the executor on this core, as the port tells it.
fn current() -> Option<&'static TaskBudget> {
    let current = CURRENT.load(Acquire);
    if current.is_null() {
        return None;
    }
    // SAFETY: what is not null was stored by `set_current`, from a function of this very type.
    let current = unsafe { mem::transmute::<*mut (), Current>(current) };
    current()
}

/// The budget that `waker` leads to, or the port.
pub(crate) fn budget_of(waker: &Waker) -> Option<&'static TaskBudget> {
    wake::budget_of(waker).or_else(|| budget_elsewhere(waker))
}

/// Whether the task that `waker` wakes has used up its budget in this poll.
pub(crate) fn is_spent(waker: &Waker) -> bool {
    budget_of(waker).is_some_and(TaskBudget::is_spent)
}

/// The budget for a waker that is not that of a task.
#[cold]
fn budget_elsewhere(waker: &Waker) -> Option<&'static TaskBudget> {
    #[cfg(feature = "alloc")]
    if let Some(budget) = combine::woken::budget_of(waker) {
        return Some(budget);
    }
    let _ = waker;
    current()
}

/// What a leaf keeps to take part: four bytes in each future that waits for something itself.
///
/// All leaves of this crate have one. A port, or a future of your own that may be ready at each
/// poll, asks it right before it takes its result:
///
/// ```
/// use core::{future::poll_fn, task::{Poll, ready}};
/// use std::{cell::RefCell, collections::VecDeque, rc::Rc};
/// use miniss_core::coop::Leaf;
///
/// async fn pop(queue: &RefCell<VecDeque<u32>>) -> u32 {
///     let leaf = Leaf::new();
///     poll_fn(|cx| {
///         if queue.borrow().is_empty() {
///             // …: keep the waker for the next push
///             return Poll::Pending;
///         }
///         ready!(leaf.poll_proceed(cx));
///         Poll::Ready(queue.borrow_mut().pop_front().expect("it is not empty"))
///     })
///     .await
/// }
/// # let queue = Rc::new(RefCell::new((0..1_000).collect()));
/// # let mut executor = miniss_core::doctest::executor();
/// executor.block_on(async {
///     for number in 0..1_000 {
///         assert_eq!(pop(&queue).await, number);
///     }
/// });
/// assert_eq!(executor.local().stats().polls, 8, "it gave way seven times");
/// ```
#[derive(Debug, Default)]
pub struct Leaf {
    /// The number of the last poll with a spent budget in which it asked, and how often it was
    /// refused there since it was let through; zero: there was none.
    asked_in: AtomicU32,
}

impl Leaf {
    /// A leaf that was not refused yet.
    pub const fn new() -> Self {
        Self { asked_in: AtomicU32::new(0) }
    }

    /// Takes a unit of the task's budget. If none is left, it has woken the task and is pending:
    /// the caller leaves everything as it is and is pending, too.
    #[inline]
    pub fn poll_proceed(&self, cx: &Context<'_>) -> Poll<()> {
        match wake::budget_of(cx.waker()) {
            Some(budget) if budget.spend() => Poll::Ready(()),
            found => self.poll_slowly(found, cx),
        }
    }

    /// No unit was found, but the port may know of one.
    #[cold]
    fn poll_slowly(&self, found: Option<&'static TaskBudget>, cx: &Context<'_>) -> Poll<()> {
        let elsewhere = || budget_elsewhere(cx.waker());
        let Some(budget) = found.or_else(elsewhere) else { return Poll::Ready(()) };
        if found.is_none() && budget.spend() {
            return Poll::Ready(());
        }
        self.poll_pass(budget, cx)
    }

    /// No unit is left: gives way, unless it is let through.
    #[cold]
    fn poll_pass(&self, budget: &TaskBudget, cx: &Context<'_>) -> Poll<()> {
        let is_ours = wake::budget_of(cx.waker()).is_some();
        if self.may_pass(budget.spent_poll(), is_ours) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether it asked in an earlier poll and not in this one. With a waker that is not ours, also
    /// if it was refused twice since: in a loop of its own, as `block_on` of `futures` inside of a
    /// task, there is no later poll. Once would not do, for a `FuturesUnordered` polls a part that
    /// woke itself once more before it gives way.
    fn may_pass(&self, poll: u32, is_ours: bool) -> bool {
        let asked_in = self.asked_in.load(Relaxed);
        let refusals = match asked_in & !REFUSALS {
            0 => 0,
            former if former != poll => return self.pass(poll),
            _ => asked_in & REFUSALS,
        };
        if refusals == 2 && !is_ours {
            return self.pass(poll);
        }
        self.asked_in.store(poll | (refusals + 1).min(2), Relaxed);
        false
    }

    fn pass(&self, poll: u32) -> bool {
        self.asked_in.store(poll, Relaxed);
        true
    }
}

/// Spends a unit of the task's budget, giving way if there is none: for work that is ready without
/// a leaf.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// # let mut executor = miniss_core::doctest::executor();
/// executor.block_on(async {
///     for _ in 0..1_000 {
///         miniss_core::coop::consume_budget().await;
///     }
/// });
/// assert_eq!(executor.local().stats().polls, 8, "it gave way seven times");
/// ```
pub async fn consume_budget() {
    let leaf = Leaf::new();
    poll_fn(|cx| leaf.poll_proceed(cx)).await;
}

/// Makes a leaf of `future`: it is polled only while a unit is left, and spends one as it is ready.
///
/// For a future that may be ready at its first poll again and again, and spends nothing itself.
///
/// # Cancellation
///
/// As safe as `future`.
///
/// ```
/// use miniss_core::coop::cooperative;
/// # let mut executor = miniss_core::doctest::executor();
/// executor.block_on(async {
///     for number in 0..1_000 {
///         assert_eq!(cooperative(async { number }).await, number);
///     }
/// });
/// assert_eq!(executor.local().stats().polls, 8, "it gave way seven times");
/// ```
pub const fn cooperative<F>(future: F) -> Cooperative<F> {
    Cooperative { leaf: Leaf::new(), future }
}

/// The future of [`cooperative`].
///
/// # Cancellation
///
/// As safe as the future inside.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Cooperative<F> {
    leaf: Leaf,
    future: F,
}

impl<F: Future> Future for Cooperative<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let budget = budget_of(cx.waker());
        if let Some(budget) = budget
            && budget.is_spent()
        {
            ready!(self.leaf.poll_pass(budget, cx));
        }
        // SAFETY: `future` is structurally pinned: it is polled and dropped in place.
        let polled = unsafe { self.map_unchecked_mut(|this| &mut this.future) }.poll(cx);
        if polled.is_ready() {
            budget.map(TaskBudget::spend);
        }
        polled
    }
}

/// Lets `future` do as much in one poll as it likes: its leaves do not give way.
///
/// # Cancellation
///
/// As safe as `future`.
///
/// ```
/// use miniss_core::coop::{consume_budget, unconstrained};
/// # let mut executor = miniss_core::doctest::executor();
/// executor.block_on(unconstrained(async {
///     for _ in 0..1_000 {
///         consume_budget().await;
///     }
/// }));
/// assert_eq!(executor.local().stats().polls, 1);
/// ```
pub const fn unconstrained<F>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

/// The future of [`unconstrained`].
///
/// # Cancellation
///
/// As safe as the future inside.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Unconstrained<F> {
    future: F,
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let budget = budget_of(cx.waker());
        let left = budget.map_or(UNCONSTRAINED, |budget| budget.left.load(Relaxed));
        let set = |left| budget.into_iter().for_each(|budget| budget.left.store(left, Relaxed));
        set(UNCONSTRAINED);
        let _put_back = defer(|| set(left));
        // SAFETY: `future` is structurally pinned: it is polled and dropped in place.
        unsafe { self.map_unchecked_mut(|this| &mut this.future) }.poll(cx)
    }
}

#[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
mod tests;
