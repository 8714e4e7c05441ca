//! A port without a kernel: a clock that stands still until told, and no sleep at all.
//!
//! `executor ─▶ [port]`, in the place of reactor and unparker
//!
//! What is measured over it is the core alone. It knows its own thread by the address of a
//! thread-local, so several executors may share a thread, and it can be told not to know it: then
//! the same thread takes the way of a foreign one.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};

use miniss_core::time::Instant;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

thread_local! {
    /// Its address tells one thread from all others that live.
    static HERE: u8 = const { 0 };
}

fn here() -> *mut u8 {
    HERE.with(|here| ptr::from_ref(here).cast_mut())
}

/// The unparker of an executor that never sleeps.
#[derive(Debug)]
pub struct Unparker {
    now_ns: AtomicU64,
    /// [`here`] on the executor's thread; null while there is none.
    owner: AtomicPtr<u8>,
    knows_local: AtomicBool,
}

impl Unparker {
    const fn new() -> Self {
        Self {
            now_ns: AtomicU64::new(0),
            owner: AtomicPtr::new(ptr::null_mut()),
            knows_local: AtomicBool::new(true),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Relaxed);
    }

    /// Whether wakes on the executor's thread take the short way.
    pub fn know_local(&self, yes: bool) {
        self.knows_local.store(yes, Relaxed);
    }
}

// SAFETY: `owner` names the thread on which the `Port` was made, from just before its executor is
// made until the port is dropped with it; an executor never leaves its thread.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}

    #[inline]
    fn is_local(&self) -> bool {
        ptr::eq(self.owner.load(Relaxed), here()) && self.knows_local.load(Relaxed)
    }
}

impl Clock for Unparker {
    type Timers = miniss_core::timer::Wheel;

    #[inline]
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now_ns.load(Relaxed))
    }
}

/// The reactor: it has no events.
#[derive(Debug)]
pub struct Port(&'static Unparker);

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {
        std::hint::spin_loop();
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.0.owner.store(ptr::null_mut(), Relaxed);
    }
}

/// An executor over a new port.
pub fn executor() -> Executor<Port> {
    let cell: &'static ExecutorCell<Unparker> =
        Box::leak(Box::new(ExecutorCell::new(Unparker::new())));
    cell.unparker().owner.store(here(), Relaxed);
    Executor::new(cell, Port(cell.unparker())).expect("a new cell is free")
}
