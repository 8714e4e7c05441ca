//! Wakers for tests that poll by hand: one counts, one runs a closure, one panics.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::boxed::Box;
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// Counts its wakes.
#[derive(Default)]
pub(crate) struct Counter(Mutex<usize>);

impl Counter {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&counter));
        (counter, waker)
    }

    pub(crate) fn wakes(&self) -> usize {
        *self.0.lock().unwrap()
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() += 1;
    }
}

type Action = Box<dyn FnOnce()>;

std::thread_local! {
    static ON_WAKE: RefCell<Option<Action>> = const { RefCell::new(None) };
}

struct Acts;

impl Wake for Acts {
    fn wake(self: Arc<Self>) {
        let action = ON_WAKE.with(|slot| slot.borrow_mut().take());
        action.into_iter().for_each(|act| act());
    }
}

/// A waker that runs `action` inside its first wake, on this thread.
pub(crate) fn acting(action: impl FnOnce() + 'static) -> Waker {
    ON_WAKE.with(|slot| *slot.borrow_mut() = Some(Box::new(action)));
    Waker::from(Arc::new(Acts))
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

/// A waker whose wake unwinds.
pub(crate) fn panicking() -> Waker {
    Waker::from(Arc::new(Panics))
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// The output of a future that must be ready at its first poll.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll_once(core::pin::pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready at its first poll"),
    }
}

std::thread_local! {
    static ON_CLONE: RefCell<Option<Action>> = const { RefCell::new(None) };
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());

fn clone(_: *const ()) -> RawWaker {
    let action = ON_CLONE.with(|slot| slot.borrow_mut().take());
    action.into_iter().for_each(|act| act());
    RawWaker::new(ptr::null(), &VTABLE)
}

/// A waker that runs `action` inside its first clone, on this thread. It wakes no one.
pub(crate) fn acting_on_clone(action: impl FnOnce() + 'static) -> Waker {
    ON_CLONE.with(|slot| *slot.borrow_mut() = Some(Box::new(action)));
    // SAFETY: the functions touch nothing but a thread-local; there is no data.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}

/// `future`, polled once, and waiting.
pub(crate) fn waiting<F: Future>(future: F, waker: &Waker) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(poll_with(future.as_mut(), waker).is_pending(), "ready at its first poll");
    future
}
