//! The lane: a ring from one core to one other.
//!
//! No operation here is a read-modify-write, and a call that is alone costs one cache line on its
//! way: a slot holds the address of a node and, in its lowest bit, in which *lap* round the ring it
//! was written, odd or even. So the receiver sees by the slot itself whether it is new. It does not
//! clear slots, which would take the line from the sender, and there is no index that the sender
//! would have to write beside the slot. The receiver's own count, on a line of its own, is read by
//! the sender only when the ring looks full.
//!
//! A batch becomes visible as one: its first slot is withheld, the others are written, and the
//! first is written last. The receiver takes slots in order, so it cannot see a later one before.
//!
//! The count is relaxed on both sides. The receiver raises it after it has read the slot, which it
//! has acquired; and were it to read what is written there next, the lap would be the wrong one.
//!
//! # Invariant
//!
//! - **One at each end.** The sender's side is touched by one thread at a time, in order, and so is
//!   the receiver's. The callers of [`Queue`]'s methods promise it.

use core::ptr::{self, NonNull};

use super::node::{Node, Parcel};
use super::queue::Queue;
use crate::defer::to_the_end;
use crate::prefetch::prefetch;
use crate::prim::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell, ordering};

/// A ring for `N` calls, in place. `N` is a power of two.
///
/// A lane that is full is no error: calls gather on the sender's side until there is room.
///
/// ```
/// use miniss_core::call::{FixedLane, Queue};
/// let lane: FixedLane<8> = FixedLane::new();
/// assert_eq!(lane.capacity(), 8);
/// ```
pub struct FixedLane<const N: usize> {
    slots: Apart<[AtomicPtr<Node>; N]>,
    sender: Apart<UnsafeCell<Sender>>,
    receiver: Apart<Receiver>,
}

/// On cache lines of its own, and off those that are fetched with them.
#[repr(align(128))]
struct Apart<T>(T);

/// What the sender alone touches.
struct Sender {
    pushed: usize,
    /// The receiver's count when it was last looked at.
    taken: usize,
    /// What is to be written last of the batch that is not published yet, and where; or null.
    withheld: *mut Node,
    withheld_at: usize,
}

/// The receiver's count, for itself and for the sender.
struct Receiver {
    popped: UnsafeCell<usize>,
    taken: AtomicUsize,
}

// SAFETY: *One at each end*; what passes from one to the other is `Send`.
unsafe impl<const N: usize> Sync for FixedLane<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Send for FixedLane<N> {}

impl<const N: usize> FixedLane<N> {
    crate::prim::const_fn! {
        /// An empty lane.
        ///
        /// ```
        /// let lane = miniss_core::call::FixedLane::<4>::new();
        /// # let _ = lane;
        /// ```
        pub const fn new() -> Self {
            const { assert!(N.is_power_of_two(), "a lane's capacity is a power of two") };
            Self {
                slots: Apart(no_nodes()),
                sender: Apart(UnsafeCell::new(Sender::new())),
                receiver: Apart(Receiver::new()),
            }
        }
    }

    fn slot(&self, count: usize) -> &AtomicPtr<Node> {
        &self.slots.0[count % N]
    }

    /// The lowest bit of a slot that was written as the `count`th.
    const fn lap(count: usize) -> usize {
        (count / N + 1) % 2
    }

    /// A hint to the processor, if it takes one: fetch the node that will be wanted soon.
    #[inline]
    fn prefetch(&self, count: usize) {
        if N > AHEAD {
            prefetch(self.slot(count.wrapping_add(AHEAD)).load(Ordering::Relaxed));
        }
    }
}

/// How many nodes ahead of the one that is taken the next ones are fetched: about what it takes to
/// serve so many covers the way of a line between two cores.
const AHEAD: usize = 4;

