//! Rows of files.

#![forbid(unsafe_code)]

use super::Row;
use crate::compare::target::Bound::Peer;
use crate::compare::target::Target;
use crate::compare::work::files;
use crate::rivals::Rival;
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::Miniss;
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;

/// These rows.
pub fn rows() -> Vec<Row> {
    vec![read(), read_32(), write(), commit()]
}

fn read() -> Row {
    Row::new("file-read", "read of 4 KiB that are in the kernel's memory, one after the other")
        .target(Target::at_most(Peer(1.0)))
        .traced(200, 400)
        .everyone(20_000, files::read_by_hand, files::read::<Miniss>, peers!(files::read))
}

fn read_32() -> Row {
    Row::new("file-read-32", "read of 4 KiB that are in the kernel's memory, 32 tasks at once")
        .target(Target::at_most(Peer(1.0)))
        .traced(10, 20)
        .everyone(1_000, files::read_32_by_hand, files::read_32::<Miniss>, peers!(files::read_32))
}

fn write() -> Row {
    Row::new("file-write", "write of 4 KiB over others, into the kernel's memory")
        .target(Target::at_most(Peer(1.0)))
        .traced(200, 400)
        .everyone(20_000, files::write_by_hand, files::write::<Miniss>, peers!(files::write))
}

fn commit() -> Row {
    Row::new("file-commit", "64 tasks write 128 B each, one fdatasync for all of them")
        .unit("us", 1e3)
        .target(Target::at_most(Peer(1.0)))
        .everyone(50, files::commit_by_hand, files::commit::<Miniss>, peers!(files::commit))
}
