//! Files that are read and written past the kernel's memory.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;

use super::file::File;
use super::open::OpenOptions;
use crate::buf::{AlignedBuf, BLOCK_BYTES, BufResult, CHUNK_BYTES, IoBuf, IoBufMut, copy_into};
use crate::op::file::set_direct;
use crate::op::steps;

/// A file that is read and written past the kernel's memory (`O_DIRECT`), for programs that keep
/// what they have read themselves, as databases do.
///
/// The device moves bytes to and from the buffer itself. So place, length and memory must fit it:
/// [`alignment`](Self::alignment) says how, and [`buffer`](Self::buffer) makes one that does. What
/// does not fit is treated so:
///
/// | | a read | a write |
/// |---|---|---|
/// | memory | by way of another buffer, with a copy | by way of another buffer, with a copy |
/// | offset or length | by way of another buffer, with a copy | [`Misaligned`], and nothing is written |
///
/// For bytes of any number, one after the other, there are [`FileReader`](super::FileReader) and
/// [`FileWriter`](super::FileWriter).
///
/// Where the file system knows no such reads and writes, they are usual ones, and nothing needs to
/// be aligned: [`is_direct`](Self::is_direct) tells. A write is on the disk when the device has
/// taken it out of its own memory, as [`sync_data`](File::sync_data) sees to.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::DirectFile;
///
/// let file = DirectFile::create(folder.join("pages")).await?;
/// let mut page = file.buffer(4096);
/// page[..5].copy_from_slice(b"hello");
/// let (result, page) = file.write_all_at(page, 4096).await;
/// result?;
/// file.as_file().sync_data().await?;
///
/// let (result, page) = file.read_exact_at(page, 4096).await;
/// result?;
/// assert_eq!(page[..5], *b"hello");
/// // Read with a copy, as it fits no device.
/// assert_eq!(file.read_at([0; 3], 4097).await.1, *b"ell");
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    alignment: Option<Alignment>,
}

/// What the reads and writes of a [`DirectFile`] must be multiples of; both are powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alignment {
    /// The address of the memory.
    pub memory: usize,
    /// The offset in the file, and the length.
    pub offset: usize,
}

impl Alignment {
    /// Where the system does not tell: a page fits all devices that there are.
    const UNKNOWN: Self = Self { memory: BLOCK_BYTES, offset: BLOCK_BYTES };
    /// Nothing has to fit.
    const NONE: Self = Self { memory: 1, offset: 1 };
}

/// Bytes that one read or write moves by way of another buffer, as many as the pool gives at once:
/// more of them make it short.
const BOUNCE_BYTES_MAX: usize = CHUNK_BYTES;

impl OpenOptions {
    /// Opens the file at `path` to be read and written past the kernel's memory.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As for [`open`](Self::open).
    pub async fn open_direct(&self, path: impl AsRef<Path>) -> io::Result<DirectFile> {
        let file = self.open(path).await?;
        // Not with the flag at once: where it is refused, the file would have been made already.
        let alignment = match file.metadata().await?.direct_alignment() {
            Some((0, _) | (_, 0)) => None,
            Some((memory, offset)) => Some(Alignment { memory, offset }),
            None => Some(Alignment::UNKNOWN),
        };
        let is_direct = alignment.is_some() && file.call(|file| Ok(set_direct(file, true))).await?;
        file.file.is_direct.set(is_direct);
        Ok(DirectFile { file, alignment: alignment.filter(|_| is_direct) })
    }
}

