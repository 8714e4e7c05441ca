//! Models, each named for the race it rules out. They run the code that ships.

use std::boxed::Box;
use std::sync::atomic::{AtomicUsize, Ordering};

use core::future::Future as _;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use ::loom::sync::Arc;
use ::loom::thread;

use super::{Future, Promise, PromiseCell};
use crate::error::BrokenPromise;

/// A value that loom misses if it is leaked, and reports if it is used after its drop.
type Value = Arc<u32>;

/// Counts its wakes and its wakers. Both are outside of what loom explores, and it is never freed:
/// whatever a bug does to a waker is counted.
struct WakeCount {
    wakes: AtomicUsize,
    wakers: AtomicUsize,
}

impl WakeCount {
    const TABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::count, Self::drop);

    fn new() -> (&'static Self, Waker) {
        let count = Self { wakes: AtomicUsize::new(0), wakers: AtomicUsize::new(0) };
        let count: &'static Self = Box::leak(Box::new(count));
        // SAFETY: the count is forever, and the table takes it for what it is.
        (count, unsafe { Waker::from_raw(Self::clone(ptr::from_ref(count).cast())) })
    }

    fn of(data: *const ()) -> &'static Self {
        // SAFETY: the data of all wakers with this table; counts are never freed.
        unsafe { &*data.cast() }
    }

    fn clone(data: *const ()) -> RawWaker {
        Self::of(data).wakers.fetch_add(1, Ordering::Relaxed);
        RawWaker::new(data, &Self::TABLE)
    }

    fn count(data: *const ()) {
        Self::of(data).wakes.fetch_add(1, Ordering::Relaxed);
    }

    fn wake(data: *const ()) {
        Self::count(data);
        Self::drop(data);
    }

    fn drop(data: *const ()) {
        let wakers = Self::of(data).wakers.fetch_sub(1, Ordering::Relaxed);
        assert!(wakers > 0 || std::thread::panicking(), "a waker was dropped twice");
    }

    fn wakes(&self) -> usize {
        self.wakes.load(Ordering::Relaxed)
    }

    fn wakers(&self) -> usize {
        self.wakers.load(Ordering::Relaxed)
    }
}

fn poll<T>(future: &mut Future<T>, waker: &Waker) -> Poll<Result<T, BrokenPromise>> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Runs `promise_side` on another thread, against `future_side` on this.
///
/// It is explored twice, from a run in which the future comes first and from one in which the
/// promise does: loom notes only the last look at an atomic, so from either it may not find its
/// way to all others.
fn race<R: 'static>(
    promise_side: impl Fn(Promise<Value>) -> R + Copy + Send + Sync + 'static,
    future_side: impl Fn(Future<Value>, thread::JoinHandle<R>) + Copy + Send + Sync + 'static,
) {
    for promise_first in [false, true] {
        ::loom::model(move || {
            let (future, promise) = Future::<Value>::new();
            let other = thread::spawn(move || promise_side(promise));
            if promise_first {
                thread::yield_now();
            }
            future_side(future, other);
        });
    }
}

fn complete(promise: Promise<Value>) -> Result<(), Value> {
    promise.complete(Arc::new(7))
}

/// Polls once; if that has to wait, then joins the other thread, and checks that exactly one wake
/// came by then. Whatever happened, the result must be there in the end.
fn poll_and_wait<R>(
    future: &mut Future<Value>,
    other: thread::JoinHandle<R>,
) -> Result<u32, BrokenPromise> {
    let (count, waker) = WakeCount::new();
    let first = poll(future, &waker);
    other.join().unwrap();
    let result = match first {
        Poll::Ready(result) => {
            assert_eq!(count.wakes(), 0);
            result
        }
        Poll::Pending => {
            assert_eq!(count.wakes(), 1, "the wake was lost");
            future.try_take().expect("woken, so it is there")
        }
    };
    drop(waker);
    assert_eq!(count.wakers(), 0, "the waker leaked");
    result.map(|value| *value)
}

