//! What every wait without a hand-written future comes down to: join a queue, be woken, look.

#![forbid(unsafe_code)]

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use crate::collections::Waiter;

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

#[cfg(all(test, not(loom)))]
mod test {
    use super::*;
    use crate::collections::test_waker::poll_with;
    use core::task::Waker;
    use std::boxed::Box;

    /// `future`, polled once, and waiting.
    pub(in super::super) fn waiting<F: Future>(future: F, waker: &Waker) -> Pin<Box<F>> {
        let mut future = Box::pin(future);
        assert!(poll_with(future.as_mut(), waker).is_pending(), "ready at its first poll");
        future
    }
}

#[cfg(all(test, not(loom)))]
pub(super) use test::waiting;
