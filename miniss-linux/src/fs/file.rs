//! An open file, from its opening to its end; [`transfer`](super::transfer) reads and writes it.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, FileTimes, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use miniss_core::coop::consume_budget;

use super::metadata::Metadata;
use super::open::{DetachedFile, OpenOptions};
use super::transfer::check_offset;
use crate::driver::FileRequest;
use crate::op::fd::closed;
use crate::op::file::{OpenFile, plain, status, work_with};
use crate::time::sleep;

/// An open file.
///
/// It belongs to the shard that opened it; [`detach`](Self::detach) takes it to another. It may be
/// used by many tasks of its shard at once, in an `Rc`: reads and writes at offsets go on beside
/// each other, those by the cursor one after the other.
///
/// A file that is dropped is closed off the shard, when all that is in progress on it has ended.
/// What `close(2)` says is lost then; [`close`](Self::close) tells.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::File;
///
/// let file = File::create(folder.join("ledger")).await?;
/// file.write_all_at("paid", 0).await.0?;
/// file.sync_all().await?; // it outlives a loss of power from here on
/// file.close().await?;
///
/// let file = File::open(folder.join("ledger")).await?;
/// let (result, bytes) = file.read_exact_at([0; 4], 0).await;
/// result?;
/// assert_eq!(bytes, *b"paid");
/// # Ok(()) });
/// ```
pub struct File {
    pub(super) file: Rc<OpenFile>,
}

/// How a file is opened, and how it ends.
impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// What the system says, for instance `NotFound`.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Nothing stays open.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// let error = miniss_linux::fs::File::open(folder.join("nothing")).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// # Ok(()) });
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing; makes it if there is none, else makes it empty.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Nothing stays open. The file may have been made, or made empty.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes a file, and opens it for reading and writing.
    ///
    /// # Errors
    ///
    /// What the system says; `AlreadyExists` if there is one.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Nothing stays open. The file may have been made.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// No options yet; the same as [`OpenOptions::new`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of the standard library's, with its cursor, on this shard: one of the
    /// crate `tempfile`, for instance.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// use miniss_linux::fs::File;
    ///
    /// let file = File::from_std(std::fs::File::create(folder.join("made elsewhere"))?);
    /// file.write_all("hello").await.0?;
    /// # Ok(()) });
    /// ```
    pub fn from_std(file: fs::File) -> Self {
        DetachedFile::from(file).attach()
    }

    /// Takes the file off this shard, with its cursor, when all that is in progress on it has
    /// ended.
    ///
    /// # Errors
    ///
    /// `EBADF` if it was [closed](Self::close).
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the file.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("relay")).await?;
    /// use std::io::Write;
    ///
    /// let file = file.detach().await?;
    /// std::thread::spawn(move || file.into_std().write_all(b"from a thread")).join().unwrap()?;
    /// # Ok(()) });
    /// ```
    pub async fn detach(self) -> io::Result<DetachedFile> {
        self.file.fd.driver().assert_here();
        self.file.fd.end_loans();
        let given = self.file.start_giving().ok_or_else(closed)?;
        let fd = given.await.map_err(|_| closed())?;
        Ok(DetachedFile { fd, cursor: self.file.cursor.get() })
    }

    /// Gives the file back as one of the standard library's, with its cursor.
    ///
    /// # Errors
    ///
    /// As for [`detach`](Self::detach).
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the file.
    pub async fn into_std(self) -> io::Result<fs::File> {
        Ok(self.detach().await?.into_std())
    }

    /// Closes the file for all tasks that share it: what they begin from now on ends with `EBADF`,
    /// and what the system is doing goes on to its end, whether its future is polled or not. Then
    /// it is closed, and this returns. Where the system needs several steps for a read or write,
    /// which is rare, one that has more to do ends with `ECANCELED`. To close it again is no error.
    ///
    /// # Errors
    ///
    /// What `close(2)` says. Some file systems tell only now that something could not be written;
    /// [`sync_all`](Self::sync_all) before it finds that out on all of them.
    ///
    /// # Cancellation
    ///
    /// Dropping it does not stop it: the file is closed all the same.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("page")).await?;
    /// file.close().await?;
    /// file.close().await?;
    /// assert!(miniss_linux::net::is_closed(&file.metadata().await.unwrap_err()));
    /// # Ok(()) });
    /// ```
    pub async fn close(&self) -> io::Result<()> {
        self.file.fd.driver().assert_here();
        match self.file.start_telling_close() {
            // No word: its descriptor was lent, and there was none to close in its place.
            Some(told) => told.await.unwrap_or(Ok(())),
            None => {
                consume_budget().await;
                Ok(())
            }
        }
    }
}

