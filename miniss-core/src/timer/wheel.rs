//! All armed timers of one executor, in the order in which they will fire.
//!
//! # How it works
//!
//! Write a time in nanoseconds as eleven digits of six bits. A timer lives on the *level* of the
//! highest digit in which its deadline differs from the wheel's time, in the *slot* of that
//! digit's value.
//!
//! | level | a slot is | the level reaches |
//! |---|---|---|
//! | 0 | 1 ns | 64 ns |
//! | 1 | 64 ns | 4.1 µs |
//! | 2 | 4.1 µs | 262 µs |
//! | 3 | 262 µs | 16.8 ms |
//! | 4 | 16.8 ms | 1.07 s |
//! | 5 | 1.07 s | 68.7 s |
//! | 6 | 68.7 s | 73.3 min |
//! | 7 | 73.3 min | 3.26 days |
//! | 8 | 3.26 days | 208 days |
//! | 9 | 208 days | 36.5 years |
//! | 10 | 36.5 years | 584 years, the whole clock: 16 of its 64 slots are in use |
//!
//! A level reaches so far at most: to the next point where the digit above it changes.
//!
//! One bitmap a level tells which slots are in use, and one more tells which levels are. To arm a
//! timer is to count leading zeros and to append to a list; to cancel one is to unlink it. Neither
//! loops nor divides.
//!
//! Time only goes forward, so all timers of a level are due before all of the next one. Two counts
//! of trailing zeros find the first slot in use, however far away it is. When time reaches that
//! slot, its nodes are filed again. They are nearer now, so on a lower level. This happens to a
//! node at most ten times, and never to one that is cancelled early.
//!
//! # Why down to the nanosecond
//!
//! A wheel usually ticks once a microsecond or a millisecond. Then it must look at the exact
//! deadlines in the tick it is in, and sort them. Here two more levels of 512 bytes go down to the
//! nanosecond, where all nodes of a slot have the same deadline. So exactness is not a case of its
//! own, and timers fire in order of deadline, however coarse the executor's turns are.
//!
//! # Invariants
//!
//! - **Filed by deadline.** Each linked node is in the list that `when` and `now` determine, and
//!   `when >= now`; except those that wait in the list `EXPIRED`. When time goes on to `later` this
//!   stays true, provided that no slot in use starts at `later` or before: the node's digit at its
//!   level is then above that of `later`, and all digits above that are equal.
//!   It follows that nodes of equal deadline are always in the same list. There they are in the
//!   order of arming: lists only grow at the back, and when a slot is filed again, front to back,
//!   every lower level is empty, because it was the first slot in use.
//! - **The place tells the list.** Each linked node is in the one list that its `place` names, and
//!   has this wheel noted.
//!
//! and *Whole before foreign code* (see the module `queue`).

use core::cell::Cell;
use core::pin::Pin;

use super::list::{List, TimerNode};
use super::queue::sealed::{Arm, Queue};
use super::queue::{HasTimers, TimerQueue};
use crate::defer::defer;
use crate::time::Instant;

/// Bits in a digit: a level has as many slots as a word has bits.
const BITS: u32 = 6;
pub(super) const SLOTS: usize = 1 << BITS;
/// Digits in a time.
pub(super) const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// The list of those that are due and about to be woken; it follows the lists of the slots.
const EXPIRED: usize = LEVELS * SLOTS;
/// How many nodes `next_deadline` looks at, at most.
pub(super) const SCAN_MAX: usize = 16;
/// How many nodes are looked at before they are filed again, at most: so many are still in the
/// cache when they are filed.
const REFILE_SCAN_MAX: usize = 1024;

/// The armed timers of one executor.
///
/// However many there are, to arm or cancel one takes a few instructions. A port that has few, and
/// little memory, chooses a [`TimerList`](super::TimerList) instead. It has no methods to call.
pub struct Wheel {
    /// The time of the last advance, in nanoseconds.
    now: Cell<u64>,
    /// Linked nodes, those in `EXPIRED` included.
    len: Cell<usize>,
    /// Bit `l`: level `l` has a slot in use.
    levels: Cell<u16>,
    /// Bit `s` of word `l`: slot `s` of level `l` is in use.
    slots: [Cell<u64>; LEVELS],
    lists: [List<Self>; EXPIRED + 1],
}

/// The first slot in use.
struct Slot {
    level: usize,
    place: usize,
    /// The earliest time that belongs to it.
    start: u64,
}

impl TimerQueue for Wheel {}
impl HasTimers for Wheel {}

impl Queue for Wheel {
    const NEW: Self = Self {
        now: Cell::new(0),
        len: Cell::new(0),
        levels: Cell::new(0),
        slots: [const { Cell::new(0) }; LEVELS],
        lists: [const { List::new() }; EXPIRED + 1],
    };

    fn len(&self) -> usize {
        self.len.get()
    }

    /// Exact if level 0 or a slot of at most 16 timers comes first, as a lone timer always does;
    /// otherwise once that time has been advanced to, a better answer follows.
    fn next_deadline(&self) -> Option<Instant> {
        if !self.lists[EXPIRED].is_empty() {
            return Some(Instant::from_nanos(self.now.get()));
        }
        let slot = self.first_slot()?;
        let exact = if slot.level == 0 { None } else { self.lists[slot.place].earliest(SCAN_MAX) };
        Some(Instant::from_nanos(exact.unwrap_or(slot.start)))
    }

