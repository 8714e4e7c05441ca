//! Buffers that an operation owns while the kernel works on them. Pass a `Vec`, an array or a
//! string by value; it comes back with the result.
//!
//! `future ─▶ op takes the [buffer] ─▶ kernel ─▶ op gives the [buffer] back`
//!
//! - `io_buf`: [`IoBuf`] and [`IoBufMut`], one buffer to write from, to read into; and those that
//!   are.
//! - `slice`: [`Slice`], a part of a buffer.
//! - `aligned`: [`AlignedBuf`], whose memory begins where a device wants it to.
//! - `vectored`: [`IoVecBuf`] and [`IoVecBufMut`], several buffers in one operation; [`IoVecs`],
//!   their addresses in the form the kernel wants.
//!
//! A future can be dropped or forgotten at any await point, but the kernel goes on with what it
//! was asked to do. So no operation that the kernel completes later borrows memory from its
//! caller. It takes the buffer by value and gives it back with the result:
//!
//! ```
//! use miniss_linux::buf::{BufResult, IoBufMut};
//!
//! async fn ask<B: IoBufMut>(buf: B) -> BufResult<usize, B> {
//!     (Ok(0), buf)
//! }
//! # let _ = ask(vec![0; 16]);
//! ```
//!
//! A borrowed slice is not such a buffer, and the compiler says so:
//!
//! ```compile_fail,E0277
//! fn read_into<B: miniss_linux::buf::IoBufMut>(_: B) {}
//!
//! let mut bytes = [0; 8];
//! read_into(&mut bytes[..]);
//! ```
//!
//! ```compile_fail,E0597
//! fn write_from<B: miniss_linux::buf::IoBuf>(_: B) {}
//!
//! let bytes = [0; 8];
//! write_from(&bytes[..]);
//! ```
//!
//! # Which buffers there are
//!
//! | type | write from | read into | after a read of n bytes |
//! |---|---|---|---|
//! | `Vec<u8>`; `BytesMut` (feature `bytes`) | its `len` bytes | its whole capacity | `len` is n |
//! | `Box<[u8]>`, `[u8; N]`, [`AlignedBuf`] | all | all | as long as before |
//! | `&'static [u8]`, `&'static [u8; N]`, `&'static str` | all | no | |
//! | `String`, `Box<str>`, `Cow<'static, [u8]>`, `Cow<'static, str>` | all | no | |
//! | `Rc<[u8]>`, `Rc<str>`, `Arc<[u8]>`, `Arc<str>`; `Bytes` (feature `bytes`) | all | no | |
//! | [`PoolBuf`](crate::net::PoolBuf), what was received | what is left of it | no | |
//! | [`Slice`] of any of these | what is in the window | as the buffer inside | it never gets shorter |
//!
//! Several as one, for the vectored operations: `Vec<B>` and `[B; N]` of one type, and tuples of
//! two to eight of different types.
//!
//! # Invariants
//!
//! **Pinned while in flight.** Upheld by the operations. An operation first moves the buffer to
//! its slot, whose address never changes; only then does it ask for the memory, once, with
//! `as_init` or `as_uninit`. Until the terminal completion it does not move, drop or lend the
//! buffer, and it forms no reference that covers it. In the terms of the borrow checker: the
//! slot holds the borrow `&'op B` (or `&'op mut B`) from that call to the terminal completion.
//! Hence everything that is a sound implementation for the borrow checker is one for the kernel:
//! memory inside the buffer (`[u8; N]`) is as good as memory it points to, and [`IoBuf`] is safe
//! to implement. Nothing here may be used with a buffer that a future carries inline, because a
//! future moves, and can be dropped, too early.
//!
//! **Initialised stays initialised.** Upheld by each caller of `as_uninit`. That memory is typed
//! `MaybeUninit` because some of it was never written, not because it may be un-written: only
//! initialised bytes are stored there. The kernel stores nothing else.
//!
//! **One memory.** Upheld by each [`IoBufMut`]. `as_init` is the beginning of the memory that
//! `as_uninit` gives, and only a holder of `&mut` can make it shorter. A [`Slice`]
//! relies on it: what it once saw initialised in front of its window still is.

mod aligned;
mod io_buf;
mod slice;
mod vectored;

#[cfg(all(test, not(loom)))]
mod tests;

pub use aligned::AlignedBuf;
pub(crate) use aligned::{BLOCK_BYTES, CHUNK_BYTES, Chunk};
#[cfg(feature = "futures-io")]
pub(crate) use io_buf::as_uninit;
pub use io_buf::{IoBuf, IoBufMut};
pub use slice::Slice;
pub use vectored::{IOVECS_INLINE, IOVECS_MAX, IoVecBuf, IoVecBufMut, IoVecs};