/// What is done with a file besides reads and writes.
impl File {
    /// Waits until all that was written, and all that is known of the file, is on the disk: from
    /// then on it outlives a loss of power. Only what has ended before counts, not a write in
    /// progress. That the file has a name at all is a matter of its folder, which is synced in the
    /// same way: `File::open(folder).await?.sync_all()`.
    ///
    /// # Errors
    ///
    /// What the system says. After an error some of what was written may be lost, and the system
    /// says so once: a later success does not mean that it is there. Write it again.
    ///
    /// # Cancellation
    ///
    /// It may go on, and no one hears of it.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("ledger")).await?;
    /// file.write_all("paid").await.0?;
    /// file.sync_all().await?;
    /// # Ok(()) });
    /// ```
    pub async fn sync_all(&self) -> io::Result<()> {
        self.plain(|fd| FileRequest::Sync { fd, data_only: false }).await
    }

    /// As [`sync_all`](Self::sync_all), but for what is known of the file and not needed to read
    /// it, such as its times.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.plain(|fd| FileRequest::Sync { fd, data_only: true }).await
    }

    /// Cuts the file off at `len` bytes, or makes it so long with a hole, which reads as zeroes.
    /// The cursor stays.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for a length of `i64::MAX` or more.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("page")).await?;
    /// file.set_len(1 << 20).await?;
    /// assert_eq!(file.metadata().await?.len(), 1 << 20);
    /// # Ok(()) });
    /// ```
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        check_offset(len)?;
        self.plain(move |fd| FileRequest::SetLen { fd, len }).await
    }

    /// Has the file system set room aside for `len` bytes at `offset`: a later write there does not
    /// fail for want of it. The file becomes so long, if it is shorter, and what is new reads as
    /// zeroes.
    ///
    /// # Errors
    ///
    /// What the system says: `StorageFull`; `Unsupported` by the file system; `InvalidInput` for no
    /// bytes, or beyond `i64::MAX`.
    ///
    /// # Cancellation
    ///
    /// It is done or not, or in part.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
    /// file.allocate(0, 64 << 10).await?;
    /// assert!(file.metadata().await?.blocks() * 512 >= 64 << 10);
    /// # Ok(()) });
    /// ```
    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.plain(move |fd| FileRequest::Allocate { fd, mode: 0, offset, len }).await
    }

    /// Gives the room of `len` bytes at `offset` back to the file system. They read as zeroes from
    /// then on, and the file stays as long as it is.
    ///
    /// # Errors
    ///
    /// As for [`allocate`](Self::allocate).
    ///
    /// # Cancellation
    ///
    /// It is done or not, or in part.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create_new(folder.join("log")).await?;
    /// file.write_all("old, new").await.0?;
    /// file.punch_hole(0, 4).await?;
    /// assert_eq!(file.read_at([1; 8], 0).await.1, *b"\0\0\0\0 new");
    /// # Ok(()) });
    /// ```
    pub async fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        self.plain(move |fd| FileRequest::Allocate { fd, mode, offset, len }).await
    }

    /// Tells the system how `len` bytes at `offset` will be used, so that it can read ahead, or
    /// forget them; a `len` of 0 means all to the end. Nothing depends on it but speed.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` for an offset or a length of `i64::MAX` or more.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
    /// file.advise(0, 0, miniss_linux::fs::Advice::Sequential).await?;
    /// # Ok(()) });
    /// ```
    pub async fn advise(&self, offset: u64, len: u64, advice: Advice) -> io::Result<()> {
        check_offset(offset)?;
        check_offset(len)?;
        let (len, advice) = (len as i64, advice.as_raw());
        self.plain(move |fd| FileRequest::Advise { fd, advice, offset, len }).await
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    ///
    /// What the system says; `EBADF` if the file was closed.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let status = status(self.file.share()?, Cow::from(c""), libc::AT_EMPTY_PATH);
        Ok(Metadata::new(self.file.start(status).await?))
    }

    /// Says who may do what with the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
    /// let mut permissions = file.metadata().await?.permissions();
    /// permissions.set_readonly(true);
    /// file.set_permissions(permissions).await?;
    /// # Ok(()) });
    /// ```
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.call(move |file| file.set_permissions(permissions)).await
    }

    /// Sets the times of the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
    /// use std::fs::FileTimes;
    /// use std::time::SystemTime;
    ///
    /// file.set_times(FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH)).await?;
    /// assert_eq!(file.metadata().await?.accessed(), SystemTime::UNIX_EPOCH);
    /// # Ok(()) });
    /// ```
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.call(move |file| file.set_times(times)).await
    }

    /// Sets when the file was last changed.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }
}

