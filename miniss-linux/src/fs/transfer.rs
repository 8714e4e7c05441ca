//! How a file is read and written: at offsets, many at once, or by its cursor, one after the other.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{self, Seek, SeekFrom};
use std::rc::Rc;

use miniss_core::coop::consume_budget;

use super::file::File;
use crate::buf::{BufResult, IoBuf, IoBufMut, IoVecBuf, IoVecBufMut, has_room};
use crate::driver::Prepare;
use crate::op::file as op;
use crate::op::file::{ByCursor, CursorTurn, OpenFile, Share};
use crate::op::steps;

/// Reads and writes at offsets. They leave the cursor where it is, and any number of them may be in
/// progress at a time, in no order.
impl File {
    /// Reads at `offset` into `buffer`, from its beginning up to its capacity, and gives it back
    /// with the number of bytes read: 0 means that the file ends there, or that the buffer has no
    /// room. Fewer than there is room for may come, in particular before the end of the file; more
    /// than 2 GiB never come at once.
    ///
    /// A file that has no positions, such as a pipe, gives what comes next.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for an offset of `i64::MAX` or more, `EBADF` if the
    /// file was closed.
    ///
    /// # Cancellation
    ///
    /// Cancel safe but for the buffer, which is lost.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// use miniss_linux::fs::File;
    ///
    /// let file = File::open(&path).await?;
    /// let (result, bytes) = file.read_at(Vec::with_capacity(3), 2).await;
    /// assert_eq!(result?, 3);
    /// assert_eq!(bytes, b"cde");
    /// # Ok(()) });
    /// ```
    pub fn read_at<B: IoBufMut>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<usize, B>> {
        let has_room = buffer.bytes_total() > 0;
        transfer(&self.file, buffer, has_room, offset, op::read_at)
    }

    /// Reads at `offset` until `buffer` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file ends first; otherwise as for [`read_at`](Self::read_at).
    ///
    /// # Cancellation
    ///
    /// As for [`read_at`](Self::read_at).
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// let (result, bytes) = file.read_exact_at([0; 3], 2).await;
    /// result?;
    /// assert_eq!(bytes, *b"cde");
    /// assert!(file.read_exact_at([0; 3], 7).await.0.is_err());
    /// # Ok(()) });
    /// ```
    pub fn read_exact_at<B: IoBufMut>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<(), B>> {
        let at = move |done| offset.saturating_add(done as u64);
        steps::read_exact(buffer, move |rest, done| self.read_at(rest, at(done)))
    }

    /// Reads at `offset` into several buffers, one after the other; like
    /// [`read_at`](Self::read_at) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`read_at`](Self::read_at).
    ///
    /// # Cancellation
    ///
    /// As for [`read_at`](Self::read_at).
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// let (result, [head, body]) = file.read_vectored_at([vec![0; 2], vec![0; 3]], 1).await;
    /// assert_eq!(result?, 5);
    /// assert_eq!((&head[..], &body[..]), (&b"bc"[..], &b"def"[..]));
    /// # Ok(()) });
    /// ```
    pub async fn read_vectored_at<V: IoVecBufMut>(
        &self,
        mut buffers: V,
        offset: u64,
    ) -> BufResult<usize, V> {
        let has_room = has_room(&mut buffers);
        transfer(&self.file, buffers, has_room, offset, op::read_vectored_at).await
    }

    /// Writes from `buffer` at `offset`, and gives it back with the number of bytes written, which
    /// may be fewer than there are. Behind the end of the file it leaves a hole, which reads as
    /// zeroes.
    ///
    /// What was written is in the kernel's memory: it outlives the process, and a loss of power
    /// only after [`sync_data`](Self::sync_data). A file opened to append takes it at its end,
    /// whatever the offset.
    ///
    /// # Errors
    ///
    /// What the system says, `StorageFull` for instance; `InvalidInput` for an offset of `i64::MAX`
    /// or more, `EBADF` if the file was closed or is not open for writing.
    ///
    /// # Cancellation
    ///
    /// A write that has begun goes on to its end, as if it had been awaited; one that has not never
    /// begins. Another write at the same place may then go before it or behind it.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// use miniss_linux::fs::{self, File};
    ///
    /// let file = File::create(folder.join("page")).await?;
    /// let (result, _) = file.write_at("end", 5).await;
    /// assert_eq!(result?, 3);
    /// assert_eq!(fs::read(folder.join("page")).await?, b"\0\0\0\0\0end");
    /// # Ok(()) });
    /// ```
    pub fn write_at<B: IoBuf>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<usize, B>> {
        let has_bytes = !buffer.as_init().is_empty();
        transfer(&self.file, buffer, has_bytes, offset, op::write_at)
    }

