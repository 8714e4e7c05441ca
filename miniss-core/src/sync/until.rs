//! Waiting for a state that whoever changes it may bring about, for any number at once.

#![forbid(unsafe_code)]

use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, ready};

use crate::collections::{WaitList, Waiter};
use crate::coop::Leaf;

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