/// Locks on the whole file, of those that ask for them: others can read and write it all the same.
/// A lock belongs to the open file, so it goes with the last descriptor of it; it is that of
/// `flock(2)` and of the standard library.
impl File {
    /// Waits until no one else has a lock on the file, and takes it. It asks again and again, up to
    /// 20 times a second: no thread waits meanwhile, and others may come first.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// If it has the lock by then, it keeps it: [`unlock`](Self::unlock) gives it back.
    ///
    /// ```
    /// # miniss_linux::doctest::in_folder(async |folder| {
    /// # use miniss_linux::fs::File;
    /// # let path = folder.join("lock");
    /// let (one, other) = (File::create(&path).await?, File::create(&path).await?);
    /// one.lock().await?;
    /// assert!(other.try_lock().await.is_err());
    /// one.unlock().await?;
    /// other.lock().await?;
    /// # Ok(()) });
    /// ```
    pub async fn lock(&self) -> io::Result<()> {
        self.lock_by(fs::File::try_lock).await
    }

    /// As [`lock`](Self::lock), but beside others that have taken it shared, too.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancellation
    ///
    /// As there.
    pub async fn lock_shared(&self) -> io::Result<()> {
        self.lock_by(fs::File::try_lock_shared).await
    }

    /// Takes the lock if no one has it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if someone has it; what the system says.
    ///
    /// # Cancellation
    ///
    /// As for [`lock`](Self::lock).
    pub async fn try_lock(&self) -> Result<(), TryLockError> {
        self.try_lock_by(fs::File::try_lock).await
    }

    /// Takes the lock beside others that have taken it shared, too.
    ///
    /// # Errors
    ///
    /// As for [`try_lock`](Self::try_lock).
    ///
    /// # Cancellation
    ///
    /// As for [`lock`](Self::lock).
    pub async fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.try_lock_by(fs::File::try_lock_shared).await
    }

    /// Gives the lock back.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// It is done or not.
    pub async fn unlock(&self) -> io::Result<()> {
        self.call(fs::File::unlock).await
    }

    async fn lock_by(&self, attempt: TryLock) -> io::Result<()> {
        let mut rest = LOCK_REST_MIN;
        loop {
            match self.try_lock_by(attempt).await {
                Err(TryLockError::WouldBlock) => sleep(rest).await,
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
            rest = (rest * 2).min(LOCK_REST_MAX);
        }
    }

    async fn try_lock_by(&self, attempt: TryLock) -> Result<(), TryLockError> {
        self.call(move |file| Ok(attempt(file))).await.map_err(TryLockError::Error).flatten()
    }
}

type TryLock = fn(&fs::File) -> Result<(), TryLockError>;

/// How long a wait for a lock rests before it asks again: at first, and at most.
const LOCK_REST_MIN: Duration = Duration::from_millis(1);
const LOCK_REST_MAX: Duration = Duration::from_millis(50);

impl File {
    async fn plain(&self, request: impl FnOnce(i32) -> FileRequest + 'static) -> io::Result<()> {
        self.file.start(plain(self.file.share()?, (), move |fd, ()| request(fd))).await
    }

    /// A call that may block and that no driver has a request for.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.file.start(work_with(self.file.share()?, call)).await.flatten()
    }
}

/// What a program will do with a part of a file; see [`File::advise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing that is known: the system reads ahead as it does by itself.
    Normal,
    /// Reads from front to back: it may read ahead far.
    Sequential,
    /// Reads here and there: it should not read ahead.
    Random,
    /// Reads it soon: it may read it already.
    WillNeed,
    /// Will not come back to it: it may forget what is on the disk.
    DontNeed,
    /// Reads it once.
    NoReuse,
}

impl Advice {
    fn as_raw(self) -> i32 {
        match self {
            Self::Normal => libc::POSIX_FADV_NORMAL,
            Self::Sequential => libc::POSIX_FADV_SEQUENTIAL,
            Self::Random => libc::POSIX_FADV_RANDOM,
            Self::WillNeed => libc::POSIX_FADV_WILLNEED,
            Self::DontNeed => libc::POSIX_FADV_DONTNEED,
            Self::NoReuse => libc::POSIX_FADV_NOREUSE,
        }
    }
}

/// For what has no method here, `fcntl(2)` for instance, and for another handle to the same open
/// file. The descriptor stays open as long as the `File`; after a [`close`](File::close) every call
/// on it answers `EBADF`.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// # let file = miniss_linux::fs::File::create(folder.join("log")).await?;
/// use std::os::fd::AsFd;
///
/// let copy = std::fs::File::from(file.as_fd().try_clone_to_owned()?);
/// # drop(copy);
/// # Ok(()) });
/// ```
impl AsFd for File {
    /// # Panics
    ///
    /// If the file was closed and the process has no descriptor left.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.fd.lend()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cursor = self.file.cursor.get();
        f.debug_struct("File").field("cursor", &cursor).finish_non_exhaustive()
    }
}

impl Drop for File {
    /// What is in flight keeps it open until it has ended.
    fn drop(&mut self) {
        self.file.fd.end_loans();
    }
}
