//! Waiting for an answer that whoever changes the state may bring about, for any number at once.
//!
//! `user future ─▶ [until] ─▶ wait list ─▶ run queue`

#![forbid(unsafe_code)]

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use crate::collections::{WaitList, Waiter};

/// Waits in `list` until `answer` gives one. It is asked at each poll, and waits meanwhile under
/// `payload`.
///
/// Being woken grants nothing: it only means that it is worth asking again. So a wait that is
/// dropped has nothing to hand on.
pub(super) async fn until<T: Copy, A>(
    list: &WaitList<T>,
    payload: T,
    mut answer: impl FnMut() -> Option<A>,
) -> A {
    let waiter = pin!(Waiter::new(list, payload));
    let waiter = waiter.as_ref();
    poll_fn(|cx| {
        if let Some(answer) = answer() {
            return Poll::Ready(answer);
        }
        waiter.enqueue();
        waiter.register(cx.waker());
        // Asked again: to clone a waker is foreign code, which may have brought the answer.
        answer().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
