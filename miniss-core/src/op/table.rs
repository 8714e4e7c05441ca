//! The table of operations in flight: futures reach them by keys, the kernel by ids.
//!
//! Invariants: see [`super`]. No method keeps anything borrowed while foreign code runs (that of an
//! operation, a waker or a buffer). So such code may call any of them again.

use core::any::TypeId;
use core::cell::Cell;
use core::fmt;
use core::ptr;
use core::task::{Context, Poll, Waker};

use super::memory::{Fixed, FixedOps, Heap, Memory};
use super::operation::{
    Completion, GENERATION_BITS, InsertError, OpId, OpKey, Operation, OpsInUse, Part,
};
use super::pool::{NONE, Room};
use super::slot::{Layout, Slot, Stage};
use crate::defer::{defer, to_the_end};
use crate::error::Refused;

/// The operations in flight of one driver. It belongs to one core.
///
/// One from the [`Heap`] grows; one over [`FixedOps`] has a bound, and needs no heap.
///
/// Dropping a table drops no operation: what is in flight or uncollected stays where it is,
/// forever, since the kernel may still write there.
///
/// ```
/// use core::task::{Context, Poll, Waker};
/// use miniss_core::op::{Completion, OpTable, Operation};
///
/// struct Read(Vec<u8>);
/// impl Operation for Read {
///     type Output = (i32, Vec<u8>);
///     fn settle(self, completion: Completion) -> Self::Output {
///         (completion.result, self.0)
///     }
/// }
///
/// let table = OpTable::new();
/// let key = table.insert(Read(vec![0; 4]));
/// let cx = &mut Context::from_waker(Waker::noop());
/// assert!(table.poll(&key, cx).is_pending());
/// table.complete(key.id(), Completion { result: 4, flags: 0 }, false);
/// assert_eq!(table.poll(&key, cx), Poll::Ready((4, vec![0; 4])));
/// ```
pub struct OpTable<M: Memory = Heap> {
    pub(super) room: Room<M>,
    cancels_head: Cell<u32>,
    cancels_tail: Cell<u32>,
    in_flight: Cell<usize>,
    stale: Cell<u64>,
    parts_refused: Cell<u64>,
}

#[cfg(feature = "alloc")]
impl Default for OpTable {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "alloc")]
impl OpTable {
    /// A table without operations; it allocates when it is first used, and as it grows.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// assert_eq!(miniss_core::op::OpTable::new().in_flight(), 0);
    /// ```
    pub const fn new() -> Self {
        Self::over(Room::new(Heap))
    }

    /// Moves `op` into a slot, as [`try_insert`](Self::try_insert) does. On the heap there is
    /// always a free slot. If memory is out, the program ends as it does when a `Vec` cannot grow.
    ///
    /// Needs the `alloc` feature.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    /// # struct Nop;
    /// # impl Operation for Nop {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Nop);
    /// assert_eq!(table.in_flight(), 1);
    /// # table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    pub fn insert<O: Operation>(&self, op: O) -> OpKey<O> {
        let Some((index, slot)) = self.room.take_slot() else { out_of_memory::<Slot>() };
        // SAFETY: *Owned while in flight*: the slot was free, so its payload is.
        if unsafe { Layout::put(slot.payload.get(), op, &self.room.blocks) }.is_err() {
            out_of_memory::<O>()
        }
        self.start::<O>(index, slot)
    }
}

impl OpTable<Fixed> {
    /// A table in `ops`, without operations.
    ///
    /// # Errors
    ///
    /// [`OpsInUse`] if another table is there, or one is gone that left an operation in flight or
    /// uncollected.
    pub fn fixed<const SLOTS: usize, const PARTS: usize>(
        ops: &'static FixedOps<SLOTS, PARTS>,
    ) -> Result<Self, OpsInUse> {
        ops.claim().map(Self::over)
    }

