//! A Linux process without std, without libc and without an allocator: miniss-core and system
//! calls.
//!
//! The main task reads bytes from a pipe; another, which lives in a static, writes one after each
//! of a few sleeps. Between, the process blocks in `ppoll`. It exits with [`DONE`] if what it saw
//! was right, and with the panic's status if not.
//!
//! - [`port`]: the reactor and the unparker.
//! - [`sys`]: the system calls.
//! - [`mem`]: the memory functions that libc would bring.

#![no_std]
#![no_main]

mod mem;
mod port;
mod sys;

use core::arch::global_asm;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::time::Duration;

use miniss_core::timer::Sleep;
use miniss_core::{ExecutorCell, LocalHandle, Promise, PromiseCell, task_slab};
use port::{PollSet, Port, Unparker};

/// A status that neither a crash nor an empty program yields.
const DONE: i32 = 42;
/// What the process exits with after a panic, as in a program with std.
const PANICKED: i32 = 101;

/// A lost wake ends the process instead of letting it wait forever.
const LIFE_SECS_MAX: usize = 60;

const PAUSE: Duration = Duration::from_millis(2);
const TEXT: &[u8] = b"wake";

static CELL: ExecutorCell<Unparker> = ExecutorCell::new(Unparker::new());
static SENT: PromiseCell<usize> = PromiseCell::new();

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
    let poll_set = PollSet::new();
    let mut executor = Port::executor(&CELL, &poll_set);
    let local = executor.local();

    let (reader, writer) = sys::pipe();
    let (all_sent, promise) = SENT.pair().expect("no one has used the cell yet");
    let sending = send(local, writer, promise);
    let sending = local.spawn_in(task_slab!(send), sending).expect("its slab is free");
    executor.block_on(async {
        for &expected in TEXT {
            poll_set.readable(reader).await;
            assert!(sys::read_byte(reader) == expected, "what was sent has come");
        }
        assert!(all_sent.await == Ok(TEXT.len()), "a promise in a static is kept");
        sending.await.expect("no one aborts it");
    });
    report(local);
    sys::exit(DONE)
}

/// A task: sleeps, then writes a byte, and so on.
async fn send(local: LocalHandle<Unparker>, writer: i32, all_sent: Promise<usize>) {
    for &byte in TEXT {
        let due = local.now() + PAUSE;
        Sleep::until(local, due).await;
        assert!(local.now() >= due, "a timer is never early");
        sys::write(writer, &[byte]);
    }
    all_sent.complete(TEXT.len()).expect("the main task waits for it");
}

/// The process slept: it went round the loop a few times for each byte, not all the time.
fn report(local: LocalHandle<Unparker>) {
    let stats = local.stats();
    // Writing it never fails.
    let _ = writeln!(sys::Output, "{} turns, {} parks", stats.turns, stats.parks);
    assert!(stats.parks >= TEXT.len() as u64, "it parked before each byte");
    assert!(stats.turns <= 8 * TEXT.len() as u64, "it did not spin");
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // As above; there is no one left to tell.
    let _ = writeln!(sys::Output, "{info}");
    sys::exit(PANICKED)
}