    fn advance(&self, now: Instant) -> usize {
        self.collect(now.as_nanos().max(self.now.get()));
        self.lists[EXPIRED].fire(self)
    }

    fn clear(&self) {
        // It is empty then, also if a waker panics.
        let _again = defer(|| self.now.set(0));
        self.take_out();
    }
}

impl Arm for Wheel {
    const DUE: usize = EXPIRED;

    fn arm(&'static self, node: Pin<&TimerNode<Self>>, deadline: Instant) {
        let node = node.get_ref();
        node.cancel();
        if deadline == Instant::MAX {
            return;
        }
        node.when.set(deadline.as_nanos().max(self.now.get()));
        node.set_queue(self);
        self.len.set(self.len.get() + 1);
        // SAFETY: *Linked means pinned*: pinned by its type, `cancel` has unlinked it, its `Drop`
        // will.
        unsafe { self.file(node) };
    }

    fn remove(&self, node: &TimerNode<Self>, place: usize) {
        self.len.set(self.len.get() - 1);
        // SAFETY: *The place tells the list*.
        unsafe { self.lists[place].unlink(node) };
        if self.lists[place].is_empty() && place != EXPIRED {
            self.vacate(place);
        }
    }

    fn due(&self) -> &List<Self> {
        &self.lists[EXPIRED]
    }

    fn first(&self) -> Option<&List<Self>> {
        Some(&self.lists[self.first_slot()?.place])
    }
}

impl Wheel {
    /// Links `node` where it belongs: *Filed by deadline*.
    ///
    /// # Safety
    ///
    /// `node` is pinned, is in no list, and is removed before it dies; `when >= now`.
    unsafe fn file(&self, node: &TimerNode<Self>) {
        let when = node.when.get();
        let level = level_of(when ^ self.now.get());
        let slot = (when >> (level as u32 * BITS)) as usize % SLOTS;
        let place = level * SLOTS + slot;
        self.levels.set(self.levels.get() | 1 << level);
        self.slots[level].set(self.slots[level].get() | 1 << slot);
        node.set_place(place);
        // SAFETY: passed on to the caller.
        unsafe { self.lists[place].push_back(node) };
    }

    /// Notes that the slot with list `place` has become empty.
    fn vacate(&self, place: usize) {
        let (level, slot) = (place / SLOTS, place % SLOTS);
        let slots = self.slots[level].get() & !(1 << slot);
        self.slots[level].set(slots);
        if slots == 0 {
            self.levels.set(self.levels.get() & !(1 << level));
        }
    }

    fn first_slot(&self) -> Option<Slot> {
        let levels = self.levels.get();
        if levels == 0 {
            return None;
        }
        let level = levels.trailing_zeros() as usize;
        let slot = self.slots[level].get().trailing_zeros();
        let shift = level as u32 * BITS;
        // Two shifts: on the top level one shift would be by more bits than a word has.
        let above = self.now.get() >> shift >> BITS << BITS;
        let start = (above | u64::from(slot)) << shift;
        Some(Slot { level, place: level * SLOTS + slot as usize, start })
    }

    /// Moves all nodes due at `now` into `EXPIRED`, in order, and sets the time.
    fn collect(&self, now: u64) {
        while let Some(slot) = self.first_slot()
            && slot.start <= now
        {
            if slot.level == 0 {
                self.expire(slot.place);
            } else {
                self.refile(&slot, now);
            }
        }
        self.now.set(now);
    }

    /// Moves the nodes of a slot of level 0, which are all due at the same time, into `EXPIRED`.
    fn expire(&self, place: usize) {
        self.drain(place, |node| {
            node.set_place(EXPIRED);
            // SAFETY: *Linked means pinned*: its `Drop` will remove it; `drain` has unlinked it.
            unsafe { self.lists[EXPIRED].push_back(node) };
        });
    }

    /// Moves time into the first slot, as far as its earliest node or `now`, and files its nodes
    /// from there: all of them land on lower levels. If there are many nodes, no one looks for the
    /// earliest, since that would fetch each of them into the cache twice; then time moves to the
    /// start of the slot.
    fn refile(&self, slot: &Slot, now: u64) {
        let earliest = self.lists[slot.place].earliest(REFILE_SCAN_MAX).unwrap_or(slot.start);
        self.now.set(earliest.min(now));
        // SAFETY: as in `expire`; none of them is before the time just set.
        self.drain(slot.place, |node| unsafe { self.file(node) });
    }

    /// Unlinks all nodes of the slot with list `place`, front to back, and hands each to `link`,
    /// which runs no foreign code.
    fn drain(&self, place: usize, link: impl Fn(&TimerNode<Self>)) {
        let list = &self.lists[place];
        self.vacate(place);
        // SAFETY: neither `link` nor anything else here is foreign code.
        while let Some(node) = unsafe { list.front() } {
            // SAFETY: it is the first node of this list.
            unsafe { list.unlink(node) };
            link(node);
        }
    }
}

/// The highest digit in which two times differ, given their exclusive or; 0 if they are equal.
fn level_of(difference: u64) -> usize {
    // The compiler divides by a constant with one multiplication.
    ((difference | 1).ilog2() / BITS) as usize
}
