//! Provided receive buffers: the kernel takes one when data is there, not before.
//!
//! An idle connection holds no buffer. One area is cut into equal buffers; a ring, shared with the
//! kernel if that takes them itself, says which are free. Invariant **One holder**: exactly one of
//! three holds a buffer. The ring does while it is free; then a completion that no one has read
//! yet; then a [`PoolBuf`].
//!
//! A stream that no one reads holds few of them: [`recv`](crate::op::recv) has the bounds. When all
//! are held, a receive still waits without one: it looks for its buffer when it has data.
//!
//! The pool and each `PoolBuf` share the area, so a `PoolBuf` may outlive the runtime.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use super::sys::page_bytes;

/// The one buffer group of a shard.
pub(crate) const GROUP: u16 = 0;
/// What any allocation has. More would make the allocator write the zeroes itself, where untouched
/// pages from the kernel are zero and take no memory.
const MALLOC_ALIGN: usize = 16;

/// The buffers of a shard.
pub(crate) struct BufferPool {
    /// The free buffers. The kernel takes them at the front, if it is told of them; else we do, at
    /// the back.
    ring: NonNull<BufRingEntry>,
    area: NonNull<u8>,
    count: u16,
    buffer_bytes: u32,
    tail: Cell<u16>,
    /// The kernel takes the free ones.
    is_kernels: Cell<bool>,
    /// Buffers that are no longer used become free again.
    is_open: Cell<bool>,
}

