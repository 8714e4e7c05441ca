//! Rows of files.

#![forbid(unsafe_code)]

use super::{Role, Row};
use crate::compare::target::Bound::{Limit, Peer};
use crate::compare::target::{Figure, Target};
use crate::compare::work::{direct, files};
use crate::rivals::Rival;
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::Miniss;
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;

/// These rows.
pub fn rows() -> Vec<Row> {
    vec![
        read(),
        read_32(),
        write(),
        commit(),
        direct::<1>("direct-1", 6_000).traced(500, 2_500).note(NOTE),
        direct::<32>("direct-32", 1_250).traced(100, 400),
        direct::<128>("direct-128", 400).traced(25, 100),
    ]
}

const NOTE: &str = "\
    direct: limit is fio, with its engine for io_uring, on the same file. It enters the kernel for \
    each read. CPU of all is that of their processes: what the kernel does on other cores when the \
    device has finished is not in it. glommio spins, and so runs at the usual priority: at a \
    higher one, the kernel's threads that it waits for would not run.";

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

fn direct<const DEPTH: usize>(name: &'static str, each: usize) -> Row {
    let title = format!("random reads of 4 KiB past the kernel's memory, {DEPTH} at once");
    let row = Row::new(name, title)
        .measure("reads per second")
        .unit("k/s", 1e3)
        .target(Target::at_least(Limit(0.98)))
        .target(Target::at_most(Limit(1.0)).on(Figure::Cpu));
    Row { wants_more: true, prepare: Some(direct::prepare), ..row }
        .with_run(Role::Limit, "fio", each, |job| direct::fio(DEPTH, job.size))
        .with(Role::Ours, Miniss::NAME, each, direct::read::<Miniss, DEPTH>)
        .with(Role::Peer, Monoio::NAME, each, direct::read::<Monoio, DEPTH>)
        .with(Role::Peer, Compio::NAME, each, direct::read::<Compio, DEPTH>)
        .with(Role::Peer, Glommio::NAME, each, direct::read::<Glommio, DEPTH>)
}
