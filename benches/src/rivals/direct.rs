//! Pages that the rivals read past the kernel's memory (`O_DIRECT`), each as its documentation
//! advises. tokio and smol have no way of their own to do that.

#![forbid(unsafe_code)]

use std::fs;
use std::future::Future;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use ::compio::buf::{IoBuf as _, Slice};
use ::compio::io::AsyncReadAt;
use ::monoio::buf::{IoBufMut as _, SliceMut};

use super::Rival;
use super::compio::Compio;
use super::glommio::Glommio;
use super::miniss::Miniss;
use super::monoio::Monoio;
use crate::compare::process::take_turns;

/// Bytes of a page, and what it is aligned to.
pub const PAGE: usize = 4096;

/// A runtime that can read so. What cannot be read ends the program.
pub trait DirectFiles: Rival + 'static {
    /// An open file, for several tasks.
    type File: Clone + 'static;

    /// Memory to read into, if the program brings it.
    type Page: 'static;

    /// Opens a file that is there, to read.
    fn open(path: &Path) -> impl Future<Output = Self::File>;

    /// Memory for one reader.
    fn page(file: &Self::File) -> Self::Page;

    /// Reads the page at `offset`, and gives back its memory.
    fn read(file: Self::File, page: Self::Page, offset: u64) -> impl Future<Output = Self::Page>;
}

/// A file of the standard library's, to read past the kernel's memory.
///
/// # Errors
///
/// What the system says; `InvalidInput` if the file system cannot.
pub fn open(path: &Path) -> std::io::Result<fs::File> {
    fs::File::options().read(true).custom_flags(libc::O_DIRECT).open(path)
}

const WORKS: &str = "the file can be read";

impl DirectFiles for Miniss {
    type File = Rc<miniss_linux::fs::DirectFile>;
    type Page = miniss_linux::buf::AlignedBuf;

    async fn open(path: &Path) -> Self::File {
        let file = miniss_linux::fs::DirectFile::open(path).await.expect(WORKS);
        assert!(file.is_direct());
        Rc::new(file)
    }

    fn page(file: &Self::File) -> Self::Page {
        file.buffer(PAGE)
    }

    async fn read(file: Self::File, page: Self::Page, offset: u64) -> Self::Page {
        let (result, page) = file.read_at(page, offset).await;
        assert_eq!(result.expect(WORKS), PAGE);
        page
    }
}

/// Its reads bring buffers of their own. It spins, and at real-time priority it would keep away
/// the kernel's threads that bring what it spins for.
impl DirectFiles for Glommio {
    type File = Rc<::glommio::io::DmaFile>;
    type Page = ();

    async fn open(path: &Path) -> Self::File {
        take_turns();
        Rc::new(::glommio::io::DmaFile::open(path).await.expect(WORKS))
    }

    fn page(_: &Self::File) {}

    async fn read(file: Self::File, (): (), offset: u64) {
        assert_eq!(file.read_at_aligned(offset, PAGE).await.expect(WORKS).len(), PAGE);
    }
}

impl DirectFiles for Monoio {
    type File = Rc<::monoio::fs::File>;
    type Page = SliceMut<Vec<u8>>;

    async fn open(path: &Path) -> Self::File {
        Rc::new(::monoio::fs::File::from_std(open(path).expect(WORKS)).expect(WORKS))
    }

    fn page(_: &Self::File) -> Self::Page {
        let (memory, place) = page_inside();
        memory.slice_mut(place)
    }

    async fn read(file: Self::File, page: Self::Page, offset: u64) -> Self::Page {
        let (result, page) = file.read_at(page, offset).await;
        assert_eq!(result.expect(WORKS), PAGE);
        page
    }
}

impl DirectFiles for Compio {
    type File = ::compio::fs::File;
    type Page = Slice<Vec<u8>>;

    async fn open(path: &Path) -> Self::File {
        let mut options = ::compio::fs::OpenOptions::new();
        options.read(true).custom_flags(libc::O_DIRECT).open(path).await.expect(WORKS)
    }

    fn page(_: &Self::File) -> Self::Page {
        let (memory, place) = page_inside();
        memory.slice(place)
    }

    async fn read(file: Self::File, page: Self::Page, offset: u64) -> Self::Page {
        let (result, page) = file.read_at(page, offset).await.into();
        assert_eq!(result.expect(WORKS), PAGE);
        page
    }
}

/// Memory, and where in it a page is aligned.
fn page_inside() -> (Vec<u8>, Range<usize>) {
    let memory = vec![0; 2 * PAGE];
    let start = memory.as_ptr().addr().next_multiple_of(PAGE) - memory.as_ptr().addr();
    (memory, start..start + PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_aligned_and_inside_of_its_memory() {
        let (memory, place) = page_inside();
        assert!(memory[place.clone()].as_ptr().addr().is_multiple_of(PAGE));
        assert_eq!(memory[place].len(), PAGE);
    }
}
