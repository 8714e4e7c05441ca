//! Files: opened, read and written at offsets or by a cursor, synced, locked; and what is done with
//! folders and paths. Names and meanings are those of `std::fs`, but nothing here blocks the shard.
//!
//! `file.read_at() ─▶ [fs] ─▶ op ─▶ driver ─▶ kernel, or a thread of the pool`
//!
//! - `open`: [`OpenOptions`]; and [`DetachedFile`], on its way from one shard to another.
//! - `file`: [`File`], from its opening to its end; how it is synced, sized and locked.
//! - `transfer`: how it is read and written.
//! - `reader`, `writer`: a file, direct or not, as a stream: [`FileReader`], [`FileWriter`].
//! - `send`: from a file into a stream of the network, [`send_file`], and back.
//! - `direct`: [`DirectFile`], read and written past the kernel's memory.
//! - `metadata`: [`Metadata`] and [`FileType`].
//! - `paths`: what is done with what is at a path, from [`read`] to [`canonicalize`].
//! - `folder`: folders are made, removed and listed: [`ReadDir`].
//!
//! Operations own their buffers while the kernel works on them and give them back, beside the
//! result, as those of [sockets](crate::net) do.
//!
//! # What becomes of an operation that is dropped
//!
//! A future that is dropped before its operation has begun leaves the file as it is. What has begun
//! goes on to its end: a write, a rename or a removal then is as if it had been awaited, and no one
//! hears of it. Which of the two it is cannot be told, so a program that must know awaits. The
//! [manual](crate::manual::files) has it in tables, and what survives which failure.
//!
//! # Which thread does it
//!
//! With io_uring the kernel does nearly everything. Over epoll, and for what io_uring has no
//! operation for, threads of the runtime's pool do it, which all shards share. What waits for
//! someone else holds its thread as long: the opening of a named pipe, or a read of a terminal. For
//! terminals there is [`PipeReader::from_shared`](crate::pipe::PipeReader::from_shared).

mod direct;
mod file;
mod folder;
mod metadata;
mod open;
mod paths;
mod reader;
mod send;
mod transfer;
mod writer;

pub use direct::{Alignment, DirectFile, Misaligned};
pub use file::{Advice, File};
pub use folder::{
    DirEntry, ReadDir, create_dir, create_dir_all, read_dir, remove_dir, remove_dir_all,
};
pub use metadata::{FileType, Metadata};
pub use open::{DetachedFile, OpenOptions};
pub use paths::{
    canonicalize, copy, exists, hard_link, metadata, read, read_link, read_to_string, remove_file,
    rename, rename_noreplace, set_permissions, symlink, symlink_metadata, try_exists, write,
};
pub use reader::FileReader;
pub use send::{receive_file, send_file};
pub use writer::FileWriter;

use std::ffi::{CString, c_char};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use crate::driver::{FileRequest, Prepare, ShardDriver};
use crate::op::file::{plain, work};
use crate::runtime::with_current;

/// The driver of the shard that this runs on.
///
/// # Panics
/// Outside of a runtime.
fn current_driver() -> Rc<ShardDriver> {
    with_current(|shard| shard.driver.clone())
}

/// Runs an operation that names no descriptor.
async fn run<O: Prepare>(op: O) -> O::Output {
    current_driver().start(op).await
}

/// Runs `call`, which may block, off the shard.
async fn off_the_shard<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    run(work(None, call)).await.flatten()
}

/// Makes a request about what is at a path.
async fn at_path(
    path: impl AsRef<Path>,
    request: impl FnOnce(*const c_char) -> FileRequest + 'static,
) -> io::Result<()> {
    run(plain(None, kernel_path(path)?, move |_, path| request(path.as_ptr()))).await
}

/// A path, as the kernel wants it.
fn kernel_path(path: impl AsRef<Path>) -> io::Result<CString> {
    CString::new(path.as_ref().as_os_str().as_bytes()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "a path must have no zero byte in it")
    })
}
