//! Descriptors of kinds that this crate has no type for.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::rc::Rc;

use miniss_core::coop::cooperative;

use crate::op::fd::Fd;
use crate::op::poll::PollFd;
use crate::runtime::with_current;

/// A descriptor that tasks wait for: an eventfd, a timerfd, an inotify, a device, the socket of a
/// library. The runtime waits; to read and to write is up to you, by calls that do not wait.
///
/// `T` owns the descriptor. It should not block (`O_NONBLOCK`), or a call that finds nothing to do
/// holds up the shard; this type leaves that as it is, for others may have the description, too.
/// It keeps a copy of the descriptor, so whatever `T` does to its own, a wait is for what was there
/// when this was made.
///
/// It belongs to the shard that makes it. Any number of tasks may wait at the same time.
///
/// ```
/// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use miniss_linux::AsyncFd;
/// use std::os::unix::net::UnixDatagram;
///
/// let (ours, other) = UnixDatagram::pair()?;
/// ours.set_nonblocking(true)?;
/// let ours = AsyncFd::new(ours)?;
/// other.send(b"hello")?;
/// let mut buffer = [0; 16];
/// let len = ours.read_with(|socket| socket.recv(&mut buffer)).await?;
/// assert_eq!(buffer[..len], *b"hello");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub struct AsyncFd<T> {
    inner: T,
    fd: Rc<Fd>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Waits can begin.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a file or a folder, which no one can wait for: see [`fs`](crate::fs).
    /// Otherwise what the system says: there may be no descriptor left for a copy.
    ///
    /// # Panics
    ///
    /// If the thread runs no shard.
    ///
    /// ```
    /// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use miniss_linux::AsyncFd;
    /// let folder = std::fs::File::open("/")?;
    /// assert_eq!(AsyncFd::new(folder).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn new(inner: T) -> io::Result<Self> {
        let copy = File::from(inner.as_fd().try_clone_to_owned()?);
        let what = copy.metadata()?.file_type();
        if what.is_file() || what.is_dir() {
            let why = "a file or a folder is ready at any time: read and write it by `fs`";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        let fd = Fd::new(copy.into(), with_current(|shard| shard.driver.clone()));
        Ok(Self { inner, fd: Rc::new(fd) })
    }

    /// What was put in.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// What was put in, to change it.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// Gives back what was put in.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Waits until there is something to read, an error, or the end. It says so again as long as
    /// that is so. Another task may be faster: a call may find nothing all the same.
    ///
    /// # Errors
    ///
    /// What the system says of the wait.
    ///
    /// # Panics
    ///
    /// If it is polled on another shard, or in another runtime.
    ///
    /// # Cancellation
    ///
    /// Safe: a wait takes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(libc::POLLIN).await
    }

    /// Waits until there is room to write, or an error. Otherwise as [`readable`](Self::readable).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// Safe: a wait takes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(libc::POLLOUT).await
    }

    /// Calls `read` until it has something to say but [`WouldBlock`](ErrorKind::WouldBlock), with a
    /// wait before each call but the first. One that was interrupted is made again.
    ///
    /// # Errors
    ///
    /// Those of `read`, and of [`readable`](Self::readable).
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// Safe: it is dropped while it waits, when the last call has done nothing.
    pub async fn read_with<R>(&self, read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.call_with(libc::POLLIN, read).await
    }

    /// As [`read_with`](Self::read_with), with waits until there is room.
    ///
    /// # Errors
    ///
    /// Those of `write`, and of [`writable`](Self::writable).
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// use miniss_linux::AsyncFd;
    /// use std::io::Write;
    ///
    /// let (reader, writer) = std::os::unix::net::UnixStream::pair()?;
    /// writer.set_nonblocking(true)?;
    /// let writer = AsyncFd::new(writer)?;
    /// assert_eq!(writer.write_with(|mut stream| stream.write(b"hello")).await?, 5);
    /// # drop(reader);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn write_with<R>(&self, write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.call_with(libc::POLLOUT, write).await
    }

    async fn ready(&self, events: i16) -> io::Result<()> {
        self.fd.driver().assert_here();
        cooperative(PollFd::start(&self.fd, events)).await
    }

    async fn call_with<R>(
        &self,
        events: i16,
        mut call: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.fd.driver().assert_here();
        cooperative(async {
            loop {
                match call(&self.inner) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        PollFd::start(&self.fd, events).await?;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        })
        .await
    }
}

impl<T: fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("inner", &self.inner).finish_non_exhaustive()
    }
}
