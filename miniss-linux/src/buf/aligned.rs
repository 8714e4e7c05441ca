//! A buffer whose memory begins where a device wants it to.
//!
//! It is cut from a [`Chunk`], in blocks. The pool of a shard has such chunks; a buffer that no
//! pool is asked for, or has room for, has a chunk of its own.
//!
//! Invariant **Own blocks**: a buffer has the blocks of its chunk that it lies in to itself, until
//! it is dropped; they were initialised with the chunk. One thread takes blocks of a chunk; any
//! gives them back.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::io_buf::as_uninit;
use super::{IoBuf, IoBufMut};

/// A block fits all devices that there are, and a chunk has as many as a word has bits.
pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const CHUNK_BYTES: usize = 64 * BLOCK_BYTES;

/// Bytes whose address is a multiple of some power of two: what
/// [`DirectFile`](crate::fs::DirectFile) reads into and writes from without a copy. It is as long
/// as it was made.
///
/// Those that [`DirectFile::buffer`](crate::fs::DirectFile::buffer) gives are of the shard's pool,
/// and go back to it when they are dropped. They may be sent elsewhere, dropped there, and outlive
/// the runtime. One that is forgotten is missing in the pool, and nothing else.
///
/// ```
/// use miniss_linux::buf::AlignedBuf;
///
/// let mut page = AlignedBuf::new(4096, 512);
/// page[..5].copy_from_slice(b"hello");
/// assert_eq!(page.len(), 4096);
/// assert!(page.as_ptr().addr().is_multiple_of(512));
/// ```
pub struct AlignedBuf {
    start: NonNull<u8>,
    len: usize,
    /// `None` if there are no bytes.
    chunk: Option<Arc<Chunk>>,
}

// SAFETY: *Own blocks*: plain bytes that go where it goes.
unsafe impl Send for AlignedBuf {}
// SAFETY: as above; a shared one is only read.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// `len` zeroes, at a multiple of `align`.
    ///
    /// # Panics
    ///
    /// If `align` is no power of two, or there are more bytes than memory can have.
    pub fn new(len: usize, align: usize) -> Self {
        let layout = Layout::from_size_align(len, align).expect("a power of two, and room for it");
        if len == 0 {
            return Self { start: layout.dangling_ptr(), len, chunk: None };
        }
        let chunk = Chunk::new(layout, || ());
        Self { start: chunk.start, len, chunk: Some(chunk) }
    }
}

/// No bytes.
impl Default for AlignedBuf {
    fn default() -> Self {
        Self::new(0, 1)
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: *Own blocks*, initialised.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: *Own blocks*, initialised.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if let Some(chunk) = &self.chunk
            && chunk.give(self.start, self.len)
        {
            (chunk.when_empty)();
        }
    }
}

impl IoBuf for AlignedBuf {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: *One memory*. Both views are all of it, and its length is fixed.
unsafe impl IoBufMut for AlignedBuf {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
        unsafe { as_uninit(self) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.len(), "{len} bytes read into {}", self.len());
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Memory that buffers are cut from.
pub(crate) struct Chunk {
    pub(crate) start: NonNull<u8>,
    layout: Layout,
    /// Called when all that was cut from it is given back, on the thread that gave it.
    when_empty: fn(),
    /// A bit for each block: a buffer has it.
    taken: AtomicU64,
}

// SAFETY: *Own blocks*: it touches no byte of them, and `taken` is atomic.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// For a pool, which may cut as many buffers from it as there are blocks.
    pub(crate) fn for_pool(when_empty: fn()) -> Arc<Self> {
        let layout = Layout::from_size_align(CHUNK_BYTES, BLOCK_BYTES).expect("a power of two");
        Self::new(layout, when_empty)
    }

    fn new(layout: Layout, when_empty: fn()) -> Arc<Self> {
        // SAFETY: the size is not zero: a buffer without bytes has no chunk.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        let start = start.unwrap_or_else(|| handle_alloc_error(layout));
        Arc::new(Self { start, layout, when_empty, taken: AtomicU64::new(0) })
    }

    /// A buffer of the first blocks that are free side by side; on the thread of the pool only.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Option<AlignedBuf> {
        let blocks = blocks_of(len);
        // Acquire: pairs with the release of `give`; who had them before touches them no more.
        let taken = self.taken.load(Ordering::Acquire);
        let mut places = taken.trailing_ones()..=blocks.leading_zeros();
        let at = places.find(|at| taken & blocks << at == 0)?;
        // Others only give: what was free is free.
        self.taken.fetch_or(blocks << at, Ordering::Relaxed);
        // SAFETY: so many blocks from there on are inside of the chunk.
        let start = unsafe { self.start.add(at as usize * BLOCK_BYTES) };
        Some(AlignedBuf { start, len, chunk: Some(self.clone()) })
    }

    /// Gives back the blocks of a buffer. `true` if none is taken any more.
    fn give(&self, start: NonNull<u8>, len: usize) -> bool {
        let at = (start.addr().get() - self.start.addr().get()) / BLOCK_BYTES;
        let blocks = blocks_of(len) << at;
        // Release: pairs with the acquire of `take`.
        self.taken.fetch_and(!blocks, Ordering::Release) & !blocks == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == 0
    }
}

/// As many bits as a buffer has blocks. One that has a larger chunk of its own takes all of it.
fn blocks_of(len: usize) -> u64 {
    u64::MAX >> (64 - len.div_ceil(BLOCK_BYTES).clamp(1, 64))
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: *Own blocks*: allocated so, and no buffer is left.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
