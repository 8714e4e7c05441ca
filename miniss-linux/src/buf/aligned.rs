//! A buffer whose memory begins where a device wants it to.
//!
//! Invariant **Its own memory**: `start` is `len` initialised bytes, allocated with `layout`, or
//! dangling if there are none; no one else has them.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

use super::io_buf::as_uninit;
use super::{IoBuf, IoBufMut};

/// Bytes whose address is a multiple of some power of two: what
/// [`DirectFile`](crate::fs::DirectFile) reads into and writes from without a copy. It is as long
/// as it was made, zeroes at first.
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
    layout: Layout,
}

// SAFETY: *Its own memory*: plain bytes that go where it goes.
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
            return Self { start: layout.dangling_ptr(), layout };
        }
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        Self { start: start.unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: *Its own memory*.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: *Its own memory*.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: *Its own memory*: allocated so, and used no more.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
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
        f.debug_struct("AlignedBuf")
            .field("len", &self.layout.size())
            .field("align", &self.layout.align())
            .finish()
    }
}
