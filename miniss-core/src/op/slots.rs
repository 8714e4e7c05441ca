//! The memory of the slots: chunks that double in size, never move, and are never given back before
//! the table is.
//!
//! `user future ─▶ executor ─▶ reactor ─▶ [op] ─▶ kernel`

use alloc::boxed::Box;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::slot::{NONE, Slot, Stage};

/// Slots in the first chunk; each further chunk is twice the one before.
const FIRST_CHUNK: usize = 32;
/// 27 chunks are 2^32 slots.
const CHUNKS_MAX: usize = 27;

/// All slots of a table, and a list of the free ones.
pub(super) struct Slots {
    chunks: [Cell<Option<NonNull<Slot>>>; CHUNKS_MAX],
    capacity: Cell<u32>,
    free: Cell<u32>,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Self {
            chunks: [const { Cell::new(None) }; CHUNKS_MAX],
            capacity: Cell::new(0),
            free: Cell::new(NONE),
        }
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> Option<&Slot> {
        if index >= self.capacity.get() {
            return None;
        }
        let (chunk, offset) = place_of(index);
        let chunk = self.chunks[chunk].get()?;
        // SAFETY: below the capacity, so inside a chunk, and chunks live as long as we do.
        Some(unsafe { chunk.add(offset).as_ref() })
    }

    /// Takes a slot from the free list.
    #[inline]
    pub(super) fn take_free(&self) -> (u32, &Slot) {
        if self.free.get() == NONE {
            self.grow();
        }
        let index = self.free.get();
        let slot = self.at(index).expect("a free slot is there");
        self.free.set(slot.next.replace(NONE));
        (index, slot)
    }

    /// Puts a slot on the free list.
    #[inline]
    pub(super) fn put_free(&self, index: u32, slot: &Slot) {
        slot.next.set(self.free.replace(index));
    }

    /// How many slots there are, in use or not.
    #[cfg(all(test, not(loom)))]
    pub(super) fn count(&self) -> u32 {
        self.capacity.get()
    }

    #[cold]
    fn grow(&self) {
        let first = self.capacity.get();
        let (chunk, _) = place_of(first);
        let slots = FIRST_CHUNK << chunk;
        let memory: Box<[Slot]> = (0..slots).map(|_| Slot::free()).collect();
        let memory = NonNull::from(Box::leak(memory)).cast::<Slot>();
        self.chunks[chunk].set(Some(memory));
        self.capacity.set(first + slots as u32);
        for index in (first..self.capacity.get()).rev() {
            self.put_free(index, self.at(index).expect("just added"));
        }
    }
}

impl Drop for Slots {
    /// Frees the slots, unless an operation is in flight or uncollected: then they are leaked,
    /// since the kernel may still write there.
    fn drop(&mut self) {
        let (mut first, capacity) = (0, self.capacity.get());
        let mut slots = (0..capacity).filter_map(|index| self.at(index));
        if slots.any(|slot| slot.stage.get() != Stage::Free) {
            return;
        }
        while first < capacity {
            let (chunk, _) = place_of(first);
            let slots = FIRST_CHUNK << chunk;
            let memory = self.chunks[chunk].get().expect("below the capacity");
            let memory = ptr::slice_from_raw_parts_mut(memory.as_ptr(), slots);
            // SAFETY: `grow` leaked this very box, and all its slots are free.
            drop(unsafe { Box::from_raw(memory) });
            first += slots as u32;
        }
    }
}

/// Chunk and offset of a slot: chunk `k` begins at `FIRST_CHUNK * (2^k - 1)`.
#[inline]
fn place_of(index: u32) -> (usize, usize) {
    let shifted = index as usize + FIRST_CHUNK;
    let chunk = (shifted.ilog2() - FIRST_CHUNK.ilog2()) as usize;
    (chunk, shifted - (FIRST_CHUNK << chunk))
}
