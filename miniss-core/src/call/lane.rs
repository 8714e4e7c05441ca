//! A lane carries messages from one core to one other: a bounded queue with one sender and one
//! receiver.
//!
//! No operation of the queue is a read-modify-write, and a message that is alone costs one cache
//! line on its way. A slot holds the address of a node and, in its lowest bit, in which *lap* over
//! the slots it was written, odd or even. So the receiver sees by the slot itself whether it is
//! new. It does not clear slots, which would take the line from the sender, and there is no index
//! that the sender would have to write beside the slot. The receiver's own count stands on a line
//! of its own. The sender reads it only when the lane looks full.
//!
//! A batch becomes visible as one: its first slot is withheld, the others are written, and the
//! first is written last. The receiver takes slots in order, so it cannot see a later one before.
//!
//! The count is relaxed on both sides. The receiver raises it after it has read the slot, which it
//! has acquired. Were it to read what is written there next, the lap would be the wrong one.
//!
//! # Two receivers, at the end
//!
//! Either side may take what is in a lane to a closed core. A count decides who does: the first
//! that raises it from zero takes all. One that raises it meanwhile leaves it at that, and the
//! first then looks again.
//!
//! # Invariant
//!
//! - **One at each end.** One thread at a time touches the sender's side, in order, and one the
//!   receiver's. The callers of the unsafe methods promise it.

use core::ptr::{self, NonNull};

use super::node::{Chain, Message, MessageList, Node};
use crate::defer::to_the_end;
use crate::prefetch::prefetch;
use crate::prim::{
    AtomicBool, AtomicPtr, AtomicUsize, Ordering, UnsafeCell, const_fn, fence, ordering,
};

/// How many nodes ahead of the one that is taken the next ones are fetched: about what it takes to
/// serve so many covers the way of a line between two cores.
const AHEAD: usize = 4;

/// A queue for `LANE` messages, in place. `LANE` is a power of two.
///
/// A lane that is full is no error: messages gather on the sender's side until there is room.
pub(super) struct Lane<const LANE: usize> {
    slots: Apart<[AtomicPtr<Node>; LANE]>,
    sender: Apart<UnsafeCell<SenderSide>>,
    receiver: Apart<ReceiverSide>,
    /// The sender found it full and wants to be woken when there is room.
    sender_waits: AtomicBool,
    /// How many have wanted to drain it since it was last left empty, the receiver being closed.
    drainers: AtomicUsize,
}

/// On cache lines of its own, and off those that are fetched with them.
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
struct Apart<T>(T);

/// What the sender alone touches.
struct SenderSide {
    pushed: usize,
    /// The receiver's count when it was last looked at.
    taken: usize,
    /// What is to be written last of the batch that is not published yet, and where; or null.
    withheld: *mut Node,
    withheld_at: usize,
}

/// The receiver's count, for itself and for the sender.
struct ReceiverSide {
    popped: UnsafeCell<usize>,
    taken: AtomicUsize,
}

// SAFETY: *One at each end*. The content of messages is `Send`: `Endpoint::submit_to` demands it.
unsafe impl<const LANE: usize> Sync for Lane<LANE> {}
// SAFETY: as above.
unsafe impl<const LANE: usize> Send for Lane<LANE> {}

impl<const LANE: usize> Lane<LANE> {
    const_fn! {
        /// An empty lane.
        pub(super) const fn new() -> Self {
            const { assert!(LANE.is_power_of_two(), "LANE: a power of two") };
            Self {
                slots: Apart(no_nodes()),
                sender: Apart(UnsafeCell::new(SenderSide::new())),
                receiver: Apart(ReceiverSide::new()),
                sender_waits: AtomicBool::new(false),
                drainers: AtomicUsize::new(0),
            }
        }
    }

    fn slot(&self, count: usize) -> &AtomicPtr<Node> {
        &self.slots.0[count % LANE]
    }

