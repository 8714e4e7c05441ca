//! Files: pages that are in the kernel's memory are read and written, and entries of a log are
//! committed in groups.

#![forbid(unsafe_code)]

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::compare::sample::{Meter, Sample};
use crate::limits::pin;
use crate::rivals::Place;
use crate::rivals::files::{Files, open};

/// A page, and pages of the file.
const PAGE: usize = 4096;
const PAGES: u64 = 4096;
/// Tasks that read at the same time.
const READERS: usize = 32;
/// Entries that one sync commits, and bytes of each.
const GROUP: usize = 64;
const ENTRY: usize = 128;

/// A file of [`PAGES`] that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("miniss-compare-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, vec![7; PAGE * PAGES as usize]).expect("there is room for 16 MiB");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = fs::remove_file(&self.0);
    }
}

/// The place of the page number `count` of someone who goes about from `start` without an order.
fn place(start: usize, count: usize) -> u64 {
    let mixed = ((start << 20) as u64 + count as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) % PAGES * PAGE as u64
}

/// Reads a page, again and again.
pub fn read<R: Files>(count: usize) -> Sample {
    let scratch = Scratch::new();
    R::block_on(Place::default(), async {
        let file = R::open(&scratch.0).await;
        read_pages::<R>(file.clone(), 0, 100).await;
        let meter = Meter::start();
        read_pages::<R>(file, 1, count).await;
        meter.stop(count)
    })
}

async fn read_pages<R: Files>(file: R::File, start: usize, count: usize) {
    let mut buffer = vec![0; PAGE];
    for number in 0..count {
        buffer = R::read(file.clone(), buffer, place(start, number)).await;
    }
}

/// 32 tasks that read a page, again and again.
pub fn read_32<R: Files>(rounds: usize) -> Sample {
    let scratch = Scratch::new();
    R::block_on(Place::default(), async {
        let file = R::open(&scratch.0).await;
        read_at_once::<R>(&file, 10).await;
        let meter = Meter::start();
        read_at_once::<R>(&file, rounds).await;
        meter.stop(rounds * READERS)
    })
}

async fn read_at_once<R: Files>(file: &R::File, rounds: usize) {
    let reader = |start| R::spawn(read_pages::<R>(file.clone(), start, rounds));
    let readers: Vec<_> = (0..READERS).map(reader).collect();
    for reader in readers {
        reader.await;
    }
}

/// Writes a page over another, again and again.
pub fn write<R: Files>(count: usize) -> Sample {
    let scratch = Scratch::new();
    R::block_on(Place::default(), async {
        let file = R::open(&scratch.0).await;
        let mut buffer = vec![7; PAGE];
        buffer = R::write(file.clone(), buffer, 0).await;
        let meter = Meter::start();
        for number in 0..count {
            buffer = R::write(file.clone(), buffer, place(1, number)).await;
        }
        meter.stop(count)
    })
}

/// 64 tasks that write an entry each, and then one sync for all, again and again.
pub fn commit<R: Files>(groups: usize) -> Sample {
    let scratch = Scratch::new();
    R::block_on(Place::default(), async {
        let file = R::open(&scratch.0).await;
        commit_group::<R>(&file, 0).await;
        let meter = Meter::start();
        for group in 0..groups {
            commit_group::<R>(&file, group).await;
        }
        meter.stop(groups)
    })
}

async fn commit_group<R: Files>(file: &R::File, group: usize) {
    let write = |entry| R::spawn(write_entry::<R>(file.clone(), group, entry));
    let entries: Vec<_> = (0..GROUP).map(write).collect();
    for entry in entries {
        entry.await;
    }
    R::sync(file.clone()).await;
}

async fn write_entry<R: Files>(file: R::File, group: usize, entry: usize) {
    R::write(file, vec![7; ENTRY], place_of(group, entry)).await;
}

fn place_of(group: usize, entry: usize) -> u64 {
    ((group * GROUP + entry) * ENTRY) as u64 % (PAGES * PAGE as u64)
}

/// [`read`], without a runtime.
pub fn read_by_hand(count: usize) -> Sample {
    let (scratch, mut buffer) = (Scratch::new(), vec![0; PAGE]);
    let file = open(&scratch.0);
    pin(0);
    let meter = Meter::start();
    for number in 0..count {
        file.read_exact_at(&mut buffer, place(1, number)).expect("it can be read");
    }
    meter.stop(count)
}

/// [`read_32`], one after the other and without a runtime.
pub fn read_32_by_hand(rounds: usize) -> Sample {
    read_by_hand(rounds * READERS)
}

/// [`write()`], without a runtime.
pub fn write_by_hand(count: usize) -> Sample {
    let (scratch, buffer) = (Scratch::new(), vec![7; PAGE]);
    let file = open(&scratch.0);
    pin(0);
    let meter = Meter::start();
    for number in 0..count {
        file.write_all_at(&buffer, place(1, number)).expect("it can be written");
    }
    meter.stop(count)
}

/// [`commit`], without a runtime.
pub fn commit_by_hand(groups: usize) -> Sample {
    let (scratch, buffer) = (Scratch::new(), [7; ENTRY]);
    let file = open(&scratch.0);
    pin(0);
    let meter = Meter::start();
    for group in 0..groups {
        for entry in 0..GROUP {
            file.write_all_at(&buffer, place_of(group, entry)).expect("it can be written");
        }
        file.sync_data().expect("it can be synced");
    }
    meter.stop(groups)
}
