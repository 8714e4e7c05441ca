//! All armed timers of one executor, in the order in which they will fire.
//!
//! # How it works
//!
//! Write a time in nanoseconds as eleven digits of six bits. A timer lives on the *level* of the
//! highest digit in which its deadline differs from the wheel's time, in the *slot* of that
//! digit's value. So a slot on level 0 is one nanosecond, and a slot on level 5 is about a second.
//! One bitmap a level tells which slots are in use, one more which levels are. To arm is to count
//! leading zeros and append to a list; to cancel is to unlink. Neither loops nor divides.
//!
//! Time only goes forward, so all that is on a level lies before all that is on the next one, and
//! the first slot in use is found with two counts of trailing zeros, however far away it is.
//! When time reaches that slot, its nodes are filed again, now from nearer, hence on a lower
//! level: at most ten times in a node's life, and a node that is cancelled early pays none of it.
//!
//! A wheel usually ticks once a microsecond or a millisecond, and then must look at exact
//! deadlines in the tick it is in, and sort them. Two more levels of 512 bytes take this down to
//! the nanosecond, where all nodes of a slot on level 0 have the same deadline. Exactness is then
//! not a case of its own, and timers fire in order of deadline, however coarse the turns are.
//!
//! # Invariants
//!
//! **Filing Invariant.** Each linked node is in the ring that `when` and `now` determine, and
//! `when >= now`; except those that wait in the ring `EXPIRED`. When time goes on to `later` this
//! stays true, provided that no slot in use starts at `later` or before: the node's digit at its
//! level is then above that of `later`, and all digits above that are equal.
//! It follows that nodes of equal deadline are always in the same ring; and there they are in the
//! order of arming: rings only grow at the back, and when a slot is filed again, front to back,
//! every lower level is empty, for it was the first slot in use.
//!
//! **Link Invariant.** Each linked node is pinned, is in the one ring that its `place` names, and
//! has this wheel noted. Its `Drop` takes it out.
//!
//! **Foreign Code Invariant.** The wake, clone or drop of a waker may do anything: arm, cancel or
//! drop any timer, advance this wheel, or panic. So it runs only while the wheel is whole, and no
//! reference to a node is used after it. A waker that panics leaves those behind it in `EXPIRED`,
//! and the next [`Wheel::advance`] wakes them.

use core::cell::Cell;
use core::pin::Pin;

use super::list::{Ring, TimerNode};
use crate::time::Instant;

/// Bits in a digit: a level has as many slots as a word has bits.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// Digits in a time.
pub(super) const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// The ring of those that are due and about to be woken; it follows the slots' rings.
const EXPIRED: usize = LEVELS * SLOTS;
/// How many nodes [`Wheel::next_deadline`] looks at, at most.
pub(super) const SCAN_MAX: usize = 16;
/// How many nodes are looked at before they are filed again, at most: as many as the cache still
/// has when their turn comes.
const REFILE_SCAN_MAX: usize = 1024;

/// The armed timers of one executor.
///
/// Opaque: a port that implements [`Timers`](super::Timers) passes it on, and that is all.
///
/// See [`Timers`](super::Timers) for an example.
pub struct Wheel {
    /// The time of the last advance, in nanoseconds.
    now: Cell<u64>,
    /// Linked nodes, those in `EXPIRED` included.
    len: Cell<usize>,
    /// Bit `l`: level `l` has a slot in use.
    levels: Cell<u16>,
    /// Bit `s` of word `l`: slot `s` of level `l` is in use.
    slots: [Cell<u64>; LEVELS],
    rings: [Ring; EXPIRED + 1],
}

/// The first slot in use.
struct Slot {
    level: usize,
    place: usize,
    /// The earliest time that belongs to it.
    start: u64,
}

impl Wheel {
    /// An empty wheel at the clock's origin.
    pub(crate) const fn new() -> Self {
        Self {
            now: Cell::new(0),
            len: Cell::new(0),
            levels: Cell::new(0),
            slots: [const { Cell::new(0) }; LEVELS],
            rings: [const { Ring::new() }; EXPIRED + 1],
        }
    }

