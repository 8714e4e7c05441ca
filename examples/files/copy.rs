//! One file, or one symbolic link, is copied: under another name first, and renamed when all of it
//! is there. So no one ever finds half a file under its name, however the program ends.

use std::cell::Cell;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use miniss_linux::buf::IoBuf;
use miniss_linux::combine::when_all;
use miniss_linux::fs::{self, DirectFile, File, Metadata, OpenOptions};

use crate::access::Access;
use crate::crew::{Counts, Worker};
use crate::failure::{Cut, Failure, OrFailure};

/// How to copy.
#[derive(Debug, Clone, Copy, Args)]
pub struct Manner {
    /// Files that are there already are replaced, each in one instant
    #[arg(long)]
    pub overwrite: bool,
    /// What was copied outlives a loss of power from the end on
    #[arg(long)]
    pub sync: bool,
    /// Past the kernel's memory, where the file system can do that
    #[arg(long)]
    pub direct: bool,
}

/// Bytes that are read and written at a time.
const PIECE: u64 = 256 << 10;

/// Pieces of one file that are on their way at a time; each has a buffer.
const PIECES_MAX: u64 = 4;

/// Copies the file `from` to `to`.
///
/// # Errors
///
/// [`Cut`] if it cannot be copied, or the program is asked to end; then nothing is left of it.
pub async fn copy_file(worker: &Worker, from: &Path, to: &Path, manner: Manner) -> Result<(), Cut> {
    if manner.direct {
        copy_by::<DirectFile>(worker, from, to, manner).await
    } else {
        copy_by::<File>(worker, from, to, manner).await
    }
}

async fn copy_by<A: Access>(
    worker: &Worker,
    from: &Path,
    to: &Path,
    manner: Manner,
) -> Result<(), Cut> {
    let (old, mut new) = (OpenOptions::new().read(true).clone(), OpenOptions::new());
    let source = A::open(&old, from).await.or_failure("open", from)?;
    // Neither this nor the renaming is dropped half way: what then is there could not be told.
    new.write(true).create_new(true).mode(0o600);
    let made = beside(to, async |temporary| A::open(&new, temporary).await);
    let (target, temporary) = made.await.or_failure("make the file", to)?;
    let filled = worker.until_asked(async {
        let metadata = source.file().metadata().await.or_failure("look at", from)?;
        Contents { worker, source: &source, target: &target, from, to }.copy(&metadata).await?;
        finish(target.file(), &metadata, manner).await.or_failure("write", to)
    });
    place(filled.await, &temporary, to, manner).await?;
    worker.count(Counts { files: 1, bytes: 0 });
    Ok(())
}

/// Copies the symbolic link `from` to `to`.
///
/// # Errors
///
/// As for [`copy_file`].
pub async fn copy_link(worker: &Worker, from: &Path, to: &Path, manner: Manner) -> Result<(), Cut> {
    let leads_to = fs::read_link(from).await.or_failure("read the link", from)?;
    let made = beside(to, async |temporary| fs::symlink(&leads_to, temporary).await);
    let ((), temporary) = made.await.or_failure("make the link", to)?;
    place(Ok(()), &temporary, to, manner).await?;
    worker.count(Counts { files: 1, bytes: 0 });
    Ok(())
}

/// Makes something that is to become `to`: in the same folder, so on the same file system, under a
/// name that no one uses. One that was killed half way may have left some behind.
async fn beside<T>(
    to: &Path,
    make: impl AsyncFn(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = to.with_file_name(format!(".files-{}-{number}.tmp", process::id()));
        match make(&temporary).await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made?, temporary)),
        }
    }
}

/// Gives the copy its name if it is whole, and removes it if not.
async fn place(
    copied: Result<(), Cut>,
    temporary: &Path,
    to: &Path,
    manner: Manner,
) -> Result<(), Cut> {
    let placed = match copied {
        Ok(()) if manner.overwrite => fs::rename(temporary, to).await,
        Ok(()) => fs::rename_noreplace(temporary, to).await,
        Err(cut) => {
            let _ = fs::remove_file(temporary).await;
            return Err(cut);
        }
    };
    if placed.is_err() {
        let _ = fs::remove_file(temporary).await;
    }
    Ok(placed.or_failure("give the copy its name", to)?)
}

/// Permissions, times, and all that may still fail.
async fn finish(target: &File, metadata: &Metadata, manner: Manner) -> io::Result<()> {
    target.set_permissions(permissions_of(metadata)).await?;
    target.set_modified(metadata.modified()).await?;
    if manner.sync {
        target.sync_all().await?;
    }
    // Some file systems say only now that there was no room.
    target.close().await
}

/// Who may do what; what runs with the rights of its owner does not do so for another owner.
pub fn permissions_of(metadata: &Metadata) -> Permissions {
    Permissions::from_mode(metadata.mode() & 0o1777)
}

/// What is in a file, on its way to another.
struct Contents<'a, A> {
    worker: &'a Worker,
    source: &'a A,
    target: &'a A,
    from: &'a Path,
    to: &'a Path,
}

impl<A: Access> Contents<'_, A> {
    /// Several pieces are on their way at a time. It goes to the end of the file as it finds it:
    /// some files are longer than they say, and others grow or shrink meanwhile.
    async fn copy(&self, metadata: &Metadata) -> Result<(), Failure> {
        let pieces = metadata.len().div_ceil(PIECE).clamp(1, PIECES_MAX);
        let has_holes = metadata.blocks() * 512 < metadata.len();
        let next = Cell::new(0);
        let room = room_for(metadata, PIECE);
        let lanes = (0..pieces).map(|_| self.copy_pieces(&next, room, has_holes));
        let mut end = 0;
        for lane in when_all(lanes.collect::<Vec<_>>()).await {
            end = end.max(lane?);
        }
        if has_holes || self.target.step() > 1 {
            self.target.file().set_len(end).await.or_failure("write", self.to)?;
        }
        Ok(())
    }

    /// Copies the piece at `next`, and so on until there is none; returns where it has ended.
    async fn copy_pieces(
        &self,
        next: &Cell<u64>,
        room: usize,
        has_holes: bool,
    ) -> Result<u64, Failure> {
        let (step, mut done) = (self.target.step(), 0);
        let mut buffer = self.source.buffer(room.next_multiple_of(step));
        loop {
            let mut at = next.replace(next.get() + PIECE);
            let end = at + PIECE;
            while at < end {
                let room = room.min((end - at) as usize);
                let (result, slice) = self.source.read_at(buffer.slice(..room), at).await;
                buffer = slice.into_inner();
                let len = result.or_failure("read", self.from)?;
                if len == 0 {
                    return Ok(done);
                }
                if !(has_holes && buffer[..len].iter().all(|&byte| byte == 0)) {
                    // What is behind the end is cut off again.
                    let bytes = buffer.slice(..len.next_multiple_of(step));
                    let (result, slice) = self.target.write_all_at(bytes, at).await;
                    buffer = slice.into_inner();
                    result.or_failure("write", self.to)?;
                }
                self.worker.count(Counts { files: 0, bytes: len as u64 });
                at += len as u64;
                done = at;
                if !len.is_multiple_of(step) {
                    return Ok(done);
                }
            }
        }
    }
}

/// Room for all of a file and a byte more, so that its end shows at once; `max` at most.
pub fn room_for(metadata: &Metadata, max: u64) -> usize {
    (metadata.len() + 1).next_multiple_of(4096).min(max) as usize
}