#[test]
fn loom_complete_against_drop_of_the_future() {
    race(complete, |future, other| {
        drop(future);
        drop(other.join().unwrap());
    });
}

#[test]
fn loom_complete_against_drop_of_a_registered_future() {
    ::loom::model(|| {
        let (mut future, promise) = Future::<Value>::new();
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop(waker);
        let other = thread::spawn(move || complete(promise));
        drop(future);
        let came_back = other.join().unwrap().is_err();
        assert_eq!(count.wakes(), usize::from(!came_back));
        assert_eq!(count.wakers(), 0, "the waker leaked");
    });
}

#[test]
fn loom_complete_against_the_first_poll() {
    race(complete, |mut future, other| {
        assert_eq!(poll_and_wait(&mut future, other), Ok(7));
    });
}

#[test]
fn loom_drop_of_the_promise_against_the_first_poll() {
    race(drop, |mut future, other| {
        assert_eq!(poll_and_wait(&mut future, other), Err(BrokenPromise));
    });
}

#[test]
fn loom_complete_against_try_take() {
    race(complete, |mut future, other| {
        let early = future.try_take();
        other.join().unwrap().unwrap();
        let result = early.or_else(|| future.try_take());
        assert_eq!(*result.unwrap().unwrap(), 7);
    });
}

#[test]
fn loom_complete_and_free_against_poll_without_a_join() {
    race(complete, |mut future, _other| {
        // The result is taken while the promise may still be in `complete`, so the box is freed
        // under its feet unless it is out.
        let (_unparker, waker) = WakeCount::new();
        if let Poll::Ready(result) = poll(&mut future, &waker) {
            assert_eq!(*result.unwrap(), 7);
        }
    });
}

/// A future with one waker registered already, polled with a second one while the promise ends.
fn replacement_model(promise_side: fn(Promise<Value>), result: Result<u32, BrokenPromise>) {
    ::loom::model(move || {
        let (mut future, promise) = Future::<Value>::new();
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop(waker);
        let other = thread::spawn(move || promise_side(promise));
        assert_eq!(poll_twice_and_wait(&mut future, other, count), result);
        assert_eq!(count.wakers(), 0, "the first waker leaked");
    });
}

/// As `poll_and_wait`, where an earlier waker may be woken instead if ours came too late.
fn poll_twice_and_wait(
    future: &mut Future<Value>,
    other: thread::JoinHandle<()>,
    earlier: &WakeCount,
) -> Result<u32, BrokenPromise> {
    let (count, waker) = WakeCount::new();
    let first = poll(future, &waker);
    drop(waker);
    other.join().unwrap();
    assert_eq!(count.wakers(), 0, "the second waker leaked");
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => {
            assert_eq!((earlier.wakes(), count.wakes()), (0, 1), "the last waker is woken");
            future.try_take().expect("woken, so it is there")
        }
    };
    result.map(|value| *value)
}

#[test]
fn loom_waker_replacement_against_complete() {
    replacement_model(|promise| complete(promise).unwrap(), Ok(7));
}

#[test]
fn loom_waker_replacement_against_drop_of_the_promise() {
    replacement_model(drop, Err(BrokenPromise));
}

