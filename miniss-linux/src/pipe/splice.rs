//! What is in a pipe moves on as the pages that it is, into a stream or another pipe.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::ptr;

use miniss_core::coop::cooperative;

use super::{PipeReader, PipeWriter};
use crate::buf::op_len;
use crate::driver::without_signal;
use crate::net::{Stream, StreamKind};
use crate::op::poll::PollFd;

impl PipeReader {
    /// Moves what is in the pipe into `stream`, `len` bytes or fewer, without a copy; returns how
    /// many. 0 means that no one writes to the pipe any more, or that `len` is 0. It waits until
    /// there is something, and until the stream has room.
    ///
    /// Where it waits for the peer, it may hold a thread: of the kernel with io_uring. So it is for
    /// few streams with much to move; [`recv`](Self::recv) and
    /// [`write_all`](Stream::write_all) are for many.
    ///
    /// # Errors
    ///
    /// What the system says; `ResourceBusy` if another read of this pipe is in progress;
    /// `InvalidInput` if [what is read](Self::from_shared) is no pipe.
    ///
    /// # Cancellation
    ///
    /// What has left the pipe by then is in the stream:
    /// [`cancelled_write_bytes`](Stream::cancelled_write_bytes) says how much.
    ///
    /// ```
    /// # miniss_linux::doctest::connected(async |stream, peer| {
    /// use miniss_linux::pipe::pipe;
    ///
    /// let (reader, writer) = pipe()?;
    /// writer.write_all("through the pipe").await.0?;
    /// assert_eq!(reader.splice_to_stream(&stream, 1024).await?, 16);
    /// assert_eq!(peer.recv().await?[..], *b"through the pipe");
    /// # Ok(()) });
    /// ```
    pub async fn splice_to_stream<K: StreamKind>(
        &self,
        stream: &Stream<K>,
        len: usize,
    ) -> io::Result<usize> {
        cooperative(async {
            let _reading = self.turn_to_read()?;
            if len == 0 {
                return Ok(0);
            }
            loop {
                // First, so that what waits for the peer has something to send.
                PollFd::start(&self.end.fd, libc::POLLIN).await?;
                match stream.write_pages(&self.end.fd, op_len(len)).await {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        stream.writable().await?
                    }
                    result => return result,
                }
            }
        })
        .await
    }

    /// Moves what is in the pipe into another one, `len` bytes or fewer, without a copy; returns
    /// how many. 0 means that no one writes to this pipe any more, or that `len` is 0. It waits
    /// until there is something, and until the other has room.
    ///
    /// # Errors
    ///
    /// What the system says: `BrokenPipe` if no one reads the other; `ResourceBusy` if another read
    /// of this pipe is in progress; `InvalidInput` if an end is
    /// [shared](PipeWriter::from_shared), since it might be a file, which waits.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: what has not been told has not moved.
    ///
    /// ```
    /// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use miniss_linux::pipe::pipe;
    ///
    /// let ((first, into_first), (second, into_second)) = (pipe()?, pipe()?);
    /// into_first.write_all("from pipe to pipe").await.0?;
    /// assert_eq!(first.splice_to_pipe(&into_second, 9).await?, 9);
    /// assert_eq!(second.recv().await?[..], *b"from pipe");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn splice_to_pipe(&self, to: &PipeWriter, len: usize) -> io::Result<usize> {
        cooperative(async {
            let _reading = self.turn_to_read()?;
            if self.end.is_shared() || to.end.is_shared() {
                let why = "a shared end may wait: read it and write what was read";
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
            let _turn = to.turn().await;
            if len == 0 {
                return Ok(0);
            }
            loop {
                match splice_now(self.end.fd.number(), to.end.fd.number(), len) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        PollFd::start(&self.end.fd, libc::POLLIN).await?;
                        PollFd::start(&to.end.fd, libc::POLLOUT).await?;
                    }
                    result => return result,
                }
            }
        })
        .await
    }
}

/// From pipe to pipe, neither of which waits.
fn splice_now(from: RawFd, to: RawFd, len: usize) -> io::Result<usize> {
    let splice = || {
        // SAFETY: no pointers but null, which stands for the places of pipes.
        let moved = unsafe {
            libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), len, libc::SPLICE_F_NONBLOCK)
        };
        usize::try_from(moved).map_err(|_| io::Error::last_os_error())
    };
    let broken = Some(libc::EPIPE);
    let is_broken = |moved: &io::Result<_>| {
        moved.as_ref().is_err_and(|error: &io::Error| error.raw_os_error() == broken)
    };
    without_signal(splice, is_broken)
}
