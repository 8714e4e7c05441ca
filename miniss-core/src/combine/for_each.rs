//! Work for each item of a sequence, many at once: all of it, whatever fails, or one value made of
//! all results.
//!
//! On the heap each of the futures has a waker of its own, and a wake polls the one that was woken
//! (see `woken`). In a fixed number of slots they share the waker of their task, and a wake polls
//! every one that is not done.

#![forbid(unsafe_code)]

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};

#[cfg(feature = "alloc")]
use super::chain::{convert, on_first_poll};
use super::slots::{each, row};
#[cfg(feature = "alloc")]
use super::when_all::when_all;
#[cfg(feature = "alloc")]
use super::woken::Woken;

/// So many futures are begun in one poll before the others on this core have a turn. Those that run
/// already and were woken are polled all the same.
const BEGUN_PER_POLL_MAX: usize = 128;

/// Starts `f(item)` for all `items` at once and waits for all of them, even after one has failed.
///
/// Nothing happens before the first poll. Then futures start in the order of the items, each
/// running until it waits before the next one is made, and from then on each is polled when it was
/// woken itself. After 128 the others on this core have a turn. They are kept in boxes, as many as
/// run at once; see [`max_concurrent_for_each`] for a bound, and [`max_concurrent_for_each_fixed`]
/// to do without a heap.
///
/// Needs the `alloc` feature.
///
/// # Errors
///
/// The first one, in time. Those after it are dropped.
///
/// # Panics
///
/// If an item's future does, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done. The items that are left are not begun.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::time::Duration;
/// use miniss_core::combine::parallel_for_each;
/// use miniss_core::timer::Sleep;
///
/// let mut executor = executor();
/// let local = executor.local();
/// let mut done = std::cell::RefCell::new(Vec::new());
/// let all = parallel_for_each([3, 1, 2], async |millis| {
///     Sleep::new(local, Duration::from_millis(millis)).await;
///     done.borrow_mut().push(millis);
///     if millis == 1 { Err("one") } else { Ok(()) }
/// });
/// assert_eq!(executor.block_on(all), Err("one"));
/// assert_eq!(*done.get_mut(), [1, 2, 3], "it waited for all of them");
/// ```
#[cfg(feature = "alloc")]
pub fn parallel_for_each<I, N, E>(
    items: I,
    f: impl FnMut(I::Item) -> N,
) -> impl Future<Output = Result<(), E>>
where
    I: IntoIterator,
    N: Future<Output = Result<(), E>>,
{
    max_concurrent_for_each(items, usize::MAX, f)
}

/// Runs `f(item)` for all `items`, at most `max` at a time, and waits for all of them.
///
/// It starts them in the order of the items, the next one as soon as one has ended, and goes on
/// so after a failure. `items` is asked for an item when there is a place for it. A future is
/// polled when it was woken itself. If very many are, or end without waiting, it gives the others
/// on this core a turn now and then.
///
/// Needs the `alloc` feature.
///
/// # Errors
///
/// The first one, in time. Those after it are dropped.
///
/// # Panics
///
/// If `max` is zero or an item's future panics, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done. The items that are left are not begun.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::{cell::Cell, time::Duration};
/// use miniss_core::combine::max_concurrent_for_each;
/// use miniss_core::timer::Sleep;
///
/// let mut executor = executor();
/// let local = executor.local();
/// let (running, most) = (Cell::new(0), Cell::new(0));
/// let all = max_concurrent_for_each(0..10, 3, async |_| {
///     running.set(running.get() + 1);
///     most.set(most.get().max(running.get()));
///     Sleep::new(local, Duration::from_millis(1)).await;
///     running.set(running.get() - 1);
///     Ok::<(), ()>(())
/// });
/// executor.block_on(all).unwrap();
/// assert_eq!(most.get(), 3);
/// ```
#[cfg(feature = "alloc")]
#[track_caller]
pub fn max_concurrent_for_each<I, N, E>(
    items: I,
    max: usize,
    f: impl FnMut(I::Item) -> N,
) -> impl Future<Output = Result<(), E>>
where
    I: IntoIterator,
    N: Future<Output = Result<(), E>>,
{
    assert!(max > 0, "nothing would ever be done at most zero at a time");
    async move {
        let mut slots = pin!(Boxed::new(max));
        let mut work = Work::new(items.into_iter(), f);
        poll_fn(|cx| work.poll(slots.as_mut(), cx)).await
    }
}

