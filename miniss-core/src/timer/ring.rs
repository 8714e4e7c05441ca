//! A first-in first-out list of timer nodes, linked through the nodes themselves.
//!
//! The list is a circle and the ring points to its first node, whose `prev` is the last one: one
//! word a ring, append and removal from the middle in O(1).
//!
//! **Link Invariant.** Every node reachable from `head` is alive and stays where it is (node's
//! Pinned Invariant), is linked in this ring alone, and `n.next.prev == n` holds for each.

use core::cell::Cell;
use core::ptr;

use super::node::TimerNode;

/// See the module's documentation.
pub(super) struct Ring {
    head: Cell<*const TimerNode>,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self { head: Cell::new(ptr::null()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// The first node.
    ///
    /// # Safety
    ///
    /// The reference must be out of use before the node can be dropped, which any foreign code may
    /// do: a waker's clone, wake and drop.
    pub(super) unsafe fn front<'a>(&self) -> Option<&'a TimerNode> {
        // SAFETY: Link Invariant: null or a live node; the caller bounds the reference's use.
        unsafe { self.head.get().as_ref() }
    }

    /// Appends `node`.
    ///
    /// # Safety
    ///
    /// `node` is pinned, is in no ring, and leaves this one before it dies.
    pub(super) unsafe fn push_back(&self, node: &TimerNode) {
        // SAFETY: the reference is used for this call only, and no foreign code runs in it.
        let Some(head) = (unsafe { self.front() }) else {
            node.next.set(node);
            node.prev.set(node);
            return self.head.set(node);
        };
        let tail = head.prev.replace(node);
        node.prev.set(tail);
        node.next.set(head);
        // SAFETY: Link Invariant: the neighbour of a linked node is alive.
        unsafe { (*tail).next.set(node) };
    }

    /// Takes `node` out, wherever in the ring it is.
    ///
    /// # Safety
    ///
    /// `node` is in this ring.
    pub(super) unsafe fn unlink(&self, node: &TimerNode) {
        let (next, prev) = (node.next.get(), node.prev.get());
        if ptr::eq(next, node) {
            return self.head.set(ptr::null());
        }
        // SAFETY: Link Invariant: the neighbours of a linked node are alive.
        unsafe {
            (*next).prev.set(prev);
            (*prev).next.set(next);
        }
        if ptr::eq(self.head.get(), node) {
            self.head.set(next);
        }
    }

    /// The smallest `when` in the ring. `None` if the ring is empty or has more than `limit` nodes.
    pub(super) fn earliest(&self, limit: usize) -> Option<u64> {
        let head = self.head.get();
        let (mut earliest, mut node) = (u64::MAX, head);
        for _ in 0..limit {
            // SAFETY: Link Invariant: null or a live node, and no foreign code runs here.
            let current = unsafe { node.as_ref() }?;
            earliest = earliest.min(current.when.get());
            node = current.next.get();
            if ptr::eq(node, head) {
                return Some(earliest);
            }
        }
        None
    }
}
