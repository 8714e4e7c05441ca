//! The values on their way: a ring of slots, written by many cores and read by one.
//!
//! Each slot has a *stamp*: the position for which it is free, or that position with [`FULL`] once
//! its value is there. A sender claims the position at the tail with one compare-and-swap, writes
//! its value and then the stamp. The receiver takes the values in order, and leaves in the stamp
//! the position one lap ahead. It looks at the stamps alone: what tells it of a value is on the
//! line of the value, and the tail goes from sender to sender only.
//!
//! Who may claim is part of the tail's own word, so no claim can miss it. With [`CLOSED`] there no
//! one may: the tail stays where it is, and the receiver knows which value is the last. With
//! [`TURNS`] only those may that were granted room, however fast others are.
//!
//! # Invariants
//!
//! - **A claim is a place.** Between its claim of a position and the stamp with `FULL`, a slot is
//!   its sender's; from there until the next stamp it is the receiver's.
//! - **One receiver.** One thread at a time pops. The callers of `pop` promise it.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::prim::{AtomicUsize, Ordering, UnsafeCell, const_fn, ordering};

/// In the tail: no one claims any more.
const CLOSED: usize = 1;
/// In the tail: those alone claim that have a turn.
const TURNS: usize = 2;
const FLAGS: usize = CLOSED | TURNS;
/// In a stamp: the value is there.
const FULL: usize = 1;
/// From one position to the next, which leaves the bits below to the flags.
const STEP: usize = FLAGS + 1;

/// The slots are an array, or on the heap.
pub(crate) struct Ring<T, S: AsRef<[Slot<T>]>> {
    slots: S,
    values: PhantomData<T>,
    /// From a slot to the same in the next lap: a power of two above all positions of one lap.
    lap: usize,
    /// The next position to be claimed, and flags.
    tail: Apart<AtomicUsize>,
    /// The next position to be taken.
    head: Apart<AtomicUsize>,
}

/// A place for a value.
pub(crate) struct Slot<T> {
    stamp: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// On cache lines of its own, and off those that are fetched with them, where there may be such.
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
struct Apart<T>(T);

/// Why a value has no place; it is in here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPlace<T> {
    Full(T),
    Closed(T),
}

// SAFETY: *A claim is a place*, *One receiver*; the values are `Send`.
unsafe impl<T: Send, S: AsRef<[Slot<T>]>> Sync for Ring<T, S> {}

#[cfg(feature = "alloc")]
impl<T> Ring<T, Box<[Slot<T>]>> {
    /// # Panics
    ///
    /// If `capacity` is 0, or more than memory can hold.
    pub(crate) fn on_heap(capacity: usize) -> Self {
        assert!(capacity > 0, "a channel has room for at least one value");
        Self::of((0..capacity).map(Slot::new).collect(), capacity)
    }
}

impl<T, const N: usize> Ring<T, [Slot<T>; N]> {
    #[cfg(not(loom))]
    pub(crate) const fn in_place() -> Self {
        const { assert!(N > 0, "a queue needs room for one value at least") };
        let mut slots = [const { Slot::new(0) }; N];
        let mut index = 0;
        while index < N {
            slots[index] = Slot::new(index);
            index += 1;
        }
        Self::of(slots, N)
    }

    #[cfg(loom)]
    pub(crate) fn in_place() -> Self {
        Self::of(core::array::from_fn(Slot::new), N)
    }
}