impl DirectFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As for [`File::open`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As for [`File::open`].
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open_direct(path).await
    }

    /// Opens a file for reading and writing; makes it if there is none, else makes it empty.
    ///
    /// # Errors
    ///
    /// As for [`File::create`].
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// As for [`File::create`].
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        options.open_direct(path).await
    }

    /// Whether it is read and written past the kernel's memory, or as any file because the file
    /// system knows nothing else.
    pub fn is_direct(&self) -> bool {
        self.alignment.is_some()
    }

    /// What its reads and writes must be multiples of; 1 if it is not [direct](Self::is_direct).
    pub fn alignment(&self) -> Alignment {
        self.alignment.unwrap_or(Alignment::NONE)
    }

    /// A buffer that fits, of `len` bytes or up to the next multiple. It begins a page, for a
    /// device is told of each. It is not cleared: it may have bytes of a buffer before it.
    ///
    /// It comes from a pool of this shard, and goes back when it is dropped, there or elsewhere.
    /// The pool has buffers of up to 256 KiB, 8 MiB of them at a time, and keeps 1 MiB of memory
    /// that is not used; what it does not have, the allocator gives. With io_uring the kernel knows
    /// the pool's memory, as far as the limit of locked memory allows (`RLIMIT_MEMLOCK`, a quarter
    /// of which may be used for that), and reads and writes of it take less time.
    pub fn buffer(&self, len: usize) -> AlignedBuf {
        let Alignment { memory, offset } = self.alignment();
        self.file.file.driver().aligned_buffer(len.next_multiple_of(offset), memory)
    }

    /// What offsets and places in memory must both be multiples of.
    pub(super) fn step(&self) -> usize {
        self.alignment().memory.max(self.alignment().offset)
    }

    /// How far an offset is beyond the beginning of its block.
    pub(super) fn beyond_block(&self, offset: u64) -> usize {
        (offset % self.step() as u64) as usize
    }

    /// The file, for all but its reads and writes.
    pub fn as_file(&self) -> &File {
        &self.file
    }

    /// Gives the file, whose reads and writes then must fit the device.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Reads at `offset` into `buffer`; otherwise like [`File::read_at`]. What does not fit the
    /// device comes by way of another buffer, up to 256 KiB of it.
    ///
    /// # Errors
    ///
    /// As for [`File::read_at`].
    ///
    /// # Cancellation
    ///
    /// As for [`File::read_at`].
    pub async fn read_at<B: IoBufMut>(&self, mut buffer: B, offset: u64) -> BufResult<usize, B> {
        let Alignment { offset: step, .. } = self.alignment();
        let fits_place = is_multiple(offset, step) && buffer.bytes_total().is_multiple_of(step);
        if fits_place && self.fits_memory(&buffer) || buffer.bytes_total() == 0 {
            return self.file.read_at(buffer, offset).await;
        }
        let skip = (offset % step as u64) as usize;
        let len = (skip + buffer.bytes_total()).next_multiple_of(step).min(BOUNCE_BYTES_MAX);
        let (result, bounce) = self.file.read_at(self.buffer(len), offset - skip as u64).await;
        let read = match result {
            Ok(read) => read,
            Err(error) => return (Err(error), buffer),
        };
        let copied = copy_into(&mut buffer, bounce[..read].get(skip..).unwrap_or_default());
        (Ok(copied), buffer)
    }

    /// Reads at `offset` until `buffer` is full.
    ///
    /// # Errors
    ///
    /// As for [`File::read_exact_at`].
    ///
    /// # Cancellation
    ///
    /// As for [`File::read_at`].
    pub fn read_exact_at<B: IoBufMut>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<(), B>> {
        let at = move |done| offset.saturating_add(done as u64);
        steps::read_exact(buffer, move |rest, done| self.read_at(rest, at(done)))
    }

    /// Writes from `buffer` at `offset`; otherwise like [`File::write_at`]. Memory that does not
    /// fit the device is copied first, up to 256 KiB of it.
    ///
    /// # Errors
    ///
    /// As for [`File::write_at`]; [`Misaligned`] inside of an `InvalidInput` if the offset or the
    /// length does not fit, before anything is written.
    ///
    /// # Cancellation
    ///
    /// As for [`File::write_at`].
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// use miniss_linux::fs::{DirectFile, Misaligned};
    ///
    /// let file = DirectFile::create(folder.join("pages")).await?;
    /// if let Err(error) = file.write_at("short", 0).await.0 {
    ///     let misaligned = error.get_ref().unwrap().downcast_ref::<Misaligned>().unwrap();
    ///     assert_eq!(misaligned.required, file.alignment().offset);
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn write_at<B: IoBuf>(&self, buffer: B, offset: u64) -> BufResult<usize, B> {
        if let Err(misaligned) = self.check(offset, buffer.as_init().len()) {
            return (Err(misaligned.into()), buffer);
        }
        if self.fits_memory(&buffer) || buffer.as_init().is_empty() {
            return self.file.write_at(buffer, offset).await;
        }
        let bytes = buffer.as_init();
        let mut bounce = self.buffer(bytes.len().min(BOUNCE_BYTES_MAX));
        let len = bounce.len();
        bounce.copy_from_slice(&bytes[..len]);
        (self.file.write_at(bounce, offset).await.0, buffer)
    }

    /// Writes all of `buffer` at `offset`.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`File::write_all_at`].
    pub fn write_all_at<B: IoBuf>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<(), B>> {
        let at = move |done| offset.saturating_add(done as u64);
        steps::write_all(buffer, move |rest, done| self.write_at(rest, at(done)))
    }

    fn check(&self, offset: u64, len: usize) -> Result<(), Misaligned> {
        let required = self.alignment().offset;
        let is_of = |what, found| Misaligned { what, found, required };
        if !is_multiple(offset, required) {
            return Err(is_of("offset", offset));
        }
        if !len.is_multiple_of(required) {
            return Err(is_of("length", len as u64));
        }
        Ok(())
    }

    /// Whether the memory of a buffer will lie where the device wants it. Memory inside of the
    /// buffer itself moves with it, so no one knows.
    fn fits_memory<B: IoBuf>(&self, buffer: &B) -> bool {
        let (start, here) = (buffer.as_init().as_ptr().addr(), std::ptr::from_ref(buffer).addr());
        let moves = (here..here + size_of::<B>()).contains(&start);
        self.alignment.is_none_or(|alignment| !moves && start.is_multiple_of(alignment.memory))
    }
}

/// The file as it is: it is read and written as any file, through the kernel's memory.
impl From<File> for DirectFile {
    fn from(file: File) -> Self {
        Self { file, alignment: None }
    }
}

fn is_multiple(offset: u64, step: usize) -> bool {
    offset.is_multiple_of(step as u64)
}

/// A write of a [`DirectFile`] does not fit the device.
///
/// ```
/// use miniss_linux::fs::Misaligned;
///
/// let misaligned = Misaligned { what: "offset", found: 100, required: 512 };
/// let text = "the offset of a direct write, 100, is no multiple of 512";
/// assert_eq!(misaligned.to_string(), text);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misaligned {
    /// What of it: `"offset"` or `"length"`.
    pub what: &'static str,
    /// How large that is.
    pub found: u64,
    /// What it must be a multiple of.
    pub required: usize,
}

impl fmt::Display for Misaligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, required } = self;
        write!(f, "the {what} of a direct write, {found}, is no multiple of {required}")
    }
}

impl Error for Misaligned {}

impl From<Misaligned> for io::Error {
    fn from(misaligned: Misaligned) -> Self {
        Self::new(io::ErrorKind::InvalidInput, misaligned)
    }
}
