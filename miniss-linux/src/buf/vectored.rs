//! Several buffers in one operation, filled or written front to back.
//!
//! The invariants of the module above hold for each buffer. The lifetime in the signatures is
//! what makes these traits safe to implement: every piece is borrowed from `self` for as long as
//! the slot's borrow lasts, not only during the call.

use super::{IoBuf, IoBufMut};
use std::mem::MaybeUninit;

/// Several buffers that one operation writes from, such as a header and a body.
///
/// Implemented for `Vec<B>`, `[B; N]` and tuples of up to four [`IoBuf`]s of different types.
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
/// Implemented for `Vec<B>`, `[B; N]` and tuples of up to four [`IoBufMut`]s of different types.
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
            // SAFETY: Initialised stays initialised, promised by our caller in the same words.
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
            // SAFETY: Initialised stays initialised, promised by our caller in the same words.
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
                    // SAFETY: Initialised stays initialised, promised by our caller in the same
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