    /// Writes all of `buffer` at `offset`.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write_at`](Self::write_at), if the system takes all at once, as it does up to 2 GiB
    /// while there is room; else a part of it may be written.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("page")).await?;
    /// let page = vec![7; 4096];
    /// let (result, page) = file.write_all_at(page, 3 * 4096).await;
    /// result?;
    /// assert_eq!(page.len(), 4096); // to be used again
    /// # Ok(()) });
    /// ```
    pub fn write_all_at<B: IoBuf>(
        &self,
        buffer: B,
        offset: u64,
    ) -> impl Future<Output = BufResult<(), B>> {
        let at = move |done| offset.saturating_add(done as u64);
        steps::write_all(buffer, move |rest, done| self.write_at(rest, at(done)))
    }

    /// Writes from several buffers at `offset`, one after the other; like
    /// [`write_at`](Self::write_at) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    ///
    /// # Cancellation
    ///
    /// As for [`write_at`](Self::write_at).
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("record")).await?;
    /// let (result, _) = file.write_vectored_at(["key", "=", "value"], 0).await;
    /// assert_eq!(result?, 9);
    /// # Ok(()) });
    /// ```
    pub async fn write_vectored_at<V: IoVecBuf>(
        &self,
        buffers: V,
        offset: u64,
    ) -> BufResult<usize, V> {
        let mut has_bytes = false;
        buffers.for_each_init(|bytes| has_bytes |= !bytes.is_empty());
        transfer(&self.file, buffers, has_bytes, offset, op::write_vectored_at).await
    }
}

/// Reads and writes by the cursor: each begins where the last has ended. They have their turns one
/// after the other, in the order in which they were first polled.
impl File {
    /// Reads at the cursor into `buffer`, and moves the cursor behind what was read; like
    /// [`read_at`](Self::read_at) otherwise.
    ///
    /// # Errors
    ///
    /// As for [`read_at`](Self::read_at).
    ///
    /// # Cancellation
    ///
    /// Cancel safe but for the buffer, which is lost: the cursor stays where it is. Of a file
    /// without positions, such as a pipe, what was read is lost, too.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// assert_eq!(file.read([0; 3]).await.1, *b"abc");
    /// assert_eq!(file.read([0; 3]).await.1, *b"def");
    /// assert_eq!(file.read([0; 3]).await.0?, 2);
    /// assert_eq!(file.read([0; 3]).await.0?, 0); // the end
    /// # Ok(()) });
    /// ```
    pub async fn read<B: IoBufMut>(&self, buffer: B) -> BufResult<usize, B> {
        read(&self.file.turn().await, buffer).await
    }

    /// Reads at the cursor until `buffer` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file ends first, and then the cursor is at the end; otherwise as for
    /// [`read_at`](Self::read_at).
    ///
    /// # Cancellation
    ///
    /// The buffer is lost, and the cursor is behind a part of what was asked for.
    pub async fn read_exact<B: IoBufMut>(&self, buffer: B) -> BufResult<(), B> {
        let turn = self.file.turn().await;
        steps::read_exact(buffer, |rest, _| read(&turn, rest)).await
    }

