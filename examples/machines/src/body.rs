//! What runs on all machines: tasks, timers and an interrupt.
//!
//! It prints what it has counted, and panics where something is wrong.
//!
//! Invariants: see [`Raised`].

use core::cell::UnsafeCell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;

use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, LocalHandle, task_slab};

use crate::port::{Port, Unparker};
use crate::{machine, println};

const TICKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(5);
const INTERRUPTS: u32 = 100;

/// What the program does on its first core, and all that it does where there is no other one.
pub fn run(cell: &'static ExecutorCell<Unparker>) {
    let mut executor = Port::executor(cell);
    let local = executor.local();
    executor.block_on(alone(local));
    report(cell, local);
}

async fn alone(local: LocalHandle<Unparker>) {
    let ticking = local.spawn_in(task_slab!(tick), tick(local)).expect("its slab is free");
    for _ in 0..INTERRUPTS {
        interrupted().await;
    }
    let ticks = ticking.await.expect("no one aborts it");
    println!("{ticks} ticks, {INTERRUPTS} interrupts");
}

async fn tick(local: LocalHandle<Unparker>) -> u32 {
    for _ in 0..TICKS {
        let start = local.now();
        Sleep::new(local, PAUSE).await;
        assert!(local.now() - start >= PAUSE, "a timer is never early");
    }
    TICKS
}

/// The core did not spin: it halted, and no task was polled without having been woken.
fn report(cell: &ExecutorCell<Unparker>, local: LocalHandle<Unparker>) {
    let (stats, halts) = (local.stats(), cell.unparker().halts());
    println!("{halts} halts, {} polls, {} timers", stats.polls, stats.timers_fired);
    assert!(halts > 0 && stats.wakes_remote >= INTERRUPTS.into());
    assert!(stats.polls <= stats.spawned + stats.wakes_local + stats.wakes_remote);
}

/// A task that waits for an interrupt.
///
/// # Invariant
///
/// - **One at a time.** While `is_awaited`, the waker is the handler's, else the task's. Both are
///   on the first core.
struct Raised {
    is_awaited: AtomicBool,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: *One at a time*.
unsafe impl Sync for Raised {}

static RAISED: Raised = Raised { is_awaited: AtomicBool::new(false), waker: UnsafeCell::new(None) };

/// Called by the machine in its interrupt handler, on each core that is interrupted.
pub fn on_interrupt() {
    if machine::this_core() == 0 && RAISED.is_awaited.load(Ordering::Acquire) {
        // SAFETY: *One at a time*.
        let waker = unsafe { &mut *RAISED.waker.get() }.take();
        RAISED.is_awaited.store(false, Ordering::Release);
        waker.inspect(Waker::wake_by_ref);
    }
}

/// Raises an interrupt and waits until its handler has woken this task.
async fn interrupted() {
    let mut is_raised = false;
    poll_fn(|cx| {
        if !is_raised {
            is_raised = true;
            // SAFETY: *One at a time*.
            unsafe { *RAISED.waker.get() = Some(cx.waker().clone()) };
            RAISED.is_awaited.store(true, Ordering::Release);
            machine::interrupt(machine::this_core());
            return Poll::Pending;
        }
        if RAISED.is_awaited.load(Ordering::Acquire) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}
