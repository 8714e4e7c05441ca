//! A file as a stream of bytes that go: one piece is written while the program fills the next.
//!
//! What a write has left, because it failed or was short, stays, and the next write is of that. So
//! the file has no gap, and an error can be seen to and the writing go on.
//!
//! A [`DirectFile`] takes whole blocks. So each byte lies in its piece as far beyond a multiple of
//! a block as in the file, and what is no whole block goes [another way](write_through).

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use miniss_core::coop::Leaf;

use super::direct::DirectFile;
use super::reader::PIECE_BYTES;
use super::transfer::check_offset;
use crate::buf::{AlignedBuf, BufResult, IoBuf, Slice};
use crate::op::file::{Begins, write_at, write_through};

/// Writes a file from the cursor on, front to back, behind the program: while the program fills one
/// piece, the kernel takes the one before. It holds two pieces of memory, of 128 KiB each unless
/// [`with_capacity`](Self::with_capacity) says otherwise; if both are full, a write waits.
///
/// An error is told once, by a later write, [`flush`](Self::flush) or [`close`](Self::close). No
/// byte that was taken is lost by it: the next call tries to write it again.
///
/// Dropping it loses what was taken and not flushed, and no one hears of it: the piece that is
/// being written is written whole or not at all, unless the system takes only a part of it, and the
/// rest is not. So a program ends with `flush` or `close`.
///
/// Over a [`DirectFile`] whole blocks go past the kernel's memory. What is no whole block goes
/// through it, by a thread of the pool: the first bytes of a stream that does not begin at a block,
/// and what `flush` or `close` find at the end. So the file has the bytes that were given, and no
/// others, also in the midst of older ones. If it was opened to append, all goes through the
/// kernel's memory, since its end need not fit the device.
///
/// With the feature `futures-io` it has `AsyncWrite` of that crate, with the feature `tokio` that
/// of tokio; to close it, or shut it down, is to [`close`](Self::close) it.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::{self, File, FileWriter};
///
/// let mut writer = FileWriter::new(File::create(folder.join("squares")).await?);
/// for number in 0..1000_u32 {
///     writer.write_all(format!("{}\n", number * number).as_bytes()).await?;
/// }
/// writer.close().await?; // all is written
/// assert!(fs::read_to_string(folder.join("squares")).await?.ends_with("\n998001\n"));
/// # Ok(()) });
/// ```
///
/// Past the kernel's memory, and read again in the same way:
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::{DirectFile, FileReader, FileWriter};
///
/// let mut writer = FileWriter::new(DirectFile::create(folder.join("table")).await?);
/// writer.write_all(&[7; 10_000]).await?;
/// writer.close().await?;
///
/// let mut reader = FileReader::new(DirectFile::open(folder.join("table")).await?);
/// let mut bytes = Vec::new();
/// assert_eq!(reader.read_until(b'\n', &mut bytes).await?, 10_000);
/// # Ok(()) });
/// ```
pub struct FileWriter {
    /// Its cursor is where the next write begins, or the one in flight did.
    file: DirectFile,
    /// A wait for the cursor, before the first write.
    begins: Option<Begins>,
    leaf: Leaf,
    piece_bytes: usize,
    /// The bytes from `begin` to `end` were taken, and are not yet `out`.
    bytes: AlignedBuf,
    begin: usize,
    end: usize,
    /// What is left to be written of the piece before, unless it is in the operation.
    out: Slice<AlignedBuf>,
    behind: Option<WriteBehind>,
    closing: Option<miniss_core::Future<io::Result<()>>>,
}

type WriteBehind = Pin<Box<dyn Future<Output = BufResult<usize, Slice<AlignedBuf>>>>>;

impl FileWriter {
    /// Writes from the cursor of `file` on; at its end, if it was opened to append. It is a
    /// [`File`](super::File) or a [`DirectFile`].
    pub fn new(file: impl Into<DirectFile>) -> Self {
        Self::with_capacity(PIECE_BYTES, file)
    }

    /// As [`new`](Self::new), with pieces of `piece_bytes`, or of as many as fit the device.
    ///
    /// # Panics
    ///
    /// If it is 0.
    pub fn with_capacity(piece_bytes: usize, file: impl Into<DirectFile>) -> Self {
        assert!(piece_bytes > 0, "a piece has at least one byte");
        let file = file.into();
        Self {
            begins: Some(file.as_file().file.cursor_free()),
            leaf: Leaf::new(),
            piece_bytes: piece_bytes.next_multiple_of(file.step()),
            bytes: AlignedBuf::default(),
            begin: 0,
            end: 0,
            out: AlignedBuf::default().slice(..),
            behind: None,
            closing: None,
            file,
        }
    }

