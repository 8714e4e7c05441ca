//! All slots and parts of a table: elements by index, with a list of the free ones.
//!
//! They lie in chunks, each twice as large as the one before, which never move. Arithmetic alone
//! finds the place of an index. A table that grows adds a chunk from the heap, so nothing is ever
//! copied. One piece of fixed memory is treated as the same chunks side by side, the last one cut
//! short; to find an index there is no difference.
//!
//! # Invariants
//!
//! - **Chunks stay.** Elements below the count are initialised, lie in the chunk that their index
//!   says, and stay there until no one can look them up any more. Beyond the count there is memory
//!   up to the capacity, which is not touched before it is needed.

#[cfg(feature = "alloc")]
use alloc::alloc::{Layout, alloc, dealloc};
use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::blocks::Blocks;
use super::memory::sealed::Source;
use super::operation::Completion;
use super::slot::{Node, Slot, Stage};

/// The slots, parts and blocks of one table.
pub struct Room<M: Source> {
    pub(super) slots: Pool<Slot>,
    pub(super) parts: Pool<Node>,
    pub(super) blocks: Blocks,
    pub(super) memory: M,
}

impl<M: Source> Room<M> {
    /// Room in `memory`, of which nothing has been taken yet.
    pub(super) const fn new(memory: M) -> Self {
        Self { slots: Pool::new(), parts: Pool::new(), blocks: Blocks::new(), memory }
    }

    #[inline]
    pub(super) fn take_slot(&self) -> Option<(u32, &Slot)> {
        match self.slots.take() {
            None => take_new::<M, _>(&self.slots),
            taken => taken,
        }
    }

    /// Keeps a part until it is collected; `false` if there is no room.
    #[inline]
    #[must_use]
    pub(super) fn push_part(&self, slot: &Slot, part: Completion) -> bool {
        let node = match self.parts.take() {
            None => take_new::<M, _>(&self.parts),
            taken => taken,
        };
        let Some(node) = node else { return false };
        slot.parts.push(&self.parts, node, part);
        true
    }

    #[inline]
    pub(super) fn pop_part(&self, slot: &Slot) -> Option<Completion> {
        slot.parts.pop(&self.parts)
    }
}

#[cold]
#[inline(never)]
fn take_new<M: Source, T: Element>(pool: &Pool<T>) -> Option<(u32, &T)> {
    let new = pool.take_new();
    if new.is_none() && M::grow(pool) { pool.take_new() } else { new }
}

impl<M: Source> Drop for Room<M> {
    /// Gives the slots back, unless an operation is in flight or uncollected: then the kernel may
    /// still write there, or its payload is there.
    fn drop(&mut self) {
        let idle = self.slots.iter().all(|slot| slot.stage.get() == Stage::Free);
        // SAFETY: the room is gone after this. *Owned while in flight*: in a free slot there is no
        // operation.
        unsafe { M::give_back(self, idle) };
    }
}

/// The end of a list of elements, and the index of none of them.
pub(super) const NONE: u32 = u32::MAX;

/// What a pool can hold.
pub trait Element {
    /// A new one, which is free.
    fn free() -> Self;

    /// Its link, which the pool uses while it is free.
    fn next(&self) -> &Cell<u32>;
}

/// Elements by index, and a list of the free ones.
pub struct Pool<T> {
    elements: Chunks<T>,
    free: Cell<u32>,
}

impl<T: Element> Pool<T> {
    pub(super) const fn new() -> Self {
        Self { elements: Chunks::new(), free: Cell::new(NONE) }
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&T> {
        self.elements.at(index)
    }

    /// How many elements there are, in use or used before.
    #[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
    pub(super) fn count(&self) -> u32 {
        self.elements.count()
    }

    /// All elements, in use or used before.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.elements.count()).filter_map(|index| self.at(index))
    }

    /// Takes a free element.
    #[inline]
    pub(super) fn take(&self) -> Option<(u32, &T)> {
        let index = self.free.get();
        // There is none at `NONE`.
        let element = self.at(index)?;
        self.free.set(element.next().replace(NONE));
        Some((index, element))
    }

    /// Puts back an element that no one uses.
    #[inline]
    pub(super) fn put(&self, index: u32, element: &T) {
        element.next().set(self.free.replace(index));
    }

    /// Adds the elements of one piece of memory, all of which are free.
    ///
    /// # Safety
    /// As for [`Chunks::adopt`].
    pub(super) unsafe fn adopt(&self, first: NonNull<T>, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.elements.adopt(first, count) };
        // Backwards: the first is the first to be taken.
        for index in (0..self.elements.count()).rev() {
            self.put(index, self.at(index).expect("below the count"));
        }
    }

    /// Takes an element that was never used before, from memory that is there.
    pub(super) fn take_new(&self) -> Option<(u32, &T)> {
        self.elements.push(T::free())
    }

    /// Adds memory from the heap; `false` if it is out.
    #[cfg(feature = "alloc")]
    pub(super) fn grow(&self) -> bool {
        self.elements.grow()
    }

    /// Gives the elements back to the heap.
    ///
    /// # Safety
    /// As for [`Chunks::free`].
    #[cfg(feature = "alloc")]
    pub(super) unsafe fn free(&self) {
        self.free.set(NONE);
        // SAFETY: the caller's promise.
        unsafe { self.elements.free() };
    }
}

/// Elements in the first chunk; each further chunk is twice the one before.
const FIRST_CHUNK: usize = 32;
/// 27 chunks are nearly 2^32 elements.
const CHUNKS_MAX: usize = 27;
/// As many elements as the chunks have together.
pub(super) const COUNT_MAX: u64 = (FIRST_CHUNK as u64) * ((1 << CHUNKS_MAX) - 1);

