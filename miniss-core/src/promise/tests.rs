//! What users count on: delivered once, ended promptly, nothing lost or dropped twice.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::{thread, vec::Vec};

use core::future::Future as _;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

mod hammer;

use super::{Future, Promise, PromiseCell};
use crate::error::BrokenPromise;

/// Counts its wakes.
#[derive(Default)]
struct WakeCount(AtomicUsize);

impl WakeCount {
    fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), Waker::from(count))
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<T, E>(future: &mut Future<T, E>, waker: &Waker) -> Poll<Result<T, E>>
where
    E: From<BrokenPromise>,
{
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A cell of our own for each test; the few bytes are never given back.
fn static_cell<T>() -> &'static PromiseCell<T> {
    crate::kept::forever(PromiseCell::new())
}

/// Runs the body with a pair on the heap, and then with one in a static cell.
fn both_homes<T: 'static>(body: impl Fn(Future<T>, Promise<T>)) {
    #[cfg(feature = "alloc")]
    {
        let (future, promise) = Future::new();
        body(future, promise);
    }
    let cell = static_cell();
    let (future, promise) = cell.pair().unwrap();
    body(future, promise);
    assert!(cell.pair().is_some(), "the cell is free after the test");
}

#[test]
fn value_brought_before_the_first_poll_is_delivered() {
    both_homes(|mut future, promise| {
        promise.complete(3).unwrap();
        assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Ok(3)));
    });
}

#[test]
fn value_brought_after_a_poll_wakes_once_and_is_delivered() {
    both_homes(|mut future, promise| {
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        promise.complete(3).unwrap();
        assert_eq!(count.wakes(), 1);
        assert_eq!(poll(&mut future, &waker), Poll::Ready(Ok(3)));
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn both_ends_move_to_other_threads_in_between() {
    both_homes(|mut future, promise| {
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        let future = thread::spawn(move || future);
        thread::spawn(move || promise.complete(String::from("moved")).unwrap()).join().unwrap();
        let mut future = future.join().unwrap();
        assert_eq!(count.wakes(), 1);
        assert_eq!(poll(&mut future, &waker), Poll::Ready(Ok("moved".into())));
    });
}

#[test]
fn dropped_promise_ends_the_wait_at_once() {
    both_homes::<u32>(|mut future, promise| {
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop(promise);
        assert_eq!(count.wakes(), 1);
        assert!(future.is_ready());
        assert_eq!(poll(&mut future, &waker), Poll::Ready(Err(BrokenPromise)));
    });
    both_homes::<u32>(|mut future, promise| {
        drop(promise);
        assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Err(BrokenPromise)));
    });
}

#[cfg(feature = "alloc")]
#[test]
fn failure_and_broken_promise_arrive_as_the_own_error_type() {
    #[derive(Debug, PartialEq)]
    enum Own {
        Failed(u8),
        Broken,
    }
    impl From<BrokenPromise> for Own {
        fn from(_: BrokenPromise) -> Self {
            Self::Broken
        }
    }
    let (mut future, promise) = Future::<u32, Own>::fallible();
    promise.fail(Own::Failed(7)).unwrap();
    assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Err(Own::Failed(7))));

    let (mut future, promise) = Future::<u32, Own>::fallible();
    drop(promise);
    assert_eq!(future.try_take(), Some(Err(Own::Broken)));

    let (future, promise) = Future::<u32, Own>::fallible();
    drop(future);
    assert_eq!(promise.fail(Own::Failed(1)), Err(Own::Failed(1)));
}

#[test]
fn value_comes_back_when_no_one_waits() {
    both_homes(|future, promise| {
        assert!(!promise.is_abandoned());
        drop(future);
        assert!(promise.is_abandoned());
        assert_eq!(promise.complete(String::from("back")), Err("back".into()));
    });
}

#[test]
fn dropped_future_lets_go_of_its_waker_at_once() {
    both_homes::<u32>(|mut future, promise| {
        let (count, waker) = WakeCount::new();
        assert!(poll(&mut future, &waker).is_pending());
        drop((future, waker));
        assert_eq!(Arc::strong_count(&count), 1);
        drop(promise);
        assert_eq!(count.wakes(), 0);
    });
}

#[test]
fn the_last_waker_is_the_one_woken() {
    both_homes(|mut future, promise| {
        let counts: Vec<_> = (0..4).map(|_| WakeCount::new()).collect();
        for (_, waker) in &counts {
            assert!(poll(&mut future, waker).is_pending());
            assert!(poll(&mut future, waker).is_pending());
        }
        promise.complete(1).unwrap();
        let wakes: Vec<_> = counts.iter().map(|(count, _)| count.wakes()).collect();
        assert_eq!(wakes, [0, 0, 0, 1]);
        assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Ok(1)));
        for (count, waker) in counts {
            drop(waker);
            assert_eq!(Arc::strong_count(&count), 1);
        }
    });
}

#[test]
fn replaced_waker_is_not_kept_by_an_abandoned_future() {
    both_homes::<u32>(|mut future, promise| {
        let (first, second) = (WakeCount::new(), WakeCount::new());
        assert!(poll(&mut future, &first.1).is_pending());
        assert!(poll(&mut future, &second.1).is_pending());
        drop(future);
        assert_eq!(promise.complete(1), Err(1));
        for (count, waker) in [first, second] {
            drop(waker);
            assert_eq!((Arc::strong_count(&count), count.wakes()), (1, 0));
        }
    });
}

