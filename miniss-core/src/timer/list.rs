//! What a queue of timers links: a node in each future that waits, and lists of them. No timer
//! allocates.
//!
//! A list is a circle of nodes, linked through the nodes themselves. It points to its first node,
//! whose `prev` is the last one: one word a list, append and removal from the middle in O(1).
//!
//! | field of a node | written by | meaning |
//! |---|---|---|
//! | `next`, `prev` | the list that holds the node | neighbours; stale while not linked |
//! | `when` | the queue | the deadline, or the queue's time if that was already later |
//! | `queue` | the queue | the one that it leaves; kept after it has left |
//! | `place` | the queue | the number of the list that holds it, or `IDLE`, or `FIRED` |
//! | `waker` | the future; taken by the queue | wakes the task that waits |
//! | `leaf` | the future | its part in the budget of the task |
//!
//! # Invariants
//!
//! - **Linked means pinned.** A node is linked only by [`Arm::arm`], which takes it pinned, and
//!   its `Drop` unlinks it. So while it is linked it neither moves nor dies.
//! - **One thread.** A node is neither `Send` nor `Sync` (raw pointers, cells), and neither is a
//!   reference to the queue. So all that happens to linked nodes happens on one thread.
//! - **Linked in one list.** Every node that is reachable from `head` is linked in this list alone,
//!   and `n.next.prev == n` holds for each.

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::ptr;
use core::task::Waker;

use super::queue::sealed::Arm;
use crate::coop::Leaf;

/// `place` of a node that is not linked and has not fired since it was last armed.
const IDLE: u16 = u16::MAX;
/// `place` of a node whose deadline came.
const FIRED: u16 = u16::MAX - 1;

/// One timer: its links, its deadline and the waker of the task that waits.
pub struct TimerNode<Q: Arm> {
    pub(super) next: Cell<*const TimerNode<Q>>,
    pub(super) prev: Cell<*const TimerNode<Q>>,
    pub(super) when: Cell<u64>,
    queue: Cell<Option<&'static Q>>,
    place: Cell<u16>,
    waker: Cell<Option<Waker>>,
    /// Belongs to the future; it is here because there is room.
    pub(super) leaf: Leaf,
    _pinned: PhantomPinned,
}

impl<Q: Arm> TimerNode<Q> {
    pub(crate) const fn new() -> Self {
        Self {
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            when: Cell::new(0),
            queue: Cell::new(None),
            place: Cell::new(IDLE),
            waker: Cell::new(None),
            leaf: Leaf::new(),
            _pinned: PhantomPinned,
        }
    }

    /// Whether its deadline has come since it was last armed.
    pub(crate) fn has_fired(&self) -> bool {
        self.place.get() == FIRED
    }

    /// Whether it is neither linked nor fired.
    pub(crate) fn is_idle(&self) -> bool {
        self.place.get() == IDLE
    }

    /// Takes it out of its queue, if it is in one, and forgets that it fired. Keeps the waker.
    pub(crate) fn cancel(&self) {
        if let (Some(place), Some(queue)) = (self.linked_at(), self.queue.get()) {
            queue.remove(self, place);
        }
        self.place.set(IDLE);
    }

    /// Keeps a clone of `waker`, unless one that wakes the same task is there already. Tells
    /// whether it took the place of another task's waker.
    ///
    /// To clone and to drop a waker is foreign code: no cell is in use while it runs.
    pub(crate) fn register(&self, waker: &Waker) -> bool {
        let old = self.waker.take();
        if old.as_ref().is_some_and(|old| old.will_wake(waker)) {
            self.waker.set(old);
            return false;
        }
        self.waker.set(Some(waker.clone()));
        old.is_some()
    }

    /// Whether a waker is there: someone was told to wait, and has not been woken since.
    pub(crate) fn is_awaited(&self) -> bool {
        let waker = self.waker.take();
        let awaited = waker.is_some();
        self.waker.set(waker);
        awaited
    }

    /// Takes the waker out; `None` if no one waits.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.waker.take()
    }

    /// The number of the list that holds it, if it is linked.
    pub(super) fn linked_at(&self) -> Option<usize> {
        let place = self.place.get();
        (place < FIRED).then_some(usize::from(place))
    }

    /// Notes the queue that is about to link it.
    pub(super) fn set_queue(&self, queue: &'static Q) {
        self.queue.set(Some(queue));
    }

    /// Notes the list that is about to hold it.
    pub(super) fn set_place(&self, place: usize) {
        debug_assert!(place < usize::from(FIRED));
        self.place.set(place as u16);
    }

    /// Links it before `next`, a node of the list.
    ///
    /// # Safety
    ///
    /// As for [`List::push_back`].
    #[inline]
    unsafe fn link_before(&self, next: &Self) {
        let prev = next.prev.replace(self);
        self.prev.set(prev);
        self.next.set(next);
        // SAFETY: *Linked means pinned*: the neighbour of a linked node is alive.
        unsafe { (*prev).next.set(self) };
    }

    /// Notes that it has been unlinked because its deadline came.
    pub(super) fn set_fired(&self) {
        self.place.set(FIRED);
    }
}

