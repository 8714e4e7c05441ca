//! A task that sleeps and then raises an interrupt, and another that waits for its handler. The
//! signal between them is that of `embassy-sync`.

#![no_std]
#![no_main]

use core::time::Duration;

use cortex_m_rt::{entry, exception};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, LocalHandle, task_slab};
use miniss_sizes::{Unparker, end, executor, raise, start_clock};

static CELL: ExecutorCell<Unparker> = ExecutorCell::new(Unparker);
static RAISED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

#[exception]
fn PendSV() {
    RAISED.signal(());
}

async fn sleeps(local: LocalHandle<Unparker>) {
    loop {
        Sleep::new(local, Duration::from_millis(20)).await;
        raise();
    }
}

async fn waits() {
    for _ in 0..10 {
        RAISED.wait().await;
    }
    end();
}

#[entry]
fn main() -> ! {
    start_clock();
    let mut executor = executor(&CELL);
    let local = executor.local();
    let _ = local.spawn_in(task_slab!(sleeps), sleeps(local));
    let _ = local.spawn_in(task_slab!(waits), waits());
    loop {
        executor.turn();
    }
}
