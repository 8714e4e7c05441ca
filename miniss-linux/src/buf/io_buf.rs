//! What a buffer must offer to be written from and read into.
//!
//! The read side is safe to implement, the write side is not. See the module above for the three
//! invariants; *Pinned while in flight* is the reason that `as_init` needs no promise beyond its
//! signature.

use super::Slice;
use std::mem::MaybeUninit;
use std::ops::RangeBounds;

/// A buffer whose bytes an operation may read: what `write` and `send` take.
///
/// Safe to implement for your own types. Be cheap and do not panic: the operation calls this
/// once, just before it is handed to the kernel. `as_init` must not start other operations.
///
/// ```
/// use miniss_linux::buf::IoBuf;
/// use std::rc::Rc;
///
/// /// A page of a cache: written to many sockets without a copy.
/// struct Page(Rc<Vec<u8>>);
///
/// impl IoBuf for Page {
///     fn as_init(&self) -> &[u8] {
///         &self.0
///     }
/// }
/// assert_eq!(Page(Rc::new(vec![1, 2, 3])).as_init().len(), 3);
/// ```
#[diagnostic::on_unimplemented(
    note = "buffers are passed by value and come back: `let (result, buf) = s.write_all(buf).await`"
)]
pub trait IoBuf: 'static {
    /// The initialised bytes, from the beginning of the buffer.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// assert_eq!("abc".as_init(), b"abc");
    /// ```
    fn as_init(&self) -> &[u8];

    /// All the bytes there is room for, initialised or not.
    ///
    /// The same as the length of [`as_init`](Self::as_init), unless the buffer is a growing one.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// let buf: Vec<u8> = Vec::with_capacity(64);
    /// assert_eq!((buf.as_init().len(), buf.bytes_total()), (0, buf.capacity()));
    /// ```
    fn bytes_total(&self) -> usize {
        self.as_init().len()
    }

    /// Only the part of the buffer in `range`; [`Slice::into_inner`] gives all of it back.
    ///
    /// The range counts from the beginning of the buffer. Without an end it goes up to
    /// [`bytes_total`](Self::bytes_total).
    ///
    /// # Panics
    ///
    /// When the range ends before it begins, ends beyond `bytes_total`, or begins beyond the
    /// initialised bytes: reading into it would leave a gap of bytes that no one wrote.
    ///
    /// ```
    /// use miniss_linux::buf::IoBuf;
    ///
    /// assert_eq!(b"abcdef".to_vec().slice(2..4).as_init(), b"cd");
    /// ```
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }
}

#[diagnostic::on_unimplemented(
    note = "buffers are passed by value and come back: `let (result, buf) = s.read(buf).await`"
)]
/// A buffer whose bytes an operation may write: what `read` and `recv` take.
///
/// Reading fills the buffer from its beginning up to its capacity, whatever it held before, and
/// then [`set_len`](Self::set_len) says how much of it is new. A `Vec` of capacity 0 has room for
/// nothing, so a read into it answers 0, which looks like the end of the stream.
///
/// # Safety
///
/// The implementation upholds *One memory*: as long as no one else uses the value through
/// `&mut`,
///
/// - `as_init` is the beginning of the memory that `as_uninit` gives, and never gets shorter;
/// - `as_uninit` gives the same memory each time, of `bytes_total` bytes, as long as the value is
///   not moved;
/// - `set_len(len)` makes `as_init` at least `len` bytes long.
///
/// ```
/// use miniss_linux::buf::{IoBuf, IoBufMut};
///
/// let mut buf = Vec::with_capacity(8);
/// // SAFETY: only initialised bytes are stored, and two of them before `set_len`.
/// unsafe {
///     buf.as_uninit()[0].write(b'h');
///     buf.as_uninit()[1].write(b'i');
///     IoBufMut::set_len(&mut buf, 2);
/// }
/// assert_eq!(buf, b"hi");
/// ```
pub unsafe trait IoBufMut: IoBuf {
    /// All of the memory, initialised or not.
    ///
    /// # Safety
    ///
    /// *Initialised stays initialised*: the caller stores only initialised bytes.
    ///
    /// ```
    /// use miniss_linux::buf::IoBufMut;
    ///
    /// let mut buf = [0u8; 4];
    /// // SAFETY: nothing but an initialised byte is stored.
    /// unsafe { buf.as_uninit()[3].write(9) };
    /// assert_eq!(buf, [0, 0, 0, 9]);
    /// ```
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>];

    /// Says that a read has filled the first `len` bytes.
    ///
    /// A growing buffer now holds these and no others. A buffer of fixed length keeps its length,
    /// so that the count in the result is the only word on what is new.
    ///
    /// # Safety
    ///
    /// The first `len` bytes of [`as_uninit`](Self::as_uninit) are initialised; in particular
    /// `len` is not more than there are.
    ///
    /// ```
    /// use miniss_linux::buf::IoBufMut;
    ///
    /// let mut fixed = *b"abcd";
    /// // SAFETY: all bytes of an array are initialised.
    /// unsafe { fixed.set_len(2) };
    /// assert_eq!(fixed, *b"abcd");
    /// ```
    unsafe fn set_len(&mut self, len: usize);
}