/// Elements by index. Counted from [`FIRST_CHUNK`] on, those of a chunk have numbers with the same
/// logarithm.
pub(super) struct Chunks<T> {
    /// Where number 0 would lie for each chunk, if it began there; those beyond the count are null.
    origins: [Cell<*mut T>; CHUNKS_MAX],
    /// Where each chunk from the heap begins: an origin lies outside of its chunk, and a tool that
    /// looks for leaks would not find the chunk by it.
    #[cfg(feature = "alloc")]
    firsts: [Cell<*mut T>; CHUNKS_MAX],
    count: Cell<u32>,
    capacity: Cell<u32>,
}

impl<T> Chunks<T> {
    pub(super) const fn new() -> Self {
        Self {
            origins: [const { Cell::new(ptr::null_mut()) }; CHUNKS_MAX],
            #[cfg(feature = "alloc")]
            firsts: [const { Cell::new(ptr::null_mut()) }; CHUNKS_MAX],
            count: Cell::new(0),
            capacity: Cell::new(0),
        }
    }

    /// How many elements there are.
    pub(super) fn count(&self) -> u32 {
        self.count.get()
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&T> {
        if index >= self.count.get() {
            return None;
        }
        // SAFETY: *Chunks stay*: it is below the count, so below the capacity, and initialised.
        Some(unsafe { self.locate(index).as_ref() })
    }

    /// Where an element lies, or will.
    ///
    /// # Safety
    /// The index is below the capacity.
    #[inline]
    unsafe fn locate(&self, index: u32) -> NonNull<T> {
        let (chunk, number) = place_of(index);
        debug_assert!(chunk < CHUNKS_MAX);
        // SAFETY: *Chunks stay*: by the caller's promise it is in one of the chunks.
        let origin = unsafe { self.origins.get_unchecked(chunk) }.get();
        // SAFETY: as above.
        unsafe { NonNull::new_unchecked(origin.wrapping_add(number)) }
    }

    /// Sets the first element of a chunk.
    fn set_chunk(&self, chunk: usize, first: NonNull<T>) {
        self.origins[chunk].set(first.as_ptr().wrapping_sub(FIRST_CHUNK << chunk));
    }

    /// Puts an element behind the last one; `None` if there is no memory left for it.
    pub(super) fn push(&self, element: T) -> Option<(u32, &T)> {
        let index = self.count.get();
        if index == self.capacity.get() {
            return None;
        }
        // SAFETY: below the capacity.
        let place = unsafe { self.locate(index) };
        // SAFETY: *Chunks stay*: memory of ours in which there is no element yet.
        unsafe { place.write(element) };
        self.count.set(index + 1);
        // SAFETY: written by the line before the last.
        Some((index, unsafe { place.as_ref() }))
    }

    /// Adds the elements of one piece of memory.
    ///
    /// # Safety
    /// There are no elements yet. `first` is the first of `count` elements side by side, and may be
    /// used for all of them; *Chunks stay*.
    pub(super) unsafe fn adopt(&self, first: NonNull<T>, count: usize) {
        for chunk in (0..CHUNKS_MAX).take_while(|&chunk| first_of(chunk) < count) {
            // SAFETY: one of the elements, by the caller's promise.
            self.set_chunk(chunk, unsafe { first.add(first_of(chunk)) });
        }
        self.capacity.set(count as u32);
        self.count.set(count as u32);
    }
}

#[cfg(feature = "alloc")]
impl<T> Chunks<T> {
    /// Adds a chunk from the heap, untouched; `false` if memory is out.
    pub(super) fn grow(&self) -> bool {
        let capacity = self.capacity.get();
        let (chunk, _) = place_of(capacity);
        let len = FIRST_CHUNK << chunk;
        let Ok(end) = u32::try_from(capacity as usize + len) else { return false };
        if chunk >= CHUNKS_MAX {
            return false;
        }
        let Ok(layout) = Layout::array::<T>(len) else { return false };
        // SAFETY: neither elements nor chunks are empty.
        let Some(first) = NonNull::new(unsafe { alloc(layout) }) else { return false };
        self.set_chunk(chunk, first.cast());
        self.firsts[chunk].set(first.as_ptr().cast());
        self.capacity.set(end);
        true
    }

    /// Gives all chunks back to the heap.
    ///
    /// # Safety
    /// All of them came from [`grow`](Self::grow), and no element is in use.
    pub(super) unsafe fn free(&self) {
        let count = self.count.replace(0);
        for index in 0..count {
            // SAFETY: *Chunks stay*: it was below the count, and no one can look it up any more.
            unsafe { self.locate(index).drop_in_place() };
        }
        let capacity = self.capacity.replace(0) as usize;
        for chunk in (0..CHUNKS_MAX).take_while(|&chunk| first_of(chunk) < capacity) {
            let len = FIRST_CHUNK << chunk;
            let layout = Layout::array::<T>(len).expect("as it was allocated");
            let first = self.firsts[chunk].replace(ptr::null_mut());
            // SAFETY: `grow` allocated it with this layout, and nothing is there any more.
            unsafe { dealloc(first.cast(), layout) };
        }
    }
}

/// Chunk and number of an element.
#[inline]
fn place_of(index: u32) -> (usize, usize) {
    let number = index as usize + FIRST_CHUNK;
    ((number.ilog2() - FIRST_CHUNK.ilog2()) as usize, number)
}

/// How many elements lie before a chunk.
fn first_of(chunk: usize) -> usize {
    (FIRST_CHUNK << chunk) - FIRST_CHUNK
}