// SAFETY: a parcel leaves its slot by `pop` alone, once, since that goes on to the next slot; the
// publishing store releases what the popping load acquires. By *One at each end* the counts are
// the callers' own.
unsafe impl<const N: usize> Queue for FixedLane<N> {
    #[inline]
    unsafe fn push(&self, parcel: Parcel) -> Result<(), Parcel> {
        self.sender.0.with_mut(|sender| {
            // SAFETY: *One at each end*.
            let sender = unsafe { &mut *sender };
            if !sender.has_room::<N>(&self.receiver.0) {
                return Err(parcel);
            }
            let at = sender.pushed;
            let node = parcel.into_node().as_ptr().map_addr(|node| node | Self::lap(at));
            if sender.withheld.is_null() {
                sender.withheld = node;
                sender.withheld_at = at;
            } else {
                self.slot(at).store(node, Ordering::Relaxed);
            }
            sender.pushed = at.wrapping_add(1);
            Ok(())
        })
    }

    #[inline]
    unsafe fn publish(&self) {
        self.sender.0.with_mut(|sender| {
            // SAFETY: *One at each end*.
            let sender = unsafe { &mut *sender };
            if !sender.withheld.is_null() {
                // Release: the nodes, and the slots behind this one, were written before.
                let release = ordering!(Release, "lane: publish");
                self.slot(sender.withheld_at).store(sender.withheld, release);
                sender.withheld = ptr::null_mut();
            }
        });
    }

    unsafe fn has_room(&self) -> bool {
        // SAFETY: *One at each end*.
        self.sender.0.with_mut(|sender| unsafe { (*sender).has_room::<N>(&self.receiver.0) })
    }

    #[inline]
    unsafe fn pop(&self) -> Option<Parcel> {
        self.receiver.0.popped.with_mut(|popped| {
            // SAFETY: *One at each end*.
            let popped = unsafe { &mut *popped };
            // Acquire: pairs with the Release in `publish`.
            let node = self.slot(*popped).load(ordering!(Acquire, "lane: take"));
            if node.addr() % 2 != Self::lap(*popped) {
                return None;
            }
            self.prefetch(*popped);
            *popped = popped.wrapping_add(1);
            self.receiver.0.taken.store(*popped, Ordering::Relaxed);
            let node = NonNull::new(node.map_addr(|node| node & !1)).expect("a slot in its lap");
            // SAFETY: *One at each end*: `push` put it there, and we have gone past it.
            Some(unsafe { Parcel::new(node) })
        })
    }

    #[inline]
    fn is_empty(&self) -> bool {
        let count = self.receiver.0.taken.load(Ordering::Relaxed);
        self.slot(count).load(Ordering::Relaxed).addr() % 2 != Self::lap(count)
    }

    fn capacity(&self) -> usize {
        N
    }
}

impl Sender {
    const fn new() -> Self {
        Self { pushed: 0, taken: 0, withheld: ptr::null_mut(), withheld_at: 0 }
    }

    /// Looks at the receiver's count only if there seems to be no room.
    #[inline]
    fn has_room<const N: usize>(&mut self, receiver: &Receiver) -> bool {
        if self.pushed.wrapping_sub(self.taken) < N {
            return true;
        }
        self.taken = receiver.taken.load(Ordering::Relaxed);
        self.pushed.wrapping_sub(self.taken) < N
    }
}

impl Receiver {
    crate::prim::const_fn! {
        const fn new() -> Self {
            Self { popped: UnsafeCell::new(0), taken: AtomicUsize::new(0) }
        }
    }
}

#[cfg(not(loom))]
const fn no_nodes<const N: usize>() -> [AtomicPtr<Node>; N] {
    [const { AtomicPtr::new(ptr::null_mut()) }; N]
}

#[cfg(loom)]
fn no_nodes<const N: usize>() -> [AtomicPtr<Node>; N] {
    core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))
}

impl<const N: usize> Drop for FixedLane<N> {
    fn drop(&mut self) {
        // SAFETY: *One at each end*: no one else has it any more.
        unsafe { self.publish() };
        // SAFETY: as above.
        to_the_end(|| unsafe { self.pop() }.map(drop).is_some());
    }
}

impl<const N: usize> core::fmt::Debug for FixedLane<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FixedLane").field("capacity", &N).finish()
    }
}

impl<const N: usize> Default for FixedLane<N> {
    fn default() -> Self {
        Self::new()
    }
}
