//! A value that lives exactly as long as the work on it.

#![forbid(unsafe_code)]

use core::future::Future;

/// Keeps `value` alive while `body` works on it, and drops it when `body` has finished.
///
/// In Seastar this is how a continuation chain borrows a value. Here an `async` block owns what it
/// uses, and does the same without a name; this is for ported code.
///
/// # Cancellation
///
/// Dropping it drops `body` where it stands, then `value`.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use miniss_core::combine::do_with;
///
/// let counted = do_with(vec![1, 2], async |list| {
///     list.push(3);
///     list.len()
/// });
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(counted).poll(&mut cx), Poll::Ready(3));
/// ```
// A block where an `async fn` would do: it uses its captures in place, so it holds the value once,
// while an `async fn` holds each argument twice.
#[allow(clippy::manual_async_fn)]
pub fn do_with<V, R>(mut value: V, body: impl AsyncFnOnce(&mut V) -> R) -> impl Future<Output = R> {
    async move { body(&mut value).await }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::collections::test_waker::poll_once;
    use crate::combine::yield_now;
    use core::cell::Cell;
    use core::task::Poll;
    use std::boxed::Box;

    struct Dropped<'a>(&'a Cell<u32>);

    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    async fn suspends(_: &mut Dropped<'_>) -> u32 {
        yield_now().await;
        yield_now().await;
        7
    }

    #[test]
    fn a_fu_9_do_with_drops_the_value_once_after_a_suspended_body() {
        let drops = Cell::new(0);
        let mut work = Box::pin(do_with(Dropped(&drops), suspends));
        assert!(poll_once(work.as_mut()).is_pending());
        assert!(poll_once(work.as_mut()).is_pending());
        assert_eq!(drops.get(), 0);
        assert_eq!(poll_once(work.as_mut()), Poll::Ready(7));
        assert_eq!(drops.get(), 1);
        drop(work);
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn a_fu_9_do_with_dropped_midway_drops_the_value_once() {
        let drops = Cell::new(0);
        let mut work = Box::pin(do_with(Dropped(&drops), suspends));
        assert!(poll_once(work.as_mut()).is_pending());
        drop(work);
        assert_eq!(drops.get(), 1);
    }

    #[test]
    fn the_value_is_held_once() {
        let work = do_with([0u8; 1000], async |_| yield_now().await);
        assert!(size_of_val(&work) < 1100);
    }
}
