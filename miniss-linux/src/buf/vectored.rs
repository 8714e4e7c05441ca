//! Several buffers in one operation, filled or written front to back.
//!
//! The invariants of the module above hold for each buffer. The lifetime in the signatures is
//! what makes these traits safe to implement: every piece is borrowed from `self` for as long as
//! the slot's borrow lasts, not only during the call.
//!
//! The addresses and lengths of several buffers, in the form the kernel wants.
//!
//! The list is part of the operation's slot, next to the buffers, and like them *Pinned while in
//! flight*: first everything moves to the slot, then the list is filled. It holds raw addresses;
//! the operation keeps what they point at.
//!
//! Few buffers need no allocation. Eight is the kernel's own number (`UIO_FASTIOV`): up to there
//! it copies the list to its stack, beyond it allocates too.
//!
//! Empty pieces are left out: they mean nothing to the kernel and would use up places.

use std::mem::MaybeUninit;
use std::{fmt, ptr};

use libc::iovec;

use super::{IoBuf, IoBufMut};

/// Several buffers that one operation writes from, such as a header and a body.
///
/// Implemented for `Vec<B>`, `[B; N]` and tuples of two to eight [`IoBuf`]s of different types.
///
/// ```
/// use miniss_linux::buf::IoVecBuf;
///
/// let reply = ("HTTP/1.1 200 OK\r\n\r\n", String::from("hello"));
/// let mut bytes = Vec::new();
/// reply.for_each_init(|piece| bytes.extend_from_slice(piece));
/// assert_eq!(bytes, b"HTTP/1.1 200 OK\r\n\r\nhello");
/// ```
pub trait IoVecBuf: 'static {
    /// Calls `visit` with the initialised bytes of each buffer, in order.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecBuf;
    ///
    /// let mut total = 0;
    /// [[1u8; 3], [2; 3]].for_each_init(|piece| total += piece.len());
    /// assert_eq!(total, 6);
    /// ```
    fn for_each_init<'a>(&'a self, visit: impl FnMut(&'a [u8]));
}

/// Several buffers that one operation reads into, the first one first.
///
/// Implemented for `Vec<B>`, `[B; N]` and tuples of two to eight [`IoBufMut`]s of different types.
///
/// ```
/// use miniss_linux::buf::IoVecBufMut;
///
/// let mut bufs = ([0u8; 2], Vec::with_capacity(8));
/// // SAFETY: 2 + 3 initialised bytes are stored, front to back, before the length says so.
/// unsafe {
///     bufs.for_each_uninit(|piece| {
///         for byte in piece.iter_mut().take(3) {
///             byte.write(7);
///         }
///     });
///     bufs.set_len_all(5);
/// }
/// assert_eq!(bufs, ([7, 7], vec![7, 7, 7]));
/// ```
pub trait IoVecBufMut: IoVecBuf {
    /// Calls `visit` with all of the memory of each buffer, in order.
    ///
    /// # Safety
    ///
    /// *Initialised stays initialised*: the caller stores only initialised bytes.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecBufMut;
    ///
    /// let mut room = 0;
    /// // SAFETY: nothing is stored.
    /// unsafe { [[0u8; 3]; 2].for_each_uninit(|piece| room += piece.len()) };
    /// assert_eq!(room, 6);
    /// ```
    unsafe fn for_each_uninit<'a>(&'a mut self, visit: impl FnMut(&'a mut [MaybeUninit<u8>]));

    /// Says that a read has filled the first `len` bytes of all the buffers taken together.
    ///
    /// Each buffer gets its share by [`IoBufMut::set_len`]; those that were not reached get 0.
    ///
    /// # Safety
    ///
    /// The first `len` bytes of the memory that [`for_each_uninit`](Self::for_each_uninit)
    /// visits, counted across the buffers in that order, are initialised; in particular `len` is
    /// not more than there are.
    ///
    /// ```
    /// use miniss_linux::buf::IoVecBufMut;
    ///
    /// let mut bufs = vec![b"abcd".to_vec(), b"efgh".to_vec()];
    /// bufs.iter_mut().for_each(Vec::shrink_to_fit);
    /// // SAFETY: four bytes are initialised, those of the first buffer.
    /// unsafe { bufs.set_len_all(4) };
    /// assert_eq!(bufs, [&b"abcd"[..], b""]);
    /// ```
    unsafe fn set_len_all(&mut self, len: usize);
}

/// Gives `buf` its share of the `left` bytes, and returns what is left for the next one.
///
/// # Safety
///
/// The first `left` bytes of the memory of `buf`, or all of it if it is smaller, are initialised.
unsafe fn take_share<B: IoBufMut>(buf: &mut B, left: usize) -> usize {
    // The length of the very memory that was filled, and not what `bytes_total` says of it.
    // SAFETY: nothing is stored.
    let share = left.min(unsafe { buf.as_uninit() }.len());
    // SAFETY: `share` is not more than either bound that our caller promises.
    unsafe { buf.set_len(share) };
    left - share
}

/// Gives each buffer its share of the first `len` bytes, front to back.
///
/// # Safety
///
/// As for [`IoVecBufMut::set_len_all`].
unsafe fn share_out<B: IoBufMut>(bufs: &mut [B], len: usize) {
    let mut left = len;
    for buf in bufs {
        // SAFETY: the buffers before this one hold exactly the `len - left` bytes that were taken
        // off, or nothing is left; so the next `left` bytes begin at this one.
        left = unsafe { take_share(buf, left) };
    }
    debug_assert_eq!(left, 0, "more bytes were read than the buffers hold");
}

impl<B: IoBuf> IoVecBuf for Vec<B> {
    fn for_each_init<'a>(&'a self, visit: impl FnMut(&'a [u8])) {
        self.iter().map(B::as_init).for_each(visit);
    }
}

impl<B: IoBufMut> IoVecBufMut for Vec<B> {
    unsafe fn for_each_uninit<'a>(&'a mut self, mut visit: impl FnMut(&'a mut [MaybeUninit<u8>])) {
        for buf in self {
            // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
            visit(unsafe { buf.as_uninit() });
        }
    }