#[test]
fn results_that_were_there_from_the_start() {
    let mut ready = Future::ready(2);
    assert_eq!(poll(&mut ready, Waker::noop()), Poll::Ready(Ok(2)));
    let mut failed = Future::<u32>::failed(BrokenPromise);
    assert_eq!(poll(&mut failed, Waker::noop()), Poll::Ready(Err(BrokenPromise)));
}

#[test]
fn taken_once_and_then_nothing() {
    both_homes(|mut future, promise| {
        assert_eq!(future.try_take(), None);
        promise.complete(9).unwrap();
        assert_eq!(future.try_take(), Some(Ok(9)));
        assert_eq!(future.try_take(), None);
        assert!(!future.is_ready());
    });
}

#[test]
#[should_panic(expected = "polled after it had given its result")]
fn polling_after_the_result_panics() {
    let mut future = Future::ready(2);
    let _ = future.try_take();
    let _ = poll(&mut future, Waker::noop());
}

#[test]
fn every_value_is_dropped_exactly_once() {
    let count = Rc::new(());
    both_homes(|future, promise| {
        promise.complete(count.clone()).unwrap();
        drop(future);
    });
    assert_eq!(Rc::strong_count(&count), 1, "brought and not taken");
    both_homes(|mut future, promise| {
        promise.complete(count.clone()).unwrap();
        assert_eq!(Rc::strong_count(&count), 2);
        drop(future.try_take());
    });
    assert_eq!(Rc::strong_count(&count), 1, "brought and taken");
    both_homes(|future, promise| {
        drop(future);
        drop(promise.complete(count.clone()));
    });
    assert_eq!(Rc::strong_count(&count), 1, "given back");
    drop(Future::ready(count.clone()));
    assert_eq!(Rc::strong_count(&count), 1, "ready and not taken");
}

#[test]
fn panicking_drop_of_a_value_leaves_the_cell_free() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("value dropped");
        }
    }
    let cell = static_cell();
    let (future, promise) = cell.pair().unwrap();
    assert!(promise.complete(Grenade).is_ok());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(future))).is_err());
    assert!(cell.pair().is_some());
}

#[test]
fn panicking_waker_does_not_keep_the_value() {
    struct Grenade;
    impl Wake for Grenade {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }
    let cell = static_cell();
    for polls in 1..3 {
        let (mut future, promise) = cell.pair().unwrap();
        for _ in 0..polls {
            assert!(poll(&mut future, &Waker::from(Arc::new(Grenade))).is_pending());
        }
        assert!(catch_unwind(AssertUnwindSafe(|| promise.complete(4))).is_err());
        assert_eq!(future.try_take(), Some(Ok(4)));
    }
    let (mut future, promise) = cell.pair().unwrap();
    assert!(poll(&mut future, &Waker::from(Arc::new(Grenade))).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(promise))).is_err());
    assert_eq!(future.try_take(), Some(Err(BrokenPromise)));
    assert!(cell.pair().is_some());
}

#[test]
fn waking_may_drop_the_future_at_once() {
    struct Owner(std::sync::Mutex<Option<Future<Box<u32>>>>);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    both_homes(|mut future, promise| {
        let owner = Arc::new(Owner(std::sync::Mutex::default()));
        assert!(poll(&mut future, &owner.clone().into()).is_pending());
        *owner.0.lock().unwrap() = Some(future);
        promise.complete(Box::new(1)).unwrap();
        assert_eq!(Arc::strong_count(&owner), 1);
    });
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes() {
    let word = size_of::<usize>();
    let table = [
        ("Promise<u64>", size_of::<Promise<u64>>(), word),
        ("Future<()>", size_of::<Future<()>>(), 2 * word),
        ("Future<u64>", size_of::<Future<u64>>(), 24),
        ("Future<[u64; 4]>", size_of::<Future<[u64; 4]>>(), 48),
        ("PromiseCell<u64>", size_of::<PromiseCell<u64>>(), 16 + 2 * word + 8),
    ];
    for (name, size, expected) in table {
        assert_eq!(size, expected, "{name}");
    }
}

#[test]
fn sendable_exactly_if_value_and_error_are() {
    /// Answers whether `T: Send`: the inherent method, if it applies, goes before the trait's.
    struct Probe<T>(core::marker::PhantomData<T>);
    trait NotSend {
        fn is_send(&self) -> bool {
            false
        }
    }
    impl<T> NotSend for Probe<T> {}
    impl<T: Send> Probe<T> {
        fn is_send(&self) -> bool {
            true
        }
    }
    macro_rules! sendable {
        ($type:ty) => {
            Probe::<$type>(core::marker::PhantomData).is_send()
        };
    }
    assert!(sendable!(Future<u32>) && sendable!(Promise<u32>));
    assert!(sendable!(&'static PromiseCell<core::cell::Cell<u32>>));
    assert!(!sendable!(Future<Rc<u32>>) && !sendable!(Promise<Rc<u32>>));
    assert!(!sendable!(Future<u32, Rc<u32>>) && !sendable!(Promise<u32, Rc<u32>>));
    assert!(!sendable!(&'static PromiseCell<Rc<u32>>));

    fn unpin<T: Unpin>() {}
    unpin::<Future<core::marker::PhantomPinned>>();
}
