//! What is done with what is at a path.

#![forbid(unsafe_code)]

use std::ffi::c_char;
use std::fs::{self, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use super::file::File;
use super::metadata::Metadata;
use super::{at_path, kernel_path, off_the_shard, run};
use crate::buf::{BufResult, IoBuf};
use crate::driver::FileRequest;
use crate::op::file::{plain, status};

/// All that is in a file.
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
/// Cancel safe.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// fs::write(folder.join("greeting"), "hello").await.0?;
/// assert_eq!(fs::read(folder.join("greeting")).await?, b"hello");
/// # Ok(()) });
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = File::open(path).await?;
    let (result, bytes) = file.read_to_end(Vec::new()).await;
    result.map(|_| bytes)
}

/// All that is in a file, as text.
///
/// # Errors
///
/// As for [`read`]; `InvalidData` if it is not UTF-8.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Cancel safe.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    text(read(path).await?)
}

/// The error says where it is no text, and not what is in the file.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    String::from_utf8(bytes).map_err(|error| invalid(error.utf8_error()))
}

/// Makes a file of `contents`, in the place of the one that was there, and closes it. It is not
/// synced: to replace a file so that a loss of power leaves the one or the other, write another,
/// sync it, and [`rename`] it.
///
/// # Errors
///
/// What the system says, also of the close; a part may have been written.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// The file may be as before, empty, or written in part or whole.
pub async fn write<B: IoBuf>(path: impl AsRef<Path>, contents: B) -> BufResult<(), B> {
    let file = match File::create(path).await {
        Ok(file) => file,
        Err(error) => return (Err(error), contents),
    };
    let (result, contents) = file.write_all_at(contents, 0).await;
    // A file that is still open to be written cannot be started as a program.
    let closed = file.close().await;
    (result.and(closed), contents)
}

/// Copies a file's contents and permissions to `to`, in the place of what was there, and returns
/// how many bytes there were. It takes a thread of the pool for all of the time.
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
/// What has begun goes on to its end.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// fs::write(folder.join("a"), "hello").await.0?;
/// assert_eq!(fs::copy(folder.join("a"), folder.join("b")).await?, 5);
/// assert_eq!(fs::read(folder.join("b")).await?, b"hello");
/// # Ok(()) });
/// ```
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let (from, to) = (owned(from), owned(to));
    off_the_shard(move || fs::copy(from, to)).await
}

/// Gives what is at `from` the name `to`, on the same file system. A file or an empty folder that
/// was at `to` is replaced in the same instant: there is always one or the other. A loss of power
/// may undo it unless the folder is [synced](File::sync_all).
///
/// # Errors
///
/// What the system says; `CrossesDevices` for another file system.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs::{self, File};
///
/// // A file that is replaced whole or not at all.
/// let (new, path) = (folder.join("config.new"), folder.join("config"));
/// let file = File::create(&new).await?;
/// file.write_all("answer = 42").await.0?;
/// file.sync_all().await?;
/// fs::rename(&new, &path).await?;
/// File::open(&folder).await?.sync_all().await?;
/// # Ok(()) });
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    rename_by(from, to, 0).await
}

/// As [`rename`], but nothing is replaced.
///
/// # Errors
///
/// As there; `AlreadyExists` if there is something at `to`, `InvalidInput` if the file system does
/// not know how.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
pub async fn rename_noreplace(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    rename_by(from, to, libc::RENAME_NOREPLACE).await
}

async fn rename_by(from: impl AsRef<Path>, to: impl AsRef<Path>, flags: u32) -> io::Result<()> {
    at_paths(from, to, move |from, to| FileRequest::Rename { from, to, flags }).await
}

async fn at_paths(
    one: impl AsRef<Path>,
    other: impl AsRef<Path>,
    request: impl FnOnce(*const c_char, *const c_char) -> FileRequest + 'static,
) -> io::Result<()> {
    let paths = [kernel_path(one)?, kernel_path(other)?];
    run(plain(None, paths, move |_, [one, other]| request(one.as_ptr(), other.as_ptr()))).await
}

/// Gives a file a second name.
///
/// # Errors
///
/// What the system says; `AlreadyExists` if there is something at `link`.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    at_paths(original, link, |original, link| FileRequest::Link { original, link }).await
}

/// Makes a symbolic link at `link` that leads to `original`, whether there is something or not.
///
/// # Errors
///
/// What the system says; `AlreadyExists` if there is something at `link`.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
///
/// ```
/// # miniss_linux::doctest::in_folder(async |folder| {
/// use miniss_linux::fs;
///
/// fs::symlink("elsewhere", folder.join("link")).await?;
/// assert_eq!(fs::read_link(folder.join("link")).await?.as_os_str(), "elsewhere");
/// assert!(!fs::exists(folder.join("link")).await);
/// # Ok(()) });
/// ```
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    at_paths(original, link, |original, link| FileRequest::Symlink { original, link }).await
}

/// Where a symbolic link leads to.
///
/// # Errors
///
/// What the system says; `InvalidInput` if it is no link.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Cancel safe.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = owned(path);
    off_the_shard(move || fs::read_link(path)).await
}

/// Takes a name of a file, or a symbolic link, away. The file itself goes with its last name, when
/// it is open nowhere any more.
///
/// # Errors
///
/// What the system says; `IsADirectory` for a folder.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// It is done or not.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    at_path(path, |path| FileRequest::Remove { path, flags: 0 }).await
}

/// What the system knows of what is at a path. Of a symbolic link it is that to which it leads.
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
/// Cancel safe.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    metadata_by(path, 0).await
}

/// As [`metadata`]; of a symbolic link it is the link itself.
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
/// Cancel safe.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    metadata_by(path, libc::AT_SYMLINK_NOFOLLOW).await
}

async fn metadata_by(path: impl AsRef<Path>, flags: i32) -> io::Result<Metadata> {
    let status = status(None, kernel_path(path)?.into(), flags);
    Ok(Metadata::new(run(status).await?))
}

/// Whether there is something at a path, if that can be found out.
///
/// # Errors
///
/// What the system says, but `NotFound`.
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
/// assert!(miniss_linux::fs::try_exists(&folder).await?);
/// assert!(!miniss_linux::fs::try_exists(folder.join("nothing")).await?);
/// # Ok(()) });
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there is something at a path that we may look at. Between the answer and what is done
/// because of it, that may change: better do it, and look at the error.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Cancel safe.
pub async fn exists(path: impl AsRef<Path>) -> bool {
    try_exists(path).await.unwrap_or(false)
}

/// Says who may do what with what is at a path.
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
/// It is done or not.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = owned(path);
    off_the_shard(move || fs::set_permissions(path, permissions)).await
}

/// The path from the root, without symbolic links.
///
/// # Errors
///
/// What the system says; `NotFound` if there is nothing.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Cancel safe.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = owned(path);
    off_the_shard(move || fs::canonicalize(path)).await
}

pub(super) fn owned(path: impl AsRef<Path>) -> PathBuf {
    path.as_ref().to_owned()
}
