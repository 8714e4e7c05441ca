//! A task that switches a light on and off.

#![no_std]
#![no_main]

use core::time::Duration;

use cortex_m_rt::entry;
use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, LocalHandle, task_slab};
use miniss_sizes::{Unparker, end, executor, start_clock, switch};

static CELL: ExecutorCell<Unparker> = ExecutorCell::new(Unparker);

async fn blink(local: LocalHandle<Unparker>) {
    for times in 0..10 {
        switch(times % 2 == 0);
        Sleep::new(local, Duration::from_millis(20)).await;
    }
    end();
}

#[entry]
fn main() -> ! {
    start_clock();
    let mut executor = executor(&CELL);
    let local = executor.local();
    let _ = local.spawn_in(task_slab!(blink), blink(local));
    loop {
        executor.turn();
    }
}
