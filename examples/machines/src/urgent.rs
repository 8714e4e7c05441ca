//! Tasks that are more urgent than all others: an executor in the interrupt handler of the first
//! core.
//!
//! `a task ─▶ ASKED ─▶ interrupt ─▶ [urgent] ─▶ ANSWERED`

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use miniss_core::interrupt::{Handler, Queue};
use miniss_core::time::Instant;
use miniss_core::timer::NoTimers;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark, task_slab};

use crate::{machine, println};

const QUESTIONS: u32 = 100;

static CELL: ExecutorCell<Raise> = ExecutorCell::new(Raise);
static HANDLER: Handler<Port> = Handler::new();
static ASKED: Queue<u32, 2> = Queue::new();
static ANSWERED: AtomicU32 = AtomicU32::new(0);

/// Raises the interrupt in which the executor runs.
#[derive(Debug)]
struct Raise;

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Raise {
    fn unpark(&self) {
        machine::interrupt(0);
    }
}

impl Clock for Raise {
    type Timers = NoTimers;

    fn now(&self) -> Instant {
        machine::now()
    }
}

#[derive(Debug)]
struct Port;

impl Reactor for Port {
    type Unparker = Raise;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _deadline: Option<Instant>, _idle: Idle<'_>) {
        unreachable!("a handler does not sleep");
    }
}

/// Called in the interrupt handler of the first core.
pub fn on_interrupt() {
    // SAFETY: no one else calls it, and the handler is not interrupted by its own interrupt.
    unsafe { HANDLER.run(start) };
}

fn start() -> Executor<Port> {
    let executor = Executor::new(&CELL, Port).expect("the handler alone uses the cell");
    executor.local().spawn_in(task_slab!(answer), answer()).expect("its slab is free").detach();
    executor
}

async fn answer() {
    let mut asked = ASKED.receiver().expect("no one else receives");
    loop {
        ANSWERED.store(asked.recv().await, Ordering::Release);
    }
}

/// Asks the urgent task from within a poll, and does not give way before it has answered: it must
/// be polled in the middle of this.
pub async fn ask() {
    // It runs once to begin with, whatever the interrupt was raised for.
    machine::interrupt(0);
    for question in 1..=QUESTIONS {
        ASKED.try_send(question).expect("there is room for one question");
        while ANSWERED.load(Ordering::Acquire) != question {
            spin_loop();
        }
    }
    println!("{QUESTIONS} answers from a more urgent task");
}