    /// Takes some of `bytes`, and returns how many: at least one, if there are any.
    ///
    /// # Errors
    ///
    /// That of a write before, as for [`File::write_at`](super::File::write_at), or `EBADF` from
    /// the beginning of a [`close`](Self::close) on; nothing was taken then.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: nothing was taken.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_take(cx, &[IoSlice::new(bytes)])).await
    }

    /// Takes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); a part may have been taken.
    ///
    /// # Cancellation
    ///
    /// A part may have been taken.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let len = self.write(bytes).await?;
            bytes = &bytes[len..];
        }
        Ok(())
    }

    /// Waits until all that was taken is written: then it outlives the process, and a loss of power
    /// only after a [sync](Self::sync_data).
    ///
    /// # Errors
    ///
    /// As for [`File::write_at`](super::File::write_at). What could not be written stays, and the
    /// next call tries again.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_sent(cx)).await
    }

    /// [Flushes](Self::flush), and waits until what was taken is on the disk.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush) and [`File::sync_data`](super::File::sync_data).
    ///
    /// # Cancellation
    ///
    /// Cancel safe; the sync may go on, and no one hears of it.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # use miniss_linux::fs::{File, FileWriter};
    /// let mut writer = FileWriter::new(File::create(folder.join("ledger")).await?);
    /// writer.write_all(b"paid").await?;
    /// writer.sync_data().await?;
    /// # Ok(()) });
    /// ```
    pub async fn sync_data(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.file.as_file().sync_data().await
    }

    /// Writes all that was taken, and closes the file. Without an error, all is written. To close
    /// it again is no error.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush), and then the file is still open, and this can be called
    /// again; as for [`File::close`](super::File::close).
    ///
    /// # Cancellation
    ///
    /// Cancel safe; the next call goes on with it.
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Takes from the pieces, front to back, as long as there is room.
    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.leaf.poll_proceed(cx));
        self.file.as_file().file.fd.check_open()?;
        ready!(self.poll_begun(cx));
        if self.end == self.piece_bytes {
            ready!(self.poll_written(cx))?;
            self.hand_over();
        }
        if self.bytes.is_empty() {
            self.bytes = self.file.buffer(self.piece_bytes);
        }
        let before = self.end;
        for piece in pieces {
            let room = &mut self.bytes[self.end..];
            let len = room.len().min(piece.len());
            room[..len].copy_from_slice(&piece[..len]);
            self.end += len;
        }
        let taken = self.end - before;
        if self.end == self.piece_bytes && self.is_idle() {
            self.hand_over();
        }
        Poll::Ready(Ok(taken))
    }

    /// Ready once the cursor is where the first write begins.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(begins) = &mut self.begins {
            ready!(begins.as_mut().poll(cx));
            self.begins = None;
            self.begin = self.file.beyond_block(self.offset());
            self.end = self.begin;
        }
        Poll::Ready(())
    }

    fn offset(&self) -> u64 {
        self.file.as_file().file.cursor.get()
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.leaf.poll_proceed(cx));
        ready!(self.poll_written(cx))?;
        if self.begin == self.end {
            return Poll::Ready(Ok(()));
        }
        self.hand_over();
        self.poll_written(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(self.poll_sent(cx))?;
            self.closing = self.file.as_file().file.start_telling_close();
        }
        let Some(closing) = &mut self.closing else { return Poll::Ready(Ok(())) };
        let told = ready!(Pin::new(closing).poll(cx));
        self.closing = None;
        // No word: its descriptor was lent, and there was none to close in its place.
        Poll::Ready(told.unwrap_or(Ok(())))
    }

    /// Ready once nothing is out.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_idle() {
            if self.behind.is_none() {
                self.behind = Some(self.start()?);
            }
            let Some(behind) = &mut self.behind else { break };
            let (result, window) = ready!(behind.as_mut().poll(cx));
            self.behind = None;
            let (left, len) = (window.range(), *result.as_ref().unwrap_or(&0));
            self.out = window.into_inner().slice(left.start + len..left.end);
            if result? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.file.as_file().file.advance(len);
        }
        Poll::Ready(Ok(()))
    }

    fn is_idle(&self) -> bool {
        self.behind.is_none() && self.out.is_empty()
    }

    /// Begins to write what was taken; nothing is out.
    fn hand_over(&mut self) {
        let spare = self.take_out().into_inner();
        self.out = mem::replace(&mut self.bytes, spare).slice(self.begin..self.end);
        self.begin = self.end % self.file.step();
        self.end = self.begin;
        // If it cannot begin, the next call says why.
        self.behind = self.start().ok();
    }

    fn take_out(&mut self) -> Slice<AlignedBuf> {
        mem::replace(&mut self.out, AlignedBuf::default().slice(..))
    }

    /// Begins to write what is out, or as much of it as goes the same way.
    fn start(&mut self) -> io::Result<WriteBehind> {
        let offset = self.offset();
        check_offset(offset)?;
        let share = self.file.as_file().file.share()?;
        let (out, file) = (self.take_out(), &self.file.as_file().file);
        Ok(match self.way(out.len()) {
            Way::Direct(len) => {
                let write = file.start(write_at(share, out.slice(..len), offset));
                Box::pin(async {
                    let (result, window) = write.await;
                    (result, window.into_inner())
                })
            }
            Way::Through(len) => {
                let write = file.start(write_through(share, out[..len].to_vec(), offset));
                Box::pin(async { (write.await.flatten(), out) })
            }
        })
    }

    /// How the next of `len` bytes are written. The end of a file that is appended to need not fit.
    fn way(&self, len: usize) -> Way {
        let (step, beyond) = (self.file.step(), self.file.beyond_block(self.offset()));
        let (whole, appends) = (len - len % step, self.file.as_file().file.appends);
        match beyond {
            _ if step == 1 => Way::Direct(len),
            0 if whole > 0 && !appends => Way::Direct(whole),
            0 => Way::Through(len),
            _ => Way::Through(len.min(step - beyond)),
        }
    }
}

/// How bytes are written, and how many of them.
enum Way {
    /// As the file is open.
    Direct(usize),
    /// Through the kernel's memory.
    Through(usize),
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl FileWriter {
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_take(cx, &[IoSlice::new(bytes)])
    }

    fn poll_send_vectored(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_take(cx, pieces)
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
crate::io_traits::impl_async_write!([] FileWriter);