    /// Reads from the cursor to the end of the file. What is read comes behind what is in `buffer`;
    /// the result says how much that is.
    ///
    /// # Errors
    ///
    /// As for [`read_at`](Self::read_at); what was read before is in the buffer.
    ///
    /// # Cancellation
    ///
    /// The buffer is lost, and the cursor is behind a part of the rest.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// file.seek(std::io::SeekFrom::End(-2)).await?;
    /// let (result, bytes) = file.read_to_end(b"the last: ".to_vec()).await;
    /// assert_eq!(result?, 2);
    /// assert_eq!(bytes, b"the last: gh");
    /// # Ok(()) });
    /// ```
    pub async fn read_to_end(&self, mut buffer: Vec<u8>) -> BufResult<usize, Vec<u8>> {
        let (turn, before) = (self.file.turn().await, buffer.len());
        let rest = match self.rest_after(&turn).await {
            Ok(rest) => rest,
            Err(error) => return (Err(error), buffer),
        };
        // One more than there is: so the end shows without growing.
        buffer.reserve(usize::try_from(rest).unwrap_or(usize::MAX).saturating_add(1).min(ROOM_MAX));
        loop {
            if buffer.len() == buffer.capacity() {
                buffer.reserve(buffer.capacity().max(ROOM_MIN));
            }
            let filled = buffer.len();
            let (result, slice) = read(&turn, buffer.slice(filled..)).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Ok(filled - before), buffer),
                Ok(_) => {}
                // It was in progress before it read, as it has asked for the length.
                Err(error) => return (Err(steps::error_after(1, error)), buffer),
            }
        }
    }

    /// How much of the file is behind the cursor, as far as its length tells.
    async fn rest_after(&self, turn: &CursorTurn) -> io::Result<u64> {
        let metadata = self.metadata().await?;
        Ok(metadata.len().saturating_sub(turn.cursor.get()))
    }

    /// Writes from `buffer` at the cursor, and moves the cursor behind what was written; like
    /// [`write_at`](Self::write_at) otherwise. In a file opened to append the cursor stays.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at).
    ///
    /// # Cancellation
    ///
    /// As for [`write_at`](Self::write_at). What goes on to its end moves the cursor, and later
    /// reads and writes by the cursor wait for it.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("page")).await?;
    /// let (result, text) = file.write("some of this, or all").await;
    /// println!("{} of {} bytes", result?, text.len());
    /// # Ok(()) });
    /// ```
    pub async fn write<B: IoBuf>(&self, buffer: B) -> BufResult<usize, B> {
        write(&self.file.turn().await, buffer).await
    }

    /// Writes all of `buffer` at the cursor.
    ///
    /// # Errors
    ///
    /// As for [`write_at`](Self::write_at); part of it may have been written.
    ///
    /// # Cancellation
    ///
    /// As for [`write`](Self::write), if the system takes all at once, as it does up to 2 GiB while
    /// there is room; else a part of it may be written.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
    /// file.write_all("one line\n").await.0?;
    /// file.write_all("and another\n").await.0?;
    /// # Ok(()) });
    /// ```
    pub async fn write_all<B: IoBuf>(&self, buffer: B) -> BufResult<(), B> {
        let turn = self.file.turn().await;
        steps::write_all(buffer, |rest, _| write(&turn, rest)).await
    }

    /// Moves the cursor, and returns where it is from the beginning. It may be moved behind the end
    /// of the file; a write there leaves a hole.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a place before the beginning, or at `i64::MAX` or behind it; what the
    /// system says.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: the cursor is moved or not.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let path = folder.join("alphabet");
    /// # miniss_linux::fs::write(&path, "abcdefgh").await.0?;
    /// # let file = miniss_linux::fs::File::open(&path).await?;
    /// use std::io::SeekFrom;
    ///
    /// assert_eq!(file.seek(SeekFrom::End(-3)).await?, 5);
    /// assert_eq!(file.seek(SeekFrom::Current(1)).await?, 6);
    /// assert_eq!(file.read([0; 2]).await.1, *b"gh");
    /// assert!(file.seek(SeekFrom::Current(-9)).await.is_err());
    /// # Ok(()) });
    /// ```
    pub async fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let turn = self.file.turn().await;
        self.file.fd.check_open()?;
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(distance) => turn.cursor.get().checked_add_signed(distance),
            SeekFrom::End(distance) => self.end().await?.checked_add_signed(distance),
        };
        let place = place.ok_or_else(invalid)?;
        check_offset(place)?;
        turn.cursor.set(place);
        Ok(place)
    }

    /// Where the file ends. A device tells that in a way of its own.
    async fn end(&self) -> io::Result<u64> {
        let metadata = self.metadata().await?;
        if !metadata.file_type().is_block_device() {
            return Ok(metadata.len());
        }
        self.call(|mut file| file.seek(SeekFrom::End(0))).await
    }
}

/// How much `read_to_end` asks room for at once: at first, and at least.
const ROOM_MAX: usize = 1 << 30;
const ROOM_MIN: usize = 32;

/// Reads or writes at `offset`, unless there is nothing to do.
#[allow(clippy::manual_async_fn, reason = "an `async fn` would have room for the buffer twice")]
fn transfer<B, O: Prepare<Output = BufResult<usize, B>>>(
    file: &Rc<OpenFile>,
    buffer: B,
    has_work: bool,
    offset: u64,
    op: impl FnOnce(Share, B, u64) -> O,
) -> impl Future<Output = O::Output> {
    async move {
        if let Err(error) = file.fd.check_open().and_then(|()| check_offset(offset)) {
            return (Err(error), buffer);
        }
        if !has_work {
            consume_budget().await;
            return (Ok(0), buffer);
        }
        match file.share() {
            Ok(share) => file.start(op(share, buffer, offset)).await,
            Err(error) => (Err(error), buffer),
        }
    }
}

/// Reads at the cursor.
fn read<B: IoBufMut>(turn: &CursorTurn, buffer: B) -> impl Future<Output = BufResult<usize, B>> {
    let (has_room, offset) = (buffer.bytes_total() > 0, turn.cursor.get());
    transfer(turn, buffer, has_room, offset, |share, buffer, offset| ByCursor {
        turn: turn.clone(),
        op: op::read_at(share, buffer, offset),
        writes: false,
    })
}

/// Writes at the cursor.
fn write<B: IoBuf>(turn: &CursorTurn, buffer: B) -> impl Future<Output = BufResult<usize, B>> {
    let (has_bytes, offset) = (!buffer.as_init().is_empty(), turn.cursor.get());
    transfer(turn, buffer, has_bytes, offset, |share, buffer, offset| ByCursor {
        turn: turn.clone(),
        op: op::write_at(share, buffer, offset),
        writes: true,
    })
}

/// An offset that the kernel can count from. It takes others for something else.
pub(super) fn check_offset(offset: u64) -> io::Result<()> {
    if offset < i64::MAX as u64 { Ok(()) } else { Err(invalid()) }
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}