use std::io;

/// The result of an operation, and the buffer it was done with.
///
/// The buffer comes back whether the operation succeeded or failed. It is a pair, so `?` cannot be
/// applied to it. Take the result out of it, or turn it into a result:
///
/// ```
/// use miniss_linux::buf::BufResultExt;
///
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// stream.write_all("hello").await.0?; // the buffer is not wanted
///
/// let (result, buffer) = peer.read(vec![0; 64]).await; // it is, even after an error
/// assert_eq!(buffer[..result?], *b"hello");
///
/// stream.write_all("again").await.0?;
/// let (length, buffer) = peer.read(buffer).await.into_result()?; // only after a success
/// assert_eq!(buffer[..length], *b"again");
/// # Ok(()) });
/// ```
///
/// Without that the compiler says that `?` needs a value that implements `Try`:
///
/// ```compile_fail,E0277
/// # miniss_linux::doctest::connected(async |stream, peer| {
/// stream.write_all("hello").await?;
/// # Ok(()) });
/// ```
pub type BufResult<T, B> = (io::Result<T>, B);

/// Makes one result of a [`BufResult`].
pub trait BufResultExt<T, B> {
    /// The value and the buffer.
    ///
    /// # Errors
    ///
    /// That of the operation; the buffer is dropped.
    fn into_result(self) -> io::Result<(T, B)>;
}

impl<T, B> BufResultExt<T, B> for BufResult<T, B> {
    fn into_result(self) -> io::Result<(T, B)> {
        let (result, buffer) = self;
        result.map(|value| (value, buffer))
    }
}

/// The most bytes one operation transfers; a longer buffer leads to a short read or write.
///
/// It is the kernel's own `MAX_RW_COUNT`: the largest `i32` rounded down to a page of 4 KiB. So
/// it fits the `u32` length of a submission and the `i32` result of a completion.
///
/// ```
/// use miniss_linux::buf::OP_BYTES_MAX;
///
/// let huge: u64 = 5 << 30;
/// assert_eq!(huge.min(OP_BYTES_MAX.into()), 2_147_479_552);
/// ```
pub const OP_BYTES_MAX: u32 = 0x7fff_f000;

const _: () = assert!(OP_BYTES_MAX <= i32::MAX as u32);

/// The length to put in a submission for a buffer of `bytes`: at most [`OP_BYTES_MAX`].
///
/// ```
/// use miniss_linux::buf::{OP_BYTES_MAX, op_len};
///
/// assert_eq!(op_len(512), 512);
/// assert_eq!(op_len(usize::MAX), OP_BYTES_MAX);
/// ```
pub const fn op_len(bytes: usize) -> u32 {
    if bytes < OP_BYTES_MAX as usize { bytes as u32 } else { OP_BYTES_MAX }
}

/// Copies as much of `bytes` as there is room for into `buffer`, as a read would; returns how much
/// that was.
pub(crate) fn copy_into<B: IoBufMut>(buffer: &mut B, bytes: &[u8]) -> usize {
    // SAFETY: *Initialised stays initialised*: only bytes are stored.
    let room = unsafe { buffer.as_uninit() };
    let len = room.len().min(bytes.len());
    room[..len].write_copy_of_slice(&bytes[..len]);
    // SAFETY: the first `len` bytes were written by the line above.
    unsafe { buffer.set_len(len) };
    len
}

/// Whether there is room for a byte in any of them.
pub(crate) fn has_room<V: IoVecBufMut>(buffers: &mut V) -> bool {
    let mut has_room = false;
    // SAFETY: nothing is stored.
    unsafe { buffers.for_each_uninit(|room| has_room |= !room.is_empty()) };
    has_room
}

/// As [`copy_into`], one buffer after the other.
pub(crate) fn copy_into_all<V: IoVecBufMut>(buffers: &mut V, bytes: &[u8]) -> usize {
    let mut done = 0;
    // SAFETY: *Initialised stays initialised*: only bytes are stored.
    unsafe {
        buffers.for_each_uninit(|room| {
            let len = room.len().min(bytes.len() - done);
            room[..len].write_copy_of_slice(&bytes[done..done + len]);
            done += len;
        });
    }
    // SAFETY: the first `done` bytes, front to back, were written above.
    unsafe { buffers.set_len_all(done) };
    done
}
