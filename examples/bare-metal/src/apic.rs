//! Interrupt controllers: one in each core (local APIC), and one for the devices (I/O APIC).
//!
//! `device ─▶ [I/O APIC] ─▶ [local APIC] ─▶ handler ─▶ waker`
//! and `unparker ─▶ [local APIC] ─▶ [local APIC of the other core]`
//!
//! Registers and their bits are those of Intel's manual, volume 3, chapter "APIC", and of the
//! 82093AA's data sheet. Invariants: *Bare core* and *Own devices*, see the crate.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use core::time::Duration;

use crate::{clock, cpu};

/// The interrupts that this program knows. Those below 32 are the processor's exceptions.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub enum Vector {
    /// The timer of this core.
    Timer = 0x20,
    /// The serial port.
    Serial = 0x21,
    /// Another core unparks this one.
    Unpark = 0x22,
    /// An interrupt that went away while it was being delivered.
    Spurious = 0xff,
}

/// Local registers, as offsets. All cores see their own at the same address.
const LOCAL: usize = 0xfee0_0000;
const ID: usize = 0x20;
const END_OF_INTERRUPT: usize = 0xb0;
const SPURIOUS: usize = 0xf0;
const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const TIMER: usize = 0x320;
const LINT0: usize = 0x350;
const TIMER_START: usize = 0x380;
const TIMER_NOW: usize = 0x390;
const TIMER_DIVIDER: usize = 0x3e0;

const ENABLED: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_16: u32 = 0b0011;

const PENDING: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;
const INIT: u32 = 0b101 << 8;
const STARTUP: u32 = 0b110 << 8;

/// The devices' controller: the number of a register goes to the first address, its value is then
/// at the second.
const DEVICES_SELECT: usize = 0xfec0_0000;
const DEVICES_VALUE: usize = 0xfec0_0010;
/// Two registers for each input begin here.
const FIRST_INPUT: u32 = 0x10;

/// How often the timers of all cores have gone off.
pub static TIMER_INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// How often cores were unparked.
pub static WAKE_INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// What a core does when it is unparked, a `fn()`, or null.
static ON_UNPARK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

fn read(register: usize) -> u32 {
    // SAFETY: *Own devices*, and *Bare core* maps the register; reading it has no effect.
    unsafe { ptr::with_exposed_provenance::<u32>(LOCAL + register).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: *Own devices*, and *Bare core* maps the register.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(LOCAL + register).write_volatile(value) };
}

/// Masks all inputs of the old controllers, two 8259, which firmware leaves on.
///
/// It comes before [`enable`] cuts their way into the core: what they had announced before and
/// could not deliver any more would be an interrupt without a vector.
pub(crate) fn silence_old_controllers() {
    for masks in [0x21, 0xa1] {
        // SAFETY: *Own devices*: a write to this port is a set of masks.
        unsafe { cpu::write_port(masks, 0xff) };
    }
}

/// Switches the controller of this core on, with its timer ready but not running.
pub fn enable() {
    write(SPURIOUS, ENABLED | Vector::Spurious as u32);
    // The old controllers come in here.
    write(LINT0, MASKED);
    write(TIMER_DIVIDER, DIVIDE_BY_16);
    write(TIMER, Vector::Timer as u32);
}

/// The number of this core.
pub fn this_core() -> u32 {
    read(ID) >> 24
}

/// Lets the timer of this core go off once, `after` that time or as soon as it can; never, if
/// `None`. A time too long for it is cut short.
pub fn set_timer(after: Option<Duration>) {
    // Zero stops it.
    write(TIMER_START, after.map_or(0, |after| clock::timer_ticks(after).max(1)));
}

/// Lets the timer run for as long as it can, to be measured.
pub(crate) fn start_timer_for_measuring() {
    write(TIMER, MASKED | Vector::Timer as u32);
    write(TIMER_START, u32::MAX);
}

/// Stops the timer and returns how far it ran.
pub(crate) fn stop_timer_for_measuring() -> u32 {
    let ticks = u32::MAX - read(TIMER_NOW);
    write(TIMER_START, 0);
    write(TIMER, Vector::Timer as u32);
    ticks
}

/// Sends `core` an interrupt.
pub fn interrupt(core: u32) {
    command(core, ASSERT | Vector::Unpark as u32);
}

/// Starts `core` in real mode at the beginning of `page`, a page of 4 KiB below 1 MiB.
///
/// # Safety
///
/// The page holds code for a core to start with, and `core` is not running.
pub unsafe fn start_core(core: u32, page: u8) {
    command(core, INIT | ASSERT);
    clock::wait(Duration::from_millis(10));
    command(core, STARTUP | ASSERT | u32::from(page));
}

/// Sends a command to `core`. It is written in two halves, between which no handler may send one of
/// its own.
fn command(core: u32, command: u32) {
    cpu::without_interrupts(|| {
        // A matter of the bus, not of the other core: the last one is on its way out.
        while read(COMMAND_LOW) & PENDING != 0 {
            core::hint::spin_loop();
        }
        write(COMMAND_HIGH, core << 24);
        write(COMMAND_LOW, command);
    });
}

/// Lets the device on `input` interrupt the core with the number 0, once for each rise of its line.
pub fn route(input: u32, vector: Vector) {
    let register = FIRST_INPUT + 2 * input;
    cpu::without_interrupts(|| {
        write_devices(register + 1, 0);
        write_devices(register, vector as u32);
    });
}

fn write_devices(register: u32, value: u32) {
    let select = ptr::with_exposed_provenance_mut::<u32>(DEVICES_SELECT);
    // SAFETY: *Own devices*, and *Bare core* maps the address.
    unsafe { select.write_volatile(register) };
    // SAFETY: as above.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(DEVICES_VALUE).write_volatile(value) };
}

/// Tells the controller of this core that its interrupt has been served, so that the next may come.
pub fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// Called by `boot.s`. That the halt has ended is all that matters: the executor looks at its
/// timers by itself.
#[unsafe(no_mangle)]
extern "C" fn on_timer() {
    TIMER_INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    end_of_interrupt();
}

/// From now on `work` runs in the interrupt handler of each core that is unparked.
pub fn on_unpark(work: fn()) {
    ON_UNPARK.store(work as *mut (), Ordering::Release);
}

/// Called by `boot.s`. Here, too, the end of the halt is all: what to do is in the inbox.
#[unsafe(no_mangle)]
extern "C" fn on_wake() {
    WAKE_INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    let work = ON_UNPARK.load(Ordering::Acquire);
    if !work.is_null() {
        // SAFETY: `on_unpark` made it of such a function.
        unsafe { core::mem::transmute::<*mut (), fn()>(work)() };
    }
    end_of_interrupt();
}
