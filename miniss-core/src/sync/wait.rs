//! What the primitives wait by: a turn in a queue, a condition, or the one waker of a channel.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Poll, Waker, ready};

use crate::collections::{WaitList, Waiter};
use crate::coop::Leaf;

/// Queues `waiter`, waits until it is woken, and returns the payload it was left.
///
/// The caller owns the waiter, so that dropping the caller leaves the queue.
pub(super) fn woken<T: Copy>(waiter: Pin<&Waiter<'_, T>>) -> impl Future<Output = T> {
    waiter.enqueue();
    poll_fn(move |cx| {
        waiter.register(cx.waker());
        match waiter.is_queued() {
            true => Poll::Pending,
            false => Poll::Ready(waiter.payload()),
        }
    })
}

/// Waits in `list` until `condition` holds. It is asked at each poll, and waits meanwhile under
/// `payload`.
///
/// Being woken grants nothing: it only means that it is worth asking again. So a wait that is
/// dropped has nothing to hand on.
pub(super) async fn until<T: Copy>(
    list: &WaitList<T>,
    payload: T,
    mut condition: impl FnMut() -> bool,
) {
    let waiter = pin!(Waiter::new(list, payload));
    let waiter = waiter.as_ref();
    let leaf = Leaf::new();
    poll_fn(|cx| {
        if !condition() {
            waiter.enqueue();
            waiter.register(cx.waker());
            // Asked again: to clone a waker is foreign code, which may have brought it about.
            if !condition() {
                return Poll::Pending;
            }
        }
        ready!(leaf.poll_proceed(cx));
        Poll::Ready(())
    })
    .await
}

/// At most one waker. One that was left behind costs a spurious wake at most.
pub(super) struct WakerCell(Cell<Option<Waker>>);

impl WakerCell {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Keeps a clone of `waker`, unless the one kept wakes the same task already. Cloning is
    /// foreign code, during which the place is empty: look again whether there still is something
    /// to wait for.
    pub(super) fn register(&self, waker: &Waker) {
        let mut kept = self.0.take();
        match &mut kept {
            Some(kept) => kept.clone_from(waker),
            None => kept = Some(waker.clone()),
        }
        self.0.set(kept);
    }

    /// Wakes the one who waits, if there is one.
    pub(super) fn wake(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}
