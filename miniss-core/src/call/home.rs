//! The core that a call comes home to: what the call knows of the exchange that made it.
//!
//! An exchange is shared by its endpoint's handles, its task, its calls and the work that it runs
//! for others, all of them on one core: so it is counted without atomics. It may lie on the heap or
//! in a `static`; only its end differs, and knows where it lies.
//!
//! # Invariants
//!
//! - **Counted.** While a [`HomeRef`] exists, the count is not zero and the exchange is there. When
//!   the last one goes, the exchange ends, once.
//! - **Comes first.** A home is the beginning of its exchange, and the pointer in a [`HomeRef`] may
//!   be used for all of the exchange.
//! - **Listed calls live.** A node in the list of strangers is that of a call which is not over: it
//!   is taken out before its memory is used again. The links are of the caller's corner.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::task::Waker;

use super::memory::Memory;
use super::node::{Held, Node};
use crate::defer::to_the_end;
use crate::executor::cell::{ExecutorCell, Shared as CellShared};
use crate::executor::wake::executor_of;
use crate::reactor::Unpark;

/// The part of an exchange that does not depend on its types.
pub(super) struct Home {
    handles: Cell<usize>,
    /// There is no task any more: no one takes in replies, and what is to be sent must be sent at
    /// once.
    pub(super) is_over: Cell<bool>,
    pub(super) memory: Memory,
    /// That of the executor, with which its tasks end: they need not be told that it does.
    cell: NonNull<CellShared>,
    /// The first of the calls that someone else waits for: they hang together by their nodes.
    strangers: Cell<*mut Node>,
    /// Ends the exchange that this is the beginning of.
    end: unsafe fn(NonNull<Home>),
}

impl Home {
    /// With one handle, which is yet to be made.
    ///
    /// # Safety
    /// `end` may be called with a pointer to the exchange that this becomes the beginning of.
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
            strangers: Cell::new(ptr::null_mut()),
            end,
        }
    }

    /// Takes back the node of a call that is over, and drops what is left in it. The memory comes
    /// back even if that unwinds.
    #[inline]
    pub(super) fn recycle(&self, held: Held) {
        if held.node().is_listed.get() {
            self.unlist(held.node());
        }
        let recycled = Recycled { home: self, held };
        let _waker = recycled.held.node().waker.take();
        recycled.held.drop_cargo();
    }

    /// A call is awaited with this waker, which may be that of a stranger: a task of another
    /// executor, or whatever else does not end with ours.
    #[inline]
    pub(super) fn note_waiter(&self, node: NonNull<Node>, waker: &Waker) {
        if executor_of(waker) != Some(self.cell) {
            self.list(node);
        }
    }

    #[cold]
    fn list(&self, node: NonNull<Node>) {
        // SAFETY: *Home again*: the caller is the handle of this call.
        let corner = unsafe { corner(node) };
        if corner.is_listed.replace(true) {
            return;
        }
        let after = self.strangers.replace(node.as_ptr());
        corner.before.set(ptr::null_mut());
        corner.after.set(after);
        if let Some(after) = NonNull::new(after) {
            // SAFETY: *Listed calls live*.
            unsafe { self::corner(after) }.before.set(node.as_ptr());
        }
    }

    #[cold]
    fn unlist(&self, corner: &Node) {
        corner.is_listed.set(false);
        let (before, after) = (corner.before.get(), corner.after.get());
        match NonNull::new(before) {
            // SAFETY: *Listed calls live*.
            Some(before) => unsafe { self::corner(before) }.after.set(after),
            None => self.strangers.set(after),
        }
        if let Some(after) = NonNull::new(after) {
            // SAFETY: *Listed calls live*.
            unsafe { self::corner(after) }.before.set(before);
        }
    }

    /// Wakes a stranger that waits for a call; `false` if there is none.
    fn wake_stranger(&self) -> bool {
        let Some(node) = NonNull::new(self.strangers.get()) else { return false };
        // SAFETY: *Listed calls live*; not used behind the wake, which may end the call.
        let corner = unsafe { corner(node) };
        self.unlist(corner);
        corner.waker.take().into_iter().for_each(Waker::wake);
        true
    }
}

/// At the end of a scope, wakes all strangers: no call comes back any more.
pub(super) struct StrangersWoken<'a>(pub(super) &'a Home);

impl Drop for StrangersWoken<'_> {
    fn drop(&mut self) {
        to_the_end(|| self.0.wake_stranger());
    }
}

/// The node of a call that may be away: only cells of *The caller's corner* are to be used.
///
/// # Safety
/// The call is not over.
unsafe fn corner<'a>(node: NonNull<Node>) -> &'a Node {
    // SAFETY: *Home again*: a call that is not over has its node.
    unsafe { node.as_ref() }
}

/// Takes back a node's memory at the end of a scope.
struct Recycled<'a> {
    home: &'a Home,
    held: Held,
}

impl Drop for Recycled<'_> {
    #[inline]
    fn drop(&mut self) {
        let layout = self.held.node().vtable.get().layout;
        // SAFETY: *Home again*: the call is over and its handle gone.
        unsafe { self.home.memory.put(self.held.0.cast(), layout) };
    }
}

/// A counted reference to a home, and so to its exchange.
pub(super) struct HomeRef(NonNull<Home>);

impl HomeRef {
    /// The first one.
    ///
    /// # Safety
    /// *Comes first*: the home was just made, and begins an exchange that the pointer may be used
    /// for all of.
    pub(super) unsafe fn new(home: NonNull<Home>) -> Self {
        Self(home)
    }

    /// A pointer that may be used for all of the exchange.
    pub(super) fn as_ptr(&self) -> NonNull<Home> {
        self.0
    }
}

impl Deref for HomeRef {
    type Target = Home;

    #[inline]
    fn deref(&self) -> &Home {
        // SAFETY: *Counted*: we are.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for HomeRef {
    /// # Panics
    /// If there are too many to count, which takes leaking them.
    #[inline]
    fn clone(&self) -> Self {
        let handles = self.handles.get().checked_add(1);
        self.handles.set(handles.expect("handles are not leaked by the thousand million"));
        Self(self.0)
    }
}

impl Drop for HomeRef {
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
