//! What runs on all machines: tasks, timers and an interrupt.
//!
//! It prints what it has counted, and panics where something is wrong.

use core::future::poll_fn;
use core::mem;
use core::time::Duration;

use miniss_core::interrupt::{Receiver, Signal};
use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, LocalHandle, task_slab};

use crate::port::{Port, Unparker};
use crate::{machine, println, urgent};

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
    let mut raised = RAISED.receiver().expect("no one else receives");
    for _ in 0..INTERRUPTS {
        interrupted(&mut raised).await;
    }
    let ticks = ticking.await.expect("no one aborts it");
    println!("{ticks} ticks, {INTERRUPTS} interrupts");
    urgent::ask().await;
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

/// Waits for an interrupt, and raises it as soon as the handler would wake this task.
async fn interrupted(raised: &mut Receiver<Signal<()>>) {
    let mut is_raised = false;
    poll_fn(|cx| {
        let polled = raised.poll_recv(cx);
        if !mem::replace(&mut is_raised, true) {
            machine::interrupt(machine::this_core());
        }
        polled
    })
    .await;
}

/// The interrupt handler tells the task.
static RAISED: Signal<()> = Signal::new();

/// Called by the machine in its interrupt handler, on each core that is interrupted.
pub fn on_interrupt() {
    if machine::this_core() == 0 {
        RAISED.send(()).expect("an interrupt does not interrupt itself");
        urgent::on_interrupt();
    }
}
