//! Timers polled by hand: wakers that write down what they woke, and wakers that run a closure.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

mod counter;
mod interval;
mod model;
mod queue;
mod sleep;
mod timeout;
mod wheel;

use core::pin::Pin;
use core::time::Duration;

use super::list::TimerNode;
use super::queue::sealed::Queue;
use super::{
    HasTimers, Interval, ManualClock, MissedTick, Sleep, Timeout, TimerList, Timers, Wheel,
};
use crate::error::TimedOut;
use crate::time::Instant;

/// Runs each of these functions over every queue that keeps timers.
macro_rules! over_each_queue {
    ($($test:ident)*) => {
        mod on_the_wheel {
            $(#[test] fn $test() { super::$test::<super::Wheel>(); })*
        }
        mod on_the_list {
            $(#[test] fn $test() { super::$test::<super::TimerList>(); })*
        }
    };
}
use over_each_queue;

fn leaked_queue<Q: HasTimers>() -> &'static Q {
    crate::kept::forever(Q::NEW)
}

fn leaked_clock<Q: HasTimers>() -> &'static ManualClock<Q> {
    crate::kept::forever(ManualClock::with_queue())
}

/// What was woken, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

struct Entry(usize, Log);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push(self.0);
    }
}

impl Log {
    /// A waker that writes down `id`.
    fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::new(Entry(id, self.clone())))
    }

    /// What was written down since the last call.
    fn take(&self) -> Vec<usize> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Call<F>(F);

// SAFETY: each test runs on one thread, and so do its wakers.
unsafe impl<F> Send for Call<F> {}
// SAFETY: as above.
unsafe impl<F> Sync for Call<F> {}

impl<F: Fn() + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// A waker that calls `f`.
fn calling(f: impl Fn() + 'static) -> Waker {
    Waker::from(Arc::new(Call(f)))
}

/// Polls once with `waker`.
fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
