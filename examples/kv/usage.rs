//! What the process uses: memory and processor time.
//!
//! Memory is counted where it is asked for, by an allocator that passes every request on to the
//! system's. To count costs two instructions: each thread adds up for itself, and tells the others
//! when it has come [`TELL_BYTES`] away from what it told last, or when it is asked.
//!
//! *Forwarded*: the allocator gives out what [`System`] gives and takes back what it gave, with
//! the layouts that it was asked with.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use std::fs;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::Duration;

/// Bytes that a thread may have taken or given back untold.
const TELL_BYTES: isize = 64 << 10;

/// Bytes that are in use, as far as they were told.
static TOLD: AtomicIsize = AtomicIsize::new(0);
/// The most that `TOLD` ever was.
static PEAK: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static UNTOLD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counted;

// SAFETY: Forwarded; counting allocates nothing and does not unwind.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: Forwarded.
        counted(unsafe { System.alloc(layout) }, layout.size().cast_signed())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: Forwarded.
        counted(unsafe { System.alloc_zeroed(layout) }, layout.size().cast_signed())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let more = size.cast_signed() - layout.size().cast_signed();
        // SAFETY: Forwarded.
        counted(unsafe { System.realloc(memory, layout, size) }, more)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: Forwarded.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[inline]
fn counted(memory: *mut u8, bytes: isize) -> *mut u8 {
    if !memory.is_null() {
        count(bytes);
    }
    memory
}

#[inline]
fn count(bytes: isize) {
    let untold = UNTOLD.get() + bytes;
    UNTOLD.set(untold);
    if untold.unsigned_abs() >= TELL_BYTES.unsigned_abs() {
        tell();
    }
}

/// Tells what this thread has taken and given back.
#[cold]
pub fn tell() {
    let untold = UNTOLD.take();
    // Relaxed: numbers that guard nothing.
    let told = TOLD.fetch_add(untold, Relaxed) + untold;
    PEAK.fetch_max(told, Relaxed);
}

/// What the process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes asked for and not given back.
    pub memory: u64,
    /// The most of them at any time.
    pub memory_peak: u64,
    /// Bytes of memory that the system has given the process.
    pub resident: u64,
    /// Bytes of memory that the system has.
    pub system_memory: u64,
    /// Processor time of the process, and of its children.
    pub cpu: [Cpu; 2],
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// In the kernel.
    pub system: Duration,
    /// In the program.
    pub user: Duration,
}

impl Usage {
    /// That of now. What other threads have not told is left out.
    pub fn now() -> Self {
        tell();
        let told = |bytes: &AtomicIsize| bytes.load(Relaxed).max(0).cast_unsigned() as u64;
        Self {
            memory: told(&TOLD),
            memory_peak: told(&PEAK),
            resident: kib_in("/proc/self/status", "VmRSS:") << 10,
            system_memory: kib_in("/proc/meminfo", "MemTotal:") << 10,
            cpu: [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN].map(cpu),
        }
    }
}

/// The number behind `name` in a file of the kernel; zero without it.
fn kib_in(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn cpu(whose: libc::c_int) -> Cpu {
    // SAFETY: all of it is numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes one `rusage`, and there is one. It fails only if `whose` is
    // unknown; then nothing is written.
    unsafe { libc::getrusage(whose, &raw mut usage) };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Cpu { system: time(usage.ru_stime), user: time(usage.ru_utime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_as_it_comes_and_goes() {
        // More than all other tests together take meanwhile.
        const BYTES: u64 = 1 << 30;
        let before = Usage::now();
        let mut large = Vec::<u8>::with_capacity(BYTES as usize / 2);
        large.reserve_exact(BYTES as usize);
        let during = Usage::now();
        drop(large);
        let after = Usage::now();
        assert!(during.memory > before.memory + BYTES / 2);
        assert!(after.memory < during.memory - BYTES / 2);
        assert!(after.memory_peak >= during.memory);
    }

    #[test]
    fn the_system_s_figures_are_real() {
        let kept = vec![7_u8; 64 << 20];
        let usage = Usage::now();
        assert!(usage.resident >= kept.len() as u64);
        assert!(usage.system_memory > usage.resident);
        assert!(!(usage.cpu[0].user + usage.cpu[0].system).is_zero());
    }
}
