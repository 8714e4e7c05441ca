//! How a file comes to a shard: it is opened, or taken over from another shard or from the standard
//! library.

#![forbid(unsafe_code)]

use std::io::{self, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;

use super::file::File;
use super::{current_driver, kernel_path};
use crate::op::file::{OpenFile, appends, open};

/// How to open a file: as `std::fs::OpenOptions`, and what its `OpenOptionsExt` adds.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::OpenOptions;
///
/// let path = folder.join("log");
/// let log = OpenOptions::new().append(true).create(true).open(&path).await?;
/// log.write_all("one line\n").await.0?;
/// let error = OpenOptions::new().write(true).create_new(true).open(&path).await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
/// # Ok(()) });
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    mode: u32,
    custom_flags: i32,
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut Self {
            self.$name = $name;
            self
        }
    )*};
}

impl OpenOptions {
    /// All options off; files are made with mode 0o666, less the umask.
    pub fn new() -> Self {
        Self {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            mode: 0o666,
            custom_flags: 0,
        }
    }

    switches! {
        /// The file can be read.
        read,
        /// The file can be written.
        write,
        /// The file can be written, and each write goes to its end, whatever its offset. Such a
        /// write does not move the cursor.
        append,
        /// The file is made empty; it must be opened for writing.
        truncate,
        /// The file is made if there is none; it must be opened for writing.
        create,
        /// The file is made, and there must be none before.
        create_new,
    }

    /// The mode of a file that is made, less the umask.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = mode;
        self
    }

    /// Further flags for `open(2)`, for instance `O_NOFOLLOW`.
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.custom_flags = flags;
        self
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound`, `PermissionDenied`, `AlreadyExists`; `InvalidInput` for
    /// options that contradict each other.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// Nothing stays open. A file may have been made, or made empty.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (driver, path, flags) = (current_driver(), kernel_path(path)?, self.flags()?);
        let file = driver.start(open(driver.clone(), path, flags, self.mode)).await?;
        Ok(File { file })
    }

    fn flags(&self) -> io::Result<i32> {
        Ok(self.access()?
            | self.creation()?
            | self.custom_flags & !libc::O_ACCMODE
            | libc::O_CLOEXEC)
    }

    fn access(&self) -> io::Result<i32> {
        match (self.read, self.write || self.append) {
            (true, false) => Ok(libc::O_RDONLY),
            (false, true) => Ok(libc::O_WRONLY | self.append_flag()),
            (true, true) => Ok(libc::O_RDWR | self.append_flag()),
            (false, false) => Err(contradiction("a file is opened to read, to write, or both")),
        }
    }

    fn append_flag(&self) -> i32 {
        if self.append { libc::O_APPEND } else { 0 }
    }

    fn creation(&self) -> io::Result<i32> {
        let writes = self.write || self.append;
        if !writes && (self.truncate || self.create || self.create_new) {
            return Err(contradiction("a file is made or emptied only if it is opened to write"));
        }
        if self.append && self.truncate && !self.create_new {
            return Err(contradiction("a file that is appended to is not emptied"));
        }
        Ok(match (self.create, self.truncate, self.create_new) {
            (_, _, true) => libc::O_CREAT | libc::O_EXCL,
            (true, true, _) => libc::O_CREAT | libc::O_TRUNC,
            (true, false, _) => libc::O_CREAT,
            (false, true, _) => libc::O_TRUNC,
            (false, false, _) => 0,
        })
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn contradiction(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// An open file that belongs to no shard, with its cursor. Send it to another shard, and
/// [`attach`](Self::attach) it there. Dropping it closes the file.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::File;
/// use miniss_linux::{ShardId, submit_to};
///
/// let file = File::create(folder.join("relay")).await?;
/// file.write_all("from one, ").await.0?;
/// let baton = file.detach().await?;
/// // Whichever shard is the right one; here there is only this.
/// let other = ShardId::current();
/// submit_to(other, async move || baton.attach().write_all("to another").await.0).await.unwrap()?;
/// let text = miniss_linux::fs::read_to_string(folder.join("relay")).await?;
/// assert_eq!(text, "from one, to another");
/// # Ok(()) });
/// ```
#[derive(Debug)]
#[must_use = "dropping it closes the file"]
pub struct DetachedFile {
    pub(super) fd: OwnedFd,
    pub(super) cursor: u64,
}

impl DetachedFile {
    /// Takes the file over, on this shard.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn attach(self) -> File {
        let appends = appends(&self.fd);
        File { file: OpenFile::new(self.fd, current_driver(), self.cursor, appends) }
    }

    /// Another handle to the same open file, for another shard: both see the same contents, and
    /// each has a cursor of its own.
    ///
    /// # Errors
    ///
    /// What the system says: there may be no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, cursor: self.cursor })
    }

    /// Makes of it a file of the standard library's, with its cursor.
    pub fn into_std(self) -> std::fs::File {
        let mut file = std::fs::File::from(self.fd);
        // What has no positions, such as a pipe, needs none.
        let _ = file.seek(SeekFrom::Start(self.cursor));
        file
    }
}

impl From<std::fs::File> for DetachedFile {
    fn from(mut file: std::fs::File) -> Self {
        let cursor = file.stream_position().unwrap_or(0);
        Self { fd: file.into(), cursor }
    }
}
