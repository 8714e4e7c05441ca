//! The caller's handle to a call.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker, ready};

use super::home::HomeRef;
use super::node::{Held, Node, Outcome, take_output};
use crate::coop::Leaf;
use crate::error::CallError;

/// A call to another core: awaits its output.
///
/// The call is on its way whether this is polled or not. If the other core has not opened its end
/// of the mesh yet, the call waits until it does.
///
/// # Errors
///
/// [`CallError::Gone`] if the other core ended before the work did, or if the work panicked; also
/// if this core's executor has ended meanwhile. [`CallError::NoRoom`] or [`CallError::TooLarge`] if
/// there was no place for the call here; `NoRoom` also if the other core could not spawn the task.
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
    state: State,
    home: HomeRef,
    leaf: Leaf,
    output: PhantomData<T>,
}

#[derive(Clone, Copy)]
enum State {
    /// Under way, or back.
    Made(NonNull<Node>),
    /// Never made.
    Failed(CallError),
    /// The result has been given.
    Over,
}

impl<T> Unpin for Call<T> {}

impl<T> Call<T> {
    /// # Safety
    /// The node is one of a call whose output is a `T`, made by `home`, and has no other handle.
    pub(super) unsafe fn new(node: NonNull<Node>, home: HomeRef) -> Self {
        Self::at(State::Made(node), home)
    }

    /// A call that could not be made.
    pub(super) fn failed(reason: CallError, home: HomeRef) -> Self {
        Self::at(State::Failed(reason), home)
    }

    fn at(state: State, home: HomeRef) -> Self {
        Self { state, home, leaf: Leaf::new(), output: PhantomData }
    }

    /// Lets go of the node, be it here or away.
    fn abandon(&mut self) {
        let State::Made(node) = mem::replace(&mut self.state, State::Over) else { return };
        let corner = Corner(node);
        let waker = corner.node().waker.take();
        if corner.node().outcome.get() == Outcome::Away {
            corner.node().abandoned.set(true);
        } else {
            self.home.recycle(Held(node));
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
    type Output = Result<T, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let node = match self.state {
            State::Made(node) => node,
            State::Failed(reason) => {
                ready!(self.leaf.poll_proceed(cx));
                self.state = State::Over;
                return Poll::Ready(Err(reason));
            }
            State::Over => panic!("a Call was polled after it had given its result"),
        };
        let corner = Corner(node);
        let failure = match corner.node().outcome.get() {
            Outcome::Away if self.home.is_over.get() => {
                ready!(self.leaf.poll_proceed(cx));
                self.abandon();
                return Poll::Ready(Err(CallError::Gone));
            }
            Outcome::Away => {
                self.home.note_waiter(node, cx.waker());
                corner.register(cx.waker());
                // Wakers are foreign code, which may have ended the call.
                let is_away = corner.node().outcome.get() == Outcome::Away;
                let waits = is_away && !self.home.is_over.get();
                return if waits { Poll::Pending } else { self.poll(cx) };
            }
            Outcome::Done => CallError::Gone,
            Outcome::Failed(reason) => reason,
        };
        ready!(self.leaf.poll_proceed(cx));
        self.state = State::Over;
        let held = Held(node);
        let output = take_output::<T>(&held).ok_or(failure);
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
