//! Folders: made, removed and listed.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use super::metadata::{FileType, Metadata};
use super::paths::{owned, symlink_metadata};
use super::{at_path, off_the_shard};
use crate::driver::FileRequest;

/// Makes a folder.
///
/// # Errors
///
/// What the system says; `AlreadyExists` if there is something.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    at_path(path, |path| FileRequest::MakeDir { path, mode: 0o777 }).await
}

/// Makes a folder, and those above it that are missing. It is no error if there is one.
///
/// # Errors
///
/// What the system says; some of the folders may have been made.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// What has begun goes on to its end.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// fs::create_dir_all(folder.join("a/b/c")).await?;
/// fs::remove_dir_all(folder.join("a")).await?;
/// # Ok(()) });
/// ```
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = owned(path);
    off_the_shard(move || fs::create_dir_all(path)).await
}

/// Removes an empty folder.
///
/// # Errors
///
/// What the system says; `DirectoryNotEmpty` if there is something in it.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    at_path(path, |path| FileRequest::Remove { path, flags: libc::AT_REMOVEDIR }).await
}

/// Removes a folder and all that is in it. Symbolic links are removed, and not followed. It takes a
/// thread of the pool for all of the time.
///
/// # Errors
///
/// What the system says; a part may have been removed.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// What has begun goes on to its end.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = owned(path);
    off_the_shard(move || fs::remove_dir_all(path)).await
}

/// Begins to list what is in a folder, in no order.
///
/// # Errors
///
/// What the system says; `NotADirectory` for a file.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Cancel safe.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// fs::write(folder.join("a"), "").await.0?;
/// fs::create_dir(folder.join("b")).await?;
/// let mut names = Vec::new();
/// let mut entries = fs::read_dir(&folder).await?;
/// while let Some(entry) = entries.next_entry().await? {
///     names.push((entry.file_name(), entry.metadata().await?.is_dir()));
/// }
/// names.sort();
/// assert_eq!(names, [("a".into(), false), ("b".into(), true)]);
/// # Ok(()) });
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = owned(path);
    let batch = off_the_shard(move || Ok(Batch::of(fs::read_dir(path)?))).await?;
    Ok(ReadDir { entries: batch.entries, rest: batch.rest.map_or(Rest::End, Rest::Listing) })
}

/// What is in a folder, entry by entry; made by [`read_dir`].
pub struct ReadDir {
    entries: VecDeque<io::Result<DirEntry>>,
    rest: Rest,
}

enum Rest {
    Listing(fs::ReadDir),
    /// The next entries are on their way; also after a future was dropped that waited for them.
    Coming(Pin<Box<dyn Future<Output = io::Result<Batch>>>>),
    End,
}

/// Entries that a thread has read.
struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    rest: Option<fs::ReadDir>,
}

/// Entries that are read at a time.
const BATCH: usize = 64;

impl Batch {
    fn of(mut listing: fs::ReadDir) -> Self {
        let entries: VecDeque<_> =
            listing.by_ref().take(BATCH).map(|entry| entry.map(DirEntry::new)).collect();
        let rest = (entries.len() == BATCH).then_some(listing);
        Self { entries, rest }
    }
}

impl ReadDir {
    /// The next entry, or `None` if that was all. `.` and `..` are left out.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return entry.map(Some);
            }
            self.rest = match std::mem::replace(&mut self.rest, Rest::End) {
                Rest::Listing(listing) => {
                    Rest::Coming(Box::pin(off_the_shard(move || Ok(Batch::of(listing)))))
                }
                rest => rest,
            };
            let Rest::Coming(coming) = &mut self.rest else { return Ok(None) };
            let batch = coming.as_mut().await;
            self.rest = Rest::End;
            let batch = batch?;
            self.entries = batch.entries;
            self.rest = batch.rest.map_or(Rest::End, Rest::Listing);
        }
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("read", &self.entries.len()).finish_non_exhaustive()
    }
}

/// An entry of a folder.
#[derive(Debug, Clone)]
pub struct DirEntry {
    path: PathBuf,
    name: OsString,
    ino: u64,
    /// `None`: the file system does not say so in its folders.
    file_type: Option<FileType>,
}

impl DirEntry {
    fn new(entry: fs::DirEntry) -> Self {
        use std::os::unix::fs::DirEntryExt;
        let file_type = entry.file_type().ok().map(FileType::from);
        Self { path: entry.path(), name: entry.file_name(), ino: entry.ino(), file_type }
    }

    /// The path of the folder, as it was given, and the name.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The name alone.
    pub fn file_name(&self) -> OsString {
        self.name.clone()
    }

    /// Its number on its device.
    pub fn ino(&self) -> u64 {
        self.ino
    }

    /// What kind of file it was when it was listed; a symbolic link is not followed. `None` if it
    /// was removed before that could be found out.
    pub fn file_type(&self) -> Option<FileType> {
        self.file_type
    }

    /// What the system knows of it; a symbolic link is not followed.
    ///
    /// # Errors
    ///
    /// What the system says; `NotFound` if it was removed since.
    ///
    /// # Cancellation
    ///
    /// Cancel safe.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        symlink_metadata(&self.path).await
    }
}
