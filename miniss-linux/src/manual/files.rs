//! Files: what survives which failure, who hears of it, and how to write so that it does.
//!
//! # What survives
//!
//! | what has ended | the program is killed | the kernel stops, or power is lost | who says so |
//! |---|---|---|---|
//! | a write | it is there | it may be missing or there in part; of two writes, also the earlier one | write(2), notes |
//! | a write, then [`sync_data`] or [`sync_all`] without an error | it is there | it is there | fsync(2) |
//! | a write of a [`DirectFile`] | it is there | it may be in the device's own memory: sync it | open(2), `O_DIRECT` |
//! | what a [`FileWriter`](crate::fs::FileWriter) over one has flushed | it is there | as a write of a [`DirectFile`]; what was no whole block, as any write | open(2), fsync(2) |
//! | a file that was made, and synced | it is there | its name may be missing until its folder is synced, too | fsync(2) |
//! | [`rename`] of a file that was synced | the new name | the old file or the new one, never neither; after a sync of the folder, the new one | rename(2) for other programs; for a loss of power the journal of the file system, not POSIX |
//! | [`rename`] of a file that was not synced | the new name | perhaps the new name of an empty file | ext4: its option `auto_da_alloc`, on by default, writes the contents first if a file is replaced |
//! | [`set_len`], [`allocate`], [`punch_hole`] | it is done | as a write: done for certain after [`sync_all`] | fsync(2) |
//! | a removal | it is gone | it may be back until its folder is synced | fsync(2), of the folder |
//! | a close, a file that is dropped | no more than without | no more than without | close(2), notes |
//! | a [lock](crate::fs::File::lock) | it is given back | it is given back | flock(2) |
//!
//! The numbers are the sections of the Linux manual pages. The option of ext4 is explained in the
//! kernel's `Documentation/admin-guide/ext4.rst`. The test
//! `a_program_that_is_killed_leaves_whole_files_and_none_that_looks_whole` kills a program while it
//! copies. No test of ours cuts the power: the third column says what the sources promise of a disk
//! that does as it is told.
//!
//! What is in progress when the program is killed may be done, in part or not at all.
//!
//! # What becomes of a future that is dropped
//!
//! | operation | before it has begun | afterwards |
//! |---|---|---|
//! | a read | nothing is read | the cursor stays; the buffer is kept until the kernel has let go of it |
//! | a write | nothing is written | it goes on, and is as if it had been awaited |
//! | an open | nothing is opened | what was opened is closed; a file may have been made, or made empty |
//! | rename, link, removal, a new folder | nothing is done | it goes on, and is as if it had been awaited |
//! | a copy, or something with a whole tree | nothing is done | it goes on to its end on its thread |
//! | a close | the file is closed all the same | the same |
//! | a [`FileWriter`](crate::fs::FileWriter) | what it has not handed over is lost | the piece that is being written is written whole or not at all |
//! | a [`send_file`](crate::fs::send_file) | nothing is sent | nothing goes out after the write that is in progress; what was read, into memory or a pipe of its own, is forgotten, and the file still has it |
//! | a file itself | it is closed | it is closed when all that is in flight on it has ended |
//!
//! Whether it had begun, no one can tell; a program that must know awaits. The tests in
//! `tests/tests/contract/files/dropped.rs` and `ends.rs` show it on both drivers, for reads,
//! writes, opens, renames, removals, calls on a thread, closes and files.
//!
//! # Who hears of a failure
//!
//! | failure | who hears |
//! |---|---|
//! | no room left | the write; `write_all` has then written a part, and the file can be used again once there is room |
//! | a disk fails while the kernel writes what it had taken before | the next sync of each open file, once; some file systems also tell `close` |
//! | the sync that failed is tried again | it may succeed although what was to be written is lost: write it again, or end the program and recover |
//! | the write or the close of something that was dropped fails | no one |
//! | a disk that never answers | no one: the operation stays in flight, its shard goes on, and the end of the runtime reports and leaks it after the shutdown timeout. Each one that hangs keeps a thread: of the [pool](crate::Builder::blocking_threads), or of the kernel's for the ring of its shard. When all of them hang, other files wait, too; that the pool is full is [reported](crate::diagnostics) |
//! | a server of FUSE that has taken a request and never answers | as above; and the kernel keeps the thread, and a process that ends, until that server has ended |
//!
//! # A file that is replaced whole or not at all
//!
//! ```
//! # miniss_linux::doctest::in_folder(async |folder| {
//! use miniss_linux::fs::{self, File};
//!
//! let file = File::create(folder.join("state.new")).await?;
//! file.write_all("all of it").await.0?;
//! file.sync_all().await?; // first the contents,
//! fs::rename(folder.join("state.new"), folder.join("state")).await?; // then the name,
//! File::open(&folder).await?.sync_all().await?; // and then the folder
//! # assert_eq!(fs::read(folder.join("state")).await?, b"all of it");
//! # Ok(()) });
//! ```
//!
//! # A log whose entries are answered when they are safe
//!
//! One sync makes safe what all tasks have written before it begins: so many entries may share one.
//!
//! ```
//! # miniss_linux::doctest::in_folder(async |folder| {
//! use miniss_linux::fs::OpenOptions;
//!
//! let log = OpenOptions::new().append(true).create(true).open(folder.join("log")).await?;
//! for group in [["a\n", "b\n"], ["c\n", "d\n"]] {
//!     for entry in group {
//!         log.write_all(entry).await.0?;
//!     }
//!     log.sync_data().await?;
//!     // …: answer those that wait for these entries
//! }
//! # assert_eq!(miniss_linux::fs::read(folder.join("log")).await?, b"a\nb\nc\nd\n");
//! # Ok(()) });
//! ```
//!
//! [`sync_data`]: crate::fs::File::sync_data
//! [`sync_all`]: crate::fs::File::sync_all
//! [`set_len`]: crate::fs::File::set_len
//! [`allocate`]: crate::fs::File::allocate
//! [`punch_hole`]: crate::fs::File::punch_hole
//! [`DirectFile`]: crate::fs::DirectFile
//! [`rename`]: crate::fs::rename

#![forbid(unsafe_code)]