    /// The lowest bit of a slot that was written as the `count`th.
    const fn lap(count: usize) -> usize {
        (count / LANE + 1) % 2
    }

    /// Puts a message at the back, or gives it back if there is no room. The receiver need not see
    /// it before [`publish`](Self::publish).
    ///
    /// # Safety
    /// *One at each end*: the caller is the sender.
    #[inline]
    pub(super) unsafe fn push(&self, message: Message) -> Result<(), Message> {
        self.sender.0.with_mut(|sender| {
            // SAFETY: *One at each end*.
            let sender = unsafe { &mut *sender };
            if !sender.has_room::<LANE>(&self.receiver.0) {
                return Err(message);
            }
            let at = sender.pushed;
            let node = message.0.as_ptr().map_addr(|node| node | Self::lap(at));
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

    /// Lets the receiver see what was pushed.
    ///
    /// # Safety
    /// *One at each end*: the caller is the sender.
    #[inline]
    pub(super) unsafe fn publish(&self) {
        self.sender.0.with_mut(|sender| {
            // SAFETY: *One at each end*.
            let sender = unsafe { &mut *sender };
            if !sender.withheld.is_null() {
                // Release: the nodes, and the slots after this one, were written before.
                let release = ordering!(Release, "lane: publish");
                self.slot(sender.withheld_at).store(sender.withheld, release);
                sender.withheld = ptr::null_mut();
            }
        });
    }

    /// The sender found the lane full: it wants to be woken when there is room. `true` if there is
    /// some already.
    ///
    /// # Safety
    /// *One at each end*: the caller is the sender.
    #[cold]
    pub(super) unsafe fn wait_for_room(&self) -> bool {
        self.sender_waits.store(true, Ordering::Relaxed);
        // Pairs with the fence of a receiver that looks for senders: it sees the flag, and before
        // it our task, however new that is; or we see the room, and do not wait.
        fence(ordering!(SeqCst, "lane: a sender waits for room"));
        // SAFETY: *One at each end*.
        self.sender.0.with_mut(|sender| unsafe { (*sender).has_room::<LANE>(&self.receiver.0) })
    }

    /// Whether the sender waits for room. It no longer counts as waiting then.
    pub(super) fn take_waiting_sender(&self) -> bool {
        let waits = &self.sender_waits;
        waits.load(Ordering::Relaxed) && waits.swap(false, Ordering::Relaxed)
    }

    /// Takes the message at the front.
    ///
    /// # Safety
    /// *One at each end*: the caller is the receiver.
    #[inline]
    pub(super) unsafe fn pop(&self) -> Option<Message> {
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
            Some(Message(node))
        })
    }

    /// A hint to the processor, if it takes one: fetch the node that will be wanted soon.
    #[inline]
    fn prefetch(&self, count: usize) {
        if LANE > AHEAD {
            prefetch(self.slot(count.wrapping_add(AHEAD)).load(Ordering::Relaxed));
        }
    }

    /// Whether there is nothing to take, as far as can be seen. It is asked in every turn, and over
    /// and over by a core that spins. After a sequentially consistent fence it sees every `publish`
    /// that came before such a fence of the sender.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        let count = self.receiver.0.taken.load(Ordering::Relaxed);
        self.slot(count).load(Ordering::Relaxed).addr() % 2 != Self::lap(count)
    }

