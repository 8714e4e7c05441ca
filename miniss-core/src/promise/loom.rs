//! Models, each named for the race it rules out. They run the code that ships.

use std::boxed::Box;
use std::sync::Arc as StdArc;
use std::task::Wake;

use core::future::Future as _;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use super::{Future, Promise, PromiseCell};
use crate::error::BrokenPromise;

/// A value that loom misses if it is leaked, and reports if it is used after its drop.
type Value = Arc<u32>;

/// Counts its wakes. Relaxed, so that it adds no ordering of its own to what is modelled.
struct Bell(AtomicUsize);

impl Bell {
    fn new() -> (StdArc<Self>, Waker) {
        let bell = StdArc::new(Self(AtomicUsize::new(0)));
        (bell.clone(), Waker::from(bell))
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<T>(future: &mut Future<T>, waker: &Waker) -> Poll<Result<T, BrokenPromise>> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Runs `promise_side` on another thread, against `future_side` on this.
fn race<R: 'static>(
    promise_side: impl Fn(Promise<Value>) -> R + Copy + Send + Sync + 'static,
    future_side: impl Fn(Future<Value>, thread::JoinHandle<R>) + Send + Sync + 'static,
) {
    ::loom::model(move || {
        let (future, promise) = Future::<Value>::new();
        let other = thread::spawn(move || promise_side(promise));
        future_side(future, other);
    });
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
    let (bell, waker) = Bell::new();
    let first = poll(future, &waker);
    other.join().unwrap();
    let result = match first {
        Poll::Ready(result) => {
            assert_eq!(bell.rings(), 0);
            result
        }
        Poll::Pending => {
            assert_eq!(bell.rings(), 1, "the wake was lost");
            future.try_take().expect("woken, so it is there")
        }
    };
    drop(waker);
    assert_eq!(StdArc::strong_count(&bell), 1, "the waker leaked");
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
        let (bell, waker) = Bell::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop(waker);
        let other = thread::spawn(move || complete(promise));
        drop(future);
        let came_back = other.join().unwrap().is_err();
        assert_eq!(bell.rings(), usize::from(!came_back));
        assert_eq!(StdArc::strong_count(&bell), 1, "the waker leaked");
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
        let (_bell, waker) = Bell::new();
        if let Poll::Ready(result) = poll(&mut future, &waker) {
            assert_eq!(*result.unwrap(), 7);
        }
    });
}

/// A future with one waker registered already, polled with a second one while the promise ends.
fn replacement_model(promise_side: fn(Promise<Value>), result: Result<u32, BrokenPromise>) {
    ::loom::model(move || {
        let (mut future, promise) = Future::<Value>::new();
        let (bell, waker) = Bell::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop(waker);
        let other = thread::spawn(move || promise_side(promise));
        assert_eq!(poll_twice_and_wait(&mut future, other, &bell), result);
        assert_eq!(StdArc::strong_count(&bell), 1, "the first waker leaked");
    });
}

/// As `poll_and_wait`, where an earlier waker may be woken instead if ours came too late.
fn poll_twice_and_wait(
    future: &mut Future<Value>,
    other: thread::JoinHandle<()>,
    earlier: &Bell,
) -> Result<u32, BrokenPromise> {
    let (bell, waker) = Bell::new();
    let first = poll(future, &waker);
    drop(waker);
    other.join().unwrap();
    assert_eq!(StdArc::strong_count(&bell), 1, "the second waker leaked");
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => {
            assert_eq!((earlier.rings(), bell.rings()), (0, 1), "the last waker is woken");
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
fn replaced() -> (Future<Value>, Promise<Value>, [StdArc<Bell>; 2]) {
    let (mut future, promise) = Future::<Value>::new();
    let bells = [(); 2].map(|()| {
        let (bell, waker) = Bell::new();
        assert!(poll(&mut future, &waker).is_pending());
        bell
    });
    (future, promise, bells)
}

#[test]
fn loom_second_waker_replacement_against_complete() {
    ::loom::model(|| {
        let (mut future, promise, [_, second]) = replaced();
        let other = thread::spawn(move || complete(promise).unwrap());
        assert_eq!(poll_twice_and_wait(&mut future, other, &second), Ok(7));
        assert_eq!(StdArc::strong_count(&second), 1, "the second waker leaked");
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
        assert_eq!(second.rings(), usize::from(!came_back));
        assert_eq!(StdArc::strong_count(&second), 1, "the waker leaked");
    });
}

#[test]
fn loom_two_step_break_against_drop_of_the_future() {
    ::loom::model(|| {
        let (future, promise, [_, second]) = replaced();
        let other = thread::spawn(move || drop(promise));
        drop(future);
        other.join().unwrap();
        assert_eq!(StdArc::strong_count(&second), 1, "the waker leaked");
    });
}

/// Opens a cell again while the former ends leave it on two other threads.
fn reuse_model(former_waker_replaced: bool) {
    ::loom::model(move || {
        let cell = Box::into_raw(Box::new(PromiseCell::<Value>::new()));
        // SAFETY: the box is freed at the end of the model, when all ends are gone.
        let home: &'static PromiseCell<Value> = unsafe { &*cell };
        let (mut future, promise) = home.pair().unwrap();
        for _ in 0..=usize::from(former_waker_replaced) {
            assert!(poll(&mut future, &Bell::new().1).is_pending());
        }
        let ender = thread::spawn(move || drop(complete(promise)));
        let dropper = thread::spawn(move || drop(future));
        if let Some(pair) = home.pair() {
            use_again(pair);
        }
        ender.join().unwrap();
        dropper.join().unwrap();
        use_again(home.pair().expect("both ends are gone"));
        // SAFETY: it came from `into_raw`, and no end is left.
        drop(unsafe { Box::from_raw(cell) });
    });
}

fn use_again((mut future, promise): (Future<Value>, Promise<Value>)) {
    assert!(poll(&mut future, &Bell::new().1).is_pending());
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
