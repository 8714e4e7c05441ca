//! The core that a call comes home to: what the call knows of the exchange that made it.
//!
//! `core A: submit_to ─▶ [call] … lane B▸A ─▶ [home again] ─▶ user future`
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

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use super::memory::Memory;
use super::node::Held;

/// The part of an exchange that does not depend on its types.
pub(super) struct Home {
    handles: Cell<usize>,
    /// There is no task any more: nobody takes in replies, and what is to be sent must be sent at
    /// once.
    pub(super) is_over: Cell<bool>,
    pub(super) memory: Memory,
    /// Ends the exchange that this is the beginning of.
    end: unsafe fn(NonNull<Home>),
}

impl Home {
    /// With one handle, which is yet to be made.
    ///
    /// # Safety
    /// `end` may be called with a pointer to the exchange that this becomes the beginning of.
    pub(super) unsafe fn new(memory: Memory, end: unsafe fn(NonNull<Self>)) -> Self {
        Self { handles: Cell::new(1), is_over: Cell::new(false), memory, end }
    }

    /// Takes back the node of a call that is over, and drops what is left in it. The memory comes
    /// back even if that unwinds.
    #[inline]
    pub(super) fn recycle(&self, held: Held) {
        let recycled = Recycled { home: self, held };
        let _waker = recycled.held.node().waker.take();
        recycled.held.drop_cargo();
    }
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
