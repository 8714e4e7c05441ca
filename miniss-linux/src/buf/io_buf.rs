//! What a buffer must offer to be written from and read into.
//!
//! The read side is safe to implement, the write side is not. See the module above for the three
//! invariants; *Pinned while in flight* is the reason that `as_init` needs no promise beyond its
//! signature.
//!
//! Which buffers there are stands in the [table](super#which-buffers-there-are).

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::RangeBounds;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use super::Slice;

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
    /// Where this trait is in scope, `bytes.slice(..)` on a `Bytes` is this method. The one that
    /// makes another `Bytes` is then `Bytes::slice(&bytes, ..)`.
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
    /// so that only the count in the result says what is new.
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

impl IoBuf for Vec<u8> {
    fn as_init(&self) -> &[u8] {
        self
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: *One memory*. Both views begin at `Vec::as_ptr` and the second has its capacity; the
// length is a plain field, and `set_len` sets it.
unsafe impl IoBufMut for Vec<u8> {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let start = self.as_mut_ptr().cast::<MaybeUninit<u8>>();
        // SAFETY: a Vec has `capacity` bytes at `as_mut_ptr` (a well-aligned non-null pointer
        // even for none), borrowed mutably for as long as the result. MaybeUninit has the layout
        // of u8 and allows any content. *Initialised stays initialised*, says our caller, so the
        // first `len` bytes remain what a Vec<u8> wants.
        unsafe { slice::from_raw_parts_mut(start, self.capacity()) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity(), "{len} bytes read into {}", self.capacity());
        // SAFETY: the caller promises that the first `len` bytes exist and are initialised.
        unsafe { Vec::set_len(self, len) }
    }
}

/// Views initialised bytes as perhaps uninitialised ones.
///
/// # Safety
///
/// *Initialised stays initialised*: only initialised bytes may be stored through the result.
pub(crate) unsafe fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let (start, len) = (bytes.as_mut_ptr().cast::<MaybeUninit<u8>>(), bytes.len());
    // SAFETY: the same memory, borrowed mutably for the same time; MaybeUninit<u8> has the layout
    // of u8. It would allow to store uninitialised bytes, which our caller promises not to do.
    unsafe { slice::from_raw_parts_mut(start, len) }
}

impl IoBuf for Box<[u8]> {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: *One memory*. Both views are the whole boxed slice, whose length is fixed.
unsafe impl IoBufMut for Box<[u8]> {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
        unsafe { as_uninit(self) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.len(), "{len} bytes read into {}", self.len());
    }
}

impl<const N: usize> IoBuf for [u8; N] {
    fn as_init(&self) -> &[u8] {
        self
    }
}

// SAFETY: *One memory*. Both views are the whole array, which is inside the value and thus moves
// only with it.
unsafe impl<const N: usize> IoBufMut for [u8; N] {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: *Initialised stays initialised*, promised by our caller in the same words.
        unsafe { as_uninit(self) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= N, "{len} bytes read into {N}");
    }
}

/// For literals such as `b"PONG"`.
impl<const N: usize> IoBuf for &'static [u8; N] {
    fn as_init(&self) -> &[u8] {
        *self
    }
}

/// Buffers that can be written from, and not read into: they are text, or shared, or both.
macro_rules! read_only {
    ($($buffer:ty),+ $(,)?) => {$(
        impl IoBuf for $buffer {
            fn as_init(&self) -> &[u8] {
                (**self).as_ref()
            }
        }
    )+};
}

read_only!(&'static [u8], &'static str);
read_only!(String, Box<str>);
read_only!(Rc<[u8]>, Rc<str>, Arc<[u8]>, Arc<str>);
read_only!(Cow<'static, [u8]>, Cow<'static, str>);

#[cfg(feature = "bytes")]
read_only!(bytes::Bytes);

#[cfg(feature = "bytes")]
impl IoBuf for bytes::BytesMut {
    fn as_init(&self) -> &[u8] {
        self
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }
}

// SAFETY: *One memory*. A `BytesMut` is the only view of `capacity` bytes, of which the first `len`
// are initialised, also where the allocation is shared with others that were split off. They lie on
// the heap, and only a call with `&mut` finds other ones. `set_len` sets a plain field.
#[cfg(feature = "bytes")]
unsafe impl IoBufMut for bytes::BytesMut {
    unsafe fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let len = self.len();
        // A pointer to the initialised bytes would not do for those behind them. What is spare
        // without any initialised bytes is all of it.
        // SAFETY: no byte is claimed to be initialised.
        unsafe { self.set_len(0) };
        let all = self.spare_capacity_mut();
        let (start, total) = (all.as_mut_ptr(), all.len());
        // SAFETY: as many as before, and nothing was written since.
        unsafe { self.set_len(len) };
        // SAFETY: the memory is borrowed mutably for as long as the result; the field that was set
        // lies elsewhere. *Initialised stays initialised*, says our caller.
        unsafe { slice::from_raw_parts_mut(start, total) }
    }

    unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.capacity(), "{len} bytes read into {}", self.capacity());
        // SAFETY: the caller promises that the first `len` bytes exist and are initialised.
        unsafe { bytes::BytesMut::set_len(self, len) }
    }
}