    /// The time of the last [`advance`](Self::advance).
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(self.now.get())
    }

    /// How many timers are armed, those that are due but not yet woken included.
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether no timer is armed.
    pub(crate) fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// Arms `node` to fire at the first [`advance`](Self::advance) to `deadline` or later. A node
    /// that is armed already is moved, behind others of the same deadline. [`Instant::MAX`] is
    /// never: such a node stays idle. A past deadline counts as the wheel's present time, so it
    /// fires at the next advance.
    pub(crate) fn arm(&'static self, node: Pin<&TimerNode>, deadline: Instant) {
        let node = node.get_ref();
        node.cancel();
        if deadline == Instant::MAX {
            return;
        }
        node.when.set(deadline.as_nanos().max(self.now.get()));
        node.set_wheel(self);
        self.len.set(self.len.get() + 1);
        // SAFETY: pinned by its type; `cancel` has unlinked it; Link Invariant: its `Drop` will.
        unsafe { self.file(node) };
    }

    /// Takes `node` out of ring `place`. Its state is the caller's to set.
    pub(super) fn remove(&self, node: &TimerNode, place: usize) {
        self.len.set(self.len.get() - 1);
        // SAFETY: Link Invariant: a node is in the ring that its `place` names.
        unsafe { self.rings[place].unlink(node) };
        if self.rings[place].is_empty() && place != EXPIRED {
            self.vacate(place);
        }
    }

    /// Moves time to `now`, or leaves it where it is if that is earlier, and wakes, in order of
    /// deadline and then of arming, all that are due. Returns how many fired.
    ///
    /// A timer that a waker arms meanwhile fires at the next advance at the earliest.
    ///
    /// # Panics
    ///
    /// If a waker does. The wheel is whole, and the next advance wakes the others that are due.
    pub(crate) fn advance(&self, now: Instant) -> usize {
        self.collect(now.as_nanos().max(self.now.get()));
        let mut fired = 0;
        while self.fire_next() {
            fired += 1;
        }
        fired
    }

    /// When to advance next: exact if level 0 or a slot of at most 16 timers comes first, as a lone
    /// timer always does; otherwise never later than the earliest deadline, and once that time has
    /// been advanced to, a better answer follows. `None` if nothing is armed.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if !self.rings[EXPIRED].is_empty() {
            return Some(self.now());
        }
        let slot = self.first_slot()?;
        let exact = if slot.level == 0 { None } else { self.rings[slot.place].earliest(SCAN_MAX) };
        Some(Instant::from_nanos(exact.unwrap_or(slot.start)))
    }

    /// Takes all timers out and wakes their tasks, so that whoever still waits is polled and learns
    /// that the executor has gone. The wheel is empty afterwards, also if a waker panics: then
    /// those behind it are not woken. What a waker arms meanwhile is taken out unwoken.
    pub(crate) fn clear(&self) {
        let _rest = TakeOut(self);
        for _ in 0..self.len() {
            // SAFETY: last used before the wake.
            let Some(node) = (unsafe { self.front() }) else { break };
            node.cancel();
            if let Some(waker) = node.take_waker() {
                waker.wake();
            }
        }
    }

    /// Links `node` where the Filing Invariant wants it.
    ///
    /// # Safety
    ///
    /// `node` is pinned, is in no ring, and is removed before it dies; `when >= now`.
    unsafe fn file(&self, node: &TimerNode) {
        let when = node.when.get();
        let level = level_of(when ^ self.now.get());
        let slot = (when >> (level as u32 * BITS)) as usize % SLOTS;
        let place = level * SLOTS + slot;
        self.levels.set(self.levels.get() | 1 << level);
        self.slots[level].set(self.slots[level].get() | 1 << slot);
        node.set_place(place);
        // SAFETY: passed on to the caller.
        unsafe { self.rings[place].push_back(node) };
    }

    /// Notes that the slot with ring `place` has become empty.
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
        // Two shifts, for on the top level one would be by more bits than a word has.
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
            // SAFETY: Link Invariant: it is pinned and will be removed; `drain` has unlinked it.
            unsafe { self.rings[EXPIRED].push_back(node) };
        });
    }

    /// Moves time into the first slot, as far as its earliest node or `now`, and files its nodes
    /// from there: all of them land on lower levels. Of many nodes the earliest is not looked for,
    /// since the look would bring in each of them once more; they are filed from the slot's start.
    fn refile(&self, slot: &Slot, now: u64) {
        let earliest = self.rings[slot.place].earliest(REFILE_SCAN_MAX).unwrap_or(slot.start);
        self.now.set(earliest.min(now));
        // SAFETY: Link Invariant as in `expire`; none of them is before the time just set.
        self.drain(slot.place, |node| unsafe { self.file(node) });
    }

    /// Unlinks all nodes of the slot with ring `place`, front to back, and hands each to `link`,
    /// which runs no foreign code.
    fn drain(&self, place: usize, link: impl Fn(&TimerNode)) {
        let ring = &self.rings[place];
        self.vacate(place);
        // SAFETY: neither `link` nor anything else here is foreign code.
        while let Some(node) = unsafe { ring.front() } {
            // SAFETY: it is this ring's first node.
            unsafe { ring.unlink(node) };
            link(node);
        }
    }

    /// Wakes the first of those that are due; `false` if there is none.
    fn fire_next(&self) -> bool {
        // SAFETY: last used before the wake.
        let Some(node) = (unsafe { self.rings[EXPIRED].front() }) else {
            return false;
        };
        self.remove(node, EXPIRED);
        node.set_fired();
        if let Some(waker) = node.take_waker() {
            waker.wake();
        }
        true
    }

    /// The node that would fire first, or at least one of the slot that would.
    ///
    /// # Safety
    ///
    /// As for [`Ring::front`].
    unsafe fn front<'a>(&self) -> Option<&'a TimerNode> {
        let due = !self.rings[EXPIRED].is_empty();
        let place = if due { EXPIRED } else { self.first_slot()?.place };
        // SAFETY: passed on to the caller.
        unsafe { self.rings[place].front() }
    }
}

/// The highest digit in which two times differ, given their exclusive or; 0 if they are equal.
fn level_of(difference: u64) -> usize {
    // The compiler divides by a constant with one multiplication.
    ((difference | 1).ilog2() / BITS) as usize
}

/// Empties the wheel when it is dropped, without waking anyone.
struct TakeOut<'a>(&'a Wheel);

impl Drop for TakeOut<'_> {
    fn drop(&mut self) {
        // SAFETY: to cancel a node runs no foreign code, for its waker stays where it is.
        while let Some(node) = unsafe { self.0.front() } {
            node.cancel();
        }
    }
}