    /// Empties a lane whose receiver is closed, unless another is at it, who looks again then.
    ///
    /// # Safety
    /// *One at each end*: the receiver has closed, and receives no more but by this.
    #[cold]
    pub(super) unsafe fn drain(&self) -> Chain {
        // Acquire: pairs with the Release below, with which the last one has left the lane to us.
        // Each that raises it has fenced before: a sender after what it has published, a receiver
        // after the end of its own taking.
        let others = self.drainers.fetch_add(1, ordering!(Acquire, "lane: begin to drain"));
        if others != 0 {
            return Chain::empty();
        }
        let found = MessageList::new();
        let mut wanted = 1;
        loop {
            // SAFETY: *One at each end*: we have raised the count from zero.
            while let Some(message) = unsafe { self.pop() } {
                found.push(message);
            }
            // Release: the next one goes on where we stop. Acquire: we see what those that came
            // meanwhile have published.
            let release = ordering!(Release, "lane: end the drain");
            let acquire = ordering!(Acquire, "lane: drain again");
            match self.drainers.compare_exchange(wanted, 0, release, acquire) {
                Ok(_) => return found.take(),
                Err(now) => wanted = now,
            }
        }
    }
}

impl SenderSide {
    const fn new() -> Self {
        Self { pushed: 0, taken: 0, withheld: ptr::null_mut(), withheld_at: 0 }
    }

    /// Looks at the receiver's count only if there seems to be no room. After a sequentially
    /// consistent fence it sees every `pop` that came before such a fence of the receiver.
    #[inline]
    fn has_room<const LANE: usize>(&mut self, receiver: &ReceiverSide) -> bool {
        if self.pushed.wrapping_sub(self.taken) < LANE {
            return true;
        }
        self.taken = receiver.taken.load(Ordering::Relaxed);
        self.pushed.wrapping_sub(self.taken) < LANE
    }
}

impl ReceiverSide {
    const_fn! {
        const fn new() -> Self {
            Self { popped: UnsafeCell::new(0), taken: AtomicUsize::new(0) }
        }
    }
}

#[cfg(not(loom))]
const fn no_nodes<const LANE: usize>() -> [AtomicPtr<Node>; LANE] {
    [const { AtomicPtr::new(ptr::null_mut()) }; LANE]
}

#[cfg(loom)]
fn no_nodes<const LANE: usize>() -> [AtomicPtr<Node>; LANE] {
    core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))
}

impl<const LANE: usize> Drop for Lane<LANE> {
    fn drop(&mut self) {
        // SAFETY: *One at each end*: no one else has it any more.
        unsafe { self.publish() };
        // SAFETY: as above.
        to_the_end(|| unsafe { self.pop() }.map(Message::destroy).is_some());
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const LANE: usize = 8;

    /// A lane whose counts wrap in two laps, which on a machine of 32 bits they do after 2³² calls.
    fn used() -> Lane<LANE> {
        let mut lane = Lane::new();
        let start = 0_usize.wrapping_sub(2 * LANE);
        let former_lap = Lane::<LANE>::lap(start - LANE);
        for slot in &mut lane.slots.0 {
            *slot = AtomicPtr::new(ptr::without_provenance_mut(former_lap));
        }
        let sender = SenderSide { pushed: start, taken: start, ..SenderSide::new() };
        lane.sender.0 = UnsafeCell::new(sender);
        lane.receiver.0 =
            ReceiverSide { popped: UnsafeCell::new(start), taken: AtomicUsize::new(start) };
        lane
    }

    /// No node is there: a lane only carries the address.
    fn message(number: usize) -> Message {
        let node = ptr::without_provenance_mut((number + 1) * align_of::<Node>());
        Message(NonNull::new(node).expect("more than 0"))
    }

    #[test]
    fn messages_stay_in_order_and_within_room_as_counts_wrap() {
        let lane = used();
        for first in (0..5 * LANE).step_by(LANE) {
            assert!(lane.is_empty());
            // SAFETY: *One at each end*: there is one thread.
            unsafe {
                for number in first..first + LANE {
                    assert!(lane.push(message(number)).is_ok());
                    assert_eq!(lane.is_empty(), number == first, "the first was not published");
                    lane.publish();
                }
                assert!(lane.push(message(0)).is_err(), "it is full");
                for number in first..first + LANE {
                    assert_eq!(lane.pop().map(|node| node.0), Some(message(number).0));
                }
                assert!(lane.pop().is_none());
            }
        }
    }
}
