//! The caller's handle to a call.
//!
//! `core A: submit_to ─▶ [call] … lane B▸A ─▶ [call] ─▶ user future`

use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

use super::node::{Held, Node, Outcome, take_output};
use crate::error::Gone;

/// Where a call was made.
pub(super) trait Home {
    /// Takes back the node of a call that is over.
    fn recycle(&self, held: Held);

    /// Whether nobody takes in replies any more.
    fn is_over(&self) -> bool;
}

/// A call to another core: awaits its output.
///
/// The call is on its way whether this is polled or not.
///
/// # Errors
///
/// [`Gone`] if the other core ended before the work did, or if the work panicked; also if this
/// core's executor has ended meanwhile.
///
/// # Cancellation
///
/// Dropping it does not stop the work. The output is dropped on this core when it comes back.
///
/// # Panics
///
/// When polled again after it has given its result.
///
/// See [`Endpoint`](super::Endpoint) for an example.
#[must_use = "the call runs without being awaited; drop it in so many words if that is meant"]
pub struct Call<T> {
    /// `None` once the result has been given.
    node: Option<NonNull<Node>>,
    home: Rc<dyn Home>,
    output: PhantomData<T>,
}

impl<T> Unpin for Call<T> {}

impl<T> Call<T> {
    /// # Safety
    /// The node is one of a call whose output is a `T`, made by `home`, and has no other handle.
    pub(super) unsafe fn new(node: NonNull<Node>, home: Rc<dyn Home>) -> Self {
        Self { node: Some(node), home, output: PhantomData }
    }

    /// The caller's corner of the node.
    fn corner(node: NonNull<Node>) -> Corner {
        Corner(node)
    }

    /// Lets go of the node, be it here or away.
    fn abandon(&mut self) {
        let Some(node) = self.node.take() else { return };
        let corner = Self::corner(node);
        let waker = corner.node().waker.take();
        if corner.node().outcome.get() == Outcome::Away {
            corner.node().abandoned.set(true);
        } else {
            let held = Held(node);
            held.drop_cargo();
            self.home.recycle(held);
        }
        drop(waker);
    }
}

/// *The caller's corner*: the fields of a node that its caller may touch while it is away.
#[derive(Clone, Copy)]
struct Corner(NonNull<Node>);

impl Corner {
    fn node(&self) -> &Node {
        // SAFETY: *Home again*: the node lives at least as long as its handle. Only cells of the
        // caller's corner are used through this reference while the node is away.
        unsafe { self.0.as_ref() }
    }

    /// Keeps `waker` unless it is known already.
    fn register(&self, waker: &Waker) {
        let waker = match self.node().waker.take() {
            Some(known) if known.will_wake(waker) => known,
            _ => waker.clone(),
        };
        self.node().waker.set(Some(waker));
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Gone>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let node = self.node.expect("a Call was polled after it had given its result");
        let corner = Self::corner(node);
        if corner.node().outcome.get() == Outcome::Away {
            if !self.home.is_over() {
                corner.register(cx.waker());
                return Poll::Pending;
            }
            self.abandon();
            return Poll::Ready(Err(Gone));
        }
        self.node = None;
        let held = Held(node);
        let output = take_output::<T>(&held).ok_or(Gone);
        self.home.recycle(held);
        Poll::Ready(output)
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}
