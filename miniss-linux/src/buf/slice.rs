//! A window on a buffer: write a part of it, or read into a part of it.
//!
//! # Invariants
//!
//! **No gap.** `begin` is not beyond the initialised bytes of the buffer. Checked when the slice
//! is made; it stays true because the slice lends its buffer only as `&B`, and, by *One memory*,
//! the initialised bytes do not get fewer behind it.

use super::{IoBuf, IoBufMut};
use std::mem::MaybeUninit;
use std::ops::{Bound, Deref, Range, RangeBounds};

/// A window on the buffer `B`, made by [`IoBuf::slice`].
///
/// Writing takes the initialised bytes in the window. Reading fills the window from its
/// beginning, leaves the bytes around it as they are, and never makes the buffer shorter: a `Vec`
/// grows to the end of what was read if it was shorter than that.
///
/// It dereferences to the initialised bytes in the window.
///
/// ```
/// use miniss_linux::buf::IoBuf;
///
/// let mut buf = Vec::with_capacity(1024);
/// buf.extend_from_slice(b"header");
///
/// // Given to a read, this appends to the buffer and keeps the header.
/// let filled = buf.len();
/// let window = buf.slice(filled..);
/// assert_eq!(&*window, b"");
/// assert_eq!(window.bytes_total(), window.inner().capacity() - 6);
/// assert_eq!(window.into_inner(), b"header");
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Slice<B> {
    buf: B,
    begin: usize,
    end: usize,
}

impl<B: IoBuf> Slice<B> {
    pub(super) fn new(buf: B, range: impl RangeBounds<usize>) -> Self {
        let (init, total) = (buf.as_init().len(), buf.bytes_total());
        let begin = begin_of(range.start_bound());
        let end = end_of(range.end_bound(), total);
        assert!(begin <= end, "slice {begin}..{end} ends before it begins");
        assert!(end <= total, "slice {begin}..{end} ends beyond the {total} bytes of the buffer");
        assert!(
            begin <= init,
            "slice {begin}..{end} would leave a gap: only {init} bytes are initialised",
        );
        Self { buf, begin, end }
    }

    /// The whole buffer, wherever the window was.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// assert_eq!([1u8, 2, 3].slice(1..2).into_inner(), [1, 2, 3]);
    /// ```
    pub fn into_inner(self) -> B {
        self.buf
    }

    /// Looks at the whole buffer.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// assert_eq!("abc".slice(1..).inner(), &"abc");
    /// ```
    pub fn inner(&self) -> &B {
        &self.buf
    }

    /// Where the window is, in bytes from the beginning of the buffer.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// assert_eq!("abcd".slice(1..=2).range(), 1..3);
    /// ```
    pub fn range(&self) -> Range<usize> {
        self.begin..self.end
    }
}

impl<B: IoBuf> IoBuf for Slice<B> {
    fn as_init(&self) -> &[u8] {
        let init = self.buf.as_init();
        // An `IoBuf` that cannot be read into is free to get shorter, hence both `min`.
        let end = self.end.min(init.len());
        &init[self.begin.min(end)..end]
    }

    fn bytes_total(&self) -> usize {
        self.end - self.begin
    }
}

// SAFETY: *One memory*. Both views are cut from those of the inner buffer, which has the property
// itself, by the same fixed range; `as_init` begins at `begin` exactly, by *No gap*. `set_len`
// makes the inner `as_init` at least `begin + len` long.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
        let all = unsafe { self.buf.as_uninit() };
        &mut all[self.begin..self.end]
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.end - self.begin, "{len} bytes read into {:?}", self.range());
        let filled = self.begin + len;
        if filled > self.buf.as_init().len() {
            // SAFETY: the bytes up to `begin` are initialised by *No gap* (and by *One memory* they
            // are the beginning of the inner buffer), the next `len` by our caller's promise.
            unsafe { self.buf.set_len(filled) };
        }
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_init()
    }
}

fn begin_of(bound: Bound<&usize>) -> usize {
    match bound {
        Bound::Included(&at) => at,
        Bound::Excluded(&at) => at.checked_add(1).expect("a slice begins beyond usize::MAX"),
        Bound::Unbounded => 0,
    }
}

fn end_of(bound: Bound<&usize>, total: usize) -> usize {
    match bound {
        Bound::Included(&at) => at.checked_add(1).expect("a slice ends beyond usize::MAX"),
        Bound::Excluded(&at) => at,
        Bound::Unbounded => total,
    }
}