impl<Q: Arm> Drop for TimerNode<Q> {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A first-in first-out list of nodes.
pub struct List<Q: Arm> {
    head: Cell<*const TimerNode<Q>>,
}

impl<Q: Arm> List<Q> {
    pub(super) const fn new() -> Self {
        Self { head: Cell::new(ptr::null()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
    }

    /// How many nodes there are, counted one by one.
    pub(super) fn len(&self) -> usize {
        let (mut count, mut node) = (0, self.head.get());
        // SAFETY: *Linked means pinned*: null or a live node, and no foreign code runs here.
        while let Some(current) = unsafe { node.as_ref() } {
            count += 1;
            node = current.next.get();
            if ptr::eq(node, self.head.get()) {
                break;
            }
        }
        count
    }

    /// The first node.
    ///
    /// # Safety
    ///
    /// The reference must be out of use before the node can be dropped, which any foreign code may
    /// do: a waker's clone, wake and drop.
    pub(super) unsafe fn front<'a>(&self) -> Option<&'a TimerNode<Q>> {
        // SAFETY: *Linked means pinned*: null or a live node; the caller bounds the use of the
        // reference.
        unsafe { self.head.get().as_ref() }
    }

    /// Appends `node`.
    ///
    /// # Safety
    ///
    /// `node` is pinned, is in no list, and leaves this one before it dies.
    pub(super) unsafe fn push_back(&self, node: &TimerNode<Q>) {
        // SAFETY: the reference is used for this call only, and no foreign code runs in it.
        let Some(head) = (unsafe { self.front() }) else {
            node.next.set(node);
            node.prev.set(node);
            return self.head.set(node);
        };
        // SAFETY: passed on to the caller.
        unsafe { node.link_before(head) };
    }

    /// Puts `node` behind all that are due no later, for which it looks from the back.
    ///
    /// # Safety
    ///
    /// As for [`push_back`](Self::push_back).
    pub(super) unsafe fn insert(&self, node: &TimerNode<Q>) {
        // SAFETY: the reference is used for this call only, and no foreign code runs in it.
        let Some(head) = (unsafe { self.front() }) else {
            // SAFETY: passed on to the caller.
            return unsafe { self.push_back(node) };
        };
        let when = node.when.get();
        let mut next = head;
        if head.when.get() > when {
            self.head.set(node);
        } else {
            // SAFETY: *Linked means pinned*. It ends at the head.
            while let prev = unsafe { &*next.prev.get() }
                && prev.when.get() > when
            {
                next = prev;
            }
        }
        // SAFETY: passed on to the caller.
        unsafe { node.link_before(next) };
    }

    /// Takes `node` out, wherever in the list it is.
    ///
    /// # Safety
    ///
    /// `node` is in this list.
    pub(super) unsafe fn unlink(&self, node: &TimerNode<Q>) {
        let (next, prev) = (node.next.get(), node.prev.get());
        if ptr::eq(next, node) {
            return self.head.set(ptr::null());
        }
        // SAFETY: *Linked means pinned*: the neighbours of a linked node are alive.
        unsafe {
            (*next).prev.set(prev);
            (*prev).next.set(next);
        }
        if ptr::eq(self.head.get(), node) {
            self.head.set(next);
        }
    }

    /// Wakes all that are in the list, which is the `queue`'s of those that are due. Returns how
    /// many.
    #[inline]
    pub(super) fn fire(&self, queue: &Q) -> usize {
        let mut fired = 0;
        // SAFETY: last used before the wake.
        while let Some(node) = unsafe { self.front() } {
            queue.remove(node, Q::DUE);
            node.set_fired();
            if let Some(waker) = node.take_waker() {
                waker.wake();
            }
            fired += 1;
        }
        fired
    }

    /// The smallest `when` in the list. `None` if the list is empty or has more than `limit` nodes.
    pub(super) fn earliest(&self, limit: usize) -> Option<u64> {
        let head = self.head.get();
        let (mut earliest, mut node) = (u64::MAX, head);
        for _ in 0..limit {
            // SAFETY: *Linked means pinned*: null or a live node, and no foreign code runs here.
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
