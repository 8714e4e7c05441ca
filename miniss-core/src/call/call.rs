//! The caller's handle to a call, and what a call knows of the endpoint that made it.
//!
//! The inside of an endpoint is shared by its handles, its task, its calls and the work that it
//! runs for others, all of them on one core: so it is counted without atomics. It may lie on the
//! heap or in a `static`. Only its end differs, and knows where it lies.
//!
//! # Invariants
//!
//! - **Counted.** While an [`EndpointRef`] exists, the count is not zero and the inside of the
//!   endpoint is there. When the last one goes, the inside ends, once.
//! - **Comes first.** A header is the beginning of the inside of its endpoint, and the pointer in
//!   an [`EndpointRef`] may be used for all of that.
//! - **Listed calls live.** A node in the list of calls that are awaited outside is that of a call
//!   which is not over: it is taken out before its memory is used again. The links are
//!   *Caller only*.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker, ready};

use super::memory::Memory;
use super::node::{Message, Node, Outcome};
use crate::coop::Leaf;
use crate::defer::{defer, to_the_end};
use crate::error::CallError;
use crate::executor::cell::{ExecutorCell, Shared as CellShared};
use crate::executor::wake::executor_of;
use crate::reactor::Unpark;

/// A call to another core: awaits its output.
///
/// The call is on its way whether this is polled or not. If the other core has not opened its
/// endpoint yet, the call waits until it does.
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
#[must_use = "the call runs without being awaited; drop it in so many words if that is meant"]
pub struct Call<T> {
    state: State,
    endpoint: EndpointRef,
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
    /// The node is one of a call whose output is a `T`, made by `endpoint`, and has no other
    /// handle.
    pub(super) unsafe fn new(node: NonNull<Node>, endpoint: EndpointRef) -> Self {
        Self::at(State::Made(node), endpoint)
    }

    /// A call that could not be made.
    pub(super) fn failed(reason: CallError, endpoint: EndpointRef) -> Self {
        Self::at(State::Failed(reason), endpoint)
    }

    fn at(state: State, endpoint: EndpointRef) -> Self {
        Self { state, endpoint, leaf: Leaf::new(), output: PhantomData }
    }

    /// Lets go of the node, be it here or away.
    fn abandon(&mut self) {
        let State::Made(node) = mem::replace(&mut self.state, State::Over) else { return };
        // SAFETY: we are the handle, so the call is not over.
        let own = unsafe { callers_part(node) };
        let waker = own.waker.take();
        if own.outcome.get() == Outcome::Away {
            own.abandoned.set(true);
        } else {
            self.endpoint.recycle(Message(node));
        }
        drop(waker);
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
        // SAFETY: we are the handle, so the call is not over.
        let own = unsafe { callers_part(node) };
        let failure = match own.outcome.get() {
            Outcome::Away if self.endpoint.is_over.get() => {
                ready!(self.leaf.poll_proceed(cx));
                self.abandon();
                return Poll::Ready(Err(CallError::Gone));
            }
            Outcome::Away => {
                self.endpoint.note_waiter(node, cx.waker());
                register(own, cx.waker());
                // Wakers are foreign code, which may have ended the call.
                let is_away = own.outcome.get() == Outcome::Away;
                let waits = is_away && !self.endpoint.is_over.get();
                return if waits { Poll::Pending } else { self.poll(cx) };
            }
            Outcome::Done => CallError::Gone,
            Outcome::Failed(reason) => reason,
        };
        ready!(self.leaf.poll_proceed(cx));
        self.state = State::Over;
        let message = Message(node);
        // SAFETY: `new` was promised that the output is a `T`.
        let output = unsafe { message.take_output::<T>() }.ok_or(failure);
        self.endpoint.recycle(message);
        Poll::Ready(output)
    }
}

/// Keeps `waker` unless it is known already.
fn register(own: &Node, waker: &Waker) {
    let waker = match own.waker.take() {
        Some(known) if known.will_wake(waker) => known,
        _ => waker.clone(),
    };
    own.waker.set(Some(waker));
}