impl<T, S: AsRef<[Slot<T>]>> Ring<T, S> {
    const_fn! {
        const fn of(slots: S, capacity: usize) -> Self {
            Self {
                slots,
                values: PhantomData,
                lap: capacity.next_power_of_two() * STEP,
                tail: Apart(AtomicUsize::new(0)),
                head: Apart(AtomicUsize::new(0)),
            }
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    /// Puts a value at the end. Without a `turn`, it does so only where no one waits for one.
    pub(crate) fn push(&self, value: T, turn: bool) -> Result<(), NoPlace<T>> {
        loop {
            let tail = self.tail();
            if tail & CLOSED != 0 {
                return Err(NoPlace::Closed(value));
            }
            if tail & TURNS != 0 && !turn {
                return Err(NoPlace::Full(value));
            }
            let at = tail & !FLAGS;
            let slot = self.slot(at);
            // Acquire: pairs with the Release in `pop`; the value that was there has been read.
            let is_free = slot.stamp.load(ordering!(Acquire, "mpsc: is a slot free")) == at;
            if is_free && self.claim(tail, self.next(at) | (tail & FLAGS)) {
                slot.fill(value, at);
                return Ok(());
            }
            if !is_free && self.tail() == tail {
                return Err(NoPlace::Full(value));
            }
        }
    }

    /// Acquire: pairs with `claim`. Of two that have turns, one may have been told of the room that
    /// the other has claimed, and it must see as free what is left.
    fn tail(&self) -> usize {
        self.tail.0.load(ordering!(Acquire, "mpsc: what is claimed"))
    }

    /// Moves the tail on, unless someone else does.
    fn claim(&self, tail: usize, next: usize) -> bool {
        // Release: pairs with `tail`.
        let release = ordering!(Release, "mpsc: claim");
        self.tail.0.compare_exchange_weak(tail, next, release, Ordering::Relaxed).is_ok()
    }

    /// Takes the value at the front, if it is there.
    ///
    /// # Safety
    /// *One receiver*: it is the caller.
    pub(crate) unsafe fn pop(&self) -> Option<T> {
        let at = self.head.0.load(Ordering::Relaxed);
        let slot = self.slot(at);
        // Acquire: pairs with the Release in `fill`.
        if slot.stamp.load(ordering!(Acquire, "mpsc: is there a value")) != at | FULL {
            return None;
        }
        // SAFETY: *A claim is a place*: it is full, so it is ours, and we free it below.
        let value = slot.value.with_mut(|value| unsafe { (*value).assume_init_read() });
        slot.stamp.store(at.wrapping_add(self.lap), ordering!(Release, "mpsc: free a slot"));
        // Release: pairs with `room`; who sees that there is room finds the slot free.
        self.head.0.store(self.next(at), ordering!(Release, "mpsc: make room"));
        Some(value)
    }

    /// Whether `pop` would find nothing now. After a sequentially consistent fence it sees every
    /// `push` that came before such a fence of the sender.
    pub(crate) fn is_empty(&self) -> bool {
        let at = self.head.0.load(Ordering::Relaxed);
        self.slot(at).stamp.load(Ordering::Relaxed) != at | FULL
    }

    /// The position after `at`.
    fn next(&self, at: usize) -> usize {
        let index = at & (self.lap - 1);
        match index / STEP + 1 < self.capacity() {
            true => at + STEP,
            false => (at - index).wrapping_add(self.lap),
        }
    }

    fn slot(&self, at: usize) -> &Slot<T> {
        &self.slots.as_ref()[(at & (self.lap - 1)) / STEP]
    }
}

/// What a channel has beside a queue: an end, turns, and a look at how much there is.
#[cfg(feature = "alloc")]
impl<T, S: AsRef<[Slot<T>]>> Ring<T, S> {
    /// Whether the last value was taken, and none will come. It sees a `close` as `is_empty` does a
    /// `push`.
    pub(crate) fn is_at_end(&self) -> bool {
        let tail = self.tail.0.load(Ordering::Relaxed);
        tail & CLOSED != 0 && tail & !FLAGS == self.head.0.load(Ordering::Relaxed)
    }

    /// Lets no one claim any more.
    pub(crate) fn close(&self) {
        self.tail.0.fetch_or(CLOSED, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.tail.0.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// From now on those alone claim that have a turn. `false` if the queue is closed.
    pub(crate) fn begin_turns(&self) -> bool {
        self.tail.0.fetch_or(TURNS, Ordering::Relaxed) & CLOSED == 0
    }

    /// From now on each that comes may claim.
    pub(crate) fn end_turns(&self) {
        self.tail.0.fetch_and(!TURNS, Ordering::Relaxed);
    }

    /// How many values are on their way, those included that are being written.
    pub(crate) fn len(&self) -> usize {
        // The head first: it is not ahead of a tail that is looked at later. Acquire: pairs with
        // the Release in `pop`.
        let head = self.head.0.load(ordering!(Acquire, "mpsc: is there room"));
        let tail = self.tail.0.load(Ordering::Relaxed) & !FLAGS;
        let index = |at: usize| at & (self.lap - 1);
        let laps = (tail - index(tail)).wrapping_sub(head - index(head)) / self.lap;
        (laps * self.capacity() + index(tail) / STEP - index(head) / STEP).min(self.capacity())
    }
}

impl<T> Slot<T> {
    const_fn! {
        /// The slot at `index`, free for the first lap.
        const fn new(index: usize) -> Self {
            let stamp = AtomicUsize::new(index * STEP);
            Self { stamp, value: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// Writes the value for the position `at`, which the caller has claimed.
    fn fill(&self, value: T, at: usize) {
        self.value.with_mut(|place| {
            // SAFETY: *A claim is a place*: it was free, and the caller has claimed it.
            unsafe { (*place).write(value) };
        });
        // Release: pairs with the Acquire in `pop`.
        self.stamp.store(at | FULL, ordering!(Release, "mpsc: publish"));
    }
}

impl<T, S: AsRef<[Slot<T>]>> Drop for Ring<T, S> {
    fn drop(&mut self) {
        // SAFETY: *One receiver*: no one else has it any more.
        crate::defer::to_the_end(|| unsafe { self.pop() }.is_some());
    }
}

#[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A ring whose positions wrap in two laps. On a machine of 32 bits that takes no more than
    /// 2³⁰ values.
    fn used(capacity: usize) -> Ring<usize, Box<[Slot<usize>]>> {
        let mut ring = Ring::on_heap(capacity);
        let start = 0_usize.wrapping_sub(2 * ring.lap);
        for (index, slot) in ring.slots.iter_mut().enumerate() {
            slot.stamp = AtomicUsize::new(start + index * STEP);
        }
        ring.tail.0 = AtomicUsize::new(start);
        ring.head.0 = AtomicUsize::new(start);
        ring
    }

    #[test]
    fn values_stay_in_order_and_within_room_as_positions_wrap() {
        for capacity in [1, 3, 4] {
            let ring = used(capacity);
            for first in (0..5 * capacity).step_by(capacity) {
                assert!(ring.is_empty() && !ring.is_at_end());
                for value in first..first + capacity {
                    assert_eq!(ring.len(), value - first);
                    assert_eq!(ring.push(value, false), Ok(()));
                }
                assert_eq!(ring.push(0, false), Err(NoPlace::Full(0)));
                for value in first..first + capacity {
                    // SAFETY: *One receiver*.
                    assert_eq!(unsafe { ring.pop() }, Some(value));
                }
            }
            ring.close();
            assert!(ring.is_at_end());
        }
    }
}
