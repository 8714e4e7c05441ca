//! The task that waits, as senders find it.
//!
//! A sender puts its value first and then calls [`wake`](WakerCell::wake). The task that finds no
//! value [registers](WakerCell::register) and then looks once more. The second to come to
//! the state word sees what the first did: the sender finds the waker, or the task the value.
//!
//! Neither ever waits for the other, which may be what it has interrupted. Who finds the other in
//! the middle leaves the rest to it: a sender that comes during `register` leaves the wake to the
//! task itself, and one that comes during another's `wake` has that one's wake; the value was
//! there before it.
//!
//! # Invariants
//!
//! - **One step at a time.** The waker is touched by the one alone that has led the word from
//!   `IDLE` to something else; and by a task that finds `WAKING` beside its own `REGISTERING`.

use core::task::Waker;

use crate::prim::{AtomicU8, Ordering, UnsafeCell, const_fn, ordering, planted};

const IDLE: u8 = 0;
/// The task is putting its waker.
const REGISTERING: u8 = 1;
/// A sender is taking the waker, or came while the task was putting it.
const WAKING: u8 = 2;

pub(super) struct WakerCell {
    state: AtomicU8,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: *One step at a time*, and a waker is `Send`.
unsafe impl Sync for WakerCell {}

impl WakerCell {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { state: AtomicU8::new(IDLE), waker: UnsafeCell::new(None) }
        }
    }

    /// Sees to it that each later [`wake`](Self::wake) wakes `waker`, until one has done so. The
    /// caller looks once more then. One caller at a time.
    pub(super) fn register(&self, waker: &Waker) {
        let waker = waker.clone();
        // Acquire: pairs with `wake`, whose sender has put its value before.
        let acquire = ordering!(Acquire, "interrupt: register");
        if self.state.compare_exchange(IDLE, REGISTERING, acquire, Ordering::Relaxed).is_err() {
            // A sender is taking the former waker, which may be of another task.
            return waker.wake();
        }
        let former = self.exchange(Some(waker));
        // Release: pairs with `wake`, which takes what was put.
        let release = ordering!(Release, "interrupt: registered");
        if self.state.compare_exchange(REGISTERING, IDLE, release, Ordering::Relaxed).is_err() {
            let waker = self.exchange(None);
            // Release: pairs with the next `wake`, which finds none. A read-modify-write, so that
            // the `wake` that came meanwhile is still what the next `register` pairs with.
            self.state.swap(IDLE, ordering!(Release, "interrupt: registered late"));
            waker.into_iter().for_each(Waker::wake);
        }
        drop(former);
    }

    /// Wakes the task that is registered, if there is one.
    pub(super) fn wake(&self) {
        // Release: pairs with `register`, which then sees the value. Acquire: with its Release.
        let before = self.state.fetch_or(WAKING, ordering!(AcqRel, "interrupt: wake"));
        if before != IDLE || planted("interrupt: a sender takes the waker") {
            return;
        }
        let waker = self.exchange(None);
        // Release: pairs with `register`, which puts the next where this one was.
        self.state.fetch_and(!WAKING, ordering!(Release, "interrupt: woken"));
        waker.into_iter().for_each(Waker::wake);
    }

    /// The caller has led the word here.
    fn exchange(&self, waker: Option<Waker>) -> Option<Waker> {
        self.waker.with_mut(|kept| {
            // SAFETY: *One step at a time*.
            core::mem::replace(unsafe { &mut *kept }, waker)
        })
    }
}
