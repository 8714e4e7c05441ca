//! A file as a stream of bytes that come: the next piece is read while the program works on this
//! one.
//!
//! One read is in flight at a time. It begins when the one before has ended, so its offset is
//! right, however short that was. Of a [`DirectFile`] it begins at a block: so it may read what is
//! before its offset, too.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use miniss_core::coop::Leaf;

use super::direct::DirectFile;
use super::file::File;
use super::paths::text;
use super::transfer::check_offset;
use crate::buf::{AlignedBuf, BufResult, IoBuf, Slice};
use crate::op::file::{Begins, read_at};

/// How many bytes a piece of a stream over a file has. The kernel reads ahead as much by itself.
pub(super) const PIECE_BYTES: usize = 128 << 10;

/// Reads a file from the cursor on, front to back, and reads ahead: while the program works on one
/// piece, the kernel brings the next. It holds two pieces of memory, of 128 KiB each unless
/// [`with_capacity`](Self::with_capacity) says otherwise, so what it copies into may be borrowed.
///
/// With the feature `futures-io` it has `AsyncRead` and `AsyncBufRead` of that crate, with the
/// feature `tokio` those of tokio. No `BufReader` is needed around it.
///
/// A [`DirectFile`] is read past the kernel's memory, from any cursor on, and to
/// an end that fits no device, too.
///
/// What others write to the file while it is read may be seen or not, as far as it has read ahead.
/// Of a file that has no positions, such as a pipe, what was read ahead is lost with the reader.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// # let path = folder.join("log");
/// # miniss_linux::fs::write(&path, "first\nsecond\n").await.0?;
/// use miniss_linux::fs::{File, FileReader};
///
/// let mut reader = FileReader::new(File::open(&path).await?);
/// let (mut line, mut longest) = (String::new(), 0);
/// while reader.read_line(&mut line).await? > 0 {
///     longest = longest.max(line.trim_end().len());
///     line.clear();
/// }
/// assert_eq!(longest, 6);
/// # Ok(()) });
/// ```
pub struct FileReader {
    /// Its cursor is where the next read begins, or the one in flight did.
    file: DirectFile,
    /// A wait for the cursor, before the first read.
    begins: Option<Begins>,
    leaf: Leaf,
    piece_bytes: usize,
    /// Read; the first `taken` of it are used up.
    bytes: Slice<AlignedBuf>,
    taken: usize,
    ahead: Option<ReadAhead>,
    /// Memory for the next read.
    spare: AlignedBuf,
}

type ReadAhead = Pin<Box<dyn Future<Output = BufResult<usize, AlignedBuf>>>>;

