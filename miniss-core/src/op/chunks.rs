//! Memory of slots and parts: chunks that double in size and never move.
//!
//! `user future ─▶ executor ─▶ reactor ─▶ [op] ─▶ kernel`
//!
//! An index is found by arithmetic alone. A table that grows adds a chunk from the heap, so that
//! nothing is ever copied. One piece of fixed memory is the same chunks lying side by side, the
//! last one cut short: to whoever looks up an index, there is no difference.
//!
//! # Invariants
//!
//! - **Chunks stay.** Elements below the count are initialised, lie in the chunk that their index
//!   says, and stay there until nobody can look them up any more.

use core::cell::Cell;
use core::ptr::NonNull;

/// Elements in the first chunk; each further chunk is twice the one before.
const FIRST_CHUNK: usize = 32;
/// 27 chunks are nearly 2^32 elements.
const CHUNKS_MAX: usize = 27;
/// As many elements as the chunks have together.
pub(super) const COUNT_MAX: u64 = (FIRST_CHUNK as u64) * ((1 << CHUNKS_MAX) - 1);

/// Elements by index.
pub(super) struct Chunks<T> {
    /// The first element of each; those beyond the count point nowhere.
    chunks: [Cell<NonNull<T>>; CHUNKS_MAX],
    count: Cell<u32>,
}

impl<T> Chunks<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: [const { Cell::new(NonNull::dangling()) }; CHUNKS_MAX], count: Cell::new(0) }
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
        let (chunk, offset) = place_of(index);
        debug_assert!(chunk < CHUNKS_MAX);
        // SAFETY: *Chunks stay*: the index is below the count, so it is in one of the chunks.
        let chunk = unsafe { self.chunks.get_unchecked(chunk) }.get();
        // SAFETY: as above.
        Some(unsafe { chunk.add(offset).as_ref() })
    }

    /// Takes in the elements of one piece of memory.
    ///
    /// # Safety
    /// There are no elements yet. `first` is the first of `count` elements side by side, and may be
    /// used for all of them; *Chunks stay*.
    pub(super) unsafe fn adopt(&self, first: NonNull<T>, count: usize) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let before = first_of(number);
            if before >= count {
                break;
            }
            // SAFETY: one of the elements, by the caller's promise.
            chunk.set(unsafe { first.add(before) });
        }
        self.count.set(count as u32);
    }
}

#[cfg(feature = "alloc")]
impl<T> Chunks<T> {
    /// Adds a chunk from the heap; `false` if memory is out.
    pub(super) fn grow(&self, make: fn() -> T) -> bool {
        let count = self.count.get() as usize;
        let (chunk, _) = place_of(self.count.get());
        let len = FIRST_CHUNK << chunk;
        let (Some(place), Ok(end)) = (self.chunks.get(chunk), u32::try_from(count + len)) else {
            return false;
        };
        let mut elements = alloc::vec::Vec::new();
        if elements.try_reserve_exact(len).is_err() {
            return false;
        }
        elements.extend((0..len).map(|_| make()));
        let elements = alloc::boxed::Box::leak(elements.into_boxed_slice());
        place.set(NonNull::from(elements).cast());
        self.count.set(end);
        true
    }

    /// Gives all chunks back to the heap.
    ///
    /// # Safety
    /// All of them came from [`grow`](Self::grow), and no element is in use.
    pub(super) unsafe fn free(&self) {
        let count = self.count.replace(0) as usize;
        for (number, chunk) in self.chunks.iter().enumerate() {
            if first_of(number) >= count {
                break;
            }
            let chunk = NonNull::slice_from_raw_parts(chunk.get(), FIRST_CHUNK << number);
            // SAFETY: `grow` leaked this very box, and nobody can look it up any more.
            drop(unsafe { alloc::boxed::Box::from_raw(chunk.as_ptr()) });
        }
    }
}

/// Chunk and offset of an element.
#[inline]
fn place_of(index: u32) -> (usize, usize) {
    let shifted = index as usize + FIRST_CHUNK;
    let chunk = (shifted.ilog2() - FIRST_CHUNK.ilog2()) as usize;
    (chunk, shifted - (FIRST_CHUNK << chunk))
}

/// How many elements lie before a chunk.
fn first_of(chunk: usize) -> usize {
    (FIRST_CHUNK << chunk) - FIRST_CHUNK
}
