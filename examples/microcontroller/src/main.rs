//! A light that blinks, on a Cortex-M4. The README goes through it.

#![no_std]
#![no_main]

mod port;

use core::time::Duration;

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use miniss_core::timer::Sleep;
use miniss_core::{Executor, ExecutorCell, LocalHandle};
use panic_semihosting as _;

use port::{Board, Port};

static CORE: ExecutorCell<Board> = ExecutorCell::new(Board);

async fn blink(local: LocalHandle<Board>) -> ! {
    loop {
        for is_on in [true, false] {
            port::switch_light(is_on);
            hprintln!("{}", if is_on { "on" } else { "off" });
            Sleep::new(local, Duration::from_millis(200)).await;
        }
    }
}

#[entry]
fn main() -> ! {
    port::start_clock();
    let mut executor = Executor::new(&CORE, Port).expect("no one else uses the cell");
    let local = executor.local();
    executor.block_on(blink(local))
}