impl FileReader {
    /// Reads from the cursor of `file` on, once it is asked to. It is a [`File`] or a
    /// [`DirectFile`].
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
        let piece_bytes = piece_bytes.next_multiple_of(file.step());
        let begins = Some(file.as_file().file.cursor_free());
        let (bytes, spare) = (AlignedBuf::default().slice(..), AlignedBuf::default());
        let leaf = Leaf::new();
        Self { file, begins, leaf, piece_bytes, bytes, taken: 0, ahead: None, spare }
    }

    /// The bytes that are next, at least one; none at the end of the file. They come again until
    /// they are [used up](Self::consume). A file that has grown since goes on after its end.
    ///
    /// # Errors
    ///
    /// As for [`File::read_at`]. An error comes in the place of the bytes that could not be read,
    /// when all before are used up, and the next call tries again.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: the read goes on for the next call.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("page");
    /// # miniss_linux::fs::write(&path, [1; 1000]).await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// let mut reader = miniss_linux::fs::FileReader::new(file);
    /// let mut sum = 0;
    /// loop {
    ///     let bytes = reader.fill_buf().await?;
    ///     if bytes.is_empty() {
    ///         break;
    ///     }
    ///     let len = bytes.len();
    ///     sum += bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>();
    ///     reader.consume(len);
    /// }
    /// assert_eq!(sum, 1000);
    /// # Ok(()) });
    /// ```
    pub async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        poll_fn(|cx| self.poll_fill(cx)).await?;
        Ok(&self.bytes[self.taken..])
    }

    /// Says that `len` of the bytes that [`fill_buf`](Self::fill_buf) gave are used up.
    ///
    /// # Panics
    ///
    /// If there were not so many.
    pub fn consume(&mut self, len: usize) {
        assert!(len <= self.bytes.len() - self.taken, "more used up than there is");
        self.taken += len;
    }

    /// Reads into `memory`, and returns how many bytes; 0 means that the file ends there, or that
    /// there is no room. Fewer than there is room for may come before the end of the file, too.
    ///
    /// # Errors
    ///
    /// As for [`fill_buf`](Self::fill_buf).
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn read(&mut self, memory: &mut [u8]) -> io::Result<usize> {
        if memory.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf().await?;
        let len = bytes.len().min(memory.len());
        memory[..len].copy_from_slice(&bytes[..len]);
        self.consume(len);
        Ok(len)
    }

    /// Reads up to the next `end`, or to the end of the file. What is read comes behind what is in
    /// `bytes`, with the `end`. Returns how many bytes; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// As for [`fill_buf`](Self::fill_buf); what was read before is in `bytes`.
    ///
    /// # Cancellation
    ///
    /// What was read before is in `bytes`: nothing is lost.
    pub async fn read_until(&mut self, end: u8, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        loop {
            let next = self.fill_buf().await?;
            let end = next.iter().position(|byte| *byte == end);
            let len = end.map_or(next.len(), |place| place + 1);
            bytes.extend_from_slice(&next[..len]);
            self.consume(len);
            if end.is_some() || len == 0 {
                return Ok(bytes.len() - before);
            }
        }
    }

    /// Reads a line of text, up to the next `\n` and with it, or to the end of the file. It comes
    /// behind what is in `line`. Returns how many bytes; 0 at the end of the file.
    ///
    /// # Errors
    ///
    /// As for [`fill_buf`](Self::fill_buf); `InvalidData` if it is not UTF-8. What was read of the
    /// line is lost then.
    ///
    /// # Cancellation
    ///
    /// What was read of a line that is longer than a piece is lost.
    pub async fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let len = self.read_until(b'\n', &mut bytes).await?;
        line.push_str(&text(bytes)?);
        Ok(len)
    }

    /// Where in the file the bytes come from that are next.
    pub fn position(&self) -> u64 {
        self.offset() - (self.bytes.len() - self.taken) as u64
    }

    /// Gives the file back; its cursor is at the bytes that would have been next. It is
    /// [what a `DirectFile` gives](DirectFile::into_file), if it was made of one.
    pub fn into_file(self) -> File {
        self.file.as_file().file.cursor.set(self.position());
        self.file.into_file()
    }

    /// Ready once there are bytes, or the end of the file is here.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.leaf.poll_proceed(cx));
        if self.taken < self.bytes.len() {
            return Poll::Ready(Ok(()));
        }
        if let Some(begins) = &mut self.begins {
            ready!(begins.as_mut().poll(cx));
            self.begins = None;
        }
        if self.ahead.is_none() {
            self.ahead = Some(self.start()?);
        }
        let Some(ahead) = &mut self.ahead else { return Poll::Pending };
        let (result, piece) = ready!(ahead.as_mut().poll(cx));
        self.ahead = None;
        let skip = self.file.beyond_block(self.offset());
        let end = result.as_ref().map_or(skip, |len| skip.max(*len));
        self.spare = mem::replace(&mut self.bytes, piece.slice(skip..end)).into_inner();
        self.taken = 0;
        result?;
        self.file.as_file().file.advance(self.bytes.len());
        if !self.bytes.is_empty() {
            // If it cannot begin, the next call says why.
            self.ahead = self.start().ok();
        }
        Poll::Ready(Ok(()))
    }

    /// Begins to read.
    fn start(&mut self) -> io::Result<ReadAhead> {
        let (file, offset) = (&self.file.as_file().file, self.offset());
        check_offset(offset)?;
        let share = file.share()?;
        let mut room = mem::take(&mut self.spare);
        if room.is_empty() {
            room = self.file.buffer(self.piece_bytes);
        }
        let block = offset - self.file.beyond_block(offset) as u64;
        Ok(Box::pin(file.start(read_at(share, room, block))))
    }

    fn offset(&self) -> u64 {
        self.file.as_file().file.cursor.get()
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position();
        f.debug_struct("FileReader").field("position", &position).finish_non_exhaustive()
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
impl FileReader {
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut [mem::MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if memory.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let bytes = ready!(self.poll_lend(cx))?;
        let len = bytes.len().min(memory.len());
        memory[..len].write_copy_of_slice(&bytes[..len]);
        self.consume(len);
        Poll::Ready(Ok(len))
    }

    fn poll_lend(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.poll_fill(cx))?;
        Poll::Ready(Ok(&self.bytes[self.taken..]))
    }

    fn advance(&mut self, len: usize) {
        self.consume(len);
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio"))]
crate::io_traits::impl_async_read!([] FileReader);
