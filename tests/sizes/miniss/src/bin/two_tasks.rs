//! A task that sleeps for 20 ms, and another that awaits it.

#![no_std]
#![no_main]

use core::time::Duration;

use cortex_m_rt::entry;
use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, JoinHandle, LocalHandle, task_slab};
use miniss_sizes::{Unparker, end, executor, start_clock};

static CELL: ExecutorCell<Unparker> = ExecutorCell::new(Unparker);

async fn sleeps(local: LocalHandle<Unparker>) {
    Sleep::new(local, Duration::from_millis(20)).await;
}

async fn awaits(handle: JoinHandle<()>) {
    let _ = handle.await;
    end();
}

#[entry]
fn main() -> ! {
    start_clock();
    let mut executor = executor(&CELL);
    let local = executor.local();
    if let Ok(handle) = local.spawn_in(task_slab!(sleeps), sleeps(local)) {
        let _ = local.spawn_in(task_slab!(awaits), awaits(handle));
    }
    loop {
        executor.turn();
    }
}
