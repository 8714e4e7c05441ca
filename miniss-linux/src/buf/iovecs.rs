//! The addresses and lengths of several buffers, in the form the kernel wants.
//!
//! The list is part of the operation's slot, next to the buffers, and like them *Pinned while in
//! flight*: first everything moves to the slot, then the list is filled. It holds raw addresses
//! and says nothing about how long they are good; that is the operation's business.
//!
//! Few buffers need no allocation. Eight is the kernel's own number (`UIO_FASTIOV`): up to there
//! it copies the list to its stack, beyond it allocates too.
//!
//! Empty pieces are left out: they mean nothing to the kernel and would use up places.

use super::{IoVecBuf, IoVecBufMut};
use libc::iovec;
use std::mem::MaybeUninit;
use std::{fmt, ptr};

/// How many buffers an [`IoVecs`] lists without an allocation, unless told otherwise.
///
/// ```
/// assert_eq!(miniss_linux::buf::IOVECS_INLINE, 8);
/// ```
pub const IOVECS_INLINE: usize = 8;

/// The most buffers in one operation (`IOV_MAX`); more lead to a short read or write.
///
/// ```
/// assert_eq!(miniss_linux::buf::IOVECS_MAX, 1024);
/// ```
pub const IOVECS_MAX: usize = libc::UIO_MAXIOV as usize;

/// The list of the buffers of one vectored operation.
///
/// ```
/// use miniss_linux::buf::IoVecs;
///
/// let bufs = ("head", String::from("body"));
/// let mut list: IoVecs = IoVecs::new();
/// list.gather(&bufs);
/// assert_eq!((list.as_slice().len(), list.bytes()), (2, 8));
///
/// // The kernel took five bytes: all of the first buffer and one byte of the second.
/// list.advance(5);
/// assert_eq!((list.as_slice().len(), list.bytes()), (1, 3));
/// ```
pub struct IoVecs<const N: usize = IOVECS_INLINE> {
    inline: [iovec; N],
    /// Everything, as soon as there are more than `N`; else empty.
    spill: Vec<iovec>,
    /// The first piece that is not done.
    begin: usize,
    /// The number of pieces, done or not.
    end: usize,
}

const EMPTY: iovec = iovec { iov_base: ptr::null_mut(), iov_len: 0 };

impl<const N: usize> IoVecs<N> {
    /// An empty list with room for `N` buffers inside.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// assert!(IoVecs::<4>::new().as_slice().is_empty());
    /// ```
    pub const fn new() -> Self {
        Self { inline: [EMPTY; N], spill: Vec::new(), begin: 0, end: 0 }
    }

    /// Lists the initialised bytes of `bufs`, for a write. What was listed before is forgotten.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// let mut list: IoVecs = IoVecs::new();
    /// list.gather(&["one", "", "three"]);
    /// assert_eq!((list.as_slice().len(), list.bytes()), (2, 8));
    /// ```
    pub fn gather<V: IoVecBuf>(&mut self, bufs: &V) {
        self.clear();
        bufs.for_each_init(|piece| self.push(piece.as_ptr().cast_mut(), piece.len()));
    }

    /// Lists all of the memory of `bufs`, for a read. What was listed before is forgotten.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// let mut list: IoVecs = IoVecs::new();
    /// list.scatter(&mut ([0u8; 16], Vec::with_capacity(0)));
    /// assert_eq!((list.as_slice().len(), list.bytes()), (1, 16));
    /// ```
    pub fn scatter<V: IoVecBufMut>(&mut self, bufs: &mut V) {
        self.clear();
        let list = |piece: &mut [MaybeUninit<u8>]| {
            self.push(piece.as_mut_ptr().cast(), piece.len());
        };
        // SAFETY: Initialised stays initialised: nothing is stored here. Whoever stores through
        // the address later does it with an unsafe block or system call of their own.
        unsafe { bufs.for_each_uninit(list) };
    }

    /// The pieces not yet done, at most [`IOVECS_MAX`] of them: what to give to the kernel.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// let mut list: IoVecs = IoVecs::new();
    /// list.gather(&vec!["x"; 3000]);
    /// assert_eq!((list.as_slice().len(), list.bytes()), (1024, 3000));
    /// ```
    pub fn as_slice(&self) -> &[iovec] {
        let end = self.end.min(self.begin + IOVECS_MAX);
        &self.all()[self.begin..end]
    }

    /// How many bytes are not yet done, in all pieces together.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// let mut list: IoVecs = IoVecs::new();
    /// list.gather(&["abc", "de"]);
    /// assert_eq!(list.bytes(), 5);
    /// ```
    pub fn bytes(&self) -> usize {
        let rest = &self.all()[self.begin..self.end];
        rest.iter().fold(0, |sum, piece| sum.saturating_add(piece.iov_len))
    }

    /// Takes off the first `done` bytes, after the kernel transferred that many.
    ///
    /// # Panics
    ///
    /// When there are fewer than `done` bytes left.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecs;
    ///
    /// let mut list: IoVecs = IoVecs::new();
    /// list.gather(&["abc", "de"]);
    /// list.advance(3);
    /// assert_eq!(list.as_slice()[0].iov_len, 2);
    /// ```
    pub fn advance(&mut self, done: usize) {
        let all = if self.spill.is_empty() { &mut self.inline[..] } else { &mut self.spill };
        let mut left = done;
        for piece in &mut all[self.begin..self.end] {
            if left < piece.iov_len {
                piece.iov_base = piece.iov_base.wrapping_byte_add(left);
                piece.iov_len -= left;
                return;
            }
            left -= piece.iov_len;
            self.begin += 1;
        }
        assert_eq!(left, 0, "{done} bytes are done, but the buffers listed held {left} fewer");
    }

    fn all(&self) -> &[iovec] {
        if self.spill.is_empty() { &self.inline } else { &self.spill }
    }

    fn clear(&mut self) {
        self.spill.clear();
        (self.begin, self.end) = (0, 0);
    }

    fn push(&mut self, base: *mut u8, len: usize) {
        if len == 0 {
            return;
        }
        let piece = iovec { iov_base: base.cast(), iov_len: len };
        match self.inline.get_mut(self.end) {
            Some(place) => *place = piece,
            None => self.push_beyond(piece),
        }
        self.end += 1;
    }

    #[cold]
    fn push_beyond(&mut self, piece: iovec) {
        if self.spill.is_empty() {
            self.spill.extend_from_slice(&self.inline);
        }
        self.spill.push(piece);
    }
}

impl<const N: usize> Default for IoVecs<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for IoVecs<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces = self.end - self.begin;
        f.debug_struct("IoVecs").field("pieces", &pieces).field("bytes", &self.bytes()).finish()
    }
}
