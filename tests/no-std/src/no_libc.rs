//! A Linux process that uses miniss-core without std, without libc and without an allocator.
//!
//! It exits with [`DONE`] if what it saw was right, and with the panic's status if not.

#![no_std]
#![no_main]

mod alarm;
mod mem;

use alarm::{Alarm, Bell};
use core::arch::global_asm;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use no_std::miniss_core::{Anchor, Executor, PromiseCell, time::Instant, timer::Sleep};
use no_std::sys;

/// A status that neither a crash nor an empty program yields.
const DONE: i32 = 42;

const LIFE_SECS_MAX: usize = 60;

const PAUSE: Duration = Duration::from_millis(2);

// The kernel enters with the stack pointer at `argc`; a call wants the stack aligned to 16 bytes.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);

extern "C" fn main() -> ! {
    sys::die_in(LIFE_SECS_MAX);
    the_clock_goes_forward();
    a_promise_in_a_static_is_kept();
    an_executor_sleeps_until_it_is_woken();
    sys::exit(DONE)
}

fn the_clock_goes_forward() {
    let start = sys::now();
    let later = sys::now();
    assert!(start > Instant::ZERO && later >= start);
    assert!(start.saturating_add(Duration::MAX) == Instant::MAX);
}

fn a_promise_in_a_static_is_kept() {
    static CELL: PromiseCell<u32> = PromiseCell::new();
    let (future, promise) = CELL.pair().expect("nobody has used the cell yet");
    {
        let mut doubled = pin!(async { future.await.map(|value| value * 2) });
        let mut context = Context::from_waker(Waker::noop());
        assert!(doubled.as_mut().poll(&mut context).is_pending());
        assert!(promise.complete(21).is_ok());
        assert!(doubled.as_mut().poll(&mut context) == Poll::Ready(Ok(42)));
    }
    assert!(CELL.pair().is_some(), "both ends are gone, so the cell is free");
}

fn an_executor_sleeps_until_it_is_woken() {
    static CELL: PromiseCell<Instant> = PromiseCell::new();
    static ANCHOR: Anchor<Bell> = Anchor::new(Bell);
    let (future, promise) = CELL.pair().expect("nobody has used the cell yet");
    let due = sys::now() + PAUSE;
    let alarm = Alarm { due, promise: Some(promise) };
    let Ok(mut executor) = Executor::new(&ANCHOR, alarm) else { panic!("the anchor is new") };

    let noticed = executor.block_on(future);
    assert!(noticed.is_ok_and(|time| time >= due), "by its reactor");
    executor.block_on(Sleep::until(executor.local(), due + PAUSE));
    assert!(sys::now() >= due + PAUSE, "by its timer");
    assert!(executor.local().stats().parks > 0, "it did sleep");
}
