//! What the boot code calls on each core.
//!
//! `boot.s ─▶ [start] ─▶ the program's own main function`
//!
//! # Invariants
//!
//! *Bare core*, see the crate, and
//!
//! - **One second core.** Only [`second_core`], once, starts it, and gives it its work before.

use core::arch::global_asm;
use core::hint::spin_loop;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use core::time::Duration;

use crate::{apic, clock, cpu, serial, tables};

global_asm!(include_str!("boot.s"), options(raw));

/// Where the second core begins: a page below 1 MiB that the firmware does not use any more.
const START_PAGE: u8 = 8;
/// How long it may take to begin, also in a machine that is emulated on a busy one.
const START_MAX: Duration = Duration::from_secs(30);

// SAFETY: the program defines the first, with this very signature; `boot.s` the others.
unsafe extern "Rust" {
    /// The program, on the first core.
    safe fn kernel_main() -> !;
    static trampoline: u8;
    static trampoline_end: u8;
}

/// What the second core is to do.
static WORK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static IS_STARTED: AtomicBool = AtomicBool::new(false);

/// Called by `boot.s` on the first core, with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn first_core() -> ! {
    tables::open_gates();
    tables::load(0);
    apic::silence_old_controllers();
    apic::enable();
    clock::measure();
    serial::enable();
    // SAFETY: the tables are loaded.
    unsafe { cpu::allow_interrupts() };
    kernel_main()
}

/// Lets the second core, whose number is 1, run `work`; returns when it has begun.
///
/// # Panics
///
/// If the machine has no second core, or this was called before.
pub fn second_core(work: fn() -> !) {
    let former = WORK.swap(work as *mut (), Ordering::Release);
    assert!(former.is_null(), "the second core was started before");
    let page = ptr::with_exposed_provenance_mut::<u8>(usize::from(START_PAGE) * 4096);
    let (start, end) = (&raw const trampoline, &raw const trampoline_end);
    // SAFETY: *Bare core*: the page is mapped and no one's, and `boot.s` says how long the code is.
    unsafe { page.copy_from_nonoverlapping(start, end as usize - start as usize) };
    // SAFETY: *One second core*, and the code is in place.
    unsafe { apic::start_core(1, START_PAGE) };
    let give_up = clock::now() + START_MAX;
    while !IS_STARTED.load(Ordering::Acquire) {
        assert!(clock::now() < give_up, "there is no second core: give the machine one");
        spin_loop();
    }
}

/// Called by `boot.s` on the second core, with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn second_core_begins() -> ! {
    tables::load(1);
    apic::enable();
    // SAFETY: the tables are loaded.
    unsafe { cpu::allow_interrupts() };
    IS_STARTED.store(true, Ordering::Release);
    let work = WORK.load(Ordering::Acquire);
    // SAFETY: *One second core*: it was given this very function.
    let work = unsafe { core::mem::transmute::<*mut (), fn() -> !>(work) };
    work()
}
