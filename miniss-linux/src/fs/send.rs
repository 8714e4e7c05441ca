//! From a file into a stream of the network, and back.
//!
//! What was read is sent from the memory that it was read into, and the other way round. While one
//! piece is sent the next is read; what comes from the network waits in the kernel meanwhile.
//!
//! When much has been sent, what is left goes by way of a pipe, whose pages the network sends: no
//! bytes are copied then. The manual's decisions chapter says why not from the start.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::mem;
use std::rc::Rc;

use super::file::File;
use super::reader::PIECE_BYTES;
use super::transfer::check_offset;
use crate::buf::{BufResult, IoBuf, Slice};
use crate::net::{CopyError, CopyFailure, CopySide, Stream, StreamKind};
use crate::op::file::{read_at, splice_at};
use crate::op::send::{PAGE_PIPE_BYTES, PagePipe};
use crate::op::steps;

/// Sends `len` bytes of a file, from `offset` on, into a stream, or fewer if the file ends before;
/// returns how many. The cursor of the file stays, and the stream stays open.
///
/// # Errors
///
/// [`CopyError`], which says how much was sent; the file is its first side, the stream its second.
///
/// # Cancellation
///
/// A part was sent; [`Stream::cancelled_write_bytes`] tells of the last write. Nothing of it goes
/// out afterwards: what was read and not sent, also into a pipe of its own, is forgotten, and the
/// file still has it.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::{self, File};
/// use miniss_linux::net::UnixStream;
///
/// fs::write(folder.join("page"), "<html>").await.0?;
/// let (stream, peer) = UnixStream::pair()?;
/// let file = File::open(folder.join("page")).await?;
/// assert_eq!(fs::send_file(&file, 1, 4, &stream).await?, 4);
/// assert_eq!(peer.recv().await?[..], *b"html");
/// # Ok(()) });
/// ```
pub async fn send_file<K: StreamKind>(
    file: &File,
    offset: u64,
    len: u64,
    stream: &Stream<K>,
) -> Result<u64, CopyError> {
    let mut sent = 0;
    let result = send(file, offset, len, stream, &mut sent).await;
    result.map(|()| sent).map_err(|failure| CopyError { failure, copied: (sent, 0) })
}

/// Receives `len` bytes from a stream and writes them into a file, from `offset` on, or fewer if
/// the peer ends the stream before; returns how many. No more is taken from the stream. The cursor
/// of the file stays.
///
/// # Errors
///
/// [`CopyError`], which says how much was written; the stream is its first side, the file its
/// second. What was received after that is lost.
///
/// # Cancellation
///
/// Not cancel safe: bytes that were received and not yet written may be lost.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::{self, File};
/// use miniss_linux::net::UnixStream;
///
/// let (stream, peer) = UnixStream::pair()?;
/// peer.write_all("body, next").await.0?;
/// let file = File::create(folder.join("body")).await?;
/// assert_eq!(fs::receive_file(&stream, &file, 0, 4).await?, 4);
/// assert_eq!(fs::read(folder.join("body")).await?, b"body");
/// # Ok(()) });
/// ```
pub async fn receive_file<K: StreamKind>(
    stream: &Stream<K>,
    file: &File,
    offset: u64,
    len: u64,
) -> Result<u64, CopyError> {
    let mut written = 0;
    let result = receive(stream, file, offset, len, &mut written).await;
    result.map(|()| written).map_err(|failure| CopyError { failure, copied: (written, 0) })
}

async fn send<K: StreamKind>(
    file: &File,
    offset: u64,
    len: u64,
    stream: &Stream<K>,
    sent: &mut u64,
) -> Result<(), CopyFailure> {
    let (mut at, end, mut spare) = (offset, offset.saturating_add(len), Vec::new());
    let mut pages = None;
    let mut ahead = (at < end).then(|| start_read(file, Vec::new(), at, end));
    while let Some(reading) = ahead.take() {
        let (result, window) = reading.map_err(read_failed)?.await;
        let len = result.map_err(read_failed)?;
        at += len as u64;
        if len > 0 && at < end {
            pages = if at - offset < COPIED_MIN { None } else { first_pages(file, at, end).await };
            if pages.is_none() {
                ahead = Some(start_read(file, mem::take(&mut spare), at, end));
            }
        }
        let result;
        (result, spare) = send_all(stream, window.into_inner(), sent).await;
        result.map_err(write_failed)?;
    }
    match pages {
        Some((pipe, count)) => send_pages(file, at, end, stream, &pipe, count, sent).await,
        None => Ok(()),
    }
}

