//! The program on a machine with two cores.

#![no_std]
#![no_main]

use machines::{calls, machine};

#[unsafe(no_mangle)]
fn kernel_main() -> ! {
    calls::run_on(2);
    machine::end(machines::DONE)
}
