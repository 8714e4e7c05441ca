//! Reads and writes of several steps: each goes on where the one before has ended.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{self, ErrorKind};

use super::fd::is_closed;
use crate::buf::{BufResult, IoBuf, IoBufMut, Slice};

/// Reads until `buffer` is full. `read` is given what is left of it, and how much is done.
pub(crate) fn read_exact<B: IoBufMut>(
    buffer: B,
    read: impl AsyncFnMut(Slice<B>, usize) -> BufResult<usize, Slice<B>>,
) -> impl Future<Output = BufResult<(), B>> {
    let total = buffer.bytes_total();
    in_steps(buffer, total, ErrorKind::UnexpectedEof, read)
}

/// Writes all of `buffer`. `write` is given what is left of it, and how much is done.
pub(crate) fn write_all<B: IoBuf>(
    buffer: B,
    write: impl AsyncFnMut(Slice<B>, usize) -> BufResult<usize, Slice<B>>,
) -> impl Future<Output = BufResult<(), B>> {
    let total = buffer.as_init().len();
    in_steps(buffer, total, ErrorKind::WriteZero, write)
}

/// A step that does nothing ends it with `nothing`.
#[allow(clippy::manual_async_fn, reason = "an `async fn` would have room for the buffer twice")]
fn in_steps<B: IoBuf>(
    mut buffer: B,
    total: usize,
    nothing: ErrorKind,
    mut step: impl AsyncFnMut(Slice<B>, usize) -> BufResult<usize, Slice<B>>,
) -> impl Future<Output = BufResult<(), B>> {
    async move {
        let mut done = 0;
        while done < total {
            let (result, slice) = step(buffer.slice(done..total), done).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(nothing.into()), buffer),
                Ok(len) => done += len,
                Err(error) => return (Err(error_after(done, error)), buffer),
            }
        }
        (Ok(()), buffer)
    }
}

/// The error of a step, when so much was done before: a close that came between two steps found
/// the whole of them in progress.
pub(crate) fn error_after(done: usize, error: io::Error) -> io::Error {
    match done > 0 && is_closed(&error) {
        true => io::Error::from_raw_os_error(libc::ECANCELED),
        false => error,
    }
}