/// As `max_concurrent_for_each` with at most `MAX` at a time, without a heap: the future has room
/// for them. Whenever one of them is woken, all that run are polled, so this is for a few.
///
/// A `MAX` of zero does not compile.
///
/// # Errors
///
/// The first one, in time. Those after it are dropped.
///
/// # Panics
///
/// If an item's future does, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done. The items that are left are not begun.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::cell::Cell;
/// use miniss_core::combine::max_concurrent_for_each_fixed;
///
/// let sum = Cell::new(0);
/// let adding = max_concurrent_for_each_fixed::<4, _, _, _, _>(1..=10, async |n| {
///     sum.set(sum.get() + n);
///     Ok::<(), ()>(())
/// });
/// executor().block_on(adding).unwrap();
/// assert_eq!(sum.get(), 55);
/// ```
pub fn max_concurrent_for_each_fixed<const MAX: usize, I, F, N, E>(
    items: I,
    f: F,
) -> impl Future<Output = Result<(), E>>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> N,
    N: Future<Output = Result<(), E>>,
{
    const { assert!(MAX > 0, "nothing would ever be done at most zero at a time") };
    async move {
        let mut slots = pin!([const { None::<N> }; MAX]);
        let mut work = Work::new(items.into_iter(), f);
        poll_fn(|cx| work.poll(slots.as_mut(), cx)).await
    }
}

/// Runs `map(item)` for all `items` at once; when all are done, folds the outputs into `initial`
/// by `reduce`, in the order of the items, whatever the order in which they came.
///
/// Nothing happens before the first poll. The futures lie in one box; their outputs are gathered in
/// a `Vec` before the first is reduced. All run at once, so for very many items let `map` acquire a
/// [`Semaphore`](crate::sync::Semaphore) first.
///
/// Outputs are handed on as they are: where `map` may fail, `reduce` says what becomes of it.
///
/// Needs the `alloc` feature.
///
/// # Panics
///
/// If one of the closures or futures does, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done, and the outputs of those that are.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::time::Duration;
/// use miniss_core::combine::map_reduce;
/// use miniss_core::timer::Sleep;
///
/// let mut executor = executor();
/// let local = executor.local();
/// let spell = async |letter: char| {
///     Sleep::new(local, Duration::from_micros(200 - letter as u64)).await;
///     letter
/// };
/// let add = |mut word: String, letter| {
///     word.push(letter);
///     word
/// };
/// let word = map_reduce("miniss".chars(), spell, String::new(), add);
/// assert_eq!(executor.block_on(word), "miniss");
/// ```
#[cfg(feature = "alloc")]
pub fn map_reduce<I, N, A>(
    items: I,
    map: impl FnMut(I::Item) -> N,
    initial: A,
    reduce: impl FnMut(A, N::Output) -> A,
) -> impl Future<Output = A>
where
    I: IntoIterator,
    N: Future,
{
    on_first_poll(move || {
        let all: Vec<N> = items.into_iter().map(map).collect();
        convert(when_all(all), move |outputs| outputs.into_iter().fold(initial, reduce))
    })
}

/// What is to be done yet, and what has come of it.
struct Work<I, F, E> {
    /// `None` once it has no more.
    items: Option<I>,
    f: F,
    error: Option<E>,
    /// How many may be begun in this poll.
    may_begin: usize,
}

