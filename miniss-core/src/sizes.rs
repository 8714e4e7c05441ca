//! What things weigh, in bytes on a 64-bit machine: a table that is checked.

#![forbid(unsafe_code)]

use std::format;
use std::string::String;

use core::task::Waker;

use crate::call::{Call, FixedMesh};
use crate::doctest::Unparker;
use crate::executor::cell::Shared;
use crate::op::{OpId, OpKey};
use crate::task::cell::Header;
use crate::timer::{Interval, Sleep};
use crate::{AbortHandle, ExecutorCell, JoinHandle, LocalHandle, Reservation, TaskSlab};
use crate::{Future, Promise, PromiseCell, sync};

type OfU32 = core::future::Ready<u32>;

macro_rules! sizes {
    ($($kind:ty = $bytes:literal,)*) => {
        [$((stringify!($kind), size_of::<$kind>(), $bytes)),*]
    };
}

#[test]
#[cfg(target_pointer_width = "64")]
fn nothing_has_grown_or_shrunk_unnoticed() {
    let table = sizes! {
        Header = 64,
        Waker = 16,
        Shared = 768,
        ExecutorCell<Unparker> = 6528,
        LocalHandle<Unparker> = 16,
        JoinHandle<[u64; 100]> = 16,
        AbortHandle = 24,
        Reservation<OfU32, Unparker> = 24,
        TaskSlab<64, 1> = 192,
        TaskSlab<64, 10> = 1344,
        Future<u32> = 16,
        Promise<u32> = 8,
        PromiseCell<u32> = 32,
        Sleep<LocalHandle<Unparker>> = 80,
        Interval<LocalHandle<Unparker>> = 48,
        OpKey<OpId> = 8,
        Call<u32> = 32,
        FixedMesh<Unparker, 2, 16, 64> = 8192,
        sync::Semaphore = 40,
        sync::Acquire<'_> = 80,
        sync::Mutex<u32> = 48,
        sync::RwLock<u32> = 48,
        sync::Event = 40,
        sync::Condvar = 40,
        sync::Barrier = 48,
        sync::Gate = 56,
        sync::AbortSource = 40,
        sync::channel::Channel<u32, 16> = 200,
        sync::watch::Watch<u32> = 88,
        sync::broadcast::Broadcast<u32, 16> = 168,
        sync::SharedCell<u32> = 48,
    };
    let row = |(kind, is, _): &(&str, usize, usize)| format!("        {kind} = {is},\n");
    let as_it_is: String = table.iter().map(row).collect();
    assert!(table.iter().all(|(_, is, was)| is == was), "the table would be:\n{as_it_is}");
}

/// What a parked task costs beside its future: one cache line, and one more for a whole slab.
#[test]
fn a_parked_task_costs_one_line_beside_its_future() {
    assert_eq!(size_of::<Header>(), 64);
    let slots = |count: usize| 64 + count * (64 + 256);
    assert_eq!(size_of::<TaskSlab<256, 100>>(), slots(100));
}
