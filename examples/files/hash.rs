//! One file is hashed.
//!
//! SHA-256 goes from front to back, so one file is the work of one shard. It is computed there and
//! not by `spawn_blocking`: it can be cut into pieces as small as one likes, there is a shard for
//! each CPU already, and a thread beside it would only take the CPU from the shard and move the
//! bytes to another cache. After each piece the other tasks of the shard have their turn if theirs
//! is due. For a library that computes for a second and cannot be interrupted, take
//! `spawn_blocking`.

use std::io;
use std::path::Path;

use miniss_linux::combine::when_all;
use miniss_linux::fs::{DirectFile, File, OpenOptions};
use miniss_linux::maybe_yield;
use sha2::{Digest, Sha256};

use crate::access::Access;
use crate::copy::room_for;
use crate::crew::{Counts, Worker};
use crate::failure::{Cut, Failure, OrFailure};

/// Bytes that are read at a time. Each file in work has two such buffers.
const PIECE: u64 = 256 << 10;

/// Bytes that are hashed before other tasks may have their turn: 45 µs at 370 MB/s, which is what
/// this and `sha256sum` reached on the virtual machine where it was measured.
const SLICE: usize = 16 << 10;

/// The hash of the file at `path`, as text.
///
/// # Errors
///
/// [`Cut`] if it cannot be read, or the program is asked to end.
pub async fn hash(worker: &Worker, path: &Path, direct: bool) -> Result<String, Cut> {
    let hash = if direct {
        worker.until_asked(hash_by::<DirectFile>(worker, path)).await?
    } else {
        worker.until_asked(hash_by::<File>(worker, path)).await?
    };
    worker.count(Counts { files: 1, bytes: 0 });
    Ok(hash)
}

async fn hash_by<A: Access>(worker: &Worker, path: &Path) -> Result<String, Failure> {
    let options = OpenOptions::new().read(true).clone();
    let file = A::open(&options, path).await.or_failure("open", path)?;
    hash_contents(worker, &file).await.or_failure("read", path)
}

async fn hash_contents<A: Access>(worker: &Worker, file: &A) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut offset = 0;
    let room = room_for(&file.file().metadata().await?, PIECE);
    let mut free = file.buffer(room);
    let (mut result, mut read) = file.read_at(file.buffer(room), offset).await;
    loop {
        let len = result?;
        if len == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        offset += len as u64;
        worker.count(Counts { files: 0, bytes: len as u64 });
        // The next piece is read while this one is hashed.
        let next = file.read_at(free, offset);
        let (done, ()) = when_all((next, update(&mut hasher, &read[..len]))).await;
        free = read;
        (result, read) = done;
    }
}

async fn update(hasher: &mut Sha256, bytes: &[u8]) {
    for slice in bytes.chunks(SLICE) {
        hasher.update(slice);
        maybe_yield().await;
    }
}