/// So much is sent from memory before pages are.
const COPIED_MIN: u64 = 1 << 20;

/// Pages of the file in a pipe, and how many bytes. If there are none to be had, it is read on.
async fn first_pages(file: &File, at: u64, end: u64) -> Option<(Rc<PagePipe>, usize)> {
    let pipe = PagePipe::new()?;
    let count = take_pages(file, &pipe, at, end).await.ok()?;
    (count > 0).then_some((pipe, count))
}

async fn take_pages(file: &File, pipe: &Rc<PagePipe>, at: u64, end: u64) -> io::Result<usize> {
    check_offset(at)?;
    let len = (end - at).min(PAGE_PIPE_BYTES.into()) as u32;
    file.file.start(splice_at(file.file.share()?, pipe.clone(), at, len)).await
}

/// Sends the `count` bytes that are in the pipe, and then what is left of the file.
async fn send_pages<K: StreamKind>(
    file: &File,
    mut at: u64,
    end: u64,
    stream: &Stream<K>,
    pipe: &Rc<PagePipe>,
    mut count: usize,
    sent: &mut u64,
) -> Result<(), CopyFailure> {
    while count > 0 {
        at += count as u64;
        while count > 0 {
            match stream.write_pages(pipe, count as u32).await {
                Ok(0) => return Err(write_failed(io::ErrorKind::WriteZero.into())),
                Ok(len) => (count, *sent) = (count - len, *sent + len as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stream.writable().await.map_err(write_failed)?;
                }
                Err(error) => return Err(write_failed(error)),
            }
        }
        if at < end {
            count = take_pages(file, pipe, at, end).await.map_err(read_failed)?;
        }
    }
    Ok(())
}

/// Begins to read at `at`, a piece or what is left before `end`.
fn start_read(
    file: &File,
    room: Vec<u8>,
    at: u64,
    end: u64,
) -> io::Result<impl Future<Output = BufResult<usize, Slice<Vec<u8>>>> + use<>> {
    check_offset(at)?;
    let share = file.file.share()?;
    Ok(file.file.start(read_at(share, window(room, end - at), at)))
}

/// Memory for a piece, or for `left` bytes if those are fewer.
fn window(mut room: Vec<u8>, left: u64) -> Slice<Vec<u8>> {
    let len = left.min(PIECE_BYTES as u64) as usize;
    room.clear();
    room.reserve_exact(len);
    room.slice(..len)
}

/// Not `write_all`: it counts what was sent before an error.
async fn send_all<K: StreamKind>(
    stream: &Stream<K>,
    bytes: Vec<u8>,
    sent: &mut u64,
) -> BufResult<(), Vec<u8>> {
    steps::write_all(bytes, async |rest, _| {
        let (result, rest) = stream.write(rest).await;
        *sent += *result.as_ref().unwrap_or(&0) as u64;
        (result, rest)
    })
    .await
}

async fn receive<K: StreamKind>(
    stream: &Stream<K>,
    file: &File,
    offset: u64,
    len: u64,
    written: &mut u64,
) -> Result<(), CopyFailure> {
    let mut bytes = Vec::new();
    while *written < len {
        let (result, received) = stream.read(window(bytes, len - *written)).await;
        let count = result.map_err(read_failed)?;
        if count == 0 {
            break;
        }
        let result;
        (result, bytes) = write_all(file, received.into_inner(), offset, written).await;
        result.map_err(write_failed)?;
    }
    Ok(())
}

/// As [`send_all`], into the file behind what was written before.
async fn write_all(
    file: &File,
    bytes: Vec<u8>,
    offset: u64,
    written: &mut u64,
) -> BufResult<(), Vec<u8>> {
    steps::write_all(bytes, async |rest, _| {
        let (result, rest) = file.write_at(rest, offset.saturating_add(*written)).await;
        *written += *result.as_ref().unwrap_or(&0) as u64;
        (result, rest)
    })
    .await
}

fn read_failed(error: io::Error) -> CopyFailure {
    CopyFailure::Read(CopySide::First, error)
}

fn write_failed(error: io::Error) -> CopyFailure {
    CopyFailure::Write(CopySide::Second, error)
}
