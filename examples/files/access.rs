//! How a file is read and written: through the kernel's memory, or past it.
//!
//! Past it, the device moves bytes to and from the buffers of the program. A copy of much that no
//! one reads soon does not then drive out what others have in the kernel's memory; but nothing is
//! read ahead and nothing is written behind, so small files take longer.

use std::io;
use std::ops::DerefMut;
use std::path::Path;

use miniss_linux::buf::{AlignedBuf, BufResult, IoBufMut, Slice};
use miniss_linux::fs::{DirectFile, File, OpenOptions};

/// A file that is open in the one way or the other.
pub trait Access: Sized {
    /// What it is read into and written from.
    type Buffer: IoBufMut + DerefMut<Target = [u8]>;

    /// Opens the file at `path`.
    async fn open(options: &OpenOptions, path: &Path) -> io::Result<Self>;

    /// What is done with it besides reads and writes.
    fn file(&self) -> &File;

    /// A buffer with room for `len` bytes, or more.
    fn buffer(&self, len: usize) -> Self::Buffer;

    /// What the place and the length of a write must be multiples of.
    fn step(&self) -> usize;

    /// See [`File::read_at`].
    async fn read_at<B: IoBufMut>(&self, buffer: B, offset: u64) -> BufResult<usize, B>;

    /// See [`File::write_all_at`].
    async fn write_all_at(
        &self,
        bytes: Slice<Self::Buffer>,
        offset: u64,
    ) -> BufResult<(), Slice<Self::Buffer>>;
}

impl Access for File {
    type Buffer = Vec<u8>;

    async fn open(options: &OpenOptions, path: &Path) -> io::Result<Self> {
        options.open(path).await
    }

    fn file(&self) -> &File {
        self
    }

    fn buffer(&self, len: usize) -> Vec<u8> {
        Vec::with_capacity(len)
    }

    fn step(&self) -> usize {
        1
    }

    async fn read_at<B: IoBufMut>(&self, buffer: B, offset: u64) -> BufResult<usize, B> {
        self.read_at(buffer, offset).await
    }

    async fn write_all_at(
        &self,
        bytes: Slice<Vec<u8>>,
        offset: u64,
    ) -> BufResult<(), Slice<Vec<u8>>> {
        self.write_all_at(bytes, offset).await
    }
}

impl Access for DirectFile {
    type Buffer = AlignedBuf;

    async fn open(options: &OpenOptions, path: &Path) -> io::Result<Self> {
        options.open_direct(path).await
    }

    fn file(&self) -> &File {
        self.as_file()
    }

    fn buffer(&self, len: usize) -> AlignedBuf {
        self.buffer(len)
    }

    fn step(&self) -> usize {
        self.alignment().offset
    }

    async fn read_at<B: IoBufMut>(&self, buffer: B, offset: u64) -> BufResult<usize, B> {
        self.read_at(buffer, offset).await
    }

    async fn write_all_at(
        &self,
        bytes: Slice<AlignedBuf>,
        offset: u64,
    ) -> BufResult<(), Slice<AlignedBuf>> {
        self.write_all_at(bytes, offset).await
    }
}