/// The node of a call that may be away: only the cells that are *Caller only* are to be used.
///
/// # Safety
/// The call is not over.
unsafe fn callers_part<'a>(node: NonNull<Node>) -> &'a Node {
    // SAFETY: *Back to the caller*: a call that is not over has its node.
    unsafe { node.as_ref() }
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

/// The part of an endpoint that does not depend on its types.
pub(super) struct EndpointHeader {
    handles: Cell<usize>,
    /// There is no task any more: no one takes in replies, and what is to be sent must be sent at
    /// once.
    pub(super) is_over: Cell<bool>,
    pub(super) memory: Memory,
    /// That of the executor, with which its tasks end: they need not be told that it does.
    cell: NonNull<CellShared>,
    /// The first of the calls that are awaited outside of the executor: they are linked by their
    /// nodes.
    awaited_outside: Cell<*mut Node>,
    /// Ends the inside of the endpoint, of which this is the beginning.
    end: unsafe fn(NonNull<EndpointHeader>),
}

impl EndpointHeader {
    /// With one handle, which is yet to be made.
    ///
    /// # Safety
    /// `end` may be called with a pointer to the inside of which this becomes the beginning.
    pub(super) unsafe fn new<U: Unpark>(
        memory: Memory,
        cell: &'static ExecutorCell<U>,
        end: unsafe fn(NonNull<Self>),
    ) -> Self {
        Self {
            handles: Cell::new(1),
            is_over: Cell::new(false),
            memory,
            cell: cell.shared_ptr(),
            awaited_outside: Cell::new(ptr::null_mut()),
            end,
        }
    }

    /// Takes back the node of a call that is over, and drops what is left in it. The memory comes
    /// back even if that unwinds.
    #[inline]
    pub(super) fn recycle(&self, message: Message) {
        if message.node().is_listed.get() {
            self.unlist(message.node());
        }
        let layout = message.node().vtable.get().layout;
        // SAFETY: *Back to the caller*: the call is over and its handle gone.
        let _recycled = defer(|| unsafe { self.memory.put(message.0.cast(), layout) });
        let _waker = message.node().waker.take();
        message.drop_content();
    }

    /// A call is awaited with this waker. It may be one from outside: of a task of another
    /// executor, or of anything else that does not end with ours.
    #[inline]
    fn note_waiter(&self, node: NonNull<Node>, waker: &Waker) {
        if executor_of(waker) != Some(self.cell) {
            self.list(node);
        }
    }

    #[cold]
    fn list(&self, node: NonNull<Node>) {
        // SAFETY: the caller is the handle of this call, which so is not over.
        let own = unsafe { callers_part(node) };
        if own.is_listed.replace(true) {
            return;
        }
        let after = self.awaited_outside.replace(node.as_ptr());
        own.before.set(ptr::null_mut());
        own.after.set(after);
        if let Some(after) = NonNull::new(after) {
            // SAFETY: *Listed calls live*.
            unsafe { callers_part(after) }.before.set(node.as_ptr());
        }
    }

    #[cold]
    fn unlist(&self, own: &Node) {
        own.is_listed.set(false);
        let (before, after) = (own.before.get(), own.after.get());
        match NonNull::new(before) {
            // SAFETY: *Listed calls live*.
            Some(before) => unsafe { callers_part(before) }.after.set(after),
            None => self.awaited_outside.set(after),
        }
        if let Some(after) = NonNull::new(after) {
            // SAFETY: *Listed calls live*.
            unsafe { callers_part(after) }.before.set(before);
        }
    }

    /// Wakes all that wait for a call outside of the executor: no call comes back any more.
    pub(super) fn wake_outside(&self) {
        to_the_end(|| self.wake_one_outside());
    }

    /// `false` if there is none.
    fn wake_one_outside(&self) -> bool {
        let Some(node) = NonNull::new(self.awaited_outside.get()) else { return false };
        // SAFETY: *Listed calls live*; not used after the wake, which may end the call.
        let own = unsafe { callers_part(node) };
        self.unlist(own);
        own.waker.take().into_iter().for_each(Waker::wake);
        true
    }
}

/// A counted reference to an endpoint whose types are not known here.
pub(super) struct EndpointRef(NonNull<EndpointHeader>);

impl EndpointRef {
    /// The first one.
    ///
    /// # Safety
    /// *Comes first*: the header was just made, and begins the inside of an endpoint, all of which
    /// the pointer may be used for.
    pub(super) unsafe fn new(header: NonNull<EndpointHeader>) -> Self {
        Self(header)
    }

    /// A pointer that may be used for all of the inside.
    #[inline]
    pub(super) fn as_ptr(&self) -> NonNull<EndpointHeader> {
        self.0
    }
}

impl Deref for EndpointRef {
    type Target = EndpointHeader;

    #[inline]
    fn deref(&self) -> &EndpointHeader {
        // SAFETY: *Counted*: we are.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for EndpointRef {
    /// # Panics
    /// If there are too many to count, which takes leaking them.
    #[inline]
    fn clone(&self) -> Self {
        let handles = self.handles.get().checked_add(1);
        self.handles.set(handles.expect("handles are not leaked by the thousand million"));
        Self(self.0)
    }
}

impl Drop for EndpointRef {
    #[inline]
    fn drop(&mut self) {
        let left = self.handles.get() - 1;
        self.handles.set(left);
        if left == 0 {
            // SAFETY: *Counted*: we were the last. *Comes first*: the pointer is as it demands.
            unsafe { (self.end)(self.0) };
        }
    }
}
