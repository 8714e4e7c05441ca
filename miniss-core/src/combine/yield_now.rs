//! Giving way to the other tasks of this core once.

#![forbid(unsafe_code)]

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Lets every other task that is ready run before the caller goes on.
///
/// Long work that never waits should call it now and then: nothing else on this core runs
/// meanwhile, timers and I/O among it.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use miniss_core::combine::yield_now;
///
/// let mut given_way = pin!(yield_now());
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert!(given_way.as_mut().poll(&mut cx).is_pending());
/// assert!(given_way.as_mut().poll(&mut cx).is_ready());
/// ```
pub const fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_core::combine::{YieldNow, yield_now};
/// let given_way: YieldNow = yield_now();
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::collections::test_waker::{Counter, poll_with};
    use core::pin::pin;

    #[test]
    fn wakes_itself_once() {
        let (counter, waker) = Counter::new();
        let mut given_way = pin!(yield_now());
        assert!(poll_with(given_way.as_mut(), &waker).is_pending());
        assert_eq!(counter.wakes(), 1);
        assert!(poll_with(given_way.as_mut(), &waker).is_ready());
        assert_eq!(counter.wakes(), 1);
    }
}