/// A future whose waker was replaced before, so that the promise leaves in two steps.
fn replaced() -> (Future<Value>, Promise<Value>, [&'static WakeCount; 2]) {
    let (mut future, promise) = Future::<Value>::new();
    let counts = [(); 2].map(|()| {
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        count
    });
    (future, promise, counts)
}

#[test]
fn loom_second_waker_replacement_against_complete() {
    ::loom::model(|| {
        let (mut future, promise, [_, second]) = replaced();
        let other = thread::spawn(move || complete(promise).unwrap());
        assert_eq!(poll_twice_and_wait(&mut future, other, second), Ok(7));
        assert_eq!(second.wakers(), 0, "the second waker leaked");
    });
}

#[test]
fn loom_two_step_complete_against_take_and_free() {
    ::loom::model(|| {
        let (mut future, promise, [_, second]) = replaced();
        let other = thread::spawn(move || complete(promise));
        if let Some(result) = future.try_take() {
            assert_eq!(*result.unwrap(), 7);
        }
        drop(future);
        let came_back = other.join().unwrap().is_err();
        assert_eq!(second.wakes(), usize::from(!came_back));
        assert_eq!(second.wakers(), 0, "the waker leaked");
    });
}

#[test]
fn loom_two_step_break_against_drop_of_the_future() {
    ::loom::model(|| {
        let (future, promise, [_, second]) = replaced();
        let other = thread::spawn(move || drop(promise));
        drop(future);
        other.join().unwrap();
        assert_eq!(second.wakers(), 0, "the waker leaked");
    });
}

/// Opens a cell again while the former ends leave it on two other threads.
fn reuse_model(former_waker_replaced: bool) {
    ::loom::model(move || {
        let memory = Box::into_raw(Box::new(PromiseCell::<Value>::new()));
        // SAFETY: the box is freed at the end of the model, when all ends are gone.
        let cell: &'static PromiseCell<Value> = unsafe { &*memory };
        let (mut future, promise) = cell.pair().unwrap();
        for _ in 0..=usize::from(former_waker_replaced) {
            assert!(poll(&mut future, &WakeCount::new().1).is_pending());
        }
        let ender = thread::spawn(move || drop(complete(promise)));
        let dropper = thread::spawn(move || drop(future));
        if let Some(pair) = cell.pair() {
            use_again(pair);
        }
        ender.join().unwrap();
        dropper.join().unwrap();
        use_again(cell.pair().expect("both ends are gone"));
        // SAFETY: it came from `into_raw`, and no end is left.
        drop(unsafe { Box::from_raw(memory) });
    });
}

fn use_again((mut future, promise): (Future<Value>, Promise<Value>)) {
    assert!(poll(&mut future, &WakeCount::new().1).is_pending());
    promise.complete(Arc::new(8)).unwrap();
    assert_eq!(*future.try_take().unwrap().unwrap(), 8);
}

#[test]
fn loom_reuse_of_a_cell_against_its_former_ends() {
    reuse_model(false);
}

#[test]
fn loom_reuse_of_a_cell_against_a_two_step_complete() {
    reuse_model(true);
}

/// Replaces the waker in a cell in a `static`, while the promise ends. Whatever came first, both
/// ends leave it, and it opens again.
fn replacement_in_a_cell(promise_side: fn(Promise<Value>), replaced_before: bool) {
    ::loom::model(move || {
        let memory = Box::into_raw(Box::new(PromiseCell::<Value>::new()));
        // SAFETY: the box is freed at the end of the model, when all ends are gone.
        let cell: &'static PromiseCell<Value> = unsafe { &*memory };
        let (mut future, promise) = cell.pair().unwrap();
        for _ in 0..=usize::from(replaced_before) {
            assert!(poll(&mut future, &WakeCount::new().1).is_pending());
        }
        let ender = thread::spawn(move || promise_side(promise));
        _ = poll(&mut future, &WakeCount::new().1);
        ender.join().unwrap();
        drop(future);
        use_again(cell.pair().expect("both ends are gone"));
        // SAFETY: it came from `into_raw`, and no end is left.
        drop(unsafe { Box::from_raw(memory) });
    });
}

#[test]
fn loom_an_end_amid_a_waker_replacement_leaves_the_cell_to_the_future() {
    replacement_in_a_cell(|promise| complete(promise).unwrap(), false);
    replacement_in_a_cell(|promise| complete(promise).unwrap(), true);
}

#[test]
fn loom_a_break_amid_a_waker_replacement_leaves_the_cell_to_the_future() {
    replacement_in_a_cell(drop, false);
    replacement_in_a_cell(drop, true);
}

#[test]
fn loom_completion_at_once_against_the_former_ends_of_the_cell() {
    ::loom::model(|| {
        let memory = Box::into_raw(Box::new(PromiseCell::<Value>::new()));
        // SAFETY: the box is freed at the end of the model, when all ends are gone.
        let cell: &'static PromiseCell<Value> = unsafe { &*memory };
        let (mut former, promise) = cell.pair().unwrap();
        promise.complete(Arc::new(7)).unwrap();
        let taker = thread::spawn(move || *former.try_take().unwrap().unwrap());
        thread::yield_now();
        // The promise fills in the outcome before anyone looks at the word again.
        if let Some((mut future, promise)) = cell.pair() {
            promise.complete(Arc::new(8)).unwrap();
            assert_eq!(*future.try_take().unwrap().unwrap(), 8);
        }
        assert_eq!(taker.join().unwrap(), 7);
        // SAFETY: it came from `into_raw`, and no end is left.
        drop(unsafe { Box::from_raw(memory) });
    });
}

// What the models must find out.
crate::prim::bugs! {
    loom_without_acquire_a_cell_opens_under_its_former_ends:
        loom_completion_at_once_against_the_former_ends_of_the_cell with "promise: open" as Relaxed
        says "Causality violation";
    loom_without_release_a_cell_closes_under_its_next_ends:
        loom_reuse_of_a_cell_against_its_former_ends with "promise: close" as Relaxed
        says "Causality violation";
    loom_without_acquire_before_the_end_the_waker_is_not_there:
        loom_complete_against_the_first_poll with "promise: look before the end" as Relaxed
        says "a waker was taken that is not there";
    loom_without_acquire_at_a_second_look_the_waker_is_not_there:
        loom_complete_against_the_first_poll with "promise: look again before the end" as Relaxed
        says "a waker was taken that is not there";
    loom_without_release_an_end_hides_the_outcome:
        loom_complete_against_try_take with "promise: end" as Acquire
        says "Causality violation";
    loom_without_acquire_an_end_takes_a_waker_that_is_not_there:
        loom_second_waker_replacement_against_complete with "promise: end" as Release
        says "a waker was dropped twice";
    loom_without_release_the_cell_is_freed_under_a_promise_that_takes_the_waker:
        loom_two_step_complete_against_take_and_free with "promise: waker taken" as Acquire
        says "Causality violation";
    loom_without_acquire_a_promise_frees_the_cell_under_the_future:
        loom_two_step_complete_against_take_and_free with "promise: waker taken" as Release
        says "Causality violation";
    loom_without_acquire_the_outcome_is_not_there:
        loom_complete_against_try_take with "promise: observe" as Relaxed
        says "Causality violation";
    loom_without_release_a_waker_is_registered_before_it_is_there:
        loom_complete_against_the_first_poll with "promise: register" as Relaxed
        says "a waker was taken that is not there";
    loom_without_a_trace_of_the_change_the_wrong_waker_is_taken:
        loom_waker_replacement_against_complete without "promise: a change leaves a trace"
        says "a waker was dropped twice";
    loom_without_release_a_promise_frees_the_cell_under_the_future_that_leaves:
        loom_complete_against_drop_of_a_registered_future with "promise: abandon" as Relaxed
        says "Causality violation";
    loom_without_acquire_a_future_that_comes_too_late_frees_the_cell_under_the_promise:
        loom_complete_against_drop_of_the_future with "promise: abandon too late" as Relaxed
        says "Causality violation";
    loom_without_release_a_promise_frees_the_cell_under_the_future_that_is_done:
        loom_two_step_complete_against_take_and_free with "promise: leave" as Acquire
        says "Causality violation";
    loom_without_acquire_a_future_frees_the_cell_under_the_promise:
        loom_two_step_complete_against_take_and_free with "promise: leave" as Release
        says "Causality violation";
}