    unsafe fn set_len_all(&mut self, len: usize) {
        // SAFETY: promised by our caller in the same words.
        unsafe { share_out(self, len) }
    }
}

impl<B: IoBuf, const N: usize> IoVecBuf for [B; N] {
    fn for_each_init<'a>(&'a self, visit: impl FnMut(&'a [u8])) {
        self.iter().map(B::as_init).for_each(visit);
    }
}

impl<B: IoBufMut, const N: usize> IoVecBufMut for [B; N] {
    unsafe fn for_each_uninit<'a>(&'a mut self, mut visit: impl FnMut(&'a mut [MaybeUninit<u8>])) {
        for buf in self {
            // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
            visit(unsafe { buf.as_uninit() });
        }
    }

    unsafe fn set_len_all(&mut self, len: usize) {
        // SAFETY: promised by our caller in the same words.
        unsafe { share_out(self, len) }
    }
}

/// Implements both traits for a tuple, by naming its types and its fields.
macro_rules! tuple {
    ($($buf:ident $field:tt),+) => {
        impl<$($buf: IoBuf),+> IoVecBuf for ($($buf,)+) {
            fn for_each_init<'a>(&'a self, mut visit: impl FnMut(&'a [u8])) {
                $(visit(self.$field.as_init());)+
            }
        }

        impl<$($buf: IoBufMut),+> IoVecBufMut for ($($buf,)+) {
            unsafe fn for_each_uninit<'a>(
                &'a mut self,
                mut visit: impl FnMut(&'a mut [MaybeUninit<u8>]),
            ) {
                $(
                    // SAFETY: *Initialised stays initialised*, promised by our caller in the same
                    // words.
                    visit(unsafe { self.$field.as_uninit() });
                )+
            }

            unsafe fn set_len_all(&mut self, len: usize) {
                let left = len;
                $(
                    // SAFETY: as in `share_out`: the next `left` bytes begin at this buffer.
                    let left = unsafe { take_share(&mut self.$field, left) };
                )+
                debug_assert_eq!(left, 0, "more bytes were read than the buffers hold");
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

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
        // SAFETY: *Initialised stays initialised*: nothing is stored here. To store through the
        // address later takes an unsafe block or a system call of its own.
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
