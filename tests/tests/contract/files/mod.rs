//! Files: what a program sees of them, and what becomes of operations that are given up.

mod cursor;
mod direct;
mod dropped;
mod ends;
mod hung;
mod offsets;
mod paths;
mod rows;
mod send;
mod streams;
mod whole;

use std::path::Path;

use miniss_linux::fs::File;
use miniss_tests::folder::Folder;

use crate::harness::on_each_driver;

/// Runs `case` on each driver, with a folder of its own.
#[track_caller]
fn in_folder(case: impl AsyncFn(&Path)) {
    on_each_driver(async || {
        let folder = Folder::new();
        case(folder.path()).await;
    });
}

/// A file that can be read and written, with these bytes.
async fn file_with(folder: &Path, bytes: &'static [u8]) -> File {
    let file = File::create_new(folder.join("file")).await.expect("the folder is empty");
    file.write_all_at(bytes, 0).await.0.expect("there is room");
    file
}

/// The byte of a pattern at a place.
fn pattern(place: usize) -> u8 {
    (place ^ place >> 8).wrapping_mul(31) as u8
}