impl BufferPool {
    /// Makes `count` buffers of `buffer_bytes` bytes and shows them to the kernel.
    pub(super) fn for_kernel(
        submitter: &Submitter<'_>,
        count: u16,
        buffer_bytes: u32,
    ) -> io::Result<Rc<Self>> {
        let pool = Self::new(count, buffer_bytes);
        let address = pool.ring.as_ptr().expose_provenance() as u64;
        pool.area.as_ptr().expose_provenance();
        // SAFETY: the ring's memory lives until after `unregister`, or forever if that is not
        // called.
        unsafe { submitter.register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        pool.is_kernels.set(true);
        pool.publish();
        Ok(pool)
    }

    /// Makes `count` buffers of `buffer_bytes` bytes, all free.
    pub(super) fn new(count: u16, buffer_bytes: u32) -> Rc<Self> {
        let pool = Rc::new(Self {
            ring: allocate(ring_layout(count)).cast(),
            area: allocate(area_layout(count, buffer_bytes)),
            count,
            buffer_bytes,
            tail: Cell::new(0),
            is_kernels: Cell::new(false),
            is_open: Cell::new(true),
        });
        (0..count).for_each(|id| pool.give(id));
        pool
    }

    /// Takes the buffers from the kernel. Nothing may be in flight that uses them.
    pub(super) fn unregister(&self, submitter: &Submitter<'_>) {
        self.is_open.set(false);
        if submitter.unregister_buf_ring(GROUP).is_ok() {
            self.is_kernels.set(false);
        }
    }

    /// Takes a free buffer, to be received into: its number and memory. It is the one that was used
    /// last. `None`: there is none, or the kernel takes them.
    pub(super) fn take(&self) -> Option<(u16, *mut u8)> {
        if self.is_kernels.get() {
            return None;
        }
        let index = self.tail.get().checked_sub(1)?;
        self.tail.set(index);
        // SAFETY: the index is below the count, and the entry was written by `give`.
        let id = unsafe { self.ring.add(usize::from(index)).as_ref() }.bid();
        Some((id, self.address(id.into())))
    }

    /// The bytes in each buffer.
    pub(super) fn buffer_bytes(&self) -> u32 {
        self.buffer_bytes
    }

    /// The buffer that a completion names, `len` bytes of which were filled.
    pub(crate) fn claim(self: &Rc<Self>, id: u16, len: usize) -> PoolBuf {
        debug_assert!(id < self.count && len <= self.buffer_bytes as usize);
        PoolBuf { memory: Memory::Pool(self.clone(), id.into()), start: 0, len: len as u32 }
    }

    /// Whether fewer than half of the buffers are free, if completions have brought so many.
    pub(super) fn is_short(&self, taken: u16) -> bool {
        let taken = if self.is_kernels.get() { taken } else { 0 };
        self.tail.get().wrapping_sub(taken) < self.count / 2
    }

    fn address(&self, id: usize) -> *mut u8 {
        let offset = id * self.buffer_bytes as usize;
        // SAFETY: `id` is below the count, so this is inside the area.
        unsafe { self.area.as_ptr().add(offset) }
    }

    /// Puts a buffer behind the free ones, where the kernel does not see it yet.
    fn give(&self, id: u16) {
        let index = self.tail.get() & (self.count - 1);
        // SAFETY: the index is below the count; *One holder*: the kernel does not read entries
        // beyond the published tail.
        let entry = unsafe { self.ring.add(usize::from(index)).as_mut() };
        entry.set_addr(self.address(id.into()).addr() as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(id);
        self.tail.set(self.tail.get().wrapping_add(1));
    }

    /// Lets the kernel see what was given.
    fn publish(&self) {
        // SAFETY: the tail lies inside the first entry of the ring, which is ours.
        let tail = unsafe { BufRingEntry::tail(self.ring.as_ptr()) };
        // SAFETY: as above; aligned, and everyone accesses it atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: pairs with the kernel's acquiring load; it sees the entries before the tail.
        tail.store(self.tail.get(), Ordering::Release);
    }

    /// A holder lets go of its buffer.
    pub(super) fn take_back(&self, id: u16) {
        if !self.is_open.get() {
            return;
        }
        self.give(id);
        self.publish();
    }
}

impl Drop for BufferPool {
    fn drop(&mut self) {
        // While the kernel may still look at the ring, its memory stays.
        if self.is_kernels.get() {
            return;
        }
        // SAFETY: allocated with this layout; nothing shares it any more.
        unsafe { dealloc(self.ring.as_ptr().cast(), ring_layout(self.count)) };
        // SAFETY: as above.
        unsafe { dealloc(self.area.as_ptr(), area_layout(self.count, self.buffer_bytes)) };
    }
}

fn ring_layout(count: u16) -> Layout {
    let bytes = usize::from(count) * size_of::<BufRingEntry>();
    Layout::from_size_align(bytes, page_bytes()).expect("a ring of buffers is small")
}

fn area_layout(count: u16, buffer_bytes: u32) -> Layout {
    let bytes = usize::from(count) * buffer_bytes as usize;
    Layout::from_size_align(bytes, MALLOC_ALIGN).expect("the builder bounds the area")
}

/// Zeroed, so that what the kernel has not written is no secret of the heap's.
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: neither layout is empty: the builder refuses zero buffers and zero bytes.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Received bytes, in a buffer that goes back to the kernel when this is dropped.
///
/// It dereferences to the bytes that are left of it. It belongs to the shard that received it; copy
/// the bytes to send them elsewhere. Hold it briefly: while all buffers of a shard are held, each
/// further message costs an allocation.
///
/// ```
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// # peer.write_all("hello").await.0?;
/// let received = stream.recv().await?;
/// assert_eq!(received[..], *b"hello");
/// # Ok(()) });
/// ```
pub struct PoolBuf {
    memory: Memory,
    start: u32,
    len: u32,
}

/// Where the bytes are.
enum Memory {
    None,
    /// And which buffer. A whole word: smaller, it shares one with the tag, and moves in pieces.
    Pool(Rc<BufferPool>, usize),
    /// They came when their reader was gone, or no buffer was free.
    Heap(Box<[u8]>),
}

impl PoolBuf {
    /// No bytes: the peer will send no more.
    pub(crate) fn empty() -> Self {
        Self { memory: Memory::None, start: 0, len: 0 }
    }

    /// Bytes that are in no pool.
    pub(crate) fn from_heap(bytes: Box<[u8]>) -> Self {
        Self { start: 0, len: bytes.len() as u32, memory: Memory::Heap(bytes) }
    }

    /// Drops the first `count` bytes, or all if there are fewer.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// # peer.write_all("headbody").await.0?;
    /// let mut received = stream.recv().await?;
    /// received.advance(4); // the head has been read
    /// assert_eq!(received[..], *b"body");
    /// # Ok(()) });
    /// ```
    pub fn advance(&mut self, count: usize) {
        let count = count.min(self.len as usize) as u32;
        self.start += count;
        self.len -= count;
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

impl Deref for PoolBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let range = self.range();
        match &self.memory {
            Memory::None => &[],
            Memory::Heap(bytes) => &bytes[range],
            Memory::Pool(pool, id) => {
                let start = pool.address(*id).wrapping_add(range.start);
                // SAFETY: *One holder*: the buffer is ours; the range lies in it, and the area is
                // initialised from the start.
                unsafe { std::slice::from_raw_parts(start, range.len()) }
            }
        }
    }
}

impl DerefMut for PoolBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        let range = self.range();
        match &mut self.memory {
            Memory::None => &mut [],
            Memory::Heap(bytes) => &mut bytes[range],
            Memory::Pool(pool, id) => {
                let start = pool.address(*id).wrapping_add(range.start);
                // SAFETY: *One holder*: the buffer is ours; the range lies in it, and the area is
                // initialised from the start.
                unsafe { std::slice::from_raw_parts_mut(start, range.len()) }
            }
        }
    }
}

impl Drop for PoolBuf {
    #[inline]
    fn drop(&mut self) {
        if let Memory::Pool(pool, id) = &self.memory {
            pool.take_back(*id as u16);
        }
    }
}

impl fmt::Debug for PoolBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuf").field("len", &self.len).finish()
    }
}

/// So that received bytes can be sent on without copying.
impl crate::buf::IoBuf for PoolBuf {
    fn as_init(&self) -> &[u8] {
        self
    }
}
