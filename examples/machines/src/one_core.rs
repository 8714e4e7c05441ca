//! The program on a machine with one core.

#![no_std]
#![no_main]

use machines::port::Unparker;
use machines::{body, machine};
use miniss_core::ExecutorCell;

static CORE: ExecutorCell<Unparker> = ExecutorCell::new(Unparker::new(0));

#[unsafe(no_mangle)]
fn kernel_main() -> ! {
    body::run(&CORE);
    machine::end(machines::DONE)
}
