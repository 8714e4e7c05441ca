//! The pool that a shard takes aligned buffers from.
//!
//! It makes chunks when they are wanted, and keeps a few that no buffer is cut from. A ring is told
//! of them, as far as the user's allowance of locked memory goes: then the kernel need not find the
//! memory of a read or a write each time.
//!
//! Invariant **Chunk stays**: a chunk is in the pool as long as the ring is told of it.

use std::cell::RefCell;
use std::sync::Arc;

use super::backend::AnyBackend;
use super::start::ShardDriver;
use crate::buf::{AlignedBuf, BLOCK_BYTES, CHUNK_BYTES, Chunk};
use crate::runtime::try_with_current;

/// 8 MiB: as much as a user may lock by default.
pub(super) const CHUNKS_MAX: usize = 32;
/// 1 MiB.
const EMPTY_CHUNKS_MAX: usize = 4;

/// The chunks of a shard, each at its place in the kernel's table.
#[derive(Default)]
pub(super) struct AlignedPool(RefCell<[Option<Arc<Chunk>>; CHUNKS_MAX]>);

impl ShardDriver {
    /// A buffer of the pool, or from the allocator where that has none such; it begins a block.
    /// It has bytes of those who had its memory before.
    pub(crate) fn aligned_buffer(&self, len: usize, align: usize) -> AlignedBuf {
        let fits = (1..=CHUNK_BYTES).contains(&len) && align <= BLOCK_BYTES;
        let pooled = (fits && !self.closing.get()).then(|| self.take_aligned(len)).flatten();
        pooled.unwrap_or_else(|| AlignedBuf::new(len, align.max(BLOCK_BYTES)))
    }

    fn take_aligned(&self, len: usize) -> Option<AlignedBuf> {
        let mut chunks = self.aligned.0.borrow_mut();
        if let Some(buffer) = chunks.iter().flatten().find_map(|chunk| chunk.take(len)) {
            return Some(buffer);
        }
        let place = chunks.iter().position(Option::is_none)?;
        let chunk = chunks[place].insert(Chunk::for_pool(drop_empty_chunks));
        self.register_chunk(place, Some(chunk));
        chunk.take(len)
    }

    /// Gives back chunks that no buffer is cut from, but for a few.
    fn drop_empty_chunks(&self) {
        let mut chunks = self.aligned.0.borrow_mut();
        let mut empty = 0;
        for (place, chunk) in chunks.iter_mut().enumerate() {
            if chunk.as_ref().is_none_or(|chunk| !chunk.is_empty()) {
                continue;
            }
            empty += 1;
            if empty > EMPTY_CHUNKS_MAX {
                self.register_chunk(place, None);
                *chunk = None;
            }
        }
    }

    /// Tells a ring what is at a place of its table from now on, if it may have so many.
    fn register_chunk(&self, place: usize, chunk: Option<&Arc<Chunk>>) {
        if let AnyBackend::Uring(uring) = &self.backend
            && place < self.config.registered_chunks_max
        {
            // SAFETY: *Chunk stays*, until the ring hears of its end or is closed.
            unsafe { uring.register_chunk(place, chunk.map(|chunk| chunk.start)) };
        }
    }

    /// The driver is closed: a chunk goes with the last buffer that is cut from it.
    pub(super) fn drop_aligned_pool(&self) {
        self.aligned.0.take();
    }
}

fn drop_empty_chunks() {
    try_with_current(|shard| shard.driver.drop_empty_chunks());
}
