//! One core: timers and a serial port wake tasks, and the core halts in between.
//!
//! One task prints a few ticks, the other sends back each line that comes in. The line `quit` ends
//! the program.

#![no_std]
#![no_main]

use core::arch::asm;
use core::sync::atomic::Ordering;
use core::time::Duration;

use bare_metal::end::{Status, end};
use bare_metal::miniss_core::timer::Sleep;
use bare_metal::miniss_core::{ExecutorCell, LocalHandle, task_slab};
use bare_metal::port::{Port, Unparker};
use bare_metal::{apic, println, serial};

const TICKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
const LINE_BYTES_MAX: usize = 80;

static CORE: ExecutorCell<Unparker> = ExecutorCell::new(Unparker::new(0));

#[unsafe(no_mangle)]
fn kernel_main() -> ! {
    let mut executor = Port::executor(&CORE);
    let local = executor.local();
    let ticking = local.spawn_in(task_slab!(tick), tick(local)).expect("its slab is free");
    check_red_zone();
    println!("ready");
    executor.block_on(async {
        echo().await;
        ticking.await.expect("no one aborts it");
    });
    report(local);
    end(Status::Done)
}

/// An interrupt leaves the 128 bytes below the stack pointer alone: compiled code, the precompiled
/// `core` included, keeps locals there. Where it does not, nothing else may look wrong for long.
fn check_red_zone() {
    const LOCAL: u64 = 0x0123_4567_89ab_cdef;
    let count = apic::TIMER_INTERRUPTS.load(Ordering::Relaxed);
    apic::set_timer(Some(Duration::from_millis(1)));
    let kept: u64;
    // SAFETY: it may use the stack, so the compiler has nothing of its own below the stack pointer.
    // The loop only reads the counter, and the timer ends it.
    unsafe {
        asm!(
            "mov [rsp - 64], {local}",
            "2:",
            "cmp [{counter}], {count:e}",
            "je 2b",
            "mov {kept}, [rsp - 64]",
            local = in(reg) LOCAL,
            counter = in(reg) apic::TIMER_INTERRUPTS.as_ptr(),
            count = in(reg) count,
            kept = out(reg) kept,
        );
    }
    assert!(kept == LOCAL, "an interrupt used the stack of the code that it interrupted");
}

/// Sleeps between lines.
async fn tick(local: LocalHandle<Unparker>) {
    for tick in 1..=TICKS {
        let start = local.now();
        Sleep::new(local, PAUSE).await;
        assert!(local.now() - start >= PAUSE, "a timer is never early");
        println!("tick {tick}");
    }
}

/// Sends back lines until one says `quit`.
async fn echo() {
    let mut line = [0; LINE_BYTES_MAX];
    loop {
        let line = read_line(&mut line).await;
        if line == b"quit" {
            return;
        }
        println!("echo {}", line.escape_ascii());
    }
}

/// The next line, without its end; what is longer than `line` is lost.
async fn read_line(line: &mut [u8]) -> &[u8] {
    let mut length = 0;
    loop {
        match serial::read_byte().await {
            b'\n' | b'\r' => return &line[..length],
            byte if length < line.len() => {
                line[length] = byte;
                length += 1;
            }
            _ => {}
        }
    }
}

/// The core did not spin: it halted, each halt was ended by an interrupt, and no task was polled
/// without having been woken.
fn report(local: LocalHandle<Unparker>) {
    let (stats, halts) = (local.stats(), CORE.unparker().halts());
    let timer = apic::TIMER_INTERRUPTS.load(Ordering::Relaxed);
    let serial = serial::INTERRUPTS_TAKEN.load(Ordering::Relaxed);
    let polls = stats.polls;
    println!("{halts} halts, {timer} timer and {serial} serial interrupts, {polls} polls");
    // A sleep may be over before its task waits: the machine below may stand still.
    assert!(halts > 0 && halts <= timer + serial);
    assert!(polls <= stats.spawned + stats.wakes_local + stats.wakes_remote);
    assert!(CORE.unparker().unparks() == 0, "no one was there to unpark it");
}