impl<I, F, N, E> Work<I, F, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> N,
    N: Future<Output = Result<(), E>>,
{
    const fn new(items: I, f: F) -> Self {
        Self { items: Some(items), f, error: None, may_begin: BEGUN_PER_POLL_MAX }
    }

    fn poll<S: Slots<N>>(
        &mut self,
        slots: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), E>> {
        self.may_begin = BEGUN_PER_POLL_MAX;
        let busy = slots.serve(self, cx);
        if self.may_begin == 0 && self.items.is_some() {
            cx.waker().wake_by_ref();
        } else if !busy {
            return Poll::Ready(self.error.take().map_or(Ok(()), Err));
        }
        Poll::Pending
    }

    /// Lets the future in `slot` run, and one after the other in its place; whether one stays.
    fn serve(&mut self, mut slot: Pin<&mut Option<N>>, cx: &mut Context<'_>) -> bool {
        while self.fill(slot.as_mut()) {
            let running = slot.as_mut().as_pin_mut().expect("just filled");
            let Poll::Ready(outcome) = running.poll(cx) else { return true };
            slot.set(None);
            self.error = self.error.take().or(outcome.err());
        }
        false
    }

    /// Starts the next item's future in `slot` if that is free and more may begin in this poll;
    /// whether one is there now.
    fn fill(&mut self, mut slot: Pin<&mut Option<N>>) -> bool {
        if slot.is_none() && self.may_begin > 0 {
            self.may_begin -= 1;
            let next = self.next().map(&mut self.f);
            slot.set(next);
        }
        slot.is_some()
    }

    fn next(&mut self) -> Option<I::Item> {
        let item = self.items.as_mut()?.next();
        if item.is_none() {
            self.items = None;
        }
        item
    }

    /// Whether more could be started in this poll.
    #[cfg(feature = "alloc")]
    const fn goes_on(&self) -> bool {
        self.items.is_some() && self.may_begin > 0
    }
}

/// Places for the futures that run.
trait Slots<N> {
    /// Serves every slot; whether one is taken now.
    fn serve<I, F, E>(self: Pin<&mut Self>, work: &mut Work<I, F, E>, cx: &mut Context<'_>) -> bool
    where
        I: Iterator,
        F: FnMut(I::Item) -> N,
        N: Future<Output = Result<(), E>>;
}

impl<N, const MAX: usize> Slots<N> for [Option<N>; MAX] {
    fn serve<I, F, E>(self: Pin<&mut Self>, work: &mut Work<I, F, E>, cx: &mut Context<'_>) -> bool
    where
        I: Iterator,
        F: FnMut(I::Item) -> N,
        N: Future<Output = Result<(), E>>,
    {
        let mut busy = false;
        for slot in each(row(self)) {
            busy |= work.serve(slot, cx);
        }
        busy
    }
}

/// Slots that are made when they are wanted, and used again until no item is left.
#[cfg(feature = "alloc")]
struct Boxed<N> {
    max: usize,
    slots: Vec<Option<Pin<Box<Option<N>>>>>,
    /// Slots that are free while there may be items.
    free: Vec<usize>,
    running: usize,
    woken: Woken,
}

#[cfg(feature = "alloc")]
impl<N> Boxed<N> {
    fn new(max: usize) -> Self {
        Self { max, slots: Vec::new(), free: Vec::new(), running: 0, woken: Woken::new(0) }
    }

    /// A slot that is free, if there may be one.
    fn free_slot(&mut self) -> Option<usize> {
        self.free.pop().or_else(|| {
            let slot = self.slots.len();
            (slot < self.max).then(|| {
                self.slots.push(Some(Box::pin(None)));
                self.woken.add(slot);
                slot
            })
        })
    }

    /// Lets the future in a slot run, or else that of the next item.
    fn serve<I, F, E>(&mut self, slot: usize, work: &mut Work<I, F, E>)
    where
        I: Iterator,
        F: FnMut(I::Item) -> N,
        N: Future<Output = Result<(), E>>,
    {
        let Some(place) = &mut self.slots[slot] else { return };
        self.running -= usize::from(place.is_some());
        if self.woken.poll(slot, |cx| work.serve(place.as_mut(), cx)) {
            self.running += 1;
        } else if work.items.is_some() {
            self.free.push(slot);
        } else {
            self.slots[slot] = None;
        }
    }

    fn is_running(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(|place| place.is_some())
    }
}

#[cfg(feature = "alloc")]
impl<N> Slots<N> for Boxed<N> {
    fn serve<I, F, E>(
        mut self: Pin<&mut Self>,
        work: &mut Work<I, F, E>,
        cx: &mut Context<'_>,
    ) -> bool
    where
        I: Iterator,
        F: FnMut(I::Item) -> N,
        N: Future<Output = Result<(), E>>,
    {
        self.woken.begin(cx.waker());
        while let Some(slot) = self.woken.next() {
            if self.is_running(slot) {
                Self::serve(&mut self, slot, work);
            }
        }
        while work.goes_on()
            && let Some(slot) = self.free_slot()
        {
            Self::serve(&mut self, slot, work);
        }
        self.woken.end(cx.waker());
        self.running > 0
    }
}

#[cfg(all(test, not(any(loom, shuttle)), feature = "alloc"))]
mod map_reduce_tests;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