    /// Whether an `O` fits a slot: it has at most 64 bytes and is aligned to at most 16. If not,
    /// [`try_insert`](Self::try_insert) refuses it always.
    ///
    /// ```
    /// use miniss_core::op::OpTable;
    /// use miniss_core::op::{Completion, Operation};
    /// # struct Write([u8; 32]);
    /// # impl Operation for Write {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// const _: () = assert!(OpTable::fits::<Write>(), "this driver's writes need no heap");
    /// ```
    pub const fn fits<O: Operation>() -> bool {
        Layout::<O>::INLINE
    }
}

impl<M: Memory> OpTable<M> {
    const fn over(room: Room<M>) -> Self {
        Self {
            room,
            cancels_head: Cell::new(NONE),
            cancels_tail: Cell::new(NONE),
            in_flight: Cell::new(0),
            stale: Cell::new(0),
            parts_refused: Cell::new(0),
        }
    }

    /// Operations whose terminal completion has not come, orphans included.
    ///
    /// ```
    /// assert_eq!(miniss_core::op::OpTable::new().in_flight(), 0);
    /// ```
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Shows each operation in flight to `look`, in its [own words](Operation::describe): to tell
    /// what hangs.
    ///
    /// # Panics
    ///
    /// If code of such an operation is running, or if an operation cannot describe itself.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    ///
    /// struct Read;
    ///
    /// impl Operation for Read {
    ///     type Output = i32;
    ///     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// }
    ///
    /// let table = OpTable::new();
    /// let key = table.insert(Read);
    /// let mut hung = Vec::new();
    /// table.for_each_in_flight(|operation| hung.push(operation.to_string()));
    /// assert!(hung[0].ends_with("Read"));
    /// # table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    pub fn for_each_in_flight(&self, mut look: impl FnMut(&dyn fmt::Display)) {
        for slot in self.room.slots.iter() {
            if !matches!(slot.stage.get(), Stage::Free | Stage::Done) {
                look(&fmt::from_fn(|f| slot.describe(f)));
            }
        }
    }

    /// Completions that named no operation in flight: counted and ignored.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpId, OpTable};
    /// let table = OpTable::new();
    /// table.complete(OpId::from_bits(9), Completion { result: 0, flags: 0 }, false);
    /// assert_eq!(table.stale(), 1);
    /// ```
    pub fn stale(&self) -> u64 {
        self.stale.get()
    }

    /// Completions of multishot operations that found no room while someone waited for them; see
    /// [`Operation::refuse_part`]. If there are any, make room for more parts, or set tighter
    /// limits by [`Operation::wants_cancel_after`].
    pub fn parts_refused(&self) -> u64 {
        self.parts_refused.get()
    }

    /// Moves `op` into a slot. From now on it is in flight: hand it to the kernel under the id of
    /// the key, or [`complete`](Self::complete) it.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives `op` back: [`InsertError::NoRoom`] if all slots are in use and there is no
    /// memory for more; [`InsertError::TooLarge`] if `op` does not [fit](OpTable::fits) a slot and
    /// the table is [`Fixed`]. A table on the heap makes room for it.
    #[inline]
    pub fn try_insert<O: Operation>(&self, op: O) -> Result<OpKey<O>, Refused<O, InsertError>> {
        if !Layout::<O>::INLINE && !M::BOXES {
            return Err(Refused::new(op, InsertError::TooLarge));
        }
        let Some((index, slot)) = self.room.take_slot() else {
            return Err(Refused::new(op, InsertError::NoRoom));
        };
        // SAFETY: *Owned while in flight*: the slot was free, so its payload is.
        if let Err(op) = unsafe { Layout::put(slot.payload.get(), op, &self.room.blocks) } {
            self.room.slots.put(index, slot);
            return Err(Refused::new(op, InsertError::NoRoom));
        }
        Ok(self.start(index, slot))
    }

    /// The operation in this slot, just moved there, begins.
    #[inline]
    fn start<O: Operation>(&self, index: u32, slot: &Slot) -> OpKey<O> {
        slot.vtable.set(Some(Layout::<O>::VTABLE));
        slot.stage.set(Layout::<O>::BEGINS);
        self.in_flight.set(self.in_flight.get() + 1);
        OpKey::new(OpId::new(index, slot.generation.get()))
    }

    /// The operation where it will stay while it is in flight, so that pointers into it may be
    /// given to the kernel.
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    /// # struct Read([u8; 8]);
    /// # impl Operation for Read {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Read([0; 8]));
    /// let address = table.with_op(&key, |read| read.0.as_mut_ptr());
    /// assert_eq!(table.with_op(&key, |read| read.0.as_mut_ptr()), address);
    /// # table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    ///
    /// # Panics
    ///
    /// If the key is spent or belongs to another table, or if `f` comes back to this operation.
    #[track_caller]
    pub fn with_op<O: Operation, T>(&self, key: &OpKey<O>, f: impl FnOnce(&mut O) -> T) -> T {
        let slot = self.slot_of(key);
        slot.enter(|_| {
            // SAFETY: *A key fits its slot*: it holds an `O` until the key is given back.
            let op = unsafe { Layout::<O>::locate(slot.payload.get()) };
            // SAFETY: as above. *No one else inside*: the vtable was there, and is hidden now.
            f(unsafe { &mut *op })
        })
    }

    /// The output, once the terminal completion is here; the key is spent then. Parts of a
    /// multishot operation that were not collected go to [`Operation::orphan_part`].
    ///
    /// # Panics
    ///
    /// If the key is spent or belongs to another table, or if code of this operation is running.
    ///
    /// # Cancellation
    ///
    /// Not polling again is harmless; give the key to [`orphan`](Self::orphan).
    #[track_caller]
    pub fn poll<O: Operation>(&self, key: &OpKey<O>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let slot = self.slot_of(key);
        if slot.stage.get() == Stage::Done {
            return Poll::Ready(self.collect(key, slot));
        }
        slot.register(cx.waker());
        match slot.stage.get() {
            Stage::Done => self.poll_again(key),
            _ => Poll::Pending,
        }
    }

    /// To clone a waker is foreign code. It may have completed the operation, and may even have
    /// collected it and put another in its place.
    #[cold]
    #[track_caller]
    fn poll_again<O: Operation>(&self, key: &OpKey<O>) -> Poll<O::Output> {
        Poll::Ready(self.collect(key, self.slot_of(key)))
    }

    /// The output of an operation that is done.
    #[inline]
    fn collect<O: Operation>(&self, key: &OpKey<O>, slot: &Slot) -> O::Output {
        if slot.parts.len() > 0 {
            self.drain_parts(slot);
        }
        let completion = slot.completion.get();
        self.remove::<O>(key.id().index(), slot).settle(completion)
    }

    /// The next step of a multishot operation: completions in the order they came, then its end,
    /// with which the key is spent.
    ///
    /// # Panics
    ///
    /// As for [`poll`](Self::poll).
    ///
    /// # Cancellation
    ///
    /// As for [`poll`](Self::poll).
    ///
    /// ```
    /// # use core::task::{Context, Poll, Waker};
    /// use miniss_core::op::{Completion, OpTable, Operation, Part};
    /// # struct Accept;
    /// # impl Operation for Accept {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Accept);
    /// let (part, end) = (Completion { result: 5, flags: 0 }, Completion { result: -4, flags: 0 });
    /// table.complete(key.id(), part, true);
    /// table.complete(key.id(), end, false);
    /// let cx = &mut Context::from_waker(Waker::noop());
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::More(part)));
    /// assert_eq!(table.poll_part(&key, cx), Poll::Ready(Part::End(-4)));
    /// ```
    #[track_caller]
    pub fn poll_part<O: Operation>(
        &self,
        key: &OpKey<O>,
        cx: &mut Context<'_>,
    ) -> Poll<Part<O::Output>> {
        let slot = self.slot_of(key);
        if let Some(completion) = self.room.pop_part(slot) {
            return Poll::Ready(Part::More(completion));
        }
        if slot.stage.get() == Stage::Done {
            return Poll::Ready(Part::End(self.collect(key, slot)));
        }
        slot.register(cx.waker());
        match (slot.parts.len(), slot.stage.get()) {
            (0, Stage::Done) | (1.., _) => self.poll_part_again(key),
            _ => Poll::Pending,
        }
    }

    /// As [`poll_again`](Self::poll_again): a part may have come, too.
    #[cold]
    #[track_caller]
    fn poll_part_again<O: Operation>(&self, key: &OpKey<O>) -> Poll<Part<O::Output>> {
        match self.room.pop_part(self.slot_of(key)) {
            Some(completion) => Poll::Ready(Part::More(completion)),
            None => self.poll_again(key).map(Part::End),
        }
    }

    /// Gives an operation up: no one waits for it any more. If it is in flight, the table asks for
    /// a cancel, and its slot stays in use until its terminal completion comes.
    ///
    /// # Panics
    ///
    /// As for [`complete`](Self::complete).
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    /// # struct Nop;
    /// # impl Operation for Nop {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Nop);
    /// let id = key.id();
    /// table.orphan(key);
    /// assert_eq!(table.next_cancel(), Some(id));
    /// assert_eq!(table.in_flight(), 1);
    /// table.complete(id, Completion { result: -125, flags: 0 }, false);
    /// assert_eq!(table.in_flight(), 0);
    /// ```
    pub fn orphan<O: Operation>(&self, key: OpKey<O>) {
        self.let_go(key, true);
    }

    fn let_go<O: Operation>(&self, key: OpKey<O>, cancels: bool) {
        let Some(slot) = self.find(key.id()) else { return };
        Self::check_type::<O>(slot);
        let waker = slot.waker.take();
        match slot.stage.get() {
            Stage::Done => self.settle_orphan(key.id().index(), slot, slot.completion.get()),
            Stage::InFlight | Stage::Listening | Stage::Overflowed | Stage::OverflowedListening => {
                slot.stage.set(Stage::Orphan);
                if cancels {
                    self.want_cancel(key.id().index(), slot);
                }
                self.drain_parts(slot);
            }
            Stage::Free | Stage::Orphan => unreachable!("a key names an operation with an owner"),
        }
        drop(waker);
    }

    /// No one waits any more, and the operation goes on to its end; then it is released by
    /// [`Operation::settle_orphan`].
    ///
    /// # Panics
    ///
    /// As for [`complete`](Self::complete).
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    /// # struct Nop;
    /// # impl Operation for Nop {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Nop);
    /// let id = key.id();
    /// table.detach(key);
    /// assert_eq!((table.next_cancel(), table.in_flight()), (None, 1));
    /// table.complete(id, Completion { result: 0, flags: 0 }, false);
    /// assert_eq!(table.in_flight(), 0);
    /// ```
    pub fn detach<O: Operation>(&self, key: OpKey<O>) {
        self.let_go(key, false);
    }

    /// Asks for a cancel of an operation whose outcome is still wanted.
    ///
    /// # Panics
    ///
    /// If code of the operation runs just now, which asks by its
    /// [answer](Operation::wants_cancel_after).
    ///
    /// ```
    /// use miniss_core::op::{Completion, OpTable, Operation};
    /// # struct Nop;
    /// # impl Operation for Nop {
    /// #     type Output = i32;
    /// #     fn settle(self, completion: Completion) -> i32 { completion.result }
    /// # }
    /// let table = OpTable::new();
    /// let key = table.insert(Nop);
    /// table.cancel(&key);
    /// assert_eq!(table.next_cancel(), Some(key.id()));
    /// # table.complete(key.id(), Completion { result: 0, flags: 0 }, false);
    /// # table.orphan(key);
    /// ```
    pub fn cancel<O: Operation>(&self, key: &OpKey<O>) {
        if let Some(slot) = self.find(key.id())
            && !matches!(slot.stage.get(), Stage::Done | Stage::Orphan)
        {
            Self::check_type::<O>(slot);
            self.want_cancel(key.id().index(), slot);
        }
    }

    /// The next operation that is to be cancelled. Take one only when the request can be made:
    /// it is not offered again.
    ///
    /// ```
    /// assert_eq!(miniss_core::op::OpTable::new().next_cancel(), None);
    /// ```
    pub fn next_cancel(&self) -> Option<OpId> {
        loop {
            let index = self.cancels_head.get();
            if index == NONE {
                return None;
            }
            let slot = self.room.slots.at(index).expect("listed slots are in the table");
            self.cancels_head.set(slot.next.replace(NONE));
            if self.cancels_head.get() == NONE {
                self.cancels_tail.set(NONE);
            }
            slot.cancel_wanted.set(false);
            match slot.stage.get() {
                // It completed meanwhile, and only the list still held the slot.
                Stage::Free => self.room.slots.put(index, slot),
                Stage::Done => {}
                _ => return Some(OpId::new(index, slot.generation.get())),
            }
        }
    }

    /// Whether an operation is to be cancelled.
    ///
    /// ```
    /// assert!(!miniss_core::op::OpTable::new().wants_cancel());
    /// ```
    #[inline]
    pub fn wants_cancel(&self) -> bool {
        self.cancels_head.get() != NONE
    }

    /// The driver reports a completion; `more` means that others will follow. Wakes the task that
    /// waits for it.
    ///
    /// An id that names nothing in flight is counted as [`stale`](Self::stale) and ignored.
    ///
    /// # Panics
    ///
    /// If code of this operation is running and would have to be called again.
    #[inline(always)]
    pub fn complete(&self, id: OpId, completion: Completion, more: bool) {
        let Some(slot) = self.find(id) else { return self.count_stale() };
        match (slot.stage.get(), more) {
            (Stage::InFlight | Stage::Overflowed, false) => {
                self.end(slot, completion);
                wake(slot.waker.take());
            }
            (Stage::Listening | Stage::OverflowedListening, false) => {
                self.end_and_tell(slot, completion);
            }
            (Stage::InFlight | Stage::Listening, true) => {
                if !self.room.push_part(slot, completion) {
                    return self.refuse_part(id.index(), slot, completion);
                }
                // The task is woken at the end of this arm, also if the operation's own code
                // unwinds.
                let mut waker = slot.waker.take();
                let _woken = defer(|| wake(waker.take()));
                if slot.wants_cancel_after(completion) {
                    self.want_cancel(id.index(), slot);
                }
            }
            (Stage::Overflowed | Stage::OverflowedListening, true) => {
                self.refuse_part(id.index(), slot, completion);
            }
            (Stage::Orphan, false) => {
                slot.assert_no_one_inside();
                self.in_flight.set(self.in_flight.get() - 1);
                self.settle_orphan(id.index(), slot, completion);
            }
            (Stage::Orphan, true) => slot.orphan_part(completion),
            (Stage::Done | Stage::Free, _) => self.count_stale(),
        }
    }

    /// The terminal completion is here, and waits to be collected.
    #[inline(always)]
    fn end(&self, slot: &Slot, completion: Completion) {
        slot.completion.set(completion);
        slot.stage.set(Stage::Done);
        self.in_flight.set(self.in_flight.get() - 1);
    }

    fn end_and_tell(&self, slot: &Slot, completion: Completion) {
        slot.assert_no_one_inside();
        self.end(slot, completion);
        // The task is woken also if the operation's own code unwinds.
        let mut waker = slot.waker.take();
        let _woken = defer(|| wake(waker.take()));
        slot.ended();
    }

    fn count_stale(&self) {
        self.stale.set(self.stale.get() + 1);
    }

    /// There is no room for a part, or there was none for one before it: *No gap*.
    #[cold]
    fn refuse_part(&self, index: u32, slot: &Slot, completion: Completion) {
        slot.assert_no_one_inside();
        self.parts_refused.set(self.parts_refused.get() + 1);
        let overflowed = match slot.stage.get() {
            Stage::Listening | Stage::OverflowedListening => Stage::OverflowedListening,
            _ => Stage::Overflowed,
        };
        if slot.stage.replace(overflowed) != overflowed {
            self.want_cancel(index, slot);
        }
        slot.refuse_part(completion);
    }

    fn want_cancel(&self, index: u32, slot: &Slot) {
        if slot.cancel_wanted.replace(true) {
            return;
        }
        slot.next.set(NONE);
        match self.cancels_tail.replace(index) {
            NONE => self.cancels_head.set(index),
            tail => {
                self.room.slots.at(tail).expect("listed slots are in the table").next.set(index)
            }
        }
    }

    /// Gives the operation the completions that no one collected, each of them even if the
    /// operation's code unwinds at another.
    fn drain_parts(&self, slot: &Slot) {
        to_the_end(|| self.room.pop_part(slot).map(|part| slot.orphan_part(part)).is_some());
    }

    fn settle_orphan(&self, index: u32, slot: &Slot, completion: Completion) {
        slot.assert_no_one_inside();
        // A completion that the destructor itself reports is a stale one.
        slot.stage.set(Stage::Done);
        // Then the payload goes and, last of all, the slot is released; even if something unwinds.
        let _release = defer(|| self.release(index, slot));
        // SAFETY: *Owned while in flight*: this is the terminal completion, and no one has a key.
        let _settle = defer(|| unsafe { slot.settle_orphan(completion, &self.room.blocks) });
        self.drain_parts(slot);
    }

    /// Takes the payload out and releases the slot.
    fn remove<O: Operation>(&self, index: u32, slot: &Slot) -> O {
        slot.assert_no_one_inside();
        // SAFETY: *Owned while in flight*: the terminal completion has come; the caller checked
        // that the key fits. *No one else inside*: just asserted.
        let op = unsafe { Layout::<O>::take(slot.payload.get(), &self.room.blocks) };
        self.release(index, slot);
        op
    }

    fn release(&self, index: u32, slot: &Slot) {
        debug_assert_eq!(slot.parts.len(), 0, "the next operation must not see them");
        slot.stage.set(Stage::Free);
        slot.vtable.set(None);
        slot.generation.set((slot.generation.get() + 1) & ((1 << GENERATION_BITS) - 1));
        // While the cancel list holds the slot, its link is in use: the list frees it.
        if !slot.cancel_wanted.get() {
            self.room.slots.put(index, slot);
        }
    }

    /// The slot of an operation that is in the table now.
    #[inline]
    fn find(&self, id: OpId) -> Option<&Slot> {
        self.room.slots.at(id.index()).filter(|slot| {
            slot.generation.get() == id.generation() && slot.stage.get() != Stage::Free
        })
    }

    /// The slot of a key, its type checked.
    #[inline]
    #[track_caller]
    fn slot_of<O: Operation>(&self, key: &OpKey<O>) -> &Slot {
        let slot = self.find(key.id()).expect("the key is spent or of another table");
        Self::check_type::<O>(slot);
        slot
    }

    /// The keys of two tables may name the same slot: then the types may tell them apart.
    #[inline]
    #[track_caller]
    fn check_type<O: Operation>(slot: &Slot) {
        let vtable = slot.vtable();
        let same = ptr::eq(vtable, Layout::<O>::VTABLE) || (vtable.type_id)() == TypeId::of::<O>();
        assert!(same, "the key is of another table");
    }

    /// How many slots there are: those in use, and free ones that were in use before.
    #[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
    pub(super) fn slot_count(&self) -> u32 {
        self.room.slots.count()
    }

    /// How many nodes for parts there are, in use or used before.
    #[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
    pub(super) fn part_count(&self) -> u32 {
        self.room.parts.count()
    }
}

impl<M: Memory> fmt::Debug for OpTable<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpTable")
            .field("in_flight", &self.in_flight)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Ends the program: there is no memory for a `T`.
#[cfg(feature = "alloc")]
#[cold]
fn out_of_memory<T>() -> ! {
    alloc::alloc::handle_alloc_error(core::alloc::Layout::new::<T>())
}
