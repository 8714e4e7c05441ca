//! Files of the rivals: each by positions, as its documentation advises. tokio and smol have no
//! such calls; a closure on their pool does what their own `File` does there, without its cursor
//! and its buffer.

#![forbid(unsafe_code)]

use std::fs;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use ::compio::io::{AsyncReadAt, AsyncWriteAt};

use super::Rival;
use super::compio::Compio;
use super::glommio::Glommio;
use super::miniss::Miniss;
use super::monoio::Monoio;
use super::smol::Smol;
use super::tokio::Tokio;

/// A runtime that has files. What cannot be read or written ends the program.
pub trait Files: Rival + 'static {
    /// An open file, for several tasks.
    type File: Clone + 'static;

    /// Opens a file that is there, to read and to write.
    fn open(path: &Path) -> impl Future<Output = Self::File>;

    /// Fills `buffer` with what is at `offset`, and gives it back.
    fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> impl Future<Output = Vec<u8>>;

    /// Writes `buffer` at `offset`, and gives it back.
    fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> impl Future<Output = Vec<u8>>;

    /// Waits until what was written is on the disk.
    fn sync(file: Self::File) -> impl Future<Output = ()>;
}

/// A file of the standard library's, to read and to write.
pub fn open(path: &Path) -> fs::File {
    fs::File::options().read(true).write(true).open(path).expect("the file is there")
}

const WORKS: &str = "the file can be read and written";

impl Files for Miniss {
    type File = Rc<miniss_linux::fs::File>;

    async fn open(path: &Path) -> Self::File {
        let mut options = miniss_linux::fs::OpenOptions::new();
        Rc::new(options.read(true).write(true).open(path).await.expect(WORKS))
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.read_at(buffer, offset).await;
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.write_at(buffer, offset).await;
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn sync(file: Self::File) {
        file.sync_data().await.expect(WORKS);
    }
}

impl Files for Tokio {
    type File = Arc<fs::File>;

    async fn open(path: &Path) -> Self::File {
        Arc::new(open(path))
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        ::tokio::task::spawn_blocking(move || filled(&file, buffer, offset)).await.expect(WORKS)
    }

    async fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        ::tokio::task::spawn_blocking(move || written(&file, buffer, offset)).await.expect(WORKS)
    }

    async fn sync(file: Self::File) {
        let sync = move || file.sync_data().expect(WORKS);
        ::tokio::task::spawn_blocking(sync).await.expect(WORKS);
    }
}

impl Files for Smol {
    type File = Arc<fs::File>;

    async fn open(path: &Path) -> Self::File {
        Arc::new(open(path))
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        ::smol::unblock(move || filled(&file, buffer, offset)).await
    }

    async fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        ::smol::unblock(move || written(&file, buffer, offset)).await
    }

    async fn sync(file: Self::File) {
        ::smol::unblock(move || file.sync_data().expect(WORKS)).await;
    }
}

fn filled(file: &fs::File, mut buffer: Vec<u8>, offset: u64) -> Vec<u8> {
    file.read_exact_at(&mut buffer, offset).expect(WORKS);
    buffer
}

fn written(file: &fs::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
    file.write_all_at(&buffer, offset).expect(WORKS);
    buffer
}

impl Files for Monoio {
    type File = Rc<::monoio::fs::File>;

    async fn open(path: &Path) -> Self::File {
        Rc::new(::monoio::fs::File::from_std(open(path)).expect(WORKS))
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.read_at(buffer, offset).await;
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.write_at(buffer, offset).await;
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn sync(file: Self::File) {
        file.sync_data().await.expect(WORKS);
    }
}

impl Files for Compio {
    type File = ::compio::fs::File;

    async fn open(path: &Path) -> Self::File {
        let mut options = ::compio::fs::OpenOptions::new();
        options.read(true).write(true).open(path).await.expect(WORKS)
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.read_at(buffer, offset).await.into();
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn write(mut file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let (result, buffer) = file.write_at(buffer, offset).await.into();
        assert_eq!(result.expect(WORKS), buffer.len());
        buffer
    }

    async fn sync(file: Self::File) {
        file.sync_data().await.expect(WORKS);
    }
}

/// Its reads bring buffers of their own, and its writes keep those that they are given.
impl Files for Glommio {
    type File = Rc<::glommio::io::BufferedFile>;

    async fn open(path: &Path) -> Self::File {
        let mut options = ::glommio::io::OpenOptions::new();
        Rc::new(options.read(true).write(true).buffered_open(path).await.expect(WORKS))
    }

    async fn read(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let read = file.read_at(offset, buffer.len()).await.expect(WORKS);
        assert_eq!(read.len(), buffer.len());
        buffer
    }

    async fn write(file: Self::File, buffer: Vec<u8>, offset: u64) -> Vec<u8> {
        let len = buffer.len();
        assert_eq!(file.write_at(buffer, offset).await.expect(WORKS), len);
        vec![7; len]
    }

    async fn sync(file: Self::File) {
        file.fdatasync().await.expect(WORKS);
    }
}
