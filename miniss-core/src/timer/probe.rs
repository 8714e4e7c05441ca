//! Wakers for the tests of this folder: one that takes notes, one that does as it is told.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::vec::Vec;

use core::pin::Pin;

use super::manual::ManualClock;
use super::wheel::Wheel;

pub(super) fn leaked_wheel() -> &'static Wheel {
    crate::kept::forever(Wheel::new())
}

pub(super) fn leaked_clock() -> &'static ManualClock {
    crate::kept::forever(ManualClock::new())
}

/// What was woken, in order.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<usize>>>);

struct Entry(usize, Log);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push(self.0);
    }
}

impl Log {
    /// A waker that writes down `id`.
    pub(super) fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::new(Entry(id, self.clone())))
    }

    /// What was written down since the last call.
    pub(super) fn take(&self) -> Vec<usize> {
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
pub(super) fn calling(f: impl Fn() + 'static) -> Waker {
    Waker::from(Arc::new(Call(f)))
}

/// Polls once with `waker`.
pub(super) fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
